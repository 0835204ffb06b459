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
/* Iterators over tasks that the agent runs, by the end of their names. */
#define KTSTR_OBS_AT_START "_existing"	/* once, when all is attached */
#define KTSTR_OBS_AT_END "_waiting"	/* after each phase's end */
/*
 * Programs that a kernel may refuse, by the end of their names: the observer
 * then does without any of them.
 */
#define KTSTR_OBS_OPTIONAL "_optional"
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
/* A worker of ours, itself: a member of a ring has one writer. */
#define KTSTR_OBS_WORKER 2u

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
	__u64 waiting;		/* tasks that still waited when it ended */
	__u64 waiting_max_ns;	/* the longest of them until then */
};

_Static_assert(sizeof(struct ktstr_obs_wake) == sizeof(struct ktstr_hist) + 24,
	       "ktstr_obs_wake");

/*
 * io_completion: a ring for each worker with an entry for each time it slept,
 * written where it is switched to again, so by one CPU at a time. The host
 * copies entries while that goes on, and knows from head which of them were
 * overwritten meanwhile.
 */
#define KTSTR_OBS_IO_LEN 256
#define KTSTR_OBS_IO_WRITE 1u
#define KTSTR_OBS_IO_OTHER 2u	/* no request woke it: woken_ns and run_ns */

struct ktstr_obs_io {
	__u64 sector;		/* of 512 bytes; of the request that woke it */
	__u64 irq_ns;		/* the handler of the interrupt that it came
				 * with is entered; guest's clock, as all here.
				 * 0: there was none, or none is known */
	__u64 complete_ns;	/* the block layer ends it */
	__u64 woken_ns;		/* the worker is runnable */
	__u64 run_ns;		/* it is switched to */
	__u32 bytes;
	__u32 flags;		/* KTSTR_OBS_IO_ */
};

_Static_assert(sizeof(struct ktstr_obs_io) == 48, "ktstr_obs_io");

struct ktstr_obs_io_ring {
	__u64 head;		/* entries ever written; the next goes to
				 * head % KTSTR_OBS_IO_LEN */
	__u64 frozen;		/* IOs during which the VM was frozen */
	__u64 pad[6];
	struct ktstr_obs_io events[KTSTR_OBS_IO_LEN];
};

_Static_assert(sizeof(struct ktstr_obs_io_ring) == 64 + 48 * KTSTR_OBS_IO_LEN,
	       "ktstr_obs_io_ring");

/*
 * who_ran: number (cpu * nr_workloads + workload) * nr_phases + phase, the
 * longest wait of the workload's that ended on that CPU. One writer, the CPU.
 */
#define KTSTR_OBS_SPANS 8
#define KTSTR_OBS_COMM 16

/* A task on a CPU, as far as it lies within the wait. */
struct ktstr_obs_span {
	__u64 ns;
	__u32 pid;		/* 0: the CPU was idle */
	__u32 workload;		/* KTSTR_OBS_NOBODY: of none */
	char comm[KTSTR_OBS_COMM];
};

#define KTSTR_OBS_NOBODY 0xffffffffu

struct ktstr_obs_ran {
	__u32 seq;		/* odd while it is written; 0: no wait yet */
	__u32 pid;		/* who waited */
	__u64 wait_ns;
	__u64 at_ns;		/* until then, guest CLOCK_MONOTONIC */
	__u32 frozen;		/* waits during which the VM was frozen */
	__u32 nr;		/* of spans[], the newest first */
	__u32 more;		/* spans that did not fit */
	__u32 at_least;		/* 1: it was more than the program looks back */
	char comm[KTSTR_OBS_COMM];
	__u32 waiting;		/* 1: it still waited when the phase ended */
	__u32 pad;
	struct ktstr_obs_span spans[KTSTR_OBS_SPANS];
};

_Static_assert(sizeof(struct ktstr_obs_ran) == 64 + 32 * KTSTR_OBS_SPANS,
	       "ktstr_obs_ran");

/*
 * work_conservation, one for each phase: the time in which some CPU was idle
 * while a task waited that may run there. Written under the observer's lock.
 */
struct ktstr_obs_conserve {
	__u64 violated_ns;
	__u64 longest_ns;	/* without a break, within the phase */
	__u64 longest_at_ns;	/* its end, guest CLOCK_MONOTONIC */
	__u64 spans;		/* that began in the phase */
	__u64 events;		/* wake-ups and switches that were seen */
	__u64 frozen;		/* spans cut because the VM was frozen */
	__u64 pad[2];
};

_Static_assert(sizeof(struct ktstr_obs_conserve) == 64, "ktstr_obs_conserve");

#endif
