/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzz targets: what a hostile guest or a user's file may hold, as functions of
 * some bytes. Each is a libFuzzer program (make fuzz), and its folder's
 * fuzz_corpus_test runs it over the committed inputs and changes of those.
 *
 * A target aborts if something that must always hold does not.
 */
#ifndef KTSTR_LIB_FUZZ_H
#define KTSTR_LIB_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define must(cond)                                                     \
	do {                                                           \
		if (!(cond)) {                                         \
			fprintf(stderr, "%s:%d: must hold: %s\n",      \
				__FILE__, __LINE__, #cond);            \
			abort();                                       \
		}                                                      \
	} while (0)

/* The input, taken from the front; zeroes when it is over. */
struct fuzz_in {
	const uint8_t *data;
	size_t len;
};

static inline uint64_t fuzz_take(struct fuzz_in *in, size_t bytes)
{
	const size_t n = bytes < in->len ? bytes : in->len;
	uint64_t v = 0;

	if (!n) /* data may be NULL */
		return 0;
	memcpy(&v, in->data, n);
	in->data += n;
	in->len -= n;
	return v;
}

#ifdef FUZZ_ENTRY /* built for libFuzzer: the name of the one target */
void FUZZ_ENTRY(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FUZZ_ENTRY(data, len);
	return 0;
}
#endif

#endif
