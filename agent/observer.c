// SPDX-License-Identifier: GPL-2.0-only
#include "agent/observer.h"

#include "agent/cgroup.h"
#include "agent/json_text.h"
#include "agent/load_exec.h"
#include "agent/plan.h"
#include "agent/sched_set.h"
#include "agent/shm.h"
#include "agent/worker.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_BYTES (1 << 20) /* touched only as far as it is used */
#define LOG_SENT (4 << 10)

/* One observer on its way up. */
struct start {
	struct observer *o;
	const struct observer_env *env;
	enum obs_id id;
	struct obs_dims dims;
	struct bpf_map_info region;
	unsigned int nr_programs;
	bool reduced;		/* without its optional programs */
	char *log;		/* owned: the verifier's */
	char err_msg[512];
};

/* What libbpf complained of first: the cause, as a rule. It has one hook. */
static char first_warning[256];

static int keep_warning(enum libbpf_print_level level, const char *fmt,
			va_list ap)
{
	if (level != LIBBPF_WARN || first_warning[0])
		return 0;
	vsnprintf(first_warning, sizeof(first_warning), fmt, ap);
	first_warning[strcspn(first_warning, "\n")] = '\0';
	return 0;
}

static int step_open(struct start *s)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .object_name = s->o->name,
		    .kernel_log_buf = s->log,
		    .kernel_log_size = LOG_BYTES);
	char path[PATH_MAX];

	s->id = obs_find(s->o->name);
	if (s->id == OBS_NR) {
		snprintf(s->err_msg, sizeof(s->err_msg),
			 "there is no such observer");
		return -ENOENT;
	}
	snprintf(path, sizeof(path), "%s/%s.bpf.o", s->env->dir, s->o->name);
	s->o->obj = bpf_object__open_file(path, &opts);
	return s->o->obj ? 0 : -errno;
}

static bool ends_in(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && !strcmp(name + len - end_len, end);
}

static bool is_optional(const struct bpf_program *prog)
{
	return ends_in(bpf_program__name(prog), KTSTR_OBS_OPTIONAL);
}

/* Return: are there any? */
static bool drop_optional(const struct observer *o)
{
	struct bpf_program *prog;
	bool any = false;

	bpf_object__for_each_program(prog, o->obj) {
		if (!is_optional(prog))
			continue;
		any = true;
		bpf_program__set_autoload(prog, false);
	}
	return any;
}

static int set_dims(struct start *s, uint64_t items)
{
	json_t *set = json_pack("{s:i, s:i, s:i, s:i, s:I}", "nr_workloads",
				s->dims.workloads, "nr_workers",
				s->dims.workers, "nr_phases", s->dims.phases,
				"nr_cpus", s->dims.cpus, "nr_items",
				(json_int_t)items);
	int err = set ? sched_set_all(s->o->obj, set, s->err_msg,
				      sizeof(s->err_msg)) : -ENOMEM;

	json_decref(set);
	return err;
}

static int find_map(struct start *s, const char *name, struct bpf_map **map)
{
	*map = bpf_object__find_map_by_name(s->o->obj, name);
	if (*map)
		return 0;
	snprintf(s->err_msg, sizeof(s->err_msg), "its object has no map %s",
		 name);
	return -ENOENT;
}

/* Before it is loaded: a region as long as the plan needs, the shared one. */
static int step_set(struct start *s)
{
	const struct plan *plan = s->env->plan;
	struct bpf_map *region, *shm;
	uint64_t bytes;
	int err;

	s->dims = (struct obs_dims){
		.workloads = plan->nr_workloads,
		.workers = plan->nr_workers,
		.phases = plan->nr_phases,
		.cpus = sysconf(_SC_NPROCESSORS_CONF),
	};
	bytes = obs_bytes(s->id, &s->dims);
	if (bytes > KTSTR_OBS_MAX_BYTES) {
		snprintf(s->err_msg, sizeof(s->err_msg),
			 "%u workloads, %u phases and %u CPUs would take %llu bytes",
			 s->dims.workloads, s->dims.phases, s->dims.cpus,
			 (unsigned long long)bytes);
		return -E2BIG;
	}
	err = set_dims(s, obs_items(s->id, &s->dims));
	if (!err)
		err = find_map(s, KTSTR_OBS_REGION, &region);
	if (!err)
		err = find_map(s, KTSTR_OBS_SHM, &shm);
	if (!err)
		err = bpf_map__set_value_size(region, bytes);
	if (s->reduced)
		drop_optional(s->o);
	return err ? err : bpf_map__reuse_fd(shm, s->env->shm->map_fd);
}

