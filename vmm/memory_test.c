// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/memory.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/test_run.h"
#include "vmm/layout.h"

static const struct errmsg no_message;

static const struct {
	uint64_t bytes;
	uint64_t high;	/* bytes from 4 GiB on */
} layouts[] = {
	{ 128 * MIB, 0 },
	{ 3 * GIB, 0 },
	{ 3 * GIB + 2 * MIB, 2 * MIB },
	{ 4 * GIB, 1 * GIB },
	{ 16 * GIB, 13 * GIB },
};

START_TEST(ram_lies_on_both_sides_of_the_hole)
{
	uint64_t bytes = layouts[_i].bytes, high = layouts[_i].high;
	struct vm_memory m;
	const struct guest_mem_region *r = m.gm.regions;

	ck_assert_int_eq(0, vm_memory_init(&m, bytes, &no_message));
	ck_assert_uint_eq(high ? 2 : 1, m.gm.nr);
	ck_assert_uint_eq(0, r[0].gpa);
	ck_assert_uint_eq(bytes - high, r[0].len_bytes);
	if (high) {
		ck_assert_uint_eq(4 * GIB, r[1].gpa);
		ck_assert_uint_eq(high, r[1].len_bytes);
		ck_assert_ptr_eq((char *)r[0].hva + 3 * GIB, r[1].hva);
	}
	vm_memory_fini(&m);
}
END_TEST

START_TEST(the_last_bytes_of_16_gib_are_there)
{
	struct vm_memory m;
	char *last;

	ck_assert_int_eq(0, vm_memory_init(&m, 16 * GIB, &no_message));
	last = guest_mem_hva(&m.gm, 17 * GIB - 8, 8);
	ck_assert_ptr_eq((char *)m.base + 16 * GIB - 8, last);
	ck_assert_int_eq(0, *last);
	ck_assert_ptr_null(guest_mem_hva(&m.gm, 17 * GIB - 4, 8));
	ck_assert_ptr_null(guest_mem_hva(&m.gm, 3 * GIB, 8));
	vm_memory_fini(&m);
}
END_TEST

START_TEST(offsets_step_over_the_hole)
{
	ck_assert_uint_eq(3 * GIB - 1, vm_memory_gpa(3 * GIB - 1));
	ck_assert_uint_eq(4 * GIB, vm_memory_gpa(3 * GIB));
	ck_assert_uint_eq(17 * GIB - 1, vm_memory_gpa(16 * GIB - 1));
}
END_TEST

START_TEST(other_sizes_are_refused)
{
	static const uint64_t bad[] = {
		0, 126 * MIB, 128 * MIB + 1, 129 * MIB, 16 * GIB + 2 * MIB,
		UINT64_MAX,
	};
	struct vm_memory m;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert(!vm_memory_bytes_ok(bad[i]));
		ck_assert_int_eq(-EINVAL, vm_memory_init(&m, bad[i], &no_message));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("memory");
	TCase *tc = tcase_create("memory");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, ram_lies_on_both_sides_of_the_hole, 0,
			    sizeof(layouts) / sizeof(layouts[0]));
	tcase_add_test(tc, the_last_bytes_of_16_gib_are_there);
	tcase_add_test(tc, offsets_step_over_the_hole);
	tcase_add_test(tc, other_sizes_are_refused);
	suite_add_tcase(s, tc);
	return test_run(s);
}
