// SPDX-License-Identifier: GPL-2.0-only
#include "runner/report.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "runner/units.h"

#define CONSOLE_LINES 15
#define BLAME_COLUMNS 96
#define COLUMNS 5

/* One line of the table. */
struct row {
	char cell[COLUMNS][96];
	const char *reason;
};

static const char *text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static void show_number(double value, const char *unit, char *buf)
{
	if (!strcmp(unit, "ns"))
		unit_format_short(UNIT_TIME, value, buf);
	else if (!strcmp(unit, "bps"))
		unit_format_short(UNIT_BPS, value, buf);
	else if (!strcmp(unit, "per_s") || !strcmp(unit, "iops"))
		unit_format_short(UNIT_PER_S, value, buf);
	else if (!strcmp(unit, "ratio"))
		snprintf(buf, UNIT_TEXT_LEN, "%.4g", value);
	else
		snprintf(buf, UNIT_TEXT_LEN, "%.10g", value);
}

static void show(const json_t *value, const char *unit, char *buf, size_t len)
{
	char number[UNIT_TEXT_LEN], second[UNIT_TEXT_LEN];

	if (json_is_array(value) && json_array_size(value) == 2) {
		show_number(json_number_value(json_array_get(value, 0)), unit,
			    number);
		show_number(json_number_value(json_array_get(value, 1)), unit,
			    second);
		snprintf(buf, len, "%s..%s", number, second);
	} else if (json_is_number(value)) {
		show_number(json_number_value(value), unit, number);
		snprintf(buf, len, "%s", number);
	} else {
		snprintf(buf, len, "%s",
			 json_is_string(value) ? json_string_value(value) :
						 "-");
	}
}

/* A ratio to the control: both numbers, and what they come to. */
static void show_ratio(struct row *r, const json_t *check, bool is_min)
{
	char test[80], control[80], ratio[80], limit[80];

	show(json_object_get(check, "value"), text(check, "unit"), test,
	     sizeof(test));
	show(json_object_get(check, "value_control"), text(check, "unit"),
	     control, sizeof(control));
	show(json_object_get(check, "ratio"), "ratio", ratio, sizeof(ratio));
	show(json_object_get(check, "limit"), "ratio", limit, sizeof(limit));
	snprintf(r->cell[2], sizeof(r->cell[2]), "%s %s x control",
		 is_min ? ">=" : "<=", limit);
	snprintf(r->cell[3], sizeof(r->cell[3]), "%.20s (%.30s : %.30s)", ratio,
		 test, control);
}

static void row_fill(struct row *r, const json_t *check)
{
	static const struct {
		const char *op, *sign;
	} signs[] = { { "min", ">= " }, { "max", "<= " }, { "equals", "= " } };
	char limit[80];
	const char *sign = "";
	size_t i;

	for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (!strcmp(signs[i].op, text(check, "op")))
			sign = signs[i].sign;
	show(json_object_get(check, "limit"), text(check, "unit"), limit,
	     sizeof(limit));
	snprintf(r->cell[0], sizeof(r->cell[0]), "%s", text(check, "metric"));
	snprintf(r->cell[1], sizeof(r->cell[1]), "%s", text(check, "phase"));
	snprintf(r->cell[2], sizeof(r->cell[2]), "%s%s", sign, limit);
	show(json_object_get(check, "value"), text(check, "unit"), r->cell[3],
	     sizeof(r->cell[3]));
	if (strstr(text(check, "op"), "_to_control"))
		show_ratio(r, check, !strncmp(text(check, "op"), "min", 3));
	snprintf(r->cell[4], sizeof(r->cell[4]), "%s", text(check, "verdict"));
	r->reason = text(check, "reason");
}

/* Worth a line of its own, also where only the gist is wanted? */
static bool is_listed(const json_t *check, enum report_detail detail)
{
	return detail == REPORT_ALL || !json_object_get(check, "automatic") ||
	       strcmp(text(check, "verdict"), "pass") || *text(check, "reason");
}

static void print_row(FILE *to, const struct row *r,
		      const size_t width[COLUMNS])
{
	int i;

	fputs("  ", to);
	for (i = 0; i < COLUMNS - 1; i++)
		fprintf(to, "%-*s  ", (int)width[i], r->cell[i]);
	fprintf(to, "%s\n", r->cell[i]);
	if (*r->reason)
		fprintf(to, "      %s\n", r->reason);
}

