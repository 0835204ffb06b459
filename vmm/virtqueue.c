// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtqueue.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A descriptor is two 64-bit words: the address, and all the rest. */
_Static_assert(sizeof(struct vring_desc) == 2 * sizeof(uint64_t), "vring_desc");

#define FEATURE(bit) (1ULL << (bit))

static void *ring_hva(const struct guest_mem *mem, uint64_t gpa, uint64_t len,
		      uint64_t align)
{
	return gpa % align ? NULL : guest_mem_hva(mem, gpa, len);
}

int vq_init(struct virtqueue *vq, const struct guest_mem *mem,
	    const struct virtio_queue_setup *setup, uint64_t features)
{
	const uint64_t n = setup->size;

	*vq = (struct virtqueue){ .broken = true };
	if (!n || n > VIRTIO_QUEUE_MAX || (n & (n - 1)))
		return -EINVAL;

	/* Sizes with both event words, always: virtio 1.4, 2.7. */
	vq->desc = ring_hva(mem, setup->desc_gpa,
			    n * sizeof(struct vring_desc),
			    VRING_DESC_ALIGN_SIZE);
	vq->avail = ring_hva(mem, setup->avail_gpa,
			     sizeof(struct vring_avail) +
			     (n + 1) * sizeof(uint16_t),
			     VRING_AVAIL_ALIGN_SIZE);
	vq->used = ring_hva(mem, setup->used_gpa,
			    sizeof(struct vring_used) +
			    n * sizeof(struct vring_used_elem) +
			    sizeof(uint16_t),
			    VRING_USED_ALIGN_SIZE);
	if (!vq->desc || !vq->avail || !vq->used)
		return -EINVAL;

	vq->mem = mem;
	vq->size = n;
	vq->event_idx = features & FEATURE(VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = features & FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	vq->signalled_valid = true;
	vq->broken = false;
	return 0;
}

/* Behind the rings: where the driver says when to interrupt, and we when to
 * kick (virtio 1.4, 2.7.7.1, 2.7.10). */
static uint16_t *used_event(const struct virtqueue *vq)
{
	return &vq->avail->ring[vq->size];
}

static uint16_t *avail_event(const struct virtqueue *vq)
{
	return (uint16_t *)&vq->used->ring[vq->size];
}

/*
 * How many chains wait for us, as the driver has it.
 *
 * Acquire: the descriptors and ring entries that the driver wrote before it
 * published idx are visible after this load. Pairs with its barrier (virtio
 * 1.4, 2.7.13.3).
 */
static uint16_t avail_ahead(const struct virtqueue *vq)
{
	return __atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE) -
	       vq->next_avail;
}

/*
 * Move avail_seen to what the driver published. It lies if the index went
 * back, or if more chains would be out than there are descriptors (C8).
 */
static int see_avail(struct virtqueue *vq)
{
	const uint16_t ahead = avail_ahead(vq);
	const uint16_t seen = vq->avail_seen - vq->next_avail;
	const uint16_t in_flight = vq->next_avail - vq->next_used;

	if (ahead > vq->size - in_flight || ahead < seen)
		return -EPROTO;
	vq->avail_seen = vq->next_avail + ahead;
	return 0;
}

/*
 * The one read of a descriptor. Relaxed: ordered by the acquire load of idx;
 * atomic, because a hostile driver may write it at the same time. An indirect
 * table needs no alignment, and then single bytes are all that is atomic.
 */
static struct vring_desc load_desc(const void *p)
{
	union {
		struct vring_desc desc;
		uint64_t words[2];
		uint8_t bytes[sizeof(struct vring_desc)];
	} copy;
	size_t i;

	if ((uintptr_t)p % sizeof(uint64_t)) {
		for (i = 0; i < sizeof(copy.bytes); i++)
			copy.bytes[i] = __atomic_load_n((const uint8_t *)p + i,
							__ATOMIC_RELAXED);
	} else {
		for (i = 0; i < 2; i++)
			copy.words[i] = __atomic_load_n((const uint64_t *)p + i,
							__ATOMIC_RELAXED);
	}
	return copy.desc;
}

/* Where a walk through a chain stands. */
struct walk {
	const char *table;	/* the queue's, or one indirect table */
	uint32_t entries;	/* of @table */
	uint32_t index;		/* next to read, checked */
	unsigned int seen;	/* descriptors with a buffer so far */
	bool indirect;		/* @table is indirect */
};

/* Go on in the table that @desc points to (virtio 1.4, 2.7.5.3). */
static int enter_indirect(const struct virtqueue *vq, struct walk *w,
			  const struct vring_desc *desc)
{
	const uint32_t entries = desc->len / sizeof(*desc);

	if (!vq->indirect || w->indirect || desc->flags & VRING_DESC_F_NEXT)
		return -EBADMSG;
	if (!entries || desc->len % sizeof(*desc) || entries > vq->size)
		return -EBADMSG;
	w->table = guest_mem_hva(vq->mem, desc->addr, desc->len);
	if (!w->table)
		return -EBADMSG;
	w->entries = entries;
	w->index = 0;
	w->indirect = true;
	return 0;
}

