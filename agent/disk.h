/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The plan's disks in the guest: found by virtio serial, linked by name.
 * Called by the agent once its modules are loaded.
 */
#ifndef KTSTR_AGENT_DISK_H
#define KTSTR_AGENT_DISK_H

#include <stddef.h>
#include <stdint.h>

struct plan;

#define DISK_DIR "/dev/disk/by-ktstr"
#define DISK_SERIAL_MAX 20	/* VIRTIO_BLK_ID_BYTES, no NUL if full */

/* Where to look; zero means the guest's own places. */
struct disk_paths {
	const char *sys_block;	/* default "/sys/block" */
	const char *dev;	/* default "/dev" */
	const char *links;	/* default DISK_DIR */
};

/**
 * disks_link() - make DISK_DIR/NAME for every disk of the plan
 * @paths: NULL for the defaults
 * @err_msg: one line on failure: which disk, and what serials there are
 *
 * Reads a serial with a request to the device, so it blocks if that does.
 * Called again it replaces the links.
 *
 * Return: 0; -ENODEV no device has that serial (maybe not yet); -EUCLEAN its
 * size is not the plan's; -EEXIST two devices have it; other -errno.
 */
int disks_link(const struct plan *plan, const struct disk_paths *paths,
	       char *err_msg, size_t err_len);

/**
 * disk_open() - a disk by name, O_DIRECT
 * @dir: DISK_DIR, or a test's
 * @flags: O_RDONLY or O_RDWR
 * @bytes: its size
 *
 * Takes block devices and plain files.
 *
 * Return: the descriptor, owned by the caller, or -errno.
 */
int disk_open(const char *dir, const char *name, int flags, uint64_t *bytes);

#endif
