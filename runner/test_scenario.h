/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests only: what the tests of scenarios have in common. */
#ifndef KTSTR_RUNNER_TEST_SCENARIO_H
#define KTSTR_RUNNER_TEST_SCENARIO_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <jansson.h>

#include "runner/diag.h"
#include "runner/scenario.h"

/* A scenario that is wrong, and the words that must say so. */
struct bad_scenario {
	const char *text;
	const char *error;	/* the first one, with its place */
	const char *hint;	/* NULL: there must be none */
};

/* "*" at the end stands for any more text. */
static inline bool text_matches(const char *pattern, const char *text)
{
	size_t len = strlen(pattern);

	if (len && pattern[len - 1] == '*')
		return !strncmp(pattern, text, len - 1);
	return !strcmp(pattern, text);
}

/* @d's first error is @b's; @matches: NULL for text_matches() */
static inline void assert_told(const struct bad_scenario *b,
			       const struct diag *d,
			       bool (*matches)(const char *pattern,
					       const char *text))
{
	const char *hint;
	char line[8192];

	if (!matches)
		matches = text_matches;
	ck_assert_uint_ge(d->nr, 1);
	hint = d->entries[0].hint;
	snprintf(line, sizeof(line), "%s: error: %s", d->entries[0].where,
		 d->entries[0].message);
	ck_assert_msg(matches(b->error, line), "expected %s\n     got %s",
		      b->error, line);
	if (b->hint)
		ck_assert_msg(hint && matches(b->hint, hint),
			      "expected hint %s\n          got %s", b->hint,
			      hint ? hint : "none");
	else
		ck_assert_msg(!hint, "unexpected hint: %s", hint);
}

/* @b is refused, and told as assert_told() wants it */
static inline void assert_bad(const struct bad_scenario *b)
{
	struct scenario *s = NULL;
	struct diag d;

	diag_init(&d, "t.toml");
	ck_assert_int_eq(-EINVAL, scenario_parse("t.toml", b->text,
						 strlen(b->text), NULL, &s,
						 &d));
	ck_assert_ptr_null(s);
	assert_told(b, &d, NULL);
	diag_fini(&d);
}

/* The resolved scenario; owned. */
static inline char *scenario_text(const struct scenario *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	scenario_print(f, s);
	fclose(f);
	return text;
}

static inline void assert_json(const char *expected, const json_t *is)
{
	json_error_t error;
	json_t *e = json_loads(expected, JSON_DECODE_ANY, &error);
	char *text = json_dumps(is, JSON_ENCODE_ANY | JSON_SORT_KEYS);

	ck_assert_msg(e, "%s: %s", error.text, expected);
	ck_assert_msg(json_equal(e, is), "expected %s\n     got %s", expected,
		      text);
	free(text);
	json_decref(e);
}

#endif
