// SPDX-License-Identifier: GPL-2.0-only
/*
 * Block requests against a model: the input is a disk, then requests in pieces
 * of any size, with faults of the host's image in between.
 */
#include "vmm/fuzz/fuzz.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "vmm/blk_req.h"

#define SECTORS 32u
#define BYTES (SECTORS * BLK_SECTOR_BYTES)
#define MAX_PIECES 8
#define MAX_DATA 4096

static uint8_t backing[BYTES], model[BYTES];
static struct fuzz_in *faults;	/* where they come from; NULL: none */
static unsigned int calls;	/* of the image */
static bool knows_punch, knows_zero;

/* How much of @len the host does now; -1 with an errno. */
static ssize_t fault(size_t len)
{
	const uint8_t f = faults ? fuzz_take(faults, 1) : 0;

	calls++;
	if (f < 128 || !len)
		return len;
	if (f == 255 || f == 254) {
		errno = f == 255 ? EIO : ENOSPC;
		return -1;
	}
	if (f == 253)
		return 0;
	if (f == 252) {
		errno = EINTR;
		return -1;
	}
	return 1 + f % len;
}

static ssize_t io(const struct iovec *iov, int nr, off_t off, bool write)
{
	size_t sum = 0, left, n;
	ssize_t done;
	int i;

	for (i = 0; i < nr; i++) {
		must(iov[i].iov_len);
		sum += iov[i].iov_len;
	}
	must(off >= 0 && (uint64_t)off <= BYTES && sum <= BYTES - (uint64_t)off);
	done = fault(sum);
	for (left = done > 0 ? done : 0; left; left -= n, off += n, iov++) {
		n = left < iov->iov_len ? left : iov->iov_len;
		memcpy(write ? backing + off : iov->iov_base,
		       write ? iov->iov_base : backing + off, n);
	}
	return done;
}

static ssize_t fake_preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	return io(iov, nr, off, false);
}

static ssize_t fake_pwritev(int fd, const struct iovec *iov, int nr, off_t off)
{
	return io(iov, nr, off, true);
}

static int fake_fallocate(int fd, int mode, off_t off, off_t len)
{
	must(mode & FALLOC_FL_KEEP_SIZE);
	must(off >= 0 && len > 0 && (uint64_t)off <= BYTES &&
	     (uint64_t)len <= BYTES - (uint64_t)off);
	if (mode & FALLOC_FL_PUNCH_HOLE ? !knows_punch : !knows_zero) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (fault(1) < 0)
		return -1;
	memset(backing + off, 0, len);
	return 0;
}

static int fake_fdatasync(int fd)
{
	return fault(1) < 0 ? -1 : 0;
}

static const struct blk_image_io fake = {
	fake_preadv, fake_pwritev, fake_fallocate, fake_fdatasync,
};

/* One side of a chain: a copy of all of it, and pieces of exactly their size. */
struct side {
	uint8_t all[MAX_DATA + 64];
	size_t len;
	uint8_t *piece[MAX_PIECES];
	size_t piece_len[MAX_PIECES];
	unsigned int nr;
};

static void cut(struct side *s, struct fuzz_in *in, struct iovec *iov,
		unsigned int *nr, uint64_t *bytes)
{
	size_t at, n;

	s->nr = 0;
	for (at = 0; at < s->len; at += n) {
		const size_t left = s->len - at;

		n = 1 + fuzz_take(in, 1) * (1 + fuzz_take(in, 1) % 16);
		if (n > left || s->nr == MAX_PIECES - 1)
			n = left;
		s->piece[s->nr] = malloc(n);
		must(s->piece[s->nr]);
		memcpy(s->piece[s->nr], s->all + at, n);
		s->piece_len[s->nr] = n;
		iov[s->nr] = (struct iovec){ s->piece[s->nr], n };
		s->nr++;
	}
	*nr = s->nr;
	*bytes = s->len;
}

/* What is in the pieces now. */
static void join(struct side *s)
{
	size_t at = 0;
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		memcpy(s->all + at, s->piece[i], s->piece_len[i]);
		at += s->piece_len[i];
		free(s->piece[i]);
	}
}

/* The same on the model, for a request that is said to have been done. */
static void model_run(uint32_t type, uint64_t sector, const uint8_t *data,
		      size_t len, const struct side *in_side)
{
	uint64_t at = sector * BLK_SECTOR_BYTES;
	size_t i;

	switch (type) {
	case VIRTIO_BLK_T_IN:
		must(sector <= SECTORS && at + in_side->len - 1 <= BYTES);
		must(!memcmp(model + at, in_side->all, in_side->len - 1));
		break;
	case VIRTIO_BLK_T_OUT:
		must(sector <= SECTORS && at + len <= BYTES);
		memcpy(model + at, data, len);
		break;
	case VIRTIO_BLK_T_DISCARD:
		if (!knows_punch)
			break;
		/* fall through */
	case VIRTIO_BLK_T_WRITE_ZEROES:
		for (i = 0; i + 16 <= len; i += 16) {
			struct virtio_blk_discard_write_zeroes r;

			memcpy(&r, data + i, sizeof(r));
			must(r.sector <= SECTORS &&
			     r.num_sectors <= SECTORS - r.sector);
			memset(model + r.sector * BLK_SECTOR_BYTES, 0,
			       r.num_sectors * BLK_SECTOR_BYTES);
		}
		break;
	}
}

