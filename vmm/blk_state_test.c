// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_state.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hist.h"
#include "lib/test_run.h"
#include "vmm/blk_test_disk.h"

#define OK VIRTIO_BLK_S_OK
#define IOERR VIRTIO_BLK_S_IOERR
#define UNSUPP VIRTIO_BLK_S_UNSUPP
#define IN VIRTIO_BLK_T_IN
#define OUT VIRTIO_BLK_T_OUT
#define QUEUE 16

static struct test_disk d;

static void setup_with(struct vm_throttle throttle, uint64_t features)
{
	const struct vm_disk_config cfg = { .name = "data",
					    .size_bytes = TEST_DISK_BYTES,
					    .throttle = throttle };

	test_disk_init(&d, &cfg, QUEUE);
	test_disk_activate(&d, features);
}

static void setup(void)
{
	setup_with((struct vm_throttle){ 0 }, TEST_FEATURES);
}

/* One request each 100 ms, and no burst to speak of. */
static void setup_slow(void)
{
	setup_with((struct vm_throttle){ .iops = 10, .burst_ns = 1 },
		   TEST_FEATURES);
}

static void teardown(void)
{
	test_disk_fini(&d);
}

static void submit(unsigned int slot, uint32_t type, uint64_t sector,
		   uint32_t len)
{
	test_slot_submit(&d.slots[slot], &d.r, type, sector, len);
}

static bool poked(void)
{
	struct pollfd p = { .fd = d.sh.worker.kick_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* Use up what a slow disk has: its next request waits 100 ms. */
static void exhaust(void)
{
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[0], OK, 513);
	atomic_store(&d.irq.used, 0);
}

/* --- the loop on a real ring --- */

START_TEST(one_drain_serves_all_that_is_queued_s36)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		submit(i, IN, i, 512);
	test_disk_kick(&d);
	for (i = 0; i < 5; i++)
		test_disk_expect(&d, &d.slots[i], OK, 513);
	ck_assert_uint_eq(5, test_disk_stats(&d).reads);
	ck_assert_uint_eq(1, test_disk_stats(&d).kicks);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	memset(d.slots[0].data, 0x5a, 4096);
	submit(0, OUT, 8, 4096);
	submit(1, IN, 8, 4096);
	submit(2, IN, 16, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[0], OK, 1);
	test_disk_expect(&d, &d.slots[1], OK, 4097);
	test_disk_expect(&d, &d.slots[2], OK, 513);
	ck_assert_mem_eq(d.slots[0].data, d.slots[1].data, 4096);
	ck_assert_uint_eq(0, d.slots[2].data[0]);
	ck_assert_uint_eq(4096, test_disk_stats(&d).write_bytes);
	ck_assert_uint_eq(4608, test_disk_stats(&d).read_bytes);
}
END_TEST

/* S38, S39, S54, C2: nothing moves while the chain is blocked */
START_TEST(a_kick_while_blocked_moves_nothing_s38_s39_s54_c2)
{
	struct vm_disk_stats before, after;
	struct virtqueue vq;
	struct token_bucket tb;

	exhaust();
	submit(1, IN, 0, 512);
	submit(2, IN, 0, 512);
	test_disk_kick(&d);
	before = test_disk_stats(&d);
	memcpy(&vq, &d.s.queue[0].vq, sizeof(vq));
	memcpy(&tb, &d.s.tb, sizeof(tb));
	test_disk_kick(&d);
	test_disk_kick(&d);
	after = test_disk_stats(&d);
	ck_assert_uint_eq(before.kicks + 2, after.kicks);
	after.kicks = before.kicks;
	ck_assert(test_stats_same(&before, &after));
	ck_assert_mem_eq(&vq, &d.s.queue[0].vq, sizeof(vq));
	ck_assert_mem_eq(&tb, &d.s.tb, sizeof(tb));
	ck_assert_uint_eq(TEST_STATUS_NONE, *d.slots[1].status);
	test_disk_expect_none(&d);
	ck_assert_uint_eq(0, d.irq.used);
	ck_assert(!poked());
}
END_TEST

