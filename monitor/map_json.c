// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/map_json.h"

#include "monitor/btf_json.h"
#include "monitor/btf_type.h"
#include "monitor/htab.h"
#include "monitor/map.h"
#include "monitor/map_other.h"
#include "monitor/monitor_priv.h"
#include "monitor/queue.h"
#include "monitor/storage.h"
#include "monitor/struct_ops.h"

#include <bpf/btf.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORK_PER_MAP (1u << 18)
#define MAX_TYPE_TEXT 128
#define MAX_HEX_BYTES 4096u	/* of a value without a type */
#define HEX_BYTES_PER_WORK 16

struct map_reading {
	struct monitor *mon;
	const struct mon_map *m;
	struct btf_json_budget budget;
	bool truncated;		/* entries or bytes were left out */
	bool disturbed;		/* a hash changed: entries may be missing */
};

struct entry_state {
	bool unstable, fault;
};

static bool is_word_size(uint32_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static json_t *map_type_name(const struct monitor *mon,
			     const struct mon_map *m)
{
	char text[MAX_TYPE_TEXT];

	btf_enum_word(mon->kbtf.btf, "bpf_map_type", "BPF_MAP_TYPE_", m->type,
		      text, sizeof(text));
	return json_from_text(text, sizeof(text));
}

/* What the key or value is called; untyped ones by their size. */
static json_t *type_json(const struct mon_map *m, uint32_t type_id,
			 uint32_t size)
{
	char text[MAX_TYPE_TEXT];

	if (m->btf && type_id)
		btf_type_text(m->btf, type_id, text, sizeof(text));
	else if (is_word_size(size))
		snprintf(text, sizeof(text), "u%u", size * 8);
	else
		snprintf(text, sizeof(text), "u8[%u]", size);
	return json_from_text(text, sizeof(text));
}

/* Bytes of a key or value, typed if the map is. */
static json_t *bytes_json(struct map_reading *r, uint32_t type_id,
			  const void *data, uint32_t size)
{
	uint64_t v = 0;
	bool cut;

	if (r->m->btf && type_id)
		return btf_json(r->m->btf, type_id, data, size, &r->budget);
	if (!btf_json_spend(&r->budget, 1 + size / HEX_BYTES_PER_WORK))
		return json_null();
	if (is_word_size(size)) {
		memcpy(&v, data, size);
		return json_from_uint64(v);
	}
	cut = size > MAX_HEX_BYTES;
	if (cut)
		r->truncated = true;
	return json_from_hex(data, cut ? MAX_HEX_BYTES : size);
}

static json_t *read_value(struct map_reading *r, const struct map_entry *e,
			  unsigned int cpu, struct entry_state *st)
{
	struct monitor *mon = r->mon;
	bool stable = true;
	uint64_t kva;

	if (map_value_kva(mon, r->m, e, cpu, &kva) ||
	    kmem_read_stable(&mon->kmem, kva, mon->scratch.val,
			     mon->scratch.again, r->m->value_size, &stable)) {
		st->fault = true;
		return json_null();
	}
	if (!stable)
		st->unstable = true;
	return bytes_json(r, r->m->btf_value, mon->scratch.val,
			  r->m->value_size);
}

static json_t *read_values(struct map_reading *r, const struct map_entry *e,
			   struct entry_state *st)
{
	unsigned int nr = map_nr_values(r->mon, r->m), cpu;
	json_t *list = json_array();

	for (cpu = 0; list && cpu < nr; cpu++) {
		json_t *v = read_value(r, e, cpu, st);

		if (!v || json_array_append_new(list, v)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* Takes the reference of @key; NULL: entries have none. */
static json_t *entry_json(struct map_reading *r, const struct map_entry *e,
			  json_t *key, struct entry_state *st)
{
	bool percpu = map_is_percpu(r->m);
	json_t *v, *entry;

	v = percpu ? read_values(r, e, st) : read_value(r, e, 0, st);
	entry = json_pack("{s:o*, s:o}", "key", key,
			  percpu ? "values" : "value", v);
	if (entry && st->unstable)
		json_object_set_new(entry, "unstable", json_true());
	if (entry && st->fault)
		json_object_set_new(entry, "fault", json_true());
	return entry;
}

static bool append(json_t *list, json_t *entry)
{
	return entry && !json_array_append_new(list, entry);
}

/* False: out of memory. */
static bool add_array(struct map_reading *r, json_t *list, unsigned int max)
{
	uint32_t i;

	if (r->m->max_entries > max)
		r->truncated = true;
	for (i = 0; i < r->m->max_entries && i < max && !r->budget.exceeded;
	     i++) {
		struct map_entry e = map_array_entry(r->mon, r->m, i);
		struct entry_state st = { 0 };

		if (!append(list, entry_json(r, &e, json_integer(i), &st)))
			return false;
	}
	return true;
}

/*
 * A hash's element, unless it became another one's while it was read. False:
 * out of memory.
 */
static bool add_element(struct map_reading *r, const struct map_entry *e,
			json_t *list)
{
	uint8_t key[MAP_MAX_KEY_BYTES], after[MAP_MAX_KEY_BYTES];
	uint32_t size = r->m->key_size;
	struct entry_state st = { 0 };
	json_t *entry;

	if (kmem_read(&r->mon->kmem, e->key_kva, key, size)) {
		r->disturbed = true;
		return true;
	}
	entry = entry_json(r, e, bytes_json(r, r->m->btf_key, key, size), &st);
	if (kmem_read(&r->mon->kmem, e->key_kva, after, size) ||
	    memcmp(key, after, size)) {
		json_decref(entry);
		r->disturbed = true;
		return true;
	}
	return append(list, entry);
}

static bool add_hash(struct map_reading *r, json_t *list, unsigned int max)
{
	struct htab_iter it = { 0 };
	struct map_entry e;
	int more;

	while ((more = htab_next(r->mon, r->m, &it, &e)) > 0 &&
	       !r->budget.exceeded) {
		if (json_array_size(list) >= max) {
			r->truncated = true;
			break;
		}
		if (!add_element(r, &e, list))
			return false;
	}
	if (more < 0 || it.disturbed)
		r->disturbed = true;
	return true;
}

static bool add_queue(struct map_reading *r, json_t *list, unsigned int max)
{
	struct queue_ends ends, after;
	uint32_t i;

	if (queue_read_ends(r->mon, r->m, &ends)) {
		r->disturbed = true;
		return true;
	}
	for (i = 0; i < ends.nr && i < max && !r->budget.exceeded; i++) {
		struct map_entry e = queue_entry(r->mon, r->m, &ends, i);
		struct entry_state st = { 0 };

		if (!append(list, entry_json(r, &e, NULL, &st)))
			return false;
	}
	if (ends.nr > max)
		r->truncated = true;
	/* What was pushed or popped meanwhile went through these very slots. */
	if (queue_read_ends(r->mon, r->m, &after) ||
	    memcmp(&ends, &after, sizeof(ends)))
		r->disturbed = true;
	return true;
}

static bool add_storage(struct map_reading *r, json_t *list, unsigned int max)
{
	struct storage_iter it = { 0 };
	struct map_entry e;
	int more;

	while ((more = storage_next(r->mon, r->m, &it, &e)) > 0 &&
	       !r->budget.exceeded) {
		struct entry_state st = { 0 };
		json_t *entry;

		if (json_array_size(list) >= max) {
			r->truncated = true;
			break;
		}
		entry = entry_json(r, &e, storage_owner_json(r->mon, r->m, &e),
				   &st);
		if (!entry)
			return false;
		if (!storage_entry_holds(r->mon, r->m, &e)) {
			json_decref(entry);
			r->disturbed = true;
		} else if (!append(list, entry)) {
			return false;
		}
	}
	if (more < 0 || it.disturbed)
		r->disturbed = true;
	return true;
}

/* How a layout's entries are gone through. */
static bool (*const layout_add[])(struct map_reading *r, json_t *list,
				  unsigned int max) = {
	[MAP_ARRAY] = add_array,
	[MAP_PERCPU_ARRAY] = add_array,
	[MAP_HASH] = add_hash,
	[MAP_PERCPU_HASH] = add_hash,
	[MAP_QUEUE] = add_queue,
	[MAP_STACK] = add_queue,
	[MAP_STORAGE] = add_storage,
};

static json_t *entries_json(struct map_reading *r, unsigned int max)
{
	json_t *list = json_array();

	if (!list)
		return NULL;
	if (!layout_add[r->m->layout](r, list, max)) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* Make the scratch buffers hold @len bytes each. */
static bool scratch_reserve(struct mon_scratch *s, size_t len)
{
	void *val, *again;

	if (s->len_bytes >= len)
		return true;
	val = realloc(s->val, len);
	if (val)
		s->val = val;
	again = realloc(s->again, len);
	if (again)
		s->again = again;
	if (!val || !again)
		return false;
	s->len_bytes = len;
	return true;
}

static json_t *not_readable(struct monitor *mon, const struct mon_map *m,
			    const char *why)
{
	return json_pack("{s:o*, s:s, s:b, s:s}", "type", map_type_name(mon, m),
			 "source", "host", "readable", 0, "why", why);
}

/* Layouts without entries: what they add to the map's object. */
static const struct special {
	int (*fill)(struct monitor *mon, const struct mon_map *m, json_t *obj);
	const char *fault;
} specials[] = {
	[MAP_STRUCT_OPS] = { struct_ops_json,
			     "its programs could not be followed" },
	[MAP_BLOOM] = { bloom_json, "its memory could not be read" },
	[MAP_RINGBUF] = { ringbuf_json, "its memory could not be read" },
	[MAP_ARENA] = { arena_json, "its memory could not be read" },
};

static json_t *special_map_json(struct monitor *mon, const struct mon_map *m)
{
	json_t *j = json_pack("{s:o*, s:s}", "type", map_type_name(mon, m),
			      "source", "host");
	int err = j ? specials[m->layout].fill(mon, m, j) : -ENOMEM;

	if (!err)
		return j;
	json_decref(j);
	return err == -ENOMEM ? NULL :
	       not_readable(mon, m, specials[m->layout].fault);
}

static json_t *entries_map_json(struct map_reading *r, unsigned int max)
{
	const struct mon_map *m = r->m;
	json_t *entries, *j;

	if (!scratch_reserve(&r->mon->scratch, m->value_size))
		return NULL;
	entries = entries_json(r, max);
	if (!entries)
		return NULL;
	j = json_pack("{s:o*, s:s, s:o*, s:o*, s:o}", "type",
		      map_type_name(r->mon, m), "source", "host", "key",
		      m->key_size && m->layout != MAP_STORAGE ?
		      type_json(m, m->btf_key, m->key_size) : NULL, "value",
		      type_json(m, m->btf_value, m->value_size), "entries",
		      entries);
	if (j && (r->truncated || r->budget.exceeded))
		json_object_set_new(j, "truncated", json_true());
	if (j && r->disturbed)
		json_object_set_new(j, "unstable", json_true());
	return j;
}

json_t *map_json(struct monitor *mon, const struct mon_map *m,
		 unsigned int max_entries, unsigned int *work)
{
	unsigned int may = *work < MAX_WORK_PER_MAP ? *work : MAX_WORK_PER_MAP;
	struct map_reading r = { .mon = mon, .m = m, .budget.work = may };
	json_t *j;

	if (m->layout == MAP_UNREADABLE)
		return not_readable(mon, m, m->why);
	if (map_check(mon, m))
		return not_readable(mon, m, "the map is gone");

	if (map_has_entries(m))
		j = entries_map_json(&r, max_entries);
	else
		j = special_map_json(mon, m);
	*work -= may - r.budget.work;
	if (j && map_check(mon, m)) {
		json_decref(j);
		return not_readable(mon, m, "the map went away meanwhile");
	}
	return j;
}
