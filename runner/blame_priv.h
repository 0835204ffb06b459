/* SPDX-License-Identifier: GPL-2.0-only */
/* What blame.c, blame_cause.c and blame_look.c share. */
#ifndef KTSTR_RUNNER_BLAME_PRIV_H
#define KTSTR_RUNNER_BLAME_PRIV_H

#include <stdio.h>

#include <jansson.h>

#include "runner/blame_gap.h"

/* One failed check, and where in the facts to look. All of it borrowed. */
struct blame_scene {
	const json_t *plan, *facts;
	const json_t *part;	/* the check's phase, or the totals */
	const char *metric;	/* behind the workload's name */
	const json_t *workload;	/* in the plan; NULL: the scheduler's check */
	const char *name;	/* of the workload */
	const json_t *worker;	/* the worst one; NULL: not known */
	double ns;		/* of the part */
	json_int_t pid;		/* the victim's; 0: not known */
	struct blame_gap gap;	/* its longest wait, as sampled */
	double limit_ns;	/* of a gap; 0: of something else */
};

static inline double to_ms(double ns)
{
	return ns / 1e6;
}

/** blame_scene_gap() - the longest wait of @pid within what is explained */
void blame_scene_gap(const struct blame_scene *s, json_int_t pid,
		     struct blame_gap *gap);

/**
 * blame_cause() - why that came about
 * @to: gets the sentences that say so
 *
 * Return: its name, see blame_new(); "unknown": nothing speaks for any.
 */
const char *blame_cause(const struct blame_scene *s, FILE *to);

/*
 * blame_look.c: what the frozen looks say
 */

/** blame_look_of() - the one that tells most of it; NULL: there is none */
const json_t *blame_look_of(const struct blame_scene *s);

struct blame_waits {
	unsigned int looks;	/* that count here */
	unsigned int waited;	/* in so many the victim was runnable */
	unsigned int kept;	/* and on no dispatch queue */
};

struct blame_waits blame_count_waits(const struct blame_scene *s);

/** blame_say_where() - where the victim was: by samples, and in that look */
void blame_say_where(const struct blame_scene *s, FILE *to);

#endif
