/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests: the driver's side of a split virtqueue in plain memory. It builds
 * chains that a good driver builds, and lets a test write any word by hand.
 *
 * The driver may run in another thread than the device: every word that both
 * touch is accessed atomically, with the orders virtio asks of a driver.
 */
#ifndef KTSTR_VMM_TEST_RING_H
#define KTSTR_VMM_TEST_RING_H

#include <linux/virtio_ring.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/virtio_dev.h"

/* Guest RAM as x86 has it: two regions and a hole between them. */
#define TEST_MEM_LOW_GPA 0ULL
#define TEST_MEM_HIGH_GPA 0x100000000ULL

struct test_mem {
	struct guest_mem mem;
	uint64_t next_gpa;	/* test_mem_alloc() goes on here */
};

/* @bytes in each region, a multiple of 4096; zeroed. */
static inline void test_mem_init(struct test_mem *m, size_t bytes)
{
	static const uint64_t gpas[] = { TEST_MEM_LOW_GPA, TEST_MEM_HIGH_GPA };
	unsigned int i;

	memset(m, 0, sizeof(*m));
	m->mem.nr = 2;
	for (i = 0; i < 2; i++) {
		struct guest_mem_region *r = &m->mem.regions[i];

		r->gpa = gpas[i];
		r->len_bytes = bytes;
		r->hva = aligned_alloc(4096, bytes);
		if (!r->hva)
			abort();
		memset(r->hva, 0, bytes);
	}
}

static inline void test_mem_fini(struct test_mem *m)
{
	unsigned int i;

	for (i = 0; i < m->mem.nr; i++)
		free(m->mem.regions[i].hva);
}

/* Memory of the low region that nothing else uses, 4096-aligned. */
static inline uint64_t test_mem_alloc(struct test_mem *m, size_t bytes)
{
	const uint64_t gpa = m->next_gpa;

	m->next_gpa += (bytes + 4095) & ~4095ULL;
	if (!guest_mem_hva(&m->mem, gpa, bytes))
		abort();
	return gpa;
}

static inline void *test_mem_hva(const struct test_mem *m, uint64_t gpa)
{
	void *hva = guest_mem_hva(&m->mem, gpa, 1);

	if (!hva)
		abort();
	return hva;
}

struct test_ring {
	struct test_mem *m;
	uint16_t size;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_desc;	/* round robin: the test leaves room */
	uint16_t last_used;
	uint16_t kicked_idx;	/* avail index at the last question */
};

/* One buffer of a chain. */
struct test_seg {
	uint64_t gpa;
	uint32_t len;
	bool writable;
};

static inline void test_ring_init(struct test_ring *r, struct test_mem *m,
				  uint16_t size)
{
	memset(r, 0, sizeof(*r));
	r->m = m;
	r->size = size;
	r->desc_gpa = test_mem_alloc(m, size * sizeof(*r->desc));
	r->avail_gpa = test_mem_alloc(m, 6 + 2 * size);
	r->used_gpa = test_mem_alloc(m, 6 + 8 * size);
	r->desc = test_mem_hva(m, r->desc_gpa);
	r->avail = test_mem_hva(m, r->avail_gpa);
	r->used = test_mem_hva(m, r->used_gpa);
}

/* As after a device reset: the rings are zeroed and begin anew. */
static inline void test_ring_restart(struct test_ring *r)
{
	memset(r->desc, 0, r->size * sizeof(*r->desc));
	memset(r->avail, 0, 6 + 2 * r->size);
	memset(r->used, 0, 6 + 8 * r->size);
	r->next_desc = 0;
	r->last_used = 0;
	r->kicked_idx = 0;
}

static inline struct virtio_queue_setup
test_ring_setup(const struct test_ring *r)
{
	return (struct virtio_queue_setup){
		.size = r->size,
		.ready = true,
		.desc_gpa = r->desc_gpa,
		.avail_gpa = r->avail_gpa,
		.used_gpa = r->used_gpa,
	};
}

/* Any table, any content; the device may be reading it. */
static inline void test_desc_write(struct vring_desc *d, uint64_t addr,
				   uint32_t len, uint16_t flags, uint16_t next)
{
	const struct vring_desc v = { addr, len, flags, next };
	uint64_t w[2];

	memcpy(w, &v, sizeof(w));
	__atomic_store_n((uint64_t *)d, w[0], __ATOMIC_RELAXED);
	__atomic_store_n((uint64_t *)d + 1, w[1], __ATOMIC_RELAXED);
}

static inline void test_ring_desc(struct test_ring *r, uint16_t i,
				  uint64_t addr, uint32_t len, uint16_t flags,
				  uint16_t next)
{
	test_desc_write(&r->desc[i], addr, len, flags, next);
}

