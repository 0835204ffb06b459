// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtqueue.h"

#include <linux/virtio_config.h>

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "lib/test_run.h"
#include "vmm/test_ring.h"

#define BYTES (1u << 20) /* of each region */
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)

#define F_NEXT VRING_DESC_F_NEXT
#define F_WRITE VRING_DESC_F_WRITE
#define F_INDIRECT VRING_DESC_F_INDIRECT

static struct test_mem mem;
static struct test_ring ring;
static struct virtqueue vq;
static struct vq_chain chain;
static uint64_t buf, table; /* 64 KiB of buffers, and indirect tables */

static void start(uint16_t size, uint64_t features)
{
	const struct virtio_queue_setup setup = test_ring_setup(&ring);

	ck_assert_uint_eq(size, setup.size);
	ck_assert_int_eq(0, vq_init(&vq, &mem.mem, &setup, features));
}

static void setup_size(uint16_t size)
{
	test_mem_init(&mem, BYTES);
	test_ring_init(&ring, &mem, size);
	buf = test_mem_alloc(&mem, 65536);
	table = test_mem_alloc(&mem, 65536);
}

static void setup(void)
{
	setup_size(8);
	start(8, INDIRECT);
}

static void teardown(void)
{
	test_mem_fini(&mem);
}

static void refuse(const char *what, struct virtio_queue_setup s)
{
	struct virtqueue q;

	ck_assert_msg(vq_init(&q, &mem.mem, &s, 0) == -EINVAL, "%s", what);
	/* and what came of it is a no-op */
	ck_assert_int_eq(-EPROTO, vq_peek(&q, &chain));
	vq_consume(&q);
	vq_push(&q, 0, 0);
	ck_assert(!vq_has_work(&q));
	ck_assert(!vq_enable_kicks(&q));
	ck_assert(!vq_should_interrupt(&q));
	vq_suppress_kicks(&q);
}

/* section 9: queue size 0, not a power of two, over the maximum */
START_TEST(init_refuses_bad_sizes)
{
	static const uint16_t sizes[] = { 0, 3, 6, 255, 257, 512, 32768,
					  65535 };
	struct virtio_queue_setup s = test_ring_setup(&ring);
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		s.size = sizes[i];
		refuse("size", s);
	}
	for (i = 1; i <= VIRTIO_QUEUE_MAX; i *= 2) {
		s.size = i;
		ck_assert_int_eq(0, vq_init(&vq, &mem.mem, &s, 0));
	}
}
END_TEST

/* section 9: ring misaligned, outside RAM, wrapping, across a hole */
START_TEST(init_refuses_bad_rings)
{
	static const struct {
		unsigned int align, bytes; /* of a ring with 8 entries */
		size_t member;
	} rings[] = {
		{ 16, 128, offsetof(struct virtio_queue_setup, desc_gpa) },
		{ 2, 22, offsetof(struct virtio_queue_setup, avail_gpa) },
		{ 4, 70, offsetof(struct virtio_queue_setup, used_gpa) },
	};
	const uint64_t ends[] = { BYTES, TEST_MEM_HIGH_GPA + BYTES };
	unsigned int i, j, off;

	for (i = 0; i < 3; i++) {
		struct virtio_queue_setup s = test_ring_setup(&ring);
		uint64_t *gpa = (uint64_t *)((char *)&s + rings[i].member);
		const uint64_t good = *gpa;

		for (off = 1; off < rings[i].align; off++) {
			*gpa = good + off;
			refuse("misaligned", s);
		}
		for (j = 0; j < 2; j++) {
			*gpa = (ends[j] - rings[i].bytes) &
			       ~(uint64_t)(rings[i].align - 1);
			ck_assert_int_eq(0, vq_init(&vq, &mem.mem, &s, 0));
			*gpa += rings[i].align;
			refuse("over the end of a region", s);
			*gpa = ends[j];
			refuse("in a hole", s);
		}
		*gpa = TEST_MEM_HIGH_GPA - 16;
		refuse("from a hole into RAM", s);
		*gpa = UINT64_MAX & ~15ULL;
		refuse("wrapping", s);
	}
}
END_TEST

START_TEST(a_chain_comes_as_it_was_split)
{
	const struct test_seg segs[] = {
		{ buf, 5, false },
		{ buf + 100, 11, false },
		{ TEST_MEM_HIGH_GPA, 4096, false },
		{ buf + 200, 1, true },
		{ BYTES - 7, 7, true }, /* up to the last byte */
	};
	uint16_t head;

	ck_assert(!vq_has_work(&vq));
	ck_assert_int_eq(0, vq_peek(&vq, &chain));
	head = test_ring_add(&ring, segs, 5);
	ck_assert(vq_has_work(&vq));
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	ck_assert_uint_eq(head, chain.head);
	ck_assert_uint_eq(3, chain.nr_out);
	ck_assert_uint_eq(2, chain.nr_in);
	ck_assert_uint_eq(5 + 11 + 4096, chain.out_bytes);
	ck_assert_uint_eq(8, chain.in_bytes);
	ck_assert_ptr_eq(test_mem_hva(&mem, buf), chain.out[0].iov_base);
	ck_assert_uint_eq(5, chain.out[0].iov_len);
	ck_assert_ptr_eq(test_mem_hva(&mem, buf + 100), chain.out[1].iov_base);
	ck_assert_uint_eq(11, chain.out[1].iov_len);
	ck_assert_ptr_eq(mem.mem.regions[1].hva, chain.out[2].iov_base);
	ck_assert_uint_eq(4096, chain.out[2].iov_len);
	ck_assert_ptr_eq(test_mem_hva(&mem, buf + 200), chain.in[0].iov_base);
	ck_assert_ptr_eq(test_mem_hva(&mem, BYTES - 7), chain.in[1].iov_base);
	ck_assert_uint_eq(7, chain.in[1].iov_len);
}
END_TEST

