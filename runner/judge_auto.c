// SPDX-License-Identifier: GPL-2.0-only
/* The checks that a scenario gets without asking (LOADS-AND-CHECKS). */
#include "runner/judge_priv.h"

#include <stdio.h>
#include <string.h>

#include "runner/units.h"

#define GAP_WARN_NS 100e6
#define SATURATED_SHARE 0.9
#define NO_STAMPS "a program of its own stamps no progress"

static bool wanted(const struct court *c, const char *name)
{
	return json_is_true(json_object_get(c->automatic, name));
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static double real(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/*
 * A scheduler that is to stall or fail takes its load down with it for a
 * while; how long is not its load's fault.
 */
static bool meant_to_die(const struct court *c)
{
	const char *expect = json_text(json_object_get(c->plan, "scheduler"),
				       "expect");

	return expect && (!strcmp(expect, "stall") || !strcmp(expect, "error"));
}

static bool phase_complete(const json_t *phase, struct finding *f)
{
	if (json_is_true(json_object_get(phase, "complete")))
		return true;
	finding_set(f, VERDICT_INCONCLUSIVE,
		    "the phase did not run to its end");
	return false;
}

/* One workload in one phase; reports by itself. */
typedef void (*workload_judge)(struct court *c, const json_t *planned,
			       const json_t *phase, const json_t *workload);

static void each_workload(struct court *c, workload_judge judge_one)
{
	const json_t *planned, *phase;
	const char *name;
	size_t i, j;

	json_array_foreach(json_object_get(c->facts, "phases"), i, phase) {
		if (!phase_judged(phase))
			continue;
		json_array_foreach(json_object_get(c->plan, "workloads"), j,
				   planned) {
			name = json_text(planned, "name");
			judge_one(c, planned, phase,
				  json_path(phase, "workloads", name, NULL));
		}
	}
}

/* progress */

static void progress_of(const char *name, const json_t *workers,
			const json_t *phase, struct finding *f)
{
	const char *in = json_text(phase, "name");
	json_int_t least = -1, iterations, index;
	const json_t *worker;
	unsigned int stuck = 0;
	size_t i;

	f->says_all = true;
	json_array_foreach(workers, i, worker) {
		const char *state = json_text(worker, "state");

		index = number(worker, "index");
		iterations = number(worker, "iterations");
		if (state && !strcmp(state, "failed")) {
			const char *what = json_text(worker, "what");

			finding_set(f, VERDICT_ERROR,
				    "%s: worker %lld failed: %s: %s", name,
				    (long long)index, what ? what : "?",
				    strerror(-(int)number(worker, "error")));
			return;
		}
		if (!json_is_integer(json_object_get(worker, "iterations"))) {
			finding_set(f, VERDICT_INCONCLUSIVE,
				    "%s: worker %lld was not measured in phase %s",
				    name, (long long)index, in);
			return;
		}
		if (least < 0 || iterations < least)
			least = iterations;
		if (iterations)
			continue;
		if (!stuck++)
			finding_set(f, VERDICT_FAIL,
				    "%s: worker %lld made no progress in phase %s",
				    name, (long long)index, in);
	}
	f->value = json_integer(least);
	if (!stuck) {
		f->verdict = VERDICT_PASS;
	} else if (stuck > 1) {
		size_t used = strlen(f->reason);

		snprintf(f->reason + used, sizeof(f->reason) - used,
			 ", nor did %u more", stuck - 1);
	}
}

static void judge_progress(struct court *c, const json_t *planned,
			   const json_t *phase, const json_t *workload)
{
	const char *name = json_text(planned, "name");
	const json_t *workers = json_object_get(workload, "workers_detail");
	char metric[96];
	struct finding f = {
		.metric = metric,
		.phase = json_text(phase, "name"),
		.op = "min",
		.limit = json_integer(1),
		.automatic = "progress",
	};

	snprintf(metric, sizeof(metric), "%s.progress", name);
	if (meant_to_die(c))
		finding_set(&f, VERDICT_SKIP,
			    "the scheduler is meant to die");
	else if (!json_array_size(workers))
		finding_set(&f, VERDICT_INCONCLUSIVE, "it was not measured");
	else if (!phase_complete(phase, &f))
		; /* said */
	else if (judge_is_program(planned))
		judge_program_progress(name, workers, &f);
	else
		progress_of(name, workers, phase, &f);
	court_find(c, &f);
}

/* gap */

static json_int_t longest_worker(const json_t *workload)
{
	json_int_t index = -1, longest = -1;
	const json_t *worker;
	size_t i;

	json_array_foreach(json_object_get(workload, "workers_detail"), i,
			   worker) {
		if (number(worker, "gap_max_ns") <= longest)
			continue;
		longest = number(worker, "gap_max_ns");
		index = number(worker, "index");
	}
	return index;
}

static void gap_of(const struct court *c, const char *name,
		   const json_t *workload, double gap_ns, double limit_ns,
		   struct finding *f)
{
	char is[UNIT_TEXT_LEN], limit[UNIT_TEXT_LEN];
	long long worker = longest_worker(workload);

	f->value = json_integer((json_int_t)gap_ns);
	if (!court_time_counts(c, limit_ns, f))
		return;
	f->says_all = true;
	unit_format_short(UNIT_TIME, gap_ns, is);
	if (gap_ns > limit_ns)
		finding_set(f, VERDICT_FAIL,
			    "%s: worker %lld made no progress for %s in phase %s, more than %s",
			    name, worker, is, f->phase,
			    unit_format_short(UNIT_TIME, limit_ns, limit));
	else if (gap_ns > GAP_WARN_NS)
		finding_set(f, VERDICT_PASS,
			    "warning: %s: worker %lld made no progress for %s",
			    name, worker, is);
	else
		f->verdict = VERDICT_PASS;
}

static void judge_gap(struct court *c, const json_t *planned,
		      const json_t *phase, const json_t *workload)
{
	const char *name = json_text(planned, "name");
	const json_t *gap = json_path(workload, "gap_ns", "max", NULL);
	double limit_ns = real(c->automatic, "gap_ns");
	char metric[96];
	struct finding f = {
		.metric = metric,
		.phase = json_text(phase, "name"),
		.op = "max",
		.limit = json_integer((json_int_t)limit_ns),
		.unit = "ns",
		.automatic = "gap",
	};

	snprintf(metric, sizeof(metric), "%s.gap.max", name);
	if (judge_is_program(planned))
		finding_set(&f, VERDICT_SKIP, NO_STAMPS);
	else if (meant_to_die(c))
		finding_set(&f, VERDICT_SKIP,
			    "the scheduler is meant to die");
	else if (!json_is_number(gap))
		finding_set(&f, VERDICT_INCONCLUSIVE, "it was not measured");
	else if (phase_complete(phase, &f))
		gap_of(c, name, workload, json_number_value(gap), limit_ns,
		       &f);
	court_find(c, &f);
}

/* cpuset */

static void judge_cpuset(struct court *c, const json_t *planned,
			 const json_t *phase, const json_t *workload)
{
	const char *name = json_text(planned, "name");
	const json_t *violations = json_object_get(workload,
						   "cpuset_violations");
	char metric[96];
	struct finding f = {
		.metric = metric,
		.phase = json_text(phase, "name"),
		.op = "max",
		.limit = json_integer(0),
		.automatic = "cpuset",
	};

	snprintf(metric, sizeof(metric), "%s.cpuset_violations", name);
	if (judge_is_program(planned)) {
		finding_set(&f, VERDICT_SKIP, NO_STAMPS);
	} else if (!json_is_integer(violations)) {
		finding_set(&f, VERDICT_INCONCLUSIVE, "it was not measured");
	} else {
		f.value = json_incref((json_t *)violations);
		if (json_integer_value(violations))
			finding_set(&f, VERDICT_FAIL,
				    "%lld times a worker ran outside its CPUs",
				    (long long)json_integer_value(violations));
		else
			f.verdict = VERDICT_PASS;
	}
	court_find(c, &f);
}

/* disk */

/* The disk as the phase asked for it: from the facts, else from the plan. */
static const json_t *asked_of(const json_t *planned, const json_t *disk)
{
	const json_t *asked = json_object_get(disk, "asked");

	return asked ? asked : json_object_get(planned, "throttle");
}

/*
 * Counting whole requests, a window can be one request and one burst off,
 * whatever the tolerance (DISK-WORKER, L1 and L2). What is counted is what was
 * completed: so what the latency keeps in flight may be missing, and what could
 * have been done while the disk stalled.
 */
static double granularity(const json_t *planned, const json_t *disk,
			  double phase_ns)
{
	const json_t *asked = asked_of(planned, disk);
	double ops = real(disk, "reads") + real(disk, "writes") +
		     real(disk, "flushes");
	double off_ns = real(json_object_get(planned, "throttle"),
			     "burst_ns") +
			real(asked, "latency_ns") + real(asked, "jitter_ns") +
			real(json_object_get(disk, "faults"), "stalled_ns");

	return (ops > 0 ? 1 / ops : 0) + (phase_ns > 0 ? off_ns / phase_ns : 0);
}

static double disk_busy_ns(const json_t *disk)
{
	double queued_ns = real(disk, "queued_ns");
	double throttled_ns = real(disk, "throttled_ns");

	return queued_ns > throttled_ns ? queued_ns : throttled_ns;
}

bool disk_saturated(const json_t *disk, double duration_ns)
{
	double own_ns = real(disk, "duration_ns");

	if (own_ns > 0)
		duration_ns = own_ns;
	return disk_busy_ns(disk) >= SATURATED_SHARE * duration_ns;
}

void judge_delivery(const json_t *planned, const json_t *part,
		    const json_t *disk, struct finding *f)
{
	const json_t *ratio = json_path(disk, "delivered", "ratio", NULL);
	double tolerance = real(planned, "tolerance_ratio");
	double part_ns = real(disk, "duration_ns");
	double is = json_number_value(ratio), slack;
	bool saturated;

	if (part_ns <= 0)
		part_ns = real(part, "host_ns");
	saturated = disk_saturated(disk, part_ns);
	if (!json_is_number(ratio) || part_ns <= 0) {
		finding_set(f, VERDICT_INCONCLUSIVE, "it was not measured");
		return;
	}
	slack = granularity(planned, disk, part_ns);
	if (slack < tolerance)
		slack = tolerance;

	/* delivered over asked is the share of time that the throttle took */
	if (real(disk, "backing_ns") > is * part_ns)
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the image took %.0f ms, more than the throttle's own %.0f",
			    real(disk, "backing_ns") / 1e6, is * part_ns / 1e6);
	else if (is > 1 + slack)
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the disk delivered %.4g of what was asked, too much",
			    is);
	else if (saturated && is < 1 - slack)
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the disk delivered only %.4g of what was asked, with work queued",
			    is);
	else if (!saturated)
		finding_set(f, VERDICT_PASS,
			    "not saturated: work was queued for %.0f %% of the time",
			    disk_busy_ns(disk) / part_ns * 100);
	else
		f->verdict = VERDICT_PASS;
}

