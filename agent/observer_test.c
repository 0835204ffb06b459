// SPDX-License-Identifier: GPL-2.0-only
#include "agent/observer.h"

#include "bpf/observers/obs_hist.h"
#include "lib/hist.h"
#include "lib/test_run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(programs_and_host_have_the_same_buckets)
{
	uint64_t ns;
	int shift;

	for (ns = 0; ns < 5000; ns++)
		ck_assert_uint_eq(hist_index(ns), obs_hist_index(ns));
	for (shift = 12; shift < 64; shift++) {
		ns = 1ull << shift;
		ck_assert_uint_eq(hist_index(ns - 1), obs_hist_index(ns - 1));
		ck_assert_uint_eq(hist_index(ns), obs_hist_index(ns));
		ck_assert_uint_eq(hist_index(ns | ns >> 3),
				  obs_hist_index(ns | ns >> 3));
	}
	ck_assert_uint_eq(hist_index(UINT64_MAX), obs_hist_index(UINT64_MAX));
}
END_TEST

START_TEST(programs_add_what_the_host_would)
{
	struct ktstr_hist *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	uint64_t ns;

	for (ns = 1; ns < 1ull << 45; ns = ns * 5 / 3 + 1) {
		hist_add(a, ns);
		obs_hist_add(b, ns);
	}
	ck_assert_mem_eq(a, b, sizeof(*a));
	free(a);
	free(b);
}
END_TEST

static const struct {
	const char *log, *says;
} logs[] = {
	{ "", "" },
	{ "R1 invalid mem access 'scalar'\nprocessed 12 insns (limit 1000000)\n",
	  "R1 invalid mem access 'scalar'" },
	{ "0: (85) call x\nunknown func x#9\nverification time 3 usec\nstack depth 0\nprocessed 1 insns\n\n",
	  "unknown func x#9" },
	{ "one line only", "one line only" },
	{ "processed 3 insns", "" },
};

START_TEST(the_verifier_s_reason_is_its_last_line_but_counts)
{
	char line[64];

	observer_verifier_says(logs[_i].log, line, sizeof(line));
	ck_assert_str_eq(logs[_i].says, line);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("observer");
	TCase *tc = tcase_create("observer");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, programs_and_host_have_the_same_buckets);
	tcase_add_test(tc, programs_add_what_the_host_would);
	tcase_add_loop_test(tc,
			    the_verifier_s_reason_is_its_last_line_but_counts,
			    0, sizeof(logs) / sizeof(logs[0]));
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
