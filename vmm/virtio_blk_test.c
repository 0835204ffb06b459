// SPDX-License-Identifier: GPL-2.0-only
/* The whole device with its worker's thread, as a transport drives it. */
#include "vmm/virtio_blk.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hist.h"
#include "lib/test_run.h"
#include "vmm/blk_gate.h"
#include "vmm/blk_test_disk.h"

#define OK VIRTIO_BLK_S_OK
#define IN VIRTIO_BLK_T_IN
#define OUT VIRTIO_BLK_T_OUT
#define QUEUE 64
#define FEATURE(bit) (1ULL << (bit))

static struct test_mem m;
static struct test_ring r;
static struct test_slot slots[TEST_SLOTS];
static struct test_irq irq;
static struct virtio_blk *b;
static _Atomic unsigned int lines;

static const struct vm_disk_config config = { .name = "data",
					      .size_bytes = TEST_DISK_BYTES };

static const struct virtio_dev_ops *ops(void)
{
	return virtio_blk_ops(b);
}

static void setup(void)
{
	log_set_sink(test_log_count, &lines);
	test_mem_init(&m, 4u << 20);
	test_ring_init(&r, &m, QUEUE);
	test_slots_init(slots, &m);
	test_irq_init(&irq);
	ck_assert_int_eq(0, virtio_blk_new(&m.mem, &config, NULL, &b));
	virtio_blk_set_irq(b, &irq.irq);
}

static void teardown(void)
{
	virtio_blk_free(b);
	test_mem_fini(&m);
	log_set_sink(NULL, NULL);
}

static void activate(void)
{
	const struct virtio_queue_setup ring = test_ring_setup(&r);

	ck_assert_int_eq(0, ops()->activate(b, TEST_FEATURES | TEST_EVENT_IDX,
					  &ring, 1));
}

static void kick(void)
{
	const uint64_t one = 1;

	ck_assert_int_eq(8, write(ops()->kick_fd(b, 0), &one, sizeof(one)));
}

static void throttle(uint64_t iops)
{
	virtio_blk_set_throttle(b, &(struct vm_throttle){ .iops = iops,
							  .burst_ns = 1 });
}

static struct vm_disk_stats stats(void)
{
	struct vm_disk_stats st;

	virtio_blk_stats_read(b, &st);
	return st;
}

static void submit(unsigned int slot, uint32_t type, uint64_t sector,
		   uint32_t len)
{
	test_slot_submit(&slots[slot], &r, type, sector, len);
	if (test_ring_must_kick(&r, true))
		kick();
}

/* Wait until the used index got to @idx. Return: whether, within 10 s. */
static bool wait_used(uint16_t idx)
{
	uint64_t end = clock_now_ns() + 10 * NSEC_PER_SEC;

	while ((int16_t)(test_ring_used_idx(&r) - idx) < 0) {
		if (clock_now_ns() > end)
			return false;
		usleep(100);
	}
	return true;
}

static bool wait_throttled(void)
{
	unsigned int i;

	for (i = 0; i < 10000 && !stats().throttled_now; i++)
		usleep(1000);
	return stats().throttled_now;
}

START_TEST(features_and_config_space)
{
	const uint64_t both = FEATURE(VIRTIO_F_VERSION_1) |
			      FEATURE(VIRTIO_RING_F_EVENT_IDX) |
			      FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
			      FEATURE(VIRTIO_BLK_F_SEG_MAX) |
			      FEATURE(VIRTIO_BLK_F_SIZE_MAX) |
			      FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
			      FEATURE(VIRTIO_BLK_F_FLUSH);
	const uint64_t rw = FEATURE(VIRTIO_BLK_F_DISCARD) |
			    FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	struct vm_disk_config cfg = config;
	struct virtio_blk_config c;
	struct virtio_blk *ro;

	ck_assert_uint_eq(2, ops()->device_id);
	ck_assert_uint_eq(1, ops()->nr_queues);
	ck_assert_uint_eq(both | rw, ops()->features(b));
	ops()->config_read(b, 0, &c, sizeof(c));
	ck_assert_uint_eq(TEST_DISK_BYTES / 512, c.capacity);
	ck_assert_uint_eq(512, c.blk_size);
	ck_assert_uint_eq(VIRTIO_QUEUE_MAX - 2, c.seg_max);
	ck_assert_uint_ge(c.size_max, 65536);
	ck_assert_uint_gt(c.max_discard_sectors, 0);
	ck_assert_uint_gt(c.max_write_zeroes_sectors, 0);

	cfg.read_only = true;
	ck_assert_int_eq(0, virtio_blk_new(&m.mem, &cfg, NULL, &ro));
	ck_assert_uint_eq(both | FEATURE(VIRTIO_BLK_F_RO), ops()->features(ro));
	virtio_blk_free(ro);
}
END_TEST

