/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that the scenario brought: started in steps, its output kept,
 * ended for sure. Used by the process that holds it: load_exec.c for a load,
 * sched_exec.c for a scheduler.
 */
#ifndef KTSTR_AGENT_PROGRAM_H
#define KTSTR_AGENT_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "agent/capture.h"

/* Kept where PID 1 can read it too. */
struct program_output {
	struct capture streams[2];	/* stdout, stderr */
};

/* What the child says before there is a program. */
struct program_word {
	int32_t err;		/* 0: it has settled */
	char what[28];		/* the call that failed */
};

/**
 * struct program_spec - what to start; borrowed
 * @exec: of the plan: {argv, env}; argv[0] is a path
 * @cwd: made if it is not there
 * @settle: in the child: take the place it is to run in. 0, or -errno and
 *	the call's name in @what; may be NULL
 * @wait: in the child, settled: returns when the program may begin; may
 *	_exit(2) instead; may be NULL
 */
struct program_spec {
	json_t *exec;
	const char *cwd;
	int (*settle)(void *ctx, const char **what);
	void (*wait)(void *ctx);
	void *ctx;
};

struct program {
	pid_t pid;		/* 0: none runs */
	int word_fd;		/* owned: what the child says; -1: no more */
	int out_fds[2];		/* owned: stdout, stderr; -1: at their end */
	int status;		/* of waitpid(2), when pid is 0 again */
	struct program_word word; /* the last one; err is why it never began */
};

#define PROGRAM_INIT { .word_fd = -1, .out_fds = { -1, -1 } }

/**
 * program_start() - fork, and wait until the child has settled
 *
 * Its own session and process group; dies with its parent.
 *
 * Return: 0; -EINVAL a @spec->exec that is none; -errno of the call that
 * failed, in @p->word.
 */
int program_start(struct program *p, const struct program_spec *spec);

/** program_serve() - take what it has written or said; never blocks */
void program_serve(struct program *p, struct program_output *output);

/**
 * program_reap() - has it ended?
 *
 * Return: true once, when it has; the rest of its output is then taken, and
 * its pipes are closed, whoever else still holds them.
 */
bool program_reap(struct program *p, struct program_output *output);

/** program_signal() - to its process group */
void program_signal(const struct program *p, int sig);

/** program_close() - kill it if it runs; close all */
void program_close(struct program *p);

/** program_output_new() - in shared memory; NULL with errno */
struct program_output *program_output_new(void);
void program_output_free(struct program_output *output);

#endif
