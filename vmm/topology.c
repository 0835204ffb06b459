// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/topology.h"

#include <stdarg.h>
#include <stdio.h>

unsigned int topology_packages(const struct vm_topology *t)
{
	return t->packages ? t->packages : t->nodes;
}

unsigned int topology_bits(unsigned int count)
{
	unsigned int bits = 0;

	while ((1ULL << bits) < count)
		bits++;
	return bits;
}

struct topology_shifts topology_shifts_get(const struct vm_topology *t)
{
	struct topology_shifts s;

	s.core = topology_bits(t->threads_per_core);
	s.llc = s.core + topology_bits(t->cores_per_llc);
	s.package = s.llc + topology_bits(t->llcs / topology_packages(t));
	return s;
}

struct topology_cpu topology_cpu_get(const struct vm_topology *t,
				     unsigned int cpu)
{
	struct topology_shifts s = topology_shifts_get(t);
	unsigned int llcs_per_package = t->llcs / topology_packages(t);
	struct topology_cpu c;

	c.thread = cpu % t->threads_per_core;
	c.core = cpu / t->threads_per_core % t->cores_per_llc;
	c.llc = cpu / t->threads_per_core / t->cores_per_llc;
	c.node = c.llc / (t->llcs / t->nodes);
	c.package = c.llc / llcs_per_package;
	c.llc_in_package = c.llc % llcs_per_package;
	c.apic_id = c.package << s.package | c.llc_in_package << s.llc |
		    c.core << s.core | c.thread;
	return c;
}

__attribute__((format(printf, 3, 4)))
static bool refuse(char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	return false;
}

bool vm_topology_check(const struct vm_topology *t, char *why, size_t why_len)
{
	unsigned int packages = topology_packages(t);
	unsigned long long cpus;

	if (!t->nodes || !t->llcs || !t->cores_per_llc)
		return refuse(why, why_len,
			      "topology has no node, no LLC or no core");
	if (t->threads_per_core != 1 && t->threads_per_core != 2)
		return refuse(why, why_len, "%u threads per core: need 1 or 2",
			      t->threads_per_core);
	if (t->nodes > VM_MAX_NODES)
		return refuse(why, why_len, "%u nodes: at most %d", t->nodes,
			      VM_MAX_NODES);
	cpus = (unsigned long long)t->llcs * t->cores_per_llc;
	if (cpus > VM_MAX_VCPUS || cpus * t->threads_per_core > VM_MAX_VCPUS)
		return refuse(why, why_len, "more than %d CPUs", VM_MAX_VCPUS);
	if (t->llcs % t->nodes)
		return refuse(why, why_len,
			      "%u LLCs on %u nodes: an LLC would span nodes",
			      t->llcs, t->nodes);
	if (t->llcs % packages)
		return refuse(why, why_len,
			      "%u LLCs in %u packages: an LLC would span packages",
			      t->llcs, packages);
	if (packages % t->nodes && t->nodes % packages)
		return refuse(why, why_len,
			      "%u packages on %u nodes: one must divide the other",
			      packages, t->nodes);
	return true;
}
