/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes initramfs archives (cpio "newc"): the guest's initrd and the
 * emulated host's. Source: Documentation/driver-api/early-userspace/
 * buffer-format.rst.
 *
 * Errors stick: the calls between open and close need no check, cpio_close()
 * returns the first. Names have no leading slash; the directories above a
 * name are written (0755) if they were not yet. Owner is root, times are 0,
 * so the same input gives the same bytes.
 */
#ifndef KTSTR_RUNNER_CPIO_H
#define KTSTR_RUNNER_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio {
	int fd;			/* borrowed */
	int err;		/* first error, -errno */
	uint32_t ino;
	uint64_t pos;
	char **dirs;		/* written so far, owned */
	size_t nr_dirs;
};

/** cpio_open() - start an archive at @fd's position */
void cpio_open(struct cpio *c, int fd);

void cpio_dir(struct cpio *c, const char *name, unsigned int mode);
void cpio_file(struct cpio *c, const char *name, unsigned int mode,
	       const void *data, size_t len);
/** cpio_file_fd() - a file with what @fd holds now, from its start */
void cpio_file_fd(struct cpio *c, const char *name, unsigned int mode, int fd);
void cpio_symlink(struct cpio *c, const char *name, const char *target);
/** cpio_node() - @mode with S_IFCHR or S_IFBLK */
void cpio_node(struct cpio *c, const char *name, unsigned int mode,
	       unsigned int major, unsigned int minor);

/** cpio_close() - trailer; frees. Return: 0, or the first error. */
int cpio_close(struct cpio *c);

#endif
