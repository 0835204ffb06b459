// SPDX-License-Identifier: GPL-2.0-only
/* A disk with latency, jitter and planted faults, on a clock that we turn. */
#include "vmm/blk_state.h"

#include <errno.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hist.h"
#include "lib/test_run.h"
#include "vmm/blk_draw.h"
#include "vmm/blk_test_disk.h"

#define OK VIRTIO_BLK_S_OK
#define IOERR VIRTIO_BLK_S_IOERR
#define IN VIRTIO_BLK_T_IN
#define OUT VIRTIO_BLK_T_OUT
#define QUEUE 16
#define MS NSEC_PER_MSEC
#define T0 1000000000ULL /* where the test's clock begins */

static struct test_disk d;

static void setup_with(struct vm_throttle throttle, uint64_t seed)
{
	const struct vm_disk_config cfg = { .name = "data",
					    .size_bytes = TEST_DISK_BYTES,
					    .throttle = throttle,
					    .seed = seed };

	test_disk_init(&d, &cfg, QUEUE);
	test_disk_activate(&d, TEST_FEATURES);
}

/* 10 ms for each, whatever else. */
static void setup(void)
{
	setup_with((struct vm_throttle){ .latency_ns = 10 * MS }, 1);
}

static void teardown(void)
{
	test_disk_fini(&d);
}

static void again_with(struct vm_throttle throttle, uint64_t seed)
{
	teardown();
	setup_with(throttle, seed);
}

static void submit(unsigned int slot, uint32_t type, uint64_t sector,
		   uint32_t len)
{
	test_slot_submit(&d.slots[slot], &d.r, type, sector, len);
}

static void set_faults(struct vm_disk_faults f)
{
	blk_limits_publish_faults(&d.sh.limits, &f);
	test_disk_step(&d, BLK_TOKEN_KICK);
}

/* Turn the clock to @at_ns and let the timer fire, which must be set to it. */
static void fire_at(uint64_t at_ns)
{
	ck_assert(d.sh.worker.armed);
	ck_assert_uint_eq(at_ns, d.sys.armed_at_ns);
	d.sys.now_ns = at_ns;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
}

static void expect_ok(unsigned int slot, uint32_t len)
{
	test_disk_expect(&d, &d.slots[slot], OK, len);
}

static unsigned int in_flight(void)
{
	return d.s.pending.nr;
}

/* What the image holds at @sector. */
static uint8_t byte_at(uint64_t sector)
{
	struct iovec iov;
	uint64_t moved;
	uint8_t byte;

	iov = (struct iovec){ &byte, 1 };
	ck_assert_int_eq(0, blk_image_read(&d.s.image, sector * 512, &iov, 1,
					   &moved));
	return byte;
}

/* --- latency --- */

START_TEST(no_completion_before_the_latency_l7)
{
	struct ktstr_hist h;

	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect_none(&d);
	ck_assert_uint_eq(TEST_STATUS_NONE, *d.slots[0].status);
	ck_assert_uint_eq(1, in_flight());
	ck_assert_uint_eq(T0 + 10 * MS, d.sys.armed_at_ns);
	/* any look before that changes nothing */
	d.sys.now_ns = T0 + 10 * MS - 1;
	test_disk_kick(&d);
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	test_disk_expect_none(&d);
	ck_assert_uint_eq(0, test_disk_stats(&d).reads);
	ck_assert(test_disk_stats(&d).busy_now);
	fire_at(T0 + 10 * MS);
	expect_ok(0, 513);
	ck_assert(!test_disk_stats(&d).busy_now);
	ck_assert_uint_eq(1, test_disk_stats(&d).reads);
	ck_assert_uint_eq(1, d.irq.used);
	ck_assert_uint_eq(0, in_flight());
	blk_stats_hist_read(&d.sh.stats, VM_DISK_HIST_SERVICE, &h);
	ck_assert_uint_eq(10 * MS, h.sum_ns);
	/* it is no throttling, and no backlog */
	ck_assert_uint_eq(0, test_disk_stats(&d).throttle_events);
	ck_assert_uint_eq(0, test_disk_stats(&d).queued_ns);
}
END_TEST

