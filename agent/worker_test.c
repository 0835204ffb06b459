// SPDX-License-Identifier: GPL-2.0-only
#include "agent/test_worker.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#include "agent/schedstat.h"
#include "lib/test_run.h"

static void read_line(pid_t pid, const char *file, char *line, size_t len)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, len, f));
	fclose(f);
}

START_TEST(nobody_passes_the_barrier_before_release)
{
	unsigned int nr;

	add_every_kind();
	spawn_ready(1);
	begin(0);
	usleep(20 * POLL_US);
	for (nr = 0; nr < ws.nr; nr++) {
		ck_assert_uint_eq(KTSTR_WORKER_READY,
				  shm_worker(&shm, nr)->state);
		ck_assert_uint_eq(0, shm_worker(&shm, nr)->start_ns);
		ck_assert_uint_eq(0, shm_cell(&shm, nr, 0)->iterations);
	}
	workers_release(&ws);
	ck_assert_uint_eq(1, shm.hdr->go);
	wait_all(0, 1);
}
END_TEST

START_TEST(workers_still_at_the_barrier_stop_too)
{
	unsigned int nr;

	add_every_kind();
	spawn_ready(1);
	ck_assert_int_eq(0, workers_stop(&ws, READY_NS));
	for (nr = 0; nr < ws.nr; nr++) {
		ck_assert_uint_eq(KTSTR_WORKER_STOPPED,
				  shm_worker(&shm, nr)->state);
		ck_assert_str_eq("", shm_worker(&shm, nr)->what);
	}
	ck_assert_uint_eq(2, shm.hdr->go);
}
END_TEST

START_TEST(kernel_counts_are_of_the_phase_alone)
{
	const struct ktstr_cell *first, *second;

	add_load("spin", 1);
	spawn_ready(2);
	begin(0);
	workers_release(&ws);
	while (shm_cell(&shm, 0, 0)->cpu_time_ns < 50 * NSEC_PER_MSEC) {
		usleep(POLL_US);
		ck_assert_int_eq(0, workers_phase_end(&ws, 0));
	}
	end(0);
	begin(1);
	end(1);
	first = shm_cell(&shm, 0, 0);
	second = shm_cell(&shm, 0, 1);
	ck_assert_uint_gt(first->run_count, 0);
	ck_assert_uint_lt(second->cpu_time_ns, first->cpu_time_ns);
}
END_TEST

START_TEST(killed_worker_is_failed_and_the_others_go_on)
{
	const struct ktstr_worker *w;
	uint64_t had;
	pid_t pid;

	add_load("spin", 2);
	spawn_ready(1);
	begin(0);
	workers_release(&ws);
	wait_all(0, 1);
	pid = ws.workers[1].pid;
	ck_assert_int_eq(0, kill(pid, SIGKILL));
	while (!workers_reap(&ws))
		usleep(POLL_US);
	w = shm_worker(&shm, 1);
	ck_assert_uint_eq(KTSTR_WORKER_FAILED, w->state);
	ck_assert_int_eq(-ECHILD, w->error);
	ck_assert_str_eq("signal 9", w->what);
	ck_assert_uint_eq(pid, w->pid);
	ck_assert_int_eq(0, ws.workers[1].pid);
	ck_assert_uint_eq(1, ws.nr_live);
	had = shm_cell(&shm, 0, 0)->iterations;
	wait_iterations(0, 0, had + ENOUGH);
	end(0);
	ck_assert_int_eq(0, workers_stop(&ws, READY_NS));
	ck_assert_uint_eq(KTSTR_WORKER_FAILED, w->state);
	ck_assert_uint_eq(KTSTR_WORKER_STOPPED, shm_worker(&shm, 0)->state);
}
END_TEST

