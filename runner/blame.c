// SPDX-License-Identifier: GPL-2.0-only
#include "runner/blame.h"

#include "lib/load_spec.h"
#include "runner/blame_gap.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_STALL 1026

/* From which share of the time on each is taken for the cause. */
#define HOST_SHARE 0.2
#define HOST_GAP_SHARE 0.5
#define BYPASS_SHARE 0.01
#define DISK_SHARE 0.5
#define IDLE_SHARE 0.3

/* One failed check, and where in the facts to look. */
struct scene {
	const json_t *plan, *facts;
	const json_t *part;	/* the check's phase, or the totals */
	const char *metric;	/* behind the workload's name */
	const json_t *workload;	/* in the plan; NULL: the scheduler's check */
	const char *name;	/* of the workload */
	const json_t *worker;	/* the worst one; NULL: not known */
	double ns;		/* of the part */
	json_int_t pid;		/* the victim's; 0: not known */
	struct blame_gap gap;	/* its longest wait, as sampled */
	double limit_ns;	/* of a gap; 0: of something else */
};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static double ms(double ns)
{
	return ns / 1e6;
}

/* frozen looks: who ran, and where the victim was */

/* Of this phase, and with tasks; for the totals any phase's. */
static bool look_counts(const struct scene *s, const json_t *look)
{
	const char *phase = text(s->part, "name"), *of = text(look, "phase");

	return json_is_array(json_object_get(look, "tasks")) &&
		(!phase || (of && !strcmp(of, phase)));
}

/* Taken because this very worker did not get on. */
static bool is_own(const struct scene *s, const json_t *look)
{
	const char *why = text(look, "why"), *name = text(look, "name");
	char own[128];

	if (!s->worker || !why || !name || strcmp(why, "gap"))
		return false;
	snprintf(own, sizeof(own), "%s/%.0f", s->name,
		 number(s->worker, "index"));
	return !strcmp(name, own);
}

/* How much a look tells of what is to be explained. */
static unsigned int worth(const struct scene *s, const json_t *look)
{
	const char *why = text(look, "why");

	if (why && !strcmp(why, "death"))
		return 2;
	return is_own(s, look) ? 3 : 1;
}

/* The victim's own, else the death, else the last one of that phase. */
static const json_t *look_of(const struct scene *s)
{
	const json_t *list = json_object_get(json_object_get(s->facts,
							     "looks"), "list");
	const json_t *found = NULL, *look;
	size_t i;

	json_array_foreach(list, i, look)
		if (look_counts(s, look) &&
		    (!found || worth(s, look) >= worth(s, found)))
			found = look;
	return found;
}

static const json_t *task_find(const json_t *tasks, json_int_t pid,
			       json_int_t cpu)
{
	const json_t *task;
	size_t i;

	json_array_foreach(tasks, i, task) {
		bool runs = json_is_true(json_object_get(task, "running"));

		if (pid ? number(task, "pid") == pid :
			  runs && number(task, "cpu") == cpu)
			return task;
	}
	return NULL;
}

/* The victim among those that wait, or NULL. */
static const json_t *waits_in(const struct scene *s, const json_t *look)
{
	const json_t *task = s->pid ? task_find(json_object_get(look, "tasks"),
						s->pid, 0) : NULL;

	return json_is_true(json_object_get(task, "running")) ? NULL : task;
}

struct waits {
	unsigned int looks, waited, kept;
};

static struct waits count_waits(const struct scene *s)
{
	const json_t *list = json_object_get(json_object_get(s->facts,
							     "looks"), "list");
	struct waits n = { 0 };
	const json_t *look;
	size_t i;

	json_array_foreach(list, i, look) {
		const json_t *task;

		if (!look_counts(s, look))
			continue;
		task = waits_in(s, look);
		n.looks++;
		n.waited += task != NULL;
		n.kept += task && !text(task, "dsq");
	}
	return n;
}

static void gap_of(const struct scene *s, json_int_t pid,
		   struct blame_gap *gap)
{
	blame_gap_of(s->facts, s->part == s->facts ? NULL :
		     text(s->part, "name"), pid, gap);
}