static const uint32_t types[] = {
	VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH,
	VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES,
};

#define NR_TYPES (sizeof(types) / sizeof(types[0]))

/* Readable: a header, whole or not, and data or ranges. */
static uint32_t fill_out(struct side *out, struct fuzz_in *in, uint64_t *sector)
{
	struct virtio_blk_outhdr hdr = { 0 };
	const uint8_t how = fuzz_take(in, 1);
	size_t i, len;

	hdr.type = how % 8 < NR_TYPES ? types[how % 8] : fuzz_take(in, 4);
	hdr.sector = how & 64 ? fuzz_take(in, 8) : fuzz_take(in, 1) % 40;
	memcpy(out->all, &hdr, sizeof(hdr));
	len = fuzz_take(in, 1) * (how & 8 ? 16 : 1);
	if (how & 16)
		len = len / 8 * 512 % (MAX_DATA + 1);
	if (len > MAX_DATA)
		len = MAX_DATA;
	for (i = 0; i < len; i++)
		out->all[sizeof(hdr) + i] = i < 64 ? fuzz_take(in, 1) : i;
	if (hdr.type == VIRTIO_BLK_T_DISCARD ||
	    hdr.type == VIRTIO_BLK_T_WRITE_ZEROES)
		for (i = 0; i + 16 <= len && !(how & 128); i += 16) {
			struct virtio_blk_discard_write_zeroes r = {
				.sector = fuzz_take(in, 1) % 40,
				.num_sectors = fuzz_take(in, 1) % 40,
				.flags = fuzz_take(in, 1) % 3,
			};

			memcpy(out->all + sizeof(hdr) + i, &r, sizeof(r));
		}
	out->len = how & 32 ? len % 16 : sizeof(hdr) + len;
	*sector = hdr.sector;
	return hdr.type;
}

static void request(struct fuzz_in *in, const struct blk_disk *disk,
		    const struct blk_image *img, bool faulty)
{
	static struct side out, back;
	static struct vq_chain chain;
	static struct blk_req req;
	struct blk_result res;
	uint64_t sector;
	uint32_t type = fill_out(&out, in, &sector);
	bool parsed, good = false;

	back.len = fuzz_take(in, 1);
	if (back.len & 1) /* whole sectors and the status */
		back.len = (back.len % 9) * 512 + 1;
	memset(back.all, 0x5a, sizeof(back.all));
	cut(&out, in, chain.out, &chain.nr_out, &chain.out_bytes);
	cut(&back, in, chain.in, &chain.nr_in, &chain.in_bytes);

	calls = 0;
	parsed = blk_req_parse(&req, &chain, disk);
	must(!calls && parsed == (back.len > 0));
	if (parsed) {
		good = req.status == VIRTIO_BLK_S_OK;
		must(good == (req.cost_ops == 1));
		must(good || !req.cost_bytes);
		must(good || req.status == VIRTIO_BLK_S_IOERR ||
		     req.status == VIRTIO_BLK_S_UNSUPP);
		faults = faulty ? in : NULL;
		res = blk_req_run(&req, disk, img);
		faults = NULL;
		must(good || (!calls && !res.moved_bytes && !res.err));
		must(res.used_len <= back.len);
		must(res.moved_bytes <= MAX_DATA);
	}
	join(&out);
	join(&back);
	if (!parsed) {
		must(!memcmp(backing, model, BYTES));
		return;
	}
	must(back.all[back.len - 1] == req.status);
	must(!disk->read_only || !memcmp(backing, model, BYTES));
	if (req.status == VIRTIO_BLK_S_OK)
		model_run(type, sector, out.all + sizeof(struct virtio_blk_outhdr),
			  out.len - sizeof(struct virtio_blk_outhdr), &back);
	else if (good)
		memcpy(model, backing, BYTES); /* it failed in the middle */
	must(!memcmp(backing, model, BYTES));
}

void fuzz_blk_req(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	const uint8_t how = fuzz_take(&in, 1);
	const struct blk_disk disk = {
		.sectors = SECTORS,
		.read_only = (how & 7) == 7,
		.features = how & 8 ? 0 : 1ULL << VIRTIO_BLK_F_DISCARD |
					  1ULL << VIRTIO_BLK_F_WRITE_ZEROES,
		.id = "fuzz",
	};
	const struct blk_image img = {
		.io = &fake, .fd = -1, .size_bytes = BYTES,
		.in_place = how & 16,
	};
	size_t i;

	knows_punch = !(how & 32);
	knows_zero = !(how & 64);
	for (i = 0; i < BYTES; i++)
		backing[i] = model[i] = i * 7 + i / 512;
	while (in.len)
		request(&in, &disk, &img, how & 128);
}