static void judge_disk(struct court *c, const json_t *planned,
		       const json_t *phase)
{
	const char *name = json_text(planned, "name");
	const json_t *disk = json_path(phase, "disks", name, NULL);
	const json_t *asked = asked_of(planned, disk);
	double tolerance = real(planned, "tolerance_ratio");
	char metric[96];
	struct finding f = {
		.metric = metric,
		.phase = json_text(phase, "name"),
		.op = "between",
		.unit = "ratio",
		.automatic = "disk",
	};

	if (real(asked, "iops") <= 0 && real(asked, "bps") <= 0)
		return; /* unlimited: nothing was promised */
	f.limit = json_pack("[f,f]", 1 - tolerance, 1 + tolerance);
	snprintf(metric, sizeof(metric), "disk.%s.delivered_ratio", name);
	if (phase_complete(phase, &f)) {
		f.value = json_incref((json_t *)json_path(disk, "delivered",
							  "ratio", NULL));
		judge_delivery(planned, phase, disk, &f);
	}
	court_find(c, &f);
}

static void judge_disks(struct court *c)
{
	const json_t *planned, *phase;
	size_t i, j;

	json_array_foreach(json_object_get(c->facts, "phases"), i, phase)
		if (phase_judged(phase))
			json_array_foreach(json_object_get(c->plan, "disks"),
					   j, planned)
				judge_disk(c, planned, phase);
}

