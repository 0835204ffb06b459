// SPDX-License-Identifier: GPL-2.0-only
/* The session's end: everything that was seen, as facts.json. */
#include "runner/session.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "runner/facts_vcpu.h"
#include "runner/facts_workload.h"
#include "runner/sampler.h"

#include <stdlib.h>
#include <string.h>

#define CONSOLE_TAIL_LINES 30

static json_t *plan_phase(const struct session *s, uint32_t i)
{
	return json_array_get(json_object_get(s->plan, "phases"), i);
}

static bool measured(const struct session *s, uint32_t i)
{
	return json_is_true(json_object_get(plan_phase(s, i), "measure"));
}

static uint64_t plan_ns(json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

static const char *plan_text(json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

/* In whole: begun, ended, and not cut short. */
static bool phase_complete(const struct session *s, uint32_t i)
{
	const struct phase_record *p = &s->phases[i];
	uint64_t asked_ns = plan_ns(plan_phase(s, i), "duration_ns");

	return p->ended && p->guest_end_ns > p->guest_start_ns &&
		p->guest_end_ns - p->guest_start_ns >= asked_ns / 100 * 99;
}

/*
 * Frozen time in the guest's clock. Not known how the clocks relate: then it
 * is taken for what it was when the phase began, which is within a message.
 */
struct frozen_view session_frozen_view(const struct session *s, uint32_t i)
{
	const struct phase_record *p = &s->phases[i];
	const struct clock_point *c = &s->clocks[i];

	return (struct frozen_view){
		.log = session_frozen(s),
		.offset_ns = c->known ? c->offset_ns :
			(int64_t)(p->guest_start_ns - p->host_start_ns),
	};
}

/* Of the time between its two marks. */
uint64_t session_phase_frozen_ns(const struct session *s, uint32_t i)
{
	const struct phase_record *p = &s->phases[i];

	return frozen_within(session_frozen(s), p->host_start_ns,
			     p->ended ? p->host_end_ns : s->end_ns);
}

/* Is the worker's a program whose tasks can be told? */
static bool is_program(const struct session *s, unsigned int worker)
{
	return json_integer_value(json_array_get(s->leaves, worker)) != 0;
}

/* Add one phase of one workload, whose first worker has number @first. */
static void add_workload_phase(const struct session *s, uint32_t phase,
			       unsigned int first, struct workload_sum *sum)
{
	const struct phase_record *p = &s->phases[phase];
	const struct ktstr_shm_hdr *hdr = (const void *)s->shm;
	const struct ktstr_worker *workers;
	const struct ktstr_cell *cells;
	struct frozen_view frozen = session_frozen_view(s, phase);
	uint64_t end_ns = p->guest_end_ns;
	unsigned int i;

	if (!s->shm || !p->begun)
		return;
	workers = p->workers ? p->workers :
		(const void *)(s->shm + hdr->workers_off);
	cells = (const void *)(s->shm + hdr->cells_off);
	/* never ended: all we can say is what was done until we gave up */
	if (!p->ended && p->guest_start_ns)
		end_ns = p->guest_start_ns + (s->end_ns - p->host_start_ns);
	for (i = 0; i < sum->nr_workers; i++) {
		frozen.program = is_program(s, first + i) ? first + i + 1 : 0;
		workload_sum_add(sum, i,
				 &cells[(first + i) * s->nr_phases + phase],
				 &workers[first + i], p->guest_start_ns,
				 end_ns, &frozen);
	}
}

/* workloads{} of one phase, or of all measured ones (@phase < 0). */
static json_t *workloads_json(struct session *s, int phase)
{
	json_t *out = json_object(), *w, *stats;
	unsigned int first = 0;
	size_t i;

	json_array_foreach(json_object_get(s->plan, "workloads"), i, w) {
		unsigned int n = plan_ns(w, "workers");
		struct workload_sum *sum = malloc(sizeof(*sum));
		uint32_t p;

		if (!sum || workload_sum_init(sum, n)) {
			free(sum);
			break;
		}
		for (p = 0; p < s->nr_phases; p++)
			if (phase < 0 ? measured(s, p) : p == (uint32_t)phase)
				add_workload_phase(s, p, first, sum);
		stats = s->shm ? workload_sum_json(sum, session_nr_cpus(s)) :
			json_null();
		if (json_is_object(stats))
			json_object_update_new(stats,
				session_io_wake_json(s, i, phase));
		if (json_is_object(stats)) {
			session_load_facts(s, i, phase, stats);
			session_observe_workload(s, i, phase, stats);
		}
		json_object_set_new(out, plan_text(w, "name"), stats);
		workload_sum_fini(sum);
		free(sum);
		first += n;
	}
	return out;
}

static json_t *disks_json(const struct session *s, int phase)
{
	json_t *out = json_object();
	struct disk_sum *sum = malloc(sizeof(*sum));
	struct vm_disk_stats end;
	unsigned int d;
	uint32_t i;

	for (d = 0; sum && d < s->nr_disks; d++) {
		memset(sum, 0, sizeof(*sum));
		for (i = 0; i < s->nr_phases; i++) {
			const struct phase_record *p = &s->phases[i];

			if (phase < 0 ? !measured(s, i) : i != (uint32_t)phase)
				continue;
			if (p->disks_start && p->disks_end)
				disk_sum_add(sum, &p->disks_start[d],
					     &p->disks_end[d], &p->asked[d],
					     session_frozen(s));
		}
		if (phase < 0) {
			/* after all phases, at the VM's end */
			vm_disk_stats_read(s->vm, d, &end);
			sum->delta.fault_torn_writes = end.fault_torn_writes;
		}
		json_object_set_new(out, s->disk_names[d], disk_sum_json(sum));
	}
	free(sum);
	return out;
}

/* Growth of one event counter over one phase. Return: false if unknown. */
static bool event_delta(const struct phase_record *p, unsigned int event,
			int64_t *delta)
{
	if (!p->have_sched_start || !p->have_sched_end ||
	    event >= p->sched_start.nr_events ||
	    event >= p->sched_end.nr_events)
		return false;
	*delta = p->sched_end.events[event] - p->sched_start.events[event];
	/* the kernel's counters belong to the scheduler and die with it */
	return *delta >= 0;
}

static json_t *events_json(const struct session *s, int phase)
{
	json_t *events = json_object();
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++) {
		const struct phase_record *p = &s->phases[i];
		unsigned int e;
		int64_t delta;

		if (phase < 0 ? !measured(s, i) : i != (uint32_t)phase)
			continue;
		for (e = 0; e < MON_MAX_EVENTS; e++) {
			const char *name = p->sched_end.event_names[e];

			if (!event_delta(p, e, &delta))
				continue;
			delta += json_integer_value(
				json_object_get(events, name));
			json_object_set_new(events, name, json_integer(delta));
		}
	}
	return events;
}

/*
 * The busiest CPU's tasks against the average CPU's: 1 is level, the number of
 * CPUs means that one has them all. null where nothing ran.
 */
static json_t *imbalance_json(const json_t *mean)
{
	double sum = 0, most = 0, v;
	size_t i, n = json_array_size(mean);

	for (i = 0; i < n; i++) {
		v = json_number_value(json_array_get(mean, i));
		sum += v;
		if (v > most)
			most = v;
	}
	return sum > 0 ? json_real(most * n / sum) : json_null();
}

/* Was it while the VM was frozen? Of a phase, or any of the measured ones. */
static bool was_frozen_in_bypass(const struct session *s, int phase)
{
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++)
		if ((phase < 0 ? measured(s, i) : i == (uint32_t)phase) &&
		    frozen_in_bypass(session_frozen(s),
				     s->phases[i].host_start_ns,
				     s->phases[i].ended ?
				     s->phases[i].host_end_ns : s->end_ns))
			return true;
	return false;
}

