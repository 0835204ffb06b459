// SPDX-License-Identifier: GPL-2.0-only
#include "runner/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/diag.h"

/* A percentile q needs 10 / (1 - q) samples. */
#define PERCENTILE_ROWS(name, path, kind)                                  \
	{ name ".p50", path ".p50", METRIC_IN_NS, kind, 20, false },       \
	{ name ".p90", path ".p90", METRIC_IN_NS, kind, 100, false },      \
	{ name ".p99", path ".p99", METRIC_IN_NS, kind, 1000, false },     \
	{ name ".max", path ".max", METRIC_IN_NS, kind, 1, false }

static const struct metric_def workload_metrics[] = {
	{ "iterations", "iterations", METRIC_IN_NONE, METRIC_COUNT, 0, false },
	{ "iterations_per_s", "iterations_per_s", METRIC_IN_PER_S,
	  METRIC_COUNT, 0, false },
	{ "cpu_time", "cpu_time_ns", METRIC_IN_NS, METRIC_TIME, 0, false },
	{ "cpu_share", "cpu_share_ratio", METRIC_IN_RATIO, METRIC_RATIO, 0,
	  false },
	{ "fairness", "fairness_ratio", METRIC_IN_RATIO, METRIC_RATIO, 0,
	  false },
	{ "json.PATH", "json", METRIC_IN_NONE, METRIC_COUNT, 0, false },
	{ "match.NAME", "match", METRIC_IN_NONE, METRIC_COUNT, 0, false },
	PERCENTILE_ROWS("wake_latency", "wake_latency_ns", METRIC_TIME),
	{ "wake_latency.p999", "wake_latency_ns.p999", METRIC_IN_NS,
	  METRIC_TIME, 10000, false },
	{ "wake_latency.count", "wake_latency_ns.count", METRIC_IN_NONE,
	  METRIC_COUNT, 0, false },
	PERCENTILE_ROWS("observed.wake_latency", "observed.wake_latency_ns",
			METRIC_TIME),
	{ "observed.wake_latency.p999", "observed.wake_latency_ns.p999",
	  METRIC_IN_NS, METRIC_TIME, 10000, false },
	{ "observed.wake_latency.count", "observed.wake_latency_ns.count",
	  METRIC_IN_NONE, METRIC_COUNT, 0, false },
	PERCENTILE_ROWS("observed.io.interrupt", "observed.io_ns.interrupt",
			METRIC_CLOCKS),
	{ "observed.io.interrupt.count", "observed.io_ns.interrupt.count",
	  METRIC_IN_NONE, METRIC_COUNT, 0, false },
	PERCENTILE_ROWS("observed.io.block", "observed.io_ns.block",
			METRIC_TIME),
	PERCENTILE_ROWS("observed.io.complete", "observed.io_ns.complete",
			METRIC_CLOCKS),
	{ "observed.io.complete.count", "observed.io_ns.complete.count",
	  METRIC_IN_NONE, METRIC_COUNT, 0, false },
	PERCENTILE_ROWS("observed.io.wake", "observed.io_ns.wake", METRIC_TIME),
	PERCENTILE_ROWS("observed.io.run", "observed.io_ns.run", METRIC_TIME),
	PERCENTILE_ROWS("observed.io.total", "observed.io_ns.total",
			METRIC_CLOCKS),
	{ "run_delay.mean", "run_delay_ns.mean", METRIC_IN_NS, METRIC_TIME, 0,
	  false },
	{ "run_delay.max", "run_delay_ns.max", METRIC_IN_NS, METRIC_TIME, 0,
	  true },
	{ "gap.max", "gap_ns.max", METRIC_IN_NS, METRIC_TIME, 0, false },
	{ "migrations", "migrations", METRIC_IN_NONE, METRIC_COUNT, 0, false },
	{ "cpus_used", "cpus_used", METRIC_IN_NONE, METRIC_COUNT, 0, false },
	{ "cpuset_violations", "cpuset_violations", METRIC_IN_NONE,
	  METRIC_COUNT, 0, false },
	{ "deadline_misses", "deadline_misses", METRIC_IN_NONE, METRIC_COUNT,
	  0, false },
	PERCENTILE_ROWS("io_latency", "io_latency_ns", METRIC_TIME),
	{ "iops", "iops", METRIC_IN_IOPS, METRIC_DISK, 0, false },
	{ "bps", "bps", METRIC_IN_BPS, METRIC_DISK, 0, false },
	PERCENTILE_ROWS("io_wake", "io_wake_ns", METRIC_CLOCKS),
	{ "io_wake.count", "io_wake_ns.count", METRIC_IN_NONE, METRIC_COUNT, 0,
	  false },
	{ 0 },
};

