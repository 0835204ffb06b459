// SPDX-License-Identifier: GPL-2.0-only
#include "lib/json_line.h"

#include <check.h>
#include <jansson.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"

/* What a parser makes of it; ends the test where it is no JSON. */
static json_t *parsed(const struct json_line *l)
{
	json_error_t err;
	json_t *v;

	ck_assert(!l->failed);
	v = json_loadb(l->text, l->len, JSON_DECODE_ANY |
		       JSON_REJECT_DUPLICATES, &err);
	ck_assert_msg(v, "%s: %.*s", err.text, (int)l->len, l->text);
	return v;
}

static void assert_text(const char *want, const struct json_line *l)
{
	ck_assert_uint_eq(strlen(want), l->len);
	ck_assert_int_eq(0, memcmp(want, l->text, l->len));
}

START_TEST(commas_are_between_elements_only)
{
	struct json_line l = { 0 };
	int round;

	for (round = 0; round < 2; round++) {
		json_line_reset(&l);
		json_line_open(&l, '{');
		json_line_key(&l, "a");
		json_line_open(&l, '[');
		json_line_uint(&l, 1);
		json_line_null(&l);
		json_line_bool(&l, false);
		json_line_open(&l, '{');
		json_line_close(&l, '}');
		json_line_int(&l, -7);
		json_line_close(&l, ']');
		json_line_key(&l, "b");
		json_line_text(&l, NULL);
		json_line_key(&l, "c:{");
		json_line_text(&l, "x:");
		json_line_key(&l, "d");
		json_line_open(&l, '[');
		json_line_close(&l, ']');
		json_line_close(&l, '}');
		assert_text("{\"a\":[1,null,false,{},-7],\"b\":null,"
			    "\"c:{\":\"x:\",\"d\":[]}", &l);
		json_decref(parsed(&l));
	}
	json_line_fini(&l);
}
END_TEST

START_TEST(any_ascii_is_a_string)
{
	struct json_line l = { 0 };
	char text[128];
	json_t *v;
	int c;

	for (c = 1; c < 128; c++)
		text[c - 1] = c;
	text[127] = '\0';
	json_line_open(&l, '{');
	json_line_key(&l, text);
	json_line_text(&l, text);
	json_line_close(&l, '}');
	v = parsed(&l);
	ck_assert_str_eq(text, json_string_value(json_object_get(v, text)));
	json_decref(v);
	json_line_fini(&l);
}
END_TEST

/* Text is looked at several bytes at a time: it is to be seen anywhere. */
START_TEST(one_that_is_escaped_is_seen_at_each_place)
{
	static const char odd[] = { '"', '\\', 0x01, 0x1f };
	static const char even[] = { ' ', '!', '[', 0x7f };
	struct json_line l = { 0 };
	char text[32], want[40];
	unsigned int len, at, i;

	for (i = 0; i < sizeof(odd); i++)
		for (len = 1; len < 20; len++)
			for (at = 0; at < len; at++) {
				json_t *v;

				memset(text, even[i], len);
				text[len] = '\0';
				text[at] = odd[i];
				json_line_reset(&l);
				json_line_text(&l, text);
				v = parsed(&l);
				ck_assert_str_eq(text, json_string_value(v));
				json_decref(v);
			}
	/* and nothing else is, beside them */
	json_line_reset(&l);
	json_line_text(&l, " !#$[]^_~\x7f\x80\xff !#[]");
	snprintf(want, sizeof(want), "\"%s\"", " !#$[]^_~\x7f\x80\xff !#[]");
	assert_text(want, &l);
	json_line_fini(&l);
}
END_TEST

static const double numbers[] = {
	0, -0.0, 1, -1, 9, 10, 99, 100, 123456789, 9007199254740993.0, 1e15,
	-9e18, 9223372036854775807.0, 9223372036854775808.0,
	18446744073709549568.0, 18446744073709551616.0, -1.8446744073709552e19,
	1e300, -1e300, 0.1, -2.5, 1e-9, 1.0000000000000002, DBL_MIN, DBL_MAX,
};

