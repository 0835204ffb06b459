// SPDX-License-Identifier: GPL-2.0-only
#include "agent/load.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "agent/plan.h"
#include "agent/test_shm.h"
#include "lib/test_run.h"

#define MS NSEC_PER_MSEC

static struct shm shm;
static uint32_t go = WORKER_GO_RUN;
static struct load load;
static struct plan_workload workload;
static char why[128];

static void setup(void)
{
	shm = test_shm_new(1, 1);
	test_shm_phase(&shm, 0, clock_now_ns());
	load = (struct load){ .go = &go };
	stamp_init(&load.stamp, shm.hdr, 0, NULL);
	workload.params = json_object();
}

static void teardown(void)
{
	json_decref(workload.params);
	test_shm_free(&shm);
}

static struct ktstr_cell *cell(void)
{
	return shm_cell(&shm, 0, 0);
}

START_TEST(defaults_fill_what_the_plan_leaves_out)
{
	const struct load_kind *kind = load_kind_find("bursty");
	uint64_t param[LOAD_MAX_PARAMS] = { 0 };

	ck_assert_ptr_nonnull(kind);
	ck_assert_int_eq(0, load_params(kind, &workload, param, why,
					sizeof(why)));
	ck_assert_uint_eq(50 * MS, param[0]);
	ck_assert_uint_eq(100 * MS, param[1]);
	json_object_set_new(workload.params, "sleep_ns", json_integer(8000));
	ck_assert_int_eq(0, load_params(kind, &workload, param, why,
					sizeof(why)));
	ck_assert_uint_eq(50 * MS, param[0]);
	ck_assert_uint_eq(8000, param[1]);
	ck_assert_ptr_null(load_kind_find("burst"));
}
END_TEST

/* A kind that the runner would take, and no worker could do. */
START_TEST(every_kind_of_the_table_is_there)
{
	const struct load_kind *kind;
	unsigned int i;

	for (i = 0; i < LOAD_NR; i++) {
		kind = load_kind_find(load_specs[i].name);
		ck_assert_msg(kind, "%s", load_specs[i].name);
		ck_assert_ptr_eq(&load_specs[i], kind->spec);
		ck_assert_ptr_nonnull(kind->run);
	}
}
END_TEST

START_TEST(spin_stamps_within_its_chunk)
{
	ck_assert_ptr_eq(cell(), load_spin(&load, 1));
	ck_assert_uint_ne(0, load.stamp.last_ns);
	ck_assert_ptr_eq(cell(), load_spin(&load, LOAD_SPINS));
	ck_assert_uint_eq(0, cell()->iterations); /* the kind counts them */
}
END_TEST

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

START_TEST(burst_takes_its_cpu_time_whatever_the_clock_says)
{
	uint64_t before = cpu_ns();

	ck_assert_ptr_eq(cell(), load_spin_cpu_time(&load, 3 * MS));
	ck_assert_uint_ge(cpu_ns() - before, 3 * MS);
	/* and one of nothing ends at once */
	ck_assert_ptr_eq(cell(), load_spin_cpu_time(&load, 0));
}
END_TEST

START_TEST(burst_ends_when_stopping)
{
	go = WORKER_GO_STOP;
	load_spin_cpu_time(&load, 3600 * NSEC_PER_SEC);
	go = WORKER_GO_RUN;
	ck_assert_uint_eq(0, cell()->wake.count);
}
END_TEST

START_TEST(sleep_counts_from_its_expiry)
{
	uint64_t due = clock_now_ns() + 2 * MS;

	ck_assert_ptr_eq(cell(), load_sleep_until(&load, due));
	ck_assert_uint_ge(load.stamp.last_ns, due);
	ck_assert_uint_eq(1, cell()->wake.count);
	ck_assert_uint_eq(load.stamp.last_ns - due, cell()->wake.max_ns);
	ck_assert_uint_eq(cell()->wake.max_ns, cell()->gap_max_ns);
	/* due already: all of the delay shows */
	due = load.stamp.last_ns - 1 * MS;
	load_sleep_until(&load, due);
	ck_assert_uint_eq(2, cell()->wake.count);
	ck_assert_uint_ge(cell()->wake.max_ns, 1 * MS);
}
END_TEST

START_TEST(every_release_is_done_or_missed_once)
{
	static const struct {
		uint64_t done, next, missed;
	} t[] = {	/* released at 100, period 10 */
		{ 101, 110, 0 },
		{ 110, 110, 0 },
		{ 111, 120, 2 },	/* too late for its own and the next */
		{ 120, 120, 2 },
		{ 129, 130, 3 },
		{ 90, 110, 0 },		/* woken before its time */
	};
	uint64_t missed;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		ck_assert_uint_eq(t[i].next, load_periodic_next(100, t[i].done,
								10, &missed));
		ck_assert_uint_eq(t[i].missed, missed);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/load");
	TCase *tc = tcase_create("load");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, defaults_fill_what_the_plan_leaves_out);
	tcase_add_test(tc, every_kind_of_the_table_is_there);
	tcase_add_test(tc, spin_stamps_within_its_chunk);
	tcase_add_test(tc, burst_takes_its_cpu_time_whatever_the_clock_says);
	tcase_add_test(tc, burst_ends_when_stopping);
	tcase_add_test(tc, sleep_counts_from_its_expiry);
	tcase_add_test(tc, every_release_is_done_or_missed_once);
	suite_add_tcase(s, tc);
	return test_run(s);
}
