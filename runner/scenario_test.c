// SPDX-License-Identifier: GPL-2.0-only
/* Scenarios that are good: what they resolve to, and the plan of the run. */
#include "runner/scenario.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "runner/plan.h"
#include "runner/test_scenario.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Five lines; what a row adds begins at line 6. */
#define LOAD "schema = 1\nname = \"t\"\n[[workload]]\nname = \"w\"\nkind = \"spin\"\n"

static struct scenario *parse(const char *text,
			      const struct scenario_overrides *o)
{
	struct scenario *s;
	struct diag d;
	int err;

	diag_init(&d, "t.toml");
	err = scenario_parse("t.toml", text, strlen(text), o, &s, &d);
	if (err)
		diag_print(&d, stderr);
	ck_assert_int_eq(0, err);
	diag_fini(&d);
	return s;
}

/* Every key that is supported, none at its default. */
static const char whole[] =
	"schema = 1\n"
	"name = \"whole\"\n"
	"description = \"a \\\"quoted\\\" \\t\\u0001 text\"\n"
	"[vm]\n"
	"topology = \"2n4l1c2t\"\n"
	"memory = \"1.5G\"\n"
	"deadline = \"90s\"\n"
	"[[disk]]\n"
	"name = \"data\"\n"
	"size = \"256M\"\n"
	"throttle = { iops = \"500/s\", bps = \"8MB/s\", burst = \"20ms\", latency = \"2ms\", jitter = \"500us\" }\n"
	"faults = { error_rate = \"2.5%\", stall = \"10ms\", stall_every = 100 }\n"
	"queues = 2\n"
	"tolerance = \"2.5%\"\n"
	"[[disk]]\n"
	"name = \"ro\"\n"
	"size = 1048576\n"
	"read_only = true\n"
	"[scheduler]\n"
	"object = \"sub/x.bpf.o\"\n"
	"set = { slice_ns = 5000000, \"odd key\" = true }\n"
	"expect = \"stall\"\n"
	"[[workload]]\n"
	"name = \"reader\"\n"
	"kind = \"io_rand_read\"\n"
	"workers = 4\n"
	"disk = \"data\"\n"
	"cgroup = \"batch/io\"\n"
	"cpus = \"node:1\"\n"
	"cpu_weight = 50\n"
	"cpu_max = \"150%\"\n"
	"nice = -5\n"
	"policy = \"rr:7\"\n"
	"params = { block = \"16K\" }\n"
	"seed = 99\n"
	"[[workload]]\n"
	"name = \"web\"\n"
	"kind = \"bursty\"\n"
	"cpus = \"0,2-3\"\n"
	"params = { burst = \"2ms\", sleep = 8000000 }\n"
	"[[phase]]\n"
	"name = \"warm\"\n"
	"duration = \"1s\"\n"
	"measure = false\n"
	"[[phase]]\n"
	"name = \"slow\"\n"
	"duration = \"3s\"\n"
	"interval = false\n"
	"do = [ { set_throttle = { disk = \"data\", iops = 50 } },\n"
	" { set_faults = { disk = \"data\", error_size = \"4K\" } } ]\n"
	"[[phase]]\n"
	"name = \"slower\"\n"
	"duration = \"2s\"\n"
	"interval = \"20ms\"\n"
	"do = [ { set_throttle = { disk = \"data\", bps = \"1MiB/s\" } },\n"
	" { set_faults = { disk = \"data\", stall_at = \"1s\", stall = \"20ms\" } } ]\n"
	"[[phase]]\n"
	"name = \"burst\"\n"
	"duration = \"1s\"\n"
	"do = [ { set_throttle = { disk = \"data\", burst = \"1ms\", latency = 0 } },\n"
	" { set_faults = { disk = \"data\", torn_writes = true } },"
	" { write_map = { map = \"m\", key = 1, field = \"a.b\", value = [ 1, true, \"x\" ] } },"
	" { freeze = {} }, { freeze = { name = \"mid\", after = \"500ms\" } } ]\n"
	"[telemetry]\n"
	"interval = \"5ms\"\n"
	"maps = [\"stats\", { name = \"*.bss\", interval = \"100ms\" }]\n"
	"freeze_every = \"500ms\"\n"
	"bpf_stats = true\n"
	"observers = [\"wake_latency\"]\n"
	"[[check]]\n"
	"metric = \"web.wake_latency.p99\"\n"
	"phase = \"slow\"\n"
	"max = \"20ms\"\n"
	"[[check]]\n"
	"metric = \"disk.data.delivered_ratio\"\n"
	"between = [\"95%\", 1.05]\n"
	"[[check]]\n"
	"metric = \"map.stats[0].delta\"\n"
	"min = 1.5\n"
	"[[check]]\n"
	"metric = \"sched.events.SCX_EV_SELECT_CPU_FALLBACK\"\n"
	"equals = 0\n"
	"[[check]]\n"
	"metric = \"sched.state\"\n"
	"equals = \"enabled\"\n"
	"[[check]]\n"
	"metric = \"sched.ops.enqueue.count\"\n"
	"min = 1\n"
	"[automatic]\n"
	"gap = \"3s\"\n"
	"cpuset = false\n"
	"telemetry = false\n";

