/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shared region: counters and histograms that guest workers write and the
 * host reads in place, out of guest memory, while they run.
 *
 * It is the value of a one-element BPF_F_MMAPABLE array map named
 * KTSTR_SHM_MAP_NAME, made by the agent: vmalloc memory, so its pages are
 * never migrated, and the host finds it through the kernel's map table.
 *
 * Layout: one struct ktstr_shm_hdr, nr_workers struct ktstr_worker at
 * workers_off, then nr_workers * nr_phases struct ktstr_cell at cells_off;
 * the cell of worker w in phase p is number w * nr_phases + p. Last, one struct
 * ktstr_io_ring for each worker at rings_off.
 *
 * Writers: the header by the agent (PID 1) only, but for the members marked
 * "host"; a struct ktstr_worker, its cells and its ring by that worker only,
 * but for the members marked "agent". Members are
 * naturally aligned words, so a live read of one is never torn. To the host
 * every word is hostile.
 */
#ifndef KTSTR_SHM_H
#define KTSTR_SHM_H

#ifndef __bpf__ /* vmlinux.h has them */
#include <linux/types.h>
#endif

#define KTSTR_SHM_MAP_NAME "ktstr_shm"
#define KTSTR_SHM_MAGIC 0x6d68736b /* "kshm" */
#define KTSTR_SHM_VERSION 2
#define KTSTR_SHM_MAX_PHASES 16
#define KTSTR_SHM_MAX_WORKERS 512
#define KTSTR_SHM_NO_PHASE 0xffffffffu
#define KTSTR_SHM_MAX_CPUS 256

/*
 * A log-linear histogram of nanoseconds: values below 32 have a bucket each;
 * above, every power of two has 32 buckets, so a bucket is at most 1/32 of
 * its value wide. 36 octaves reach 2^41 ns (36 minutes); larger values land
 * in the last bucket and in max_ns. lib/hist.h has the arithmetic.
 */
#define KTSTR_HIST_SUB_BITS 5
#define KTSTR_HIST_SUB (1 << KTSTR_HIST_SUB_BITS)
#define KTSTR_HIST_BUCKETS (KTSTR_HIST_SUB * 37)

struct ktstr_hist {
	__u64 count;
	__u64 sum_ns;
	__u64 max_ns;
	__u32 buckets[KTSTR_HIST_BUCKETS];
};

_Static_assert(sizeof(struct ktstr_hist) == 24 + 4 * 1184, "ktstr_hist");

/* What one worker did in one phase. */
struct ktstr_cell {
	__u64 iterations;	/* finished loops of the kind */
	__u64 ops;		/* IO operations, messages: kind's own unit */
	__u64 bytes;		/* IO bytes moved */
	__u64 errors;		/* failed operations */
	__u64 gap_max_ns;	/* longest time without progress, see below */
	__u64 gap_max_at_ns;	/* guest CLOCK_MONOTONIC at that gap's end */
	__u64 migrations;	/* CPU changes the worker saw */
	__u64 cpuset_violations;
	__u64 deadline_misses;
	__u64 cpus_used[KTSTR_SHM_MAX_CPUS / 64]; /* bit n: ran on CPU n */
	__u64 cpu_time_ns;	/* agent: from schedstat, at the phase's end */
	__u64 run_delay_ns;	/* agent: likewise */
	__u64 run_count;	/* agent: times scheduled in, likewise; of a
				 * program without CPU time: its tasks that
				 * wanted some when the phase ended */
	struct ktstr_hist wake;	/* wake to run */
	struct ktstr_hist io;	/* submission to completion seen */
};

_Static_assert(sizeof(struct ktstr_cell) ==
	       16 * 8 + 2 * sizeof(struct ktstr_hist), "ktstr_cell");

/*
 * A gap is the time between two successive progress stamps of a worker, cut to
 * the phase in which it ends. The gap that is still open when a phase ends is
 * the host's to compute, from last_progress_ns and phase_end_ns: a worker that
 * never runs again can't.
 */