/* The admission counts, not the moment at which the drain began. */
START_TEST(latency_counts_from_the_admission_l7)
{
	submit(0, IN, 0, 512);
	d.sys.tick_ns = 1000;
	test_disk_kick(&d);
	d.sys.tick_ns = 0;
	ck_assert_uint_eq(d.s.flights[d.s.pending.heap[0].slot].admitted_ns +
				  10 * MS,
			  blk_pending_first_ns(&d.s.pending));
	/* the drain looked first, then found the chain and looked again */
	ck_assert_uint_ge(blk_pending_first_ns(&d.s.pending),
			  T0 + 2000 + 10 * MS);
}
END_TEST

START_TEST(many_wait_side_by_side_l7)
{
	unsigned int i;

	/* three descriptors each: five fill the ring */
	for (i = 0; i < 5; i++) {
		d.sys.now_ns = T0 + i * MS;
		submit(i, IN, i, 512);
		test_disk_kick(&d);
		ck_assert_uint_eq(i + 1, in_flight());
	}
	test_disk_expect_none(&d);
	for (i = 0; i < 5; i++) {
		fire_at(T0 + (10 + i) * MS);
		expect_ok(i, 513);
		test_disk_expect_none(&d);
	}
	ck_assert(!d.sh.worker.armed);
}
END_TEST

START_TEST(due_at_once_is_done_in_one_look_l7)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		submit(i, IN, i, 512);
	test_disk_kick(&d);
	fire_at(T0 + 10 * MS);
	for (i = 0; i < 5; i++)
		expect_ok(i, 513);
	ck_assert_uint_eq(1, d.sys.arms);
}
END_TEST