START_TEST(the_resolved_scenario_reads_back_as_the_same_run)
{
	static const char *const texts[] = { whole, LOAD };
	struct scenario *first = parse(texts[_i], NULL), *second;
	char *text = scenario_text(first), *again;
	json_t *a, *b;

	second = parse(text, NULL);
	again = scenario_text(second);
	ck_assert_str_eq(text, again);
	a = plan_new(first, 7);
	b = plan_new(second, 7);
	ck_assert(json_equal(a, b));
	json_decref(a);
	json_decref(b);
	a = plan_checks_new(first);
	b = plan_checks_new(second);
	ck_assert(json_equal(a, b));
	json_decref(a);
	json_decref(b);
	free(text);
	free(again);
	scenario_free(first);
	scenario_free(second);
}
END_TEST

START_TEST(a_plan_has_everything_in_base_units)
{
	struct scenario *s = parse(whole, NULL);
	json_t *plan = plan_new(s, 7);
	json_t *workload = json_array_get(json_object_get(plan, "workloads"),
					  0);
	json_t *scheduler = json_object_get(plan, "scheduler");
	const char *path = json_string_value(json_object_get(scheduler,
							     "path"));

	ck_assert_ptr_nonnull(plan);
	assert_json("\"ktstr.plan/1\"", json_object_get(plan, "schema"));
	assert_json("7", json_object_get(plan, "seed"));
	assert_json("{\"topology\": {\"packages\": 2, \"nodes\": 2, \"llcs\": 4, \"cores_per_llc\": 1, \"threads_per_core\": 2}, \"cpus\": 8, \"memory_bytes\": 1610612736, \"deadline_ns\": 90000000000, \"cmdline_extra\": \"\", \"transport\": null}",
		    json_object_get(plan, "vm"));
	assert_json("[{\"name\": \"data\", \"size_bytes\": 268435456, \"image\": null, \"read_only\": false, \"keep_writes\": false, \"tolerance_ratio\": 0.025, \"throttle\": {\"iops\": 500, \"bps\": 8000000, \"burst_ns\": 20000000, \"latency_ns\": 2000000, \"jitter_ns\": 500000},"
		    "  \"faults\": {\"error_ratio\": 0.025, \"error_from\": 0, \"error_bytes\": 0, \"stall_ns\": 10000000, \"stall_every\": 100, \"stall_at_ns\": 0, \"torn_writes\": false}, \"seed\": 21371594835082, \"queues\": 2},"
		    " {\"name\": \"ro\", \"size_bytes\": 1048576, \"image\": null, \"read_only\": true, \"keep_writes\": false, \"tolerance_ratio\": 0.05, \"throttle\": {\"iops\": 0, \"bps\": 0, \"burst_ns\": 10000000, \"latency_ns\": 0, \"jitter_ns\": 0},"
		    "  \"faults\": {\"error_ratio\": 0.0, \"error_from\": 0, \"error_bytes\": 0, \"stall_ns\": 0, \"stall_every\": 0, \"stall_at_ns\": 0, \"torn_writes\": false}, \"seed\": 1085857449897357, \"queues\": 1}]",
		    json_object_get(plan, "disks"));
	assert_json("{\"name\": \"reader\", \"kind\": \"io_rand_read\", \"workers\": 4, \"disk\": \"data\", \"cgroup\": \"batch/io\", \"cpus\": [4, 5, 6, 7], \"cpu_weight\": 50, \"cpu_max\": {\"quota_ns\": 150000000, \"period_ns\": 100000000}, \"nice\": -5, \"policy\": {\"kind\": \"rr\", \"priority\": 7}, \"params\": {\"block_bytes\": 16384, \"depth\": 1}, \"seed\": 99}",
		    workload);
	assert_json("[0, 2, 3]", json_object_get(
		json_array_get(json_object_get(plan, "workloads"), 1),
		"cpus"));
	assert_json("{\"interval_ns\": 5000000, \"maps\": [{\"name\": \"stats\", \"interval_ns\": 0}, {\"name\": \"*.bss\", \"interval_ns\": 100000000}], \"freeze_every_ns\": 500000000, \"look_gap_ns\": null, \"bpf_stats\": true, \"observers\": [\"wake_latency\"]}",
		    json_object_get(plan, "telemetry"));
	assert_json("\"x\"", json_object_get(scheduler, "name"));
	assert_json("\"object\"", json_object_get(scheduler, "kind"));
	assert_json("\"stall\"", json_object_get(scheduler, "expect"));
	assert_json("{\"slice_ns\": 5000000, \"odd key\": true}",
		    json_object_get(scheduler, "set"));
	ck_assert_msg(path && *path == '/' && strstr(path, "/sub/x.bpf.o"),
		      "%s", path);
	json_decref(plan);
	scenario_free(s);
}
END_TEST

