// SPDX-License-Identifier: GPL-2.0-only
/* What must hold between the keys of a scenario; fills in what follows. */
#include "runner/scenario.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runner/builtin.h"
#include "runner/diag.h"
#include "runner/toml.h"

#define DEFAULT_WEIGHT 100
#define DEFAULT_PHASE_NS 5000000000ULL

static const struct toml_node *get(const struct table_base *base,
				   const char *key)
{
	return schema_table_get(base->node, key);
}

/* The key's value, or the table it would stand in. */
static const struct toml_node *place(const struct table_base *base,
				     const char *key)
{
	const struct toml_node *node = get(base, key);

	return node ? node : base->node;
}

/*
 * Names of elements of one kind. Each element begins with a struct table_base
 * and its name follows.
 */
struct named {
	struct table_base base;
	const char *name;
};

static void check_names(struct diag *d, const char *what, const void *elements,
			size_t size, unsigned int nr)
{
	const struct named *a, *b;
	unsigned int i, j;

	for (i = 1; i < nr; i++) {
		a = (const void *)((const char *)elements + i * size);
		for (j = 0; a->name && j < i; j++) {
			b = (const void *)((const char *)elements + j * size);
			if (!b->name || strcmp(a->name, b->name))
				continue;
			diag_value(d, place(&a->base, "name"),
				   "there is another %s \"%s\"", what, a->name);
			if (b->base.node->line)
				diag_hint(d, "the first is at line %u",
					  b->base.node->line);
			break;
		}
	}
}

static void check_vm(struct scenario *s, struct diag *d)
{
	if (s->vm.memory_bytes % (2 << 20))
		diag_value(d, place(&s->vm.base, "memory"),
			   "memory must be a multiple of 2M");
}

static void unknown_disk(const struct scenario *s, struct diag *d,
			 const struct toml_node *at, const char *name)
{
	struct suggest near;
	unsigned int i;

	diag_value(d, at, "there is no disk \"%s\"", name);
	if (!s->nr_disks) {
		diag_hint(d, "add a [[disk]] with name = \"%s\"", name);
		return;
	}
	suggest_init(&near, name);
	for (i = 0; i < s->nr_disks; i++)
		if (s->disks[i].name)
			suggest_offer(&near, s->disks[i].name);
	if (!suggest_hint(&near, d) && s->disks[0].name)
		diag_hint(d, "the first disk is \"%s\"", s->disks[0].name);
}

static void check_disks(struct scenario *s, struct diag *d)
{
	unsigned int i;

	for (i = 0; i < s->nr_disks; i++) {
		if (!s->disks[i].image && s->disks[i].size_bytes % 512)
			diag_value(d, place(&s->disks[i].base, "size"),
				   "size must be a multiple of 512 bytes");
		scenario_check_faults(d, &s->disks[i], &s->disks[i].faults);
	}
}

static void check_builtin(const struct scn_scheduler *s, struct diag *d)
{
	const struct builtin *b;
	struct suggest near;

	if (!s->builtin || builtin_find(s->builtin))
		return;
	diag_value(d, get(&s->base, "builtin"),
		   "there is no builtin scheduler \"%s\"", s->builtin);
	suggest_init(&near, s->builtin);
	for (b = builtins; b->name; b++)
		suggest_offer(&near, b->name);
	if (!suggest_hint(&near, d))
		diag_hint(d, "`ktstr list` names them");
}

static void check_scheduler(const struct scn_scheduler *s, struct diag *d)
{
	const struct toml_node *set = s->set;
	unsigned int ways;
	size_t i;

	if (!s->base.node)
		return;
	ways = !!get(&s->base, "builtin") + !!get(&s->base, "object") +
	       !!get(&s->base, "source") + !!get(&s->base, "exec");
	if (ways != 1) {
		diag_value(d, s->base.node,
			   "[scheduler] needs one of builtin, object, source and exec, not %s",
			   ways ? "several" : "none");
		if (!ways)
			diag_hint(d, "leave out [scheduler] for the kernel's default");
	}
	check_builtin(s, d);
	if (!set)
		return;
	if (get(&s->base, "exec")) {
		diag_key(d, set, "set is of BPF objects: a program of its own has other ways");
		diag_hint(d, "write its options into exec");
		return;
	}
	if (set->type != TOML_NODE_TABLE) {
		schema_wrong_type(d, set, "a table");
		return;
	}
	for (i = 0; i < set->nr; i++)
		if (set->child[i]->type != TOML_NODE_INT &&
		    set->child[i]->type != TOML_NODE_BOOL)
			schema_wrong_type(d, set->child[i],
					  "an integer or a boolean");
}

