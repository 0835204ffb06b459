// SPDX-License-Identifier: GPL-2.0-only
/*
 * A run in which all is well must pass; each row spoils one thing in it, and
 * must get the verdict and the words for that.
 */
#include "runner/judge.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "runner/test_json.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char good_plan[] =
	"{'scheduler': {'name': 'simple', 'kind': 'builtin', 'expect': 'running'},"
	" 'disks': [{'name': 'data', 'tolerance_ratio': 0.05,"
	"            'throttle': {'iops': 100, 'bps': 0, 'burst_ns': 10000000}},"
	"           {'name': 'free', 'tolerance_ratio': 0.05,"
	"            'throttle': {'iops': 0, 'bps': 0, 'burst_ns': 10000000}}],"
	" 'workloads': [{'name': 'reader', 'workers': 2}, {'name': 'web', 'workers': 1}],"
	" 'phases': [{'name': 'warm', 'measure': false}, {'name': 'main', 'measure': true}]}";

static const char good_checks[] =
	"{'automatic': {'progress': true, 'gap_ns': 2000000000, 'cpuset': true,"
	"               'scheduler': true, 'disk': true, 'telemetry': 0.9, 'guest': true},"
	" 'checks': ["
	"  {'metric': 'web.wake_latency.p99', 'phase': 'main', 'op': 'max', 'limit': 50000000, 'unit': 'ns'},"
	"  {'metric': 'web.iterations', 'phase': null, 'op': 'min', 'limit': 100, 'unit': ''},"
	"  {'metric': 'disk.data.delivered_ratio', 'phase': null, 'op': 'between', 'limit': [0.95, 1.05], 'unit': 'ratio'},"
	"  {'metric': 'map.stats[0].delta', 'phase': null, 'op': 'min', 'limit': 1, 'unit': ''},"
	"  {'metric': 'sched.events.SCX_EV_X', 'phase': 'main', 'op': 'equals', 'limit': 0, 'unit': ''},"
	"  {'metric': 'sched.state', 'phase': 'main', 'op': 'equals', 'limit': 'enabled', 'unit': ''}]}";

/* What a phase and the totals both hold. */
#define PARTS \
	" 'workloads': {"                                                     \
	"  'reader': {'gap_ns': {'max': 30000000}, 'cpuset_violations': 0,"   \
	"   'workers_detail': [{'index': 0, 'pid': 70, 'state': 'running', 'iterations': 200, 'gap_max_ns': 20000000, 'error': 0}," \
	"                      {'index': 1, 'pid': 71, 'state': 'running', 'iterations': 190, 'gap_max_ns': 30000000, 'error': 0}]}," \
	"  'web': {'iterations': 400, 'gap_ns': {'max': 20000000}, 'cpuset_violations': 0," \
	"   'wake_latency_ns': {'count': 2000, 'p50': 90000, 'p90': 1, 'p99': 9000000, 'p999': null, 'max': 1}," \
	"   'workers_detail': [{'index': 0, 'pid': 72, 'state': 'running', 'iterations': 400, 'gap_max_ns': 20000000, 'error': 0}]}}," \
	" 'disks': {'data': {'asked': {'iops': 100, 'bps': 0}, 'delivered': {'iops': 99.7, 'bps': 1, 'ratio': 0.997}," \
	"   'reads': 399, 'writes': 0, 'flushes': 0, 'throttled_ns': 3900000000, 'queued_ns': 3950000000, 'duration_ns': 4000000000}," \
	"  'free': {'asked': {'iops': 0, 'bps': 0}, 'delivered': {'iops': 7, 'bps': 1, 'ratio': null}}}," \
	" 'sched': {'state': 'enabled', 'events': {'SCX_EV_X': 0}},"          \
	" 'map_numbers': {'stats[0]': {'last': 900, 'delta': 812, 'rate': 203}}"

static const char good_facts[] =
	"{'end': {'kind': 'done', 'detail': '', 'stage': 'done', 'scheduler_attached': true, 'console_tail': []},"
	" 'agent': {'fatal': null, 'topology_ok': true, 'kmsg_problems': []},"
	" 'scheduler': {'name': 'simple', 'final_state': 'enabled', 'state': 'attached', 'exit': null, 'failed': null},"
	" 'telemetry': {'expected': 400, 'taken': 398, 'failed': 0},"
	" 'vm': {'accel': 'emulated'}, 'host': {'time_floor_ns': 3000000},"
	" 'phases': [{'name': 'warm', 'measure': false, 'complete': true, 'host_ns': 1000000000, 'sched': {'state': 'enabled'}},"
	"  {'name': 'main', 'measure': true, 'complete': true, 'host_ns': 4000000000," PARTS "}]," PARTS "}";

