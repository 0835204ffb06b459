// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_trace.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/test_run.h"
#include "vmm/blk_test_disk.h"

#define STRESS 200000

static struct blk_trace *trace_new(void)
{
	struct blk_trace *t = calloc(1, sizeof(*t));

	ck_assert_ptr_nonnull(t);
	return t;
}

/* An entry whose members all follow from its number. */
static struct vm_disk_io entry(uint64_t n)
{
	return (struct vm_disk_io){ .sector = n,
				    .complete_ns = n * 3 + 1,
				    .bytes = n % 7 * 512,
				    .write = n & 1 };
}

static void check_entry(const struct vm_disk_io *io, uint64_t n)
{
	struct vm_disk_io want = entry(n);

	ck_assert_uint_eq(want.sector, io->sector);
	ck_assert_uint_eq(want.complete_ns, io->complete_ns);
	ck_assert_uint_eq(want.bytes, io->bytes);
	ck_assert_uint_eq(want.write, io->write);
}

static void add(struct blk_trace *t, uint64_t n)
{
	struct vm_disk_io io = entry(n);

	blk_trace_add(t, &io);
}

START_TEST(entries_come_out_in_order_and_once)
{
	struct blk_trace *t = trace_new();
	struct vm_disk_io io[4];
	uint64_t n, dropped = 99;

	ck_assert_uint_eq(0, blk_trace_read(t, io, 4, &dropped));
	ck_assert_uint_eq(0, dropped);
	for (n = 0; n < 6; n++)
		add(t, n);
	ck_assert_uint_eq(4, blk_trace_read(t, io, 4, &dropped));
	for (n = 0; n < 4; n++)
		check_entry(&io[n], n);
	ck_assert_uint_eq(2, blk_trace_read(t, io, 4, &dropped));
	check_entry(&io[0], 4);
	check_entry(&io[1], 5);
	ck_assert_uint_eq(0, blk_trace_read(t, io, 4, &dropped));
	free(t);
}
END_TEST

START_TEST(a_full_ring_keeps_the_old_and_counts_the_new)
{
	struct blk_trace *t = trace_new();
	struct vm_disk_io io;
	uint64_t n, dropped;

	for (n = 0; n < BLK_TRACE_LEN + 3; n++)
		add(t, n);
	ck_assert_uint_eq(1, blk_trace_read(t, &io, 1, &dropped));
	ck_assert_uint_eq(3, dropped);
	check_entry(&io, 0);

	/* one slot is free again, and it is the one that comes last */
	add(t, 7777);
	add(t, 8888);
	for (n = 1; n < BLK_TRACE_LEN; n++) {
		ck_assert_uint_eq(1, blk_trace_read(t, &io, 1, &dropped));
		check_entry(&io, n);
	}
	ck_assert_uint_eq(1, blk_trace_read(t, &io, 1, &dropped));
	check_entry(&io, 7777);
	ck_assert_uint_eq(0, blk_trace_read(t, &io, 1, &dropped));
	ck_assert_uint_eq(4, dropped);
	free(t);
}
END_TEST

static void *writer(void *arg)
{
	uint64_t n;

	for (n = 0; n < STRESS; n++)
		add(arg, n);
	return NULL;
}

START_TEST(a_reader_beside_the_writer_sees_whole_entries)
{
	struct blk_trace *t = trace_new();
	uint64_t got = 0, next = 0, dropped = 0;
	struct vm_disk_io io[64];
	pthread_t thread;
	size_t i, n;

	ck_assert_int_eq(0, pthread_create(&thread, NULL, writer, t));
	while (got + dropped < STRESS) {
		n = blk_trace_read(t, io, 64, &dropped);
		for (i = 0; i < n; i++) {
			ck_assert_uint_ge(io[i].sector, next);
			check_entry(&io[i], io[i].sector);
			next = io[i].sector + 1;
		}
		got += n;
		if (!n)
			sched_yield();
	}
	pthread_join(thread, NULL);
	ck_assert_uint_eq(STRESS, got + dropped);
	free(t);
}
END_TEST

static void clock_jumps(void *ctx)
{
	struct test_sys *sys = ctx;

	sys->now_ns += 1000000;
}

START_TEST(a_completion_is_stamped_before_its_interrupt)
{
	const struct vm_disk_config cfg = { .name = "d",
					    .size_bytes = TEST_DISK_BYTES };
	struct test_disk *d = malloc(sizeof(*d));
	struct vm_disk_io io[4];
	uint64_t dropped, before_ns;

	test_disk_init(d, &cfg, 16);
	test_disk_activate(d, TEST_FEATURES);
	d->irq.hook = clock_jumps;
	d->irq.ctx = &d->sys;
	before_ns = d->sys.now_ns;
	test_slot_submit(&d->slots[0], &d->r, VIRTIO_BLK_T_IN, 8, 4096);
	test_slot_submit(&d->slots[1], &d->r, VIRTIO_BLK_T_FLUSH, 0, 0);
	test_slot_submit(&d->slots[2], &d->r, VIRTIO_BLK_T_OUT, 16, 1024);
	/* beyond the end: refused, so nobody waits for it as for a disk's */
	test_slot_submit(&d->slots[3], &d->r, VIRTIO_BLK_T_IN,
			 TEST_DISK_BYTES / 512, 512);
	test_disk_kick(d);

	ck_assert_uint_eq(2, blk_trace_read(&d->sh.trace, io, 4, &dropped));
	ck_assert_uint_eq(8, io[0].sector);
	ck_assert_uint_eq(4096, io[0].bytes);
	ck_assert(!io[0].write);
	ck_assert_uint_eq(before_ns, io[0].complete_ns);
	ck_assert_uint_eq(16, io[1].sector);
	ck_assert_uint_eq(1024, io[1].bytes);
	ck_assert(io[1].write);
	/* two interrupts of a millisecond came before it */
	ck_assert_uint_eq(before_ns + 2000000, io[1].complete_ns);
	test_disk_fini(d);
	free(d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blk_trace");
	TCase *tc = tcase_create("ring");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, entries_come_out_in_order_and_once);
	tcase_add_test(tc, a_full_ring_keeps_the_old_and_counts_the_new);
	tcase_add_test(tc, a_reader_beside_the_writer_sees_whole_entries);
	tcase_add_test(tc, a_completion_is_stamped_before_its_interrupt);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
