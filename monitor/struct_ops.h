/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct_ops maps: their state, and the programs behind their callbacks with
 * what the kernel counts of them. map.c, map_json.c and monitor.c call it.
 */
#ifndef KTSTR_MONITOR_STRUCT_OPS_H
#define KTSTR_MONITOR_STRUCT_OPS_H

#include <jansson.h>

struct mon_map;
struct mon_prog;
struct monitor;

#define STRUCT_OPS_MAX_PROGS 128

/**
 * struct_ops_open() - can this kernel's struct_ops maps be read?
 *
 * Return: 0, also when they can't (MAP_UNREADABLE).
 */
int struct_ops_open(struct monitor *mon, struct mon_map *m);

/**
 * struct_ops_progs() - the programs of a struct_ops map
 * @max: room in @progs
 *
 * Return: how many; -EFAULT.
 */
int struct_ops_progs(struct monitor *mon, const struct mon_map *m,
		     struct mon_prog *progs, unsigned int max);

/**
 * struct_ops_json() - add "state" and "programs" to @obj
 *
 * Return: 0; -EFAULT; -ENOMEM.
 */
int struct_ops_json(struct monitor *mon, const struct mon_map *m, json_t *obj);

#endif
