// SPDX-License-Identifier: GPL-2.0-only
/* Numbers in what programs print, good and hostile. */
#include "runner/facts_exec.h"

#include "runner/look.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"

static struct exec_yield yields[3];
static json_t *exec;

static void setup(void)
{
	exec = json_pack("{s:{s:s}}", "match", "time", "Time: ([0-9.]+)");
}

static void teardown(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		exec_yield_fini(&yields[i]);
	json_decref(exec);
}

static void says(unsigned int copy, enum exec_stream stream, const char *text)
{
	yields[copy].text[stream] = strdup(text);
	yields[copy].len[stream] = strlen(text);
	yields[copy].bytes[stream] = strlen(text);
}

static void assert_json(const char *expected, const json_t *is)
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

static void assert_totals(unsigned int nr, const char *key,
			  const char *expected)
{
	json_t *totals = facts_exec_totals(exec, yields, nr, NULL);

	assert_json(expected, json_object_get(totals, key));
	json_decref(totals);
}

static const struct {
	const char *text;
	const char *json;
} stdouts[] = {
	{ "", "null" },
	{ "Time: 3\n", "null" },
	{ "{\"a\": {\"b\": [1, 2.5]}, \"c\": \"x\"}",
	  "{\"a\": {\"b\": [1, 2.5]}, \"c\": \"x\"}" },
	{ "# a comment\n{\n \"a\": 1\n}\nand more\n", "{\"a\": 1}" },
	{ "{ no JSON }\n{\"a\": 1}", "{\"a\": 1}" },
	{ " {\"a\": 1}\n", "null" },
	{ "[1]\n", "null" },
	{ "{\"a\": 1", "null" },
	/* more than anybody will look at */
	{ "{\n{\n{\n{\n{\n{\n{\n{\n{\"a\": 1}", "null" },
};

START_TEST(an_object_that_begins_a_line_is_found)
{
	says(0, EXEC_STDOUT, stdouts[_i].text);
	assert_totals(1, "json", stdouts[_i].json);
}
END_TEST

START_TEST(a_named_file_is_read_instead)
{
	json_object_set_new(exec, "json", json_string("out.json"));
	says(0, EXEC_STDOUT, "{\"a\": 1}");
	assert_totals(1, "json", "null");
	says(0, EXEC_JSON, "{\"a\": 2}");
	assert_totals(1, "json", "{\"a\": 2}");
}
END_TEST

START_TEST(copies_are_averaged_where_all_have_a_number)
{
	says(0, EXEC_STDOUT,
	     "{\"n\": 1, \"o\": {\"x\": 4}, \"a\": [1, 9], \"s\": \"t\", \"m\": 1}");
	says(1, EXEC_STDOUT,
	     "{\"n\": 2, \"o\": {\"x\": 8}, \"a\": [3], \"s\": \"t\", \"e\": 5}");
	assert_totals(2, "json",
		      "{\"n\": 1.5, \"o\": {\"x\": 6.0}, \"a\": [2.0, null],"
		      "\"s\": null, \"m\": null}");
}
END_TEST

START_TEST(a_copy_without_numbers_leaves_none)
{
	says(0, EXEC_STDOUT, "{\"n\": 1}\nTime: 1\n");
	says(1, EXEC_STDOUT, "nothing\n");
	assert_totals(2, "json", "null");
	assert_totals(2, "match", "{\"time\": null}");
	says(2, EXEC_STDOUT, "{\"n\": 1}\nTime: 1\n");
	assert_totals(3, "json", "null");
	assert_totals(3, "match", "{\"time\": null}");
}
END_TEST

START_TEST(shapes_that_differ_are_null)
{
	says(0, EXEC_STDOUT, "{\"a\": {\"b\": 1}, \"c\": [1], \"d\": 2}");
	says(1, EXEC_STDOUT, "{\"a\": 5, \"c\": {\"x\": 1}, \"d\": {}}");
	assert_totals(2, "json",
		      "{\"a\": {\"b\": null}, \"c\": [null], \"d\": null}");
}
END_TEST

static const struct {
	const char *text;
	const char *match;
} texts[] = {
	{ "Time: 0.25\n", "{\"time\": 0.25}" },
	{ "Time: 1\nTime: 2\n", "{\"time\": 2.0}" },
	{ "Time: 1\nTime: none\n", "{\"time\": 1.0}" },
	{ "the Time: 3 s", "{\"time\": 3.0}" },
	{ "Time: 1.2.3\n", "{\"time\": null}" },
	{ "Time: .\n", "{\"time\": null}" },
	{ "", "{\"time\": null}" },
};

START_TEST(the_last_line_that_matches_counts)
{
	says(0, EXEC_STDOUT, texts[_i].text);
	assert_totals(1, "match", texts[_i].match);
}
END_TEST

START_TEST(bytes_that_are_no_text_do_no_harm)
{
	static const char bytes[] = "\0\xff{\n{\"a\":\xc3}\nTime: 1\0 Time: 2\n";
	char *line = malloc(100000);

	yields[0].text[EXEC_STDOUT] = malloc(sizeof(bytes));
	memcpy(yields[0].text[EXEC_STDOUT], bytes, sizeof(bytes));
	yields[0].len[EXEC_STDOUT] = sizeof(bytes);
	yields[0].text[EXEC_STDERR] = malloc(sizeof(bytes));
	memcpy(yields[0].text[EXEC_STDERR], bytes, sizeof(bytes));
	yields[0].len[EXEC_STDERR] = sizeof(bytes);
	assert_totals(1, "json", "null");
	assert_totals(1, "match", "{\"time\": 1.0}");

	/* a line without an end is looked at as far as it is sensible */
	memset(line, 'x', 100000);
	memcpy(line + 90000, "Time: 5", 7);
	yields[1].text[EXEC_STDOUT] = line;
	yields[1].len[EXEC_STDOUT] = 100000;
	assert_totals(2, "match", "{\"time\": null}");
}
END_TEST

