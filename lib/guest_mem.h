/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest-physical memory through an interface: the VMM provides it for a live
 * VM, a test provides it over a plain buffer or a memory file.
 */
#ifndef KTSTR_LIB_GUEST_MEM_H
#define KTSTR_LIB_GUEST_MEM_H

#include <stddef.h>
#include <stdint.h>

struct guest_mem_region {
	uint64_t gpa;
	uint64_t len_bytes;
	void *hva;
};

#define GUEST_MEM_MAX_REGIONS 4

/* Regions ascend and do not overlap. The memory is borrowed. */
struct guest_mem {
	struct guest_mem_region regions[GUEST_MEM_MAX_REGIONS];
	unsigned int nr;
};

/**
 * guest_mem_hva() - host address of [@gpa, @gpa + @len)
 *
 * Return: the address, or NULL when any byte lies outside RAM, the range
 * crosses a hole, or gpa + len wraps. A @len of 0 needs @gpa inside RAM.
 */
static inline void *guest_mem_hva(const struct guest_mem *m, uint64_t gpa,
				  uint64_t len)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++) {
		const struct guest_mem_region *r = &m->regions[i];

		if (gpa < r->gpa || gpa - r->gpa >= r->len_bytes)
			continue;
		if (len > r->len_bytes - (gpa - r->gpa))
			return NULL;
		return (char *)r->hva + (gpa - r->gpa);
	}
	return NULL;
}

#endif
