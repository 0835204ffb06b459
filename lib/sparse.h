/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a file has data and where holes: for whoever copies or sends one. */
#ifndef KTSTR_LIB_SPARSE_H
#define KTSTR_LIB_SPARSE_H

#include <stdint.h>

/**
 * sparse_next() - the next data of @fd in [@off, @end)
 * @start: where it begins; @end when there is none
 * @stop: where it ends, at most @end
 *
 * Of a file system that knows no holes all is data. Moves @fd's offset.
 *
 * Return: 0 or -errno.
 */
int sparse_next(int fd, uint64_t off, uint64_t end, uint64_t *start,
		uint64_t *stop);

#endif
