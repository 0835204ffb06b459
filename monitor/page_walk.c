// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/page_walk.h"

#include <errno.h>
#include <stddef.h>

#define PTE_PRESENT (1ull << 0)
#define PTE_LARGE (1ull << 7) /* PS; in a last-level entry it is PAT */
#define PTE_ADDR_MASK 0x000ffffffffff000ull

#define PAGE_SHIFT 12
#define LEVEL_BITS 9
#define LEVEL_MASK ((1u << LEVEL_BITS) - 1)

/* Levels count from 1, the table that maps 4 KiB pages. */
static unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + LEVEL_BITS * (level - 1);
}

static bool level_may_be_large(unsigned int level)
{
	return level == 2 || level == 3;
}

bool page_walk_canonical(const struct page_walk *w, uint64_t va)
{
	unsigned int top = level_shift(w->levels + 1) - 1;

	return va >> top == UINT64_MAX >> top;
}

int page_walk_translate(const struct page_walk *w, uint64_t va, uint64_t *gpa)
{
	uint64_t table = w->root_gpa;
	unsigned int level;

	if (!page_walk_canonical(w, va))
		return -EFAULT;

	for (level = w->levels; level >= 1; level--) {
		unsigned int shift = level_shift(level);
		uint64_t offset_mask = (1ull << shift) - 1;
		const uint64_t *entries, *slot;
		uint64_t pte;

		entries = guest_mem_hva(w->mem, table, PW_PAGE_SIZE);
		if (!entries)
			return -EFAULT;
		slot = &entries[(va >> shift) & LEVEL_MASK];
		/*
		 * Relaxed: the guest may change the entry at any time, and what
		 * is read through it is checked on its own.
		 */
		pte = __atomic_load_n(slot, __ATOMIC_RELAXED);
		if (!(pte & PTE_PRESENT))
			return -EFAULT;

		table = pte & PTE_ADDR_MASK;
		if (level == 1 ||
		    (level_may_be_large(level) && (pte & PTE_LARGE))) {
			/* Bit 12 of a large page's entry is PAT, not address */
			*gpa = (table & ~offset_mask) | (va & offset_mask);
			return 0;
		}
		if (pte & PTE_LARGE)
			return -EFAULT;
	}
	return -EFAULT;
}
