// SPDX-License-Identifier: GPL-2.0-only
#include "runner/run_opts.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "runner/diag.h"
#include "runner/plan.h"

enum {
	OPT_KERNEL = 256,
	OPT_SCHEDULER,
	OPT_SET,
	OPT_SEED,
	OPT_JSON,
	OPT_OUT,
	OPT_KTAP,
	OPT_JUNIT,
	OPT_GIT_BISECT,
	OPT_ACCEL,
	OPT_TRANSPORT,
	OPT_DRY_RUN,
	OPT_PRINT_CONFIG,
	OPT_CONTROL,
	OPT_FREEZE_EVERY,
	OPT_LATER,
};

static const struct option options[] = {
	{ "boots", required_argument, NULL, 'n' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "scheduler", required_argument, NULL, OPT_SCHEDULER },
	{ "set", required_argument, NULL, OPT_SET },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "accel", required_argument, NULL, OPT_ACCEL },
	{ "transport", required_argument, NULL, OPT_TRANSPORT },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "print-config", no_argument, NULL, OPT_PRINT_CONFIG },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "ktap", no_argument, NULL, OPT_KTAP },
	{ "junit", required_argument, NULL, OPT_JUNIT },
	{ "control", no_argument, NULL, OPT_CONTROL },
	{ "freeze-every", required_argument, NULL, OPT_FREEZE_EVERY },
	{ "git-bisect", no_argument, NULL, OPT_GIT_BISECT },
	{ 0 },
};

void run_opts_help(FILE *to)
{
	fputs("usage: ktstr run [OPTION...] [SCENARIO|DIR...]\n\n"
	      "Boots a VM for each scenario, runs its load under its scheduler, judges it.\n"
	      "A DIR stands for the *.toml in it; without any, it is ./scenario.toml.\n\n"
	      "  -n, --boots N        run each scenario N times, each with its own verdict\n"
	      "      --kernel K       kernel image or folder; default: the fetched one\n"
	      "      --scheduler S    a builtin, a .bpf.o, a .bpf.c, or none for the\n"
	      "                       kernel's default; drops [scheduler] set\n"
	      "      --set KEY=VALUE  change the scenario: vm.memory=1G,\n"
	      "                       disk.NAME.throttle.iops=50\n"
	      "      --seed N         of everything random; default: a new one\n"
	      "      --accel A        auto, kvm or emulated\n"
	      "      --transport T    pci or mmio: how virtio devices are reached\n"
	      "      --json FILE|-    result.json there too; several runs make an array\n"
	      "      --ktap           KTAP on stdout instead of the report\n"
	      "      --junit FILE     JUnit XML there\n"
	      "      --git-bisect     exit codes for `git bisect run`: 125 for what can't be\n"
	      "                       judged, 129 where no revision could be\n"
	      "      --out DIR        run directory; default ktstr-results/TIME-NAME-ID\n"
	      "      --control        run the kernel's default scheduler as well, in turns;\n"
	      "                       ratios to it are judged over all -n boots\n"
	      "      --freeze-every T park the VM each T of a phase and look at all of it\n"
	      "      --dry-run        print the plan, start nothing\n"
	      "      --print-config   print the scenario with every default, start nothing\n"
	      "  -q, --quiet          no progress, one line for each run\n"
	      "  -v, --verbose        list automatic checks too, log more\n"
	      "  -h, --help           this\n\n"
	      "Exits with 0 pass, 1 fail, 2 usage or scenario error, 4 skip,\n"
	      "5 inconclusive, 6 error; of several runs the worst decides.\n",
	      to);
}

static bool number(const char *option, const char *text, uint64_t min,
		   uint64_t max, uint64_t *value)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno && n >= min &&
	    n <= max) {
		*value = n;
		return true;
	}
	fprintf(stderr, "ktstr run: %s %s: not a number from %llu to %llu\n",
		option, text, (unsigned long long)min,
		(unsigned long long)max);
	return false;
}

bool run_opts_accel(const char *text, enum launch_accel *a)
{
	static const char *const names[] = {
		[LAUNCH_ACCEL_AUTO] = "auto",
		[LAUNCH_ACCEL_KVM] = "kvm",
		[LAUNCH_ACCEL_EMULATED] = "emulated",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], text))
			continue;
		*a = i;
		return true;
	}
	fprintf(stderr,
		"ktstr: --accel %s: not one of auto, kvm, emulated\n",
		text);
	return false;
}

bool run_opts_transport(const char *text, const char **t)
{
	*t = text;
	if (plan_is_transport(text))
		return true;
	fprintf(stderr, "ktstr: --transport %s: not one of pci, mmio\n",
		text);
	return false;
}

