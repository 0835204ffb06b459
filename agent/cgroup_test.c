// SPDX-License-Identifier: GPL-2.0-only
/* A plain folder stands in for a cgroup2 mount: its files are made here. */
#include "agent/cgroup.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/plan.h"
#include "agent/worker.h"
#include "lib/test_run.h"

static char mount[64];
static char root[80];
static char msg[256];
static struct plan_workload loads[3];
static struct plan plan = { .workloads = loads };

static void make_file(const char *cgroup, const char *file)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", mount, cgroup);
	ck_assert(!mkdir(path, 0755) || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%s/%s", mount, cgroup, file);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static const char *content(const char *cgroup, const char *file)
{
	static char text[256];
	char path[PATH_MAX];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", mount, cgroup, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	len = read(fd, text, sizeof(text) - 1);
	ck_assert_int_ge(len, 0);
	close(fd);
	text[len] = '\0';
	return text;
}

static void make_cgroup(const char *cgroup)
{
	static const char *const files[] = {
		"cgroup.subtree_control", "cgroup.procs", "cpu.weight",
		"cpu.max", "cpuset.cpus",
	};
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		make_file(cgroup, files[i]);
}

static void setup(void)
{
	int i;

	strcpy(mount, "/tmp/ktstr-cgroup.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(mount));
	snprintf(root, sizeof(root), "%s/ktstr", mount);
	make_file(".", "cgroup.subtree_control");
	make_file("ktstr", "cgroup.subtree_control");
	for (i = 0; i < 3; i++)
		loads[i] = (struct plan_workload){ .name = &"abc"[i],
						   .cgroup = "batch",
						   .cpu_weight = 100 };
	plan.nr_workloads = 1;
	*msg = '\0';
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	return remove(path);
}

static void teardown(void)
{
	nftw(mount, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int make(void)
{
	return cgroup_tree_make(&plan, root, msg, sizeof(msg));
}

START_TEST(settings_reach_their_files)
{
	make_cgroup("ktstr/batch");
	loads[0].cpu_weight = 250;
	loads[0].cpu_max_quota_ns = 20000000;
	loads[0].cpu_max_period_ns = 100000000;
	loads[0].has_cpus = true;
	CPU_SET(1, &loads[0].cpus);
	CPU_SET(3, &loads[0].cpus);
	CPU_SET(12, &loads[0].cpus);
	ck_assert_msg(!make(), "%s", msg);
	ck_assert_str_eq("250", content("ktstr/batch", "cpu.weight"));
	ck_assert_str_eq("20000 100000", content("ktstr/batch", "cpu.max"));
	ck_assert_str_eq("1,3,12", content("ktstr/batch", "cpuset.cpus"));
	/* on for the children of the mount and of the root, not of the leaf */
	ck_assert_str_eq("+cpuset", content(".", "cgroup.subtree_control"));
	ck_assert_str_eq("+cpuset", content("ktstr", "cgroup.subtree_control"));
	ck_assert_str_eq("", content("ktstr/batch", "cgroup.subtree_control"));
}
END_TEST

START_TEST(unlimited_leaves_files_alone)
{
	make_cgroup("ktstr/batch");
	loads[0].cpu_weight = 0;
	ck_assert_int_eq(0, make());
	ck_assert_str_eq("", content("ktstr/batch", "cpu.weight"));
	ck_assert_str_eq("", content("ktstr/batch", "cpu.max"));
	ck_assert_str_eq("", content("ktstr/batch", "cpuset.cpus"));
}
END_TEST

START_TEST(cgroups_are_made_at_any_depth)
{
	struct stat st;
	char path[PATH_MAX];

	loads[0].cgroup = "a/b/c";
	ck_assert_msg(!make(), "%s", msg);
	snprintf(path, sizeof(path), "%s/a/b/c", root);
	ck_assert_int_eq(0, stat(path, &st));
	ck_assert(S_ISDIR(st.st_mode));
}
END_TEST

START_TEST(missing_controller_matters_only_if_needed)
{
	ck_assert_msg(!make(), "%s", msg);	/* weight 100: the default */
	loads[0].cpu_weight = 200;
	ck_assert_int_eq(-ENOENT, make());
	ck_assert_str_eq("cgroup batch: 200 to cpu.weight: No such file or "
			 "directory (kernel without the controller?)", msg);
}
END_TEST

START_TEST(workloads_of_one_cgroup_share_its_cpus)
{
	make_cgroup("ktstr/batch");
	plan.nr_workloads = 2;
	loads[0].has_cpus = loads[1].has_cpus = true;
	CPU_SET(0, &loads[0].cpus);
	CPU_SET(2, &loads[1].cpus);
	ck_assert_int_eq(0, make());
	ck_assert_str_eq("0,2", content("ktstr/batch", "cpuset.cpus"));
}
END_TEST

START_TEST(one_workload_with_all_cpus_frees_the_cgroup)
{
	make_cgroup("ktstr/batch");
	plan.nr_workloads = 2;
	loads[0].has_cpus = true;
	CPU_SET(0, &loads[0].cpus);
	ck_assert_int_eq(0, make());
	ck_assert_str_eq("", content("ktstr/batch", "cpuset.cpus"));
}
END_TEST

START_TEST(disagreement_is_refused)
{
	plan.nr_workloads = 3;
	loads[1].cgroup = "other";
	loads[1].cpu_weight = 7;	/* its own cgroup: fine */
	make_cgroup("ktstr/other");
	ck_assert_msg(!make(), "%s", msg);
	loads[2].cpu_weight = 7;
	ck_assert_int_eq(-EINVAL, make());
	ck_assert_str_eq("workloads abc and c want different cpu_weight or "
			 "cpu_max of cgroup batch", msg);
}
END_TEST

START_TEST(tasks_between_cgroups_are_refused)
{
	plan.nr_workloads = 2;
	loads[0].cgroup = "a/b";
	loads[1].cgroup = "a";
	ck_assert_int_eq(-EINVAL, make());
	ck_assert_str_eq("cgroup a/b of workload abc lies within cgroup a of "
			 "workload bc", msg);
	loads[1].cgroup = "a/bb";	/* a longer name, not a child */
	ck_assert_msg(!make(), "%s", msg);
}
END_TEST

static void put(const char *cgroup, const char *file, const char *text)
{
	char path[PATH_MAX];
	int fd;

	make_file(cgroup, file);
	snprintf(path, sizeof(path), "%s/%s/%s", mount, cgroup, file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ck_assert_int_eq(strlen(text), write(fd, text, strlen(text)));
	close(fd);
}

static const struct {
	const char *text;
	int err;
	uint64_t ns;
} stats[] = {
	{ "usage_usec 1234567\nuser_usec 1\nsystem_usec 2\n", 0, 1234567000 },
	{ "nr_periods 0\nusage_usec 5\n", 0, 5000 },
	{ "", -EBADMSG, 0 },
	{ "usage_usec many\n", -EBADMSG, 0 },
};

START_TEST(a_program_is_accounted_by_its_own_cgroup)
{
	struct worker_account account = { 0 };
	int fd;

	make_file("ktstr", "x");
	put("ktstr/hb.0", "cpu.stat", stats[_i].text);
	fd = cgroup_make_leaf(root, "hb.0");
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(stats[_i].err, cgroup_account_read(fd, &account));
	ck_assert_uint_eq(stats[_i].ns, account.cpu_time_ns);
	close(fd);
}
END_TEST

START_TEST(a_leaf_is_known_by_its_inode)
{
	struct stat st;
	uint64_t id;
	char path[PATH_MAX];

	make_file("ktstr", "x");
	put("ktstr/hb.0", "cpu.stat", "");
	snprintf(path, sizeof(path), "%s/hb.0", root);
	ck_assert_int_eq(0, stat(path, &st));
	ck_assert_int_eq(0, cgroup_leaf_id(root, "hb.0", &id));
	ck_assert_uint_eq(st.st_ino, id);
	ck_assert_int_eq(-ENOENT, cgroup_leaf_id(root, "none", &id));
}
END_TEST

START_TEST(a_leaf_without_an_account_is_an_error)
{
	make_file("ktstr", "x");
	ck_assert_int_eq(-ENOENT, cgroup_make_leaf(root, "hb.0"));
	ck_assert_int_eq(-ENOENT, cgroup_make_leaf(root, "none/hb.0"));
}
END_TEST

/* This process runs, a child sleeps, and nobody has the last number. */
START_TEST(who_wants_a_cpu_is_told_from_who_sleeps)
{
	char tasks[64];
	int p[2];
	pid_t child;

	ck_assert_int_eq(0, pipe(p));
	child = fork();
	if (!child) {
		char c;

		if (read(p[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	usleep(20000);
	snprintf(tasks, sizeof(tasks), "%d\n%d\n999999999\n", child,
		 getpid());
	make_file("ktstr", "x");
	put("ktstr/hb.0", "cgroup.threads", tasks);
	ck_assert_uint_eq(1, cgroup_count_runnable(root, "hb.0"));
	snprintf(tasks, sizeof(tasks), "%d\n", child);
	put("ktstr/hb.0", "cgroup.threads", tasks);
	ck_assert_uint_eq(0, cgroup_count_runnable(root, "hb.0"));
	ck_assert_uint_eq(0, cgroup_count_runnable(root, "hb.1"));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(enter_writes_the_callers_zero)
{
	make_cgroup("ktstr/batch");
	ck_assert_int_eq(0, cgroup_enter(root, "batch"));
	ck_assert_str_eq("0", content("ktstr/batch", "cgroup.procs"));
	ck_assert_int_eq(-ENOENT, cgroup_enter(root, "nope"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/cgroup");
	TCase *tc = tcase_create("cgroup");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, settings_reach_their_files);
	tcase_add_test(tc, unlimited_leaves_files_alone);
	tcase_add_test(tc, cgroups_are_made_at_any_depth);
	tcase_add_test(tc, missing_controller_matters_only_if_needed);
	tcase_add_test(tc, workloads_of_one_cgroup_share_its_cpus);
	tcase_add_test(tc, one_workload_with_all_cpus_frees_the_cgroup);
	tcase_add_test(tc, disagreement_is_refused);
	tcase_add_test(tc, tasks_between_cgroups_are_refused);
	tcase_add_loop_test(tc, a_program_is_accounted_by_its_own_cgroup, 0,
			    sizeof(stats) / sizeof(stats[0]));
	tcase_add_test(tc, a_leaf_is_known_by_its_inode);
	tcase_add_test(tc, a_leaf_without_an_account_is_an_error);
	tcase_add_test(tc, who_wants_a_cpu_is_told_from_who_sleeps);
	tcase_add_test(tc, enter_writes_the_callers_zero);
	suite_add_tcase(s, tc);
	return test_run(s);
}
