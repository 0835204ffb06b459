// SPDX-License-Identifier: GPL-2.0-only
#include "agent/topology.h"

#include "agent/plan.h"
#include "agent/sysfile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_DIR "%s/sys/devices/system/cpu"
#define NODE_DIR "%s/sys/devices/system/node"
#define LIST_BYTES 1024
#define MAX_CACHES 16

static int fail(char *err_msg, size_t err_len, int err, const char *what,
		int number)
{
	snprintf(err_msg, err_len, "topology: %s of %d: %s", what, number,
		 strerror(-err));
	return err;
}

static int lowest(const cpu_set_t *set)
{
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, set))
			return cpu;
	}
	return -1;
}

/* The cache of the highest level that holds data; ties: the later index. */
static int read_llc(const char *root, struct topology_cpu *c)
{
	char text[LIST_BYTES];
	int index, level, best = 0;
	cpu_set_t set;

	c->llc = -1;
	for (index = 0; index < MAX_CACHES; index++) {
		if (sysfile_read_int(&level, CPU_DIR "/cpu%d/cache/index%d/level",
				     root, c->cpu, index))
			break;
		sysfile_read(text, sizeof(text),
			     CPU_DIR "/cpu%d/cache/index%d/type", root, c->cpu,
			     index);
		if (level < best || !strcmp(text, "Instruction"))
			continue;
		if (sysfile_read(text, sizeof(text), CPU_DIR
				 "/cpu%d/cache/index%d/shared_cpu_list", root,
				 c->cpu, index) < 0 ||
		    sysfile_parse_list(text, &set))
			return -EINVAL;
		best = level;
		c->llc = lowest(&set);
		c->llc_cpus = CPU_COUNT(&set);
	}
	return 0;
}

static int read_cpu(const char *root, struct topology_cpu *c, char *err_msg,
		    size_t err_len)
{
	char text[LIST_BYTES];
	cpu_set_t set;
	int err;

	err = sysfile_read_int(&c->package,
			       CPU_DIR "/cpu%d/topology/physical_package_id",
			       root, c->cpu);
	if (err)
		return fail(err_msg, err_len, err, "package of CPU", c->cpu);
	err = sysfile_read(text, sizeof(text),
			   CPU_DIR "/cpu%d/topology/thread_siblings_list", root,
			   c->cpu);
	if (err >= 0)
		err = sysfile_parse_list(text, &set);
	if (err < 0)
		return fail(err_msg, err_len, err, "siblings of CPU", c->cpu);
	c->core = lowest(&set);
	c->core_cpus = CPU_COUNT(&set);
	err = read_llc(root, c);
	if (err)
		return fail(err_msg, err_len, err, "caches of CPU", c->cpu);
	return 0;
}

/* A kernel without NUMA has no such directory: all is node 0 then. */
static int read_nodes(const char *root, struct topology *t, char *err_msg,
		      size_t err_len)
{
	char text[LIST_BYTES];
	cpu_set_t nodes, cpus;
	unsigned int i;
	int node, err;

	if (sysfile_read(text, sizeof(text), NODE_DIR "/online", root) < 0)
		return 0;
	err = sysfile_parse_list(text, &nodes);
	if (err)
		return fail(err_msg, err_len, err, "list of nodes", 0);
	for (node = 0; node < CPU_SETSIZE; node++) {
		if (!CPU_ISSET(node, &nodes))
			continue;
		err = sysfile_read(text, sizeof(text),
				   NODE_DIR "/node%d/cpulist", root, node);
		if (err >= 0)
			err = sysfile_parse_list(text, &cpus);
		if (err < 0)
			return fail(err_msg, err_len, err, "CPUs of node",
				    node);
		for (i = 0; i < t->nr; i++) {
			if (CPU_ISSET(t->cpus[i].cpu, &cpus))
				t->cpus[i].node = node;
		}
	}
	return 0;
}

int topology_read(const char *root, struct topology *t, char *err_msg,
		  size_t err_len)
{
	char text[LIST_BYTES];
	cpu_set_t online;
	int cpu, err;

	*t = (struct topology){ 0 };
	err = sysfile_read(text, sizeof(text), CPU_DIR "/online", root);
	if (err >= 0)
		err = sysfile_parse_list(text, &online);
	if (err < 0)
		return fail(err_msg, err_len, err, "list of CPUs", 0);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &online))
			continue;
		if (t->nr == KTSTR_SHM_MAX_CPUS)
			return fail(err_msg, err_len, -E2BIG, "number of CPU",
				    cpu);
		t->cpus[t->nr].cpu = cpu;
		err = read_cpu(root, &t->cpus[t->nr++], err_msg, err_len);
		if (err)
			return err;
	}
	return read_nodes(root, t, err_msg, err_len);
}

/*
 * A set of small numbers with how many CPUs each has: what the counting and
 * the comparing need to know of packages, nodes, LLCs and cores alike.
 */
struct tally {
	unsigned int nr;	/* that have CPUs */
	unsigned int min, max;	/* CPUs of the smallest and largest */
};