/* A read gets what is written meanwhile, a write is written when it is due. */
START_TEST(the_image_is_touched_at_completion_l7)
{
	memset(d.slots[0].data, 0x5a, 512);
	submit(0, OUT, 8, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(0, byte_at(8));
	d.sys.now_ns += MS;
	submit(1, IN, 8, 512);
	test_disk_kick(&d);
	fire_at(T0 + 10 * MS);
	expect_ok(0, 1);
	ck_assert_uint_eq(0x5a, byte_at(8));
	ck_assert_uint_eq(0, d.slots[1].data[0]);
	fire_at(T0 + 11 * MS);
	expect_ok(1, 513);
	ck_assert_uint_eq(0x5a, d.slots[1].data[0]);
}
END_TEST

/* Section 9: we use our copy, however long it takes. */
START_TEST(changes_in_flight_have_no_effect_l7)
{
	unsigned int i;

	memset(d.slots[0].data, 0x5a, 512);
	submit(0, OUT, 8, 512);
	test_disk_kick(&d);
	d.slots[0].hdr->type = 0xdead;
	d.slots[0].hdr->sector = UINT64_MAX;
	for (i = 0; i < QUEUE; i++)
		test_ring_desc(&d.r, i, UINT64_MAX - 5, UINT32_MAX, 0xffff, i);
	fire_at(T0 + 10 * MS);
	expect_ok(0, 1);
	ck_assert_uint_eq(0x5a, byte_at(8));
}
END_TEST

/* --- jitter --- */

/* Submit five, and note in @order who came when; Return: the last moment. */
static uint64_t jittered(uint64_t seed, unsigned int order[5])
{
	unsigned int i, got = 0;
	uint32_t id, len;

	again_with((struct vm_throttle){ .latency_ns = 10 * MS,
					 .jitter_ns = 20 * MS }, seed);
	for (i = 0; i < 5; i++)
		submit(i, IN, i, 512);
	test_disk_kick(&d);
	while (in_flight()) {
		d.sys.now_ns = d.sys.armed_at_ns;
		test_disk_step(&d, BLK_TOKEN_THROTTLE);
		while (test_ring_used(&d.r, &id, &len)) {
			for (i = 0; i < 5 && d.slots[i].head != id; i++)
				;
			ck_assert_uint_eq(T0 + blk_delay_ns(10 * MS, 20 * MS,
							    seed, i),
					  d.sys.now_ns);
			order[got++] = i;
		}
	}
	ck_assert_uint_eq(5, got);
	return d.sys.now_ns;
}

START_TEST(jitter_changes_the_order_and_each_is_done_when_due_l7)
{
	unsigned int order[5], other[5], i, moved = 0, differ = 0;
	uint64_t last = jittered(42, order);

	ck_assert_uint_le(last, T0 + 30 * MS);
	for (i = 0; i < 5; i++)
		moved += order[i] != i;
	ck_assert_uint_gt(moved, 0);
	/* the same seed, the same run; another one, another */
	ck_assert_uint_eq(last, jittered(42, other));
	ck_assert_mem_eq(order, other, sizeof(order));
	ck_assert_uint_ne(last, jittered(43, other));
	for (i = 0; i < 5; i++)
		differ += order[i] != other[i];
	ck_assert_uint_gt(differ, 0);
}
END_TEST

/* --- with the limiter --- */

/* One each 100 ms, each of which takes 30 ms. */
static const struct vm_throttle slow = { .iops = 10, .burst_ns = 1,
					 .latency_ns = 30 * MS };

START_TEST(a_completion_comes_while_the_next_chain_is_blocked_l7)
{
	again_with(slow, 1);
	submit(0, IN, 0, 512);
	submit(1, IN, 1, 512);
	test_disk_kick(&d);
	ck_assert(d.sh.worker.blocked);
	ck_assert_uint_eq(1, in_flight());
	/* S38: a kick does not look, though one is in flight */
	test_disk_kick(&d);
	fire_at(T0 + 30 * MS);
	expect_ok(0, 513);
	/* looked at too early, it goes on waiting: one stall, counted once */
	ck_assert(d.sh.worker.blocked);
	test_disk_expect_none(&d);
	ck_assert_uint_eq(1, test_disk_stats(&d).throttle_events);
	ck_assert(!test_ring_must_kick(&d.r, false));
	fire_at(T0 + 100 * MS - 1);
	ck_assert(!d.sh.worker.blocked);
	ck_assert_uint_eq(1, in_flight());
	ck_assert_uint_eq(100 * MS - 1, test_disk_stats(&d).throttled_ns);
	/* L7: the wait for tokens is no part of the latency */
	fire_at(T0 + 130 * MS - 1);
	expect_ok(1, 513);
	ck_assert_uint_eq(1, test_disk_stats(&d).throttle_events);
}
END_TEST

START_TEST(a_new_latency_is_for_those_to_come_l6_l7)
{
	const struct vm_throttle none = { 0 };

	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	d.sys.now_ns += MS;
	submit(1, IN, 1, 512);
	blk_limits_publish(&d.sh.limits, &none);
	test_disk_kick(&d);
	expect_ok(1, 513);
	test_disk_expect_none(&d);
	fire_at(T0 + 10 * MS);
	expect_ok(0, 513);
}
END_TEST

/* A chain that is refused does not wait: it is no request of the disk's. */
START_TEST(a_refusal_takes_no_time_l7_c4)
{
	submit(0, IN, 0, 512);
	submit(1, IN, TEST_DISK_BYTES / 512, 512);
	submit(2, 0x7777, 0, 0);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[1], IOERR, 0);
	test_disk_expect(&d, &d.slots[2], VIRTIO_BLK_S_UNSUPP, 1);
	test_disk_expect_none(&d);
	fire_at(T0 + 10 * MS);
	expect_ok(0, 513);
}
END_TEST

static unsigned int looks;

static void count_look(void)
{
	looks++;
}

/* What a disk without latency pays for those with: nothing. */
START_TEST(without_latency_nothing_waits_and_no_timer_is_armed_l7)
{
	unsigned int i;

	again_with((struct vm_throttle){ 0 }, 1);
	for (i = 0; i < 5; i++)
		submit(i, IN, i, 512);
	looks = 0;
	d.sys.clock_hook = count_look;
	test_disk_kick(&d);
	d.sys.clock_hook = NULL;
	for (i = 0; i < 5; i++)
		expect_ok(i, 513);
	/* one when it begins, two for each, one when the ring is empty */
	ck_assert_uint_eq(1 + 5 * 2 + 1, looks);
	ck_assert_uint_eq(0, d.sys.arms);
	ck_assert_uint_eq(0, d.s.pending.pushed);
}
END_TEST

/* --- reset, freeze, the end --- */

