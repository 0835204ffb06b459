// SPDX-License-Identifier: GPL-2.0-only
#include "agent/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/plan.h"
#include "agent/sysfile.h"
#include "agent/worker.h"

#define WEIGHT_DEFAULT 100
#define CPU_LIST_MAX 2048	/* "0,2,4,...": 512 CPUs with room to spare */

static int write_at(int dir_fd, const char *file, const char *text)
{
	int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC), err = 0;
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

/*
 * Children of @dir_fd may use cpu and cpuset. One at a time: a kernel without
 * one of them refuses the line as a whole. Which of them a workload cannot do
 * without shows when its settings are written.
 */
static void enable_controllers(int dir_fd)
{
	write_at(dir_fd, "cgroup.subtree_control", "+cpu");
	write_at(dir_fd, "cgroup.subtree_control", "+cpuset");
}

/* Like mkdir -p, each level with the controllers on; returns the last one. */
static int open_cgroup(const char *root, const char *name)
{
	char path[PATH_MAX], *end;
	size_t root_len = strlen(root);
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s/", root, name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	/* the parent of root, then root, then each part of name */
	end = strrchr(root, '/');
	end = path + (end ? (size_t)(end - root) : root_len);
	for (;;) {
		*end = '\0';
		if (end != path && mkdir(path, 0755) && errno != EEXIST)
			return -errno;
		fd = open(*path ? path : "/",
			  O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		*end = '/';
		end = strchr(end + 1, '/');
		if (!end)
			return fd;
		enable_controllers(fd);
		close(fd);
	}
}

static void cpu_list(const cpu_set_t *cpus, char *text, size_t len)
{
	size_t at = 0;
	int cpu;

	*text = '\0';
	for (cpu = 0; cpu < CPU_SETSIZE && at < len; cpu++)
		if (CPU_ISSET(cpu, cpus))
			at += snprintf(text + at, len - at, "%s%d",
				       at ? "," : "", cpu);
}

/* What the workloads of one cgroup ask of it, taken together. */
struct settings {
	unsigned int weight;	/* 0: leave */
	uint64_t quota_ns, period_ns; /* quota 0: no limit */
	bool all_cpus;
	cpu_set_t cpus;
};

static bool same_limits(const struct plan_workload *a,
			const struct plan_workload *b)
{
	return a->cpu_weight == b->cpu_weight &&
	       a->cpu_max_quota_ns == b->cpu_max_quota_ns &&
	       a->cpu_max_period_ns == b->cpu_max_period_ns;
}

/* True if @outer is a folder above @inner. */
static bool lies_within(const char *inner, const char *outer)
{
	size_t len = strlen(outer);

	return !strncmp(inner, outer, len) && inner[len] == '/';
}

static int gather(const struct plan *plan, const struct plan_workload *first,
		  struct settings *set, char *err_msg, size_t err_len)
{
	const struct plan_workload *w = plan->workloads;
	const struct plan_workload *end = w + plan->nr_workloads;

	*set = (struct settings){
		.weight = first->cpu_weight,
		.quota_ns = first->cpu_max_quota_ns,
		.period_ns = first->cpu_max_period_ns,
	};
	for (; w < end; w++) {
		if (lies_within(w->cgroup, first->cgroup)) {
			snprintf(err_msg, err_len, "cgroup %s of workload %s "
				 "lies within cgroup %s of workload %s",
				 w->cgroup, w->name, first->cgroup,
				 first->name);
			return -EINVAL;
		}
		if (strcmp(w->cgroup, first->cgroup))
			continue;
		if (!same_limits(w, first)) {
			snprintf(err_msg, err_len, "workloads %s and %s want "
				 "different cpu_weight or cpu_max of cgroup %s",
				 first->name, w->name, w->cgroup);
			return -EINVAL;
		}
		set->all_cpus |= !w->has_cpus;
		if (w->has_cpus)
			CPU_OR(&set->cpus, &set->cpus, &w->cpus);
	}
	return 0;
}

static int set_one(int dir_fd, const char *cgroup, const char *file,
		   const char *text, char *err_msg, size_t err_len)
{
	int err = write_at(dir_fd, file, text);

	if (err)
		snprintf(err_msg, err_len, "cgroup %s: %s to %s: %s%s", cgroup,
			 text, file, strerror(-err),
			 err == -ENOENT ? " (kernel without the controller?)" :
					  "");
	return err;
}

static int apply(int dir_fd, const char *cgroup, const struct settings *set,
		 char *err_msg, size_t err_len)
{
	char text[CPU_LIST_MAX];
	int err = 0;

	/* asking for the default is no need for the controller */
	if (set->weight && (set->weight != WEIGHT_DEFAULT ||
			    !faccessat(dir_fd, "cpu.weight", F_OK, 0))) {
		snprintf(text, sizeof(text), "%u", set->weight);
		err = set_one(dir_fd, cgroup, "cpu.weight", text, err_msg,
			      err_len);
	}
	if (!err && set->quota_ns) {
		snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64,
			 set->quota_ns / 1000, set->period_ns / 1000);
		err = set_one(dir_fd, cgroup, "cpu.max", text, err_msg,
			      err_len);
	}
	if (!err && !set->all_cpus) {
		cpu_list(&set->cpus, text, sizeof(text));
		err = set_one(dir_fd, cgroup, "cpuset.cpus", text, err_msg,
			      err_len);
	}
	return err;
}