/* workloads */

static void add_cpu(const struct scenario *s, struct diag *d,
		    const struct toml_node *at, int64_t cpu, uint64_t *mask)
{
	if (cpu < 0 || cpu >= s->vm.topology.cpus)
		diag_value(d, at,
			   "CPU %" PRId64 " is not one of the %u of the topology",
			   cpu, s->vm.topology.cpus);
	else
		*mask |= 1ULL << cpu;
}

/* "llc:N" and "node:N"; the guest numbers CPUs in order of the topology. */
static bool add_group(const struct scenario *s, struct diag *d,
		      const struct toml_node *at, uint64_t *mask)
{
	const struct scn_topology *t = &s->vm.topology;
	unsigned int groups, size, cpu;
	unsigned long n;
	const char *number;
	char *end;

	if (!strncmp(at->string, "llc:", 4)) {
		number = at->string + 4;
		groups = t->llcs;
	} else if (!strncmp(at->string, "node:", 5)) {
		number = at->string + 5;
		groups = t->nodes;
	} else {
		return false;
	}
	n = strtoul(number, &end, 10);
	if (*number < '0' || *number > '9' || *end || n >= groups) {
		diag_value(d, at, "\"%s\" is not in the topology", at->string);
		diag_hint(d, "the last one is \"%.*s%u\"",
			  (int)(number - at->string), at->string, groups - 1);
		return true;
	}
	size = t->cpus / groups;
	for (cpu = n * size; cpu < (n + 1) * size; cpu++)
		*mask |= 1ULL << cpu;
	return true;
}

static void cpus_error(struct diag *d, const struct toml_node *at)
{
	if (strstr(at->string, " of ") || strchr(at->string, '%'))
		diag_value(d, at, "cpus as a share is not supported yet");
	else
		diag_value(d, at, "\"%s\" is not a list of CPUs", at->string);
	diag_hint(d, "write [0, 1], \"0-3,6\", \"llc:1\" or \"node:0\"");
}

