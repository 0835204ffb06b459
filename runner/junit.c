// SPDX-License-Identifier: GPL-2.0-only
/* The elements and attributes that all readers of JUnit XML share. */
#include "runner/junit.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/path.h"
#include "runner/record.h"

/* How many testcases of each kind; the members are attributes. */
struct counts {
	unsigned int tests, failures, errors, skipped;
};

static const struct kind {
	const char *verdict;
	const char *element;	/* NULL: none, it passed */
	const char *prefix;	/* of its message */
	size_t count;		/* offset in struct counts */
} kinds[] = {
	{ "pass", NULL, "", offsetof(struct counts, tests) },
	{ "skip", "skipped", "", offsetof(struct counts, skipped) },
	{ "inconclusive", "skipped", "inconclusive: ",
	  offsetof(struct counts, skipped) },
	{ "fail", "failure", "", offsetof(struct counts, failures) },
	{ "error", "error", "", offsetof(struct counts, errors) },
};

/* Unknown verdicts are errors. */
static const struct kind *kind_of(const char *verdict)
{
	size_t i, last = sizeof(kinds) / sizeof(kinds[0]) - 1;

	for (i = 0; i < last; i++)
		if (!strcmp(kinds[i].verdict, verdict))
			break;
	return &kinds[i];
}

static void count(struct counts *c, const char *verdict)
{
	const struct kind *k = kind_of(verdict);

	c->tests++;
	if (k->element)
		++*(unsigned int *)((char *)c + k->count);
}

/*
 * @text is UTF-8 (jansson takes nothing else). XML 1.0 has no way at all to
 * write most control characters, nor U+FFFE and U+FFFF.
 */
static void put_escaped(FILE *to, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p; p++) {
		if (*p == '&')
			fputs("&amp;", to);
		else if (*p == '<')
			fputs("&lt;", to);
		else if (*p == '>')
			fputs("&gt;", to);
		else if (*p == '"')
			fputs("&quot;", to);
		else if (*p == '\t' || *p == '\n' || *p == '\r')
			fprintf(to, "&#%d;", *p);
		else if (*p < ' ')
			fputs("\xef\xbf\xbd", to);
		else if (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe) {
			fputs("\xef\xbf\xbd", to);
			p += 2;
		} else
			fputc(*p, to);
	}
}

static void put_attribute(FILE *to, const char *name, const char *value)
{
	fprintf(to, " %s=\"", name);
	put_escaped(to, value);
	fputc('"', to);
}

static void put_counts(FILE *to, const struct counts *c, double seconds)
{
	fprintf(to, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%.3f\"",
		c->tests, c->failures, c->errors, c->skipped, seconds);
}

static void put_case(FILE *to, const char *class, const char *name,
		     const char *verdict, const char *reason)
{
	const struct kind *k = kind_of(verdict);
	char message[1024];

	fputs("    <testcase", to);
	put_attribute(to, "classname", class);
	put_attribute(to, "name", name);
	if (!k->element) {
		fputs(" time=\"0\"/>\n", to);
		return;
	}
	snprintf(message, sizeof(message), "%s%s", k->prefix, reason);
	fprintf(to, " time=\"0\">\n      <%s", k->element);
	put_attribute(to, "message", message);
	if (strcmp(k->element, "skipped"))
		put_attribute(to, "type", verdict);
	fputs("/>\n    </testcase>\n", to);
}

/* Is the run's own verdict more than what its checks say? */
static bool needs_case(const json_t *record)
{
	const char *verdict = record_text(record, "verdict");
	const json_t *checks = record_checks(record), *check;
	size_t i;

	json_array_foreach(checks, i, check)
		if (!strcmp(record_text(check, "verdict"), verdict))
			return false;
	return true;
}

static void count_record(struct counts *c, const json_t *record)
{
	const json_t *checks = record_checks(record), *check;
	size_t i;

	json_array_foreach(checks, i, check)
		count(c, record_text(check, "verdict"));
	if (needs_case(record))
		count(c, record_text(record, "verdict"));
}

static double seconds_of(const json_t *record)
{
	const json_t *timing = json_object_get(
		json_object_get(record, "result"), "timing");

	return json_number_value(json_object_get(timing, "total_ms")) / 1000;
}

static void put_property(FILE *to, const char *name, const char *value)
{
	fputs("      <property", to);
	put_attribute(to, "name", name);
	put_attribute(to, "value", value);
	fputs("/>\n", to);
}

static void put_properties(FILE *to, const json_t *result)
{
	const json_t *seed = json_object_get(result, "seed");
	char text[32];

	if (!json_is_object(result))
		return;
	fputs("    <properties>\n", to);
	put_property(to, "scheduler",
		     record_text(json_object_get(result, "scheduler"), "name"));
	put_property(to, "kernel",
		     record_text(json_object_get(result, "kernel"), "release"));
	put_property(to, "accel",
		     record_text(json_object_get(result, "vm"), "accel"));
	snprintf(text, sizeof(text), "%lld",
		 (long long)json_integer_value(seed));
	put_property(to, "seed", json_is_integer(seed) ? text : "");
	fputs("    </properties>\n", to);
}

static void put_suite(FILE *to, const json_t *record)
{
	const json_t *checks = record_checks(record), *check;
	const char *name = record_text(record, "name");
	char check_name[RECORD_NAME_LEN];
	struct counts c = { 0 };
	size_t i;

	count_record(&c, record);
	fputs("  <testsuite", to);
	put_attribute(to, "name", name);
	put_counts(to, &c, seconds_of(record));
	fputs(">\n", to);
	put_properties(to, json_object_get(record, "result"));
	json_array_foreach(checks, i, check) {
		record_check_name(check, check_name, sizeof(check_name));
		put_case(to, name, check_name, record_text(check, "verdict"),
			 record_text(check, "reason"));
	}
	if (needs_case(record))
		put_case(to, name, "verdict", record_text(record, "verdict"),
			 record_text(record, "reason"));
	fputs("  </testsuite>\n", to);
}

void junit_print(FILE *to, const json_t *records)
{
	struct counts c = { 0 };
	const json_t *record;
	double seconds = 0;
	size_t i;

	json_array_foreach(records, i, record) {
		count_record(&c, record);
		seconds += seconds_of(record);
	}
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites", to);
	put_attribute(to, "name", "ktstr");
	put_counts(to, &c, seconds);
	fputs(">\n", to);
	json_array_foreach(records, i, record)
		put_suite(to, record);
	fputs("</testsuites>\n", to);
}

int junit_write(const char *path, const json_t *records)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int err = -ENOMEM;

	if (f) {
		junit_print(f, records);
		if (!fclose(f))
			err = path_write_file(path, text, len);
	}
	free(text);
	return err;
}
