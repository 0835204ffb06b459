/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the fuzz_corpus_test of each folder: its fuzz targets as plain tests, on
 * the committed inputs and on changes of them, the same in every run.
 */
#ifndef KTSTR_LIB_FUZZ_CORPUS_H
#define KTSTR_LIB_FUZZ_CORPUS_H

#include <check.h>
#include <dirent.h>

#include "lib/fuzz.h"
#include "lib/log.h"

#define FUZZ_INPUT_MAX 4096
#define FUZZ_CHANGED 200 /* inputs made of each committed one */
#define FUZZ_FILES_MIN 8

struct fuzz_target {
	const char *name;
	void (*fn)(const uint8_t *data, size_t len);
};

static inline void fuzz_no_log(void *ctx, enum log_level level,
			       const char *line)
{
}

static inline uint64_t fuzz_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Flip, set, cut and repeat. */
static inline size_t fuzz_change(uint8_t *data, size_t len, uint64_t *x)
{
	unsigned int n = 1 + fuzz_random(x) % 8;

	while (n-- && len) {
		const uint64_t v = fuzz_random(x);
		const size_t at = v % len;
		const size_t tail = len - at;

		switch (v >> 32 & 3) {
		case 0:
			data[at] ^= 1u << (v >> 34 & 7);
			break;
		case 1:
			data[at] = v >> 34;
			break;
		case 2:
			len = at + 1;
			break;
		case 3:
			if (tail > FUZZ_INPUT_MAX - len)
				break;
			memcpy(data + len, data + at, tail);
			len += tail;
			break;
		}
	}
	return len;
}

static inline void fuzz_run_file(const struct fuzz_target *t, const char *path)
{
	static uint8_t seed[FUZZ_INPUT_MAX], data[FUZZ_INPUT_MAX];
	uint64_t x = 88172645463325252ULL;
	FILE *f = fopen(path, "rb");
	unsigned int i;
	size_t len, n;

	ck_assert_msg(f, "%s", path);
	len = fread(seed, 1, sizeof(seed), f);
	fclose(f);
	t->fn(seed, len);
	for (i = 0; i < FUZZ_CHANGED; i++) {
		memcpy(data, seed, len);
		n = fuzz_change(data, len, &x);
		t->fn(data, n);
	}
}

/* All of @corpus/NAME, a folder of the tree, and nothing at all. */
static inline void fuzz_run_corpus(const struct fuzz_target *t,
				   const char *corpus)
{
	unsigned int files = 0;
	struct dirent *e;
	char path[512];
	DIR *dir;

	log_set_sink(fuzz_no_log, NULL);
	snprintf(path, sizeof(path), "%s/%s", corpus, t->name);
	dir = opendir(path);
	ck_assert_msg(dir, "%s: run me from the top of the tree", path);
	t->fn(NULL, 0);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", corpus, t->name,
			 e->d_name);
		fuzz_run_file(t, path);
		files++;
	}
	closedir(dir);
	ck_assert_uint_ge(files, FUZZ_FILES_MIN);
}

#endif
