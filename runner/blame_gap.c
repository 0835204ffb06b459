// SPDX-License-Identifier: GPL-2.0-only
#include "runner/blame_gap.h"

#include "lib/json_get.h"

#include <string.h>

/* One sample may have been read while the task went from here to there. */
#define SAMPLES_MIN 2

#define NAMES_MAX 16

/* On one queue, from sample to sample, without having run. */
struct stay {
	const char *dsq;
	double ran_ns;		/* all along */
	double from_ns, ns;
};

/* How often each of a few things was seen. */
struct tally {
	unsigned int nr;
	struct {
		const char *name;
		json_int_t id;
		unsigned int n;
	} of[NAMES_MAX];
};

static void count(struct tally *t, const char *name, json_int_t id)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (t->of[i].id == id && !strcmp(t->of[i].name, name))
			break;
	if (i == NAMES_MAX)
		return;
	if (i == t->nr) {
		t->of[i].name = name;
		t->of[i].id = id;
		t->of[i].n = 0;
		t->nr++;
	}
	t->of[i].n++;
}

/* The first of those seen most. Return: index or -1. */
static int most(const struct tally *t)
{
	int found = -1;
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (found < 0 || t->of[i].n > t->of[found].n)
			found = i;
	return found;
}

static bool is(const char *text, const char *word)
{
	return text && word && !strcmp(text, word);
}

static bool is_measured(const json_t *facts, const char *phase)
{
	const json_t *part;
	size_t i;

	json_array_foreach(json_object_get(facts, "phases"), i, part)
		if (phase && is(json_str(part, "name"), phase))
			return !json_is_false(json_object_get(part,
							      "measure"));
	return false;
}

static const json_t *longest(const json_t *facts, const char *phase,
			     json_int_t pid)
{
	const json_t *found = NULL, *gap;
	size_t i;

	json_array_foreach(json_object_get(facts, "gaps"), i, gap) {
		const char *of = json_str(gap, "phase");

		if (!pid || json_num(gap, "pid") != pid ||
		    (phase ? !is(of, phase) : !is_measured(facts, of)))
			continue;
		if (!found ||
		    json_num(gap, "gap_ns") > json_num(found, "gap_ns"))
			found = gap;
	}
	return found;
}

static void add_runnable(struct blame_gap *gap, const json_t *seen,
			 struct tally *queues, struct tally *holders)
{
	const json_t *curr = json_object_get(seen, "curr");
	const char *dsq = json_str(seen, "dsq"), *comm = json_str(curr, "comm");

	gap->runnable++;
	gap->kept += json_is_true(json_object_get(seen, "ext")) && !dsq;
	/* of one scheduler below another the queue alone tells */
	gap->bypass += json_is_true(json_object_get(seen, "bypassed")) ||
		is(dsq, "bypass");
	if (dsq)
		count(queues, dsq, 0);
	if (json_num(seen, "dsq_nr") > gap->dsq_nr_max)
		gap->dsq_nr_max = json_num(seen, "dsq_nr");
	if (json_is_true(json_object_get(curr, "idle")))
		gap->cpu_idle++;
	else if (comm)
		count(holders, comm, json_num(curr, "pid"));
}

/* What lasts goes on with this sample, or something else begins with it. */
static void add_stay(struct stay *now, const json_t *seen)
{
	const json_t *ran = json_object_get(seen, "ran_ns");
	const char *dsq = json_str(seen, "dsq");
	double at_ns = json_num(seen, "at_ns");

	if (!dsq || !json_is_number(ran)) {
		*now = (struct stay){ 0 };
	} else if (is(now->dsq, dsq) &&
		   json_number_value(ran) == now->ran_ns) {
		now->ns = at_ns - now->from_ns;
	} else {
		*now = (struct stay){ .dsq = dsq, .from_ns = at_ns,
				      .ran_ns = json_number_value(ran) };
	}
}

/*
 * The longest on @dsq. When the VM was frozen is not known but for the whole
 * gap, and that time is none.
 */
static double longest_stay(const json_t *found, const char *dsq)
{
	double frozen_ns = json_num(found, "to_ns") -
		json_num(found, "from_ns") -
		json_num(found, "gap_ns");
	struct stay now = { 0 };
	const json_t *seen;
	double ns = 0;
	size_t i;

	json_array_foreach(json_object_get(found, "seen"), i, seen) {
		add_stay(&now, seen);
		if (is(now.dsq, dsq) && now.ns > ns)
			ns = now.ns;
	}
	if (frozen_ns > 0)
		ns -= frozen_ns;
	return ns > 0 ? ns : 0;
}

static void add_blocked(struct blame_gap *gap, const json_t *seen)
{
	const char *disk = json_str(json_object_get(seen, "disk"), "is");

	gap->blocked++;
	gap->disk_idle += is(disk, "idle");
	gap->disk_works += is(disk, "busy") || is(disk, "throttled");
}

/* The one that all samples saw it on, or -1. */
static int cpu_of(const json_t *found)
{
	const json_t *seen;
	int cpu = -1;
	size_t i;

	json_array_foreach(json_object_get(found, "seen"), i, seen) {
		if (i && json_num(seen, "cpu") != cpu)
			return -1;
		cpu = json_num(seen, "cpu");
	}
	return cpu;
}

