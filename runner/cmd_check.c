// SPDX-License-Identifier: GPL-2.0-only
/* ktstr check: is this a scenario? */
#include <getopt.h>
#include <stdio.h>

#include "runner/cmd.h"
#include "runner/diag.h"
#include "runner/scenario.h"

static void help(FILE *to)
{
	fputs("usage: ktstr check FILE...\n\n"
	      "Parses scenarios and says what is wrong with them; starts nothing.\n"
	      "Exits with 0 when all are good, else with 2.\n",
	      to);
}

static bool check(const char *path)
{
	struct scenario *s;
	struct diag d;
	bool good;

	diag_init(&d, path);
	good = !scenario_load(path, NULL, &s, &d);
	if (good) {
		printf("%s: ok: %s, %u CPUs, %u disks, %u workloads, %u phases, %u checks\n",
		       path, s->name, s->vm.topology.cpus, s->nr_disks,
		       s->nr_workloads, s->nr_phases, s->nr_checks);
		scenario_free(s);
	} else {
		diag_print(&d, stderr);
	}
	diag_fini(&d);
	return good;
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			help(stdout);
			return 0;
		}
		fputs("    hint: see `ktstr check --help`\n", stderr);
		return KTSTR_EXIT_USAGE;
	}
	if (optind == argc) {
		help(stderr);
		return KTSTR_EXIT_USAGE;
	}
	for (; optind < argc; optind++)
		good &= check(argv[optind]);
	return good ? 0 : KTSTR_EXIT_USAGE;
}
