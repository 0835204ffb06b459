// SPDX-License-Identifier: GPL-2.0-only
#include "runner/judge.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runner/judge_priv.h"
#include "runner/metrics.h"
#include "runner/units.h"

#define FLOORS_PER_LIMIT 10

static const char *const verdict_names[] = {
	[VERDICT_SKIP] = "skip",
	[VERDICT_PASS] = "pass",
	[VERDICT_INCONCLUSIVE] = "inconclusive",
	[VERDICT_FAIL] = "fail",
	[VERDICT_ERROR] = "error",
};

const char *verdict_name(enum verdict v)
{
	return verdict_names[v];
}

const json_t *json_path(const json_t *at, ...)
{
	const char *key;
	va_list keys;

	va_start(keys, at);
	while (at && (key = va_arg(keys, const char *)))
		at = json_object_get(at, key);
	va_end(keys);
	return at;
}

const char *json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

bool phase_judged(const json_t *phase)
{
	return json_is_true(json_object_get(phase, "measure"));
}

void finding_set(struct finding *f, enum verdict v, const char *fmt, ...)
{
	va_list args;

	f->verdict = v;
	va_start(args, fmt);
	vsnprintf(f->reason, sizeof(f->reason), fmt, args);
	va_end(args);
}

/* The JSON encoder refuses what is not UTF-8, and a guest may write that. */
static json_t *reason_json(char *reason)
{
	json_t *json = json_string(reason);
	char *p;

	if (json)
		return json;
	for (p = reason; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(reason);
}

static void keep_worst(struct court *c, const struct finding *f)
{
	c->counts[f->verdict]++;
	if (f->verdict <= c->worst)
		return;
	c->worst = f->verdict;
	if (f->says_all)
		snprintf(c->reason, sizeof(c->reason), "%s", f->reason);
	else
		snprintf(c->reason, sizeof(c->reason), "%s%s%s: %s", f->metric,
			 f->phase ? " in phase " : "",
			 f->phase ? f->phase : "", f->reason);
}

void court_find(struct court *c, struct finding *f)
{
	json_t *line = json_pack(
		"{s:s,s:s?,s:s?,s:o,s:o,s:s,s:s,s:o,s:s*,s:o*,s:o*,s:o*}", "metric",
		f->metric, "phase", f->phase, "op", f->op, "limit",
		f->limit ? f->limit : json_null(), "value",
		f->value ? f->value : json_null(), "unit",
		f->unit ? f->unit : "", "verdict", verdict_name(f->verdict),
		"reason", reason_json(f->reason), "automatic", f->automatic,
		"value_control", f->value_control, "ratio", f->ratio,
		"interval", f->interval);

	if (!line || json_array_append_new(c->out, line))
		c->no_memory = true;
	keep_worst(c, f);
}

bool court_time_counts(const struct court *c, double limit_ns,
		       struct finding *f)
{
	char limit[UNIT_TEXT_LEN], floor_text[UNIT_TEXT_LEN];

	if (!court_is_quiet(c, c->facts, f))
		return false;
	if (c->floor_ns < 0) {
		if (!c->emulated)
			return true;
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the time floor of this emulated machine is not known: time can't be judged");
		return false;
	}
	if (limit_ns >= FLOORS_PER_LIMIT * c->floor_ns)
		return true;
	finding_set(f, VERDICT_INCONCLUSIVE,
		    "a limit of %s is below %d x the time floor of this machine, %s: time can't be judged",
		    unit_format_short(UNIT_TIME, limit_ns, limit),
		    FLOORS_PER_LIMIT,
		    unit_format_short(UNIT_TIME, c->floor_ns, floor_text));
	return false;
}

bool court_clocks_count(const struct court *c, double limit_ns,
			struct finding *f)
{
	char limit[UNIT_TEXT_LEN], error[UNIT_TEXT_LEN];

	if (c->clock_error_ns < 0) {
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "how the clocks of host and guest relate is not known");
		return false;
	}
	if (limit_ns >= FLOORS_PER_LIMIT * c->clock_error_ns)
		return court_time_counts(c, limit_ns, f);
	finding_set(f, VERDICT_INCONCLUSIVE,
		    "a limit of %s is below %d x the error between the clocks of host and guest, %s",
		    unit_format_short(UNIT_TIME, limit_ns, limit),
		    FLOORS_PER_LIMIT,
		    unit_format_short(UNIT_TIME, c->clock_error_ns, error));
	return false;
}

