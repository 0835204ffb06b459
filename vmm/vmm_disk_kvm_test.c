// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk driven by a guest on the real /dev/kvm: registers through MMIO exits,
 * kicks through the ioeventfd, the used ring polled.
 */
#include "vmm/vmm.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/test_run.h"
#include "vmm/layout.h"
#include "vmm/test_steps.h"
#include "vmm/virtio_mmio.h"

#define DISK (LAYOUT_VIRTIO_MMIO + VIRTIO_MMIO_BYTES) /* after the port */
/* Each queue has its own rings, headers and status bytes. */
#define RING_GPA (0x400000ULL + 0x10000 * queue)
#define AVAIL_GPA (RING_GPA + 0x1000)
#define USED_GPA (RING_GPA + 0x2000)
#define HDR_GPA (RING_GPA + 0x3000)
#define STATUS_GPA (RING_GPA + 0x4000)
#define DATA_GPA 0x500000ULL
#define QUEUE 64
#define SECTOR 512

static unsigned int queue; /* that what follows is about */
static unsigned int nr_requests[2];

static void reg(uint32_t off, uint32_t value)
{
	step(STEP_WRITE, DISK + off, value, 4);
}

static unsigned int reg_read(uint32_t off)
{
	return step(STEP_READ, DISK + off, 0, 4);
}

static void set_up_rings(void)
{
	const struct {
		uint32_t reg;
		uint64_t value;
	} rings[] = {
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, RING_GPA },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL_GPA },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, USED_GPA },
	};
	size_t i;

	reg(VIRTIO_MMIO_QUEUE_SEL, queue);
	reg(VIRTIO_MMIO_QUEUE_NUM, QUEUE);
	for (i = 0; i < 3; i++) {
		reg(rings[i].reg, rings[i].value);
		reg(rings[i].reg + 4, rings[i].value >> 32);
	}
	reg(VIRTIO_MMIO_QUEUE_READY, 1);
}

/* The driver's way to DRIVER_OK. Source: virtio 1.4, 3.1.1. */
static void set_up_queues(unsigned int nr, uint32_t features)
{
	reg(VIRTIO_MMIO_STATUS, 0);
	reg(VIRTIO_MMIO_STATUS, 1);
	reg(VIRTIO_MMIO_STATUS, 3);
	reg(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg(VIRTIO_MMIO_DRIVER_FEATURES, features);
	reg(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg(VIRTIO_MMIO_DRIVER_FEATURES, 1); /* VERSION_1 */
	reg(VIRTIO_MMIO_STATUS, 11);
	for (queue = 0; queue < nr; queue++)
		set_up_rings();
	queue = 0;
	reg(VIRTIO_MMIO_STATUS, 15);
}

static void set_up_queue(void)
{
	set_up_queues(1, 0);
}

/* One request of one sector: offered and kicked. */
static void offer(uint32_t type, uint64_t sector, uint64_t data_gpa)
{
	struct vring_desc *d = at(RING_GPA, QUEUE * sizeof(*d));
	struct vring_avail *avail = at(AVAIL_GPA, 4096);
	struct virtio_blk_outhdr *h = at(HDR_GPA, 4096);
	unsigned int n = nr_requests[queue]++, head = 3 * n;

	ck_assert_uint_lt(head + 2, QUEUE);
	h[n] = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*(uint8_t *)at(STATUS_GPA + n, 1) = 0xff;
	d[head] = (struct vring_desc){ HDR_GPA + n * sizeof(*h), sizeof(*h),
				       VRING_DESC_F_NEXT, head + 1 };
	d[head + 1] = (struct vring_desc){
		data_gpa, SECTOR,
		VRING_DESC_F_NEXT |
			(type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0),
		head + 2 };
	d[head + 2] = (struct vring_desc){ STATUS_GPA + n, 1,
					   VRING_DESC_F_WRITE, 0 };
	avail->ring[n] = head;
	/* flags 0 and the new index in one word */
	step(STEP_WRITE, AVAIL_GPA, (n + 1) << 16, 4);
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

/* Until so many requests are done, whichever. */
static void wait_for(unsigned int nr)
{
	step(STEP_WAIT16, USED_GPA + 2, nr, 0);
}

static void request(uint32_t type, uint64_t sector, uint64_t data_gpa)
{
	offer(type, sector, data_gpa);
	wait_for(nr_requests[queue]);
}

static uint8_t status_of(unsigned int n)
{
	return *(uint8_t *)at(STATUS_GPA + n, 1);
}

static void start(struct vm_disk_config *disk)
{
	steps_begin(disk, VM_TRANSPORT_MMIO);
	memset(nr_requests, 0, sizeof(nr_requests));
	queue = 0;
}

START_TEST(a_guest_finds_the_disk_it_was_given)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB };
	unsigned int magic, version, id, sectors;

	start(&disk);
	magic = reg_read(VIRTIO_MMIO_MAGIC_VALUE);
	version = reg_read(VIRTIO_MMIO_VERSION);
	id = reg_read(VIRTIO_MMIO_DEVICE_ID);
	sectors = reg_read(VIRTIO_MMIO_CONFIG);
	steps_run();
	ck_assert_uint_eq(0x74726976, steps[magic].value);
	ck_assert_uint_eq(2, steps[version].value);
	ck_assert_uint_eq(2, steps[id].value);
	ck_assert_uint_eq(MIB / SECTOR, steps[sectors].value);
	vm_free(guest.vm);
}
END_TEST

START_TEST(what_a_guest_wrote_it_reads_back)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB };
	struct vm_disk_stats st;
	uint8_t *data;
	int i;

	start(&disk);
	data = at(DATA_GPA, 4096);
	for (i = 0; i < SECTOR; i++)
		data[i] = i * 3 + 1;
	set_up_queue();
	request(VIRTIO_BLK_T_OUT, 100, DATA_GPA);
	request(VIRTIO_BLK_T_IN, 100, DATA_GPA + 1024);
	request(VIRTIO_BLK_T_IN, 101, DATA_GPA + 2048);
	request(VIRTIO_BLK_T_IN, MIB / SECTOR, DATA_GPA + 3072);
	memset(data + 1024, 0xee, 3072);
	steps_run();
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(0));
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(1));
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(2));
	ck_assert_uint_eq(VIRTIO_BLK_S_IOERR, status_of(3)); /* C12 */
	ck_assert_mem_eq(data, data + 1024, SECTOR);
	for (i = 0; i < SECTOR; i++)
		ck_assert_uint_eq(0, data[2048 + i]);

	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(1, st.writes);
	ck_assert_uint_ge(st.reads, 2);
	ck_assert_uint_eq(1, st.io_errors);
	ck_assert_uint_ge(st.kicks, 1);
	ck_assert_uint_eq(0, st.throttle_events);
	vm_free(guest.vm);
}
END_TEST

