// SPDX-License-Identifier: GPL-2.0-only
#include "lib/errmsg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int errmsg_set(const struct errmsg *e, int err, const char *fmt, ...)
{
	va_list ap;

	if (!e->len)
		return err;
	va_start(ap, fmt);
	vsnprintf(e->buf, e->len, fmt, ap);
	va_end(ap);
	return err;
}

int errmsg_errno(const struct errmsg *e, int err, const char *fmt, ...)
{
	char why[64];
	va_list ap;
	int n;

	if (!e->len)
		return err;
	va_start(ap, fmt);
	n = vsnprintf(e->buf, e->len, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < e->len)
		snprintf(e->buf + n, e->len - n, ": %s",
			 strerror_r(-err, why, sizeof(why)));
	return err;
}
