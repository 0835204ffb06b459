// SPDX-License-Identifier: GPL-2.0-only
/* Source: Documentation/dev-tools/ktap.rst of the kernel. */
#include "runner/ktap.h"

#include <stdbool.h>
#include <string.h>

#include "runner/record.h"

#define SUBTEST_INDENT "  "

/* A verdict is a result and what follows the description. */
static const struct ktap_word {
	const char *verdict, *result, *directive;
} words[] = {
	{ "pass", "ok", NULL },
	{ "skip", "ok", "SKIP " },
	{ "inconclusive", "ok", "SKIP inconclusive: " },
	{ "fail", "not ok", "fail: " },
	{ "error", "not ok", "ERROR " },
};

/* One line, and no '#' where a directive would begin with it. */
static void put_text(FILE *to, const char *text, bool description)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			fputc(' ', to);
		else
			fputc(description && *text == '#' ? '_' : *text, to);
	}
}

static void put_line(FILE *to, const char *indent, unsigned long number,
		     const char *name, const char *verdict, const char *reason)
{
	const struct ktap_word *w = &words[sizeof(words) / sizeof(*words) - 1];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].verdict, verdict))
			w = &words[i];
	if (!w->directive && *reason) {
		/* it held, with a remark */
		fprintf(to, "%s# ", indent);
		put_text(to, name, false);
		fputs(": ", to);
		put_text(to, reason, false);
		fputc('\n', to);
	}
	fprintf(to, "%s%s %lu ", indent, w->result, number);
	put_text(to, name, true);
	if (w->directive) {
		fprintf(to, " # %s", w->directive);
		put_text(to, reason, false);
	}
	fputc('\n', to);
}

static void put_checks(FILE *to, const char *name, const json_t *checks)
{
	char check_name[RECORD_NAME_LEN];
	const json_t *check;
	size_t i;

	fputs(SUBTEST_INDENT "KTAP version 1\n" SUBTEST_INDENT "# Subtest: ",
	      to);
	put_text(to, name, true);
	fprintf(to, "\n" SUBTEST_INDENT "1..%zu\n", json_array_size(checks));
	json_array_foreach(checks, i, check) {
		record_check_name(check, check_name, sizeof(check_name));
		put_line(to, SUBTEST_INDENT, i + 1, check_name,
			 record_text(check, "verdict"),
			 record_text(check, "reason"));
	}
}

void ktap_begin(FILE *to, unsigned long nr)
{
	fprintf(to, "KTAP version 1\n1..%lu\n", nr);
	fflush(to);
}

void ktap_run(FILE *to, unsigned long number, const json_t *record)
{
	const char *name = record_text(record, "name");
	const json_t *checks = record_checks(record);

	if (json_array_size(checks))
		put_checks(to, name, checks);
	put_line(to, "", number, name, record_text(record, "verdict"),
		 record_text(record, "reason"));
	fflush(to);
}
