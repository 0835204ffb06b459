// SPDX-License-Identifier: GPL-2.0-only
#include "runner/observe.h"

#include "lib/hist.h"
#include "lib/log.h"
#include "runner/facts_workload.h"
#include "runner/observe_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static json_int_t int_of(json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

static void read_plan(struct observe *o)
{
	json_t *list, *item;
	size_t i;

	o->dims.phases = json_array_size(json_object_get(o->plan, "phases"));
	o->dims.cpus = int_of(json_object_get(o->plan, "vm"), "cpus");
	list = json_object_get(o->plan, "workloads");
	o->dims.workloads = json_array_size(list);
	json_array_foreach(list, i, item)
		o->dims.workers += int_of(item, "workers");
	list = json_object_get(json_object_get(o->plan, "telemetry"),
			       "observers");
	json_array_foreach(list, i, item) {
		enum obs_id id = obs_find(json_string_value(item));

		if (id == OBS_NR)
			continue;
		o->one[id].asked = true;
		o->one[id].bytes = obs_bytes(id, &o->dims);
	}
}

int observe_new(json_t *plan, const struct observe_ops *ops, void *ctx,
		struct observe **out)
{
	struct observe *o;

	*out = NULL;
	if (!json_array_size(json_object_get(json_object_get(plan, "telemetry"),
					     "observers")))
		return 0;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->ops = ops;
	o->ctx = ctx;
	o->plan = plan;
	read_plan(o);
	if (o->one[OBS_IO_COMPLETION].asked &&
	    observe_io_new(o->dims.workers, &o->io)) {
		free(o);
		return -ENOMEM;
	}
	*out = o;
	return 0;
}

void observe_free(struct observe *o)
{
	int i;

	if (!o)
		return;
	for (i = 0; i < OBS_NR; i++) {
		json_decref(o->one[i].report);
		free(o->one[i].region);
	}
	observe_io_free(o->io, o->dims.workers);
	free(o);
}

bool observe_on_message(struct observe *o, json_t *body)
{
	const char *name = json_string_value(json_object_get(body, "name"));
	const char *state = json_string_value(json_object_get(body, "state"));
	enum obs_id id = o && name ? obs_find(name) : OBS_NR;
	struct observe_one *one;

	if (id == OBS_NR || !state || !o->one[id].asked || o->one[id].report)
		return false;
	one = &o->one[id];
	one->report = json_incref(body);
	if (strcmp(state, "attached")) {
		log_info("observer %s: not available: %s", name,
			 observe_why(one));
		return true;
	}
	if (observe_without(one))
		log_info("observer %s: in part: %s", name,
			 observe_without(one));
	/* as long as the plan makes it, or it is not what we know */
	if ((uint64_t)int_of(body, "bytes") == one->bytes &&
	    one->bytes <= KTSTR_OBS_MAX_BYTES && int_of(body, "map_id") > 0 &&
	    int_of(body, "map_id") <= UINT32_MAX)
		__atomic_store_n(&one->map_id,
				 (uint32_t)int_of(body, "map_id"),
				 __ATOMIC_RELAXED);
	return true;
}

const char *observe_why(const struct observe_one *one)
{
	const char *message = json_string_value(
		json_object_get(one->report, "message"));

	if (one->map_id)
		return one->region ? NULL : one->unreadable ?
			"the observer's results could not be read from guest memory" :
			"the observer has not seen a phase end";
	if (message)
		return message;
	return one->report ? "the agent and ktstr do not agree on the observer" :
			     "the run ended before the observer was attached";
}

const char *observe_without(const struct observe_one *one)
{
	return json_string_value(json_object_get(one->report, "without"));
}

