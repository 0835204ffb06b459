/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's side of the observers: which are attached, what they found, what
 * they cost. Regions are copied out of guest memory at the end of each phase,
 * and what comes of them is a function of the copy. Used by the session, on
 * its main loop's thread.
 */
#ifndef KTSTR_RUNNER_OBSERVE_H
#define KTSTR_RUNNER_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/observe.h"

struct io_wait;
struct observe;

/* How a region is read; a test has its own. */
struct observe_ops {
	/* bytes of the value of an array map of one entry: 0 or -errno */
	int (*read)(void *ctx, uint32_t map_id, void *buf, size_t off,
		    size_t len);
};

/* Some phases of the plan. */
struct observe_part {
	uint32_t phases;	/* a bit for each */
	uint64_t ns;		/* how long they were, guest clock, unfrozen */
};

/**
 * observe_new() - for what plan.telemetry.observers asks
 * @plan: borrowed for as long as it lives
 *
 * Return: 0 and *@out, which is NULL when none is asked for; -ENOMEM.
 */
int observe_new(json_t *plan, const struct observe_ops *ops, void *ctx,
		struct observe **out);
void observe_free(struct observe *o);

/** observe_on_message() - KTSTR_MSG_OBSERVER. Return: false: it is none. */
bool observe_on_message(struct observe *o, json_t *body);

/**
 * observe_phase_end() - read what there is
 * @end_msg: PHASE_END, with what the programs cost; NULL: after the last phase
 */
void observe_phase_end(struct observe *o, uint32_t phase, json_t *end_msg);

/**
 * observe_workload_json() - workloads.NAME.observed
 *
 * New reference; NULL when no observer that is asked for looks at workloads.
 */
json_t *observe_workload_json(const struct observe *o, unsigned int workload,
			      const struct observe_part *part);

/** observe_sched_json() - sched.observed, likewise; of work_conservation */
json_t *observe_sched_json(const struct observe *o,
			   const struct observe_part *part);

/*
 * io_completion. Its rings are fetched while the guest fills them; what is in
 * them is told apart by stage once the host's completions are known.
 */

enum observe_io_stage {
	OBSERVE_IO_INTERRUPT,	/* the disk was done, to the interrupt's
				 * handler */
	OBSERVE_IO_BLOCK,	/* to the end of the request */
	OBSERVE_IO_COMPLETE,	/* both; of an IO without interrupt too */
	OBSERVE_IO_WAKE,	/* to the worker's wake-up */
	OBSERVE_IO_RUN,		/* to its run */
	OBSERVE_IO_TOTAL,	/* from the first to the last of these */
	OBSERVE_IO_STAGES,
};

/* One workload over some phases. */
struct observe_io_sum {
	struct ktstr_hist stage[OBSERVE_IO_STAGES];
	uint64_t unpaired;	/* IOs without a record, whose worker slept */
	uint64_t lost;		/* records overwritten before we came */
	uint64_t awake;		/* IOs whose worker did not sleep */
	uint64_t no_interrupt;	/* IOs paired, of which none is known, or whose
				 * handler ran before the disk was done */
	uint64_t frozen;	/* IOs during which the VM was frozen */
	bool clock_unknown;	/* in one of the phases at least */
};

/** observe_has_io() - is io_completion asked for? */
bool observe_has_io(const struct observe *o);

/** observe_drain() - fetch what the rings have; any thread */
void observe_drain(struct observe *o);

/**
 * observe_io_add() - one IO of a worker, as io_pair() has paired it
 * @worker: in the shared region
 * @error_ns: of the clocks
 *
 * What was not paired there is not looked for here. After the last drain.
 */
void observe_io_add(struct observe *o, unsigned int worker,
		    const struct io_wait *wait, uint64_t error_ns,
		    struct observe_io_sum *sum);

/**
 * observe_io_json() - {"io_ns", "io_pairing"}, of workloads.NAME.observed
 * @sum: completed with what was lost in the whole run
 */
json_t *observe_io_json(const struct observe *o, unsigned int workload,
			struct observe_io_sum *sum);

/**
 * observe_json() - observers{}: {NAME: {"state", "programs", "run_count",
 * "run_ns", "cpu_ratio", "missed", "why", "without"}}
 *
 * run_* are of @part, cpu_ratio of the time of all CPUs. What is not known is
 * null. New reference; NULL when none is asked for.
 */
json_t *observe_json(const struct observe *o, const struct observe_part *part);

/** observe_not_available() - a histogram's keys, all null, and why */
json_t *observe_not_available(const char *why);

#endif
