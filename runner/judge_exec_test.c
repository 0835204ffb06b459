// SPDX-License-Identifier: GPL-2.0-only
/* The verdict on a scenario's own programs: a good run, and what spoils it. */
#include "runner/judge.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "runner/test_json.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char good_plan[] =
	"{'scheduler': null, 'disks': [],"
	" 'workloads': [{'name': 'hb', 'workers': 2, 'kind': 'exec',"
	"   'exec': {'program': '/usr/bin/hackbench'}}],"
	" 'phases': [{'name': 'main', 'measure': true}]}";

static const char good_checks[] =
	"{'automatic': {'progress': true, 'gap_ns': 2000000000, 'cpuset': true,"
	"   'guest': true, 'program': true},"
	" 'checks': ["
	"  {'metric': 'hb.json.thread.0.max', 'phase': null, 'op': 'max', 'limit': 50, 'unit': ''},"
	"  {'metric': 'hb.json.list.1', 'phase': null, 'op': 'max', 'limit': 50, 'unit': ''},"
	"  {'metric': 'hb.match.time', 'phase': null, 'op': 'max', 'limit': 0.5, 'unit': ''}]}";

#define PROGRAM(index) \
	"{'index': " index ", 'end': 'exited', 'code': 0, 'stderr': ['a', 'b']}"

static const char good_facts[] =
	"{'end': {'kind': 'done', 'detail': '', 'stage': 'done', 'console_tail': []},"
	" 'agent': {'fatal': null, 'topology_ok': true, 'kmsg_problems': []},"
	" 'vm': {'accel': 'emulated'}, 'host': {'time_floor_ns': 3000000},"
	" 'phases': [{'name': 'main', 'measure': true, 'complete': true, 'host_ns': 4000000000,"
	"   'workloads': {'hb': {'gap_ns': null, 'cpuset_violations': null, 'workers_detail': ["
	"    {'index': 0, 'ran': true, 'cpu_time_ns': 7000, 'iterations': 0},"
	"    {'index': 1, 'ran': true, 'cpu_time_ns': 9000, 'iterations': 0}]}}}],"
	" 'workloads': {'hb': {'json': {'thread': {'0': {'max': 41}}, 'list': [99, 7]},"
	"   'match': {'time': 0.25},"
	"   'programs': [" PROGRAM("0") ", " PROGRAM("1") "]}}}";

static struct judgement judge_with(const char *path, const char *value)
{
	json_t *plan = json(good_plan), *checks = json(good_checks);
	json_t *facts = json(good_facts);
	struct judgement j;

	if (path)
		put(!strncmp(path, "automatic/", 10) ? checks : facts, path,
		    value);
	ck_assert_int_eq(0, judge(plan, checks, facts, &j));
	json_decref(plan);
	json_decref(checks);
	json_decref(facts);
	return j;
}

static const json_t *line(const struct judgement *j, const char *metric)
{
	json_t *check;
	size_t i;

	json_array_foreach(j->checks, i, check)
		if (!strcmp(metric, json_string_value(
				json_object_get(check, "metric"))))
			return check;
	return NULL;
}

static const char *word(const struct judgement *j, const char *metric,
			const char *key)
{
	const char *text = json_string_value(json_object_get(line(j, metric),
							     key));

	return text ? text : "";
}

START_TEST(a_good_run_passes_and_says_what_it_left_out)
{
	struct judgement j = judge_with(NULL, NULL);

	ck_assert_str_eq("7 checks held, 2 skipped", j.reason);
	ck_assert_int_eq(VERDICT_PASS, j.verdict);
	ck_assert_str_eq("skip", word(&j, "hb.gap.max", "verdict"));
	ck_assert_str_eq("skip", word(&j, "hb.cpuset_violations", "verdict"));
	ck_assert_str_eq("pass", word(&j, "hb.progress", "verdict"));
	ck_assert_int_eq(7000, json_integer_value(json_object_get(
		line(&j, "hb.progress"), "value")));
	ck_assert_str_eq("pass", word(&j, "hb.program", "verdict"));
	judge_fini(&j);
}
END_TEST

