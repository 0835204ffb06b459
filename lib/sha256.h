/* SPDX-License-Identifier: GPL-2.0-only */
/* SHA-256, to name files by their content: caches and de-duplication. */
#ifndef KTSTR_LIB_SHA256_H
#define KTSTR_LIB_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32
#define SHA256_HEX_LEN (2 * SHA256_LEN + 1) /* with the NUL */

struct sha256 {
	uint32_t state[8];
	uint64_t len_bytes;
	uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t len);

/** sha256_final() - the digest in lower-case hex; @s is spent afterwards. */
void sha256_final(struct sha256 *s, char hex[SHA256_HEX_LEN]);

/** sha256_buf() - the digest of @len bytes in one call */
void sha256_buf(const void *data, size_t len, char hex[SHA256_HEX_LEN]);

/**
 * sha256_fd() - the digest of a file from its first byte to its end
 *
 * Reads with pread(2): the file position stays. Blocks.
 *
 * Return: 0, or -errno of the read.
 */
int sha256_fd(int fd, char hex[SHA256_HEX_LEN]);

#endif
