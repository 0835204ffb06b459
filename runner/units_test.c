// SPDX-License-Identifier: GPL-2.0-only
#include "runner/units.h"

#include <check.h>
#include <stdlib.h>

#include "lib/test_run.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	enum unit_kind kind;
	const char *text;
	uint64_t value;
} good[] = {
	{ UNIT_SIZE, "4096B", 4096 },
	{ UNIT_SIZE, "64K", 65536 },
	{ UNIT_SIZE, "64KiB", 65536 },
	{ UNIT_SIZE, "256M", 268435456 },
	{ UNIT_SIZE, "1G", 1073741824 },
	{ UNIT_SIZE, "1.5G", 1610612736 },
	{ UNIT_SIZE, "0M", 0 },
	{ UNIT_TIME, "1ns", 1 },
	{ UNIT_TIME, "500us", 500000 },
	{ UNIT_TIME, "500\302\265s", 500000 },
	{ UNIT_TIME, "250ms", 250000000 },
	{ UNIT_TIME, "250 ms", 250000000 },
	{ UNIT_TIME, "0.000001ms", 1 },
	{ UNIT_TIME, "2min", 120000000000 },
	{ UNIT_TIME, "1h", 3600000000000 },
	{ UNIT_TIME, "9223372036854775807ns", INT64_MAX },
	{ UNIT_BPS, "8MB/s", 8000000 },
	{ UNIT_BPS, "8MiB/s", 8388608 },
	{ UNIT_BPS, "500KB/s", 500000 },
	{ UNIT_BPS, "2.5GB/s", 2500000000 },
	{ UNIT_PER_S, "500/s", 500 },
};

START_TEST(each_kind_has_its_units)
{
	uint64_t value = 1;

	ck_assert_int_eq(UNIT_OK, unit_parse(good[_i].kind, good[_i].text,
					     &value));
	ck_assert_uint_eq(good[_i].value, value);
}
END_TEST

static const struct {
	enum unit_kind kind;
	const char *text;
	enum unit_status status;
} bad[] = {
	{ UNIT_SIZE, "", UNIT_NO_NUMBER },
	{ UNIT_SIZE, "M", UNIT_NO_NUMBER },
	{ UNIT_SIZE, "-1M", UNIT_NO_NUMBER },
	{ UNIT_SIZE, " 1M", UNIT_NO_NUMBER },
	{ UNIT_SIZE, "0x10M", UNIT_UNKNOWN },
	{ UNIT_SIZE, "1e3M", UNIT_UNKNOWN },
	{ UNIT_SIZE, "1.M", UNIT_UNKNOWN },
	{ UNIT_SIZE, "1..5M", UNIT_UNKNOWN },
	{ UNIT_SIZE, "256", UNIT_MISSING },
	{ UNIT_SIZE, "256 ", UNIT_MISSING },
	{ UNIT_SIZE, "256MB", UNIT_UNKNOWN },
	{ UNIT_SIZE, "256MB/s", UNIT_UNKNOWN },
	{ UNIT_SIZE, "256M ", UNIT_UNKNOWN },
	{ UNIT_SIZE, "256  M", UNIT_UNKNOWN },
	{ UNIT_SIZE, "1ms", UNIT_UNKNOWN },
	{ UNIT_TIME, "1sec", UNIT_UNKNOWN },
	{ UNIT_TIME, "1M", UNIT_UNKNOWN },
	{ UNIT_TIME, "0.5ns", UNIT_FRACTION },
	{ UNIT_TIME, "1.0000001ms", UNIT_FRACTION },
	{ UNIT_TIME, "9223372036854775808ns", UNIT_RANGE },
	{ UNIT_TIME, "99999999999h", UNIT_RANGE },
	{ UNIT_SIZE, "99999999999999999999999999999999999G", UNIT_RANGE },
	/* 20 digits and 12 decimals: dropping the last would shift it */
	{ UNIT_TIME, "50000000000000000000.000000000000ns", UNIT_RANGE },
	{ UNIT_TIME, "0.0000000000001s", UNIT_NO_NUMBER },
	{ UNIT_BPS, "8MB", UNIT_UNKNOWN },
	{ UNIT_BPS, "8Mbit/s", UNIT_UNKNOWN },
	{ UNIT_PER_S, "500iops", UNIT_UNKNOWN },
};

