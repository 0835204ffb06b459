/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests: a disk's state on rings in plain memory, stepped through without a
 * thread, and the requests a driver makes.
 */
#ifndef KTSTR_VMM_BLK_TEST_DISK_H
#define KTSTR_VMM_BLK_TEST_DISK_H

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <check.h>

#include "vmm/blk_dispatch.h"
#include "vmm/blk_state.h"
#include "vmm/blk_test_sys.h"
#include "vmm/test_ring.h"

#define TEST_DISK_BYTES (1u << 20)
#define TEST_DATA_MAX 65536
#define TEST_SLOTS 32
#define TEST_FEATURES                                             \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_BLK_F_FLUSH | \
	 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES)
#define TEST_EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define TEST_INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define TEST_STATUS_NONE 0xee /* not written yet */

struct test_irq {
	struct virtio_irq irq;	/* first */
	_Atomic unsigned int used, needs_reset;
	_Atomic unsigned int used_of[VIRTIO_MAX_QUEUES];
	/* called at each used interrupt, if set */
	void (*hook)(void *ctx);
	void *ctx;
};

static inline void test_irq_used(struct virtio_irq *irq, unsigned int queue)
{
	struct test_irq *t = (struct test_irq *)irq;

	atomic_fetch_add(&t->used, 1);
	ck_assert_uint_lt(queue, VIRTIO_MAX_QUEUES);
	atomic_fetch_add(&t->used_of[queue], 1);
	if (t->hook)
		t->hook(t->ctx);
}

static inline void test_irq_needs_reset(struct virtio_irq *irq)
{
	atomic_fetch_add(&((struct test_irq *)irq)->needs_reset, 1);
}

static inline void test_irq_config_changed(struct virtio_irq *irq)
{
}

static inline void test_irq_init(struct test_irq *t)
{
	memset(t, 0, sizeof(*t));
	t->irq = (struct virtio_irq){
		.used = test_irq_used,
		.needs_reset = test_irq_needs_reset,
		.config_changed = test_irq_config_changed,
	};
}

/* Memory for one request in flight. */
struct test_slot {
	uint64_t hdr_gpa, data_gpa, status_gpa;
	struct virtio_blk_outhdr *hdr;
	uint8_t *data, *status;
	uint16_t head;
};

static inline void test_slots_init(struct test_slot *slots, struct test_mem *m)
{
	unsigned int i;

	for (i = 0; i < TEST_SLOTS; i++) {
		struct test_slot *s = &slots[i];

		s->data_gpa = test_mem_alloc(m, TEST_DATA_MAX);
		s->hdr_gpa = test_mem_alloc(m, 4096);
		s->status_gpa = s->hdr_gpa + 2048;
		s->hdr = test_mem_hva(m, s->hdr_gpa);
		s->data = test_mem_hva(m, s->data_gpa);
		s->status = test_mem_hva(m, s->status_gpa);
	}
}

/* Fill in the header and mark the status as not written. */
static inline void test_slot_header(struct test_slot *s, uint32_t type,
				    uint64_t sector)
{
	*s->hdr = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*s->status = TEST_STATUS_NONE;
}

/* The plain layout: header, data of @len bytes, status. Return: descriptors. */
static inline unsigned int test_slot_segs(const struct test_slot *s,
					  bool to_guest, uint32_t len,
					  struct test_seg *segs)
{
	unsigned int n = 0;

	segs[n++] = (struct test_seg){ s->hdr_gpa, sizeof(*s->hdr), false };
	if (len)
		segs[n++] = (struct test_seg){ s->data_gpa, len, to_guest };
	segs[n++] = (struct test_seg){ s->status_gpa, 1, true };
	return n;
}

static inline void test_slot_submit(struct test_slot *s, struct test_ring *r,
				    uint32_t type, uint64_t sector,
				    uint32_t len)
{
	bool to_guest = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct test_seg segs[3];

	test_slot_header(s, type, sector);
	s->head = test_ring_add(r, segs,
				test_slot_segs(s, to_guest, len, segs));
}

struct test_disk {
	struct test_mem m;
	struct test_ring r;
	struct test_slot slots[TEST_SLOTS];
	struct test_irq irq;
	struct test_sys sys;
	struct blk_shared sh;
	struct blk_state s;
	uint64_t features;
	_Atomic unsigned int lines; /* logged */
};