/* C2 */
START_TEST(a_peek_leaves_the_chain_where_it_is)
{
	const struct test_seg seg = { buf, 16, false };
	uint16_t a = test_ring_add(&ring, &seg, 1);
	uint16_t b = test_ring_add(&ring, &seg, 1);
	int i;

	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(1, vq_peek(&vq, &chain));
		ck_assert_uint_eq(a, chain.head);
		ck_assert_uint_eq(1, chain.nr_out);
		ck_assert_uint_eq(16, chain.out_bytes);
		ck_assert(vq_has_work(&vq));
	}
	vq_consume(&vq);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	ck_assert_uint_eq(b, chain.head);
	vq_consume(&vq);
	ck_assert_int_eq(0, vq_peek(&vq, &chain));
	ck_assert(!vq_has_work(&vq));
	ck_assert_uint_eq(0, test_ring_used_idx(&ring));
}
END_TEST

/* section 9: direct descriptors then one INDIRECT; WRITE on it; unaligned */
START_TEST(indirect_tables_that_must_work)
{
	const struct test_seg segs[] = {
		{ buf + 64, 32, false },
		{ buf + 128, 512, true },
		{ buf + 1024, 1, true },
	};
	unsigned int off, write;

	for (off = 0; off < 16; off++) {
		for (write = 0; write < 2; write++) {
			test_table_write(&ring, table + off, segs, 3);
			test_ring_desc(&ring, 0, buf, 16, F_NEXT, 5);
			test_ring_desc(&ring, 5, table + off, 48,
				       F_INDIRECT | (write ? F_WRITE : 0), 99);
			test_ring_publish(&ring, 0);
			ck_assert_int_eq(1, vq_peek(&vq, &chain));
			ck_assert_uint_eq(2, chain.nr_out);
			ck_assert_uint_eq(48, chain.out_bytes);
			ck_assert_uint_eq(2, chain.nr_in);
			ck_assert_uint_eq(513, chain.in_bytes);
			ck_assert_ptr_eq(test_mem_hva(&mem, buf + 1024),
					 chain.in[1].iov_base);
			vq_consume(&vq);
			vq_push(&vq, 0, 513);
		}
	}
}
END_TEST

/* The chain at descriptor 0 is malformed (U); the queue goes on. */
static void malformed(const char *what)
{
	const struct test_seg good = { buf, 16, false };
	uint32_t id, len;

	test_ring_publish(&ring, 0);
	ck_assert_msg(vq_peek(&vq, &chain) == -EBADMSG, "%s", what);
	ck_assert_uint_eq(0, chain.head);
	ck_assert_uint_eq(0, chain.nr_out + chain.nr_in);
	ck_assert_uint_eq(0, chain.out_bytes + chain.in_bytes);
	vq_consume(&vq);
	vq_push(&vq, chain.head, 0);
	ck_assert(test_ring_used(&ring, &id, &len));
	ck_assert_uint_eq(0, id);
	ck_assert_uint_eq(0, len);

	ring.next_desc = 7;
	test_ring_add(&ring, &good, 1);
	ck_assert_msg(vq_peek(&vq, &chain) == 1, "after %s", what);
	ck_assert_uint_eq(7, chain.head);
	vq_consume(&vq);
	vq_push(&vq, 7, 0);
	ck_assert(test_ring_used(&ring, &id, &len));
	ck_assert_uint_eq(7, id);
}

/* section 9: loops, next out of range */
START_TEST(direct_chains_that_go_astray)
{
	uint16_t i;

	test_ring_desc(&ring, 0, buf, 16, F_NEXT, 0);
	malformed("a descriptor that is its own next");
	test_ring_desc(&ring, 0, buf, 16, F_NEXT, 1);
	test_ring_desc(&ring, 1, buf, 0, F_NEXT, 0);
	malformed("a loop of two, one of them empty");
	for (i = 0; i < 8; i++)
		test_ring_desc(&ring, i, buf, 16, F_NEXT, (i + 1) % 8);
	malformed("a loop through all");
	test_ring_desc(&ring, 0, buf, 16, F_NEXT, 8);
	malformed("next just out of range");
	test_ring_desc(&ring, 0, buf, 16, F_NEXT, 65535);
	malformed("next far out of range");
}
END_TEST