START_TEST(a_phase_without_an_interval_has_the_scenarios)
{
	static const char *const expected[] = { "5000000", "0", "20000000",
						"5000000" };
	struct scenario *s = parse(whole, NULL);
	json_t *plan = plan_new(s, 7), *phase;
	size_t i;

	json_array_foreach(json_object_get(plan, "phases"), i, phase)
		assert_json(expected[i], json_object_get(phase, "interval_ns"));
	ck_assert_uint_eq(4, i);
	json_decref(plan);
	scenario_free(s);
}
END_TEST

static const struct {
	const char *lines, *look_gap_ns;
} look_cases[] = {
	{ "", "1000000000" },
	{ "[automatic]\ngap = \"600ms\"\n", "300000000" },
	{ "[automatic]\nlook = false\n", "null" },
	{ "[automatic]\ngap = false\n", "null" },
	{ "[scheduler]\nbuiltin = \"stall\"\nexpect = \"stall\"\n", "null" },
	{ "[scheduler]\nbuiltin = \"simple\"\nexpect = \"error\"\n", "null" },
	{ "[scheduler]\nbuiltin = \"simple\"\nexpect = \"exit\"\n",
	  "1000000000" },
	{ "[[check]]\nmetric = \"w.run_delay.mean\"\nmax = \"1s\"\n", "null" },
	{ "[[check]]\nmetric = \"w.gap.max\"\nmax = \"1s\"\n", "1000000000" },
};

START_TEST(a_gap_is_looked_at_half_way_where_that_spoils_nothing)
{
	char text[512];
	struct scenario *s;
	json_t *plan;

	snprintf(text, sizeof(text), LOAD "%s", look_cases[_i].lines);
	s = parse(text, NULL);
	plan = plan_new(s, 1);
	assert_json(look_cases[_i].look_gap_ns, json_object_get(
		json_object_get(plan, "telemetry"), "look_gap_ns"));
	json_decref(plan);
	scenario_free(s);
}
END_TEST

