/* SPDX-License-Identifier: GPL-2.0-only */
/* A watched map as it stands in result.json; monitor.c calls it. */
#ifndef KTSTR_MONITOR_MAP_JSON_H
#define KTSTR_MONITOR_MAP_JSON_H

#include <jansson.h>

struct mon_map;
struct monitor;

/**
 * map_json() - read @m now, at most @max_entries of it
 * @work: what all maps of one reading may still cost; lessened by this one
 *
 * Return: new reference, as mon_read_maps() describes it, or NULL out of
 * memory.
 */
json_t *map_json(struct monitor *mon, const struct mon_map *m,
		 unsigned int max_entries, unsigned int *work);

#endif
