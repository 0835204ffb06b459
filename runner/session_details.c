// SPDX-License-Identifier: GPL-2.0-only
/* What the monitor saw at a phase's two ends, as the facts' sched{}. */
#include "runner/session.h"

#include "runner/sampler.h"

#include <string.h>

static bool in_part(const struct session *s, int phase, uint32_t i)
{
	json_t *plan = json_array_get(json_object_get(s->plan, "phases"), i);

	if (!s->phases[i].ended)
		return false;
	return phase < 0 ? json_is_true(json_object_get(plan, "measure")) :
			   i == (uint32_t)phase;
}

/* Whole numbers above 2^53-1 are text there; of those there is no growth. */
static bool growth(json_t *start, json_t *end, const char *key,
		   json_int_t *delta)
{
	json_t *from = json_object_get(start, key);
	json_t *to = json_object_get(end, key);

	if (!json_is_integer(from) || !json_is_integer(to))
		return false;
	*delta = json_integer_value(to) - json_integer_value(from);
	return *delta >= 0;
}

/* Add to @obj's @key; what one phase does not know is not known of all. */
static void add_delta(json_t *obj, const char *key, bool known,
		      json_int_t delta)
{
	json_t *sum = json_object_get(obj, key);

	if (json_is_null(sum))
		return;
	json_object_set_new(obj, key, known ?
			    json_integer(json_integer_value(sum) + delta) :
			    json_null());
}

static void add_growth(json_t *obj, const char *key, json_t *start,
		       json_t *end, const char *from_key)
{
	json_int_t delta = 0;
	bool known = growth(start, end, from_key, &delta);

	add_delta(obj, key, known, delta);
}

static void add_op(json_t *ops, const char *name, json_t *start, json_t *end,
		   bool counted)
{
	json_t *op = json_object_get(ops, name);

	if (!op) {
		op = json_pack("{s:O?, s:O?}", "program",
			       json_object_get(end, "program"),
			       "verified_insns",
			       json_object_get(end, "verified_insns"));
		if (json_object_set_new(ops, name, op))
			return;
	}
	if (counted) {
		add_growth(op, "count", start, end, "run_count");
		add_growth(op, "ns", start, end, "run_ns");
		return;
	}
	/* nobody asked for it, whether or not the kernel counted */
	json_object_update_new(op, json_pack("{s:n, s:n, s:s}", "count", "ns",
					     "why",
					     "telemetry.bpf_stats is off"));
}

static json_t *ops_json(const struct session *s, int phase)
{
	json_t *telemetry = json_object_get(s->plan, "telemetry");
	/* as the agent decides */
	bool counted = json_is_true(json_object_get(telemetry, "bpf_stats")) ||
		json_array_size(json_object_get(telemetry, "observers"));
	json_t *ops = json_object(), *end;
	const char *name;
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++) {
		json_t *from = json_object_get(s->phases[i].details_start,
					       "ops");

		if (!in_part(s, phase, i))
			continue;
		json_object_foreach(json_object_get(s->phases[i].details_end,
						    "ops"), name, end)
			add_op(ops, name, json_object_get(from, name), end,
			       counted);
	}
	return ops;
}

static bool is_time(const char *name)
{
	size_t len = strlen(name);

	return len > 3 && !strcmp(name + len - 3, "_ns");
}

/*
 * What each CPU's run queue counted, by CPU: growth, added up over phases. The
 * kernel counts times by its own clock, which goes on in a frozen VM, and when
 * a task leaves the CPU: of a phase that was frozen there is none.
 */
static json_t *schedstat_json(const struct session *s, int phase)
{
	json_t *cpus = json_array(), *end, *value;
	const char *name;
	uint32_t i;
	size_t cpu;

	for (i = 0; i < s->nr_phases; i++) {
		json_t *from = json_object_get(s->phases[i].details_start,
					       "schedstat");
		json_t *to = json_object_get(s->phases[i].details_end,
					     "schedstat");
		uint64_t frozen_ns = session_phase_frozen_ns(s, i);

		if (!in_part(s, phase, i))
			continue;
		json_array_foreach(to, cpu, end) {
			if (cpu >= json_array_size(cpus))
				json_array_append_new(cpus, json_object());
			json_object_foreach(end, name, value)
				add_growth(json_array_get(cpus, cpu), name,
					   frozen_ns && is_time(name) ? NULL :
					   json_array_get(from, cpu), end,
					   name);
		}
	}
	return cpus;
}

/*
 * Growth of the kernel's pressure times, added up over phases. They are as the
 * kernel would tell them at that moment, and what is not yet in its totals is
 * weighed anew each time: by a little they can shrink, which is no pressure.
 * Those of a phase that was frozen have that time in them.
 */
static json_t *psi_json(const struct session *s, int phase)
{
	json_t *sums = json_object(), *end, *value;
	bool known = false;
	const char *name;
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++) {
		json_t *from = json_object_get(s->phases[i].details_start,
					       "psi");

		if (!in_part(s, phase, i))
			continue;
		end = json_object_get(s->phases[i].details_end, "psi");
		known = json_is_object(from) && json_is_object(end) &&
			!session_phase_frozen_ns(s, i);
		if (!known)
			break;
		json_object_foreach(end, name, value) {
			json_t *start = json_object_get(from, name);
			json_int_t ns = json_integer_value(value) -
				json_integer_value(start);

			add_delta(sums, name, json_is_integer(start) &&
				  json_is_integer(value), ns > 0 ? ns : 0);
		}
	}
	if (known)
		return sums;
	json_decref(sums);
	return json_null();
}

/* As it was at the end of the last of these phases. */
static json_t *last_seen(const struct session *s, int phase, const char *key)
{
	json_t *seen = NULL;
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++)
		if (in_part(s, phase, i))
			seen = json_object_get(s->phases[i].details_end, key);
	return seen ? json_incref(seen) : json_null();
}

void session_details_facts(const struct session *s, int phase, json_t *sched)
{
	json_object_update_new(sched, json_pack(
		"{s:o, s:o, s:o, s:o, s:o}", "ops", ops_json(s, phase),
		"schedstat", schedstat_json(s, phase),
		"psi", psi_json(s, phase),
		"dsqs", last_seen(s, phase, "dsqs"),
		"subs", last_seen(s, phase, "subs")));
	if (phase < 0)
		json_object_update_new(sched, json_pack(
			"{s:o, s:O?}", "domains",
			last_seen(s, phase, "domains"),
			"exit", sampler_exit(s->sampler)));
}
