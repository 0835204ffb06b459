// SPDX-License-Identifier: GPL-2.0-only
#include "runner/look.h"

#include "lib/test_run.h"
#include "monitor/monitor.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

/* schedule */

START_TEST(looks_come_in_the_order_of_their_times)
{
	struct look_schedule s;
	struct look_order o;

	look_schedule_begin(&s, 1000, 0);
	ck_assert_int_eq(0, look_schedule_add(&s, "late", 1500));
	ck_assert_int_eq(0, look_schedule_add(&s, "first", 1200));
	ck_assert_int_eq(0, look_schedule_add(&s, "second", 1200));
	ck_assert_uint_eq(1200, look_schedule_next(&s));
	ck_assert(!look_schedule_take(&s, 1199, &o));
	ck_assert(look_schedule_take(&s, 1200, &o));
	ck_assert_str_eq("first", o.name);
	ck_assert(look_schedule_take(&s, 1200, &o));
	ck_assert_str_eq("second", o.name);
	ck_assert(!look_schedule_take(&s, 1499, &o));
	ck_assert(look_schedule_take(&s, 9999, &o));
	ck_assert_str_eq("late", o.name);
	ck_assert_int_eq(LOOK_STEP, o.why);
	ck_assert_uint_eq(UINT64_MAX, look_schedule_next(&s));
	ck_assert(!look_schedule_take(&s, 9999, &o));
}
END_TEST

START_TEST(looks_that_repeat_are_not_made_up_for)
{
	struct look_schedule s;
	struct look_order o;

	look_schedule_begin(&s, 1000, 100);
	ck_assert_uint_eq(1100, look_schedule_next(&s));
	ck_assert(!look_schedule_take(&s, 1099, &o));
	ck_assert(look_schedule_take(&s, 1100, &o));
	ck_assert_int_eq(LOOK_EVERY, o.why);
	ck_assert_uint_eq(1200, look_schedule_next(&s));
	/* three are late: one is taken, and the grid stays */
	ck_assert(look_schedule_take(&s, 1450, &o));
	ck_assert_uint_eq(1200, o.at_ns);
	ck_assert(!look_schedule_take(&s, 1450, &o));
	ck_assert_uint_eq(1500, look_schedule_next(&s));
}
END_TEST

START_TEST(nothing_is_due_after_the_phase)
{
	struct look_schedule s;
	struct look_order o;

	look_schedule_begin(&s, 0, 100);
	look_schedule_add(&s, "x", 50);
	look_schedule_end(&s);
	ck_assert_uint_eq(UINT64_MAX, look_schedule_next(&s));
	ck_assert(!look_schedule_take(&s, UINT64_MAX, &o));
}
END_TEST

START_TEST(orders_beyond_the_room_are_refused)
{
	struct look_schedule s;
	int i;

	look_schedule_begin(&s, 0, 0);
	for (i = 0; i < LOOK_MAX_ORDERS; i++)
		ck_assert_int_eq(0, look_schedule_add(&s, NULL, i));
	ck_assert_int_eq(-ENOSPC, look_schedule_add(&s, NULL, i));
}
END_TEST

/* death */