START_TEST(queues_are_offered_as_configured_mq)
{
	struct vm_disk_config cfg = config;
	struct virtio_blk_config c;
	struct virtio_blk *mq;

	ck_assert(!(ops()->features(b) & FEATURE(VIRTIO_BLK_F_MQ)));
	cfg.queues = 3;
	ck_assert_int_eq(0, virtio_blk_new(&m.mem, &cfg, NULL, &mq));
	ck_assert_uint_eq(3, virtio_blk_ops(mq)->nr_queues);
	ck_assert(virtio_blk_ops(mq)->features(mq) & FEATURE(VIRTIO_BLK_F_MQ));
	virtio_blk_ops(mq)->config_read(mq, 0, &c, sizeof(c));
	ck_assert_uint_eq(3, le16toh(c.num_queues));
	virtio_blk_free(mq);
	/* the first disk is still of one */
	ck_assert_uint_eq(1, ops()->nr_queues);
	cfg.queues = VM_MAX_DISK_QUEUES + 1;
	ck_assert_int_eq(-EINVAL, virtio_blk_new(&m.mem, &cfg, NULL, &mq));
}
END_TEST

START_TEST(config_space_has_an_end)
{
	uint8_t bytes[64];
	struct virtio_blk_config c;

	ops()->config_read(b, 0, &c, sizeof(c));
	memset(bytes, 0xff, sizeof(bytes));
	ops()->config_read(b, sizeof(c) - 4, bytes, 8);
	ck_assert_mem_eq((char *)&c + sizeof(c) - 4, bytes, 4);
	ck_assert_uint_eq(0, bytes[7]);
	ck_assert_uint_eq(0xff, bytes[8]);
	memset(bytes, 0xff, sizeof(bytes));
	ops()->config_read(b, UINT32_MAX, bytes, 8);
	ck_assert_uint_eq(0, bytes[0]);
	ops()->config_read(b, 2, bytes, 1);
	ck_assert_uint_eq(((uint8_t *)&c)[2], bytes[0]);
	ops()->config_write(b, 0, bytes, 8);
	ops()->config_read(b, 0, bytes, 8);
	ck_assert_mem_eq(&c, bytes, 8);
}
END_TEST

START_TEST(bad_configurations_are_refused)
{
	const struct vm_disk_config bad[] = {
		{ .name = NULL, .size_bytes = 512 },
		{ .name = "", .size_bytes = 512 },
		{ .name = "123456789012345678901", .size_bytes = 512 },
		{ .name = "data", .size_bytes = 0 },
		{ .name = "data", .size_bytes = 513 },
	};
	struct virtio_blk *none = NULL;

	ck_assert_int_eq(-EINVAL,
			 virtio_blk_new(&m.mem, &bad[_i], NULL, &none));
	ck_assert_ptr_null(none);
}
END_TEST

START_TEST(requests_are_served_s34_s36)
{
	activate();
	ck_assert_int_eq(-EBUSY, ops()->activate(b, 0, NULL, 0));
	memset(slots[0].data, 0x6b, 4096);
	submit(0, OUT, 8, 4096);
	ck_assert(wait_used(1));
	submit(1, IN, 8, 4096);
	submit(2, VIRTIO_BLK_T_GET_ID, 0, 20);
	ck_assert(wait_used(3));
	ck_assert_uint_eq(OK, *slots[0].status);
	ck_assert_uint_eq(OK, *slots[1].status);
	ck_assert_mem_eq(slots[0].data, slots[1].data, 4096);
	ck_assert_str_eq("data", (char *)slots[2].data);
	ck_assert_uint_ge(irq.used, 1);
	ck_assert_uint_eq(0, irq.needs_reset);
}
END_TEST

/* The name may fill all 20 bytes, and what was there before is not kept */
START_TEST(placed_worker_and_a_name_of_20_bytes)
{
	const struct vm_disk_config cfg = { .name = "12345678901234567890",
					    .size_bytes = 4096 };
	cpu_set_t cpus;

	virtio_blk_free(b);
	ck_assert_int_eq(0, sched_getaffinity(0, sizeof(cpus), &cpus));
	ck_assert_int_eq(0, virtio_blk_new(&m.mem, &cfg, &cpus, &b));
	activate();
	submit(0, VIRTIO_BLK_T_GET_ID, 0, 20);
	ck_assert(wait_used(1));
	ck_assert_mem_eq(cfg.name, slots[0].data, 20);
}
END_TEST

