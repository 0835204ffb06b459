// SPDX-License-Identifier: GPL-2.0-only
/* Programs in a scenario: what is wrong with them, and what the plan has. */
#include "runner/scenario.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/path.h"
#include "lib/test_run.h"
#include "runner/plan.h"
#include "runner/test_scenario.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Five lines; what a row adds begins at line 6. */
#define HEAD "schema = 1\nname = \"t\"\n[[workload]]\nname = \"w\"\n"
#define EXEC HEAD "kind = \"exec\"\n"
#define SPIN HEAD "kind = \"spin\"\n"
#define TRUE EXEC "exec = [\"true\", \"-x\"]\n"
#define MATCH TRUE "match = { time = 'Time: ([0-9.]+)' }\n"

static char dir[] = "/tmp/ktstr-scenario-XXXXXX";

static void setup(void)
{
	setenv("PATH", "/usr/bin:/bin", 1);
	setenv("KTSTR_CACHE", "/nowhere", 1);
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	path_remove_tree(dir);
}

static const struct bad_scenario bad[] = {
	{ EXEC, "t.toml:3:1: error: kind \"exec\" needs a program",
	  "add exec = [\"PROGRAM\", \"ARGUMENT\"]" },
	{ EXEC "exec = []\n", "t.toml:6:8: error: exec needs a program",
	  "write exec = [\"PROGRAM\", \"ARGUMENT\"]" },
	{ EXEC "exec = \"true\"\n",
	  "t.toml:6:8: error: exec must be an array, not a string", NULL },
	{ EXEC "exec = [\"true\", 1]\n",
	  "t.toml:6:17: error: an element must be a string, not an integer",
	  NULL },
	{ EXEC "exec = [\"no-such-program\"]\n",
	  "t.toml:6:9: error: there is no program \"no-such-program\" on this machine",
	  "install it, or write its path; *" },
	{ EXEC "exec = [\"./no-such-program\"]\n",
	  "t.toml:6:9: error: there is no program \"./no-such-program\" on this machine",
	  "a relative path starts in the scenario's folder" },
	{ EXEC "exec = [\"/etc/passwd\"]\n",
	  "t.toml:6:9: error: program \"/etc/passwd\": Permission denied",
	  NULL },
	{ EXEC "exec = [\"true\"]\nadd = [\"true\", \"no-such-program\"]\n",
	  "t.toml:7:16: error: there is no program \"no-such-program\" on this machine",
	  "*" },
	{ EXEC "exec = [\"true\"]\nparams = { x = 1 }\n",
	  "t.toml:7:12: error: exec has no parameter \"x\"",
	  "exec takes none" },
	{ EXEC "exec = [\"true\"]\njson = \"\"\n",
	  "t.toml:7:8: error: json names a file", NULL },
	{ TRUE "match = \"x\"\n",
	  "t.toml:7:9: error: match must be a table, not a string",
	  "write match = { time = 'Time: ([0-9.]+)' }" },
	{ TRUE "match = { t = '(' }\n",
	  "t.toml:7:15: error: not a regular expression: *", NULL },
	{ TRUE "match = { t = 'Time: [0-9]+' }\n",
	  "t.toml:7:15: error: t: nothing in it is the number",
	  "put parentheses around the number: 'Time: ([0-9.]+)'" },
	{ TRUE "match = { t = 3 }\n",
	  "t.toml:7:15: error: t must be a regular expression, not an integer",
	  NULL },
	{ TRUE "match = { \"a.b\" = '(x)' }\n",
	  "t.toml:7:11: error: a name of match has no '.', '[' or ']'", NULL },
	{ SPIN "exec = [\"true\"]\n",
	  "t.toml:6:1: error: exec is of kind \"exec\" only",
	  "write kind = \"exec\"" },
	{ SPIN "repeat = true\n",
	  "t.toml:6:1: error: repeat is of kind \"exec\" only", NULL },
	/* the scheduler */
	{ SPIN "[scheduler]\nexec = [\"no-such-program\"]\n",
	  "t.toml:7:9: error: there is no program \"no-such-program\" on this machine",
	  "*" },
	{ SPIN "[scheduler]\nexec = [\"true\"]\nset = { slice_ns = 1 }\n",
	  "t.toml:8:1: error: set is of BPF objects: a program of its own has other ways",
	  "write its options into exec" },
	{ SPIN "[scheduler]\nexec = [\"true\"]\nbuiltin = \"fifo\"\n",
	  "t.toml:6:1: error: [scheduler] needs one of builtin, object, source and exec, not several",
	  NULL },
	{ SPIN "[scheduler]\nbuiltin = \"fifo\"\nadd = [\"true\"]\n",
	  "t.toml:8:1: error: add is of exec: programs that it starts", NULL },
	/* metrics */
	{ SPIN "[[check]]\nmetric = \"w.json.a\"\nmax = 1\n",
	  "t.toml:7:10: error: \"w.json.a\" is of programs: w is not of kind exec",
	  NULL },
	{ TRUE "[[check]]\nmetric = \"w.gap.max\"\nmax = 1\n",
	  "t.toml:8:10: error: \"w.gap.max\" can't be measured of a program",
	  "it has cpu_time, *" },
	{ MATCH "[[check]]\nmetric = \"w.match.tim\"\nmax = 1\n",
	  "t.toml:9:10: error: match of w has no \"tim\"",
	  "did you mean \"time\"?" },
	{ TRUE "[[check]]\nmetric = \"w.match.time\"\nmax = 1\n",
	  "t.toml:8:10: error: match of w has no \"time\"",
	  "add match = { time = 'REGULAR EXPRESSION' }" },
	{ TRUE "[[phase]]\nname = \"p\"\nduration = \"1s\"\n[[check]]\nmetric = \"w.json.a.b\"\nmax = 1\nphase = \"p\"\n",
	  "t.toml:13:9: error: w.json.a.b is of the whole run: it has no phase",
	  NULL },
};

