// SPDX-License-Identifier: GPL-2.0-only
/* A program that is held: its steps, its output, its end. */
#include "agent/program.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/path.h"
#include "lib/test_run.h"

static struct program_output *output;
static struct program p;
static char dir[] = "/tmp/ktstr-program-XXXXXX";
static char cwd[PATH_MAX];

static void setup(void)
{
	output = program_output_new();
	ck_assert_ptr_nonnull(output);
	p = (struct program)PROGRAM_INIT;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(cwd, sizeof(cwd), "%s/cwd", dir);
}

static void teardown(void)
{
	program_close(&p);
	program_output_free(output);
	path_remove_tree(dir);
}

/* captures */

static struct capture *stdout_of(void)
{
	return &output->streams[0];
}

static void add(const char *text)
{
	capture_add(stdout_of(), text, strlen(text));
}

START_TEST(what_fits_is_kept_as_it_was)
{
	static char text[CAPTURE_TEXT_MAX];
	static char want[CAPTURE_HEAD + CAPTURE_TAIL];
	size_t i;

	for (i = 0; i < sizeof(want); i++)
		want[i] = 'a' + i % 23;
	/* in pieces that fit neither part */
	for (i = 0; i < sizeof(want); i += 4097)
		capture_add(stdout_of(), want + i, sizeof(want) - i < 4097 ?
						   sizeof(want) - i : 4097);
	ck_assert_uint_eq(sizeof(want), capture_text(stdout_of(), text));
	ck_assert_mem_eq(want, text, sizeof(want));
}
END_TEST

START_TEST(of_more_the_beginning_and_the_end_are_kept)
{
	static char text[CAPTURE_TEXT_MAX + 1];
	static char much[CAPTURE_HEAD + CAPTURE_TAIL];
	size_t len;

	add("first");
	memset(much, '.', sizeof(much));
	capture_add(stdout_of(), much, sizeof(much));
	add("last");
	len = capture_text(stdout_of(), text);
	ck_assert_uint_lt(len, sizeof(text));
	ck_assert_int_eq(0, memcmp(text, "first...", 8));
	ck_assert_int_eq(0, memcmp(text + len - 7, "...last", 7));
	text[len] = '\0';
	ck_assert_ptr_nonnull(strstr(text, ".\n[9 bytes left out]\n."));
	ck_assert_uint_eq(sizeof(much) + 9, stdout_of()->total);
}
END_TEST

static const size_t sizes[] = {
	0, 5, CAPTURE_HEAD, CAPTURE_HEAD + 7,
	CAPTURE_HEAD + CAPTURE_TAIL, CAPTURE_HEAD + CAPTURE_TAIL + 9,
};

START_TEST(a_copy_says_the_same)
{
	static char text[2][CAPTURE_TEXT_MAX], bytes[CAPTURE_TEXT_MAX];
	size_t i, len;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 251;
	capture_add(stdout_of(), bytes, sizes[_i]);
	capture_copy(&output->streams[1], stdout_of());
	len = capture_text(stdout_of(), text[0]);
	ck_assert_uint_eq(len, capture_text(&output->streams[1], text[1]));
	ck_assert_mem_eq(text[0], text[1], len);
	ck_assert_uint_eq(sizes[_i], output->streams[1].total);
}
END_TEST

static const struct {
	const char *text;
	const char *last_two;
} lasts[] = {
	{ "", "" },
	{ "\n\n", "" },
	{ "one", "one" },
	{ "one\ntwo\nthree\n", "two | three" },
	{ "a\tb\033[1m\r\nc\xff\n", "a?b?[1m | c?" },
};

START_TEST(last_lines_are_fit_to_be_shown)
{
	char buf[64];

	add(lasts[_i].text);
	capture_last_lines(stdout_of(), 2, buf, sizeof(buf));
	ck_assert_str_eq(lasts[_i].last_two, buf);
}
END_TEST