static int step_load(struct start *s)
{
	uint32_t len = sizeof(s->region);
	struct bpf_map *map;
	int err = bpf_object__load(s->o->obj);

	if (!err)
		err = find_map(s, KTSTR_OBS_REGION, &map);
	return err ? err : bpf_map_get_info_by_fd(bpf_map__fd(map),
						  &s->region, &len);
}

/* --- whose the tasks are --- */

static int mark_task(struct bpf_map *map, pid_t pid, void *value,
		     const struct ktstr_obs_task *t)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), err;

	if (fd < 0)
		return errno == ESRCH ? 0 : -errno; /* it has ended */
	memcpy(value, t, sizeof(*t));
	err = bpf_map__update_elem(map, &fd, sizeof(fd), value,
				   bpf_map__value_size(map), BPF_ANY);
	close(fd);
	return err;
}

/* The worker itself; of a program its holder, and the program beside it. */
static int mark_worker(struct bpf_map *map, const struct worker_set *ws,
		       const struct shm *shm, unsigned int nr, void *value)
{
	const struct worker *w = &ws->workers[nr];
	struct ktstr_obs_task t = { .workload = w->workload, .worker = nr };
	pid_t program = __atomic_load_n(&shm_worker(shm, nr)->pid,
					__ATOMIC_RELAXED);
	int err = 0;

	if (w->exec && program > 0 && program != w->pid)
		err = mark_task(map, program, value, &t);
	t.flags = w->exec ? KTSTR_OBS_HOLDER : KTSTR_OBS_WORKER;
	if (!err && w->pid > 0)
		err = mark_task(map, w->pid, value, &t);
	return err;
}

static int step_mark(struct start *s)
{
	const struct worker_set *ws = s->env->workers;
	struct bpf_map *map;
	unsigned int nr;
	void *value;
	int err = find_map(s, KTSTR_OBS_TASKS, &map);

	if (err)
		return err;
	if (bpf_map__value_size(map) < sizeof(struct ktstr_obs_task))
		return -EINVAL;
	value = calloc(1, bpf_map__value_size(map));
	if (!value)
		return -ENOMEM;
	for (nr = 0; !err && nr < ws->nr; nr++)
		err = mark_worker(map, ws, s->env->shm, nr, value);
	free(value);
	return err;
}

/* An iterator runs while it is read; it says nothing. */
static int run_iterator(const struct bpf_link *link)
{
	int fd = bpf_iter_create(bpf_link__fd(link));
	char nothing[64];
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		n = read(fd, nothing, sizeof(nothing));
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

/* Those whose names end in @when; links are in the order of programs. */
static int run_iterators(const struct observer *o, const char *when)
{
	struct bpf_program *prog;
	unsigned int i = 0;
	int err = 0;

	bpf_object__for_each_program(prog, o->obj) {
		if (!bpf_program__autoload(prog))
			continue;
		if (bpf_program__expected_attach_type(prog) == BPF_TRACE_ITER &&
		    ends_in(bpf_program__name(prog), when))
			err = run_iterator(o->links[i]);
		if (err)
			return err;
		i++;
	}
	return 0;
}

/*
 * Be on each CPU once: who ran there is switched away from, and what was idle
 * is seen to become so. A CPU that is idle all along would never be heard of.
 */
static int visit_cpus(void)
{
	cpu_set_t before, one;
	int cpu, err = 0;

	if (sched_getaffinity(0, sizeof(before), &before))
		return -errno;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &before))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			err = -errno;
	}
	if (sched_setaffinity(0, sizeof(before), &before))
		err = -errno;
	return err;
}

static int step_attach(struct start *s)
{
	struct bpf_program *prog;
	struct bpf_link *link;
	int err;

	bpf_object__for_each_program(prog, s->o->obj) {
		if (!bpf_program__autoload(prog))
			continue;
		s->nr_programs++;
		if (s->o->nr_links == OBSERVER_MAX_LINKS)
			return -E2BIG;
		link = bpf_program__attach(prog);
		if (!link)
			return -errno;
		s->o->links[s->o->nr_links++] = link;
	}
	err = run_iterators(s->o, KTSTR_OBS_AT_START);
	return err ? err : visit_cpus();
}

static const struct step {
	const char *name;
	int (*run)(struct start *s);
} steps[] = {
	{ "open", step_open },
	{ "set", step_set },
	{ "load", step_load },
	{ "mark", step_mark },
	{ "attach", step_attach },
};

#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

void observer_verifier_says(const char *log, char *line, size_t len)
{
	const char *end = log + strlen(log), *start;

	*line = '\0';
	while (end > log) {
		start = end;
		while (start > log && start[-1] != '\n')
			start--;
		if (end > start && strncmp(start, "processed ", 10) &&
		    strncmp(start, "verification time ", 18) &&
		    strncmp(start, "stack depth ", 12)) {
			snprintf(line, len, "%.*s", (int)(end - start), start);
			return;
		}
		end = start > log ? start - 1 : log;
	}
}

