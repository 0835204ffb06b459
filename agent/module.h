/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading the kernel modules that the runner packed. Called by agent/main.c. */
#ifndef KTSTR_AGENT_MODULE_H
#define KTSTR_AGENT_MODULE_H

#include <stddef.h>

#define MODULE_DIR "/ktstr/modules"

/**
 * module_load_all() - insert every *.ko of a directory, in order of its name
 * @err_msg: on failure one line that names the module
 *
 * A missing directory is no modules; one that is loaded already is fine.
 *
 * Return: 0 or -errno of the first that failed.
 */
int module_load_all(const char *dir, char *err_msg, size_t err_len);

#endif