/* section 9: INDIRECT nested, with NEXT, bad lengths, outside RAM */
START_TEST(indirect_tables_that_are_refused)
{
	static const uint32_t bad_lens[] = { 0, 1, 15, 17, 31, 9 * 16,
					     0xfffffff0, 0xffffffff };
	const struct test_seg segs[9] = { { buf, 16, false } };
	const uint64_t gpas[] = { BYTES - 16, BYTES, TEST_MEM_HIGH_GPA - 16,
				  TEST_MEM_HIGH_GPA + BYTES - 31,
				  UINT64_MAX - 15, UINT64_MAX };
	struct vring_desc *t = test_mem_hva(&mem, table);
	unsigned int i;

	test_table_write(&ring, table, segs, 2);
	test_ring_desc(&ring, 0, table, 32, F_INDIRECT | F_NEXT, 1);
	test_ring_desc(&ring, 1, buf, 16, 0, 0);
	malformed("INDIRECT with NEXT");

	/* a table that is good, but for what is said of its length */
	test_table_write(&ring, table, segs, 1);
	for (i = 0; i < sizeof(bad_lens) / sizeof(bad_lens[0]); i++) {
		test_ring_desc(&ring, 0, table, bad_lens[i], F_INDIRECT, 0);
		malformed("table length");
	}
	for (i = 0; i < sizeof(gpas) / sizeof(gpas[0]); i++) {
		test_ring_desc(&ring, 0, gpas[i], 32, F_INDIRECT, 0);
		malformed("table outside RAM");
	}

	test_ring_desc(&ring, 0, table, 32, F_INDIRECT, 0);
	test_desc_write(&t[0], table, 32, F_INDIRECT, 0);
	malformed("nested in itself");
	test_desc_write(&t[0], buf, 16, F_NEXT, 1);
	test_desc_write(&t[1], table + 64, 16, F_INDIRECT, 0);
	test_desc_write(&t[4], buf, 16, 0, 0);
	malformed("nested");
	test_desc_write(&t[1], buf, 16, F_NEXT, 2);
	malformed("next behind the table");
	test_desc_write(&t[1], buf, 16, F_NEXT, 0);
	malformed("a loop in the table");
}
END_TEST

START_TEST(indirect_is_refused_unless_negotiated)
{
	const struct test_seg seg = { buf, 16, false };

	start(8, EVENT_IDX);
	test_table_write(&ring, table, &seg, 1);
	test_ring_desc(&ring, 0, table, 16, F_INDIRECT, 0);
	malformed("INDIRECT not negotiated");
}
END_TEST

/* section 9: > queue size descriptors; exactly that many work */
START_TEST(a_chain_holds_queue_size_descriptors_at_most)
{
	struct test_seg segs[8];
	unsigned int i;

	for (i = 0; i < 8; i++)
		segs[i] = (struct test_seg){ buf + i, 1, i >= 3 };
	test_ring_add(&ring, segs, 8);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	ck_assert_uint_eq(3, chain.nr_out);
	ck_assert_uint_eq(5, chain.nr_in);
	vq_consume(&vq);
	vq_push(&vq, 0, 0);

	/* the INDIRECT descriptor is none of them: 1 + 7, then 2 + 7 */
	test_table_write(&ring, table, segs + 1, 7);
	test_ring_desc(&ring, 1, table, 7 * 16, F_INDIRECT, 0);
	test_ring_desc(&ring, 0, buf, 1, F_NEXT, 1);
	test_ring_publish(&ring, 0);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	ck_assert_uint_eq(8, chain.nr_out + chain.nr_in);
	vq_consume(&vq);
	vq_push(&vq, 0, 0);
	ring.last_used = 2;
	test_ring_desc(&ring, 0, buf, 1, F_NEXT, 2);
	test_ring_desc(&ring, 2, buf, 1, F_NEXT, 1);
	malformed("2 + 7 descriptors in a queue of 8");
}
END_TEST

START_TEST(the_largest_chain_fits)
{
	struct test_seg segs[VIRTIO_QUEUE_MAX];
	unsigned int i, nr_in;

	teardown();
	setup_size(VIRTIO_QUEUE_MAX);
	start(VIRTIO_QUEUE_MAX, INDIRECT);
	for (nr_in = 0; nr_in <= VIRTIO_QUEUE_MAX; nr_in += 128) {
		for (i = 0; i < VIRTIO_QUEUE_MAX; i++)
			segs[i] = (struct test_seg){
				buf + i, 1, i >= VIRTIO_QUEUE_MAX - nr_in };
		test_ring_add_indirect(&ring, table, segs, VIRTIO_QUEUE_MAX);
		ck_assert_int_eq(1, vq_peek(&vq, &chain));
		ck_assert_uint_eq(nr_in, chain.nr_in);
		ck_assert_uint_eq(VIRTIO_QUEUE_MAX - nr_in, chain.nr_out);
		vq_consume(&vq);
		vq_push(&vq, chain.head, 0);
	}
}
END_TEST

