// SPDX-License-Identifier: GPL-2.0-only
/* Looks at the frozen VM: park it, read everything once, let it go on. */
#include "runner/session.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/look.h"
#include "runner/look_gap.h"
#include "runner/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* How long vCPUs and disk workers have to park. */
#define PARK_NS NSEC_PER_SEC

/* As many are told of in the result; all are in the file. */
#define LISTED_MAX 64

#define MAX_TASKS 512

struct looks {
	struct look_schedule schedule;
	int timer_fd;		/* the schedule's; absolute */
	int death_fd;		/* the sampler's thread saw the end */
	bool watch_asked, death_taken;	/* once is enough */
	FILE *out;		/* looks.jsonl, from the first look on */
	uint64_t nr, not_parked;
	uint32_t freeze_gen;	/* as published to the guest */
	struct frozen_log log;
	json_t *list;
};

const struct frozen_log *session_frozen(const struct session *s)
{
	return &s->looks->log;
}

/*
 * Into the shared region, while nobody there can look: whoever runs again
 * finds both. The guest's own words are not read.
 */
static void publish(struct session *s)
{
	struct looks *l = s->looks;
	uint64_t *frozen_ns;
	uint32_t *gen;

	l->freeze_gen++;
	if (!s->shm_map_id)
		return;
	if (sampler_shm_hva(s->sampler, s->shm_map_id,
			    offsetof(struct ktstr_shm_hdr, freeze_gen),
			    sizeof(*gen), (void **)&gen) ||
	    sampler_shm_hva(s->sampler, s->shm_map_id,
			    offsetof(struct ktstr_shm_hdr, frozen_ns),
			    sizeof(*frozen_ns), (void **)&frozen_ns)) {
		log_warn("look: frozen time can't be told to the guest");
		return;
	}
	__atomic_store_n(frozen_ns, l->log.sum_ns, __ATOMIC_RELAXED);
	/*
	 * Release: who sees the count sees the time. The guest reads them
	 * relaxed, but no vCPU of it runs before vm_thaw().
	 */
	__atomic_store_n(gen, l->freeze_gen, __ATOMIC_RELEASE);
}

static json_t *disks_json(const struct session *s)
{
	json_t *disks = json_object();
	struct vm_disk_stats st;
	unsigned int i;

	for (i = 0; i < s->nr_disks; i++) {
		vm_disk_stats_read(s->vm, i, &st);
		json_object_set_new(disks, s->disk_names[i], json_pack(
			"{s:b, s:I, s:I, s:I, s:I, s:I, s:I}",
			"throttled", st.throttled_now,
			"reads", (json_int_t)st.reads,
			"writes", (json_int_t)st.writes,
			"flushes", (json_int_t)st.flushes,
			"errors", (json_int_t)st.io_errors,
			"throttled_ns", (json_int_t)st.throttled_ns,
			"queued_ns", (json_int_t)st.queued_ns));
	}
	return disks;
}

/* How far each worker has got. */
static json_t *workers_json(const struct session *s)
{
	struct ktstr_shm_hdr hdr;
	struct ktstr_worker w;
	json_t *workers;
	unsigned int i;

	if (!s->shm_map_id || session_shm_header((struct session *)s, &hdr))
		return json_null();
	workers = json_array();
	for (i = 0; i < hdr.nr_workers; i++) {
		if (sampler_shm(s->sampler, s->shm_map_id, &w,
				hdr.workers_off + i * sizeof(w), sizeof(w)))
			continue;
		json_array_append_new(workers, json_pack(
			"{s:i, s:i, s:I, s:I, s:I}",
			"workload", (int)w.workload, "index", (int)w.index,
			"pid", (json_int_t)w.pid, "last_cpu",
			(json_int_t)w.last_cpu, "last_progress_ns",
			(json_int_t)w.last_progress_ns));
	}
	return workers;
}

static json_t *dsq_json(const struct mon_task *t)
{
	char text[32];

	return t->on_dsq ? json_string(look_dsq_name(t->dsq_id, text)) :
		json_null();
}

