/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a disk: written by its worker (or by whoever holds the worker's
 * state), read by any thread at any time without a lock. Never reset by a guest
 * (L9).
 */
#ifndef KTSTR_VMM_BLK_STATS_H
#define KTSTR_VMM_BLK_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "include/ktstr/shm.h"
#include "vmm/vmm.h"

/* Requests are counted under their type once they were completed. */
enum blk_counter {
	BLK_N_READS,
	BLK_N_WRITES,
	BLK_N_FLUSHES,
	BLK_N_DISCARDS,		/* DISCARD and WRITE_ZEROES */
	BLK_N_OTHERS,		/* GET_ID */
	BLK_N_READ_BYTES,	/* bytes moved */
	BLK_N_WRITE_BYTES,
	BLK_N_IO_ERRORS,
	BLK_N_UNSUPPORTED,
	BLK_N_MALFORMED,
	BLK_N_POISONED,
	BLK_N_RESETS,
	BLK_N_THROTTLE_EVENTS,
	BLK_N_BACKING_NS,
	BLK_N_KICKS,
	BLK_N_INTERRUPTS,
	BLK_N_FAULT_RATE,	/* errors, planted; see blk_faults.h */
	BLK_N_FAULT_RANGE,
	BLK_N_FAULT_BYTES,	/* that the failed were to move */
	BLK_N_FAULT_STALLS,
	BLK_N_FAULT_STALLED_NS,
	BLK_N_FAULT_TORN,
	BLK_NR_COUNTERS,
};

/* Time spent in a condition that comes and goes, the open stretch included. */
struct blk_span {
	_Atomic uint32_t seq;		/* atomic; odd while being written */
	_Atomic uint64_t closed_ns;	/* atomic; sum of what is over */
	_Atomic uint64_t since_ns;	/* atomic; valid while on */
	_Atomic bool on;		/* atomic; the gauge */
};

struct blk_stats {
	_Atomic uint64_t n[BLK_NR_COUNTERS]; /* atomic, relaxed */
	struct blk_span throttled;	/* a chain waits for tokens */
	struct blk_span queued;		/* a chain is in the ring, or waits */
	struct ktstr_hist hist[VM_DISK_HIST_LATENESS + 1]; /* one writer */
};

static inline void blk_count(struct blk_stats *st, enum blk_counter which,
			     uint64_t n)
{
	atomic_fetch_add_explicit(&st->n[which], n, memory_order_relaxed);
}

/** blk_span_begin() - the condition holds from @now_ns on; again: no effect */
void blk_span_begin(struct blk_span *s, uint64_t now_ns);
/** blk_span_end() - it no longer holds; again: no effect */
void blk_span_end(struct blk_span *s, uint64_t now_ns);
/** blk_span_freeze() - time stands still from @now_ns on; the gauge stays */
void blk_span_freeze(struct blk_span *s, uint64_t now_ns);
/** blk_span_thaw() - and goes on at @now_ns */
void blk_span_thaw(struct blk_span *s, uint64_t now_ns);
/**
 * blk_span_read() - the sum up to @now_ns; any thread
 *
 * What the writer measured up to comes a moment before it is visible here: two
 * readings that close together may be out of order by that moment.
 */
uint64_t blk_span_read(const struct blk_span *s, uint64_t now_ns);

/** blk_stats_read() - all counters as of @now_ns; any thread */
void blk_stats_read(const struct blk_stats *st, uint64_t now_ns,
		    struct vm_disk_stats *out);
/** blk_stats_hist_read() - copy one histogram; any thread */
void blk_stats_hist_read(const struct blk_stats *st, enum vm_disk_hist which,
			 struct ktstr_hist *out);

#endif
