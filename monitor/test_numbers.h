/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests only: what mon_map_numbers() tells of one number. */
#ifndef KTSTR_MONITOR_TEST_NUMBERS_H
#define KTSTR_MONITOR_TEST_NUMBERS_H

#include <stdbool.h>
#include <string.h>

#include <check.h>

#include "monitor/monitor.h"

struct seen {
	const char *want;	/* its name */
	double value;
	unsigned int hits;	/* how often it was told */
	unsigned int calls;	/* how many were told */
	bool unstable;		/* it, when it was told last */
	unsigned int nr_unstable; /* of all that were told */
};

/* A mon_number_fn; @ctx is the struct seen. */
static inline int see(void *ctx, const char *name, double value, bool unstable)
{
	struct seen *s = ctx;

	s->calls++;
	s->nr_unstable += unstable;
	if (strcmp(name, s->want))
		return 0;
	s->hits++;
	s->value = value;
	s->unstable = unstable;
	return 0;
}

/* In a guest that stands still: nothing is unstable. */
static inline struct seen look(struct monitor *mon, const char *name)
{
	struct seen s = { .want = name };

	ck_assert_int_eq(0, mon_map_numbers(mon, see, &s));
	ck_assert_uint_eq(0, s.nr_unstable);
	return s;
}

/* One that must be told, once. */
static inline double number(struct monitor *mon, const char *name)
{
	struct seen s = look(mon, name);

	ck_assert_msg(s.hits == 1, "%s: %u times", name, s.hits);
	return s.value;
}

#endif
