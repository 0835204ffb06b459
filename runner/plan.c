// SPDX-License-Identifier: GPL-2.0-only
#include "runner/plan.h"

#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runner/exec_pack.h"
#include "runner/scenario.h"
#include "runner/toml.h"

#define GUEST_OBJECT "/ktstr/sched.bpf.o"

static json_t *json_u64(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* FNV-1a, then a mixing step: near seeds and names give far results. */
static uint64_t workload_seed(uint64_t seed, const char *name)
{
	uint64_t x = 0xcbf29ce484222325;

	for (; *name; name++)
		x = (x ^ (unsigned char)*name) * 0x100000001b3;
	x += seed * 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (x ^ x >> 31) & PLAN_SEED_MAX;
}

bool plan_is_transport(const char *name)
{
	return !strcmp(name, "pci") || !strcmp(name, "mmio");
}

void plan_set_transport(json_t *plan, const char *name)
{
	if (name)
		json_object_set_new(json_object_get(plan, "vm"), "transport",
				    json_string(name));
}

static json_t *vm_json(const struct scn_vm *vm)
{
	const struct scn_topology *t = &vm->topology;

	return json_pack("{s:{s:i,s:i,s:i,s:i,s:i},s:i,s:o,s:o,s:s,s:n}",
			 "topology", "packages", (int)t->nodes, "nodes",
			 (int)t->nodes, "llcs", (int)t->llcs, "cores_per_llc",
			 (int)t->cores_per_llc, "threads_per_core",
			 (int)t->threads_per_core, "cpus", (int)t->cpus,
			 "memory_bytes", json_u64(vm->memory_bytes),
			 "deadline_ns", json_u64(vm->deadline_ns),
			 "cmdline_extra", "", "transport");
}

static json_t *faults_json(const struct scn_faults *f)
{
	return json_pack("{s:f,s:o,s:o,s:o,s:o,s:o,s:b}", "error_ratio",
			 f->error_rate, "error_from", json_u64(f->error_from),
			 "error_bytes", json_u64(f->error_bytes), "stall_ns",
			 json_u64(f->stall_ns), "stall_every",
			 json_u64(f->stall_every), "stall_at_ns",
			 json_u64(f->stall_at_ns), "torn_writes",
			 f->torn_writes);
}

/* Not a workload's of the same name. */
static uint64_t disk_seed(uint64_t seed, const char *name)
{
	return workload_seed(workload_seed(seed, "disk"), name);
}

static json_t *disks_json(const struct scenario *s, uint64_t seed)
{
	json_t *disks = json_array();
	unsigned int i;

	for (i = 0; i < s->nr_disks; i++) {
		const struct scn_disk *d = &s->disks[i];

		json_array_append_new(disks, json_pack(
			"{s:s,s:o,s:s?,s:b,s:b,s:f,s:{s:o,s:o,s:o,s:o,s:o},s:o,s:o,s:o}",
			"name", d->name, "size_bytes",
			json_u64(d->size_bytes), "image", d->image,
			"read_only", d->read_only, "keep_writes",
			d->keep_writes, "tolerance_ratio", d->tolerance,
			"throttle", "iops", json_u64(d->throttle.iops),
			"bps", json_u64(d->throttle.bps), "burst_ns",
			json_u64(d->throttle.burst_ns), "latency_ns",
			json_u64(d->throttle.latency_ns), "jitter_ns",
			json_u64(d->throttle.jitter_ns), "faults",
			faults_json(&d->faults), "seed",
			json_u64(disk_seed(seed, d->name)), "queues",
			json_u64(d->queues)));
	}
	return disks;
}

static json_t *set_json(const struct toml_node *set)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; set && i < set->nr; i++)
		json_object_set_new(object, set->child[i]->key,
				    set->child[i]->type == TOML_NODE_BOOL ?
				    json_boolean(set->child[i]->boolean) :
				    json_integer(set->child[i]->integer));
	return object;
}

