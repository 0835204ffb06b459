// SPDX-License-Identifier: GPL-2.0-only
#include "runner/sampler.h"

#include "lib/clock.h"
#include "lib/json_line.h"
#include "lib/log.h"
#include "runner/look.h"
#include "runner/sample_line.h"
#include "vmm/vmm.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MAX_MAP_ENTRIES 1024
/*
 * Written to the file at once: a sample of many maps is 16 KiB. But who looks
 * meanwhile, or kills us, has all that is older than a second.
 */
#define OUT_BUFFER_BYTES (128u << 10)
#define OUT_FLUSH_NS NSEC_PER_SEC

/* A map that is not in every sample. */
struct slow_map {
	uint32_t id;
	uint64_t every_ns, next_ns;
};

struct sampler {
	struct sampler_config cfg;
	uint64_t start_ns;	/* sample times count from here */
	uint64_t interval_ns;	/* 0: none; under lock, as the next */
	uint64_t due_ns;	/* when the last sample was due */
	_Atomic uint32_t phase;	/* set by the session, read by the thread */
	pthread_mutex_t lock;	/* mon, paused: one look at a time; the timer */
	struct monitor *mon;
	struct slow_map slow[MON_MAX_MAPS]; /* under lock */
	unsigned int nr_slow;
	bool paused;		/* the VM is frozen */
	json_t *exit;		/* owned: of the scheduler; under lock */
	struct look_death death; /* the thread's */
	void (*on_sample)(void *ctx, uint32_t phase); /* under lock, and ctx */
	void *on_sample_ctx;
	FILE *out;		/* the thread's, until joined; the line too */
	struct json_line line;
	uint64_t flushed_ns;	/* when all of @out was written; the thread's */
	int stop_fd;
	int timer_fd;
	bool running;
	bool write_failed;	/* said once */
	pthread_t thread;
	struct sampler_phase phases[KTSTR_SHM_MAX_PHASES]; /* the thread's */
	char out_buffer[OUT_BUFFER_BYTES]; /* of @out: glibc's would be 4 KiB */
};

int sampler_new(const struct sampler_config *cfg, struct sampler **out,
		char *err_msg, size_t err_len)
{
	struct sampler *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	s->interval_ns = cfg->interval_ns;
	s->start_ns = s->flushed_ns = clock_now_ns();
	atomic_init(&s->phase, KTSTR_SHM_NO_PHASE);
	pthread_mutex_init(&s->lock, NULL);
	s->stop_fd = s->timer_fd = -1;
	err = mon_open(cfg->mem, cfg->info, cfg->btf, cfg->btf_len,
		       &s->mon, err_msg, err_len);
	if (err)
		goto free_sampler;
	s->out = fopen(cfg->out_path, "we");
	if (s->out)
		setvbuf(s->out, s->out_buffer, _IOFBF, OUT_BUFFER_BYTES);
	if (!s->out) {
		err = -errno;
		snprintf(err_msg, err_len, "%s: %s", cfg->out_path,
			 strerror(errno));
		goto free_sampler;
	}
	*out = s;
	return 0;

free_sampler:
	sampler_free(s);
	return err;
}

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	sampler_stop(s);
	mon_close(s->mon);
	json_decref(s->exit);
	if (s->out)
		fclose(s->out);
	json_line_fini(&s->line);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Why the scheduler ends: the last that was seen, since the dump comes last. */
static void keep_exit_locked(struct sampler *s, json_t *seen)
{
	if (!json_is_object(seen))
		return;
	json_decref(s->exit);
	s->exit = json_incref(seen);
}

static int add_number(void *ctx, const char *name, double value, bool unstable)
{
	json_t *obj = ctx;

	/* absent is honest; a torn number is not, and JSON has no infinity */
	if (unstable || !isfinite(value))
		return 0;
	return json_object_set_new(obj, name, json_real(value)) ? -ENOMEM : 0;
}