/*
 * One at a time, 100 a second: the burst of 10 ms holds one, so 20 requests
 * can't be done before 180 ms. The upper end is only a bound on hangs.
 */
START_TEST(a_throttled_disk_is_no_faster_than_asked)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB,
				       .throttle.iops = 100 };
	struct vm_disk_stats st;
	uint64_t from, took;
	int i;

	start(&disk);
	set_up_queue();
	for (i = 0; i < 20; i++)
		request(VIRTIO_BLK_T_IN, i, DATA_GPA);
	from = clock_now_ns();
	steps_run();
	took = clock_now_ns() - from;
	ck_assert_uint_ge(took, 180 * NSEC_PER_MSEC);
	ck_assert_uint_lt(took, 5 * NSEC_PER_SEC);
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(20, st.reads);
	/* how often it stalled depends on how fast the guest asks */
	ck_assert_uint_ge(st.throttle_events, 1);
	ck_assert_uint_gt(st.throttled_ns, 0);
	vm_free(guest.vm);
}
END_TEST

static void unthrottle(void *ctx)
{
	vm_disk_set_throttle(guest.vm, 0, &(struct vm_throttle){ 0 });
}

/* L6: without the change it would take 19 s, and the deadline is 10. */
START_TEST(the_owner_lifts_a_throttle_while_the_guest_waits)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB,
				       .throttle.iops = 1 };
	struct vm_disk_stats st;
	int i;

	start(&disk);
	guest.started = unthrottle;
	set_up_queue();
	for (i = 0; i < 20; i++)
		request(VIRTIO_BLK_T_IN, i, DATA_GPA);
	steps_run();
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(20, st.reads);
	vm_free(guest.vm);
}
END_TEST

static void freeze_while_it_works(void *ctx)
{
	struct vm_disk_stats before, after;
	int i;

	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(0, vm_freeze(guest.vm, 5 * NSEC_PER_SEC));
		vm_disk_stats_read(guest.vm, 0, &before);
		usleep(2000);
		vm_disk_stats_read(guest.vm, 0, &after);
		ck_assert_uint_eq(before.reads, after.reads);
		ck_assert_uint_eq(before.throttled_ns, after.throttled_ns);
		ck_assert_uint_ge(vm_thaw(guest.vm), 2 * NSEC_PER_MSEC);
		usleep(1000);
	}
}

START_TEST(a_freeze_holds_the_disk_worker_and_loses_no_request)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB,
				       .throttle.iops = 200 };
	struct vm_disk_stats st;
	int i;

	start(&disk);
	guest.started = freeze_while_it_works;
	set_up_queue();
	for (i = 0; i < 20; i++)
		request(VIRTIO_BLK_T_IN, i, DATA_GPA);
	steps_run();
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(20, st.reads);
	ck_assert_uint_eq(0, st.io_errors);
	vm_free(guest.vm);
}
END_TEST

