/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arithmetic of a CPU topology: which package, node, LLC, core and thread
 * a vCPU is, and its APIC id. CPUID, MADT and SRAT are made from this alone.
 */
#ifndef KTSTR_VMM_TOPOLOGY_H
#define KTSTR_VMM_TOPOLOGY_H

#include <stdint.h>

#include "vmm/vmm.h"

/*
 * APIC id = package | LLC in package | core in LLC | thread in core, each
 * field as many bits as its count needs. A shift is the number of id bits
 * below a level's field: ids that agree above it share the level.
 */
struct topology_shifts {
	unsigned int core;	/* above the thread field */
	unsigned int llc;	/* above the core field */
	unsigned int package;	/* above the LLC field */
};

/* Where one vCPU sits. Indexes are within the parent, but for node and llc. */
struct topology_cpu {
	unsigned int node;	/* of the machine */
	unsigned int llc;	/* of the machine */
	unsigned int package;
	unsigned int llc_in_package;
	unsigned int core;	/* in its LLC */
	unsigned int thread;	/* in its core */
	uint32_t apic_id;
};

/** topology_packages() - packages asked for, or one per node */
unsigned int topology_packages(const struct vm_topology *t);

/** topology_bits() - bits of a field for @count values: ceil(log2(count)) */
unsigned int topology_bits(unsigned int count);

/** topology_shifts_get() - of a topology that passed vm_topology_check() */
struct topology_shifts topology_shifts_get(const struct vm_topology *t);

/**
 * topology_cpu_get() - place vCPU @cpu
 *
 * vCPUs are numbered thread first, then core, LLC; LLCs fill packages and
 * nodes in order. APIC ids therefore ascend, and vCPU 0 has id 0.
 */
struct topology_cpu topology_cpu_get(const struct vm_topology *t,
				     unsigned int cpu);

#endif
