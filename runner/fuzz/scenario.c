// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user's scenario file: refused with a reason and a place, or good for a plan
 * and for a text that reads back as the same. The input is the file; behind a
 * NUL one --set KEY=VALUE.
 */
#include "runner/fuzz/fuzz.h"

#include "runner/diag.h"
#include "runner/plan.h"
#include "runner/scenario.h"

#include <errno.h>

#define NAME "f.toml"
#define SET_MAX 128

static void check_reasons(const struct diag *d)
{
	size_t i;

	must(d->nr);
	for (i = 0; i < d->nr; i++) {
		must(d->entries[i].where && *d->entries[i].where);
		must(d->entries[i].message && *d->entries[i].message);
	}
}

/* Return: NULL if it was refused. */
static struct scenario *parse(const char *text, size_t len, const char *set)
{
	const char *const sets[] = { set, NULL };
	const struct scenario_overrides o = { .set = set ? sets : NULL };
	struct scenario *s = NULL;
	struct diag d;
	int err;

	diag_init(&d, NAME);
	err = scenario_parse(NAME, text, len, &o, &s, &d);
	must(!err || err == -EINVAL);
	must(!err == !!s);
	if (err)
		check_reasons(&d);
	else
		must(!diag_failed(&d));
	diag_fini(&d);
	return s;
}

static char *print(const struct scenario *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	must(f);
	scenario_print(f, s);
	fclose(f);
	return text;
}

/* Both or neither, and equal. */
static void check_same(json_t *a, json_t *b)
{
	must(a && b);
	must(json_equal(a, b));
	json_decref(a);
	json_decref(b);
}

static void check_reads_back(const struct scenario *first)
{
	char *text = print(first), *again;
	struct scenario *second = parse(text, strlen(text), NULL);

	must(second);
	again = print(second);
	must(!strcmp(text, again));
	check_same(plan_new(first, 7), plan_new(second, 7));
	check_same(plan_checks_new(first), plan_checks_new(second));
	free(text);
	free(again);
	scenario_free(second);
}

void fuzz_scenario(const uint8_t *data, size_t len)
{
	const uint8_t *nul = len ? memchr(data, 0, len) : NULL;
	const size_t text_len = nul ? (size_t)(nul - data) : len;
	char set[SET_MAX] = "";
	struct scenario *s;

	if (nul) {
		struct fuzz_in in = { nul + 1, len - text_len - 1 };
		size_t i;

		for (i = 0; i < sizeof(set) - 1 && in.len; i++)
			set[i] = fuzz_take(&in, 1);
	}
	s = parse((const char *)data, text_len, nul ? set : NULL);
	if (!s)
		return;
	check_reads_back(s);
	scenario_free(s);
}
