/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The requests of a disk that were admitted and are not due yet (L7): how long
 * each takes, and in which order they come due. No clock, no ring, no memory
 * but its own. Used by the drain of the disk's worker.
 */
#ifndef KTSTR_VMM_BLK_PENDING_H
#define KTSTR_VMM_BLK_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/virtio_dev.h"

#define BLK_PENDING_MAX (VIRTIO_QUEUE_MAX * VIRTIO_MAX_QUEUES)
#define BLK_NEVER_NS UINT64_MAX

struct blk_due {
	uint64_t at_ns;
	uint64_t order;		/* of those due at once: first in, first out */
	uint16_t slot;		/* whose storage; the caller's to number */
};

/* A binary heap: no entry is due before its parent. All zeroes is empty. */
struct blk_pending {
	struct blk_due heap[BLK_PENDING_MAX];
	unsigned int nr;
	uint64_t pushed;	/* ever */
};

/**
 * blk_delay_ns() - how long request number @n takes from its admission on
 *
 * Return: @latency_ns to @latency_ns + @jitter_ns, by @seed and @n alone.
 */
uint64_t blk_delay_ns(uint64_t latency_ns, uint64_t jitter_ns, uint64_t seed,
		      uint64_t n);

/** blk_pending_push() - at most BLK_PENDING_MAX of them */
void blk_pending_push(struct blk_pending *p, uint64_t at_ns, uint16_t slot);

/** blk_pending_first_ns() - when the first comes due; BLK_NEVER_NS: empty */
uint64_t blk_pending_first_ns(const struct blk_pending *p);

/** blk_pending_pop() - the first to come due; there must be one */
uint16_t blk_pending_pop(struct blk_pending *p);

/** blk_pending_shift() - all come due @ns later; the order stays */
void blk_pending_shift(struct blk_pending *p, uint64_t ns);

/** blk_pending_clear() - forget them all */
void blk_pending_clear(struct blk_pending *p);

#endif
