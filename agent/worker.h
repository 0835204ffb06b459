/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The workers of a run: forked, placed, held at a barrier, let go together,
 * accounted per phase, stopped together. Called by the agent's main loop.
 */
#ifndef KTSTR_AGENT_WORKER_H
#define KTSTR_AGENT_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

struct ktstr_shm_hdr;
struct load_exec;
struct plan;

/* Where workers find things; zero means the guest's own places. */
struct workers_opts {
	const char *disk_dir;	/* default DISK_DIR of agent/disk.h */
	const char *cgroup_root; /* default CGROUP_ROOT of agent/cgroup.h */
	bool no_cgroups;	/* make none, place nobody */
};

/* What the kernel has counted for one worker since it was born. */
struct worker_account {
	uint64_t cpu_time_ns;
	uint64_t run_delay_ns;
	uint64_t run_count;
};

/* One worker, as the agent sees it; its counters are in the shared region. */
struct worker {
	pid_t pid;		/* 0: not forked, or reaped */
	int account_fd;		/* owned; -1: none: schedstat, or cpu.stat */
	struct load_exec *exec;	/* owned: of a program; else NULL */
	uint64_t leaf_id;	/* of a program's cgroup; 0: it has none */
	unsigned int workload;	/* index in the plan */
	unsigned int index;	/* within its workload */
	struct worker_account base; /* at the start of the current phase */
};

struct worker_set {
	struct workers_opts opts;
	const struct plan *plan;	/* borrowed */
	struct ktstr_shm_hdr *shm;	/* borrowed */
	struct worker_ctl *ctl;		/* owned: the barrier's page */
	struct worker *workers;		/* owned, nr of them */
	unsigned int nr;
	unsigned int nr_live;		/* forked and not reaped */
	bool stopping;			/* exits are wanted from now on */
};

/**
 * workers_leaves() - the cgroups of programs, by worker; 0: none of its own
 *
 * Return: new reference, an array of numbers; NULL: no program has one.
 */
json_t *workers_leaves(const struct worker_set *ws);

/**
 * workers_count() - how many workers a plan asks for
 *
 * What the shared region must have room for.
 */
unsigned int workers_count(const struct plan *plan);

/**
 * workers_spawn() - make the cgroups and fork every worker
 * @plan: borrowed until workers_fini()
 * @shm: a laid out region with workers_count() workers, borrowed likewise,
 *	mapped MAP_SHARED in the caller; its struct ktstr_worker are filled here
 * @opts: NULL for the defaults
 * @ws: set up on success and on failure; workers_fini() takes both
 * @err_msg: one line on failure: what was tried, on what, why
 *
 * Workers number the plan's workloads one after the other. Each takes its
 * name, cgroup, affinity, nice and policy itself and then opens its disk, so
 * none of that runs on the caller's time; wait for it with
 * workers_wait_ready(). Never blocks on a worker.
 *
 * Return: 0; -EINVAL for an unknown kind or a bad parameter; -ENOSPC if the
 * region is too small; other -errno of fork, mmap or the cgroup tree. After an
 * error no worker is left.
 */
int workers_spawn(const struct plan *plan, struct ktstr_shm_hdr *shm,
		  const struct workers_opts *opts, struct worker_set *ws,
		  char *err_msg, size_t err_len);

/**
 * workers_wait_ready() - block until all wait at the barrier
 * @timeout_ns: at most this long
 * @err_msg: one line on failure: which worker, what it failed in, why
 *
 * Return: 0; -ETIMEDOUT; or the error of the first worker that failed.
 */
int workers_wait_ready(struct worker_set *ws, uint64_t timeout_ns,
		       char *err_msg, size_t err_len);

/** workers_release() - open the barrier; sets go in the region too. */
void workers_release(struct worker_set *ws);

/**
 * workers_phase_start() - remember the kernel's counts as the phase's base
 *
 * Call before the phase is published in the region.
 */
void workers_phase_start(struct worker_set *ws);

/**
 * workers_phase_end() - fill the agent's members of a phase's cells
 * @phase: the one that has just ended in the region
 *
 * What the kernel counted since workers_phase_start(). A worker that is gone
 * keeps what it had (nothing, if it died in this phase).
 *
 * Return: 0, or -errno if the kernel tells nothing about a living worker (a
 * kernel without schedstat); its members stay 0 then.
 */
int workers_phase_end(struct worker_set *ws, unsigned int phase);

/**
 * workers_exited() - the caller's waitpid() found that @pid has ended
 * @status: from waitpid()
 *
 * For a PID 1 that reaps everybody by itself. A worker that ends before
 * workers_stop(), or with a status other than 0, is FAILED in the region: with
 * the error it left there itself, else -ECHILD and its signal or exit status.
 *
 * Return: the worker's number, or -1 if it was none of ours.
 */
int workers_exited(struct worker_set *ws, pid_t pid, int status);

/**
 * workers_reap() - waitpid() for the workers only, without blocking
 *
 * Return: how many had ended.
 */
unsigned int workers_reap(struct worker_set *ws);

/**
 * workers_stop() - end every worker, and know that it has
 * @grace_ns: how long they may take to stop by themselves
 *
 * Those that do not are killed; a worker that needed it is STOPPED with
 * "killed at stop" as its what. Blocks for at most @grace_ns and, for the
 * killed ones, as long again.
 *
 * Return: 0, or -EBUSY if some are still there (the scheduler does not even
 * let them die).
 */
int workers_stop(struct worker_set *ws, uint64_t grace_ns);

/** workers_fini() - kill what is left, free; takes a set that is all zero. */
void workers_fini(struct worker_set *ws);

#endif
