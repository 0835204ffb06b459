// SPDX-License-Identifier: GPL-2.0-only
/* The fuzz targets as plain tests: committed inputs, and changes of them. */
#include "vmm/fuzz/fuzz.h"

#include <check.h>
#include <dirent.h>

#include "lib/log.h"

#define CORPUS "vmm/fuzz/corpus/"
#define INPUT_MAX 4096
#define CHANGED 200 /* inputs made of each committed one */

static const struct target {
	const char *name;
	void (*fn)(const uint8_t *data, size_t len);
} targets[] = {
	{ "chain", fuzz_chain },
	{ "mmio", fuzz_mmio },
	{ "console", fuzz_console },
	{ "frame", fuzz_frame },
};

#define NR_TARGETS (int)(sizeof(targets) / sizeof(targets[0]))

static void no_log(void *ctx, enum log_level level, const char *line)
{
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Flip, set, cut and repeat, the same way in every run. */
static size_t change(uint8_t *data, size_t len, uint64_t *x)
{
	unsigned int n = 1 + next_random(x) % 8;

	while (n-- && len) {
		const uint64_t v = next_random(x);
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
			if (tail > INPUT_MAX - len)
				break;
			memcpy(data + len, data + at, tail);
			len += tail;
			break;
		}
	}
	return len;
}

static void run_file(const struct target *t, const char *path)
{
	static uint8_t seed[INPUT_MAX], data[INPUT_MAX];
	uint64_t x = 88172645463325252ULL;
	FILE *f = fopen(path, "rb");
	unsigned int i;
	size_t len, n;

	ck_assert_msg(f, "%s", path);
	len = fread(seed, 1, sizeof(seed), f);
	fclose(f);
	t->fn(seed, len);
	for (i = 0; i < CHANGED; i++) {
		memcpy(data, seed, len);
		n = change(data, len, &x);
		t->fn(data, n);
	}
}

START_TEST(what_must_hold_holds_for_hostile_input)
{
	const struct target *t = &targets[_i];
	unsigned int files = 0;
	struct dirent *e;
	char path[512];
	DIR *dir;

	log_set_sink(no_log, NULL);
	snprintf(path, sizeof(path), CORPUS "%s", t->name);
	dir = opendir(path);
	ck_assert_msg(dir, "%s: run me from the top of the tree", path);
	t->fn(NULL, 0);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "%s/%s", t->name,
			 e->d_name);
		run_file(t, path);
		files++;
	}
	closedir(dir);
	ck_assert_uint_ge(files, 8);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fuzz_corpus");
	TCase *tc = tcase_create("fuzz_corpus");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, what_must_hold_holds_for_hostile_input, 0,
			    NR_TARGETS);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
