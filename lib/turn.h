/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deadlines of a process that may be stopped (Ctrl-Z) while what it waits for
 * goes on: a loop that turns every so often sees that it did not.
 */
#ifndef KTSTR_LIB_TURN_H
#define KTSTR_LIB_TURN_H

#include <stdint.h>

#include "lib/clock.h"

/* Longer than a busy machine keeps a process from running. */
#define TURN_SLACK_NS (5 * NSEC_PER_SEC)

/**
 * turn_stopped_ns() - for how long this loop stood still since its last turn
 * @last_ns: of that turn; set to @now_ns
 * @slice_ns: what a turn takes at most
 *
 * What a deadline is to be put off by. 0 while the loop turns.
 */
static inline uint64_t turn_stopped_ns(uint64_t *last_ns, uint64_t now_ns,
				       uint64_t slice_ns)
{
	uint64_t took_ns = now_ns - *last_ns;

	*last_ns = now_ns;
	return took_ns > slice_ns + TURN_SLACK_NS ? took_ns - slice_ns : 0;
}

/** turn_put_off() - @at_ns that much later, a moment of the past at most now */
static inline uint64_t turn_put_off(uint64_t at_ns, uint64_t stopped_ns,
				    uint64_t now_ns)
{
	uint64_t later_ns = clock_add_ns(at_ns, stopped_ns);

	return at_ns < now_ns && later_ns > now_ns ? now_ns : later_ns;
}

#endif
