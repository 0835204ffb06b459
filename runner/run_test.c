// SPDX-License-Identifier: GPL-2.0-only
/* The whole run command, with a launcher that starts nothing. */
#include "runner/run.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/path.h"
#include "lib/test_run.h"
#include "runner/result.h"
#include "runner/rundir.h"
#include "runner/status.h"

/* What the launcher's double is to do; one command runs at a time. */
static struct {
	struct launch_result prepare[4], run[4];
	const char *iterations[4];	/* of the worker; NULL: no facts */
	unsigned int prepared, ran;
	json_int_t seeds[4];
	struct launch_opts opts;
	char kernel[64];
	char out_dir[256];
	bool on_terminal;	/* stderr is one */
} fake;

static char *tmp;	/* the test's folder, and where it runs */
static char *out_text;	/* stdout of the last command */
static char *err_text;

static void fake_prepare(const struct launch_opts *opts, json_t *plan,
			 struct launch_result *res)
{
	fake.opts = *opts;
	snprintf(fake.kernel, sizeof(fake.kernel), "%s",
		 opts->kernel ? opts->kernel : "");
	ck_assert_uint_lt(fake.prepared, 4);
	json_object_set_new(json_object_get(plan, "kernel"), "release",
			    json_string("7.3.4-fake"));
	*res = fake.prepare[fake.prepared++];
	if (res->status == LAUNCH_OK)
		strcpy(res->accel, "emulated");
}

static json_t *facts_of(const char *iterations)
{
	char text[2048];
	json_error_t error;
	json_t *facts;

	snprintf(text, sizeof(text),
		 "{\"end\": {\"kind\": \"done\", \"stage\": \"done\", \"console_tail\": [\"one\", \"the last line\"]},"
		 " \"agent\": {\"fatal\": null, \"topology_ok\": true, \"kmsg_problems\": []},"
		 " \"kernel\": {\"release\": \"7.3.4-guest\", \"config_hash\": \"c\"},"
		 " \"vm\": {\"accel\": \"emulated\"}, \"host\": {\"time_floor_ns\": 1000},"
		 " \"telemetry\": {\"expected\": 10, \"taken\": 10}, \"seed\": 1,"
		 " \"timing\": {\"boot_ms\": 5}, \"scheduler\": null,"
		 " \"workloads\": {\"w\": {\"iterations\": %s}},"
		 " \"phases\": [{\"name\": \"run\", \"measure\": true, \"complete\": true,"
		 "  \"workloads\": {\"w\": {\"gap_ns\": {\"max\": 5}, \"cpuset_violations\": 0,"
		 "   \"workers_detail\": [{\"index\": 0, \"iterations\": %s, \"gap_max_ns\": 5}]}}}]}",
		 iterations, iterations);
	facts = json_loads(text, 0, &error);
	ck_assert_msg(facts, "%s", error.text);
	return facts;
}

static void fake_run(const struct launch_opts *opts, json_t *plan,
		     struct launch_result *res, json_t **facts)
{
	unsigned int i = fake.ran++;

	ck_assert_uint_lt(i, 4);
	fake.seeds[i] = json_integer_value(json_object_get(plan, "seed"));
	snprintf(fake.out_dir, sizeof(fake.out_dir), "%s", opts->out_dir);
	status_begin(opts->status, plan);
	status_end(opts->status);
	*res = fake.run[i];
	strcpy(res->accel, "emulated");
	*facts = fake.iterations[i] ? facts_of(fake.iterations[i]) : NULL;
}

static const struct run_ops ops = { fake_prepare, fake_run };

#define SCENARIO(name) \
	"schema = 1\nname = \"" name "\"\n[[workload]]\nname = \"w\"\nkind = \"spin\"\n" \
	"[[check]]\nmetric = \"w.iterations\"\nmin = 10\n"

static void write_text(const char *name, const char *text)
{
	ck_assert_int_eq(0, path_write_file(name, text, strlen(text)));
}

