/* SPDX-License-Identifier: GPL-2.0-only */
/* One line for the user beside an error code: what was tried, on what, why. */
#ifndef KTSTR_LIB_ERRMSG_H
#define KTSTR_LIB_ERRMSG_H

#include <stddef.h>

/* The caller's buffer; @len 0 wants no message. */
struct errmsg {
	char *buf;
	size_t len;
};

/**
 * errmsg_set() - write the line
 * @err: negative errno, handed through
 *
 * Return: @err, so that `return errmsg_set(...)` reads well.
 */
__attribute__((format(printf, 3, 4)))
int errmsg_set(const struct errmsg *e, int err, const char *fmt, ...);

/** errmsg_errno() - the same, with ": strerror(-err)" at the end. */
__attribute__((format(printf, 3, 4)))
int errmsg_errno(const struct errmsg *e, int err, const char *fmt, ...);

#endif