/* section 9: address + length wraps, outside RAM, in a hole */
START_TEST(buffers_outside_ram_are_refused)
{
	const struct {
		uint64_t gpa;
		uint32_t len;
	} bad[] = {
		{ BYTES, 1 },
		{ BYTES - 1, 2 },
		{ TEST_MEM_HIGH_GPA - 1, 1 },
		{ TEST_MEM_HIGH_GPA - 1, 2 },
		{ TEST_MEM_HIGH_GPA + BYTES, 1 },
		{ TEST_MEM_HIGH_GPA + BYTES - 1, 2 },
		{ 0, UINT32_MAX }, /* over the hole */
		{ UINT64_MAX, 1 },
		{ UINT64_MAX, 2 }, /* wraps to address 0 */
		{ UINT64_MAX - 4095, 8192 },
	};
	unsigned int i, flags;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (flags = 0; flags <= F_WRITE; flags += F_WRITE) {
			test_ring_desc(&ring, 0, buf, 16, F_NEXT, 1);
			test_ring_desc(&ring, 1, bad[i].gpa, bad[i].len, flags,
				       0);
			malformed("buffer outside RAM");
		}
	}
}
END_TEST

/* section 9: readable after writable */
START_TEST(readable_after_writable_is_refused)
{
	const struct test_seg segs[] = {
		{ buf, 16, true }, { buf, 16, false }
	};

	test_ring_desc(&ring, 0, buf, 16, F_WRITE | F_NEXT, 1);
	test_ring_desc(&ring, 1, buf, 16, 0, 0);
	malformed("readable after writable");
	test_ring_desc(&ring, 1, buf, 0, F_NEXT, 2);
	test_ring_desc(&ring, 2, buf, 16, F_WRITE, 0);
	malformed("an empty readable between writables");
	test_table_write(&ring, table, segs + 1, 1);
	test_ring_desc(&ring, 1, table, 16, F_INDIRECT, 0);
	malformed("readable in the table after a writable before it");
}
END_TEST

/* section 9: zero-length descriptor */
START_TEST(empty_descriptors_leave_no_iovec)
{
	const struct test_seg segs[] = {
		{ UINT64_MAX, 0, false }, { buf, 16, false },
		{ BYTES, 0, false },	  { buf, 0, true },
		{ buf + 16, 4, true },
	};

	test_ring_add(&ring, segs, 5);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	ck_assert_uint_eq(1, chain.nr_out);
	ck_assert_uint_eq(1, chain.nr_in);
	ck_assert_uint_eq(16, chain.out_bytes);
	ck_assert_uint_eq(4, chain.in_bytes);
	vq_consume(&vq);
	vq_push(&vq, chain.head, 0);

	test_ring_desc(&ring, 0, buf, 0, 0, 0);
	test_ring_publish(&ring, 0);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	ck_assert_uint_eq(0, chain.nr_out + chain.nr_in);
}
END_TEST

/* section 9: total > 2^32-1 */
START_TEST(a_chain_has_less_than_4_gib)
{
	/* address space only: nothing is read */
	const uint64_t len = 3ULL << 30;
	struct virtio_queue_setup s = test_ring_setup(&ring);
	static const uint16_t flags[][3] = { { 0, 0, 0 },
					     { 0, 0, F_WRITE },
					     { 0, F_WRITE, F_WRITE },
					     { F_WRITE, F_WRITE, F_WRITE } };
	struct guest_mem big = mem.mem;
	unsigned int i;

	big.regions[1].len_bytes = len;
	big.regions[1].hva = mmap(NULL, len, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0);
	ck_assert_ptr_ne(MAP_FAILED, big.regions[1].hva);
	ck_assert_int_eq(0, vq_init(&vq, &big, &s, 0));

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		const uint32_t rest = UINT32_MAX - len - 5;

		test_ring_desc(&ring, 0, TEST_MEM_HIGH_GPA, len,
			       flags[i][0] | F_NEXT, 1);
		test_ring_desc(&ring, 1, buf, 5, flags[i][1] | F_NEXT, 2);
		test_ring_desc(&ring, 2, TEST_MEM_HIGH_GPA, rest, flags[i][2],
			       0);
		test_ring_publish(&ring, 0);
		ck_assert_int_eq(1, vq_peek(&vq, &chain));
		ck_assert_uint_eq(UINT32_MAX, chain.out_bytes + chain.in_bytes);
		vq_consume(&vq);
		vq_push(&vq, 0, 0);
		ring.last_used = test_ring_used_idx(&ring);
		test_ring_desc(&ring, 2, TEST_MEM_HIGH_GPA, rest + 1,
			       flags[i][2], 0);
		malformed("one byte too many");
	}
	munmap(big.regions[1].hva, len);
}
END_TEST

