// SPDX-License-Identifier: GPL-2.0-only
#include "agent/kmsg.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sched_exit.h"
#include "lib/test_run.h"

static struct kmsg_line line_of(const char *record)
{
	struct kmsg_line line;

	ck_assert(kmsg_parse(record, strlen(record), &line));
	return line;
}

START_TEST(a_record_is_taken_apart)
{
	struct kmsg_line l = line_of("14,385,4318276,-;a;b\n SUBSYSTEM=x\n");

	ck_assert_uint_eq(6, l.level);
	ck_assert_uint_eq(1, l.facility);
	ck_assert_uint_eq(385, l.seq);
	ck_assert_uint_eq(4318276, l.usec);
	ck_assert_uint_eq(3, l.len);
	ck_assert_mem_eq("a;b", l.text, l.len);
}
END_TEST

static const char *const broken[] = {
	"", "x", "6", "6,", "6,1", "6,1,", "6,1,2", "6,1,2,-", ",1,2,-;x",
	"6;x", "-1,2,3,-;x",
};

START_TEST(what_is_no_record_is_left_out)
{
	struct kmsg_line l;

	ck_assert(!kmsg_parse(broken[_i], strlen(broken[_i]), &l));
}
END_TEST

static const struct {
	const char *record;
	bool wanted;
} lines[] = {
	{ "4,1,1,-;something odd", true },
	{ "3,1,1,-;something bad", true },
	{ "5,1,1,-;something normal", false },
	{ "6,1,1,-;Command line: panic=-1", false },
	{ "6,1,1,-;sched_ext: BPF scheduler \"simple\" enabled", true },
	{ "6,1,1,-;task hung", true },
	{ "6,1,1,-;watchdog: BUG: soft lockup - CPU#0 stuck", true },
	{ "6,1,1,-;INFO: task x blocked for more than 120 seconds", true },
	/* the facility is no part of the severity */
	{ "30,1,1,-;daemon says hello", false },
	{ "28,1,1,-;daemon warns", true },
};

START_TEST(warnings_and_schedulers_are_wanted)
{
	struct kmsg_line l = line_of(lines[_i].record);

	ck_assert_int_eq(lines[_i].wanted, kmsg_wanted(&l));
}
END_TEST

static void note(struct kmsg_exit *exit, const char *record)
{
	struct kmsg_line l = line_of(record);

	kmsg_note_exit(exit, &l);
}

START_TEST(the_end_of_a_scheduler_is_understood)
{
	struct kmsg_exit exit = { 0 };

	note(&exit, "3,1,1,-;sched_ext: other: no scheduler was disabled yet");
	ck_assert(!exit.seen);
	note(&exit, "3,2,1,-;sched_ext: BPF scheduler \"stall\" disabled (runnable task stall)");
	note(&exit, "4,3,1,-;sched_ext: other: not about this one");
	note(&exit, "3,4,1,-;sched_ext: stall: web/1[102] failed to run for 2.056s");
	note(&exit, "3,5,1,-;sched_ext: stall: a later line");
	ck_assert(exit.seen);
	ck_assert_str_eq("stall", exit.scheduler);
	ck_assert_str_eq("runnable task stall", exit.reason);
	ck_assert_str_eq("web/1[102] failed to run for 2.056s", exit.message);
}
END_TEST

START_TEST(the_next_end_replaces_the_last)
{
	struct kmsg_exit exit = { 0 };

	note(&exit, "3,2,1,-;sched_ext: BPF scheduler \"a\" disabled (runtime error)");
	note(&exit, "3,3,1,-;sched_ext: a: why");
	note(&exit, "6,4,1,-;sched_ext: BPF scheduler \"b\" disabled (unregistered (by hand) from user space)");
	ck_assert_str_eq("b", exit.scheduler);
	ck_assert_str_eq("unregistered (by hand) from user space", exit.reason);
	ck_assert_str_eq("", exit.message);
}
END_TEST

START_TEST(names_and_reasons_that_are_too_long_are_cut)
{
	struct kmsg_exit exit = { 0 };
	char record[1024], name[200], reason[400];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	snprintf(record, sizeof(record),
		 "3,2,1,-;sched_ext: BPF scheduler \"%s\" disabled (%s)", name,
		 reason);
	note(&exit, record);
	ck_assert_uint_eq(sizeof(exit.scheduler) - 1, strlen(exit.scheduler));
	ck_assert_uint_eq(sizeof(exit.reason) - 1, strlen(exit.reason));
}
END_TEST

static int64_t int_of(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *text_of(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "(none)";
}

START_TEST(record_and_log_complete_each_other)
{
	const struct kmsg_exit log = {
		.seen = true,
		.reason = "runnable task stall",
		.message = "from the log",
	};
	json_t *recorded = json_pack("{s:i,s:i,s:s,s:s,s:s}", "kind", 1025,
				     "code", -7, "reason", "scx_bpf_error",
				     "message", "", "dump", "d");
	json_t *exit = sched_exit_report(recorded, &log);

	/* what the scheduler recorded wins; the log fills what is empty */
	ck_assert_int_eq(1025, int_of(exit, "kind"));
	ck_assert_str_eq("SCX_EXIT_ERROR_BPF", text_of(exit, "kind_name"));
	ck_assert_int_eq(-7, int_of(exit, "code"));
	ck_assert_str_eq("scx_bpf_error", text_of(exit, "reason"));
	ck_assert_str_eq("from the log", text_of(exit, "message"));
	ck_assert_str_eq("d", text_of(exit, "dump"));
	json_decref(exit);
	json_decref(recorded);

	exit = sched_exit_report(NULL, &log);
	ck_assert_int_eq(1026, int_of(exit, "kind"));
	ck_assert_str_eq("SCX_EXIT_ERROR_STALL", text_of(exit, "kind_name"));
	ck_assert_ptr_null(json_object_get(exit, "code"));
	json_decref(exit);
}
END_TEST

START_TEST(what_nobody_knows_is_left_out)
{
	const struct kmsg_exit odd = { .seen = true, .reason = "a new reason" };
	json_t *exit = sched_exit_report(NULL, NULL);

	ck_assert_uint_eq(0, json_object_size(exit));
	json_decref(exit);
	exit = sched_exit_report(NULL, &odd);
	ck_assert_ptr_null(json_object_get(exit, "kind"));
	ck_assert_str_eq("a new reason", text_of(exit, "reason"));
	json_decref(exit);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/kmsg");
	TCase *tc = tcase_create("kmsg");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, a_record_is_taken_apart);
	tcase_add_loop_test(tc, what_is_no_record_is_left_out, 0,
			    sizeof(broken) / sizeof(broken[0]));
	tcase_add_loop_test(tc, warnings_and_schedulers_are_wanted, 0,
			    sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tc, the_end_of_a_scheduler_is_understood);
	tcase_add_test(tc, the_next_end_replaces_the_last);
	tcase_add_test(tc, names_and_reasons_that_are_too_long_are_cut);
	tcase_add_test(tc, record_and_log_complete_each_other);
	tcase_add_test(tc, what_nobody_knows_is_left_out);
	suite_add_tcase(s, tc);
	return test_run(s);
}
