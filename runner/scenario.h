/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario: the file of DESIGN 8 as data, checked, every default filled
 * in. Parsed from TOML for the commands; plan.c makes the run's plan of it.
 */
#ifndef KTSTR_RUNNER_SCENARIO_H
#define KTSTR_RUNNER_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runner/kinds.h"
#include "runner/metrics.h"
#include "runner/scenario_maps.h"
#include "runner/schema.h"

struct diag;

#define SCENARIO_MAX_CPUS 16
#define SCENARIO_MAX_DISKS 8
#define SCENARIO_MAX_QUEUES 8 /* of one disk */
#define SCENARIO_MIN_DISK (1ULL << 20)
#define SCENARIO_MAX_DISK (64ULL << 30)
#define SCENARIO_MAX_WORKLOADS 32
#define SCENARIO_MAX_WORKERS 512
#define SCENARIO_MAX_PHASES 16
#define SCENARIO_MAX_STEPS 16
#define SCENARIO_MAX_CHECKS 128

struct scn_topology {
	unsigned int nodes, llcs, cores_per_llc, threads_per_core;
	unsigned int cpus;
};

struct scn_vm {
	struct table_base base;
	struct scn_topology topology;
	uint64_t memory_bytes;
	uint64_t deadline_ns;
};

/* Rates: 0 is unlimited. In a step FIELD_UNSET keeps what was. */
struct scn_throttle {
	struct table_base base;
	uint64_t iops, bps, burst_ns;
	uint64_t latency_ns, jitter_ns;
};

/* What a disk gets wrong; all zeroes: nothing. */
struct scn_faults {
	struct table_base base;
	double error_rate;
	uint64_t error_from, error_bytes;
	uint64_t stall_ns, stall_every, stall_at_ns;
	bool torn_writes;
};

struct scn_disk {
	struct table_base base;
	const char *name;
	uint64_t size_bytes;	/* the image's, if there is one */
	const char *image;	/* absolute once parsed; NULL: none */
	bool read_only;
	bool keep_writes;	/* in the image, instead of in memory */
	struct scn_throttle throttle;
	struct scn_faults faults;
	uint64_t queues;
	double tolerance;
};

enum scn_expect {
	SCN_EXPECT_RUNNING,
	SCN_EXPECT_EXIT,
	SCN_EXPECT_ERROR,
	SCN_EXPECT_STALL,
};

struct scn_scheduler {
	struct table_base base;	/* node NULL: the kernel's default */
	const char *builtin, *object, *source; /* one of them, or exec */
	struct string_list exec, add;
	const struct toml_node *set;
	unsigned int expect;	/* enum scn_expect */
};

/* Which CPUs; filled from the node once the topology is known. */
struct scn_cpus {
	const struct toml_node *node; /* NULL: all */
	uint64_t mask;
};

struct scn_policy {
	const char *kind;
	unsigned int priority;
};

/* cgroup cpu.max: quota in each period; quota 0: no limit. */
struct scn_cpu_max {
	uint64_t quota_ns, period_ns;
};

/* A program of the scenario's own; paths are absolute once it is checked. */
struct scn_program {
	struct string_list argv;
	struct string_list add;	/* programs that it starts */
	const char *json;	/* file with its numbers; NULL: its stdout */
	const struct toml_node *match; /* name = regular expression, or NULL */
	bool repeat;
};

struct scn_workload {
	struct table_base base;
	const char *name;
	const char *kind_name;
	const struct load_spec *kind;
	uint64_t workers;
	const char *disk;	/* NULL: none */
	const char *cgroup;	/* NULL until resolved: its own name */
	struct scn_cpus cpus;
	uint64_t cpu_weight;
	struct scn_cpu_max cpu_max;
	int64_t nice;
	struct scn_policy policy;
	const struct toml_node *params_node;
	uint64_t params[LOAD_MAX_PARAMS];
	uint64_t seed;		/* FIELD_UNSET: from the run's */
	struct scn_program program; /* of kind exec */
};

struct scn_set_throttle {
	struct table_base base;	/* node NULL: this step is another one */
	const char *disk;
	uint64_t iops, bps, burst_ns;
	uint64_t latency_ns, jitter_ns;
};

/* Once resolved: all of what is in force from the step on. */
struct scn_set_faults {
	struct table_base base;	/* node NULL: this step is another one */
	const char *disk;
	double error_rate;
	uint64_t error_from, error_bytes;
	uint64_t stall_ns, stall_every, stall_at_ns;
	bool torn_writes;
};

/* All stops for a consistent look. */
struct scn_freeze {
	struct table_base base;	/* node NULL: this step is another one */
	const char *name;	/* NULL: none */
	uint64_t after_ns;	/* the phase's start; 0: right before it */
};

/* A value into the scheduler's variable, or into an entry of its map. */
struct scn_write_map {
	struct table_base base;	/* node NULL: this step is another one */
	const char *var;	/* this or @map */
	const char *map, *field;
	const struct toml_node *key, *value;
};

struct scn_step {
	struct table_base base;
	struct scn_write_map write_map;
	struct scn_set_throttle set_throttle;
	struct scn_freeze freeze;
	struct scn_set_faults set_faults;
};

struct scn_phase {
	struct table_base base;
	const char *name;
	uint64_t duration_ns;
	bool measure;
	uint64_t interval_ns;	/* of samples; 0: none; FIELD_UNSET: as always */
	struct scn_step steps[SCENARIO_MAX_STEPS];
	unsigned int nr_steps;
};

