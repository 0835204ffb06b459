// SPDX-License-Identifier: GPL-2.0-only
#include "runner/clock_relation.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/test_run.h"

#define US 1000ull
#define MS 1000000ull
#define SEC 1000000000ull

START_TEST(each_side_learns_one_bound)
{
	struct clock_bounds b = CLOCK_BOUNDS_NONE;

	ck_assert_int_eq(INT64_MAX, clock_bounds_gap_ns(&b));
	clock_bounds_low(&b, 1000, 400);	/* offset >= 600 */
	ck_assert_int_eq(INT64_MAX, clock_bounds_gap_ns(&b));
	clock_bounds_low(&b, 1100, 450);	/* better: >= 650 */
	clock_bounds_low(&b, 1200, 700);	/* late to look: says less */
	clock_bounds_high(&b, 900);
	clock_bounds_high(&b, 660);
	clock_bounds_high(&b, 800);
	ck_assert_int_eq(650, b.low_ns);
	ck_assert_int_eq(660, b.high_ns);
	ck_assert_int_eq(10, clock_bounds_gap_ns(&b));
}
END_TEST

START_TEST(a_guest_that_lies_wildly_is_not_heard)
{
	struct clock_bounds b = CLOCK_BOUNDS_NONE;

	clock_bounds_low(&b, UINT64_MAX, 5);
	clock_bounds_low(&b, 1ull << 62, 5);
	clock_bounds_high(&b, INT64_MAX);
	clock_bounds_high(&b, INT64_MIN);
	ck_assert_int_eq(INT64_MAX, clock_bounds_gap_ns(&b));
}
END_TEST

START_TEST(a_point_is_the_middle_with_half_the_gap_as_error)
{
	const struct clock_bounds b = { -1000, -400 };
	struct clock_point p = clock_point_make(&b, 10 * SEC, 10 * SEC);

	ck_assert(p.known);
	ck_assert_uint_eq(10 * SEC, p.host_ns);
	ck_assert_int_eq(-700, p.offset_ns);
	ck_assert_uint_eq(301, p.error_ns);

	/* gathered over 2 ms, in which clocks may part by 1 us */
	p = clock_point_make(&b, 10 * SEC, 10 * SEC + 2 * MS);
	ck_assert_uint_eq(10 * SEC + MS, p.host_ns);
	ck_assert_uint_eq(301 + 1000, p.error_ns);
}
END_TEST

START_TEST(bounds_that_contradict_each_other_are_no_point)
{
	const struct clock_bounds over = { 1000, 400 };
	const struct clock_bounds one_side = { 1000, INT64_MAX };

	ck_assert(clock_point_make(&over, 0, 2 * MS).known);
	ck_assert(!clock_point_make(&over, 0, 1 * MS).known);
	ck_assert(!clock_point_make(&one_side, 0, 100 * MS).known);
}
END_TEST

static struct clock_point point(uint64_t host_ns, int64_t offset_ns,
				uint64_t error_ns)
{
	return (struct clock_point){ true, host_ns, offset_ns, error_ns };
}

START_TEST(between_two_points_the_offset_is_interpolated)
{
	const struct clock_point a = point(100 * SEC, -7000 * (int64_t)US, 30);
	const struct clock_point b = point(110 * SEC, -6900 * (int64_t)US, 80);
	struct clock_relation r = clock_relation_make(&a, &b);

	ck_assert(r.known);
	ck_assert_int_eq(10000, r.drift_ppb); /* 100 us in 10 s */
	ck_assert_uint_eq(80 + 50 * US, r.error_ns);
	ck_assert_uint_eq(100 * SEC - 7000 * US, clock_to_guest(&r, 100 * SEC));
	ck_assert_uint_eq(105 * SEC - 6950 * US, clock_to_guest(&r, 105 * SEC));
	ck_assert_uint_eq(110 * SEC - 6900 * US, clock_to_guest(&r, 110 * SEC));
	/* the bucket's edges: a stamp from just before or after */
	ck_assert_uint_eq(99 * SEC - 7010 * US, clock_to_guest(&r, 99 * SEC));
}
END_TEST