START_TEST(an_end_is_told_with_the_last_lines)
{
	says(0, EXEC_STDOUT, "out");
	says(0, EXEC_STDERR, "1\n2\n3\n4\n5\n\x1b[1msix\n");
	yields[0].bytes[EXEC_STDERR] = 1000000; /* not all was kept */
	yields[0].end = json_pack(
		"{s:s, s:i, s:i, s:I, s:I, s:i}", "end", "exited", "code", 3,
		"runs", 2, "begun_ns", (json_int_t)1000, "ended_ns",
		(json_int_t)5000, "json_errno", 2);
	assert_totals(1, "programs",
		      "[{\"index\": 0, \"end\": \"exited\", \"code\": 3,"
		      "\"runs\": 2, \"ran_ns\": 4000, \"stdout_bytes\": 3,"
		      "\"stderr_bytes\": 1000000, \"json_errno\": 2,"
		      "\"stderr\": [\"2\", \"3\", \"4\", \"5\", \"?[1msix\"]}]");
}
END_TEST

START_TEST(frozen_time_is_no_time_that_a_program_ran)
{
	struct frozen_log log = { 0 };
	struct frozen_view frozen = { &log, 500, 0 };
	json_t *totals;

	yields[0].end = json_pack("{s:I, s:I}", "begun_ns", (json_int_t)1000,
				  "ended_ns", (json_int_t)5000);
	ck_assert_int_eq(0, frozen_log_add(&log, 400, 600)); /* half before */
	ck_assert_int_eq(0, frozen_log_add(&log, 1500, 2500));
	totals = facts_exec_totals(exec, yields, 1, &frozen);
	ck_assert_int_eq(2900, json_integer_value(json_object_get(
		json_array_get(json_object_get(totals, "programs"), 0),
		"ran_ns")));
	json_decref(totals);
	frozen_log_fini(&log);
}
END_TEST

START_TEST(an_end_that_was_not_told_is_null)
{
	assert_totals(1, "programs",
		      "[{\"index\": 0, \"end\": null, \"code\": null,"
		      "\"runs\": null, \"ran_ns\": null, \"stdout_bytes\": 0,"
		      "\"stderr_bytes\": 0, \"stderr\": []}]");
}
END_TEST

START_TEST(what_only_stamps_tell_is_null)
{
	json_t *stats = json_pack(
		"{s:i, s:i, s:{s:i}, s:i, s:[{s:i, s:i}]}", "iterations", 4,
		"cpu_time_ns", 5, "gap_ns", "max", 0, "migrations", 0,
		"workers_detail", "gap_max_ns", 0, "cpu_time_ns", 5);

	facts_exec_narrow(stats);
	ck_assert_int_eq(4, json_integer_value(json_object_get(stats,
							       "iterations")));
	ck_assert(json_is_null(json_object_get(stats, "gap_ns")));
	ck_assert(json_is_null(json_object_get(stats, "migrations")));
	ck_assert(json_is_null(json_object_get(stats, "cpuset_violations")));
	assert_json("[{\"gap_max_ns\": null, \"migrations\": null,"
		    "\"cpu_time_ns\": 5}]",
		    json_object_get(stats, "workers_detail"));
	json_decref(stats);
}
END_TEST

/* A phase from 100 to 200. */
static const struct {
	int begun, ended;
	bool ran;
} spans[] = {
	{ 50, 0, true },   { 50, 60, false },	{ 50, 100, false },
	{ 50, 150, true }, { 150, 160, true }, { 200, 0, false },
	{ 0, 0, false },
};

START_TEST(a_program_ran_in_the_phases_that_it_overlaps)
{
	json_t *ran;

	yields[0].end = json_pack("{s:i, s:i}", "begun_ns", spans[_i].begun,
				  "ended_ns", spans[_i].ended);
	ran = facts_exec_ran(&yields[0], 100, 200);
	ck_assert(json_is_boolean(ran));
	ck_assert_int_eq(spans[_i].ran, json_is_true(ran));
	ck_assert(json_is_null(facts_exec_ran(&yields[1], 100, 200)));
	ck_assert(json_is_null(facts_exec_ran(&yields[0], 100, 0)));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("facts_exec");
	TCase *tc = tcase_create("facts_exec");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, an_object_that_begins_a_line_is_found, 0,
			    sizeof(stdouts) / sizeof(stdouts[0]));
	tcase_add_test(tc, a_named_file_is_read_instead);
	tcase_add_test(tc, copies_are_averaged_where_all_have_a_number);
	tcase_add_test(tc, a_copy_without_numbers_leaves_none);
	tcase_add_test(tc, shapes_that_differ_are_null);
	tcase_add_loop_test(tc, the_last_line_that_matches_counts, 0,
			    sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(tc, bytes_that_are_no_text_do_no_harm);
	tcase_add_test(tc, an_end_is_told_with_the_last_lines);
	tcase_add_test(tc, frozen_time_is_no_time_that_a_program_ran);
	tcase_add_test(tc, an_end_that_was_not_told_is_null);
	tcase_add_test(tc, what_only_stamps_tell_is_null);
	tcase_add_loop_test(tc, a_program_ran_in_the_phases_that_it_overlaps,
			    0, sizeof(spans) / sizeof(spans[0]));
	suite_add_tcase(s, tc);
	return test_run(s);
}