static const struct metric_def disk_metrics[] = {
	{ "iops", "delivered.iops", METRIC_IN_IOPS, METRIC_DISK, 0, false },
	{ "bps", "delivered.bps", METRIC_IN_BPS, METRIC_DISK, 0, false },
	{ "delivered_ratio", "delivered.ratio", METRIC_IN_RATIO, METRIC_DISK,
	  0, false },
	{ "throttled_ns", "throttled_ns", METRIC_IN_NS, METRIC_DISK, 0, false },
	{ "stalls", "stalls", METRIC_IN_NONE, METRIC_COUNT, 0, false },
	{ "errors", "errors", METRIC_IN_NONE, METRIC_COUNT, 0, false },
	{ "faults.rate_errors", "faults.rate_errors", METRIC_IN_NONE,
	  METRIC_COUNT, 0, false },
	{ "faults.range_errors", "faults.range_errors", METRIC_IN_NONE,
	  METRIC_COUNT, 0, false },
	{ "faults.stalls", "faults.stalls", METRIC_IN_NONE, METRIC_COUNT, 0,
	  false },
	{ "queue_time.p50", "queue_time_ns.p50", METRIC_IN_NS, METRIC_DISK, 20,
	  false },
	{ "queue_time.p99", "queue_time_ns.p99", METRIC_IN_NS, METRIC_DISK,
	  1000, false },
	{ "service_time.p50", "service_time_ns.p50", METRIC_IN_NS, METRIC_DISK,
	  20, false },
	{ "service_time.p99", "service_time_ns.p99", METRIC_IN_NS, METRIC_DISK,
	  1000, false },
	{ 0 },
};

static const struct metric_def sched_metrics[] = {
	{ "state", "sched.state", METRIC_IN_NONE, METRIC_STATE, 0, false },
	{ "events.NAME", "sched.events.NAME", METRIC_IN_NONE, METRIC_COUNT, 0,
	  false },
	{ "bypass_ns", "sched.bypass_ns", METRIC_IN_NS, METRIC_TIME, 0, false },
	{ "dsq_depth.max", "sched.dsq_depth.max", METRIC_IN_NONE,
	  METRIC_COUNT, 0, false },
	{ "imbalance", "sched.imbalance", METRIC_IN_NONE, METRIC_RATIO, 0,
	  false },
	{ "idle_while_waiting", "sched.idle_while_waiting_ratio",
	  METRIC_IN_RATIO, METRIC_RATIO, 0, false },
	{ "observed.idle_while_waiting",
	  "sched.observed.idle_while_waiting_ratio", METRIC_IN_RATIO,
	  METRIC_RATIO, 0, false },
	{ "observed.idle_while_waiting.max",
	  "sched.observed.idle_while_waiting_ns.max", METRIC_IN_NS,
	  METRIC_TIME, 0, false },
	{ "ops.NAME.count", "sched.ops.NAME.count", METRIC_IN_NONE,
	  METRIC_COUNT, 0, false },
	{ "ops.NAME.ns", "sched.ops.NAME.ns", METRIC_IN_NS, METRIC_TIME, 0,
	  false },
	{ 0 },
};

static const struct metric_def map_metrics[] = {
	{ "last", "last", METRIC_IN_NONE, METRIC_COUNT, 0, false },
	{ "delta", "delta", METRIC_IN_NONE, METRIC_COUNT, 0, false },
	{ "rate", "rate", METRIC_IN_PER_S, METRIC_COUNT, 0, false },
	{ 0 },
};

