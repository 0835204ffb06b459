// SPDX-License-Identifier: GPL-2.0-only
#include "lib/hist.h"

#include <check.h>
#include <stdlib.h>

#include "lib/test_run.h"

START_TEST(every_value_lies_in_its_bucket)
{
	uint64_t v;
	int shift;

	for (shift = 0; shift < 41; shift++) {
		for (v = (1ull << shift) - 1; v <= (1ull << shift) + 1; v++) {
			unsigned int i = hist_index(v);

			ck_assert_uint_le(v, hist_upper_ns(i));
			if (i)
				ck_assert_uint_gt(v, hist_upper_ns(i - 1));
			/* relative width at most 1/32 */
			ck_assert_uint_le(hist_upper_ns(i) - v, v / 32);
		}
	}
	ck_assert_uint_eq(KTSTR_HIST_BUCKETS - 1, hist_index(UINT64_MAX));
}
END_TEST

START_TEST(quantiles_need_enough_samples)
{
	struct ktstr_hist h = { 0 };
	uint64_t ns = 7;
	int i;

	for (i = 1; i <= 999; i++)
		hist_add(&h, i * 1000);
	ck_assert(!hist_quantile(&h, 990000, &ns));
	ck_assert_uint_eq(7, ns);
	hist_add(&h, 1000 * 1000);
	ck_assert(hist_quantile(&h, 990000, &ns));
	ck_assert_uint_ge(ns, 990000);
	ck_assert_uint_le(ns, 990000 + 990000 / 32);
	ck_assert(hist_quantile(&h, 500000, &ns));
	ck_assert_uint_ge(ns, 500000);
	ck_assert_uint_le(ns, 500000 + 500000 / 32);
	ck_assert(hist_quantile(&h, 1000000, &ns));
	ck_assert_uint_eq(1000000, ns);
}
END_TEST

START_TEST(merge_saturates_and_counts_buckets)
{
	struct ktstr_hist a = { 0 }, b = { 0 };

	hist_add(&a, 5);
	b.buckets[5] = UINT32_MAX;
	b.count = 3; /* torn or a lie */
	b.sum_ns = UINT64_MAX;
	hist_merge(&a, &b);
	ck_assert_uint_eq(UINT32_MAX, a.buckets[5]);
	ck_assert_uint_eq(UINT32_MAX, a.count);
	ck_assert_uint_eq(UINT64_MAX, a.sum_ns);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hist");
	TCase *tc = tcase_create("hist");

	tcase_add_test(tc, every_value_lies_in_its_bucket);
	tcase_add_test(tc, quantiles_need_enough_samples);
	tcase_add_test(tc, merge_saturates_and_counts_buckets);
	suite_add_tcase(s, tc);
	return test_run(s);
}
