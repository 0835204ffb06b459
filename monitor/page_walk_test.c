// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/page_walk.h"

#include <check.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/test_run.h"

#define RAM_BYTES (64u * PW_PAGE_SIZE)
#define RAM_GPA (16ull << 20)

#define P 0x1ull
#define PS 0x80ull
#define NX (1ull << 63)
#define PAT_LARGE (1ull << 12)
#define SOFT_BITS (0x7ffull << 52)	/* ignored and protection-key bits */

struct guest {
	struct guest_mem mem;
	struct page_walk walk;
	uint64_t next;
};

static void guest_init(struct guest *g, unsigned int levels)
{
	void *ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(ram, MAP_FAILED);
	memset(g, 0, sizeof(*g));
	g->mem.nr = 1;
	g->mem.regions[0] =
		(struct guest_mem_region){ RAM_GPA, RAM_BYTES, ram };
	g->walk = (struct page_walk){ &g->mem, RAM_GPA, levels };
	g->next = RAM_GPA + PW_PAGE_SIZE;
}

/*
 * Tables down to @level for @va, then @entry. Return: where the entry is.
 */
static uint64_t *map(struct guest *g, uint64_t va, unsigned int level,
		     uint64_t entry)
{
	uint64_t table = g->walk.root_gpa, *slot = NULL;
	unsigned int l;

	for (l = g->walk.levels; l >= level; l--) {
		slot = guest_mem_hva(&g->mem, table, PW_PAGE_SIZE);
		ck_assert_ptr_nonnull(slot);
		slot += va >> (12 + 9 * (l - 1)) & 511;
		if (l == level)
			break;
		if (!*slot) {
			*slot = g->next | P;
			g->next += PW_PAGE_SIZE;
		}
		table = *slot & 0x000ffffffffff000ull;
	}
	*slot = entry;
	return slot;
}

static const struct {
	const char *what;
	unsigned int levels, level;	/* of paging; of the last entry */
	uint64_t va, entry;
	int err;
	uint64_t gpa;
} cases[] = {
	{ "4 KiB", 4, 1, 0xffffc90000001234, 0x5555000 | P, 0, 0x5555234 },
	{ "4 KiB, five levels", 5, 1, 0xffa0000000001234, 0x5555000 | P, 0,
	  0x5555234 },
	{ "2 MiB", 4, 2, 0xffffffff81234567, 0x40000000 | P | PS, 0,
	  0x40034567 },
	{ "1 GiB", 5, 3, 0xff11000012345678, 0x80000000 | P | PS, 0,
	  0x92345678 },
	{ "bits that are no address", 4, 1, 0xffffc90000001000,
	  0x7000 | P | NX | SOFT_BITS, 0, 0x7000 },
	{ "PAT bit of 4 KiB is no size", 4, 1, 0xffffc90000001000,
	  0x7000 | P | PS, 0, 0x7000 },
	{ "PAT bit of 2 MiB is no address", 4, 2, 0xffffc90000000010,
	  0x200000 | P | PS | PAT_LARGE, 0, 0x200010 },
	{ "highest address bits", 4, 1, 0xffffc90000000000,
	  0x000ffffffffff000 | P, 0, 0x000ffffffffff000 },
	{ "last byte of the space", 4, 1, UINT64_MAX, 0x9000 | P, 0, 0x9fff },
	{ "not present", 4, 1, 0xffffc90000001000, 0x5555000, -EFAULT, 0 },
	{ "not present, large", 4, 2, 0xffffc90000001000, 0x200000 | PS,
	  -EFAULT, 0 },
	/* Followed as a table it would lead back to the root and on */
	{ "512 GiB pages do not exist", 5, 4, UINT64_MAX, RAM_GPA | P | PS,
	  -EFAULT, 0 },
	{ "large bit in the root", 4, 4, UINT64_MAX, RAM_GPA | P | PS, -EFAULT,
	  0 },
	{ "table outside RAM", 4, 2, 0xffffc90000000000, 0x123456000 | P,
	  -EFAULT, 0 },
	{ "table below RAM", 4, 3, 0xffffc90000000000, 0x1000 | P, -EFAULT, 0 },
};

START_TEST(addresses_translate_or_fault)
{
	uint64_t gpa = ~0ull;
	struct guest g;

	guest_init(&g, cases[_i].levels);
	map(&g, cases[_i].va, cases[_i].level, cases[_i].entry);
	ck_assert_msg(cases[_i].err ==
		      page_walk_translate(&g.walk, cases[_i].va, &gpa), "%s",
		      cases[_i].what);
	if (!cases[_i].err)
		ck_assert_msg(gpa == cases[_i].gpa, "%s: %#lx",
			      cases[_i].what, (unsigned long)gpa);
	else
		ck_assert_uint_eq(~0ull, gpa);
}
END_TEST

START_TEST(only_the_kernels_half_is_followed)
{
	static const struct {
		unsigned int levels;
		uint64_t va;
		bool ok;
	} vas[] = {
		{ 4, 0, false }, { 4, 0x7fffffffffff, false },
		{ 4, 0x0000800000000000, false },
		{ 4, 0xffff7fffffffffff, false },
		{ 4, 0xffff800000000000, true }, { 4, UINT64_MAX, true },
		{ 4, 0xff11000000000000, false },
		{ 5, 0xff11000000000000, true },
		{ 5, 0xff00000000000000, true },
		{ 5, 0xfeffffffffffffff, false },
		{ 5, 0x00ffffffffffffff, false },
	};
	struct guest g;
	size_t i;

	for (i = 0; i < sizeof(vas) / sizeof(vas[0]); i++) {
		guest_init(&g, vas[i].levels);
		ck_assert_msg(vas[i].ok ==
			      page_walk_canonical(&g.walk, vas[i].va),
			      "%#lx", (unsigned long)vas[i].va);
	}
}
END_TEST

/* The root in all its own slots: as deep as the levels go, and no deeper. */
START_TEST(tables_that_lead_back_to_themselves_end)
{
	struct guest g;
	uint64_t *root, gpa;
	unsigned int i;

	guest_init(&g, 5);
	root = guest_mem_hva(&g.mem, RAM_GPA, PW_PAGE_SIZE);
	for (i = 0; i < 512; i++)
		root[i] = RAM_GPA | P;
	ck_assert_int_eq(0, page_walk_translate(&g.walk, 0xff11000000000abc,
						&gpa));
	ck_assert_uint_eq(RAM_GPA + 0xabc, gpa);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("page_walk");
	TCase *t = tcase_create("page_walk");

	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, addresses_translate_or_fault, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, only_the_kernels_half_is_followed);
	tcase_add_test(t, tables_that_lead_back_to_themselves_end);
	suite_add_tcase(s, t);
	return test_run(s);
}