/* Which maps a sample that was due at @due_ns has. */
static void set_due_locked(struct sampler *s, uint64_t due_ns)
{
	unsigned int i;

	for (i = 0; i < s->nr_slow; i++) {
		struct slow_map *m = &s->slow[i];
		bool due = due_ns >= m->next_ns;

		mon_set_due(s->mon, m->id, due);
		if (due)
			m->next_ns = due_ns + m->every_ns;
	}
}

static json_t *map_numbers_locked(struct sampler *s)
{
	json_t *obj = json_object();
	unsigned int i;

	for (i = 0; i < s->nr_slow; i++)
		mon_set_due(s->mon, s->slow[i].id, true);
	if (obj && mon_map_numbers(s->mon, add_number, obj)) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

static json_t *cpu_array(const uint32_t *v, unsigned int n)
{
	json_t *a = json_array();
	unsigned int i;

	for (i = 0; a && i < n; i++)
		json_array_append_new(a, v[i] == MON_NO_VALUE ? json_null() :
				      json_integer(v[i]));
	return a;
}

static json_t *events_json(const struct mon_sched *sched)
{
	json_t *events = json_object();
	unsigned int i;

	for (i = 0; events && i < sched->nr_events; i++)
		json_object_set_new(events, sched->event_names[i],
				    json_integer(sched->events[i]));
	return events;
}

static void write_line(struct sampler *s, uint64_t now_ns)
{
	const struct json_line *l = &s->line;
	bool ok = fwrite(l->text, l->len, 1, s->out) == 1;

	if (now_ns - s->flushed_ns >= OUT_FLUSH_NS) {
		ok = !fflush(s->out) && ok;
		s->flushed_ns = now_ns;
	}
	if (ok)
		return;
	if (!s->write_failed)
		log_err("samples: %s: %s", s->cfg.out_path, strerror(errno));
	s->write_failed = true;
}

/*
 * Was a CPU idle while somewhere a task waited? A run queue counts the tasks
 * on it, wherever the scheduler has queued them, and the one that runs is no
 * waiting one. Not looked at: whether the waiting task may run on the idle CPU,
 * and that the CPUs are read one after the other.
 */
static bool idles_while_waiting(const struct mon_sched *sched)
{
	bool idle = false, waiting = false;
	unsigned int cpu;

	for (cpu = 0; cpu < sched->nr_cpus; cpu++) {
		idle |= sched->idle[cpu];
		waiting |= sched->nr_running[cpu] > !sched->idle[cpu];
	}
	return idle && waiting;
}

static void account(struct sampler_phase *p, const struct mon_sched *sched,
		    uint64_t late_ns)
{
	bool dsq_read = false;
	unsigned int cpu;

	p->taken++;
	p->idle_while_waiting += idles_while_waiting(sched);
	if (late_ns > p->max_late_ns)
		p->max_late_ns = late_ns;
	if (sched->have_scx && sched->state != MON_SCX_ENABLED)
		p->not_enabled++;
	for (cpu = 0; cpu < sched->nr_cpus; cpu++) {
		p->nr_running_sum[cpu] += sched->nr_running[cpu];
		if (sched->nr_running[cpu] > p->nr_running_max[cpu])
			p->nr_running_max[cpu] = sched->nr_running[cpu];
		if (sched->local_dsq_depth[cpu] == MON_NO_VALUE)
			continue;
		dsq_read = true;
		if (sched->local_dsq_depth[cpu] > p->local_dsq_max)
			p->local_dsq_max = sched->local_dsq_depth[cpu];
	}
	p->local_dsq_read += dsq_read;
}

static void tell_death(struct sampler *s, const struct mon_sched *sched)
{
	uint64_t one = 1;

	if (look_death_seen(&s->death, sched) &&
	    write(s->cfg.death_fd, &one, sizeof(one)) < 0)
		log_err("sampler: the scheduler's end: %s", strerror(errno));
}

/* Into s->line, while it is looked at: nothing is copied in between. */
static int take_locked(struct sampler *s, uint32_t phase, uint64_t now_ns,
		       uint64_t late_ns, struct mon_sched *sched)
{
	const struct sample_head head = {
		.t_ns = now_ns - s->start_ns,
		.late_ns = late_ns,
		.in_phase = phase < KTSTR_SHM_MAX_PHASES,
		.phase = phase,
	};
	struct json_line *l = &s->line;
	struct vm_disk_stats st;
	unsigned int i;
	int err;

	err = mon_read_sched(s->mon, sched);
	if (err)
		return err;
	json_line_reset(l);
	sample_line_begin(l, &head, sched);
	json_line_key(l, "disks");
	json_line_open(l, '{');
	for (i = 0; i < s->cfg.nr_disks; i++) {
		vm_disk_stats_read(s->cfg.vm, i, &st);
		sample_line_disk(l, s->cfg.disk_names[i], &st);
	}
	json_line_close(l, '}');
	json_line_key(l, "maps");
	json_line_open(l, '{');
	set_due_locked(s, now_ns - late_ns);
	mon_map_numbers(s->mon, sample_line_map_number, l);
	json_line_close(l, '}');
	json_line_close(l, '}');
	json_line_end(l);
	if (sched->exit_kind > 0) {
		json_t *seen = mon_scx_exit(s->mon);

		keep_exit_locked(s, seen);
		json_decref(seen);
	}
	return 0;
}

static void sample(struct sampler *s, uint64_t due_ns)
{
	uint32_t phase = atomic_load_explicit(&s->phase, memory_order_relaxed);
	struct sampler_phase *p = phase < KTSTR_SHM_MAX_PHASES ?
		&s->phases[phase] : NULL;
	struct mon_sched sched;
	uint64_t late_ns, now_ns;
	int err;

	pthread_mutex_lock(&s->lock);
	if (s->paused) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	now_ns = clock_now_ns();
	late_ns = now_ns - due_ns;
	err = take_locked(s, phase, now_ns, late_ns, &sched);
	pthread_mutex_unlock(&s->lock);
	if (!err)
		tell_death(s, &sched);
	if (err || s->line.failed) {
		if (p)
			p->failed++;
		return;
	}
	if (p)
		account(p, &sched, late_ns);
	write_line(s, now_ns);
}

void sampler_take(struct sampler *s)
{
	sample(s, clock_now_ns());
}

static void tell_sample(struct sampler *s)
{
	void (*fn)(void *ctx, uint32_t phase);
	void *ctx;

	pthread_mutex_lock(&s->lock);
	fn = s->on_sample;
	ctx = s->on_sample_ctx;
	pthread_mutex_unlock(&s->lock);
	if (fn)
		fn(ctx, atomic_load_explicit(&s->phase, memory_order_relaxed));
}

/*
 * Under the lock, so that ticks are those of the interval at hand. Missed ones
 * are not made up for: they are missing samples.
 */
static bool is_due(struct sampler *s, uint64_t *due_ns)
{
	uint64_t ticks;
	bool due;

	pthread_mutex_lock(&s->lock);
	due = read(s->timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks);
	if (due)
		s->due_ns += ticks * s->interval_ns;
	*due_ns = s->due_ns;
	pthread_mutex_unlock(&s->lock);
	return due;
}

static void *sampler_main(void *arg)
{
	struct sampler *s = arg;
	struct pollfd fds[] = {
		{ .fd = s->stop_fd, .events = POLLIN },
		{ .fd = s->timer_fd, .events = POLLIN },
	};
	uint64_t due_ns;

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			log_err("sampler: poll: %s", strerror(errno));
			return NULL;
		}
		if (fds[0].revents)
			return NULL;
		if (!is_due(s, &due_ns))
			continue;
		sample(s, due_ns);
		tell_sample(s);
	}
}

