/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF local storage: values that hang on tasks, cgroups, inodes or sockets.
 * The kernel keeps the elements of one map in a table of their own, which is
 * gone through here. map.c and map_json.c call it.
 */
#ifndef KTSTR_MONITOR_STORAGE_H
#define KTSTR_MONITOR_STORAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "monitor/map.h"

/** storage_open() - Return: 0, also when it can't be read; -EFAULT. */
int storage_open(struct monitor *mon, struct mon_map *m);

/* A walk over all elements; start with zeroes. */
struct storage_iter {
	uint32_t bucket;
	uint32_t chain, visits;	/* elements of this bucket so far, and of all */
	uint64_t node;		/* the next one; 0: the bucket's first */
	bool disturbed;		/* an element was another map's, or no end came */
};

/**
 * storage_next() - the next element; its owner's address is e->key_kva
 *
 * Return: 1 with @e filled in; 0 at the end; -EFAULT; -E2BIG.
 */
int storage_next(struct monitor *mon, const struct mon_map *m,
		 struct storage_iter *it, struct map_entry *e);

/** storage_entry_holds() - is it still this map's, and its owner's? */
bool storage_entry_holds(struct monitor *mon, const struct mon_map *m,
			 const struct map_entry *e);

#define STORAGE_NUMBERS_MAX 65536u	/* words of one reading */

/**
 * storage_numbers_read() - sum each of m->numbers over all elements
 *
 * All of them have read_ok false where not all elements could be read: the
 * table changed, or has more than STORAGE_NUMBERS_MAX words of numbers.
 */
void storage_numbers_read(struct monitor *mon, struct mon_map *m);

/**
 * storage_owner_json() - whose element it is
 *
 * {"pid", "comm"} of a task, {"cgroup_id"}, {"inode"}; of a socket, and where
 * this kernel's BTF does not tell, null. New reference, NULL out of memory.
 */
json_t *storage_owner_json(struct monitor *mon, const struct mon_map *m,
			   const struct map_entry *e);

#endif
