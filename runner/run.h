/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One run from a scenario to a written result. The launcher comes through an
 * ops struct, so that all of it can be tested without a VM.
 */
#ifndef KTSTR_RUNNER_RUN_H
#define KTSTR_RUNNER_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "runner/judge.h"
#include "runner/launch.h"

struct run_opts;
struct scenario;

/* As launch_prepare() and launch_run(). */
struct run_ops {
	void (*prepare)(const struct launch_opts *opts, json_t *plan,
			struct launch_result *res);
	void (*run)(const struct launch_opts *opts, json_t *plan,
		    struct launch_result *res, json_t **facts);
};

struct run_end {
	enum verdict verdict;
	bool usage;		/* no verdict: the scenario can't be run */
	bool no_compile;	/* that, since its scheduler does not compile */
	bool host_unfit;	/* no scenario could be run on this host */
	int signal;		/* stopped by it; 0: not */
	json_t *result;		/* owned; NULL: none */
};

/**
 * run_scenario() - run it once
 * @several: more runs come: --out holds a directory for each
 * @out: where the report goes; NULL: nowhere
 * @end: result for json_decref()
 *
 * Writes scenario.toml and result.json into a new run directory, whatever
 * ends the run, but for a scenario that can't be run at all.
 */
void run_scenario(const struct run_ops *ops, const struct run_opts *opts,
		  const struct scenario *s, uint64_t seed, bool several,
		  FILE *out, struct run_end *end);

/**
 * run_controlled() - run it in turns with its control, as one run
 * @seeds: of each pair of boots, @nr of them; the first decides who begins
 *
 * The control is the same scenario under the kernel's default scheduler.
 */
void run_controlled(const struct run_ops *ops, const struct run_opts *opts,
		    const struct scenario *s, const uint64_t *seeds,
		    unsigned int nr, bool several, FILE *out,
		    struct run_end *end);

/** cmd_run_with() - cmd_run() with a launcher of the caller's and a stdout */
int cmd_run_with(const struct run_ops *ops, int argc, char **argv, FILE *out);

/** cmd_run_opts() - the same with options that were parsed before */
int cmd_run_opts(const struct run_ops *ops, struct run_opts *opts, int argc,
		 char **argv, FILE *out);

/** cmd_replay_with() - likewise cmd_replay() */
int cmd_replay_with(const struct run_ops *ops, int argc, char **argv,
		    FILE *out);

#endif
