// SPDX-License-Identifier: GPL-2.0-only
/* The ktstr command: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "runner/cmd.h"
#include "runner/diag.h"
#include "runner/version.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* NULL: not built yet */
	const char *about;		   /* NULL: not for users */
} commands[] = {
	{ "run", cmd_run, "run scenarios and judge them" },
	{ "list", cmd_list, "the scenarios and schedulers that are there" },
	{ "check", cmd_check, "parse a scenario, and no more" },
	{ "exec", cmd_exec, "run a command of this machine in a VM" },
	{ "doctor", cmd_doctor, "what this machine lacks, and what mends it" },
	{ "replay", cmd_replay, "do a run again from its directory" },
	{ "__vm", cmd_vm, NULL },
	{ "__probe", cmd_probe, NULL },
	{ "__emu-init", cmd_emu_init, NULL },
	{ "__emu-serve", cmd_emu_serve, NULL },
	{ "__emu-exec", cmd_emu_exec, NULL },
	{ "shell", NULL, NULL },
	{ "kernel", NULL, NULL },
	{ "compare", NULL, NULL },
	{ "bisect", NULL, NULL },
	{ "kselftest", NULL, NULL },
	{ "report", NULL, NULL },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
	size_t i;

	fputs("usage: ktstr COMMAND [OPTION...]\n\n"
	      "Runs a CPU scheduler in a VM of its own under a declared load and judges it.\n\n",
	      to);
	for (i = 0; i < NR_COMMANDS; i++)
		if (commands[i].about)
			fprintf(to, "  %-10s %s\n", commands[i].name,
				commands[i].about);
	fputs("\n`ktstr COMMAND --help` says more; `ktstr --version` is the version.\n",
	      to);
}

static int unknown(const char *name)
{
	struct suggest near;
	size_t i;

	suggest_init(&near, name);
	for (i = 0; i < NR_COMMANDS; i++)
		if (commands[i].about)
			suggest_offer(&near, commands[i].name);
	fprintf(stderr, "ktstr: unknown command \"%s\"\n", name);
	if (near.best)
		fprintf(stderr, "    hint: did you mean \"%s\"?\n", near.best);
	else
		fputs("    hint: `ktstr --help` lists the commands\n", stderr);
	return KTSTR_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		help(stderr);
		return KTSTR_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		help(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("ktstr " KTSTR_VERSION);
		return 0;
	}
	for (i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		if (commands[i].run)
			return commands[i].run(argc - 1, argv + 1);
		fprintf(stderr, "ktstr: %s is not supported yet\n", argv[1]);
		return KTSTR_EXIT_USAGE;
	}
	return unknown(argv[1]);
}