/* May this machine judge such a limit? */
static bool kind_counts(const struct court *c, enum metric_kind kind,
			double limit, struct finding *f)
{
	switch (kind) {
	case METRIC_TIME:
		return court_time_counts(c, limit, f);
	case METRIC_CLOCKS:
		return court_clocks_count(c, limit, f);
	default:
		return true;
	}
}

/* the scenario's own checks */

/* A [[check]] taken apart. */
struct wanted {
	struct metric metric;
	const char *op;
	double low, high;
	const char *state;
};

static char *show(const struct metric *m, double value, char *buf)
{
	static const int kinds[] = {
		[METRIC_IN_NS] = UNIT_TIME,
		[METRIC_IN_BPS] = UNIT_BPS,
		[METRIC_IN_PER_S] = UNIT_PER_S,
		[METRIC_IN_IOPS] = UNIT_PER_S,
	};

	if (m->def->unit == METRIC_IN_NONE)
		snprintf(buf, UNIT_TEXT_LEN, "%.15g", value);
	else if (m->def->unit == METRIC_IN_RATIO)
		snprintf(buf, UNIT_TEXT_LEN, "%.4g", value);
	else
		unit_format_short(kinds[m->def->unit], value, buf);
	return buf;
}

static void judge_number(const struct wanted *w, double value,
			 struct finding *f)
{
	char is[UNIT_TEXT_LEN], low[UNIT_TEXT_LEN], high[UNIT_TEXT_LEN];

	show(&w->metric, value, is);
	show(&w->metric, w->low, low);
	show(&w->metric, w->high, high);
	if (!isfinite(value))
		finding_set(f, VERDICT_INCONCLUSIVE, "it is not a number");
	else if (!strcmp(w->op, "min") && value < w->low)
		finding_set(f, VERDICT_FAIL, "%s is less than %s", is, low);
	else if (!strcmp(w->op, "max") && value > w->high)
		finding_set(f, VERDICT_FAIL, "%s is more than %s", is, high);
	else if (!strcmp(w->op, "between") &&
		 (value < w->low || value > w->high))
		finding_set(f, VERDICT_FAIL, "%s is not between %s and %s", is,
			    low, high);
	else if (!strcmp(w->op, "equals") && value != w->low)
		finding_set(f, VERDICT_FAIL, "%s is not %s", is, low);
	else
		f->verdict = VERDICT_PASS;
}

static void judge_state(const struct wanted *w, const json_t *value,
			struct finding *f)
{
	const char *state = json_string_value(value);

	if (!state)
		finding_set(f, VERDICT_INCONCLUSIVE, "the state is not known");
	else if (!w->state)
		finding_set(f, VERDICT_ERROR, "the limit is not a word");
	else if (strcmp(state, w->state))
		finding_set(f, VERDICT_FAIL, "%s is not %s", state, w->state);
	else
		f->verdict = VERDICT_PASS;
}

static const json_t *planned_disk(const struct court *c, const char *name)
{
	const json_t *disk;
	size_t i;

	json_array_foreach(json_object_get(c->plan, "disks"), i, disk)
		if (!strcmp(json_text(disk, "name"), name))
			return disk;
	return NULL;
}

/*
 * A rate that is not what was asked fails nobody where the disk broke its
 * promise, or where nobody asked for more: a scheduler has no part in either.
 */