START_TEST(a_wrong_program_is_told_where_and_why)
{
	assert_bad(&bad[_i]);
}
END_TEST

static struct scenario *parse(const char *path, const char *text)
{
	struct scenario *s;
	struct diag d;

	diag_init(&d, path);
	if (scenario_parse(path, text, strlen(text), NULL, &s, &d)) {
		diag_print(&d, stderr);
		ck_abort();
	}
	diag_fini(&d);
	return s;
}

static const char whole[] =
	EXEC
	"exec = [\"true\", \"-a\", \"b c\"]\n"
	"add = [\"cat\"]\n"
	"json = \"out.json\"\n"
	"match = { time = 'T: ([0-9.]+)' }\n"
	"repeat = true\n"
	"workers = 2\n"
	"[scheduler]\n"
	"exec = [\"false\", \"-v\"]\n"
	"add = [\"cat\"]\n"
	"[[check]]\n"
	"metric = \"w.json.thread.0.max\"\n"
	"max = 5.5\n"
	"[automatic]\n"
	"program = false\n";

START_TEST(programs_read_back_as_the_same_run)
{
	static const char *const texts[] = { whole, TRUE, SPIN };
	struct scenario *first = parse("t.toml", texts[_i]), *second;
	char *text = scenario_text(first), *again;
	json_t *a, *b;

	second = parse("t.toml", text);
	again = scenario_text(second);
	ck_assert_str_eq(text, again);
	a = plan_new(first, 7);
	b = plan_new(second, 7);
	ck_assert(json_equal(a, b));
	json_decref(a);
	json_decref(b);
	free(text);
	free(again);
	scenario_free(first);
	scenario_free(second);
}
END_TEST

#define ENV "[\"HOME=/\", \"PATH=/usr/local/sbin:/usr/local/bin:" \
	    "/usr/sbin:/usr/bin:/sbin:/bin\"]"

