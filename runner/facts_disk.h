/* SPDX-License-Identifier: GPL-2.0-only */
/* What one disk did between two looks at its counters. */
#ifndef KTSTR_RUNNER_FACTS_DISK_H
#define KTSTR_RUNNER_FACTS_DISK_H

#include <stdint.h>

#include <jansson.h>

#include "include/ktstr/shm.h"
#include "runner/look.h"
#include "vmm/vmm.h"

/* One disk at one moment. */
struct disk_mark {
	struct vm_disk_stats stats;
	struct ktstr_hist queue, service, lateness;
};

/* Over one phase, or several added up. */
struct disk_sum {
	struct vm_disk_stats delta;	/* at_ns: host time covered,
					 * without frozen time */
	double asked_ops, asked_bytes;	/* rate times time; 0: unlimited */
	uint64_t limited_ns;		/* time with a limit in force */
	struct vm_throttle asked;	/* of the last phase added */
	struct ktstr_hist queue, service, lateness;
};

/**
 * disk_sum_add() - add what happened from @start to @end under @asked
 * @frozen: what of that time does not count
 */
void disk_sum_add(struct disk_sum *sum, const struct disk_mark *start,
		  const struct disk_mark *end, const struct vm_throttle *asked,
		  const struct frozen_log *frozen);

/** disk_sum_json() - as disks.NAME of facts.json. New reference or NULL. */
json_t *disk_sum_json(const struct disk_sum *sum);

#endif