static void set_up(void)
{
	char template[] = "/tmp/ktstr-run-test-XXXXXX";
	unsigned int i;

	memset(&fake, 0, sizeof(fake));
	for (i = 0; i < 4; i++)
		fake.iterations[i] = "20";
	tmp = strdup(mkdtemp(template));
	ck_assert_ptr_nonnull(tmp);
	ck_assert_int_eq(0, chdir(tmp));
	write_text("a.toml", SCENARIO("a"));
}

static void tear_down(void)
{
	ck_assert_int_eq(0, chdir("/"));
	path_remove_tree(tmp);
	free(tmp);
	free(out_text);
	free(err_text);
}

/* Returns what becomes stderr, and in @from where that is read. */
static int open_stderr(int *from)
{
	int fd;

	if (!fake.on_terminal) {
		*from = open("/tmp", O_TMPFILE | O_RDWR, 0600);
		ck_assert_int_ge(*from, 0);
		return dup(*from);
	}
	*from = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	ck_assert_int_ge(*from, 0);
	ck_assert_int_eq(0, grantpt(*from));
	ck_assert_int_eq(0, unlockpt(*from));
	fd = open(ptsname(*from), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(fd, 0);
	setenv("TERM", "xterm", 1);
	return fd;
}

/* Run `ktstr run ...`; the words are separated by single spaces. */
static int command(const char *words)
{
	char *argv[24], *copy = strdup(words), *save, *p;
	int argc = 0, code, err_fd, from, saved = dup(2);
	size_t len;
	ssize_t n;
	FILE *f;

	for (p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	argv[argc] = NULL;
	err_fd = open_stderr(&from);
	ck_assert_int_ge(err_fd, 0);
	dup2(err_fd, 2);
	free(out_text);
	f = open_memstream(&out_text, &len);
	code = cmd_run_with(&ops, argc, argv, f);
	fclose(f);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	free(err_text);
	err_text = calloc(1, 8192);
	if (!fake.on_terminal)
		ck_assert_int_eq(0, lseek(from, 0, SEEK_SET));
	for (len = 0; (n = read(from, err_text + len, 8191 - len)) > 0;)
		len += n;
	close(err_fd);
	close(from);
	free(copy);
	return code;
}

static json_t *load(const char *dir, const char *name)
{
	char *path = path_join(dir, name);
	json_error_t error;
	json_t *json = json_load_file(path, 0, &error);

	ck_assert_msg(json, "%s: %s", path, error.text);
	free(path);
	return json;
}

static const char *text_of(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

START_TEST(a_run_that_passes_exits_with_0_and_leaves_its_files)
{
	json_t *result;
	char *path;

	ck_assert_int_eq(0, command("run a.toml --seed 7"));
	ck_assert_msg(!strncmp(out_text, "PASS a: 7 checks held\n", 22), "%s",
		      out_text);
	ck_assert_ptr_nonnull(strstr(out_text, fake.out_dir));
	/* the console is for runs that did not pass */
	ck_assert_ptr_null(strstr(out_text, "the last line"));
	ck_assert_msg(!strncmp(fake.out_dir, "ktstr-results/", 14), "%s",
		      fake.out_dir);
	ck_assert_ptr_nonnull(strstr(fake.out_dir, "-a-"));
	ck_assert_int_eq(7, fake.seeds[0]);

	result = load(fake.out_dir, "result.json");
	ck_assert_str_eq("ktstr.result/1", text_of(result, "schema"));
	ck_assert_str_eq("pass", text_of(result, "verdict"));
	json_decref(result);
	path = path_join(fake.out_dir, "scenario.toml");
	ck_assert_int_eq(0, access(path, R_OK));
	free(path);
}
END_TEST

START_TEST(a_result_has_every_key_of_the_contract)
{
	static const char *const keys[] = {
		"schema", "scenario", "verdict", "reason", "checks", "kernel",
		"scheduler", "vm", "seed", "timing", "phases", "workloads",
		"disks", "sched", "maps", "host", "versions",
	};
	json_t *result, *vm, *scenario, *kernel;
	size_t i;

	command("run a.toml");
	result = load(fake.out_dir, "result.json");
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		ck_assert_msg(json_object_get(result, keys[i]), "no %s",
			      keys[i]);
	ck_assert_uint_eq(i, json_object_size(result));
	scenario = json_object_get(result, "scenario");
	ck_assert_str_eq("a", text_of(scenario, "name"));
	ck_assert_uint_eq(64, strlen(text_of(scenario, "hash")));
	ck_assert(json_is_null(json_object_get(scenario, "variant")));
	kernel = json_object_get(result, "kernel");
	ck_assert_str_eq("7.3.4-guest", text_of(kernel, "release"));
	vm = json_object_get(result, "vm");
	ck_assert_str_eq("1n1l4c1t", text_of(vm, "topology"));
	ck_assert_str_eq("emulated", text_of(vm, "accel"));
	/* the launcher chooses it, and this one did not */
	ck_assert(json_is_null(json_object_get(vm, "transport")));
	ck_assert_int_eq(512 << 20, json_integer_value(
		json_object_get(vm, "memory_bytes")));
	ck_assert_str_eq("none", text_of(json_object_get(result, "scheduler"),
					 "name"));
	/* undefined is null */
	ck_assert(json_is_null(json_object_get(result, "maps")));
	json_decref(result);
}
END_TEST

START_TEST(a_run_that_fails_exits_with_1_and_shows_the_console)
{
	fake.iterations[0] = "3";
	ck_assert_int_eq(1, command("run a.toml"));
	ck_assert_msg(!strncmp(out_text, "FAIL a: w.iterations: 3 is less than 10\n", 40),
		      "%s", out_text);
	ck_assert_ptr_nonnull(strstr(out_text, "the last line"));
	ck_assert_ptr_nonnull(strstr(out_text, "w.iterations"));
}
END_TEST

static const struct {
	enum launch_status status;
	bool in_prepare, facts;
	int code;
	const char *line;
} statuses[] = {
	{ LAUNCH_SKIP, true, false, 4, "SKIP a: because\n" },
	{ LAUNCH_ERROR, true, false, 6, "ERROR a: because\n" },
	{ LAUNCH_ERROR, false, false, 6, "ERROR a: because\n" },
	{ LAUNCH_MACHINE_FAULT, false, true, 6, "ERROR a: because\n" },
	{ LAUNCH_OK, false, false, 6, "ERROR a: the run left no facts\n" },
};

START_TEST(a_launch_that_fails_still_leaves_a_result)
{
	struct launch_result *res = statuses[_i].in_prepare ?
				    fake.prepare : fake.run;
	json_t *all;

	res->status = statuses[_i].status;
	strcpy(res->reason, "because");
	if (!statuses[_i].facts)
		fake.iterations[0] = NULL;
	ck_assert_int_eq(statuses[_i].code, command("run a.toml --json r.json"));
	ck_assert_msg(!strncmp(out_text, statuses[_i].line,
			       strlen(statuses[_i].line)), "%s", out_text);
	all = load(".", "r.json");
	ck_assert(json_is_object(all));
	ck_assert_uint_eq(17, json_object_size(all));
	ck_assert_str_eq("7.3.4-fake", statuses[_i].facts ? "7.3.4-fake" :
			 text_of(json_object_get(all, "kernel"), "release"));
	json_decref(all);
}
END_TEST

START_TEST(a_scenario_that_cannot_be_run_is_usage_and_leaves_nothing)
{
	fake.prepare[0].status = LAUNCH_USAGE;
	strcpy(fake.prepare[0].reason, "x.bpf.c does not compile");
	ck_assert_int_eq(2, command("run a.toml -n 3"));
	ck_assert_uint_eq(1, fake.prepared);
	ck_assert_uint_eq(0, fake.ran);
	ck_assert_ptr_nonnull(strstr(err_text, "a.toml: x.bpf.c does not compile"));
	/* the folder of all runs is there, and empty */
	ck_assert_int_eq(0, rmdir(RUNDIR_DEFAULT));
}
END_TEST

START_TEST(ctrl_c_writes_what_there_is_and_ends_the_batch)
{
	json_t *result;

	fake.run[1].status = LAUNCH_INTERRUPTED;
	fake.run[1].signal = SIGINT;
	fake.iterations[1] = _i ? "3" : NULL;
	ck_assert_int_eq(128 + SIGINT,
			 command("run a.toml -n 3 --json all.json"));
	ck_assert_uint_eq(2, fake.ran);
	result = load(".", "all.json");
	ck_assert_uint_eq(2, json_array_size(result));
	json_decref(result);
	result = load(fake.out_dir, "result.json");
	ck_assert_str_eq(_i ? "fail" : "inconclusive",
			 text_of(result, "verdict"));
	if (!_i)
		ck_assert_str_eq("interrupted by SIGINT",
				 text_of(result, "reason"));
	json_decref(result);
}
END_TEST

START_TEST(several_that_were_cut_to_one_are_still_an_array)
{
	json_t *results;

	fake.run[0].status = LAUNCH_INTERRUPTED;
	fake.run[0].signal = SIGTERM;
	ck_assert_int_eq(128 + SIGTERM,
			 command("run a.toml -n 3 --json all.json"));
	results = load(".", "all.json");
	ck_assert_uint_eq(1, json_array_size(results));
	json_decref(results);
}
END_TEST

START_TEST(the_worst_of_several_decides)
{
	static const struct {
		enum launch_status second;
		const char *iterations[2];
		int code;
		const char *tally;
	} cases[] = {
		{ LAUNCH_OK, { "20", "20" }, 0, "\n2 runs: 2 pass\n" },
		{ LAUNCH_OK, { "3", "20" }, 1, "\n2 runs: 1 fail, 1 pass\n" },
		{ LAUNCH_SKIP, { "20", NULL }, 0, "\n2 runs: 1 pass, 1 skip\n" },
		{ LAUNCH_SKIP, { "null", NULL }, 5, "\n2 runs: 1 inconclusive, 1 skip\n" },
		{ LAUNCH_ERROR, { "3", NULL }, 6, "\n2 runs: 1 error, 1 fail\n" },
	};

	fake.prepare[1].status = cases[_i].second;
	fake.iterations[0] = cases[_i].iterations[0];
	fake.iterations[1] = cases[_i].iterations[1];
	write_text("b.toml", SCENARIO("b"));
	ck_assert_int_eq(cases[_i].code, command("run a.toml b.toml"));
	ck_assert_msg(strstr(out_text, cases[_i].tally), "%s", out_text);
}
END_TEST

START_TEST(json_to_stdout_is_nothing_else)
{
	json_error_t error;
	json_t *json;

	ck_assert_int_eq(0, command(_i ? "run a.toml -n 2 --json -" :
				    "run a.toml --json -"));
	json = json_loads(out_text, 0, &error);
	ck_assert_msg(json, "%s: %s", error.text, out_text);
	if (_i)
		ck_assert_uint_eq(2, json_array_size(json));
	else
		ck_assert_str_eq("pass", text_of(json, "verdict"));
	json_decref(json);
}
END_TEST

START_TEST(boots_have_seeds_that_follow_one_another)
{
	ck_assert_int_eq(0, command("run a.toml -n 3 --seed 40"));
	ck_assert_int_eq(40, fake.seeds[0]);
	ck_assert_int_eq(41, fake.seeds[1]);
	ck_assert_int_eq(42, fake.seeds[2]);
}
END_TEST

START_TEST(out_is_the_run_directory_and_never_overwritten)
{
	ck_assert_int_eq(0, command("run a.toml --out o/deep"));
	ck_assert_str_eq("o/deep", fake.out_dir);
	ck_assert_int_eq(2, command("run a.toml --out o/deep"));
	ck_assert_ptr_nonnull(strstr(err_text, "o/deep is not empty"));
	ck_assert_uint_eq(1, fake.ran);
	/* several runs each get their own below it */
	ck_assert_int_eq(0, command("run a.toml -n 2 --out o/deep"));
	ck_assert_msg(!strncmp(fake.out_dir, "o/deep/", 7), "%s",
		      fake.out_dir);
}
END_TEST

/* The arms take turns, share a seed, and come to one result. */
START_TEST(a_control_runs_in_turns_and_in_one_result)
{
	json_error_t error;
	json_t *result, *control;

	ck_assert_int_eq(0, command("run a.toml --control -n 2 --seed 4 --out o"));
	ck_assert_uint_eq(4, fake.ran);
	ck_assert_int_eq(4, fake.seeds[0]);
	ck_assert_int_eq(4, fake.seeds[1]);
	ck_assert_int_eq(5, fake.seeds[2]);
	ck_assert_int_eq(5, fake.seeds[3]);
	result = json_load_file("o/result.json", 0, &error);
	ck_assert_msg(result, "%s", error.text);
	control = json_object_get(result, "control");
	ck_assert_uint_eq(4, json_array_size(json_object_get(control,
							     "runs")));
	ck_assert_str_eq("pass", text_of(control, "verdict"));
	ck_assert_int_eq(0, access("o/control/scenario.toml", F_OK));
	ck_assert_int_eq(0, access("o/boot-2/scenario.toml", F_OK));
	ck_assert_int_eq(0, access("o/control-2/scenario.toml", F_OK));
	json_decref(result);
}
END_TEST

START_TEST(a_ratio_asks_for_its_control_by_itself)
{
	static const char more[] =
		SCENARIO("r") "[[check]]\nmetric = \"w.iterations\"\nmin_ratio_to_control = 0.8\n";

	write_text("r.toml", more);
	ck_assert_int_eq(0, command("run r.toml --seed 4"));
	ck_assert_uint_eq(2, fake.ran);
	ck_assert_ptr_nonnull(strstr(out_text, ">= 0.8 x control"));
	/* an even seed: the scheduler begins; now it is the worse one */
	fake.iterations[2] = "15";
	ck_assert_int_eq(1, command("run r.toml --seed 4"));
	ck_assert_ptr_nonnull(strstr(out_text, "0.75 x the control"));
}
END_TEST

static const struct {
	const char *words;
	bool on_terminal;
	const char *want;	/* each after its own erasure; NULL: no escape */
} live[] = {
	{ "run a.toml", true, "a: starting" },
	{ "run a.toml -n 2 b.toml", true, "1/4 a: starting|2/4 a: starting|3/4 b: starting|4/4 b: starting" },
	{ "run b.toml --control -n 2 --seed 4", true,
	  "b (scheduler 1/2): starting|b (control 1/2): starting|b (scheduler 2/2): starting|b (control 2/2): starting" },
	{ "run a.toml --control b.toml --seed 4", true,
	  "1/2 a (scheduler 1/1): starting|1/2 a (control 1/1): starting|2/2 b (scheduler 1/1): starting" },
	{ "run a.toml -q", true, NULL },
	{ "run a.toml", false, NULL },
};

START_TEST(the_live_line_says_which_of_the_runs_it_is)
{
	char *want = live[_i].want ? strdup(live[_i].want) : NULL;
	char *save, *part, *at;

	write_text("b.toml", SCENARIO("b"));
	fake.on_terminal = live[_i].on_terminal;
	ck_assert_int_eq(0, command(live[_i].words));
	if (!want)
		ck_assert_ptr_null(strchr(err_text, '\033'));
	at = err_text;
	for (part = want ? strtok_r(want, "|", &save) : NULL; part;
	     part = strtok_r(NULL, "|", &save)) {
		at = strstr(at, "\r\033[K");
		ck_assert_msg(at && !strncmp(at + 4, part, strlen(part)),
			      "want %s, got %s", part, at ? at + 4 : "nothing");
		/* and it is erased before the next */
		at = strstr(at + 4, "\r\033[K");
		ck_assert_ptr_nonnull(at);
		at += 4;
	}
	free(want);
}
END_TEST

START_TEST(a_control_that_fails_to_run_is_an_error)
{
	fake.run[1] = (struct launch_result){ .status = LAUNCH_ERROR,
					      .reason = "no memory" };
	fake.iterations[1] = NULL;
	ck_assert_int_eq(6, command("run a.toml --control --seed 4"));
	ck_assert_ptr_nonnull(strstr(out_text, "a boot of the control: no memory"));
}
END_TEST

START_TEST(dry_run_and_print_config_start_nothing)
{
	json_error_t error;
	json_t *plan;

	ck_assert_int_eq(0, command("run a.toml --dry-run --seed 5 --set vm.memory=1G"));
	plan = json_loads(out_text, 0, &error);
	ck_assert_msg(plan, "%s", error.text);
	ck_assert_str_eq("ktstr.plan/1", text_of(plan, "schema"));
	ck_assert_int_eq(1 << 30, json_integer_value(json_object_get(
		json_object_get(plan, "vm"), "memory_bytes")));
	json_decref(plan);
	ck_assert_int_eq(0, command("run a.toml --dry-run --transport mmio"));
	plan = json_loads(out_text, 0, &error);
	ck_assert_str_eq("mmio", text_of(json_object_get(plan, "vm"),
					 "transport"));
	json_decref(plan);
	ck_assert_int_eq(0, command("run a.toml --print-config"));
	ck_assert_ptr_nonnull(strstr(out_text, "\n[vm]\n"));
	ck_assert_uint_eq(0, fake.prepared);
	ck_assert_int_ne(0, access(RUNDIR_DEFAULT, F_OK));
}
END_TEST

START_TEST(a_folder_stands_for_its_scenarios)
{
	ck_assert_int_eq(0, mkdir("d", 0777));
	write_text("d/z.toml", SCENARIO("z"));
	write_text("d/y.toml", SCENARIO("y"));
	write_text("d/not-one.txt", "nonsense");
	ck_assert_int_eq(0, command("run d"));
	ck_assert_uint_eq(2, fake.ran);
	ck_assert(strstr(out_text, "PASS y:") < strstr(out_text, "PASS z:"));
	ck_assert_ptr_nonnull(strstr(out_text, "PASS y:"));
}
END_TEST

START_TEST(without_a_name_it_is_scenario_toml)
{
	ck_assert_int_eq(2, command("run"));
	ck_assert_ptr_nonnull(strstr(err_text, "there is no ./scenario.toml"));
	write_text("scenario.toml", SCENARIO("here"));
	ck_assert_int_eq(0, command("run"));
	ck_assert_ptr_nonnull(strstr(out_text, "PASS here:"));
}
END_TEST

static const struct {
	const char *words, *error;
} misuse[] = {
	{ "run nowhere.toml", "nowhere.toml: error: No such file or directory" },
	{ "run a.toml --scheduller x", "did you mean --scheduler?" },
	{ "run a.toml --ktap --json -", "both want stdout" },
	{ "run a.toml -j 2", "-j with more than 1 is not supported yet" },
	{ "run a.toml -n 0", "-n 0: not a number from 1 to 100000" },
	{ "run a.toml --seed -1", "--seed -1: not a number" },
	{ "run a.toml --accel gpu", "not one of auto, kvm, emulated" },
	{ "run a.toml --transport isa", "not one of pci, mmio" },
	{ "run a.toml --set vm.memry=1G", "did you mean \"memory\"?" },
	{ "run a.toml --scheduler simpel", "did you mean \"simple\"?" },
	{ "run empty", "no *.toml in it" },
	{ "run a.toml bad.toml", "bad.toml:1:" },
};

START_TEST(misuse_exits_with_2_and_a_hint_and_runs_nothing)
{
	ck_assert_int_eq(0, mkdir("empty", 0777));
	write_text("bad.toml", "nonsense");
	ck_assert_int_eq(2, command(misuse[_i].words));
	ck_assert_msg(strstr(err_text, misuse[_i].error), "%s", err_text);
	ck_assert_uint_eq(0, fake.prepared);
	ck_assert_str_eq("", out_text);
}
END_TEST

START_TEST(ktap_accounts_for_every_run_and_is_all_of_stdout)
{
	fake.iterations[1] = "3";
	write_text("b.toml", SCENARIO("b"));
	ck_assert_int_eq(1, command("run a.toml b.toml --ktap"));
	ck_assert_msg(!strncmp(out_text, "KTAP version 1\n1..2\n"
			       "  KTAP version 1\n  # Subtest: a\n  1..7\n",
			       58), "%s", out_text);
	ck_assert_ptr_nonnull(strstr(out_text, "\nok 1 a\n"));
	ck_assert_ptr_nonnull(strstr(out_text,
		"\nnot ok 2 b # fail: w.iterations: 3 is less than 10\n"));
	ck_assert_ptr_null(strstr(out_text, "runs:"));
}
END_TEST

START_TEST(ktap_keeps_its_plan_when_interrupted_or_not_to_be_run)
{
	if (_i) {
		fake.prepare[0].status = LAUNCH_USAGE;
	} else {
		fake.run[0].status = LAUNCH_INTERRUPTED;
		fake.run[0].signal = SIGINT;
	}
	ck_assert_int_eq(_i ? 2 : 128 + SIGINT,
			 command("run a.toml -n 3 --ktap"));
	ck_assert_ptr_nonnull(strstr(out_text, "\n1..3\n"));
	ck_assert_ptr_nonnull(strstr(out_text, _i ?
		"\nnot ok 1 a boot 1 # ERROR it can't be run" :
		"\nok 1 a boot 1 # SKIP inconclusive: interrupted by SIGINT\n"));
	ck_assert_ptr_nonnull(strstr(out_text, "\nok 2 a boot 2 # SKIP not run"));
	ck_assert_ptr_nonnull(strstr(out_text, "\nok 3 a boot 3 # SKIP not run"));
}
END_TEST

START_TEST(junit_is_written_beside_the_report)
{
	char text[4096] = "";
	FILE *f;

	fake.iterations[1] = "3";
	ck_assert_int_eq(1, command("run a.toml -n 2 --junit j.xml"));
	ck_assert_ptr_nonnull(strstr(out_text, "PASS a"));
	f = fopen("j.xml", "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "tests=\"14\" failures=\"1\""));
	/* where it can't be written, that is no pass */
	ck_assert_int_eq(6, command("run a.toml --junit no/such/dir.xml"));
}
END_TEST

static const struct {
	struct launch_result prepare;
	const char *iterations;
	const char *words;
	int code;
} bisects[] = {
	{ { 0 }, "20", "run a.toml --git-bisect", 0 },
	{ { 0 }, "3", "run a.toml --git-bisect", 1 },
	{ { 0 }, "null", "run a.toml --git-bisect", 125 },
	{ { .status = LAUNCH_ERROR }, "20", "run a.toml --git-bisect", 125 },
	{ { .status = LAUNCH_ERROR, .host_unfit = true }, "20", "run a.toml --git-bisect", 129 },
	{ { .status = LAUNCH_SKIP }, "20", "run a.toml --git-bisect", 125 },
	{ { .status = LAUNCH_SKIP, .host_unfit = true }, "20", "run a.toml --git-bisect", 129 },
	{ { .status = LAUNCH_USAGE }, "20", "run a.toml --git-bisect", 129 },
	{ { .status = LAUNCH_USAGE, .no_compile = true }, "20", "run a.toml --git-bisect", 125 },
	{ { 0 }, "20", "run --no-such --git-bisect a.toml", 129 },
	{ { 0 }, "20", "run --git-bisect nowhere.toml", 129 },
	{ { 0 }, "20", "run a.toml --git-bisect --junit no/such/dir.xml", 125 },
	{ { .status = LAUNCH_INTERRUPTED, .signal = SIGINT }, "20", "run a.toml --git-bisect", 130 },
};

START_TEST(git_bisect_gets_the_codes_of_its_own)
{
	if (bisects[_i].prepare.signal)
		fake.run[0] = bisects[_i].prepare;
	else
		fake.prepare[0] = bisects[_i].prepare;
	fake.iterations[0] = bisects[_i].iterations;
	ck_assert_int_eq(bisects[_i].code, command(bisects[_i].words));
}
END_TEST

START_TEST(the_transport_asked_for_is_in_the_result)
{
	json_t *result;

	ck_assert_int_eq(0, command("run -q a.toml --out r --transport mmio"));
	result = json_load_file("r/result.json", 0, NULL);
	ck_assert_str_eq("mmio", text_of(json_object_get(result, "vm"),
					 "transport"));
	json_decref(result);
}
END_TEST

START_TEST(options_reach_the_launcher)
{
	ck_assert_int_eq(0, command("run -q --accel emulated --kernel /k a.toml -j 1"));
	ck_assert_int_eq(LAUNCH_ACCEL_EMULATED, fake.opts.accel);
	ck_assert_str_eq("/k", fake.kernel);
	ck_assert(fake.opts.quiet);
	ck_assert_str_eq("PASS a: 7 checks held\n", out_text);
}
END_TEST

START_TEST(help_is_no_error)
{
	ck_assert_int_eq(0, command("run --help"));
	ck_assert_ptr_nonnull(strstr(out_text, "usage: ktstr run"));
}
END_TEST

START_TEST(run_directories_are_always_new)
{
	char why[256];
	char *a = rundir_new(NULL, false, "x", why, sizeof(why));
	char *b = rundir_new(NULL, false, "x", why, sizeof(why));

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_str_ne(a, b);
	free(a);
	free(b);
	/* a file where the folder should be */
	write_text("f", "x");
	ck_assert_ptr_null(rundir_new("f", false, "x", why, sizeof(why)));
	ck_assert_ptr_null(rundir_new("f", true, "x", why, sizeof(why)));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("run");
	TCase *tc = tcase_create("run");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc,
		       a_run_that_passes_exits_with_0_and_leaves_its_files);
	tcase_add_test(tc, a_result_has_every_key_of_the_contract);
	tcase_add_test(tc,
		       a_run_that_fails_exits_with_1_and_shows_the_console);
	tcase_add_loop_test(tc, a_launch_that_fails_still_leaves_a_result, 0,
			    sizeof(statuses) / sizeof(statuses[0]));
	tcase_add_test(tc,
		a_scenario_that_cannot_be_run_is_usage_and_leaves_nothing);
	tcase_add_loop_test(tc, ctrl_c_writes_what_there_is_and_ends_the_batch,
			    0, 2);
	tcase_add_test(tc, several_that_were_cut_to_one_are_still_an_array);
	tcase_add_loop_test(tc, the_worst_of_several_decides, 0, 5);
	tcase_add_loop_test(tc, json_to_stdout_is_nothing_else, 0, 2);
	tcase_add_test(tc, boots_have_seeds_that_follow_one_another);
	tcase_add_test(tc, out_is_the_run_directory_and_never_overwritten);
	tcase_add_test(tc, a_control_runs_in_turns_and_in_one_result);
	tcase_add_test(tc, a_ratio_asks_for_its_control_by_itself);
	tcase_add_loop_test(tc, the_live_line_says_which_of_the_runs_it_is, 0,
			    sizeof(live) / sizeof(live[0]));
	tcase_add_test(tc, a_control_that_fails_to_run_is_an_error);
	tcase_add_test(tc, dry_run_and_print_config_start_nothing);
	tcase_add_test(tc, a_folder_stands_for_its_scenarios);
	tcase_add_test(tc, without_a_name_it_is_scenario_toml);
	tcase_add_loop_test(tc,
			    misuse_exits_with_2_and_a_hint_and_runs_nothing, 0,
			    sizeof(misuse) / sizeof(misuse[0]));
	tcase_add_test(tc,
		       ktap_accounts_for_every_run_and_is_all_of_stdout);
	tcase_add_loop_test(tc,
		ktap_keeps_its_plan_when_interrupted_or_not_to_be_run, 0, 2);
	tcase_add_test(tc, junit_is_written_beside_the_report);
	tcase_add_loop_test(tc, git_bisect_gets_the_codes_of_its_own, 0,
			    sizeof(bisects) / sizeof(bisects[0]));
	tcase_add_test(tc, the_transport_asked_for_is_in_the_result);
	tcase_add_test(tc, options_reach_the_launcher);
	tcase_add_test(tc, help_is_no_error);
	tcase_add_test(tc, run_directories_are_always_new);
	suite_add_tcase(s, tc);
	return test_run(s);
}
