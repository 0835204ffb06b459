// SPDX-License-Identifier: GPL-2.0-only
#include "runner/images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/path.h"
#include "lib/sparse.h"

#define CHUNK_BYTES 65536u

/*
 * Of the open file description: it lasts as long as one descriptor of it does,
 * the VM process's among them. Where a file system knows no locks there is
 * nobody to be kept out.
 */
static int lock(const struct image *image)
{
	struct flock l = {
		.l_type = image->keep ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
	};

	if (!fcntl(image->fd, F_OFD_SETLK, &l))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return -EBUSY;
	if (image->keep)
		log_warn("image %s: can't be locked: %s", image->path,
			 strerror(errno));
	return 0;
}

/* No O_CLOEXEC: the VM process is to have it. O_NONBLOCK: it may be a FIFO. */
static int open_one(struct image *image)
{
	struct stat st;

	image->fd = open(image->path, (image->keep ? O_RDWR : O_RDONLY) |
				      O_NOCTTY | O_NONBLOCK);
	if (image->fd < 0 || fstat(image->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != image->size_bytes)
		return -ESTALE;
	return lock(image);
}

static const char *open_error(int err)
{
	if (err == -EBUSY)
		return "another process has it locked";
	if (err == -ESTALE)
		return "it has changed since the scenario was read";
	return strerror(-err);
}

int images_open(json_t *plan, struct images *im, char *err_msg, size_t err_len)
{
	json_t *disk;
	size_t i;
	int err;

	im->nr = 0;
	json_array_foreach(json_object_get(plan, "disks"), i, disk) {
		struct image *image = &im->v[im->nr];

		*image = (struct image){
			.disk = i,
			.path = json_string_value(json_object_get(disk,
								  "image")),
			.size_bytes = json_integer_value(
				json_object_get(disk, "size_bytes")),
			.keep = json_is_true(json_object_get(disk,
							     "keep_writes")),
		};
		if (!image->path)
			continue;
		if (im->nr == IMAGES_MAX) {
			snprintf(err_msg, err_len, "more than %d images",
				 IMAGES_MAX);
			return -E2BIG;
		}
		im->nr++;
		err = open_one(image);
		if (err) {
			snprintf(err_msg, err_len, "image %s: %s",
				 image->path, open_error(err));
			return err;
		}
	}
	return 0;
}

void images_close(struct images *im)
{
	while (im->nr)
		if (im->v[--im->nr].fd >= 0)
			close(im->v[im->nr].fd);
}

const char *image_name(const struct image *image, char buf[16])
{
	snprintf(buf, 16, "disk-%u", image->disk);
	return buf;
}

const char *image_path(const struct image *image, char buf[32])
{
	snprintf(buf, 32, "/proc/self/fd/%d", image->fd);
	return buf;
}

int images_link(const struct images *im, const char *dir)
{
	char name[16], target[32];
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < im->nr; i++) {
		char *path = path_join(dir, image_name(&im->v[i], name));

		err = path ? 0 : -ENOMEM;
		if (!err && symlink(image_path(&im->v[i], target), path))
			err = -errno;
		free(path);
	}
	return err;
}

uint64_t images_data_bytes(const struct images *im)
{
	uint64_t sum = 0;
	struct stat st;
	unsigned int i;

	for (i = 0; i < im->nr; i++)
		if (!fstat(im->v[i].fd, &st))
			sum += (uint64_t)st.st_blocks * 512;
	return sum;
}

/* All of it, zeroes where the file ends. */
static int read_at(int fd, char *buf, size_t len, uint64_t off)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, buf + got, len - got, off + got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += n;
	}
	memset(buf + got, 0, len - got);
	return 0;
}

static int write_at(int fd, const char *buf, size_t len, uint64_t off)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

static bool is_zero(const char *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

static int copy_chunk(int from, int to, uint64_t off, size_t len)
{
	char is[CHUNK_BYTES], was[CHUNK_BYTES];
	int err = read_at(from, is, len, off);

	if (!err)
		err = read_at(to, was, len, off);
	if (err || !memcmp(is, was, len))
		return err;
	if (is_zero(is, len) &&
	    !fallocate(to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
		       len))
		return 0;
	return write_at(to, is, len, off);
}

/* From @off on, where either of them has data: the rest is zeroes in both. */
static int next_data(int from, int to, uint64_t off, uint64_t end,
		     uint64_t *start)
{
	uint64_t a, b, stop;
	int err = sparse_next(from, off, end, &a, &stop);

	if (!err)
		err = sparse_next(to, off, end, &b, &stop);
	if (!err)
		*start = a < b ? a : b;
	return err;
}

static int copy(int from, int to, uint64_t size)
{
	uint64_t off = 0;
	size_t len;
	int err;

	for (;; off += len) {
		err = next_data(from, to, off, size, &off);
		if (err || off >= size)
			return err;
		off -= off % CHUNK_BYTES;
		len = size - off < CHUNK_BYTES ? size - off : CHUNK_BYTES;
		err = copy_chunk(from, to, off, len);
		if (err)
			return err;
	}
}

static int take_back(const struct image *image, const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), err;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if ((uint64_t)st.st_size != image->size_bytes)
		err = -ENOENT;
	else
		err = copy(fd, image->fd, image->size_bytes);
	close(fd);
	unlink(path);
	return err;
}

int images_take_back(const struct images *im, const char *out_dir,
		     char *err_msg, size_t err_len)
{
	char name[16], *path;
	unsigned int i;
	int err = 0, ret;

	for (i = 0; i < im->nr; i++) {
		const struct image *image = &im->v[i];

		if (!image->keep)
			continue;
		path = path_join(out_dir, image_name(image, name));
		ret = path ? take_back(image, path) : -ENOMEM;
		free(path);
		if (!ret || err)
			continue;
		err = ret;
		snprintf(err_msg, err_len,
			 "image %s: the guest's writes could not be kept: %s",
			 image->path, ret == -ENOENT ? "they did not come back" :
			 strerror(-ret));
	}
	return err;
}
