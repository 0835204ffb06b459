/* SPDX-License-Identifier: GPL-2.0-only */
/* The compressions a kernel payload may have, undone on the host. */
#ifndef KTSTR_VMM_UNPACK_H
#define KTSTR_VMM_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#define UNPACK_MAX_BYTES (1ULL << 30) /* no kernel is larger */

/**
 * unpack_name() - which compression @data begins with
 *
 * Return: "gzip", "zstd", ...; NULL when it is none that unpack() undoes.
 */
const char *unpack_name(const uint8_t *data, size_t len);

/**
 * unpack() - undo the compression
 * @data: the payload, without a size appended to it
 * @size_hint: expected bytes, a guess from the file; wrong ones are fine
 * @limit: most bytes that may come out; UNPACK_MAX_BYTES for kernels
 * @out: malloc'ed, for the caller to free
 *
 * Return: 0; -ENOTSUP unknown compression; -EBADMSG damaged data; -EFBIG more
 * than @limit; -ENOMEM.
 */
int unpack(const uint8_t *data, size_t len, size_t size_hint, size_t limit,
	   uint8_t **out, size_t *out_len);

#endif
