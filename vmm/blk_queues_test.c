// SPDX-License-Identifier: GPL-2.0-only
/* MQ: one worker, one limiter, one image, and several queues. */
#include "vmm/blk_state.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/test_run.h"
#include "vmm/blk_test_disk.h"

#define OK VIRTIO_BLK_S_OK
#define IN VIRTIO_BLK_T_IN
#define OUT VIRTIO_BLK_T_OUT
#define QUEUE 16
#define MS NSEC_PER_MSEC
#define T0 1000000000ULL /* where the test's clock begins */

static struct test_disk d; /* its ring is queue 0's */
static struct test_ring second;

static void activate(uint64_t features)
{
	const struct virtio_queue_setup setups[] = {
		test_ring_setup(&d.r), test_ring_setup(&second),
	};

	ck_assert_int_eq(0, blk_state_activate(&d.s, features, setups, 2));
}

static void setup_with(struct vm_throttle throttle, uint64_t features)
{
	const struct vm_disk_config cfg = { .name = "data",
					    .size_bytes = TEST_DISK_BYTES,
					    .throttle = throttle };

	test_disk_init(&d, &cfg, QUEUE);
	test_ring_init(&second, &d.m, QUEUE);
	activate(features);
}

static void setup(void)
{
	setup_with((struct vm_throttle){ 0 }, TEST_FEATURES);
}

static void teardown(void)
{
	test_disk_fini(&d);
}

static void again_with(struct vm_throttle throttle, uint64_t features)
{
	teardown();
	setup_with(throttle, features);
}

static struct test_ring *ring(unsigned int queue)
{
	return queue ? &second : &d.r;
}

static void submit(unsigned int queue, unsigned int slot, uint32_t type,
		   uint32_t len)
{
	test_slot_submit(&d.slots[slot], ring(queue), type, slot * 16, len);
}

static void expect(unsigned int queue, unsigned int slot, uint32_t len)
{
	uint32_t id, got;

	ck_assert(test_ring_used(ring(queue), &id, &got));
	ck_assert_uint_eq(d.slots[slot].head, id);
	ck_assert_uint_eq(OK, *d.slots[slot].status);
	ck_assert_uint_eq(len, got);
}

static void expect_none(void)
{
	uint32_t id, len;

	ck_assert(!test_ring_used(&d.r, &id, &len));
	ck_assert(!test_ring_used(&second, &id, &len));
}