static void say_why(const struct start *s, const char *stage, int err,
		    char *message, size_t len)
{
	const char *why = s->err_msg[0] ? s->err_msg : first_warning;
	char says[256];

	observer_verifier_says(s->log, says, sizeof(says));
	snprintf(message, len, "%s: %s%s%s", stage,
		 *why ? why : strerror(-err), *says ? ": " : "", says);
}

/* @message: of what failed */
static int run_steps(struct start *s, const char **stage, char *message,
		     size_t len)
{
	size_t i;
	int err = 0;

	s->nr_programs = 0;
	s->log[0] = '\0';
	s->err_msg[0] = '\0';
	for (i = 0; !err && i < NR_STEPS; i++) {
		first_warning[0] = '\0';
		*stage = steps[i].name;
		err = steps[i].run(s);
	}
	if (err)
		say_why(s, *stage, err, message, len);
	return err;
}

static json_t *attached_json(const struct start *s, uint64_t load_ns,
			     const char *without)
{
	return json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:o*}", "name",
			 s->o->name, "state", "attached", "programs",
			 s->nr_programs, "map_id", (json_int_t)s->region.id,
			 "bytes", (json_int_t)s->region.value_size, "load_ns",
			 (json_int_t)load_ns, "without", s->reduced ?
			 json_text(without, strlen(without)) : NULL);
}

json_t *observer_start(struct observer *o, const char *name,
		       const struct observer_env *env)
{
	struct start s = { .o = o, .env = env };
	uint64_t start_ns = clock_now_ns();
	char message[sizeof(s.err_msg) + 512];
	const char *stage = NULL;
	json_t *report;
	int err;

	o->name = name;
	s.log = calloc(1, LOG_BYTES);
	if (!s.log)
		return NULL;
	libbpf_set_print(keep_warning);
	err = run_steps(&s, &stage, message, sizeof(message));
	if (err && o->obj && drop_optional(o)) {
		/* whichever of them it was, or none: all are left out */
		observer_stop(o);
		s.reduced = true;
		err = run_steps(&s, &stage, message, sizeof(message));
	}
	if (err) {
		report = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "name",
				   name, "state", "failed", "stage", stage,
				   "errno", -err, "message",
				   json_text(message, sizeof(message)), "log",
				   json_text_tail(s.log, LOG_SENT));
		observer_stop(o);
	} else {
		report = attached_json(&s, clock_now_ns() - start_ns, message);
	}
	free(s.log);
	return report;
}

void observer_stop(struct observer *o)
{
	while (o->nr_links)
		bpf_link__destroy(o->links[--o->nr_links]);
	bpf_object__close(o->obj);
	o->obj = NULL;
}

void observers_stop(struct observers *all)
{
	while (all->nr)
		observer_stop(&all->v[--all->nr]);
}

/* --- what it costs --- */

static struct observer_cost read_cost(const struct observer *o)
{
	struct observer_cost cost = { 0 };
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, o->obj) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		if (bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			continue;
		cost.run_count += info.run_cnt;
		cost.run_ns += info.run_time_ns;
		cost.missed += info.recursion_misses;
	}
	return cost;
}

void observers_phase_start(struct observers *all)
{
	unsigned int i;

	for (i = 0; i < all->nr; i++)
		if (all->v[i].obj)
			all->v[i].base = read_cost(&all->v[i]);
}

json_t *observers_phase_end(const struct observers *all)
{
	json_t *costs = json_object();
	unsigned int i;

	for (i = 0; i < all->nr; i++) {
		const struct observer *o = &all->v[i];
		struct observer_cost now;
		int err;

		if (!o->obj)
			continue;
		now = read_cost(o); /* without what comes now */
		err = run_iterators(o, KTSTR_OBS_AT_END);
		if (err)
			log_warn("observers: %s: who still waits: %s", o->name,
				 strerror(-err));
		json_object_set_new(costs, o->name, json_pack(
			"{s:I, s:I, s:I}",
			"run_count",
			(json_int_t)(now.run_count - o->base.run_count),
			"run_ns", (json_int_t)(now.run_ns - o->base.run_ns),
			"missed", (json_int_t)(now.missed - o->base.missed)));
	}
	if (json_object_size(costs))
		return costs;
	json_decref(costs);
	return NULL;
}

int observer_count_tracing(void)
{
	uint32_t id = 0;
	int fd, nr = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue; /* it is just going */
		if (!bpf_prog_get_info_by_fd(fd, &info, &len))
			nr += info.type == BPF_PROG_TYPE_TRACING;
		close(fd);
	}
	return errno == ENOENT ? nr : -errno;
}
