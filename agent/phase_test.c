// SPDX-License-Identifier: GPL-2.0-only
#include "agent/phase.h"

#include <check.h>
#include <stdlib.h>

#include "agent/plan.h"
#include "agent/time_floor.h"
#include "lib/test_run.h"

static const struct plan_phase phases[] = {
	{ .name = "warm", .duration_ns = 100 },
	{ .name = "main", .duration_ns = 1000, .measure = true },
};

static struct phase_driver d;
static uint64_t wake;

static void setup(void)
{
	phase_init(&d, phases, 2);
	wake = 0;
}

static void run_one(uint64_t start, uint64_t end)
{
	ck_assert_int_eq(PHASE_ASK, phase_step(&d, start, &wake));
	ck_assert(phase_go(&d, d.index));
	ck_assert_int_eq(PHASE_BEGIN, phase_step(&d, start, &wake));
	phase_begun(&d, start);
	ck_assert_int_eq(PHASE_FINISH, phase_step(&d, end, &wake));
	phase_finished(&d);
}

START_TEST(a_phase_ends_on_its_nanosecond)
{
	ck_assert_int_eq(PHASE_ASK, phase_step(&d, 5, &wake));
	ck_assert_int_eq(PHASE_WAIT, phase_step(&d, 6, &wake));
	ck_assert(phase_go(&d, 0));
	ck_assert_int_eq(PHASE_BEGIN, phase_step(&d, 7, &wake));
	/* setting up took until 50: the phase is not shortened by it */
	phase_begun(&d, 50);
	ck_assert_int_eq(PHASE_WAIT, phase_step(&d, 149, &wake));
	ck_assert_uint_eq(150, wake);
	ck_assert_int_eq(PHASE_FINISH, phase_step(&d, 150, &wake));
}
END_TEST

START_TEST(phases_follow_in_order)
{
	run_one(0, 100);
	ck_assert_uint_eq(1, d.index);
	run_one(200, 1200);
	ck_assert_int_eq(PHASE_OVER, phase_step(&d, 1300, &wake));
}
END_TEST

START_TEST(a_go_for_another_phase_is_refused)
{
	ck_assert(!phase_go(&d, 0)); /* not asked yet */
	ck_assert_int_eq(PHASE_ASK, phase_step(&d, 0, &wake));
	ck_assert(!phase_go(&d, 1));
	ck_assert(!phase_go(&d, -1));
	ck_assert_int_eq(PHASE_WAIT, phase_step(&d, 1, &wake));
	ck_assert(phase_go(&d, 0));
	ck_assert(!phase_go(&d, 0)); /* only once */
}
END_TEST

START_TEST(a_stop_ends_the_running_phase_and_asks_no_more)
{
	ck_assert_int_eq(PHASE_ASK, phase_step(&d, 0, &wake));
	ck_assert(phase_go(&d, 0));
	phase_begun(&d, 0);
	phase_stop(&d);
	ck_assert_int_eq(PHASE_FINISH, phase_step(&d, 1, &wake));
	phase_finished(&d);
	ck_assert_int_eq(PHASE_OVER, phase_step(&d, 2, &wake));
}
END_TEST

START_TEST(a_stop_before_the_go_starts_nothing)
{
	ck_assert_int_eq(PHASE_ASK, phase_step(&d, 0, &wake));
	ck_assert(phase_go(&d, 0));
	phase_stop(&d);
	ck_assert_int_eq(PHASE_OVER, phase_step(&d, 1, &wake));
}
END_TEST

START_TEST(a_silent_host_is_not_waited_for_forever)
{
	ck_assert_int_eq(PHASE_ASK, phase_step(&d, 7, &wake));
	ck_assert_int_eq(PHASE_WAIT, phase_step(&d, 8, &wake));
	ck_assert_uint_gt(wake, 8);
	ck_assert_int_eq(PHASE_NO_ANSWER, phase_step(&d, wake, &wake));
}
END_TEST

START_TEST(the_floor_is_what_one_in_a_thousand_exceeds)
{
	uint64_t samples[2000];
	size_t i;

	for (i = 0; i < 2000; i++)
		samples[i] = 2000 - i;
	ck_assert_uint_eq(1998, time_floor_p999(samples, 2000));
	ck_assert_uint_eq(0, time_floor_p999(samples, 0));
	ck_assert_uint_eq(1, time_floor_p999(samples, 1));
	/* fewer than a thousand: the worst */
	ck_assert_uint_eq(999, time_floor_p999(samples, 999));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/phase");
	TCase *tc = tcase_create("phase");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_phase_ends_on_its_nanosecond);
	tcase_add_test(tc, phases_follow_in_order);
	tcase_add_test(tc, a_go_for_another_phase_is_refused);
	tcase_add_test(tc, a_stop_ends_the_running_phase_and_asks_no_more);
	tcase_add_test(tc, a_stop_before_the_go_starts_nothing);
	tcase_add_test(tc, a_silent_host_is_not_waited_for_forever);
	tcase_add_test(tc, the_floor_is_what_one_in_a_thousand_exceeds);
	suite_add_tcase(s, tc);
	return test_run(s);
}