START_TEST(reset_drops_what_is_in_flight_c9_l7)
{
	uint16_t used;
	unsigned int i;

	memset(d.slots[0].data, 0x5a, 512);
	submit(0, OUT, 8, 512);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	used = test_ring_used_idx(&d.r);
	blk_state_reset(&d.s);
	d.sys.now_ns += NSEC_PER_SEC;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	ck_assert_uint_eq(used, test_ring_used_idx(&d.r));
	ck_assert_uint_eq(TEST_STATUS_NONE, *d.slots[0].status);
	ck_assert_uint_eq(TEST_STATUS_NONE, *d.slots[1].status);
	ck_assert_uint_eq(0, byte_at(8));
	ck_assert_uint_eq(0, d.irq.used);
	ck_assert_ptr_null(d.s.flights);
	/* and the next life has all of its room */
	test_ring_restart(&d.r);
	test_disk_activate(&d, TEST_FEATURES);
	for (i = 0; i < 5; i++)
		submit(i, IN, i, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(5, in_flight());
	fire_at(T0 + NSEC_PER_SEC + 10 * MS);
	for (i = 0; i < 5; i++)
		expect_ok(i, 513);
}
END_TEST

static uint64_t pushed_at_park, used_at_park;

static int park_5_s(struct test_sys *t, int stop_fd, int resume_fd)
{
	used_at_park = test_ring_used_idx(&d.r);
	t->now_ns += 5 * NSEC_PER_SEC;
	ck_assert_uint_eq(used_at_park, test_ring_used_idx(&d.r));
	pushed_at_park = d.s.pending.pushed;
	blk_gate_resume(&d.sh.worker.gate);
	return 0;
}

START_TEST(frozen_time_is_no_latency_s64_s69_l7)
{
	struct ktstr_hist h;

	submit(0, IN, 0, 512);
	submit(1, IN, 1, 512);
	test_disk_kick(&d);
	d.sys.now_ns += 4 * MS;
	d.sys.park = park_5_s;
	blk_gate_arrive(&d.sh.worker.gate);
	blk_gate_pause(&d.sh.worker.gate);
	test_disk_step(&d, BLK_TOKEN_PAUSE);
	ck_assert_uint_eq(2, pushed_at_park);
	/* the look at the resume finds nothing due */
	test_disk_step(&d, BLK_TOKEN_KICK);
	test_disk_expect_none(&d);
	fire_at(T0 + 10 * MS + 5 * NSEC_PER_SEC);
	expect_ok(0, 513);
	expect_ok(1, 513);
	blk_stats_hist_read(&d.sh.stats, VM_DISK_HIST_SERVICE, &h);
	ck_assert_uint_eq(20 * MS, h.sum_ns);
	blk_stats_hist_read(&d.sh.stats, VM_DISK_HIST_LATENESS, &h);
	ck_assert_uint_eq(0, h.sum_ns);
}
END_TEST

/* One head, offered again and again: a queue size in flight, and no more. */
START_TEST(one_head_in_flight_many_times_is_bounded_l7)
{
	unsigned int i;

	submit(0, IN, 0, 512);
	for (i = 1; i < QUEUE; i++)
		test_ring_publish(&d.r, d.slots[0].head);
	test_disk_kick(&d);
	ck_assert_uint_eq(QUEUE, in_flight());
	for (i = 0; i < 5; i++)
		test_ring_publish(&d.r, d.slots[0].head);
	test_disk_kick(&d);
	ck_assert_uint_eq(QUEUE, in_flight());
	ck_assert(!d.s.queue[0].vq.broken);
	/* those that wait outside are taken when there is room */
	fire_at(T0 + 10 * MS);
	ck_assert_uint_eq(5, in_flight());
	ck_assert_uint_eq(QUEUE, test_disk_stats(&d).reads);
	fire_at(T0 + 20 * MS);
	ck_assert_uint_eq(QUEUE + 5, test_disk_stats(&d).reads);
}
END_TEST

/* --- faults --- */

START_TEST(a_planted_error_is_answered_and_counted_l8)
{
	struct vm_disk_io io;
	struct vm_disk_stats st;
	uint64_t dropped;

	again_with((struct vm_throttle){ 0 }, 1);
	set_faults((struct vm_disk_faults){ .error_ppb = 1000000000 });
	memset(d.slots[0].data, 0x5a, 512);
	submit(0, OUT, 8, 512);
	submit(1, IN, 8, 1024);
	submit(2, VIRTIO_BLK_T_FLUSH, 0, 0);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[0], IOERR, 1);
	test_disk_expect(&d, &d.slots[1], IOERR, 0);
	test_disk_expect(&d, &d.slots[2], IOERR, 1);
	ck_assert_uint_eq(0, byte_at(8));
	st = test_disk_stats(&d);
	ck_assert_uint_eq(3, st.io_errors);
	ck_assert_uint_eq(3, st.fault_rate_errors);
	ck_assert_uint_eq(0, st.fault_range_errors);
	ck_assert_uint_eq(1536, st.fault_bytes);
	ck_assert_uint_eq(1, st.writes);
	ck_assert_uint_eq(0, st.write_bytes);
	ck_assert_uint_eq(1, st.reads);
	ck_assert_uint_eq(1, st.flushes);
	ck_assert_uint_eq(0, blk_trace_read(&d.sh.trace, &io, 1, &dropped));
	/* off again */
	set_faults((struct vm_disk_faults){ 0 });
	submit(3, IN, 8, 512);
	test_disk_kick(&d);
	expect_ok(3, 513);
	ck_assert_uint_eq(3, test_disk_stats(&d).fault_rate_errors);
}
END_TEST