/* Put the buffer of @desc into @chain. */
static int add_buffer(const struct virtqueue *vq, struct vq_chain *chain,
		      const struct vring_desc *desc, bool *writable_seen)
{
	const bool writable = desc->flags & VRING_DESC_F_WRITE;
	struct iovec *iov;
	void *hva;

	if (*writable_seen && !writable)
		return -EBADMSG;
	*writable_seen = writable;
	if (!desc->len)
		return 0;
	if (chain->out_bytes + chain->in_bytes + desc->len > UINT32_MAX)
		return -EBADMSG;
	hva = guest_mem_hva(vq->mem, desc->addr, desc->len);
	if (!hva)
		return -EBADMSG;

	/* seen <= size <= VIRTIO_QUEUE_MAX < VQ_MAX_SEGS: never over the end */
	if (writable) {
		iov = &chain->in[chain->nr_in++];
		chain->in_bytes += desc->len;
	} else {
		iov = &chain->out[chain->nr_out++];
		chain->out_bytes += desc->len;
	}
	*iov = (struct iovec){ .iov_base = hva, .iov_len = desc->len };
	return 0;
}

/* Ends: an indirect table is entered once, and seen grows otherwise. */
static int walk_chain(const struct virtqueue *vq, struct vq_chain *chain)
{
	struct walk w = {
		.table = (const char *)vq->desc,
		.entries = vq->size,
		.index = chain->head,
	};
	bool writable_seen = false;
	struct vring_desc desc;
	int err;

	for (;;) {
		desc = load_desc(w.table + w.index * sizeof(desc));
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			err = enter_indirect(vq, &w, &desc);
			if (err)
				return err;
			continue;
		}
		if (w.seen++ == vq->size)
			return -EBADMSG;
		err = add_buffer(vq, chain, &desc, &writable_seen);
		if (err)
			return err;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		if (desc.next >= w.entries)
			return -EBADMSG;
		w.index = desc.next;
	}
}

static void chain_clear(struct vq_chain *chain)
{
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_bytes = 0;
	chain->in_bytes = 0;
}

int vq_peek(struct virtqueue *vq, struct vq_chain *chain)
{
	int err;

	if (vq->broken)
		return -EPROTO;
	if (see_avail(vq))
		goto poison;
	if (vq->avail_seen == vq->next_avail)
		return 0;
	/* Relaxed: ordered by the load of idx in see_avail(). */
	chain->head = __atomic_load_n(
		&vq->avail->ring[vq->next_avail % vq->size], __ATOMIC_RELAXED);
	if (chain->head >= vq->size)
		goto poison;

	chain_clear(chain);
	err = walk_chain(vq, chain);
	if (!err)
		return 1;
	chain_clear(chain);
	return err;

poison:
	vq->broken = true;
	return -EPROTO;
}

void vq_consume(struct virtqueue *vq)
{
	if (vq->broken)
		return;
	assert(vq->next_avail != vq->avail_seen);
	vq->next_avail++;
}

void vq_push(struct virtqueue *vq, uint16_t head, uint32_t len)
{
	struct vring_used_elem *elem;

	if (vq->broken)
		return;
	assert(vq->next_used != vq->next_avail);
	elem = &vq->used->ring[vq->next_used % vq->size];
	__atomic_store_n(&elem->id, head, __ATOMIC_RELAXED);
	__atomic_store_n(&elem->len, len, __ATOMIC_RELAXED);
	vq->next_used++;
	/*
	 * Release: who sees the index sees the element, and every byte that
	 * was written to the chain's buffers. Pairs with the driver's barrier
	 * after its read of the used index (virtio 1.4, 2.7.14).
	 */
	__atomic_store_n(&vq->used->idx, vq->next_used, __ATOMIC_RELEASE);
	/* 65536 pushes without a question: the distance no longer tells */
	if (vq->next_used == vq->signalled_used)
		vq->signalled_valid = false;
}

bool vq_should_interrupt(struct virtqueue *vq)
{
	const uint16_t old = vq->signalled_used, new = vq->next_used;
	const bool valid = vq->signalled_valid;

	if (vq->broken || (valid && old == new))
		return false;
	vq->signalled_used = new;
	vq->signalled_valid = true;

	/*
	 * The full fence between the used index and the driver's wish is this
	 * second, sequentially consistent store of the index, with the loads
	 * below in the same order. Pairs with the driver's barrier between
	 * its wish and its look at the used index (virtio 1.4, 2.7.14): one
	 * of us sees what the other wrote. A store, because TSan does not see
	 * a fence.
	 */
	__atomic_store_n(&vq->used->idx, new, __ATOMIC_SEQ_CST);
	if (!vq->event_idx)
		return !(__atomic_load_n(&vq->avail->flags, __ATOMIC_SEQ_CST) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	return !valid ||
	       vring_need_event(__atomic_load_n(used_event(vq),
						__ATOMIC_SEQ_CST), new, old);
}

void vq_suppress_kicks(struct virtqueue *vq)
{
	/* Relaxed: a hint; a kick too many costs time only. */
	if (!vq->broken && !vq->event_idx)
		__atomic_store_n(&vq->used->flags, VRING_USED_F_NO_NOTIFY,
				 __ATOMIC_RELAXED);
}

bool vq_enable_kicks(struct virtqueue *vq)
{
	if (vq->broken)
		return false;
	/*
	 * Sequentially consistent, as is the load of idx that follows. Pairs
	 * with the driver's barrier between its publishing of idx and its
	 * look at this word (virtio 1.4, 2.7.13.4): either it sees our wish
	 * and kicks, or we see its chain here.
	 */
	if (vq->event_idx)
		__atomic_store_n(avail_event(vq), vq->next_avail,
				 __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(&vq->used->flags, 0, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&vq->avail->idx, __ATOMIC_SEQ_CST) !=
	       vq->next_avail;
}

bool vq_has_work(const struct virtqueue *vq)
{
	return !vq->broken && avail_ahead(vq);
}