START_TEST(a_wrong_unit_is_refused_and_nothing_written)
{
	uint64_t value = 77;

	ck_assert_int_eq(bad[_i].status,
			 unit_parse(bad[_i].kind, bad[_i].text, &value));
	ck_assert_uint_eq(77, value);
}
END_TEST

START_TEST(what_is_written_reads_back_the_same)
{
	static const uint64_t values[] = {
		0, 1, 999, 1000, 1001, 1023, 1024, 1536, 4096, 1000000,
		1048576, 2000000000, 60000000000, 1ULL << 40, INT64_MAX,
	};
	static const enum unit_kind kinds[] = { UNIT_SIZE, UNIT_TIME, UNIT_BPS,
						UNIT_PER_S };
	char text[UNIT_TEXT_LEN];
	uint64_t back;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (j = 0; j < ARRAY_SIZE(values); j++) {
			unit_format(kinds[i], values[j], text);
			back = ~values[j];
			ck_assert_msg(unit_parse(kinds[i], text, &back) ==
				      UNIT_OK, "%s", text);
			ck_assert_uint_eq(values[j], back);
		}
	}
}
END_TEST

START_TEST(the_shortest_unit_is_chosen)
{
	char text[UNIT_TEXT_LEN];

	ck_assert_str_eq("256M", unit_format(UNIT_SIZE, 268435456, text));
	ck_assert_str_eq("250ms", unit_format(UNIT_TIME, 250000000, text));
	ck_assert_str_eq("1500us", unit_format(UNIT_TIME, 1500000, text));
	ck_assert_str_eq("8MB/s", unit_format(UNIT_BPS, 8000000, text));
	ck_assert_str_eq("8388608B/s", unit_format(UNIT_BPS, 8388608, text));
}
END_TEST

START_TEST(people_get_three_digits)
{
	char text[UNIT_TEXT_LEN];

	ck_assert_str_eq("1.83ms",
			 unit_format_short(UNIT_TIME, 1834000, text));
	ck_assert_str_eq("2.00s",
			 unit_format_short(UNIT_TIME, 2000000000, text));
	ck_assert_str_eq("20.0ms",
			 unit_format_short(UNIT_TIME, 20000000, text));
	ck_assert_str_eq("123us", unit_format_short(UNIT_TIME, 123400, text));
	ck_assert_str_eq("7ns", unit_format_short(UNIT_TIME, 7, text));
	ck_assert_str_eq("500/s", unit_format_short(UNIT_PER_S, 499.8, text));
	ck_assert_str_eq("-1.50ms",
			 unit_format_short(UNIT_TIME, -1500000, text));
}
END_TEST

START_TEST(a_usual_mistake_gets_its_unit)
{
	ck_assert_str_eq("M or MiB", unit_suggest(UNIT_SIZE, "256MB"));
	ck_assert_str_eq("MB/s", unit_suggest(UNIT_BPS, "8 MB"));
	ck_assert_str_eq("s", unit_suggest(UNIT_TIME, "5sec"));
	ck_assert_ptr_null(unit_suggest(UNIT_TIME, "5 parsec"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("units");
	TCase *tc = tcase_create("units");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, each_kind_has_its_units, 0, ARRAY_SIZE(good));
	tcase_add_loop_test(tc, a_wrong_unit_is_refused_and_nothing_written, 0,
			    ARRAY_SIZE(bad));
	tcase_add_test(tc, what_is_written_reads_back_the_same);
	tcase_add_test(tc, the_shortest_unit_is_chosen);
	tcase_add_test(tc, people_get_three_digits);
	tcase_add_test(tc, a_usual_mistake_gets_its_unit);
	suite_add_tcase(s, tc);
	return test_run(s);
}