START_TEST(a_plan_has_the_programs)
{
	struct scenario *s = parse("t.toml", whole);
	json_t *plan = plan_new(s, 7), *checks = plan_checks_new(s), *sched;

	assert_json("{\"program\": \"/usr/bin/true\", \"argv\": "
		    "[\"/usr/bin/true\", \"-a\", \"b c\"], \"env\": " ENV ","
		    "\"add\": [\"/usr/bin/cat\"], \"json\": \"out.json\","
		    "\"match\": {\"time\": \"T: ([0-9.]+)\"},"
		    "\"repeat\": true}",
		    json_object_get(json_array_get(
			json_object_get(plan, "workloads"), 0), "exec"));
	sched = json_object_get(plan, "scheduler");
	assert_json("{\"name\": \"false\", \"kind\": \"exec\","
		    "\"path\": \"/usr/bin/false\", \"object\": null,"
		    "\"hash\": null, \"set\": {}, \"expect\": \"running\","
		    "\"args\": [\"-v\"], \"exec\": {\"program\":"
		    "\"/usr/bin/false\", \"argv\": [\"/usr/bin/false\", \"-v\"],"
		    "\"add\": [\"/usr/bin/cat\"], \"env\": " ENV "}}", sched);
	ck_assert(json_is_false(json_object_get(
		json_object_get(checks, "automatic"), "program")));
	json_decref(plan);
	json_decref(checks);
	scenario_free(s);
}
END_TEST

START_TEST(our_own_workers_have_no_program)
{
	struct scenario *s = parse("t.toml", SPIN);
	json_t *plan = plan_new(s, 7);

	ck_assert_ptr_null(json_object_get(json_array_get(
		json_object_get(plan, "workloads"), 0), "exec"));
	json_decref(plan);
	scenario_free(s);
}
END_TEST

static void write_program(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(0, path_write_file(path, "#!/bin/sh\n", 10));
	ck_assert_int_eq(0, chmod(path, 0755));
}

START_TEST(a_relative_path_starts_beside_the_scenario)
{
	char file[PATH_MAX], want[PATH_MAX];
	struct scenario *s;

	write_program("prog");
	snprintf(file, sizeof(file), "%s/t.toml", dir);
	snprintf(want, sizeof(want), "%s/prog", dir);
	s = parse(file, EXEC "exec = [\"./prog\"]\n");
	ck_assert_str_eq(want, s->workloads[0].program.argv.item[0]);
	scenario_free(s);
}
END_TEST

/* With libraries of its own, which the guest's loader has to be told of. */
START_TEST(what_is_not_in_path_is_looked_for_in_the_cache)
{
	char sub[PATH_MAX], want[PATH_MAX];
	struct scenario *s;
	json_t *plan, *env;

	snprintf(sub, sizeof(sub), "%s/programs/usr/bin", dir);
	ck_assert_int_eq(0, path_mkdirs(sub));
	write_program("programs/usr/bin/fetched");
	setenv("KTSTR_CACHE", dir, 1);
	s = parse("t.toml", EXEC "exec = [\"fetched\"]\n");
	plan = plan_new(s, 7);
	env = json_object_get(json_object_get(json_array_get(
		json_object_get(plan, "workloads"), 0), "exec"), "env");
	/* /tmp is the guest's own */
	snprintf(want, sizeof(want), "LD_LIBRARY_PATH=/ktstr/root%s/programs/"
		 "usr/lib/x86_64-linux-gnu", dir);
	ck_assert_str_eq(want, json_string_value(json_array_get(env, 2)));
	json_decref(plan);
	scenario_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scenario_exec");
	TCase *tc = tcase_create("scenario_exec");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_wrong_program_is_told_where_and_why, 0,
			    ARRAY_SIZE(bad));
	tcase_add_loop_test(tc, programs_read_back_as_the_same_run, 0, 3);
	tcase_add_test(tc, a_plan_has_the_programs);
	tcase_add_test(tc, our_own_workers_have_no_program);
	tcase_add_test(tc, a_relative_path_starts_beside_the_scenario);
	tcase_add_test(tc, what_is_not_in_path_is_looked_for_in_the_cache);
	suite_add_tcase(s, tc);
	return test_run(s);
}
