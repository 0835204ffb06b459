// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_faults.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/test_run.h"
#include "vmm/blk_req.h"
#include "vmm/blk_test_disk.h"

#define MS NSEC_PER_MSEC
#define KIB 1024ULL

static struct blk_faults f;
static struct test_disk d;
static struct vq_chain chain;

static void setup(void)
{
	const struct vm_disk_config cfg = { .name = "data",
					    .size_bytes = TEST_DISK_BYTES };

	memset(&f, 0, sizeof(f));
	test_disk_init(&d, &cfg, 64);
	test_disk_activate(&d, TEST_FEATURES);
}

static void teardown(void)
{
	test_disk_fini(&d);
}

/* A request as the drain hands it over. */
static struct blk_req parsed(uint32_t type, uint64_t sector, uint32_t len)
{
	struct blk_req req;

	test_slot_submit(&d.slots[0], &d.r, type, sector, len);
	ck_assert_int_eq(1, vq_peek(&d.s.queue[0].vq, &chain));
	ck_assert(blk_req_parse(&req, &chain, &d.s.disk));
	ck_assert_int_eq(VIRTIO_BLK_S_OK, req.status);
	vq_consume(&d.s.queue[0].vq);
	vq_push(&d.s.queue[0].vq, chain.head, 0);
	test_disk_expect(&d, &d.slots[0], TEST_STATUS_NONE, 0);
	return req;
}

static void set(const struct vm_disk_faults *v, uint64_t now_ns)
{
	blk_faults_set(&f, now_ns, v);
}

START_TEST(nothing_is_on_by_default_l8)
{
	struct blk_req req = parsed(VIRTIO_BLK_T_IN, 0, 4096);
	unsigned int n;

	set(&(struct vm_disk_faults){ 0 }, 5);
	ck_assert(!f.on);
	for (n = 0; n < 1000; n++) {
		ck_assert_int_eq(BLK_FAULT_NONE, blk_faults_admit(&f, n, &req));
		ck_assert_uint_eq(n, blk_faults_hold(&f, n));
	}
	ck_assert_uint_eq(UINT64_MAX, blk_faults_hold(&f, UINT64_MAX));
}
END_TEST

static const struct {
	uint64_t ppb;
	unsigned int low, high;
} rates[] = {
	{ 0, 0, 0 },
	{ 10000000, 850, 1150 }, /* 1 % of 100000; 5 sigma are 157 */
	{ 500000000, 49200, 50800 },
	{ 999999999, 99990, 100000 },
	{ BLK_PPB, 100000, 100000 },
};

START_TEST(errors_come_at_their_rate_l8)
{
	struct blk_req req = parsed(VIRTIO_BLK_T_IN, 0, 4096);
	unsigned int n, failed = 0;

	f.seed = 99;
	set(&(struct vm_disk_faults){ .error_ppb = rates[_i].ppb }, 0);
	for (n = 0; n < 100000; n++) {
		enum blk_fault got = blk_faults_admit(&f, 0, &req);

		ck_assert(got == BLK_FAULT_NONE || got == BLK_FAULT_RATE);
		failed += got == BLK_FAULT_RATE;
	}
	ck_assert_uint_ge(failed, rates[_i].low);
	ck_assert_uint_le(failed, rates[_i].high);
}
END_TEST

/* Also after they were set again: a phase begins with the same as another. */
START_TEST(the_same_seed_fails_the_same_requests_l8)
{
	const struct vm_disk_faults half = { .error_ppb = BLK_PPB / 2 };
	struct blk_req req = parsed(VIRTIO_BLK_T_OUT, 0, 512);
	enum blk_fault first[64];
	unsigned int n, same = 0;

	f.seed = 7;
	set(&half, 0);
	for (n = 0; n < 64; n++)
		first[n] = blk_faults_admit(&f, n, &req);
	set(&half, 1000);
	for (n = 0; n < 64; n++)
		ck_assert_int_eq(first[n], blk_faults_admit(&f, 5, &req));
	f.seed = 8;
	set(&half, 0);
	for (n = 0; n < 64; n++)
		same += first[n] == blk_faults_admit(&f, n, &req);
	ck_assert_uint_lt(same, 60);
}
END_TEST

