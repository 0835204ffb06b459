/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a disk's image begins as: nothing, a copy of a raw file, or that file
 * itself. Called when the disk is made.
 */
#ifndef KTSTR_VMM_BLK_FILE_H
#define KTSTR_VMM_BLK_FILE_H

struct blk_image;
struct vm_disk_config;

/**
 * blk_file_open() - the image that @cfg asks for
 * @img: for blk_image_close()
 *
 * A copy is in memory and has the file's holes; the file is closed again, and
 * nothing that happens to either is seen in the other. Blocks for the copy.
 *
 * Return: 0; -EINVAL not a regular file, or not of @cfg's size; -ENODATA it
 * was cut while it was copied; -errno.
 */
int blk_file_open(struct blk_image *img, const struct vm_disk_config *cfg);

#endif