/* The worker holds a stalled chain when the VM ends. */
START_TEST(a_vm_ends_at_once_while_its_disk_is_throttled)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB,
				       .throttle.iops = 1 };
	struct vm_disk_stats st;
	uint64_t from;

	start(&disk);
	set_up_queue();
	request(VIRTIO_BLK_T_IN, 0, DATA_GPA);
	request(VIRTIO_BLK_T_IN, 1, DATA_GPA);
	nr_steps--; /* do not wait for the second */
	from = clock_now_ns();
	steps_run();
	ck_assert_uint_lt(clock_now_ns() - from, 900 * NSEC_PER_MSEC);
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(1, st.reads);
	ck_assert_uint_eq(0, st.throttled_now);
	vm_free(guest.vm);
}
END_TEST

/* MQ: each with its own doorbell, and served from its own rings. */
START_TEST(a_guest_drives_two_queues_of_one_disk)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB,
				       .queues = 2 };
	struct vm_disk_stats st;
	unsigned int max;
	uint8_t *data;

	start(&disk);
	data = at(DATA_GPA, 4096);
	memset(data, 0x5a, SECTOR);
	set_up_queues(2, 1u << VIRTIO_BLK_F_MQ);
	reg(VIRTIO_MMIO_QUEUE_SEL, 2);
	max = reg_read(VIRTIO_MMIO_QUEUE_NUM_MAX);
	queue = 1;
	request(VIRTIO_BLK_T_OUT, 100, DATA_GPA);
	queue = 0;
	request(VIRTIO_BLK_T_IN, 100, DATA_GPA + 1024);
	queue = 1;
	request(VIRTIO_BLK_T_IN, 100, DATA_GPA + 2048);
	steps_run();
	ck_assert_uint_eq(0, steps[max].value);
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(0));
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(1));
	queue = 0;
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(0));
	ck_assert_mem_eq(data, data + 1024, SECTOR);
	ck_assert_mem_eq(data, data + 2048, SECTOR);
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(1, st.writes);
	ck_assert_uint_eq(2, st.reads);
	ck_assert_uint_ge(st.kicks, 3);
	vm_free(guest.vm);
}
END_TEST

/* L7: one at a time, so 10 of them take 10 times the latency. */
START_TEST(no_completion_comes_before_the_latency)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB,
				       .throttle.latency_ns =
					       20 * NSEC_PER_MSEC };
	struct vm_disk_stats st;
	uint64_t from, took;
	int i;

	start(&disk);
	set_up_queue();
	for (i = 0; i < 10; i++)
		request(VIRTIO_BLK_T_IN, i, DATA_GPA);
	from = clock_now_ns();
	steps_run();
	took = clock_now_ns() - from;
	ck_assert_uint_ge(took, 200 * NSEC_PER_MSEC);
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(10, st.reads);
	ck_assert_uint_eq(0, st.throttle_events);
	vm_free(guest.vm);
}
END_TEST

/* L7: 20 in flight together; one after the other would be 20 s. */
START_TEST(requests_in_flight_complete_as_they_come_due)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB,
				       .throttle.latency_ns = NSEC_PER_SEC,
				       .throttle.jitter_ns = NSEC_PER_SEC,
				       .seed = 42 };
	unsigned int i, moved = 0, seen = 0;
	const struct vring_used *used;
	uint64_t from, took;

	start(&disk);
	set_up_queue();
	for (i = 0; i < 20; i++)
		offer(VIRTIO_BLK_T_IN, i, DATA_GPA + i * SECTOR);
	wait_for(20);
	from = clock_now_ns();
	steps_run();
	took = clock_now_ns() - from;
	ck_assert_uint_ge(took, NSEC_PER_SEC);
	ck_assert_uint_lt(took, 9 * NSEC_PER_SEC);
	used = at(USED_GPA, 4096);
	for (i = 0; i < 20; i++) {
		ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(i));
		seen |= 1u << used->ring[i].id / 3;
		moved += used->ring[i].id != 3 * i;
	}
	ck_assert_uint_eq((1u << 20) - 1, seen);
	ck_assert_uint_gt(moved, 0);
	vm_free(guest.vm);
}
END_TEST

START_TEST(a_freeze_completes_nothing_that_is_in_flight)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB,
				       .throttle.latency_ns =
					       4 * NSEC_PER_MSEC,
				       .throttle.jitter_ns =
					       4 * NSEC_PER_MSEC };
	struct vm_disk_stats st;
	int i;

	start(&disk);
	guest.started = freeze_while_it_works;
	set_up_queue();
	for (i = 0; i < 20; i++) {
		offer(VIRTIO_BLK_T_IN, i, DATA_GPA);
		if (i % 4 == 3)
			wait_for(i + 1);
	}
	steps_run();
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(20, st.reads);
	ck_assert_uint_eq(0, st.io_errors);
	vm_free(guest.vm);
}
END_TEST

