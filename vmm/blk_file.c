// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sparse.h"
#include "vmm/blk_image.h"
#include "vmm/vmm.h"

#define COPY_BYTES (1u << 20)
#define PAGE_BYTES 4096

/* O_NONBLOCK: a FIFO must not keep us; it means nothing to a file. */
static int open_raw(const char *path, bool writable, uint64_t size_bytes)
{
	int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC |
			    O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : 0;
	if (!err &&
	    (!S_ISREG(st.st_mode) || st.st_size < 0 ||
	     (uint64_t)st.st_size != size_bytes))
		err = -EINVAL;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static bool is_zero(const char *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* Pages that hold nothing stay holes: a copy takes memory for data alone. */
static int put(const struct blk_image *img, uint64_t off, char *buf, size_t len)
{
	size_t at, n;

	for (at = 0; at < len; at += n) {
		struct iovec iov = { .iov_base = buf + at };
		uint64_t moved;
		int err;

		n = len - at < PAGE_BYTES ? len - at : PAGE_BYTES;
		if (is_zero(buf + at, n))
			continue;
		iov.iov_len = n;
		err = blk_image_write(img, off + at, &iov, 1, &moved);
		if (err)
			return err;
	}
	return 0;
}

static int copy_range(const struct blk_image *img, int fd, uint64_t off,
		      uint64_t end, char *buf)
{
	while (off < end) {
		size_t want = end - off < COPY_BYTES ? end - off : COPY_BYTES;
		ssize_t n = pread(fd, buf, want, off);
		int err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		err = put(img, off, buf, n);
		if (err)
			return err;
		off += n;
	}
	return 0;
}

static int copy(const struct blk_image *img, int fd)
{
	uint64_t start = 0, end = 0;
	char *buf = malloc(COPY_BYTES);
	int err = buf ? 0 : -ENOMEM;

	while (!err && end < img->size_bytes) {
		err = sparse_next(fd, end, img->size_bytes, &start, &end);
		if (!err)
			err = copy_range(img, fd, start, end, buf);
	}
	/* what was cut off looks like a hole */
	if (!err && lseek(fd, 0, SEEK_END) < (off_t)img->size_bytes)
		err = -ENODATA;
	free(buf);
	return err;
}

static int open_copy(struct blk_image *img, const struct vm_disk_config *cfg)
{
	int fd = open_raw(cfg->image_path, false, cfg->size_bytes);
	int err;

	if (fd < 0)
		return fd;
	err = blk_image_open(img, cfg->name, cfg->size_bytes);
	if (!err) {
		err = copy(img, fd);
		if (err)
			blk_image_close(img);
	}
	close(fd);
	return err;
}

int blk_file_open(struct blk_image *img, const struct vm_disk_config *cfg)
{
	int fd;

	*img = (struct blk_image){ .io = &blk_image_host, .fd = -1 };
	if (!cfg->image_path)
		return blk_image_open(img, cfg->name, cfg->size_bytes);
	if (!cfg->read_only && !cfg->keep_writes)
		return open_copy(img, cfg);
	fd = open_raw(cfg->image_path, !cfg->read_only, cfg->size_bytes);
	if (fd < 0)
		return fd;
	img->fd = fd;
	img->size_bytes = cfg->size_bytes;
	img->in_place = true;
	return 0;
}
