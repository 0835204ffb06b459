/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KTSTR_LIB_FD_H
#define KTSTR_LIB_FD_H

#include <unistd.h>

/** fd_close() - close *@fd, unless it is none (-1); then it is none */
static inline void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#endif