static inline uint16_t test_ring_avail_idx(const struct test_ring *r)
{
	return __atomic_load_n(&r->avail->idx, __ATOMIC_RELAXED);
}

/* Sequentially consistent: also the barrier before test_ring_must_kick(). */
static inline void test_ring_set_avail_idx(struct test_ring *r, uint16_t idx)
{
	__atomic_store_n(&r->avail->idx, idx, __ATOMIC_SEQ_CST);
}

/* Make the chain that begins at @head available. */
static inline void test_ring_publish(struct test_ring *r, uint16_t head)
{
	const uint16_t idx = test_ring_avail_idx(r);

	__atomic_store_n(&r->avail->ring[idx % r->size], head,
			 __ATOMIC_RELAXED);
	test_ring_set_avail_idx(r, idx + 1);
}

static inline uint16_t test_seg_flags(const struct test_seg *seg, bool last)
{
	return (seg->writable ? VRING_DESC_F_WRITE : 0) |
	       (last ? 0 : VRING_DESC_F_NEXT);
}

/* A chain of @n >= 1 direct descriptors, not yet published. Return: its head. */
static inline uint16_t test_ring_build(struct test_ring *r,
				       const struct test_seg *segs,
				       unsigned int n)
{
	const uint16_t head = r->next_desc;
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint16_t at = (head + i) % r->size;

		test_ring_desc(r, at, segs[i].gpa, segs[i].len,
			       test_seg_flags(&segs[i], i == n - 1),
			       (at + 1) % r->size);
	}
	r->next_desc = (head + n) % r->size;
	return head;
}

static inline uint16_t test_ring_add(struct test_ring *r,
				     const struct test_seg *segs,
				     unsigned int n)
{
	const uint16_t head = test_ring_build(r, segs, n);

	test_ring_publish(r, head);
	return head;
}

/* An indirect table at @gpa, which needs no alignment. */
static inline void test_table_write(struct test_ring *r, uint64_t gpa,
				    const struct test_seg *segs,
				    unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		const struct vring_desc d = {
			.addr = segs[i].gpa,
			.len = segs[i].len,
			.flags = test_seg_flags(&segs[i], i == n - 1),
			.next = i + 1,
		};

		memcpy(test_mem_hva(r->m, gpa + i * sizeof(d)), &d, sizeof(d));
	}
}

static inline uint16_t test_ring_add_indirect(struct test_ring *r,
					      uint64_t table_gpa,
					      const struct test_seg *segs,
					      unsigned int n)
{
	const uint16_t head = r->next_desc;

	test_table_write(r, table_gpa, segs, n);
	test_ring_desc(r, head, table_gpa, n * sizeof(struct vring_desc),
		       VRING_DESC_F_INDIRECT, 0);
	r->next_desc = (head + 1) % r->size;
	test_ring_publish(r, head);
	return head;
}

static inline uint16_t test_ring_used_idx(const struct test_ring *r)
{
	/* Pairs with the release store of vq_push(). */
	return __atomic_load_n(&r->used->idx, __ATOMIC_SEQ_CST);
}

/* Take the next used element. Return: whether there was one. */
static inline bool test_ring_used(struct test_ring *r, uint32_t *id,
				  uint32_t *len)
{
	const struct vring_used_elem *e;

	if (test_ring_used_idx(r) == r->last_used)
		return false;
	e = &r->used->ring[r->last_used++ % r->size];
	*id = __atomic_load_n(&e->id, __ATOMIC_RELAXED);
	*len = __atomic_load_n(&e->len, __ATOMIC_RELAXED);
	return true;
}

/* Must a good driver kick for what it published since it asked last? */
static inline bool test_ring_must_kick(struct test_ring *r, bool event_idx)
{
	const uint16_t old = r->kicked_idx, new = test_ring_avail_idx(r);
	const uint16_t *event = (uint16_t *)&r->used->ring[r->size];

	r->kicked_idx = new;
	if (event_idx)
		return vring_need_event(__atomic_load_n(event,
							__ATOMIC_SEQ_CST),
					new, old);
	return !(__atomic_load_n(&r->used->flags, __ATOMIC_SEQ_CST) &
		 VRING_USED_F_NO_NOTIFY);
}

/* With the event index: interrupt me when the used index passes @idx. */
static inline void test_ring_set_used_event(struct test_ring *r, uint16_t idx)
{
	__atomic_store_n(&r->avail->ring[r->size], idx, __ATOMIC_SEQ_CST);
}

static inline void test_ring_set_flags(struct test_ring *r, uint16_t flags)
{
	__atomic_store_n(&r->avail->flags, flags, __ATOMIC_SEQ_CST);
}

#endif
