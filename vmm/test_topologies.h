/* SPDX-License-Identifier: GPL-2.0-only */
/* The preset topologies that table tests run over. */
#ifndef KTSTR_VMM_TEST_TOPOLOGIES_H
#define KTSTR_VMM_TEST_TOPOLOGIES_H

#include "vmm/vmm.h"

/*
 * packages, nodes, LLCs, cores, threads. Those of more than VM_MAX_VCPUS CPUs
 * are for the pure functions: vm_new() refuses them.
 */
static const struct vm_topology test_topologies[] = {
	/* tiny and odd */
	{ 0, 1, 1, 1, 1 }, { 0, 1, 1, 4, 1 }, { 0, 1, 2, 2, 1 },
	{ 0, 1, 3, 3, 1 }, { 0, 1, 5, 3, 1 }, { 0, 1, 7, 2, 1 },
	/* SMT, medium, large */
	{ 0, 1, 2, 2, 2 }, { 0, 1, 3, 2, 2 }, { 0, 1, 4, 4, 2 },
	{ 0, 1, 8, 4, 2 }, { 0, 1, 4, 16, 2 }, { 0, 1, 8, 8, 2 },
	{ 0, 1, 4, 16, 1 }, { 0, 1, 8, 8, 1 },
	/* 16 CPUs, in every shape */
	{ 0, 1, 1, 16, 1 }, { 0, 1, 1, 8, 2 }, { 0, 1, 16, 1, 1 },
	{ 0, 1, 2, 4, 2 }, { 0, 1, 4, 2, 2 }, { 0, 2, 2, 4, 2 },
	{ 0, 4, 4, 2, 2 }, { 0, 8, 8, 1, 2 }, { 2, 4, 4, 4, 1 },
	/* near the limit of 8-bit APIC ids, and past it */
	{ 0, 1, 15, 8, 2 }, { 0, 1, 14, 9, 2 }, { 0, 1, 15, 8, 1 },
	{ 0, 1, 14, 9, 1 },
	/* NUMA */
	{ 0, 2, 2, 2, 1 }, { 0, 2, 4, 4, 1 }, { 0, 2, 8, 8, 2 },
	{ 0, 2, 8, 16, 1 }, { 0, 4, 8, 4, 1 }, { 0, 4, 12, 8, 2 },
	/* packages that are not nodes */
	{ 1, 2, 4, 2, 1 }, { 4, 2, 4, 2, 1 }, { 2, 1, 4, 2, 2 },
	{ 3, 3, 6, 3, 2 },
};

#define TEST_TOPOLOGIES \
	(sizeof(test_topologies) / sizeof(test_topologies[0]))
#define TEST_MAX_CPUS 256

#endif
