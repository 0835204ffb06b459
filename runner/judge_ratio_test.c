// SPDX-License-Identifier: GPL-2.0-only
/* Checks against a control, the fairness of spinners, and the noise gate. */
#include "runner/judge.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "runner/test_json.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char plan_text[] =
	"{'scheduler': {'name': 's', 'expect': 'running'}, 'disks': [],"
	" 'workloads': [{'name': 'w', 'kind': 'spin', 'workers': 2, 'cgroup': 'w', 'cpus': null,"
	"   'cpu_max': null, 'nice': 0, 'policy': {'kind': 'normal'}}]}";

/* One boot: @rate iterations a second, @p50 as JSON, @share of worker 1. */
static json_t *boot(double rate, const char *p50, const char *host,
		    const char *accel, int share)
{
	char text[2048];
	static const char form[] =
		"{'end': {'kind': 'done', 'scheduler_attached': true}, 'agent': {'fatal': null, 'topology_ok': true, 'kmsg_problems': []},"
		" 'scheduler': {'name': 's', 'final_state': 'enabled', 'exit': null, 'failed': null},"
		" 'vm': {'accel': '%s'}, 'host': %s,"
		" 'workloads': {'w': {'iterations_per_s': %f, 'wake_latency_ns': {'count': 9, 'p50': %s}}},"
		" 'phases': [{'name': 'main', 'measure': true, 'complete': true,"
		"  'workloads': {'w': {'gap_ns': {'max': 5}, 'workers_detail': ["
		"   {'index': 0, 'iterations': 5, 'cpu_time_ns': 1000},"
		"   {'index': 1, 'iterations': 5, 'cpu_time_ns': %d}]}}}]}";

	snprintf(text, sizeof(text), form, accel, host, rate, p50, share);
	return json(text);
}

#define QUIET "{'time_floor_ns': 1000, 'vcpu_steal_ratio': 0.01}"
#define NOISY "{'time_floor_ns': 1000, 'vcpu_steal_ratio': 0.25}"
#define SLOW "{'time_floor_ns': 900000000, 'vcpu_steal_ratio': 0.5}"
#define DELAYED "{'time_floor_ns': 1000, 'vcpu_steal_ratio': 0, 'worker_delay_ratio': 0.3}"

#define RATE "{'metric': 'w.iterations_per_s', 'phase': null, 'unit': 'per_s', 'op': "
#define WAKE "{'metric': 'w.wake_latency.p50', 'phase': null, 'unit': 'ns', 'op': "
#define MIN(x) "'min_ratio_to_control', 'limit': " #x "}"
#define MAX(x) "'max_ratio_to_control', 'limit': " #x "}"