static const struct death_case {
	const char *what;
	struct {
		enum mon_scx_state state;
		int64_t kind;
	} seen[4];
	int nr;
	int dies_at;	/* -1: never */
} death_cases[] = {
	{ "a stall", { { MON_SCX_ENABLED, 0 }, { MON_SCX_ENABLED, 1026 },
		       { MON_SCX_DISABLING, 1026 } }, 3, 1 },
	{ "only the state is seen", { { MON_SCX_ENABLED, 0 },
				      { MON_SCX_DISABLED, -1 } }, 2, 1 },
	{ "exit kinds can't be read", { { MON_SCX_ENABLED, -1 },
					{ MON_SCX_DISABLING, -1 } }, 2, 1 },
	{ "it left by itself", { { MON_SCX_ENABLED, 0 },
				 { MON_SCX_DISABLING, 65 } }, 2, 1 },
	{ "we detached it", { { MON_SCX_ENABLED, 0 }, { MON_SCX_DISABLING, 64 },
			      { MON_SCX_DISABLED, 64 } }, 3, -1 },
	{ "SysRq-S", { { MON_SCX_ENABLED, 0 }, { MON_SCX_ENABLED, 67 } }, 2,
	  -1 },
	{ "it never ran", { { MON_SCX_ENABLING, 0 }, { MON_SCX_DISABLED, -1 } },
	  2, -1 },
	{ "a torn look between", { { MON_SCX_ENABLED, 0 },
				   { MON_SCX_UNKNOWN, -1 },
				   { MON_SCX_ENABLED, 0 } }, 3, -1 },
	{ "the next one", { { MON_SCX_ENABLED, 0 }, { MON_SCX_DISABLED, 64 },
			    { MON_SCX_ENABLED, 0 }, { MON_SCX_ENABLED, 1025 } },
	  4, 3 },
};

START_TEST(a_death_is_seen_once_and_only_if_nobody_asked_for_it)
{
	const struct death_case *c = &death_cases[_i];
	struct look_death d = { 0 };
	int i, at = -1;

	for (i = 0; i < c->nr; i++) {
		struct mon_sched sched = {
			.have_scx = true,
			.state = c->seen[i].state,
			.exit_kind = c->seen[i].kind,
		};

		if (!look_death_seen(&d, &sched))
			continue;
		ck_assert_msg(at < 0, "%s: seen twice", c->what);
		at = i;
	}
	ck_assert_msg(at == c->dies_at, "%s: at %d, want %d", c->what, at,
		      c->dies_at);
}
END_TEST

START_TEST(without_sched_ext_nothing_dies)
{
	struct look_death d = { .alive = true };
	struct mon_sched sched = { .state = MON_SCX_DISABLED };

	ck_assert(!look_death_seen(&d, &sched));
}
END_TEST

/* frozen time */

START_TEST(frozen_time_is_cut_to_the_stretch_asked_for)
{
	struct frozen_log log = { 0 };
	int i;

	for (i = 0; i < 40; i++)
		ck_assert_int_eq(0, frozen_log_add(&log, 100 * i + 10,
						   100 * i + 30));
	ck_assert_uint_eq(800, log.sum_ns);
	ck_assert_uint_eq(800, frozen_within(&log, 0, 4000));
	ck_assert_uint_eq(20, frozen_within(&log, 100, 200));
	ck_assert_uint_eq(5, frozen_within(&log, 0, 15));
	ck_assert_uint_eq(10, frozen_within(&log, 20, 100));
	ck_assert_uint_eq(4, frozen_within(&log, 13, 17));
	ck_assert_uint_eq(0, frozen_within(&log, 30, 110));
	ck_assert_uint_eq(0, frozen_within(&log, 50, 40));
	frozen_log_fini(&log);
	ck_assert_uint_eq(0, frozen_within(&log, 0, 4000));
}
END_TEST

START_TEST(the_guests_clock_is_translated)
{
	struct frozen_log log = { 0 };
	struct frozen_view ahead = { &log, 1000, 0 }, behind = { &log, -40, 0 };

	ck_assert_int_eq(0, frozen_log_add(&log, 100, 130));
	ck_assert_uint_eq(30, frozen_view_within(&ahead, 1000, 2000));
	ck_assert_uint_eq(10, frozen_view_within(&ahead, 1000, 1110));
	ck_assert_uint_eq(0, frozen_view_within(&ahead, 0, 1100));
	ck_assert_uint_eq(20, frozen_view_within(&behind, 70, 90));
	ck_assert_uint_eq(0, frozen_view_within(NULL, 0, UINT64_MAX));
	frozen_log_fini(&log);
}
END_TEST