START_TEST(last_lines_come_from_both_parts)
{
	static char much[CAPTURE_HEAD - 3];
	char buf[32];

	memset(much, '.', sizeof(much));
	much[sizeof(much) - 1] = '\n';
	capture_add(stdout_of(), much, sizeof(much));
	add("across\n");
	capture_last_lines(stdout_of(), 1, buf, sizeof(buf));
	ck_assert_str_eq("across", buf);
	capture_last_lines(stdout_of(), 1, buf, 5);
	ck_assert_uint_lt(strlen(buf), 5);
}
END_TEST

/* programs */

static json_t *shell(const char *script)
{
	return json_pack("{s:[s,s,s], s:[s]}", "argv", "/bin/sh", "-c", script,
			 "env", "PATH=/usr/bin:/bin");
}

static int start_with(json_t *exec, int (*settle)(void *, const char **),
		      void (*wait)(void *), void *ctx)
{
	struct program_spec spec = { .exec = exec, .cwd = cwd,
				     .settle = settle, .wait = wait,
				     .ctx = ctx };
	int err = program_start(&p, &spec);

	json_decref(exec);
	return err;
}

static int start(const char *script)
{
	return start_with(shell(script), NULL, NULL, NULL);
}

/* The tcase's time-out ends it, if nothing does. */
static void wait_end(void)
{
	while (!program_reap(&p, output)) {
		program_serve(&p, output);
		poll(NULL, 0, 1);
	}
}

static void assert_said(int stream, const char *want)
{
	static char text[CAPTURE_TEXT_MAX + 1];

	text[capture_text(&output->streams[stream], text)] = '\0';
	ck_assert_str_eq(want, text);
}

START_TEST(both_streams_and_the_status_arrive)
{
	ck_assert_int_eq(0, start("echo out; echo err >&2; read x || exit 5"));
	wait_end();
	assert_said(0, "out\n");
	assert_said(1, "err\n");
	ck_assert(WIFEXITED(p.status));
	ck_assert_int_eq(5, WEXITSTATUS(p.status));
	ck_assert_int_eq(0, p.word.err);
	ck_assert(!program_reap(&p, output));
}
END_TEST

static void wait_for_byte(void *ctx)
{
	char c;

	if (read(*(int *)ctx, &c, 1) != 1)
		_exit(9);
}

/* As from a shell: what the holder changed for itself is not inherited. */
START_TEST(its_timers_are_as_coarse_as_anybodys)
{
	FILE *f;
	unsigned long slack = 0;
	char path[64];
	int fds[2];

	ck_assert_int_eq(0, prctl(PR_SET_TIMERSLACK, 1ul));
	ck_assert_int_eq(0, pipe(fds));
	ck_assert_int_eq(0, start_with(shell("exit 0"), NULL, wait_for_byte,
				       &fds[0]));
	snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", p.pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%lu", &slack) == 1)
		ck_assert_uint_eq(50000, slack);
	if (f)
		fclose(f);
	ck_assert_int_eq(1, write(fds[1], "", 1));
	wait_end();
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(it_runs_in_a_folder_of_its_own)
{
	char want[PATH_MAX + 1];

	ck_assert_int_eq(0, start("pwd"));
	wait_end();
	snprintf(want, sizeof(want), "%s\n", cwd);
	assert_said(0, want);
}
END_TEST

START_TEST(what_can_not_be_executed_is_told_after_it_settled)
{
	json_t *exec = json_pack("{s:[s], s:[]}", "argv", "/no/such/program",
				 "env");

	ck_assert_int_eq(0, start_with(exec, NULL, NULL, NULL));
	wait_end();
	ck_assert_int_eq(-ENOENT, p.word.err);
	ck_assert_str_eq("exec", p.word.what);
}
END_TEST

static int refuse(void *ctx, const char **what)
{
	*what = "enter cgroup";
	return -EBUSY;
}

