// SPDX-License-Identifier: GPL-2.0-only
/* The causes: each true if what was seen speaks for it, and then says so. */
#include "lib/json_get.h"
#include "lib/load_spec.h"
#include "runner/blame_priv.h"

#include <stdbool.h>
#include <string.h>

/* From which share of the time on each is taken for the cause. */
#define HOST_SHARE 0.2
#define HOST_GAP_SHARE 0.5
#define BYPASS_SHARE 0.01
#define DISK_SHARE 0.5
#define IDLE_SHARE 0.3

static bool by_stop(const struct blame_scene *s, FILE *to)
{
	if (!blame_gap_most(&s->gap, s->gap.stopped))
		return false;
	fprintf(to, "It was stopped, by a signal or a tracer: in %u of %u samples of its wait. ",
		s->gap.stopped, s->gap.nr);
	return true;
}

/*
 * From half of the wait on the host's part is more than all else together; less
 * is what CPUs that are shared cost. And without it the check would have held:
 * else there is another cause to look for.
 */
static bool is_most(const struct blame_scene *s, double host_ns)
{
	return host_ns > 0 && host_ns >= HOST_GAP_SHARE * s->gap.ns &&
		(s->limit_ns <= 0 || s->gap.ns - host_ns <= s->limit_ns);
}

static void say_withheld(const struct blame_scene *s, double host_ns, int cpu,
			 FILE *to)
{
	fprintf(to, "in %.0f of %.0f ms of its wait ", to_ms(host_ns),
		to_ms(s->gap.ns));
	if (cpu >= 0)
		fprintf(to, "vCPU %d", cpu);
	else
		fputs("the vCPU that it was on", to);
	fputs(" waited for a host CPU", to);
}

static bool by_host(const struct blame_scene *s, FILE *to)
{
	double steal = json_num(json_object_get(s->facts, "host"),
			      "vcpu_steal_ratio");
	const char *accel = json_str(json_object_get(s->facts, "vm"), "accel");
	const struct blame_gap *g = &s->gap;

	if (is_most(s, g->host_ns)) {
		fputs("The host withheld its CPU: ", to);
		say_withheld(s, g->host_ns, g->cpu, to);
		fputs(". ", to);
		return true;
	}
	if (blame_gap_most(g, g->runs) && is_most(s, g->peer_ns)) {
		fputs("The host withheld a CPU: ", to);
		say_withheld(s, g->peer_ns, g->peer_cpu, to);
		fprintf(to, ", and it was on another in %u of %u samples and did not get on, as who waits in the kernel for all CPUs. ",
			g->runs, g->nr);
		return true;
	}
	/* over all of a run those of an emulated machine wait for one another */
	if (steal < HOST_SHARE || (accel && !strcmp(accel, "emulated")))
		return false;
	fprintf(to, "The host withheld its CPUs: vCPUs waited for one %.0f %% of the time they could have run. ",
		100 * steal);
	return true;
}

static bool by_bypass(const struct blame_scene *s, FILE *to)
{
	double ns = json_num(json_object_get(s->part, "sched"), "bypass_ns");

	if (blame_gap_most(&s->gap, s->gap.bypass)) {
		fprintf(to, "The scheduler was not in charge: in %u of %u samples of its wait the kernel had it bypassed. ",
			s->gap.bypass, s->gap.nr);
		return true;
	}
	if (s->ns <= 0 || ns < BYPASS_SHARE * s->ns)
		return false;
	fprintf(to, "The scheduler was not in charge: the kernel bypassed it for %.0f of %.0f ms. ",
		to_ms(ns), to_ms(s->ns));
	return true;
}

static const json_t *disk_of(const struct blame_scene *s)
{
	const char *name = json_str(s->workload, "disk");

	return name ? json_object_get(json_object_get(s->part, "disks"),
				      name) : NULL;
}

/*
 * A wait that did not end has no latency. But what does nothing besides IO, and
 * is runnable, has had its IO done; nobody else had its CPU, or that is why.
 */
static bool held_after_io(const struct blame_scene *s)
{
	const char *kind = json_str(s->workload, "kind");

	return kind && !strncmp(kind, "io_", 3) &&
		blame_gap_most(&s->gap, s->gap.cpu_idle);
}

/*
 * Of the latencies one is measured after the disk was done. Of others it is a
 * part, and the cause where it is the greater one.
 */
