/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a disk's image was when a run began, so that a replay can tell whether
 * it still is. Used by run.c, result.c and replay.c.
 */
#ifndef KTSTR_RUNNER_IMAGE_ID_H
#define KTSTR_RUNNER_IMAGE_ID_H

#include <stddef.h>

#include <jansson.h>

/* Up to here all of it is hashed, else the first and the last part. */
#define IMAGE_ID_WHOLE (64u << 20)
#define IMAGE_ID_PART (1u << 20)

/**
 * image_ids_note() - add "image_id" to each of the plan's disks with an image
 *
 * {"path", "size_bytes", "mtime_ns", "sha256", "hashed": "whole" or "ends"}; of
 * a file that can't be read there is none: that run will say so itself.
 */
void image_ids_note(json_t *plan);

/** image_ids_of() - {DISK: that}, for the result. New reference or NULL. */
json_t *image_ids_of(const json_t *plan);

/**
 * image_id_check() - is the file at the path still that one?
 * @why: if not, what differs, without a name before it
 *
 * The time of the last change counts only where not all of it is hashed.
 *
 * Return: 0; -EBADMSG; -EMSGSIZE, another disk then; -EINVAL @id is none;
 * -errno of the file.
 */
int image_id_check(const json_t *id, char *why, size_t why_len);

#endif
