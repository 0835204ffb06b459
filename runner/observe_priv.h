/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the observe*.c files. */
#ifndef KTSTR_RUNNER_OBSERVE_PRIV_H
#define KTSTR_RUNNER_OBSERVE_PRIV_H

#include "runner/observe.h"

struct observe_io;

struct observe_cost {
	uint64_t run_count, run_ns, missed;
	bool known;
};

/* One observer, as the agent told and as it was read. */
struct observe_one {
	bool asked;
	json_t *report;		/* owned: KTSTR_MSG_OBSERVER; NULL: not yet */
	uint32_t map_id;	/* 0: not attached; atomic: the monitor's thread
				 * reads it */
	uint64_t bytes;		/* of the region, as the plan has it */
	void *region;		/* owned: last good copy; NULL: none */
	bool unreadable;	/* the last try failed */
	struct observe_cost cost[KTSTR_SHM_MAX_PHASES];
};

struct observe {
	const struct observe_ops *ops;
	void *ctx;
	json_t *plan;		/* borrowed */
	struct obs_dims dims;
	struct observe_one one[OBS_NR];
	struct observe_io *io;	/* owned; NULL: not asked for */
};

/** observe_why() - why there is no result; NULL: there is */
const char *observe_why(const struct observe_one *one);

/** observe_without() - why it has no optional programs; NULL: it has them */
const char *observe_without(const struct observe_one *one);

/** observe_ran_json() - workloads.NAME.observed.who_ran */
json_t *observe_ran_json(const struct observe *o, unsigned int workload,
			 const struct observe_part *part);

/** observe_io_new() - 0 or -ENOMEM */
int observe_io_new(unsigned int workers, struct observe_io **out);
void observe_io_free(struct observe_io *io, unsigned int workers);

#endif