START_TEST(callers_waitpid_is_told_to_the_set)
{
	pid_t pid, stranger = fork();
	int status;

	if (!stranger)
		_exit(0);
	add_load("spin", 2);
	spawn_ready(1);
	ck_assert_int_eq(stranger, waitpid(stranger, &status, 0));
	ck_assert_int_eq(-1, workers_exited(&ws, stranger, status));
	ck_assert_int_eq(-1, workers_exited(&ws, 0, 0));
	pid = ws.workers[1].pid;
	kill(pid, SIGKILL);
	ck_assert_int_eq(pid, waitpid(pid, &status, 0));
	ck_assert_int_eq(1, workers_exited(&ws, pid, status));
	ck_assert_int_eq(-1, workers_exited(&ws, pid, status));
	ck_assert_uint_eq(KTSTR_WORKER_FAILED, shm_worker(&shm, 1)->state);
	ck_assert_uint_eq(1, ws.nr_live);
}
END_TEST

START_TEST(worker_that_never_runs_again_is_killed_at_stop)
{
	const struct ktstr_worker *w;
	uint64_t had;
	int status;

	add_load("spin", 2);
	spawn_ready(1);
	begin(0);
	workers_release(&ws);
	wait_all(0, 1);
	/* stopped: what a scheduler does that never dispatches it */
	kill(ws.workers[1].pid, SIGSTOP);
	ck_assert_int_eq(ws.workers[1].pid,
			 waitpid(ws.workers[1].pid, &status, WUNTRACED));
	w = shm_worker(&shm, 1);
	had = w->last_progress_ns;
	wait_iterations(0, 0, shm_cell(&shm, 0, 0)->iterations + ENOUGH);
	end(0);
	ck_assert_uint_eq(had, w->last_progress_ns);
	ck_assert_uint_lt(had, shm.hdr->phase_end_ns[0]);
	ck_assert_int_eq(0, workers_stop(&ws, 50 * NSEC_PER_MSEC));
	ck_assert_uint_eq(KTSTR_WORKER_STOPPED, w->state);
	ck_assert_str_eq("killed at stop", w->what);
	ck_assert_str_eq("", shm_worker(&shm, 0)->what);
	ck_assert_uint_eq(0, ws.nr_live);
}
END_TEST

START_TEST(workers_are_placed_as_asked)
{
	struct plan_workload *w = add_load("spin", 12);
	cpu_set_t mine, got;
	char comm[32];
	int cpu = 0;

	ck_assert_int_eq(0, sched_getaffinity(0, sizeof(mine), &mine));
	while (!CPU_ISSET(cpu, &mine))
		cpu++;
	w->name = "a-very-long-name";
	w->nice = 5;
	w->policy = PLAN_POLICY_BATCH;
	w->has_cpus = true;
	CPU_SET(cpu, &w->cpus);
	spawn_ready(1);
	read_line(ws.workers[3].pid, "comm", comm, sizeof(comm));
	ck_assert_str_eq("a-very-long-n/3\n", comm);
	read_line(ws.workers[11].pid, "comm", comm, sizeof(comm));
	ck_assert_str_eq("a-very-long-/11\n", comm);
	ck_assert_int_eq(5, getpriority(PRIO_PROCESS, ws.workers[0].pid));
	ck_assert_int_eq(SCHED_BATCH, sched_getscheduler(ws.workers[0].pid));
	ck_assert_int_eq(0, sched_getaffinity(ws.workers[0].pid, sizeof(got),
					      &got));
	ck_assert(CPU_EQUAL(&got, &w->cpus));
	ck_assert_uint_eq(11, shm_worker(&shm, 11)->index);
	ck_assert_uint_eq(ws.workers[11].pid, shm_worker(&shm, 11)->pid);
	begin(0);
	workers_release(&ws);
	wait_iterations(0, 0, 1);
	ck_assert_uint_eq(0, shm_cell(&shm, 0, 0)->cpuset_violations);
}
END_TEST

