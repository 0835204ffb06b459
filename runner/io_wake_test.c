// SPDX-License-Identifier: GPL-2.0-only
#include "runner/io_wake.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hist.h"
#include "lib/test_run.h"

#define MS 1000000ull
#define RINGS_OFF 128
#define NR_RINGS 3

/* What the two sides would say. */
static struct {
	struct ktstr_io_ring rings[NR_RINGS];
	/* called when the ring's entries are copied: the worker goes on */
	void (*meanwhile)(void);
	struct vm_disk_io io[2048];
	size_t nr_io, next_io;
} side;

static int side_shm(void *ctx, void *buf, size_t off, size_t len)
{
	ck_assert_uint_ge(off, RINGS_OFF);
	ck_assert_uint_le(off + len, RINGS_OFF + sizeof(side.rings));
	if (len > sizeof(uint64_t) && side.meanwhile)
		side.meanwhile();
	memcpy(buf, (char *)side.rings + off - RINGS_OFF, len);
	return 0;
}

static size_t side_trace(void *ctx, unsigned int disk, struct vm_disk_io *io,
			 size_t max, uint64_t *dropped)
{
	size_t n = 0;

	*dropped = 0;
	while (disk == 1 && n < max && side.next_io < side.nr_io)
		io[n++] = side.io[side.next_io++];
	return n;
}

static const struct io_wake_ops ops = { side_shm, side_trace };
static const char *const disk_names[] = { "other", "data" };
static json_t *workloads;
static struct io_wake *iw;
static struct io_wake_sum *sum;

static struct clock_relation clock_at(int64_t offset_ns, uint64_t error_ns)
{
	const struct clock_point a = { true, 0, offset_ns, error_ns };
	const struct clock_point b = { true, 100000 * MS, offset_ns, error_ns };

	return clock_relation_make(&a, &b);
}

static void setup(void)
{
	memset(&side, 0, sizeof(side));
	workloads = json_pack("[{s:i}, {s:i, s:s}]", "workers", 1, "workers",
			      2, "disk", "data");
	ck_assert_int_eq(0, io_wake_new(workloads, disk_names, 2, RINGS_OFF,
					&ops, NULL, &iw));
	ck_assert_ptr_nonnull(iw);
	sum = calloc(1, sizeof(*sum));
}

static void teardown(void)
{
	io_wake_free(iw);
	json_decref(workloads);
	free(sum);
}

static void returned(unsigned int ring, uint64_t sector, uint64_t submit_ms,
		     uint64_t return_ms)
{
	struct ktstr_io_ring *r = &side.rings[ring];

	r->events[r->head++ % KTSTR_IO_RING_LEN] = (struct ktstr_io_event){
		.sector = sector,
		.submit_ns = submit_ms * MS,
		.return_ns = return_ms * MS,
		.bytes = 4096,
	};
}

static void completed(uint64_t sector, uint64_t host_ms)
{
	side.io[side.nr_io++] = (struct vm_disk_io){
		.sector = sector,
		.complete_ns = host_ms * MS,
		.bytes = 4096,
	};
}

static void add(uint32_t phase, uint64_t start_ms, uint64_t end_ms,
		const struct clock_relation *clock)
{
	ck_assert_int_eq(0, io_wake_add(iw, 1, phase, start_ms * MS,
					end_ms * MS, clock, sum));
}

START_TEST(wake_is_from_completion_to_return_on_the_guests_clock)
{
	struct clock_relation clock = clock_at(-5000 * (int64_t)MS, 0);

	/* the guest's clock is 5 s behind */
	returned(1, 8, 1000, 1050);
	returned(2, 16, 1000, 1070);
	completed(8, 6047);
	completed(16, 6060);
	io_wake_drain(iw, 0);
	add(0, 900, 2000, &clock);
	ck_assert_uint_eq(2, hist_total(&sum->hist));
	ck_assert_uint_eq(10 * MS, sum->hist.max_ns);
	ck_assert_uint_eq(13 * MS, sum->hist.sum_ns);
	ck_assert_uint_eq(0, sum->unpaired + sum->ambiguous + sum->lost);
}
END_TEST

START_TEST(an_io_counts_where_it_returns)
{
	struct clock_relation clock = clock_at(0, 0);

	returned(1, 8, 800, 899);	/* before */
	returned(1, 16, 890, 950);	/* begun before */
	returned(1, 24, 1990, 2001);	/* after */
	completed(8, 898);
	completed(16, 940);
	completed(24, 1995);
	io_wake_drain(iw, 0);
	add(0, 900, 2000, &clock);
	ck_assert_uint_eq(1, hist_total(&sum->hist));
	ck_assert_uint_eq(10 * MS, sum->hist.max_ns);
	ck_assert_uint_eq(0, sum->unpaired);
}
END_TEST

START_TEST(two_drains_fetch_each_entry_once)
{
	struct clock_relation clock = clock_at(0, 0);

	returned(1, 8, 1000, 1050);
	completed(8, 1045);
	io_wake_drain(iw, 0);
	io_wake_drain(iw, 0);
	returned(1, 8, 1060, 1090);
	completed(8, 1085);
	io_wake_drain(iw, 0);
	add(0, 900, 2000, &clock);
	ck_assert_uint_eq(2, hist_total(&sum->hist));
}
END_TEST