static void read_region(struct observe *o, struct observe_one *one)
{
	void *copy;
	int err;

	if (!one->map_id)
		return;
	copy = malloc(one->bytes);
	if (!copy)
		return;
	err = o->ops->read(o->ctx, one->map_id, copy, 0, one->bytes);
	one->unreadable = err;
	if (err) {
		log_warn("observers: map %u, %llu bytes: %s", one->map_id,
			 (unsigned long long)one->bytes, strerror(-err));
		free(copy);
		return;
	}
	free(one->region);
	one->region = copy;
}

/* What is not a whole number at all is not known. */
static struct observe_cost cost_of(json_t *said)
{
	struct observe_cost c = {
		.run_count = int_of(said, "run_count"),
		.run_ns = int_of(said, "run_ns"),
		.missed = int_of(said, "missed"),
	};

	/* the scheduler's events never stop: none counted is not counted */
	c.known = int_of(said, "run_count") > 0 &&
		  int_of(said, "run_ns") >= 0 && int_of(said, "missed") >= 0;
	return c;
}

void observe_phase_end(struct observe *o, uint32_t phase, json_t *end_msg)
{
	json_t *costs = json_object_get(end_msg, "observers");
	int i;

	observe_drain(o);
	for (i = 0; o && i < OBS_NR; i++) {
		if (!o->one[i].asked)
			continue;
		read_region(o, &o->one[i]);
		if (costs && phase < KTSTR_SHM_MAX_PHASES)
			o->one[i].cost[phase] = cost_of(
				json_object_get(costs, obs_name(i)));
	}
}

json_t *observe_not_available(const char *why)
{
	return json_pack("{s:n, s:n, s:n, s:n, s:n, s:n, s:o}", "count", "p50",
			 "p90", "p99", "p999", "max", "why",
			 json_string(why) ?: json_string("no reason in UTF-8"));
}

/* --- wake_latency --- */

static json_t *wake_json(const struct observe *o, unsigned int workload,
			 const struct observe_part *part)
{
	const struct observe_one *one = &o->one[OBS_WAKE_LATENCY];
	const struct ktstr_obs_wake *cells = one->region;
	const char *why = observe_why(one);
	struct ktstr_hist *sum;
	uint64_t frozen = 0, waiting = 0, waiting_ns = 0;
	json_t *json;
	uint32_t p;

	if (why)
		return observe_not_available(why);
	sum = calloc(1, sizeof(*sum));
	if (!sum)
		return NULL;
	for (p = 0; p < o->dims.phases; p++) {
		const struct ktstr_obs_wake *c =
			&cells[workload * o->dims.phases + p];

		if (!(part->phases >> p & 1))
			continue;
		hist_merge(sum, &c->hist);
		frozen += c->frozen;
		waiting += c->waiting;
		if (c->waiting_max_ns > waiting_ns)
			waiting_ns = c->waiting_max_ns;
	}
	json = hist_json(sum);
	free(sum);
	json_object_update_new(json, json_pack(
		"{s:I, s:I, s:o}", "frozen", (json_int_t)frozen, "waiting",
		(json_int_t)waiting, "waiting_max", waiting ?
		json_integer(waiting_ns) : json_null()));
	return json;
}

static const struct {
	enum obs_id id;
	const char *key;
	json_t *(*json)(const struct observe *o, unsigned int workload,
			const struct observe_part *part);
} of_workloads[] = {
	{ OBS_WAKE_LATENCY, "wake_latency_ns", wake_json },
	{ OBS_WHO_RAN, "who_ran", observe_ran_json },
};

json_t *observe_workload_json(const struct observe *o, unsigned int workload,
			      const struct observe_part *part)
{
	json_t *observed = NULL;
	size_t i;

	if (!o || workload >= o->dims.workloads)
		return NULL;
	for (i = 0; i < sizeof(of_workloads) / sizeof(of_workloads[0]); i++) {
		if (!o->one[of_workloads[i].id].asked)
			continue;
		if (!observed)
			observed = json_object();
		json_object_set_new(observed, of_workloads[i].key,
				    of_workloads[i].json(o, workload, part));
	}
	return observed;
}

/* --- work_conservation --- */

