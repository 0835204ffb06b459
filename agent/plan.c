// SPDX-License-Identifier: GPL-2.0-only
#include "agent/plan.h"

#include "include/ktstr/shm.h"
#include "lib/path.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_SCHEMA "ktstr.plan/1"
#define PLAN_MAX_BYTES (1 << 20)
#define MAX_DISKS 8

/* Where a parse stands, for messages that name the member. */
struct parse {
	char *err_msg;
	size_t err_len;
	const char *what;	/* "workloads[2]", "" at the top */
	int err;		/* the first one; later ones are not recorded */
};

__attribute__((format(printf, 3, 4)))
static void refuse(struct parse *ps, const char *key, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (ps->err)
		return;
	ps->err = -EINVAL;
	n = snprintf(ps->err_msg, ps->err_len, "plan: %s%s%s: ", ps->what,
		     *ps->what ? "." : "", key);
	if (n < 0 || (size_t)n >= ps->err_len)
		return;
	va_start(ap, fmt);
	vsnprintf(ps->err_msg + n, ps->err_len - n, fmt, ap);
	va_end(ap);
}

/* Absent and null are the same. */
static json_t *member(json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_null(v) ? NULL : v;
}

static const char *get_name(struct parse *ps, json_t *obj, const char *key)
{
	const char *s = json_string_value(member(obj, key));

	if (!s || !*s || strlen(s) >= PLAN_NAME_MAX) {
		refuse(ps, key, "want a string of 1 to %d bytes",
		       PLAN_NAME_MAX - 1);
		return "";
	}
	return s;
}

static int64_t get_int(struct parse *ps, json_t *obj, const char *key,
		       int64_t min, int64_t max)
{
	json_t *v = member(obj, key);
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < min || n > max) {
		refuse(ps, key, "want an integer of %lld to %lld",
		       (long long)min, (long long)max);
		return min;
	}
	return n;
}

static bool get_bool(struct parse *ps, json_t *obj, const char *key)
{
	json_t *v = member(obj, key);

	if (!json_is_boolean(v))
		refuse(ps, key, "want true or false");
	return json_is_true(v);
}

static json_t *get_object(struct parse *ps, json_t *obj, const char *key)
{
	json_t *v = member(obj, key);

	if (!json_is_object(v)) {
		refuse(ps, key, "want an object");
		return NULL;
	}
	return v;
}

/* An array of objects; NULL for an empty one, which is fine. */
static json_t *get_array(struct parse *ps, json_t *obj, const char *key,
			 size_t max)
{
	json_t *v = member(obj, key);

	if (!json_is_array(v))
		refuse(ps, key, "want an array");
	else if (json_array_size(v) > max)
		refuse(ps, key, "more than %zu entries", max);
	else if (json_array_size(v))
		return v;
	return NULL;
}

