// SPDX-License-Identifier: GPL-2.0-only
#include "lib/path.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

char *path_join(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	return path;
}

int path_mkdirs(const char *path)
{
	char buf[PATH_MAX];
	char *p;

	if (strlen(path) >= sizeof(buf))
		return -ENAMETOOLONG;
	strcpy(buf, path);
	for (p = buf + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(buf, 0777) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	if (mkdir(buf, 0777) && errno != EEXIST)
		return -errno;
	return 0;
}

char *path_cache_dir(const char *sub)
{
	const char *cache = getenv("KTSTR_CACHE");
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	char *path;
	int n, err;

	if (cache && *cache)
		n = asprintf(&path, "%s%s%s", cache, sub ? "/" : "",
			     sub ? sub : "");
	else if (xdg && *xdg)
		n = asprintf(&path, "%s/ktstr%s%s", xdg, sub ? "/" : "",
			     sub ? sub : "");
	else
		n = asprintf(&path, "%s/.cache/ktstr%s%s",
			     home && *home ? home : "/root", sub ? "/" : "",
			     sub ? sub : "");
	if (n < 0) {
		errno = ENOMEM;
		return NULL;
	}
	err = path_mkdirs(path);
	if (err) {
		free(path);
		errno = -err;
		return NULL;
	}
	return path;
}

/* /proc and /sys files say 0 for their size, so read to the end. */
static int read_to_end(int fd, size_t max, char **data, size_t *len)
{
	size_t cap = 4096, got = 0;
	char *buf = malloc(cap), *more;
	ssize_t n;
	int err;

	if (!buf)
		return -ENOMEM;
	for (;;) {
		n = read(fd, buf + got, cap - got - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = -errno;
			goto free_buf;
		}
		if (!n)
			break;
		got += n;
		if (got > max) {
			err = -EFBIG;
			goto free_buf;
		}
		if (cap - got > 1)
			continue;
		cap *= 2;
		more = realloc(buf, cap);
		if (!more) {
			err = -ENOMEM;
			goto free_buf;
		}
		buf = more;
	}
	buf[got] = '\0';
	*data = buf;
	*len = got;
	return 0;

free_buf:
	free(buf);
	return err;
}

int path_read_file(const char *path, size_t max, char **data, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = read_to_end(fd, max, data, len);
	close(fd);
	return err;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

int path_write_file(const char *path, const void *data, size_t len)
{
	char *tmp;
	int fd, err;

	if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		goto free_tmp;
	}
	err = write_all(fd, data, len);
	if (!err && fchmod(fd, 0644))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
free_tmp:
	free(tmp);
	return err;
}

int path_copy_file(const char *from, const char *to)
{
	struct stat st;
	int in, out, err = 0;
	off_t left;

	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return -errno;
	if (fstat(in, &st)) {
		err = -errno;
		goto close_in;
	}
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (out < 0) {
		err = -errno;
		goto close_in;
	}
	for (left = st.st_size; left > 0;) {
		ssize_t n = sendfile(out, in, NULL, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n ? -errno : -EIO;
			break;
		}
		left -= n;
	}
	if (close(out) && !err)
		err = -errno;
close_in:
	close(in);
	return err;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

void path_remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
