// SPDX-License-Identifier: GPL-2.0-only
/* ktstr __emu-exec: any program of this machine, inside an emulated host. */
#include "lib/clock.h"
#include "lib/log.h"
#include "runner/cmd.h"
#include "runner/emu.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
"usage: ktstr __emu-exec [--file HOST:INSIDE]... [--out INSIDE:DIR]\n"
"                        [--timeout S] [--env K=V]... -- PROGRAM [ARG...]\n"
"Runs PROGRAM inside an emulated host: the one of $KTSTR_EMU_HOST, or one\n"
"booted for it. Exits as the program does; 6 when the machine failed.\n";

#define LIST_MAX 64

struct exec_args {
	struct emu_file files[LIST_MAX];
	const char *env[LIST_MAX];
	size_t nr_files, nr_env;
	struct emu_job job;
};

static struct emu_host *signal_host;	/* set once, before the handlers */

static void on_signal(int signo)
{
	emu_job_signal(signal_host, signo);
}

/* "A:B" is split in place. */
static bool split(char *arg, const char **a, const char **b)
{
	char *colon = strchr(arg, ':');

	if (!colon || colon == arg || !colon[1])
		return false;
	*colon = '\0';
	*a = arg;
	*b = colon + 1;
	return true;
}

static bool take_option(struct exec_args *x, int opt, char *arg)
{
	const char *host, *inside;
	char *end;

	switch (opt) {
	case 'f':
		if (x->nr_files + 1 >= LIST_MAX || !split(arg, &host, &inside))
			return false;
		x->files[x->nr_files++] = (struct emu_file){
			.host_path = host, .path = inside, .exec = true };
		return true;
	case 'o':
		return split(arg, &x->job.out, &x->job.out_dir);
	case 't':
		x->job.timeout_ns = strtoull(arg, &end, 10) * NSEC_PER_SEC;
		return !*end && x->job.timeout_ns;
	case 'e':
		if (x->nr_env + 1 >= LIST_MAX || !strchr(arg, '='))
			return false;
		x->env[x->nr_env++] = arg;
		return true;
	}
	return false;
}

static bool parse(int argc, char **argv, struct exec_args *x)
{
	static const struct option options[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "out", required_argument, NULL, 'o' },
		{ "timeout", required_argument, NULL, 't' },
		{ "env", required_argument, NULL, 'e' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "+", options, NULL)) >= 0)
		if (!take_option(x, opt, optarg))
			return false;
	return optind < argc;
}

/* As a shell would: 127 and 126 for what can't be run, 128 + n for signals. */
static int exit_status(const struct emu_result *res)
{
	switch (res->end) {
	case EMU_EXITED:
		return res->value;
	case EMU_SIGNALED:
		return 128 + res->value;
	case EMU_TIMED_OUT:
		return 124;
	case EMU_NOT_STARTED:
		return res->value == ENOENT ? 127 : 126;
	default:
		return KTSTR_EXIT_ERROR;
	}
}

static int run(struct exec_args *x)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct emu_result res;
	char err_msg[1024];
	int err;

	if (emu_host_open(NULL, &signal_host, err_msg, sizeof(err_msg))) {
		log_err("%s", err_msg);
		return KTSTR_EXIT_ERROR;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	err = emu_job_run(signal_host, &x->job, &res);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	emu_host_close(signal_host);
	if (res.reason[0])
		log_err("%s: %s", x->job.argv[0], res.reason);
	if (!err && res.end == EMU_FAULT)
		log_err("the emulated host's console ends:\n%s",
			res.console_tail);
	return err ? KTSTR_EXIT_ERROR : exit_status(&res);
}

int cmd_emu_exec(int argc, char **argv)
{
	struct exec_args *x = calloc(1, sizeof(*x));
	const char **args;
	int ret;

	if (!x)
		return KTSTR_EXIT_ERROR;
	if (!parse(argc, argv, x)) {
		fputs(usage, stderr);
		free(x);
		return KTSTR_EXIT_USAGE;
	}
	/* The program itself goes in as the job's ./program. */
	args = calloc(argc - optind + 1, sizeof(*args));
	if (!args) {
		free(x);
		return KTSTR_EXIT_ERROR;
	}
	for (int i = optind; i < argc; i++)
		args[i - optind] = argv[i];
	x->files[x->nr_files++] = (struct emu_file){
		.host_path = args[0], .path = "program", .exec = true };
	args[0] = "./program";
	x->job.argv = args;
	x->job.env = x->env;
	x->job.files = x->files;
	x->job.nr_files = x->nr_files;
	ret = run(x);
	free(args);
	free(x);
	return ret;
}