START_TEST(a_step_keeps_what_it_does_not_name)
{
	struct scenario *s = parse(whole, NULL);
	json_t *plan = plan_new(s, 7);
	json_t *phases = json_object_get(plan, "phases");

	assert_json("[]", json_object_get(json_array_get(phases, 0), "do"));
	assert_json("[{\"set_throttle\": {\"disk\": \"data\", \"iops\": 50, \"bps\": 8000000, \"burst_ns\": 20000000, \"latency_ns\": 2000000, \"jitter_ns\": 500000}},"
		    "{\"set_faults\": {\"disk\": \"data\", \"error_ratio\": 0.025, \"error_from\": 0, \"error_bytes\": 4096, \"stall_ns\": 10000000, \"stall_every\": 100, \"stall_at_ns\": 0, \"torn_writes\": false}}]",
		    json_object_get(json_array_get(phases, 1), "do"));
	/* the second step stands on the first, not on the disk */
	assert_json("[{\"set_throttle\": {\"disk\": \"data\", \"iops\": 50, \"bps\": 1048576, \"burst_ns\": 20000000, \"latency_ns\": 2000000, \"jitter_ns\": 500000}},"
		    "{\"set_faults\": {\"disk\": \"data\", \"error_ratio\": 0.025, \"error_from\": 0, \"error_bytes\": 4096, \"stall_ns\": 20000000, \"stall_every\": 0, \"stall_at_ns\": 1000000000, \"torn_writes\": false}}]",
		    json_object_get(json_array_get(phases, 2), "do"));
	/* a stall at a time is over by then, all else is still in force */
	assert_json("[{\"set_throttle\": {\"disk\": \"data\", \"iops\": 50, \"bps\": 1048576, \"burst_ns\": 1000000, \"latency_ns\": 0, \"jitter_ns\": 500000}},"
		    "{\"set_faults\": {\"disk\": \"data\", \"error_ratio\": 0.025, \"error_from\": 0, \"error_bytes\": 4096, \"stall_ns\": 0, \"stall_every\": 0, \"stall_at_ns\": 0, \"torn_writes\": true}}, {\"write_map\": {\"var\": null, \"map\": \"m\", \"key\": 1, \"field\": \"a.b\", \"value\": [1, true, \"x\"]}}, {\"freeze\": {\"name\": null, \"after_ns\": 0}}, {\"freeze\": {\"name\": \"mid\", \"after_ns\": 500000000}}]",
		    json_object_get(json_array_get(phases, 3), "do"));
	json_decref(plan);
	scenario_free(s);
}
END_TEST

START_TEST(checks_are_in_base_units_too)
{
	struct scenario *s = parse(whole, NULL);
	json_t *checks = plan_checks_new(s);

	assert_json("[{\"metric\": \"web.wake_latency.p99\", \"phase\": \"slow\", \"op\": \"max\", \"limit\": 20000000, \"unit\": \"ns\"},"
		    "{\"metric\": \"disk.data.delivered_ratio\", \"phase\": null, \"op\": \"between\", \"limit\": [0.95, 1.05], \"unit\": \"ratio\"},"
		    "{\"metric\": \"map.stats[0].delta\", \"phase\": null, \"op\": \"min\", \"limit\": 1.5, \"unit\": \"\"},"
		    "{\"metric\": \"sched.events.SCX_EV_SELECT_CPU_FALLBACK\", \"phase\": null, \"op\": \"equals\", \"limit\": 0, \"unit\": \"\"},"
		    "{\"metric\": \"sched.state\", \"phase\": null, \"op\": \"equals\", \"limit\": \"enabled\", \"unit\": \"\"},"
		    "{\"metric\": \"sched.ops.enqueue.count\", \"phase\": null, \"op\": \"min\", \"limit\": 1, \"unit\": \"\"}]",
		    json_object_get(checks, "checks"));
	assert_json("{\"progress\": true, \"gap_ns\": 3000000000, \"cpuset\": false, \"scheduler\": true, \"disk\": true, \"telemetry\": 0.0, \"guest\": true, \"program\": true, \"fairness\": 0.95, \"noise\": 0.1}",
		    json_object_get(checks, "automatic"));
	json_decref(checks);
	scenario_free(s);
}
END_TEST

START_TEST(what_is_left_out_has_its_default)
{
	struct scenario *s = parse(LOAD, NULL);

	ck_assert_uint_eq(4, s->vm.topology.cpus);
	ck_assert_uint_eq(512 << 20, s->vm.memory_bytes);
	ck_assert_uint_eq(120000000000, s->vm.deadline_ns);
	ck_assert_ptr_null(s->scheduler.base.node);
	ck_assert_uint_eq(1, s->nr_phases);
	ck_assert_str_eq("run", s->phases[0].name);
	ck_assert_uint_eq(5000000000, s->phases[0].duration_ns);
	ck_assert(s->phases[0].measure);
	ck_assert_uint_eq(1, s->workloads[0].workers);
	ck_assert_uint_eq(100, s->workloads[0].cpu_weight);
	ck_assert_str_eq("w", s->workloads[0].cgroup);
	ck_assert_uint_eq(10000000, s->telemetry.interval_ns);
	ck_assert_uint_eq(2000000000, s->automatic.gap_ns);
	scenario_free(s);
}
END_TEST

