// SPDX-License-Identifier: GPL-2.0-only
/* A hostile guest's disk requests, row by row of DISK-WORKER, section 9. */
#include "vmm/blk_state.h"

#include <errno.h>
#include <unistd.h>

#include "lib/test_run.h"
#include "vmm/blk_test_disk.h"

#define OK VIRTIO_BLK_S_OK
#define IOERR VIRTIO_BLK_S_IOERR
#define UNSUPP VIRTIO_BLK_S_UNSUPP
#define IN VIRTIO_BLK_T_IN
#define OUT VIRTIO_BLK_T_OUT
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define QUEUE 16
#define LOW_BYTES (4u << 20)

static struct test_disk d;
static struct test_slot *slot; /* of the request under test */

static void setup_with(uint64_t features)
{
	const struct vm_disk_config cfg = { .name = "data",
					    .size_bytes = TEST_DISK_BYTES };

	test_disk_init(&d, &cfg, QUEUE);
	test_disk_activate(&d, features);
	slot = &d.slots[0];
}

static void setup(void)
{
	setup_with(TEST_FEATURES | TEST_INDIRECT);
}

static void teardown(void)
{
	test_disk_fini(&d);
}

/* Use the table's first entries by hand, and make entry 0 available. */
static void desc(uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags,
		 uint16_t next)
{
	test_ring_desc(&d.r, i, gpa, len, flags, next);
}

static void publish(uint16_t head)
{
	slot->head = head;
	d.r.next_desc = 8;
	test_ring_publish(&d.r, head);
}

/* Header in entry 0, and one entry of anything in between, then the status. */
static void three(uint64_t gpa, uint32_t len, uint16_t flags)
{
	test_slot_header(slot, IN, 0);
	desc(0, slot->hdr_gpa, 16, NEXT, 1);
	desc(1, gpa, len, flags | NEXT, 2);
	desc(2, slot->status_gpa, 1, WRITE, 0);
	publish(0);
}

static void plain(uint32_t type, uint64_t sector, uint32_t len)
{
	test_slot_submit(slot, &d.r, type, sector, len);
}

/* --- U: a used entry of length 0, and on it goes --- */

static void loop_of_two(void)
{
	test_slot_header(slot, IN, 0);
	desc(0, slot->hdr_gpa, 16, NEXT, 1);
	desc(1, slot->data_gpa, 512, WRITE | NEXT, 2);
	desc(2, slot->data_gpa, 512, WRITE | NEXT, 1);
	publish(0);
}

static void loop_to_itself(void)
{
	desc(0, slot->hdr_gpa, 16, NEXT, 0);
	publish(0);
}

static void next_out_of_range(void)
{
	desc(0, slot->hdr_gpa, 16, NEXT, QUEUE);
	publish(0);
}

static void table(uint64_t gpa, uint32_t len, uint16_t flags)
{
	desc(0, gpa, len, flags, 1);
	desc(1, slot->status_gpa, 1, WRITE, 0);
	publish(0);
}

/* A good table with the request in it, at @gpa. */
static uint64_t good_table(uint64_t gpa)
{
	struct test_seg segs[3];

	test_slot_header(slot, IN, 0);
	test_table_write(&d.r, gpa, segs, test_slot_segs(slot, true, 512,
							 segs));
	return gpa;
}

static void indirect_not_negotiated(void)
{
	teardown();
	setup_with(TEST_FEATURES);
	table(good_table(slot->data_gpa + 4096), 48, INDIRECT);
}

static void indirect_nested(void)
{
	uint64_t gpa = good_table(slot->data_gpa + 4096);
	struct vring_desc *t = test_mem_hva(&d.m, gpa);

	t[1].flags |= INDIRECT;
	t[1].len = 16;
	table(gpa, 48, INDIRECT);
}

static void indirect_with_next(void)
{
	table(good_table(slot->data_gpa + 4096), 48, INDIRECT | NEXT);
}