/* sched{} of one phase, or of all measured ones. */
static json_t *sched_json(const struct session *s, int phase)
{
	json_t *mean = json_array(), *max = json_array(), *state = NULL;
	uint64_t taken = 0, dsq_max = 0, dsq_read = 0, leaks = 0;
	json_t *events, *bypass, *sched;
	unsigned int cpu;
	uint32_t i;

	for (cpu = 0; cpu < session_nr_cpus(s) && cpu < MON_MAX_CPUS; cpu++) {
		uint64_t sum = 0, top = 0;

		taken = dsq_read = leaks = 0;
		for (i = 0; i < s->nr_phases; i++) {
			const struct sampler_phase *sp =
				sampler_phase(s->sampler, i);

			if (!sp || (phase < 0 ? !measured(s, i) :
				    i != (uint32_t)phase))
				continue;
			taken += sp->taken;
			dsq_read += sp->local_dsq_read;
			leaks += sp->idle_while_waiting;
			sum += sp->nr_running_sum[cpu];
			if (sp->nr_running_max[cpu] > top)
				top = sp->nr_running_max[cpu];
			if (sp->local_dsq_max > dsq_max)
				dsq_max = sp->local_dsq_max;
		}
		json_array_append_new(mean, taken ?
				      json_real((double)sum / taken) :
				      json_null());
		json_array_append_new(max, taken ? json_integer(top) :
				      json_null());
	}
	for (i = 0; i < s->nr_phases; i++)
		if ((phase < 0 || i == (uint32_t)phase) && s->phases[i].ended)
			state = json_object_get(s->phases[i].end_msg,
						"sched_state");
	events = events_json(s, phase);
	bypass = json_object_get(events, "SCX_EV_BYPASS_DURATION");
	/* it goes by the kernel's clock, which goes on in a frozen VM */
	if (json_integer_value(bypass) && was_frozen_in_bypass(s, phase))
		bypass = NULL;
	sched = json_pack("{s:s, s:O?, s:O?, s:o, s:o, s:o, s:{s:o, s:o}, s:{s:o}, s:I}",
			 "source", "host",
			 "state", state,
			 "bypass_ns", bypass,
			 "events", events,
			 "imbalance", imbalance_json(mean),
			 "idle_while_waiting_ratio", taken ?
			 json_real((double)leaks / taken) : json_null(),
			 "nr_running", "mean", mean, "max", max,
			 "dsq_depth", "max", dsq_read ? json_integer(dsq_max) :
			 json_null(),
			 "samples", (json_int_t)taken);
	session_details_facts(s, phase, sched);
	session_observe_sched(s, phase, sched);
	return sched;
}

