// SPDX-License-Identifier: GPL-2.0-only
#include "agent/clock_exchange.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/test_run.h"

#define OFFSET_NS 5000000000ull	/* the host's clock is so far behind */

START_TEST(without_a_host_it_gives_up_and_leaves_nothing_on)
{
	struct ktstr_clock c = { .host_done = 6 };
	uint64_t start_ns = clock_now_ns(), took_ns;

	clock_exchange_open(&c, 7);
	ck_assert_uint_eq(7, c.guest_exchange);
	ck_assert(!clock_exchange_run(&c, 20 * NSEC_PER_MSEC));
	took_ns = clock_now_ns() - start_ns;
	ck_assert_uint_ge(took_ns, 20 * NSEC_PER_MSEC);
	ck_assert_uint_lt(took_ns, 5 * NSEC_PER_SEC);
	ck_assert_uint_eq(0, c.guest_exchange);
	ck_assert_uint_eq(0, c.guest_ns);
	ck_assert_int_eq(INT64_MAX, c.high_ns);
}
END_TEST

/* Shows its clock, until it has seen the guest's a few times. */
static void *host_main(void *arg)
{
	struct ktstr_clock *c = arg;
	uint64_t end_ns = clock_now_ns() + 10 * NSEC_PER_SEC, last_ns = 0;
	uint64_t guest_ns;
	int seen = 0;

	while ((seen < 100 || __atomic_load_n(&c->high_ns, __ATOMIC_ACQUIRE) ==
		INT64_MAX) && clock_now_ns() < end_ns) {
		__atomic_store_n(&c->host_ns, clock_now_ns() - OFFSET_NS,
				 __ATOMIC_RELEASE);
		guest_ns = __atomic_load_n(&c->guest_ns, __ATOMIC_ACQUIRE);
		ck_assert_uint_le(guest_ns, clock_now_ns());
		if (guest_ns)
			ck_assert_uint_ge(guest_ns, last_ns);
		seen += guest_ns != last_ns;
		last_ns = guest_ns;
	}
	__atomic_store_n(&c->host_done, 7, __ATOMIC_RELEASE);
	return NULL;
}

START_TEST(it_shows_its_clock_and_learns_an_upper_bound)
{
	struct ktstr_clock c = { 0 };
	pthread_t host;

	clock_exchange_open(&c, 7);
	ck_assert_int_eq(0, pthread_create(&host, NULL, host_main, &c));
	ck_assert(clock_exchange_run(&c, 15 * NSEC_PER_SEC));
	pthread_join(host, NULL);
	ck_assert_int_ge(c.high_ns, OFFSET_NS);
	/* that close, were it on one CPU and never running beside the other */
	ck_assert_int_lt(c.high_ns, OFFSET_NS + NSEC_PER_SEC);
}
END_TEST

START_TEST(a_new_exchange_forgets_the_last_one)
{
	struct ktstr_clock c = { .guest_ns = 5, .high_ns = -9,
				 .host_done = 7 };

	clock_exchange_open(&c, 8);
	ck_assert_uint_eq(0, c.guest_ns);
	ck_assert_int_eq(INT64_MAX, c.high_ns);
	ck_assert(!clock_exchange_run(&c, NSEC_PER_MSEC));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/clock_exchange");
	TCase *tc = tcase_create("exchange");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, without_a_host_it_gives_up_and_leaves_nothing_on);
	tcase_add_test(tc, it_shows_its_clock_and_learns_an_upper_bound);
	tcase_add_test(tc, a_new_exchange_forgets_the_last_one);
	suite_add_tcase(s, tc);
	return test_run(s);
}
