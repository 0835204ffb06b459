// SPDX-License-Identifier: GPL-2.0-only
/* The session's observers: where their regions are, and which phases count. */
#include "runner/session.h"

#include "lib/log.h"
#include "runner/observe.h"
#include "runner/sampler.h"

#include <errno.h>

static int read_region(void *ctx, uint32_t map_id, void *buf, size_t off,
		       size_t len)
{
	struct session *s = ctx;

	return s->sampler ? sampler_shm(s->sampler, map_id, buf, off, len) :
			    -ENOTSUP;
}

int session_observe_open(struct session *s)
{
	static const struct observe_ops ops = { read_region };

	return observe_new(s->plan, &ops, s, &s->observe);
}

void session_on_observer(struct session *s, json_t *body)
{
	if (!observe_on_message(s->observe, body))
		s->ignored_msgs++;
}

void session_observe_phase_end(struct session *s, uint32_t phase)
{
	observe_phase_end(s->observe, phase, phase < s->nr_phases ?
			  s->phases[phase].end_msg : NULL);
}

/* As everywhere: a phase that was not measured is in no total. */
static struct observe_part part_of(const struct session *s, int phase)
{
	json_t *phases = json_object_get(s->plan, "phases");
	struct observe_part part = { 0 };
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++) {
		if (phase < 0 ? !json_is_true(json_object_get(
					json_array_get(phases, i), "measure")) :
				i != (uint32_t)phase)
			continue;
		part.phases |= 1u << i;
		part.ns += session_phase_ns(s, i);
	}
	return part;
}

void session_observe_workload(const struct session *s, unsigned int workload,
			      int phase, json_t *stats)
{
	struct observe_part part = part_of(s, phase);
	json_t *observed = observe_workload_json(s->observe, workload, &part);

	if (observed)
		json_object_set_new(stats, "observed", observed);
}

json_t *session_observers_json(const struct session *s, int phase)
{
	struct observe_part part = part_of(s, phase);

	return observe_json(s->observe, &part);
}
