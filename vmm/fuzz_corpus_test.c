// SPDX-License-Identifier: GPL-2.0-only
/* The fuzz targets as plain tests: committed inputs, and changes of them. */
#include "vmm/fuzz/fuzz.h"

#include "lib/fuzz_corpus.h"
#include "lib/test_run.h"

static const struct fuzz_target targets[] = {
	{ "chain", fuzz_chain },
	{ "mmio", fuzz_mmio },
	{ "pci", fuzz_pci },
	{ "console", fuzz_console },
	{ "frame", fuzz_frame },
	{ "limiter", fuzz_limiter },
	{ "blk_req", fuzz_blk_req },
	{ "image", fuzz_image },
};

#define NR_TARGETS (int)(sizeof(targets) / sizeof(targets[0]))

START_TEST(what_must_hold_holds_for_hostile_input)
{
	fuzz_run_corpus(&targets[_i], "vmm/fuzz/corpus");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fuzz_corpus");
	TCase *tc = tcase_create("fuzz_corpus");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, what_must_hold_holds_for_hostile_input, 0,
			    NR_TARGETS);
	suite_add_tcase(s, tc);
	return test_run(s);
}
