/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One virtio-blk request: what a descriptor chain means, and the doing of it.
 * Used by the drain of the disk's worker. Source: virtio 1.4, 5.2.6.
 *
 * Parsing decides: it copies header and segments, checks the copies and says
 * what the request costs, before anything is charged or touched.
 */
#ifndef KTSTR_VMM_BLK_REQ_H
#define KTSTR_VMM_BLK_REQ_H

#include <linux/virtio_blk.h>

#include <stdbool.h>
#include <stdint.h>

#include "vmm/blk_image.h"
#include "vmm/blk_stats.h"
#include "vmm/virtqueue.h"

#define BLK_SECTOR_BYTES 512
#define BLK_SECTOR_SHIFT 9

/* What the config space says of DISCARD and WRITE_ZEROES. */
#define BLK_MAX_RANGES 16
#define BLK_MAX_DISCARD_SECTORS (1u << 22)	/* 2 GiB: blocks given back */
#define BLK_MAX_ZERO_SECTORS (1u << 15)		/* 16 MiB: bytes written */

/* What of the disk decides whether a request is one. */
struct blk_disk {
	uint64_t sectors;
	uint64_t features;	/* acknowledged */
	bool read_only;		/* whether or not RO was acknowledged */
	char id[VIRTIO_BLK_ID_BYTES]; /* padded with zeroes, not terminated */
};

struct blk_op;

/* Lives in its caller; the chain that it was parsed from outlives it. */
struct blk_req {
	const struct blk_op *op; /* NULL: unknown type */
	uint8_t status;		/* VIRTIO_BLK_S_OK: may run. Else refused */
	uint8_t *status_hva;	/* in guest memory */
	uint64_t writable_bytes; /* of the chain, without the status */
	uint64_t sector;
	struct iovec *data;	/* in the chain, header and status cut off */
	unsigned int nr_data;
	uint64_t data_bytes;
	uint64_t cost_ops, cost_bytes; /* 0 and 0 when refused (C4, L5) */
	unsigned int nr_ranges;
	struct virtio_blk_discard_write_zeroes ranges[BLK_MAX_RANGES];
};

/**
 * blk_req_parse() - what does @chain ask for?
 * @chain: its iovecs are cut to the data in place
 *
 * Return: true; false when there is no byte to write a status to: the chain
 * then gets a used entry of length 0 (C11).
 */
bool blk_req_parse(struct blk_req *req, struct vq_chain *chain,
		   const struct blk_disk *disk);

/* What a run did. */
struct blk_result {
	uint32_t used_len;	/* for the used ring: never more than written */
	uint64_t moved_bytes;
	int err;		/* of the image: 0 or -errno */
};

/**
 * blk_req_run() - do it, or only answer it when it was refused
 *
 * Writes the status byte, last of all that it writes.
 */
struct blk_result blk_req_run(struct blk_req *req, const struct blk_disk *disk,
			      const struct blk_image *img);

/** blk_req_moves_data() - is it a read or a write, and which? */
bool blk_req_moves_data(const struct blk_req *req, bool *write);

/** blk_req_count() - a request that was run, in the counters of its type */
void blk_req_count(const struct blk_req *req, const struct blk_result *res,
		   struct blk_stats *st);

#endif