/* Bad are the sectors 16 to 31. */
static const struct {
	uint32_t type;
	uint64_t sector;
	uint32_t len;
	enum blk_fault want;
} touching[] = {
	{ VIRTIO_BLK_T_IN, 0, 16 * 512, BLK_FAULT_NONE },
	{ VIRTIO_BLK_T_IN, 0, 17 * 512, BLK_FAULT_RANGE },
	{ VIRTIO_BLK_T_IN, 15, 512, BLK_FAULT_NONE },
	{ VIRTIO_BLK_T_IN, 16, 512, BLK_FAULT_RANGE },
	{ VIRTIO_BLK_T_OUT, 31, 512, BLK_FAULT_RANGE },
	{ VIRTIO_BLK_T_OUT, 32, 512, BLK_FAULT_NONE },
	{ VIRTIO_BLK_T_OUT, 0, 64 * 512, BLK_FAULT_RANGE },
	{ VIRTIO_BLK_T_IN, 20, 0, BLK_FAULT_NONE },
	{ VIRTIO_BLK_T_FLUSH, 20, 0, BLK_FAULT_NONE },
};

START_TEST(what_touches_a_bad_sector_fails_l8)
{
	struct blk_req req = parsed(touching[_i].type, touching[_i].sector,
				    touching[_i].len);

	set(&(struct vm_disk_faults){ .error_from = 8 * KIB,
				      .error_bytes = 8 * KIB }, 0);
	ck_assert(f.on);
	ck_assert_int_eq(touching[_i].want, blk_faults_admit(&f, 0, &req));
}
END_TEST

START_TEST(any_range_of_a_discard_may_touch_it_l8)
{
	static const struct {
		uint64_t sector;
		uint32_t sectors;
		enum blk_fault want;
	} second[] = {
		{ 8, 8, BLK_FAULT_NONE },
		{ 8, 9, BLK_FAULT_RANGE },
		{ 24, 0, BLK_FAULT_NONE },
		{ 31, 100, BLK_FAULT_RANGE },
	};
	struct virtio_blk_discard_write_zeroes *r = (void *)d.slots[0].data;
	struct blk_req req;
	unsigned int i;

	set(&(struct vm_disk_faults){ .error_from = 8 * KIB,
				      .error_bytes = 8 * KIB }, 0);
	for (i = 0; i < 4; i++) {
		r[0] = (struct virtio_blk_discard_write_zeroes){ 100, 8, 0 };
		r[1] = (struct virtio_blk_discard_write_zeroes){
			second[i].sector, second[i].sectors, 0
		};
		req = parsed(VIRTIO_BLK_T_DISCARD, 0, 2 * sizeof(*r));
		ck_assert_int_eq(second[i].want,
				 blk_faults_admit(&f, 0, &req));
	}
}
END_TEST

START_TEST(a_range_wins_over_a_rate_l8)
{
	struct blk_req req = parsed(VIRTIO_BLK_T_IN, 0, 512);

	set(&(struct vm_disk_faults){ .error_ppb = BLK_PPB,
				      .error_bytes = 512 }, 0);
	ck_assert_int_eq(BLK_FAULT_RANGE, blk_faults_admit(&f, 0, &req));
}
END_TEST

START_TEST(a_stall_at_a_time_holds_once_l8)
{
	set(&(struct vm_disk_faults){ .stall_ns = 50 * MS,
				      .stall_at_ns = 100 * MS }, 1000 * MS);
	ck_assert_uint_eq(1099 * MS, blk_faults_hold(&f, 1099 * MS));
	ck_assert_uint_eq(1150 * MS, blk_faults_hold(&f, 1100 * MS));
	ck_assert_uint_eq(1150 * MS, blk_faults_hold(&f, 1150 * MS - 1));
	ck_assert_uint_eq(1150 * MS, blk_faults_hold(&f, 1150 * MS));
	ck_assert_uint_eq(9000 * MS, blk_faults_hold(&f, 9000 * MS));
	ck_assert(blk_faults_stall_seen(&f));
	ck_assert(!blk_faults_stall_seen(&f));
}
END_TEST

START_TEST(every_third_request_stalls_it_l8)
{
	struct blk_req req = parsed(VIRTIO_BLK_T_IN, 0, 512);
	uint64_t now = 1000 * MS;
	unsigned int n;

	set(&(struct vm_disk_faults){ .stall_ns = 10 * MS, .stall_every = 3 },
	    now);
	for (n = 1; n <= 12; n++) {
		now += 20 * MS;
		ck_assert_int_eq(BLK_FAULT_NONE,
				 blk_faults_admit(&f, now, &req));
		ck_assert_uint_eq(n % 3 ? now : now + 10 * MS,
				  blk_faults_hold(&f, now));
		ck_assert_uint_eq(n % 3 == 0, f.end_ns > now &&
						      blk_faults_stall_seen(&f));
	}
}
END_TEST

