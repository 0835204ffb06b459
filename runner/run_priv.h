/* SPDX-License-Identifier: GPL-2.0-only */
/* One boot of a run, between run.c and run_control.c. */
#ifndef KTSTR_RUNNER_RUN_PRIV_H
#define KTSTR_RUNNER_RUN_PRIV_H

#include <sha256.h>

#include "runner/run.h"

/* What one boot holds while its run lasts. */
struct run {
	const struct run_ops *ops;
	const struct run_opts *opts;
	const struct scenario *scenario;
	char *dir;			/* owned */
	char hash[SHA256_DIGEST_STRING_LENGTH];	/* of the resolved scenario */
	json_t *plan, *checks, *facts;	/* owned */
	json_t *control;		/* owned; of the result; NULL: none */
	const struct judge_arms *arms;	/* borrowed; NULL: no control */
	struct launch_result launched;
	struct judgement judgement;
};

/** run_fill() - plan and checks, and scenario.toml in dir. 0 or -errno. */
int run_fill(struct run *r, uint64_t seed);

/** run_launch() - prepare and run it: fills launched and facts */
void run_launch(struct run *r);

/** run_judge() - what its facts and the launcher's status come to */
void run_judge(struct run *r);

/** run_decide() - set the verdict, whatever the checks say */
__attribute__((format(printf, 3, 4)))
void run_decide(struct run *r, enum verdict v, const char *fmt, ...);

/** run_say_usage() - the launcher can't run it: say so, and leave nothing */
void run_say_usage(const struct run *r, const char *dir, struct run_end *end);

/** run_finish() - write result.json, print the report, fill @end */
void run_finish(struct run *r, FILE *out, struct run_end *end);

void run_fini(struct run *r);

#endif