static const struct {
	const char *path, *value;
	enum verdict verdict;
	const char *reason;
} rows[] = {
	/* ends */
	{ "workloads/hb/programs/1/code", "3", VERDICT_FAIL,
	  "hackbench (hb, copy 1) exited with status 3: a | b" },
	{ "workloads/hb/programs/0",
	  "{'index': 0, 'end': 'signaled', 'code': 11, 'stderr': []}",
	  VERDICT_FAIL, "hackbench (hb, copy 0) died of SIGSEGV" },
	{ "workloads/hb/programs/0",
	  "{'index': 0, 'end': 'not started', 'code': -8, 'stderr': []}",
	  VERDICT_ERROR,
	  "hackbench (hb, copy 0) could not be started: Exec format error" },
	{ "workloads/hb/programs/0/end", "'running'", VERDICT_INCONCLUSIVE,
	  "how hackbench (hb, copy 0) ended is not known" },
	{ "workloads/hb/programs/0/end", "null", VERDICT_INCONCLUSIVE,
	  "how hackbench (hb, copy 0) ended is not known" },
	{ "workloads/hb/programs", "[]", VERDICT_INCONCLUSIVE,
	  "how hackbench (hb) ended is not known" },
	/* a program that we ended may leave as it likes */
	{ "workloads/hb/programs/0",
	  "{'index': 0, 'end': 'stopped', 'code': 143, 'stderr': []}",
	  VERDICT_PASS, "7 checks held, 2 skipped" },
	{ "workloads/hb/programs/0",
	  "{'index': 0, 'end': 'killed', 'code': 9, 'stderr': []}",
	  VERDICT_PASS, "7 checks held, 2 skipped" },
	{ "automatic/program", "false", VERDICT_PASS,
	  "6 checks held, 2 skipped" },
	/* progress */
	{ "phases/0/workloads/hb/workers_detail/1",
	  "{'index': 1, 'ran': true, 'cpu_time_ns': 0, 'waiting_tasks': 2}",
	  VERDICT_FAIL,
	  "hb: program 1 had no CPU time in phase main, with 2 tasks that waited for it" },
	{ "phases/0/workloads/hb/workers_detail/1",
	  "{'index': 1, 'ran': true, 'cpu_time_ns': 0, 'waiting_tasks': 0}",
	  VERDICT_PASS, "7 checks held, 2 skipped" },
	{ "phases/0/workloads/hb/workers_detail/0/ran", "false", VERDICT_PASS,
	  "7 checks held, 2 skipped" },
	{ "phases/0/workloads/hb/workers_detail/0/ran", "null",
	  VERDICT_INCONCLUSIVE,
	  "hb.progress in phase main: whether the program ran is not known" },
	{ "phases/0/complete", "false", VERDICT_ERROR,
	  "the run ended, but not phase main" },
	/* metrics */
	{ "workloads/hb/json/thread/0/max", "51", VERDICT_FAIL,
	  "hb.json.thread.0.max: 51 is more than 50" },
	{ "workloads/hb/json/list/1", "51", VERDICT_FAIL,
	  "hb.json.list.1: 51 is more than 50" },
	{ "workloads/hb/json/thread/0/max", "'fast'", VERDICT_INCONCLUSIVE,
	  "hb.json.thread.0.max: the program's output has no such number" },
	{ "workloads/hb/json", "null", VERDICT_INCONCLUSIVE,
	  "hb.json.thread.0.max: the program's output has no such number (and 1 more)" },
	{ "workloads/hb/json/list", "[99]", VERDICT_INCONCLUSIVE,
	  "hb.json.list.1: the program's output has no such number" },
	{ "workloads/hb/match/time", "0.75", VERDICT_FAIL,
	  "hb.match.time: 0.75 is more than 0.5" },
	{ "workloads/hb/match/time", "null", VERDICT_INCONCLUSIVE,
	  "hb.match.time: the program's output has no such number" },
};

START_TEST(each_spoilt_run_has_its_verdict)
{
	struct judgement j = judge_with(rows[_i].path, rows[_i].value);

	ck_assert_str_eq(rows[_i].reason, j.reason);
	ck_assert_int_eq(rows[_i].verdict, j.verdict);
	judge_fini(&j);
}
END_TEST

START_TEST(one_that_had_to_be_killed_is_warned_of)
{
	struct judgement j = judge_with(
		"workloads/hb/programs/0",
		"{'index': 0, 'end': 'killed', 'code': 9, 'stderr': []}");

	ck_assert_str_eq("warning: hackbench (hb, copy 0) did not end after SIGTERM and was killed",
			 word(&j, "hb.program", "reason"));
	judge_fini(&j);
}
END_TEST

START_TEST(a_phase_after_its_end_is_skipped)
{
	struct judgement j = judge_with(
		"phases/0/workloads/hb/workers_detail",
		"[{'index': 0, 'ran': false, 'cpu_time_ns': 0}]");

	ck_assert_str_eq("skip", word(&j, "hb.progress", "verdict"));
	ck_assert_str_eq("the program had ended before, or wanted no CPU",
			 word(&j, "hb.progress", "reason"));
	judge_fini(&j);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("judge_exec");
	TCase *tc = tcase_create("judge_exec");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, a_good_run_passes_and_says_what_it_left_out);
	tcase_add_loop_test(tc, each_spoilt_run_has_its_verdict, 0,
			    ARRAY_SIZE(rows));
	tcase_add_test(tc, one_that_had_to_be_killed_is_warned_of);
	tcase_add_test(tc, a_phase_after_its_end_is_skipped);
	suite_add_tcase(s, tc);
	return test_run(s);
}
