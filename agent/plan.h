/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The plan of a run as the agent uses it: /ktstr/plan.json taken apart and
 * checked once, by PID 1, before anything is started. Everything else in
 * agent/ reads these structs; docs/internals/session.md has the file's format.
 */
#ifndef KTSTR_AGENT_PLAN_H
#define KTSTR_AGENT_PLAN_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define PLAN_MAX_WORKLOADS 64
#define PLAN_NAME_MAX 64	/* bytes with the NUL, of every name below */

struct plan_topology {
	unsigned int packages, nodes, llcs, cores_per_llc, threads_per_core;
	unsigned int cpus;
};

struct plan_disk {
	const char *name;	/* virtio serial */
	uint64_t size_bytes;
	bool read_only;
};

enum plan_policy {
	PLAN_POLICY_NORMAL,
	PLAN_POLICY_BATCH,
	PLAN_POLICY_IDLE,
	PLAN_POLICY_FIFO,
	PLAN_POLICY_RR,
	PLAN_POLICY_EXT,
};

struct plan_workload {
	const char *name;
	const char *kind;
	const char *cgroup;	/* relative path, no "..", never empty */
	const char *disk;	/* NULL: none; else one of the plan's disks */
	unsigned int index;	/* in plan.workloads[] */
	unsigned int workers;	/* at least 1 */
	unsigned int first_worker; /* number of worker 0 in the shared region */
	unsigned int cpu_weight; /* cgroup cpu.weight, 1..10000; 0: leave */
	uint64_t cpu_max_quota_ns, cpu_max_period_ns; /* quota 0: no limit */
	bool has_cpus;		/* else all CPUs */
	cpu_set_t cpus;
	int nice;
	enum plan_policy policy;
	int priority;		/* of FIFO and RR */
	uint64_t seed;
	json_t *params;		/* borrowed object; plan_param_u64() */
	json_t *exec;		/* borrowed: {argv, env, json, repeat}; or NULL */
};

struct plan_phase {
	const char *name;
	uint64_t duration_ns;
	bool measure;
};

struct plan_sched {
	const char *name;
	const char *object;	/* path in the guest; NULL: exec is there */
	json_t *exec;		/* borrowed: {argv, env}; or NULL */
	uint64_t deadline_ns;	/* the plan's */
	json_t *set;		/* borrowed object, may be NULL */
};

struct plan {
	const char *name;
	uint64_t seed;
	uint64_t deadline_ns;	/* the host's, 0: none; bounds our own waits */
	struct plan_topology topology;
	struct plan_disk *disks;
	unsigned int nr_disks;
	bool has_sched;
	struct plan_sched sched;
	struct plan_workload *workloads;
	unsigned int nr_workloads;
	unsigned int nr_workers;	/* of all workloads */
	struct plan_phase *phases;
	unsigned int nr_phases;
	bool bpf_stats;		/* count the runs of each BPF program */
	json_t *observers;	/* borrowed: array of names, or NULL */
	json_t *root;		/* owned; the strings live in it */
};

/**
 * plan_parse() - take a plan's text apart
 * @text: @len bytes of JSON, need not be NUL-terminated
 * @plan: owned by the caller, for plan_free(); written on success only
 * @err_msg: on failure one line that names the member
 *
 * Checks every range the agent relies on: nr_workers, nr_phases and CPU
 * numbers fit the shared region, cgroups stay below the agent's root, disks
 * exist. Whether a kind or its params make sense is the worker's to say.
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int plan_parse(const char *text, size_t len, struct plan **plan, char *err_msg,
	       size_t err_len);

/** plan_load() - plan_parse() of a file. Return: also -errno of the file. */
int plan_load(const char *path, struct plan **plan, char *err_msg,
	      size_t err_len);

void plan_free(struct plan *plan);

/**
 * plan_param_u64() - a parameter of a workload's kind
 *
 * Return: 0 and *@value; -ENOENT not given; -EINVAL not an integer >= 0.
 */
int plan_param_u64(const struct plan_workload *w, const char *key,
		   uint64_t *value);

/** plan_find_disk() - by name; NULL if there is none. */
const struct plan_disk *plan_find_disk(const struct plan *plan,
				       const char *name);

#endif