/* Poisoned (R): nothing is read, written or asked for until vq_init(). */
static void poisoned(const char *what)
{
	char used[6 + 8 * 8];
	const uint64_t features = (vq.event_idx ? EVENT_IDX : 0) | INDIRECT;

	ck_assert_msg(vq_peek(&vq, &chain) == -EPROTO, "%s", what);
	ck_assert(vq.broken);
	memcpy(used, ring.used, sizeof(used));
	test_ring_desc(&ring, 0, buf, 16, 0, 0);
	test_ring_set_avail_idx(&ring, vq.next_avail);
	test_ring_publish(&ring, 0);
	ck_assert_int_eq(-EPROTO, vq_peek(&vq, &chain));
	ck_assert(!vq_has_work(&vq));
	vq_consume(&vq);
	vq_push(&vq, 0, 1);
	vq_suppress_kicks(&vq);
	ck_assert(!vq_enable_kicks(&vq));
	ck_assert(!vq_should_interrupt(&vq));
	ck_assert_mem_eq(used, ring.used, sizeof(used));

	test_ring_restart(&ring);
	start(8, features);
	ck_assert_int_eq(0, vq_peek(&vq, &chain));
}

/* C8 and section 9: avail index jump > size, moved back; ring entry >= size */
START_TEST(a_lying_available_ring_is_poison)
{
	static const uint16_t ahead[] = { 9, 10, 4096, 32767, 32768, 65535 };
	static const uint16_t heads[] = { 8, 9, 255, 65535 };
	unsigned int i;

	for (i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		test_ring_set_avail_idx(&ring, ahead[i]);
		ck_assert(vq_has_work(&vq)); /* so that somebody looks */
		poisoned("index ahead");
	}
	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		test_ring_desc(&ring, 0, buf, 16, 0, 0);
		test_ring_publish(&ring, heads[i]);
		poisoned("head out of range");
	}
	test_ring_set_avail_idx(&ring, 3);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	vq_consume(&vq);
	test_ring_set_avail_idx(&ring, 2);
	poisoned("index back, but not behind our cursor");
	test_ring_set_avail_idx(&ring, 3);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	vq_consume(&vq);
	test_ring_set_avail_idx(&ring, 0);
	poisoned("index back behind our cursor");
}
END_TEST

START_TEST(a_full_ring_is_no_lie)
{
	const struct test_seg seg = { buf, 16, false };
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < 8; i++)
			test_ring_add(&ring, &seg, 1);
		for (i = 0; i < 8; i++) {
			ck_assert_int_eq(1, vq_peek(&vq, &chain));
			vq_consume(&vq);
		}
		ck_assert_int_eq(0, vq_peek(&vq, &chain));
		for (i = 0; i < 8; i++)
			vq_push(&vq, i, 0);
	}
}
END_TEST

/* Without this a device's table of requests in flight would overflow. */
START_TEST(more_in_flight_than_descriptors_is_poison)
{
	const struct test_seg seg = { buf, 16, false };
	unsigned int i;

	for (i = 0; i < 8; i++) {
		test_ring_add(&ring, &seg, 1);
		ck_assert_int_eq(1, vq_peek(&vq, &chain));
		vq_consume(&vq);
	}
	vq_push(&vq, 3, 0);
	test_ring_add(&ring, &seg, 1);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	vq_consume(&vq);
	test_ring_add(&ring, &seg, 1);
	poisoned("9 chains out with 8 descriptors");
}
END_TEST

/* section 9: used ring or used index written by the guest */
START_TEST(the_used_ring_is_never_read_back)
{
	const struct test_seg seg = { buf, 16, true };
	uint32_t id, len;

	test_ring_add(&ring, &seg, 1);
	test_ring_add(&ring, &seg, 1);
	memset(ring.used, 0xa5, 6 + 8 * 8);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	vq_consume(&vq);
	vq_push(&vq, chain.head, 7);
	ck_assert_uint_eq(1, test_ring_used_idx(&ring));
	memset(ring.used, 0x5a, 6 + 8 * 8);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	vq_consume(&vq);
	vq_push(&vq, chain.head, 9);
	ck_assert_uint_eq(2, test_ring_used_idx(&ring));
	ring.last_used = 1;
	ck_assert(test_ring_used(&ring, &id, &len));
	ck_assert_uint_eq(1, id);
	ck_assert_uint_eq(9, len);
}
END_TEST

/* section 9: descriptors or header changed while we work */
START_TEST(a_chain_is_a_private_copy)
{
	const struct test_seg segs[] = {
		{ buf, 16, false }, { buf + 16, 512, true }
	};
	struct vq_chain copy;

	test_ring_add_indirect(&ring, table, segs, 2);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	memset(&copy, 0, sizeof(copy));
	copy.out[0] = chain.out[0];
	copy.in[0] = chain.in[0];
	memset(ring.desc, 0xff, 8 * 16);
	memset(test_mem_hva(&mem, table), 0xff, 32);
	ring.avail->ring[0] = 77;
	ck_assert_uint_eq(0, chain.head);
	ck_assert_mem_eq(&copy.out[0], &chain.out[0], sizeof(copy.out[0]));
	ck_assert_mem_eq(&copy.in[0], &chain.in[0], sizeof(copy.in[0]));
	vq_consume(&vq);
	vq_push(&vq, chain.head, 1);
	ck_assert_int_eq(0, vq_peek(&vq, &chain));
}
END_TEST