START_TEST(bad_sectors_fail_and_their_neighbours_do_not_l8)
{
	set_faults((struct vm_disk_faults){ .error_from = 4096,
					    .error_bytes = 512 });
	submit(0, IN, 7, 512);
	submit(1, IN, 8, 512);
	submit(2, IN, 9, 512);
	test_disk_kick(&d);
	fire_at(T0 + 10 * MS);
	expect_ok(0, 513);
	test_disk_expect(&d, &d.slots[1], IOERR, 0);
	expect_ok(2, 513);
	ck_assert_uint_eq(1, test_disk_stats(&d).fault_range_errors);
	ck_assert_uint_eq(1, test_disk_stats(&d).io_errors);
	ck_assert_uint_eq(0, test_disk_stats(&d).fault_rate_errors);
}
END_TEST

/* L5: it was admitted, so it is paid for. */
START_TEST(a_failed_request_costs_what_it_would_have_l5_l8)
{
	again_with((struct vm_throttle){ .iops = 10, .burst_ns = 1 }, 1);
	set_faults((struct vm_disk_faults){ .error_ppb = 1000000000 });
	submit(0, IN, 0, 512);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[0], IOERR, 0);
	test_disk_expect_none(&d);
	fire_at(T0 + 100 * MS - 1);
	test_disk_expect(&d, &d.slots[1], IOERR, 0);
}
END_TEST

