// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers that do not get on, seen from the monitor's thread: what each is at,
 * and when its gap is worth a frozen look, which the main loop then takes.
 */
#include "runner/session.h"

#include "lib/clock.h"
#include "lib/json_get.h"
#include "lib/log.h"
#include "runner/look_gap.h"
#include "runner/look_wait.h"
#include "runner/sampler.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Tasks read in one sample: it is not to be late for the next. */
#define READS_MAX 16

struct gaps {
	pthread_mutex_t lock;	/* all below; before the sampler's */
	struct gap_watch watch;
	bool paused;		/* the VM is frozen */
	int64_t offset_ns;	/* guest clock minus host clock */
	uint32_t map_id, workers_off;	/* the shared region, and there */
	struct ktstr_worker *workers; /* owned: as last read */
	int *disks;		/* owned: of each worker; -1: none */
	unsigned int first;	/* to be read in the next sample */
	int due;		/* worker to look at, -1: none */
	struct look_wait waits[MON_MAX_CPUS]; /* by vCPU */
	uint64_t nr_reads;	/* rounds of them; 0: none yet */
	uint64_t read_at[MON_MAX_CPUS]; /* the round of its last reading */
	bool read_ok[MON_MAX_CPUS];	/* and did it succeed? */
	uint64_t frozen_from_ns[MON_MAX_CPUS]; /* waits, before a freeze */
	json_t *done;		/* owned: of the phases that are over */

	int due_fd;		/* the sampler's thread found one; not locked */
};

static int disk_named(const struct session *s, const char *name)
{
	unsigned int i;

	for (i = 0; name && i < s->nr_disks; i++)
		if (!strcmp(s->disk_names[i], name))
			return i;
	return -1;
}

/* Of a program only it itself could tell how far it has got. */
static void watch_workers(const struct session *s, struct gaps *g)
{
	json_t *w;
	unsigned int nr = 0, k;
	size_t i;

	json_array_foreach(json_object_get(s->plan, "workloads"), i, w) {
		unsigned int n = json_integer_value(json_object_get(w,
								"workers"));
		const char *kind = json_str(w, "kind");

		for (k = 0; k < n && nr < s->nr_workers; k++, nr++) {
			g->watch.workers[nr].watched = !kind ||
				strcmp(kind, "exec");
			g->disks[nr] = disk_named(s, json_str(w, "disk"));
		}
	}
}

int session_gaps_open(struct session *s)
{
	json_t *look = json_object_get(json_object_get(s->plan, "telemetry"),
				       "look_gap_ns");
	struct gaps *g = calloc(1, sizeof(*g));
	size_t room = s->nr_workers ? s->nr_workers : 1;
	int err;

	if (!g)
		return -ENOMEM;
	s->gaps = g;
	pthread_mutex_init(&g->lock, NULL);
	g->due = -1;
	g->due_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->due_fd < 0)
		return -errno;
	err = gap_watch_init(&g->watch, s->nr_workers,
			     json_integer_value(look));
	g->workers = calloc(room, sizeof(*g->workers));
	g->disks = calloc(room, sizeof(*g->disks));
	g->done = json_array();
	if (err || !g->workers || !g->disks || !g->done)
		return -ENOMEM;
	return 0;
}

void session_gaps_close(struct session *s)
{
	struct gaps *g = s->gaps;

	if (!g)
		return;
	if (g->due_fd >= 0)
		close(g->due_fd);
	gap_watch_fini(&g->watch);
	free(g->workers);
	free(g->disks);
	json_decref(g->done);
	pthread_mutex_destroy(&g->lock);
	free(g);
	s->gaps = NULL;
}

/* {"workload", "worker"} of the plan, for worker @nr of the region. */
static json_t *worker_json(void *ctx, unsigned int nr)
{
	const struct session *s = ctx;
	unsigned int n;
	json_t *w;
	size_t i;

	json_array_foreach(json_object_get(s->plan, "workloads"), i, w) {
		n = json_integer_value(json_object_get(w, "workers"));
		if (nr < n)
			return json_pack("{s:O, s:i}", "workload",
					 json_object_get(w, "name"), "worker",
					 (int)nr);
		nr -= n;
	}
	return json_object();
}

/* the monitor's thread */