static bool poked(void)
{
	struct pollfd p = { .fd = d.sh.worker.kick_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

START_TEST(one_kick_serves_all_queues_and_each_is_told_mq)
{
	submit(0, 0, IN, 512);
	submit(1, 1, IN, 1024);
	submit(1, 2, IN, 512);
	test_disk_kick(&d);
	expect(0, 0, 513);
	expect(1, 1, 1025);
	expect(1, 2, 513);
	expect_none();
	ck_assert_uint_eq(1, d.irq.used_of[0]);
	ck_assert_uint_eq(2, d.irq.used_of[1]);
	ck_assert_uint_eq(3, test_disk_stats(&d).reads);
	ck_assert(!poked());
}
END_TEST

/* A driver of one queue takes the first; one may also leave a queue out. */
START_TEST(a_queue_that_is_not_ready_is_left_out_mq)
{
	const struct virtio_queue_setup setups[] = {
		{ 0 }, test_ring_setup(&second), { .size = 7 },
	};

	blk_state_reset(&d.s);
	ck_assert_int_eq(0, blk_state_activate(&d.s, TEST_FEATURES, setups,
					       3));
	submit(0, 0, IN, 512);
	submit(1, 1, IN, 512);
	test_disk_kick(&d);
	expect(1, 1, 513);
	expect_none();
	ck_assert_uint_eq(0, d.irq.used_of[0]);
	ck_assert_uint_eq(1, d.irq.used_of[1]);
}
END_TEST

/* One each 100 ms: by turns, though one queue has all of its work there. */
START_TEST(queues_share_the_rate_by_turns_mq)
{
	unsigned int order[6], got = 0, i;
	uint32_t id, len;

	again_with((struct vm_throttle){ .iops = 10, .burst_ns = 1 },
		   TEST_FEATURES);
	for (i = 0; i < 4; i++)
		submit(0, i, IN, 512);
	submit(1, 4, IN, 512);
	submit(1, 5, IN, 512);
	test_disk_kick(&d);
	for (;;) {
		if (test_ring_used(&d.r, &id, &len))
			order[got++] = 0;
		if (test_ring_used(&second, &id, &len))
			order[got++] = 1;
		if (!d.sh.worker.blocked)
			break;
		test_disk_fire(&d);
	}
	ck_assert_uint_eq(6, got);
	for (i = 0; i < 6; i++)
		ck_assert_uint_eq(i < 4 ? i % 2 : 0, order[i]);
	ck_assert_uint_eq(T0 + 500 * MS - 1, d.sys.now_ns);
	ck_assert_uint_eq(5, test_disk_stats(&d).throttle_events);
}
END_TEST

/* C2: small ones of another queue don't slip past a large one for ever. */
START_TEST(a_stalled_chain_keeps_its_turn_mq)
{
	again_with((struct vm_throttle){ .bps = 51200, .burst_ns = 1 },
		   TEST_FEATURES);
	submit(0, 0, IN, 5120);
	test_disk_kick(&d);
	expect(0, 0, 5121);
	submit(1, 1, IN, 51200);
	test_disk_kick(&d);
	ck_assert(d.sh.worker.blocked);
	submit(0, 2, IN, 512);
	test_disk_kick(&d);
	test_disk_fire(&d);
	expect(1, 1, 51201);
	expect_none();
	test_disk_fire(&d);
	expect(0, 2, 513);
}
END_TEST

static void refill(void *ctx)
{
	uint32_t id, len;

	while (test_ring_used(&d.r, &id, &len))
		test_ring_publish(&d.r, d.slots[0].head);
}

/* B5: a queue that is never empty does not keep the other one waiting. */
START_TEST(a_queue_that_refills_for_ever_starves_no_other_b5_mq)
{
	unsigned int i;

	d.irq.hook = refill;
	submit(0, 0, IN, 512);
	for (i = 1; i < 4; i++)
		submit(1, i, IN, 512);
	test_disk_kick(&d);
	for (i = 1; i < 4; i++)
		expect(1, i, 513);
	/* and stop gets a turn */
	ck_assert(poked());
	ck_assert_uint_le(test_disk_stats(&d).reads, 2 * QUEUE);
}
END_TEST

/* C7, B8: asked for on each queue when all are empty, on none in a stall. */
START_TEST(kicks_of_each_queue_are_asked_for_when_all_are_empty_c7_b8_mq)
{
	const bool event_idx = _i;

	again_with((struct vm_throttle){ .iops = 10, .burst_ns = 1 },
		   TEST_FEATURES | (event_idx ? TEST_EVENT_IDX : 0));
	submit(0, 0, IN, 512);
	test_disk_kick(&d);
	expect(0, 0, 513);
	submit(1, 1, IN, 512);
	ck_assert(test_ring_must_kick(&second, event_idx));
	test_disk_kick(&d);
	ck_assert(d.sh.worker.blocked);
	submit(0, 2, IN, 512);
	/* with the event index the one kick that was asked for is still out */
	ck_assert_int_eq(event_idx, test_ring_must_kick(&d.r, event_idx));
	submit(1, 3, IN, 512);
	ck_assert(!test_ring_must_kick(&second, event_idx));
	test_disk_fire(&d);
	test_disk_fire(&d);
	test_disk_fire(&d);
	ck_assert(!d.sh.worker.blocked);
	submit(0, 4, IN, 512);
	ck_assert(test_ring_must_kick(&d.r, event_idx));
	submit(1, 5, IN, 512);
	ck_assert(test_ring_must_kick(&second, event_idx));
}
END_TEST

/* C8: the device needs a reset, whichever ring it is. */
START_TEST(one_broken_ring_stops_all_queues_c8_mq)
{
	submit(0, 0, IN, 512);
	test_ring_set_avail_idx(&second, 1000);
	ck_assert_int_eq(BLK_STEP_BROKEN, test_disk_step(&d, BLK_TOKEN_KICK));
	ck_assert_uint_eq(1, test_disk_stats(&d).poisoned);
	submit(0, 1, IN, 512);
	test_disk_step(&d, BLK_TOKEN_KICK);
	ck_assert_uint_eq(TEST_STATUS_NONE, *d.slots[1].status);
	ck_assert_uint_eq(1, test_disk_stats(&d).poisoned);
	blk_state_reset(&d.s);
	test_ring_restart(&d.r);
	test_ring_restart(&second);
	activate(TEST_FEATURES);
	submit(0, 0, IN, 512);
	submit(1, 1, IN, 512);
	test_disk_kick(&d);
	expect(0, 0, 513);
	expect(1, 1, 513);
}
END_TEST

/* Section 9, R: one that is refused at activation. */
START_TEST(a_bad_second_ring_refuses_the_device_r_mq)
{
	struct virtio_queue_setup setups[] = {
		test_ring_setup(&d.r), test_ring_setup(&second),
	};

	blk_state_reset(&d.s);
	setups[1].desc_gpa = UINT64_MAX;
	ck_assert_int_eq(-EINVAL, blk_state_activate(&d.s, TEST_FEATURES,
						     setups, 2));
	submit(0, 0, IN, 512);
	test_disk_step(&d, BLK_TOKEN_KICK);
	ck_assert_uint_eq(TEST_STATUS_NONE, *d.slots[0].status);
}
END_TEST

/* L7: each in its own ring, whatever is in flight of the other. */
START_TEST(requests_in_flight_go_back_to_their_queue_l7_mq)
{
	again_with((struct vm_throttle){ .latency_ns = 10 * MS },
		   TEST_FEATURES);
	submit(0, 0, IN, 512);
	test_disk_kick(&d);
	d.sys.now_ns += MS;
	submit(1, 1, IN, 512);
	test_disk_kick(&d);
	d.sys.now_ns += MS;
	submit(0, 2, IN, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(3, d.s.pending.nr);
	d.sys.now_ns = T0 + 10 * MS;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	expect(0, 0, 513);
	expect_none();
	d.sys.now_ns = T0 + 11 * MS;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	expect(1, 1, 513);
	expect_none();
	d.sys.now_ns = T0 + 12 * MS;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	expect(0, 2, 513);
	ck_assert_uint_eq(1, d.irq.used_of[1]);
}
END_TEST

/* One head many times fills its own queue's room only, and nothing spins. */
START_TEST(a_full_queue_leaves_the_other_its_room_l7_mq)
{
	unsigned int i;

	again_with((struct vm_throttle){ .latency_ns = 10 * MS },
		   TEST_FEATURES);
	submit(0, 0, IN, 512);
	for (i = 1; i < QUEUE; i++)
		test_ring_publish(&d.r, d.slots[0].head);
	test_disk_kick(&d);
	test_ring_publish(&d.r, d.slots[0].head);
	submit(1, 1, IN, 512);
	test_disk_kick(&d);
	ck_assert_uint_eq(QUEUE + 1, d.s.pending.nr);
	ck_assert(!poked());
	d.sys.now_ns = T0 + 10 * MS;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	expect(1, 1, 513);
	ck_assert_uint_eq(1, d.s.pending.nr);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blk_queues");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_kick_serves_all_queues_and_each_is_told_mq);
	tcase_add_test(tc, a_queue_that_is_not_ready_is_left_out_mq);
	tcase_add_test(tc, queues_share_the_rate_by_turns_mq);
	tcase_add_test(tc, a_stalled_chain_keeps_its_turn_mq);
	tcase_add_test(tc,
		       a_queue_that_refills_for_ever_starves_no_other_b5_mq);
	tcase_add_loop_test(
		tc, kicks_of_each_queue_are_asked_for_when_all_are_empty_c7_b8_mq,
		0, 2);
	tcase_add_test(tc, one_broken_ring_stops_all_queues_c8_mq);
	tcase_add_test(tc, a_bad_second_ring_refuses_the_device_r_mq);
	tcase_add_test(tc, requests_in_flight_go_back_to_their_queue_l7_mq);
	tcase_add_test(tc, a_full_queue_leaves_the_other_its_room_l7_mq);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
