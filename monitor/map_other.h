/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps that have no entries to list: Bloom filters, ring buffers and arenas.
 * map.c and map_json.c call it.
 */
#ifndef KTSTR_MONITOR_MAP_OTHER_H
#define KTSTR_MONITOR_MAP_OTHER_H

#include <jansson.h>

struct mon_map;
struct monitor;

/** map_other_open() - Return: 0, also when it can't be read. */
int map_other_open(struct monitor *mon, struct mon_map *m);

/*
 * Each adds to @obj what monitor.h says of its type.
 *
 * Return: 0; -EFAULT; -ENOMEM.
 */
int bloom_json(struct monitor *mon, const struct mon_map *m, json_t *obj);
int ringbuf_json(struct monitor *mon, const struct mon_map *m, json_t *obj);
int arena_json(struct monitor *mon, const struct mon_map *m, json_t *obj);

#endif
