/* SPDX-License-Identifier: GPL-2.0-only */
/* The scenario's own programs on their way into the guest. For launch.c. */
#ifndef KTSTR_RUNNER_LAUNCH_EXEC_H
#define KTSTR_RUNNER_LAUNCH_EXEC_H

#include <stddef.h>

#include <jansson.h>

/**
 * launch_exec() - which files they need, and what they are
 * @plan: plan.prepared.files is added to; a scheduler that is a program gets
 *	its hash
 * @why: on failure one line
 *
 * Return: 0; -ENOENT or -ENOEXEC a file that is missing, or is no program;
 * -errno.
 */
int launch_exec(json_t *plan, char *why, size_t len);

#endif
