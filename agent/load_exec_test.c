// SPDX-License-Identifier: GPL-2.0-only
/* Programs as workers: the barrier, repeating, and every way to end. */
#include "agent/test_worker.h"

#include "agent/load_exec.h"

#include "lib/path.h"
#include "lib/test_run.h"

#define STOP_NS (10 * NSEC_PER_SEC)

static struct plan_workload *add_program(const char *script)
{
	struct plan_workload *w = add_load("exec", 1);

	w->disk = NULL;
	w->name = "program";
	w->exec = json_pack("{s:[s,s,s], s:[s]}", "argv", "/bin/sh", "-c",
			    script, "env", "PATH=/usr/bin:/bin");
	return w;
}

static void teardown_programs(void)
{
	unsigned int i;

	for (i = 0; i < plan.nr_workloads; i++)
		json_decref(loads[i].exec);
	teardown();
}

static const struct load_exec *held(unsigned int nr)
{
	return ws.workers[nr].exec;
}

static enum load_exec_end end_of(unsigned int nr)
{
	return __atomic_load_n(&held(nr)->end, __ATOMIC_ACQUIRE);
}

static void wait_ended(unsigned int nr)
{
	while (end_of(nr) <= LOAD_EXEC_RUNNING)
		usleep(POLL_US);
}

static void wait_output(unsigned int nr)
{
	while (!held(nr)->last.output.streams[0].total)
		usleep(POLL_US);
}

static void assert_said(unsigned int nr, const char *want)
{
	static char text[CAPTURE_TEXT_MAX + 1];
	const struct load_exec_yield *y = load_exec_yield(held(nr));

	text[capture_text(&y->output.streams[0], text)] = '\0';
	ck_assert_str_eq(want, text);
}

static void go(void)
{
	spawn_ready(1);
	begin(0);
	workers_release(&ws);
}

static void stop(void)
{
	ck_assert_int_eq(0, workers_stop(&ws, STOP_NS));
}

START_TEST(a_program_waits_at_the_barrier)
{
	char mark[PATH_MAX + 8], script[PATH_MAX + 32];

	snprintf(mark, sizeof(mark), "%s/mark", dir);
	snprintf(script, sizeof(script), "echo began; touch %s", mark);
	add_program(script);
	spawn_ready(1);
	begin(0);
	usleep(50 * POLL_US);
	ck_assert_int_eq(LOAD_EXEC_WAITING, end_of(0));
	ck_assert_int_eq(-1, access(mark, F_OK));
	workers_release(&ws);
	wait_ended(0);
	stop();
	assert_said(0, "began\n");
	ck_assert_int_eq(0, unlink(mark));
}
END_TEST

START_TEST(a_program_that_was_never_let_go_is_ended_too)
{
	add_program("echo began");
	spawn_ready(1);
	stop();
	ck_assert_int_eq(LOAD_EXEC_WAITING, end_of(0));
	assert_said(0, "");
	ck_assert_uint_eq(KTSTR_WORKER_STOPPED, shm_worker(&shm, 0)->state);
}
END_TEST

/* It has ended long before: its holder waits for the others. */
START_TEST(one_run_is_one_iteration)
{
	add_program("exit 0");
	go();
	wait_iterations(0, 0, 1);
	wait_ended(0);
	ck_assert_int_eq(LOAD_EXEC_EXITED, end_of(0));
	ck_assert_uint_eq(1, held(0)->runs);
	ck_assert_uint_gt(held(0)->ended_ns, held(0)->begun_ns);
	stop();
	ck_assert_uint_eq(1, shm_cell(&shm, 0, 0)->iterations);
	ck_assert_uint_eq(KTSTR_WORKER_STOPPED, shm_worker(&shm, 0)->state);
}
END_TEST

START_TEST(a_failure_is_kept_and_is_no_iteration)
{
	struct plan_workload *w = add_program("echo why >&2; exit 3");
	char words[32];

	json_object_set_new(w->exec, "repeat", json_true());
	go();
	wait_ended(0);
	stop();
	ck_assert_int_eq(LOAD_EXEC_EXITED, end_of(0));
	ck_assert_int_eq(3, held(0)->code);
	ck_assert_uint_eq(0, held(0)->runs);
	ck_assert_uint_eq(0, shm_cell(&shm, 0, 0)->iterations);
	capture_last_lines(&held(0)->last.output.streams[1], 1, words,
			   sizeof(words));
	ck_assert_str_eq("why", words);
}
END_TEST

START_TEST(a_signal_is_told_from_a_status)
{
	add_program("kill -SEGV $$");
	go();
	wait_ended(0);
	stop();
	ck_assert_int_eq(LOAD_EXEC_SIGNALED, end_of(0));
	ck_assert_int_eq(SIGSEGV, held(0)->code);
}
END_TEST

START_TEST(what_is_no_program_is_told)
{
	struct plan_workload *w = add_program("");

	json_array_set_new(json_object_get(w->exec, "argv"), 0,
			   json_string("/no/such/program"));
	go();
	wait_ended(0);
	stop();
	ck_assert_int_eq(LOAD_EXEC_NOT_STARTED, end_of(0));
	ck_assert_int_eq(-ENOENT, held(0)->code);
}
END_TEST