static void disk_seen(const struct session *s, int disk, struct gap_seen *seen)
{
	struct vm_disk_stats st;

	if (disk < 0)
		return;
	vm_disk_stats_read(s->vm, disk, &st);
	seen->disk = st.throttled_now ? GAP_DISK_THROTTLED :
		st.busy_now ? GAP_DISK_BUSY : GAP_DISK_IDLE;
	seen->disk_done = st.reads + st.writes + st.flushes + st.discards +
		st.others;
}

/* As of one that waits: who runs or sleeps has nothing of it. */
static bool is_bypassed(const struct session *s, const struct mon_task_now *now)
{
	struct mon_sched sched;

	return now->ext && !sampler_sched(s->sampler, &sched) &&
		gap_bypassed(&sched);
}

/*
 * A vCPU's wait for a host CPU, read once in a round. The guest numbers its CPUs
 * in the order of the vCPUs, which is that of the MADT.
 */
static struct gap_wait vcpu_wait(struct session *s, unsigned int cpu)
{
	struct gaps *g = s->gaps;
	struct vm_thread_time now;
	struct look_wait *w;

	if (cpu >= MON_MAX_CPUS)
		return (struct gap_wait){ 0 };
	w = &g->waits[cpu];
	if (g->read_at[cpu] != g->nr_reads) {
		g->read_at[cpu] = g->nr_reads;
		g->read_ok[cpu] = !vm_vcpu_time_read(s->vm, cpu, &now);
		if (g->read_ok[cpu])
			look_wait_see(w, &now);
	}
	return (struct gap_wait){
		.known = g->read_ok[cpu],
		.now = w->waits,
		.ns = look_wait_ns(w),
	};
}

/* Of the vCPU on which a gap's last sample has seen its worker. */
static void tell_wait(struct session *s, unsigned int nr)
{
	int cpu = gap_watch_cpu(&s->gaps->watch, nr);
	struct gap_wait wait;

	if (cpu < 0)
		return;
	wait = vcpu_wait(s, cpu);
	gap_watch_wait(&s->gaps->watch, nr, &wait);
}

static void see_worker(struct session *s, unsigned int nr, uint64_t now_ns,
		       unsigned int *reads)
{
	struct gaps *g = s->gaps;
	const struct ktstr_worker *w = &g->workers[nr];
	struct gap_seen seen = { .at_ns = now_ns };
	struct gap_wait wait;

	tell_wait(s, nr);
	if (!gap_watch_see(&g->watch, nr, w->pid, w->last_progress_ns,
			   now_ns) || *reads == READS_MAX)
		return;
	++*reads;
	/* the disk first: it may only seem to have been busier */
	disk_seen(s, g->disks[nr], &seen);
	if (sampler_read_task(s->sampler, w->pid, &g->watch.workers[nr].task,
			      &seen.now))
		return;
	seen.bypassed = is_bypassed(s, &seen.now);
	wait = vcpu_wait(s, seen.now.task.cpu);
	gap_watch_add(&g->watch, nr, &seen, &wait);
}

static void tell_due(struct gaps *g, uint64_t now_ns)
{
	uint64_t one = 1;
	int worker = gap_watch_look(&g->watch, now_ns);

	if (worker < 0)
		return;
	g->due = worker;
	if (write(g->due_fd, &one, sizeof(one)) < 0)
		log_err("look: a gap: %s", strerror(errno));
}

void session_gaps_sample(struct session *s)
{
	struct gaps *g = s->gaps;
	unsigned int reads = 0, i, nr = s->nr_workers;
	uint64_t now_ns;

	pthread_mutex_lock(&g->lock);
	if (!g->watch.running || g->paused || !nr ||
	    sampler_shm(s->sampler, g->map_id, g->workers, g->workers_off,
			nr * sizeof(*g->workers)))
		goto out;
	now_ns = clock_now_ns() + g->offset_ns;
	g->nr_reads++;
	for (i = 0; i < nr; i++)
		see_worker(s, (g->first + i) % nr, now_ns, &reads);
	/* so that each gets its turn where there are too many */
	g->first = (g->first + READS_MAX) % nr;
	tell_due(g, now_ns);
out:
	pthread_mutex_unlock(&g->lock);
}

/* the main loop's thread */