START_TEST(a_number_is_read_back_as_it_was)
{
	struct json_line l = { 0 };
	json_t *v;

	json_line_number(&l, numbers[_i]);
	v = parsed(&l);
	if (json_is_integer(v) && numbers[_i] >= 9223372036854775808.0)
		ck_abort_msg("an integer that a parser has no room for");
	ck_assert_double_eq(numbers[_i], json_number_value(v));
	json_decref(v);
	json_line_fini(&l);
}
END_TEST

/* Written in one go, or as its two parts: nobody can tell. */
START_TEST(a_member_is_its_key_and_its_number)
{
	static const char *const names[] = { "", "a", "abcdefgh", "a\"b",
					     "abcdefghijk[12].lmnop", "\t" };
	struct json_line got = { 0 }, want = { 0 };
	size_t i;

	json_line_open(&got, '{');
	json_line_open(&want, '{');
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_line_member(&got, names[i], numbers[_i]);
		json_line_key(&want, names[i]);
		json_line_number(&want, numbers[_i]);
	}
	json_line_close(&got, '}');
	json_line_close(&want, '}');
	ck_assert_uint_eq(want.len, got.len);
	ck_assert_int_eq(0, memcmp(want.text, got.text, got.len));
	json_decref(parsed(&got));
	json_line_fini(&got);
	json_line_fini(&want);
}
END_TEST

START_TEST(integers_of_each_length_are_right)
{
	struct json_line l = { 0 };
	uint64_t power, v;
	char want[32];
	int i;

	for (power = 1; power <= UINT64_MAX / 10; power *= 10)
		for (i = -2; i <= 12; i++) {
			v = power + i;
			json_line_reset(&l);
			json_line_uint(&l, v);
			snprintf(want, sizeof(want), "%" PRIu64, v);
			assert_text(want, &l);
		}
	json_line_fini(&l);
}
END_TEST

START_TEST(integers_have_all_their_digits)
{
	struct json_line l = { 0 };

	json_line_open(&l, '[');
	json_line_uint(&l, 0);
	json_line_uint(&l, UINT64_MAX);
	json_line_int(&l, INT64_MIN);
	json_line_int(&l, INT64_MAX);
	json_line_number(&l, NAN);
	json_line_number(&l, -INFINITY);
	json_line_close(&l, ']');
	assert_text("[0,18446744073709551615,-9223372036854775808,"
		    "9223372036854775807,null,null]", &l);
	json_line_fini(&l);
}
END_TEST

START_TEST(a_line_of_any_length_has_room)
{
	struct json_line l = { 0 };
	json_t *v;
	int i;

	json_line_open(&l, '[');
	for (i = 0; i < 20000; i++)
		json_line_int(&l, i * 3);
	json_line_close(&l, ']');
	v = parsed(&l);
	ck_assert_uint_eq(20000, json_array_size(v));
	for (i = 0; i < 20000; i++)
		ck_assert_int_eq(i * 3,
				 json_integer_value(json_array_get(v, i)));
	json_decref(v);
	json_line_fini(&l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json_line");
	TCase *t = tcase_create("json_line");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, commas_are_between_elements_only);
	tcase_add_test(t, any_ascii_is_a_string);
	tcase_add_test(t, one_that_is_escaped_is_seen_at_each_place);
	tcase_add_test(t, integers_of_each_length_are_right);
	tcase_add_loop_test(t, a_number_is_read_back_as_it_was, 0,
			    sizeof(numbers) / sizeof(numbers[0]));
	tcase_add_loop_test(t, a_member_is_its_key_and_its_number, 0,
			    sizeof(numbers) / sizeof(numbers[0]));
	tcase_add_test(t, integers_have_all_their_digits);
	tcase_add_test(t, a_line_of_any_length_has_room);
	suite_add_tcase(s, t);
	return test_run(s);
}
