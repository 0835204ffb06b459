/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest made by hand that has something of every kind: for what is done to
 * its memory in hostile_test.c and in the fuzz target.
 */
#ifndef KTSTR_MONITOR_TEST_FULL_H
#define KTSTR_MONITOR_TEST_FULL_H

#include <stdint.h>

struct btf;
struct test_image;

#define TF_MAPS 12		/* with the ids 1 to 12 */
#define TF_MAX_TARGETS 48

struct test_full {
	struct test_image *ti;	/* owned */
	struct btf *btf;	/* of its maps; owned */
	uint64_t targets[TF_MAX_TARGETS]; /* structures worth corrupting */
	uint32_t target_len[TF_MAX_TARGETS];
	unsigned int nr_targets;
};

/** tf_init() - build it; @seed draws the layout. Ends the test on failure. */
void tf_init(struct test_full *g, unsigned int seed);
void tf_fini(struct test_full *g);

#endif