static double overlap_ns(const json_t *a, const json_t *b)
{
	double from = json_num(a, "from_ns"), to = json_num(a, "to_ns");

	if (json_num(b, "from_ns") > from)
		from = json_num(b, "from_ns");
	if (json_num(b, "to_ns") < to)
		to = json_num(b, "to_ns");
	return to - from;
}

/*
 * The vCPU that was withheld most meanwhile, as far as a worker stood still on
 * it. How its wait is spread over that worker's is not known: no more of it than
 * both have together.
 */
static void set_peer(const json_t *facts, const json_t *found,
		     struct blame_gap *gap)
{
	const json_t *peer;
	size_t i;

	json_array_foreach(json_object_get(facts, "gaps"), i, peer) {
		double both = overlap_ns(found, peer);
		double ns = json_num(peer, "host_wait_ns");
		int cpu = cpu_of(peer);

		if (!is(json_str(peer, "phase"), json_str(found, "phase")) ||
		    peer == found || cpu < 0 || cpu == gap->cpu)
			continue;
		ns = ns < both ? ns : both;
		if (2 * both < gap->ns || ns <= gap->peer_ns)
			continue;
		gap->peer_ns = ns;
		gap->peer_cpu = cpu;
	}
}

void blame_gap_of(const json_t *facts, const char *phase, json_int_t pid,
		  struct blame_gap *gap)
{
	const json_t *found = longest(facts, phase, pid), *seen;
	const json_t *host = json_object_get(found, "host_wait_ns");
	struct tally queues = { 0 }, holders = { 0 };
	size_t i;
	int n;

	*gap = (struct blame_gap){
		.ns = json_num(found, "gap_ns"),
		.host_ns = json_is_number(host) ? json_number_value(host) : -1,
		.cpu = cpu_of(found),
	};
	if (found)
		set_peer(facts, found, gap);
	json_array_foreach(json_object_get(found, "seen"), i, seen) {
		const char *at = json_str(seen, "is");

		gap->nr++;
		gap->runs += is(at, "runs");
		gap->sleeps += is(at, "sleeps");
		gap->stopped += is(at, "stopped");
		if (is(at, "runnable"))
			add_runnable(gap, seen, &queues, &holders);
		else if (is(at, "blocked"))
			add_blocked(gap, seen);
	}
	n = most(&queues);
	if (n >= 0) {
		gap->dsq = queues.of[n].name;
		gap->on_dsq = queues.of[n].n;
		gap->stay_ns = longest_stay(found, gap->dsq);
	}
	n = most(&holders);
	if (n >= 0) {
		gap->holder = holders.of[n].name;
		gap->holder_pid = holders.of[n].id;
		gap->held = holders.of[n].n;
	}
}

bool blame_gap_most(const struct blame_gap *gap, unsigned int n)
{
	return n >= SAMPLES_MIN && 2 * n >= gap->nr;
}

static void say_queues(const struct blame_gap *gap, FILE *to)
{
	if (gap->dsq)
		fprintf(to, ", in %u of them on the %s queue with up to %.0f tasks",
			gap->on_dsq, gap->dsq, gap->dsq_nr_max);
	if (gap->stay_ns >= 1e6)
		fprintf(to, " (at least %lld ms at a stretch, without running)",
			(long long)(gap->stay_ns / 1e6));
	if (gap->kept)
		fprintf(to, ", in %u of them on no dispatch queue", gap->kept);
}

static void say_cpu(const struct blame_gap *gap, FILE *to)
{
	if (gap->holder)
		fprintf(to, "; its CPU then ran %s[%lld] in %u", gap->holder,
			(long long)gap->holder_pid, gap->held);
	if (gap->cpu_idle)
		fprintf(to, "%s idled in %u", gap->holder ? " and" :
			"; its CPU then", gap->cpu_idle);
}

/* What a task was at, in the order in which it is told. */
#define NR_WAYS 5
struct way {
	unsigned int n;
	const char *what;
};

static void ways_of(const struct blame_gap *gap, struct way ways[NR_WAYS])
{
	const struct way all[NR_WAYS] = {
		{ gap->runs, "on a CPU" }, { gap->stopped, "stopped" },
		{ gap->sleeps, "asleep" }, { gap->blocked, "blocked" },
		{ gap->runnable, "runnable" },
	};

	memcpy(ways, all, sizeof(all));
}

const char *blame_gap_mostly(const struct blame_gap *gap, unsigned int *n)
{
	struct way ways[NR_WAYS];
	const char *what = NULL;
	size_t i;

	ways_of(gap, ways);
	*n = 0;
	for (i = 0; i < NR_WAYS; i++) {
		if (ways[i].n <= *n)
			continue;
		*n = ways[i].n;
		what = ways[i].what;
	}
	return what;
}

void blame_gap_say(const struct blame_gap *gap, FILE *to)
{
	struct way ways[NR_WAYS];
	const char *sep = "";
	size_t i;

	if (!gap->nr)
		return;
	ways_of(gap, ways);
	fprintf(to, "In %u samples of its longest wait, %.0f ms, it was ",
		gap->nr, gap->ns / 1e6);
	for (i = 0; i < NR_WAYS; i++) {
		if (!ways[i].n)
			continue;
		fprintf(to, "%s%s in %u", sep, ways[i].what, ways[i].n);
		sep = ", ";
	}
	if (!*sep)
		fputs("being woken", to);
	if (gap->runnable) {
		say_queues(gap, to);
		say_cpu(gap, to);
	}
	fputs(". ", to);
}