/* Or a guest that goes on asking would never get an answer again. */
START_TEST(a_stall_is_not_made_longer_l8)
{
	struct blk_req req = parsed(VIRTIO_BLK_T_IN, 0, 512);
	unsigned int n;

	set(&(struct vm_disk_faults){ .stall_ns = 10 * MS, .stall_every = 1 },
	    0);
	for (n = 0; n < 10; n++) {
		blk_faults_admit(&f, n * MS, &req);
		ck_assert_uint_eq(10 * MS, blk_faults_hold(&f, n * MS));
	}
	blk_faults_admit(&f, 10 * MS, &req);
	ck_assert_uint_eq(20 * MS, blk_faults_hold(&f, 10 * MS));
}
END_TEST

START_TEST(frozen_time_is_no_part_of_a_stall_s69_l8)
{
	set(&(struct vm_disk_faults){ .stall_ns = 50 * MS,
				      .stall_at_ns = 100 * MS }, 0);
	blk_faults_shift(&f, 1000 * MS);
	ck_assert_uint_eq(1099 * MS, blk_faults_hold(&f, 1099 * MS));
	ck_assert_uint_eq(1150 * MS, blk_faults_hold(&f, 1120 * MS));
	set(&(struct vm_disk_faults){ 0 }, 0);
	blk_faults_shift(&f, 1000 * MS);
	ck_assert_uint_eq(1000 * MS, blk_faults_hold(&f, 1000 * MS));
}
END_TEST

START_TEST(no_overflow_for_any_u64_l8)
{
	struct blk_req req = parsed(VIRTIO_BLK_T_IN, 0, 512);

	set(&(struct vm_disk_faults){ .stall_ns = UINT64_MAX,
				      .stall_at_ns = UINT64_MAX,
				      .error_from = UINT64_MAX - 511,
				      .error_bytes = 512 }, 5);
	blk_faults_shift(&f, UINT64_MAX);
	ck_assert_uint_eq(7, blk_faults_hold(&f, 7));
	ck_assert_int_eq(BLK_FAULT_NONE, blk_faults_admit(&f, 5, &req));
}
END_TEST

START_TEST(a_torn_write_keeps_its_first_sectors_l8)
{
	unsigned int seen[8] = { 0 }, i;
	uint64_t n;

	for (n = 0; n < 8000; n++) {
		uint64_t left = blk_torn_sectors(3, n, 8);

		ck_assert_uint_ge(left, 1);
		ck_assert_uint_le(left, 7);
		ck_assert_uint_eq(left, blk_torn_sectors(3, n, 8));
		seen[left]++;
		ck_assert_uint_eq(0, blk_torn_sectors(3, n, 1));
		ck_assert_uint_eq(1, blk_torn_sectors(3, n, 2));
	}
	for (i = 1; i < 8; i++)
		ck_assert_uint_ge(seen[i], 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("blk_faults");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	suite_add_tcase(s, t);
	tcase_add_test(t, nothing_is_on_by_default_l8);
	tcase_add_loop_test(t, errors_come_at_their_rate_l8, 0,
			    sizeof(rates) / sizeof(rates[0]));
	tcase_add_test(t, the_same_seed_fails_the_same_requests_l8);
	tcase_add_loop_test(t, what_touches_a_bad_sector_fails_l8, 0,
			    sizeof(touching) / sizeof(touching[0]));
	tcase_add_test(t, any_range_of_a_discard_may_touch_it_l8);
	tcase_add_test(t, a_range_wins_over_a_rate_l8);
	tcase_add_test(t, a_stall_at_a_time_holds_once_l8);
	tcase_add_test(t, every_third_request_stalls_it_l8);
	tcase_add_test(t, a_stall_is_not_made_longer_l8);
	tcase_add_test(t, frozen_time_is_no_part_of_a_stall_s69_l8);
	tcase_add_test(t, no_overflow_for_any_u64_l8);
	tcase_add_test(t, a_torn_write_keeps_its_first_sectors_l8);
	return test_run(s);
}