/* A case: the good run, and what is different in it. */
struct court {
	json_t *plan, *checks, *facts;
};

static void court_open(struct court *c)
{
	c->plan = json(good_plan);
	c->checks = json(good_checks);
	c->facts = json(good_facts);
}

static void court_put(struct court *c, const char *path, const char *value)
{
	if (!strncmp(path, "plan/", 5))
		put(c->plan, path + 5, value);
	else if (!strncmp(path, "checks/", 7))
		put(c->checks, path + 7, value);
	else
		put(c->facts, path, value);
}

static struct judgement court_judge(struct court *c)
{
	struct judgement j;

	ck_assert_int_eq(0, judge(c->plan, c->checks, c->facts, &j));
	json_decref(c->plan);
	json_decref(c->checks);
	json_decref(c->facts);
	return j;
}

START_TEST(a_good_run_passes)
{
	struct judgement j;
	const json_t *check;
	struct court c;
	size_t i;

	court_open(&c);
	j = court_judge(&c);
	ck_assert_str_eq("17 checks held", j.reason);
	ck_assert_int_eq(VERDICT_PASS, j.verdict);
	ck_assert_uint_eq(17, json_array_size(j.checks));
	json_array_foreach(j.checks, i, check)
		ck_assert_str_eq("pass", json_string_value(
			json_object_get(check, "verdict")));
	judge_fini(&j);
}
END_TEST

#define P1 "phases/1/"