/* "path/x.bpf.o" is known as "x". */
static json_t *file_name(const char *path)
{
	char *copy = strdup(path), *name, *dot;
	json_t *json;

	if (!copy)
		return NULL;
	name = basename(copy);
	dot = strchr(name, '.');
	if (dot && dot > name)
		*dot = '\0';
	json = json_string(name);
	free(copy);
	return json;
}

static json_t *strings_json(const struct string_list *list, unsigned int from)
{
	json_t *array = json_array();

	for (; from < list->nr; from++)
		json_array_append_new(array, json_string(list->item[from]));
	return array;
}

/* A program in the guest: its own place there, and the arguments as they are. */
static json_t *exec_json(const struct string_list *argv)
{
	const char *path = argv->nr ? argv->item[0] : "";
	json_t *guest = strings_json(argv, 1);
	char place[PATH_MAX] = "";

	exec_pack_place(path, place, sizeof(place));
	json_array_insert_new(guest, 0, json_string(place));
	return json_pack("{s:s,s:o,s:o}", "program", path, "argv", guest,
			 "env", exec_pack_env(path));
}

static json_t *exec_scheduler_json(const struct scn_scheduler *s)
{
	json_t *exec = exec_json(&s->exec);

	json_object_set_new(exec, "add", strings_json(&s->add, 0));
	return json_pack("{s:o,s:s,s:s,s:n,s:n,s:{},s:s,s:o,s:o}", "name",
			 file_name(s->exec.item[0]), "kind", "exec", "path",
			 s->exec.item[0], "object", "hash", "set", "expect",
			 scn_expect_name(s->expect), "args",
			 strings_json(&s->exec, 1), "exec", exec);
}

static json_t *scheduler_json(const struct scn_scheduler *s)
{
	json_t *name, *path;
	const char *kind;

	if (!s->base.node)
		return json_null();
	if (s->exec.nr)
		return exec_scheduler_json(s);
	if (s->builtin) {
		kind = "builtin";
		name = json_string(s->builtin);
		path = json_null();
	} else {
		kind = s->object ? "object" : "source";
		name = file_name(s->object ? s->object : s->source);
		path = json_string(s->object ? s->object : s->source);
	}
	return json_pack("{s:o,s:s,s:o,s:s,s:n,s:o,s:s}", "name", name, "kind",
			 kind, "path", path, "object", GUEST_OBJECT, "hash",
			 "set", set_json(s->set), "expect",
			 scn_expect_name(s->expect));
}

static json_t *cpus_json(const struct scn_cpus *cpus)
{
	json_t *list;
	int cpu;

	if (!cpus->node)
		return json_null();
	list = json_array();
	for (cpu = 0; cpu < 64; cpu++)
		if (cpus->mask >> cpu & 1)
			json_array_append_new(list, json_integer(cpu));
	return list;
}

static json_t *cpu_max_json(const struct scn_cpu_max *max)
{
	if (!max->quota_ns)
		return json_null();
	return json_pack("{s:o,s:o}", "quota_ns", json_u64(max->quota_ns),
			 "period_ns", json_u64(max->period_ns));
}

static json_t *params_json(const struct scn_workload *w)
{
	json_t *params = json_object();
	size_t i;

	for (i = 0; i < LOAD_MAX_PARAMS && w->kind->params[i].key; i++)
		json_object_set_new(params, w->kind->params[i].plan_key,
				    json_u64(w->params[i]));
	return params;
}

static json_t *match_json(const struct toml_node *match)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; match && i < match->nr; i++)
		json_object_set_new(object, match->child[i]->key,
				    json_string(match->child[i]->string));
	return object;
}

/* NULL: the workers are our own. */
static json_t *program_json(const struct scn_workload *w)
{
	const struct scn_program *p = &w->program;
	json_t *exec;

	if (!w->kind->program)
		return NULL;
	exec = exec_json(&p->argv);
	json_object_update_new(exec, json_pack(
		"{s:o,s:s?,s:o,s:b}", "add", strings_json(&p->add, 0), "json",
		p->json, "match", match_json(p->match), "repeat", p->repeat));
	return exec;
}

