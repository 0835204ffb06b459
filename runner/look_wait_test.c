// SPDX-License-Identifier: GPL-2.0-only
#include "runner/look_wait.h"

#include <check.h>
#include <stdlib.h>

#include "lib/test_run.h"

#define MS 1000000ull

static struct look_wait w;

/* A reading that takes no time; all in ms. */
static void see(uint64_t at, uint64_t run, uint64_t wait, bool runnable)
{
	const struct vm_thread_time now = {
		.from_ns = at * MS, .to_ns = at * MS, .run_ns = run * MS,
		.wait_ns = wait * MS, .runnable = runnable,
	};

	look_wait_see(&w, &now);
}

static void setup(void)
{
	w = (struct look_wait){ 0 };
}

static uint64_t waited(void)
{
	return look_wait_ns(&w) / MS;
}

START_TEST(a_wait_is_told_while_it_goes_on_and_not_twice_when_it_is_over)
{
	see(1000, 300, 40, true);
	ck_assert_uint_eq(40, waited());
	ck_assert(!w.waits);
	see(1050, 300, 40, true);
	ck_assert_uint_eq(90, waited());
	ck_assert(w.waits);
	see(1200, 300, 40, true);
	ck_assert_uint_eq(240, waited());
	/* it began 10 ms before the first reading, and ended at 1230 */
	see(1250, 320, 40 + 240, true);
	ck_assert_uint_eq(280, waited());
	ck_assert(!w.waits);
}
END_TEST

START_TEST(who_has_run_or_slept_does_not_wait)
{
	see(1000, 300, 40, true);
	see(1050, 301, 40, true);
	ck_assert_uint_eq(40, waited());
	ck_assert(!w.waits);
	see(1100, 302, 40, false);
	ck_assert(!w.waits);
	see(1150, 302, 40, false);
	ck_assert(!w.waits);
	see(1200, 302, 40, true);	/* woken, some time before */
	ck_assert(!w.waits);
	ck_assert_uint_eq(40, waited());
	see(1210, 302, 40, true);
	ck_assert(w.waits);
	ck_assert_uint_eq(50, waited());
	see(1220, 303, 60, true);
	ck_assert(!w.waits);
	ck_assert_uint_eq(60, waited());
}
END_TEST

START_TEST(a_wait_that_is_counted_in_parts_counts_once)
{
	see(1000, 300, 0, true);
	see(1100, 300, 0, true);
	ck_assert_uint_eq(100, waited());
	/* moved to another CPU at 1150, where it waits on */
	see(1200, 300, 150, true);
	ck_assert_uint_eq(200, waited());
	ck_assert(w.waits);
	see(1300, 300, 150, true);
	ck_assert_uint_eq(300, waited());
	see(1400, 310, 340, true);
	ck_assert_uint_eq(340, waited());
}
END_TEST

START_TEST(it_never_runs_backwards)
{
	see(1000, 300, 0, true);
	see(1100, 300, 0, true);
	see(1200, 310, 99, true);	/* by another clock */
	ck_assert_uint_eq(100, waited());
	see(1300, 320, 101, true);
	ck_assert_uint_eq(101, waited());
}
END_TEST

START_TEST(the_time_of_a_reading_is_no_wait)
{
	const struct vm_thread_time slow = {
		.from_ns = 1000 * MS, .to_ns = 1400 * MS, .run_ns = 300 * MS,
		.runnable = true,
	};

	look_wait_see(&w, &slow);
	see(1410, 300, 0, true);
	ck_assert_uint_eq(10, waited());
}
END_TEST

static const struct {
	uint64_t wait_before, wait_after, frozen_ms, want;
} frozen_cases[] = {
	{ 40, 40, 500, 40 },	/* parked: no wait */
	{ 40, 41, 500, 40 },	/* woken from it */
	{ 40, 540, 500, 40 },	/* could not be parked: not counted */
	{ 40, 740, 500, 240 },	/* and had waited 200 ms before that */
};

START_TEST(frozen_time_is_no_wait)
{
	uint64_t total_ns;

	see(1000, 300, frozen_cases[_i].wait_before, false);
	total_ns = w.total_ns;
	see(1500, 301, frozen_cases[_i].wait_after, true);
	look_wait_frozen(&w, total_ns, frozen_cases[_i].frozen_ms * MS);
	ck_assert_uint_eq(frozen_cases[_i].want, waited());
	see(1600, 301, frozen_cases[_i].wait_after, true);
	ck_assert_uint_eq(frozen_cases[_i].want + 100, waited());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("look_wait");
	TCase *tc = tcase_create("look_wait");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_wait_is_told_while_it_goes_on_and_not_twice_when_it_is_over);
	tcase_add_test(tc, who_has_run_or_slept_does_not_wait);
	tcase_add_test(tc, a_wait_that_is_counted_in_parts_counts_once);
	tcase_add_test(tc, it_never_runs_backwards);
	tcase_add_test(tc, the_time_of_a_reading_is_no_wait);
	tcase_add_loop_test(tc, frozen_time_is_no_wait, 0,
			    sizeof(frozen_cases) / sizeof(frozen_cases[0]));
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
