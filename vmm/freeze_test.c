// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/freeze.h"

#include <check.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/test_run.h"

#define MEMBERS 4
#define LONG (60 * NSEC_PER_SEC) /* more than the test's time limit */

static struct freeze f;
static _Atomic bool stop;
static uint64_t work[MEMBERS]; /* plain: the rendezvous orders it */

static void *member(void *arg)
{
	uint64_t *mine = arg;

	while (!atomic_load_explicit(&stop, memory_order_acquire)) {
		if (freeze_is_asked(&f)) {
			freeze_park(&f, &stop);
			continue;
		}
		++*mine;
		/* or four that spin take seconds to park on a busy machine */
		sched_yield();
	}
	freeze_leave(&f);
	return NULL;
}

static void start(pthread_t *t, int n)
{
	int i;

	freeze_init(&f);
	for (i = 0; i < n; i++) {
		freeze_join(&f);
		ck_assert_int_eq(0, pthread_create(&t[i], NULL, member,
						   &work[i]));
	}
}

static void finish(pthread_t *t, int n)
{
	int i;

	atomic_store_explicit(&stop, true, memory_order_release);
	freeze_wake(&f);
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(0, f.members);
	freeze_fini(&f);
}

START_TEST(a_member_that_does_not_park_is_given_up)
{
	freeze_init(&f);
	freeze_join(&f);
	freeze_ask(&f);
	ck_assert(!freeze_wait(&f, clock_now_ns()));
	ck_assert(!freeze_wait(&f, clock_now_ns() + NSEC_PER_MSEC));
	freeze_end(&f);
	ck_assert(!freeze_is_asked(&f));
	freeze_leave(&f);
	freeze_fini(&f);
}
END_TEST

START_TEST(nobody_to_wait_for_is_frozen_at_once)
{
	freeze_init(&f);
	freeze_ask(&f);
	ck_assert(freeze_wait(&f, 0));
	freeze_end(&f);
	freeze_fini(&f);
}
END_TEST

START_TEST(parked_members_touch_nothing_over_many_freezes)
{
	pthread_t t[MEMBERS];
	int i, k;

	start(t, MEMBERS);
	for (i = 0; i < 2000; i++) {
		uint64_t before[MEMBERS];

		freeze_ask(&f);
		ck_assert(freeze_wait(&f, clock_now_ns() + LONG));
		for (k = 0; k < MEMBERS; k++)
			before[k] = work[k];
		sched_yield();
		for (k = 0; k < MEMBERS; k++)
			ck_assert_uint_eq(before[k], work[k]);
		freeze_end(&f);
	}
	finish(t, MEMBERS);
}
END_TEST

START_TEST(a_stop_reaches_parked_members)
{
	pthread_t t[MEMBERS];

	start(t, MEMBERS);
	freeze_ask(&f);
	ck_assert(freeze_wait(&f, clock_now_ns() + LONG));
	finish(t, MEMBERS); /* hangs to the time limit if it does not */
}
END_TEST

START_TEST(one_that_leaves_is_not_waited_for)
{
	pthread_t t[1];

	start(t, 1);
	freeze_join(&f); /* a second, which never parks */
	freeze_ask(&f);
	ck_assert(!freeze_wait(&f, clock_now_ns() + 10 * NSEC_PER_MSEC));
	freeze_leave(&f);
	ck_assert(freeze_wait(&f, clock_now_ns() + LONG));
	finish(t, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("freeze");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 30);
	suite_add_tcase(s, t);
	tcase_add_test(t, a_member_that_does_not_park_is_given_up);
	tcase_add_test(t, nobody_to_wait_for_is_frozen_at_once);
	tcase_add_test(t, parked_members_touch_nothing_over_many_freezes);
	tcase_add_test(t, a_stop_reaches_parked_members);
	tcase_add_test(t, one_that_leaves_is_not_waited_for);
	return test_run(s);
}
