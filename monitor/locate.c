// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/locate.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define START_KERNEL_MAP 0xffffffff80000000ull
#define KERNEL_IMAGE_BYTES (1ull << 30)
/* An image is moved in steps of CONFIG_PHYSICAL_ALIGN, 2 MiB at least. */
#define IMAGE_ALIGN (2ull << 20)
#define MAX_SCAN_STEPS (1u << 17)	/* 256 GiB of RAM */

static const char banner[] = "Linux version ";

struct candidate {
	struct kmem *km;
	const struct guest_mem *mem;
	const struct mon_guest_info *info;
	uint64_t phys_base;
};

static bool in_image(uint64_t kva)
{
	return kva - START_KERNEL_MAP < KERNEL_IMAGE_BYTES;
}

static uint64_t image_gpa(const struct candidate *c, enum mon_symbol sym)
{
	return c->info->sym[sym] - START_KERNEL_MAP + c->phys_base;
}

static bool reads_as(const struct candidate *c, enum mon_symbol sym,
		     const void *want, size_t len)
{
	const void *hva = guest_mem_hva(c->mem, image_gpa(c, sym), len);
	char seen[16];

	if (!hva || len > sizeof(seen))
		return false;
	guest_copy(seen, hva, len);
	return !memcmp(seen, want, len);
}

static bool candidate_fits(const struct candidate *c)
{
	uint64_t root = image_gpa(c, MON_SYM_INIT_TOP_PGT), gpa;
	unsigned int levels;

	if (!reads_as(c, MON_SYM_LINUX_BANNER, banner, sizeof(banner) - 1))
		return false;
	if (c->info->sym[MON_SYM_PHYS_BASE] &&
	    !reads_as(c, MON_SYM_PHYS_BASE, &c->phys_base,
		      sizeof(c->phys_base)))
		return false;
	if (root % PW_PAGE_SIZE)
		return false;

	/* Only one number of levels leads back; what was told may be wrong. */
	for (levels = 4; levels <= 5; levels++) {
		kmem_init(c->km, c->mem, root, levels);
		if (!page_walk_translate(&c->km->walk,
					 c->info->sym[MON_SYM_LINUX_BANNER],
					 &gpa) &&
		    gpa == image_gpa(c, MON_SYM_LINUX_BANNER))
			return true;
	}
	return false;
}

/* _text is at @kernel_code_phys, and somewhere at or below the banner. */
static bool try_code_phys(struct candidate *c)
{
	uint64_t code = c->info->kernel_code_phys, text;

	if (!code)
		return false;
	text = c->info->sym[MON_SYM_LINUX_BANNER] & ~(IMAGE_ALIGN - 1);
	for (; in_image(text); text -= IMAGE_ALIGN) {
		c->phys_base = code - (text - START_KERNEL_MAP);
		if (candidate_fits(c))
			return true;
	}
	return false;
}

static bool try_region(struct candidate *c, const struct guest_mem_region *r,
		       unsigned int *steps)
{
	uint64_t kva = c->info->sym[MON_SYM_LINUX_BANNER];
	uint64_t end = r->gpa + r->len_bytes;
	uint64_t gpa = r->gpa / IMAGE_ALIGN * IMAGE_ALIGN + kva % IMAGE_ALIGN;

	for (; gpa < end && *steps; gpa += IMAGE_ALIGN, --*steps) {
		c->phys_base = gpa - (kva - START_KERNEL_MAP);
		if (candidate_fits(c))
			return true;
	}
	return false;
}

int locate_kernel(struct kmem *km, const struct guest_mem *mem,
		  const struct mon_guest_info *info, uint64_t *phys_base)
{
	struct candidate c = { .km = km, .mem = mem, .info = info };
	unsigned int steps = MAX_SCAN_STEPS, i;
	bool found;

	if (!in_image(info->sym[MON_SYM_LINUX_BANNER]) ||
	    !in_image(info->sym[MON_SYM_INIT_TOP_PGT]))
		return -ENOENT;

	found = try_code_phys(&c);
	for (i = 0; i < mem->nr && !found; i++)
		found = try_region(&c, &mem->regions[i], &steps);
	if (!found)
		return -EPROTO;
	*phys_base = c.phys_base;
	return 0;
}