START_TEST(indices_run_over_65535)
{
	const struct test_seg seg = { buf, 16, false };
	uint32_t id, len, i;

	for (i = 0; i < 140000; i++) {
		uint16_t head = test_ring_add(&ring, &seg, 1);

		ck_assert_int_eq(1, vq_peek(&vq, &chain));
		ck_assert_uint_eq(head, chain.head);
		vq_consume(&vq);
		ck_assert_int_eq(0, vq_peek(&vq, &chain));
		vq_push(&vq, head, i);
		ck_assert(test_ring_used(&ring, &id, &len));
		ck_assert_uint_eq(head, id);
		ck_assert_uint_eq(i, len);
	}
}
END_TEST

static void serve(unsigned int n)
{
	const struct test_seg seg = { buf, 16, false };

	while (n--) {
		test_ring_add(&ring, &seg, 1);
		ck_assert_int_eq(1, vq_peek(&vq, &chain));
		vq_consume(&vq);
		vq_push(&vq, chain.head, 0);
	}
}

/* C6 */
START_TEST(no_interrupt_flag_suppresses_without_event_index)
{
	ck_assert(!vq_should_interrupt(&vq)); /* nothing pushed */
	serve(1);
	ck_assert(vq_should_interrupt(&vq));
	ck_assert(!vq_should_interrupt(&vq)); /* asked already */
	test_ring_set_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT);
	serve(1);
	ck_assert(!vq_should_interrupt(&vq));
	test_ring_set_flags(&ring, (uint16_t)~VRING_AVAIL_F_NO_INTERRUPT);
	serve(1);
	ck_assert(vq_should_interrupt(&vq)); /* other bits say nothing */
	/* the event word says nothing either */
	test_ring_set_flags(&ring, 0);
	test_ring_set_used_event(&ring, 30000);
	serve(1);
	ck_assert(vq_should_interrupt(&vq));
}
END_TEST

/* C6: fires exactly when the used index passes what the driver named */
START_TEST(event_index_says_when_to_interrupt)
{
	uint32_t at, event, batch;

	start(8, EVENT_IDX);
	test_ring_set_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT); /* ignored */
	serve(65520); /* the cases run over the index's wrap */
	vq_should_interrupt(&vq);
	for (at = 65520; at < 65550; at += batch) {
		batch = at % 5 + 1;
		for (event = at - 3; event < at + 8; event++) {
			struct virtqueue saved = vq;
			bool want = event >= at && event < at + batch;
			uint16_t idx = test_ring_avail_idx(&ring);

			test_ring_set_used_event(&ring, event);
			serve(batch);
			ck_assert_int_eq(want, vq_should_interrupt(&vq));
			ck_assert(!vq_should_interrupt(&vq));
			vq = saved;
			test_ring_set_avail_idx(&ring, idx);
		}
		serve(batch);
		vq_should_interrupt(&vq);
	}
}
END_TEST

/* C6: when in doubt, fire */
START_TEST(fires_when_the_distance_ran_over)
{
	start(8, EVENT_IDX);
	serve(1);
	vq_should_interrupt(&vq);
	test_ring_set_used_event(&ring, 40000);
	serve(65536);
	ck_assert(vq_should_interrupt(&vq));
	test_ring_set_used_event(&ring, 40000);
	serve(1);
	ck_assert(!vq_should_interrupt(&vq));
}
END_TEST

/* B8, C7 */
START_TEST(kicks_are_suppressed_and_enabled_by_flag)
{
	const struct test_seg seg = { buf, 16, false };

	vq_suppress_kicks(&vq);
	test_ring_add(&ring, &seg, 1);
	ck_assert(!test_ring_must_kick(&ring, false));
	ck_assert(vq_enable_kicks(&vq)); /* it came meanwhile */
	ck_assert(test_ring_must_kick(&ring, false));
	vq_suppress_kicks(&vq);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	vq_consume(&vq);
	ck_assert(!vq_enable_kicks(&vq));
	ck_assert_uint_eq(0, ring.used->flags);
}
END_TEST

/* B8, C7: one kick for the first chain after the enable, and no more */
START_TEST(kicks_are_enabled_by_the_event_index)
{
	const struct test_seg seg = { buf, 16, false };
	unsigned int i, round;

	start(8, EVENT_IDX);
	for (round = 0; round < 20000; round++) {
		ck_assert(!vq_enable_kicks(&vq));
		for (i = 0; i < 4; i++) {
			test_ring_add(&ring, &seg, 1);
			ck_assert_int_eq(!i, test_ring_must_kick(&ring, true));
			vq_suppress_kicks(&vq);
		}
		ck_assert(vq_enable_kicks(&vq));
		for (i = 0; i < 4; i++) {
			ck_assert_int_eq(1, vq_peek(&vq, &chain));
			vq_consume(&vq);
			vq_push(&vq, chain.head, 0);
		}
	}
	/* the flag is not ours to use then: virtio 1.4, 2.7.10 */
	ck_assert_uint_eq(0, ring.used->flags);
}
END_TEST

static void *scramble(void *arg)
{
	uint64_t x = 88172645463325252ULL;
	struct vring_desc *t = test_mem_hva(&mem, table);
	_Atomic bool *stop = arg;

	while (!*stop) {
		struct vring_desc *d;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		d = x & 1 ? &ring.desc[x >> 1 & 7] : &t[x >> 1 & 7];
		test_desc_write(d, x & 16 ? table : (x >> 8 & 0xfffff),
				x & 32 ? 128 : x >> 28 & 0xffff,
				x >> 44 & 7, x >> 48 & 7);
	}
	return NULL;
}

