/* SPDX-License-Identifier: GPL-2.0-only */
/* What the workers of one workload did, added up from the shared region. */
#ifndef KTSTR_RUNNER_FACTS_WORKLOAD_H
#define KTSTR_RUNNER_FACTS_WORKLOAD_H

#include <stdint.h>

#include <jansson.h>

#include "include/ktstr/shm.h"
#include "runner/look.h"

/* One worker over one phase, or several added up. */
struct worker_sum {
	uint64_t iterations, ops, bytes, errors;
	uint64_t gap_max_ns;	/* the gap still open at a phase's end too */
	uint64_t migrations, cpuset_violations, deadline_misses;
	uint64_t cpu_time_ns, run_delay_ns, run_count;
	uint64_t cpus_used[KTSTR_SHM_MAX_CPUS / 64];
};

struct workload_sum {
	struct worker_sum all;
	struct worker_sum *workers;	/* owned, nr_workers of them */
	struct ktstr_worker *states;	/* owned; as of the last phase added */
	unsigned int nr_workers;
	uint64_t duration_ns;		/* guest clock, of the phases added,
					 * without frozen time */
	uint64_t frozen_ns;
	struct ktstr_hist wake, io;
};

/** workload_sum_init() - 0 or -ENOMEM */
int workload_sum_init(struct workload_sum *sum, unsigned int nr_workers);
void workload_sum_fini(struct workload_sum *sum);

/**
 * workload_sum_add() - add one worker's cell of one phase
 * @index: the worker within its workload
 * @cell: private copy
 * @state: the worker as of that phase's end
 * @start_ns, @end_ns: the phase, guest clock
 * @frozen: what of it does not count; NULL: nothing was frozen
 */
void workload_sum_add(struct workload_sum *sum, unsigned int index,
		      const struct ktstr_cell *cell,
		      const struct ktstr_worker *state, uint64_t start_ns,
		      uint64_t end_ns, const struct frozen_view *frozen);

/**
 * workload_sum_json() - as workloads.NAME of facts.json
 * @nr_cpus: of the VM, for cpu_share
 *
 * Return: new reference or NULL.
 */
json_t *workload_sum_json(const struct workload_sum *sum, unsigned int nr_cpus);

/** hist_json() - {count, p50, p90, p99, p999, max}; too few samples: null */
json_t *hist_json(const struct ktstr_hist *h);

#endif
