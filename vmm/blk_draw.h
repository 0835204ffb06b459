/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Chance by seed and number, without a state: whoever asks for the n-th draw of
 * a seed always gets the same. Used for the disk's jitter and faults.
 *
 * Source: Vigna's splitmix64, whose n-th output is a function of n alone.
 */
#ifndef KTSTR_VMM_BLK_DRAW_H
#define KTSTR_VMM_BLK_DRAW_H

#include <stdint.h>

/* What is drawn for: the draws of one must tell nothing of another's. */
enum blk_draw_of { BLK_DRAW_JITTER, BLK_DRAW_ERROR, BLK_DRAW_TEAR };

static inline uint64_t blk_draw_mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/** blk_draw() - number @n of @seed, any of 64 bits */
static inline uint64_t blk_draw(uint64_t seed, enum blk_draw_of what,
				uint64_t n)
{
	uint64_t stream = blk_draw_mix(seed + 0x9e3779b97f4a7c15ULL *
						      (what + 1));

	return blk_draw_mix(stream + 0x9e3779b97f4a7c15ULL * n);
}

/** blk_draw_upto() - likewise, 0 to @max, each as likely as the others */
static inline uint64_t blk_draw_upto(uint64_t seed, enum blk_draw_of what,
				     uint64_t n, uint64_t max)
{
	return (__uint128_t)blk_draw(seed, what, n) *
	       ((__uint128_t)max + 1) >> 64;
}

#endif
