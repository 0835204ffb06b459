// SPDX-License-Identifier: GPL-2.0-only
#include "agent/load.h"

#include "lib/clock.h"

enum { BURST_NS, SLEEP_NS };

static const struct load_param bursty_params[] = {
	[BURST_NS] = { "burst_ns", 50 * NSEC_PER_MSEC, 0, 60 * NSEC_PER_SEC },
	[SLEEP_NS] = { "sleep_ns", 100 * NSEC_PER_MSEC, 1, 60 * NSEC_PER_SEC },
	{ 0 },
};

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
	.name = "bursty",
	.params = bursty_params,
	.group = 1,
	.run = bursty_run,
};