/* From @from_ns on, each interval; or never. */
static int set_timer(struct sampler *s, uint64_t from_ns)
{
	struct itimerspec its = { 0 };

	s->due_ns = from_ns;
	if (s->interval_ns) {
		its.it_interval = clock_to_timespec(s->interval_ns);
		its.it_value = clock_to_timespec(from_ns + s->interval_ns);
	}
	return timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &its, NULL) ?
		-errno : 0;
}

int sampler_start(struct sampler *s)
{
	int err;

	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->stop_fd < 0)
		return -errno;
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->timer_fd < 0) {
		err = -errno;
		goto close_stop;
	}
	s->start_ns = clock_now_ns();
	err = set_timer(s, s->start_ns);
	if (err)
		goto close_timer;
	err = -pthread_create(&s->thread, NULL, sampler_main, s);
	if (err)
		goto close_timer;
	pthread_setname_np(s->thread, "ktstr-monitor");
	s->running = true;
	return 0;

close_timer:
	close(s->timer_fd);
	s->timer_fd = -1;
close_stop:
	close(s->stop_fd);
	s->stop_fd = -1;
	return err;
}

void sampler_stop(struct sampler *s)
{
	uint64_t one = 1;

	if (!s || !s->running)
		return;
	if (write(s->stop_fd, &one, sizeof(one)) < 0)
		log_err("sampler: stop: %s", strerror(errno));
	pthread_join(s->thread, NULL);
	s->running = false;
	close(s->timer_fd);
	close(s->stop_fd);
	if (fflush(s->out))
		log_err("samples: %s: %s", s->cfg.out_path, strerror(errno));
}