static void indirect_length_0(void)
{
	table(good_table(slot->data_gpa + 4096), 0, INDIRECT);
}

static void indirect_length_odd(void)
{
	table(good_table(slot->data_gpa + 4096), 47, INDIRECT);
}

static void indirect_too_long(void)
{
	table(good_table(slot->data_gpa + 4096), (QUEUE + 1) * 16, INDIRECT);
}

static void indirect_outside_ram(void)
{
	table(LOW_BYTES - 16, 48, INDIRECT);
}

static void indirect_next_out_of_table(void)
{
	uint64_t gpa = good_table(slot->data_gpa + 4096);
	struct vring_desc *t = test_mem_hva(&d.m, gpa);

	t[1].next = 3;
	table(gpa, 48, INDIRECT);
}

static void address_wraps(void)
{
	three(UINT64_MAX - 100, 512, WRITE);
}

static void outside_ram(void)
{
	three(LOW_BYTES, 512, WRITE);
}

static void end_outside_ram(void)
{
	three(LOW_BYTES - 511, 512, WRITE);
}

static void across_the_hole(void)
{
	three(LOW_BYTES - 4096, TEST_MEM_HIGH_GPA - LOW_BYTES + 8192, WRITE);
}

static void readable_after_writable(void)
{
	test_slot_header(slot, IN, 0);
	desc(0, slot->hdr_gpa, 16, NEXT, 1);
	desc(1, slot->data_gpa, 512, WRITE | NEXT, 2);
	desc(2, slot->data_gpa, 512, NEXT, 3);
	desc(3, slot->status_gpa, 1, WRITE, 0);
	publish(0);
}

static void no_status_byte(void) /* C11 */
{
	test_slot_header(slot, OUT, 0);
	desc(0, slot->hdr_gpa, 16, NEXT, 1);
	desc(1, slot->data_gpa, 512, 0, 0);
	publish(0);
}

static void nothing_but_zero_length(void)
{
	desc(0, slot->hdr_gpa, 0, NEXT, 1);
	desc(1, slot->data_gpa, 0, WRITE, 0);
	publish(0);
}

/* --- E: the status says so --- */

static void header_of_15_bytes(void)
{
	test_slot_header(slot, IN, 0);
	desc(0, slot->hdr_gpa, 15, NEXT, 1);
	desc(1, slot->status_gpa, 1, WRITE, 0);
	publish(0);
}

static void header_is_writable(void)
{
	test_slot_header(slot, IN, 0);
	desc(0, slot->hdr_gpa, 16, WRITE | NEXT, 1);
	desc(1, slot->status_gpa, 1, WRITE, 0);
	publish(0);
}

static void in_with_readable_data(void)
{
	three(slot->data_gpa, 512, 0);
}

static void out_with_writable_data(void)
{
	three(slot->data_gpa, 512, WRITE);
	slot->hdr->type = OUT;
}

static void length_not_a_sector(void)
{
	plain(IN, 0, 513);
}

static void past_the_end(void)
{
	plain(IN, TEST_DISK_BYTES / 512, 512);
}

static void sector_overflow(void)
{
	plain(OUT, UINT64_MAX, 512);
}

static void type_unknown(void)
{
	plain(0xdead, 0, 512);
}

static void range_of(uint64_t sector, uint32_t nr, uint32_t flags,
		     uint32_t len)
{
	const struct virtio_blk_discard_write_zeroes r = { sector, nr, flags };

	memcpy(slot->data, &r, sizeof(r));
	plain(VIRTIO_BLK_T_DISCARD, 0, len);
}

static void discard_bad_flags(void)
{
	range_of(0, 8, 2, 16);
}

static void discard_bad_length(void)
{
	range_of(0, 8, 0, 17);
}

static void discard_bad_range(void)
{
	range_of(UINT64_MAX, UINT32_MAX, 0, 16);
}

static void discard_bad_count(void)
{
	range_of(0, 8, 0, 16 * (BLK_MAX_RANGES + 1));
}