static void forgive_disk(const struct court *c, const struct wanted *w,
			 const json_t *part, double value, struct finding *f)
{
	const json_t *disk = json_path(part, "disks", w->metric.object, NULL);
	double phase_ns = json_number_value(json_object_get(part, "host_ns"));
	struct finding delivery = { 0 };

	if (f->verdict != VERDICT_FAIL || w->metric.scope != METRIC_OF_DISK ||
	    w->metric.def->unit != METRIC_IN_RATIO)
		return;
	judge_delivery(planned_disk(c, w->metric.object), part, disk,
		       &delivery);
	if (delivery.verdict == VERDICT_INCONCLUSIVE)
		finding_set(f, VERDICT_INCONCLUSIVE, "%s", delivery.reason);
	else if (value < w->low && !disk_saturated(disk, phase_ns))
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the load did not keep the disk busy: %.4g of what was asked",
			    value);
}

static void judge_value(const struct court *c, const struct wanted *w,
			const json_t *part, struct finding *f)
{
	const struct metric_def *def = w->metric.def;
	const json_t *value = metric_value(&w->metric, part);
	double limit = w->low > 0 ? w->low : w->high;
	const char *why = metric_why(&w->metric, part);

	if (value)
		f->value = json_incref((json_t *)value);
	if (metric_is_said(def) && !json_is_number(value)) {
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "the program's output has no such number");
	} else if (!value) {
		finding_set(f, VERDICT_INCONCLUSIVE, "it was not measured");
	} else if (def->kind == METRIC_STATE) {
		judge_state(w, value, f);
	} else if (json_is_null(value) && why) {
		finding_set(f, VERDICT_INCONCLUSIVE, "%s", why);
	} else if (json_is_null(value) && def->samples) {
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "too few samples: %s needs %u, there are %lld",
			    def->name, def->samples,
			    (long long)metric_samples(&w->metric, part));
	} else if (!json_is_number(value)) {
		finding_set(f, VERDICT_INCONCLUSIVE, "%s",
			    why ? why : "it is undefined");
	} else if (kind_counts(c, def->kind, limit, f)) {
		judge_number(w, json_number_value(value), f);
		forgive_disk(c, w, part, json_number_value(value), f);
	}
}

const json_t *part_of(const json_t *facts, struct finding *f)
{
	const json_t *phases = json_object_get(facts, "phases");
	const json_t *phase;
	const char *name;
	size_t i;

	for (i = 0; i < json_array_size(phases); i++) {
		phase = json_array_get(phases, i);
		name = json_text(phase, "name");
		if (f->phase ? !name || strcmp(name, f->phase) :
			       !phase_judged(phase))
			continue;
		if (!json_is_true(json_object_get(phase, "complete"))) {
			finding_set(f, VERDICT_INCONCLUSIVE,
				    "phase %s did not run to its end",
				    name ? name : "?");
			return NULL;
		}
		if (f->phase)
			return phase;
	}
	if (f->phase || !i) {
		finding_set(f, VERDICT_INCONCLUSIVE, "%s did not run",
			    f->phase ? f->phase : "any phase");
		return NULL;
	}
	return facts;
}

static bool read_wanted(const json_t *check, struct wanted *w)
{
	const char *metric = json_text(check, "metric");
	const json_t *limit = json_object_get(check, "limit");

	w->op = json_text(check, "op");
	if (!metric || !w->op || metric_parse(metric, &w->metric) != METRIC_OK)
		return false;
	w->state = json_string_value(limit);
	w->low = json_number_value(json_is_array(limit) ?
				   json_array_get(limit, 0) : limit);
	w->high = json_is_array(limit) ?
		  json_number_value(json_array_get(limit, 1)) : w->low;
	return true;
}

