// SPDX-License-Identifier: GPL-2.0-only
/* The fuzz targets as plain tests: committed inputs, and changes of them. */
#include "runner/fuzz/fuzz.h"

#include "lib/fuzz_corpus.h"
#include "lib/test_run.h"

static const struct fuzz_target targets[] = {
	{ "scenario", fuzz_scenario },
	{ "agent", fuzz_agent },
	{ "progress", fuzz_progress },
};

#define NR_TARGETS (int)(sizeof(targets) / sizeof(targets[0]))

START_TEST(what_must_hold_holds_for_any_input)
{
	fuzz_run_corpus(&targets[_i], "runner/fuzz/corpus");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fuzz_corpus");
	TCase *tc = tcase_create("fuzz_corpus");

	tcase_set_timeout(tc, 200);
	tcase_add_loop_test(tc, what_must_hold_holds_for_any_input, 0,
			    NR_TARGETS);
	suite_add_tcase(s, tc);
	return test_run(s);
}
