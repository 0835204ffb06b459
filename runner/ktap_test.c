// SPDX-License-Identifier: GPL-2.0-only
#include "runner/ktap.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "runner/record.h"

static json_t *json_of(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_DECODE_ANY, &error);

	ck_assert_msg(json, "%s", error.text);
	return json;
}

/* What ktap_run() prints for a result, which it takes; free() it. */
static char *printed(json_t *result)
{
	json_t *record = record_new("web", 0, 1, result, NULL, NULL);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ktap_run(f, 3, record);
	fclose(f);
	json_decref(record);
	json_decref(result);
	return text;
}

static const struct {
	const char *verdict, *reason, *line;
} lines[] = {
	{ "pass", "", "ok 3 web\n" },
	{ "pass", "slow", "# web: slow\nok 3 web\n" },
	{ "skip", "no KVM", "ok 3 web # SKIP no KVM\n" },
	{ "inconclusive", "too few", "ok 3 web # SKIP inconclusive: too few\n" },
	{ "fail", "a is 3", "not ok 3 web # fail: a is 3\n" },
	/* what a scheduler says can't look like a directive or another line */
	{ "fail", "SKIP\nok 4 x", "not ok 3 web # fail: SKIP ok 4 x\n" },
	{ "error", "VM died", "not ok 3 web # ERROR VM died\n" },
	{ "new-word", "?", "not ok 3 web # ERROR ?\n" },
};

START_TEST(a_verdict_is_a_result_and_a_directive)
{
	char *text = printed(json_pack("{s:s,s:s,s:[]}", "verdict",
				       lines[_i].verdict, "reason",
				       lines[_i].reason, "checks"));

	ck_assert_str_eq(lines[_i].line, text);
	free(text);
}
END_TEST

START_TEST(checks_are_subtests_with_a_plan)
{
	char *text = printed(json_of(
		"{\"verdict\": \"fail\", \"reason\": \"w.gap.max: 3 s\", \"checks\": ["
		"{\"metric\": \"w.gap.max\", \"phase\": \"p\", \"op\": \"max\", \"verdict\": \"fail\", \"reason\": \"3 s\"},"
		"{\"metric\": \"map.bss#12.x\", \"phase\": null, \"op\": \"min\", \"verdict\": \"pass\", \"reason\": \"\"},"
		"{\"metric\": \"run\", \"phase\": null, \"op\": null, \"verdict\": \"inconclusive\", \"reason\": \"why\"}]}"));

	ck_assert_str_eq("  KTAP version 1\n"
			 "  # Subtest: web\n"
			 "  1..3\n"
			 "  not ok 1 w.gap.max max in p # fail: 3 s\n"
			 /* '#' would begin a directive */
			 "  ok 2 map.bss_12.x min\n"
			 "  ok 3 run # SKIP inconclusive: why\n"
			 "not ok 3 web # fail: w.gap.max: 3 s\n", text);
	free(text);
}
END_TEST

START_TEST(the_version_and_the_plan_come_first)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ktap_begin(f, 12);
	fclose(f);
	ck_assert_str_eq("KTAP version 1\n1..12\n", text);
	free(text);
}
END_TEST

START_TEST(a_run_without_a_result_is_told_too)
{
	json_t *record = record_new("web", 1, 2, NULL, "error", "no room");
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ktap_run(f, 2, record);
	fclose(f);
	ck_assert_str_eq("not ok 2 web boot 2 # ERROR no room\n", text);
	free(text);
	json_decref(record);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ktap");
	TCase *tc = tcase_create("ktap");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, a_verdict_is_a_result_and_a_directive, 0,
			    sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tc, checks_are_subtests_with_a_plan);
	tcase_add_test(tc, the_version_and_the_plan_come_first);
	tcase_add_test(tc, a_run_without_a_result_is_told_too);
	suite_add_tcase(s, tc);
	return test_run(s);
}