/* Who runs, and who waits where. */
static json_t *tasks_json(const struct session *s)
{
	struct mon_task *tasks = calloc(MAX_TASKS, sizeof(*tasks));
	int i, nr = tasks ? sampler_tasks(s->sampler, tasks, MAX_TASKS) :
		-ENOMEM;
	json_t *list = nr < 0 ? json_null() : json_array();

	for (i = 0; i < nr; i++)
		json_array_append_new(list, json_pack(
			"{s:i, s:I, s:s, s:b, s:b, s:o, s:o, s:o}",
			"cpu", (int)tasks[i].cpu,
			"pid", (json_int_t)tasks[i].pid,
			"comm", tasks[i].comm, "running", tasks[i].running,
			"idle", tasks[i].idle, "dsq", dsq_json(&tasks[i]),
			"dsq_nr", tasks[i].on_dsq ?
			json_integer(tasks[i].dsq_nr) : json_null(),
			"dsq_place", tasks[i].dsq_place ?
			json_integer(tasks[i].dsq_place) : json_null()));
	free(tasks);
	return list;
}

/* What is read while nothing moves. */
static void read_all(struct session *s, json_t *look)
{
	struct mon_sched sched;

	if (!s->sampler)
		return;
	if (!sampler_sched(s->sampler, &sched))
		sampler_sched_json(&sched, look);
	json_object_set_new(look, "tasks", tasks_json(s));
	json_object_set_new(look, "disks", disks_json(s));
	json_object_set_new(look, "workers", workers_json(s));
	json_object_set_new(look, "maps", sampler_maps(s->sampler));
}

static void write_line(struct session *s, json_t *look)
{
	struct looks *l = s->looks;
	char *path;

	if (!l->out) {
		path = path_join(s->out_dir, "looks.jsonl");
		l->out = path ? fopen(path, "we") : NULL;
		free(path);
	}
	if (!l->out || json_dumpf(look, l->out, JSON_COMPACT) ||
	    fputc('\n', l->out) == EOF || fflush(l->out))
		log_err("looks.jsonl: %s", strerror(errno));
}

/* The result has all of a look that is short. */
static void list_look(struct looks *l, json_t *look)
{
	static const char *const long_keys[] = { "maps", "workers", "disks" };
	json_t *item;
	size_t i;

	if (json_array_size(l->list) >= LISTED_MAX)
		return;
	item = json_copy(look);
	for (i = 0; i < sizeof(long_keys) / sizeof(long_keys[0]); i++)
		json_object_del(item, long_keys[i]);
	json_array_append_new(l->list, item);
}

static json_t *phase_name(const struct session *s)
{
	json_t *phases = json_object_get(s->plan, "phases");
	json_t *name = json_object_get(json_array_get(phases, s->phase),
				       "name");

	return s->phase < s->nr_phases && name ? json_incref(name) :
		json_null();
}

static json_t *look_new(const struct session *s, enum look_why why,
			const char *name, enum look_seen seen, uint64_t at_ns)
{
	return json_pack("{s:i, s:I, s:I, s:o, s:s, s:s?, s:s?}",
			 "v", 1, "n", (json_int_t)s->looks->nr,
			 "t_ns", (json_int_t)(at_ns - s->start_ns),
			 "phase", phase_name(s), "why", look_why_name(why),
			 "name", name, "seen_by", look_seen_name(seen));
}

/*
 * Whose CPU time has the frozen time in it. A kernel that can't tell leaves it
 * there. @tasks is the caller's to free.
 */
static int read_running(struct session *s, struct mon_task **tasks)
{
	*tasks = s->sampler ? calloc(MON_MAX_CPUS, sizeof(**tasks)) : NULL;
	return *tasks ? sampler_running(s->sampler, *tasks, MON_MAX_CPUS) : 0;
}

/* Whose program's a task is, by its cgroup, as struct frozen_run has it. */
static uint32_t program_of(const struct session *s, const struct mon_task *t)
{
	json_t *leaf;
	size_t i;

	json_array_foreach(s->leaves, i, leaf)
		if (t->cgroup && t->cgroup == (uint64_t)json_integer_value(leaf))
			return i + 1;
	return 0;
}

