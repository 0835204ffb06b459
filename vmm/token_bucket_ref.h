/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests: the slow reference of token_bucket.h. A plain token bucket that
 * keeps a balance per lane, in tokens * 1e9, and fills it by elapsed time *
 * rate. Exact, and a different computation: no virtual time, no division but
 * for the wait. Keep rates and bursts below what 127 bits hold as a product.
 */
#ifndef KTSTR_VMM_TOKEN_BUCKET_REF_H
#define KTSTR_VMM_TOKEN_BUCKET_REF_H

#include <stdint.h>

#include "lib/clock.h"
#include "vmm/token_bucket.h"

struct tb_ref {
	uint64_t rate[TB_NR_LANES], burst_ns, now_ns;
	__int128_t balance[TB_NR_LANES];
};

static inline __int128_t tb_ref_full(const struct tb_ref *r, unsigned int lane)
{
	return (__int128_t)r->burst_ns * r->rate[lane];
}

static inline void tb_ref_set(struct tb_ref *r, const struct tb_limits *lim)
{
	const uint64_t rate[] = { lim->ops_per_s, lim->bytes_per_s };
	unsigned int i;

	r->burst_ns = lim->burst_ns ? lim->burst_ns : TB_DEFAULT_BURST_NS;
	for (i = 0; i < TB_NR_LANES; i++) {
		const uint64_t was = r->rate[i];

		r->rate[i] = rate[i];
		if (!was || !rate[i] || r->balance[i] > tb_ref_full(r, i))
			r->balance[i] = tb_ref_full(r, i);
	}
}

/* A clock that steps back stands still. */
static inline void tb_ref_advance(struct tb_ref *r, uint64_t now_ns)
{
	unsigned int i;

	if (now_ns <= r->now_ns)
		return;
	for (i = 0; i < TB_NR_LANES; i++) {
		r->balance[i] += (__int128_t)(now_ns - r->now_ns) * r->rate[i];
		if (r->balance[i] > tb_ref_full(r, i))
			r->balance[i] = tb_ref_full(r, i);
	}
	r->now_ns = now_ns;
}

static inline uint64_t tb_ref_take(struct tb_ref *r, uint64_t ops,
				   uint64_t bytes)
{
	const uint64_t amount[] = { ops, bytes };
	__int128_t wait = 0, w;
	unsigned int i;

	for (i = 0; i < TB_NR_LANES; i++) {
		if (!r->rate[i] || !amount[i] || r->balance[i] >= 0)
			continue;
		w = (-r->balance[i] + r->rate[i] - 1) / r->rate[i];
		if (w > wait)
			wait = w;
	}
	if (wait)
		return wait > UINT64_MAX ? UINT64_MAX : wait;
	for (i = 0; i < TB_NR_LANES; i++)
		if (r->rate[i])
			r->balance[i] -= (__int128_t)amount[i] * NSEC_PER_SEC;
	return 0;
}

static inline void tb_ref_refill(struct tb_ref *r)
{
	unsigned int i;

	for (i = 0; i < TB_NR_LANES; i++)
		r->balance[i] = tb_ref_full(r, i);
}

/* Frozen time earns nothing: the clock goes on, the balances stay. */
static inline void tb_ref_shift(struct tb_ref *r, uint64_t frozen_ns)
{
	r->now_ns += frozen_ns;
}

#endif
