// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/map.h"

#include "monitor/btf_type.h"
#include "monitor/hash_numbers.h"
#include "monitor/htab.h"
#include "monitor/map_other.h"
#include "monitor/queue.h"
#include "monitor/storage.h"
#include "monitor/idr.h"
#include "monitor/monitor_priv.h"
#include "monitor/struct_ops.h"

#include <bpf/btf.h>
#include <linux/bpf.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIND_TRIES 3

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static int check_id(struct monitor *mon, uint64_t kva, uint32_t id)
{
	int64_t seen;
	int err;

	err = kbtf_read(&mon->kbtf, &mon->kmem, kva, KF_MAP_ID, &seen);
	if (err)
		return err;
	return (uint32_t)seen == id ? 0 : -ENOENT;
}

static int find_once(struct monitor *mon, uint32_t id, uint64_t *kva)
{
	int err = idr_find(&mon->kbtf, &mon->kmem,
			   mon->info.sym[MON_SYM_MAP_IDR], id, kva);

	return err ? err : check_id(mon, *kva, id);
}

int map_find(struct monitor *mon, uint32_t id, uint64_t *kva)
{
	unsigned int try;
	int err = -ENOENT;

	if (!mon->info.sym[MON_SYM_MAP_IDR] || !kbtf_has(&mon->kbtf, KF_MAP_ID))
		return -ENOTSUP;
	if (!id)
		return -ENOENT;

	/* The tree may change underfoot: what is found must carry the id. */
	for (try = 0; try < FIND_TRIES; try++) {
		kmem_flush(&mon->kmem);
		err = find_once(mon, id, kva);
		if (!err || err == -ENOTSUP)
			break;
	}
	return err;
}

int map_check(struct monitor *mon, const struct mon_map *m)
{
	uint64_t kva;
	int err;

	err = map_find(mon, m->id, &kva);
	return err || kva != m->kva ? -ENOENT : 0;
}

int map_still(struct monitor *mon, const struct mon_map *m)
{
	uint64_t kva;
	int err;

	err = idr_find(&mon->kbtf, &mon->kmem, mon->info.sym[MON_SYM_MAP_IDR],
		       m->id, &kva);
	if (!err && kva == m->kva && m->id_at)
		err = kmem_word(m->id_at, sizeof(m->id)) == m->id ? 0 : -ENOENT;
	else if (!err)
		err = check_id(mon, kva, m->id);
	if (!err)
		return kva != m->kva ? -ENOENT : 0;
	/* Gone, or the tree is being changed: that is another look's matter */
	return map_check(mon, m);
}

static int read_header(struct monitor *mon, struct mon_map *m)
{
	const struct {
		enum kfield_id field;
		uint32_t *to;
	} words[] = {
		{ KF_MAP_TYPE, &m->type },
		{ KF_MAP_KEY_SIZE, &m->key_size },
		{ KF_MAP_VALUE_SIZE, &m->value_size },
		{ KF_MAP_MAX_ENTRIES, &m->max_entries },
	};
	const struct kfield *name = &mon->kbtf.fields[KF_MAP_NAME];
	size_t i;

	for (i = 0; i < NR(words); i++) {
		int64_t v;
		int err;

		err = kbtf_read(&mon->kbtf, &mon->kmem, m->kva, words[i].field,
				&v);
		if (err)
			return err == -ENOENT ? -ENOTSUP : err;
		*words[i].to = v;
	}
	if (!name->present || name->size > sizeof(m->name))
		return -ENOTSUP;
	if (kmem_read(&mon->kmem, m->kva + name->off, m->name, name->size))
		return -EFAULT;
	m->name[sizeof(m->name) - 1] = '\0';
	return 0;
}

/* Copy and parse the BTF at @kva. */
static int load_btf(struct monitor *mon, uint64_t kva, struct btf **btf)
{
	int64_t size, base = 0;
	uint64_t data;
	void *raw;
	int err;

	err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, kva, KF_BTF_DATA, &data);
	if (!err)
		err = kbtf_read(&mon->kbtf, &mon->kmem, kva, KF_BTF_DATA_SIZE,
				&size);
	if (!err && kbtf_has(&mon->kbtf, KF_BTF_BASE))
		err = kbtf_read(&mon->kbtf, &mon->kmem, kva, KF_BTF_BASE,
				&base);
	if (err)
		return err;
	if (base || size <= 0 || size > MAP_MAX_BTF_BYTES)
		return -EINVAL; /* a module's, not a program's */

	raw = malloc(size);
	if (!raw)
		return -ENOMEM;
	err = kmem_read(&mon->kmem, data, raw, size);
	if (!err)
		err = btf_parse_untrusted(raw, size, btf);
	free(raw);
	return err;
}

