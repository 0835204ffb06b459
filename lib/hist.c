// SPDX-License-Identifier: GPL-2.0-only
#include "lib/hist.h"

#define PPM 1000000u

unsigned int hist_index(uint64_t ns)
{
	unsigned int octave, index;

	if (ns < KTSTR_HIST_SUB)
		return ns;
	octave = 63 - __builtin_clzll(ns) - KTSTR_HIST_SUB_BITS;
	index = (octave + 1) * KTSTR_HIST_SUB +
		((ns >> octave) & (KTSTR_HIST_SUB - 1));
	return index < KTSTR_HIST_BUCKETS ? index : KTSTR_HIST_BUCKETS - 1;
}

uint64_t hist_upper_ns(unsigned int index)
{
	unsigned int octave;

	if (index < KTSTR_HIST_SUB)
		return index;
	octave = index / KTSTR_HIST_SUB - 1;
	return ((uint64_t)(KTSTR_HIST_SUB + index % KTSTR_HIST_SUB + 1)
		<< octave) - 1;
}

void hist_add(struct ktstr_hist *h, uint64_t ns)
{
	__u32 *bucket = &h->buckets[hist_index(ns)];

	__atomic_store_n(bucket, *bucket + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&h->sum_ns, h->sum_ns + ns, __ATOMIC_RELAXED);
	if (ns > h->max_ns)
		__atomic_store_n(&h->max_ns, ns, __ATOMIC_RELAXED);
	__atomic_store_n(&h->count, h->count + 1, __ATOMIC_RELAXED);
}

void hist_merge(struct ktstr_hist *into, const struct ktstr_hist *from)
{
	unsigned int i;

	for (i = 0; i < KTSTR_HIST_BUCKETS; i++)
		if (__builtin_add_overflow(into->buckets[i], from->buckets[i],
					   &into->buckets[i]))
			into->buckets[i] = UINT32_MAX;
	if (__builtin_add_overflow(into->sum_ns, from->sum_ns, &into->sum_ns))
		into->sum_ns = UINT64_MAX;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	into->count = hist_total(into);
}

uint64_t hist_total(const struct ktstr_hist *h)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < KTSTR_HIST_BUCKETS; i++)
		total += h->buckets[i];
	return total;
}

bool hist_quantile(const struct ktstr_hist *h, uint32_t q_ppm, uint64_t *ns)
{
	uint64_t total = hist_total(h), rank, seen = 0, upper;
	unsigned int i;

	if (!total || q_ppm > PPM)
		return false;
	if (q_ppm == PPM) {
		*ns = h->max_ns;
		return true;
	}
	if (total * (PPM - q_ppm) < 10ull * PPM)
		return false;
	/* nearest rank: the smallest value with at least q of the samples */
	rank = (total * q_ppm + PPM - 1) / PPM;
	for (i = 0; i < KTSTR_HIST_BUCKETS - 1; i++) {
		seen += h->buckets[i];
		if (seen >= rank && seen)
			break;
	}
	upper = hist_upper_ns(i);
	*ns = upper < h->max_ns ? upper : h->max_ns;
	return true;
}
