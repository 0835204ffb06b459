/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The metrics of DESIGN 10: how each is named, its unit, what kind of number
 * it is, and where it stands in the facts. Used by the scenario's checks and
 * by the judge.
 */
#ifndef KTSTR_RUNNER_METRICS_H
#define KTSTR_RUNNER_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct suggest;

enum metric_kind {
	METRIC_COUNT,	/* always judged */
	METRIC_STATE,	/* a word; always judged, by equals only */
	METRIC_TIME,	/* of the guest's clock: DESIGN 13's floor applies */
	METRIC_CLOCKS,	/* host to guest: likewise, and the clocks' error too */
	METRIC_DISK,	/* of the disk worker's own clock; always judged */
	METRIC_RATIO,	/* a share; always judged */
};

enum metric_unit {
	METRIC_IN_NONE,
	METRIC_IN_NS,
	METRIC_IN_PER_S,
	METRIC_IN_IOPS,
	METRIC_IN_BPS,
	METRIC_IN_RATIO,
};

enum metric_scope {
	METRIC_OF_WORKLOAD,
	METRIC_OF_DISK,
	METRIC_OF_SCHED,
	METRIC_OF_MAP,
	METRIC_OF_HOST,
};

struct metric_def {
	const char *name;	/* after the object; "NAME" stands for any word,
				 * "PATH" for words between dots */
	const char *path;	/* below the object, in the facts */
	enum metric_unit unit;
	enum metric_kind kind;
	unsigned int samples;	/* a percentile needs so many, 0: none */
	bool later;		/* of the contract, not measured yet */
};

#define METRIC_TEXT_MAX 128

struct metric {
	enum metric_scope scope;
	char object[METRIC_TEXT_MAX]; /* workload, disk, event or map field */
	char path[METRIC_TEXT_MAX]; /* of a program: what is NAME or PATH */
	const struct metric_def *def;
};

enum metric_status {
	METRIC_OK,
	METRIC_NO_OBJECT,	/* lacks "WORKLOAD." or the like in front */
	METRIC_UNKNOWN,		/* the object is fine, its metric is not */
	METRIC_LATER,		/* not supported yet */
};

/**
 * metric_parse() - take "web.wake_latency.p99" apart
 * @m: scope and object are filled but for METRIC_NO_OBJECT
 *
 * Whether there is such a workload or disk is the caller's to find out.
 */
enum metric_status metric_parse(const char *text, struct metric *m);

/** metric_is_said() - of a program, which may say it in its output, or not */
bool metric_is_said(const struct metric_def *def);

/** metric_is_stamped() - of workers of ours, which stamp what they do */
bool metric_is_stamped(const struct metric_def *def);

/** metric_observer() - the observer that measures it; NULL: none has to */
const char *metric_observer(const struct metric_def *def);

/** metric_suggest() - offer every metric of a scope, by its short name */
void metric_suggest(enum metric_scope scope, struct suggest *s);

/** metric_rest() - the part of @text after the object, for suggestions */
const char *metric_rest(const char *text);

/** metric_unit_name() - "ns", "iops", ...; "" for none */
const char *metric_unit_name(enum metric_unit unit);

/**
 * metric_value() - where the metric stands in the facts
 * @part: facts.json for the totals, or one element of its phases
 *
 * Return: borrowed; NULL if absent, JSON null if undefined.
 */
const json_t *metric_value(const struct metric *m, const json_t *part);

/** metric_why() - why it is not known, if the facts say so; else NULL */
const char *metric_why(const struct metric *m, const json_t *part);

/** metric_samples() - how many samples a percentile has; -1: not said */
json_int_t metric_samples(const struct metric *m, const json_t *part);

#endif
