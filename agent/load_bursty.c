// SPDX-License-Identifier: GPL-2.0-only
#include "agent/load.h"

#include "lib/clock.h"

enum { BURST_NS, SLEEP_NS };

static int bursty_run(struct load *l)
{
	struct ktstr_cell *cell;

	while (!load_stopping(l)) {
		cell = load_spin_cpu_time(l, l->param[BURST_NS]);
		if (load_stopping(l))
			break;
		stamp_iteration(cell);
		load_sleep_until(l, l->stamp.last_ns + l->param[SLEEP_NS]);
	}
	return 0;
}

const struct load_kind load_kind_bursty = {
	.spec = &load_specs[LOAD_BURSTY],
	.run = bursty_run,
};
