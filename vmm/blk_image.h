/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The disk's contents, read and written. A sparse memory file, so that the
 * host's own disk never leaks into what a guest measures; or the user's own
 * file, opened by blk_file.h. Used by the disk's worker.
 *
 * By read and write, never through a mapping: a full or cut host answers with
 * an error there, not with SIGBUS.
 */
#ifndef KTSTR_VMM_BLK_IMAGE_H
#define KTSTR_VMM_BLK_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* As the system calls of these names: -1 and errno on failure. */
struct blk_image_io {
	ssize_t (*preadv)(int fd, const struct iovec *iov, int nr, off_t off);
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int nr, off_t off);
	int (*fallocate)(int fd, int mode, off_t off, off_t len);
	int (*fdatasync)(int fd);
};

struct blk_image {
	const struct blk_image_io *io;	/* borrowed */
	int fd;				/* owned; -1 when closed */
	uint64_t size_bytes;
	bool in_place;			/* the user's file, not memory */
};

extern const struct blk_image_io blk_image_host;

/** blk_iov_advance() - drop @n bytes, no more than there are, from the front */
void blk_iov_advance(struct iovec **iov, unsigned int *nr, size_t n);

/**
 * blk_image_open() - an empty image of @size_bytes; reads as zeroes
 * @name: shows in /proc/PID/maps and fd
 *
 * It can neither grow nor shrink. Return: 0 or -errno.
 */
int blk_image_open(struct blk_image *img, const char *name,
		   uint64_t size_bytes);
void blk_image_close(struct blk_image *img);

/*
 * The range of all that follow lies within the image: the caller checked.
 * Return: 0; -EIO when the host moved less than asked; -errno.
 */

/**
 * blk_image_read() - into @iov
 * @iov: used up: base and length move on as data is moved
 * @moved: bytes moved, on failure too
 */
int blk_image_read(const struct blk_image *img, uint64_t off, struct iovec *iov,
		   unsigned int nr, uint64_t *moved);
/** blk_image_write() - out of @iov; as blk_image_read() */
int blk_image_write(const struct blk_image *img, uint64_t off,
		    struct iovec *iov, unsigned int nr, uint64_t *moved);
/**
 * blk_image_zero() - reads as zeroes from then on
 * @unmap: the blocks may be given back; else they stay allocated
 *
 * As zeroes are cheapest where the image is, and by writing them where it can
 * do no better.
 */
int blk_image_zero(const struct blk_image *img, uint64_t off, uint64_t len,
		   bool unmap);
/**
 * blk_image_discard() - give the blocks back; reads as zeroes from then on
 *
 * But for a file system that can't: there it does nothing, as a device may.
 */
int blk_image_discard(const struct blk_image *img, uint64_t off, uint64_t len);
/** blk_image_flush() - what was written is on stable storage */
int blk_image_flush(const struct blk_image *img);

#endif