/* S57: a vCPU's kick only adds to a counter, and never waits to do so */
START_TEST(a_kick_never_blocks_s57)
{
	const uint64_t most = UINT64_MAX - 1;
	int fd = ops()->kick_fd(b, 0);

	test_slot_submit(&slots[0], &r, IN, 0, 512);
	ck_assert_int_eq(8, write(fd, &most, sizeof(most)));
	ck_assert_int_eq(-1, write(fd, &most, sizeof(most)));
	ck_assert_int_eq(EAGAIN, errno);
	ck_assert_uint_eq(TEST_STATUS_NONE, *slots[0].status);
	/* and as full as it is, it wakes the worker */
	activate();
	ck_assert(wait_used(1));
}
END_TEST

/* What waited in the ring before DRIVER_OK needs no kick */
START_TEST(activation_looks_at_the_ring)
{
	test_slot_submit(&slots[0], &r, IN, 0, 512);
	activate();
	ck_assert(wait_used(1));
}
END_TEST

START_TEST(memory_wired_late_b4)
{
	virtio_blk_free(b);
	ck_assert_int_eq(0, virtio_blk_new(NULL, &config, NULL, &b));
	activate();
	submit(0, IN, 0, 512);
	usleep(20000);
	ck_assert_uint_eq(0, test_ring_used_idx(&r));
	virtio_blk_set_mem(b, &m.mem);
	ck_assert(wait_used(1));
}
END_TEST

START_TEST(a_bad_ring_is_refused_at_activation_r)
{
	struct virtio_queue_setup ring = test_ring_setup(&r);

	ring.size = 3;
	ck_assert_int_eq(0, ops()->activate(b, TEST_FEATURES, &ring, 1));
	ck_assert_uint_eq(1, irq.needs_reset);
	ck_assert_uint_eq(1, stats().poisoned);
	kick();
	ops()->reset(b);
	activate();
	submit(0, IN, 0, 512);
	ck_assert(wait_used(1));
	ck_assert_uint_eq(1, irq.needs_reset);
}
END_TEST

START_TEST(no_queue_no_ring_c1)
{
	struct virtio_queue_setup ring = test_ring_setup(&r);

	ck_assert_int_eq(0, ops()->activate(b, TEST_FEATURES, NULL, 0));
	kick();
	ops()->reset(b);
	ring.ready = false;
	ck_assert_int_eq(0, ops()->activate(b, TEST_FEATURES, &ring, 1));
	submit(0, IN, 0, 512);
	usleep(10000);
	ops()->reset(b);
	ck_assert_uint_eq(0, test_ring_used_idx(&r));
	ck_assert_uint_eq(0, irq.needs_reset);
}
END_TEST

START_TEST(a_poisoned_ring_ends_the_worker_c8_b2)
{
	struct blk_gate *gate = virtio_blk_gate(b);
	unsigned int i;

	activate();
	test_ring_set_avail_idx(&r, 0x4000);
	kick();
	for (i = 0; i < 10000 && !irq.needs_reset; i++)
		usleep(1000);
	ck_assert_uint_eq(1, irq.needs_reset);
	blk_gate_pause(gate);
	for (i = 0; i < 10000 && !blk_gate_is_parked(gate); i++)
		usleep(1000);
	ck_assert(blk_gate_is_parked(gate));
	blk_gate_resume(gate);
	ops()->reset(b);
	ck_assert_uint_eq(1, stats().poisoned);
	test_ring_restart(&r);
	activate();
	submit(0, IN, 0, 512);
	ck_assert(wait_used(1));
}
END_TEST