START_TEST(every_second_request_stalls_the_disk_l8)
{
	again_with((struct vm_throttle){ 0 }, 1);
	set_faults((struct vm_disk_faults){ .stall_ns = 50 * MS,
					    .stall_every = 2 });
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	expect_ok(0, 513);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	d.sys.now_ns += 20 * MS;
	submit(2, IN, 0, 512);
	submit(3, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect_none(&d);
	ck_assert_uint_eq(3, in_flight());
	fire_at(T0 + 50 * MS);
	expect_ok(1, 513);
	expect_ok(2, 513);
	expect_ok(3, 513);
	ck_assert_uint_eq(1, test_disk_stats(&d).fault_stalls);
	ck_assert_uint_eq(50 * MS, test_disk_stats(&d).fault_stalled_ns);
	ck_assert_uint_eq(0, test_disk_stats(&d).io_errors);
	/* the sixth is the next whose turn it is */
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	expect_ok(0, 513);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect_none(&d);
	ck_assert_uint_eq(2, test_disk_stats(&d).fault_stalls);
	fire_at(T0 + 100 * MS);
	expect_ok(1, 513);
}
END_TEST

/* The step that set them counts, not one that changes a rate. */
START_TEST(new_rates_do_not_count_faults_anew_l6_l8)
{
	const struct vm_throttle none = { 0 };

	again_with(none, 1);
	set_faults((struct vm_disk_faults){ .stall_ns = 50 * MS,
					    .stall_every = 2 });
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	expect_ok(0, 513);
	blk_limits_publish(&d.sh.limits, &none);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect_none(&d);
	/* the same faults once more: counted anew, and no stall is left */
	set_faults((struct vm_disk_faults){ .stall_ns = 50 * MS,
					    .stall_every = 2 });
	expect_ok(1, 513);
	submit(2, IN, 0, 512);
	test_disk_kick(&d);
	expect_ok(2, 513);
}
END_TEST

/* What was admitted before is held too, if it comes due in the stall. */
START_TEST(a_stall_at_a_time_holds_what_comes_due_l8)
{
	set_faults((struct vm_disk_faults){ .stall_ns = 50 * MS,
					    .stall_at_ns = 5 * MS });
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	d.sys.now_ns = T0 + 52 * MS;
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect_none(&d);
	fire_at(T0 + 55 * MS);
	expect_ok(0, 513);
	test_disk_expect_none(&d);
	fire_at(T0 + 62 * MS);
	expect_ok(1, 513);
	ck_assert_uint_eq(1, test_disk_stats(&d).fault_stalls);
	ck_assert_uint_eq(50 * MS, test_disk_stats(&d).fault_stalled_ns);
}
END_TEST

START_TEST(frozen_time_ends_no_stall_s69_l8)
{
	set_faults((struct vm_disk_faults){ .stall_ns = 50 * MS });
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	d.sys.now_ns += 40 * MS;
	d.sys.park = park_5_s;
	blk_gate_arrive(&d.sh.worker.gate);
	blk_gate_pause(&d.sh.worker.gate);
	test_disk_step(&d, BLK_TOKEN_PAUSE);
	test_disk_step(&d, BLK_TOKEN_KICK);
	test_disk_expect_none(&d);
	fire_at(T0 + 50 * MS + 5 * NSEC_PER_SEC);
	expect_ok(0, 513);
}
END_TEST

START_TEST(a_stall_that_held_nothing_is_not_counted_l8)
{
	set_faults((struct vm_disk_faults){ .stall_ns = 50 * MS,
					    .stall_at_ns = 5 * MS });
	d.sys.now_ns = T0 + 60 * MS;
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	fire_at(T0 + 70 * MS);
	expect_ok(0, 513);
	ck_assert_uint_eq(0, test_disk_stats(&d).fault_stalls);
}
END_TEST

/* Also of a disk without latency, which has nothing in flight otherwise. */
START_TEST(a_stall_ends_when_the_faults_do_l8)
{
	again_with((struct vm_throttle){ 0 }, 1);
	set_faults((struct vm_disk_faults){ .stall_ns = 50 * MS });
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect_none(&d);
	d.sys.now_ns += MS;
	set_faults((struct vm_disk_faults){ 0 });
	expect_ok(0, 513);
	ck_assert(!d.sh.worker.armed);
}
END_TEST

/* --- the end of the VM --- */

static void write_and_power_off(bool torn)
{
	set_faults((struct vm_disk_faults){ .torn_writes = torn });
	memset(d.slots[0].data, 0x5a, 4096);
	memset(d.slots[1].data, 0x5b, 512);
	memset(d.slots[2].data, 0x5c, 4096);
	submit(0, OUT, 8, 4096);
	submit(1, OUT, 32, 512);
	submit(2, IN, 64, 4096);
	test_disk_kick(&d);
	ck_assert_uint_eq(3, in_flight());
	blk_state_power_off(&d.s);
	blk_state_reset(&d.s);
	ck_assert_uint_eq(TEST_STATUS_NONE, *d.slots[0].status);
	ck_assert_uint_eq(0x5c, d.slots[2].data[0]);
	test_disk_expect_none(&d);
}

START_TEST(power_off_tears_the_writes_in_flight_l8)
{
	uint64_t left = blk_torn_sectors(1, 0, 8), i;

	write_and_power_off(true);
	ck_assert_uint_ge(left, 1);
	ck_assert_uint_le(left, 7);
	for (i = 0; i < 8; i++)
		ck_assert_uint_eq(i < left ? 0x5a : 0, byte_at(8 + i));
	/* one sector is never torn: it is lost */
	ck_assert_uint_eq(0, byte_at(32));
	ck_assert_uint_eq(2, test_disk_stats(&d).fault_torn_writes);
	ck_assert_uint_eq(0, test_disk_stats(&d).writes);
}
END_TEST

START_TEST(power_off_drops_writes_unless_asked_to_tear_l8)
{
	uint64_t i;

	write_and_power_off(false);
	for (i = 0; i < 8; i++)
		ck_assert_uint_eq(0, byte_at(8 + i));
	ck_assert_uint_eq(0, test_disk_stats(&d).fault_torn_writes);
}
END_TEST

/* Data that lies in pieces, none of them as long as a sector. */
START_TEST(a_torn_write_of_many_pieces_l8)
{
	struct test_slot *s = &d.slots[0];
	uint64_t left = blk_torn_sectors(1, 0, 4), i;
	struct test_seg segs[10];

	set_faults((struct vm_disk_faults){ .torn_writes = true });
	memset(s->data, 0x5a, 2048);
	test_slot_header(s, OUT, 8);
	segs[0] = (struct test_seg){ s->hdr_gpa, sizeof(*s->hdr), false };
	for (i = 0; i < 8; i++)
		segs[1 + i] = (struct test_seg){ s->data_gpa + i * 256, 256,
						 false };
	segs[9] = (struct test_seg){ s->status_gpa, 1, true };
	s->head = test_ring_add(&d.r, segs, 10);
	test_disk_kick(&d);
	blk_state_power_off(&d.s);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(i < left ? 0x5a : 0, byte_at(8 + i));
}
END_TEST

static TCase *latency_case(void)
{
	TCase *tc = tcase_create("latency");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_completion_before_the_latency_l7);
	tcase_add_test(tc, latency_counts_from_the_admission_l7);
	tcase_add_test(tc, many_wait_side_by_side_l7);
	tcase_add_test(tc, due_at_once_is_done_in_one_look_l7);
	tcase_add_test(tc, the_image_is_touched_at_completion_l7);
	tcase_add_test(tc, changes_in_flight_have_no_effect_l7);
	tcase_add_test(tc,
		       jitter_changes_the_order_and_each_is_done_when_due_l7);
	tcase_add_test(tc,
		       a_completion_comes_while_the_next_chain_is_blocked_l7);
	tcase_add_test(tc, a_new_latency_is_for_those_to_come_l6_l7);
	tcase_add_test(tc, a_refusal_takes_no_time_l7_c4);
	tcase_add_test(tc,
		       without_latency_nothing_waits_and_no_timer_is_armed_l7);
	tcase_add_test(tc, reset_drops_what_is_in_flight_c9_l7);
	tcase_add_test(tc, frozen_time_is_no_latency_s64_s69_l7);
	tcase_add_test(tc, one_head_in_flight_many_times_is_bounded_l7);
	return tc;
}

static TCase *faults_case(void)
{
	TCase *tc = tcase_create("faults");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_planted_error_is_answered_and_counted_l8);
	tcase_add_test(tc, bad_sectors_fail_and_their_neighbours_do_not_l8);
	tcase_add_test(tc, a_failed_request_costs_what_it_would_have_l5_l8);
	tcase_add_test(tc, every_second_request_stalls_the_disk_l8);
	tcase_add_test(tc, new_rates_do_not_count_faults_anew_l6_l8);
	tcase_add_test(tc, a_stall_at_a_time_holds_what_comes_due_l8);
	tcase_add_test(tc, frozen_time_ends_no_stall_s69_l8);
	tcase_add_test(tc, a_stall_that_held_nothing_is_not_counted_l8);
	tcase_add_test(tc, a_stall_ends_when_the_faults_do_l8);
	tcase_add_test(tc, power_off_tears_the_writes_in_flight_l8);
	tcase_add_test(tc, power_off_drops_writes_unless_asked_to_tear_l8);
	tcase_add_test(tc, a_torn_write_of_many_pieces_l8);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("blk_latency");

	suite_add_tcase(suite, latency_case());
	suite_add_tcase(suite, faults_case());
	return test_run(suite);
}
