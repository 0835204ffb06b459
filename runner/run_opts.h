/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of `ktstr run`. */
#ifndef KTSTR_RUNNER_RUN_OPTS_H
#define KTSTR_RUNNER_RUN_OPTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runner/launch.h"
#include "runner/scenario.h"

#define RUN_MAX_SETS 64

struct run_opts {
	const char *set[RUN_MAX_SETS + 1]; /* NULL-terminated */
	unsigned int nr_sets;
	char freeze_every[64];	/* its --set; "" */
	const char *scheduler;
	const char *kernel;
	const char *transport;	/* NULL: the default */
	const char *json;	/* file, or "-" */
	const char *junit;	/* file */
	const char *out;
	uint64_t boots;
	uint64_t seed;
	bool has_seed;
	const uint64_t *seeds;	/* of each boot, borrowed; NULL: seed, + 1, ... */
	const struct replay *replay; /* borrowed; NULL: not one */
	bool dry_run, print_config;
	bool control;
	bool quiet, verbose;
	bool ktap, git_bisect;
	enum launch_accel accel;
	struct status *status;	/* the command's; NULL: no live line */
	int first_path;		/* index in argv of the first scenario */
};

enum run_opts_status { RUN_OPTS_OK, RUN_OPTS_HELP, RUN_OPTS_BAD };

/**
 * run_opts_parse() - read the command line
 * @opts: borrows from @argv, which getopt reorders
 *
 * What is wrong is said on stderr. git_bisect is true also when it stands
 * behind what is wrong.
 */
enum run_opts_status run_opts_parse(int argc, char **argv,
				    struct run_opts *opts);

/** run_opts_accel() - the word of --accel. False: it was said. */
bool run_opts_accel(const char *text, enum launch_accel *a);

/** run_opts_transport() - likewise of --transport; @t borrows @text */
bool run_opts_transport(const char *text, const char **t);

void run_opts_help(FILE *to);

#endif
