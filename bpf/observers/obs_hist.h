/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Adding to a struct ktstr_hist from a BPF program, on many CPUs at once. The
 * arithmetic is lib/hist.h's; agent/observer_test.c compares the two.
 */
#ifndef KTSTR_BPF_OBS_HIST_H
#define KTSTR_BPF_OBS_HIST_H

#include "include/ktstr/shm.h"

#define OBS_MAX_TRIES 64 /* more than CPUs that could raise it in between */

/* Bit by bit: the instruction set has no count of leading zeroes. */
static inline __attribute__((always_inline)) __u32 obs_log2(__u64 v)
{
	__u32 shift, log = 0;

	shift = (v > 0xffffffffull) << 5;
	v >>= shift;
	log |= shift;
	shift = (v > 0xffff) << 4;
	v >>= shift;
	log |= shift;
	shift = (v > 0xff) << 3;
	v >>= shift;
	log |= shift;
	shift = (v > 0xf) << 2;
	v >>= shift;
	log |= shift;
	shift = (v > 0x3) << 1;
	v >>= shift;
	log |= shift;
	return log | (v >> 1);
}

static inline __attribute__((always_inline)) __u32 obs_hist_index(__u64 ns)
{
	__u32 octave, index;

	if (ns < KTSTR_HIST_SUB)
		return ns;
	octave = obs_log2(ns) - KTSTR_HIST_SUB_BITS;
	index = (octave + 1) * KTSTR_HIST_SUB +
		((ns >> octave) & (KTSTR_HIST_SUB - 1));
	return index < KTSTR_HIST_BUCKETS ? index : KTSTR_HIST_BUCKETS - 1;
}

static inline __attribute__((always_inline)) void obs_raise(__u64 *max,
							    __u64 ns)
{
	int i;

	for (i = 0; i < OBS_MAX_TRIES; i++) {
		__u64 old = *(volatile __u64 *)max;

		if (ns <= old ||
		    __sync_val_compare_and_swap(max, old, ns) == old)
			return;
	}
}

static inline __attribute__((always_inline)) void
obs_hist_add(struct ktstr_hist *h, __u64 ns)
{
	__u32 index = obs_hist_index(ns);

	/* once more, so that the verifier sees it */
	asm volatile("" : "+r"(index));
	if (index >= KTSTR_HIST_BUCKETS)
		return;
	__sync_fetch_and_add(&h->buckets[index], 1);
	__sync_fetch_and_add(&h->sum_ns, ns);
	__sync_fetch_and_add(&h->count, 1);
	obs_raise(&h->max_ns, ns);
}

#endif