static const struct row {
	const char *name;
	const char *put[4][2];	/* path, value */
	enum verdict verdict;
	const char *reason;	/* must be in the run's reason */
} rows[] = {
	/* how the run ended */
	{ "panic after attach", { { "end/kind", "'reset'" }, { "end/stage", "'phase main'" },
	  { "end/console_tail", "['x', 'Kernel panic - not syncing: Fatal exception']" } },
	  VERDICT_FAIL, "guest: the guest's kernel panicked at stage phase main" },
	{ "panic before attach", { { "end/kind", "'reset'" }, { "end/stage", "'hello'" }, { "end/scheduler_attached", "false" } },
	  VERDICT_ERROR, "the guest reset itself at stage hello, before the scheduler was attached" },
	{ "the agent died", { { "end/kind", "'reset'" }, { "end/stage", "'phase main'" },
	  { "end/console_tail", "['Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b']" } },
	  VERDICT_ERROR, "the agent died at stage phase main" },
	{ "fault of the emulation", { { "end/kind", "'reset'" }, { "end/stage", "'phase main'" },
	  { "end/console_tail", "['Oops: int3: 0000 [#1] SMP NOPTI']" } },
	  VERDICT_ERROR, "a known fault of the emulating machine" },
	{ "the same on real KVM", { { "end/kind", "'reset'" }, { "vm/accel", "'kvm'" },
	  { "end/console_tail", "['Oops: int3: 0000 [#1] SMP NOPTI']" } },
	  VERDICT_FAIL, "guest: the guest reset itself" },
	{ "triple fault", { { "end/kind", "'triple-fault'" }, { "end/stage", "'phase main'" } },
	  VERDICT_FAIL, "triple fault" },
	{ "power off", { { "end/kind", "'poweroff'" } }, VERDICT_FAIL, "powered itself off" },
	{ "hang after attach", { { "end/kind", "'deadline'" }, { "end/stage", "'phase main'" } },
	  VERDICT_FAIL, "guest: the deadline of the VM passed at stage phase main" },
	{ "hang before attach", { { "end/kind", "'deadline'" }, { "end/stage", "'boot'" }, { "end/scheduler_attached", "false" } },
	  VERDICT_ERROR, "at stage boot, before the scheduler was attached" },
	{ "hang of the default scheduler", { { "end/kind", "'deadline'" }, { "end/stage", "'phase main'" }, { "plan/scheduler", "null" } },
	  VERDICT_FAIL, "deadline" },
	{ "hang with the default before it was ready", { { "end/kind", "'deadline'" }, { "end/stage", "'hello'" }, { "plan/scheduler", "null" } },
	  VERDICT_ERROR, "deadline" },
	{ "overrun", { { "end/kind", "'overrun'" }, { "end/stage", "'phase main'" } }, VERDICT_FAIL, "far longer" },
	{ "KVM failed", { { "end/kind", "'internal-error'" }, { "end/detail", "'emulation failure'" } },
	  VERDICT_ERROR, "KVM could not go on at stage done: emulation failure" },
	{ "broken protocol", { { "end/kind", "'protocol'" } }, VERDICT_ERROR, "broke off" },
	{ "an end nobody knows", { { "end/kind", "'eclipse'" } }, VERDICT_ERROR, "unexplained" },
	{ "no end at all", { { "end", "-" } }, VERDICT_ERROR, "unexplained" },
	{ "interrupted", { { "end/kind", "'interrupted'" } }, VERDICT_INCONCLUSIVE, "it was interrupted" },
	{ "agent gave up", { { "agent/fatal", "{'stage': 'cgroup', 'what': 'mkdir', 'errno': 13, 'message': 'no'}" } },
	  VERDICT_ERROR, "the agent gave up at stage cgroup: no" },
	{ "agent waited in vain", { { "agent/fatal", "{'stage': 'ready', 'errno': -110, 'message': 'workers'}" } },
	  VERDICT_FAIL, "guest: the agent waited in vain at stage ready" },
	{ "agent waited before attach", { { "agent/fatal", "{'stage': 'disk', 'errno': 110}" }, { "end/scheduler_attached", "false" } },
	  VERDICT_ERROR, "gave up at stage disk" },
	{ "wrong topology", { { "agent/topology_ok", "false" } }, VERDICT_ERROR, "topology" },
	{ "a phase is missing", { { P1 "complete", "false" } }, VERDICT_ERROR, "the run ended, but not phase main" },
	{ "no phase at all", { { "phases", "[]" } }, VERDICT_ERROR, "the run ended, but not phase any" },
	/* the scheduler */
	{ "verifier", { { "scheduler/failed", "{'stage': 'load', 'errno': 22, 'message': 'Invalid argument', 'log': 'R1 invalid'}" } },
	  VERDICT_FAIL, "scheduler: load: the verifier rejected it: Invalid argument" },
	{ "attach", { { "scheduler/failed", "{'stage': 'attach', 'errno': 16, 'message': 'busy'}" } },
	  VERDICT_FAIL, "scheduler: load: it could not be started: attach: busy" },
	{ "load failed, check turned off", { { "scheduler/failed", "{'stage': 'attach'}" }, { "checks/automatic/scheduler", "false" } },
	  VERDICT_FAIL, "it could not be started" },
	{ "stall", { { "scheduler/exit", "{'kind': 1026, 'reason': 'runnable task stall', 'message': 'web[72] failed to run for 3.012s'}" },
	  { P1 "sched/state", "'disabled'" } },
	  VERDICT_FAIL, "scheduler in phase main: it stalled: runnable task stall: web[72] failed to run for 3.012s (web: worker 0)" },
	{ "error", { { "scheduler/exit", "{'kind': 1025, 'reason': 'scx_bpf_error', 'message': 'bad dsq'}" } },
	  VERDICT_FAIL, "it ended with an error: scx_bpf_error: bad dsq" },
	{ "exit", { { "scheduler/exit", "{'kind': 65, 'reason': 'unregistered from BPF'}" } },
	  VERDICT_FAIL, "it left by itself: unregistered from BPF" },
	{ "gone without a word", { { "scheduler/state", "'gone'" } }, VERDICT_FAIL, "it left by itself" },
	{ "disabled at a phase's end", { { "phases/0/sched/state", "'disabled'" } },
	  VERDICT_FAIL, "scheduler in phase warm: sched_ext was disabled" },
	{ "state not known", { { "phases/0/sched", "-" } }, VERDICT_INCONCLUSIVE, "scheduler: its state is not known" },
	{ "stall was expected, it runs", { { "plan/scheduler/expect", "'stall'" } },
	  VERDICT_FAIL, "scheduler: it still ran, expected was stall" },
	{ "stall was expected, error came", { { "plan/scheduler/expect", "'stall'" }, { "scheduler/exit", "{'kind': 1025, 'reason': 'scx_bpf_error'}" } },
	  VERDICT_FAIL, "it ended with an error" },
	{ "stall was expected and came", { { "plan/scheduler/expect", "'stall'" },
	  { "scheduler/exit", "{'kind': 1026, 'reason': 'runnable task stall'}" },
	  { P1 "workloads/web/workers_detail/0/iterations", "0" } }, VERDICT_PASS, "13 checks held, 4 skipped" },
	/* progress */
	{ "a worker did nothing", { { P1 "workloads/reader/workers_detail/1/iterations", "0" } },
	  VERDICT_FAIL, "reader: worker 1 made no progress in phase main" },
	{ "two did nothing", { { P1 "workloads/reader/workers_detail/0/iterations", "0" }, { P1 "workloads/reader/workers_detail/1/iterations", "0" } },
	  VERDICT_FAIL, "reader: worker 0 made no progress in phase main, nor did 1 more" },
	{ "a worker failed", { { P1 "workloads/web/workers_detail/0", "{'index': 0, 'state': 'failed', 'error': -2, 'what': 'open', 'iterations': 0}" } },
	  VERDICT_ERROR, "web: worker 0 failed: open: No such file or directory" },
	{ "no workers seen", { { P1 "workloads/web/workers_detail", "[]" } }, VERDICT_INCONCLUSIVE, "web.progress in phase main: it was not measured" },
	{ "a worker not counted", { { P1 "workloads/web/workers_detail/0/iterations", "null" } }, VERDICT_INCONCLUSIVE, "worker 0 was not measured" },
	{ "no workload seen", { { P1 "workloads/web", "null" } }, VERDICT_INCONCLUSIVE, "web.progress" },
	{ "progress turned off", { { P1 "workloads/reader/workers_detail/1/iterations", "0" }, { "checks/automatic/progress", "false" } },
	  VERDICT_PASS, "15 checks held" },
	/* gap */
	{ "a long gap", { { P1 "workloads/reader/gap_ns/max", "2000000001" }, { P1 "workloads/reader/workers_detail/0/gap_max_ns", "2000000001" } },
	  VERDICT_FAIL, "reader: worker 0 made no progress for 2.00s in phase main, more than 2.00s" },
	{ "just no long gap", { { P1 "workloads/reader/gap_ns/max", "2000000000" } }, VERDICT_PASS, "" },
	{ "gap below the floor", { { "host/time_floor_ns", "200000001" }, { "checks/checks/0/limit", "3000000000" } },
	  VERDICT_INCONCLUSIVE, "reader.gap.max in phase main: a limit of 2.00s is below 10 x the time floor of this machine, 200ms: time can't be judged" },
	{ "gap not seen", { { P1 "workloads/reader/gap_ns", "-" } }, VERDICT_INCONCLUSIVE, "reader.gap.max" },
	{ "gap turned off", { { P1 "workloads/reader/gap_ns/max", "3000000000" }, { "checks/automatic/gap_ns", "0" } }, VERDICT_PASS, "15 checks held" },
	/* cpuset */
	{ "outside its CPUs", { { P1 "workloads/web/cpuset_violations", "3" } }, VERDICT_FAIL,
	  "web.cpuset_violations in phase main: 3 times a worker ran outside its CPUs" },
	/* disk */
	{ "too slow while saturated", { { P1 "disks/data/delivered/ratio", "0.94" } }, VERDICT_INCONCLUSIVE,
	  "disk.data.delivered_ratio in phase main: the disk delivered only 0.94 of what was asked, with work queued" },
	{ "slow for want of work", { { P1 "disks/data/delivered/ratio", "0.5" }, { P1 "disks/data/queued_ns", "3500000000" }, { P1 "disks/data/throttled_ns", "3500000000" } },
	  VERDICT_PASS, "" },
	{ "saturated by its throttle", { { P1 "disks/data/delivered/ratio", "0.5" }, { P1 "disks/data/queued_ns", "0" } }, VERDICT_INCONCLUSIVE, "only 0.5" },
	{ "too fast", { { P1 "disks/data/delivered/ratio", "1.06" } }, VERDICT_INCONCLUSIVE, "1.06 of what was asked, too much" },
	{ "too fast for want of work", { { P1 "disks/data/delivered/ratio", "1.06" }, { P1 "disks/data/queued_ns", "1" }, { P1 "disks/data/throttled_ns", "1" } },
	  VERDICT_INCONCLUSIVE, "too much" },
	{ "one request more than asked", { { P1 "disks/data/delivered/ratio", "1.1" }, { P1 "disks/data/reads", "10" } }, VERDICT_PASS, "" },
	{ "in flight for 10 % of the phase", { { P1 "disks/data/delivered/ratio", "0.91" }, { P1 "disks/data/asked/latency_ns", "300000000" }, { P1 "disks/data/asked/jitter_ns", "100000000" } }, VERDICT_PASS, "" },
	{ "in flight, but slower than that", { { P1 "disks/data/delivered/ratio", "0.88" }, { P1 "disks/data/asked/latency_ns", "300000000" }, { P1 "disks/data/asked/jitter_ns", "100000000" } }, VERDICT_INCONCLUSIVE, "only 0.88" },
	{ "stalled for 10 % of the phase", { { P1 "disks/data/delivered/ratio", "0.91" }, { P1 "disks/data/faults", "{'stalled_ns': 400000000}" } }, VERDICT_PASS, "" },
	{ "bound by latency", { { P1 "disks/data/delivered/ratio", "0.2" }, { P1 "disks/data/asked/latency_ns", "50000000" }, { P1 "disks/data/queued_ns", "40000000" }, { P1 "disks/data/throttled_ns", "0" } }, VERDICT_PASS, "" },
	{ "an image as slow as the throttle", { { P1 "disks/data/delivered/ratio", "0.5" }, { P1 "disks/data/queued_ns", "2000000000" }, { P1 "disks/data/throttled_ns", "1" }, { P1 "disks/data/backing_ns", "2000000000" } }, VERDICT_PASS, "" },
	{ "an image slower than the throttle", { { P1 "disks/data/delivered/ratio", "0.5" }, { P1 "disks/data/queued_ns", "2000000000" }, { P1 "disks/data/throttled_ns", "1" }, { P1 "disks/data/backing_ns", "2010000000" } }, VERDICT_INCONCLUSIVE,
	  "disk.data.delivered_ratio in phase main: the image took 2010 ms, more than the throttle's own 2000" },
	{ "disk not seen", { { P1 "disks/data", "-" } }, VERDICT_INCONCLUSIVE, "disk.data.delivered_ratio in phase main: it was not measured" },
	{ "a limit came by a step", { { P1 "disks/free/asked/iops", "50" } }, VERDICT_INCONCLUSIVE, "disk.free.delivered_ratio" },
	{ "disk turned off", { { P1 "disks/data/delivered/ratio", "0.5" }, { "checks/automatic/disk", "false" } }, VERDICT_PASS, "16 checks held" },
	/* telemetry */
	{ "samples are missing", { { "telemetry/taken", "358" } }, VERDICT_INCONCLUSIVE, "telemetry: 358 of 400 samples were taken" },
	{ "just enough samples", { { "telemetry/taken", "360" } }, VERDICT_PASS, "" },
	{ "no samples", { { "telemetry", "-" } }, VERDICT_INCONCLUSIVE, "telemetry: no samples were due" },
	{ "a step was done", { { "steps", "[{'phase': 'main', 'step': 'write_map', 'ok': true, 'message': ''}]" } }, VERDICT_PASS, "17 checks held" },
	{ "a step failed", { { "steps", "[{'phase': 'main', 'step': 'write_map', 'ok': false, 'message': 'no map m'}]" } }, VERDICT_INCONCLUSIVE,
	  "write_map in phase main: the step failed: no map m" },
	{ "samples of some phase were asked for", { { "telemetry", "-" }, { "plan/phases", "[{'measure': true, 'interval_ns': 0}, {'measure': true, 'interval_ns': 1000000}]" } }, VERDICT_INCONCLUSIVE, "telemetry: no samples were due" },
	{ "no samples were asked for", { { "telemetry", "-" }, { "plan/phases", "[{'measure': true, 'interval_ns': 0}, {'measure': false, 'interval_ns': 1000000}]" } }, VERDICT_PASS, "16 checks held" },
	{ "telemetry turned off", { { "telemetry", "-" }, { "checks/automatic/telemetry", "0" } }, VERDICT_PASS, "16 checks held" },
	/* guest */
	{ "lockup", { { "agent/kmsg_problems", "['watchdog: BUG: soft lockup - CPU#1 stuck']" } }, VERDICT_FAIL, "guest: watchdog: BUG: soft lockup" },
	{ "lockup before attach", { { "agent/kmsg_problems", "['watchdog: BUG: soft lockup']" }, { "end/scheduler_attached", "false" } },
	  VERDICT_ERROR, "guest: before the scheduler was attached: watchdog" },
	{ "a warning is no failure", { { "agent/kmsg_problems", "['WARNING: CPU: 0 PID: 1 at kernel/x.c:5']" } }, VERDICT_PASS, "" },
	{ "an oops behind a warning", { { "agent/kmsg_problems", "['WARNING: x', 'Oops: general protection fault']" } }, VERDICT_FAIL, "guest: Oops" },
	{ "emulation's oops, survived", { { "agent/kmsg_problems", "['Oops: int3: 0000 [#1]']" } }, VERDICT_ERROR, "fault of the emulating machine" },
	{ "log not seen", { { "agent/kmsg_problems", "-" } }, VERDICT_INCONCLUSIVE, "guest: the kernel log was not seen" },
	/* the scenario's own */
	{ "max", { { P1 "workloads/web/wake_latency_ns/p99", "50000001" } }, VERDICT_FAIL,
	  "web.wake_latency.p99 in phase main: 50.0ms is more than 50.0ms" },
	{ "max, met", { { P1 "workloads/web/wake_latency_ns/p99", "50000000" } }, VERDICT_PASS, "" },
	{ "min", { { "workloads/web/iterations", "99" } }, VERDICT_FAIL, "web.iterations: 99 is less than 100" },
	{ "min, met", { { "workloads/web/iterations", "100" } }, VERDICT_PASS, "" },
	{ "below between, the disk's own fault", { { "disks/data/delivered/ratio", "0.94" } }, VERDICT_INCONCLUSIVE,
	  "disk.data.delivered_ratio: the disk delivered only 0.94 of what was asked, with work queued" },
	{ "below between, within the disk's promise", { { "checks/checks/2/limit/0", "0.99" }, { "disks/data/delivered/ratio", "0.96" } },
	  VERDICT_FAIL, "disk.data.delivered_ratio: 0.96 is not between 0.99 and 1.05" },
	{ "below between for want of work", { { "disks/data/delivered/ratio", "0.5" }, { "disks/data/queued_ns", "3500000000" }, { "disks/data/throttled_ns", "1" } },
	  VERDICT_INCONCLUSIVE, "disk.data.delivered_ratio: the load did not keep the disk busy: 0.5 of what was asked" },
	{ "above between for want of work", { { "disks/data/delivered/ratio", "1.5" }, { "disks/data/queued_ns", "3500000000" }, { "disks/data/throttled_ns", "1" } },
	  VERDICT_INCONCLUSIVE, "1.5 of what was asked, too much" },
	{ "above between, the disk's own fault", { { "disks/data/delivered/ratio", "1.06" } }, VERDICT_INCONCLUSIVE, "1.06 of what was asked, too much" },
	{ "above between, within the disk's promise", { { "checks/checks/2/limit/1", "1.01" }, { "disks/data/delivered/ratio", "1.02" } },
	  VERDICT_FAIL, "disk.data.delivered_ratio: 1.02 is not between 0.95 and 1.01" },
	{ "equals", { { P1 "sched/events/SCX_EV_X", "1" } }, VERDICT_FAIL, "sched.events.SCX_EV_X in phase main: 1 is not 0" },
	{ "a state", { { "checks/checks/5/limit", "'bypass'" } }, VERDICT_FAIL, "sched.state in phase main: enabled is not bypass" },
	{ "the map stands still", { { "map_numbers/stats[0]/delta", "0" } }, VERDICT_FAIL, "map.stats[0].delta: 0 is less than 1" },
	{ "a global variable, dots and all", { { "checks/checks/3/metric", "'map..bss.nr.a.delta'" }, { "map_numbers/.bss.nr.a", "{'delta': 0}" } },
	  VERDICT_FAIL, "map..bss.nr.a.delta: 0 is less than 1" },
	{ "no such map", { { "map_numbers", "{}" } }, VERDICT_INCONCLUSIVE, "map.stats[0].delta: it was not measured" },
	{ "map undefined", { { "map_numbers/stats[0]/delta", "null" } }, VERDICT_INCONCLUSIVE, "it is undefined" },
	{ "no such event", { { P1 "sched/events", "{}" } }, VERDICT_INCONCLUSIVE, "sched.events.SCX_EV_X in phase main: it was not measured" },
	{ "runs of a callback", { { "checks/checks/4/metric", "'sched.ops.enqueue.count'" }, { P1 "sched/ops", "{'enqueue': {'count': 7, 'ns': 9}}" } },
	  VERDICT_FAIL, "sched.ops.enqueue.count in phase main: 7 is not 0" },
	{ "runs that were not counted", { { "checks/checks/4/metric", "'sched.ops.enqueue.ns'" },
	    { P1 "sched/ops", "{'enqueue': {'count': null, 'ns': null, 'why': 'telemetry.bpf_stats is off'}}" } },
	  VERDICT_INCONCLUSIVE, "sched.ops.enqueue.ns in phase main: telemetry.bpf_stats is off" },
	{ "a callback that is not there", { { "checks/checks/4/metric", "'sched.ops.tick.count'" }, { P1 "sched/ops", "{'enqueue': {'count': 7}}" } },
	  VERDICT_INCONCLUSIVE, "sched.ops.tick.count in phase main: it was not measured" },
	{ "an observer that the kernel refused", { { "checks/checks/4/metric", "'web.observed.wake_latency.p99'" },
	    { P1 "workloads/web/observed", "{'wake_latency_ns': {'count': null, 'p99': null, 'why': 'load: no such hook'}}" } },
	  VERDICT_INCONCLUSIVE, "web.observed.wake_latency.p99 in phase main: load: no such hook" },
	{ "what an observer saw under the kernel's own scheduler", { { "plan/scheduler", "null" },
	    { "checks/checks/4/metric", "'sched.observed.idle_while_waiting'" },
	    { P1 "sched/observed", "{'idle_while_waiting_ratio': 0.5}" } },
	  VERDICT_FAIL, "sched.observed.idle_while_waiting in phase main: 0.5 is not 0" },
	{ "too few samples", { { P1 "workloads/web/wake_latency_ns/p99", "null" }, { P1 "workloads/web/wake_latency_ns/count", "999" } },
	  VERDICT_INCONCLUSIVE, "web.wake_latency.p99 in phase main: too few samples: wake_latency.p99 needs 1000, there are 999" },
	{ "below the floor, kept", { { "host/time_floor_ns", "5000001" } }, VERDICT_INCONCLUSIVE,
	  "web.wake_latency.p99 in phase main: a limit of 50.0ms is below 10 x the time floor of this machine, 5.00ms: time can't be judged" },
	{ "below the floor, broken", { { "host/time_floor_ns", "5000001" }, { P1 "workloads/web/wake_latency_ns/p99", "70000000" } }, VERDICT_INCONCLUSIVE, "floor" },
	{ "just at the floor", { { "host/time_floor_ns", "5000000" } }, VERDICT_PASS, "" },
	{ "floor not known", { { "host/time_floor_ns", "-" } }, VERDICT_INCONCLUSIVE, "the time floor of this emulated machine is not known" },
	{ "floor not needed", { { "host/time_floor_ns", "-" }, { "vm/accel", "'kvm'" } }, VERDICT_PASS, "" },
#define ACROSS { "checks/checks/0/metric", "'web.io_wake.p99'" }, \
	{ P1 "workloads/web/io_wake_ns", "{'count': 2000, 'p99': 9000000}" }
	{ "clocks near enough", { ACROSS, { "host/clock", "{'error_ns': 5000000}" } }, VERDICT_PASS, "" },
	{ "clocks too far apart", { ACROSS, { "host/clock", "{'error_ns': 5000001}" } }, VERDICT_INCONCLUSIVE,
	  "web.io_wake.p99 in phase main: a limit of 50.0ms is below 10 x the error between the clocks of host and guest, 5.00ms" },
	{ "clocks not known", { ACROSS, { "host/clock", "null" } }, VERDICT_INCONCLUSIVE,
	  "how the clocks of host and guest relate is not known" },
	{ "across clocks it takes the floor too", { ACROSS, { "host/clock", "{'error_ns': 1}" }, { "host/time_floor_ns", "5000001" } },
	  VERDICT_INCONCLUSIVE, "the time floor of this machine" },
	{ "io_wake that was lost", { { "checks/checks/0/metric", "'web.io_wake.p99'" },
	  { P1 "workloads/web/io_wake_ns", "null" }, { "host/clock", "{'error_ns': 1}" } },
	  VERDICT_INCONCLUSIVE, "web.io_wake.p99 in phase main: it was not measured" },
	{ "counts need no floor", { { "host/time_floor_ns", "900000000000" }, { "workloads/web/iterations", "99" } }, VERDICT_FAIL, "web.iterations" },
	{ "a phase that is not there", { { "checks/checks/0/phase", "'other'" } }, VERDICT_INCONCLUSIVE, "other did not run" },
	{ "a check that is no check", { { "checks/checks/0/metric", "'web.nonsense'" } }, VERDICT_ERROR, "web.nonsense" },
	{ "a number that is a word", { { "workloads/web/iterations", "'many'" } }, VERDICT_INCONCLUSIVE, "web.iterations: it is undefined" },
	{ "the default scheduler has no maps", { { "plan/scheduler", "null" }, { "scheduler", "null" } }, VERDICT_PASS, "13 checks held, 3 skipped" },
	/* which one decides */
	{ "fail is worse than inconclusive", { { "telemetry/taken", "0" }, { "workloads/web/iterations", "0" } }, VERDICT_FAIL, "web.iterations" },
	{ "error is worse than fail", { { "agent/topology_ok", "false" }, { "workloads/web/iterations", "0" } }, VERDICT_ERROR, "topology" },
	{ "all are counted", { { "map_numbers/stats[0]/delta", "0" }, { "workloads/web/iterations", "0" } }, VERDICT_FAIL,
	  "web.iterations: 0 is less than 100 (and 1 more)" },
};

