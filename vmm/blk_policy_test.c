// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_policy.h"

#include <check.h>

#include "lib/test_run.h"

#define CAP BLK_RETRY_CAP_NS

START_TEST(retry_cap_is_one_second_s1)
{
	ck_assert_uint_eq(1000000000, BLK_RETRY_CAP_NS);
}
END_TEST

static const struct clamp_case {
	uint64_t ns, clamped;
} clamp_cases[] = {
	{ 0, 1 },	/* S2: 0 would disarm */
	{ 1, 1 },	/* S3 */
	{ 500000000, 500000000 },
	{ CAP - 1, CAP - 1 },
	{ CAP, CAP },
	{ CAP + 1, CAP }, /* S4 */
	{ UINT64_MAX, CAP },
};

START_TEST(clamp_s2_s3_s4)
{
	const struct clamp_case *c = &clamp_cases[_i];

	ck_assert_uint_eq(c->clamped, blk_clamp_wait(c->ns));
}
END_TEST

static void check_decision(enum blk_decision_kind kind, uint64_t wait_ns,
			   struct blk_outcome outcome)
{
	struct blk_decision d = blk_decide(outcome);

	ck_assert_int_eq(kind, d.kind);
	if (kind == BLK_SLEEP)
		ck_assert_uint_eq(wait_ns, d.wait_ns);
}

START_TEST(decide_s5_s6_s7)
{
	check_decision(BLK_CONTINUE, 0, BLK_DONE);
	check_decision(BLK_REDRAIN, 0, BLK_STALLED(0));
	check_decision(BLK_SLEEP, 1, BLK_STALLED(1));
	check_decision(BLK_SLEEP, 12345, BLK_STALLED(12345));
	check_decision(BLK_SLEEP, CAP, BLK_STALLED(CAP + 1));
	check_decision(BLK_SLEEP, CAP, BLK_STALLED(UINT64_MAX));
}
END_TEST

START_TEST(decide_is_pure_s8)
{
	const struct blk_outcome outcomes[] = {
		BLK_DONE, BLK_STALLED(0), BLK_STALLED(1), BLK_STALLED(12345),
		BLK_STALLED(UINT64_MAX),
	};
	const unsigned int nr = sizeof(outcomes) / sizeof(outcomes[0]);
	struct blk_decision first[5], again;
	unsigned int i, round;

	for (i = 0; i < nr; i++)
		first[i] = blk_decide(outcomes[i]);
	for (round = 0; round < 3; round++) {
		for (i = nr; i-- > 0;) {
			again = blk_decide(outcomes[i]);
			ck_assert_int_eq(first[i].kind, again.kind);
			ck_assert_uint_eq(first[i].wait_ns, again.wait_ns);
		}
	}
}
END_TEST

/* A second drain with one answer, which counts its calls. */
struct second {
	struct blk_outcome outcome;
	unsigned int calls;
};

static struct blk_outcome second_drain(void *ctx)
{
	struct second *s = ctx;

	s->calls++;
	return s->outcome;
}

static const struct resolve_case {
	struct blk_decision decision;
	struct blk_outcome second;
	unsigned int calls;
	struct blk_action action;
} resolve_cases[] = {
	/* S9, S10: the second drain, if it ran, would say otherwise */
	{ { BLK_CONTINUE, 0 }, { true, 7 }, 0, { false, 0 } },
	{ { BLK_SLEEP, 12345 }, { true, 7 }, 0, { true, 12345 } },
	{ { BLK_SLEEP, 12345 }, { false, 0 }, 0, { true, 12345 } },
	/* S11, S12 */
	{ { BLK_REDRAIN, 0 }, { false, 0 }, 1, { false, 0 } },
	/* S13 */
	{ { BLK_REDRAIN, 0 }, { true, 12345 }, 1, { true, 12345 } },
	{ { BLK_REDRAIN, 0 }, { true, CAP + 1 }, 1, { true, CAP } },
	{ { BLK_REDRAIN, 0 }, { true, UINT64_MAX }, 1, { true, CAP } },
	/* S14: never a third */
	{ { BLK_REDRAIN, 0 }, { true, 0 }, 1, { true, 1 } },
};

/* S15 is the type: struct blk_action sleeps or does not. */
START_TEST(resolve_s9_to_s15)
{
	const struct resolve_case *c = &resolve_cases[_i];
	struct second second = { .outcome = c->second };
	struct blk_action a = blk_resolve(c->decision, second_drain, &second);

	ck_assert_uint_eq(c->calls, second.calls);
	ck_assert_int_eq(c->action.sleep, a.sleep);
	ck_assert_uint_eq(c->action.wait_ns, a.wait_ns);
}
END_TEST

static const struct alarm_case {
	struct blk_action action;
	uint64_t due_ns, now_ns;
	struct blk_alarm alarm;
} alarm_cases[] = {
	{ { false, 0 }, UINT64_MAX, 1000, { false, 0 } },
	{ { true, 50 }, UINT64_MAX, 1000, { true, 1050 } },
	{ { false, 0 }, 1200, 1000, { true, 1200 } },
	/* the earlier of the two */
	{ { true, 50 }, 1200, 1000, { true, 1050 } },
	{ { true, 500 }, 1200, 1000, { true, 1200 } },
	/* S44: never at once, never disarmed, never beyond the cap */
	{ { false, 0 }, 1000, 1000, { true, 1001 } },
	{ { false, 0 }, 7, 1000, { true, 1001 } },
	{ { true, CAP }, 7, 1000, { true, 1001 } },
	{ { false, 0 }, 1000 + CAP, 1000, { true, 1000 + CAP } },
	{ { false, 0 }, 1001 + CAP, 1000, { true, 1000 + CAP } },
	{ { false, 0 }, UINT64_MAX - 1, 1000, { true, 1000 + CAP } },
};

START_TEST(alarm_is_the_earlier_of_retry_and_completion_s44_l7)
{
	const struct alarm_case *c = &alarm_cases[_i];
	struct blk_alarm a = blk_alarm_of(c->action, c->due_ns, c->now_ns);

	ck_assert_int_eq(c->alarm.set, a.set);
	ck_assert_uint_eq(c->alarm.at_ns, a.at_ns);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blk_policy");
	TCase *tc = tcase_create("blk_policy");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, retry_cap_is_one_second_s1);
	tcase_add_loop_test(tc, clamp_s2_s3_s4, 0,
			    sizeof(clamp_cases) / sizeof(clamp_cases[0]));
	tcase_add_test(tc, decide_s5_s6_s7);
	tcase_add_test(tc, decide_is_pure_s8);
	tcase_add_loop_test(tc, resolve_s9_to_s15, 0,
			    sizeof(resolve_cases) / sizeof(resolve_cases[0]));
	tcase_add_loop_test(
		tc, alarm_is_the_earlier_of_retry_and_completion_s44_l7, 0,
		sizeof(alarm_cases) / sizeof(alarm_cases[0]));
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
