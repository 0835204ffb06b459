/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF maps in guest memory: finding one by id, what is known of a watched
 * one, and where the bytes of its entries are.
 */
#ifndef KTSTR_MONITOR_MAP_H
#define KTSTR_MONITOR_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/array_numbers.h"
#include "monitor/numbers.h"

struct btf;
struct hash_numbers;
struct monitor;

#define MAP_NAME_LEN 16		/* the kernel's BPF_OBJ_NAME_LEN */
#define MAP_MAX_VALUE_BYTES (1u << 20)
#define MAP_MAX_KEY_BYTES 512	/* as the kernel's MAX_BPF_STACK */
#define MAP_MAX_BTF_BYTES (8u << 20)

/* Newer than the <linux/bpf.h> of some of the hosts we are built on. */
#define MAP_TYPE_CGRP_STORAGE 32
#define MAP_TYPE_ARENA 33

enum map_layout {
	MAP_UNREADABLE,
	MAP_ARRAY,
	MAP_PERCPU_ARRAY,
	MAP_HASH,
	MAP_PERCPU_HASH,
	MAP_QUEUE,
	MAP_STACK,
	MAP_STORAGE,	/* of tasks, cgroups, inodes or sockets */
	/* These have something else than entries. */
	MAP_STRUCT_OPS,
	MAP_BLOOM,
	MAP_RINGBUF,
	MAP_ARENA,
};

/* What the kernel's struct bpf_map says, read once. */
struct mon_map {
	uint32_t id;
	uint64_t kva;
	const char *id_at;	/* its id here, while it lives; or NULL */
	char name[MAP_NAME_LEN];	/* terminated; any bytes */
	char label[MAP_NAME_LEN + 12];	/* the name, or NAME#id if taken */
	uint32_t type, key_size, value_size, max_entries;
	uint32_t elem_size;		/* of an array */
	uint64_t buckets_kva;		/* of a hash, or a storage */
	uint32_t nr_buckets;

	enum map_layout layout;
	char why[96];			/* of MAP_UNREADABLE */

	const struct btf *btf;		/* borrowed; NULL: untyped */
	uint32_t btf_key, btf_value;
	bool not_due;			/* its numbers are not asked for now */
	struct numbers numbers;		/* of an array; a storage's sums */
	struct array_places places;	/* of an array */
	struct hash_numbers *hash;	/* owned; NULL: has none */
};

/**
 * map_find() - address of the map with this id
 *
 * Return: 0; -ENOENT; -EFAULT; -ENOTSUP without symbol or layout.
 */
int map_find(struct monitor *mon, uint32_t id, uint64_t *kva);

/** map_unreadable() - note that, and why, @m can't be read. */
__attribute__((format(printf, 2, 3)))
void map_unreadable(struct mon_map *m, const char *fmt, ...);

/** map_check() - is the map that was at @m->kva still there? 0 or -ENOENT. */
int map_check(struct monitor *mon, const struct mon_map *m);

/**
 * map_still() - map_check() by the translations of this look
 *
 * For a map that was watched when the look began. Its memory was mapped then,
 * and a translation made since is right for as long as the map lives: ids are
 * not given twice, and the kernel takes a map out of its table before it frees
 * it. So the table tells, whatever became of the pages. The same holds for a
 * place of the map's own memory that an earlier look found.
 */
int map_still(struct monitor *mon, const struct mon_map *m);

/**
 * map_probe() - learn where a map's values are, but not their types
 * @m: filled in; needs no map_free()
 *
 * Return: 0, also for a map that can't be read (MAP_UNREADABLE); -ENOENT;
 * -EFAULT; -ENOTSUP.
 */
int map_probe(struct monitor *mon, uint32_t id, struct mon_map *m);

/**
 * map_open() - learn all about a map
 * @m: owned by the caller, for map_free()
 *
 * Return: as map_probe(), or -ENOMEM.
 */
int map_open(struct monitor *mon, uint32_t id, struct mon_map **m);
void map_free(struct mon_map *m);

static inline bool map_has_entries(const struct mon_map *m)
{
	return m->layout > MAP_UNREADABLE && m->layout < MAP_STRUCT_OPS;
}

static inline bool map_is_percpu(const struct mon_map *m)
{
	return m->layout == MAP_PERCPU_ARRAY || m->layout == MAP_PERCPU_HASH;
}

static inline bool map_is_hash(const struct mon_map *m)
{
	return m->layout == MAP_HASH || m->layout == MAP_PERCPU_HASH;
}

static inline bool map_is_array(const struct mon_map *m)
{
	return m->layout == MAP_ARRAY || m->layout == MAP_PERCPU_ARRAY;
}

/** map_nr_values() - per entry: 1, or one per possible CPU. */
unsigned int map_nr_values(const struct monitor *mon, const struct mon_map *m);

/* One entry of a map. */
struct map_entry {
	uint32_t index;		/* of an array */
	uint64_t key_kva;	/* of a hash; a storage's owner */
	uint64_t slot_kva;	/* the value, or the per-CPU pointer to it */
};

/** map_array_entry() - entry @index of an array. */
struct map_entry map_array_entry(const struct monitor *mon,
				 const struct mon_map *m, uint32_t index);

/**
 * map_value_kva() - where entry @e keeps its value
 * @cpu: of a per-CPU map, else 0
 *
 * Return: 0 or -EFAULT.
 */
int map_value_kva(struct monitor *mon, const struct mon_map *m,
		  const struct map_entry *e, unsigned int cpu, uint64_t *kva);

/**
 * map_global_name() - the name of global data's section (".bss")
 *
 * Return: borrowed, or NULL when the map is no global data.
 */
const char *map_global_name(const struct mon_map *m);

#endif
