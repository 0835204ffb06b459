/* SPDX-License-Identifier: GPL-2.0-only */
/* The folder that a VM process gets: docs/internals/session.md, "IN". */
#ifndef KTSTR_RUNNER_PREPARE_H
#define KTSTR_RUNNER_PREPARE_H

#include <stddef.h>

#include <jansson.h>

/* What launch_prepare() found; members of plan.prepared, all paths here. */
#define PREPARED_KEY "prepared"

/**
 * prepare_dir() - write plan.json, kernel, initrd and btf
 * @plan: as launch_prepare() completed it
 * @dir: exists, empty; kernel and btf become symbolic links
 * @err_msg: on failure one line
 *
 * Return: 0 or -errno.
 */
int prepare_dir(json_t *plan, const char *dir, char *err_msg, size_t err_len);

#endif
