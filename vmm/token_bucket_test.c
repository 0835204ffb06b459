// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/token_bucket.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/test_run.h"
#include "vmm/token_bucket_ref.h"

/* splitmix64: the same numbers on every machine */
static uint64_t rng_next(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Every magnitude from 0 to 2^bits - 1 is as likely as any other. */
static uint64_t rng_log(uint64_t *s, unsigned int bits)
{
	unsigned int n = rng_next(s) % (bits + 1);

	return n ? rng_next(s) >> (64 - n) : 0;
}

/* Random lives of a bucket; instrumented, a tenth of them */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEQUENCES 200000
#else
#define SEQUENCES 2000000
#endif
#define SHARES 4 /* each its own test, with a seed of its own */

static struct tb_limits random_limits(uint64_t *s)
{
	/* burst * rate of the reference must stay within 127 bits */
	return (struct tb_limits){
		.ops_per_s = rng_log(s, 40),
		.bytes_per_s = rng_log(s, 60),
		.burst_ns = rng_log(s, 40),
	};
}

/*
 * L1, L4, L6, S55, S69: equal to the nanosecond, with changes of rate, debts,
 * resets and freezes
 */
START_TEST(property_same_as_exact_reference_l1_l4_l6)
{
	const unsigned int sequences = SEQUENCES / SHARES, steps = 24;
	uint64_t seed = 0x6b74737472ULL + _i, now, wait;
	struct token_bucket tb;
	struct tb_limits lim;
	unsigned int i, j;
	struct tb_ref ref;
	uint64_t frozen, expect;

	for (i = 0; i < sequences; i++) {
		now = rng_log(&seed, 50);
		lim = random_limits(&seed);
		tb_init(&tb, now, &lim);
		ref = (struct tb_ref){ .now_ns = now };
		tb_ref_set(&ref, &lim);
		wait = 0;
		for (j = 0; j < steps; j++) {
			uint64_t ops = rng_log(&seed, 3);
			uint64_t bytes = rng_log(&seed, 33);

			/* as a worker does: often exactly when told */
			now += rng_next(&seed) % 3 && wait < 1ULL << 50 ?
			       wait : rng_log(&seed, 34);
			tb_ref_advance(&ref, now);
			if (rng_next(&seed) % 8 == 0) {
				lim = random_limits(&seed);
				tb_set_limits(&tb, now, &lim);
				tb_ref_set(&ref, &lim);
			}
			if (rng_next(&seed) % 32 == 0) {
				tb_refill(&tb, now);
				tb_ref_refill(&ref);
			}
			if (rng_next(&seed) % 16 == 0) {
				frozen = rng_log(&seed, 34);
				tb_shift(&tb, frozen);
				tb_ref_shift(&ref, frozen);
				now += frozen;
			}
			wait = tb_take(&tb, now, ops, bytes);
			expect = tb_ref_take(&ref, ops, bytes);
			/* libcheck makes a call of each check it is told of */
			if (expect != wait)
				ck_assert_uint_eq(expect, wait);
		}
	}
}
END_TEST

/* L4: the wait is exact, and no less than that, for any u64 */
START_TEST(no_overflow_for_any_u64_l4)
{
	uint64_t seed = 4, now, wait, ops, bytes;
	struct token_bucket tb, copy;
	struct tb_limits lim;
	unsigned int i, j;

	for (i = 0; i < 20000; i++) {
		now = rng_log(&seed, 64);
		lim = (struct tb_limits){ rng_log(&seed, 64),
					  rng_log(&seed, 64),
					  rng_log(&seed, 64) };
		tb_init(&tb, now, &lim);
		for (j = 0; j < 10; j++) {
			ops = rng_log(&seed, 64);
			bytes = rng_log(&seed, 64);
			if (rng_next(&seed) % 4 == 0) {
				lim.ops_per_s = rng_log(&seed, 64);
				lim.bytes_per_s = rng_log(&seed, 64);
				lim.burst_ns = rng_log(&seed, 64);
				tb_set_limits(&tb, now, &lim);
			}
			wait = tb_take(&tb, now, ops, bytes);
			if (!wait || wait >= UINT64_MAX - now)
				continue;
			copy = tb;
			ck_assert_uint_eq(1, tb_take(&copy, now + wait - 1,
						     ops, bytes));
			now += wait;
			ck_assert_uint_eq(0, tb_take(&tb, now, ops, bytes));
		}
	}
}
END_TEST

START_TEST(debt_beyond_the_end_of_time_saturates_l4)
{
	const struct tb_limits lim = { .ops_per_s = 1 };
	struct token_bucket tb;

	tb_init(&tb, UINT64_MAX, &lim);
	ck_assert_uint_eq(0, tb_take(&tb, UINT64_MAX, UINT64_MAX, UINT64_MAX));
	ck_assert_uint_eq(UINT64_MAX, tb_take(&tb, UINT64_MAX, 1, 0));
	ck_assert_uint_eq(0, tb_take(&tb, UINT64_MAX, 0, UINT64_MAX));
}
END_TEST

START_TEST(rate_zero_is_unlimited_l4)
{
	struct token_bucket tb;
	unsigned int i;

	tb_init(&tb, 5, &(struct tb_limits){ 0 });
	for (i = 0; i < 1000; i++)
		ck_assert_uint_eq(0, tb_take(&tb, 5, UINT64_MAX, UINT64_MAX));
}
END_TEST

START_TEST(zero_cost_passes_in_debt_l4)
{
	const struct tb_limits lim = { .ops_per_s = 1, .bytes_per_s = 1 };
	struct token_bucket tb;

	tb_init(&tb, 0, &lim);
	ck_assert_uint_eq(0, tb_take(&tb, 0, 1000, 1000));
	ck_assert_uint_ne(0, tb_take(&tb, 0, 1, 0));
	ck_assert_uint_ne(0, tb_take(&tb, 0, 0, 1));
	ck_assert_uint_eq(0, tb_take(&tb, 0, 0, 0));
}
END_TEST

/* The later of two waits, and a refusal charges neither lane. */
START_TEST(both_lanes_or_none_and_the_later_wait)
{
	const struct tb_limits lim = { .ops_per_s = 10, .bytes_per_s = 1000,
				       .burst_ns = 1 };
	struct token_bucket tb, before;

	tb_init(&tb, 0, &lim);
	ck_assert_uint_eq(0, tb_take(&tb, 0, 1, 500));
	before = tb;
	/* ops due at 100 ms, bytes at 500 ms, less the burst of 1 ns */
	ck_assert_uint_eq(499999999, tb_take(&tb, 0, 1, 1));
	ck_assert_uint_eq(99999999, tb_take(&tb, 0, 1, 0));
	ck_assert_mem_eq(&before, &tb, sizeof(tb));
	/* bytes are paid, operations are not: the other way round */
	ck_assert_uint_eq(0, tb_take(&tb, 499999999, 6, 1));
	ck_assert_uint_eq(599999998, tb_take(&tb, 500000000, 1, 1));
}
END_TEST

/* S55: 100 bytes of burst, a request of 5000 */
START_TEST(oversized_is_granted_and_followers_pay_s55)
{
	const struct tb_limits lim = { .bytes_per_s = 10000 };
	struct token_bucket tb;

	tb_init(&tb, 0, &lim);
	ck_assert_uint_eq(0, tb_take(&tb, 0, 1, 5000));
	/* 500 ms' worth was taken, 10 ms' worth were saved */
	ck_assert_uint_eq(490000000, tb_take(&tb, 0, 1, 1));
	ck_assert_uint_eq(0, tb_take(&tb, 490000000, 1, 5000));
}
END_TEST

static const struct saturated {
	struct tb_limits lim;
	uint64_t ops, bytes;	/* of each request */
} saturated[] = {
	{ { .ops_per_s = 10 }, 1, 4096 },
	{ { .ops_per_s = 50 }, 1, 4096 },
	{ { .ops_per_s = 333 }, 1, 4096 },
	{ { .ops_per_s = 500, .bytes_per_s = 8000000 }, 1, 4096 },
	{ { .ops_per_s = 9999 }, 1, 4096 },
	{ { .ops_per_s = 50000 }, 1, 512 },
	{ { .bytes_per_s = 64 << 10 }, 1, 512 },
	{ { .bytes_per_s = 64 << 10 }, 1, 4096 },
	{ { .bytes_per_s = 64 << 10 }, 1, 1 << 20 },
	{ { .bytes_per_s = 8000000, .ops_per_s = 100000 }, 1, 65536 },
	{ { .bytes_per_s = 2ULL << 30 }, 1, 65536 },
	{ { .bytes_per_s = 2ULL << 30 }, 1, 1 << 20 },
};

#define MAX_ADMITTED 200000

/* Saturate for @secs, a wake-up of up to @late_max_ns after each wait. */
static unsigned int saturate(const struct saturated *c, unsigned int secs,
			     uint64_t late_max_ns, uint64_t *at)
{
	uint64_t now = 12345, end = now + secs * NSEC_PER_SEC, seed = 1, wait;
	struct token_bucket tb;
	unsigned int n = 0;

	tb_init(&tb, now, &c->lim);
	while (now < end) {
		wait = tb_take(&tb, now, c->ops, c->bytes);
		if (wait) {
			now += wait;
			if (late_max_ns)
				now += rng_next(&seed) % late_max_ns;
			continue;
		}
		ck_assert_uint_lt(n, MAX_ADMITTED);
		at[n++] = now;
	}
	return n;
}

/* What binds of the two rates, in requests per second. */
static double rate_of(const struct saturated *c)
{
	double ops = c->lim.ops_per_s ?
		     (double)c->lim.ops_per_s / c->ops : 1e18;
	double bytes = c->lim.bytes_per_s ?
		       (double)c->lim.bytes_per_s / c->bytes : 1e18;

	return ops < bytes ? ops : bytes;
}

/* L1: each window that begins at an admission after the burst */
static void check_windows(const struct saturated *c, const uint64_t *at,
			  unsigned int n, unsigned int secs)
{
	const double rate = rate_of(c), slack = rate > 100 ? rate / 100 : 1;
	unsigned int i, j = 0, first = 0;

	while (first < n && at[first] < 12345 + 2 * TB_DEFAULT_BURST_NS)
		first++;
	for (i = first; i < n; i++) {
		uint64_t end = at[i] + NSEC_PER_SEC;

		if (end > 12345 + secs * NSEC_PER_SEC)
			break;
		while (j < n && at[j] < end)
			j++;
		ck_assert_double_ge(j - i, rate - slack);
		ck_assert_double_le(j - i, rate + slack);
	}
	ck_assert_uint_gt(i, first);
}

START_TEST(saturated_windows_hold_the_rate_l1)
{
	const struct saturated *c = &saturated[_i];
	const unsigned int secs = rate_of(c) < 1 ? 100 : 3;
	uint64_t *at = malloc(MAX_ADMITTED * sizeof(*at));
	unsigned int n;

	if (rate_of(c) < 1) {
		/* fewer than one a second: all of the time is one window */
		n = saturate(c, secs, 0, at);
		ck_assert_double_le(n, secs * rate_of(c) + 2);
		ck_assert_double_ge(n, secs * rate_of(c) - 1);
	} else {
		n = saturate(c, secs, 0, at);
		check_windows(c, at, n, secs);
		/* a worker that wakes up to half a burst late loses nothing */
		n = saturate(c, secs, TB_DEFAULT_BURST_NS / 2, at);
		check_windows(c, at, n, secs);
	}
	free(at);
}
END_TEST

/* L1: nothing is lost to rounding, however long a rate is held */
START_TEST(no_drift_over_a_million_requests_l1)
{
	const uint64_t rates[] = { 3, 7, 10, 333, 49999, 50000 };
	const struct tb_limits lim = { .ops_per_s = rates[_i], .burst_ns = 1 };
	uint64_t now = 0, wait;
	struct token_bucket tb;
	unsigned int i;

	tb_init(&tb, now, &lim);
	for (i = 0; i < 1000000;) {
		wait = tb_take(&tb, now, 1, 0);
		if (!wait)
			i++;
		now += wait;
	}
	/* the last one is admitted when 999,999 are paid for, less the burst */
	ck_assert_uint_ge(now, 999999 * NSEC_PER_SEC / rates[_i] - 1);
	ck_assert_uint_le(now, 999999 * NSEC_PER_SEC / rates[_i]);
}
END_TEST

/* L2, L3 */
START_TEST(first_second_and_longest_gap_l2_l3)
{
	const struct saturated *c = &saturated[_i];
	uint64_t *at = malloc(MAX_ADMITTED * sizeof(*at)), gap_max = 0;
	const double rate = rate_of(c);
	unsigned int n = saturate(c, 3, 0, at), i, first = 0;

	for (i = 0; i < n && at[i] < 12345 + NSEC_PER_SEC; i++)
		first++;
	ck_assert_double_le(first, rate + rate / 100 + 1);
	for (i = 1; i < n; i++)
		if (at[i] - at[i - 1] > gap_max)
			gap_max = at[i] - at[i - 1];
	ck_assert_double_le(gap_max, NSEC_PER_SEC / rate + 1);
	free(at);
}
END_TEST

/* L2: burst 0 is 10 ms' worth, whatever the rate; idle time buys no more */
START_TEST(default_burst_is_10_ms_l2)
{
	const struct tb_limits lim = { .ops_per_s = 1000 };
	unsigned int n = 0, again = 0;
	struct token_bucket tb;

	tb_init(&tb, 0, &lim);
	while (!tb_take(&tb, 0, 1, 0))
		n++;
	/* ten are saved, and the one that takes it into debt */
	ck_assert_uint_eq(11, n);
	while (!tb_take(&tb, 3600 * NSEC_PER_SEC, 1, 0))
		again++;
	ck_assert_uint_eq(11, again);
}
END_TEST

/* L6: 5 requests of debt stay 5, whatever a request costs now */
START_TEST(rate_change_keeps_the_debt_in_tokens_l6)
{
	struct tb_limits lim = { .ops_per_s = 100, .burst_ns = 1 };
	struct token_bucket tb;

	tb_init(&tb, 0, &lim);
	ck_assert_uint_eq(0, tb_take(&tb, 0, 5, 0));
	ck_assert_uint_eq(49999999, tb_take(&tb, 0, 1, 0));
	lim.ops_per_s = 1000;
	tb_set_limits(&tb, 0, &lim);
	ck_assert_uint_eq(5000000, tb_take(&tb, 0, 1, 0));
	lim.ops_per_s = 10;
	tb_set_limits(&tb, 0, &lim);
	ck_assert_uint_eq(499999990, tb_take(&tb, 0, 1, 0));
	/* unlimited forgets it */
	lim.ops_per_s = 0;
	tb_set_limits(&tb, 0, &lim);
	lim.ops_per_s = 10;
	tb_set_limits(&tb, 0, &lim);
	ck_assert_uint_eq(0, tb_take(&tb, 0, 1, 0));
}
END_TEST

/* L6: going down from a saturated high rate strands nobody */
START_TEST(rate_drop_waits_for_one_request_only_l6)
{
	struct tb_limits lim = { .ops_per_s = 50000 };
	struct token_bucket tb;

	tb_init(&tb, 0, &lim);
	while (!tb_take(&tb, 0, 1, 0))
		;
	lim.ops_per_s = 50;
	tb_set_limits(&tb, 0, &lim);
	ck_assert_uint_le(tb_take(&tb, 0, 1, 0), NSEC_PER_SEC / 50);
}
END_TEST

/* L6, C9 */
START_TEST(refill_forgets_the_debt_l6)
{
	const struct tb_limits lim = { .ops_per_s = 1 };
	struct token_bucket tb;

	tb_init(&tb, 0, &lim);
	ck_assert_uint_eq(0, tb_take(&tb, 0, 3600, 0));
	ck_assert_uint_ne(0, tb_take(&tb, 0, 1, 0));
	tb_refill(&tb, 7);
	ck_assert_uint_eq(0, tb_take(&tb, 7, 1, 0));
}
END_TEST

/* S69: neither is debt paid by frozen time, nor a burst saved up */
START_TEST(shift_hands_out_nothing_s69)
{
	const struct tb_limits lim = { .ops_per_s = 1000 };
	struct token_bucket tb;
	uint64_t wait;

	tb_init(&tb, 0, &lim);
	while (!tb_take(&tb, 0, 1, 0))
		;
	wait = tb_take(&tb, 0, 1, 0);
	tb_shift(&tb, 5 * NSEC_PER_SEC);
	ck_assert_uint_eq(wait, tb_take(&tb, 5 * NSEC_PER_SEC, 1, 0));
	ck_assert_uint_eq(0, tb_take(&tb, 5 * NSEC_PER_SEC + wait, 1, 0));
}
END_TEST

START_TEST(a_clock_that_steps_back_counts_as_standing)
{
	const struct tb_limits lim = { .ops_per_s = 10, .burst_ns = 1 };
	struct token_bucket tb;

	tb_init(&tb, 1000, &lim);
	ck_assert_uint_eq(0, tb_take(&tb, 1000, 1, 0));
	ck_assert_uint_eq(99999999, tb_take(&tb, 0, 1, 0));
}
END_TEST

int main(void)
{
	const int nr = sizeof(saturated) / sizeof(saturated[0]);
	Suite *suite = suite_create("token_bucket");
	TCase *tc = tcase_create("token_bucket");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, property_same_as_exact_reference_l1_l4_l6, 0,
			    SHARES);
	tcase_add_test(tc, no_overflow_for_any_u64_l4);
	tcase_add_test(tc, debt_beyond_the_end_of_time_saturates_l4);
	tcase_add_test(tc, rate_zero_is_unlimited_l4);
	tcase_add_test(tc, zero_cost_passes_in_debt_l4);
	tcase_add_test(tc, both_lanes_or_none_and_the_later_wait);
	tcase_add_test(tc, oversized_is_granted_and_followers_pay_s55);
	tcase_add_loop_test(tc, saturated_windows_hold_the_rate_l1, 0, nr);
	tcase_add_loop_test(tc, no_drift_over_a_million_requests_l1, 0, 6);
	tcase_add_loop_test(tc, first_second_and_longest_gap_l2_l3, 0, nr);
	tcase_add_test(tc, default_burst_is_10_ms_l2);
	tcase_add_test(tc, rate_change_keeps_the_debt_in_tokens_l6);
	tcase_add_test(tc, rate_drop_waits_for_one_request_only_l6);
	tcase_add_test(tc, refill_forgets_the_debt_l6);
	tcase_add_test(tc, shift_hands_out_nothing_s69);
	tcase_add_test(tc, a_clock_that_steps_back_counts_as_standing);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
