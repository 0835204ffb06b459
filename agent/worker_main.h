/* SPDX-License-Identifier: GPL-2.0-only */
/* The life of one worker process, from fork to exit. Called by worker.c. */
#ifndef KTSTR_AGENT_WORKER_MAIN_H
#define KTSTR_AGENT_WORKER_MAIN_H

#include <stdint.h>
#include <time.h>

#include "agent/load.h"

/*
 * The barrier, on a page of shared anonymous memory. Not in the shared region
 * itself: that is a BPF map, and futex(2) refuses its pages with EFAULT, since
 * they belong to no file and no address space. The region's go is a copy.
 */
struct worker_ctl {
	uint32_t go;		/* futex: WORKER_GO_*; written by the agent */
	uint32_t events;	/* futex: a worker got ready, failed or ended */
};

/* What a worker is to be. All borrowed from the parent's memory, as forked. */
struct worker_job {
	const struct plan_workload *workload;
	const struct load_kind *kind;
	const uint64_t *param;	/* LOAD_MAX_PARAMS */
	const struct load_group *group;
	struct load_exec *exec;	/* of a program, shared; else NULL */
	const char *disk_dir;
	const char *cgroup_root; /* NULL: stay where it is */
	struct ktstr_shm_hdr *shm;
	struct worker_ctl *ctl;
	unsigned int nr;	/* in the shared region */
	unsigned int index;	/* within the workload */
	int parent;		/* pid */
};

/** worker_main() - be a worker; ends in _exit(): 0 stopped, 1 failed. */
void worker_main(const struct worker_job *job) __attribute__((noreturn));

/**
 * worker_settle() - take the place that the workload says
 *
 * Cgroup, affinity, nice and policy, of a worker or of its program. Return: 0,
 * or -errno and in @what the name of what failed.
 */
int worker_settle(const struct worker_job *job, const char **what);

/** worker_wait_go() - until the barrier opens, or closes for good */
void worker_wait_go(const struct worker_job *job);

/**
 * worker_ctl_wait() - futex wait while *@word is @seen; NULL: no time-out
 *
 * Return: 0, or -errno: -ETIMEDOUT, -EAGAIN it is not @seen, -EINTR.
 */
int worker_ctl_wait(uint32_t *word, uint32_t seen,
		    const struct timespec *timeout);

/** worker_ctl_wake() - wake all that wait on @word. */
void worker_ctl_wake(uint32_t *word);

/** worker_set_failed() - say in the region why a worker is no more. */
void worker_set_failed(struct ktstr_worker *w, const char *what, int err);

/** worker_set_state() - after all that belongs to the state is written. */
static inline void worker_set_state(struct ktstr_worker *w,
				    enum ktstr_worker_state state)
{
	__atomic_store_n(&w->state, state, __ATOMIC_RELEASE);
}

#endif