static const struct ratio_row {
	const char *name, *check;
	double test[8], control[8];	/* rates of the boots, until a 0 */
	const char *p50, *host, *accel;
	enum verdict control_verdict, verdict;
	const char *reason;
} ratio_rows[] = {
	{ "one pair that holds", RATE MIN(0.8), { 90 }, { 100 }, "1", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_PASS, "" },
	{ "one pair that does not", RATE MIN(0.8), { 70 }, { 100 }, "1", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_FAIL, "0.7 x the control is less than 0.8 x" },
	{ "a maximum that holds", RATE MAX(1.5), { 149 }, { 100 }, "1", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_PASS, "" },
	{ "a maximum that does not", RATE MAX(1.5), { 160 }, { 100 }, "1", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_FAIL, "1.6 x the control is more than 1.5 x" },
	{ "the median of three, not their mean", RATE MIN(0.8), { 90, 90, 1 }, { 100, 100, 100 }, "1", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_PASS, "" },
	{ "five pairs, all above", RATE MIN(0.8), { 90, 91, 92, 93, 94 }, { 100, 100, 100, 100, 100 }, "1", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_PASS, "" },
	{ "five pairs, all below", RATE MIN(0.8), { 70, 71, 72, 73, 74 }, { 100, 100, 100, 100, 100 }, "1", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_FAIL, "0.72 x" },
	{ "five pairs on both sides", RATE MIN(0.8), { 70, 90, 92, 93, 94 }, { 100, 100, 100, 100, 100 }, "1", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_INCONCLUSIVE, "between 0.7 and 0.94 with 93.8 % confidence: more boots" },
	{ "a boot of the control is missing", RATE MIN(0.8), { 90, 90 }, { 100 }, "1", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_INCONCLUSIVE, "a boot of the control is missing" },
	{ "the control did not hold", RATE MIN(0.8), { 90 }, { 100 }, "1", QUIET, "kvm",
	  VERDICT_FAIL, VERDICT_INCONCLUSIVE, "the control's own conditions did not hold: because" },
	{ "too few samples", WAKE MAX(2), { 90 }, { 100 }, "null", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_INCONCLUSIVE, "too few samples under the scheduler: wake_latency.p50 needs 20, there are 9" },
	{ "a time of a control that is 0", WAKE MAX(2), { 90 }, { 100 }, "0", QUIET, "kvm",
	  VERDICT_PASS, VERDICT_INCONCLUSIVE, "there is no ratio to it" },
	{ "time where the host is noisy", WAKE MAX(2), { 90 }, { 100 }, "5", NOISY, "kvm",
	  VERDICT_PASS, VERDICT_INCONCLUSIVE, "waited 25.0 % of the time for a host CPU, more than 10.0 %" },
	{ "a count where the host is noisy", RATE MIN(0.8), { 90 }, { 100 }, "5", NOISY, "kvm",
	  VERDICT_PASS, VERDICT_PASS, "" },
	{ "time where time is bad, as a ratio", WAKE MAX(2), { 90 }, { 100 }, "5", SLOW, "emulated",
	  VERDICT_PASS, VERDICT_PASS, "" },
};

static json_t *boots(const struct ratio_row *row, const double *rates)
{
	json_t *all = json_array();
	size_t i;

	for (i = 0; i < 8 && rates[i] > 0; i++)
		json_array_append_new(all, boot(rates[i], row->p50, row->host,
						row->accel, 1000));
	return all;
}

START_TEST(a_ratio_is_judged_by_pairs_of_boots)
{
	const struct ratio_row *row = &ratio_rows[_i];
	json_t *plan = json(plan_text);
	json_t *checks = json_pack("{s:{s:f},s:[],s:[o]}", "automatic", "noise",
				   0.1, "checks", "ratios", json(row->check));
	json_t *tests = boots(row, row->test);
	json_t *controls = boots(row, row->control);
	struct judge_arms arms = { tests, controls, row->control_verdict,
				   "because" };
	struct judgement j;

	ck_assert_int_eq(0, judge_with_control(plan, checks,
					       json_array_get(tests, 0), &arms,
					       &j));
	ck_assert_msg(j.verdict == row->verdict, "%s: %s, %s", row->name,
		      verdict_name(j.verdict), j.reason);
	ck_assert_msg(strstr(j.reason, row->reason), "%s: %s", row->name,
		      j.reason);
	judge_fini(&j);
	/* without a control there is nothing to be said */
	ck_assert_int_eq(0, judge_with_control(plan, checks,
					       json_array_get(tests, 0), NULL,
					       &j));
	ck_assert_int_eq(VERDICT_INCONCLUSIVE, j.verdict);
	judge_fini(&j);
	json_decref(plan);
	json_decref(checks);
	json_decref(tests);
	json_decref(controls);
}
END_TEST

