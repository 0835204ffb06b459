// SPDX-License-Identifier: GPL-2.0-only
/* who_ran: the longest wait of a workload, and what ran meanwhile. */
#include "runner/observe.h"

#include "runner/observe_priv.h"

#include <string.h>

/* A task may call itself anything, and JSON takes UTF-8 only. */
static json_t *comm_json(const char comm[KTSTR_OBS_COMM])
{
	char text[KTSTR_OBS_COMM + 1] = "";
	int i;

	for (i = 0; i < KTSTR_OBS_COMM && comm[i]; i++)
		text[i] = comm[i] >= ' ' && comm[i] < 127 ? comm[i] : '?';
	return json_string(text);
}

static json_t *workload_name(const struct observe *o, uint32_t workload)
{
	json_t *w = json_array_get(json_object_get(o->plan, "workloads"),
				   workload);
	json_t *name = json_object_get(w, "name");

	return name ? json_incref(name) : json_null();
}

/* @r is a private copy: what was checked is what is used. */
static json_t *ran_json(const struct observe *o, const struct ktstr_obs_ran *r,
			unsigned int cpu)
{
	json_t *ran = json_array();
	uint32_t i;

	for (i = 0; i < r->nr && i < KTSTR_OBS_SPANS; i++)
		json_array_append_new(ran, json_pack(
			"{s:o, s:I, s:o, s:I}", "comm",
			comm_json(r->spans[i].comm), "pid",
			(json_int_t)r->spans[i].pid, "workload",
			workload_name(o, r->spans[i].workload), "ns",
			(json_int_t)r->spans[i].ns));
	return json_pack("{s:I, s:I, s:i, s:I, s:o, s:b, s:o, s:I, s:b}",
			 "wait_ns", (json_int_t)r->wait_ns, "at_ns",
			 (json_int_t)r->at_ns, "cpu", (int)cpu, "pid",
			 (json_int_t)r->pid, "comm", comm_json(r->comm),
			 "waiting", r->waiting != 0, "ran", ran, "more",
			 (json_int_t)r->more, "more_at_least",
			 r->at_least != 0);
}

json_t *observe_ran_json(const struct observe *o, unsigned int workload,
			 const struct observe_part *part)
{
	const struct observe_one *one = &o->one[OBS_WHO_RAN];
	const struct ktstr_obs_ran *all = one->region, *r, *worst = NULL;
	const char *why = observe_why(one);
	unsigned int cpu, at = 0;
	uint32_t p;

	if (why)
		return json_pack("{s:n, s:o}", "wait_ns", "why",
				 json_string(why) ?: json_null());
	for (cpu = 0; cpu < o->dims.cpus; cpu++) {
		for (p = 0; p < o->dims.phases; p++) {
			r = &all[(cpu * o->dims.workloads + workload) *
				 o->dims.phases + p];
			/* none yet, or it was just being written */
			if (!(part->phases >> p & 1) || !r->seq || r->seq & 1)
				continue;
			if (worst && r->wait_ns <= worst->wait_ns)
				continue;
			worst = r;
			at = cpu;
		}
	}
	return worst ? ran_json(o, worst, at) : json_null();
}
