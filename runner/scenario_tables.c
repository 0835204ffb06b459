// SPDX-License-Identifier: GPL-2.0-only
/* Every key of a scenario: its type, range, default, and place. */
#include "runner/scenario.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runner/diag.h"
#include "runner/toml.h"

#define MS 1000000ULL
#define SEC 1000000000ULL
#define HOUR (3600 * SEC)
#define MI (1ULL << 20)
#define GI (1ULL << 30)

#define AT(type, member) .offset = offsetof(struct type, member)
#define LIST(type, list) \
	AT(type, list), .nr_offset = offsetof(struct type, nr_##list)
#define LATER(name, instead) \
	{ .key = name, .type = FIELD_LATER, .later = instead }

/* vm */

/* One "NUMBER LETTER" of a topology; 0 when it is not there. */
static unsigned int topology_part(const char **p, char letter)
{
	unsigned long n;
	char *end;

	if (**p < '1' || **p > '9')
		return 0;
	n = strtoul(*p, &end, 10);
	if (*end != letter || n > 9999)
		return 0;
	*p = end + 1;
	return n;
}

static void parse_topology(struct diag *d, const struct toml_node *value,
			   const struct field *f, void *member)
{
	struct scn_topology t;
	const char *p;

	if (value->type == TOML_NODE_TABLE) {
		diag_value(d, value,
			   "a topology as a table is not supported yet");
		diag_hint(d, "write it as a string: \"1n2l2c1t\"");
		return;
	}
	if (value->type != TOML_NODE_STRING) {
		schema_wrong_type(d, value, "a string");
		return;
	}
	p = value->string;
	t.nodes = topology_part(&p, 'n');
	t.llcs = topology_part(&p, 'l');
	t.cores_per_llc = topology_part(&p, 'c');
	t.threads_per_core = topology_part(&p, 't');
	if (!t.nodes || !t.llcs || !t.cores_per_llc || !t.threads_per_core ||
	    *p) {
		diag_value(d, value, "topology \"%s\" is not NnNlNcNt",
			   value->string);
		diag_hint(d, "NUMA nodes, LLCs in total, cores per LLC, threads per core: \"1n2l2c1t\"");
		return;
	}
	if (t.llcs % t.nodes) {
		diag_value(d, value,
			   "topology \"%s\": %u LLCs can't be shared out to %u nodes",
			   value->string, t.llcs, t.nodes);
		diag_hint(d, "LLCs are counted in total: a multiple of the nodes");
		return;
	}
	if (t.threads_per_core > 2) {
		diag_value(d, value,
			   "topology \"%s\": a core has 1 or 2 threads, not %u",
			   value->string, t.threads_per_core);
		return;
	}
	/* each factor is below 10^4, so the product fits */
	if ((uint64_t)t.llcs * t.cores_per_llc * t.threads_per_core >
	    SCENARIO_MAX_CPUS) {
		diag_value(d, value,
			   "topology \"%s\" has %" PRIu64 " CPUs; more than %d are not supported yet",
			   value->string,
			   (uint64_t)t.llcs * t.cores_per_llc *
				   t.threads_per_core,
			   SCENARIO_MAX_CPUS);
		return;
	}
	t.cpus = t.llcs * t.cores_per_llc * t.threads_per_core;
	*(struct scn_topology *)member = t;
}

static void print_topology(FILE *to, const struct field *f, const void *member)
{
	const struct scn_topology *t = member;

	fprintf(to, "\"%un%ul%uc%ut\"", t->nodes, t->llcs, t->cores_per_llc,
		t->threads_per_core);
}

static const struct field vm_fields[] = {
	{ .key = "topology", .type = FIELD_CUSTOM, AT(scn_vm, topology),
	  .parse = parse_topology, .print = print_topology },
	{ .key = "memory", .type = FIELD_UNIT, AT(scn_vm, memory_bytes),
	  .unit = UNIT_SIZE, .min = 128 * MI, .max = 16 * GI },
	{ .key = "deadline", .type = FIELD_UNIT, AT(scn_vm, deadline_ns),
	  .unit = UNIT_TIME, .min = SEC, .max = 24 * HOUR },
	{ 0 },
};

static const struct table_spec vm_spec = {
	.what = "[vm]",
	.fields = vm_fields,
	.size = sizeof(struct scn_vm),
	.defaults = &(const struct scn_vm){
		.topology = { 1, 1, 4, 1, 4 },
		.memory_bytes = 512 * MI,
		.deadline_ns = 120 * SEC,
	},
};

/* disk */

static const struct field disk_fields[] = {
	/* the virtio serial has 20 bytes */
	{ .key = "name", .type = FIELD_NAME, AT(scn_disk, name), .max = 20,
	  .required = true },
	{ .key = "size", .type = FIELD_UNIT, AT(scn_disk, size_bytes),
	  .unit = UNIT_SIZE, .min = SCENARIO_MIN_DISK,
	  .max = SCENARIO_MAX_DISK },
	{ .key = "image", .type = FIELD_STRING, AT(scn_disk, image) },
	{ .key = "throttle", .type = FIELD_TABLE, AT(scn_disk, throttle),
	  .table = &scenario_throttle_spec, .inline_table = true },
	{ .key = "tolerance", .type = FIELD_RATIO, AT(scn_disk, tolerance),
	  .max = 100 },
	{ .key = "read_only", .type = FIELD_BOOL, AT(scn_disk, read_only) },
	{ .key = "keep_writes", .type = FIELD_BOOL,
	  AT(scn_disk, keep_writes) },
	{ .key = "faults", .type = FIELD_TABLE, AT(scn_disk, faults),
	  .table = &scenario_faults_spec, .inline_table = true },
	{ .key = "queues", .type = FIELD_UINT, AT(scn_disk, queues),
	  .min = 1, .max = SCENARIO_MAX_QUEUES },
	{ 0 },
};

static const struct table_spec disk_spec = {
	.what = "[[disk]]",
	.fields = disk_fields,
	.size = sizeof(struct scn_disk),
	.defaults = &(const struct scn_disk){ .tolerance = 0.05, .queues = 1 },
	.max = SCENARIO_MAX_DISKS,
};

/* scheduler */

static const char *const expect_words[] = { "running", "exit", "error",
					    "stall", NULL };

const char *scn_expect_name(enum scn_expect expect)
{
	return expect_words[expect];
}

static const struct field scheduler_fields[] = {
	{ .key = "builtin", .type = FIELD_STRING, AT(scn_scheduler, builtin) },
	{ .key = "object", .type = FIELD_STRING, AT(scn_scheduler, object) },
	{ .key = "source", .type = FIELD_STRING, AT(scn_scheduler, source) },
	{ .key = "exec", .type = FIELD_STRINGS, AT(scn_scheduler, exec),
	  .optional = true },
	{ .key = "add", .type = FIELD_STRINGS, AT(scn_scheduler, add),
	  .optional = true },
	{ .key = "set", .type = FIELD_NODE, AT(scn_scheduler, set) },
	{ .key = "expect", .type = FIELD_WORD, AT(scn_scheduler, expect),
	  .words = expect_words },
	{ 0 },
};

static const struct table_spec scheduler_spec = {
	.what = "[scheduler]",
	.fields = scheduler_fields,
	.size = sizeof(struct scn_scheduler),
};

/* workload */

static void parse_cpus(struct diag *d, const struct toml_node *value,
		       const struct field *f, void *member)
{
	struct scn_cpus *cpus = member;

	if (value->type != TOML_NODE_ARRAY && value->type != TOML_NODE_STRING) {
		schema_wrong_type(d, value, "a list of CPUs");
		diag_hint(d, "write [0, 1], \"0-3,6\", \"llc:1\" or \"node:0\"");
		return;
	}
	cpus->node = value; /* the rest needs the topology */
}

static void print_cpus(FILE *to, const struct field *f, const void *member)
{
	const struct scn_cpus *cpus = member;
	const char *between = "";
	unsigned int cpu;

	if (!cpus->node)
		return;
	fputc('[', to);
	for (cpu = 0; cpu < 64; cpu++) {
		if (!(cpus->mask >> cpu & 1))
			continue;
		fprintf(to, "%s%u", between, cpu);
		between = ", ";
	}
	fputc(']', to);
}

static void cpu_max_error(struct diag *d, const struct toml_node *value)
{
	diag_value(d, value, "cpu_max is not a share of CPU time");
	diag_hint(d, "write \"50%%\" (of one CPU) or \"20ms/100ms\" (quota and period)");
}

static void parse_cpu_max(struct diag *d, const struct toml_node *value,
			  const struct field *f, void *member)
{
	struct scn_cpu_max max = { .period_ns = 100 * MS };
	char quota[UNIT_TEXT_LEN];
	const char *slash;
	double percent;
	char *end;

	if (value->type != TOML_NODE_STRING) {
		schema_wrong_type(d, value, "a string");
		diag_hint(d, "write \"50%%\" (of one CPU) or \"20ms/100ms\" (quota and period)");
		return;
	}
	slash = strchr(value->string, '/');
	percent = strtod(value->string, &end);
	if (end > value->string && !strcmp(end, "%") && percent > 0 &&
	    percent <= 100.0 * SCENARIO_MAX_CPUS) {
		max.quota_ns = percent / 100 * max.period_ns;
	} else if (!slash || slash - value->string >= (int)sizeof(quota)) {
		cpu_max_error(d, value);
		return;
	} else {
		memcpy(quota, value->string, slash - value->string);
		quota[slash - value->string] = '\0';
		if (unit_parse(UNIT_TIME, quota, &max.quota_ns) ||
		    unit_parse(UNIT_TIME, slash + 1, &max.period_ns)) {
			cpu_max_error(d, value);
			return;
		}
	}
	/* what the kernel takes: 1 ms at least, periods up to 1 s */
	if (max.quota_ns < MS || max.period_ns < MS || max.period_ns > SEC ||
	    max.quota_ns > max.period_ns * SCENARIO_MAX_CPUS) {
		diag_value(d, value,
			   "cpu_max: quota and period must be at least 1ms, the period at most 1s");
		return;
	}
	*(struct scn_cpu_max *)member = max;
}

static void print_cpu_max(FILE *to, const struct field *f, const void *member)
{
	char quota[UNIT_TEXT_LEN], period[UNIT_TEXT_LEN];
	const struct scn_cpu_max *max = member;

	if (max->quota_ns)
		fprintf(to, "\"%s/%s\"",
			unit_format(UNIT_TIME, max->quota_ns, quota),
			unit_format(UNIT_TIME, max->period_ns, period));
}

static const struct policy_word {
	const char *word;
	bool has_priority, later;
} policy_words[] = {
	{ "normal", false, false }, { "batch", false, false },
	{ "idle", false, false },   { "fifo", true, false },
	{ "rr", true, false },	    { "ext", false, false },
	{ "deadline", false, true },
};

#define NR_POLICIES (sizeof(policy_words) / sizeof(policy_words[0]))

static void parse_policy(struct diag *d, const struct toml_node *value,
			 const struct field *f, void *member)
{
	const struct policy_word *w = policy_words;
	struct scn_policy *policy = member;
	struct suggest s;
	char word[16];
	const char *colon;
	char *end = NULL;
	unsigned long priority = 0;
	size_t i, len;

	if (value->type != TOML_NODE_STRING) {
		schema_wrong_type(d, value, "a string");
		return;
	}
	colon = strchr(value->string, ':');
	len = colon ? (size_t)(colon - value->string) : strlen(value->string);
	snprintf(word, sizeof(word), "%.*s", (int)len, value->string);
	suggest_init(&s, word);
	for (i = 0; i < NR_POLICIES; i++, w++) {
		if (len < sizeof(word) && !strcmp(w->word, word))
			break;
		suggest_offer(&s, w->word);
	}
	if (i == NR_POLICIES) {
		diag_value(d, value, "unknown policy \"%s\"", value->string);
		if (!suggest_hint(&s, d))
			diag_hint(d, "write normal, batch, idle, fifo:P, rr:P or ext");
		return;
	}
	if (w->later) {
		diag_value(d, value, "policy \"%s\" is not supported yet",
			   w->word);
		return;
	}
	if (colon && colon[1] >= '0' && colon[1] <= '9')
		priority = strtoul(colon + 1, &end, 10);
	if (w->has_priority &&
	    (!end || *end || priority < 1 || priority > 99)) {
		diag_value(d, value,
			   "policy \"%s\" needs a priority from 1 to 99",
			   value->string);
		diag_hint(d, "write \"%s:10\"", w->word);
		return;
	}
	if (!w->has_priority && colon) {
		diag_value(d, value, "policy \"%s\" takes no priority",
			   w->word);
		return;
	}
	policy->kind = w->word;
	policy->priority = priority;
}

static void print_policy(FILE *to, const struct field *f, const void *member)
{
	const struct scn_policy *policy = member;

	if (policy->priority)
		fprintf(to, "\"%s:%u\"", policy->kind, policy->priority);
	else
		fprintf(to, "\"%s\"", policy->kind);
}

static void print_params(FILE *to, const struct field *f, const void *member)
{
	const char *base = (const char *)member - f->offset;
	const struct scn_workload *w = (const void *)base;
	const struct load_param *p = w->kind->params;
	char text[UNIT_TEXT_LEN];
	size_t i;

	fputc('{', to);
	for (i = 0; i < LOAD_MAX_PARAMS && p[i].key; i++) {
		fprintf(to, "%s%s = ", i ? ", " : " ", p[i].key);
		if (p[i].unit)
			fprintf(to, "\"%s\"",
				unit_format(load_param_unit(&p[i]),
					    w->params[i], text));
		else
			fprintf(to, "%" PRIu64, w->params[i]);
	}
	fputs(i ? " }" : "}", to);
}

static void parse_params(struct diag *d, const struct toml_node *value,
			 const struct field *f, void *member)
{
	*(const struct toml_node **)member = value; /* the kind is not known */
}

static const struct field workload_fields[] = {
	{ .key = "name", .type = FIELD_NAME, AT(scn_workload, name), .max = 32,
	  .required = true },
	{ .key = "kind", .type = FIELD_STRING, AT(scn_workload, kind_name),
	  .required = true },
	{ .key = "workers", .type = FIELD_UINT, AT(scn_workload, workers),
	  .min = 1, .max = SCENARIO_MAX_WORKERS },
	{ .key = "disk", .type = FIELD_STRING, AT(scn_workload, disk) },
	{ .key = "cgroup", .type = FIELD_STRING, AT(scn_workload, cgroup) },
	{ .key = "cpus", .type = FIELD_CUSTOM, AT(scn_workload, cpus),
	  .parse = parse_cpus, .print = print_cpus },
	{ .key = "cpu_weight", .type = FIELD_UINT,
	  AT(scn_workload, cpu_weight), .min = 1, .max = 10000 },
	{ .key = "cpu_max", .type = FIELD_CUSTOM, AT(scn_workload, cpu_max),
	  .parse = parse_cpu_max, .print = print_cpu_max },
	{ .key = "nice", .type = FIELD_INT, AT(scn_workload, nice),
	  .min = (uint64_t)-20, .max = 19 },
	{ .key = "policy", .type = FIELD_CUSTOM, AT(scn_workload, policy),
	  .parse = parse_policy, .print = print_policy },
	{ .key = "params", .type = FIELD_CUSTOM,
	  AT(scn_workload, params_node), .parse = parse_params,
	  .print = print_params },
	/* JSON readers keep 53 bits of an integer */
	{ .key = "seed", .type = FIELD_UINT, AT(scn_workload, seed),
	  .max = (1ULL << 53) - 1 },
	{ .key = "exec", .type = FIELD_STRINGS,
	  AT(scn_workload, program.argv), .optional = true },
	{ .key = "add", .type = FIELD_STRINGS, AT(scn_workload, program.add),
	  .optional = true },
	{ .key = "json", .type = FIELD_STRING,
	  AT(scn_workload, program.json) },
	{ .key = "match", .type = FIELD_NODE,
	  AT(scn_workload, program.match) },
	{ .key = "repeat", .type = FIELD_BOOL,
	  AT(scn_workload, program.repeat), .optional = true },
	LATER("affinity", "use cpus"),
	LATER("cpuset", "use cpus"),
	LATER("memory_policy", NULL),
	LATER("start", NULL),
	{ 0 },
};

static const struct table_spec workload_spec = {
	.what = "[[workload]]",
	.fields = workload_fields,
	.size = sizeof(struct scn_workload),
	.defaults = &(const struct scn_workload){
		.workers = 1,
		.cpu_weight = FIELD_UNSET,
		.policy = { "normal", 0 },
		.seed = FIELD_UNSET,
	},
	.max = SCENARIO_MAX_WORKLOADS,
};

/* phase */

static const struct field freeze_fields[] = {
	{ .key = "name", .type = FIELD_NAME, AT(scn_freeze, name), .max = 32 },
	{ .key = "after", .type = FIELD_UNIT, AT(scn_freeze, after_ns),
	  .unit = UNIT_TIME, .max = HOUR },
	{ 0 },
};

static const struct table_spec freeze_spec = {
	.what = "freeze",
	.fields = freeze_fields,
	.size = sizeof(struct scn_freeze),
};

static const struct field write_map_fields[] = {
	{ .key = "var", .type = FIELD_STRING, AT(scn_write_map, var) },
	{ .key = "map", .type = FIELD_STRING, AT(scn_write_map, map) },
	{ .key = "key", .type = FIELD_NODE, AT(scn_write_map, key) },
	{ .key = "field", .type = FIELD_STRING, AT(scn_write_map, field) },
	{ .key = "value", .type = FIELD_NODE, AT(scn_write_map, value),
	  .required = true },
	{ 0 },
};

static const struct table_spec write_map_spec = {
	.what = "write_map",
	.fields = write_map_fields,
	.size = sizeof(struct scn_write_map),
};

static const struct field step_fields[] = {
	{ .key = "set_throttle", .type = FIELD_TABLE,
	  AT(scn_step, set_throttle), .table = &scenario_set_throttle_spec,
	  .inline_table = true, .optional = true },
	{ .key = "set_faults", .type = FIELD_TABLE, AT(scn_step, set_faults),
	  .table = &scenario_set_faults_spec, .inline_table = true,
	  .optional = true },
	{ .key = "write_map", .type = FIELD_TABLE, AT(scn_step, write_map),
	  .table = &write_map_spec, .inline_table = true, .optional = true },
	{ .key = "freeze", .type = FIELD_TABLE, AT(scn_step, freeze),
	  .table = &freeze_spec, .inline_table = true, .optional = true },
	LATER("start", NULL), LATER("stop", NULL),
	LATER("set_cpus", NULL), LATER("move", NULL),
	LATER("freeze_cgroup", NULL), LATER("cpu_offline", NULL),
	LATER("cpu_online", NULL),
	LATER("read_map", NULL),
	LATER("attach_scheduler", NULL), LATER("detach_scheduler", NULL),
	LATER("replace_scheduler", NULL), LATER("exec", NULL),
	{ 0 },
};

static const struct table_spec step_spec = {
	.what = "a step of do",
	.fields = step_fields,
	.size = sizeof(struct scn_step),
	.max = SCENARIO_MAX_STEPS,
};

/* Between two looks at the guest, of a phase or always */
#define MIN_INTERVAL MS
#define MAX_INTERVAL SEC

static void parse_interval(struct diag *d, const struct toml_node *value,
			   const struct field *f, void *member)
{
	uint64_t *interval_ns = member;

	if (value->type == TOML_NODE_BOOL && !value->boolean)
		*interval_ns = 0;
	else if (schema_unit(d, value, UNIT_TIME, interval_ns) &&
		 (*interval_ns < MIN_INTERVAL || *interval_ns > MAX_INTERVAL))
		diag_value(d, value, "%s must be false, or between 1ms and 1s",
			   f->key);
}

static void print_interval(FILE *to, const struct field *f, const void *member)
{
	const uint64_t *interval_ns = member;
	char text[UNIT_TEXT_LEN];

	if (!*interval_ns)
		fputs("false", to);
	else if (*interval_ns != FIELD_UNSET)
		fprintf(to, "\"%s\"",
			unit_format(UNIT_TIME, *interval_ns, text));
}

static const struct field phase_fields[] = {
	{ .key = "name", .type = FIELD_NAME, AT(scn_phase, name), .max = 32,
	  .required = true },
	{ .key = "duration", .type = FIELD_UNIT, AT(scn_phase, duration_ns),
	  .unit = UNIT_TIME, .min = 10 * MS, .max = HOUR, .required = true },
	{ .key = "measure", .type = FIELD_BOOL, AT(scn_phase, measure) },
	{ .key = "interval", .type = FIELD_CUSTOM, AT(scn_phase, interval_ns),
	  .parse = parse_interval, .print = print_interval },
	{ .key = "do", .type = FIELD_TABLES, LIST(scn_phase, steps),
	  .table = &step_spec, .inline_table = true },
	{ 0 },
};

static const struct table_spec phase_spec = {
	.what = "[[phase]]",
	.fields = phase_fields,
	.size = sizeof(struct scn_phase),
	.defaults = &(const struct scn_phase){
		.measure = true, .interval_ns = FIELD_UNSET,
	},
	.max = SCENARIO_MAX_PHASES,
};

/* telemetry */

static const struct field telemetry_fields[] = {
	{ .key = "interval", .type = FIELD_UNIT,
	  AT(scn_telemetry, interval_ns), .unit = UNIT_TIME,
	  .min = MIN_INTERVAL, .max = MAX_INTERVAL },
	{ .key = "maps", .type = FIELD_CUSTOM, AT(scn_telemetry, maps),
	  .parse = scenario_maps_parse, .print = scenario_maps_print },
	{ .key = "freeze_every", .type = FIELD_UNIT,
	  AT(scn_telemetry, freeze_every_ns), .unit = UNIT_TIME,
	  .min = 20 * MS, .max = HOUR },
	{ .key = "bpf_stats", .type = FIELD_BOOL,
	  AT(scn_telemetry, bpf_stats) },
	{ .key = "observers", .type = FIELD_STRINGS,
	  AT(scn_telemetry, observers), .optional = true },
	{ 0 },
};

static const struct table_spec telemetry_spec = {
	.what = "[telemetry]",
	.fields = telemetry_fields,
	.size = sizeof(struct scn_telemetry),
	.defaults = &(const struct scn_telemetry){
		.interval_ns = 10 * MS, .maps = { { { .name = "*" } }, 1 },
		.freeze_every_ns = FIELD_UNSET,
	},
};

/* check */

static const char *const op_names[] = { [SCN_OP_MIN] = "min",
					[SCN_OP_MAX] = "max",
					[SCN_OP_BETWEEN] = "between",
					[SCN_OP_EQUALS] = "equals",
					[SCN_OP_MIN_RATIO] =
						"min_ratio_to_control",
					[SCN_OP_MAX_RATIO] =
						"max_ratio_to_control" };

const char *scn_op_name(enum scn_op op)
{
	return op_names[op];
}

static const struct field check_fields[] = {
	{ .key = "metric", .type = FIELD_STRING, AT(scn_check, metric_name),
	  .required = true },
	{ .key = "phase", .type = FIELD_STRING, AT(scn_check, phase) },
	{ .key = "min", .type = FIELD_NODE,
	  AT(scn_check, limit_nodes[SCN_OP_MIN]) },
	{ .key = "max", .type = FIELD_NODE,
	  AT(scn_check, limit_nodes[SCN_OP_MAX]) },
	{ .key = "between", .type = FIELD_NODE,
	  AT(scn_check, limit_nodes[SCN_OP_BETWEEN]) },
	{ .key = "equals", .type = FIELD_NODE,
	  AT(scn_check, limit_nodes[SCN_OP_EQUALS]) },
	{ .key = "min_ratio_to_control", .type = FIELD_NODE,
	  AT(scn_check, limit_nodes[SCN_OP_MIN_RATIO]) },
	{ .key = "max_ratio_to_control", .type = FIELD_NODE,
	  AT(scn_check, limit_nodes[SCN_OP_MAX_RATIO]) },
	{ 0 },
};

static const struct table_spec check_spec = {
	.what = "[[check]]",
	.fields = check_fields,
	.size = sizeof(struct scn_check),
	.max = SCENARIO_MAX_CHECKS,
};

/* automatic */

#define GAP_DEFAULT (2 * SEC)
#define TELEMETRY_DEFAULT 0.9
#define FAIRNESS_DEFAULT 0.95
#define NOISE_DEFAULT 0.1

static void parse_gap(struct diag *d, const struct toml_node *value,
		      const struct field *f, void *member)
{
	uint64_t *gap_ns = member;

	if (value->type == TOML_NODE_BOOL)
		*gap_ns = value->boolean ? GAP_DEFAULT : 0;
	else
		schema_unit(d, value, UNIT_TIME, gap_ns);
}

static void print_gap(FILE *to, const struct field *f, const void *member)
{
	const uint64_t *gap_ns = member;
	char text[UNIT_TEXT_LEN];

	if (*gap_ns)
		fprintf(to, "\"%s\"", unit_format(UNIT_TIME, *gap_ns, text));
	else
		fputs("false", to);
}

/* What "true" means for one of the shares. */
static double share_default(const struct field *f)
{
	if (!strcmp(f->key, "fairness"))
		return FAIRNESS_DEFAULT;
	return !strcmp(f->key, "noise") ? NOISE_DEFAULT : TELEMETRY_DEFAULT;
}

static void parse_share(struct diag *d, const struct toml_node *value,
			const struct field *f, void *member)
{
	double *share = member;

	if (value->type == TOML_NODE_BOOL)
		*share = value->boolean ? share_default(f) : 0;
	else if (schema_ratio(d, value, share) && *share > 1)
		diag_value(d, value, "%s must be at most 100%%", f->key);
}

static void print_share(FILE *to, const struct field *f, const void *member)
{
	const double *share = member;

	if (*share > 0)
		schema_print_double(to, *share);
	else
		fputs("false", to);
}

static const struct field automatic_fields[] = {
	{ .key = "progress", .type = FIELD_BOOL, AT(scn_automatic, progress) },
	{ .key = "gap", .type = FIELD_CUSTOM, AT(scn_automatic, gap_ns),
	  .parse = parse_gap, .print = print_gap },
	{ .key = "look", .type = FIELD_BOOL, AT(scn_automatic, look) },
	{ .key = "cpuset", .type = FIELD_BOOL, AT(scn_automatic, cpuset) },
	{ .key = "scheduler", .type = FIELD_BOOL,
	  AT(scn_automatic, scheduler) },
	{ .key = "disk", .type = FIELD_BOOL, AT(scn_automatic, disk) },
	{ .key = "telemetry", .type = FIELD_CUSTOM,
	  AT(scn_automatic, telemetry), .parse = parse_share,
	  .print = print_share },
	{ .key = "guest", .type = FIELD_BOOL, AT(scn_automatic, guest) },
	{ .key = "program", .type = FIELD_BOOL, AT(scn_automatic, program) },
	{ .key = "fairness", .type = FIELD_CUSTOM,
	  AT(scn_automatic, fairness), .parse = parse_share,
	  .print = print_share },
	{ .key = "noise", .type = FIELD_CUSTOM, AT(scn_automatic, noise),
	  .parse = parse_share, .print = print_share },
	LATER("stall", NULL), LATER("bypass", NULL),
	{ 0 },
};

static const struct table_spec automatic_spec = {
	.what = "[automatic]",
	.fields = automatic_fields,
	.size = sizeof(struct scn_automatic),
	.defaults = &(const struct scn_automatic){
		.progress = true, .scheduler = true, .disk = true,
		.guest = true, .cpuset = true, .program = true, .look = true,
		.gap_ns = GAP_DEFAULT,
		.telemetry = TELEMETRY_DEFAULT, .fairness = FAIRNESS_DEFAULT,
		.noise = NOISE_DEFAULT,
	},
};

/* the file */

static const struct field scenario_fields[] = {
	{ .key = "schema", .type = FIELD_UINT, AT(scenario, schema), .min = 1,
	  .max = 1, .required = true },
	{ .key = "name", .type = FIELD_NAME, AT(scenario, name), .max = 63,
	  .required = true },
	{ .key = "description", .type = FIELD_STRING,
	  AT(scenario, description) },
	{ .key = "vm", .type = FIELD_TABLE, AT(scenario, vm),
	  .table = &vm_spec },
	{ .key = "disk", .type = FIELD_TABLES, LIST(scenario, disks),
	  .table = &disk_spec },
	{ .key = "scheduler", .type = FIELD_TABLE, AT(scenario, scheduler),
	  .table = &scheduler_spec, .optional = true },
	{ .key = "workload", .type = FIELD_TABLES, LIST(scenario, workloads),
	  .table = &workload_spec },
	{ .key = "phase", .type = FIELD_TABLES, LIST(scenario, phases),
	  .table = &phase_spec },
	{ .key = "telemetry", .type = FIELD_TABLE, AT(scenario, telemetry),
	  .table = &telemetry_spec },
	{ .key = "check", .type = FIELD_TABLES, LIST(scenario, checks),
	  .table = &check_spec },
	{ .key = "automatic", .type = FIELD_TABLE, AT(scenario, automatic),
	  .table = &automatic_spec },
	LATER("matrix", "run each variant with --set KEY=VALUE"),
	{ 0 },
};

const struct table_spec scenario_spec = {
	.what = "the scenario",
	.fields = scenario_fields,
	.size = offsetof(struct scenario, path),
};
