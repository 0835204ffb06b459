/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a vCPU has waited for a host CPU, up to now: for look_watch.c. The
 * host's kernel counts a wait when it is over; one that goes on is what two
 * readings say of a thread that was runnable and has not run since.
 */
#ifndef KTSTR_RUNNER_LOOK_WAIT_H
#define KTSTR_RUNNER_LOOK_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vmm.h"

/* Of one vCPU; all zeroes is the beginning. Belongs to one thread or lock. */
struct look_wait {
	bool known;		/* @last is a reading */
	struct vm_thread_time last;
	uint64_t going_ns;	/* of the wait that goes on */
	uint64_t total_ns;	/* never less than before */
	uint64_t frozen_ns;	/* of that in frozen time */
	bool waits;		/* all the time between the last two readings */
};

/** look_wait_see() - a reading, not older than the one before */
void look_wait_see(struct look_wait *w, const struct vm_thread_time *now);

/**
 * look_wait_frozen() - the VM was frozen between the last two readings
 * @total_ns: look_wait.total_ns of the first of them
 * @ns: for so long
 *
 * A vCPU that is parked does not wait. One that could not be parked for want of
 * a host CPU does, but frozen time counts nowhere.
 */
void look_wait_frozen(struct look_wait *w, uint64_t total_ns, uint64_t ns);

/** look_wait_ns() - outside of frozen time, since some moment */
uint64_t look_wait_ns(const struct look_wait *w);

#endif