/* C2: admitted in the order of the ring, each when it is paid for */
START_TEST(admission_is_fifo_c2_s44_s48)
{
	unsigned int i;

	exhaust();
	for (i = 1; i <= 3; i++)
		submit(i, IN, 0, 512);
	test_disk_kick(&d);
	for (i = 1; i <= 3; i++) {
		ck_assert_uint_eq(1000000000 + i * 100000000 - 1,
				  d.sys.armed_at_ns);
		test_disk_expect_none(&d);
		test_disk_fire(&d);
		test_disk_expect(&d, &d.slots[i], OK, 513);
	}
	ck_assert(!d.sh.worker.blocked);
}
END_TEST

/* S40 on a ring: forced, and exactly once */
START_TEST(kick_and_timer_serve_once_s40)
{
	const struct epoll_event ev[] = { blk_event_make(BLK_TOKEN_KICK),
					  blk_event_make(BLK_TOKEN_THROTTLE) };

	exhaust();
	submit(1, IN, 0, 512);
	submit(2, IN, 0, 512);
	test_disk_kick(&d);
	d.sys.now_ns = d.sys.armed_at_ns;
	blk_worker_step(&d.sh.worker, ev, 2);
	test_disk_expect(&d, &d.slots[1], OK, 513);
	test_disk_expect_none(&d);
	ck_assert(d.sh.worker.blocked);
}
END_TEST

/* S46, S47: 4.1 s of debt and a silent guest */
START_TEST(long_debt_takes_k_plus_1_looks_s47)
{
	unsigned int looks = 0;

	teardown();
	setup_with((struct vm_throttle){ .bps = 10000, .burst_ns = 1 },
		   TEST_FEATURES);
	submit(0, IN, 0, 40960);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[0], OK, 40961);
	while (d.sh.worker.blocked) {
		ck_assert_uint_le(d.sys.armed_at_ns,
				  d.sys.now_ns + BLK_RETRY_CAP_NS);
		test_disk_fire(&d);
		looks++;
	}
	ck_assert_uint_le(looks, 6);
	ck_assert_uint_eq(1000000000 + 4096000000 - 1, d.sys.now_ns);
	test_disk_expect(&d, &d.slots[1], OK, 513);
	/* C5: one stall, however many looks */
	ck_assert_uint_eq(1, test_disk_stats(&d).throttle_events);
}
END_TEST

/* S55 on a ring */
START_TEST(oversized_request_then_its_followers_s55)
{
	teardown();
	setup_with((struct vm_throttle){ .bps = 51200 }, TEST_FEATURES);
	submit(0, IN, 0, 5120); /* burst: 512 bytes */
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[0], OK, 5121);
	test_disk_expect_none(&d);
	/* 100 ms' worth was taken, 10 ms' worth was saved */
	ck_assert_uint_eq(1090000000, d.sys.armed_at_ns);
	test_disk_fire(&d);
	test_disk_expect(&d, &d.slots[1], OK, 513);
}
END_TEST

START_TEST(memory_is_wired_late_s51_s52_b4)
{
	const struct virtio_queue_setup ring = test_ring_setup(&d.r);

	blk_state_reset(&d.s);
	atomic_store(&d.sh.mem, NULL);
	d.lines = 0;
	ck_assert_int_eq(0, blk_state_activate(&d.s, TEST_FEATURES, &ring, 1));
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_kick(&d);
	ck_assert_uint_eq(1, d.lines);
	test_disk_expect_none(&d);
	/* wired, no new kick: only our own poke */
	atomic_store(&d.sh.mem, &d.m.mem);
	blk_worker_poke(&d.sh.worker);
	test_disk_step(&d, BLK_TOKEN_KICK);
	test_disk_expect(&d, &d.slots[0], OK, 513);
}
END_TEST

START_TEST(queue_not_ready_is_not_drained_c1)
{
	struct virtio_queue_setup ring = test_ring_setup(&d.r);

	blk_state_reset(&d.s);
	ring.ready = false;
	ck_assert_int_eq(0, blk_state_activate(&d.s, TEST_FEATURES, &ring, 1));
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect_none(&d);
	ck_assert_uint_eq(0, d.irq.used);
}
END_TEST

/* --- B5, B8, C7: turns and notifications --- */

/* A guest that adds a request whenever one is read: it never runs dry. */
static ssize_t refill_preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	submit(0, IN, 0, 512);
	return preadv(fd, iov, nr, off);
}

