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

/*
 * As page_walk_translate(). @slot: the entry that decided, or NULL where a
 * table could not be had; @level: its own.
 */
static int walk(const struct page_walk *w, uint64_t va, uint64_t *gpa,
		const uint64_t **slot, unsigned int *level)
{
	uint64_t table = w->root_gpa;

	*slot = NULL;
	*level = w->levels;
	if (!page_walk_canonical(w, va))
		return -EFAULT;

	for (; *level >= 1; --*level) {
		unsigned int shift = level_shift(*level);
		uint64_t offset_mask = (1ull << shift) - 1;
		const uint64_t *entries;
		uint64_t pte;

		entries = guest_mem_hva(w->mem, table, PW_PAGE_SIZE);
		if (!entries) {
			*slot = NULL;
			return -EFAULT;
		}
		*slot = &entries[(va >> shift) & LEVEL_MASK];
		/*
		 * Relaxed: the guest may change the entry at any time, and what
		 * is read through it is checked on its own.
		 */
		pte = __atomic_load_n(*slot, __ATOMIC_RELAXED);
		if (!(pte & PTE_PRESENT))
			return -EFAULT;

		table = pte & PTE_ADDR_MASK;
		if (*level == 1 ||
		    (level_may_be_large(*level) && (pte & PTE_LARGE))) {
			/* Bit 12 of a large page's entry is PAT, not address */
			*gpa = (table & ~offset_mask) | (va & offset_mask);
			return 0;
		}
		if (pte & PTE_LARGE)
			return -EFAULT;
	}
	return -EFAULT;
}

int page_walk_page(const struct page_walk *w, uint64_t va, uint64_t *gpa,
		   uint64_t *bytes)
{
	const uint64_t *slot;
	unsigned int level;
	int err;

	err = walk(w, va, gpa, &slot, &level);
	if (!err)
		*bytes = 1ull << level_shift(level);
	return err;
}

int page_walk_translate(const struct page_walk *w, uint64_t va, uint64_t *gpa)
{
	uint64_t bytes;

	return page_walk_page(w, va, gpa, &bytes);
}

uint64_t page_walk_count(const struct page_walk *w, uint64_t va, uint64_t nr,
			 uint64_t skip_gpa)
{
	uint64_t end = va + nr * PW_PAGE_SIZE, found = 0, gpa;
	unsigned int level;

	while (va < end) {
		uint64_t table_end = va | ((1ull << level_shift(2)) - 1), step;
		const uint64_t *slot;

		walk(w, va, &gpa, &slot, &level);
		if (!slot || level > 1) {
			/* A hole, or no table of such pages. */
			step = 1ull << level_shift(slot ? level : level + 1);
			va = (va | (step - 1)) + 1;
			if (!va)
				break;
			continue;
		}
		for (; va < end && va < table_end; va += PW_PAGE_SIZE, slot++) {
			uint64_t pte = __atomic_load_n(slot, __ATOMIC_RELAXED);

			found += (pte & PTE_PRESENT) &&
				 (pte & PTE_ADDR_MASK) != skip_gpa;
		}
	}
	return found;
}
