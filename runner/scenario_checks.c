// SPDX-License-Identifier: GPL-2.0-only
/* [[check]]: metrics that exist, and limits of their kind. */
#include "runner/scenario.h"

#include <math.h>
#include <string.h>

#include "runner/diag.h"
#include "runner/toml.h"

static const struct toml_node *get(const struct scn_check *c, const char *key)
{
	return schema_table_get(c->base.node, key);
}

static void no_object(struct diag *d, const struct scn_check *c)
{
	diag_value(d, get(c, "metric"), "\"%s\" is not a metric",
		   c->metric_name);
	diag_hint(d, "write WORKLOAD.METRIC, disk.NAME.METRIC, sched.METRIC or map.MAP[KEY].delta");
}

static void unknown_metric(struct diag *d, const struct scn_check *c)
{
	const char *rest = metric_rest(c->metric_name);
	struct suggest near;

	diag_value(d, get(c, "metric"), "unknown metric \"%s\"",
		   c->metric_name);
	suggest_init(&near, rest);
	metric_suggest(c->metric.scope, &near);
	if (near.best)
		diag_hint(d, "did you mean \"%.*s%s\"?",
			  (int)(rest - c->metric_name), c->metric_name,
			  near.best);
	else if (c->metric.scope == METRIC_OF_MAP)
		diag_hint(d, "a map metric ends in .last, .delta or .rate");
	else
		diag_hint(d, "docs/scenario.md lists the metrics");
}

static bool object_exists(const struct scenario *s, struct diag *d,
			  const struct scn_check *c)
{
	struct suggest near;
	unsigned int i;

	suggest_init(&near, c->metric.object);
	if (c->metric.scope == METRIC_OF_DISK) {
		if (scenario_find_disk(s, c->metric.object))
			return true;
		for (i = 0; i < s->nr_disks; i++)
			if (s->disks[i].name)
				suggest_offer(&near, s->disks[i].name);
		diag_value(d, get(c, "metric"), "there is no disk \"%s\"",
			   c->metric.object);
	} else if (c->metric.scope == METRIC_OF_WORKLOAD) {
		if (scenario_find_workload(s, c->metric.object))
			return true;
		for (i = 0; i < s->nr_workloads; i++)
			if (s->workloads[i].name)
				suggest_offer(&near, s->workloads[i].name);
		diag_value(d, get(c, "metric"), "there is no workload \"%s\"",
			   c->metric.object);
	} else {
		return true;
	}
	if (near.best)
		diag_hint(d, "did you mean \"%s\"?", near.best);
	else if (c->metric.scope == METRIC_OF_WORKLOAD)
		diag_hint(d, "a metric begins with a workload's name, disk., sched., map. or host.");
	return false;
}

/* "match.X" without an X in match, or json of a worker that prints none. */
static bool check_workload_metric(const struct scenario *s, struct diag *d,
				  const struct scn_check *c)
{
	const struct scn_workload *w = scenario_find_workload(
		s, c->metric.object);
	const struct metric_def *def = c->metric.def;
	const struct toml_node *match = w->program.match;
	struct suggest near;
	size_t i;

	if (!w->kind)
		return true; /* said already */
	if (metric_is_said(def) && !w->kind->program) {
		diag_value(d, get(c, "metric"),
			   "\"%s\" is of programs: %s is not of kind exec",
			   c->metric_name, w->name);
		return false;
	}
	if (metric_is_stamped(def) && w->kind->program) {
		diag_value(d, get(c, "metric"),
			   "\"%s\" can't be measured of a program",
			   c->metric_name);
		diag_hint(d, "it has cpu_time, cpu_share, iterations, and what it prints: json.PATH, match.NAME");
		return false;
	}
	if (strcmp(def->path, "match") || schema_table_get(match, c->metric.path))
		return true;
	diag_value(d, get(c, "metric"), "match of %s has no \"%s\"", w->name,
		   c->metric.path);
	suggest_init(&near, c->metric.path);
	for (i = 0; match && i < match->nr; i++)
		suggest_offer(&near, match->child[i]->key);
	if (!suggest_hint(&near, d))
		diag_hint(d, "add match = { %s = 'REGULAR EXPRESSION' }",
			  c->metric.path);
	return false;
}

/* What a program prints is of all its time. */
static void check_whole_run(struct diag *d, const struct scn_check *c)
{
	if (c->phase && metric_is_said(c->metric.def))
		diag_value(d, get(c, "phase"),
			   "%s is of the whole run: it has no phase",
			   c->metric_name);
}

/* What the guest's kernel counts only when it is asked to. */
static void check_bpf_stats(const struct scenario *s, struct diag *d,
			    const struct scn_check *c)
{
	if (strncmp(c->metric_name, "sched.ops.", 10) ||
	    s->telemetry.bpf_stats || s->telemetry.observers.nr)
		return;
	diag_value(d, get(c, "metric"), "%s is not counted", c->metric_name);
	diag_hint(d, "add bpf_stats = true to [telemetry]");
}

static bool check_metric(const struct scenario *s, struct diag *d,
			 struct scn_check *c)
{
	switch (metric_parse(c->metric_name, &c->metric)) {
	case METRIC_NO_OBJECT:
		no_object(d, c);
		return false;
	case METRIC_UNKNOWN:
		if (object_exists(s, d, c))
			unknown_metric(d, c);
		return false;
	case METRIC_LATER:
		diag_value(d, get(c, "metric"),
			   "metric \"%s\" is not supported yet",
			   c->metric_name);
		return false;
	case METRIC_OK:
		break;
	}
	if (!object_exists(s, d, c))
		return false;
	check_bpf_stats(s, d, c);
	if (c->metric.scope != METRIC_OF_WORKLOAD)
		return true;
	check_whole_run(d, c);
	return check_workload_metric(s, d, c);
}