static const struct blk_image_io refill_io = { .preadv = refill_preadv };

START_TEST(a_refilling_guest_gets_one_queue_size_a_turn_b5)
{
	unsigned int turn;

	d.s.image.io = &refill_io;
	submit(0, IN, 0, 512);
	for (turn = 1; turn <= 3; turn++) {
		test_disk_step(&d, BLK_TOKEN_KICK);
		ck_assert_uint_eq(turn * QUEUE, test_disk_stats(&d).reads);
		/* it comes back by itself, and stop or pause may be first */
		ck_assert(poked());
	}
	ck_assert_uint_eq(0, test_disk_stats(&d).kicks);
}
END_TEST

/* Each read takes 4 ms: a turn of 10 ms has time for three. */
static ssize_t long_preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	d.sys.now_ns += 4000000;
	return preadv(fd, iov, nr, off);
}

static const struct blk_image_io long_io = { .preadv = long_preadv };

START_TEST(large_requests_make_short_turns_b5)
{
	unsigned int i;

	d.s.image.io = &long_io;
	for (i = 0; i < 4; i++)
		submit(i, IN, 0, 512);
	test_disk_step(&d, BLK_TOKEN_KICK);
	ck_assert_uint_eq(3, test_disk_stats(&d).reads);
	ck_assert(poked());
	test_disk_step(&d, BLK_TOKEN_KICK);
	ck_assert_uint_eq(4, test_disk_stats(&d).reads);
	ck_assert(!poked());
}
END_TEST

START_TEST(kicks_are_suppressed_while_blocked_b8)
{
	const bool event_idx = _i;
	unsigned int i, notifies = 0;

	teardown();
	setup_with((struct vm_throttle){ .iops = 10, .burst_ns = 1 },
		   TEST_FEATURES | (event_idx ? TEST_EVENT_IDX : 0));
	exhaust();
	test_ring_must_kick(&d.r, event_idx);
	submit(1, IN, 0, 512);
	notifies += test_ring_must_kick(&d.r, event_idx);
	test_disk_kick(&d);
	ck_assert(d.sh.worker.blocked);
	for (i = 2; i < 5; i++) {
		submit(i, IN, 0, 512);
		notifies += test_ring_must_kick(&d.r, event_idx);
	}
	ck_assert_uint_le(notifies, 1);
	/* and the same through all the looks, until it is empty */
	while (d.sh.worker.blocked) {
		test_disk_fire(&d);
		if (d.sh.worker.blocked) {
			submit(5, IN, 0, 512);
			ck_assert(!test_ring_must_kick(&d.r, event_idx));
			d.r.avail->idx--; /* taken back: it was a question */
			d.r.kicked_idx--;
			d.r.next_desc = (d.r.next_desc + QUEUE - 3) % QUEUE;
		}
	}
	submit(6, IN, 0, 512);
	ck_assert(test_ring_must_kick(&d.r, event_idx));
}
END_TEST

/* C7: the request that comes while the last one is served needs no kick */
static unsigned int late_requests;

static ssize_t late_preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	if (late_requests) {
		late_requests--;
		submit(1, IN, 0, 512);
	}
	return preadv(fd, iov, nr, off);
}

static const struct blk_image_io late_io = { .preadv = late_preadv };

/* Before the last look, when the used entry is there already */
static void late_submit(void *ctx)
{
	if (late_requests) {
		late_requests--;
		submit(1, IN, 0, 512);
	}
}

/*
 * After the last look, before the wish for a kick: needs the re-check itself.
 * The first request done, the clock is read for its service time, and then for
 * the end of the queued time, when the ring was found empty.
 */
static void very_late_submit(void)
{
	static unsigned int looks;

	if (d.s.queue[0].vq.next_used == 1 && ++looks == 2) {
		submit(1, IN, 0, 512);
		test_ring_must_kick(&d.r, false);
	}
}

START_TEST(the_ring_is_looked_at_until_empty_c7)
{
	late_requests = 1;
	if (_i == 0)
		d.s.image.io = &late_io;
	else if (_i == 1)
		d.irq.hook = late_submit;
	else
		d.sys.clock_hook = very_late_submit;
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[0], OK, 513);
	test_disk_expect(&d, &d.slots[1], OK, 513);
	submit(2, IN, 0, 512);
	ck_assert(test_ring_must_kick(&d.r, false));
}
END_TEST

