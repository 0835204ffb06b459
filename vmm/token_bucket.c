// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/token_bucket.h"

#include <stdbool.h>

#include "lib/clock.h"

/* Ahead of the limit by any fraction of a nanosecond is in debt. */
static bool lane_in_debt(const struct tb_lane *l, __uint128_t limit_ns)
{
	return l->due_ns > limit_ns || (l->due_ns == limit_ns && l->frac);
}

static uint64_t lane_wait(const struct tb_lane *l, __uint128_t limit_ns)
{
	__uint128_t wait;

	if (!lane_in_debt(l, limit_ns))
		return 0;
	wait = l->due_ns - limit_ns + (l->frac ? 1 : 0);
	return wait > UINT64_MAX ? UINT64_MAX : wait;
}

/* Idle time buys no more than the burst: due is never in the past. */
static void lane_settle(struct tb_lane *l, uint64_t now_ns)
{
	if (l->due_ns >= now_ns)
		return;
	l->due_ns = now_ns;
	l->frac = 0;
}

static void lane_charge(struct tb_lane *l, uint64_t now_ns, uint64_t amount)
{
	__uint128_t cost = (__uint128_t)amount * NSEC_PER_SEC, frac;

	lane_settle(l, now_ns);
	l->due_ns += cost / l->rate;
	frac = cost % l->rate + l->frac;
	if (frac >= l->rate) {
		frac -= l->rate;
		l->due_ns++;
	}
	l->frac = frac;
}

/*
 * Products here are in tokens * 1e9. They fit: a debt is never more than one
 * request's cost, below 2^94, since only a lane out of debt is charged; savings
 * are at most burst * rate, below 2^128.
 */
static void lane_set(struct tb_lane *l, uint64_t now_ns, uint64_t old_burst_ns,
		     uint64_t burst_ns, uint64_t rate)
{
	__uint128_t old_limit = (__uint128_t)now_ns + old_burst_ns;
	__uint128_t limit = (__uint128_t)now_ns + burst_ns;
	__uint128_t owed, saved;
	uint64_t old_rate = l->rate;

	l->rate = rate;
	if (!old_rate || !rate) {
		l->due_ns = now_ns;
		l->frac = 0;
		return;
	}
	lane_settle(l, now_ns);
	if (lane_in_debt(l, old_limit)) {
		owed = (l->due_ns - old_limit) * old_rate + l->frac;
		l->due_ns = limit + owed / rate;
		l->frac = owed % rate;
		return;
	}
	saved = (old_limit - l->due_ns) * old_rate - l->frac;
	if (saved / rate >= burst_ns) {
		l->due_ns = now_ns;
		l->frac = 0;
		return;
	}
	l->due_ns = limit - saved / rate;
	l->frac = 0;
	if (saved % rate) {
		l->due_ns--;
		l->frac = rate - saved % rate;
	}
}

static uint64_t tb_advance(struct token_bucket *tb, uint64_t now_ns)
{
	if (now_ns > tb->now_ns)
		tb->now_ns = now_ns;
	return tb->now_ns;
}

void tb_init(struct token_bucket *tb, uint64_t now_ns,
	     const struct tb_limits *lim)
{
	*tb = (struct token_bucket){ .now_ns = now_ns };
	tb_set_limits(tb, now_ns, lim);
}

uint64_t tb_take(struct token_bucket *tb, uint64_t now_ns, uint64_t ops,
		 uint64_t bytes)
{
	const uint64_t amount[TB_NR_LANES] = {
		[TB_OPS] = ops, [TB_BYTES] = bytes
	};
	uint64_t now = tb_advance(tb, now_ns), wait = 0, lane_wait_ns;
	__uint128_t limit = (__uint128_t)now + tb->burst_ns;
	unsigned int i;

	for (i = 0; i < TB_NR_LANES; i++) {
		if (!amount[i] || !tb->lane[i].rate)
			continue;
		lane_wait_ns = lane_wait(&tb->lane[i], limit);
		if (lane_wait_ns > wait)
			wait = lane_wait_ns;
	}
	if (wait)
		return wait;
	for (i = 0; i < TB_NR_LANES; i++)
		if (amount[i] && tb->lane[i].rate)
			lane_charge(&tb->lane[i], now, amount[i]);
	return 0;
}

void tb_set_limits(struct token_bucket *tb, uint64_t now_ns,
		   const struct tb_limits *lim)
{
	uint64_t burst_ns = lim->burst_ns ? lim->burst_ns :
					    TB_DEFAULT_BURST_NS;
	uint64_t now = tb_advance(tb, now_ns);

	lane_set(&tb->lane[TB_OPS], now, tb->burst_ns, burst_ns,
		 lim->ops_per_s);
	lane_set(&tb->lane[TB_BYTES], now, tb->burst_ns, burst_ns,
		 lim->bytes_per_s);
	tb->burst_ns = burst_ns;
}

void tb_refill(struct token_bucket *tb, uint64_t now_ns)
{
	uint64_t now = tb_advance(tb, now_ns);
	unsigned int i;

	for (i = 0; i < TB_NR_LANES; i++) {
		tb->lane[i].due_ns = now;
		tb->lane[i].frac = 0;
	}
}

void tb_shift(struct token_bucket *tb, uint64_t frozen_ns)
{
	unsigned int i;

	for (i = 0; i < TB_NR_LANES; i++)
		tb->lane[i].due_ns += frozen_ns;
	if (__builtin_add_overflow(tb->now_ns, frozen_ns, &tb->now_ns))
		tb->now_ns = UINT64_MAX;
}
