/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests made by hand for the measurements of telemetry, of any number of CPUs
 * and maps, and what samples them; bench_telemetry.c and bench_slow.c use it.
 * As the maker of the tests' guests that it is made with it ends a test of
 * libcheck on failure.
 */
#ifndef KTSTR_TOOLS_BENCH_IMAGE_H
#define KTSTR_TOOLS_BENCH_IMAGE_H

#include <stdint.h>

struct sampler;
struct test_image;

struct bench_image {
	unsigned int cpus, maps;
	unsigned int hashes;	/* 0 or 1 */
};

/**
 * bench_image_new() - a guest with these, for ti_free()
 * @map_kva: where each of the maps is, but a hash; or NULL
 *
 * Map n has the id n and the name counters_(n - 1): an array of one entry of
 * four counters, per CPU where n is even. A hash has the id after them.
 */
struct test_image *bench_image_new(const struct bench_image *c,
				   uint64_t *map_kva);

/** bench_image_sampler() - what watches all its maps, for sampler_free() */
struct sampler *bench_image_sampler(struct test_image *ti,
				    const struct bench_image *c,
				    uint64_t interval_ns, const char *out_path);

#endif