/* B8: the wish for a kick is taken back when the re-check leads to a stall */
START_TEST(a_stall_after_the_re_check_suppresses_kicks_b8)
{
	d.sys.clock_hook = very_late_submit;
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[0], OK, 513);
	ck_assert(d.sh.worker.blocked);
	submit(2, IN, 0, 512);
	ck_assert(!test_ring_must_kick(&d.r, false));
}
END_TEST

/* --- C5, C6, L5, L6, L9 --- */

START_TEST(stall_is_counted_once_and_the_gauge_falls_c5)
{
	exhaust();
	ck_assert(!test_disk_stats(&d).throttled_now);
	ck_assert(!test_disk_stats(&d).busy_now);
	submit(1, IN, 0, 512);
	submit(2, IN, 0, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(1, test_disk_stats(&d).throttle_events);
	ck_assert(test_disk_stats(&d).throttled_now);
	ck_assert(test_disk_stats(&d).busy_now);
	/* too early: the same chain goes on waiting */
	d.sys.now_ns += 1000;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	ck_assert_uint_eq(1, test_disk_stats(&d).throttle_events);
	ck_assert(test_disk_stats(&d).throttled_now);
	/* the first is admitted, the second is a stall of its own */
	test_disk_fire(&d);
	ck_assert_uint_eq(2, test_disk_stats(&d).throttle_events);
	ck_assert(test_disk_stats(&d).throttled_now);
	test_disk_fire(&d);
	ck_assert(!test_disk_stats(&d).throttled_now);
	ck_assert_uint_eq(2, test_disk_stats(&d).throttle_events);
}
END_TEST

START_TEST(reset_lowers_the_gauge_once_c5_c9)
{
	exhaust();
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	ck_assert(test_disk_stats(&d).throttled_now);
	blk_state_reset(&d.s);
	ck_assert(!test_disk_stats(&d).throttled_now);
	blk_state_reset(&d.s);
	ck_assert(!test_disk_stats(&d).throttled_now);
	ck_assert_uint_eq(1, test_disk_stats(&d).throttle_events);
	ck_assert_uint_eq(2, test_disk_stats(&d).resets);
}
END_TEST

/* A worker that ends by itself leaves nothing that seems to wait */
START_TEST(a_dead_worker_lowers_the_gauge_c5_s30)
{
	struct vm_disk_stats st;

	exhaust();
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	d.sys.now_ns += 1000;
	blk_state_client.died(&d.s);
	ck_assert_uint_eq(1, d.irq.needs_reset);
	st = test_disk_stats(&d);
	ck_assert(!st.throttled_now);
	d.sys.now_ns += 1000;
	ck_assert_uint_eq(1000, test_disk_stats(&d).throttled_ns);
	ck_assert_uint_eq(1000, test_disk_stats(&d).queued_ns);
}
END_TEST

/* C9, L6, L9, S34: debt goes; image, counters and limits stay */
START_TEST(reset_keeps_image_and_counters_c9_l6_l9)
{
	struct vm_disk_stats before;

	memset(d.slots[0].data, 0x77, 512);
	submit(0, OUT, 3, 512);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	before = test_disk_stats(&d);
	ck_assert(d.sh.worker.blocked);
	blk_state_reset(&d.s);
	d.sh.worker.blocked = false;
	ck_assert_uint_eq(before.writes, test_disk_stats(&d).writes);
	ck_assert_uint_eq(before.write_bytes, test_disk_stats(&d).write_bytes);
	test_ring_restart(&d.r);
	test_disk_activate(&d, TEST_FEATURES);
	submit(2, IN, 3, 512);
	submit(3, IN, 3, 512);
	test_disk_kick(&d);
	/* no debt from before, but the same rate */
	test_disk_expect(&d, &d.slots[2], OK, 513);
	ck_assert_uint_eq(0x77, d.slots[2].data[511]);
	test_disk_expect_none(&d);
	ck_assert(d.sh.worker.blocked);
}
END_TEST

/* What the guest sees at the moment of the interrupt; C6 */
static void check_order(void *ctx)
{
	ck_assert_uint_eq(d.irq.used, test_ring_used_idx(&d.r));
	ck_assert_uint_eq(OK, *d.slots[d.irq.used - 1].status);
}

START_TEST(status_then_used_entry_then_interrupt_c6)
{
	unsigned int i;

	d.irq.hook = check_order;
	for (i = 0; i < 4; i++)
		submit(i, IN, 0, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(4, d.irq.used);
	ck_assert_uint_eq(4, test_disk_stats(&d).interrupts);
}
END_TEST

START_TEST(interrupts_are_suppressed_only_when_asked_c6)
{
	test_ring_set_flags(&d.r, VRING_AVAIL_F_NO_INTERRUPT);
	submit(0, IN, 0, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(0, d.irq.used);
	test_ring_set_flags(&d.r, 0);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(1, d.irq.used);

	teardown();
	setup_with((struct vm_throttle){ 0 }, TEST_FEATURES | TEST_EVENT_IDX);
	/* the flag says nothing with EVENT_IDX; the index does */
	test_ring_set_flags(&d.r, VRING_AVAIL_F_NO_INTERRUPT);
	test_ring_set_used_event(&d.r, 2);
	submit(0, IN, 0, 512);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(0, d.irq.used);
	submit(2, IN, 0, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(1, d.irq.used);
}
END_TEST

/* L5, C4: what each request costs, seen in the bucket's own lanes */
static const struct cost_case {
	uint32_t type, len;
	uint64_t sector;
	uint8_t status;
	unsigned int ops, bytes;
	/* of DISCARD and WRITE_ZEROES */
	struct virtio_blk_discard_write_zeroes range;
} cost_cases[] = {
	{ IN, 4096, 0, OK, 1, 4096, { 0 } },
	{ OUT, 512, 0, OK, 1, 512, { 0 } },
	{ IN, 0, 0, OK, 1, 0, { 0 } },
	{ VIRTIO_BLK_T_FLUSH, 0, 0, OK, 1, 0, { 0 } },
	{ VIRTIO_BLK_T_GET_ID, 20, 0, OK, 1, 0, { 0 } },
	{ VIRTIO_BLK_T_DISCARD, 16, 0, OK, 1, 0, { 0, 64, 0 } },
	{ VIRTIO_BLK_T_WRITE_ZEROES, 16, 0, OK, 1, 64 * 512, { 0, 64, 0 } },
	{ VIRTIO_BLK_T_WRITE_ZEROES, 16, 0, OK, 1, 0, { 0, 64, 1 } },
	/* refused: nothing */
	{ IN, 100, 0, IOERR, 0, 0, { 0 } },
	{ IN, 512, 1 << 20, IOERR, 0, 0, { 0 } },
	{ 77, 512, 0, UNSUPP, 0, 0, { 0 } },
	{ VIRTIO_BLK_T_DISCARD, 16, 0, UNSUPP, 0, 0, { 0, 64, 1 } },
	{ VIRTIO_BLK_T_WRITE_ZEROES, 16, 0, IOERR, 0, 0, { 1 << 20, 1, 0 } },
};

START_TEST(costs_l5_c4)
{
	const struct cost_case *c = &cost_cases[_i];

	teardown();
	/* a rate of 1e9 makes one operation, or one byte, one nanosecond */
	setup_with((struct vm_throttle){ .iops = 1000000000,
					 .bps = 1000000000, .burst_ns = 1 },
		   TEST_FEATURES);
	memcpy(d.slots[0].data, &c->range, sizeof(c->range));
	submit(0, c->type, c->sector, c->len);
	test_disk_kick(&d);
	ck_assert_uint_eq(c->status, *d.slots[0].status);
	ck_assert_uint_eq(d.sys.now_ns + c->ops,
			  (uint64_t)d.s.tb.lane[TB_OPS].due_ns);
	ck_assert_uint_eq(d.sys.now_ns + c->bytes,
			  (uint64_t)d.s.tb.lane[TB_BYTES].due_ns);
}
END_TEST

/* C4, L4: what is refused passes at once when it is its turn, in debt too */
START_TEST(refusals_do_not_wait_for_tokens_c4)
{
	exhaust();
	submit(1, IN, 1 << 20, 512);
	submit(2, 99, 0, 512);
	submit(3, IN, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[1], IOERR, 0);
	test_disk_expect(&d, &d.slots[2], UNSUPP, 1);
	test_disk_expect_none(&d);
	ck_assert_uint_eq(1, test_disk_stats(&d).io_errors);
	ck_assert_uint_eq(1, test_disk_stats(&d).unsupported);
}
END_TEST

START_TEST(new_limits_take_effect_at_once_l6)
{
	exhaust();
	submit(1, IN, 0, 512);
	submit(2, IN, 0, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(1099999999, d.sys.armed_at_ns);
	/* ten times as fast: one request of debt is 10 ms now */
	test_disk_set_limits(&d, 100, 0, 1);
	blk_worker_poke(&d.sh.worker);
	test_disk_step(&d, BLK_TOKEN_KICK);
	ck_assert_uint_eq(1010000000, d.sys.armed_at_ns);
	test_disk_expect_none(&d);
	test_disk_fire(&d);
	test_disk_expect(&d, &d.slots[1], OK, 513);
	/* no limit at all: nothing to wait for */
	test_disk_set_limits(&d, 0, 0, 0);
	blk_worker_poke(&d.sh.worker);
	test_disk_step(&d, BLK_TOKEN_KICK);
	test_disk_expect(&d, &d.slots[2], OK, 513);
	ck_assert(!d.sh.worker.blocked);
}
END_TEST

START_TEST(times_are_told_up_to_now_l9)
{
	struct ktstr_hist h;

	exhaust();
	ck_assert_uint_eq(0, test_disk_stats(&d).throttled_ns);
	d.sys.now_ns += 30000000;
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	d.sys.now_ns += 50000000;
	ck_assert_uint_eq(50000000, test_disk_stats(&d).throttled_ns);
	ck_assert_uint_eq(50000000, test_disk_stats(&d).queued_ns);
	d.sys.armed_at_ns += 4; /* late by that */
	test_disk_fire(&d);
	d.sys.now_ns += 1000;
	ck_assert_uint_eq(70000003, test_disk_stats(&d).throttled_ns);
	ck_assert_uint_eq(70000003, test_disk_stats(&d).queued_ns);

	blk_stats_hist_read(&d.sh.stats, VM_DISK_HIST_LATENESS, &h);
	ck_assert_uint_eq(1, h.count);
	ck_assert_uint_eq(4, h.max_ns);
	blk_stats_hist_read(&d.sh.stats, VM_DISK_HIST_QUEUE, &h);
	ck_assert_uint_eq(2, h.count);
	ck_assert_uint_eq(70000003, h.sum_ns);
	blk_stats_hist_read(&d.sh.stats, VM_DISK_HIST_SERVICE, &h);
	ck_assert_uint_eq(2, h.count);
}
END_TEST

/* The image takes 5 us a read. */
static ssize_t slow_preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	d.sys.now_ns += 5000;
	return preadv(fd, iov, nr, off);
}

static const struct blk_image_io slow_io = { .preadv = slow_preadv };

START_TEST(backing_and_service_time_l9)
{
	struct ktstr_hist h;

	d.s.image.io = &slow_io;
	submit(0, IN, 0, 512);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(10000, test_disk_stats(&d).backing_ns);
	blk_stats_hist_read(&d.sh.stats, VM_DISK_HIST_SERVICE, &h);
	ck_assert_uint_eq(2, h.count);
	ck_assert_uint_eq(10000, h.sum_ns);
	/* the second waited for the first */
	blk_stats_hist_read(&d.sh.stats, VM_DISK_HIST_QUEUE, &h);
	ck_assert_uint_eq(5000, h.sum_ns);
}
END_TEST

START_TEST(requests_are_counted_by_type_l9)
{
	const struct virtio_blk_discard_write_zeroes range = { 0, 1, 0 };
	struct vm_disk_stats st;

	memcpy(d.slots[4].data, &range, sizeof(range));
	memcpy(d.slots[5].data, &range, sizeof(range));
	submit(0, IN, 0, 1024);
	submit(1, OUT, 0, 512);
	submit(2, VIRTIO_BLK_T_FLUSH, 0, 0);
	submit(3, VIRTIO_BLK_T_GET_ID, 0, 20);
	test_disk_kick(&d);
	submit(4, VIRTIO_BLK_T_DISCARD, 0, 16);
	submit(5, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16);
	test_disk_kick(&d);
	st = test_disk_stats(&d);
	ck_assert_uint_eq(1, st.reads);
	ck_assert_uint_eq(1, st.writes);
	ck_assert_uint_eq(1, st.flushes);
	ck_assert_uint_eq(2, st.discards);
	ck_assert_uint_eq(1, st.others);
	ck_assert_uint_eq(1024, st.read_bytes);
	ck_assert_uint_eq(512, st.write_bytes);
	ck_assert_uint_eq(0, st.io_errors + st.unsupported + st.malformed);
}
END_TEST

/* --- section 5 on a ring --- */

static struct vm_disk_stats at_park, after_3_s;

static int park_5_s(struct test_sys *t, int stop_fd, int resume_fd)
{
	at_park = test_disk_stats(&d);
	t->now_ns += 3 * NSEC_PER_SEC;
	after_3_s = test_disk_stats(&d);
	t->now_ns += 2 * NSEC_PER_SEC;
	blk_gate_resume(&d.sh.worker.gate);
	return 0;
}

/* S64, S68, S69, B10: no token earned, no time counted, one stall */
START_TEST(a_freeze_hands_out_nothing_s64_s68_s69_b10)
{
	struct ktstr_hist h;

	exhaust();
	submit(1, IN, 0, 512);
	submit(2, IN, 0, 512);
	test_disk_kick(&d);
	d.sys.now_ns += 40000000;
	d.sys.park = park_5_s;
	blk_gate_arrive(&d.sh.worker.gate);
	blk_gate_pause(&d.sh.worker.gate);
	test_disk_step(&d, BLK_TOKEN_PAUSE);
	test_disk_expect_none(&d);
	/* S64: for a reader, too, time stands still, with the gauge up */
	ck_assert(test_stats_same(&at_park, &after_3_s));
	ck_assert_uint_eq(40000000, at_park.throttled_ns);
	ck_assert(at_park.throttled_now);
	ck_assert_uint_eq(1099999999 + 5 * NSEC_PER_SEC, d.sys.armed_at_ns);
	test_disk_fire(&d);
	test_disk_expect(&d, &d.slots[1], OK, 513);
	test_disk_expect_none(&d);
	ck_assert_uint_eq(2, test_disk_stats(&d).throttle_events);
	ck_assert_uint_eq(99999999, test_disk_stats(&d).throttled_ns);
	blk_stats_hist_read(&d.sh.stats, VM_DISK_HIST_QUEUE, &h);
	ck_assert_uint_eq(99999999, h.sum_ns);
}
END_TEST

/* S69: with room for a burst, which 5 s would fill ten times over */
START_TEST(a_freeze_saves_up_no_burst_s69)
{
	unsigned int i;

	teardown();
	setup_with((struct vm_throttle){ .iops = 10, .burst_ns = 500000000 },
		   TEST_FEATURES);
	for (i = 0; i < 5; i++)
		submit(i, IN, 0, 512);
	test_disk_kick(&d);
	d.sys.park = park_5_s;
	blk_gate_arrive(&d.sh.worker.gate);
	blk_gate_pause(&d.sh.worker.gate);
	/* idle: nothing is saved but for the one that goes into debt */
	test_disk_step(&d, BLK_TOKEN_PAUSE);
	for (; i < 5 + 3; i++)
		submit(i, IN, 0, 512);
	blk_gate_pause(&d.sh.worker.gate);
	test_disk_step(&d, BLK_TOKEN_PAUSE);
	test_disk_step(&d, BLK_TOKEN_KICK);
	ck_assert_uint_eq(6, test_disk_stats(&d).reads);
	ck_assert(d.sh.worker.blocked);
	ck_assert_uint_eq(d.sys.now_ns + 100000000, d.sys.armed_at_ns);
	/* blocked: the same */
	blk_gate_pause(&d.sh.worker.gate);
	test_disk_step(&d, BLK_TOKEN_PAUSE);
	ck_assert_uint_eq(d.sys.now_ns + 100000000, d.sys.armed_at_ns);
	test_disk_fire(&d);
	ck_assert_uint_eq(7, test_disk_stats(&d).reads);
}
END_TEST

/* B10: a driver that was told not to kick is looked after, and told to */
START_TEST(resume_re_arms_notifications_b10)
{
	unsigned int i;

	teardown();
	setup_with((struct vm_throttle){ 0 }, TEST_FEATURES | TEST_EVENT_IDX);
	d.sys.park = park_5_s;
	blk_gate_arrive(&d.sh.worker.gate);
	for (i = 0; i < 3; i++)
		submit(i, IN, 0, 512);
	blk_gate_pause(&d.sh.worker.gate);
	test_disk_step(&d, BLK_TOKEN_PAUSE);
	test_disk_expect_none(&d);
	ck_assert(poked());
	test_disk_step(&d, BLK_TOKEN_KICK);
	for (i = 0; i < 3; i++)
		test_disk_expect(&d, &d.slots[i], OK, 513);
	test_ring_must_kick(&d.r, true);
	submit(3, IN, 0, 512);
	ck_assert(test_ring_must_kick(&d.r, true));
}
END_TEST

START_TEST(failed_timer_lets_the_guest_kick_b3)
{
	d.sys.fail = CALL_TIMER_ARM;
	d.sys.fail_times = 1000;
	d.sys.fail_err = EINVAL;
	exhaust();
	test_ring_must_kick(&d.r, false);
	submit(1, IN, 0, 512);
	test_disk_kick(&d);
	submit(2, IN, 0, 512);
	ck_assert(test_ring_must_kick(&d.r, false));
	d.sys.now_ns += 100000000;
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[1], OK, 513);
}
END_TEST

#define NR(table) (sizeof(table) / sizeof((table)[0]))

static TCase *fast_case(void)
{
	TCase *tc = tcase_create("fast");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_drain_serves_all_that_is_queued_s36);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, memory_is_wired_late_s51_s52_b4);
	tcase_add_test(tc, queue_not_ready_is_not_drained_c1);
	tcase_add_test(tc, a_refilling_guest_gets_one_queue_size_a_turn_b5);
	tcase_add_test(tc, large_requests_make_short_turns_b5);
	tcase_add_loop_test(tc, the_ring_is_looked_at_until_empty_c7, 0, 3);
	tcase_add_test(tc, status_then_used_entry_then_interrupt_c6);
	tcase_add_test(tc, interrupts_are_suppressed_only_when_asked_c6);
	tcase_add_loop_test(tc, costs_l5_c4, 0, NR(cost_cases));
	tcase_add_test(tc, backing_and_service_time_l9);
	tcase_add_test(tc, requests_are_counted_by_type_l9);
	tcase_add_test(tc, resume_re_arms_notifications_b10);
	return tc;
}

static TCase *slow_case(void)
{
	TCase *tc = tcase_create("slow");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup_slow, teardown);
	tcase_add_test(tc, a_kick_while_blocked_moves_nothing_s38_s39_s54_c2);
	tcase_add_test(tc, admission_is_fifo_c2_s44_s48);
	tcase_add_test(tc, kick_and_timer_serve_once_s40);
	tcase_add_test(tc, long_debt_takes_k_plus_1_looks_s47);
	tcase_add_test(tc, oversized_request_then_its_followers_s55);
	tcase_add_loop_test(tc, kicks_are_suppressed_while_blocked_b8, 0, 2);
	tcase_add_test(tc, a_stall_after_the_re_check_suppresses_kicks_b8);
	tcase_add_test(tc, stall_is_counted_once_and_the_gauge_falls_c5);
	tcase_add_test(tc, reset_lowers_the_gauge_once_c5_c9);
	tcase_add_test(tc, a_dead_worker_lowers_the_gauge_c5_s30);
	tcase_add_test(tc, reset_keeps_image_and_counters_c9_l6_l9);
	tcase_add_test(tc, refusals_do_not_wait_for_tokens_c4);
	tcase_add_test(tc, new_limits_take_effect_at_once_l6);
	tcase_add_test(tc, times_are_told_up_to_now_l9);
	tcase_add_test(tc, a_freeze_hands_out_nothing_s64_s68_s69_b10);
	tcase_add_test(tc, a_freeze_saves_up_no_burst_s69);
	tcase_add_test(tc, failed_timer_lets_the_guest_kick_b3);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("blk_state");

	suite_add_tcase(suite, fast_case());
	suite_add_tcase(suite, slow_case());
	return test_run(suite);
}