START_TEST(a_workload_without_a_seed_gets_its_own_of_the_run)
{
	struct scenario *s = parse(LOAD "[[workload]]\nname = \"x\"\nkind = \"spin\"\n", NULL);
	json_t *one = plan_new(s, 1), *two = plan_new(s, 2);
	json_t *a = json_object_get(one, "workloads");
	json_t *b = json_object_get(two, "workloads");
	json_int_t seeds[4];
	int i, j;

	for (i = 0; i < 4; i++) {
		seeds[i] = json_integer_value(json_object_get(
			json_array_get(i / 2 ? b : a, i % 2), "seed"));
		ck_assert_int_ge(seeds[i], 0);
		ck_assert_int_le(seeds[i], PLAN_SEED_MAX);
		for (j = 0; j < i; j++)
			ck_assert_int_ne(seeds[i], seeds[j]);
	}
	json_decref(one);
	json_decref(two);
	scenario_free(s);
}
END_TEST

static const struct set_case {
	const char *set[4];
	const char *scheduler;
	const char *expect;	/* a line of the printed scenario */
} set_cases[] = {
	{ { "vm.memory=1G" }, NULL, "\nmemory = \"1G\"\n" },
	{ { "vm.memory=268435456" }, NULL, "\nmemory = \"256M\"\n" },
	{ { "disk.data.throttle.iops=50" }, NULL,
	  "throttle = { iops = 50, bps = \"8MB/s\", burst = \"20ms\", latency = \"2ms\", jitter = \"500us\" }" },
	{ { "disk.1.read_only=false", "disk.ro.size=\"2M\"" }, NULL,
	  "name = \"ro\"\nsize = \"2M\"" },
	{ { "disk.ro.throttle.bps=8MB/s" }, NULL,
	  "throttle = { iops = 0, bps = \"8MB/s\", burst = \"10ms\", latency = \"0ns\", jitter = \"0ns\" }" },
	{ { "disk.data.faults.error_rate=0.5" }, NULL,
	  "faults = { error_rate = 0.5, error_from = \"0B\", error_size = \"0B\", stall = \"10ms\", stall_every = 100, stall_at = \"0ns\", torn_writes = false }" },
	{ { "workload.web.params={ burst = \"3ms\" }" }, NULL,
	  "params = { burst = \"3ms\", sleep = \"100ms\" }" },
	{ { "workload.web.nice=5", "workload.web.nice=6" }, NULL,
	  "\nnice = 6\n" },
	{ { "check.0.max=30ms" }, NULL, "\nmax = \"30ms\"\n" },
	{ { "scheduler.set.\"a.b\"=3" }, NULL, "\"a.b\" = 3" },
	{ { "description=no TOML = at all" }, NULL,
	  "description = \"no TOML = at all\"\n" },
	{ { NULL }, "fifo",
	  "\n[scheduler]\nbuiltin = \"fifo\"\nexpect = \"stall\"\n" },
	{ { "scheduler.set.slice_ns=1" }, "fifo",
	  "\nset = { slice_ns = 1 }\n" },
};

START_TEST(set_changes_the_scenario_before_it_is_checked)
{
	const struct set_case *c = &set_cases[_i];
	struct scenario_overrides o = { .set = c->set,
					.scheduler = c->scheduler };
	struct scenario *s = parse(whole, &o);
	char *text = scenario_text(s);

	ck_assert_msg(strstr(text, c->expect), "no %s in\n%s", c->expect,
		      text);
	free(text);
	scenario_free(s);
}
END_TEST

START_TEST(scheduler_none_is_the_kernels_default)
{
	struct scenario_overrides o = { .scheduler = "none" };
	struct scenario *s = parse(whole, &o);
	json_t *plan = plan_new(s, 1);

	assert_json("null", json_object_get(plan, "scheduler"));
	json_decref(plan);
	scenario_free(s);
}
END_TEST