static const struct metric_def host_metrics[] = {
	{ "vcpu_steal", "host.vcpu_steal_ratio", METRIC_IN_RATIO, METRIC_RATIO,
	  0, false },
	{ "worker_delay", "host.worker_delay_ns", METRIC_IN_NS, METRIC_DISK, 0,
	  false },
	{ 0 },
};

static const struct metric_family {
	const char *prefix;	/* NULL: the object's own name */
	const char *facts;	/* object that holds one member per object */
	const struct metric_def *defs;
} families[] = {
	[METRIC_OF_WORKLOAD] = { NULL, "workloads", workload_metrics },
	[METRIC_OF_DISK] = { "disk.", "disks", disk_metrics },
	[METRIC_OF_SCHED] = { "sched.", NULL, sched_metrics },
	[METRIC_OF_MAP] = { "map.", "map_numbers", map_metrics },
	[METRIC_OF_HOST] = { "host.", NULL, host_metrics },
};

#define NR_FAMILIES (sizeof(families) / sizeof(families[0]))

static enum metric_scope scope_of(const char *text)
{
	unsigned int i;

	for (i = METRIC_OF_WORKLOAD + 1; i < NR_FAMILIES; i++)
		if (!strncmp(text, families[i].prefix,
			     strlen(families[i].prefix)))
			return i;
	return METRIC_OF_WORKLOAD;
}

/* "events.NAME" against "events.SCX_EV_X"; the word goes to @word. */
static bool def_matches(const char *pattern, const char *text, char *word)
{
	const char *any = strstr(pattern, "NAME");
	bool dots = !any;
	size_t before, after, len = strlen(text);

	if (dots)
		any = strstr(pattern, "PATH");
	if (!any)
		return !strcmp(pattern, text);
	before = any - pattern;
	after = strlen(any + 4);
	if (len <= before + after || strncmp(pattern, text, before) ||
	    strcmp(any + 4, text + len - after))
		return false;
	len -= before + after;
	if (!dots && memchr(text + before, '.', len))
		return false;
	memcpy(word, text + before, len);
	word[len] = '\0';
	return true;
}

static enum metric_status find_def(struct metric *m, const char *rest,
				   char *word)
{
	const struct metric_def *def = families[m->scope].defs;

	for (; def->name; def++) {
		if (!def_matches(def->name, rest, word))
			continue;
		m->def = def;
		return def->later ? METRIC_LATER : METRIC_OK;
	}
	return METRIC_UNKNOWN;
}

/*
 * Where the object ends. A map's field holds dots itself, and so does the
 * name of .bss: there it is the last dot.
 */
static const char *object_end(enum metric_scope scope, const char *object)
{
	switch (scope) {
	case METRIC_OF_WORKLOAD:
	case METRIC_OF_DISK:
		return strchr(object, '.');
	case METRIC_OF_MAP:
		return strrchr(object, '.');
	default:
		return object;
	}
}

const char *metric_rest(const char *text)
{
	enum metric_scope scope = scope_of(text);
	const char *prefix = families[scope].prefix;
	const char *object = text + (prefix ? strlen(prefix) : 0);
	const char *end = object_end(scope, object);

	if (!end || end == object)
		return object;
	return end + 1;
}

enum metric_status metric_parse(const char *text, struct metric *m)
{
	const char *prefix, *object, *end;

	*m = (struct metric){ .scope = scope_of(text) };
	if (strlen(text) >= METRIC_TEXT_MAX)
		return METRIC_NO_OBJECT;
	prefix = families[m->scope].prefix;
	object = text + (prefix ? strlen(prefix) : 0);
	if (m->scope == METRIC_OF_SCHED || m->scope == METRIC_OF_HOST)
		return find_def(m, object, m->object);

	end = object_end(m->scope, object);
	if (!end || end == object)
		return METRIC_NO_OBJECT;
	memcpy(m->object, object, end - object);
	m->object[end - object] = '\0';
	return find_def(m, end + 1, m->path);
}