/* {NAME: {last, delta, rate}} between two looks. */
static json_t *numbers_json(json_t *start, json_t *end, double seconds)
{
	json_t *out = json_object(), *value;
	const char *name;

	json_object_foreach(end, name, value) {
		json_t *before = json_object_get(start, name);
		double last = json_real_value(value);
		double delta = last - json_real_value(before);

		json_object_set_new(out, name, json_pack("{s:f, s:o, s:o}",
			"last", last,
			"delta", before ? json_real(delta) : json_null(),
			"rate", before && seconds > 0 ?
			json_real(delta / seconds) : json_null()));
	}
	return out;
}

/* Host time between the two marks, but for what was frozen. */
static uint64_t phase_host_ns(const struct session *s, uint32_t i)
{
	const struct phase_record *p = &s->phases[i];

	return p->ended ? p->host_end_ns - p->host_start_ns -
		session_phase_frozen_ns(s, i) : 0;
}

static double phase_seconds(const struct session *s, uint32_t i)
{
	return phase_host_ns(s, i) / (double)NSEC_PER_SEC;
}

/* The guest's time of the phase, likewise. */
uint64_t session_phase_ns(const struct session *s, uint32_t i)
{
	const struct phase_record *p = &s->phases[i];
	struct frozen_view frozen = session_frozen_view(s, i);

	if (!p->ended || p->guest_end_ns <= p->guest_start_ns)
		return 0;
	return p->guest_end_ns - p->guest_start_ns -
		frozen_view_within(&frozen, p->guest_start_ns,
				   p->guest_end_ns);
}

static double real_member(const json_t *obj, const char *key)
{
	return json_real_value(json_object_get(obj, key));
}

/* Growth that one of the phases does not know is none of the whole. */
static void total_delta(json_t *entry, json_t *known, unsigned int phases,
			double seconds)
{
	double sum = real_member(known, "sum");
	bool whole = known && plan_ns(known, "phases") == phases;

	json_object_set_new(entry, "delta", whole ? json_real(sum) :
			    json_null());
	json_object_set_new(entry, "rate", whole && seconds > 0 ?
			    json_real(sum / seconds) : json_null());
}