/* causes: each true if what was seen speaks for it, and then says so */

static bool by_stop(const struct scene *s, FILE *to)
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
static bool is_most(const struct scene *s, double host_ns)
{
	return host_ns > 0 && host_ns >= HOST_GAP_SHARE * s->gap.ns &&
		(s->limit_ns <= 0 || s->gap.ns - host_ns <= s->limit_ns);
}

static void say_withheld(const struct scene *s, double host_ns, int cpu,
			 FILE *to)
{
	fprintf(to, "in %.0f of %.0f ms of its wait ", ms(host_ns),
		ms(s->gap.ns));
	if (cpu >= 0)
		fprintf(to, "vCPU %d", cpu);
	else
		fputs("the vCPU that it was on", to);
	fputs(" waited for a host CPU", to);
}

static bool by_host(const struct scene *s, FILE *to)
{
	double steal = number(json_object_get(s->facts, "host"),
			      "vcpu_steal_ratio");
	const char *accel = text(json_object_get(s->facts, "vm"), "accel");
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

static bool by_bypass(const struct scene *s, FILE *to)
{
	double ns = number(json_object_get(s->part, "sched"), "bypass_ns");

	if (blame_gap_most(&s->gap, s->gap.bypass)) {
		fprintf(to, "The scheduler was not in charge: in %u of %u samples of its wait the kernel had it bypassed. ",
			s->gap.bypass, s->gap.nr);
		return true;
	}
	if (s->ns <= 0 || ns < BYPASS_SHARE * s->ns)
		return false;
	fprintf(to, "The scheduler was not in charge: the kernel bypassed it for %.0f of %.0f ms. ",
		ms(ns), ms(s->ns));
	return true;
}

static const json_t *disk_of(const struct scene *s)
{
	const char *name = text(s->workload, "disk");

	return name ? json_object_get(json_object_get(s->part, "disks"),
				      name) : NULL;
}

/*
 * A wait that did not end has no latency. But what does nothing besides IO, and
 * is runnable, has had its IO done; nobody else had its CPU, or that is why.
 */
static bool held_after_io(const struct scene *s)
{
	const char *kind = text(s->workload, "kind");

	return kind && !strncmp(kind, "io_", 3) &&
		blame_gap_most(&s->gap, s->gap.cpu_idle);
}

/*
 * Of the latencies one is measured after the disk was done. Of others it is a
 * part, and the cause where it is the greater one.
 */
static bool by_wakeup(const struct scene *s, FILE *to)
{
	const json_t *wake = json_object_get(json_object_get(
		json_object_get(s->part, "workloads"), s->name), "io_wake_ns");
	double gap_ns = number(s->worker, "gap_max_ns");
	const json_t *disk = disk_of(s), *service;

	if (!disk || !s->metric)
		return false;
	if (strncmp(s->metric, "io_wake", 7) &&
	    (gap_ns <= 0 || number(wake, "max") < gap_ns / 2)) {
		if (!held_after_io(s))
			return false;
		fprintf(to, "It was not run after its disk: disk %s was done, since in %u of %u samples of its wait the worker was runnable, and its CPU idle. ",
			text(s->workload, "disk"), s->gap.cpu_idle, s->gap.nr);
		return true;
	}
	service = json_object_get(disk, "service_time_ns");
	fprintf(to, "It was not run after its disk: disk %s was done, and from then the worker took up to %.3g ms to run",
		text(s->workload, "disk"), ms(number(wake, "max")));
	/* of few there is no median */
	if (json_is_number(json_object_get(wake, "p50")))
		fprintf(to, ", half of the times %.3g ms or more",
			ms(number(wake, "p50")));
	if (json_is_number(json_object_get(service, "max")))
		fprintf(to, ", while the disk itself served each request within %.3g ms",
			ms(number(service, "max")));
	fputs(". ", to);
	return true;
}

/* Threads of the kernel's own that work for everybody, and had no CPU. */
static void say_kernel_threads(const struct scene *s, FILE *to)
{
	const json_t *task, *look = look_of(s);
	size_t i;

	json_array_foreach(json_object_get(look, "tasks"), i, task) {
		const char *comm = text(task, "comm");

		if (json_is_true(json_object_get(task, "running")) || !comm ||
		    (strncmp(comm, "kworker/", 8) &&
		     strncmp(comm, "ksoftirqd/", 10)))
			continue;
		fprintf(to, "%s[%.0f] of the kernel waited for CPU %.0f in a frozen look. ",
			comm, number(task, "pid"), number(task, "cpu"));
	}
}

/*
 * Blocked, and the disk had nothing of anybody's: its request had not come
 * yet, or was done and the kernel had not seen to that.
 */
static bool by_completion(const struct scene *s, FILE *to)
{
	const struct blame_gap *g = &s->gap;

	if (!disk_of(s) || !blame_gap_most(g, g->disk_idle))
		return false;
	fprintf(to, "The kernel's own part of its IO was starved: in %u of %u samples of its wait it was blocked while disk %s had nothing to do, so its request had not been handed over, or was done and not seen to. ",
		g->disk_idle, g->nr, text(s->workload, "disk"));
	say_kernel_threads(s, to);
	return true;
}

static bool by_kept(const struct scene *s, FILE *to)
{
	struct waits n = count_waits(s);

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
static bool hit_alone(const struct scene *s)
{
	const json_t *stats = json_object_get(json_object_get(
		s->part, "workloads"), s->name), *d;
	double own = number(s->worker, "iterations"), best = 0;
	size_t i;

	json_array_foreach(json_object_get(stats, "workers_detail"), i, d)
		if (number(d, "iterations") > best)
			best = number(d, "iterations");
	return s->worker && best >= 10 && own < best / 10;
}

static bool by_disk(const struct scene *s, FILE *to)
{
	const struct blame_gap *g = &s->gap;
	const json_t *disk = disk_of(s);
	double ns = number(disk, "throttled_ns");
	double of_ns = number(disk, "duration_ns");
	bool held = of_ns > 0 && ns >= DISK_SHARE * of_ns;

	if (!disk || hit_alone(s) || count_waits(s).waited ||
	    (g->nr ? !blame_gap_most(g, g->disk_works) : !held))
		return false;
	fputs("It waited for its disk: ", to);
	if (g->nr)
		fprintf(to, "in %u of %u samples of its wait it was blocked while %s had requests to serve. ",
			g->disk_works, g->nr, text(s->workload, "disk"));
	if (held)
		fprintf(to, "%she throttle of %s held requests %.0f %% of the time. ",
			g->nr ? "T" : "t", text(s->workload, "disk"),
			100 * ns / of_ns);
	return true;
}

/* Whom it wakes and is woken by; NULL: its kind has none. */
static const json_t *partner_of(const struct scene *s)
{
	const char *kind = text(s->workload, "kind");
	const struct load_spec *spec = kind ? load_spec_find(kind) : NULL;
	const json_t *stats = json_object_get(json_object_get(
		s->part, "workloads"), s->name), *d;
	json_int_t index = number(s->worker, "index");
	size_t i;

	if (!s->worker || !spec || spec->group != 2)
		return NULL;
	json_array_foreach(json_object_get(stats, "workers_detail"), i, d)
		if (number(d, "index") == (index ^ 1))
			return d;
	return NULL;
}

static void say_partner(const struct scene *s, FILE *to)
{
	const json_t *partner = partner_of(s);
	struct blame_gap gap;
	const char *what;
	unsigned int n;

	gap_of(s, number(partner, "pid"), &gap);
	what = blame_gap_mostly(&gap, &n);
	if (!partner || !what) {
		fputs("Look at who should have. ", to);
		return;
	}
	fprintf(to, "Its partner, %s worker %.0f[%.0f], was %s in %u of %u samples of its own longest wait. ",
		s->name, number(partner, "index"), number(partner, "pid"),
		what, n, gap.nr);
}

static bool by_sleep(const struct scene *s, FILE *to)
{
	if (!blame_gap_most(&s->gap, s->gap.sleeps))
		return false;
	fprintf(to, "It was asleep, and nobody woke it: in %u of %u samples of its wait. ",
		s->gap.sleeps, s->gap.nr);
	say_partner(s, to);
	return true;
}

/* Who is bound to one CPU has nothing of others that idle. */
static bool is_bound(const struct scene *s)
{
	return json_array_size(json_object_get(s->workload, "cpus")) == 1;
}

static bool by_idle(const struct scene *s, FILE *to)
{
	bool own = blame_gap_most(&s->gap, s->gap.cpu_idle);
	double share = is_bound(s) ? 0 : number(json_object_get(
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
static double others_ns(const struct scene *s, const char **most)
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
				own += number(d, "cpu_time_ns");
		sum += own;
		if (own <= best)
			continue;
		best = own;
		*most = name;
	}
	return sum;
}

static bool by_others(const struct scene *s, FILE *to)
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
			ms(ns), ms(s->ns), names);
	return true;
}

static const struct cause {
	const char *name;
	bool (*speaks)(const struct scene *s, FILE *to);
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

static void say_holder(FILE *to, const json_t *tasks, json_int_t cpu)
{
	const json_t *holder = task_find(tasks, 0, cpu);

	if (!holder)
		return;
	if (json_is_true(json_object_get(holder, "idle")))
		fprintf(to, "; CPU %lld was idle", (long long)cpu);
	else
		fprintf(to, "; CPU %lld ran %s[%.0f]", (long long)cpu,
			text(holder, "comm"), number(holder, "pid"));
}

static void say_where(const struct scene *s, FILE *to)
{
	const json_t *look = look_of(s), *tasks, *task;
	json_int_t cpu;

	blame_gap_say(&s->gap, to);
	if (!look || !s->pid)
		return;
	tasks = json_object_get(look, "tasks");
	task = task_find(tasks, s->pid, 0);
	fprintf(to, "In the frozen look %s, task %lld ",
		text(look, "why") && !strcmp(text(look, "why"), "death") ?
		"when the scheduler died" : is_own(s, look) ?
		"at its wait" : "of that phase",
		(long long)s->pid);
	if (!task) {
		fputs("was on no run queue: it slept, was blocked, or stopped. ", to);
		return;
	}
	cpu = number(task, "cpu");
	if (json_is_true(json_object_get(task, "running"))) {
		fprintf(to, "ran on CPU %lld. ", (long long)cpu);
		return;
	}
	fprintf(to, "waited on CPU %lld, ", (long long)cpu);
	if (text(task, "dsq") && number(task, "dsq_place") > 0)
		fprintf(to, "on the %s queue as number %.0f of %.0f",
			text(task, "dsq"), number(task, "dsq_place"),
			number(task, "dsq_nr"));
	else if (text(task, "dsq"))
		fprintf(to, "on the %s queue with %.0f tasks",
			text(task, "dsq"), number(task, "dsq_nr"));
	else
		fputs("on no dispatch queue", to);
	say_holder(to, tasks, cpu);
	fputs(". ", to);
}

/* what is to be explained */

/* Behind "NAME.", for a workload of the plan. */
static const char *metric_of(struct scene *s, const char *metric)
{
	const json_t *w;
	size_t i, len;

	json_array_foreach(json_object_get(s->plan, "workloads"), i, w) {
		const char *name = text(w, "name");

		len = name ? strlen(name) : 0;
		if (!len || strncmp(metric, name, len) || metric[len] != '.')
			continue;
		s->workload = w;
		s->name = name;
		return metric + len + 1;
	}
	return NULL;
}

/* The worker with the longest gap; of equals the one that did the least. */
static const json_t *worst_worker(const struct scene *s)
{
	const json_t *stats = json_object_get(json_object_get(
		s->part, "workloads"), s->name);
	const json_t *worst = NULL, *d;
	size_t i;

	json_array_foreach(json_object_get(stats, "workers_detail"), i, d) {
		double gap = number(d, "gap_max_ns");

		if (!worst || gap > number(worst, "gap_max_ns") ||
		    (gap == number(worst, "gap_max_ns") &&
		     number(d, "iterations") < number(worst, "iterations")))
			worst = d;
	}
	return worst;
}

/* "name[pid] failed to run for ..." */
static json_int_t stalled_pid(const json_t *facts)
{
	const json_t *exit = json_object_get(json_object_get(
		facts, "scheduler"), "exit");
	const char *message = text(exit, "message");
	const char *at = message ? strstr(message, "] failed to run") : NULL;

	if (number(exit, "kind") != EXIT_STALL || !at)
		return 0;
	while (at > message && at[-1] != '[')
		at--;
	return strtoll(at, NULL, 10);
}

static const json_t *part_named(const json_t *facts, const char *phase)
{
	const json_t *part;
	size_t i;

	json_array_foreach(json_object_get(facts, "phases"), i, part)
		if (phase && text(part, "name") &&
		    !strcmp(text(part, "name"), phase))
			return part;
	return facts;
}

static bool is_explained(const char *metric)
{
	static const char *const beginnings[] = {
		"progress", "gap.", "wake_latency.", "io_latency.",
		"io_wake.", "deadline_misses",
	};
	size_t i;

	for (i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (!strncmp(metric, beginnings[i], strlen(beginnings[i])))
			return true;
	return false;
}

/* Return: is this a check to explain? Then @s is set up. */
static bool scene_set(struct scene *s, const json_t *check)
{
	const char *verdict = text(check, "verdict");
	const char *metric = text(check, "metric");

	if (!verdict || strcmp(verdict, "fail") || !metric)
		return false;
	s->part = part_named(s->facts, text(check, "phase"));
	s->ns = number(s->part, "duration_ns");
	if (!strcmp(metric, "scheduler")) {
		s->pid = stalled_pid(s->facts);
		return s->pid > 0;
	}
	s->metric = metric_of(s, metric);
	if (!s->metric || !is_explained(s->metric))
		return false;
	if (!strncmp(s->metric, "gap.", 4))
		s->limit_ns = number(check, "limit");
	s->worker = worst_worker(s);
	s->pid = number(s->worker, "pid");
	return true;
}

static void say_who(const struct scene *s, FILE *to)
{
	if (s->worker)
		fprintf(to, "Worst hit was %s worker %.0f[%lld], %.0f ms without progress. ",
			s->name, number(s->worker, "index"),
			(long long)s->pid, ms(number(s->worker,
						     "gap_max_ns")));
	else if (s->workload)
		fprintf(to, "Which worker of %s was hit is not known. ",
			s->name);
}

static json_t *explain(const struct scene *s, const json_t *check)
{
	const char *cause = "unknown";
	char *paragraph = NULL;
	json_t *json = NULL;
	size_t len, i;
	FILE *to = open_memstream(&paragraph, &len);

	if (!to)
		return NULL;
	say_who(s, to);
	for (i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (!causes[i].speaks(s, to))
			continue;
		cause = causes[i].name;
		break;
	}
	say_where(s, to);
	if (fclose(to))
		goto out;
	while (len && paragraph[len - 1] == ' ')
		paragraph[--len] = '\0';
	if (!len)
		goto out;
	json = json_pack("{s:O, s:O?, s:s, s:s}", "metric",
			 json_object_get(check, "metric"), "phase",
			 json_object_get(check, "phase"), "cause", cause,
			 "text", paragraph);
out:
	free(paragraph);
	return json;
}

json_t *blame_new(const json_t *plan, const json_t *facts,
		  const json_t *checks)
{
	json_t *all = json_array(), *one;
	const json_t *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		struct scene s = { .plan = plan, .facts = facts };

		if (!facts || !scene_set(&s, check))
			continue;
		gap_of(&s, s.pid, &s.gap);
		one = explain(&s, check);
		if (one)
			json_array_append_new(all, one);
	}
	if (json_array_size(all))
		return all;
	json_decref(all);
	return NULL;
}
