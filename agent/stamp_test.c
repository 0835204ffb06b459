// SPDX-License-Identifier: GPL-2.0-only
#include "agent/stamp.h"

#include <check.h>
#include <stdlib.h>

#include "agent/rng.h"
#include "agent/test_shm.h"
#include "lib/hist.h"
#include "lib/test_run.h"

#define MS NSEC_PER_MSEC

static struct shm shm;
static struct stamp stamp;
static cpu_set_t allowed;

static void setup(void)
{
	shm = test_shm_new(2, 3);
	CPU_ZERO(&allowed);
	CPU_SET(1, &allowed);
	CPU_SET(2, &allowed);
	stamp_init(&stamp, shm.hdr, 1, &allowed);
}

static void teardown(void)
{
	test_shm_free(&shm);
}

static struct ktstr_cell *cell(unsigned int phase)
{
	return shm_cell(&shm, 1, phase);
}

START_TEST(gap_is_cut_to_phase_and_frees_frozen_time)
{
	static const struct {
		uint64_t last, now, phase_start, frozen, gap;
	} t[] = {
		{ 100, 150, 0, 0, 50 },
		{ 100, 150, 120, 0, 30 },	/* began before the phase */
		{ 0, 150, 120, 0, 30 },		/* the first one of all */
		{ 100, 150, 0, 20, 30 },
		{ 100, 150, 0, 60, 0 },		/* frozen longer than the gap */
		{ 200, 150, 0, 0, 0 },		/* woken before its time */
		{ 100, 150, 180, 0, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		ck_assert_uint_eq(t[i].gap,
				  stamp_gap_ns(t[i].last, t[i].now,
					       t[i].phase_start, t[i].frozen));
}
END_TEST

START_TEST(nothing_counts_between_phases)
{
	struct ktstr_cell none = { 0 };
	unsigned int phase;

	ck_assert_ptr_null(stamp_at(&stamp, 1 * MS, 0));
	ck_assert_ptr_null(stamp_wake_at(&stamp, 1 * MS, 0, 2 * MS, 1));
	ck_assert_ptr_null(stamp_io_at(&stamp, 1 * MS, 0, 512, 3 * MS, 2));
	stamp_io_error(&stamp);
	stamp_iteration(NULL);
	for (phase = 0; phase < 3; phase++)
		ck_assert_mem_eq(&none, cell(phase), sizeof(none));
	ck_assert_uint_eq(3 * MS, shm_worker(&shm, 1)->last_progress_ns);
	ck_assert_uint_eq(2, shm_worker(&shm, 1)->last_cpu);
}
END_TEST

START_TEST(phase_out_of_range_counts_nowhere)
{
	shm.hdr->phase = 3;
	ck_assert_ptr_null(stamp_at(&stamp, 1 * MS, 0));
}
END_TEST

START_TEST(counts_go_to_the_cell_of_the_phase_they_end_in)
{
	test_shm_phase(&shm, 0, 10 * MS);
	ck_assert_ptr_eq(cell(0), stamp_at(&stamp, 12 * MS, 1));
	ck_assert_uint_eq(2 * MS, cell(0)->gap_max_ns);
	ck_assert_uint_eq(12 * MS, cell(0)->gap_max_at_ns);
	stamp_at(&stamp, 13 * MS, 1);
	ck_assert_uint_eq(2 * MS, cell(0)->gap_max_ns); /* 1 ms is less */

	test_shm_no_phase(&shm);
	test_shm_phase(&shm, 2, 40 * MS);
	/* on CPU 2 since some time between; the gap from 13 is cut to 40 */
	ck_assert_ptr_eq(cell(2), stamp_at(&stamp, 45 * MS, 2));
	ck_assert_uint_eq(5 * MS, cell(2)->gap_max_ns);
	ck_assert_uint_eq(1, cell(2)->migrations);
	ck_assert_uint_eq(0, cell(0)->migrations);
	ck_assert_uint_eq(1 << 1, cell(0)->cpus_used[0]);
	ck_assert_uint_eq(1 << 2, cell(2)->cpus_used[0]);
	ck_assert_uint_eq(0, shm_cell(&shm, 0, 2)->gap_max_ns);
}
END_TEST

START_TEST(migrations_and_cpus_are_counted_once_per_change)
{
	static const unsigned int cpus[] = { 1, 1, 2, 2, 1, 70, 70, 255, 300 };
	size_t i;

	test_shm_phase(&shm, 0, 0);
	for (i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++)
		stamp_at(&stamp, i, cpus[i]);
	ck_assert_uint_eq(5, cell(0)->migrations);
	ck_assert_uint_eq(3, cell(0)->cpuset_violations); /* 70, 255, 300 */
	ck_assert_uint_eq(1 << 1 | 1 << 2, cell(0)->cpus_used[0]);
	ck_assert_uint_eq(1 << 6, cell(0)->cpus_used[1]);
	ck_assert_uint_eq(0, cell(0)->cpus_used[2]);
	ck_assert_uint_eq(1ull << 63, cell(0)->cpus_used[3]);
}
END_TEST

START_TEST(staying_on_a_forbidden_cpu_shows_in_the_next_phase_too)
{
	test_shm_phase(&shm, 0, 0);
	stamp_at(&stamp, 1, 5);
	test_shm_phase(&shm, 1, 2);
	stamp_at(&stamp, 3, 5);
	stamp_at(&stamp, 4, 5);
	ck_assert_uint_eq(1, cell(0)->cpuset_violations);
	ck_assert_uint_eq(1, cell(1)->cpuset_violations);
	ck_assert_uint_eq(0, cell(1)->migrations);
	ck_assert_uint_eq(1 << 5, cell(1)->cpus_used[0]);
}
END_TEST

START_TEST(sleep_on_purpose_is_no_gap_but_oversleep_is)
{
	test_shm_phase(&shm, 0, 0);
	stamp_at(&stamp, 1 * MS, 1);
	stamp_sleep_until(&stamp, 101 * MS);
	ck_assert_uint_eq(101 * MS, shm_worker(&shm, 1)->last_progress_ns);
	stamp_wake_at(&stamp, 101 * MS, 0, 104 * MS, 1);
	ck_assert_uint_eq(3 * MS, cell(0)->gap_max_ns);
	ck_assert_uint_eq(1, cell(0)->wake.count);
	ck_assert_uint_eq(3 * MS, cell(0)->wake.max_ns);
	ck_assert_uint_eq(104 * MS, shm_worker(&shm, 1)->last_progress_ns);

	/* one that was due already forgives nothing */
	stamp_sleep_until(&stamp, 90 * MS);
	stamp_at(&stamp, 108 * MS, 1);
	ck_assert_uint_eq(4 * MS, cell(0)->gap_max_ns);
}
END_TEST

START_TEST(early_wake_is_progress_without_a_sample)
{
	test_shm_phase(&shm, 0, 0);
	stamp_sleep_until(&stamp, 100 * MS);
	ck_assert_ptr_eq(cell(0), stamp_wake_at(&stamp, 100 * MS, 0, 40 * MS,
						1));
	ck_assert_uint_eq(0, cell(0)->wake.count);
	ck_assert_uint_eq(0, cell(0)->gap_max_ns);
	ck_assert_uint_eq(40 * MS, shm_worker(&shm, 1)->last_progress_ns);
}
END_TEST

START_TEST(frozen_time_is_nobodys_delay)
{
	test_shm_phase(&shm, 0, 0);
	stamp_at(&stamp, 1 * MS, 1);
	shm.hdr->freeze_gen = 1;
	shm.hdr->frozen_ns = 50 * MS;
	stamp_wake_at(&stamp, 2 * MS, 0, 54 * MS, 1);
	ck_assert_uint_eq(3 * MS, cell(0)->gap_max_ns); /* 53 - 50 */
	ck_assert_uint_eq(0, cell(0)->wake.count);
	stamp_io_at(&stamp, 2 * MS, 0, 4096, 55 * MS, 1);
	ck_assert_uint_eq(1, cell(0)->ops);
	ck_assert_uint_eq(0, cell(0)->io.count);
	/* and the same freeze is not taken off twice */
	stamp_wake_at(&stamp, 56 * MS, 1, 60 * MS, 1);
	ck_assert_uint_eq(5 * MS, cell(0)->gap_max_ns);
	ck_assert_uint_eq(1, cell(0)->wake.count);
}
END_TEST

START_TEST(io_counts_operation_bytes_and_latency)
{
	test_shm_phase(&shm, 0, 0);
	stamp_at(&stamp, 1 * MS, 1);
	ck_assert_ptr_eq(cell(0), stamp_io_at(&stamp, 2 * MS, 0, 4096, 22 * MS,
					      1));
	stamp_io_error(&stamp);
	ck_assert_uint_eq(1, cell(0)->ops);
	ck_assert_uint_eq(4096, cell(0)->bytes);
	ck_assert_uint_eq(1, cell(0)->errors);
	ck_assert_uint_eq(1, cell(0)->io.count);
	ck_assert_uint_eq(20 * MS, cell(0)->io.max_ns);
	ck_assert_uint_eq(0, cell(0)->wake.count);
	/* the disk's part of the wait is gap, and an error is no progress */
	ck_assert_uint_eq(21 * MS, cell(0)->gap_max_ns);
	ck_assert_uint_eq(22 * MS, shm_worker(&shm, 1)->last_progress_ns);
}
END_TEST

static const struct ktstr_io_ring *ring(void)
{
	return (const void *)((const char *)shm.hdr + shm.hdr->rings_off +
			      sizeof(struct ktstr_io_ring));
}

START_TEST(the_host_is_told_of_each_io_of_a_phase)
{
	struct ktstr_io_event e = { .submit_ns = 2 * MS, .return_ns = 9 * MS,
				    .bytes = 4096, .write = 1 };
	unsigned int i;

	stamp_at(&stamp, 1 * MS, 1);
	stamp_io_event(&stamp, &e, 0);	/* no phase yet */
	ck_assert_uint_eq(0, ring()->head);

	test_shm_phase(&shm, 0, 0);
	stamp_at(&stamp, 2 * MS, 1);
	for (i = 0; i <= KTSTR_IO_RING_LEN; i++) {
		e.sector = 100 + i;
		stamp_io_event(&stamp, &e, 0);
	}
	ck_assert_uint_eq(KTSTR_IO_RING_LEN + 1, ring()->head);
	/* the newest took the oldest one's place */
	ck_assert_uint_eq(100 + KTSTR_IO_RING_LEN, ring()->events[0].sector);
	ck_assert_uint_eq(101, ring()->events[1].sector);
	ck_assert_uint_eq(2 * MS, ring()->events[1].submit_ns);
	ck_assert_uint_eq(9 * MS, ring()->events[1].return_ns);
	ck_assert_uint_eq(4096, ring()->events[1].bytes);
	ck_assert_uint_eq(1, ring()->events[1].write);

	shm.hdr->freeze_gen = 1;	/* frozen since it was submitted */
	stamp_io_event(&stamp, &e, 0);
	ck_assert_uint_eq(KTSTR_IO_RING_LEN + 1, ring()->head);
	/* the other worker's ring is its own */
	ck_assert_uint_eq(0, (ring() - 1)->head);
}
END_TEST

START_TEST(random_streams_repeat_and_differ)
{
	struct rng a, b, c, d;
	uint64_t seen[4] = { 0 }, x;
	int i;

	rng_init(&a, 1, 0);
	rng_init(&b, 1, 0);
	rng_init(&c, 1, 1);
	rng_init(&d, 0, 1);
	for (i = 0; i < 4000; i++) {
		x = rng_next(&a);
		ck_assert_uint_eq(x, rng_next(&b));
		ck_assert_uint_ne(x, rng_next(&c));
		ck_assert_uint_ne(x, rng_next(&d));
		x = rng_below(&a, 4);
		ck_assert_uint_eq(x, rng_below(&b, 4));
		ck_assert_uint_lt(x, 4);
		seen[x]++;
	}
	for (i = 0; i < 4; i++)
		ck_assert_uint_gt(seen[i], 800); /* of 1000; fixed seed */
	ck_assert_uint_eq(0, rng_below(&a, 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/stamp");
	TCase *tc = tcase_create("stamp");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, gap_is_cut_to_phase_and_frees_frozen_time);
	tcase_add_test(tc, nothing_counts_between_phases);
	tcase_add_test(tc, phase_out_of_range_counts_nowhere);
	tcase_add_test(tc, counts_go_to_the_cell_of_the_phase_they_end_in);
	tcase_add_test(tc, migrations_and_cpus_are_counted_once_per_change);
	tcase_add_test(tc,
		       staying_on_a_forbidden_cpu_shows_in_the_next_phase_too);
	tcase_add_test(tc, sleep_on_purpose_is_no_gap_but_oversleep_is);
	tcase_add_test(tc, early_wake_is_progress_without_a_sample);
	tcase_add_test(tc, frozen_time_is_nobodys_delay);
	tcase_add_test(tc, io_counts_operation_bytes_and_latency);
	tcase_add_test(tc, the_host_is_told_of_each_io_of_a_phase);
	tcase_add_test(tc, random_streams_repeat_and_differ);
	suite_add_tcase(s, tc);
	return test_run(s);
}