static bool add_set(struct run_opts *opts, const char *text)
{
	if (opts->nr_sets == RUN_MAX_SETS) {
		fprintf(stderr, "ktstr run: more than %d --set\n",
			RUN_MAX_SETS);
		return false;
	}
	opts->set[opts->nr_sets++] = text;
	return true;
}

/* Short for a key of the scenario, which also says what T may be. */
static bool freeze_every(struct run_opts *opts, const char *text)
{
	int n = snprintf(opts->freeze_every, sizeof(opts->freeze_every),
			 "telemetry.freeze_every=%s", text);

	if (n < (int)sizeof(opts->freeze_every))
		return add_set(opts, opts->freeze_every);
	fprintf(stderr, "ktstr run: --freeze-every %s: not a time\n", text);
	return false;
}

static bool jobs(const char *text)
{
	uint64_t n;

	if (!number("-j", text, 1, 4096, &n))
		return false;
	if (n == 1)
		return true;
	fputs("ktstr run: -j with more than 1 is not supported yet\n", stderr);
	return false;
}

/* An option getopt_long() did not know; it has said so. */
static void unknown(const char *arg)
{
	const struct option *o;
	struct suggest near;

	if (strncmp(arg, "--", 2)) {
		fputs("    hint: see `ktstr run --help`\n", stderr);
		return;
	}
	suggest_init(&near, arg + 2);
	for (o = options; o->name; o++)
		if (o->val != OPT_LATER)
			suggest_offer(&near, o->name);
	if (near.best)
		fprintf(stderr, "    hint: did you mean --%s?\n", near.best);
	else
		fputs("    hint: see `ktstr run --help`\n", stderr);
}

static bool take(struct run_opts *opts, int c, const char *arg)
{
	switch (c) {
	case 'n':
		return number("-n", arg, 1, 100000, &opts->boots);
	case 'j':
		return jobs(arg);
	case 'q':
		opts->quiet = true;
		return true;
	case 'v':
		opts->verbose = true;
		return true;
	case OPT_KERNEL:
		opts->kernel = arg;
		return true;
	case OPT_SCHEDULER:
		opts->scheduler = arg;
		return true;
	case OPT_SET:
		return add_set(opts, arg);
	case OPT_SEED:
		opts->has_seed = true;
		return number("--seed", arg, 0, PLAN_SEED_MAX, &opts->seed);
	case OPT_JSON:
		opts->json = arg;
		return true;
	case OPT_KTAP:
		opts->ktap = true;
		return true;
	case OPT_JUNIT:
		opts->junit = arg;
		return true;
	case OPT_GIT_BISECT:
		opts->git_bisect = true;
		return true;
	case OPT_OUT:
		opts->out = arg;
		return true;
	case OPT_ACCEL:
		return run_opts_accel(arg, &opts->accel);
	case OPT_TRANSPORT:
		return run_opts_transport(arg, &opts->transport);
	case OPT_DRY_RUN:
		opts->dry_run = true;
		return true;
	case OPT_FREEZE_EVERY:
		return freeze_every(opts, arg);
	case OPT_CONTROL:
		opts->control = true;
		return true;
	case OPT_PRINT_CONFIG:
		opts->print_config = true;
		return true;
	default:
		return false;
	}
}

static bool are_consistent(const struct run_opts *opts)
{
	if (!opts->ktap || !opts->json || strcmp(opts->json, "-"))
		return true;
	fputs("ktstr run: --ktap and --json - both want stdout\n", stderr);
	return false;
}

/* git must see its own code for misuse, wherever the option stands. */
static bool asks_for_bisect(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--git-bisect"))
			return true;
	return false;
}

enum run_opts_status run_opts_parse(int argc, char **argv,
				    struct run_opts *opts)
{
	int c, index = 0, at;

	*opts = (struct run_opts){
		.boots = 1,
		.git_bisect = asks_for_bisect(argc, argv),
	};
	optind = 0; /* so that a test can parse twice */
	for (;;) {
		at = optind ? optind : 1;
		c = getopt_long(argc, argv, "n:j:qvh", options, &index);
		if (c == -1)
			break;
		if (c == 'h')
			return RUN_OPTS_HELP;
		if (c == OPT_LATER) {
			fprintf(stderr,
				"ktstr run: --%s is not supported yet\n",
				options[index].name);
			return RUN_OPTS_BAD;
		}
		if (c == '?') {
			unknown(argv[optind - 1] ? argv[optind - 1] :
						   argv[at]);
			return RUN_OPTS_BAD;
		}
		if (!take(opts, c, optarg))
			return RUN_OPTS_BAD;
	}
	opts->first_path = optind;
	return are_consistent(opts) ? RUN_OPTS_OK : RUN_OPTS_BAD;
}