START_TEST(each_spoiled_run_gets_its_verdict)
{
	const struct row *r = &rows[_i];
	struct judgement j;
	struct court c;
	size_t i;

	court_open(&c);
	for (i = 0; i < ARRAY_SIZE(r->put) && r->put[i][0]; i++)
		court_put(&c, r->put[i][0], r->put[i][1]);
	j = court_judge(&c);
	ck_assert_msg(j.verdict == r->verdict, "%s: expected %s, got %s: %s",
		      r->name, verdict_name(r->verdict),
		      verdict_name(j.verdict), j.reason);
	ck_assert_msg(strstr(j.reason, r->reason), "%s: expected %s\n  got %s",
		      r->name, r->reason, j.reason);
	judge_fini(&j);
}
END_TEST

/* Empty objects everywhere: never a crash, never a pass. */
START_TEST(facts_that_say_nothing_do_not_pass)
{
	static const char *const facts[] = {
		"{}", "{'end': 3, 'phases': 4, 'agent': []}",
		"{'end': {'kind': 'done'}}",
		"{'end': {'kind': 'done'}, 'phases': [{}]}",
		"{'end': {'kind': 'done'}, 'phases': [{'measure': true}]}",
		"{'end': {'kind': 'done'}, 'phases': [{'measure': true, 'complete': true}]}",
		"{'end': {'kind': 'done'}, 'phases': [null, 5], 'scheduler': 7}",
		"{'end': {'kind': 'done', 'console_tail': [1, null]}, 'agent': {'kmsg_problems': [4]}}",
	};
	struct judgement j;
	struct court c;

	court_open(&c);
	json_decref(c.facts);
	c.facts = json(facts[_i]);
	j = court_judge(&c);
	ck_assert_int_gt(j.verdict, VERDICT_PASS);
	judge_fini(&j);
}
END_TEST

