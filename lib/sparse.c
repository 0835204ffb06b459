// SPDX-License-Identifier: GPL-2.0-only
#include "lib/sparse.h"

#include <errno.h>
#include <unistd.h>

int sparse_next(int fd, uint64_t off, uint64_t end, uint64_t *start,
		uint64_t *stop)
{
	off_t data = lseek(fd, off, SEEK_DATA), hole;

	if (data < 0 && errno == EINVAL) {
		*start = off;
		*stop = end;
		return 0;
	}
	if (data < 0 && errno != ENXIO)
		return -errno;
	if (data < 0 || (uint64_t)data >= end) {
		*start = *stop = end;
		return 0;
	}
	hole = lseek(fd, data, SEEK_HOLE);
	if (hole < 0)
		return -errno;
	*start = data;
	*stop = (uint64_t)hole < end ? (uint64_t)hole : end;
	return 0;
}