START_TEST(who_can_not_settle_is_not_started)
{
	ck_assert_int_eq(-EBUSY, start_with(shell("echo no"), refuse, NULL,
					    NULL));
	ck_assert_str_eq("enter cgroup", p.word.what);
	ck_assert_int_eq(0, p.pid);
	ck_assert_int_eq(-1, p.out_fds[0]);
	assert_said(0, "");
}
END_TEST

START_TEST(it_begins_when_it_is_let)
{
	int fds[2];

	ck_assert_int_eq(0, pipe(fds));
	ck_assert_int_eq(0, start_with(shell("echo began"), NULL,
				       wait_for_byte, &fds[0]));
	poll(NULL, 0, 20);
	program_serve(&p, output);
	assert_said(0, "");
	ck_assert_int_eq(1, write(fds[1], "", 1));
	wait_end();
	assert_said(0, "began\n");
	close(fds[0]);
	close(fds[1]);
}
END_TEST

static const char *const no_specs[] = {
	"{\"argv\": [], \"env\": []}",
	"{\"argv\": [1], \"env\": []}",
	"{\"argv\": [\"/bin/true\"], \"env\": [null]}",
};

START_TEST(a_plan_without_a_program_is_refused)
{
	ck_assert_int_eq(-EINVAL, start_with(json_loads(no_specs[_i], 0, NULL),
					     NULL, NULL, NULL));
	ck_assert_int_eq(0, p.pid);
}
END_TEST

/* Who inherits the pipes may write for ever: the program's end is the end. */
START_TEST(a_descendant_does_not_hold_it_up)
{
	ck_assert_int_eq(0, start("yes & echo $! >&2; exit 3"));
	wait_end();
	ck_assert_int_eq(3, WEXITSTATUS(p.status));
	ck_assert_int_eq(-1, p.out_fds[0]);
}
END_TEST

START_TEST(signals_go_to_all_of_its_group)
{
	ck_assert_int_eq(0, start("sleep 100 & echo up; wait"));
	while (!output->streams[0].total) {
		program_serve(&p, output);
		poll(NULL, 0, 1);
	}
	program_signal(&p, SIGTERM);
	wait_end();
	ck_assert(WIFSIGNALED(p.status));
	ck_assert_int_eq(SIGTERM, WTERMSIG(p.status));
}
END_TEST

START_TEST(closing_ends_what_ignores_signals)
{
	ck_assert_int_eq(0, start("trap '' INT TERM; echo up; "
				  "while :; do sleep 1; done"));
	while (!output->streams[0].total) {
		program_serve(&p, output);
		poll(NULL, 0, 1);
	}
	program_close(&p);
	ck_assert_int_eq(0, p.pid);
	ck_assert_int_eq(SIGKILL, WTERMSIG(p.status));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/program");
	TCase *tc = tcase_create("program");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_fits_is_kept_as_it_was);
	tcase_add_test(tc, of_more_the_beginning_and_the_end_are_kept);
	tcase_add_loop_test(tc, a_copy_says_the_same, 0,
			    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_loop_test(tc, last_lines_are_fit_to_be_shown, 0,
			    sizeof(lasts) / sizeof(lasts[0]));
	tcase_add_test(tc, last_lines_come_from_both_parts);
	tcase_add_test(tc, both_streams_and_the_status_arrive);
	tcase_add_test(tc, its_timers_are_as_coarse_as_anybodys);
	tcase_add_test(tc, it_runs_in_a_folder_of_its_own);
	tcase_add_test(tc, what_can_not_be_executed_is_told_after_it_settled);
	tcase_add_test(tc, who_can_not_settle_is_not_started);
	tcase_add_test(tc, it_begins_when_it_is_let);
	tcase_add_loop_test(tc, a_plan_without_a_program_is_refused, 0, 3);
	tcase_add_test(tc, a_descendant_does_not_hold_it_up);
	tcase_add_test(tc, signals_go_to_all_of_its_group);
	tcase_add_test(tc, closing_ends_what_ignores_signals);
	suite_add_tcase(s, tc);
	return test_run(s);
}