static void check_phase(const struct scenario *s, struct diag *d,
			const struct scn_check *c)
{
	const struct scn_phase *phase;
	struct suggest near;
	unsigned int i;

	if (!c->phase)
		return;
	if (!strncmp(c->metric_name ? c->metric_name : "", "host.", 5))
		diag_value(d, get(c, "phase"),
			   "%s is of the whole run: it has no phase",
			   c->metric_name);
	phase = scenario_find_phase(s, c->phase);
	if (phase && phase->measure)
		return;
	if (phase) {
		diag_value(d, get(c, "phase"), "phase \"%s\" is not measured",
			   c->phase);
		diag_hint(d, "take measure = false from it, or check another");
		return;
	}
	diag_value(d, get(c, "phase"), "there is no phase \"%s\"", c->phase);
	suggest_init(&near, c->phase);
	for (i = 0; i < s->nr_phases; i++)
		if (s->phases[i].name)
			suggest_offer(&near, s->phases[i].name);
	suggest_hint(&near, d);
}

/* A limit as the metric's unit reads it. */
static bool limit_number(struct diag *d, const struct scn_check *c,
			 const struct toml_node *node, double *limit)
{
	static const enum unit_kind kinds[] = {
		[METRIC_IN_NS] = UNIT_TIME,
		[METRIC_IN_BPS] = UNIT_BPS,
		[METRIC_IN_IOPS] = UNIT_PER_S,
		[METRIC_IN_PER_S] = UNIT_PER_S,
	};
	enum metric_unit unit = c->metric.def->unit;
	uint64_t value;

	if (unit == METRIC_IN_RATIO)
		return schema_ratio(d, node, limit);
	if (node->type == TOML_NODE_FLOAT && isfinite(node->real)) {
		*limit = node->real;
		return true;
	}
	if (node->type == TOML_NODE_INT) {
		*limit = node->integer;
		return true;
	}
	if (unit == METRIC_IN_NONE || node->type != TOML_NODE_STRING) {
		schema_wrong_type(d, node, "a number");
		return false;
	}
	if (!schema_unit(d, node, kinds[unit], &value))
		return false;
	*limit = value;
	return true;
}

static void limit_state(struct diag *d, struct scn_check *c,
			const struct toml_node *node)
{
	if (c->op != SCN_OP_EQUALS) {
		diag_key(d, node, "%s is a word: only equals can judge it",
			 c->metric_name);
		return;
	}
	if (node->type != TOML_NODE_STRING)
		schema_wrong_type(d, node, "a string");
	else
		c->state = node->string;
}

static void limit_between(struct diag *d, struct scn_check *c,
			  const struct toml_node *node)
{
	if (node->type != TOML_NODE_ARRAY || node->nr != 2) {
		schema_wrong_type(d, node, "an array of two limits");
		diag_hint(d, "write between = [0.95, 1.05]");
		return;
	}
	if (!limit_number(d, c, node->child[0], &c->low) ||
	    !limit_number(d, c, node->child[1], &c->high))
		return;
	if (c->low > c->high)
		diag_value(d, node, "between must have the lower limit first");
}

/* The control runs under the kernel's default: some things it has not. */
static void limit_ratio(struct diag *d, struct scn_check *c,
			const struct toml_node *node)
{
	if (c->metric.def->kind == METRIC_STATE ||
	    (c->metric.scope == METRIC_OF_SCHED &&
	     !metric_observer(c->metric.def)) ||
	    c->metric.scope == METRIC_OF_MAP)
		diag_key(d, node,
			 "%s has no ratio to a control: the kernel's default scheduler has none",
			 c->metric_name);
	else if (schema_ratio(d, node, &c->low) && c->low <= 0)
		diag_value(d, node, "a ratio to a control must be above 0");
	c->high = c->low;
}

static void check_limit(struct diag *d, struct scn_check *c)
{
	const struct toml_node *node = NULL;
	unsigned int i, ways = 0;

	for (i = 0; i < SCN_OP_NR; i++) {
		if (!c->limit_nodes[i])
			continue;
		node = c->limit_nodes[i];
		c->op = i;
		ways++;
	}
	if (ways != 1) {
		diag_value(d, c->base.node,
			   "[[check]] needs one of min, max, between, equals, min_ratio_to_control and max_ratio_to_control, not %s",
			   ways ? "several" : "none");
		return;
	}
	if (scn_op_is_ratio(c->op))
		limit_ratio(d, c, node);
	else if (c->metric.def->kind == METRIC_STATE)
		limit_state(d, c, node);
	else if (c->op == SCN_OP_BETWEEN)
		limit_between(d, c, node);
	else if (limit_number(d, c, node, &c->low))
		c->high = c->low;
}

bool scenario_needs_control(const struct scenario *s)
{
	unsigned int i;

	for (i = 0; i < s->nr_checks; i++)
		if (scn_op_is_ratio(s->checks[i].op))
			return true;
	return false;
}

void scenario_check_checks(struct scenario *s, struct diag *d)
{
	unsigned int i;

	for (i = 0; i < s->nr_checks; i++) {
		struct scn_check *c = &s->checks[i];

		check_phase(s, d, c);
		if (!c->metric_name || !check_metric(s, d, c))
			continue;
		scenario_check_observed(s, d, c);
		check_limit(d, c);
	}
}