void sampler_set_phase(struct sampler *s, uint32_t phase)
{
	if (s)
		atomic_store_explicit(&s->phase, phase, memory_order_relaxed);
}

void sampler_set_interval(struct sampler *s, uint64_t interval_ns)
{
	int err = 0;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	if (s->interval_ns != interval_ns) {
		s->interval_ns = interval_ns;
		if (s->running)
			err = set_timer(s, clock_now_ns());
	}
	pthread_mutex_unlock(&s->lock);
	if (err)
		log_err("sampler: its timer: %s", strerror(-err));
}

void sampler_pause(struct sampler *s, bool pause)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->paused = pause;
	pthread_mutex_unlock(&s->lock);
}

static json_t *flags_json(const bool *v, unsigned int n)
{
	json_t *a = json_array();
	unsigned int i;

	for (i = 0; a && i < n; i++)
		json_array_append_new(a, json_boolean(v[i]));
	return a;
}

static json_t *clocks_json(const uint64_t *v, unsigned int n)
{
	json_t *a = json_array();
	unsigned int i;

	for (i = 0; a && i < n; i++)
		json_array_append_new(a, json_integer(v[i]));
	return a;
}

static json_t *known(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

void sampler_sched_json(const struct mon_sched *sched, json_t *to)
{
	unsigned int n = sched->nr_cpus;

	json_object_update_new(to, json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:s?, s:s?, s:o, s:o, s:o}",
		"nr_running", cpu_array(sched->nr_running, n),
		"scx_nr_running", cpu_array(sched->scx_nr_running, n),
		"local_dsq_depth", cpu_array(sched->local_dsq_depth, n),
		"rq_clock", clocks_json(sched->rq_clock, n),
		"idle", flags_json(sched->idle, n),
		"state", sample_scx_state(sched),
		"ops", *sched->ops_name ? sched->ops_name : NULL,
		"exit_kind", known(sched->exit_kind),
		"bypass_depth", known(sched->bypass_depth),
		"events", events_json(sched)));
}

/* False: it is there already, or each sample has it. */
static bool is_new_slow(const struct sampler *s, uint32_t map_id,
			uint64_t every_ns)
{
	unsigned int i;

	for (i = 0; i < s->nr_slow; i++)
		if (s->slow[i].id == map_id)
			return false;
	return every_ns && s->nr_slow < MON_MAX_MAPS;
}

int sampler_watch(struct sampler *s, uint32_t map_id, uint64_t every_ns)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = mon_watch_map(s->mon, map_id);
	if (!err && is_new_slow(s, map_id, every_ns))
		s->slow[s->nr_slow++] = (struct slow_map){
			.id = map_id, .every_ns = every_ns,
		};
	pthread_mutex_unlock(&s->lock);
	return err;
}

