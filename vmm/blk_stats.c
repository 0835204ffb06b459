// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_stats.h"

#include <sched.h>

/*
 * A sequence lock without fences, which TSan can't see. Each store between the
 * two of seq is a release, so a reader that acquires a new value then finds seq
 * odd or moved on, and reads again.
 */
static void span_write(struct blk_span *s, bool on, uint64_t since_ns,
		       uint64_t closed_ns)
{
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);

	atomic_store_explicit(&s->seq, seq + 1, memory_order_relaxed);
	atomic_store_explicit(&s->closed_ns, closed_ns, memory_order_release);
	atomic_store_explicit(&s->since_ns, since_ns, memory_order_release);
	atomic_store_explicit(&s->on, on, memory_order_release);
	atomic_store_explicit(&s->seq, seq + 2, memory_order_release);
}

/* The writer's own view. */
static uint64_t get(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static bool is_on(const struct blk_span *s)
{
	return atomic_load_explicit(&s->on, memory_order_relaxed);
}

void blk_span_begin(struct blk_span *s, uint64_t now_ns)
{
	if (!is_on(s))
		span_write(s, true, now_ns, get(&s->closed_ns));
}

/* What is closed once the open stretch ends at @now_ns. */
static uint64_t close_at(const struct blk_span *s, uint64_t now_ns)
{
	uint64_t since = get(&s->since_ns);

	return get(&s->closed_ns) + (now_ns > since ? now_ns - since : 0);
}

void blk_span_end(struct blk_span *s, uint64_t now_ns)
{
	if (is_on(s))
		span_write(s, false, 0, close_at(s, now_ns));
}

/* Open, but as of the end of time: no reader adds to what is closed. */
void blk_span_freeze(struct blk_span *s, uint64_t now_ns)
{
	if (is_on(s))
		span_write(s, true, UINT64_MAX, close_at(s, now_ns));
}

void blk_span_thaw(struct blk_span *s, uint64_t now_ns)
{
	if (is_on(s))
		span_write(s, true, now_ns, get(&s->closed_ns));
}

uint64_t blk_span_read(const struct blk_span *s, uint64_t now_ns)
{
	uint64_t closed, since;
	uint32_t seq;
	bool on;

	for (;;) {
		seq = atomic_load_explicit(&s->seq, memory_order_acquire);
		/* Acquire, all: see span_write(). */
		closed = atomic_load_explicit(&s->closed_ns,
					      memory_order_acquire);
		since = atomic_load_explicit(&s->since_ns,
					     memory_order_acquire);
		on = atomic_load_explicit(&s->on, memory_order_acquire);
		if (!(seq & 1) &&
		    seq == atomic_load_explicit(&s->seq, memory_order_relaxed))
			break;
		sched_yield();
	}
	if (on && now_ns > since)
		closed += now_ns - since;
	return closed;
}

static uint64_t count_of(const struct blk_stats *st, enum vm_disk_hist which)
{
	/* Relaxed: lib/hist.c writes it so. */
	return __atomic_load_n(&st->hist[which].count, __ATOMIC_RELAXED);
}

/* What is done is read first: it is never more than what was admitted. */
static bool in_flight(const struct blk_stats *st)
{
	uint64_t done = count_of(st, VM_DISK_HIST_SERVICE);

	return count_of(st, VM_DISK_HIST_QUEUE) > done;
}

void blk_stats_read(const struct blk_stats *st, uint64_t now_ns,
		    struct vm_disk_stats *out)
{
	*out = (struct vm_disk_stats){
		.at_ns = now_ns,
		.reads = get(&st->n[BLK_N_READS]),
		.writes = get(&st->n[BLK_N_WRITES]),
		.flushes = get(&st->n[BLK_N_FLUSHES]),
		.discards = get(&st->n[BLK_N_DISCARDS]),
		.others = get(&st->n[BLK_N_OTHERS]),
		.read_bytes = get(&st->n[BLK_N_READ_BYTES]),
		.write_bytes = get(&st->n[BLK_N_WRITE_BYTES]),
		.io_errors = get(&st->n[BLK_N_IO_ERRORS]),
		.unsupported = get(&st->n[BLK_N_UNSUPPORTED]),
		.malformed = get(&st->n[BLK_N_MALFORMED]),
		.poisoned = get(&st->n[BLK_N_POISONED]),
		.resets = get(&st->n[BLK_N_RESETS]),
		.throttle_events = get(&st->n[BLK_N_THROTTLE_EVENTS]),
		.throttled_ns = blk_span_read(&st->throttled, now_ns),
		.queued_ns = blk_span_read(&st->queued, now_ns),
		.backing_ns = get(&st->n[BLK_N_BACKING_NS]),
		.kicks = get(&st->n[BLK_N_KICKS]),
		.interrupts = get(&st->n[BLK_N_INTERRUPTS]),
		.fault_rate_errors = get(&st->n[BLK_N_FAULT_RATE]),
		.fault_range_errors = get(&st->n[BLK_N_FAULT_RANGE]),
		.fault_bytes = get(&st->n[BLK_N_FAULT_BYTES]),
		.fault_stalls = get(&st->n[BLK_N_FAULT_STALLS]),
		.fault_stalled_ns = get(&st->n[BLK_N_FAULT_STALLED_NS]),
		.fault_torn_writes = get(&st->n[BLK_N_FAULT_TORN]),
		.throttled_now = is_on(&st->throttled),
		.busy_now = is_on(&st->queued) || in_flight(st),
	};
}

void blk_stats_hist_read(const struct blk_stats *st, enum vm_disk_hist which,
			 struct ktstr_hist *out)
{
	const struct ktstr_hist *h = &st->hist[which];
	unsigned int i;

	/* Relaxed: lib/hist.c writes each word so. */
	out->count = __atomic_load_n(&h->count, __ATOMIC_RELAXED);
	out->sum_ns = __atomic_load_n(&h->sum_ns, __ATOMIC_RELAXED);
	out->max_ns = __atomic_load_n(&h->max_ns, __ATOMIC_RELAXED);
	for (i = 0; i < KTSTR_HIST_BUCKETS; i++)
		out->buckets[i] = __atomic_load_n(&h->buckets[i],
						  __ATOMIC_RELAXED);
}