static inline void test_disk_set_limits(struct test_disk *d, uint64_t iops,
					uint64_t bps, uint64_t burst_ns)
{
	const struct vm_throttle t = { .iops = iops, .bps = bps,
				       .burst_ns = burst_ns };

	blk_limits_publish(&d->sh.limits, &t);
}

static inline void test_disk_activate(struct test_disk *d, uint64_t features)
{
	const struct virtio_queue_setup setup = test_ring_setup(&d->r);

	d->features = features;
	ck_assert_int_eq(0, blk_state_activate(&d->s, features, &setup,
						1));
}

/* Not active yet: the test may change anything first. */
static inline void test_disk_init(struct test_disk *d,
				  const struct vm_disk_config *cfg,
				  uint16_t queue_size)
{
	memset(d, 0, sizeof(*d));
	log_set_sink(test_log_count, &d->lines);
	test_mem_init(&d->m, 4u << 20);
	test_ring_init(&d->r, &d->m, queue_size);
	test_slots_init(d->slots, &d->m);
	test_irq_init(&d->irq);
	d->sys.now_ns = 1000000000;
	d->sys.fail_fd = -1;
	d->sh.sys = &test_sys_ops;
	d->sh.sys_ctx = &d->sys;
	atomic_init(&d->sh.mem, &d->m.mem);
	atomic_init(&d->sh.irq, &d->irq.irq);
	blk_limits_init(&d->sh.limits, &cfg->throttle);
	ck_assert_int_eq(0, blk_worker_init(&d->sh.worker, &test_sys_ops,
					    &d->sys, &blk_state_client, NULL));
	ck_assert_int_eq(0, blk_state_init(&d->s, &d->sh, cfg));
	ck_assert_int_eq(0, blk_worker_open(&d->sh.worker, &d->s));
	d->sys.nr_calls = 0;
}

static inline void test_disk_fini(struct test_disk *d)
{
	blk_worker_close(&d->sh.worker);
	blk_worker_fini(&d->sh.worker);
	blk_limits_fini(&d->sh.limits);
	blk_state_fini(&d->s);
	test_mem_fini(&d->m);
	log_set_sink(NULL, NULL);
}

static inline enum blk_step test_disk_step(struct test_disk *d,
					   enum blk_token token)
{
	struct epoll_event ev = blk_event_make(token);

	return blk_worker_step(&d->sh.worker, &ev, 1);
}

/* A guest's kick, as far as the driver's side of the ring asks for one. */
static inline void test_disk_kick(struct test_disk *d)
{
	const uint64_t one = 1;

	ck_assert_int_eq(8, write(d->sh.worker.kick_fd, &one, sizeof(one)));
	test_disk_step(d, BLK_TOKEN_KICK);
}

/* Turn the clock to where the timer is armed, and let it fire. */
static inline void test_disk_fire(struct test_disk *d)
{
	ck_assert(d->sh.worker.blocked);
	d->sys.now_ns = d->sys.armed_at_ns;
	test_disk_step(d, BLK_TOKEN_THROTTLE);
}

static inline struct vm_disk_stats test_disk_stats(struct test_disk *d)
{
	struct vm_disk_stats st;

	blk_stats_read(&d->sh.stats, d->sys.now_ns, &st);
	return st;
}

/* All but the time of reading; the struct has padding at its end. */
static inline bool test_stats_same(const struct vm_disk_stats *a,
				   const struct vm_disk_stats *b)
{
	const size_t from = offsetof(struct vm_disk_stats, reads);
	const size_t to = offsetof(struct vm_disk_stats, throttled_now);

	return !memcmp((const char *)a + from, (const char *)b + from,
		       to - from) &&
	       a->throttled_now == b->throttled_now;
}

/* The next used entry must be that of @s, with @len and @status. */
static inline void test_disk_expect(struct test_disk *d,
				    const struct test_slot *s, uint8_t status,
				    uint32_t len)
{
	uint32_t id, got;

	ck_assert(test_ring_used(&d->r, &id, &got));
	ck_assert_uint_eq(s->head, id);
	ck_assert_uint_eq(status, *s->status);
	ck_assert_uint_eq(len, got);
}

static inline void test_disk_expect_none(struct test_disk *d)
{
	uint32_t id, len;

	ck_assert(!test_ring_used(&d->r, &id, &len));
}

#endif