/* Return: which worker is to be looked at, if it still does not get on; or -1 */
static int take_due(struct session *s, char *name, size_t len)
{
	struct gaps *g = s->gaps;
	struct ktstr_worker w;
	json_t *who = NULL;
	int nr;

	pthread_mutex_lock(&g->lock);
	nr = g->due;
	g->due = -1;
	if (nr >= 0 && (!g->watch.running ||
			sampler_shm(s->sampler, g->map_id, &w,
				    g->workers_off + nr * sizeof(w),
				    sizeof(w)) ||
			w.last_progress_ns != g->workers[nr].last_progress_ns)) {
		gap_watch_missed(&g->watch, nr);
		nr = -1;
	}
	if (nr >= 0) {
		who = worker_json(s, nr);
		snprintf(name, len, "%s/%d", json_str(who, "workload"),
			 (int)json_integer_value(json_object_get(who,
								 "worker")));
		json_decref(who);
	}
	pthread_mutex_unlock(&g->lock);
	return nr;
}

static void on_due(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	char name[128];
	uint64_t count;

	if (read(s->gaps->due_fd, &count, sizeof(count)) < 0)
		return;
	if (take_due(s, name, sizeof(name)) >= 0)
		session_look_gap(s, name);
}

int session_gaps_start(struct session *s)
{
	watch_workers(s, s->gaps);
	return vm_loop_add_fd(s->vm, s->gaps->due_fd, EPOLLIN, on_due, s);
}

void session_gaps_phase_start(struct session *s, uint32_t index)
{
	const struct phase_record *p = &s->phases[index];
	const struct clock_point *c = &s->clocks[index];
	struct gaps *g = s->gaps;
	struct ktstr_shm_hdr hdr;

	if (!s->sampler || !s->shm_map_id || session_shm_header(s, &hdr))
		return;
	pthread_mutex_lock(&g->lock);
	g->map_id = s->shm_map_id;
	g->workers_off = hdr.workers_off;
	g->offset_ns = c->known ? c->offset_ns :
		(int64_t)(p->guest_start_ns - p->host_start_ns);
	gap_watch_begin(&g->watch, p->guest_start_ns);
	pthread_mutex_unlock(&g->lock);
}

void session_gaps_phase_end(struct session *s)
{
	struct gaps *g = s->gaps;
	json_t *phase = json_array_get(json_object_get(s->plan, "phases"),
				       s->phase);
	json_t *list = NULL, *gap;
	unsigned int nr;
	uint64_t end_ns;
	size_t i;

	pthread_mutex_lock(&g->lock);
	if (g->watch.running && s->phase < s->nr_phases) {
		end_ns = s->phases[s->phase].guest_end_ns;
		g->nr_reads++;
		for (nr = 0; nr < s->nr_workers; nr++)
			tell_wait(s, nr);
		gap_watch_end(&g->watch, end_ns ? end_ns :
			      clock_now_ns() + g->offset_ns);
		list = gap_watch_json(&g->watch, worker_json, s);
	}
	json_array_foreach(list, i, gap)
		json_object_set(gap, "phase", json_object_get(phase, "name"));
	if (list)
		json_array_extend(g->done, list);
	json_decref(list);
	pthread_mutex_unlock(&g->lock);
}

/* All of them, since any may be that of a gap that goes on. */
static void read_waits(struct session *s)
{
	struct gaps *g = s->gaps;
	unsigned int cpu, nr = session_nr_cpus(s);

	g->nr_reads++;
	for (cpu = 0; g->watch.running && cpu < nr; cpu++)
		vcpu_wait(s, cpu);
}

void session_gaps_freeze(struct session *s)
{
	struct gaps *g = s->gaps;
	unsigned int cpu;

	pthread_mutex_lock(&g->lock);
	g->paused = true;
	read_waits(s);
	for (cpu = 0; cpu < MON_MAX_CPUS; cpu++)
		g->frozen_from_ns[cpu] = g->waits[cpu].total_ns;
	pthread_mutex_unlock(&g->lock);
}

void session_gaps_thaw(struct session *s, uint64_t frozen_ns)
{
	struct gaps *g = s->gaps;
	unsigned int cpu;

	pthread_mutex_lock(&g->lock);
	g->paused = false;
	read_waits(s);
	for (cpu = 0; cpu < MON_MAX_CPUS; cpu++)
		look_wait_frozen(&g->waits[cpu], g->frozen_from_ns[cpu],
				 frozen_ns);
	gap_watch_frozen(&g->watch, frozen_ns);
	pthread_mutex_unlock(&g->lock);
}

json_t *session_gaps_json(struct session *s)
{
	session_gaps_phase_end(s);
	return json_incref(s->gaps->done);
}