bool metric_is_said(const struct metric_def *def)
{
	return !strcmp(def->path, "json") || !strcmp(def->path, "match");
}

const char *metric_observer(const struct metric_def *def)
{
	static const struct {
		const char *prefix, *observer;
	} observers[] = {
		{ "observed.wake_latency.", "wake_latency" },
		{ "observed.io.", "io_completion" },
		{ "observed.idle_while_waiting", "work_conservation" },
	};
	size_t i;

	for (i = 0; i < sizeof(observers) / sizeof(observers[0]); i++)
		if (!strncmp(def->name, observers[i].prefix,
			     strlen(observers[i].prefix)))
			return observers[i].observer;
	return NULL;
}

bool metric_is_stamped(const struct metric_def *def)
{
	/* of any load the kernel and the agent tell these */
	static const char *const others[] = { "iterations", "iterations_per_s",
					      "cpu_time", "cpu_share",
					      "fairness" };
	size_t i;

	/* whose tasks sleep and wake, observers see themselves */
	if (metric_observer(def))
		return !strncmp(def->name, "observed.io.", 12);

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(def->name, others[i]))
			return false;
	return !metric_is_said(def);
}

void metric_suggest(enum metric_scope scope, struct suggest *s)
{
	const struct metric_def *def = families[scope].defs;

	for (; def->name; def++)
		if (!def->later)
			suggest_offer(s, def->name);
}

const char *metric_unit_name(enum metric_unit unit)
{
	static const char *const names[] = {
		[METRIC_IN_NONE] = "",	     [METRIC_IN_NS] = "ns",
		[METRIC_IN_PER_S] = "per_s", [METRIC_IN_IOPS] = "iops",
		[METRIC_IN_BPS] = "bps",     [METRIC_IN_RATIO] = "ratio",
	};

	return names[unit];
}

/* The element that a whole number names, or NULL. */
static const json_t *element(const json_t *array, const char *key)
{
	char *end;
	unsigned long index = strtoul(key, &end, 10);

	return *key >= '0' && *key <= '9' && !*end ?
		       json_array_get(array, index) : NULL;
}

/* The member at "a.b.c" below @at; NAME stands for @word. */
static const json_t *follow(const json_t *at, const char *path,
			    const char *word)
{
	char key[METRIC_TEXT_MAX];
	size_t len;

	while (at && *path) {
		len = strcspn(path, ".");
		memcpy(key, path, len);
		key[len] = '\0';
		if (!strcmp(key, "NAME"))
			snprintf(key, sizeof(key), "%s", word);
		at = json_is_array(at) ? element(at, key) :
					 json_object_get(at, key);
		path += len + (path[len] == '.');
	}
	return at;
}

static const json_t *base_of(const struct metric *m, const json_t *part)
{
	const char *facts = families[m->scope].facts;

	if (!facts)
		return part;
	return json_object_get(json_object_get(part, facts), m->object);
}

const json_t *metric_value(const struct metric *m, const json_t *part)
{
	const json_t *value = follow(base_of(m, part), m->def->path,
				     m->object);

	return m->path[0] ? follow(value, m->path, "") : value;
}

const char *metric_why(const struct metric *m, const json_t *part)
{
	char path[METRIC_TEXT_MAX];
	char *dot;

	snprintf(path, sizeof(path), "%s", m->def->path);
	dot = strrchr(path, '.');
	if (!dot)
		return NULL;
	snprintf(dot, sizeof(path) - (dot - path), ".why");
	return json_string_value(follow(base_of(m, part), path, m->object));
}

json_int_t metric_samples(const struct metric *m, const json_t *part)
{
	char path[METRIC_TEXT_MAX];
	const json_t *count;
	char *dot;

	snprintf(path, sizeof(path), "%s", m->def->path);
	dot = strrchr(path, '.');
	if (!dot)
		return -1;
	snprintf(dot, sizeof(path) - (dot - path), ".count");
	count = follow(base_of(m, part), path, m->object);
	return json_is_integer(count) ? json_integer_value(count) : -1;
}