/* -1, where a kernel does not tell, is a maybe. */
static bool in_bypass(struct session *s)
{
	struct mon_sched sched;

	return !s->sampler || sampler_sched(s->sampler, &sched) ||
	       sched.bypass_depth;
}

static void note_span(struct session *s, uint64_t asked_ns, uint64_t end_ns,
		      const struct mon_task *ran, int nr)
{
	struct frozen_log *log = &s->looks->log;
	int i, err = frozen_log_add(log, asked_ns, end_ns);

	for (i = 0; !err && i < nr; i++)
		if (!ran[i].idle)
			err = frozen_log_add_run(log, ran[i].pid,
						 program_of(s, &ran[i]));
	if (err)
		log_err("look: out of memory for its frozen time");
}

/*
 * From the asking on: a vCPU may have parked right then. Whether it @stood: not
 * all did otherwise, and some went on.
 */
static uint64_t thaw(struct session *s, uint64_t asked_ns, bool stood)
{
	struct mon_task *ran = NULL;
	int nr = stood ? read_running(s, &ran) : 0;
	bool bypass = in_bypass(s);
	uint64_t end_ns = clock_now_ns(); /* after all that takes time */

	note_span(s, asked_ns, end_ns, ran, nr);
	if (bypass)
		frozen_log_bypass(&s->looks->log);
	free(ran);
	publish(s);
	vm_thaw(s->vm);
	session_gaps_thaw(s, end_ns - asked_ns);
	return end_ns;
}

static void take_look(struct session *s, enum look_why why, const char *name,
		      enum look_seen seen)
{
	uint64_t asked_ns = clock_now_ns(), frozen_ns, end_ns;
	json_t *look = look_new(s, why, name, seen, asked_ns);
	struct looks *l = s->looks;
	int err;

	if (!look)
		return;
	session_gaps_freeze(s);
	sampler_pause(s->sampler, true);
	err = vm_freeze(s->vm, PARK_NS);
	frozen_ns = clock_now_ns();
	if (!err)
		read_all(s, look);
	if (!err && why == LOOK_DEATH)
		vm_watch_write(s->vm, 0, 0, NULL, NULL);
	end_ns = thaw(s, asked_ns, !err);
	sampler_pause(s->sampler, false);
	if (err)
		log_warn("look: not all vCPUs and disk workers parked within %llu ms: %s",
			 PARK_NS / NSEC_PER_MSEC, strerror(-err));
	l->nr++;
	l->not_parked += err != 0;
	json_object_update_new(look, json_pack("{s:s, s:I, s:I}",
		"outcome", err ? "not_parked" : "frozen",
		"rendezvous_ns", (json_int_t)(frozen_ns - asked_ns),
		"frozen_ns", (json_int_t)(end_ns - asked_ns)));
	write_line(s, look);
	list_look(l, look);
	json_decref(look);
}

static void arm(struct looks *l)
{
	uint64_t at_ns = look_schedule_next(&l->schedule);
	struct itimerspec its = { 0 };

	if (at_ns != UINT64_MAX)
		its.it_value = clock_to_timespec(at_ns ? at_ns : 1);
	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &its, NULL))
		log_err("look: timer: %s", strerror(errno));
}

