/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel images: bzImage and ELF, from a file into guest memory. */
#ifndef KTSTR_VMM_BOOT_IMAGE_H
#define KTSTR_VMM_BOOT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/bootparam.h>

#include "lib/errmsg.h"
#include "lib/guest_mem.h"

/* What of a bzImage's setup header we use; offsets are into the file. */
struct bzimage {
	struct setup_header hdr;	/* as in the file, zeroes past its end */
	uint64_t kernel_off;		/* the protected-mode part */
	uint64_t kernel_len;
	uint64_t payload_off;
	uint64_t payload_len;
};

/**
 * bzimage_parse() - check a setup header
 * @data: the first bytes of the file, at least 1 KiB unless the file is smaller
 * @file_len: of the whole file
 *
 * Return: 0; -ENOEXEC not a bzImage; -EINVAL one that is damaged, older than
 * protocol 2.12 or without a 64-bit entry.
 */
int bzimage_parse(const uint8_t *data, size_t len, uint64_t file_len,
		  struct bzimage *bz, const struct errmsg *e);

/* A loaded kernel. */
struct boot_image {
	uint64_t entry_gpa;		/* 64-bit entry point */
	uint64_t start_gpa, end_gpa;	/* memory it needs, for the initrd */
	bool has_hdr;			/* @hdr is from a bzImage */
	struct setup_header hdr;
};

/**
 * boot_image_load_elf() - copy an ELF's segments to their physical addresses
 * @fd: seekable
 *
 * Return: 0; -ENOEXEC not an x86-64 ELF executable or a damaged one; -ENOSPC
 * it does not fit into RAM; others from the host.
 */
int boot_image_load_elf(const struct guest_mem *mem, int fd,
			struct boot_image *img, const struct errmsg *e);

/**
 * boot_image_load() - load the kernel file at @path
 *
 * An ELF as it is; a bzImage by unpacking its payload here, or, when that has
 * an unknown compression, entered where it unpacks itself.
 *
 * Return: 0, or as above.
 */
int boot_image_load(const struct guest_mem *mem, const char *path,
		    struct boot_image *img, const struct errmsg *e);

#endif