static json_t *workloads_json(const struct scenario *s, uint64_t seed)
{
	json_t *workloads = json_array();
	unsigned int i;

	for (i = 0; i < s->nr_workloads; i++) {
		const struct scn_workload *w = &s->workloads[i];
		uint64_t own = w->seed != FIELD_UNSET ?
			       w->seed : workload_seed(seed, w->name);

		json_array_append_new(workloads, json_pack(
			"{s:s,s:s,s:o,s:s?,s:s,s:o,s:o,s:o,s:o,s:{s:s,s:i},s:o,s:o,s:o*}",
			"name", w->name, "kind", w->kind->name, "workers",
			json_u64(w->workers), "disk", w->disk, "cgroup",
			w->cgroup, "cpu_weight", json_u64(w->cpu_weight),
			"cpu_max", cpu_max_json(&w->cpu_max), "cpus",
			cpus_json(&w->cpus), "nice", json_integer(w->nice),
			"policy", "kind", w->policy.kind, "priority",
			(int)w->policy.priority, "params", params_json(w),
			"seed", json_u64(own), "exec", program_json(w)));
	}
	return workloads;
}

static json_t *set_throttle_json(const struct scn_set_throttle *t)
{
	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o}", "disk", t->disk, "iops",
			 json_u64(t->iops), "bps", json_u64(t->bps),
			 "burst_ns", json_u64(t->burst_ns), "latency_ns",
			 json_u64(t->latency_ns), "jitter_ns",
			 json_u64(t->jitter_ns));
}

static json_t *set_faults_json(const struct scn_set_faults *f)
{
	const struct scn_faults faults = {
		.error_rate = f->error_rate,
		.error_from = f->error_from,
		.error_bytes = f->error_bytes,
		.stall_ns = f->stall_ns,
		.stall_every = f->stall_every,
		.stall_at_ns = f->stall_at_ns,
		.torn_writes = f->torn_writes,
	};
	json_t *step = faults_json(&faults);

	json_object_set_new(step, "disk", json_string(f->disk));
	return step;
}

static json_t *node_json(const struct toml_node *node)
{
	json_t *array;
	size_t i;

	switch (node ? node->type : TOML_NODE_TIME) {
	case TOML_NODE_INT:
		return json_integer(node->integer);
	case TOML_NODE_BOOL:
		return json_boolean(node->boolean);
	case TOML_NODE_STRING:
		return json_string(node->string);
	case TOML_NODE_ARRAY:
		array = json_array();
		for (i = 0; i < node->nr; i++)
			json_array_append_new(array, node_json(node->child[i]));
		return array;
	default:
		return json_null();
	}
}

static json_t *write_map_json(const struct scn_write_map *w)
{
	return json_pack("{s:{s:s?,s:s?,s:o,s:s?,s:o}}", "write_map", "var",
			 w->var, "map", w->map, "key", node_json(w->key),
			 "field", w->field, "value", node_json(w->value));
}

static json_t *step_json(const struct scn_step *step)
{
	const struct scn_freeze *f = &step->freeze;

	if (step->write_map.base.node)
		return write_map_json(&step->write_map);
	if (f->base.node)
		return json_pack("{s:{s:s?,s:o}}", "freeze", "name", f->name,
				 "after_ns", json_u64(f->after_ns));
	if (step->set_faults.base.node)
		return json_pack("{s:o}", "set_faults",
				 set_faults_json(&step->set_faults));
	return json_pack("{s:o}", "set_throttle",
			 set_throttle_json(&step->set_throttle));
}

static json_t *steps_json(const struct scn_phase *p)
{
	json_t *steps = json_array();
	unsigned int i;

	for (i = 0; i < p->nr_steps; i++)
		json_array_append_new(steps, step_json(&p->steps[i]));
	return steps;
}

static json_t *phases_json(const struct scenario *s)
{
	json_t *phases = json_array();
	unsigned int i;

	for (i = 0; i < s->nr_phases; i++) {
		const struct scn_phase *p = &s->phases[i];

		json_array_append_new(phases, json_pack(
			"{s:s,s:o,s:b,s:o,s:o}", "name", p->name,
			"duration_ns", json_u64(p->duration_ns), "measure",
			p->measure, "interval_ns",
			json_u64(p->interval_ns == FIELD_UNSET ?
				 s->telemetry.interval_ns : p->interval_ns),
			"do", steps_json(p)));
	}
	return phases;
}

