/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vCPU's CPUID says: KVM's supported leaves with the topology, the
 * caches and our choices of features set over them.
 */
#ifndef KTSTR_VMM_CPUID_H
#define KTSTR_VMM_CPUID_H

#include <linux/kvm.h>

#include "vmm/vmm.h"

#define CPUID_MAX_ENTRIES 256

/* Whose rules the guest kernel will read the leaves by. */
enum cpuid_vendor {
	CPUID_VENDOR_OTHER, /* not supported */
	CPUID_VENDOR_INTEL,
	CPUID_VENDOR_AMD,
};

/* A struct kvm_cpuid2 with its entries. */
struct cpuid_table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[CPUID_MAX_ENTRIES];
};

/** cpuid_vendor_of() - from leaf 0 of KVM_GET_SUPPORTED_CPUID */
enum cpuid_vendor cpuid_vendor_of(const struct kvm_cpuid2 *supported);

/** cpuid_find() - the entry of (@leaf, @subleaf), or NULL */
const struct kvm_cpuid_entry2 *cpuid_find(const struct kvm_cpuid2 *c,
					  uint32_t leaf, uint32_t subleaf);

/**
 * cpuid_build() - the table for KVM_SET_CPUID2 of one vCPU
 * @supported: from KVM_GET_SUPPORTED_CPUID
 * @topology: passed vm_topology_check()
 * @cpu: vCPU number
 * @vendor: not OTHER
 * @out: written whole
 *
 * A pure function. Every leaf that says where a CPU is (1, 4, 0xB, 0x1F,
 * 0x80000008, 0x8000001D, 0x8000001E) is made from @topology alone: none of
 * the host's own layout comes through.
 *
 * Return: 0, or -E2BIG when @out is too small.
 */
int cpuid_build(const struct kvm_cpuid2 *supported,
		const struct vm_topology *topology, unsigned int cpu,
		enum cpuid_vendor vendor, struct cpuid_table *out);

#endif
