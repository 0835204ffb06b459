// SPDX-License-Identifier: GPL-2.0-only
/*
 * ktstr as a kselftest: a good scheduler passes the default scenario, and one
 * with a planted fault is caught.
 *
 * Exits with 0, 1, or 4 (skip) and nothing else. $KTSTR is the command, by
 * default "ktstr" of the PATH; $KTSTR_SCENARIO the scenario, by default
 * throttled-reader.toml beside the program or in ../scenarios.
 */
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"

#define SCENARIO "throttled-reader.toml"

/* Exit statuses of `ktstr run`. */
enum { KTSTR_PASS, KTSTR_FAIL, KTSTR_SKIP = 4, KTSTR_INCONCLUSIVE };

static const struct boot {
	const char *name;
	const char *scheduler;	/* words of the command line */
	int wanted;		/* exit status */
	const char *says;	/* what its last line must hold */
} boots[] = {
	{ "a good scheduler passes the default scenario", "simple",
	  KTSTR_PASS, "PASS" },
	{ "a scheduler that starves a worker is caught", "starve_one",
	  KTSTR_FAIL, "worker" },
};

static char dir[PATH_MAX]; /* the runs', gone if all is well */

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

/* The shell gets paths by its environment, so that none needs quoting. */
static bool set_up(void)
{
	const char *scenario = access(SCENARIO, R_OK) ?
		"../scenarios/" SCENARIO : SCENARIO;
	const char *tmp = getenv("TMPDIR");

	if (snprintf(dir, sizeof(dir), "%s/ktstr-kselftest-XXXXXX",
		     tmp && *tmp ? tmp : "/tmp") >= (int)sizeof(dir))
		return false;
	if (setenv("KTSTR", "ktstr", false) ||
	    setenv("KTSTR_SCENARIO", scenario, false) ||
	    !mkdtemp(dir) || setenv("KTSTR_OUT", dir, true))
		return false;
	return !access(getenv("KTSTR_SCENARIO"), R_OK);
}

/* Return: ktstr's exit status, -1 if it has none; @last is its last line. */
static int run_ktstr(const struct boot *b, char *last, size_t len)
{
	static const char command[] =
		"exec \"$KTSTR\" run -q --out \"$KTSTR_OUT/$KTSTR_SCHEDULER\""
		" --scheduler \"$KTSTR_SCHEDULER\" \"$KTSTR_SCENARIO\" 2>&1";
	char line[1024];
	int status;
	FILE *p;

	*last = '\0';
	if (setenv("KTSTR_SCHEDULER", b->scheduler, true))
		return -1;
	fflush(stdout);
	p = popen(command, "r");
	if (!p)
		return -1;
	while (fgets(line, sizeof(line), p)) {
		line[strcspn(line, "\n")] = '\0';
		ksft_print_msg("%s\n", line);
		snprintf(last, len, "%s", line);
	}
	status = pclose(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Return: whether it was skipped */
static bool test_boot(const struct boot *b)
{
	char last[1024];
	int status = run_ktstr(b, last, sizeof(last));

	if (status == KTSTR_SKIP || status == KTSTR_INCONCLUSIVE) {
		ksft_test_result_skip("%s: %s\n", b->name, last);
		return true;
	}
	if (status != b->wanted)
		ksft_print_msg("ktstr exited with %d, wanted %d\n", status,
			       b->wanted);
	else if (!strstr(last, b->says))
		ksft_print_msg("ktstr does not say \"%s\"\n", b->says);
	ksft_test_result(status == b->wanted && strstr(last, b->says), "%s\n",
			 b->name);
	return false;
}

int main(void)
{
	bool skipped = false;
	size_t i;

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(boots));
	if (!set_up())
		ksft_exit_fail_msg("no scenario: set KTSTR_SCENARIO\n");
	for (i = 0; i < ARRAY_SIZE(boots); i++)
		skipped |= test_boot(&boots[i]);
	if (ksft_get_fail_cnt()) {
		ksft_print_msg("the run directories are in %s\n", dir);
		ksft_exit_fail();
	}
	if (nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS))
		ksft_perror(dir);
	if (!skipped)
		ksft_exit_pass();
	ksft_print_cnts();
	return KSFT_SKIP;
}
