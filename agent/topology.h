/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The topology that this kernel found, and whether it is the one asked for:
 * a run on another machine than the scenario's means nothing.
 */
#ifndef KTSTR_AGENT_TOPOLOGY_H
#define KTSTR_AGENT_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "include/ktstr/shm.h"

#define TOPOLOGY_MAX_ERRORS 32

struct plan_topology;

/*
 * One online CPU. A node and a package are the kernel's numbers; an LLC and a
 * core, which it numbers per package if at all, are their lowest CPU.
 */
struct topology_cpu {
	int cpu;
	int node;
	int package;
	int llc;	/* -1: the kernel knows of no cache */
	int core;
	int llc_cpus;	/* that share it, by this CPU's own word */
	int core_cpus;
};

struct topology {
	unsigned int nr;
	struct topology_cpu cpus[KTSTR_SHM_MAX_CPUS];
};

struct topology_counts {
	unsigned int packages, nodes, llcs, cores, cpus;
};

/**
 * topology_read() - from sysfs
 * @root: "" or a test's tree with sys/devices/system in it
 * @err_msg: on failure one line that names the file
 *
 * Return: 0; -E2BIG more CPUs than the shared region can name; -errno.
 */
int topology_read(const char *root, struct topology *t, char *err_msg,
		  size_t err_len);

/** topology_count() - how many there are of each */
void topology_count(const struct topology *t, struct topology_counts *c);

/**
 * topology_compare() - is @t what was asked for?
 * @errors: array; a line is appended for each difference, 32 at most
 *
 * Compares the counts, that LLCs and cores are of one size and no LLC spans
 * nodes, and that nodes have as many LLCs each.
 *
 * Return: true if nothing was appended.
 */
bool topology_compare(const struct topology *t,
		      const struct plan_topology *want, json_t *errors);

/** topology_report() - the TOPOLOGY message; new reference, takes @errors */
json_t *topology_report(const struct topology *t, bool ok, json_t *errors);

#endif