/* Untyped when the BTF can't be had: the bytes can still be shown. */
static int find_btf(struct monitor *mon, struct mon_map *m)
{
	struct mon_map_btf *b;
	int64_t key, value, id;
	uint64_t kva;
	unsigned int i;
	int err;

	if (kbtf_read_ptr(&mon->kbtf, &mon->kmem, m->kva, KF_MAP_BTF, &kva) ||
	    kbtf_read(&mon->kbtf, &mon->kmem, m->kva, KF_MAP_BTF_KEY, &key) ||
	    kbtf_read(&mon->kbtf, &mon->kmem, m->kva, KF_MAP_BTF_VALUE,
		      &value) ||
	    !kva || !value ||
	    kbtf_read(&mon->kbtf, &mon->kmem, kva, KF_BTF_ID, &id))
		return 0;

	for (i = 0; i < mon->nr_btfs; i++) {
		b = &mon->btfs[i];
		if (b->kva == kva && b->id == (uint32_t)id)
			goto found;
	}
	if (mon->nr_btfs == MON_MAX_BTFS)
		return 0;
	b = &mon->btfs[mon->nr_btfs];
	err = load_btf(mon, kva, &b->btf);
	if (err)
		return err == -ENOMEM ? err : 0;
	b->kva = kva;
	b->id = id;
	mon->nr_btfs++;
found:
	/* A type of another size would be a guess. */
	if (btf__resolve_size(b->btf, value) != m->value_size)
		return 0;
	m->btf = b->btf;
	m->btf_key = key;
	m->btf_value = value;
	return 0;
}

void map_unreadable(struct mon_map *m, const char *fmt, ...)
{
	va_list args;

	m->layout = MAP_UNREADABLE;
	va_start(args, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, args);
	va_end(args);
}

static int open_array(struct monitor *mon, struct mon_map *m)
{
	static const enum kfield_id needed[] = { KF_ARRAY_MAP,
						 KF_ARRAY_ELEM_SIZE,
						 KF_ARRAY_VALUE,
						 KF_ARRAY_PPTRS };
	const char *missing = kbtf_missing(&mon->kbtf, needed, NR(needed));
	int64_t elem_size;
	int err;

	if (missing) {
		map_unreadable(m, "this kernel's BTF has no %s", missing);
		return 0;
	}
	err = kbtf_read(&mon->kbtf, &mon->kmem,
			m->kva - mon->kbtf.fields[KF_ARRAY_MAP].off,
			KF_ARRAY_ELEM_SIZE, &elem_size);
	if (err)
		return err;
	if (elem_size < m->value_size)
		map_unreadable(m, "its sizes contradict each other");
	m->elem_size = elem_size;
	return 0;
}

/* No entry: listed as not readable. */
static const struct map_type {
	enum map_layout layout;
	int (*open)(struct monitor *mon, struct mon_map *m);
} map_types[] = {
	[BPF_MAP_TYPE_ARRAY] = { MAP_ARRAY, open_array },
	[BPF_MAP_TYPE_PERCPU_ARRAY] = { MAP_PERCPU_ARRAY, open_array },
	[BPF_MAP_TYPE_HASH] = { MAP_HASH, htab_open },
	[BPF_MAP_TYPE_LRU_HASH] = { MAP_HASH, htab_open },
	[BPF_MAP_TYPE_PERCPU_HASH] = { MAP_PERCPU_HASH, htab_open },
	[BPF_MAP_TYPE_STRUCT_OPS] = { MAP_STRUCT_OPS, struct_ops_open },
	[BPF_MAP_TYPE_LRU_PERCPU_HASH] = { MAP_PERCPU_HASH, htab_open },
	[BPF_MAP_TYPE_QUEUE] = { MAP_QUEUE, queue_open },
	[BPF_MAP_TYPE_STACK] = { MAP_STACK, queue_open },
	[BPF_MAP_TYPE_SK_STORAGE] = { MAP_STORAGE, storage_open },
	[BPF_MAP_TYPE_INODE_STORAGE] = { MAP_STORAGE, storage_open },
	[BPF_MAP_TYPE_TASK_STORAGE] = { MAP_STORAGE, storage_open },
	[MAP_TYPE_CGRP_STORAGE] = { MAP_STORAGE, storage_open },
	[BPF_MAP_TYPE_BLOOM_FILTER] = { MAP_BLOOM, map_other_open },
	[BPF_MAP_TYPE_RINGBUF] = { MAP_RINGBUF, map_other_open },
	[BPF_MAP_TYPE_USER_RINGBUF] = { MAP_RINGBUF, map_other_open },
	[MAP_TYPE_ARENA] = { MAP_ARENA, map_other_open },
};

static int open_layout(struct monitor *mon, struct mon_map *m)
{
	if (m->type >= NR(map_types) || !map_types[m->type].open) {
		map_unreadable(m, "the host can't read maps of this type");
		return 0;
	}
	m->layout = map_types[m->type].layout;
	if (map_is_percpu(m) && !mon->nr_possible) {
		map_unreadable(m, "where per-CPU data is was not told");
		return 0;
	}
	if (map_has_entries(m) && !m->value_size) {
		map_unreadable(m, "its sizes contradict each other");
		return 0;
	}
	return map_types[m->type].open(mon, m);
}

static void name_map(const struct monitor *mon, struct mon_map *m)
{
	unsigned int i;

	snprintf(m->label, sizeof(m->label), "%s", m->name);
	for (i = 0; i < mon->nr_maps; i++) {
		if (!strcmp(mon->maps[i]->name, m->name))
			snprintf(m->label, sizeof(m->label), "%s#%u", m->name,
				 m->id);
	}
}

