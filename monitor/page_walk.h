/* SPDX-License-Identifier: GPL-2.0-only */
/* The x86-64 page walk over guest memory; kmem.c calls it. */
#ifndef KTSTR_MONITOR_PAGE_WALK_H
#define KTSTR_MONITOR_PAGE_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/guest_mem.h"

#define PW_PAGE_SIZE 4096u

struct page_walk {
	const struct guest_mem *mem;	/* borrowed */
	uint64_t root_gpa;		/* top-level table */
	unsigned int levels;		/* 4 or 5 */
};

/**
 * page_walk_canonical() - is @va a canonical address of the kernel's half?
 *
 * User addresses are refused: nothing the monitor follows may live there.
 */
bool page_walk_canonical(const struct page_walk *w, uint64_t va);

/**
 * page_walk_translate() - guest-virtual to guest-physical
 * @va: kernel virtual address
 * @gpa: the byte's address, written on success
 *
 * Entries are read live, each with one load; at most @w->levels of them. Pages
 * of 4 KiB, 2 MiB and 1 GiB. The result may lie outside RAM.
 *
 * Return: 0; -EFAULT for a bad address, an entry that is not present or has
 * reserved bits set, or a table outside RAM.
 * Source: Intel SDM volume 3, 5.5 (4-level and 5-level paging).
 */
int page_walk_translate(const struct page_walk *w, uint64_t va, uint64_t *gpa);

/**
 * page_walk_page() - page_walk_translate(), and how large the page is
 * @bytes: of the page that @va is on: 4 KiB, 2 MiB or 1 GiB; @va and @gpa lie
 *         at the same place of it. Written on success.
 */
int page_walk_page(const struct page_walk *w, uint64_t va, uint64_t *gpa,
		   uint64_t *bytes);

/**
 * page_walk_count() - 4 KiB pages that are mapped in [@va, @va + @nr pages)
 * @skip_gpa: a page that is not to be counted, or UINT64_MAX
 *
 * A table that is not there is stepped over in one go.
 */
uint64_t page_walk_count(const struct page_walk *w, uint64_t va, uint64_t nr,
			 uint64_t skip_gpa);

#endif
