/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc/PID/schedstat: what the kernel counts for a task. Called by
 * agent/worker.c.
 */
#ifndef KTSTR_AGENT_SCHEDSTAT_H
#define KTSTR_AGENT_SCHEDSTAT_H

#include <sys/types.h>

struct worker_account;

/** schedstat_open() - for schedstat_read(). Return: descriptor or -errno. */
int schedstat_open(pid_t pid);

/**
 * schedstat_read() - the counts since the task was born
 *
 * CPU time of a task that runs is as of its last tick.
 *
 * Return: 0; -ESRCH the task is gone; -EBADMSG not the three numbers.
 */
int schedstat_read(int fd, struct worker_account *account);

/** schedstat_parse() - "CPU_TIME RUN_DELAY RUN_COUNT". Return: 0, -EBADMSG. */
int schedstat_parse(const char *text, struct worker_account *account);

#endif
