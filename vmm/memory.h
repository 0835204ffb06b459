/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest RAM: anonymous host memory on both sides of the hole below 4 GiB. */
#ifndef KTSTR_VMM_MEMORY_H
#define KTSTR_VMM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/errmsg.h"
#include "lib/guest_mem.h"

#define VM_MEMORY_MIN (128ULL << 20)
#define VM_MEMORY_MAX (16ULL << 30)
#define VM_MEMORY_ALIGN (2ULL << 20)

/* One mapping; the regions of @gm point into it. */
struct vm_memory {
	struct guest_mem gm;
	void *base;		/* owned */
	uint64_t bytes;
};

/** vm_memory_bytes_ok() - may a VM have @bytes of RAM? */
bool vm_memory_bytes_ok(uint64_t bytes);

/**
 * vm_memory_init() - map zeroed RAM, not yet backed by pages
 *
 * Return: 0, -EINVAL, or -errno of mmap.
 */
int vm_memory_init(struct vm_memory *m, uint64_t bytes,
		   const struct errmsg *e);
void vm_memory_fini(struct vm_memory *m);

/**
 * vm_memory_gpa() - the address of the @offset'th byte of RAM
 *
 * RAM counted without the hole: NUMA nodes are cut from it in this order.
 */
uint64_t vm_memory_gpa(uint64_t offset);

#endif