static bool by_wakeup(const struct blame_scene *s, FILE *to)
{
	const json_t *wake = json_object_get(json_object_get(
		json_object_get(s->part, "workloads"), s->name), "io_wake_ns");
	double gap_ns = json_num(s->worker, "gap_max_ns");
	const json_t *disk = disk_of(s), *service;

	if (!disk || !s->metric)
		return false;
	if (strncmp(s->metric, "io_wake", 7) &&
	    (gap_ns <= 0 || json_num(wake, "max") < gap_ns / 2)) {
		if (!held_after_io(s))
			return false;
		fprintf(to, "It was not run after its disk: disk %s was done, since in %u of %u samples of its wait the worker was runnable, and its CPU idle. ",
			json_str(s->workload, "disk"), s->gap.cpu_idle,
			s->gap.nr);
		return true;
	}
	service = json_object_get(disk, "service_time_ns");
	fprintf(to, "It was not run after its disk: disk %s was done, and from then the worker took up to %.3g ms to run",
		json_str(s->workload, "disk"), to_ms(json_num(wake, "max")));
	/* of few there is no median */
	if (json_is_number(json_object_get(wake, "p50")))
		fprintf(to, ", half of the times %.3g ms or more",
			to_ms(json_num(wake, "p50")));
	if (json_is_number(json_object_get(service, "max")))
		fprintf(to, ", while the disk itself served each request within %.3g ms",
			to_ms(json_num(service, "max")));
	fputs(". ", to);
	return true;
}

/* Threads of the kernel's own that work for everybody, and had no CPU. */
static void say_kernel_threads(const struct blame_scene *s, FILE *to)
{
	const json_t *task, *look = blame_look_of(s);
	size_t i;

	json_array_foreach(json_object_get(look, "tasks"), i, task) {
		const char *comm = json_str(task, "comm");

		if (json_is_true(json_object_get(task, "running")) || !comm ||
		    (strncmp(comm, "kworker/", 8) &&
		     strncmp(comm, "ksoftirqd/", 10)))
			continue;
		fprintf(to, "%s[%.0f] of the kernel waited for CPU %.0f in a frozen look. ",
			comm, json_num(task, "pid"), json_num(task, "cpu"));
	}
}

/*
 * Blocked, and the disk had nothing of anybody's: its request had not come
 * yet, or was done and the kernel had not seen to that.
 */
static bool by_completion(const struct blame_scene *s, FILE *to)
{
	const struct blame_gap *g = &s->gap;

	if (!disk_of(s) || !blame_gap_most(g, g->disk_idle))
		return false;
	fprintf(to, "The kernel's own part of its IO was starved: in %u of %u samples of its wait it was blocked while disk %s had nothing to do, so its request had not been handed over, or was done and not seen to. ",
		g->disk_idle, g->nr, json_str(s->workload, "disk"));
	say_kernel_threads(s, to);
	return true;
}

static bool by_kept(const struct blame_scene *s, FILE *to)
{
	struct blame_waits n = blame_count_waits(s);

	if (n.kept && 2 * n.kept >= n.looks)
		fprintf(to, "The scheduler kept it: in %u of %u frozen looks it was runnable, and on no dispatch queue. ",
			n.kept, n.looks);
	else if (blame_gap_most(&s->gap, s->gap.kept))
		fprintf(to, "The scheduler kept it: in %u of %u samples of its wait it was runnable, and on no dispatch queue. ",
			s->gap.kept, s->gap.nr);
	else
		return false;
	return true;
}

/* Those on the same disk wait alike: it is not why one of them alone did. */
static bool hit_alone(const struct blame_scene *s)
{
	const json_t *stats = json_object_get(json_object_get(
		s->part, "workloads"), s->name), *d;
	double own = json_num(s->worker, "iterations"), best = 0;
	size_t i;

	json_array_foreach(json_object_get(stats, "workers_detail"), i, d)
		if (json_num(d, "iterations") > best)
			best = json_num(d, "iterations");
	return s->worker && best >= 10 && own < best / 10;
}

static bool by_disk(const struct blame_scene *s, FILE *to)
{
	const struct blame_gap *g = &s->gap;
	const json_t *disk = disk_of(s);
	double ns = json_num(disk, "throttled_ns");
	double of_ns = json_num(disk, "duration_ns");
	bool held = of_ns > 0 && ns >= DISK_SHARE * of_ns;

	if (!disk || hit_alone(s) || blame_count_waits(s).waited ||
	    (g->nr ? !blame_gap_most(g, g->disk_works) : !held))
		return false;
	fputs("It waited for its disk: ", to);
	if (g->nr)
		fprintf(to, "in %u of %u samples of its wait it was blocked while %s had requests to serve. ",
			g->disk_works, g->nr, json_str(s->workload, "disk"));
	if (held)
		fprintf(to, "%she throttle of %s held requests %.0f %% of the time. ",
			g->nr ? "T" : "t", json_str(s->workload, "disk"),
			100 * ns / of_ns);
	return true;
}

