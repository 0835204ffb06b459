// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_req.h"

#include <endian.h>
#include <string.h>

#define FEATURE(bit) (1ULL << (bit))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Which way a request's data goes; the other way is refused (C12). */
enum blk_dir { BLK_DIR_ANY, BLK_DIR_TO_GUEST, BLK_DIR_FROM_GUEST };

struct blk_op {
	enum blk_dir dir;
	bool modifies;
	uint64_t needs;		/* features, or unsupported */
	/* the rest of parsing: @req->status, cost */
	void (*check)(struct blk_req *req, const struct blk_disk *disk);
	/* fills in moved_bytes, returns 0 or -errno */
	int (*run)(struct blk_req *req, const struct blk_disk *disk,
		   const struct blk_image *img, uint64_t *moved);
	enum blk_counter count, count_bytes; /* BLK_NR_COUNTERS: no bytes */
};

static bool in_range(uint64_t sector, uint64_t sectors,
		     const struct blk_disk *disk)
{
	return sector <= disk->sectors && sectors <= disk->sectors - sector;
}

static void check_rw(struct blk_req *req, const struct blk_disk *disk)
{
	if (req->data_bytes % BLK_SECTOR_BYTES ||
	    !in_range(req->sector, req->data_bytes >> BLK_SECTOR_SHIFT, disk))
		req->status = VIRTIO_BLK_S_IOERR;
	req->cost_bytes = req->data_bytes;
}

static int run_read(struct blk_req *req, const struct blk_disk *disk,
		    const struct blk_image *img, uint64_t *moved)
{
	return blk_image_read(img, req->sector << BLK_SECTOR_SHIFT, req->data,
			      req->nr_data, moved);
}

static int run_write(struct blk_req *req, const struct blk_disk *disk,
		     const struct blk_image *img, uint64_t *moved)
{
	return blk_image_write(img, req->sector << BLK_SECTOR_SHIFT, req->data,
			       req->nr_data, moved);
}

static void check_nothing(struct blk_req *req, const struct blk_disk *disk)
{
}

static int run_flush(struct blk_req *req, const struct blk_disk *disk,
		     const struct blk_image *img, uint64_t *moved)
{
	return blk_image_flush(img);
}

/* Copy to the data iovecs, as far as they reach. Return: bytes copied. */
static uint64_t iov_put(const struct iovec *iov, unsigned int nr,
			const void *from, size_t len)
{
	const char *src = from;
	size_t n;

	for (; nr && len; nr--, iov++) {
		n = len < iov->iov_len ? len : iov->iov_len;
		memcpy(iov->iov_base, src, n);
		src += n;
		len -= n;
	}
	return src - (const char *)from;
}

/* Copy from iovecs. Return: bytes copied. */
static uint64_t iov_get(const struct iovec *iov, unsigned int nr, void *to,
			size_t len)
{
	char *dst = to;
	size_t n;

	for (; nr && len; nr--, iov++) {
		n = len < iov->iov_len ? len : iov->iov_len;
		memcpy(dst, iov->iov_base, n);
		dst += n;
		len -= n;
	}
	return dst - (char *)to;
}

static int run_get_id(struct blk_req *req, const struct blk_disk *disk,
		      const struct blk_image *img, uint64_t *moved)
{
	*moved = iov_put(req->data, req->nr_data, disk->id, sizeof(disk->id));
	return 0;
}