/* section 9: changed while read. Run with SAN=thread and SAN=address too. */
START_TEST(descriptors_changing_under_us_do_no_harm)
{
	const char *lo = mem.mem.regions[0].hva;
	_Atomic bool stop = false;
	unsigned int i, j, good = 0;
	pthread_t thread;

	ck_assert_int_eq(0, pthread_create(&thread, NULL, scramble, &stop));
	for (i = 0; i < 100000; i++) {
		uint64_t sum = 0;
		int ret;

		test_ring_publish(&ring, i % 8);
		ret = vq_peek(&vq, &chain);
		ck_assert(ret == 1 || ret == -EBADMSG);
		ck_assert_uint_eq(i % 8, chain.head);
		ck_assert_uint_le(chain.nr_out + chain.nr_in, 8);
		for (j = 0; j < chain.nr_out + chain.nr_in; j++) {
			const struct iovec *v = j < chain.nr_out ?
				&chain.out[j] : &chain.in[j - chain.nr_out];

			ck_assert((char *)v->iov_base >= lo);
			ck_assert((char *)v->iov_base + v->iov_len <=
				  lo + BYTES);
			sum += v->iov_len;
		}
		ck_assert_uint_eq(sum, chain.out_bytes + chain.in_bytes);
		good += ret == 1;
		vq_consume(&vq);
		vq_push(&vq, chain.head, 0);
	}
	stop = true;
	pthread_join(thread, NULL);
	ck_assert_uint_gt(good, 0);
}
END_TEST

#define STRESS_CHAINS 70000

struct stress {
	bool event_idx;
	sem_t kick, irq;
	unsigned int nr_irq;
};

/* A device that sleeps whenever it believes that it may. */
static void *stress_device(void *arg)
{
	struct stress *s = arg;
	unsigned int done = 0;

	while (done < STRESS_CHAINS) {
		int ret = vq_peek(&vq, &chain);

		if (ret == 1) {
			vq_consume(&vq);
			*(uint8_t *)chain.in[0].iov_base = done++;
			vq_push(&vq, chain.head, 1);
			continue;
		}
		if (ret < 0)
			return (void *)1;
		if (vq_should_interrupt(&vq)) {
			s->nr_irq++;
			sem_post(&s->irq);
		}
		if (!vq_enable_kicks(&vq)) {
			sem_wait(&s->kick);
			vq_suppress_kicks(&vq);
		}
	}
	if (vq_should_interrupt(&vq))
		sem_post(&s->irq);
	return NULL;
}

/* Ask for an interrupt, then look again: the driver's half of C6. */
static bool stress_driver_may_sleep(struct stress *s)
{
	if (s->event_idx)
		test_ring_set_used_event(&ring, ring.last_used);
	else
		test_ring_set_flags(&ring, 0);
	return test_ring_used_idx(&ring) == ring.last_used;
}

/* C6, C7: both sides sleep, and no wake-up is lost (a hang fails). */
START_TEST(no_wakeup_is_lost)
{
	struct stress s = { .event_idx = _i };
	unsigned int added = 0, used = 0;
	pthread_t thread;
	void *ret;

	start(8, _i ? EVENT_IDX : 0);
	sem_init(&s.kick, 0, 0);
	sem_init(&s.irq, 0, 0);
	vq_enable_kicks(&vq);
	ck_assert_int_eq(0, pthread_create(&thread, NULL, stress_device, &s));
	while (used < STRESS_CHAINS) {
		uint32_t id, len;

		if (!s.event_idx)
			test_ring_set_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT);
		while (added < STRESS_CHAINS && added - used < 8) {
			const struct test_seg seg = { buf + added % 8, 1,
						      true };

			test_ring_add(&ring, &seg, 1);
			added++;
			if (test_ring_must_kick(&ring, s.event_idx))
				sem_post(&s.kick);
		}
		while (test_ring_used(&ring, &id, &len)) {
			ck_assert_uint_eq(used % 8, id);
			ck_assert_uint_eq(1, len);
			ck_assert_uint_eq((uint8_t)used,
					  *(uint8_t *)test_mem_hva(
						  &mem, buf + used % 8));
			used++;
		}
		if (used < STRESS_CHAINS && added - used == 8 &&
		    stress_driver_may_sleep(&s))
			sem_wait(&s.irq);
	}
	pthread_join(thread, &ret);
	ck_assert_ptr_null(ret);
	sem_destroy(&s.kick);
	sem_destroy(&s.irq);
}
END_TEST

/* Both sides store, then look: at the same moment, as near as can be. */
#define DUEL_ROUNDS 100000

enum duel { DUEL_INTERRUPT, DUEL_KICK };

static struct {
	_Atomic unsigned int arrived;
	enum duel kind;
	bool event_idx;
	bool driver_saw[2], device_saw[2]; /* by the parity of the round */
} duel;