/* --- must work --- */

static void zero_length_in_between(void)
{
	test_slot_header(slot, IN, 0);
	desc(0, slot->hdr_gpa, 16, NEXT, 1);
	desc(1, slot->data_gpa, 0, NEXT, 2);
	desc(2, slot->data_gpa, 512, WRITE | NEXT, 3);
	desc(3, 0xdead00000000, 0, WRITE | NEXT, 4);
	desc(4, slot->status_gpa, 1, WRITE, 0);
	publish(0);
}

static void data_length_0(void)
{
	plain(IN, 0, 0);
}

static void direct_then_indirect(void)
{
	uint64_t gpa = slot->data_gpa + 4096;
	const struct test_seg rest[] = { { slot->data_gpa, 512, true },
					 { slot->status_gpa, 1, true } };

	test_slot_header(slot, IN, 0);
	test_table_write(&d.r, gpa, rest, 2);
	desc(0, slot->hdr_gpa, 16, NEXT, 1);
	desc(1, gpa, 32, INDIRECT, 0);
	publish(0);
}

static void write_flag_on_indirect(void)
{
	table(good_table(slot->data_gpa + 4096), 48, INDIRECT | WRITE);
}

static void unaligned_table(void)
{
	table(good_table(slot->data_gpa + 4099), 48, INDIRECT);
}

enum answer { U, E, WORKS };

static const struct chain_case {
	const char *what;
	void (*make)(void);
	enum answer answer;
	uint8_t status;
	uint32_t len;
} chain_cases[] = {
#define U_CASE(f) { #f, f, U, 0, 0 }
	U_CASE(loop_of_two),
	U_CASE(loop_to_itself),
	U_CASE(next_out_of_range),
	U_CASE(indirect_not_negotiated),
	U_CASE(indirect_nested),
	U_CASE(indirect_with_next),
	U_CASE(indirect_length_0),
	U_CASE(indirect_length_odd),
	U_CASE(indirect_too_long),
	U_CASE(indirect_outside_ram),
	U_CASE(indirect_next_out_of_table),
	U_CASE(address_wraps),
	U_CASE(outside_ram),
	U_CASE(end_outside_ram),
	U_CASE(across_the_hole),
	U_CASE(readable_after_writable),
	U_CASE(no_status_byte),
	U_CASE(nothing_but_zero_length),
	{ "header of 15 bytes", header_of_15_bytes, E, IOERR, 1 },
	{ "header writable", header_is_writable, E, IOERR, 0 },
	{ "IN, readable data", in_with_readable_data, E, IOERR, 1 },
	{ "OUT, writable data", out_with_writable_data, E, IOERR, 0 },
	{ "length not x512", length_not_a_sector, E, IOERR, 0 },
	{ "past the end", past_the_end, E, IOERR, 0 },
	{ "sector overflow", sector_overflow, E, IOERR, 1 },
	{ "type unknown", type_unknown, E, UNSUPP, 1 },
	{ "discard flags", discard_bad_flags, E, UNSUPP, 1 },
	{ "discard length", discard_bad_length, E, IOERR, 1 },
	{ "discard range", discard_bad_range, E, IOERR, 1 },
	{ "discard count", discard_bad_count, E, IOERR, 1 },
	{ "zero length in between", zero_length_in_between, WORKS, OK, 513 },
	{ "data length 0", data_length_0, WORKS, OK, 1 },
	{ "direct, then indirect", direct_then_indirect, WORKS, OK, 513 },
	{ "WRITE on indirect", write_flag_on_indirect, WORKS, OK, 513 },
	{ "unaligned table", unaligned_table, WORKS, OK, 513 },
};

/* Everything is in order afterwards: another request is served. */
static void check_goes_on(void)
{
	test_slot_submit(&d.slots[1], &d.r, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[1], OK, 513);
	ck_assert_uint_eq(0, d.irq.needs_reset);
	ck_assert_uint_eq(0, test_disk_stats(&d).poisoned);
}