/* Copy the ranges of the request and check every one before any is done. */
static void check_ranges(struct blk_req *req, const struct blk_disk *disk,
			 uint32_t flags_known, uint32_t sectors_max)
{
	const size_t range_bytes = sizeof(req->ranges[0]);
	unsigned int i;

	if (!req->data_bytes || req->data_bytes % range_bytes ||
	    req->data_bytes > sizeof(req->ranges)) {
		req->status = VIRTIO_BLK_S_IOERR;
		return;
	}
	iov_get(req->data, req->nr_data, req->ranges, req->data_bytes);
	req->nr_ranges = req->data_bytes / range_bytes;
	for (i = 0; i < req->nr_ranges; i++) {
		const uint32_t sectors = le32toh(req->ranges[i].num_sectors);
		const uint32_t flags = le32toh(req->ranges[i].flags);

		if (flags & ~flags_known) {
			req->status = VIRTIO_BLK_S_UNSUPP;
			return;
		}
		if (sectors > sectors_max ||
		    !in_range(le64toh(req->ranges[i].sector), sectors, disk))
			req->status = VIRTIO_BLK_S_IOERR;
		if (!(flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
			req->cost_bytes += (uint64_t)sectors
					   << BLK_SECTOR_SHIFT;
	}
}

static void check_discard(struct blk_req *req, const struct blk_disk *disk)
{
	check_ranges(req, disk, 0, BLK_MAX_DISCARD_SECTORS);
	req->cost_bytes = 0;
}

static void check_zero(struct blk_req *req, const struct blk_disk *disk)
{
	check_ranges(req, disk, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
		     BLK_MAX_ZERO_SECTORS);
}

static int run_ranges(struct blk_req *req, const struct blk_image *img,
		      bool discard)
{
	int err = 0;
	unsigned int i;

	for (i = 0; i < req->nr_ranges && !err; i++) {
		const struct virtio_blk_discard_write_zeroes *r =
			&req->ranges[i];
		uint64_t off = le64toh(r->sector) << BLK_SECTOR_SHIFT;
		uint64_t len = (uint64_t)le32toh(r->num_sectors)
			       << BLK_SECTOR_SHIFT;

		if (discard)
			err = blk_image_discard(img, off, len);
		else
			err = blk_image_zero(
				img, off, len,
				le32toh(r->flags) &
					VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	}
	return err;
}

static int run_discard(struct blk_req *req, const struct blk_disk *disk,
		       const struct blk_image *img, uint64_t *moved)
{
	return run_ranges(req, img, true);
}

static int run_zero(struct blk_req *req, const struct blk_disk *disk,
		    const struct blk_image *img, uint64_t *moved)
{
	return run_ranges(req, img, false);
}

static const struct blk_op blk_ops[] = {
	[VIRTIO_BLK_T_IN] = {
		.dir = BLK_DIR_TO_GUEST,
		.check = check_rw,
		.run = run_read,
		.count = BLK_N_READS,
		.count_bytes = BLK_N_READ_BYTES,
	},
	[VIRTIO_BLK_T_OUT] = {
		.dir = BLK_DIR_FROM_GUEST,
		.modifies = true,
		.check = check_rw,
		.run = run_write,
		.count = BLK_N_WRITES,
		.count_bytes = BLK_N_WRITE_BYTES,
	},
	[VIRTIO_BLK_T_FLUSH] = {
		.dir = BLK_DIR_ANY,
		.check = check_nothing,
		.run = run_flush,
		.count = BLK_N_FLUSHES,
		.count_bytes = BLK_NR_COUNTERS,
	},
	[VIRTIO_BLK_T_GET_ID] = {
		.dir = BLK_DIR_TO_GUEST,
		.check = check_nothing,
		.run = run_get_id,
		.count = BLK_N_OTHERS,
		.count_bytes = BLK_NR_COUNTERS,
	},
	[VIRTIO_BLK_T_DISCARD] = {
		.dir = BLK_DIR_FROM_GUEST,
		.modifies = true,
		.needs = FEATURE(VIRTIO_BLK_F_DISCARD),
		.check = check_discard,
		.run = run_discard,
		.count = BLK_N_DISCARDS,
		.count_bytes = BLK_NR_COUNTERS,
	},
	[VIRTIO_BLK_T_WRITE_ZEROES] = {
		.dir = BLK_DIR_FROM_GUEST,
		.modifies = true,
		.needs = FEATURE(VIRTIO_BLK_F_WRITE_ZEROES),
		.check = check_zero,
		.run = run_zero,
		.count = BLK_N_DISCARDS,
		.count_bytes = BLK_NR_COUNTERS,
	},
}; /* no entry: VIRTIO_BLK_S_UNSUPP */

static const struct blk_op *op_of_type(uint32_t type)
{
	if (type >= ARRAY_SIZE(blk_ops) || !blk_ops[type].run)
		return NULL;
	return &blk_ops[type];
}

/* The status is the last writable byte, wherever it lies. */
static uint8_t *cut_status(struct vq_chain *chain)
{
	struct iovec *last = &chain->in[chain->nr_in - 1];

	if (!--last->iov_len)
		chain->nr_in--;
	chain->in_bytes--;
	return (uint8_t *)last->iov_base + last->iov_len;
}

/* Readable data belongs to the guest's writes, writable data to its reads. */
static bool set_data(struct blk_req *req, struct vq_chain *chain)
{
	struct iovec *out = chain->out;

	if (req->op->dir == BLK_DIR_ANY)
		return true;
	if (req->op->dir == BLK_DIR_TO_GUEST) {
		req->data = chain->in;
		req->nr_data = chain->nr_in;
		req->data_bytes = chain->in_bytes;
		return chain->out_bytes == sizeof(struct virtio_blk_outhdr);
	}
	blk_iov_advance(&out, &chain->nr_out, sizeof(struct virtio_blk_outhdr));
	req->data = out;
	req->nr_data = chain->nr_out;
	req->data_bytes = chain->out_bytes - sizeof(struct virtio_blk_outhdr);
	return !chain->in_bytes;
}

static uint8_t parse(struct blk_req *req, struct vq_chain *chain,
		     const struct blk_disk *disk)
{
	struct virtio_blk_outhdr hdr;

	if (iov_get(chain->out, chain->nr_out, &hdr, sizeof(hdr)) <
	    sizeof(hdr))
		return VIRTIO_BLK_S_IOERR;
	req->op = op_of_type(le32toh(hdr.type));
	req->sector = le64toh(hdr.sector);
	if (!req->op || (disk->features & req->op->needs) != req->op->needs)
		return VIRTIO_BLK_S_UNSUPP;
	if (!set_data(req, chain))
		return VIRTIO_BLK_S_IOERR;
	if (req->op->modifies && disk->read_only)
		return VIRTIO_BLK_S_IOERR;
	req->status = VIRTIO_BLK_S_OK;
	req->op->check(req, disk);
	return req->status;
}

bool blk_req_parse(struct blk_req *req, struct vq_chain *chain,
		   const struct blk_disk *disk)
{
	req->op = NULL;
	req->sector = 0;
	req->data = NULL;
	req->nr_data = 0;
	req->data_bytes = 0;
	req->cost_ops = 0;
	req->cost_bytes = 0;
	req->nr_ranges = 0;
	if (!chain->in_bytes)
		return false;
	req->status_hva = cut_status(chain);
	req->writable_bytes = chain->in_bytes;
	req->status = parse(req, chain, disk);
	if (req->status == VIRTIO_BLK_S_OK)
		req->cost_ops = 1;
	else
		req->cost_bytes = 0;
	return true;
}

/*
 * The used length counts from the first writable byte on, and the status is the
 * last one: it is in only when all before it was written (virtio 1.4, 2.7.8.2).
 */
static uint32_t used_len(const struct blk_req *req, uint64_t moved)
{
	bool to_guest = req->op && req->op->dir == BLK_DIR_TO_GUEST;
	uint64_t written = to_guest ? moved : 0;

	return written == req->writable_bytes ? written + 1 : written;
}

struct blk_result blk_req_run(struct blk_req *req, const struct blk_disk *disk,
			      const struct blk_image *img)
{
	struct blk_result res = { .err = 0 };

	if (req->status == VIRTIO_BLK_S_OK) {
		res.err = req->op->run(req, disk, img, &res.moved_bytes);
		if (res.err)
			req->status = VIRTIO_BLK_S_IOERR;
	}
	res.used_len = used_len(req, res.moved_bytes);
	/* Relaxed: vq_push() publishes it. Atomic: a guest may be looking. */
	__atomic_store_n(req->status_hva, req->status, __ATOMIC_RELAXED);
	return res;
}

bool blk_req_moves_data(const struct blk_req *req, bool *write)
{
	if (!req->op)
		return false;
	*write = req->op->count == BLK_N_WRITES;
	return *write || req->op->count == BLK_N_READS;
}

void blk_req_count(const struct blk_req *req, const struct blk_result *res,
		   struct blk_stats *st)
{
	blk_count(st, req->op->count, 1);
	if (req->op->count_bytes != BLK_NR_COUNTERS)
		blk_count(st, req->op->count_bytes, res->moved_bytes);
}
