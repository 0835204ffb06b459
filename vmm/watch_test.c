// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/watch.h"

#include <linux/kvm.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/test_run.h"

static const struct {
	uint64_t gva;
	unsigned int len;
	int err;
	uint64_t dr7;
} cases[] = {
	{ 0xffffffff81000003, 1, 0, 0x10402 },
	{ 0xffffffff81000002, 2, 0, 0x50402 },
	{ 0xffffffff81000004, 4, 0, 0xd0402 },
	{ 0xffffffff81000008, 8, 0, 0x90402 },
	{ 0xffffffff81000002, 4, -EINVAL, 0 },
	{ 0xffffffff81000004, 8, -EINVAL, 0 },
	{ 0xffffffff81000000, 3, -EINVAL, 0 },
	{ 0xffffffff81000000, 16, -EINVAL, 0 },
};

START_TEST(a_write_to_exactly_these_bytes_is_watched)
{
	struct kvm_guest_debug dbg;

	ck_assert_int_eq(cases[_i].err, watch_fill(cases[_i].gva, cases[_i].len,
						   &dbg));
	if (cases[_i].err) {
		ck_assert_uint_eq(0, dbg.control);
		return;
	}
	ck_assert_uint_eq(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
			  dbg.control);
	ck_assert_uint_eq(cases[_i].gva, dbg.arch.debugreg[0]);
	ck_assert_uint_eq(cases[_i].dr7, dbg.arch.debugreg[7]);
}
END_TEST

START_TEST(no_length_watches_nothing)
{
	struct kvm_guest_debug dbg;

	ck_assert_int_eq(0, watch_fill(0x1000, 0, &dbg));
	ck_assert_uint_eq(0, dbg.control);
	ck_assert_uint_eq(0, dbg.arch.debugreg[7]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tc = tcase_create("watch");

	tcase_set_timeout(tc, 10);
	tcase_add_loop_test(tc, a_write_to_exactly_these_bytes_is_watched, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, no_length_watches_nothing);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
