/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of load. A kind is a row of the table in load.c and two or three
 * functions in a load_NAME.c; agent/worker.c runs them.
 */
#ifndef KTSTR_AGENT_LOAD_H
#define KTSTR_AGENT_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/rng.h"
#include "agent/stamp.h"
#include "lib/load_spec.h"

struct plan_workload;
struct worker_job;

#define LOAD_GROUP_FDS 8
#define LOAD_SPINS 1024		/* pauses of one chunk: tens of microseconds */

/*
 * What a group of partners shares, made before the group is forked: zeroed
 * memory, and what the kind's share() puts into fds.
 */
struct load_group {
	void *mem;		/* kind->group_bytes, MAP_SHARED; or NULL */
	int fds[LOAD_GROUP_FDS]; /* -1: none; inherited by the workers */
};

/* One worker's load; lives on the worker's stack. */
struct load {
	const struct load_kind *kind;
	const struct worker_job *job;	/* borrowed */
	const struct plan_workload *workload;
	struct stamp stamp;
	struct rng rng;
	const uint32_t *go;	/* the barrier's futex; WORKER_GO_STOP ends */
	uint64_t param[LOAD_MAX_PARAMS]; /* in the order of the spec */
	unsigned int index;	/* within the workload */
	unsigned int member;	/* within its group: index % spec->group */
	struct load_group group;
	int disk_fd;		/* O_DIRECT; -1: the kind uses none */
	uint64_t disk_bytes;
	void *buf;		/* owned: what setup() allocated; may be NULL */
	const char *what;	/* the call that failed, for the host */
};

/**
 * struct load_kind - one row of the table
 * @spec: its name and what it takes; of a program the worker only holds what
 *	works: agent/load_exec.h
 * @group_bytes: of struct load_group.mem
 * @share: in the parent, before a group is forked: make the group's fds; may
 *	be NULL
 * @setup: in the worker, before the barrier: memory, fds; may be NULL
 * @run: in the worker, until load_stopping(); stamps progress at least every
 *	millisecond that it runs
 *
 * Each returns 0 or -errno; setup() and run() then name the call in @what of
 * struct load.
 */
struct load_kind {
	const struct load_spec *spec;
	size_t group_bytes;
	int (*share)(struct load_group *g);
	int (*setup)(struct load *l);
	int (*run)(struct load *l);
};

/** load_kind_find() - by name; NULL if there is none */
const struct load_kind *load_kind_find(const char *name);

/**
 * load_params() - a workload's parameters, the kind's defaults filled in
 * @param: LOAD_MAX_PARAMS values
 * @err_msg: one line, without the workload's name
 *
 * Return: 0; -EINVAL: a key the kind does not know, or a value out of range.
 */
int load_params(const struct load_kind *kind, const struct plan_workload *w,
		uint64_t *param, char *err_msg, size_t err_len);

#define WORKER_GO_WAIT 0u
#define WORKER_GO_RUN 1u
#define WORKER_GO_STOP 2u

static inline bool load_stopping(const struct load *l)
{
	return __atomic_load_n(l->go, __ATOMIC_RELAXED) == WORKER_GO_STOP;
}

static inline int load_fail(struct load *l, const char *what, int err)
{
	l->what = what;
	return err;
}

/**
 * load_spin() - @pauses pause instructions, with stamps in between
 *
 * Return: the cell to count in, as of the last stamp.
 */
struct ktstr_cell *load_spin(struct load *l, unsigned int pauses);

/**
 * load_spin_cpu_time() - spin until the worker has had @ns of CPU time
 *
 * CPU time, not time: a worker that is preempted in its burst still has the
 * work to do, so that its iterations tell of it. Ends early when stopping.
 */
struct ktstr_cell *load_spin_cpu_time(struct load *l, uint64_t ns);

/**
 * load_sleep_until() - sleep on purpose, and count the wake-up
 * @expiry_ns: CLOCK_MONOTONIC
 *
 * Not a gap. May end early when stopping: ask load_stopping().
 *
 * Return: the cell to count in.
 */
struct ktstr_cell *load_sleep_until(struct load *l, uint64_t expiry_ns);

/**
 * load_periodic_next() - the release after a job that was done at @done_ns
 * @release_ns: that job's
 * @missed: jobs that were not done by their deadline, the next release: this
 *	one, and those whose release passed meanwhile and that are skipped
 *
 * Every release is so either done in time or missed, once.
 */
uint64_t load_periodic_next(uint64_t release_ns, uint64_t done_ns,
			    uint64_t period_ns, uint64_t *missed);

extern const struct load_kind load_kind_spin;
extern const struct load_kind load_kind_yield;
extern const struct load_kind load_kind_mixed;
extern const struct load_kind load_kind_bursty;
extern const struct load_kind load_kind_periodic;
extern const struct load_kind load_kind_pipe;
extern const struct load_kind load_kind_futex_ping_pong;
extern const struct load_kind load_kind_io_rand_read;
extern const struct load_kind load_kind_io_seq_write;
extern const struct load_kind load_kind_io_sync_write;
extern const struct load_kind load_kind_exec;

#endif