static void widen(size_t width[COLUMNS], const struct row *r)
{
	int i;

	for (i = 0; i < COLUMNS; i++)
		if (strlen(r->cell[i]) > width[i])
			width[i] = strlen(r->cell[i]);
}

static void print_checks(FILE *to, const json_t *checks,
			 enum report_detail detail)
{
	struct row row, head = {
		{ "check", "phase", "wanted", "got", "verdict" }, ""
	};
	size_t width[COLUMNS] = { 0 };
	unsigned int unlisted = 0;
	const json_t *check;
	size_t i;

	widen(width, &head);
	json_array_foreach(checks, i, check) {
		if (!is_listed(check, detail)) {
			unlisted++;
			continue;
		}
		row_fill(&row, check);
		widen(width, &row);
	}
	if (i > unlisted) {
		fputc('\n', to);
		print_row(to, &head, width);
	}
	json_array_foreach(checks, i, check) {
		if (!is_listed(check, detail))
			continue;
		row_fill(&row, check);
		print_row(to, &row, width);
	}
	if (unlisted)
		fprintf(to, "  and %u automatic checks held\n", unlisted);
}

static void print_about(FILE *to, const json_t *result)
{
	const json_t *vm = json_object_get(result, "vm");
	const char *release = text(json_object_get(result, "kernel"),
				   "release");
	const char *accel = text(vm, "accel");
	char memory[UNIT_TEXT_LEN];

	fprintf(to, "  scheduler %s, kernel %s, %s, %s, %s, seed %lld\n",
		text(json_object_get(result, "scheduler"), "name"),
		*release ? release : "unknown", text(vm, "topology"),
		unit_format(UNIT_SIZE,
			    json_integer_value(json_object_get(
				    vm, "memory_bytes")), memory),
		*accel ? accel : "not started",
		(long long)json_integer_value(json_object_get(result, "seed")));
}

static void print_console(FILE *to, const json_t *facts)
{
	const json_t *tail = json_object_get(json_object_get(facts, "end"),
					     "console_tail");
	size_t nr = json_array_size(tail), i;

	if (!nr)
		return;
	fputs("\n  the console's last lines:\n", to);
	for (i = nr > CONSOLE_LINES ? nr - CONSOLE_LINES : 0; i < nr; i++)
		fprintf(to, "    | %s\n",
			json_string_value(json_array_get(tail, i)));
}

/* What it cost to look, and who could not. */
static void print_observers(FILE *to, const json_t *result)
{
	json_t *all = json_object_get(result, "observers"), *one, *ratio;
	const char *name;

	json_object_foreach(all, name, one) {
		ratio = json_object_get(one, "cpu_ratio");
		if (json_is_number(ratio))
			fprintf(to, "  observers: %s took %.2g %% of the CPUs' time\n",
				name, 100 * json_number_value(ratio));
		else if (*text(one, "why"))
			fprintf(to, "  observers: %s is not available: %s\n",
				name, text(one, "why"));
		else
			fprintf(to, "  observers: what %s took is not known\n",
				name);
	}
}

/* Words of a paragraph, filled to lines. */
static void print_filled(FILE *to, const char *text)
{
	size_t column = 0, len;

	for (; *text; text += len + strspn(text + len, " ")) {
		len = strcspn(text, " ");
		if (column && column + 1 + len > BLAME_COLUMNS) {
			fputs("\n   ", to);
			column = 0;
		}
		column += 1 + len;
		fprintf(to, " %.*s", (int)len, text);
	}
	fputc('\n', to);
}

static void print_blame(FILE *to, const json_t *result)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(result, "blame"), i, one) {
		fprintf(to, "\n  why %s, cause: %s\n   ", text(one, "metric"),
			text(one, "cause"));
		print_filled(to, text(one, "text"));
	}
}

void report_print(FILE *to, const json_t *result, const json_t *facts,
		  const char *dir, enum report_detail detail)
{
	const char *verdict = text(result, "verdict");
	const char *p;

	for (p = verdict; *p; p++)
		fputc(toupper((unsigned char)*p), to);
	fprintf(to, " %s: %s\n",
		text(json_object_get(result, "scenario"), "name"),
		text(result, "reason"));
	if (detail == REPORT_LINE)
		return;
	print_about(to, result);
	print_observers(to, result);
	print_checks(to, json_object_get(result, "checks"), detail);
	print_blame(to, result);
	if (strcmp(verdict, "pass") && strcmp(verdict, "skip"))
		print_console(to, facts);
	if (dir)
		fprintf(to, "\n  run directory: %s\n", dir);
}
