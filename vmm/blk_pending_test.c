// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_pending.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/test_run.h"

#define MS NSEC_PER_MSEC

static struct blk_pending p;

static void setup(void)
{
	memset(&p, 0, sizeof(p));
}

START_TEST(empty_is_never_due)
{
	ck_assert_uint_eq(BLK_NEVER_NS, blk_pending_first_ns(&p));
	blk_pending_push(&p, 7, 0);
	ck_assert_uint_eq(7, blk_pending_first_ns(&p));
	ck_assert_uint_eq(0, blk_pending_pop(&p));
	ck_assert_uint_eq(BLK_NEVER_NS, blk_pending_first_ns(&p));
}
END_TEST

START_TEST(they_come_out_as_they_come_due)
{
	static const uint64_t at[] = { 50, 10, 40, 20, 60, 30, 5, 70 };
	static const uint16_t slots[] = { 6, 1, 3, 5, 2, 0, 4, 7 };
	unsigned int i;

	for (i = 0; i < 8; i++)
		blk_pending_push(&p, at[i], i);
	for (i = 0; i < 8; i++) {
		ck_assert_uint_eq(at[slots[i]], blk_pending_first_ns(&p));
		ck_assert_uint_eq(slots[i], blk_pending_pop(&p));
	}
}
END_TEST

START_TEST(due_at_once_is_first_in_first_out)
{
	unsigned int i;

	for (i = 0; i < 100; i++)
		blk_pending_push(&p, i % 2 ? 8 : 9, i);
	for (i = 1; i < 100; i += 2)
		ck_assert_uint_eq(i, blk_pending_pop(&p));
	for (i = 0; i < 100; i += 2)
		ck_assert_uint_eq(i, blk_pending_pop(&p));
}
END_TEST

/* Against a plain search, with any mix of pushes, pops and shifts. */
START_TEST(property_same_as_a_search)
{
	struct blk_due ref[BLK_PENDING_MAX];
	unsigned int nr = 0, i, first, step;
	uint64_t order = 0;

	srandom(_i + 1);
	for (step = 0; step < 20000; step++) {
		unsigned int what = random() % 16;

		if (!what) {
			blk_pending_shift(&p, 3);
			for (i = 0; i < nr; i++)
				ref[i].at_ns += 3;
		} else if (nr && (nr == BLK_PENDING_MAX || what < 8)) {
			for (first = 0, i = 1; i < nr; i++)
				if (ref[i].at_ns < ref[first].at_ns ||
				    (ref[i].at_ns == ref[first].at_ns &&
				     ref[i].order < ref[first].order))
					first = i;
			ck_assert_uint_eq(ref[first].at_ns,
					  blk_pending_first_ns(&p));
			ck_assert_uint_eq(ref[first].slot, blk_pending_pop(&p));
			ref[first] = ref[--nr];
		} else {
			ref[nr] = (struct blk_due){ random() % 64, order++,
						    random() };
			blk_pending_push(&p, ref[nr].at_ns, ref[nr].slot);
			nr++;
		}
		ck_assert_uint_eq(nr, p.nr);
	}
}
END_TEST

START_TEST(a_shift_stops_at_the_end_of_time)
{
	blk_pending_push(&p, UINT64_MAX - 5, 3);
	blk_pending_push(&p, 10, 4);
	blk_pending_shift(&p, 100);
	ck_assert_uint_eq(110, blk_pending_first_ns(&p));
	blk_pending_pop(&p);
	ck_assert_uint_eq(UINT64_MAX, blk_pending_first_ns(&p));
}
END_TEST

START_TEST(cleared_is_empty)
{
	blk_pending_push(&p, 1, 0);
	blk_pending_push(&p, 2, 1);
	blk_pending_clear(&p);
	ck_assert_uint_eq(BLK_NEVER_NS, blk_pending_first_ns(&p));
}
END_TEST

START_TEST(no_jitter_is_the_latency_alone_l7)
{
	uint64_t n;

	for (n = 0; n < 100; n++)
		ck_assert_uint_eq(5 * MS, blk_delay_ns(5 * MS, 0, n, n));
	ck_assert_uint_eq(0, blk_delay_ns(0, 0, 1, 1));
}
END_TEST

/* All of the range is used, its ends too, and each part as much as another. */
START_TEST(jitter_is_even_within_its_bounds_l7)
{
	unsigned int quarter[4] = { 0 }, ends[2] = { 0 }, i;
	uint64_t n, delay;

	for (n = 0; n < 40000; n++) {
		delay = blk_delay_ns(2 * MS, MS, 42, n);
		ck_assert_uint_ge(delay, 2 * MS);
		ck_assert_uint_le(delay, 3 * MS);
		if (delay < 3 * MS)
			quarter[(delay - 2 * MS) / (MS / 4)]++;
		delay = blk_delay_ns(10, 1, 42, n);
		ck_assert(delay == 10 || delay == 11);
		ends[delay - 10]++;
	}
	for (i = 0; i < 4; i++)
		ck_assert_uint_ge(quarter[i], 9500);
	ck_assert_uint_ge(ends[0], 19000);
	ck_assert_uint_ge(ends[1], 19000);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_delays_l7)
{
	unsigned int same = 0;
	uint64_t n, delay;

	for (n = 0; n < 1000; n++) {
		delay = blk_delay_ns(MS, MS, 1234, n);
		ck_assert_uint_eq(delay, blk_delay_ns(MS, MS, 1234, n));
		same += delay == blk_delay_ns(MS, MS, 1235, n);
		same += delay == blk_delay_ns(MS, MS, 1234, n + 1);
	}
	ck_assert_uint_lt(same, 3);
}
END_TEST

/* What a run has measured with a seed, another run can measure again. */
START_TEST(the_delays_of_a_seed_never_change_l7)
{
	static const uint64_t want[] = { 455897, 721508, 649704, 549374 };
	unsigned int n;

	for (n = 0; n < 4; n++)
		ck_assert_uint_eq(want[n], blk_delay_ns(0, 999999, 7, n));
}
END_TEST

START_TEST(no_overflow_for_any_u64_l7)
{
	uint64_t n;

	ck_assert_uint_eq(UINT64_MAX, blk_delay_ns(UINT64_MAX, UINT64_MAX, 1,
						   1));
	for (n = 0; n < 1000; n++)
		ck_assert_uint_ge(blk_delay_ns(UINT64_MAX - 5, 9, 1, n),
				  UINT64_MAX - 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("blk_pending");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, NULL);
	suite_add_tcase(s, t);
	tcase_add_test(t, empty_is_never_due);
	tcase_add_test(t, they_come_out_as_they_come_due);
	tcase_add_test(t, due_at_once_is_first_in_first_out);
	tcase_add_loop_test(t, property_same_as_a_search, 0, 8);
	tcase_add_test(t, a_shift_stops_at_the_end_of_time);
	tcase_add_test(t, cleared_is_empty);
	tcase_add_test(t, no_jitter_is_the_latency_alone_l7);
	tcase_add_test(t, jitter_is_even_within_its_bounds_l7);
	tcase_add_test(t, the_same_seed_gives_the_same_delays_l7);
	tcase_add_test(t, the_delays_of_a_seed_never_change_l7);
	tcase_add_test(t, no_overflow_for_any_u64_l7);
	return test_run(s);
}