static void on_timer(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	struct look_order order;
	uint64_t ticks;

	if (read(s->looks->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	while (look_schedule_take(&s->looks->schedule, clock_now_ns(), &order))
		take_look(s, order.why, order.name, LOOK_SEEN_NONE);
	arm(s->looks);
}

void session_look_death(struct session *s, enum look_seen seen)
{
	struct looks *l = s->looks;

	/* at the end we detach it ourselves, and a signal ends early */
	if (l->death_taken || !s->sampler || s->signal ||
	    s->phases[s->nr_phases - 1].ended)
		return;
	l->death_taken = true;
	take_look(s, LOOK_DEATH, NULL, seen);
}

void session_look_gap(struct session *s, const char *name)
{
	take_look(s, LOOK_GAP, name, LOOK_SEEN_NONE);
}

/*
 * The kernel writes the exit kind when the scheduler's end begins. Ends that
 * somebody asked for are written there too, and are no death.
 */
static void on_hit(void *ctx, unsigned int vcpu)
{
	struct session *s = ctx;
	struct look_death death = { .alive = true };
	struct mon_sched sched;

	if (!sampler_sched(s->sampler, &sched) &&
	    look_death_seen(&death, &sched))
		session_look_death(s, LOOK_SEEN_WATCHPOINT);
}

void session_looks_watch(struct session *s)
{
	uint64_t kva, asked_ns = clock_now_ns();
	struct looks *l = s->looks;
	unsigned int len;
	int err;

	if (l->watch_asked)
		return;
	l->watch_asked = true;
	err = sampler_exit_kind_kva(s->sampler, &kva, &len);
	if (!err)
		err = vm_freeze(s->vm, PARK_NS);
	if (!err) {
		err = vm_watch_write(s->vm, kva, len, on_hit, s);
		thaw(s, asked_ns, true);
	}
	if (err)
		log_debug("look: the exit kind is not watched: %s",
			  strerror(-err));
}

static void on_death(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	uint64_t count;

	if (read(s->looks->death_fd, &count, sizeof(count)) < 0)
		return;
	session_look_death(s, LOOK_SEEN_SAMPLE);
}

void session_look_step(struct session *s, json_t *args)
{
	if (!json_integer_value(json_object_get(args, "after_ns")))
		take_look(s, LOOK_STEP, json_string_value(
			json_object_get(args, "name")), LOOK_SEEN_NONE);
}

void session_looks_phase_start(struct session *s, uint32_t index)
{
	json_t *phase = json_array_get(json_object_get(s->plan, "phases"),
				       index);
	struct looks *l = s->looks;
	uint64_t now_ns = clock_now_ns();
	json_t *step;
	size_t i;

	look_schedule_begin(&l->schedule, now_ns, json_integer_value(
		json_object_get(json_object_get(s->plan, "telemetry"),
				"freeze_every_ns")));
	json_array_foreach(json_object_get(phase, "do"), i, step) {
		json_t *freeze = json_object_get(step, "freeze");
		json_int_t after_ns = json_integer_value(
			json_object_get(freeze, "after_ns"));

		if (after_ns > 0 &&
		    look_schedule_add(&l->schedule, json_string_value(
			json_object_get(freeze, "name")), now_ns + after_ns))
			log_warn("look: more than %d in one phase",
				 LOOK_MAX_ORDERS);
	}
	arm(l);
	session_gaps_phase_start(s, index);
}

void session_looks_phase_end(struct session *s)
{
	look_schedule_end(&s->looks->schedule);
	arm(s->looks);
	session_gaps_phase_end(s);
}

int session_looks_death_fd(const struct session *s)
{
	return s->looks->death_fd;
}

int session_looks_open(struct session *s)
{
	struct looks *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	s->looks = l;
	l->list = json_array();
	l->death_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	return l->death_fd < 0 || l->timer_fd < 0 ? -errno : 0;
}

int session_looks_start(struct session *s)
{
	int err = vm_loop_add_fd(s->vm, s->looks->timer_fd, EPOLLIN, on_timer,
				 s);

	if (!err)
		err = vm_loop_add_fd(s->vm, s->looks->death_fd, EPOLLIN,
				     on_death, s);
	return err;
}

json_t *session_looks_json(const struct session *s)
{
	const struct looks *l = s->looks;

	if (!l->nr)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:O}",
			 "taken", (json_int_t)(l->nr - l->not_parked),
			 "not_parked", (json_int_t)l->not_parked,
			 "frozen_ns", (json_int_t)l->log.sum_ns,
			 "list", l->list);
}

void session_looks_close(struct session *s)
{
	struct looks *l = s->looks;

	if (!l)
		return;
	if (l->out)
		fclose(l->out);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	if (l->death_fd >= 0)
		close(l->death_fd);
	frozen_log_fini(&l->log);
	json_decref(l->list);
	free(l);
	s->looks = NULL;
}
