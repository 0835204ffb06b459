// SPDX-License-Identifier: GPL-2.0-only
/*
 * 100,000 freezes in orders that a test forces: a door before freeze_park()
 * holds a member back until the coordinator has gone on.
 */
#include "vmm/freeze.h"

#include <check.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/test_run.h"

#define CYCLES 100000
#define MEMBERS 2
#define LONG (60 * NSEC_PER_SEC) /* more than the test's time limit */

static struct freeze f;
static _Atomic bool stop;

/* Each sleeps but for what it is told to do: nobody spins on a busy machine. */
static struct member {
	pthread_t thread;
	sem_t go;	/* look whether a freeze is asked for */
	sem_t at_door;	/* it saw that one is */
	sem_t door;	/* it may park */
	sem_t back;	/* it looked and saw none, or it was parked */
} members[MEMBERS];

static void *member_main(void *arg)
{
	struct member *m = arg;

	for (;;) {
		sem_wait(&m->go);
		if (atomic_load(&stop))
			break;
		if (freeze_is_asked(&f)) {
			sem_post(&m->at_door);
			sem_wait(&m->door);
			freeze_park(&f, &stop);
		}
		sem_post(&m->back);
	}
	freeze_leave(&f);
	return NULL;
}

static void for_all(size_t which, int (*fn)(sem_t *sem))
{
	int i;

	for (i = 0; i < MEMBERS; i++)
		fn((sem_t *)((char *)&members[i] + which));
}

#define POST(which) for_all(offsetof(struct member, which), sem_post)
#define WAIT(which) for_all(offsetof(struct member, which), sem_wait)

/* Ask, and have all members see it. */
static void ask_at_door(void)
{
	freeze_ask(&f);
	POST(go);
	WAIT(at_door);
}

static void check_frozen(void)
{
	int back;

	ck_assert(freeze_wait(&f, clock_now_ns() + LONG));
	sem_getvalue(&members[0].back, &back);
	ck_assert_int_eq(0, back);
}

/* The plain one: asked, parked, let go. */
static void parked_and_let_go(void)
{
	ask_at_door();
	POST(door);
	check_frozen();
	freeze_end(&f);
	WAIT(back);
}

/* Over before any member parks: the late ones must not stay. */
static void taken_back_at_the_door(void)
{
	ask_at_door();
	ck_assert(!freeze_wait(&f, 0));
	freeze_end(&f);
	POST(door);
	WAIT(back);
}

/* Taken back at the door, and asked again before they go through it. */
static void asked_again_at_the_door(void)
{
	ask_at_door();
	freeze_end(&f);
	freeze_ask(&f);
	ck_assert(!freeze_wait(&f, 0));
	POST(door);
	check_frozen();
	freeze_end(&f);
	WAIT(back);
}

/* Asked again right after the end: who woke already has to come again. */
static void asked_again_at_once(void)
{
	int i, left = 0;

	ask_at_door();
	POST(door);
	check_frozen();
	freeze_end(&f);
	freeze_ask(&f);
	for (i = 0; i < MEMBERS; i++) {
		if (sem_trywait(&members[i].back))
			continue; /* it sleeps on, or is about to be back */
		left++;
		sem_post(&members[i].go);
		sem_wait(&members[i].at_door);
		sem_post(&members[i].door);
	}
	if (left == MEMBERS)
		check_frozen();
	freeze_end(&f);
	WAIT(back);
}

/* One parks, the other is held: not frozen until it comes. */
static void one_comes_late(void)
{
	ask_at_door();
	sem_post(&members[1].door);
	ck_assert(!freeze_wait(&f, 0));
	sem_post(&members[0].door);
	check_frozen();
	freeze_end(&f);
	WAIT(back);
}

/* Nothing is asked any more when they look: they do not park at all. */
static void taken_back_unseen(void)
{
	freeze_ask(&f);
	freeze_end(&f);
	POST(go);
	WAIT(back);
}

static void (*const orders[])(void) = {
	parked_and_let_go, taken_back_at_the_door, asked_again_at_the_door,
	asked_again_at_once, one_comes_late, taken_back_unseen,
};

#define NR_ORDERS (int)(sizeof(orders) / sizeof(orders[0]))

static void start(void)
{
	int i;

	freeze_init(&f);
	for (i = 0; i < MEMBERS; i++) {
		sem_init(&members[i].go, 0, 0);
		sem_init(&members[i].at_door, 0, 0);
		sem_init(&members[i].door, 0, 0);
		sem_init(&members[i].back, 0, 0);
		freeze_join(&f);
		ck_assert_int_eq(0, pthread_create(&members[i].thread, NULL,
						   member_main, &members[i]));
	}
}

/* Parked members: they go by the stop, not by an end of the freeze. */
static void finish(void)
{
	int i;

	ask_at_door();
	POST(door);
	check_frozen();
	atomic_store(&stop, true);
	freeze_wake(&f);
	WAIT(back);
	POST(go);
	for (i = 0; i < MEMBERS; i++)
		pthread_join(members[i].thread, NULL);
	ck_assert_uint_eq(0, f.members);
	ck_assert_uint_eq(0, f.parked);
	freeze_fini(&f);
}

START_TEST(every_order_of_ask_park_and_end)
{
	int i;

	start();
	for (i = 0; i < CYCLES; i++)
		orders[i % NR_ORDERS]();
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("freeze_stress");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 100);
	suite_add_tcase(s, t);
	tcase_add_test(t, every_order_of_ask_park_and_end);
	return test_run(s);
}
