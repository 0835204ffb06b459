/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the observers of bpf/observers share with the agent, which loads them,
 * and with the host, which reads what they found out of guest memory.
 *
 * An observer's results are the one value of its map KTSTR_OBS_REGION, a data
 * section of its object that the agent makes as long as the plan needs; the
 * host finds it by the map's id. To the host every word is hostile.
 */
#ifndef KTSTR_OBSERVE_H
#define KTSTR_OBSERVE_H

#include "include/ktstr/shm.h"

#define KTSTR_OBS_DIR "/ktstr/observers" /* in the guest: NAME.bpf.o */
#define KTSTR_OBS_REGION ".data.region"
#define KTSTR_OBS_TASKS "obs_tasks"	/* task storage, see ktstr_obs_task */
#define KTSTR_OBS_SHM "obs_shm"		/* the shared region, if it is read */
#define KTSTR_OBS_MAX_BYTES (64u << 20)	/* of a region */

/*
 * Whose a task is: set by the agent for each worker, and handed on to whoever
 * it forks. The first member of each observer's value in KTSTR_OBS_TASKS.
 */
struct ktstr_obs_task {
	__u32 workload;		/* index in the plan */
	__u32 worker;		/* in the shared region */
	__u32 flags;
	__u32 state;		/* enum ktstr_obs_state; the observer's */
	__u64 woken_ns;		/* guest CLOCK_MONOTONIC; the observer's */
	__u32 woken_gen;	/* freeze_gen then */
	__u32 pad;
};

_Static_assert(sizeof(struct ktstr_obs_task) == 32, "ktstr_obs_task");

/*
 * A holder of a program is the harness's: nothing of it counts, but what it
 * forks belongs to the workload.
 */
#define KTSTR_OBS_HOLDER 1u

enum ktstr_obs_state {
	KTSTR_OBS_UNKNOWN,	/* not seen yet */
	KTSTR_OBS_ASLEEP,
	KTSTR_OBS_WOKEN,	/* and has not run since */
	KTSTR_OBS_RUNNING,
	KTSTR_OBS_PREEMPTED,	/* or yielded: waits, but nobody woke it */
};

/*
 * wake_latency: number workload * nr_phases + phase. All CPUs add to it, by
 * atomic instructions: nothing is lost.
 */
struct ktstr_obs_wake {
	struct ktstr_hist hist;	/* wake-up to run */
	__u64 frozen;		/* wake-ups during which the VM was frozen */
};

_Static_assert(sizeof(struct ktstr_obs_wake) == sizeof(struct ktstr_hist) + 8,
	       "ktstr_obs_wake");

#endif