static struct tally tally_of(const struct topology *t, size_t member_off)
{
	unsigned int cpus[CPU_SETSIZE] = { 0 };
	struct tally tally = { 0 };
	unsigned int i;

	for (i = 0; i < t->nr; i++) {
		int id = *(const int *)((const char *)&t->cpus[i] + member_off);

		if (id >= 0 && id < CPU_SETSIZE)
			cpus[id]++;
	}
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!cpus[i])
			continue;
		if (!tally.nr || cpus[i] < tally.min)
			tally.min = cpus[i];
		if (cpus[i] > tally.max)
			tally.max = cpus[i];
		tally.nr++;
	}
	return tally;
}

#define TALLY(t, member) tally_of(t, offsetof(struct topology_cpu, member))

void topology_count(const struct topology *t, struct topology_counts *c)
{
	*c = (struct topology_counts){
		.packages = TALLY(t, package).nr,
		.nodes = TALLY(t, node).nr,
		.llcs = TALLY(t, llc).nr,
		.cores = TALLY(t, core).nr,
		.cpus = t->nr,
	};
}

__attribute__((format(printf, 2, 3)))
static void differ(json_t *errors, const char *fmt, ...)
{
	char line[128];
	va_list ap;

	if (json_array_size(errors) >= TOPOLOGY_MAX_ERRORS)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	json_array_append_new(errors, json_string(line));
}

static void compare_group(const char *what, struct tally have,
			  unsigned int nr, unsigned int cpus, json_t *errors)
{
	if (have.nr != nr)
		differ(errors, "%u %s%s, asked for %u", have.nr, what,
		       have.nr == 1 ? "" : "s", nr);
	else if (have.min != cpus || have.max != cpus)
		differ(errors, "%ss of %u to %u CPUs, asked for %u", what,
		       have.min, have.max, cpus);
}

/* The kernel keeps these lists per CPU, and they need not agree. */
static void compare_own_words(const struct topology *t, int llc, int core,
			      json_t *errors)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++) {
		const struct topology_cpu *c = &t->cpus[i];

		if (c->llc < 0)
			differ(errors, "CPU %d has no cache information",
			       c->cpu);
		else if (c->llc_cpus != llc)
			differ(errors, "CPU %d: LLC of %d CPUs, asked for %d",
			       c->cpu, c->llc_cpus, llc);
		if (c->core_cpus != core)
			differ(errors, "CPU %d: core of %d CPUs, asked for %d",
			       c->cpu, c->core_cpus, core);
	}
}

/* Two CPUs that share an LLC, or a core, are on one node, and one package. */
static void compare_nesting(const struct topology *t, json_t *errors)
{
	unsigned int i, j;

	for (i = 0; i < t->nr; i++) {
		const struct topology_cpu *a = &t->cpus[i];

		for (j = i + 1; j < t->nr; j++) {
			const struct topology_cpu *b = &t->cpus[j];

			if (a->llc >= 0 && a->llc == b->llc &&
			    (a->node != b->node || a->package != b->package))
				differ(errors, "CPUs %d and %d share an LLC across nodes or packages",
				       a->cpu, b->cpu);
			if (a->core == b->core && a->llc != b->llc)
				differ(errors, "CPUs %d and %d share a core but no LLC",
				       a->cpu, b->cpu);
		}
	}
}

bool topology_compare(const struct topology *t,
		      const struct plan_topology *want, json_t *errors)
{
	size_t before = json_array_size(errors);
	unsigned int llc = want->cores_per_llc * want->threads_per_core;
	unsigned int cpus = llc * want->llcs;

	if (t->nr != cpus)
		differ(errors, "%u CPUs online, asked for %u", t->nr, cpus);
	compare_group("package", TALLY(t, package), want->packages,
		      cpus / want->packages, errors);
	compare_group("node", TALLY(t, node), want->nodes, cpus / want->nodes,
		      errors);
	compare_group("LLC", TALLY(t, llc), want->llcs, llc, errors);
	compare_group("core", TALLY(t, core), want->llcs * want->cores_per_llc,
		      want->threads_per_core, errors);
	compare_own_words(t, llc, want->threads_per_core, errors);
	compare_nesting(t, errors);
	return json_array_size(errors) == before;
}

json_t *topology_report(const struct topology *t, bool ok, json_t *errors)
{
	json_t *cpus = json_array();
	struct topology_counts c;
	unsigned int i;

	topology_count(t, &c);
	for (i = 0; i < t->nr; i++)
		json_array_append_new(cpus, json_pack("{s:i,s:i,s:i,s:i,s:i}",
						      "cpu", t->cpus[i].cpu,
						      "node", t->cpus[i].node,
						      "llc", t->cpus[i].llc,
						      "core", t->cpus[i].core,
						      "package",
						      t->cpus[i].package));
	return json_pack("{s:b,s:i,s:i,s:i,s:i,s:i,s:o,s:o}", "ok", ok,
			 "packages", c.packages, "nodes", c.nodes, "llcs",
			 c.llcs, "cores", c.cores, "threads", c.cpus, "cpus",
			 cpus, "errors", errors);
}