/* C9: throttled, parked, idle; the ring is quiet when reset returns */
START_TEST(reset_is_quiet_and_prompt_c9_b6_s35)
{
	struct blk_gate *gate = virtio_blk_gate(b);
	uint64_t start, best = UINT64_MAX, ns;
	unsigned int round, i;

	throttle(1);
	for (round = 0; round < 6; round++) {
		test_ring_restart(&r);
		activate();
		for (i = 0; i < 4; i++)
			submit(i, IN, 0, 512);
		ck_assert(wait_throttled());
		if (_i) {
			blk_gate_pause(gate);
			while (!blk_gate_is_parked(gate))
				usleep(100);
		}
		start = clock_now_ns();
		ops()->reset(b);
		ns = clock_now_ns() - start;
		best = ns < best ? ns : best;
		ck_assert(!stats().throttled_now);
		i = test_ring_used_idx(&r);
		usleep(2000);
		ck_assert_uint_eq(i, test_ring_used_idx(&r));
		/* two in a row keep the state */
		ops()->reset(b);
		blk_gate_resume(gate);
	}
	ck_assert_uint_lt(best, 100 * NSEC_PER_MSEC);
	ck_assert_uint_eq(12, stats().resets);
	ck_assert_uint_eq(6, stats().throttle_events);
}
END_TEST

/* B6: the fixture frees it, parked or throttled */
START_TEST(destroy_while_parked_or_throttled_b6)
{
	struct blk_gate *gate = virtio_blk_gate(b);

	throttle(1);
	activate();
	submit(0, IN, 0, 512);
	submit(1, IN, 0, 512);
	ck_assert(wait_throttled());
	if (!_i)
		return;
	blk_gate_pause(gate);
	while (!blk_gate_is_parked(gate))
		usleep(100);
}
END_TEST

START_TEST(a_storm_of_resets_with_work_queued_c9)
{
	unsigned int i;

	for (i = 0; i < 300; i++) {
		test_ring_restart(&r);
		activate();
		submit(i % TEST_SLOTS, OUT, i, 512);
		submit((i + 1) % TEST_SLOTS, IN, i, 512);
		if (i % 3 == 0)
			ck_assert(wait_used(2));
		ops()->reset(b);
	}
	test_ring_restart(&r);
	activate();
	submit(0, IN, 0, 512);
	ck_assert(wait_used(1));
	ck_assert_uint_eq(300, stats().resets);
	ck_assert_uint_eq(0, irq.needs_reset);
}
END_TEST

/*
 * L6: a chain that would wait for minutes goes at once, and not at the worker's
 * next look of its own, a second later. The quickest of some rounds counts.
 */
START_TEST(new_rates_wake_a_blocked_worker_l6)
{
	uint64_t start, ns, best = UINT64_MAX;
	unsigned int i;

	activate();
	for (i = 0; i < 5; i++) {
		virtio_blk_set_throttle(b, &(struct vm_throttle){ .bps = 10 });
		submit(2 * i, IN, 0, 4096);
		submit(2 * i + 1, IN, 0, 512);
		ck_assert(wait_throttled());
		ck_assert_uint_eq(2 * i + 1, test_ring_used_idx(&r));
		start = clock_now_ns();
		throttle(0);
		ck_assert(wait_used(2 * i + 2));
		ns = clock_now_ns() - start;
		best = ns < best ? ns : best;
		test_ring_set_used_event(&r, 2 * i + 2);
	}
	ck_assert_uint_lt(best, 300 * NSEC_PER_MSEC);
}
END_TEST

/* L1, S56 on the wall clock: never faster; the timer does come */
START_TEST(real_time_is_never_faster_l1_s56)
{
	const unsigned int n = 60;
	uint64_t start;
	unsigned int i;

	throttle(200);
	start = clock_now_ns();
	activate();
	for (i = 0; i < n; i++) {
		if (i >= 4)
			ck_assert(wait_used(i - 3));
		submit(i % TEST_SLOTS, IN, 0, 512);
	}
	ck_assert(wait_used(n));
	ck_assert_uint_ge(clock_now_ns() - start,
			  (n - 1) * (NSEC_PER_SEC / 200));
	ck_assert_uint_ge(stats().throttle_events, n / 2);
	ck_assert_uint_eq(n, stats().reads);
}
END_TEST