START_TEST(chains_are_answered_and_it_goes_on_c11_c12)
{
	const struct chain_case *c = &chain_cases[_i];
	struct vm_disk_stats st;
	uint32_t id, len;

	c->make();
	test_disk_kick(&d);
	ck_assert_msg(test_ring_used(&d.r, &id, &len), "%s", c->what);
	ck_assert_msg(id == slot->head, "%s: id %u", c->what, id);
	ck_assert_msg(len == c->len, "%s: length %u", c->what, len);
	if (c->answer != U)
		ck_assert_msg(*slot->status == c->status, "%s: status %u",
			      c->what, *slot->status);
	ck_assert_uint_eq(1, d.irq.used);
	st = test_disk_stats(&d);
	ck_assert_msg(st.malformed == (c->answer == U), "%s", c->what);
	ck_assert_msg(st.io_errors + st.unsupported == (c->answer == E), "%s",
		      c->what);
	check_goes_on();
}
END_TEST

/* Once in the log, however often; each time in the counter. */
START_TEST(each_kind_is_logged_once_and_counted)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		slot = &d.slots[i];
		loop_to_itself();
		test_disk_kick(&d);
		past_the_end();
		test_disk_kick(&d);
		type_unknown();
		test_disk_kick(&d);
	}
	ck_assert_uint_eq(3, d.lines);
	ck_assert_uint_eq(10, test_disk_stats(&d).malformed);
	ck_assert_uint_eq(10, test_disk_stats(&d).io_errors);
	ck_assert_uint_eq(10, test_disk_stats(&d).unsupported);
}
END_TEST

/* --- R --- */

static void index_jumps(void)
{
	test_ring_set_avail_idx(&d.r, QUEUE + 1);
}

static void index_goes_back(void)
{
	plain(IN, 0, 512);
	test_disk_kick(&d);
	test_ring_set_avail_idx(&d.r, 0);
}

static void index_far_ahead(void)
{
	test_ring_set_avail_idx(&d.r, 0x8000);
}

static void entry_out_of_range(void)
{
	test_ring_publish(&d.r, QUEUE);
}

static void (*const poisons[])(void) = { index_jumps, index_goes_back,
					 index_far_ahead, entry_out_of_range };

START_TEST(a_broken_ring_is_poisoned_once_until_reset_c8)
{
	uint16_t used_before;
	unsigned int i;

	poisons[_i]();
	used_before = test_ring_used_idx(&d.r);
	ck_assert_int_eq(BLK_STEP_BROKEN,
			 test_disk_step(&d, BLK_TOKEN_KICK));
	ck_assert_uint_eq(1, test_disk_stats(&d).poisoned);
	blk_state_client.died(&d.s);
	ck_assert_uint_eq(1, d.irq.needs_reset);
	/* no-op from then on, though the ring is good again */
	test_ring_restart(&d.r);
	test_slot_submit(&d.slots[1], &d.r, IN, 0, 512);
	for (i = 0; i < 3; i++)
		test_disk_step(&d, BLK_TOKEN_KICK);
	ck_assert_uint_eq(1, test_disk_stats(&d).poisoned);
	ck_assert_uint_eq(0, test_ring_used_idx(&d.r));
	ck_assert_uint_eq(0, d.r.used->flags);
	ck_assert_uint_le(used_before, 1);
	/* a reset mends it */
	blk_state_reset(&d.s);
	test_ring_restart(&d.r);
	test_disk_activate(&d, TEST_FEATURES);
	test_slot_submit(&d.slots[1], &d.r, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[1], OK, 513);
}
END_TEST