START_TEST(an_endless_one_ends_by_sigterm)
{
	add_program("trap 'echo bye; exit 4' TERM; echo up; "
		    "while :; do sleep 0.01; done");
	go();
	wait_output(0);
	ck_assert_int_eq(LOAD_EXEC_RUNNING, end_of(0));
	stop();
	ck_assert_int_eq(LOAD_EXEC_STOPPED, end_of(0));
	ck_assert_int_eq(4, held(0)->code);
	assert_said(0, "up\nbye\n");
}
END_TEST

START_TEST(one_that_does_not_listen_is_killed)
{
	add_program("trap '' TERM; echo up; while :; do sleep 0.01; done");
	go();
	wait_output(0);
	stop();
	ck_assert_int_eq(LOAD_EXEC_KILLED, end_of(0));
}
END_TEST

START_TEST(a_repeated_one_keeps_what_its_last_whole_run_said)
{
	char script[2 * PATH_MAX];
	struct plan_workload *w;

	/* the second run does not come to its end, though it leaves well */
	snprintf(script, sizeof(script), "echo run; [ -e %s/mark ] && "
		 "{ trap 'exit 0' TERM; echo cut; "
		 "while :; do sleep 0.01; done; }; touch %s/mark; echo whole",
		 dir, dir);
	w = add_program(script);
	json_object_set_new(w->exec, "repeat", json_true());
	go();
	wait_iterations(0, 0, 1);
	while (held(0)->last.output.streams[0].total != 8)
		usleep(POLL_US);
	stop();
	ck_assert_int_eq(LOAD_EXEC_STOPPED, end_of(0));
	ck_assert_uint_eq(1, held(0)->runs);
	assert_said(0, "run\nwhole\n");
	snprintf(script, sizeof(script), "%s/mark", dir);
	unlink(script);
}
END_TEST

/* Before its exec, within it, after its exit: each round at another place. */
START_TEST(wherever_a_repeated_one_is_stopped_a_whole_run_is_told)
{
	struct plan_workload *w = add_program("echo whole");

	json_object_set_new(w->exec, "repeat", json_true());
	go();
	wait_iterations(0, 0, 1);
	usleep(_i * 137);
	stop();
	assert_said(0, "whole\n");
	ck_assert_int_ne(LOAD_EXEC_KILLED, end_of(0));
	ck_assert_int_eq(0, load_exec_yield(held(0))->output.streams[1].total);
}
END_TEST

START_TEST(its_json_file_is_taken)
{
	struct plan_workload *w = add_program("echo '{\"a\": 1}' >out.json");
	const struct load_exec_yield *y;

	json_object_set_new(w->exec, "json", json_string("out.json"));
	go();
	wait_ended(0);
	stop();
	y = load_exec_yield(held(0));
	ck_assert_int_eq(0, y->json_err);
	ck_assert_uint_eq(9, y->json_len);
	ck_assert_int_eq(0, memcmp("{\"a\": 1}\n", y->json, 9));
}
END_TEST

START_TEST(a_json_file_of_another_run_is_not)
{
	struct plan_workload *w = add_program("exit 0");

	json_object_set_new(w->exec, "json", json_string("out.json"));
	go();
	wait_ended(0);
	stop();
	ck_assert_int_eq(-ENOENT, load_exec_yield(held(0))->json_err);
}
END_TEST

START_TEST(the_report_names_the_end)
{
	json_t *report;

	add_program("exit 3");
	go();
	wait_ended(0);
	stop();
	report = load_exec_report(held(0), &loads[0], 0);
	ck_assert_str_eq("exited", json_string_value(json_object_get(report,
								     "end")));
	ck_assert_int_eq(3, json_integer_value(json_object_get(report,
							       "code")));
	json_decref(report);
}
END_TEST

START_TEST(a_workload_without_a_program_is_refused)
{
	struct plan_workload *w = add_load("exec", 1);

	w->disk = NULL;
	ck_assert_int_eq(-EINVAL, spawn(1));
	ck_assert_str_eq("workload exec: kind exec needs a program", msg);
}
END_TEST

START_TEST(each_copy_has_a_cgroup_below_its_workloads)
{
	const struct plan_workload w = { .name = "hb", .cgroup = "batch/a" };
	char leaf[64];

	load_exec_leaf(&w, 3, leaf, sizeof(leaf));
	ck_assert_str_eq("batch/a/hb.3", leaf);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/load_exec");
	TCase *tc = tcase_create("load_exec");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown_programs);
	tcase_add_test(tc, a_program_waits_at_the_barrier);
	tcase_add_test(tc, a_program_that_was_never_let_go_is_ended_too);
	tcase_add_test(tc, one_run_is_one_iteration);
	tcase_add_test(tc, a_failure_is_kept_and_is_no_iteration);
	tcase_add_test(tc, a_signal_is_told_from_a_status);
	tcase_add_test(tc, what_is_no_program_is_told);
	tcase_add_test(tc, an_endless_one_ends_by_sigterm);
	tcase_add_test(tc, one_that_does_not_listen_is_killed);
	tcase_add_test(tc, a_repeated_one_keeps_what_its_last_whole_run_said);
	tcase_add_loop_test(tc,
		wherever_a_repeated_one_is_stopped_a_whole_run_is_told, 0, 20);
	tcase_add_test(tc, its_json_file_is_taken);
	tcase_add_test(tc, a_json_file_of_another_run_is_not);
	tcase_add_test(tc, the_report_names_the_end);
	tcase_add_test(tc, a_workload_without_a_program_is_refused);
	tcase_add_test(tc, each_copy_has_a_cgroup_below_its_workloads);
	suite_add_tcase(s, tc);
	return test_run(s);
}
