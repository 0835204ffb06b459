// SPDX-License-Identifier: GPL-2.0-only
#include "runner/junit.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "runner/record.h"

#define CHECK(metric, verdict, reason) \
	"{\"metric\": \"" metric "\", \"phase\": null, \"op\": \"max\", \"verdict\": \"" verdict "\", \"reason\": \"" reason "\"}"

static json_t *records_of(const char *result_text)
{
	json_error_t error;
	json_t *result = json_loads(result_text, 0, &error);
	json_t *records = json_array();

	ck_assert_msg(result, "%s", error.text);
	json_array_append_new(records,
			      record_new("web", 0, 1, result, NULL, NULL));
	json_decref(result);
	return records;
}

/* What is printed of these records, which it takes; free() it. */
static char *printed(json_t *records)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	junit_print(f, records);
	fclose(f);
	json_decref(records);
	return text;
}

START_TEST(each_verdict_has_its_element_and_is_counted)
{
	char *text = printed(records_of(
		"{\"verdict\": \"fail\", \"reason\": \"b: 3 s\", \"seed\": 7,"
		" \"timing\": {\"total_ms\": 1500}, \"scheduler\": {\"name\": \"simple\"},"
		" \"kernel\": {\"release\": \"7.3\"}, \"vm\": {\"accel\": \"kvm\"}, \"checks\": ["
		CHECK("a", "pass", "") "," CHECK("b", "fail", "3 s") ","
		CHECK("c", "skip", "none") "," CHECK("d", "inconclusive", "few") ","
		CHECK("e", "error", "died") "]}"));

	ck_assert_str_eq(
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"ktstr\" tests=\"5\" failures=\"1\" errors=\"1\" skipped=\"2\" time=\"1.500\">\n"
		"  <testsuite name=\"web\" tests=\"5\" failures=\"1\" errors=\"1\" skipped=\"2\" time=\"1.500\">\n"
		"    <properties>\n"
		"      <property name=\"scheduler\" value=\"simple\"/>\n"
		"      <property name=\"kernel\" value=\"7.3\"/>\n"
		"      <property name=\"accel\" value=\"kvm\"/>\n"
		"      <property name=\"seed\" value=\"7\"/>\n"
		"    </properties>\n"
		"    <testcase classname=\"web\" name=\"a max\" time=\"0\"/>\n"
		"    <testcase classname=\"web\" name=\"b max\" time=\"0\">\n"
		"      <failure message=\"3 s\" type=\"fail\"/>\n"
		"    </testcase>\n"
		"    <testcase classname=\"web\" name=\"c max\" time=\"0\">\n"
		"      <skipped message=\"none\"/>\n"
		"    </testcase>\n"
		"    <testcase classname=\"web\" name=\"d max\" time=\"0\">\n"
		"      <skipped message=\"inconclusive: few\"/>\n"
		"    </testcase>\n"
		"    <testcase classname=\"web\" name=\"e max\" time=\"0\">\n"
		"      <error message=\"died\" type=\"error\"/>\n"
		"    </testcase>\n"
		"  </testsuite>\n"
		"</testsuites>\n", text);
	free(text);
}
END_TEST

START_TEST(a_verdict_that_no_check_gave_is_a_case_of_its_own)
{
	char *text = printed(records_of(
		"{\"verdict\": \"error\", \"reason\": \"VM died\", \"checks\": ["
		CHECK("a", "pass", "") "]}"));

	ck_assert_ptr_nonnull(strstr(text, " tests=\"2\" failures=\"0\" errors=\"1\""));
	ck_assert_ptr_nonnull(strstr(text, "name=\"verdict\" time=\"0\">\n      <error message=\"VM died\""));
	free(text);
}
END_TEST

START_TEST(a_run_without_a_result_is_told_too)
{
	json_t *records = json_array();
	char *text;

	json_array_append_new(records,
			      record_new("w", 0, 2, NULL, "skip", "not run"));
	text = printed(records);
	ck_assert_ptr_nonnull(strstr(text, "<testsuite name=\"w boot 1\" tests=\"1\""));
	ck_assert_ptr_nonnull(strstr(text, "<skipped message=\"not run\"/>"));
	free(text);
}
END_TEST

static const struct {
	const char *reason, *xml;	/* of JSON, of XML */
} escapes[] = {
	{ "<a & 'b'>", "&lt;a &amp; 'b'&gt;" },
	{ "say \\\"x\\\"", "say &quot;x&quot;" },
	{ "one\\ntwo\\tthree\\r", "one&#10;two&#9;three&#13;" },
	/* what XML can't hold at all */
	{ "a\\u0001\\u001bb", "a\xef\xbf\xbd\xef\xbf\xbd" "b" },
	{ "a\\uffffb\\ufffec", "a\xef\xbf\xbd" "b\xef\xbf\xbd" "c" },
	{ "\\u00e9\\ud83d\\ude00\\uffee", "\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xae" },
	{ "]]>", "]]&gt;" },
};

START_TEST(text_is_escaped)
{
	char json[512], want[512], *text;

	snprintf(json, sizeof(json),
		 "{\"verdict\": \"fail\", \"reason\": \"%s\", \"checks\": []}",
		 escapes[_i].reason);
	snprintf(want, sizeof(want), "<failure message=\"%s\" type",
		 escapes[_i].xml);
	text = printed(records_of(json));
	ck_assert_msg(strstr(text, want), "%s", text);
	free(text);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_an_error)
{
	json_t *records = json_array();

	ck_assert_int_eq(-ENOENT, junit_write("/no/such/dir/j.xml", records));
	json_decref(records);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("junit");
	TCase *tc = tcase_create("junit");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, each_verdict_has_its_element_and_is_counted);
	tcase_add_test(tc,
		       a_verdict_that_no_check_gave_is_a_case_of_its_own);
	tcase_add_test(tc, a_run_without_a_result_is_told_too);
	tcase_add_loop_test(tc, text_is_escaped, 0,
			    sizeof(escapes) / sizeof(escapes[0]));
	tcase_add_test(tc, a_file_that_cannot_be_written_is_an_error);
	suite_add_tcase(s, tc);
	return test_run(s);
}
