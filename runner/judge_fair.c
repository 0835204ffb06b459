// SPDX-License-Identifier: GPL-2.0-only
/* The automatic check of fairness, and the noise that spoils such checks. */
#include "runner/judge_priv.h"

#include <stdio.h>
#include <string.h>

#define NICE_STEP 1.25	/* the kernel's weights differ by this per nice */

/*
 * The share of time that a vCPU or a disk's worker waited for a host CPU,
 * whichever waited more; -1: not known.
 */
static double noise_of(const json_t *facts)
{
	const json_t *host = json_object_get(facts, "host");
	const json_t *steal = json_object_get(host, "vcpu_steal_ratio");
	const json_t *delay = json_object_get(host, "worker_delay_ratio");
	double noise = json_number_value(steal);

	if (!json_is_number(steal))
		return -1;
	if (json_number_value(delay) > noise)
		noise = json_number_value(delay);
	return noise;
}

bool court_is_quiet(const struct court *c, const json_t *facts,
		    struct finding *f)
{
	double limit = json_number_value(json_object_get(c->automatic,
							 "noise"));
	double noise = noise_of(facts);

	if (c->emulated || limit <= 0 || (noise >= 0 && noise <= limit))
		return true;
	if (noise < 0)
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the noise of this host is not known: time can't be judged");
	else
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the machine's threads waited %.1f %% of the time for a host CPU, more than %.1f %%: time can't be judged",
			    noise * 100, limit * 100);
	return false;
}

/* Does it ask for all the CPU time that it can get, anywhere? */
static bool competes(const json_t *w)
{
	const char *kind = json_text(w, "kind");
	const char *policy = json_text(json_object_get(w, "policy"), "kind");

	return kind && !strcmp(kind, "spin") &&
	       !json_is_array(json_object_get(w, "cpus")) &&
	       !json_is_object(json_object_get(w, "cpu_max")) &&
	       policy && !strcmp(policy, "normal");
}

static bool same_cgroup(const json_t *a, const json_t *b)
{
	const char *one = json_text(a, "cgroup"), *other = json_text(b,
								"cgroup");

	return one && other && !strcmp(one, other);
}

static double weight_of(const json_t *w)
{
	json_int_t nice = json_integer_value(json_object_get(w, "nice"));
	double weight = 1;

	for (; nice > 0; nice--)
		weight /= NICE_STEP;
	for (; nice < 0; nice++)
		weight *= NICE_STEP;
	return weight;
}

struct shares {
	double sum, squares;
	unsigned int nr, due;
	bool missing;
};

static void add_shares(struct shares *s, const json_t *planned,
		       const json_t *phase)
{
	const json_t *workers = json_path(phase, "workloads",
					  json_text(planned, "name"),
					  "workers_detail", NULL);
	json_int_t due = json_integer_value(json_object_get(planned,
							    "workers"));
	const json_t *worker, *ns;
	double x;
	size_t i;

	s->due += due;
	s->missing |= json_array_size(workers) != (size_t)due;
	json_array_foreach(workers, i, worker) {
		ns = json_object_get(worker, "cpu_time_ns");
		s->missing |= !json_is_integer(ns);
		x = json_number_value(ns) / weight_of(planned);
		s->sum += x;
		s->squares += x * x;
		s->nr++;
	}
}

/* Does a workload before number @at stand for the same cgroup? */
static bool is_counted(const json_t *workloads, size_t at)
{
	size_t i;

	for (i = 0; i < at; i++)
		if (competes(json_array_get(workloads, i)) &&
		    same_cgroup(json_array_get(workloads, i),
				json_array_get(workloads, at)))
			return true;
	return false;
}

static void fairness_of(const struct court *c, const struct shares *s,
			const char *cgroup, double limit, struct finding *f)
{
	double jain;

	if (s->missing || s->squares <= 0) {
		finding_set(f, VERDICT_INCONCLUSIVE, "it was not measured");
		return;
	}
	jain = s->sum * s->sum / (s->nr * s->squares);
	f->value = json_real(jain);
	if (!court_is_quiet(c, c->facts, f))
		return;
	f->verdict = VERDICT_PASS;
	if (jain >= limit)
		return;
	finding_set(f, VERDICT_FAIL,
		    "cgroup %s: %u CPU-bound workers shared unfairly in phase %s: %.4g is less than %.4g",
		    cgroup, s->nr, f->phase, jain, limit);
	f->says_all = true;
}

static void judge_cgroup(struct court *c, const json_t *workloads, size_t at,
			 const json_t *phase, double limit)
{
	const json_t *first = json_array_get(workloads, at);
	struct shares s = { 0 };
	char metric[96];
	struct finding f = {
		.metric = metric,
		.phase = json_text(phase, "name"),
		.op = "min",
		.unit = "ratio",
		.automatic = "fairness",
	};
	size_t i;

	for (i = at; i < json_array_size(workloads); i++)
		if (competes(json_array_get(workloads, i)) &&
		    same_cgroup(first, json_array_get(workloads, i)))
			add_shares(&s, json_array_get(workloads, i), phase);
	if (s.due < 2)
		return;
	f.limit = json_real(limit);
	snprintf(metric, sizeof(metric), "%s.fairness",
		 json_text(first, "cgroup"));
	if (!json_is_true(json_object_get(phase, "complete")))
		finding_set(&f, VERDICT_INCONCLUSIVE,
			    "the phase did not run to its end");
	else
		fairness_of(c, &s, json_text(first, "cgroup"), limit, &f);
	court_find(c, &f);
}

void judge_fairness(struct court *c)
{
	const json_t *workloads = json_object_get(c->plan, "workloads");
	double limit = json_number_value(json_object_get(c->automatic,
							 "fairness"));
	const json_t *phase;
	size_t i, w;

	if (limit <= 0)
		return;
	json_array_foreach(json_object_get(c->facts, "phases"), i, phase)
		for (w = 0; phase_judged(phase) &&
			    w < json_array_size(workloads); w++)
			if (competes(json_array_get(workloads, w)) &&
			    json_text(json_array_get(workloads, w), "cgroup") &&
			    !is_counted(workloads, w))
				judge_cgroup(c, workloads, w, phase, limit);
}