/* Whom it wakes and is woken by; NULL: its kind has none. */
static const json_t *partner_of(const struct blame_scene *s)
{
	const char *kind = json_str(s->workload, "kind");
	const struct load_spec *spec = kind ? load_spec_find(kind) : NULL;
	const json_t *stats = json_object_get(json_object_get(
		s->part, "workloads"), s->name), *d;
	json_int_t index = json_num(s->worker, "index");
	size_t i;

	if (!s->worker || !spec || spec->group != 2)
		return NULL;
	json_array_foreach(json_object_get(stats, "workers_detail"), i, d)
		if (json_num(d, "index") == (index ^ 1))
			return d;
	return NULL;
}

static void say_partner(const struct blame_scene *s, FILE *to)
{
	const json_t *partner = partner_of(s);
	struct blame_gap gap;
	const char *what;
	unsigned int n;

	blame_scene_gap(s, json_num(partner, "pid"), &gap);
	what = blame_gap_mostly(&gap, &n);
	if (!partner || !what) {
		fputs("Look at who should have. ", to);
		return;
	}
	fprintf(to, "Its partner, %s worker %.0f[%.0f], was %s in %u of %u samples of its own longest wait. ",
		s->name, json_num(partner, "index"), json_num(partner, "pid"),
		what, n, gap.nr);
}

static bool by_sleep(const struct blame_scene *s, FILE *to)
{
	if (!blame_gap_most(&s->gap, s->gap.sleeps))
		return false;
	fprintf(to, "It was asleep, and nobody woke it: in %u of %u samples of its wait. ",
		s->gap.sleeps, s->gap.nr);
	say_partner(s, to);
	return true;
}

/* Who is bound to one CPU has nothing of others that idle. */
static bool is_bound(const struct blame_scene *s)
{
	return json_array_size(json_object_get(s->workload, "cpus")) == 1;
}

static bool by_idle(const struct blame_scene *s, FILE *to)
{
	bool own = blame_gap_most(&s->gap, s->gap.cpu_idle);
	double share = is_bound(s) ? 0 : json_num(json_object_get(
		s->part, "sched"), "idle_while_waiting_ratio");

	if (!own && share < IDLE_SHARE)
		return false;
	fputs("CPUs were left idle: ", to);
	if (own)
		fprintf(to, "in %u of %u samples of its wait its own was. ",
			s->gap.cpu_idle, s->gap.nr);
	if (share >= IDLE_SHARE)
		fprintf(to, "%sn %.0f %% of the samples one was, while a task waited elsewhere. ",
			own ? "I" : "i", 100 * share);
	return true;
}

/* CPU time of all workers but the victim. */
static double others_ns(const struct blame_scene *s, const char **most)
{
	const json_t *all = json_object_get(s->part, "workloads"), *w, *d;
	double sum = 0, own, best = 0;
	const char *name;
	size_t i;

	json_object_foreach((json_t *)all, name, w) {
		own = 0;
		json_array_foreach(json_object_get(w, "workers_detail"), i, d)
			if (!s->pid || json_integer_value(json_object_get(
					       d, "pid")) != s->pid)
				own += json_num(d, "cpu_time_ns");
		sum += own;
		if (own <= best)
			continue;
		best = own;
		*most = name;
	}
	return sum;
}

static bool by_others(const struct blame_scene *s, FILE *to)
{
	const struct blame_gap *g = &s->gap;
	unsigned int taken = g->runnable - g->cpu_idle;
	const char *names = NULL;
	double ns = others_ns(s, &names);
	bool much = names && s->ns > 0 && ns >= 0.1 * s->ns;

	if ((!s->worker && !s->pid) || (!much && !blame_gap_most(g, taken)))
		return false;
	if (blame_gap_most(g, taken))
		fprintf(to, "Others had its CPU: in %u of %u samples of its wait, most often %s[%lld]. ",
			taken, g->nr, g->holder ? g->holder : "?",
			(long long)g->holder_pid);
	if (much)
		fprintf(to, "Others got the CPUs meanwhile: the other workers %.0f ms in a phase of %.0f ms, most of them of %s. ",
			to_ms(ns), to_ms(s->ns), names);
	return true;
}

static const struct cause {
	const char *name;
	bool (*speaks)(const struct blame_scene *s, FILE *to);
} causes[] = {
	{ "stopped", by_stop },
	{ "host", by_host },
	{ "bypass", by_bypass },
	{ "kept", by_kept },
	{ "wakeup", by_wakeup },
	{ "completion", by_completion },
	{ "disk", by_disk },
	{ "sleep", by_sleep },
	{ "idle", by_idle },
	{ "others", by_others },
};

const char *blame_cause(const struct blame_scene *s, FILE *to)
{
	size_t i;

	for (i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (causes[i].speaks(s, to))
			return causes[i].name;
	return "unknown";
}