START_TEST(workers_inherit_no_files_and_no_signal_mask)
{
	int fds[2], nr = 0;
	struct dirent *entry;
	char path[64];
	sigset_t all;
	DIR *d;

	ck_assert_int_eq(0, pipe(fds));
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	add_load("spin", 1);
	spawn_ready(1);
	snprintf(path, sizeof(path), "/proc/%d/fd", ws.workers[0].pid);
	d = opendir(path);
	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) > 2)
			nr++;
	closedir(d);
	ck_assert_int_eq(0, nr);
	/* SIGTERM ends nobody, so only the mask could keep SIGUSR1 out */
	kill(ws.workers[0].pid, SIGUSR1);
	while (!workers_reap(&ws))
		usleep(POLL_US);
	ck_assert_str_eq("signal 10", shm_worker(&shm, 0)->what);
}
END_TEST

START_TEST(bad_workloads_are_refused_before_anything_starts)
{
	static const struct {
		const char *kind, *key;
		json_int_t value;
		const char *disk, *says;
	} t[] = {
		{ "dance", NULL, 0, "data",
		  "workload w: kind dance is not known" },
		{ "pipe", NULL, 0, NULL,
		  "workload w: 3 workers are not a multiple of 2" },
		{ "spin", "burst_ns", 1, NULL,
		  "workload w: kind spin has no parameter burst_ns" },
		{ "bursty", "sleep_ns", 0, NULL,
		  "workload w: sleep_ns is 0, not 1000 to 10000000000" },
		{ "bursty", "sleep_ns", -5, NULL,
		  "workload w: sleep_ns is not a number >= 0" },
		{ "io_rand_read", NULL, 0, NULL,
		  "workload w: kind io_rand_read needs a disk" },
		{ "io_rand_read", "depth", 8, "data",
		  "workload w: depth is 8, not 1 to 1" },
		{ "io_rand_read", "block_bytes", 1000, "data",
		  "workload w: block_bytes is 1000, not a multiple of 512" },
	};
	struct plan_workload *w;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		plan.nr_workloads = 0;
		add_load("spin", 2);
		w = add_load(t[i].kind, 3);
		w->name = "w";
		w->disk = t[i].disk;
		if (t[i].key)
			json_object_set_new(w->params, t[i].key,
					    json_integer(t[i].value));
		ck_assert_int_eq(-EINVAL, spawn(1));
		ck_assert_str_eq(t[i].says, msg);
		ck_assert_int_eq(-1, waitpid(-1, NULL, WNOHANG));
		ck_assert_int_eq(ECHILD, errno);
		test_shm_free(&shm);
		json_decref(loads[0].params);
		json_decref(w->params);
	}
	shm.hdr = NULL;
	plan.nr_workloads = 0;
}
END_TEST

START_TEST(writing_to_a_read_only_disk_is_refused)
{
	disk.read_only = true;
	add_load("io_sync_write", 1);
	ck_assert_int_eq(-EINVAL, spawn(1));
	ck_assert_str_eq("workload io_sync_write: kind io_sync_write writes, "
			 "and disk data is read-only", msg);
}
END_TEST

START_TEST(region_too_small_is_refused)
{
	const struct workers_opts opts = { .no_cgroups = true };

	add_load("spin", 3);
	shm = test_shm_new(2, 1);
	ck_assert_int_eq(-ENOSPC, workers_spawn(&plan, shm.hdr, &opts, &ws, msg,
						sizeof(msg)));
	ck_assert_str_eq("3 workers, the shared region has room for 2", msg);
}
END_TEST

START_TEST(missing_disk_fails_the_worker_and_the_wait)
{
	struct plan_workload *w;

	add_load("spin", 1);
	w = add_load("io_rand_read", 1);
	w->disk = "nope";
	ck_assert_int_eq(0, spawn(1));
	ck_assert_int_eq(-ENOENT, workers_wait_ready(&ws, READY_NS, msg,
						     sizeof(msg)));
	ck_assert_str_eq("worker io_rand_read/0: open disk: "
			 "No such file or directory", msg);
	ck_assert_uint_eq(KTSTR_WORKER_FAILED, shm_worker(&shm, 1)->state);
	ck_assert_int_eq(-ENOENT, shm_worker(&shm, 1)->error);
	ck_assert_str_eq("open disk", shm_worker(&shm, 1)->what);
}
END_TEST