struct scn_telemetry {
	struct table_base base;
	uint64_t interval_ns;
	uint64_t freeze_every_ns; /* FIELD_UNSET: never */
	struct scn_maps maps;
	bool bpf_stats;
	struct string_list observers;
};

enum scn_op {
	SCN_OP_MIN,
	SCN_OP_MAX,
	SCN_OP_BETWEEN,
	SCN_OP_EQUALS,
	SCN_OP_MIN_RATIO,	/* to the control; these two stand last */
	SCN_OP_MAX_RATIO,
	SCN_OP_NR,
};

struct scn_check {
	struct table_base base;
	const char *metric_name;
	const char *phase;	/* NULL: the totals */
	const struct toml_node *limit_nodes[SCN_OP_NR]; /* by enum scn_op */
	struct metric metric;
	enum scn_op op;
	double low, high;	/* the limit; both, but for between */
	const char *state;	/* the limit of a state, else NULL */
};

/* The checks that nobody asked for; 0 turns one off. */
struct scn_automatic {
	struct table_base base;
	bool progress, scheduler, disk, guest, cpuset, program;
	bool look;		/* no check: a frozen look at a long gap */
	uint64_t gap_ns;
	double telemetry, fairness, noise;
};

struct scenario {
	struct table_base base;
	uint64_t schema;
	const char *name, *description;
	struct scn_vm vm;
	struct scn_disk disks[SCENARIO_MAX_DISKS];
	unsigned int nr_disks;
	struct scn_scheduler scheduler;
	struct scn_workload workloads[SCENARIO_MAX_WORKLOADS];
	unsigned int nr_workloads;
	struct scn_phase phases[SCENARIO_MAX_PHASES];
	unsigned int nr_phases;
	struct scn_telemetry telemetry;
	struct scn_check checks[SCENARIO_MAX_CHECKS];
	unsigned int nr_checks;
	struct scn_automatic automatic;

	char *path;		/* owned; as given */
	char *dir;		/* owned; what its relative paths start from */
	struct toml_node *root;	/* owned; strings and nodes live in it */
};

/* What the command line changes before anything is checked. */
struct scenario_overrides {
	const char *const *set;	/* "a.b=c", NULL-terminated; NULL: none */
	const char *scheduler;	/* "none", a name, a file; NULL: as written */
};

/**
 * scenario_load() - read, override, parse, check
 * @path: of the file; @d names it in its messages
 * @overrides: NULL: none
 * @s: for scenario_free(); written on success only
 *
 * Return: 0; -EINVAL with the reasons in @d; -ENOMEM.
 */
int scenario_load(const char *path, const struct scenario_overrides *overrides,
		  struct scenario **s, struct diag *d);

/** scenario_parse() - the same from @text, as if read from @path */
int scenario_parse(const char *path, const char *text, size_t len,
		   const struct scenario_overrides *overrides,
		   struct scenario **s, struct diag *d);

void scenario_free(struct scenario *s);

/** scenario_print() - the resolved scenario as TOML */
void scenario_print(FILE *to, const struct scenario *s);

/** scenario_find_disk() - by name; NULL: none. Likewise the others. */
const struct scn_disk *scenario_find_disk(const struct scenario *s,
					  const char *name);
const struct scn_workload *scenario_find_workload(const struct scenario *s,
						  const char *name);
const struct scn_phase *scenario_find_phase(const struct scenario *s,
					    const char *name);

/** scn_expect_name() - the word of the file */
const char *scn_expect_name(enum scn_expect expect);

/** scn_op_is_ratio() - is it judged against a control? */
static inline bool scn_op_is_ratio(enum scn_op op)
{
	return op >= SCN_OP_MIN_RATIO;
}

/** scenario_needs_control() - does a check of it? */
bool scenario_needs_control(const struct scenario *s);

/** scn_op_name() - the key of the file: min, max, between, equals, ... */
const char *scn_op_name(enum scn_op op);

/*
 * Between the parts of the parser: the table of the whole file, and the
 * checks that look at more than one key.
 */
extern const struct table_spec scenario_spec;

/* scenario_disk.c */
extern const struct table_spec scenario_throttle_spec, scenario_faults_spec;
extern const struct table_spec scenario_set_throttle_spec;
extern const struct table_spec scenario_set_faults_spec;

/** scenario_check_faults() - of a disk; what has no effect becomes 0 */
void scenario_check_faults(struct diag *d, const struct scn_disk *disk,
			   struct scn_faults *f);
/**
 * scenario_resolve_throttle() - what a step leaves out stays as it was
 * @in_force: on that disk; as the step leaves it on return
 */
void scenario_resolve_throttle(struct scn_set_throttle *t,
			       struct scn_throttle *in_force);
/** scenario_resolve_faults() - likewise, and checked */
void scenario_resolve_faults(struct diag *d, const struct scn_disk *disk,
			     struct scn_set_faults *set,
			     struct scn_faults *in_force);

void scenario_check(struct scenario *s, struct diag *d);
void scenario_check_checks(struct scenario *s, struct diag *d);

/** scenario_check_exec() - of [scheduler] and of the workloads */
void scenario_check_exec(struct scenario *s, struct diag *d);

/* scenario_observe.c */

/** scenario_check_observers() - each is one, and named once */
void scenario_check_observers(const struct scenario *s, struct diag *d);
/** scenario_check_observed() - the observer of a known metric is asked for */
void scenario_check_observed(const struct scenario *s, struct diag *d,
			     const struct scn_check *c);

/** scenario_check_images() - looks at the files, and takes sizes from them */
void scenario_check_images(struct scenario *s, struct diag *d);

#endif
