/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Progress stamps: what a worker writes into its part of the shared region,
 * and which phase's cell takes it. Called by the loads, on the worker's thread.
 */
#ifndef KTSTR_AGENT_STAMP_H
#define KTSTR_AGENT_STAMP_H

#include <sched.h>
#include <stdint.h>

#include "include/ktstr/shm.h"

/*
 * A stamp says "I have got on since the last one". From it come the gap, the
 * CPUs used, migrations and cpuset violations.
 *
 * What happens between two stamps is counted in the phase of the second one:
 * an IO belongs to the phase in which it completes, a wake-up to the one in
 * which the worker runs again. Without a phase nothing is counted.
 *
 * Time asleep by intent is not a gap: stamp_sleep_until() moves the last
 * progress to the sleep's end, so that the gap runs from when the worker
 * should have run. Waiting for a disk or a partner is not by intent: an IO
 * kind's gap is the whole time between two completions, the disk's part too,
 * and a throttled disk may well make it longer than any scheduler would.
 *
 * While the host has the VM frozen nobody can get on: frozen time is taken off
 * a gap, and a latency during which the VM was frozen is not counted.
 */
struct stamp {
	const struct ktstr_shm_hdr *hdr; /* written by PID 1 and the host */
	struct ktstr_worker *worker;
	struct ktstr_cell *cells;	/* of this worker, one for each phase */
	struct ktstr_io_ring *ring;	/* of this worker */
	const cpu_set_t *allowed;	/* borrowed; NULL: any CPU */
	struct ktstr_cell *cell;	/* where to count now; NULL: nowhere */
	uint32_t phase;			/* of cell, or KTSTR_SHM_NO_PHASE */
	uint32_t cpu;			/* at the last stamp; STAMP_NO_CPU */
	uint64_t last_ns;		/* last progress; may lie ahead */
	uint64_t frozen_ns;		/* hdr->frozen_ns at the last stamp */
};

#define STAMP_NO_CPU UINT32_MAX

/** stamp_init() - for worker number @nr of the region; stamps nothing. */
void stamp_init(struct stamp *s, struct ktstr_shm_hdr *hdr, unsigned int nr,
		const cpu_set_t *allowed);

/**
 * stamp_gap_ns() - time without progress, as it counts
 * @last_ns: progress before, possibly in the future (a sleep that was cut)
 * @now_ns: progress now
 * @phase_start_ns: nothing before this counts
 * @frozen_ns: time in between that the VM was frozen
 */
uint64_t stamp_gap_ns(uint64_t last_ns, uint64_t now_ns,
		      uint64_t phase_start_ns, uint64_t frozen_ns);

/**
 * stamp_at() - progress, at a time and place of the caller's
 * @now_ns: CLOCK_MONOTONIC
 * @cpu: where the caller runs
 *
 * Return: the cell to count in, NULL between phases.
 */
struct ktstr_cell *stamp_at(struct stamp *s, uint64_t now_ns, uint32_t cpu);

/** stamp_now() - stamp_at() here and now; @now_ns may be NULL. */
struct ktstr_cell *stamp_now(struct stamp *s, uint64_t *now_ns);

/** stamp_sleep_until() - no progress is due before @expiry_ns. */
void stamp_sleep_until(struct stamp *s, uint64_t expiry_ns);

/**
 * stamp_wake_at() - progress of a worker that has been woken
 * @due_ns: when it was woken: the timer's expiry, the waker's stamp
 * @gen: hdr->freeze_gen from before it slept, see stamp_freeze_gen()
 *
 * Puts @now_ns - @due_ns into the wake histogram; a wake-up before its time
 * (a signal) is progress but no sample.
 */
struct ktstr_cell *stamp_wake_at(struct stamp *s, uint64_t due_ns, uint32_t gen,
				 uint64_t now_ns, uint32_t cpu);

/** stamp_wake() - stamp_wake_at() here and now. */
struct ktstr_cell *stamp_wake(struct stamp *s, uint64_t due_ns, uint32_t gen);

/**
 * stamp_io_at() - an IO has completed
 * @submit_ns: when it was submitted
 * @gen: hdr->freeze_gen at that time
 * @bytes: moved
 *
 * Progress, one operation, and a sample in the io histogram.
 */
struct ktstr_cell *stamp_io_at(struct stamp *s, uint64_t submit_ns,
			       uint32_t gen, uint64_t bytes, uint64_t now_ns,
			       uint32_t cpu);

/** stamp_io() - stamp_io_at() here and now. */
struct ktstr_cell *stamp_io(struct stamp *s, uint64_t submit_ns, uint32_t gen,
			    uint64_t bytes);

/**
 * stamp_io_event() - tell the host of a read or write that was just stamped
 * @event: copied
 * @gen: hdr->freeze_gen when it was submitted
 *
 * Outside a phase, and of an IO during which the VM was frozen, nothing is
 * told: nothing could be made of it.
 */
void stamp_io_event(struct stamp *s, const struct ktstr_io_event *event,
		    uint32_t gen);

/** stamp_io_error() - an IO has failed: counted, and no progress. */
void stamp_io_error(struct stamp *s);

static inline uint32_t stamp_freeze_gen(const struct stamp *s)
{
	return __atomic_load_n(&s->hdr->freeze_gen, __ATOMIC_RELAXED);
}

/*
 * Counters have one writer and readers that look at any time: a plain add,
 * stored in one piece.
 */
static inline void stamp_count(__u64 *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/** stamp_iteration() - one loop of the kind is finished. */
static inline void stamp_iteration(struct ktstr_cell *cell)
{
	if (cell)
		stamp_count(&cell->iterations, 1);
}

#endif
