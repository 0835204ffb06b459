// SPDX-License-Identifier: GPL-2.0-only
/* ktstr replay RUN: the same scenario, kernel, scheduler and seeds again. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "runner/cmd.h"
#include "runner/launch.h"
#include "runner/replay.h"
#include "runner/run.h"
#include "runner/run_opts.h"

enum { OPT_KERNEL = 256, OPT_SCHEDULER, OPT_OUT, OPT_JSON, OPT_ACCEL,
       OPT_IMAGES };

static const struct option options[] = {
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "scheduler", required_argument, NULL, OPT_SCHEDULER },
	{ "images", no_argument, NULL, OPT_IMAGES },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "accel", required_argument, NULL, OPT_ACCEL },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void help(FILE *to)
{
	fputs("usage: ktstr replay [OPTION...] RUN\n\n"
	      "Does a run again: scenario, kernel, scheduler and seed are those of the run\n"
	      "directory RUN, or of the bundle in it. What has changed since is an error\n"
	      "that says what.\n\n"
	      "      --kernel K       another kernel instead, whatever its hash\n"
	      "      --scheduler S    another scheduler instead; drops [scheduler] set\n"
	      "      --images         disks' images as they are now\n"
	      "      --out DIR        run directory; default ktstr-results/TIME-NAME-ID\n"
	      "      --json FILE|-    result.json there too\n"
	      "      --accel A        auto, kvm or emulated\n"
	      "  -q, --quiet          no progress, one line\n"
	      "  -v, --verbose        list automatic checks too, log more\n"
	      "  -h, --help           this\n\n"
	      "Exits as `ktstr run` does; 2 where the run can't be done again.\n",
	      to);
}

static bool take(struct run_opts *opts, int c, const char *arg)
{
	switch (c) {
	case OPT_KERNEL:
		opts->kernel = arg;
		return true;
	case OPT_SCHEDULER:
		opts->scheduler = arg;
		return true;
	case OPT_OUT:
		opts->out = arg;
		return true;
	case OPT_JSON:
		opts->json = arg;
		return true;
	case OPT_ACCEL:
		return run_opts_accel(arg, &opts->accel);
	case 'q':
		opts->quiet = true;
		return true;
	case 'v':
		opts->verbose = true;
		return true;
	default:
		fputs("    hint: see `ktstr replay --help`\n", stderr);
		return false;
	}
}

/* What the user did not replace is the run's. */
static void fill(const struct replay_run *run, struct run_opts *opts,
		 struct replay *want)
{
	if (!opts->kernel) {
		opts->kernel = run->kernel_path;
		want->kernel_hash = run->kernel_hash;
	}
	if (!opts->scheduler) {
		want->scheduler_hash = run->scheduler_hash;
		want->object = run->object;
	}
	opts->transport = run->transport;
	opts->replay = want;
	opts->control = run->control;
	opts->boots = run->nr_seeds;
	opts->has_seed = true;
	opts->seed = run->seeds[0];
	opts->seeds = run->seeds;
}

int cmd_replay_with(const struct run_ops *ops, int argc, char **argv,
		    FILE *out)
{
	struct run_opts opts = { .boots = 1 };
	bool any_images = false;
	struct replay want = { 0 };
	struct replay_run run;
	char why[512];
	char *paths[2];
	int c, code;

	optind = 0;
	while ((c = getopt_long(argc, argv, "qvh", options, NULL)) != -1) {
		if (c == 'h') {
			help(out);
			return 0;
		}
		if (c == OPT_IMAGES)
			any_images = true;
		else if (!take(&opts, c, optarg))
			return KTSTR_EXIT_USAGE;
	}
	if (argc - optind != 1) {
		help(stderr);
		return KTSTR_EXIT_USAGE;
	}
	if (replay_open(argv[optind], &run, why, sizeof(why))) {
		fprintf(stderr, "ktstr replay: %s\n", why);
		return KTSTR_EXIT_USAGE;
	}
	if (!any_images && !replay_check_images(&run, why, sizeof(why))) {
		fprintf(stderr, "ktstr replay: %s\n", why);
		replay_close(&run);
		return KTSTR_EXIT_USAGE;
	}
	fill(&run, &opts, &want);
	paths[0] = argv[0];
	paths[1] = run.scenario;
	opts.first_path = 1;
	code = cmd_run_opts(ops, &opts, 2, paths, out);
	if (code != KTSTR_EXIT_USAGE && !opts.quiet)
		fprintf(stderr, "ktstr replay: that run's verdict was %s\n",
			run.verdict ? run.verdict : "not told");
	replay_close(&run);
	return code;
}
