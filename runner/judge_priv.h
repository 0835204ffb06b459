/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the parts of the judge: judge.c, judge_auto.c, judge_end.c. */
#ifndef KTSTR_RUNNER_JUDGE_PRIV_H
#define KTSTR_RUNNER_JUDGE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "runner/judge.h"

struct court {
	const json_t *plan, *checks, *facts;	/* borrowed */
	const json_t *automatic;		/* borrowed, of checks */
	bool emulated;
	bool has_scheduler;
	bool attached;		/* the scheduler was, or there is none to be */
	double floor_ns;	/* 10 x this is the least limit; < 0: unknown */
	double clock_error_ns;	/* likewise across host and guest */
	json_t *out;		/* borrowed; the checks so far */
	bool no_memory;

	/* of the checks so far: the worst, and what the first such one says */
	enum verdict worst;
	char reason[JUDGE_REASON_LEN];
	unsigned int counts[VERDICT_ERROR + 1];
};

/* One line of checks[]. Absent members are null. */
struct finding {
	const char *metric;
	const char *phase;	/* NULL: the whole run */
	const char *op;
	json_t *limit, *value;	/* stolen by court_find() */
	json_t *value_control, *ratio, *interval; /* likewise; NULL: none */
	const char *unit;
	const char *automatic;	/* name of an automatic check, else NULL */
	enum verdict verdict;
	char reason[JUDGE_REASON_LEN];
	bool says_all;		/* reason names its object and phase itself */
};

/** court_find() - append @f to the checks */
void court_find(struct court *c, struct finding *f);

/** finding_set() - verdict and reason in one */
__attribute__((format(printf, 3, 4)))
void finding_set(struct finding *f, enum verdict v, const char *fmt, ...);

/**
 * court_time_counts() - may a limit on guest time be judged on this machine?
 *
 * If not, @f becomes inconclusive with the reason (DESIGN 13).
 */
bool court_time_counts(const struct court *c, double limit_ns,
		       struct finding *f);

/** court_clocks_count() - likewise, may a time across host and guest? */
bool court_clocks_count(const struct court *c, double limit_ns,
			struct finding *f);

/**
 * court_is_quiet() - did the machine of @facts get the host CPUs it asked for?
 *
 * If not, @f becomes inconclusive with the figure. An emulated machine's
 * noise is in its time floor, and is not looked at.
 */
bool court_is_quiet(const struct court *c, const json_t *facts,
		    struct finding *f);

/**
 * part_of() - the facts to look in: a phase, or the totals
 *
 * Return: NULL, with the reason in @f, where they do not cover what was to be
 * measured.
 */
const json_t *part_of(const json_t *facts, struct finding *f);

/** judge_fairness() - judge_fair.c: the automatic check */
void judge_fairness(struct court *c);

/** judge_ratio() - judge_ratio.c: one check against a control; NULL: none */
void judge_ratio(struct court *c, const json_t *check,
		 const struct judge_arms *arms);

/** judge_is_program() - judge_exec.c: is this workload the scenario's own? */
bool judge_is_program(const json_t *planned);

/** judge_programs() - how did they end? */
void judge_programs(struct court *c);

/**
 * judge_program_progress() - instead of the stamps that a program has not: CPU
 * time of all that it started, in one phase
 */
void judge_program_progress(const char *name, const json_t *workers,
			    struct finding *f);

/** json_path() - json_object_get() along NULL-terminated keys */
const json_t *json_path(const json_t *at, ...)
	__attribute__((sentinel));

/** json_text() - the string, or NULL */
const char *json_text(const json_t *object, const char *key);

/** phase_judged() - is it measured? */
bool phase_judged(const json_t *phase);

/**
 * disk_saturated() - was work queued nearly all the time?
 * @disk: of the facts
 * @duration_ns: of the phase, where the disk does not say its own
 *
 * Only then does a low rate speak of the disk; else nobody asked for more.
 */
bool disk_saturated(const json_t *disk, double duration_ns);

/**
 * judge_delivery() - did @disk deliver in @part what @planned promises?
 *
 * Inconclusive if not: that is the host's doing, never a scheduler's.
 */
void judge_delivery(const json_t *planned, const json_t *part,
		    const json_t *disk, struct finding *f);

/** judge_automatic() - judge_auto.c: progress, gap, cpuset, disk, ... */
void judge_automatic(struct court *c);

/** judge_end() - judge_end.c: did the run get to its end, and who stopped it? */
void judge_end(struct court *c);

/** judge_scheduler() - judge_end.c: is it in the state that was expected? */
void judge_scheduler(struct court *c);

/** scheduler_left() - judge_end.c: did it fail to start, or go by itself? */
bool scheduler_left(const struct court *c);

#endif
