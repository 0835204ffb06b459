/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the guest's CLOCK_MONOTONIC relates to the host's: measured at points in
 * time, in between by interpolation. docs/adr/0001-one-clock.md says why so.
 * Used by the session.
 */
#ifndef KTSTR_RUNNER_CLOCK_RELATION_H
#define KTSTR_RUNNER_CLOCK_RELATION_H

#include <stdbool.h>
#include <stdint.h>

#include "include/ktstr/shm.h"

/* What is known of guest clock minus host clock: low <= it <= high. */
struct clock_bounds {
	int64_t low_ns, high_ns;
};

#define CLOCK_BOUNDS_NONE { INT64_MIN, INT64_MAX }

/** clock_bounds_low() - the guest read @guest_ns before we read @host_ns */
void clock_bounds_low(struct clock_bounds *b, uint64_t guest_ns,
		      uint64_t host_ns);
/** clock_bounds_high() - a guest's word for an upper bound; hostile */
void clock_bounds_high(struct clock_bounds *b, int64_t high_ns);

/** clock_bounds_gap_ns() - how far apart; INT64_MAX unless both are known */
int64_t clock_bounds_gap_ns(const struct clock_bounds *b);

/* One measurement. */
struct clock_point {
	bool known;
	uint64_t host_ns;	/* when */
	int64_t offset_ns;	/* guest minus host */
	uint64_t error_ns;	/* the offset is not farther off than this */
};

/**
 * clock_point_make() - what bounds that were gathered over a time say
 * @from_ns, @to_ns: that time, host clock
 *
 * Not known when a bound is missing, or when they contradict each other by
 * more than the clocks may have moved meanwhile.
 */
struct clock_point clock_point_make(const struct clock_bounds *b,
				    uint64_t from_ns, uint64_t to_ns);

/* From one measurement to the next. */
struct clock_relation {
	bool known;
	struct clock_point from, to;
	uint64_t error_ns;	/* of any conversion in between */
	int64_t drift_ppb;	/* the guest's clock gains this much */
};

struct clock_relation clock_relation_make(const struct clock_point *from,
					  const struct clock_point *to);

/** clock_to_guest() - the guest's clock at @host_ns of ours */
uint64_t clock_to_guest(const struct clock_relation *r, uint64_t host_ns);

/**
 * clock_exchange() - the host's side of a measurement, see struct ktstr_clock
 * @c: in guest memory
 * @exchange: the one that the guest said it is in
 *
 * Busy for 2 ms when all is well and 200 ms at most; whatever comes of it, the
 * guest is told that it is over.
 */
struct clock_point clock_exchange(struct ktstr_clock *c, uint64_t exchange);

#endif