/* R at activation: refused, counted, never touched */
static const struct ring_case {
	uint16_t size;
	uint64_t desc_gpa;	/* if not 0 */
	uint64_t avail_add, used_add;
} ring_cases[] = {
	{ 0, 0, 0, 0 },
	{ 3, 0, 0, 0 },
	{ 15, 0, 0, 0 },
	{ VIRTIO_QUEUE_MAX * 2, 0, 0, 0 },
	{ 0x8000, 0, 0, 0 },
	{ QUEUE, 8, 0, 0 },
	{ QUEUE, 0, 1, 0 },
	{ QUEUE, 0, 0, 2 },
	{ QUEUE, LOW_BYTES, 0, 0 },
	{ QUEUE, 0, LOW_BYTES, 0 },
	{ QUEUE, 0, 0, LOW_BYTES },
	{ QUEUE, 0xfffffffffffffff0, 0, 0 },	/* wraps */
	{ QUEUE, LOW_BYTES - 16, 0, 0 },	/* across the hole */
};

START_TEST(rings_refused_at_activation)
{
	const struct ring_case *c = &ring_cases[_i];
	struct virtio_queue_setup ring = test_ring_setup(&d.r);

	blk_state_reset(&d.s);
	ring.size = c->size;
	if (c->desc_gpa)
		ring.desc_gpa = c->desc_gpa;
	ring.avail_gpa += c->avail_add;
	ring.used_gpa += c->used_add;
	plain(IN, 0, 512);
	ck_assert_int_eq(-EINVAL,
			 blk_state_activate(&d.s, TEST_FEATURES, &ring, 1));
	ck_assert_uint_eq(1, test_disk_stats(&d).poisoned);
	test_disk_step(&d, BLK_TOKEN_KICK);
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	ck_assert_uint_eq(1, test_disk_stats(&d).poisoned);
	ck_assert_uint_eq(0, test_ring_used_idx(&d.r));
	ck_assert_uint_eq(TEST_STATUS_NONE, *slot->status);
}
END_TEST

/* --- ignored, or without effect --- */

START_TEST(the_used_ring_is_ours)
{
	unsigned int i;

	for (i = 0; i < 3 * QUEUE; i++) {
		uint32_t id, len;

		memset(d.r.used, 0xa5, 6 + 8 * QUEUE);
		plain(IN, 0, 512);
		test_disk_kick(&d);
		ck_assert_uint_eq((uint16_t)(i + 1), test_ring_used_idx(&d.r));
		ck_assert(test_ring_used(&d.r, &id, &len));
		ck_assert_uint_eq(slot->head, id);
		ck_assert_uint_eq(513, len);
	}
}
END_TEST

/* While the image is being read, the guest rewrites all it can. */
static ssize_t spoil_preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	unsigned int i;

	memset(slot->hdr, 0xff, sizeof(*slot->hdr));
	for (i = 0; i < QUEUE; i++)
		test_ring_desc(&d.r, i, UINT64_MAX, UINT32_MAX, 0xffff,
			       0xffff);
	d.r.avail->ring[0] = 0xffff;
	return preadv(fd, iov, nr, off);
}

START_TEST(changes_while_we_work_have_no_effect)
{
	static const struct blk_image_io io = { .preadv = spoil_preadv };

	d.s.image.io = &io;
	plain(IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, slot, OK, 513);
	d.s.image.io = &blk_image_host;
	check_goes_on();
}
END_TEST

/* Same head again and again, while it is done at once each time */
START_TEST(one_head_many_times)
{
	unsigned int i;

	plain(IN, 0, 512);
	for (i = 0; i < 5; i++)
		test_ring_publish(&d.r, slot->head);
	test_disk_kick(&d);
	for (i = 0; i < 6; i++)
		test_disk_expect(&d, slot, OK, 513);
	check_goes_on();
}
END_TEST