START_TEST(worker_killed_before_it_is_ready_fails_the_wait)
{
	add_load("spin", 2);
	ck_assert_int_eq(0, spawn(1));
	kill(ws.workers[0].pid, SIGKILL);
	ck_assert_int_eq(0, kill(ws.workers[0].pid, 0));
	while (!workers_reap(&ws))
		usleep(POLL_US);
	ck_assert_int_eq(-ECHILD, workers_wait_ready(&ws, READY_NS, msg,
						     sizeof(msg)));
	ck_assert_str_eq("worker spin/0: signal 9: died", msg);
}
END_TEST

START_TEST(waiting_for_ready_is_bounded)
{
	add_load("spin", 1);
	ck_assert_int_eq(0, spawn(1));
	/* a state that only the worker changes, taken back */
	workers_wait_ready(&ws, READY_NS, msg, sizeof(msg));
	shm_worker(&shm, 0)->state = KTSTR_WORKER_NEW;
	ck_assert_int_eq(-ETIMEDOUT, workers_wait_ready(&ws, NSEC_PER_MSEC, msg,
							sizeof(msg)));
	ck_assert_str_eq("worker spin/0: get ready: timed out", msg);
}
END_TEST

START_TEST(schedstat_takes_three_numbers)
{
	struct worker_account a = { 1, 1, 1 };

	ck_assert_int_eq(0, schedstat_parse("123 456 7\n", &a));
	ck_assert_uint_eq(123, a.cpu_time_ns);
	ck_assert_uint_eq(456, a.run_delay_ns);
	ck_assert_uint_eq(7, a.run_count);
	ck_assert_int_eq(-EBADMSG, schedstat_parse("", &a));
	ck_assert_int_eq(-EBADMSG, schedstat_parse("1 2", &a));
	ck_assert_int_eq(-EBADMSG, schedstat_parse("a b c", &a));
	ck_assert_uint_eq(123, a.cpu_time_ns);
}
END_TEST

START_TEST(fini_takes_a_set_that_is_all_zero)
{
	struct worker_set zero = { 0 };

	workers_fini(&zero);
	ck_assert_int_eq(0, workers_stop(&zero, 0));
	ck_assert_int_eq(-1, workers_exited(&zero, 1, 0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/worker");
	TCase *tc = tcase_create("worker");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nobody_passes_the_barrier_before_release);
	tcase_add_test(tc, workers_still_at_the_barrier_stop_too);
	tcase_add_test(tc, kernel_counts_are_of_the_phase_alone);
	tcase_add_test(tc, killed_worker_is_failed_and_the_others_go_on);
	tcase_add_test(tc, callers_waitpid_is_told_to_the_set);
	tcase_add_test(tc, worker_that_never_runs_again_is_killed_at_stop);
	tcase_add_test(tc, workers_are_placed_as_asked);
	tcase_add_test(tc, workers_inherit_no_files_and_no_signal_mask);
	tcase_add_test(tc, bad_workloads_are_refused_before_anything_starts);
	tcase_add_test(tc, writing_to_a_read_only_disk_is_refused);
	tcase_add_test(tc, region_too_small_is_refused);
	tcase_add_test(tc, missing_disk_fails_the_worker_and_the_wait);
	tcase_add_test(tc, worker_killed_before_it_is_ready_fails_the_wait);
	tcase_add_test(tc, waiting_for_ready_is_bounded);
	tcase_add_test(tc, schedstat_takes_three_numbers);
	tcase_add_test(tc, fini_takes_a_set_that_is_all_zero);
	suite_add_tcase(s, tc);
	return test_run(s);
}
