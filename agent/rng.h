/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random numbers of the loads: xoshiro256**, seeded by splitmix64, so that a
 * run's seed repeats every worker's choices. One stream per worker.
 *
 * Source: Blackman, Vigna, "Scrambled linear pseudorandom number generators".
 */
#ifndef KTSTR_AGENT_RNG_H
#define KTSTR_AGENT_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

static inline uint64_t rng_splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/** rng_init() - stream number @stream of @seed; any values will do. */
static inline void rng_init(struct rng *r, uint64_t seed, uint64_t stream)
{
	uint64_t state = seed;
	unsigned int i;

	/* mixed, not added: seed 1 stream 0 must differ from seed 0 stream 1 */
	state = rng_splitmix(&state) ^ stream;
	for (i = 0; i < 4; i++)
		r->s[i] = rng_splitmix(&state);
}

static inline uint64_t rng_rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t out = rng_rotl(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rng_rotl(r->s[3], 45);
	return out;
}

/** rng_below() - 0 .. @n - 1, @n not 0; bias below n / 2^64. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return (unsigned __int128)rng_next(r) * n >> 64;
}

#endif
