// SPDX-License-Identifier: GPL-2.0-only
/*
 * The holder of a scheduler's program, on a machine where no program attaches
 * one: what it says when that fails, and how it ends what it holds.
 */
#include "agent/sched_exec.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/plan.h"
#include "agent/program.h"
#include "agent/sched.h"
#include "agent/sched_loader.h"
#include "lib/clock.h"
#include "lib/test_run.h"

static struct plan_sched plan;
static struct program_output *output;
static int fd;
static pid_t holder;
static json_t *said;	/* the last packet's body */

static void setup(void)
{
	char state[32];

	sched_read_state(state);
	ck_assert_str_ne("enabled", state);
	output = program_output_new();
	ck_assert_ptr_nonnull(output);
	plan = (struct plan_sched){ .name = "scx_x" };
}

static void teardown(void)
{
	close(fd);
	if (holder)
		waitpid(holder, NULL, 0);
	json_decref(plan.exec);
	json_decref(said);
	program_output_free(output);
}

static void hold(const char *program, const char *script)
{
	int fds[2];

	plan.exec = json_pack("{s:[s,s,s], s:[s]}", "argv", program, "-c",
			      script, "env", "PATH=/usr/bin:/bin");
	ck_assert_int_eq(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC,
				       0, fds));
	holder = fork();
	ck_assert_int_ge(holder, 0);
	if (!holder) {
		close(fds[0]);
		_exit(sched_exec_main(&plan, fds[1], output));
	}
	close(fds[1]);
	fd = fds[0];
}

/* The next packet's tag; 0: the holder has gone. */
static char next(void)
{
	static char packet[LOADER_PACKET_MAX];
	ssize_t n = recv(fd, packet, sizeof(packet), 0);

	if (n <= 0)
		return 0;
	json_decref(said);
	said = json_loadb(packet + 1, n - 1, 0, NULL);
	return packet[0];
}

static const char *text(const char *key)
{
	const char *t = json_string_value(json_object_get(said, key));

	return t ? t : "";
}

static int exit_status(void)
{
	int status;

	ck_assert_int_eq(holder, waitpid(holder, &status, 0));
	holder = 0;
	return WEXITSTATUS(status);
}

START_TEST(one_that_exits_at_once_is_named_with_its_last_words)
{
	hold("/bin/sh", "echo out; echo no BTF >&2; echo give up >&2; exit 3");
	ck_assert_int_eq(LOADER_LOADED, next());
	ck_assert_str_eq("scx_x", text("name"));
	ck_assert_int_eq(LOADER_FAILED, next());
	ck_assert_str_eq("failed", text("state"));
	ck_assert_str_eq("exec", text("stage"));
	ck_assert_str_eq("scx_x exited with status 3: no BTF | give up",
			 text("message"));
	ck_assert_int_eq(0, next());
	ck_assert_int_eq(1, exit_status());
}
END_TEST

START_TEST(one_that_exits_well_without_a_scheduler_has_failed_too)
{
	hold("/bin/sh", "echo nothing to do");
	ck_assert_int_eq(LOADER_LOADED, next());
	ck_assert_int_eq(LOADER_FAILED, next());
	ck_assert_str_eq("scx_x exited with status 0: nothing to do",
			 text("message"));
}
END_TEST

START_TEST(one_that_dies_of_a_signal_is_told)
{
	hold("/bin/sh", "kill -SEGV $$");
	ck_assert_int_eq(LOADER_LOADED, next());
	ck_assert_int_eq(LOADER_FAILED, next());
	ck_assert_str_eq("scx_x died of signal 11", text("message"));
}
END_TEST

START_TEST(what_can_not_be_executed_is_told)
{
	hold("/no/such/program", "");
	ck_assert_int_eq(LOADER_LOADED, next());
	ck_assert_int_eq(LOADER_FAILED, next());
	ck_assert_str_eq("scx_x: exec: No such file or directory",
			 text("message"));
	ck_assert_int_eq(ENOENT, json_integer_value(json_object_get(said,
								    "errno")));
}
END_TEST

