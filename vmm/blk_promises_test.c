// SPDX-License-Identifier: GPL-2.0-only
/* Promises of the disk that its other tests let through when broken. */
#include "vmm/blk_state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/test_run.h"
#include "vmm/blk_test_disk.h"

#define OK VIRTIO_BLK_S_OK
#define IN VIRTIO_BLK_T_IN
#define QUEUE 16

static struct test_disk d;
static struct blk_worker *const w = &d.sh.worker;

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

static void teardown(void)
{
	test_disk_fini(&d);
}

static void submit(unsigned int slot, uint64_t sector, uint32_t len)
{
	test_slot_submit(&d.slots[slot], &d.r, IN, sector, len);
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

/* S24: as the placement says, not just first of all */
START_TEST(the_worker_asks_for_the_cpus_it_was_given_s24)
{
	blk_worker_close(w);
	w->placement = (struct blk_placement){ .has_mask = true };
	CPU_SET(_i, &w->placement.mask);
	CPU_SET(5, &w->placement.mask);
	ck_assert_int_eq(0, blk_worker_open(w, &d.s));
	ck_assert(CPU_EQUAL(&w->placement.mask, &d.sys.placed));

	blk_worker_close(w);
	w->placement.has_cpu = true;
	w->placement.cpu = 7;
	ck_assert_int_eq(0, blk_worker_open(w, &d.s));
	ck_assert_int_eq(1, CPU_COUNT(&d.sys.placed));
	ck_assert(CPU_ISSET(7, &d.sys.placed));
}
END_TEST

/* S28: what is ready says so under its own token, and none but it */
START_TEST(each_descriptor_has_its_token_s28)
{
	const struct {
		int fd;
		enum blk_token token;
	} all[] = {
		{ w->kick_fd, BLK_TOKEN_KICK },
		{ w->stop_fd, BLK_TOKEN_STOP },
		{ w->timer_fd, BLK_TOKEN_THROTTLE },
		{ w->gate.pause_fd, BLK_TOKEN_PAUSE },
	};
	struct epoll_event ev[BLK_WORKER_EVENTS];
	uint64_t n = 1;

	if (all[_i].token == BLK_TOKEN_THROTTLE)
		ck_assert_int_eq(0, blk_sys_host.timer_arm(NULL, all[_i].fd, 1));
	else
		ck_assert_int_eq(8, write(all[_i].fd, &n, sizeof(n)));
	ck_assert(is_readable(all[_i].fd, 5000));
	ck_assert_int_eq(1, blk_sys_host.epoll_wait(NULL, w->epoll_fd, ev,
						    BLK_WORKER_EVENTS));
	ck_assert_uint_eq(all[_i].token, ev[0].data.u64);
	ck_assert_uint_eq(EPOLLIN, ev[0].events);
	/* read, it is quiet: each of them is a counter that does not block */
	ck_assert_int_eq(0, blk_sys_host.counter_read(NULL, all[_i].fd, &n));
	ck_assert_int_eq(-EAGAIN,
			 blk_sys_host.counter_read(NULL, all[_i].fd, &n));
	ck_assert_int_eq(0, epoll_wait(w->epoll_fd, ev, 1, 0));
}
END_TEST

/* S56: absolute, and of the clock that the limiter is asked with */
START_TEST(the_timer_has_the_clock_of_the_limiter_s56)
{
	const uint64_t start = blk_sys_host.now_ns(NULL);
	const uint64_t at = start + 200 * NSEC_PER_MSEC;
	uint64_t now, own = clock_now_ns();

	ck_assert_uint_ge(own, start);
	ck_assert_uint_lt(own - start, 10 * NSEC_PER_SEC);
	ck_assert_int_eq(0, blk_sys_host.timer_arm(NULL, w->timer_fd, at));
	/* not at once, as with a clock that is ahead */
	while (!is_readable(w->timer_fd, 0)) {
		now = blk_sys_host.now_ns(NULL);
		ck_assert_uint_lt(now, at + 10 * NSEC_PER_SEC);
		usleep(1000);
	}
	ck_assert_uint_ge(blk_sys_host.now_ns(NULL), at);
}
END_TEST

static unsigned int parks, drains;

static int park_and_resume(struct test_sys *t, int stop_fd, int resume_fd)
{
	parks++;
	blk_gate_resume(&w->gate);
	return 0;
}

static struct blk_outcome stalled_0(void *state)
{
	drains++;
	return BLK_STALLED(0);
}

/* S50: two drains, and whoever else is ready gets a turn before the third */
START_TEST(a_pause_comes_before_the_third_drain_s50)
{
	const struct epoll_event both[] = {
		blk_event_make(BLK_TOKEN_THROTTLE),
		blk_event_make(BLK_TOKEN_PAUSE),
	};
	struct blk_worker_client client = blk_state_client;

	client.drain = stalled_0;
	w->client = &client;
	d.sys.park = park_and_resume;
	blk_gate_arrive(&w->gate);
	test_disk_step(&d, BLK_TOKEN_KICK);
	ck_assert_uint_eq(2, drains);
	blk_gate_pause(&w->gate);
	ck_assert_int_eq(BLK_STEP_GO_ON, blk_worker_step(w, both, 2));
	ck_assert_uint_eq(1, parks);
	ck_assert_uint_eq(2, drains);
	/* then it goes on where it was */
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	ck_assert_uint_eq(4, drains);
}
END_TEST

/* With nobody to poke a line is logged where the poke would have been. */
static unsigned int pokes, pokes_seen_parked;

static void look_at_the_poke(void *ctx, enum log_level level, const char *line)
{
	if (!strstr(line, "no coordinator"))
		return;
	pokes++;
	pokes_seen_parked += blk_gate_is_parked(&w->gate);
}

/* S58, S59: who is poked finds the worker parked, and the limiter at rest */
START_TEST(parked_is_seen_before_the_poke_s58_s59)
{
	log_set_sink(look_at_the_poke, NULL);
	d.sys.park = park_and_resume;
	blk_gate_arrive(&w->gate);
	blk_gate_pause(&w->gate);
	ck_assert(!blk_gate_is_parked(&w->gate));
	test_disk_step(&d, BLK_TOKEN_PAUSE);
	ck_assert_uint_eq(1, parks);
	ck_assert_uint_eq(1, pokes);
	ck_assert_uint_eq(1, pokes_seen_parked);
	/* likewise one that ends instead */
	blk_gate_pause(&w->gate);
	blk_gate_leave(&w->gate);
	ck_assert_uint_eq(2, pokes);
	ck_assert_uint_eq(2, pokes_seen_parked);
}
END_TEST

/*
 * S60, with nothing between the threads but the gate: a poke's eventfd would
 * order what it must order. What is looked at here are plain words, so that
 * ThreadSanitizer tells if they are not.
 */
START_TEST(parked_makes_all_the_workers_writes_visible_s60)
{
	const struct virtqueue *vq = &d.s.queue[0].vq;
	unsigned int i;

	d.sys.host_clock = true;
	blk_worker_close(w);
	ck_assert_int_eq(0, blk_worker_start(w, &d.s));
	for (i = 0; i < 300; i++) {
		submit(i % 4, i % 8, 512);
		blk_worker_poke(w);
		blk_gate_pause(&w->gate);
		while (!blk_gate_is_parked(&w->gate))
			sched_yield();
		ck_assert_uint_eq(vq->next_used, vq->next_avail);
		ck_assert_uint_le(vq->next_used, i + 1);
		if (vq->next_used == i + 1)
			ck_assert_uint_eq(OK, *d.slots[i % 4].status);
		blk_gate_resume(&w->gate);
	}
	ck_assert_ptr_eq(&d.s, blk_worker_stop(w));
}
END_TEST

/* S31, as far as a test can wait */
START_TEST(an_idle_second_is_one_wait_s31)
{
	d.sys.host_clock = true;
	blk_worker_close(w);
	ck_assert_int_eq(0, blk_worker_start(w, &d.s));
	usleep(1200000);
	ck_assert_ptr_eq(&d.s, blk_worker_stop(w));
	ck_assert_uint_eq(1, test_sys_count(&d.sys, CALL_EPOLL_WAIT, -1));
}
END_TEST

/* L5: no tokens for what never was a request, and no wait for them */
START_TEST(malformed_chains_cost_nothing_l5)
{
	struct token_bucket before;

	teardown();
	setup_with((struct vm_throttle){ .iops = 10, .bps = 5120,
					 .burst_ns = 1 }, TEST_FEATURES);
	submit(0, 0, 512);
	test_disk_kick(&d);
	test_disk_expect(&d, &d.slots[0], OK, 513);
	if (_i / 2) /* with tokens to take, or in debt */
		d.sys.now_ns += 10 * NSEC_PER_SEC;
	before = d.s.tb;
	if (_i % 2) { /* a loop */
		test_ring_desc(&d.r, 8, d.slots[1].hdr_gpa, 16,
			       VRING_DESC_F_NEXT, 8);
	} else { /* no byte for the status */
		test_slot_header(&d.slots[1], IN, 0);
		test_ring_desc(&d.r, 8, d.slots[1].hdr_gpa, 16, 0, 0);
	}
	test_ring_publish(&d.r, 8);
	test_disk_kick(&d);
	ck_assert_uint_eq(2, test_ring_used_idx(&d.r));
	ck_assert_uint_eq(1, test_disk_stats(&d).malformed);
	ck_assert_uint_eq(0, test_disk_stats(&d).throttle_events);
	ck_assert(!w->blocked);
	ck_assert_mem_eq(&before.lane, &d.s.tb.lane, sizeof(before.lane));
}
END_TEST

/* S40, S41: one look serves both, and neither is told again */
START_TEST(kick_and_timer_are_both_read_s40_s41)
{
	const struct epoll_event both[] = {
		blk_event_make(BLK_TOKEN_KICK),
		blk_event_make(BLK_TOKEN_THROTTLE),
	};

	teardown();
	setup_with((struct vm_throttle){ .iops = 10, .burst_ns = 1 },
		   TEST_FEATURES);
	submit(0, 0, 512);
	submit(1, 0, 512);
	test_disk_kick(&d);
	ck_assert(w->blocked);
	d.sys.now_ns = d.sys.armed_at_ns;
	d.sys.nr_calls = 0;
	blk_worker_poke(w);
	blk_worker_step(w, both, 2);
	ck_assert_uint_eq(1, test_sys_count(&d.sys, CALL_COUNTER_READ,
					    w->timer_fd));
	ck_assert_uint_eq(1, test_sys_count(&d.sys, CALL_COUNTER_READ,
					    w->kick_fd));
	ck_assert_uint_eq(2, test_disk_stats(&d).reads);
	ck_assert(!w->armed);
}
END_TEST

static void submit_discard(unsigned int slot, unsigned int nr,
			   const struct virtio_blk_discard_write_zeroes *r)
{
	memcpy(d.slots[slot].data, r, nr * sizeof(*r));
	test_slot_submit(&d.slots[slot], &d.r, VIRTIO_BLK_T_DISCARD, 0,
			 nr * sizeof(*r));
}

/* Section 9: any of the ranges, not just the first */
START_TEST(no_range_may_be_over_the_maximum_h8)
{
	struct virtio_blk_discard_write_zeroes r[] = {
		{ 0, 8, 0 }, { 8, BLK_MAX_DISCARD_SECTORS, 0 },
	};

	d.s.disk.sectors = 1ULL << 40; /* so that all are in range */
	submit_discard(0, 2, r);
	test_disk_kick(&d);
	ck_assert_uint_eq(OK, *d.slots[0].status);
	r[1].num_sectors++;
	submit_discard(1, 2, r);
	test_disk_kick(&d);
	ck_assert_uint_eq(VIRTIO_BLK_S_IOERR, *d.slots[1].status);
}
END_TEST

/* Section 9: what is done much later is what was checked */
START_TEST(ranges_are_done_as_they_were_checked_h9)
{
	const struct virtio_blk_discard_write_zeroes checked = { 0, 8, 0 };
	const struct virtio_blk_discard_write_zeroes changed = { 0, 64, 0 };

	teardown();
	setup_with((struct vm_throttle){ .latency_ns = NSEC_PER_MSEC },
		   TEST_FEATURES);
	memset(d.slots[0].data, 0x5a, 16384);
	test_slot_submit(&d.slots[0], &d.r, VIRTIO_BLK_T_OUT, 0, 16384);
	test_disk_kick(&d);
	d.sys.now_ns += NSEC_PER_MSEC;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	submit_discard(1, 1, &checked);
	test_disk_kick(&d);
	memcpy(d.slots[1].data, &changed, sizeof(changed));
	d.sys.now_ns += NSEC_PER_MSEC;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	submit(2, 0, 16384);
	test_disk_kick(&d);
	d.sys.now_ns += NSEC_PER_MSEC;
	test_disk_step(&d, BLK_TOKEN_THROTTLE);
	ck_assert_uint_eq(3, test_ring_used_idx(&d.r));
	ck_assert_uint_eq(0, d.slots[2].data[8 * 512 - 1]);
	ck_assert_uint_eq(0x5a, d.slots[2].data[8 * 512]);
}
END_TEST

/* MQ: a queue gets back what it had in flight, however often */
START_TEST(a_queue_gets_its_room_back_mq_l7)
{
	struct virtio_queue_setup setups[2];
	struct test_ring second;
	unsigned int i;

	teardown();
	setup_with((struct vm_throttle){ .latency_ns = NSEC_PER_MSEC },
		   TEST_FEATURES);
	blk_state_reset(&d.s);
	test_ring_init(&second, &d.m, QUEUE);
	setups[0] = test_ring_setup(&d.r);
	setups[1] = test_ring_setup(&second);
	ck_assert_int_eq(0, blk_state_activate(&d.s, TEST_FEATURES, setups,
					       2));
	for (i = 1; i <= 3 * QUEUE; i++) {
		test_slot_submit(&d.slots[0], &second, IN, 0, 512);
		test_disk_kick(&d);
		d.sys.now_ns += NSEC_PER_MSEC;
		test_disk_step(&d, BLK_TOKEN_THROTTLE);
		ck_assert_uint_eq(i, test_ring_used_idx(&second));
	}
	ck_assert_uint_eq(0, test_ring_used_idx(&d.r));
}
END_TEST

/*
 * C6: the used ring's page may not be written until the first write of it,
 * which is the used entry's: what is the status then?
 */
static uint8_t status_at_used, data_at_used;
static bool used_written;

static void on_write(int sig, siginfo_t *info, void *ctx)
{
	const uintptr_t page = (uintptr_t)d.r.used;

	if ((uintptr_t)info->si_addr - page >= 4096)
		_exit(99);
	status_at_used = *d.slots[0].status;
	data_at_used = d.slots[0].data[511];
	used_written = true;
	mprotect(d.r.used, 4096, PROT_READ | PROT_WRITE);
}

START_TEST(the_status_is_there_before_the_used_entry_c6)
{
	const struct sigaction sa = { .sa_sigaction = on_write,
				      .sa_flags = SA_SIGINFO };

	teardown();
	/* the event index: the device's flags, in that page too, stay alone */
	setup_with((struct vm_throttle){ 0 }, TEST_FEATURES | TEST_EVENT_IDX);
	ck_assert_uint_eq(0, d.r.used_gpa % 4096);
	memset(d.slots[0].data, 0xff, 512);
	submit(0, 0, 512);
	ck_assert_int_eq(0, sigaction(SIGSEGV, &sa, NULL));
	ck_assert_int_eq(0, mprotect(d.r.used, 4096, PROT_READ));
	test_disk_kick(&d);
	ck_assert(used_written);
	ck_assert_uint_eq(OK, status_at_used);
	ck_assert_uint_eq(0, data_at_used);
	test_disk_expect(&d, &d.slots[0], OK, 513);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blk_promises");
	TCase *tc = tcase_create("blk_promises");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, the_worker_asks_for_the_cpus_it_was_given_s24,
			    0, 4);
	tcase_add_loop_test(tc, each_descriptor_has_its_token_s28, 0, 4);
	tcase_add_test(tc, the_timer_has_the_clock_of_the_limiter_s56);
	tcase_add_test(tc, a_pause_comes_before_the_third_drain_s50);
	tcase_add_test(tc, parked_is_seen_before_the_poke_s58_s59);
	tcase_add_test(tc, parked_makes_all_the_workers_writes_visible_s60);
	tcase_add_test(tc, an_idle_second_is_one_wait_s31);
	tcase_add_loop_test(tc, malformed_chains_cost_nothing_l5, 0, 4);
	tcase_add_test(tc, kick_and_timer_are_both_read_s40_s41);
	tcase_add_test(tc, no_range_may_be_over_the_maximum_h8);
	tcase_add_test(tc, ranges_are_done_as_they_were_checked_h9);
	tcase_add_test(tc, a_queue_gets_its_room_back_mq_l7);
	tcase_add_test(tc, the_status_is_there_before_the_used_entry_c6);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