/* "batch/a" is fine; "", "/x", "a/../b", "a//b" are not. */
static bool cgroup_is_below(const char *path)
{
	while (1) {
		size_t len = strcspn(path, "/");

		if (!len || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

static void parse_topology(struct parse *ps, struct plan *p)
{
	json_t *vm = get_object(ps, p->root, "vm");
	json_t *t;

	ps->what = "vm";
	t = get_object(ps, vm, "topology");
	p->deadline_ns = get_int(ps, vm, "deadline_ns", 0, INT64_MAX);
	p->topology.cpus = get_int(ps, vm, "cpus", 1, KTSTR_SHM_MAX_CPUS);
	ps->what = "vm.topology";
	p->topology.packages = get_int(ps, t, "packages", 0, 256);
	p->topology.nodes = get_int(ps, t, "nodes", 1, 256);
	p->topology.llcs = get_int(ps, t, "llcs", 1, 256);
	p->topology.cores_per_llc = get_int(ps, t, "cores_per_llc", 1, 256);
	p->topology.threads_per_core = get_int(ps, t, "threads_per_core", 1, 8);
	/* 0 packages: one for each node, as the VMM has it */
	if (!p->topology.packages)
		p->topology.packages = p->topology.nodes;
	ps->what = "";
}

static int parse_disks(struct parse *ps, struct plan *p)
{
	json_t *list = get_array(ps, p->root, "disks", MAX_DISKS);
	json_t *d;
	size_t i;

	if (!list)
		return 0;
	p->nr_disks = json_array_size(list);
	p->disks = calloc(p->nr_disks, sizeof(*p->disks));
	if (!p->disks)
		return -ENOMEM;
	json_array_foreach(list, i, d) {
		char what[32];

		snprintf(what, sizeof(what), "disks[%zu]", i);
		ps->what = what;
		p->disks[i].name = get_name(ps, d, "name");
		p->disks[i].size_bytes = get_int(ps, d, "size_bytes", 512,
						 INT64_MAX);
		p->disks[i].read_only = get_bool(ps, d, "read_only");
		ps->what = "";
	}
	return 0;
}

/* What is to be started, of a workload or the scheduler. */
static json_t *parse_exec(struct parse *ps, json_t *obj)
{
	json_t *exec = member(obj, "exec"), *argv = member(exec, "argv");
	const char *path = json_string_value(json_array_get(argv, 0));

	if (exec && (!path || path[0] != '/'))
		refuse(ps, "exec.argv", "want the path of a program first");
	if (exec && !json_is_array(member(exec, "env")))
		refuse(ps, "exec.env", "want an array");
	return exec;
}

static void parse_sched(struct parse *ps, struct plan *p)
{
	json_t *s = member(p->root, "scheduler");

	if (!s)
		return;
	ps->what = "scheduler";
	p->has_sched = true;
	p->sched.name = get_name(ps, s, "name");
	p->sched.deadline_ns = p->deadline_ns;
	p->sched.exec = parse_exec(ps, s);
	p->sched.object = json_string_value(member(s, "object"));
	if (!p->sched.exec &&
	    (!p->sched.object || p->sched.object[0] != '/'))
		refuse(ps, "object", "want an absolute path");
	p->sched.set = member(s, "set");
	if (p->sched.set && !json_is_object(p->sched.set))
		refuse(ps, "set", "want an object");
	ps->what = "";
}

static const struct {
	const char *name;
	enum plan_policy policy;
	int min_priority, max_priority;
} policies[] = {
	{ "normal", PLAN_POLICY_NORMAL, 0, 0 },
	{ "batch", PLAN_POLICY_BATCH, 0, 0 },
	{ "idle", PLAN_POLICY_IDLE, 0, 0 },
	{ "fifo", PLAN_POLICY_FIFO, 1, 99 },
	{ "rr", PLAN_POLICY_RR, 1, 99 },
	{ "ext", PLAN_POLICY_EXT, 0, 0 },
};

static void parse_policy(struct parse *ps, json_t *obj, struct plan_workload *w)
{
	json_t *policy = get_object(ps, obj, "policy");
	const char *kind = json_string_value(member(policy, "kind"));
	size_t i;

	for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (!kind || strcmp(kind, policies[i].name))
			continue;
		w->policy = policies[i].policy;
		w->priority = get_int(ps, policy, "priority",
				      policies[i].min_priority,
				      policies[i].max_priority);
		return;
	}
	refuse(ps, "policy.kind", "\"%s\" is no policy", kind ? kind : "");
}

static void parse_cpus(struct parse *ps, json_t *obj, struct plan_workload *w,
		       unsigned int nr_cpus)
{
	json_t *list = member(obj, "cpus"), *v;
	size_t i;

	CPU_ZERO(&w->cpus);
	if (!list)
		return;
	w->has_cpus = true;
	if (!json_is_array(list) || !json_array_size(list))
		refuse(ps, "cpus", "want null or CPU numbers");
	json_array_foreach(list, i, v) {
		json_int_t cpu = json_integer_value(v);

		if (!json_is_integer(v) || cpu < 0 || cpu >= nr_cpus)
			refuse(ps, "cpus", "entry %zu is no CPU of 0 to %u", i,
			       nr_cpus - 1);
		else
			CPU_SET(cpu, &w->cpus);
	}
}

static void parse_cpu_max(struct parse *ps, json_t *obj,
			  struct plan_workload *w)
{
	json_t *max = member(obj, "cpu_max");

	if (!max)
		return;
	if (!json_is_object(max)) {
		refuse(ps, "cpu_max", "want null or an object");
		return;
	}
	w->cpu_max_quota_ns = get_int(ps, max, "quota_ns", 1000000, INT64_MAX);
	w->cpu_max_period_ns = get_int(ps, max, "period_ns", 1000000,
				       1000000000);
}

static void parse_workload(struct parse *ps, struct plan *p, json_t *obj,
			   struct plan_workload *w)
{
	json_t *disk = member(obj, "disk");

	w->name = get_name(ps, obj, "name");
	w->kind = get_name(ps, obj, "kind");
	w->workers = get_int(ps, obj, "workers", 1, KTSTR_SHM_MAX_WORKERS);
	w->cgroup = get_name(ps, obj, "cgroup");
	if (!cgroup_is_below(w->cgroup))
		refuse(ps, "cgroup", "\"%s\" is not below the root", w->cgroup);
	if (disk) {
		w->disk = json_string_value(disk);
		if (!w->disk || !plan_find_disk(p, w->disk))
			refuse(ps, "disk", "no disk of that name");
	}
	if (member(obj, "cpu_weight"))
		w->cpu_weight = get_int(ps, obj, "cpu_weight", 1, 10000);
	if (member(obj, "nice"))
		w->nice = get_int(ps, obj, "nice", -20, 19);
	parse_cpu_max(ps, obj, w);
	parse_cpus(ps, obj, w, p->topology.cpus);
	parse_policy(ps, obj, w);
	w->seed = json_integer_value(member(obj, "seed"));
	w->params = member(obj, "params");
	if (w->params && !json_is_object(w->params))
		refuse(ps, "params", "want an object");
	w->exec = parse_exec(ps, obj);
}

static int parse_workloads(struct parse *ps, struct plan *p)
{
	json_t *list = get_array(ps, p->root, "workloads", PLAN_MAX_WORKLOADS);
	json_t *obj;
	size_t i;

	if (!list)
		return 0;
	p->nr_workloads = json_array_size(list);
	p->workloads = calloc(p->nr_workloads, sizeof(*p->workloads));
	if (!p->workloads)
		return -ENOMEM;
	json_array_foreach(list, i, obj) {
		struct plan_workload *w = &p->workloads[i];
		char what[32];

		snprintf(what, sizeof(what), "workloads[%zu]", i);
		ps->what = what;
		w->index = i;
		w->first_worker = p->nr_workers;
		parse_workload(ps, p, obj, w);
		p->nr_workers += w->workers;
		if (p->nr_workers > KTSTR_SHM_MAX_WORKERS)
			refuse(ps, "workers", "more than %d in all",
			       KTSTR_SHM_MAX_WORKERS);
		ps->what = "";
	}
	return 0;
}

static int parse_phases(struct parse *ps, struct plan *p)
{
	json_t *list = get_array(ps, p->root, "phases", KTSTR_SHM_MAX_PHASES);
	json_t *obj;
	size_t i;

	if (!list) {
		refuse(ps, "phases", "want at least one");
		return 0;
	}
	p->nr_phases = json_array_size(list);
	p->phases = calloc(p->nr_phases, sizeof(*p->phases));
	if (!p->phases)
		return -ENOMEM;
	json_array_foreach(list, i, obj) {
		char what[32];

		snprintf(what, sizeof(what), "phases[%zu]", i);
		ps->what = what;
		p->phases[i].name = get_name(ps, obj, "name");
		p->phases[i].duration_ns = get_int(ps, obj, "duration_ns", 1,
						   INT64_MAX / 2);
		p->phases[i].measure = get_bool(ps, obj, "measure");
		ps->what = "";
	}
	return 0;
}

static int parse_root(struct parse *ps, struct plan *p)
{
	const char *schema = json_string_value(member(p->root, "schema"));
	int err;

	if (!schema || strcmp(schema, PLAN_SCHEMA)) {
		refuse(ps, "schema", "\"%s\" is not " PLAN_SCHEMA,
		       schema ? schema : "");
		return ps->err;
	}
	p->name = get_name(ps, p->root, "name");
	p->seed = json_integer_value(member(p->root, "seed"));
	parse_topology(ps, p);
	err = parse_disks(ps, p);
	if (err)
		return err;
	parse_sched(ps, p);
	p->bpf_stats = json_is_true(member(member(p->root, "telemetry"),
					   "bpf_stats"));
	p->observers = member(member(p->root, "telemetry"), "observers");
	err = parse_workloads(ps, p);
	if (err)
		return err;
	err = parse_phases(ps, p);
	return err ? err : ps->err;
}

int plan_parse(const char *text, size_t len, struct plan **plan, char *err_msg,
	       size_t err_len)
{
	struct parse ps = {
		.err_msg = err_msg,
		.err_len = err_len,
		.what = "",
	};
	json_error_t jerr;
	struct plan *p;
	int err;

	snprintf(err_msg, err_len, "plan: out of memory");
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &jerr);
	if (!p->root) {
		snprintf(err_msg, err_len, "plan: line %d: %s", jerr.line,
			 jerr.text);
		free(p);
		return -EINVAL;
	}
	err = parse_root(&ps, p);
	if (err) {
		plan_free(p);
		return err;
	}
	err_msg[0] = '\0';
	*plan = p;
	return 0;
}

int plan_load(const char *path, struct plan **plan, char *err_msg,
	      size_t err_len)
{
	char *text;
	size_t len;
	int err = path_read_file(path, PLAN_MAX_BYTES, &text, &len);

	if (err) {
		snprintf(err_msg, err_len, "%s: %s", path, strerror(-err));
		return err;
	}
	err = plan_parse(text, len, plan, err_msg, err_len);
	free(text);
	return err;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->disks);
	free(plan->workloads);
	free(plan->phases);
	json_decref(plan->root);
	free(plan);
}

int plan_param_u64(const struct plan_workload *w, const char *key,
		   uint64_t *value)
{
	json_t *v = member(w->params, key);

	if (!v)
		return -ENOENT;
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return -EINVAL;
	*value = json_integer_value(v);
	return 0;
}

const struct plan_disk *plan_find_disk(const struct plan *plan,
				       const char *name)
{
	unsigned int i;

	for (i = 0; i < plan->nr_disks; i++) {
		if (!strcmp(plan->disks[i].name, name))
			return &plan->disks[i];
	}
	return NULL;
}