START_TEST(a_span_in_bypass_is_told_where_it_lies)
{
	struct frozen_log log = { 0 };

	frozen_log_bypass(&log); /* no span yet */
	ck_assert_int_eq(0, frozen_log_add(&log, 100, 150));
	ck_assert_int_eq(0, frozen_log_add(&log, 300, 310));
	frozen_log_bypass(&log);
	ck_assert_int_eq(0, frozen_log_add(&log, 400, 410));
	ck_assert(!frozen_in_bypass(&log, 0, 300));
	ck_assert(frozen_in_bypass(&log, 0, 301));
	ck_assert(!frozen_in_bypass(&log, 310, 999));
	ck_assert(!frozen_in_bypass(NULL, 0, 999));
	frozen_log_fini(&log);
}
END_TEST

START_TEST(frozen_time_is_told_of_whoever_ran_then)
{
	struct frozen_log log = { 0 };
	struct frozen_view view = { &log, 1000, 0 };

	ck_assert_int_eq(0, frozen_log_add_run(&log, 7, 0)); /* no span yet */
	ck_assert_int_eq(0, frozen_log_add(&log, 100, 150));
	ck_assert_int_eq(0, frozen_log_add_run(&log, 7, 0));
	ck_assert_int_eq(0, frozen_log_add_run(&log, 8, 0));
	ck_assert_int_eq(0, frozen_log_add(&log, 300, 310));
	ck_assert_int_eq(0, frozen_log_add_run(&log, 7, 0));
	ck_assert_uint_eq(60, frozen_view_ran(&view, 7, 1000, 9999));
	ck_assert_uint_eq(50, frozen_view_ran(&view, 8, 1000, 9999));
	ck_assert_uint_eq(0, frozen_view_ran(&view, 9, 1000, 9999));
	ck_assert_uint_eq(30, frozen_view_ran(&view, 7, 1120, 1300));
	ck_assert_uint_eq(0, frozen_view_ran(NULL, 7, 0, 9999));
	frozen_log_fini(&log);
}
END_TEST

START_TEST(frozen_time_is_told_of_all_that_a_program_ran_then)
{
	struct frozen_log log = { 0 };
	struct frozen_view view = { &log, 1000, 3 };

	ck_assert_int_eq(0, frozen_log_add(&log, 100, 150));
	ck_assert_int_eq(0, frozen_log_add_run(&log, 7, 3));
	ck_assert_int_eq(0, frozen_log_add_run(&log, 8, 3));
	ck_assert_int_eq(0, frozen_log_add(&log, 300, 310));
	ck_assert_int_eq(0, frozen_log_add_run(&log, 9, 3));
	/* its first task's number is not asked, nor another's program */
	ck_assert_int_eq(0, frozen_log_add_run(&log, 7, 0));
	ck_assert_int_eq(0, frozen_log_add_run(&log, 7, 4));
	ck_assert_uint_eq(110, frozen_view_ran(&view, 7, 1000, 9999));
	frozen_log_fini(&log);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("look");
	TCase *tc = tcase_create("look");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, looks_come_in_the_order_of_their_times);
	tcase_add_test(tc, looks_that_repeat_are_not_made_up_for);
	tcase_add_test(tc, nothing_is_due_after_the_phase);
	tcase_add_test(tc, orders_beyond_the_room_are_refused);
	tcase_add_loop_test(tc, a_death_is_seen_once_and_only_if_nobody_asked_for_it,
			    0, sizeof(death_cases) / sizeof(death_cases[0]));
	tcase_add_test(tc, without_sched_ext_nothing_dies);
	tcase_add_test(tc, frozen_time_is_cut_to_the_stretch_asked_for);
	tcase_add_test(tc, the_guests_clock_is_translated);
	tcase_add_test(tc, a_span_in_bypass_is_told_where_it_lies);
	tcase_add_test(tc, frozen_time_is_told_of_whoever_ran_then);
	tcase_add_test(tc, frozen_time_is_told_of_all_that_a_program_ran_then);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
