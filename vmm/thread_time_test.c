// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real threads of this machine. On a busy one all takes longer, so each test
 * looks until it has seen what it wants; the time limit is the suite's.
 */
#include "vmm/thread_time.h"

#include "lib/clock.h"
#include "lib/test_run.h"
#include "vmm/vmm.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct subject {
	struct thread_time time;
	pthread_t thread;
	sem_t ready;
	int sleep_fd;		/* reads it, if >= 0; else it spins */
	_Atomic bool stop;
};

/* All threads that spin share one CPU. */
static void bind_to_one_cpu(void)
{
	cpu_set_t may, one;
	int cpu = 0;

	ck_assert_int_eq(0, sched_getaffinity(0, sizeof(may), &may));
	while (!CPU_ISSET(cpu, &may))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ck_assert_int_eq(0, sched_setaffinity(0, sizeof(one), &one));
}

static void *subject_main(void *arg)
{
	struct subject *s = arg;
	uint64_t n;

	if (s->sleep_fd < 0)
		bind_to_one_cpu();
	/* a name that must not be taken for the end of the name */
	pthread_setname_np(pthread_self(), ") S (R) Z");
	thread_time_open(&s->time);
	sem_post(&s->ready);
	if (s->sleep_fd >= 0)
		ck_assert_int_eq(sizeof(n), read(s->sleep_fd, &n, sizeof(n)));
	while (!atomic_load(&s->stop) && s->sleep_fd < 0)
		;
	return NULL;
}

static void subject_start(struct subject *s, bool sleeps)
{
	*s = (struct subject){ .sleep_fd = -1 };
	if (sleeps) {
		s->sleep_fd = eventfd(0, EFD_CLOEXEC);
		ck_assert_int_ge(s->sleep_fd, 0);
	}
	sem_init(&s->ready, 0, 0);
	ck_assert_int_eq(0, pthread_create(&s->thread, NULL, subject_main, s));
	while (sem_wait(&s->ready))
		;
}

static void subject_end(struct subject *s)
{
	uint64_t one = 1;

	atomic_store(&s->stop, true);
	if (s->sleep_fd >= 0)
		ck_assert_int_eq(sizeof(one), write(s->sleep_fd, &one,
						    sizeof(one)));
	pthread_join(s->thread, NULL);
	if (s->sleep_fd >= 0)
		close(s->sleep_fd);
	sem_destroy(&s->ready);
}

static struct vm_thread_time now(const struct subject *s)
{
	struct vm_thread_time t;

	ck_assert_int_eq(0, thread_time_read(&s->time, &t));
	ck_assert_uint_gt(t.from_ns, 0);
	ck_assert_uint_ge(t.to_ns, t.from_ns);
	return t;
}

START_TEST(who_shares_a_cpu_waits_for_it)
{
	struct subject a, b;
	struct vm_thread_time first, t;
	uint64_t begin_ns = clock_now_ns();

	subject_start(&a, false);
	subject_start(&b, false);
	first = t = now(&a);
	while (t.wait_ns < first.wait_ns + 50000000 ||
	       t.run_ns < first.run_ns + 10000000) {
		poll(NULL, 0, 5);
		t = now(&a);
	}
	/* all of its life, by another clock: 1 ms */
	ck_assert_uint_le(t.run_ns + t.wait_ns, t.to_ns - begin_ns + 1000000);
	subject_end(&a);
	subject_end(&b);
	thread_time_close(&a.time);
	thread_time_close(&b.time);
}
END_TEST

/*
 * What look_wait.c is built on: runnable, and it has not run since, so it waits;
 * and the kernel's number tells of that wait no sooner than when it is over.
 */
START_TEST(a_wait_that_goes_on_is_seen_but_not_counted_yet)
{
	struct subject a, b;
	struct vm_thread_time t, next;

	subject_start(&a, false);
	subject_start(&b, false);
	t = now(&a);
	for (;;) {
		poll(NULL, 0, 1);
		next = now(&a);
		if (t.runnable && next.run_ns == t.run_ns &&
		    next.wait_ns == t.wait_ns)
			break;
		t = next;
	}
	ck_assert(next.runnable);
	while (next.run_ns == t.run_ns) {
		poll(NULL, 0, 1);
		next = now(&a);
	}
	ck_assert_uint_gt(next.wait_ns, t.wait_ns);
	subject_end(&a);
	subject_end(&b);
	thread_time_close(&a.time);
	thread_time_close(&b.time);
}
END_TEST

START_TEST(who_sleeps_neither_runs_nor_waits)
{
	struct vm_thread_time t, next;
	struct subject a;

	subject_start(&a, true);
	do {
		poll(NULL, 0, 1);
		t = now(&a);
	} while (t.runnable);
	poll(NULL, 0, 30);
	next = now(&a);
	ck_assert(!next.runnable);
	ck_assert_uint_eq(t.run_ns, next.run_ns);
	ck_assert_uint_eq(t.wait_ns, next.wait_ns);
	ck_assert_uint_gt(next.from_ns, t.to_ns);
	subject_end(&a);
	thread_time_close(&a.time);
}
END_TEST

START_TEST(what_runs_is_as_new_as_the_reading)
{
	struct vm_thread_time t, next;
	struct subject a;

	subject_start(&a, false);
	/* far more often than a tick: one that only ticks would be seen to stand */
	t = now(&a);
	for (int in_a_row = 0; in_a_row < 10;) {
		next = now(&a);
		in_a_row = next.run_ns > t.run_ns ? in_a_row + 1 : 0;
		t = next;
	}
	subject_end(&a);
	thread_time_close(&a.time);
}
END_TEST

START_TEST(a_thread_that_ended_or_is_not_known_has_no_numbers)
{
	struct thread_time none = { .schedstat_fd = -1, .stat_fd = -1 };
	struct vm_thread_time t = { .run_ns = 7 };
	struct subject a;

	ck_assert_int_eq(-ENOTSUP, thread_time_read(&none, &t));
	thread_time_close(&none);
	subject_start(&a, true);
	subject_end(&a);
	ck_assert_int_eq(-ESRCH, thread_time_read(&a.time, &t));
	thread_time_close(&a.time);
	thread_time_close(&a.time);
	ck_assert_int_eq(-ENOTSUP, thread_time_read(&a.time, &t));
	ck_assert_uint_eq(7, t.run_ns);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("thread_time");
	TCase *tc = tcase_create("thread_time");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, who_shares_a_cpu_waits_for_it);
	tcase_add_test(tc, a_wait_that_goes_on_is_seen_but_not_counted_yet);
	tcase_add_test(tc, who_sleeps_neither_runs_nor_waits);
	tcase_add_test(tc, what_runs_is_as_new_as_the_reading);
	tcase_add_test(tc, a_thread_that_ended_or_is_not_known_has_no_numbers);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