/* Over all measured phases: first look to last, growth added up. */
static json_t *total_numbers(const struct session *s)
{
	json_t *out = json_object(), *deltas = json_object(), *entry, *part;
	unsigned int phases = 0;
	double seconds = 0;
	const char *name;
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++) {
		const struct phase_record *p = &s->phases[i];

		if (!measured(s, i) || !p->ended)
			continue;
		seconds += phase_seconds(s, i);
		part = numbers_json(p->numbers_start, p->numbers_end, 0);
		json_object_foreach(part, name, entry) {
			json_t *grown = json_object_get(entry, "delta");
			json_t *known = json_object_get(deltas, name);

			if (json_is_real(grown))
				json_object_set_new(deltas, name, json_pack(
					"{s:f, s:I}", "sum",
					real_member(known, "sum") +
					json_real_value(grown), "phases",
					(json_int_t)plan_ns(known, "phases") +
					1));
			json_object_set(out, name, entry);
		}
		json_decref(part);
		phases++;
	}
	json_object_foreach(out, name, entry)
		total_delta(entry, json_object_get(deltas, name), phases,
			    seconds);
	json_decref(deltas);
	return out;
}

static json_t *phase_json(struct session *s, uint32_t i)
{
	const struct phase_record *p = &s->phases[i];
	const struct sampler_phase *sp = sampler_phase(s->sampler, i);
	json_t *plan = plan_phase(s, i);
	uint64_t interval_ns = session_interval_ns(s, i);
	uint64_t host_ns = phase_host_ns(s, i);

	return json_pack("{s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o,"
			 " s:o, s:o, s:o*, s:{s:I, s:I, s:I, s:I}}",
			 "name", plan_text(plan, "name"),
			 "measure", measured(s, i),
			 "begun", p->begun,
			 "complete", phase_complete(s, i),
			 "asked_ns", (json_int_t)plan_ns(plan, "duration_ns"),
			 "duration_ns", (json_int_t)session_phase_ns(s, i),
			 "host_ns", (json_int_t)host_ns,
			 "frozen_ns", (json_int_t)session_phase_frozen_ns(s, i),
			 "guest_start_ns", (json_int_t)p->guest_start_ns,
			 "guest_end_ns", (json_int_t)p->guest_end_ns,
			 "workloads", workloads_json(s, i),
			 "disks", disks_json(s, i),
			 "sched", sched_json(s, i),
			 "map_numbers", numbers_json(p->numbers_start,
						     p->numbers_end,
						     phase_seconds(s, i)),
			 "clock", session_phase_clock_json(s, i),
			 "vcpus", p->vcpus_start ?
			 vcpus_json(p->vcpus_start, p->vcpus_end,
				    session_nr_cpus(s)) : json_null(),
			 "observers", session_observers_json(s, i),
			 "telemetry",
			 "expected", interval_ns ?
			 (json_int_t)(host_ns / interval_ns) : 0,
			 "taken", sp ? (json_int_t)sp->taken : 0,
			 "failed", sp ? (json_int_t)sp->failed : 0,
			 "late_ns_max", sp ? (json_int_t)sp->max_late_ns : 0);
}

/* telemetry{}: the measured phases' sums. */
static json_t *telemetry_json(const struct session *s, json_t *phases)
{
	static const char *const keys[] = { "expected", "taken", "failed" };
	json_int_t sums[3] = { 0 }, late = 0;
	json_t *phase, *t;
	size_t i, k;

	json_array_foreach(phases, i, phase) {
		if (!json_is_true(json_object_get(phase, "measure")))
			continue;
		t = json_object_get(phase, "telemetry");
		for (k = 0; k < 3; k++)
			sums[k] += plan_ns(t, keys[k]);
		if ((json_int_t)plan_ns(t, "late_ns_max") > late)
			late = plan_ns(t, "late_ns_max");
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I}",
			 "expected", sums[0], "taken", sums[1],
			 "failed", sums[2], "late_ns_max", late,
			 "interval_ns", (json_int_t)plan_ns(
				json_object_get(s->plan, "telemetry"),
				"interval_ns"));
}

