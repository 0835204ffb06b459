// SPDX-License-Identifier: GPL-2.0-only
/* Kinds that give the CPU away: sched_yield() alone, and after some work. */
#include "agent/load.h"

#include <sched.h>

static int yield_run(struct load *l)
{
	while (!load_stopping(l)) {
		sched_yield();
		stamp_iteration(stamp_now(&l->stamp, NULL));
	}
	return 0;
}

static int mixed_run(struct load *l)
{
	while (!load_stopping(l)) {
		load_spin(l, LOAD_SPINS);
		sched_yield();
		stamp_iteration(stamp_now(&l->stamp, NULL));
	}
	return 0;
}

const struct load_kind load_kind_yield = {
	.spec = &load_specs[LOAD_YIELD],
	.run = yield_run,
};

const struct load_kind load_kind_mixed = {
	.spec = &load_specs[LOAD_MIXED],
	.run = mixed_run,
};
