// SPDX-License-Identifier: GPL-2.0-only
#include "lib/turn.h"

#include <check.h>

#include <stdlib.h>

#include "lib/test_run.h"

#define SLICE (100 * NSEC_PER_MSEC)

/* A loop with a deadline, on a clock that the test drives. */
struct loop {
	uint64_t now_ns, turn_ns, deadline_ns, last_rx_ns;
};

static void turn(struct loop *l, uint64_t took_ns)
{
	uint64_t stopped_ns;

	l->now_ns += took_ns;
	stopped_ns = turn_stopped_ns(&l->turn_ns, l->now_ns, SLICE);
	l->deadline_ns = clock_add_ns(l->deadline_ns, stopped_ns);
	l->last_rx_ns = turn_put_off(l->last_rx_ns, stopped_ns, l->now_ns);
}

static struct loop loop_of(uint64_t limit_ns)
{
	const uint64_t now_ns = 1000 * NSEC_PER_SEC;

	return (struct loop){ now_ns, now_ns, now_ns + limit_ns, now_ns };
}

START_TEST(time_in_which_the_loop_turned_counts)
{
	struct loop l = loop_of(60 * NSEC_PER_SEC);
	uint64_t deadline_ns = l.deadline_ns, rx_ns = l.last_rx_ns;
	int i;

	for (i = 0; i < 600; i++)
		turn(&l, SLICE);
	/* busy machines are no reason either */
	turn(&l, SLICE + TURN_SLACK_NS);
	ck_assert_uint_eq(deadline_ns, l.deadline_ns);
	ck_assert_uint_eq(rx_ns, l.last_rx_ns);
	ck_assert_uint_gt(l.now_ns, l.deadline_ns);
}
END_TEST

START_TEST(a_stop_puts_the_deadline_off_by_itself)
{
	struct loop l = loop_of(60 * NSEC_PER_SEC);
	uint64_t deadline_ns = l.deadline_ns;

	turn(&l, SLICE);
	turn(&l, 600 * NSEC_PER_SEC);
	ck_assert_uint_eq(deadline_ns + 600 * NSEC_PER_SEC - SLICE,
			  l.deadline_ns);
	ck_assert_uint_gt(l.deadline_ns, l.now_ns);
	/* one slice was the loop's own, before and in the stop */
	ck_assert_uint_eq(2 * SLICE, l.now_ns - l.last_rx_ns);
	/* and then it counts again, up to the last nanosecond */
	turn(&l, SLICE);
	ck_assert_uint_eq(deadline_ns + 600 * NSEC_PER_SEC - SLICE,
			  l.deadline_ns);
}
END_TEST

START_TEST(what_came_within_the_turn_is_not_of_the_future)
{
	struct loop l = loop_of(60 * NSEC_PER_SEC);

	/* read after the stop, before the turn was over */
	l.last_rx_ns = l.now_ns + 599 * NSEC_PER_SEC;
	turn(&l, 600 * NSEC_PER_SEC);
	ck_assert_uint_eq(l.now_ns, l.last_rx_ns);
}
END_TEST

START_TEST(no_deadline_stays_none)
{
	struct loop l = loop_of(0);

	l.deadline_ns = UINT64_MAX;
	turn(&l, 600 * NSEC_PER_SEC);
	ck_assert_uint_eq(UINT64_MAX, l.deadline_ns);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("turn");
	TCase *t = tcase_create("turn");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, time_in_which_the_loop_turned_counts);
	tcase_add_test(t, a_stop_puts_the_deadline_off_by_itself);
	tcase_add_test(t, what_came_within_the_turn_is_not_of_the_future);
	tcase_add_test(t, no_deadline_stays_none);
	suite_add_tcase(s, t);
	return test_run(s);
}