/*
 * What the names of the map's numbers begin with: the section for global data,
 * since the kernel cuts the name of such a map, else the label.
 */
static void number_prefix(const struct monitor *mon, const struct mon_map *m,
			  char *buf, size_t len)
{
	const char *section = map_global_name(m);
	unsigned int i;

	snprintf(buf, len, "%s", section ? section : m->label);
	for (i = 0; section && i < mon->nr_maps; i++) {
		const char *other = map_global_name(mon->maps[i]);

		if (other && !strcmp(other, section))
			snprintf(buf, len, "%s#%u", section, m->id);
	}
}

static int find_numbers(const struct monitor *mon, struct mon_map *m)
{
	char prefix[NUMBERS_MAX_NAME], entry[NUMBERS_MAX_NAME + 16];
	uint32_t i;
	int err = 0;

	if (map_is_hash(m))
		return hash_numbers_open(m, &m->hash);
	if (!map_is_array(m) && m->layout != MAP_STORAGE)
		return 0;
	number_prefix(mon, m, prefix, sizeof(prefix));
	if (m->max_entries == 1 || m->layout == MAP_STORAGE)
		return numbers_add(&m->numbers, m->btf, m->btf_value,
				   m->value_size, 0, prefix);

	for (i = 0; i < m->max_entries && !err; i++) {
		unsigned int had = m->numbers.nr;

		snprintf(entry, sizeof(entry), "%s[%u]", prefix, i);
		err = numbers_add(&m->numbers, m->btf, m->btf_value,
				  m->value_size, i, entry);
		if (m->numbers.truncated || m->numbers.nr == had)
			break;
	}
	return err;
}

int map_probe(struct monitor *mon, uint32_t id, struct mon_map *m)
{
	int err;

	memset(m, 0, sizeof(*m));
	m->id = id;
	err = map_find(mon, id, &m->kva);
	if (!err)
		err = read_header(mon, m);
	return err ? err : open_layout(mon, m);
}

/* As it is the map's own memory, it stays where it is while the map lives. */
static const char *find_id(struct monitor *mon, const struct mon_map *m)
{
	const struct kfield *f = &mon->kbtf.fields[KF_MAP_ID];
	uint64_t kva = m->kva + f->off;

	return f->size == sizeof(m->id) && kva % sizeof(m->id) == 0 ?
		kmem_at(&mon->kmem, kva, sizeof(m->id)) : NULL;
}

int map_open(struct monitor *mon, uint32_t id, struct mon_map **out)
{
	struct mon_map *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	err = map_probe(mon, id, m);
	if (err)
		goto free_map;

	name_map(mon, m);
	if (m->value_size > MAP_MAX_VALUE_BYTES)
		map_unreadable(m, "values over 1 MiB are not read");
	err = find_btf(mon, m);
	if (!err && m->layout)
		err = find_numbers(mon, m);
	if (!err)
		m->id_at = find_id(mon, m);
	/* What was read is this map's only if it is still there. */
	if (!err)
		err = map_check(mon, m);
	if (err)
		goto free_map;
	*out = m;
	return 0;

free_map:
	map_free(m);
	return err;
}

void map_free(struct mon_map *m)
{
	if (!m)
		return;
	numbers_fini(&m->numbers);
	array_places_fini(&m->places);
	hash_numbers_free(m->hash);
	free(m);
}

unsigned int map_nr_values(const struct monitor *mon, const struct mon_map *m)
{
	return map_is_percpu(m) ? mon->nr_possible : 1;
}

struct map_entry map_array_entry(const struct monitor *mon,
				 const struct mon_map *m, uint32_t index)
{
	const struct kfield *f = mon->kbtf.fields;
	struct map_entry e = { .index = index };

	e.slot_kva = m->kva - f[KF_ARRAY_MAP].off;
	if (m->layout == MAP_ARRAY)
		e.slot_kva += f[KF_ARRAY_VALUE].off +
			      (uint64_t)index * m->elem_size;
	else
		e.slot_kva += f[KF_ARRAY_PPTRS].off + (uint64_t)index * 8;
	return e;
}

int map_value_kva(struct monitor *mon, const struct mon_map *m,
		  const struct map_entry *e, unsigned int cpu, uint64_t *kva)
{
	uint64_t pptr;
	int err;

	if (!map_is_percpu(m)) {
		*kva = e->slot_kva;
		return 0;
	}
	err = kmem_read_ptr(&mon->kmem, e->slot_kva, &pptr);
	if (!err)
		*kva = pptr + mon->percpu_off[cpu];
	return err;
}

const char *map_global_name(const struct mon_map *m)
{
	const struct btf_type *t;
	const char *name;

	if (!m->btf)
		return NULL;
	t = btf__type_by_id(m->btf, m->btf_value);
	if (!t || !btf_is_datasec(t))
		return NULL;
	name = btf__name_by_offset(m->btf, t->name_off);
	return name && *name ? name : NULL;
}
