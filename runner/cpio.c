// SPDX-License-Identifier: GPL-2.0-only
#include "runner/cpio.h"

#include "lib/path.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry {
	const char *name;
	unsigned int mode;	/* with S_IFMT */
	unsigned int rmajor, rminor;
	uint64_t len;
};

void cpio_open(struct cpio *c, int fd)
{
	*c = (struct cpio){ .fd = fd };
}

static void put(struct cpio *c, const void *data, size_t len)
{
	if (!c->err && len)
		c->err = write_all(c->fd, data, len);
	c->pos += len;
}

static void pad(struct cpio *c)
{
	static const char zero[4];

	put(c, zero, -c->pos & 3);
}

/* Header and name; the caller puts @e->len bytes and pads. */
static void put_header(struct cpio *c, const struct entry *e)
{
	size_t name_len = strlen(e->name) + 1;
	unsigned int links = S_ISDIR(e->mode) ? 2 : 1;
	char hdr[6 + 13 * 8 + 1];

	if (e->len > UINT32_MAX) {
		if (!c->err)
			c->err = -EFBIG;
		return;
	}
	snprintf(hdr, sizeof(hdr),
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		 c->ino++, e->mode, 0, 0, links, 0, (uint32_t)e->len, 0, 0,
		 e->rmajor, e->rminor, (uint32_t)name_len, 0);
	put(c, hdr, sizeof(hdr) - 1);
	put(c, e->name, name_len);
	pad(c);
}

static bool dir_known(const struct cpio *c, const char *name)
{
	for (size_t i = 0; i < c->nr_dirs; i++)
		if (!strcmp(c->dirs[i], name))
			return true;
	return false;
}

static void dir_remember(struct cpio *c, const char *name)
{
	char **dirs = realloc(c->dirs, (c->nr_dirs + 1) * sizeof(*dirs));
	char *copy = strdup(name);

	if (dirs)
		c->dirs = dirs;
	if (!dirs || !copy) {
		free(copy);
		if (!c->err)
			c->err = -ENOMEM;
		return;
	}
	c->dirs[c->nr_dirs++] = copy;
}

/* The kernel makes no parent directories: each must come before its files. */
static void put_parents(struct cpio *c, const char *name)
{
	char dir[PATH_MAX];

	if (strlen(name) >= sizeof(dir)) {
		if (!c->err)
			c->err = -ENAMETOOLONG;
		return;
	}
	strcpy(dir, name);
	for (char *p = dir + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (!dir_known(c, dir))
			cpio_dir(c, dir, 0755);
		*p = '/';
	}
}

void cpio_dir(struct cpio *c, const char *name, unsigned int mode)
{
	struct entry e = { .name = name, .mode = S_IFDIR | mode };

	put_parents(c, name);
	dir_remember(c, name);
	put_header(c, &e);
}

void cpio_file(struct cpio *c, const char *name, unsigned int mode,
	       const void *data, size_t len)
{
	struct entry e = { .name = name, .mode = S_IFREG | mode, .len = len };

	put_parents(c, name);
	put_header(c, &e);
	put(c, data, len);
	pad(c);
}

/* @len is promised to the archive already: a file that shrank is an error. */
static void put_fd(struct cpio *c, int fd, uint64_t len)
{
	const size_t cap = 1 << 18;
	char *buf = malloc(cap);
	uint64_t pos = 0;

	if (!buf && !c->err)
		c->err = -ENOMEM;
	while (!c->err && pos < len) {
		size_t want = len - pos < cap ? len - pos : cap;
		ssize_t n = pread(fd, buf, want, pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			c->err = n ? -errno : -ENODATA;
			break;
		}
		put(c, buf, n);
		pos += n;
	}
	free(buf);
}

void cpio_file_fd(struct cpio *c, const char *name, unsigned int mode, int fd)
{
	struct entry e = { .name = name, .mode = S_IFREG | mode };
	struct stat st;

	if (fstat(fd, &st)) {
		if (!c->err)
			c->err = -errno;
		return;
	}
	e.len = st.st_size;
	put_parents(c, name);
	put_header(c, &e);
	put_fd(c, fd, e.len);
	pad(c);
}

void cpio_symlink(struct cpio *c, const char *name, const char *target)
{
	struct entry e = { .name = name, .mode = S_IFLNK | 0777,
			   .len = strlen(target) };

	put_parents(c, name);
	put_header(c, &e);
	put(c, target, e.len);
	pad(c);
}

void cpio_node(struct cpio *c, const char *name, unsigned int mode,
	       unsigned int major, unsigned int minor)
{
	struct entry e = { .name = name, .mode = mode, .rmajor = major,
			   .rminor = minor };

	put_parents(c, name);
	put_header(c, &e);
}

int cpio_close(struct cpio *c)
{
	struct entry e = { .name = "TRAILER!!!" };

	put_header(c, &e);
	for (size_t i = 0; i < c->nr_dirs; i++)
		free(c->dirs[i]);
	free(c->dirs);
	c->dirs = NULL;
	c->nr_dirs = 0;
	return c->err;
}
