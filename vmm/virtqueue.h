/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's side of a split virtqueue (virtio 1.4, 2.7), for every device.
 *
 * A virtqueue belongs to one thread. It trusts nothing in the rings: each
 * guest word is read once into private memory, checked there, used from there.
 */
#ifndef KTSTR_VMM_VIRTQUEUE_H
#define KTSTR_VMM_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/virtio_dev.h"

#define VQ_MAX_SEGS (VIRTIO_QUEUE_MAX + 4) /* iovecs of one chain */

/* The rings of one queue. Open struct: tests build one in plain memory. */
struct virtqueue {
	const struct guest_mem *mem;	/* borrowed */
	uint16_t size;			/* power of two, <= VIRTIO_QUEUE_MAX */
	bool event_idx, indirect;	/* negotiated */
	bool broken;			/* poisoned: no-op until vq_init() */
	const struct vring_desc *desc;	/* checked: wholly inside RAM */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail;		/* our cursor */
	uint16_t avail_seen;		/* furthest index the driver published */
	uint16_t next_used;		/* ours: the guest's copy is never read */
	uint16_t signalled_used;	/* value at the last interrupt */
	bool signalled_valid;
};

/* One popped chain; private copy, lives in the caller. */
struct vq_chain {
	uint16_t head;
	unsigned int nr_out, nr_in;	/* readable first, then writable */
	struct iovec out[VQ_MAX_SEGS];	/* driver wrote, device reads */
	struct iovec in[VQ_MAX_SEGS];	/* device writes */
	uint64_t out_bytes, in_bytes;
};

/**
 * vq_init() - check what the driver set up and start at ring position 0
 * @vq: written whole; broken, so a no-op, when this fails
 * @mem: borrowed
 * @setup: as the driver wrote it; whether it is ready is the caller's to ask
 * @features: acknowledged; EVENT_IDX and INDIRECT_DESC matter here
 *
 * Writes nothing to the guest: call vq_enable_kicks() before waiting.
 *
 * Return: 0; -EINVAL for size 0, not a power of two, over the maximum, a
 * misaligned ring, one outside RAM or across a hole (section 9, R).
 */
int vq_init(struct virtqueue *vq, const struct guest_mem *mem,
	    const struct virtio_queue_setup *setup, uint64_t features);

/**
 * vq_peek() - look at the next available chain, leaving it unconsumed (C2)
 * @vq: queue
 * @chain: filled on 1; descriptors of length 0 leave no iovec in it
 *
 * A later peek reads the guest's words anew: act on the last one only. A
 * driver never has more than @vq->size chains available and in flight; but
 * one head may come again while it is in flight, if the driver is hostile.
 *
 * Return: 1 a chain; 0 none; -EBADMSG the chain is malformed and must be
 * used with length 0: @chain->head is set, call vq_consume() and vq_push()
 * (section 9, U); -EPROTO the ring is broken: poisoned, see vq->broken (R).
 */
int vq_peek(struct virtqueue *vq, struct vq_chain *chain);

/** vq_consume() - the chain vq_peek() gave is taken; the cursor moves on */
void vq_consume(struct virtqueue *vq);

/** vq_push() - put @head with @len written bytes into the used ring */
void vq_push(struct virtqueue *vq, uint16_t head, uint32_t len);

/**
 * vq_should_interrupt() - ask once per batch after vq_push(); full fence (C6)
 *
 * Return: false only when the driver asked for that, or nothing was pushed
 * since the last question.
 */
bool vq_should_interrupt(struct virtqueue *vq);

/**
 * vq_suppress_kicks() - hint that the driver need not kick (B8)
 *
 * With the event index nothing needs saying: a driver that passed the index
 * of the last vq_enable_kicks() stays silent until the next one.
 */
void vq_suppress_kicks(struct virtqueue *vq);

/**
 * vq_enable_kicks() - ask for the next kick, then look again (C7)
 *
 * Return: true when chains became available meanwhile: drain on.
 */
bool vq_enable_kicks(struct virtqueue *vq);

/**
 * vq_has_work() - is a chain available?
 *
 * Return: also true when the driver broke the ring and vq_peek() has not said
 * so yet; false for a ring known to be broken.
 */
bool vq_has_work(const struct virtqueue *vq);

#endif
