/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's BPF queues and stacks; map.c and map_json.c call it. */
#ifndef KTSTR_MONITOR_QUEUE_H
#define KTSTR_MONITOR_QUEUE_H

#include "monitor/map.h"

/** queue_open() - Return: 0, also when it can't be read; -EFAULT. */
int queue_open(struct monitor *mon, struct mon_map *m);

/* One ring of slots, of which one is always empty. */
struct queue_ends {
	uint32_t head;		/* the next push goes here */
	uint32_t tail;		/* the oldest element */
	uint32_t size;		/* slots */
	uint32_t nr;		/* elements */
};

/**
 * queue_read_ends() - where the elements are now
 *
 * Return: 0; -EFAULT, also for positions that no such ring has.
 */
int queue_read_ends(struct monitor *mon, const struct mon_map *m,
		    struct queue_ends *ends);

/** queue_entry() - the element that would be popped after @i others. */
struct map_entry queue_entry(const struct monitor *mon, const struct mon_map *m,
			     const struct queue_ends *ends, uint32_t i);

#endif
