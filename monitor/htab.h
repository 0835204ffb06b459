/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's BPF hash tables; map.c and map_json.c call it. */
#ifndef KTSTR_MONITOR_HTAB_H
#define KTSTR_MONITOR_HTAB_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/map.h"

#define HTAB_MAX_BUCKETS (1u << 20)	/* more are not gone through */
#define HTAB_MAX_CHAIN 1024		/* elements of one bucket */
#define HTAB_MAX_VISITS (1u << 17)	/* elements of one walk */

/**
 * htab_open() - learn where a hash map's buckets are
 *
 * Return: 0, also when it can't be read (MAP_UNREADABLE); -EFAULT.
 */
int htab_open(struct monitor *mon, struct mon_map *m);

/* A walk over all elements; start with zeroes. */
struct htab_iter {
	uint32_t bucket;
	uint32_t chain;		/* elements of this bucket so far */
	uint32_t visits;	/* and of all */
	uint64_t node;		/* the next one; 0: the bucket's first */
	bool disturbed;		/* elements moved: some are missed or twice */
};

/**
 * htab_next() - the next element
 *
 * The guest changes the table meanwhile. A chain that ends in another bucket
 * than it began, as the end marker tells, or does not end, is left and noted
 * in @it->disturbed. An element may be freed and used again while it is read:
 * the caller reads the key before and after.
 *
 * Return: 1 with @e filled in; 0 at the end; -EFAULT; -E2BIG after
 * HTAB_MAX_VISITS.
 */
int htab_next(struct monitor *mon, const struct mon_map *m,
	      struct htab_iter *it, struct map_entry *e);

#endif