static json_t *ratio_json(double num, double den)
{
	return den > 0 ? json_real(num / den) : json_null();
}

json_t *observe_sched_json(const struct observe *o,
			   const struct observe_part *part)
{
	const struct observe_one *one =
		o ? &o->one[OBS_WORK_CONSERVATION] : NULL;
	struct ktstr_obs_conserve sum = { 0 };
	const struct ktstr_obs_conserve *c;
	const char *why;
	uint32_t p;

	if (!one || !one->asked)
		return NULL;
	why = observe_why(one);
	if (why)
		return json_pack("{s:n, s:o, s:{s:n, s:n, s:o}}",
				 "idle_while_waiting_ratio", "why",
				 json_string(why) ?: json_null(),
				 "idle_while_waiting_ns", "sum", "max", "why",
				 json_string(why) ?: json_null());
	for (p = 0; p < o->dims.phases; p++) {
		c = (const struct ktstr_obs_conserve *)one->region + p;
		if (!(part->phases >> p & 1))
			continue;
		sum.violated_ns += c->violated_ns;
		sum.spans += c->spans;
		sum.events += c->events;
		sum.frozen += c->frozen;
		if (c->longest_ns <= sum.longest_ns)
			continue;
		sum.longest_ns = c->longest_ns;
		sum.longest_at_ns = c->longest_at_ns;
	}
	return json_pack("{s:o, s:{s:I, s:I, s:I}, s:I, s:I, s:I}",
			 "idle_while_waiting_ratio",
			 ratio_json(sum.violated_ns, part->ns),
			 "idle_while_waiting_ns",
			 "sum", (json_int_t)sum.violated_ns,
			 "max", (json_int_t)sum.longest_ns,
			 "max_at", (json_int_t)sum.longest_at_ns,
			 "spans", (json_int_t)sum.spans,
			 "events", (json_int_t)sum.events,
			 "frozen", (json_int_t)sum.frozen);
}

/* --- what they cost --- */

/* One that is not known in a phase is not known in the whole. */
static struct observe_cost sum_cost(const struct observe *o,
				    const struct observe_one *one,
				    const struct observe_part *part)
{
	struct observe_cost sum = { .known = one->map_id && part->phases };
	uint32_t p;

	for (p = 0; p < o->dims.phases; p++) {
		const struct observe_cost *c = &one->cost[p];

		if (!(part->phases >> p & 1))
			continue;
		sum.run_count += c->run_count;
		sum.run_ns += c->run_ns;
		sum.missed += c->missed;
		sum.known = sum.known && c->known;
	}
	return sum;
}

static json_t *number(bool known, uint64_t n)
{
	return known ? json_integer(n) : json_null();
}

static json_t *one_json(const struct observe *o, const struct observe_one *one,
			const struct observe_part *part)
{
	struct observe_cost c = sum_cost(o, one, part);
	double cpu_ns = (double)part->ns * o->dims.cpus;
	const char *why = one->map_id ? NULL : observe_why(one);

	return json_pack("{s:s, s:O?, s:o, s:o, s:o, s:o, s:o*, s:O*}", "state",
			 one->map_id ? "attached" : "not available",
			 "programs", json_object_get(one->report, "programs"),
			 "run_count", number(c.known, c.run_count), "run_ns",
			 number(c.known, c.run_ns), "cpu_ratio",
			 c.known && cpu_ns > 0 ? json_real(c.run_ns / cpu_ns) :
			 json_null(), "missed", number(c.known, c.missed),
			 "why", why ? json_string(why) : NULL,
			 "without", json_object_get(one->report, "without"));
}

json_t *observe_json(const struct observe *o, const struct observe_part *part)
{
	json_t *all;
	int i;

	if (!o)
		return NULL;
	all = json_object();
	for (i = 0; i < OBS_NR; i++)
		if (o->one[i].asked)
			json_object_set_new(all, obs_name(i),
					    one_json(o, &o->one[i], part));
	return all;
}