/* C9, L8: the second is refused at once, so the first was admitted then. */
START_TEST(a_vm_ends_at_once_with_a_write_in_flight_and_tears_it)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB,
				       .throttle.latency_ns =
					       9 * NSEC_PER_SEC };
	struct vm_disk_stats st;
	uint64_t from;

	start(&disk);
	vm_disk_set_faults(guest.vm, 0,
			   &(struct vm_disk_faults){ .torn_writes = true });
	set_up_queue();
	offer(VIRTIO_BLK_T_OUT, 0, DATA_GPA);
	offer(VIRTIO_BLK_T_OUT, MIB / SECTOR, DATA_GPA);
	wait_for(1);
	from = clock_now_ns();
	steps_run();
	ck_assert_uint_lt(clock_now_ns() - from, 5 * NSEC_PER_SEC);
	ck_assert_uint_eq(0xff, status_of(0));
	ck_assert_uint_eq(VIRTIO_BLK_S_IOERR, status_of(1));
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(0, st.writes);
	ck_assert_uint_eq(1, st.fault_torn_writes);
	vm_free(guest.vm);
}
END_TEST

START_TEST(a_guest_sees_the_errors_that_were_planted)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB };
	struct vm_disk_stats st;

	start(&disk);
	vm_disk_set_faults(guest.vm, 0, &(struct vm_disk_faults){
		.error_from = 100 * SECTOR, .error_bytes = SECTOR });
	set_up_queue();
	request(VIRTIO_BLK_T_IN, 99, DATA_GPA);
	request(VIRTIO_BLK_T_IN, 100, DATA_GPA);
	request(VIRTIO_BLK_T_OUT, 100, DATA_GPA);
	request(VIRTIO_BLK_T_IN, 101, DATA_GPA);
	steps_run();
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(0));
	ck_assert_uint_eq(VIRTIO_BLK_S_IOERR, status_of(1));
	ck_assert_uint_eq(VIRTIO_BLK_S_IOERR, status_of(2));
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(3));
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(2, st.fault_range_errors);
	ck_assert_uint_eq(2, st.io_errors);
	vm_free(guest.vm);
}
END_TEST

/* The third and the sixth: nothing is done for 50 ms each. */
START_TEST(a_guest_waits_out_each_stall)
{
	struct vm_disk_config disk = { .name = "data", .size_bytes = MIB };
	struct vm_disk_stats st;
	uint64_t from;
	int i;

	start(&disk);
	vm_disk_set_faults(guest.vm, 0, &(struct vm_disk_faults){
		.stall_ns = 50 * NSEC_PER_MSEC, .stall_every = 3 });
	set_up_queue();
	for (i = 0; i < 7; i++)
		request(VIRTIO_BLK_T_IN, i, DATA_GPA);
	from = clock_now_ns();
	steps_run();
	ck_assert_uint_ge(clock_now_ns() - from, 100 * NSEC_PER_MSEC);
	vm_disk_stats_read(guest.vm, 0, &st);
	ck_assert_uint_eq(7, st.reads);
	ck_assert_uint_eq(2, st.fault_stalls);
	ck_assert_uint_eq(0, st.io_errors);
	vm_free(guest.vm);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm_disk_kvm");
	TCase *t = tcase_create("all");

	if (!guest_can_run("vmm_disk_kvm_test"))
		return EXIT_SUCCESS;
	tcase_set_timeout(t, 30);
	suite_add_tcase(s, t);
	tcase_add_test(t, a_guest_finds_the_disk_it_was_given);
	tcase_add_test(t, what_a_guest_wrote_it_reads_back);
	tcase_add_test(t, a_throttled_disk_is_no_faster_than_asked);
	tcase_add_test(t, the_owner_lifts_a_throttle_while_the_guest_waits);
	tcase_add_test(t, a_freeze_holds_the_disk_worker_and_loses_no_request);
	tcase_add_test(t, a_vm_ends_at_once_while_its_disk_is_throttled);
	tcase_add_test(t, a_guest_drives_two_queues_of_one_disk);
	tcase_add_test(t, no_completion_comes_before_the_latency);
	tcase_add_test(t, requests_in_flight_complete_as_they_come_due);
	tcase_add_test(t, a_freeze_completes_nothing_that_is_in_flight);
	tcase_add_test(t, a_vm_ends_at_once_with_a_write_in_flight_and_tears_it);
	tcase_add_test(t, a_guest_sees_the_errors_that_were_planted);
	tcase_add_test(t, a_guest_waits_out_each_stall);
	return test_run(s);
}