static const struct {
	const char *set;
	const char *scheduler;
	const char *error, *hint;
} bad_sets[] = {
	{ "vm.memry=1G", NULL,
	  "--set vm.memry=1G: error: unknown key \"memry\" in [vm]",
	  "did you mean \"memory\"?" },
	{ "vm.memory=17G", NULL,
	  "--set vm.memory=17G: error: memory must be between 128M and 16G, not 17G",
	  NULL },
	{ "disk.dat.size=1M", NULL,
	  "--set disk.dat.size=1M: error: there is no disk \"dat\"",
	  "did you mean \"data\"?" },
	{ "disk.7.size=1M", NULL,
	  "--set disk.7.size=1M: error: there is no disk \"7\"", NULL },
	{ "disk.data=1", NULL,
	  "--set disk.data=1: error: a whole element of disk can't be set",
	  "name one of its keys: --set disk.data.KEY=VALUE" },
	{ "name.x=1", NULL, "--set name.x=1: error: name is not a table",
	  NULL },
	{ "vm.memory", NULL, "--set vm.memory: error: this is not KEY=VALUE",
	  "*" },
	{ "=1", NULL, "--set =1: error: this is not KEY=VALUE", "*" },
	{ "vm..memory=1", NULL,
	  "--set vm..memory=1: error: the part before '=' is not a key", "*" },
	{ "vm.=1", NULL,
	  "--set vm.=1: error: the part before '=' is not a key", "*" },
	{ "\"vm=1", NULL,
	  "--set \"vm=1: error: the part before '=' is not a key", "*" },
	{ "description=\"a\"\nname=\"b\"", NULL, "", NULL },
	{ NULL, "simpel",
	  "--scheduler simpel: error: there is no builtin scheduler \"simpel\"",
	  "did you mean \"simple\"?" },
	{ NULL, "/nowhere/x.bpf.o",
	  "--scheduler /nowhere/x.bpf.o: error: No such file or directory",
	  NULL },
};

START_TEST(an_error_of_an_option_names_the_option)
{
	const char *set[] = { bad_sets[_i].set, NULL };
	struct scenario_overrides o = { .set = set,
					.scheduler = bad_sets[_i].scheduler };
	struct scenario *s = NULL;
	struct diag d;
	char line[512];
	int err;

	diag_init(&d, "t.toml");
	err = scenario_parse("t.toml", whole, strlen(whole), &o, &s, &d);
	if (!*bad_sets[_i].error) {
		/* a second line is text, not a second key */
		ck_assert_int_eq(0, err);
		ck_assert_str_eq("\"a\"\nname=\"b\"", s->description);
		scenario_free(s);
		return;
	}
	ck_assert_int_eq(-EINVAL, err);
	snprintf(line, sizeof(line), "%s: error: %s", d.entries[0].where,
		 d.entries[0].message);
	ck_assert_str_eq(bad_sets[_i].error, line);
	if (bad_sets[_i].hint)
		ck_assert(d.entries[0].hint &&
			  text_matches(bad_sets[_i].hint, d.entries[0].hint));
	else
		ck_assert_ptr_null(d.entries[0].hint);
	diag_fini(&d);
}
END_TEST

/* Whatever the bytes, the parser answers; the sanitizers watch. */
START_TEST(a_scenario_cut_anywhere_does_no_harm)
{
	struct scenario *s;
	struct diag d;
	size_t len;

	for (len = 0; len < sizeof(whole) - 1; len++) {
		diag_init(&d, "t.toml");
		if (!scenario_parse("t.toml", whole, len, NULL, &s, &d))
			scenario_free(s);
		diag_fini(&d);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scenario");
	TCase *tc = tcase_create("scenario");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc,
			    the_resolved_scenario_reads_back_as_the_same_run,
			    0, 2);
	tcase_add_test(tc, a_plan_has_everything_in_base_units);
	tcase_add_test(tc, a_phase_without_an_interval_has_the_scenarios);
	tcase_add_loop_test(tc,
		a_gap_is_looked_at_half_way_where_that_spoils_nothing, 0,
		sizeof(look_cases) / sizeof(look_cases[0]));
	tcase_add_test(tc, a_step_keeps_what_it_does_not_name);
	tcase_add_test(tc, checks_are_in_base_units_too);
	tcase_add_test(tc, what_is_left_out_has_its_default);
	tcase_add_test(tc, a_workload_without_a_seed_gets_its_own_of_the_run);
	tcase_add_loop_test(tc, set_changes_the_scenario_before_it_is_checked,
			    0, ARRAY_SIZE(set_cases));
	tcase_add_test(tc, scheduler_none_is_the_kernels_default);
	tcase_add_loop_test(tc, an_error_of_an_option_names_the_option, 0,
			    ARRAY_SIZE(bad_sets));
	tcase_add_test(tc, a_scenario_cut_anywhere_does_no_harm);
	suite_add_tcase(s, tc);
	return test_run(s);
}
