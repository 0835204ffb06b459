/* SPDX-License-Identifier: GPL-2.0-only */
/* What the live line of `ktstr run` says. Pure; status.c draws it. */
#ifndef KTSTR_RUNNER_STATUS_LINE_H
#define KTSTR_RUNNER_STATUS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "runner/progress.h"

#define STATUS_MAX_PHASES 16
#define STATUS_LINE_MAX 1024	/* bytes, with colours and a NUL */

/* What a plan says of the run. */
struct status_plan {
	unsigned int nr_phases, nr_disks;
	struct {
		const char *name;	/* borrowed from the plan */
		uint64_t duration_ns;
	} phases[STATUS_MAX_PHASES];
	const char *disks[PROGRESS_MAX_DISKS];	/* likewise */
	const char *scheduler;	/* likewise; NULL: the kernel's own */
};

struct status_view {
	struct status_plan plan;
	const char *name;	/* of the scenario */
	const char *boot;	/* "control 2/3"; NULL: only one boot */
	unsigned int index, total; /* of the scenarios; from 1 */
	uint64_t run_ns;	/* since the run was begun */
	bool interrupted;
	bool known;		/* progress holds something */
	struct progress progress;
};

/** status_plan_read() - what the line needs of @plan; what it lacks is empty */
void status_plan_read(const json_t *plan, struct status_plan *p);

/**
 * status_left_ns() - of the run's phases, as planned
 *
 * Boot and what comes between phases is in no plan, and not in this.
 */
uint64_t status_left_ns(const struct status_view *v);

/**
 * status_format() - one line, without control characters but for colours
 * @width: columns at most
 * @colour: mark what is amiss, with escape sequences
 * @buf: STATUS_LINE_MAX bytes
 *
 * Parts that don't fit are left out, the first is cut.
 *
 * Return: its columns.
 */
size_t status_format(const struct status_view *v, size_t width, bool colour,
		     char *buf);

/**
 * status_make_safe() - take out of log lines what a terminal would act on
 *
 * Newlines and tabs stay, and so does what is not ASCII.
 */
void status_make_safe(char *text, size_t len);

#endif