static void judge_check(struct court *c, const json_t *check)
{
	struct finding f = {
		.metric = json_text(check, "metric"),
		.phase = json_text(check, "phase"),
		.op = json_text(check, "op"),
		.limit = json_incref(json_object_get(check, "limit")),
		.unit = json_text(check, "unit"),
	};
	const json_t *part;
	struct wanted w;

	if (!read_wanted(check, &w))
		finding_set(&f, VERDICT_ERROR, "the check is not understood");
	else if (!c->has_scheduler && !metric_observer(w.metric.def) &&
		 (w.metric.scope == METRIC_OF_MAP ||
		  w.metric.scope == METRIC_OF_SCHED))
		finding_set(&f, VERDICT_SKIP,
			    "the kernel's default scheduler has none");
	else if ((part = part_of(c->facts, &f)))
		judge_value(c, &w, part, &f);
	court_find(c, &f);
}

/* all together */

static void sum_up(const struct court *c, struct judgement *j)
{
	unsigned int more = c->counts[c->worst] - 1;
	int used;

	j->verdict = c->worst;
	if (c->worst <= VERDICT_PASS)
		used = snprintf(j->reason, sizeof(j->reason), "%u checks held",
				c->counts[VERDICT_PASS]);
	else
		used = snprintf(j->reason, sizeof(j->reason), "%s", c->reason);
	if (used >= (int)sizeof(j->reason))
		return;
	if (c->worst <= VERDICT_PASS && c->counts[VERDICT_SKIP])
		snprintf(j->reason + used, sizeof(j->reason) - used,
			 ", %u skipped", c->counts[VERDICT_SKIP]);
	else if (c->worst > VERDICT_PASS && more)
		snprintf(j->reason + used, sizeof(j->reason) - used,
			 " (and %u more)", more);
}

static void open_court(struct court *c, const json_t *plan,
		       const json_t *checks, const json_t *facts)
{
	const char *accel = json_text(json_object_get(facts, "vm"), "accel");
	const json_t *floor_ns = json_path(facts, "host", "time_floor_ns",
					   NULL);
	const json_t *error_ns = json_path(facts, "host", "clock", "error_ns",
					   NULL);

	*c = (struct court){
		.plan = plan,
		.checks = checks,
		.facts = facts,
		.automatic = json_object_get(checks, "automatic"),
		.emulated = accel && !strcmp(accel, "emulated"),
		.has_scheduler =
			json_is_object(json_object_get(plan, "scheduler")),
		.floor_ns = json_is_number(floor_ns) ?
			    json_number_value(floor_ns) : -1,
		.clock_error_ns = json_is_number(error_ns) ?
				  json_number_value(error_ns) : -1,
		.out = json_array(),
	};
}

static int judge_all(const json_t *plan, const json_t *checks,
		     const json_t *facts, const json_t *ratios,
		     const struct judge_arms *arms, struct judgement *j)
{
	const json_t *check;
	struct court c;
	size_t i;

	open_court(&c, plan, checks, facts);
	if (!c.out)
		return -ENOMEM;
	judge_end(&c);
	judge_scheduler(&c);
	judge_automatic(&c);
	json_array_foreach(json_object_get(checks, "checks"), i, check)
		judge_check(&c, check);
	json_array_foreach(ratios, i, check)
		judge_ratio(&c, check, arms);
	if (c.no_memory) {
		json_decref(c.out);
		return -ENOMEM;
	}
	*j = (struct judgement){ .checks = c.out };
	sum_up(&c, j);
	return 0;
}

int judge(const json_t *plan, const json_t *checks, const json_t *facts,
	  struct judgement *j)
{
	return judge_all(plan, checks, facts, NULL, NULL, j);
}

int judge_with_control(const json_t *plan, const json_t *checks,
		       const json_t *facts, const struct judge_arms *arms,
		       struct judgement *j)
{
	return judge_all(plan, checks, facts,
			 json_object_get(checks, "ratios"), arms, j);
}

void judge_fini(struct judgement *j)
{
	json_decref(j->checks);
	*j = (struct judgement){ 0 };
}