static const char *end_kind(const struct session *s)
{
	if (s->end.kind != VM_END_STOPPED)
		return vm_end_name(s->end.kind);
	if (s->signal)
		return "interrupted";
	switch ((enum session_stop)s->end.reason) {
	case SESSION_STOP_DONE: return "done";
	case SESSION_STOP_INTERRUPT: return "interrupted";
	case SESSION_STOP_OVERRUN: return "overrun";
	case SESSION_STOP_PROTOCOL: return "protocol";
	}
	return "stopped";
}

static json_t *stage_json(const struct session *s)
{
	static const char *const names[] = {
		[SESSION_BOOT] = "boot", [SESSION_HELLO] = "hello",
		[SESSION_SCHEDULER] = "scheduler", [SESSION_READY] = "ready",
		[SESSION_DONE] = "done",
	};

	if (s->stage == SESSION_PHASES)
		return json_sprintf("phase %s", s->phase < s->nr_phases ?
				    plan_text(plan_phase(s, s->phase), "name") :
				    "gap");
	return json_string(names[s->stage]);
}

static json_t *end_json(const struct session *s)
{
	bool attached = json_object_get(s->sched, "attach_ns");

	return json_pack("{s:s, s:s, s:o, s:b, s:i, s:b, s:o}",
			 "kind", end_kind(s),
			 "detail", *s->protocol_error ? s->protocol_error :
			 s->end.detail,
			 "stage", stage_json(s),
			 "scheduler_attached", attached,
			 "signal", s->signal,
			 "panic", console_log_mentions(&s->console,
						       "Kernel panic"),
			 "console_tail", console_log_tail(&s->console,
							  CONSOLE_TAIL_LINES));
}

static json_t *agent_json(const struct session *s)
{
	json_t *ok = json_object_get(s->topology, "ok");

	return json_pack("{s:O?, s:O?, s:O?, s:O, s:O?, s:I, s:I}",
			 "fatal", s->fatal, "topology_ok", ok,
			 "topology_errors", json_object_get(s->topology,
							    "errors"),
			 "kmsg_problems", s->kmsg_problems,
			 "tracing_programs", s->tracing_programs,
			 "messages", (json_int_t)s->reader.frames,
			 "ignored_messages", (json_int_t)s->ignored_msgs);
}

/* The scheduler as far as the plan and the agent tell. */
static json_t *scheduler_json(const struct session *s)
{
	json_t *plan = json_object_get(s->plan, "scheduler");
	json_t *state = NULL;
	uint32_t i;

	if (!json_is_object(plan))
		return json_null();
	for (i = 0; i < s->nr_phases; i++)
		if (s->phases[i].end_msg)
			state = json_object_get(s->phases[i].end_msg,
						"sched_state");
	return json_pack("{s:O?, s:O?, s:O?, s:O*, s:O?, s:O?, s:O?, s:O?, s:O?, s:O?}",
			 "name", json_object_get(plan, "name"),
			 "kind", json_object_get(plan, "kind"),
			 "hash", json_object_get(plan, "hash"),
			 "args", json_object_get(plan, "args"),
			 "final_state", state,
			 "state", json_object_get(s->sched, "state"),
			 "exit", json_object_get(s->sched, "exit"),
			 "failed", json_object_get(s->sched, "stage") ?
			 s->sched : NULL,
			 "load_ns", json_object_get(s->sched, "load_ns"),
			 "attach_ns", json_object_get(s->sched, "attach_ns"));
}

/* null: one of the two never was. */
static json_t *ms_between(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns > from_ns ?
		json_integer((to_ns - from_ns) / NSEC_PER_MSEC) : json_null();
}

static json_t *scheduler_ms(const struct session *s)
{
	return json_object_get(s->sched, "load_ns") ? json_integer(
		(plan_ns(s->sched, "load_ns") + plan_ns(s->sched, "attach_ns"))
		/ NSEC_PER_MSEC) : json_null();
}