static const struct auto_row {
	const char *name, *automatic, *path, *value; /* of the workload */
	const char *host, *accel;
	int share;			/* of the second worker; the first: 1000 */
	enum verdict verdict;
	const char *reason;
} auto_rows[] = {
	{ "equal shares", "{'fairness': 0.95}", NULL, NULL, QUIET, "kvm", 1000, VERDICT_PASS, "held" },
	{ "a third of the other", "{'fairness': 0.95}", NULL, NULL, QUIET, "kvm", 333, VERDICT_FAIL,
	  "cgroup w: 2 CPU-bound workers shared unfairly in phase main: 0.7998 is less than 0.95" },
	{ "not where the host is noisy", "{'fairness': 0.95, 'noise': 0.1}", NULL, NULL, NOISY, "kvm", 333,
	  VERDICT_INCONCLUSIVE, "waited 25.0 %" },
	{ "pinned workers have their own share", "{'fairness': 0.95}", "cpus", "[0]", QUIET, "kvm", 333, VERDICT_PASS, "held" },
	{ "who sleeps gets less", "{'fairness': 0.95}", "kind", "'bursty'", QUIET, "kvm", 333, VERDICT_PASS, "held" },
	{ "a worker that was not seen", "{'fairness': 0.95}", "workers", "3", QUIET, "kvm", 1000,
	  VERDICT_INCONCLUSIVE, "it was not measured" },
	{ "time on a quiet host", "{'gap_ns': 2000000000, 'noise': 0.1}", NULL, NULL, QUIET, "kvm", 1000, VERDICT_PASS, "held" },
	{ "time on a noisy host", "{'gap_ns': 2000000000, 'noise': 0.1}", NULL, NULL, NOISY, "kvm", 1000,
	  VERDICT_INCONCLUSIVE, "waited 25.0 % of the time" },
	{ "time with a disk's worker held up", "{'gap_ns': 2000000000, 'noise': 0.1}", NULL, NULL, DELAYED, "kvm", 1000,
	  VERDICT_INCONCLUSIVE, "waited 30.0 % of the time" },
	{ "time where noise is not known", "{'gap_ns': 2000000000, 'noise': 0.1}", NULL, NULL, "{'time_floor_ns': 1}", "kvm", 1000,
	  VERDICT_INCONCLUSIVE, "the noise of this host is not known" },
	{ "noise that nobody asks about", "{'gap_ns': 2000000000}", NULL, NULL, NOISY, "kvm", 1000, VERDICT_PASS, "held" },
	{ "an emulated machine has its floor for that", "{'gap_ns': 2000000000, 'noise': 0.1}", NULL, NULL, NOISY, "emulated", 1000,
	  VERDICT_PASS, "held" },
	{ "the floor of one", "{'gap_ns': 2000000000, 'noise': 0.1}", NULL, NULL, SLOW, "emulated", 1000,
	  VERDICT_INCONCLUSIVE, "below 10 x the time floor" },
};

START_TEST(fairness_and_noise)
{
	const struct auto_row *row = &auto_rows[_i];
	json_t *plan = json(plan_text), *facts;
	json_t *checks = json_pack("{s:o,s:[]}", "automatic",
				   json(row->automatic), "checks");
	struct judgement j;

	if (row->path)
		json_object_set_new(json_array_get(json_object_get(plan,
				    "workloads"), 0), row->path,
				    json(row->value));
	facts = boot(5, "1", row->host, row->accel, row->share);
	ck_assert_int_eq(0, judge(plan, checks, facts, &j));
	ck_assert_msg(j.verdict == row->verdict, "%s: %s, %s", row->name,
		      verdict_name(j.verdict), j.reason);
	ck_assert_msg(strstr(j.reason, row->reason), "%s: %s", row->name,
		      j.reason);
	judge_fini(&j);
	json_decref(plan);
	json_decref(checks);
	json_decref(facts);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("judge_ratio");
	TCase *tc = tcase_create("judge_ratio");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, a_ratio_is_judged_by_pairs_of_boots, 0,
			    ARRAY_SIZE(ratio_rows));
	tcase_add_loop_test(tc, fairness_and_noise, 0, ARRAY_SIZE(auto_rows));
	suite_add_tcase(s, tc);
	return test_run(s);
}
