/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing a value into a map of a loaded scheduler, by name and typed by the
 * map's own BTF: a write_map step, carried out by PID 1 through system calls,
 * so that a scheduler that starves its loader is written to all the same.
 */
#ifndef KTSTR_AGENT_MAP_WRITE_H
#define KTSTR_AGENT_MAP_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct btf;

/* A part of a value. */
struct map_part {
	uint32_t type_id;
	size_t off, bytes;
};

/**
 * map_part_find() - a member of a struct or union, by its path
 * @type_id: what it is a member of
 * @path: names with dots between; NULL: all of it
 * @err_msg: on failure one line
 *
 * Return: 0; -ENOENT no such member; -EINVAL what is before the dot has none,
 * or a bit-field; -ENOTSUP its type can't be read.
 */
int map_part_find(const struct btf *btf, uint32_t type_id, const char *path,
		  struct map_part *part, char *err_msg, size_t err_len);

/**
 * map_write() - do one write_map step
 * @maps: [{id, name}] of the scheduler
 * @step: {var, value} for a global variable, or {map, key, field, value}
 * @err_msg: on failure one line
 *
 * A variable is stored in place, so that no other one of its section changes;
 * so is an aligned value of up to 8 bytes in one piece. An entry of a map is
 * read, changed and written back as a whole; of a per-CPU map for all CPUs.
 *
 * Return: 0; -ENOENT no such map, variable or member; -EPERM it can't be
 * written any more; else as sched_var_store(), or -errno of the system call.
 */
int map_write(json_t *maps, json_t *step, char *err_msg, size_t err_len);

#endif
