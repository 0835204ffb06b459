// SPDX-License-Identifier: GPL-2.0-only
/* The files that disks begin as: are they raw images that can be had? */
#include "runner/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/diag.h"
#include "runner/units.h"

#define GI (1ULL << 30)
/* Bytes that are no hole, of an image that is copied into memory. */
#define COPY_MAX (4 * GI)

/* What else is called an image, by how it begins. */
static const struct format {
	const char *name, *magic;
} formats[] = {
	{ "qcow2", "QFI\xfb" },
	{ "VMDK", "KDMV" },
	{ "VHDX", "vhdxfile" },
};

static const char *format_of(int fd)
{
	char head[16] = "";
	ssize_t n = pread(fd, head, sizeof(head) - 1, 0);
	size_t i;

	for (i = 0; n > 0 && i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strncmp(head, formats[i].magic,
			     strlen(formats[i].magic)))
			return formats[i].name;
	return NULL;
}

static const struct toml_node *key(const struct scn_disk *disk,
				   const char *name)
{
	return schema_table_get(disk->base.node, name);
}

/* The keys alone: may they stand together? */
static void check_keys(const struct scn_disk *disk, struct diag *d)
{
	if (!key(disk, "image") && !key(disk, "size"))
		diag_value(d, disk->base.node, "[[disk]] needs a size");
	if (!disk->keep_writes)
		return;
	if (!disk->image) {
		diag_key(d, key(disk, "keep_writes"),
			 "there is no image to keep the writes in");
		diag_hint(d, "add image = \"FILE\"");
	} else if (disk->read_only) {
		diag_key(d, key(disk, "keep_writes"),
			 "a read-only disk has no writes to keep");
	}
}

static void check_size(struct scn_disk *disk, uint64_t bytes, struct diag *d)
{
	const struct toml_node *image = key(disk, "image");
	const struct toml_node *size = key(disk, "size");
	char is[UNIT_TEXT_LEN], asked[UNIT_TEXT_LEN];

	unit_format(UNIT_SIZE, bytes, is);
	if (size && disk->size_bytes != bytes) {
		diag_value(d, size, "the image has %s, not %s", is,
			   unit_format(UNIT_SIZE, disk->size_bytes, asked));
		diag_hint(d, "leave size out, or make the file as large with truncate(1)");
	} else if (bytes < SCENARIO_MIN_DISK || bytes > SCENARIO_MAX_DISK) {
		diag_value(d, image,
			   "the image has %s; a disk has between 1M and 64G",
			   is);
	} else if (bytes % 512) {
		diag_value(d, image,
			   "the image has %s, no multiple of 512 bytes", is);
		diag_hint(d, "truncate -s %%512 FILE rounds it up");
	}
	disk->size_bytes = bytes;
}

static void check_copy(const struct scn_disk *disk, const struct stat *st,
		       struct diag *d)
{
	uint64_t data = (uint64_t)st->st_blocks * 512;
	char is[UNIT_TEXT_LEN];

	if (disk->read_only || disk->keep_writes || data <= COPY_MAX)
		return;
	diag_value(d, key(disk, "image"),
		   "the image holds %s; at most 4G are copied into memory",
		   unit_format(UNIT_SIZE, data, is));
	diag_hint(d, "with read_only or keep_writes the file itself is used");
}

static void check_open(struct scn_disk *disk, int fd, struct stat *st,
		       struct diag *d)
{
	const struct toml_node *image = key(disk, "image");
	const char *format;

	if (fstat(fd, st)) {
		diag_value(d, image, "image %s: %s", disk->image,
			   strerror(errno));
		return;
	}
	if (!S_ISREG(st->st_mode)) {
		diag_value(d, image, "image %s is not a regular file",
			   disk->image);
		return;
	}
	format = format_of(fd);
	if (format) {
		diag_value(d, image, "image %s is a %s image, not a raw one",
			   disk->image, format);
		diag_hint(d, "qemu-img convert -O raw makes a raw one");
		return;
	}
	check_size(disk, st->st_size, d);
	check_copy(disk, st, d);
}

/* O_NONBLOCK: a FIFO must not keep us. */
static void check_file(struct scn_disk *disk, struct stat *st, struct diag *d)
{
	int fd = open(disk->image, (disk->keep_writes && !disk->read_only ?
				    O_RDWR : O_RDONLY) | O_CLOEXEC |
				   O_NOCTTY | O_NONBLOCK);
	int err = errno;

	if (fd >= 0) {
		check_open(disk, fd, st, d);
		close(fd);
		return;
	}
	diag_value(d, key(disk, "image"), "image %s: %s", disk->image,
		   strerror(err));
	if (err == ENOENT)
		diag_hint(d, "truncate -s 64M FILE makes an empty one");
	else if (err == EACCES && disk->keep_writes)
		diag_hint(d, "its writes are to be kept: the file must be writable");
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino && a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Who keeps writes has the file alone; the lock would say so much later. */
static void check_shared(const struct scenario *s, const struct stat *st,
			 struct diag *d)
{
	unsigned int i, j;

	for (i = 1; i < s->nr_disks; i++)
		for (j = 0; j < i; j++) {
			const struct scn_disk *a = &s->disks[i];
			const struct scn_disk *b = &s->disks[j];

			if (!same_file(&st[i], &st[j]) ||
			    (!a->keep_writes && !b->keep_writes))
				continue;
			diag_value(d, key(a, "image"),
				   "disk \"%s\" has the same image, and writes to it are kept",
				   b->name ? b->name : "");
		}
}

void scenario_check_images(struct scenario *s, struct diag *d)
{
	struct stat st[SCENARIO_MAX_DISKS] = { 0 };
	unsigned int i;

	for (i = 0; i < s->nr_disks; i++) {
		check_keys(&s->disks[i], d);
		if (s->disks[i].image)
			check_file(&s->disks[i], &st[i], d);
	}
	check_shared(s, st, d);
}
