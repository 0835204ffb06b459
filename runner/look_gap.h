/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers that do not get on: how long, what each was seen at meanwhile, and
 * whether it is time for a frozen look. Decides and remembers only;
 * look_watch.c reads the guest.
 */
#ifndef KTSTR_RUNNER_LOOK_GAP_H
#define KTSTR_RUNNER_LOOK_GAP_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "monitor/monitor.h"

/* So long without progress, and it is worth a look at the task. */
#define GAP_READ_NS 100000000ull

/* Kept of one gap: when full, each second one goes. */
#define GAP_SEEN 32

/* Kept of one phase: the longest. */
#define GAP_LISTED 16

/* Looks that are taken by themselves, in one run. */
#define GAP_LOOKS 3
#define GAP_LOOK_EVERY_NS 1000000000ull

/* The worker's disk, at one moment. */
enum gap_disk {
	GAP_DISK_NONE,		/* it has none */
	GAP_DISK_IDLE,		/* nothing is asked of it */
	GAP_DISK_BUSY,
	GAP_DISK_THROTTLED,
};

/* What one sample saw of a worker. */
struct gap_seen {
	uint64_t at_ns;		/* guest clock */
	struct mon_task_now now;
	bool bypassed;		/* it waited while sched_ext's scheduler was */
	enum gap_disk disk;
	uint64_t disk_done;	/* requests it has completed so far */
	/* filled by gap_watch_add(): its vCPU in this gap, up to now; -1: n/a */
	int64_t host_wait_ns;
};

/* How long a vCPU has waited for a host CPU. */
struct gap_wait {
	bool known;
	bool now;		/* it does, at least since the sample before */
	uint64_t ns;		/* since some moment, without frozen time */
};

/* From one progress to the next, on the guest's clock. */
struct gap {
	uint64_t from_ns, to_ns, frozen_ns;
	uint32_t pid;
	unsigned int nr;	/* of @seen */
	unsigned int every;	/* samples to one that is kept */
	unsigned int samples;	/* that saw the task */
	bool host_known;
	uint64_t host_wait_ns;	/* its vCPU waited so long for a host CPU */
	uint64_t apart_ns;	/* of it, in which that wait is not counted */
	struct gap_seen seen[GAP_SEEN];
};

struct gap_worker {
	bool watched;
	bool open;		/* @now is one */
	bool looked;		/* once is enough */
	uint64_t last_ns;	/* progress, as last read */
	uint64_t frozen_ns;	/* of the watch, at that reading */
	uint64_t task;		/* the monitor's; 0: not known */
	/* of the gap's last sample, if @cpu is not -1 */
	int cpu;
	bool waits;		/* that CPU, for one of the host's */
	bool at_disk;		/* which had work: it is what it waited for */
	uint64_t wait_ns;	/* the vCPU's, as told then */
	uint64_t len_ns;	/* the gap's length then */
	uint64_t tail_ns;	/* the vCPU's wait since, as told */
	struct gap now;
	struct gap worst;	/* of the phase; samples 0: none */
};

struct gap_watch {
	struct gap_worker *workers;	/* owned, nr of them */
	unsigned int nr;
	uint64_t look_ns;	/* a gap that long is looked at; 0: none */
	unsigned int looks;	/* taken */
	uint64_t looked_at_ns;	/* the last one */
	bool running;		/* a phase is */
	uint64_t start_ns;	/* of it */
	uint64_t frozen_ns;	/* since gap_watch_init() */
};

/** gap_watch_init() - nobody is watched yet. 0 or -ENOMEM. */
int gap_watch_init(struct gap_watch *g, unsigned int nr_workers,
		   uint64_t look_ns);
void gap_watch_fini(struct gap_watch *g);

/** gap_watch_begin() - a phase runs since @start_ns; forgets the one before */
void gap_watch_begin(struct gap_watch *g, uint64_t start_ns);

/** gap_watch_end() - and ended; gaps that are open end with it */
void gap_watch_end(struct gap_watch *g, uint64_t end_ns);

/** gap_watch_frozen() - time that is none */
void gap_watch_frozen(struct gap_watch *g, uint64_t ns);

/**
 * gap_watch_see() - a worker's last progress, as it stands at @now_ns
 * @progress_ns: guest clock; may lie ahead: it sleeps on purpose; 0: none yet
 *
 * Return: should gap_watch_add() be told what the worker is at? It has not got
 * on for GAP_READ_NS.
 */
bool gap_watch_see(struct gap_watch *g, unsigned int worker, uint32_t pid,
		   uint64_t progress_ns, uint64_t now_ns);

/**
 * gap_watch_cpu() - whose wait for a host CPU is to be told
 *
 * Return: the CPU on which the worker was at its gap's last sample; -1: it has
 * no gap, or none that was sampled.
 */
int gap_watch_cpu(const struct gap_watch *g, unsigned int worker);

/**
 * gap_watch_wait() - of the vCPU of gap_watch_cpu(), as it stands
 *
 * Before gap_watch_see() and gap_watch_end(): the host's kernel counts a wait
 * when it is over, and the worker gets on at once.
 */
void gap_watch_wait(struct gap_watch *g, unsigned int worker,
		    const struct gap_wait *wait);

/**
 * gap_watch_add() - what a worker that should be told of was seen at
 * @wait: of the vCPU on which it was seen
 *
 * Waits for a host CPU count as long as the task stays on that vCPU, but not
 * while it is blocked on a disk that has work, and in sum no more than the
 * rest of the gap.
 */
void gap_watch_add(struct gap_watch *g, unsigned int worker,
		   const struct gap_seen *seen, const struct gap_wait *wait);

/**
 * gap_watch_look() - whose gap is worth a frozen look now
 *
 * The longest of those that are long enough, one look for a worker, and not
 * too many or too close: then this one is taken for taken. None while the vCPU
 * of anybody's gap waits for a host CPU: it could not be parked, all others would
 * stand until it has one, and that would be frozen time and so no gap.
 *
 * Return: the worker, or -1.
 */
int gap_watch_look(struct gap_watch *g, uint64_t now_ns);

/** gap_watch_missed() - but it was not taken: the worker had got on */
void gap_watch_missed(struct gap_watch *g, unsigned int worker);

/**
 * gap_watch_json() - the phase's longest gaps, longest first
 * @worker: called for "workload" and "worker" of each; NULL: neither
 *
 * [{"pid", "from_ns", "to_ns", "gap_ns", "host_wait_ns", "samples", "seen"}],
 * times since the phase began. Return: new reference.
 */
json_t *gap_watch_json(const struct gap_watch *g,
		       json_t *(*worker)(void *ctx, unsigned int worker),
		       void *ctx);

/**
 * gap_bypassed() - does the kernel schedule sched_ext's tasks by itself?
 *
 * Kernels that do not show the depth of bypass tell only by taking one off.
 */
bool gap_bypassed(const struct mon_sched *sched);

/** look_dsq_name() - "global", "local", "bypass" or an id; @text of 32 bytes */
const char *look_dsq_name(uint64_t dsq_id, char text[32]);

#endif