START_TEST(a_check_has_the_members_that_others_parse)
{
	struct judgement j;
	struct court c;
	json_t *expected, *is;

	court_open(&c);
	court_put(&c, P1 "workloads/web/wake_latency_ns/p99", "1834000");
	j = court_judge(&c);
	is = json_array_get(j.checks, json_array_size(j.checks) - 6);
	expected = json("{'metric': 'web.wake_latency.p99', 'phase': 'main', 'op': 'max', 'limit': 50000000,"
			" 'value': 1834000, 'unit': 'ns', 'verdict': 'pass', 'reason': ''}");
	ck_assert_msg(json_equal(expected, is), "%s", json_dumps(is, 0));
	json_decref(expected);
	judge_fini(&j);
}
END_TEST

/* A guest's text can be anything, also longer than a reason. */
START_TEST(a_long_message_does_no_harm)
{
	char text[2000];
	struct judgement j;
	struct court c;

	/* two bytes a letter: any cut in the middle of one would not be UTF-8 */
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\303\251", 3);
	court_open(&c);
	json_object_set_new(json_object_get(c.facts, "scheduler"), "exit",
			    json_pack("{s:i,s:s,s:s}", "kind", 1026, "reason",
				      "x", "message", text));
	j = court_judge(&c);
	ck_assert_int_eq(VERDICT_FAIL, j.verdict);
	ck_assert_uint_lt(strlen(j.reason), JUDGE_REASON_LEN);
	judge_fini(&j);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("judge");
	TCase *tc = tcase_create("judge");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, a_good_run_passes);
	tcase_add_loop_test(tc, each_spoiled_run_gets_its_verdict, 0,
			    ARRAY_SIZE(rows));
	tcase_add_loop_test(tc, facts_that_say_nothing_do_not_pass, 0, 8);
	tcase_add_test(tc, a_check_has_the_members_that_others_parse);
	tcase_add_test(tc, a_long_message_does_no_harm);
	suite_add_tcase(s, tc);
	return test_run(s);
}
