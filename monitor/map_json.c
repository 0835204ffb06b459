// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/map_json.h"

#include "monitor/btf_json.h"
#include "monitor/btf_type.h"
#include "monitor/map.h"
#include "monitor/monitor_priv.h"

#include <bpf/btf.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORK_PER_MAP (1u << 18)
#define MAX_TYPE_TEXT 128
#define MAX_HEX_BYTES 4096u	/* of a value without a type */

#define TYPE_PREFIX "BPF_MAP_TYPE_"
#define TYPE_DEPRECATED "_DEPRECATED"

struct map_reading {
	struct monitor *mon;
	const struct mon_map *m;
	struct btf_json_budget budget;
};

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), end_len = strlen(end);

	return len >= end_len && !strcmp(s + len - end_len, end);
}

json_t *map_type_name(const struct monitor *mon, const struct mon_map *m)
{
	const struct btf *btf = mon->kbtf.btf;
	const struct btf_type *t;
	const struct btf_enum *e;
	char text[MAX_TYPE_TEXT];
	unsigned int i;
	char *p;
	int id;

	id = btf__find_by_name_kind(btf, "bpf_map_type", BTF_KIND_ENUM);
	t = id < 0 ? NULL : btf__type_by_id(btf, id);
	for (i = 0, e = t ? btf_enum(t) : NULL; t && i < btf_vlen(t); i++, e++) {
		const char *name = btf__name_by_offset(btf, e->name_off);

		if ((uint32_t)e->val != m->type || !name ||
		    strncmp(name, TYPE_PREFIX, strlen(TYPE_PREFIX)) ||
		    ends_with(name, TYPE_DEPRECATED))
			continue;
		snprintf(text, sizeof(text), "%s", name + strlen(TYPE_PREFIX));
		for (p = text; *p; p++)
			*p = tolower((unsigned char)*p);
		return json_from_text(text, sizeof(text));
	}
	return json_sprintf("type %u", m->type);
}

/* What the key or value is called; untyped ones by their size. */
static json_t *type_json(const struct mon_map *m, uint32_t type_id,
			 uint32_t size)
{
	char text[MAX_TYPE_TEXT];

	if (m->btf && type_id)
		btf_type_text(m->btf, type_id, text, sizeof(text));
	else if (size == 1 || size == 2 || size == 4 || size == 8)
		snprintf(text, sizeof(text), "u%u", size * 8);
	else
		snprintf(text, sizeof(text), "u8[%u]", size);
	return json_from_text(text, sizeof(text));
}

/* The value in the scratch buffer. */
static json_t *value_json(struct map_reading *r)
{
	const struct mon_map *m = r->m;
	uint64_t v = 0;

	if (m->btf)
		return btf_json(m->btf, m->btf_value, r->mon->scratch.val,
				m->value_size, &r->budget);
	if (m->value_size != 1 && m->value_size != 2 && m->value_size != 4 &&
	    m->value_size != 8) {
		bool cut = m->value_size > MAX_HEX_BYTES;

		if (cut)
			r->budget.exceeded = true;
		return json_from_hex(r->mon->scratch.val,
				     cut ? MAX_HEX_BYTES : m->value_size);
	}
	memcpy(&v, r->mon->scratch.val, m->value_size);
	return json_from_uint64(v);
}

static json_t *read_value(struct map_reading *r, uint32_t index,
			  unsigned int cpu, bool *unstable, bool *fault)
{
	struct monitor *mon = r->mon;
	bool stable = true;
	uint64_t kva;

	if (map_value_kva(mon, r->m, index, cpu, &kva) ||
	    kmem_read_stable(&mon->kmem, kva, mon->scratch.val,
			     mon->scratch.again, r->m->value_size, &stable)) {
		*fault = true;
		return json_null();
	}
	if (!stable)
		*unstable = true;
	return value_json(r);
}

static json_t *read_values(struct map_reading *r, uint32_t index,
			   bool *unstable, bool *fault)
{
	unsigned int nr = map_nr_values(r->mon, r->m), cpu;
	json_t *list = json_array();

	for (cpu = 0; list && cpu < nr; cpu++) {
		json_t *v = read_value(r, index, cpu, unstable, fault);

		if (!v || json_array_append_new(list, v)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *entry_json(struct map_reading *r, uint32_t index)
{
	bool unstable = false, fault = false, percpu;
	json_t *v, *entry;

	percpu = r->m->layout == MAP_PERCPU_ARRAY;
	v = percpu ? read_values(r, index, &unstable, &fault) :
		     read_value(r, index, 0, &unstable, &fault);
	if (!v)
		return NULL;
	entry = json_pack("{s:I, s:o}", "key", (json_int_t)index,
			  percpu ? "values" : "value", v);
	if (entry && unstable)
		json_object_set_new(entry, "unstable", json_true());
	if (entry && fault)
		json_object_set_new(entry, "fault", json_true());
	return entry;
}

static json_t *entries_json(struct map_reading *r, uint32_t nr)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; list && i < nr && !r->budget.exceeded; i++) {
		json_t *entry = entry_json(r, i);

		if (!entry || json_array_append_new(list, entry)) {
			json_decref(list);
			return NULL;
		}
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

json_t *map_json(struct monitor *mon, const struct mon_map *m,
		 unsigned int max_entries)
{
	struct map_reading r = { .mon = mon, .m = m,
				 .budget.work = MAX_WORK_PER_MAP };
	uint32_t nr = m->max_entries < max_entries ? m->max_entries :
						     max_entries;
	json_t *entries, *j;

	if (m->layout == MAP_UNREADABLE)
		return not_readable(mon, m, m->why);
	if (!scratch_reserve(&mon->scratch, m->value_size))
		return NULL;
	if (map_check(mon, m))
		return not_readable(mon, m, "the map is gone");

	entries = entries_json(&r, nr);
	if (!entries)
		return NULL;
	if (map_check(mon, m)) {
		json_decref(entries);
		return not_readable(mon, m, "the map went away meanwhile");
	}
	j = json_pack("{s:o*, s:s, s:o*, s:o*, s:o}", "type",
		      map_type_name(mon, m), "source", "host", "key",
		      type_json(m, m->btf_key, m->key_size), "value",
		      type_json(m, m->btf_value, m->value_size), "entries",
		      entries);
	if (j && (nr < m->max_entries || r.budget.exceeded))
		json_object_set_new(j, "truncated", json_true());
	return j;
}
