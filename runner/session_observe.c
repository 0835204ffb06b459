// SPDX-License-Identifier: GPL-2.0-only
/* The session's observers: where their regions are, and which phases count. */
#include "runner/session.h"

#include "lib/log.h"
#include "runner/io_pair.h"
#include "runner/io_wake.h"
#include "runner/observe.h"
#include "runner/sampler.h"

#include <errno.h>
#include <stdlib.h>

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

/* What an IO of a workload is added to. */
struct io_sink {
	struct observe *observe;
	struct observe_io_sum *sum;
};

static void add_io(void *ctx, unsigned int worker, const struct io_wait *wait,
		   uint64_t error_ns)
{
	struct io_sink *sink = ctx;

	observe_io_add(sink->observe, worker, wait, error_ns, sink->sum);
}

/* {"io_ns", "io_pairing"}; NULL of a workload without a disk. */
static json_t *io_json(struct session *s, unsigned int workload, int phase)
{
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	struct io_wake_sum *pairs = calloc(1, sizeof(*pairs));
	struct io_sink sink = { s->observe, sum };
	json_t *json = NULL;

	if (!sum || !pairs)
		goto out;
	pairs->each = add_io;
	pairs->each_ctx = &sink;
	if (session_io_wake_sum(s, workload, phase, pairs))
		goto out;
	sum->clock_unknown = pairs->clock_unknown;
	json = observe_io_json(s->observe, workload, sum);
out:
	free(sum);
	free(pairs);
	return json;
}

void session_observe_workload(struct session *s, unsigned int workload,
			      int phase, json_t *stats)
{
	struct observe_part part = part_of(s, phase);
	json_t *observed = observe_workload_json(s->observe, workload, &part);
	json_t *io = observe_has_io(s->observe) ?
		io_json(s, workload, phase) : NULL;

	if (io && !observed)
		observed = json_object();
	if (io)
		json_object_update_new(observed, io);
	if (observed)
		json_object_set_new(stats, "observed", observed);
}

void session_observe_sched(const struct session *s, int phase, json_t *sched)
{
	struct observe_part part = part_of(s, phase);
	json_t *observed = observe_sched_json(s->observe, &part);

	if (observed)
		json_object_set_new(sched, "observed", observed);
}

json_t *session_observers_json(const struct session *s, int phase)
{
	struct observe_part part = part_of(s, phase);

	return observe_json(s->observe, &part);
}