START_TEST(a_freeze_stops_everything_s64_s67)
{
	struct blk_gate *gate = virtio_blk_gate(b);
	int fd = eventfd(0, EFD_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct vm_disk_stats before, after;

	blk_gate_set_poke(gate, fd);
	activate();
	submit(0, IN, 0, 512);
	ck_assert(wait_used(1));
	blk_gate_pause(gate);
	while (!blk_gate_is_parked(gate))
		ck_assert_int_eq(1, poll(&p, 1, 10000));
	before = stats();
	submit(1, IN, 0, 512);
	kick();
	usleep(20000);
	after = stats();
	ck_assert(test_stats_same(&before, &after));
	ck_assert_uint_eq(1, test_ring_used_idx(&r));
	blk_gate_resume(gate);
	ck_assert(wait_used(2));
	close(fd);
}
END_TEST

/* --- many threads at once, for TSan --- */

static _Atomic bool stop_threads;

static void *change_rates(void *arg)
{
	unsigned int i;

	for (i = 0; !atomic_load(&stop_threads); i++) {
		virtio_blk_set_throttle(b, &(struct vm_throttle){
			.iops = i % 3 ? 20000 : 0, .bps = i % 5 << 24 });
		usleep(200);
	}
	return NULL;
}

static void *read_stats(void *arg)
{
	static struct ktstr_hist h;
	const uint64_t start = *(uint64_t *)arg;
	struct vm_disk_stats st;

	while (!atomic_load(&stop_threads)) {
		virtio_blk_stats_read(b, &st);
		ck_assert_uint_le(st.throttled_ns, st.at_ns - start);
		ck_assert_uint_le(st.queued_ns, st.at_ns - start);
		virtio_blk_hist_read(b, VM_DISK_HIST_QUEUE, &h);
		ck_assert_uint_le(hist_total(&h), st.reads + st.writes + 1000);
		virtio_blk_worker_wait_ns(b);
		usleep(100);
	}
	return NULL;
}

static void *freeze(void *arg)
{
	struct blk_gate *gate = virtio_blk_gate(b);
	int fd = eventfd(0, EFD_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t n;

	blk_gate_set_poke(gate, fd);
	while (!atomic_load(&stop_threads)) {
		blk_gate_pause(gate);
		while (!blk_gate_is_parked(gate)) {
			ck_assert_int_eq(1, poll(&p, 1, 10000));
			ck_assert_int_eq(8, read(fd, &n, sizeof(n)));
		}
		blk_gate_resume(gate);
		usleep(1000);
	}
	blk_gate_set_poke(gate, -1);
	close(fd);
	return NULL;
}

START_TEST(rates_stats_and_freezes_while_it_serves_l6_l9)
{
	void *(*const mains[])(void *) = { change_rates, read_stats, freeze };
	uint64_t start = clock_now_ns();
	pthread_t threads[3];
	unsigned int i, n = 3000;
	uint32_t id, len;

	activate();
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(0, pthread_create(&threads[i], NULL, mains[i],
						   &start));
	for (i = 0; i < n; i++) {
		if (i >= 16) {
			ck_assert(wait_used(i - 15));
			ck_assert(test_ring_used(&r, &id, &len));
			ck_assert_uint_eq(OK, *slots[(i - 16) % 20].status);
			test_ring_set_used_event(&r, r.last_used);
		}
		slots[i % 20].data[0] = i;
		submit(i % 20, i % 2 ? IN : OUT, i % 1000, 4096);
	}
	ck_assert(wait_used(n));
	atomic_store(&stop_threads, true);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(n, stats().reads + stats().writes);
	ck_assert_uint_eq(0, stats().io_errors + stats().malformed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_blk");
	TCase *tc = tcase_create("virtio_blk");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, features_and_config_space);
	tcase_add_test(tc, queues_are_offered_as_configured_mq);
	tcase_add_test(tc, config_space_has_an_end);
	tcase_add_loop_test(tc, bad_configurations_are_refused, 0, 5);
	tcase_add_test(tc, requests_are_served_s34_s36);
	tcase_add_test(tc, placed_worker_and_a_name_of_20_bytes);
	tcase_add_test(tc, a_kick_never_blocks_s57);
	tcase_add_test(tc, activation_looks_at_the_ring);
	tcase_add_test(tc, memory_wired_late_b4);
	tcase_add_test(tc, a_bad_ring_is_refused_at_activation_r);
	tcase_add_test(tc, no_queue_no_ring_c1);
	tcase_add_test(tc, a_poisoned_ring_ends_the_worker_c8_b2);
	tcase_add_loop_test(tc, reset_is_quiet_and_prompt_c9_b6_s35, 0, 2);
	tcase_add_loop_test(tc, destroy_while_parked_or_throttled_b6, 0, 2);
	tcase_add_test(tc, a_storm_of_resets_with_work_queued_c9);
	tcase_add_test(tc, new_rates_wake_a_blocked_worker_l6);
	tcase_add_test(tc, real_time_is_never_faster_l1_s56);
	tcase_add_test(tc, a_freeze_stops_everything_s64_s67);
	tcase_add_test(tc, rates_stats_and_freezes_while_it_serves_l6_l9);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
