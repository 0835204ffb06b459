// SPDX-License-Identifier: GPL-2.0-only
/* ktstr list: what comes with ktstr. */
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/path.h"
#include "runner/builtin.h"
#include "runner/cmd.h"
#include "runner/diag.h"
#include "runner/scenario.h"

static void help(FILE *to)
{
	fputs("usage: ktstr list\n\n"
	      "Lists the scenarios that come with ktstr and its builtin schedulers.\n",
	      to);
}

static int is_toml(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && entry->d_name[0] != '.' &&
	       !strcmp(entry->d_name + len - 5, ".toml");
}

static void list_scenario(const char *path)
{
	struct scenario *s;
	struct diag d;

	diag_init(&d, path);
	if (scenario_load(path, NULL, &s, &d)) {
		printf("  %-24s can't be used: %s\n", path,
		       d.nr ? d.entries[0].message : "out of memory");
	} else {
		printf("  %-24s %s\n  %-24s %s\n", s->name,
		       s->description ? s->description : "", "", path);
		scenario_free(s);
	}
	diag_fini(&d);
}

static void list_scenarios(void)
{
	char *dir = data_path("scenarios"), *path;
	struct dirent **entries;
	int i, nr = dir ? scandir(dir, &entries, is_toml, alphasort) : -1;

	puts("scenarios:");
	if (nr < 0)
		puts("  (their folder was not found; KTSTR_DATA_DIR names its parent)");
	for (i = 0; i < nr; i++) {
		path = path_join(dir, entries[i]->d_name);
		if (path)
			list_scenario(path);
		free(path);
		free(entries[i]);
	}
	if (nr >= 0)
		free(entries);
	free(dir);
}

static void list_schedulers(const char *title, bool fault)
{
	const struct builtin *b;

	printf("\n%s:\n", title);
	for (b = builtins; b->name; b++)
		if (b->fault == fault)
			printf("  %-24s %s\n", b->name, b->about);
}

int cmd_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c = getopt_long(argc, argv, "h", options, NULL);

	if (c == 'h') {
		help(stdout);
		return 0;
	}
	if (c != -1 || optind < argc) {
		if (c == -1)
			fprintf(stderr, "ktstr list: it takes no \"%s\"\n",
				argv[optind]);
		fputs("    hint: see `ktstr list --help`\n", stderr);
		return KTSTR_EXIT_USAGE;
	}
	list_scenarios();
	list_schedulers("builtin schedulers", false);
	printf("  %-24s %s\n", "none", "the kernel's default");
	list_schedulers("planted faults, to be caught", true);
	return 0;
}
