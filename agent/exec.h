/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The program of `ktstr exec`: a child of PID 1, its three streams carried
 * over the port, no more than KTSTR_EXEC_WINDOW bytes ahead of whoever reads.
 * Belongs to PID 1; driven by agent_pump().
 */
#ifndef KTSTR_AGENT_EXEC_H
#define KTSTR_AGENT_EXEC_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "include/ktstr/wire.h"

struct port;

#define EXEC_NR_FDS 3

struct exec {
	pid_t pid;		/* 0: not started */
	bool exited;
	int status;		/* as waitpid(2) has it */
	int in_fd;		/* owned; -1: closed */
	int out_fds[2];		/* owned: stdout, stderr */
	uint8_t in[KTSTR_EXEC_WINDOW]; /* not yet written to it */
	size_t in_len;
	bool in_eof;		/* nothing comes after what is in @in */
	size_t in_taken;	/* to be told to the host */
	size_t unread;		/* sent, and not yet taken by the host */
};

#define EXEC_INIT { .in_fd = -1, .out_fds = { -1, -1 } }

/**
 * exec_start() - start the program
 * @spec: plan.exec: {argv, env, cwd}
 *
 * What execve(2) says is said on the program's stderr, status 126 or 127.
 *
 * Return: 0; -EINVAL @spec is none; -errno.
 */
int exec_start(struct exec *e, json_t *spec);

/** exec_poll() - what to wait for; none that is already known */
void exec_poll(const struct exec *e, struct pollfd fds[EXEC_NR_FDS]);

/** exec_serve() - move what can be moved, without blocking */
void exec_serve(struct exec *e, struct port *p);

/**
 * exec_stdin() - bytes from the host; none: that was all
 *
 * Return: 0; -ENOBUFS beyond the window: the host does not keep to it.
 */
int exec_stdin(struct exec *e, const void *data, size_t len);

/** exec_taken() - the host has passed on so much of the output */
void exec_taken(struct exec *e, uint64_t bytes);

void exec_exited(struct exec *e, int status);

/** exec_is_over() - it has ended, and all it wrote is sent */
bool exec_is_over(const struct exec *e);

/** exec_end() - body of EXEC_EXIT: {exit} or {signal} */
json_t *exec_end(const struct exec *e);

/** exec_kill() - it and its process group, if it still runs; close all */
void exec_kill(struct exec *e);

#endif