json_t *sampler_maps(struct sampler *s)
{
	json_t *maps;

	pthread_mutex_lock(&s->lock);
	maps = mon_read_maps(s->mon, MAX_MAP_ENTRIES);
	pthread_mutex_unlock(&s->lock);
	return maps;
}

json_t *sampler_map_numbers(struct sampler *s)
{
	json_t *numbers;

	pthread_mutex_lock(&s->lock);
	numbers = map_numbers_locked(s);
	pthread_mutex_unlock(&s->lock);
	return numbers;
}

json_t *sampler_exit(const struct sampler *s)
{
	return s ? s->exit : NULL;
}

json_t *sampler_details(struct sampler *s)
{
	json_t *details;

	pthread_mutex_lock(&s->lock);
	details = mon_details(s->mon);
	keep_exit_locked(s, json_object_get(details, "exit"));
	pthread_mutex_unlock(&s->lock);
	return details;
}

void sampler_stats(struct sampler *s, struct mon_stats *st)
{
	pthread_mutex_lock(&s->lock);
	mon_stats_read(s->mon, st);
	pthread_mutex_unlock(&s->lock);
}

int sampler_sched(struct sampler *s, struct mon_sched *sched)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = mon_read_sched(s->mon, sched);
	pthread_mutex_unlock(&s->lock);
	return err;
}

int sampler_tasks(struct sampler *s, struct mon_task *tasks, unsigned int max)
{
	int nr;

	pthread_mutex_lock(&s->lock);
	nr = mon_read_tasks(s->mon, tasks, max);
	pthread_mutex_unlock(&s->lock);
	return nr;
}

int sampler_running(struct sampler *s, struct mon_task *tasks,
		    unsigned int max)
{
	int nr;

	pthread_mutex_lock(&s->lock);
	nr = mon_read_running(s->mon, tasks, max);
	pthread_mutex_unlock(&s->lock);
	return nr;
}

int sampler_read_task(struct sampler *s, uint32_t pid, uint64_t *task,
		      struct mon_task_now *now)
{
	int err = 0;

	pthread_mutex_lock(&s->lock);
	if (!*task)
		err = mon_find_task(s->mon, pid, task);
	if (!err)
		err = mon_read_task(s->mon, *task, pid, now);
	if (err)
		*task = 0;
	pthread_mutex_unlock(&s->lock);
	return err;
}

int sampler_exit_kind_kva(struct sampler *s, uint64_t *kva, unsigned int *len)
{
	int err;

	if (!s)
		return -ENOTSUP;
	pthread_mutex_lock(&s->lock);
	err = mon_exit_kind_kva(s->mon, kva, len);
	pthread_mutex_unlock(&s->lock);
	return err;
}

int sampler_shm(struct sampler *s, uint32_t map_id, void *buf, size_t off,
		size_t len)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = mon_read_array_value(s->mon, map_id, buf, off, len);
	pthread_mutex_unlock(&s->lock);
	return err;
}

int sampler_shm_hva(struct sampler *s, uint32_t map_id, size_t off, size_t len,
		    void **hva)
{
	int err;

	if (!s)
		return -ENOTSUP;
	pthread_mutex_lock(&s->lock);
	err = mon_array_value_hva(s->mon, map_id, off, len, hva);
	pthread_mutex_unlock(&s->lock);
	return err;
}

void sampler_on_sample(struct sampler *s, void (*fn)(void *ctx, uint32_t phase),
		       void *ctx)
{
	pthread_mutex_lock(&s->lock);
	s->on_sample = fn;
	s->on_sample_ctx = ctx;
	pthread_mutex_unlock(&s->lock);
}

const struct sampler_phase *sampler_phase(const struct sampler *s,
					  uint32_t phase)
{
	return s && phase < KTSTR_SHM_MAX_PHASES ? &s->phases[phase] : NULL;
}