/* splitmix64 */
static uint64_t rng_next(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* A word that is often nearly right. */
static uint64_t wild(uint64_t *s, uint64_t good)
{
	switch (rng_next(s) % 8) {
	case 0:
		return rng_next(s);
	case 1:
		return good + rng_next(s) % 64 - 32;
	case 2:
		return 1ULL << rng_next(s) % 64;
	default:
		return good;
	}
}

static const struct vm_throttle slow_disk = {
	.iops = 20000, .latency_ns = 1000000, .jitter_ns = 3000000,
};
static const struct vm_disk_faults faulty_disk = {
	.error_ppb = 300000000, .error_bytes = 4096, .stall_ns = 2000000,
	.stall_every = 5, .torn_writes = true,
};

/* Half of them have a disk with requests in flight, where time goes by. */
static void be_slow(bool slow)
{
	const struct vm_throttle none = { 0 };
	const struct vm_disk_faults good = { 0 };

	blk_limits_publish(&d.sh.limits, slow ? &slow_disk : &none);
	blk_limits_publish_faults(&d.sh.limits, slow ? &faulty_disk : &good);
}

/* Random rings: no crash, no hang, and after a reset all is well. */
START_TEST(a_wild_guest_harms_itself_only)
{
	uint64_t s = _i, i, j, in_flight = 0;

	be_slow(_i % 2);
	for (i = 0; i < 300; i++) {
		if (_i % 2 && rng_next(&s) % 2) {
			d.sys.now_ns += rng_next(&s) % 3000000;
			test_disk_step(&d, BLK_TOKEN_THROTTLE);
		}
		if (_i % 2) {
			/* good ones, whose descriptors do not stay good */
			for (j = 0; j < 3; j++)
				test_slot_submit(&d.slots[j], &d.r,
						 j ? IN : OUT, j * 7, 2048);
			test_disk_step(&d, BLK_TOKEN_KICK);
		}
		in_flight += d.s.pending.nr;
		for (j = 0; j < QUEUE; j++) {
			slot = &d.slots[rng_next(&s) % TEST_SLOTS];
			test_slot_header(slot, wild(&s, rng_next(&s) % 16),
					 wild(&s, 0));
			test_ring_desc(&d.r, j,
				       wild(&s, rng_next(&s) % 2 ?
							slot->hdr_gpa :
							slot->data_gpa),
				       wild(&s, rng_next(&s) % 2 ? 16 : 512),
				       wild(&s, rng_next(&s) % 8),
				       wild(&s, rng_next(&s) % QUEUE));
			d.r.avail->ring[j] = wild(&s, rng_next(&s) % QUEUE);
		}
		test_ring_set_avail_idx(
			&d.r, wild(&s, test_ring_avail_idx(&d.r) +
					       rng_next(&s) % QUEUE));
		j = test_disk_step(&d, BLK_TOKEN_KICK);
		if (j != BLK_STEP_BROKEN)
			continue;
		if (rng_next(&s) % 2)
			blk_state_power_off(&d.s);
		blk_state_reset(&d.s);
		test_ring_restart(&d.r);
		test_disk_activate(&d, TEST_FEATURES | TEST_INDIRECT);
	}
	ck_assert_int_eq(_i % 2, in_flight > 0);
	be_slow(false);
	blk_state_reset(&d.s);
	test_ring_restart(&d.r);
	test_disk_activate(&d, TEST_FEATURES | TEST_INDIRECT);
	test_slot_submit(&d.slots[1], &d.r, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[1], OK, 513);
}
END_TEST

#define NR(table) (sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("blk_hostile");
	TCase *tc = tcase_create("blk_hostile");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, chains_are_answered_and_it_goes_on_c11_c12, 0,
			    NR(chain_cases));
	tcase_add_test(tc, each_kind_is_logged_once_and_counted);
	tcase_add_loop_test(tc, a_broken_ring_is_poisoned_once_until_reset_c8,
			    0, NR(poisons));
	tcase_add_loop_test(tc, rings_refused_at_activation, 0,
			    NR(ring_cases));
	tcase_add_test(tc, the_used_ring_is_ours);
	tcase_add_test(tc, changes_while_we_work_have_no_effect);
	tcase_add_test(tc, one_head_many_times);
	tcase_add_loop_test(tc, a_wild_guest_harms_itself_only, 0, 20);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
