// SPDX-License-Identifier: GPL-2.0-only
/* The fuzz target of monitor/fuzz/ as a plain test: lib/fuzz_corpus.h. */
#include "lib/fuzz_corpus.h"
#include "lib/test_run.h"
#include "monitor/fuzz/fuzz.h"

#include <check.h>
#include <stdlib.h>

static const struct fuzz_target targets[] = {
	{ "reader", fuzz_reader },
};

START_TEST(inputs_of_the_corpus_and_changes_of_them)
{
	fuzz_run_corpus(&targets[_i], "monitor/fuzz/corpus");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fuzz_corpus");
	TCase *tc = tcase_create("fuzz_corpus");

	tcase_set_timeout(tc, 100);
	tcase_add_loop_test(tc, inputs_of_the_corpus_and_changes_of_them, 0,
			    sizeof(targets) / sizeof(targets[0]));
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