/* telemetry */

/* Some measured phase may well have none, by its interval. */
static bool samples_asked_for(const struct court *c)
{
	const json_t *phase, *interval;
	size_t i;

	json_array_foreach(json_object_get(c->plan, "phases"), i, phase) {
		interval = json_object_get(phase, "interval_ns");
		if (json_is_true(json_object_get(phase, "measure")) &&
		    (!interval || json_integer_value(interval)))
			return true;
	}
	return !json_array_size(json_object_get(c->plan, "phases"));
}

static void judge_telemetry(struct court *c)
{
	const json_t *t = json_object_get(c->facts, "telemetry");
	double least = real(c->automatic, "telemetry");
	double expected = real(t, "expected"), taken = real(t, "taken");
	struct finding f;

	if (!samples_asked_for(c))
		return;
	f = (struct finding){
		.metric = "telemetry",
		.op = "min",
		.limit = json_real(least),
		.unit = "ratio",
		.automatic = "telemetry",
	};

	if (expected < 1) {
		finding_set(&f, VERDICT_INCONCLUSIVE, "no samples were due");
	} else {
		f.value = json_real(taken / expected);
		/* one may fall on either side of the end */
		if (taken + 1 < least * expected)
			finding_set(&f, VERDICT_INCONCLUSIVE,
				    "%.0f of %.0f samples were taken", taken,
				    expected);
		else
			f.verdict = VERDICT_PASS;
	}
	court_find(c, &f);
}

