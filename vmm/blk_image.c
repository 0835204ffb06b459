// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define ZERO_CHUNK_BYTES 65536

const struct blk_image_io blk_image_host = {
	.preadv = preadv,
	.pwritev = pwritev,
	.fallocate = fallocate,
	.fdatasync = fdatasync,
};

static int or_errno(int ret)
{
	return ret < 0 ? -errno : 0;
}

int blk_image_open(struct blk_image *img, const char *name, uint64_t size_bytes)
{
	int err;

	*img = (struct blk_image){ .io = &blk_image_host, .fd = -1 };
	if (size_bytes > INT64_MAX)
		return -EFBIG;
	img->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (img->fd < 0)
		return -errno;
	if (ftruncate(img->fd, size_bytes) < 0 ||
	    fcntl(img->fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		err = -errno;
		blk_image_close(img);
		return err;
	}
	img->size_bytes = size_bytes;
	return 0;
}

void blk_image_close(struct blk_image *img)
{
	if (img->fd >= 0)
		close(img->fd);
	img->fd = -1;
}

void blk_iov_advance(struct iovec **iov, unsigned int *nr, size_t n)
{
	while (*nr && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*nr)--;
	}
	if (!*nr || !n)
		return;
	(*iov)->iov_base = (char *)(*iov)->iov_base + n;
	(*iov)->iov_len -= n;
}

static int move(const struct blk_image *img,
		ssize_t (*io)(int fd, const struct iovec *iov, int nr,
			      off_t off),
		uint64_t off, struct iovec *iov, unsigned int nr,
		uint64_t *moved)
{
	ssize_t n;

	*moved = 0;
	while (nr) {
		n = io(img->fd, iov, nr, off + *moved);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		*moved += n;
		blk_iov_advance(&iov, &nr, n);
	}
	return 0;
}

int blk_image_read(const struct blk_image *img, uint64_t off, struct iovec *iov,
		   unsigned int nr, uint64_t *moved)
{
	return move(img, img->io->preadv, off, iov, nr, moved);
}

int blk_image_write(const struct blk_image *img, uint64_t off,
		    struct iovec *iov, unsigned int nr, uint64_t *moved)
{
	return move(img, img->io->pwritev, off, iov, nr, moved);
}

/* Return: 0; -EOPNOTSUPP where the image has no such way. */
static int by_fallocate(const struct blk_image *img, int mode, uint64_t off,
			uint64_t len)
{
	int ret;

	do {
		ret = img->io->fallocate(img->fd, mode | FALLOC_FL_KEEP_SIZE,
					 off, len);
	} while (ret < 0 && errno == EINTR);
	return or_errno(ret);
}

static int write_zeroes(const struct blk_image *img, uint64_t off, uint64_t len)
{
	static const char zeroes[ZERO_CHUNK_BYTES];
	struct iovec iov;
	uint64_t moved;
	int err;

	while (len) {
		iov.iov_base = (void *)zeroes;
		iov.iov_len = len < sizeof(zeroes) ? len : sizeof(zeroes);
		err = blk_image_write(img, off, &iov, 1, &moved);
		if (err)
			return err;
		off += moved;
		len -= moved;
	}
	return 0;
}

int blk_image_zero(const struct blk_image *img, uint64_t off, uint64_t len,
		   bool unmap)
{
	int err = -EOPNOTSUPP;

	if (!len)
		return 0;
	if (unmap)
		err = by_fallocate(img, FALLOC_FL_PUNCH_HOLE, off, len);
	/* memory has no cheaper way that keeps its pages */
	if (err == -EOPNOTSUPP && img->in_place)
		err = by_fallocate(img, FALLOC_FL_ZERO_RANGE, off, len);
	return err == -EOPNOTSUPP ? write_zeroes(img, off, len) : err;
}

int blk_image_discard(const struct blk_image *img, uint64_t off, uint64_t len)
{
	int err;

	if (!len)
		return 0;
	err = by_fallocate(img, FALLOC_FL_PUNCH_HOLE, off, len);
	return err == -EOPNOTSUPP ? 0 : err;
}

int blk_image_flush(const struct blk_image *img)
{
	int ret;

	do {
		ret = img->io->fdatasync(img->fd);
	} while (ret < 0 && errno == EINTR);
	return or_errno(ret);
}