static void add_list(const struct scenario *s, struct diag *d,
		     const struct toml_node *at, uint64_t *mask)
{
	const char *p = at->string;
	unsigned long from, to, cpu;
	char *end;

	do {
		if (*p < '0' || *p > '9') {
			cpus_error(d, at);
			return;
		}
		from = to = strtoul(p, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			to = strtoul(end + 1, &end, 10);
		if (from > to || (*end && *end != ',')) {
			cpus_error(d, at);
			return;
		}
		if (to >= s->vm.topology.cpus) {
			add_cpu(s, d, at, to > INT32_MAX ? INT32_MAX : to,
				mask);
			return;
		}
		for (cpu = from; cpu <= to; cpu++)
			add_cpu(s, d, at, cpu, mask);
		p = end + 1;
	} while (*end);
}

static void check_cpus(const struct scenario *s, struct diag *d,
		       struct scn_workload *w)
{
	const struct toml_node *node = w->cpus.node;
	size_t i;

	if (!node)
		return;
	if (node->type == TOML_NODE_STRING) {
		if (!add_group(s, d, node, &w->cpus.mask))
			add_list(s, d, node, &w->cpus.mask);
		return;
	}
	if (!node->nr)
		diag_value(d, node, "cpus must not be empty");
	for (i = 0; i < node->nr; i++) {
		if (node->child[i]->type == TOML_NODE_INT)
			add_cpu(s, d, node->child[i], node->child[i]->integer,
				&w->cpus.mask);
		else
			schema_wrong_type(d, node->child[i], "an integer");
	}
}

static void check_cgroup(struct diag *d, struct scn_workload *w)
{
	const char *p = w->cgroup;
	size_t len;
	bool good;

	if (!p) {
		w->cgroup = w->name;
		return;
	}
	good = *p && strlen(p) < 64;
	while (good && *p) {
		len = strcspn(p, "/");
		good = len && strspn(p, "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789-_") == len;
		p += len;
		if (*p == '/' && !*++p)
			good = false;
	}
	if (!good) {
		diag_value(d, place(&w->base, "cgroup"),
			   "cgroup \"%s\" is not a relative path", w->cgroup);
		diag_hint(d, "use letters, digits, '-' and '_', with '/' between levels");
	}
}

/* One cgroup has one weight and one limit, whoever is in it. */
static void share_cgroup(struct scenario *s, struct diag *d, unsigned int i)
{
	struct scn_workload *w = &s->workloads[i], *other;
	unsigned int j;

	for (j = 0; j < s->nr_workloads; j++) {
		other = &s->workloads[j];
		if (j == i || !w->cgroup || !other->cgroup ||
		    strcmp(w->cgroup, other->cgroup))
			continue;
		if (w->cpu_weight == FIELD_UNSET)
			w->cpu_weight = other->cpu_weight;
		else if (j < i && other->cpu_weight != FIELD_UNSET &&
			 other->cpu_weight != w->cpu_weight)
			diag_value(d, place(&w->base, "cpu_weight"),
				   "cgroup \"%s\" has cpu_weight %" PRIu64
				   " from workload %s",
				   w->cgroup, other->cpu_weight, other->name);
		if (!w->cpu_max.quota_ns)
			w->cpu_max = other->cpu_max;
		else if (j < i && other->cpu_max.quota_ns &&
			 memcmp(&other->cpu_max, &w->cpu_max,
				sizeof(w->cpu_max)))
			diag_value(d, place(&w->base, "cpu_max"),
				   "cgroup \"%s\" has another cpu_max from workload %s",
				   w->cgroup, other->name);
	}
}

/* Whoever writes has a part of the disk to itself. */
static void check_block(struct diag *d, const struct scn_workload *w,
			const struct scn_disk *disk)
{
	uint64_t part = disk->size_bytes / (w->kind->disk == LOAD_DISK_WRITE ?
					    w->workers : 1);
	unsigned int i;

	for (i = 0; i < LOAD_MAX_PARAMS && w->kind->params[i].key; i++)
		if (!strcmp(w->kind->params[i].key, "block") &&
		    w->params[i] > part)
			diag_value(d, w->base.node,
				   "disk \"%s\" is too small for the blocks of %s",
				   disk->name, w->name ? w->name : "it");
}

static void check_load_disk(const struct scenario *s, struct diag *d,
			    const struct scn_workload *w)
{
	const struct scn_disk *disk;

	if (w->kind->disk == LOAD_DISK_NONE) {
		if (w->disk)
			diag_key(d, get(&w->base, "disk"),
				 "%s does no IO and takes no disk",
				 w->kind->name);
		return;
	}
	if (!get(&w->base, "disk")) {
		diag_value(d, w->base.node, "%s needs a disk", w->kind->name);
		if (s->nr_disks && s->disks[0].name)
			diag_hint(d, "add disk = \"%s\"", s->disks[0].name);
		else
			diag_hint(d, "add a [[disk]] and name it here");
		return;
	}
	if (!w->disk)
		return; /* of the wrong type, said already */
	disk = scenario_find_disk(s, w->disk);
	if (!disk)
		unknown_disk(s, d, get(&w->base, "disk"), w->disk);
	else if (w->kind->disk == LOAD_DISK_WRITE && disk->read_only)
		diag_value(d, get(&w->base, "disk"),
			   "%s writes, but disk \"%s\" is read-only",
			   w->kind->name, w->disk);
	else
		check_block(d, w, disk);
}

static void check_kind(struct scenario *s, struct diag *d,
		       struct scn_workload *w)
{
	if (!w->kind_name)
		return;
	w->kind = load_spec_find(w->kind_name);
	if (!w->kind) {
		load_kind_unknown(d, get(&w->base, "kind"));
		return;
	}
	load_params_parse(d, w->kind, w->params_node, w->params);
	check_load_disk(s, d, w);
	if (w->workers % w->kind->group)
		diag_value(d, place(&w->base, "workers"),
			   "%s needs a multiple of %u workers", w->kind->name,
			   w->kind->group);
}

static void check_reserved(struct diag *d, const struct scn_workload *w)
{
	static const char *const reserved[] = { "disk", "sched", "map",
						"host" };
	size_t i;

	for (i = 0; w->name && i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (!strcmp(w->name, reserved[i]))
			diag_value(d, get(&w->base, "name"),
				   "a workload can't be named \"%s\": metrics begin with it",
				   w->name);
}

static void check_workloads(struct scenario *s, struct diag *d)
{
	uint64_t workers = 0;
	unsigned int i;

	if (!s->nr_workloads && !get(&s->base, "workload"))
		diag_value(d, s->base.node,
			   "the scenario needs a [[workload]]");
	for (i = 0; i < s->nr_workloads; i++) {
		struct scn_workload *w = &s->workloads[i];

		check_reserved(d, w);
		check_kind(s, d, w);
		check_cpus(s, d, w);
		check_cgroup(d, w);
		workers += w->workers;
		if (workers > SCENARIO_MAX_WORKERS &&
		    workers - w->workers <= SCENARIO_MAX_WORKERS)
			diag_value(d, place(&w->base, "workers"),
				   "more than %d workers in all",
				   SCENARIO_MAX_WORKERS);
	}
	for (i = 0; i < s->nr_workloads; i++)
		share_cgroup(s, d, i);
	for (i = 0; i < s->nr_workloads; i++)
		if (s->workloads[i].cpu_weight == FIELD_UNSET)
			s->workloads[i].cpu_weight = DEFAULT_WEIGHT;
}

/* phases */

/* What the scheduler has not is found out when it is loaded. */
static bool can_be_written(const struct toml_node *value)
{
	size_t i;

	if (value->type == TOML_NODE_ARRAY) {
		for (i = 0; i < value->nr; i++)
			if (!can_be_written(value->child[i]))
				return false;
		return true;
	}
	return value->type == TOML_NODE_INT || value->type == TOML_NODE_BOOL ||
		value->type == TOML_NODE_STRING;
}

static void check_write_map(struct diag *d, const struct scn_write_map *w)
{
	if (!w->base.node)
		return;
	if (!w->var == !w->map) {
		diag_value(d, w->base.node,
			   "write_map needs one of var and map, not %s",
			   w->var ? "both" : "none");
		diag_hint(d, "write { var = \"x\", value = 1 } or { map = \"m\", key = 0, value = 1 }");
	}
	if (w->var && w->key)
		diag_value(d, w->key, "a variable has no key");
	if (w->var && w->field)
		diag_value(d, get(&w->base, "field"),
			   "a variable is written as a whole");
	if (w->value && !can_be_written(w->value))
		diag_value(d, w->value,
			   "value must be an integer, a boolean, a string or an array of them");
	if (w->key && (!can_be_written(w->key) ||
		       w->key->type == TOML_NODE_ARRAY))
		diag_value(d, w->key,
			   "key must be an integer, a boolean or a string");
}

static void check_freeze(struct diag *d, const struct scn_phase *p,
			 const struct scn_freeze *f)
{
	if (!f->base.node || f->after_ns < p->duration_ns)
		return;
	diag_value(d, get(&f->base, "after"),
		   "the freeze comes after %.3g s, but phase %s ends after %.3g s",
		   f->after_ns / 1e9, p->name, p->duration_ns / 1e9);
}

/* A disk's settings as the steps so far leave them. */
struct disk_state {
	struct scn_throttle throttle;
	struct scn_faults faults;
};

static struct disk_state *step_disk(const struct scenario *s, struct diag *d,
				    const struct table_base *step,
				    const char *name, struct disk_state *now)
{
	const struct scn_disk *disk = scenario_find_disk(s, name);

	if (disk)
		return &now[disk - s->disks];
	unknown_disk(s, d, get(step, "disk"), name);
	return NULL;
}

/* What a step leaves out stays as the steps before left it. */
static void resolve_step(const struct scenario *s, struct diag *d,
			 struct scn_phase *phase, struct scn_step *step,
			 struct disk_state *now)
{
	struct scn_set_throttle *t = &step->set_throttle;
	struct scn_set_faults *f = &step->set_faults;
	struct disk_state *disk;

	if (step->base.node->nr != 1) {
		diag_value(d, step->base.node,
			   "a step of do is a table with one key, not %zu",
			   step->base.node->nr);
		diag_hint(d, "write do = [ { set_throttle = { disk = \"data\", iops = 50 } } ]");
		return;
	}
	check_freeze(d, phase, &step->freeze);
	check_write_map(d, &step->write_map);
	if (t->base.node && t->disk) {
		disk = step_disk(s, d, &t->base, t->disk, now);
		if (disk)
			scenario_resolve_throttle(t, &disk->throttle);
	}
	if (f->base.node && f->disk) {
		disk = step_disk(s, d, &f->base, f->disk, now);
		if (disk)
			scenario_resolve_faults(d, &s->disks[disk - now], f,
						&disk->faults);
	}
}

static void check_phases(struct scenario *s, struct diag *d)
{
	struct disk_state now[SCENARIO_MAX_DISKS];
	bool any_measured = false;
	uint64_t sum_ns = 0;
	unsigned int i, j;

	if (!s->nr_phases && !get(&s->base, "phase"))
		s->phases[s->nr_phases++] = (struct scn_phase){
			.name = "run",
			.duration_ns = DEFAULT_PHASE_NS,
			.measure = true,
			.interval_ns = FIELD_UNSET,
		};
	for (i = 0; i < s->nr_disks; i++)
		now[i] = (struct disk_state){ s->disks[i].throttle,
					      s->disks[i].faults };
	for (i = 0; i < s->nr_phases; i++) {
		any_measured |= s->phases[i].measure;
		sum_ns += s->phases[i].duration_ns;
		for (j = 0; j < s->phases[i].nr_steps; j++)
			resolve_step(s, d, &s->phases[i],
				     &s->phases[i].steps[j], now);
	}
	if (s->nr_phases && !any_measured) {
		diag_value(d, place(&s->phases[0].base, "measure"),
			   "no phase is measured");
		diag_hint(d, "at least one phase must not have measure = false");
	}
	if (sum_ns >= s->vm.deadline_ns) {
		const struct toml_node *at = get(&s->vm.base, "deadline");

		diag_value(d, at ? at : s->phases[0].base.node,
			   "the phases last %.3g s, the whole VM only %.3g s",
			   sum_ns / 1e9, s->vm.deadline_ns / 1e9);
		diag_hint(d, "set [vm] deadline to more, boot included");
	}
}

void scenario_check(struct scenario *s, struct diag *d)
{
	_Static_assert(offsetof(struct scn_disk, name) ==
		       offsetof(struct named, name), "disk names");
	_Static_assert(offsetof(struct scn_workload, name) ==
		       offsetof(struct named, name), "workload names");
	_Static_assert(offsetof(struct scn_phase, name) ==
		       offsetof(struct named, name), "phase names");

	check_names(d, "disk", s->disks, sizeof(s->disks[0]), s->nr_disks);
	check_names(d, "workload", s->workloads, sizeof(s->workloads[0]),
		    s->nr_workloads);
	check_names(d, "phase", s->phases, sizeof(s->phases[0]), s->nr_phases);
	check_vm(s, d);
	check_disks(s, d);
	check_scheduler(&s->scheduler, d);
	check_workloads(s, d);
	check_phases(s, d);
}