/* guest */

/* A warning is worth a word, no more. */
static bool only_warns(const char *line)
{
	return strstr(line, "WARNING:") && !strstr(line, "BUG:") &&
	       !strstr(line, "Oops");
}

static void guest_of(const struct court *c, const json_t *problems,
		     struct finding *f)
{
	const char *warning = NULL, *line;
	const json_t *problem;
	size_t i, nr = 0;

	f->verdict = VERDICT_PASS;
	json_array_foreach(problems, i, problem) {
		line = json_string_value(problem);
		if (!line)
			continue;
		if (only_warns(line)) {
			warning = line;
			continue;
		}
		if (nr++)
			continue;
		if (c->emulated && strstr(line, "int3"))
			finding_set(f, VERDICT_ERROR,
				    "a known fault of the emulating machine: %s",
				    line);
		else if (c->attached)
			finding_set(f, VERDICT_FAIL, "%s", line);
		else
			finding_set(f, VERDICT_ERROR,
				    "before the scheduler was attached: %s",
				    line);
	}
	f->value = json_integer(nr);
	if (!nr && warning)
		finding_set(f, VERDICT_PASS, "warning: %s", warning);
}

static void judge_guest(struct court *c)
{
	const json_t *problems = json_path(c->facts, "agent", "kmsg_problems",
					   NULL);
	struct finding f = {
		.metric = "guest",
		.op = "max",
		.limit = json_integer(0),
		.automatic = "guest",
	};

	if (!json_is_array(problems))
		finding_set(&f, VERDICT_INCONCLUSIVE,
			    "the kernel log was not seen");
	else
		guest_of(c, problems, &f);
	court_find(c, &f);
}

/*
 * What the scenario asked for and did not get is no condition to judge under.
 * Each is a check of its own; those that were done are none.
 */
static void judge_steps(struct court *c)
{
	const json_t *steps = json_object_get(c->facts, "steps"), *step;
	size_t i;

	json_array_foreach(steps, i, step) {
		const char *why = json_text(step, "message");
		struct finding f = {
			.metric = json_text(step, "step"),
			.phase = json_text(step, "phase"),
			.op = "equals",
			.automatic = "steps",
		};

		if (json_is_true(json_object_get(step, "ok")))
			continue;
		f.limit = json_string("done");
		f.value = json_string("failed");
		finding_set(&f, VERDICT_INCONCLUSIVE, "the step failed: %s",
			    why && *why ? why : "no reason was given");
		court_find(c, &f);
	}
}

void judge_automatic(struct court *c)
{
	judge_steps(c);
	if (wanted(c, "progress"))
		each_workload(c, judge_progress);
	if (real(c->automatic, "gap_ns") > 0)
		each_workload(c, judge_gap);
	if (wanted(c, "cpuset"))
		each_workload(c, judge_cpuset);
	if (!meant_to_die(c))
		judge_fairness(c);
	if (wanted(c, "disk"))
		judge_disks(c);
	if (real(c->automatic, "telemetry") > 0)
		judge_telemetry(c);
	if (wanted(c, "guest"))
		judge_guest(c);
	if (wanted(c, "program"))
		judge_programs(c);
}
