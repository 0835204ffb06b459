/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The numeric fields of an array's entries, plain or per CPU, in each sample.
 * What they are is settled when the map is opened, and where they are in the
 * first look. monitor.c calls it.
 */
#ifndef KTSTR_MONITOR_ARRAY_NUMBERS_H
#define KTSTR_MONITOR_ARRAY_NUMBERS_H

#include <stdbool.h>

struct mon_map;
struct monitor;

#define ARRAY_MAX_PLACES 16384u	/* of one map that are kept */

/*
 * Where a map's values are here. The kernel neither moves nor unmaps them
 * while the map lives, and its id, which is looked up after each reading,
 * tells that it has lived since: ids are not given twice.
 */
struct array_places {
	/* owned; [entry that has numbers][value of it]. NULL: not kept */
	const char **at;
	bool known;	/* what is in @at holds until it is forgotten */
};

/**
 * array_numbers_read() - fill in @m's numbers, each summed over its CPUs
 *
 * The caller looks afterwards whether the map is still there, and if not
 * forgets the places, and what was read.
 */
void array_numbers_read(struct monitor *mon, struct mon_map *m);

/** array_places_forget() - have them found anew by the next reading */
void array_places_forget(struct array_places *p);
void array_places_fini(struct array_places *p);

#endif