/*
 * How long a gap is looked at: half of what fails, so that the victim still
 * waits. Not where the gap is no fault, and not where run_delay is judged,
 * which the kernel goes on counting while the VM is frozen.
 */
static json_t *look_gap_json(const struct scenario *s)
{
	const struct scn_automatic *a = &s->automatic;
	unsigned int expect = s->scheduler.expect;
	unsigned int i;

	if (!a->look || !a->gap_ns || expect == SCN_EXPECT_STALL ||
	    expect == SCN_EXPECT_ERROR)
		return json_null();
	for (i = 0; i < s->nr_checks; i++)
		if (strstr(s->checks[i].metric_name, ".run_delay."))
			return json_null();
	return json_u64(a->gap_ns / 2);
}

static json_t *telemetry_json(const struct scenario *s)
{
	const struct scn_telemetry *t = &s->telemetry;

	return json_pack("{s:o,s:o,s:o,s:o,s:b,s:o}", "interval_ns",
			 json_u64(t->interval_ns), "maps",
			 scenario_maps_json(&t->maps),
			 "freeze_every_ns", t->freeze_every_ns == FIELD_UNSET ?
			 json_null() : json_u64(t->freeze_every_ns),
			 "look_gap_ns", look_gap_json(s),
			 "bpf_stats", t->bpf_stats, "observers",
			 strings_json(&t->observers, 0));
}

json_t *plan_new(const struct scenario *s, uint64_t seed)
{
	return json_pack("{s:s,s:s,s:o,s:{s:n,s:n,s:n,s:n},s:o,s:o,s:o,s:o,s:o,s:o}",
			 "schema", "ktstr.plan/1", "name", s->name, "seed",
			 json_u64(seed), "kernel", "path", "release",
			 "hash", "config_hash", "vm", vm_json(&s->vm), "disks",
			 disks_json(s, seed), "scheduler",
			 scheduler_json(&s->scheduler), "workloads",
			 workloads_json(s, seed), "phases", phases_json(s),
			 "telemetry", telemetry_json(s));
}

/* checks */

/* A whole number stays an integer: 20000000, not 2e7. */
static json_t *number_json(double value)
{
	if (value == floor(value) && fabs(value) < (double)(1ULL << 53))
		return json_integer((json_int_t)value);
	return json_real(value);
}

static json_t *limit_json(const struct scn_check *c)
{
	if (c->state)
		return json_string(c->state);
	if (c->op == SCN_OP_BETWEEN)
		return json_pack("[o,o]", number_json(c->low),
				 number_json(c->high));
	return number_json(c->low);
}

static json_t *automatic_json(const struct scn_automatic *a)
{
	return json_pack("{s:b,s:o,s:b,s:b,s:b,s:f,s:b,s:b,s:f,s:f}", "progress",
			 a->progress, "gap_ns", json_u64(a->gap_ns),
			 "cpuset", a->cpuset, "scheduler", a->scheduler,
			 "disk", a->disk, "telemetry", a->telemetry, "guest",
			 a->guest, "program", a->program, "fairness", a->fairness, "noise", a->noise);
}

json_t *plan_checks_new(const struct scenario *s)
{
	json_t *checks = json_array(), *ratios = json_array();
	unsigned int i;

	for (i = 0; i < s->nr_checks; i++) {
		const struct scn_check *c = &s->checks[i];

		json_array_append_new(scn_op_is_ratio(c->op) ? ratios : checks,
				      json_pack(
			"{s:s,s:s?,s:s,s:o,s:s}", "metric", c->metric_name,
			"phase", c->phase, "op", scn_op_name(c->op), "limit",
			limit_json(c), "unit",
			metric_unit_name(c->metric.def->unit)));
	}
	return json_pack("{s:o,s:o,s:o}", "checks", checks, "ratios", ratios,
			 "automatic", automatic_json(&s->automatic));
}
