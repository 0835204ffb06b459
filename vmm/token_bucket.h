/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The limiter of a throttled disk: operations and bytes per second, admitted
 * together, kept as virtual time (GCRA). Used by the disk's worker.
 *
 * Each lane has one theoretical time, due: the moment at which all that was
 * admitted is paid for. A request is admitted while due lies no further ahead
 * than the burst, and moves it on by amount * 1e9 / rate. The division's
 * remainder is kept, so no rate drifts, however long it is held.
 */
#ifndef KTSTR_VMM_TOKEN_BUCKET_H
#define KTSTR_VMM_TOKEN_BUCKET_H

#include <stdint.h>

#define TB_DEFAULT_BURST_NS 10000000ULL

/* Rates per second, 0 is unlimited; burst 0 is TB_DEFAULT_BURST_NS. */
struct tb_limits {
	uint64_t ops_per_s;
	uint64_t bytes_per_s;
	uint64_t burst_ns;
};

enum tb_lane_id { TB_OPS, TB_BYTES, TB_NR_LANES };

struct tb_lane {
	uint64_t rate;		/* per second; 0: unlimited */
	uint64_t frac;		/* what due exceeds due_ns by, in ns / rate */
	__uint128_t due_ns;	/* 128 bits: any u64 amount at any rate fits */
};

/* Belongs to one thread. */
struct token_bucket {
	struct tb_lane lane[TB_NR_LANES];
	uint64_t burst_ns;
	uint64_t now_ns;	/* latest time seen */
};

/** tb_init() - a full bucket at @now_ns */
void tb_init(struct token_bucket *tb, uint64_t now_ns,
	     const struct tb_limits *lim);

/**
 * tb_take() - admit a request now, or say how long to wait
 * @now_ns: CLOCK_MONOTONIC; a time before an earlier call's counts as that
 * @ops: operations it costs; a lane is not asked for an amount of 0
 * @bytes: bytes it costs
 *
 * Reads no clock and never sleeps. A bucket that is not in debt grants any
 * amount and goes into debt for it: an oversized request is late, never stuck
 * (S55). Either both lanes are charged or none.
 *
 * Return: 0 if taken, otherwise nanoseconds until a retry succeeds: exactly
 * that many and no fewer, UINT64_MAX if that is past the end of time.
 */
uint64_t tb_take(struct token_bucket *tb, uint64_t now_ns, uint64_t ops,
		 uint64_t bytes);

/**
 * tb_set_limits() - new rates from @now_ns on
 *
 * The balance is kept in tokens: a debt of 5 requests is 5 requests at the new
 * rate too, and what was saved is cut to the new burst (L6). A lane that
 * becomes unlimited forgets its debt.
 */
void tb_set_limits(struct token_bucket *tb, uint64_t now_ns,
		   const struct tb_limits *lim);

/** tb_refill() - forget debt and spending, keep the rates (reset) */
void tb_refill(struct token_bucket *tb, uint64_t now_ns);

/** tb_shift() - @frozen_ns went by that earn nothing (S69) */
void tb_shift(struct token_bucket *tb, uint64_t frozen_ns);

#endif