START_TEST(one_that_attaches_nothing_is_given_a_third_of_the_deadline)
{
	plan.deadline_ns = 600 * NSEC_PER_MSEC;
	hold("/bin/sh", "echo trying; exec sleep 100");
	ck_assert_int_eq(LOADER_LOADED, next());
	ck_assert_int_eq(LOADER_FAILED, next());
	ck_assert_str_eq("attach", text("stage"));
	ck_assert_str_eq("no scheduler was attached within 0.2 s; scx_x still runs: trying",
			 text("message"));
	ck_assert_int_eq(ETIMEDOUT, json_integer_value(
		json_object_get(said, "errno")));
	ck_assert_int_eq(1, exit_status());
}
END_TEST

static void wait_output(void)
{
	while (!__atomic_load_n(&output->streams[0].total, __ATOMIC_ACQUIRE))
		poll(NULL, 0, 1);
}

static void ask(char what)
{
	ck_assert_int_eq(1, send(fd, &what, 1, 0));
}

static const struct {
	const char *script;
	const char *said;
} ends[] = {
	{ "trap 'echo int; exit 0' INT; trap 'echo term; exit 0' TERM; echo up;"
	  "while :; do sleep 0.01; done", "up | int" },
	{ "trap '' INT; trap 'echo term; exit 0' TERM; echo up;"
	  "while :; do sleep 0.01; done", "up | term" },
	{ "trap '' INT TERM; echo up; while :; do sleep 0.01; done", "up" },
};

START_TEST(it_is_asked_then_told_then_killed)
{
	char words[64];

	hold("/bin/sh", ends[_i].script);
	ck_assert_int_eq(LOADER_LOADED, next());
	wait_output();
	ask(LOADER_ASK_DETACH);
	ck_assert_int_eq(LOADER_DETACHED, next());
	ck_assert_int_gt(json_integer_value(json_object_get(said,
							    "detach_ns")), 0);
	ck_assert_int_eq(0, next());
	exit_status();
	capture_last_lines(&output->streams[0], 4, words, sizeof(words));
	ck_assert_str_eq(ends[_i].said, words);
}
END_TEST

START_TEST(an_exit_that_is_asked_for_says_how_it_ended)
{
	plan.deadline_ns = 60 * NSEC_PER_SEC;
	hold("/bin/sh", "trap 'exit 7' USR1; echo up; "
			"while :; do sleep 0.01; done");
	ck_assert_int_eq(LOADER_LOADED, next());
	wait_output();
	ask(LOADER_ASK_EXIT);
	ck_assert_int_eq(LOADER_EXIT, next());
	ck_assert_str_eq("", text("program")); /* it has not ended */
}
END_TEST

START_TEST(it_does_not_outlive_whoever_asks)
{
	hold("/bin/sh", "echo $$; exec sleep 100");
	ck_assert_int_eq(LOADER_LOADED, next());
	wait_output();
	shutdown(fd, SHUT_RDWR);
	exit_status();
	ck_assert_int_eq(-1, kill(atoi(output->streams[0].head), 0));
	ck_assert_int_eq(ESRCH, errno);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/sched_exec");
	TCase *tc = tcase_create("sched_exec");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_that_exits_at_once_is_named_with_its_last_words);
	tcase_add_test(tc,
		       one_that_exits_well_without_a_scheduler_has_failed_too);
	tcase_add_test(tc, one_that_dies_of_a_signal_is_told);
	tcase_add_test(tc, what_can_not_be_executed_is_told);
	tcase_add_test(tc,
		one_that_attaches_nothing_is_given_a_third_of_the_deadline);
	tcase_add_loop_test(tc, it_is_asked_then_told_then_killed, 0, 3);
	tcase_add_test(tc, an_exit_that_is_asked_for_says_how_it_ended);
	tcase_add_test(tc, it_does_not_outlive_whoever_asks);
	suite_add_tcase(s, tc);
	return test_run(s);
}