START_TEST(what_was_overwritten_is_lost_not_guessed)
{
	struct clock_relation clock = clock_at(0, 0);
	unsigned int i, n = KTSTR_IO_RING_LEN + 10;

	for (i = 0; i < n; i++) {
		returned(1, i * 8, 1000 + i, 1001 + i);
		completed(i * 8, 1001 + i);
	}
	io_wake_drain(iw, 3);
	add(3, 900, 9000, &clock);
	/* one more: the slot that the worker may be writing now */
	ck_assert_uint_eq(11, sum->lost);
	ck_assert_uint_eq(n - 11, hist_total(&sum->hist));
}
END_TEST

static void worker_runs_on(void)
{
	unsigned int i;

	side.meanwhile = NULL;
	for (i = 0; i < 20; i++)
		returned(1, 80000, 7000, 7001);
}

START_TEST(an_entry_overwritten_while_it_is_read_is_lost)
{
	struct clock_relation clock = clock_at(0, 0);
	unsigned int i;

	for (i = 0; i < KTSTR_IO_RING_LEN; i++) {
		returned(1, i * 8, 1000 + i, 1001 + i);
		completed(i * 8, 1001 + i);
	}
	side.meanwhile = worker_runs_on;
	io_wake_drain(iw, 0);
	add(0, 900, 2000, &clock);
	ck_assert_uint_eq(21, sum->lost);
	ck_assert_uint_eq(KTSTR_IO_RING_LEN - 21, hist_total(&sum->hist));
	ck_assert_uint_eq(0, sum->unpaired);
}
END_TEST

START_TEST(a_head_that_goes_back_is_not_followed)
{
	struct clock_relation clock = clock_at(0, 0);

	returned(1, 8, 1000, 1050);
	completed(8, 1045);
	io_wake_drain(iw, 0);
	side.rings[1].head = 0;
	io_wake_drain(iw, 0);
	add(0, 900, 2000, &clock);
	ck_assert_uint_eq(1, hist_total(&sum->hist));
	ck_assert_uint_eq(0, sum->lost);
}
END_TEST

static json_t *group(const struct clock_relation *clock)
{
	json_t *json, *wake;

	add(0, 900, 9000, clock);
	json = io_wake_sum_json(sum);
	wake = json_incref(json_object_get(json, "io_wake_ns"));
	json_decref(json);
	return wake;
}

START_TEST(without_a_clock_it_is_null)
{
	struct clock_relation none = { 0 };
	json_t *wake;

	returned(1, 8, 1000, 1050);
	completed(8, 1045);
	io_wake_drain(iw, 0);
	wake = group(&none);
	ck_assert(json_is_null(wake));
	json_decref(wake);
}
END_TEST

START_TEST(a_head_that_leaps_spoils_its_own_result_only)
{
	struct clock_relation clock = clock_at(0, 0);
	json_t *wake;

	returned(1, 8, 1000, 1050);
	completed(8, 1045);
	io_wake_drain(iw, 0);
	side.rings[1].head = UINT64_MAX;
	io_wake_drain(iw, 0);
	wake = group(&clock);
	ck_assert(json_is_null(wake));
	json_decref(wake);
}
END_TEST

START_TEST(with_more_than_a_tenth_missing_it_is_null)
{
	struct clock_relation clock = clock_at(0, 0);
	unsigned int i;
	json_t *wake;

	for (i = 0; i < 100; i++) {
		returned(1, i * 8, 1000 + i, 1001 + i);
		if (i >= 10 + (unsigned int)_i)
			completed(i * 8, 1001 + i);
	}
	io_wake_drain(iw, 0);
	wake = group(&clock);
	ck_assert(_i ? json_is_null(wake) : json_is_object(wake));
	json_decref(wake);
}
END_TEST

START_TEST(a_workload_without_a_disk_has_none)
{
	struct clock_relation clock = clock_at(0, 0);
	struct io_wake *other;
	json_t *list = json_pack("[{s:i}]", "workers", 4);

	ck_assert_int_eq(-ENOENT, io_wake_add(iw, 0, 0, 0, MS, &clock, sum));
	ck_assert_int_eq(-ENOENT, io_wake_add(NULL, 1, 0, 0, MS, &clock, sum));
	ck_assert_int_eq(0, io_wake_new(list, disk_names, 2, RINGS_OFF, &ops,
					NULL, &other));
	ck_assert_ptr_null(other);
	json_decref(list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io_wake");
	TCase *tc = tcase_create("io_wake");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc,
		       wake_is_from_completion_to_return_on_the_guests_clock);
	tcase_add_test(tc, an_io_counts_where_it_returns);
	tcase_add_test(tc, two_drains_fetch_each_entry_once);
	tcase_add_test(tc, what_was_overwritten_is_lost_not_guessed);
	tcase_add_test(tc, an_entry_overwritten_while_it_is_read_is_lost);
	tcase_add_test(tc, a_head_that_goes_back_is_not_followed);
	tcase_add_test(tc, without_a_clock_it_is_null);
	tcase_add_test(tc, a_head_that_leaps_spoils_its_own_result_only);
	tcase_add_loop_test(tc, with_more_than_a_tenth_missing_it_is_null, 0,
			    2);
	tcase_add_test(tc, a_workload_without_a_disk_has_none);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