/* The @n-th meeting of the two threads. */
static void meet(unsigned int n)
{
	unsigned int spins = 0;

	atomic_fetch_add_explicit(&duel.arrived, 1, memory_order_acq_rel);
	while (atomic_load_explicit(&duel.arrived, memory_order_acquire) <
	       2 * n) {
		if (++spins > 2000)
			sched_yield();
	}
}

static bool duel_device(void)
{
	if (duel.kind == DUEL_KICK)
		return vq_enable_kicks(&vq);
	vq_push(&vq, chain.head, 0);
	return vq_should_interrupt(&vq);
}

static bool duel_driver(void)
{
	if (duel.kind == DUEL_KICK) {
		test_ring_publish(&ring, 0);
		return test_ring_must_kick(&ring, duel.event_idx);
	}
	if (duel.event_idx)
		test_ring_set_used_event(&ring, ring.last_used);
	else
		test_ring_set_flags(&ring, 0);
	return test_ring_used_idx(&ring) != ring.last_used;
}

static void *duel_driver_main(void *arg)
{
	unsigned int i;

	for (i = 0; i < DUEL_ROUNDS; i++) {
		meet(2 * i + 1);
		duel.driver_saw[i % 2] = duel_driver();
		meet(2 * i + 2);
	}
	return NULL;
}

/* What both sides need before they race, done by one thread. */
static void duel_prepare(void)
{
	if (duel.kind == DUEL_KICK) {
		vq_suppress_kicks(&vq);
		return;
	}
	test_ring_publish(&ring, 0);
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	vq_consume(&vq);
	ring.last_used = test_ring_used_idx(&ring);
	test_ring_set_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT);
	test_ring_set_used_event(&ring, ring.last_used - 1);
}

static void duel_tidy(void)
{
	if (duel.kind == DUEL_INTERRUPT)
		return;
	ck_assert_int_eq(1, vq_peek(&vq, &chain));
	vq_consume(&vq);
	vq_push(&vq, chain.head, 0);
}

/* C6, C7: the full fence. Who stores second sees the other's store. */
START_TEST(one_side_always_sees_the_other)
{
	volatile unsigned int delay; /* so that the two meet in the middle */
	pthread_t thread;
	unsigned int i;

	duel.kind = _i / 2;
	duel.event_idx = _i % 2;
	start(8, duel.event_idx ? EVENT_IDX : 0);
	test_ring_desc(&ring, 0, buf, 16, 0, 0);
	ck_assert_int_eq(0, pthread_create(&thread, NULL, duel_driver_main,
					   NULL));
	for (i = 0; i < DUEL_ROUNDS; i++) {
		duel_prepare();
		meet(2 * i + 1);
		for (delay = i % 64; delay > 0; delay--)
			;
		duel.device_saw[i % 2] = duel_device();
		meet(2 * i + 2);
		ck_assert_msg(duel.driver_saw[i % 2] || duel.device_saw[i % 2],
			      "round %u: nobody saw", i);
		duel_tidy();
	}
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtqueue");
	TCase *tc = tcase_create("virtqueue");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, init_refuses_bad_sizes);
	tcase_add_test(tc, init_refuses_bad_rings);
	tcase_add_test(tc, a_chain_comes_as_it_was_split);
	tcase_add_test(tc, a_peek_leaves_the_chain_where_it_is);
	tcase_add_test(tc, indirect_tables_that_must_work);
	tcase_add_test(tc, direct_chains_that_go_astray);
	tcase_add_test(tc, indirect_tables_that_are_refused);
	tcase_add_test(tc, indirect_is_refused_unless_negotiated);
	tcase_add_test(tc, a_chain_holds_queue_size_descriptors_at_most);
	tcase_add_test(tc, the_largest_chain_fits);
	tcase_add_test(tc, buffers_outside_ram_are_refused);
	tcase_add_test(tc, readable_after_writable_is_refused);
	tcase_add_test(tc, empty_descriptors_leave_no_iovec);
	tcase_add_test(tc, a_chain_has_less_than_4_gib);
	tcase_add_test(tc, a_lying_available_ring_is_poison);
	tcase_add_test(tc, a_full_ring_is_no_lie);
	tcase_add_test(tc, more_in_flight_than_descriptors_is_poison);
	tcase_add_test(tc, the_used_ring_is_never_read_back);
	tcase_add_test(tc, a_chain_is_a_private_copy);
	tcase_add_test(tc, indices_run_over_65535);
	tcase_add_test(tc, no_interrupt_flag_suppresses_without_event_index);
	tcase_add_test(tc, event_index_says_when_to_interrupt);
	tcase_add_test(tc, fires_when_the_distance_ran_over);
	tcase_add_test(tc, kicks_are_suppressed_and_enabled_by_flag);
	tcase_add_test(tc, kicks_are_enabled_by_the_event_index);
	tcase_add_test(tc, descriptors_changing_under_us_do_no_harm);
	tcase_add_loop_test(tc, no_wakeup_is_lost, 0, 2);
	tcase_add_loop_test(tc, one_side_always_sees_the_other, 0, 4);
	suite_add_tcase(s, tc);
	return test_run(s);
}
