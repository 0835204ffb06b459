// SPDX-License-Identifier: GPL-2.0-only
#include "runner/facts_vcpu.h"

#include <stddef.h>
#include <string.h>

#include "vmm/vmm.h"

#define M(name, member) { name, offsetof(struct vm_vcpu_stats, member) }

static const struct {
	const char *name;
	size_t offset;
} members[] = {
	M("exits", exits),	   M("mmio", exits_mmio),
	M("io", exits_io),	   M("hlt", exits_hlt),
	M("intr", exits_intr),	   M("other", exits_other),
	M("run_ns", run_ns),	   M("wait_ns", wait_ns),
};

static uint64_t member_of(const struct vm_vcpu_stats *st, size_t offset)
{
	uint64_t v;

	memcpy(&v, (const char *)st + offset, sizeof(v));
	return v;
}

json_t *vcpus_json(const struct vm_vcpu_stats *from,
		   const struct vm_vcpu_stats *to, unsigned int nr)
{
	static const struct vm_vcpu_stats none;
	json_t *array = to ? json_array() : json_null();
	unsigned int i;
	size_t m;

	for (i = 0; to && i < nr; i++) {
		json_t *vcpu = json_object();

		for (m = 0; m < sizeof(members) / sizeof(members[0]); m++)
			json_object_set_new(
				vcpu, members[m].name,
				json_integer(member_of(&to[i],
						       members[m].offset) -
					     member_of(from ? &from[i] : &none,
						       members[m].offset)));
		json_array_append_new(array, vcpu);
	}
	return array;
}