int cgroup_tree_make(const struct plan *plan, const char *root, char *err_msg,
		     size_t err_len)
{
	const struct plan_workload *w = plan->workloads;
	const struct plan_workload *end = w + plan->nr_workloads;
	struct settings set;
	int fd, err;

	for (; w < end; w++) {
		err = gather(plan, w, &set, err_msg, err_len);
		if (err)
			return err;
		fd = open_cgroup(root, w->cgroup);
		if (fd < 0) {
			snprintf(err_msg, err_len, "make cgroup %s/%s: %s",
				 root, w->cgroup, strerror(-fd));
			return fd;
		}
		err = apply(fd, w->cgroup, &set, err_msg, err_len);
		close(fd);
		if (err)
			return err;
	}
	return 0;
}

int cgroup_enter(const char *root, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s/cgroup.procs", root, name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return sysfile_write(path, "0");
}

int cgroup_make_leaf(const char *root, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", root, name) >=
	    (int)sizeof(path) - 16)
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	strcat(path, "/cpu.stat");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cgroup_leaf_id(const char *root, const char *name, uint64_t *id)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", root, name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	if (stat(path, &st))
		return -errno;
	*id = st.st_ino;
	return 0;
}

int cgroup_account_read(int fd, struct worker_account *account)
{
	char text[1024];
	const char *usage;
	uint64_t usec;
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	if (got < 0)
		return -errno;
	text[got] = '\0';
	usage = strstr(text, "usage_usec ");
	if (!usage || sscanf(usage, "usage_usec %" SCNu64, &usec) != 1)
		return -EBADMSG;
	*account = (struct worker_account){ .cpu_time_ns = usec * 1000 };
	return 0;
}

/* "12 (a name) R 1 ...": what stands behind the last bracket. */
static bool is_runnable(unsigned int tid)
{
	char text[256];
	const char *bracket;

	if (sysfile_read(text, sizeof(text), "/proc/%u/stat", tid) < 0)
		return false;
	bracket = strrchr(text, ')');
	return bracket && bracket[1] == ' ' && bracket[2] == 'R';
}

unsigned int cgroup_count_runnable(const char *root, const char *name)
{
	unsigned int tid, count = 0;
	char path[PATH_MAX];
	FILE *tasks;

	if (snprintf(path, sizeof(path), "%s/%s/cgroup.threads", root, name) >=
	    (int)sizeof(path))
		return 0;
	tasks = fopen(path, "re");
	if (!tasks)
		return 0;
	while (fscanf(tasks, "%u", &tid) == 1)
		count += is_runnable(tid);
	fclose(tasks);
	return count;
}