static json_t *timing_json(const struct session *s)
{
	uint64_t first_ns = 0, last_ns = 0;
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++) {
		if (!s->phases[i].begun)
			continue;
		if (!first_ns)
			first_ns = s->phases[i].host_start_ns;
		last_ns = s->phases[i].ended ? s->phases[i].host_end_ns :
			s->end_ns;
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o}",
			 "boot_ms", ms_between(s->start_ns, s->hello_ns),
			 "agent_ms", ms_between(s->hello_ns, s->ready_ns),
			 "scheduler_ms", scheduler_ms(s),
			 "run_ms", ms_between(first_ns, last_ns),
			 "total_ms", ms_between(s->start_ns, s->end_ns));
}

static json_t *host_json(const struct session *s)
{
	json_t *delay = json_object();
	uint64_t run_ns = 0, wait_ns = 0, worst_ns = 0, worker_ns;
	uint64_t life_ns = s->end_ns - s->start_ns;
	const unsigned int nr = session_nr_cpus(s);
	struct vm_vcpu_stats *st = session_mark_vcpus(s);
	json_t *vcpus = vcpus_json(NULL, st, nr);
	unsigned int i;

	for (i = 0; st && i < nr; i++) {
		run_ns += st[i].run_ns;
		wait_ns += st[i].wait_ns;
	}
	free(st);
	for (i = 0; i < s->nr_disks; i++) {
		worker_ns = vm_worker_wait_ns(s->vm, i);
		if (worker_ns > worst_ns)
			worst_ns = worker_ns;
		json_object_set_new(delay, s->disk_names[i],
				    json_integer(worker_ns));
	}
	return json_pack("{s:O?, s:O?, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "time_floor_ns", json_object_get(s->hello,
							  "time_floor_ns"),
			 "guest_clocksource", json_object_get(s->hello,
							      "clocksource"),
			 "clock", session_clock_json(s),
			 "vcpu_steal_ratio", run_ns + wait_ns ?
			 json_real((double)wait_ns / (run_ns + wait_ns)) :
			 json_null(),
			 "worker_wait_ns", delay,
			 "worker_delay_ns", s->nr_disks ?
			 json_integer(worst_ns) : json_null(),
			 "worker_delay_ratio", s->nr_disks && life_ns ?
			 json_real((double)worst_ns / life_ns) : json_null(),
			 "vcpus", vcpus);
}

json_t *session_facts(struct session *s)
{
	json_t *plan_kernel = json_object_get(s->plan, "kernel");
	json_t *plan_vm = json_object_get(s->plan, "vm");
	json_t *phases = json_array(), *facts;
	uint32_t i;

	for (i = 0; i < s->nr_phases; i++)
		json_array_append_new(phases, phase_json(s, i));
	facts = json_pack("{s:s, s:{s:O?, s:O?, s:O?}, s:o, s:{s:O?, s:O?}, s:O?}",
			  "schema", "ktstr.facts/1",
			  "kernel",
			  "release", json_object_get(s->hello, "release") ?
			  json_object_get(s->hello, "release") :
			  json_object_get(plan_kernel, "release"),
			  "config_hash", json_object_get(plan_kernel,
							 "config_hash"),
			  "hash", json_object_get(plan_kernel, "hash"),
			  "scheduler", scheduler_json(s),
			  "vm",
			  "topology", json_object_get(plan_vm, "topology"),
			  "memory_bytes", json_object_get(plan_vm,
							  "memory_bytes"),
			  "seed", json_object_get(s->plan, "seed"));
	if (!facts) {
		json_decref(phases);
		return NULL;
	}
	json_object_update_new(facts, json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:O?, s:o, s:o, s:o, s:o, s:o*, s:o*, s:o, s:O, s:o}",
		"end", end_json(s), "agent", agent_json(s),
		"timing", timing_json(s),
		"workloads", workloads_json(s, -1),
		"disks", disks_json(s, -1),
		"maps", s->maps,
		"map_numbers", total_numbers(s),
		"sched", sched_json(s, -1),
		"telemetry", telemetry_json(s, phases),
		"host", host_json(s),
		"looks", session_looks_json(s),
		"observers", session_observers_json(s, -1),
		"gaps", session_gaps_json(s),
		"steps", s->steps,
		"phases", phases));
	return facts;
}
