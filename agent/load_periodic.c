// SPDX-License-Identifier: GPL-2.0-only
/* A job each period; its deadline is the next one's release. */
#include "agent/load.h"

#include "lib/clock.h"

enum { PERIOD_NS, BUDGET_NS };

uint64_t load_periodic_next(uint64_t release_ns, uint64_t done_ns,
			    uint64_t period_ns, uint64_t *missed)
{
	uint64_t late = done_ns > release_ns ?
				(done_ns - release_ns - 1) / period_ns : 0;

	*missed = late ? late + 1 : 0;
	return release_ns + (late + 1) * period_ns;
}

static int periodic_run(struct load *l)
{
	uint64_t release_ns = clock_now_ns() + l->param[PERIOD_NS], missed;
	struct ktstr_cell *cell;
	uint32_t gen;

	for (;;) {
		gen = stamp_freeze_gen(&l->stamp);
		load_sleep_until(l, release_ns);
		cell = load_spin_cpu_time(l, l->param[BUDGET_NS]);
		if (load_stopping(l))
			return 0;
		release_ns = load_periodic_next(release_ns, l->stamp.last_ns,
						l->param[PERIOD_NS], &missed);
		stamp_iteration(cell);
		/* a deadline while the VM was frozen was nobody's to meet */
		if (cell && missed && gen == stamp_freeze_gen(&l->stamp))
			stamp_count(&cell->deadline_misses, missed);
	}
}

const struct load_kind load_kind_periodic = {
	.spec = &load_specs[LOAD_PERIODIC],
	.run = periodic_run,
};
