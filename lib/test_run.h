/* SPDX-License-Identifier: GPL-2.0-only */
/* What main() of every libcheck program ends with. Tests only. */
#ifndef KTSTR_LIB_TEST_RUN_H
#define KTSTR_LIB_TEST_RUN_H

#include <check.h>
#include <stdlib.h>

/**
 * test_run() - run all tests of a suite, and say how they went
 * @suite: taken over
 *
 * How much it says is by CK_VERBOSITY in the environment.
 *
 * Return: exit status for main().
 */
static inline int test_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
