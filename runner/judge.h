/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verdict of a run: a pure function of its plan, of what was to be
 * checked, and of the facts (docs/internals/session.md). Called by the run
 * command; reads no clock and no file.
 */
#ifndef KTSTR_RUNNER_JUDGE_H
#define KTSTR_RUNNER_JUDGE_H

#include <jansson.h>

/* Ascending: the worst of several is their maximum. */
enum verdict {
	VERDICT_SKIP,
	VERDICT_PASS,
	VERDICT_INCONCLUSIVE,
	VERDICT_FAIL,
	VERDICT_ERROR,
};

/** verdict_name() - "skip", "pass", ... as in result.json */
const char *verdict_name(enum verdict v);

#define JUDGE_REASON_LEN 512

struct judgement {
	enum verdict verdict;
	char reason[JUDGE_REASON_LEN];	/* one line */
	json_t *checks;			/* owned; checks[] of result.json */
};

/* What a scheduler is compared with. Borrowed. */
struct judge_arms {
	const json_t *tests;	/* facts of each boot */
	const json_t *controls;	/* likewise, in the same order */
	enum verdict verdict;	/* of the control's own conditions */
	const char *reason;
};

/**
 * judge() - judge one run
 * @plan: plan.json
 * @checks: of plan_checks_new(); its "ratios" are not looked at
 * @facts: facts.json; members that are absent make their checks inconclusive
 * @j: for judge_fini()
 *
 * Return: 0 or -ENOMEM.
 */
int judge(const json_t *plan, const json_t *checks, const json_t *facts,
	  struct judgement *j);

/**
 * judge_with_control() - likewise, with what "ratios" of @checks ask for
 * @arms: NULL: none was run, and each such check is inconclusive
 */
int judge_with_control(const json_t *plan, const json_t *checks,
		       const json_t *facts, const struct judge_arms *arms,
		       struct judgement *j);

void judge_fini(struct judgement *j);

#endif
