/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live line of `ktstr run` on a terminal: drawn while a VM runs, erased
 * before anything else is said. Used by run_batch.c, run.c and launch*.c. All
 * of it takes NULL, which is no live line.
 */
#ifndef KTSTR_RUNNER_STATUS_H
#define KTSTR_RUNNER_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct status;

/**
 * status_open() - if @fd is a terminal that can erase a line
 *
 * TERM says whether it can; NO_COLOR takes the colours away.
 *
 * Return: NULL if it can't, or without memory.
 */
struct status *status_open(int fd);
void status_close(struct status *st);

/** status_scenario() - what comes next: @index of @total, from 1 */
void status_scenario(struct status *st, const char *name, unsigned int index,
		     unsigned int total);

/** status_boot() - which of its boots ("control 2/3"); NULL: there is one */
void status_boot(struct status *st, const char *boot);

/**
 * status_begin() - draw it from now on, in one line with the log's
 * @plan: borrowed until status_end()
 */
void status_begin(struct status *st, const json_t *plan);

/** status_end() - erase it; the terminal is as it was */
void status_end(struct status *st);

/** status_feed() - bytes of the VM process's stderr: progress, and log lines */
void status_feed(struct status *st, const void *data, size_t len);

/** status_interrupted() - the run was told to stop */
void status_interrupted(struct status *st);

/** status_tick() - draw what has changed; to be called some times a second */
void status_tick(struct status *st);

/** status_set_clock() - for tests: @clock instead of clock_now_ns() */
void status_set_clock(uint64_t (*clock)(void));

#endif
