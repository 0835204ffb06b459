// SPDX-License-Identifier: GPL-2.0-only
/* One clock for host and guest, and what is measured across the two. */
#include "runner/session.h"

#include "lib/log.h"
#include "runner/io_wake.h"
#include "runner/observe.h"
#include "runner/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void session_on_clock(struct session *s, json_t *body)
{
	json_t *v = json_object_get(body, "point");
	json_int_t point = json_is_integer(v) ? json_integer_value(v) : -1;
	struct ktstr_clock *c;
	int err;

	if (point < 0 || point > s->nr_phases || s->clocks[point].known) {
		s->ignored_msgs++;
		return;
	}
	err = sampler_shm_hva(s->sampler, s->shm_map_id,
			      offsetof(struct ktstr_shm_hdr, clock),
			      sizeof(*c), (void **)&c);
	if (err) {
		log_warn("session: shared clocks: %s", strerror(-err));
		return;
	}
	s->clocks[point] = clock_exchange(c, point + 1);
	if (!s->clocks[point].known)
		log_warn("session: the guest's clock could not be measured");
}

static int wake_shm(void *ctx, void *buf, size_t off, size_t len)
{
	struct session *s = ctx;

	return sampler_shm(s->sampler, s->shm_map_id, buf, off, len);
}

static size_t wake_trace(void *ctx, unsigned int disk, struct vm_disk_io *io,
			 size_t max, uint64_t *dropped)
{
	struct session *s = ctx;

	return vm_disk_trace_read(s->vm, disk, io, max, dropped);
}

static void on_sample(void *ctx, uint32_t phase)
{
	struct session *s = ctx;

	io_wake_drain(s->io_wake, phase);
	observe_drain(s->observe);
	session_gaps_sample(s);
}

void session_open_io_wake(struct session *s)
{
	static const struct io_wake_ops ops = { wake_shm, wake_trace };
	struct ktstr_shm_hdr hdr;
	int err;

	if (!s->sampler || s->io_wake)
		return;
	err = session_shm_header(s, &hdr);
	if (!err)
		err = io_wake_new(json_object_get(s->plan, "workloads"),
				  s->disk_names, s->nr_disks, hdr.rings_off,
				  &ops, s, &s->io_wake);
	if (err)
		log_warn("session: io_wake: %s", strerror(-err));
	else
		sampler_on_sample(s->sampler, on_sample, s);
}

/* From before the phase to after it. */
static struct clock_relation clock_of(const struct session *s, uint32_t phase)
{
	return clock_relation_make(&s->clocks[phase], &s->clocks[phase + 1]);
}

static bool is_measured(const struct session *s, uint32_t phase)
{
	json_t *phases = json_object_get(s->plan, "phases");

	return json_is_true(json_object_get(json_array_get(phases, phase),
					    "measure"));
}

int session_io_wake_sum(struct session *s, unsigned int workload, int phase,
			struct io_wake_sum *sum)
{
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < s->nr_phases; i++) {
		const struct phase_record *p = &s->phases[i];
		struct clock_relation clock = clock_of(s, i);

		if (!p->ended ||
		    (phase < 0 ? !is_measured(s, i) : i != (uint32_t)phase))
			continue;
		err = io_wake_add(s->io_wake, workload, i, p->guest_start_ns,
				  p->guest_end_ns, &clock, sum);
	}
	return err;
}

json_t *session_io_wake_json(struct session *s, unsigned int workload,
			     int phase)
{
	struct io_wake_sum *sum = calloc(1, sizeof(*sum));
	json_t *json = NULL;

	if (sum && !session_io_wake_sum(s, workload, phase, sum))
		json = io_wake_sum_json(sum);
	free(sum);
	return json ? json : json_object();
}

json_t *session_phase_clock_json(const struct session *s, uint32_t phase)
{
	struct clock_relation r = clock_of(s, phase);

	if (!r.known)
		return json_null();
	return json_pack("{s:I, s:I, s:I}",
			 "offset_ns", (json_int_t)r.from.offset_ns,
			 "error_ns", (json_int_t)r.error_ns,
			 "drift_ppb", (json_int_t)r.drift_ppb);
}

json_t *session_clock_json(const struct session *s)
{
	const struct clock_point *first = NULL, *last = NULL;
	struct clock_relation whole = { 0 };
	uint64_t error_ns = 0;
	bool known = true;
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++) {
		struct clock_relation r = clock_of(s, i);

		if (!s->phases[i].ended || !is_measured(s, i))
			continue;
		known = known && r.known;
		if (r.error_ns > error_ns)
			error_ns = r.error_ns;
		if (!first)
			first = &s->clocks[i];
		last = &s->clocks[i + 1];
	}
	if (first && known)
		whole = clock_relation_make(first, last);
	if (!whole.known)
		return json_null();
	return json_pack("{s:I, s:I, s:I}",
			 "offset_ns", (json_int_t)whole.from.offset_ns,
			 "error_ns", (json_int_t)error_ns,
			 "drift_ppb", (json_int_t)whole.drift_ppb);
}