struct ktstr_worker {
	__u32 workload;		/* index in the plan */
	__u32 index;		/* within its workload */
	__u32 pid;		/* guest TID */
	__u32 state;		/* enum ktstr_worker_state */
	__u64 last_progress_ns;	/* guest CLOCK_MONOTONIC; 0: none yet; ahead of
				 * now while asleep on purpose: due then */
	__u64 start_ns;		/* passed the barrier */
	__s32 error;		/* -errno, when state is failed */
	__u32 last_cpu;
	char what[24];		/* which call failed, when state is failed */
};

_Static_assert(sizeof(struct ktstr_worker) == 64, "ktstr_worker");

enum ktstr_worker_state {
	KTSTR_WORKER_NEW,
	KTSTR_WORKER_READY,	/* set up, waits at the barrier */
	KTSTR_WORKER_RUNNING,
	KTSTR_WORKER_STOPPED,
	KTSTR_WORKER_FAILED,
};

/*
 * A worker's last IOs, for the host to pair with the disk's completions. Only
 * reads and writes that succeeded, of one request at a time. The host copies
 * entries while the worker goes on, and knows from head which of them were
 * overwritten meanwhile.
 */
#define KTSTR_IO_RING_LEN 256

struct ktstr_io_event {
	__u64 sector;		/* of 512 bytes, on the workload's disk */
	__u64 submit_ns;	/* guest CLOCK_MONOTONIC before the call */
	__u64 return_ns;	/* first thing after it */
	__u32 bytes;
	__u32 write;		/* 1 or 0 */
};

_Static_assert(sizeof(struct ktstr_io_event) == 32, "ktstr_io_event");

struct ktstr_io_ring {
	__u64 head;		/* entries ever written; the next goes to
				 * head % KTSTR_IO_RING_LEN */
	__u64 pad[7];
	struct ktstr_io_event events[KTSTR_IO_RING_LEN];
};

_Static_assert(sizeof(struct ktstr_io_ring) == 64 + 32 * KTSTR_IO_RING_LEN,
	       "ktstr_io_ring");

/*
 * Where the two sides measure how their clocks relate, without a message in
 * between: while an exchange is on, each writes its own clock here over and
 * over, and reads the other's. What is read has been written before, so
 * each side learns a bound: docs/adr/0001-one-clock.md. A line of the cache for
 * each writer.
 */
struct ktstr_clock {
	/* agent */
	__u64 guest_exchange;	/* the one it is in, from 1; 0: none */
	__u64 guest_ns;		/* its CLOCK_MONOTONIC */
	__s64 high_ns;		/* least guest_ns - host_ns it has seen */
	__u64 guest_pad[5];
	/* host */
	__u64 host_ns;		/* its CLOCK_MONOTONIC; 0: not there */
	__u64 host_done;	/* the exchange that is over */
	__u64 host_pad[6];
};

_Static_assert(sizeof(struct ktstr_clock) == 128, "ktstr_clock");

struct ktstr_shm_hdr {
	__u32 magic;
	__u32 version;
	__u32 nr_workers;
	__u32 nr_phases;
	__u32 workers_off;	/* bytes from the header's start */
	__u32 cells_off;
	__u32 cell_bytes;	/* sizeof(struct ktstr_cell) */
	__u32 total_bytes;
	__u32 phase;		/* current one, or KTSTR_SHM_NO_PHASE */
	__u32 go;		/* 0 wait at the barrier, 1 run, 2 stop */
	__u32 freeze_gen;	/* host: times the VM was frozen */
	__u32 pad;
	__u64 frozen_ns;	/* host: sum of frozen time, guest clock */
	__u32 rings_off;
	__u32 ring_bytes;	/* sizeof(struct ktstr_io_ring) */
	__u64 reserved;
	__u64 phase_start_ns[KTSTR_SHM_MAX_PHASES]; /* guest CLOCK_MONOTONIC */
	__u64 phase_end_ns[KTSTR_SHM_MAX_PHASES];
	__u64 pad2[7];
	struct ktstr_clock clock;
};

_Static_assert(sizeof(struct ktstr_shm_hdr) == 384 + 128, "ktstr_shm_hdr");
_Static_assert(__builtin_offsetof(struct ktstr_shm_hdr, clock) % 64 == 0,
	       "ktstr_clock");

#endif
