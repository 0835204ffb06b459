// SPDX-License-Identifier: GPL-2.0-only
/* Source: FIPS 180-4. */
#include "lib/sha256.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t ror(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void compress(uint32_t state[8], const uint8_t *block)
{
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = load_be32(block + 4 * i);
	for (int i = 16; i < 64; i++) {
		uint32_t s0 = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^
			      w[i - 15] >> 3;
		uint32_t s1 = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^
			      w[i - 2] >> 10;

		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}

	memcpy(v, state, sizeof(v));
	for (int i = 0; i < 64; i++) {
		uint32_t s1 = ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25);
		uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t t1 = v[7] + s1 + ch + round_constants[i] + w[i];
		uint32_t s0 = ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22);
		uint32_t maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + s0 + maj;
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

void sha256_init(struct sha256 *s)
{
	*s = (struct sha256){
		.state = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 },
	};
}

void sha256_update(struct sha256 *s, const void *data, size_t len)
{
	size_t used = s->len_bytes % sizeof(s->block);
	const uint8_t *p = data;

	s->len_bytes += len;
	while (len) {
		size_t n = sizeof(s->block) - used;

		if (!used && len >= sizeof(s->block)) {
			compress(s->state, p);
			n = sizeof(s->block);
		} else {
			n = n < len ? n : len;
			memcpy(s->block + used, p, n);
			used += n;
			if (used == sizeof(s->block)) {
				compress(s->state, s->block);
				used = 0;
			}
		}
		p += n;
		len -= n;
	}
}

void sha256_final(struct sha256 *s, char hex[SHA256_HEX_LEN])
{
	static const uint8_t pad[64] = { 0x80 };
	static const char digits[] = "0123456789abcdef";
	uint64_t bits = s->len_bytes * 8;
	uint8_t len_be[8];

	for (int i = 0; i < 8; i++)
		len_be[i] = bits >> (56 - 8 * i);
	/* One to 64 bytes, so that the length ends a block. */
	sha256_update(s, pad, 1 + (119 - s->len_bytes % 64) % 64);
	sha256_update(s, len_be, sizeof(len_be));
	for (int i = 0; i < SHA256_LEN; i++) {
		uint8_t b = s->state[i / 4] >> (24 - 8 * (i % 4));

		hex[2 * i] = digits[b >> 4];
		hex[2 * i + 1] = digits[b & 15];
	}
	hex[2 * SHA256_LEN] = '\0';
}

void sha256_buf(const void *data, size_t len, char hex[SHA256_HEX_LEN])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, data, len);
	sha256_final(&s, hex);
}

int sha256_fd(int fd, char hex[SHA256_HEX_LEN])
{
	const size_t cap = 1 << 18;
	uint8_t *buf = malloc(cap);
	struct sha256 s;
	off_t pos = 0;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	sha256_init(&s);
	for (;;) {
		ssize_t n = pread(fd, buf, cap, pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		sha256_update(&s, buf, n);
		pos += n;
	}
	if (!err)
		sha256_final(&s, hex);
	free(buf);
	return err;
}