START_TEST(a_long_run_does_not_overflow)
{
	const struct clock_point a = point(0, 0, 1);
	const struct clock_point b = point(SEC << 20, SEC << 20, 1);
	struct clock_relation r = clock_relation_make(&a, &b);

	ck_assert_uint_eq(SEC << 20, clock_to_guest(&r, SEC << 19));
}
END_TEST

START_TEST(one_point_is_no_relation)
{
	const struct clock_point none = { 0 }, a = point(5 * SEC, 7, 1);

	ck_assert(!clock_relation_make(&none, &a).known);
	ck_assert(!clock_relation_make(&a, &none).known);
	ck_assert(!clock_relation_make(&a, &a).known);
}
END_TEST

/* A guest on another thread, its clock ahead by a known offset. */
struct guest {
	struct ktstr_clock clock;
	int64_t offset_ns;
	uint64_t exchange;
};

static void *guest_main(void *arg)
{
	struct guest *g = arg;
	struct ktstr_clock *c = &g->clock;
	uint64_t end_ns = clock_now_ns() + 5 * SEC, host_ns, now_ns;

	__atomic_store_n(&c->high_ns, INT64_MAX, __ATOMIC_RELAXED);
	__atomic_store_n(&c->guest_exchange, g->exchange, __ATOMIC_RELEASE);
	while (__atomic_load_n(&c->host_done, __ATOMIC_ACQUIRE) !=
	       g->exchange && clock_now_ns() < end_ns) {
		__atomic_store_n(&c->guest_ns, clock_now_ns() + g->offset_ns,
				 __ATOMIC_RELEASE);
		host_ns = __atomic_load_n(&c->host_ns, __ATOMIC_ACQUIRE);
		if (!host_ns)
			continue;
		now_ns = clock_now_ns() + g->offset_ns;
		if ((int64_t)(now_ns - host_ns) <
		    __atomic_load_n(&c->high_ns, __ATOMIC_RELAXED))
			__atomic_store_n(&c->high_ns, now_ns - host_ns,
					 __ATOMIC_RELEASE);
	}
	return NULL;
}

START_TEST(an_exchange_finds_the_offset_within_its_error)
{
	static const int64_t offsets[] = { 0, 123456789, -987654321 };
	struct guest g = { .exchange = 4, .offset_ns = offsets[_i] };
	struct clock_point p;
	pthread_t thread;
	uint64_t off_ns;

	ck_assert_int_eq(0, pthread_create(&thread, NULL, guest_main, &g));
	/* a busy machine may not have run it yet: that is no point */
	do {
		__atomic_store_n(&g.clock.host_done, 0, __ATOMIC_RELEASE);
		p = clock_exchange(&g.clock, 4);
	} while (!p.known);
	pthread_join(thread, NULL);
	off_ns = llabs(p.offset_ns - offsets[_i]);
	ck_assert_msg(off_ns <= p.error_ns, "off by %lu, error %lu",
		      (unsigned long)off_ns, (unsigned long)p.error_ns);
	ck_assert_uint_eq(4, g.clock.host_done);
	ck_assert_uint_eq(0, g.clock.host_ns);
}
END_TEST

START_TEST(an_exchange_without_a_guest_ends)
{
	struct ktstr_clock c = {
		/* what an exchange before this one has left */
		.guest_exchange = 2, .guest_ns = 77, .high_ns = 5,
	};
	uint64_t start_ns = clock_now_ns();

	ck_assert(!clock_exchange(&c, 3).known);
	ck_assert_uint_lt(clock_now_ns() - start_ns, 5 * SEC);
	ck_assert_uint_eq(3, c.host_done);
	ck_assert_uint_eq(0, c.host_ns);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock_relation");
	TCase *tc = tcase_create("relation");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, each_side_learns_one_bound);
	tcase_add_test(tc, a_guest_that_lies_wildly_is_not_heard);
	tcase_add_test(tc, a_point_is_the_middle_with_half_the_gap_as_error);
	tcase_add_test(tc, bounds_that_contradict_each_other_are_no_point);
	tcase_add_test(tc, between_two_points_the_offset_is_interpolated);
	tcase_add_test(tc, a_long_run_does_not_overflow);
	tcase_add_test(tc, one_point_is_no_relation);
	tcase_add_loop_test(tc, an_exchange_finds_the_offset_within_its_error,
			    0, 3);
	tcase_add_test(tc, an_exchange_without_a_guest_ends);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
