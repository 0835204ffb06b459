// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/hash_numbers.h"

#include "monitor/btf_type.h"
#include "monitor/htab.h"
#include "monitor/monitor_priv.h"

#include <bpf/btf.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_text(const struct mon_map *m)
{
	const struct btf_type *t;

	if (!m->btf || !m->btf_key)
		return false;
	t = btf_type_skip(m->btf, m->btf_key, NULL);
	return t && btf_is_array(t) && btf_is_text(m->btf, t);
}

int hash_numbers_open(const struct mon_map *m, struct hash_numbers **out)
{
	struct hash_numbers *hn;
	int err = -ENOMEM;

	*out = NULL;
	if (m->nr_buckets > HASH_NUMBERS_MAX_BUCKETS)
		return 0;
	hn = calloc(1, sizeof(*hn));
	if (!hn)
		return -ENOMEM;
	hn->text_key = is_text(m);
	hn->v = calloc(HASH_NUMBERS_MAX, sizeof(*hn->v));
	hn->named_keys = calloc(HASH_NUMBERS_MAX, m->key_size);
	if (hn->v && hn->named_keys)
		err = numbers_add(&hn->value, m->btf, m->btf_value,
				  m->value_size, 0, "");
	if (!err && !hn->text_key)
		err = numbers_add(&hn->key, m->btf_key ? m->btf : NULL,
				  m->btf_key, m->key_size, 0, "");
	/* Keys told apart only by what isn't written would share a name. */
	if (err || !hn->value.nr || hn->key.truncated ||
	    hn->key.nr > HASH_KEY_PARTS || (!hn->text_key && !hn->key.nr)) {
		hash_numbers_free(hn);
		return err;
	}
	*out = hn;
	return 0;
}

void hash_numbers_free(struct hash_numbers *hn)
{
	if (!hn)
		return;
	numbers_fini(&hn->key);
	numbers_fini(&hn->value);
	free(hn->v);
	free(hn->named_keys);
	free(hn);
}

/* "MAP[key]" into @buf. False: it does not fit. */
static bool element_name(const struct hash_numbers *hn, const char *prefix,
			 const uint8_t *key, uint32_t key_size, char *buf,
			 size_t room)
{
	size_t len = snprintf(buf, room, "%s[", prefix);
	unsigned int i;

	if (hn->text_key && len < room)
		len += snprintf(buf + len, room - len, "%.*s", (int)key_size,
				(const char *)key);
	for (i = 0; i < hn->key.nr && len < room; i++) {
		const struct number *n = &hn->key.v[i];
		char word[NUMBER_TEXT_MAX];

		number_text(n, key + n->off, word);
		len += snprintf(buf + len, room - len, "%s%s", i ? "," : "",
				word);
	}
	if (len < room)
		len += snprintf(buf + len, room - len, "]");
	if (len >= room)
		return false;
	text_to_ascii(buf);
	return true;
}

/*
 * Name @to as field @field of the element with @key; false where that is too
 * long. Mostly it is so named from the last reading.
 */
static bool name_number(const struct mon_map *m, const char *prefix,
			const uint8_t *key, unsigned int field,
			struct hash_number *to)
{
	const struct hash_numbers *hn = m->hash;
	uint8_t *named_key = hn->named_keys + (to - hn->v) * m->key_size;
	const char *name = hn->value.v[field].name;
	size_t len;

	if (to->named == field + 1 && !memcmp(named_key, key, m->key_size))
		return true;
	to->named = 0;
	if (!element_name(hn, prefix, key, m->key_size, to->name,
			  sizeof(to->name)))
		return false;
	len = strlen(to->name);
	if (len + strlen(name) >= sizeof(to->name))
		return false;
	memcpy(to->name + len, name, strlen(name) + 1);
	memcpy(named_key, key, m->key_size);
	to->named = field + 1;
	return true;
}

/* One number of an element, over all CPUs. */
static int read_sum(struct monitor *mon, const struct mon_map *m,
		    const struct map_entry *e, const struct number *n,
		    struct hash_number *to)
{
	unsigned int nr = map_nr_values(mon, m), cpu;

	to->val = 0;
	to->unstable = false;
	for (cpu = 0; cpu < nr; cpu++) {
		uint64_t kva;
		double v;
		int err;

		err = map_value_kva(mon, m, e, cpu, &kva);
		if (!err)
			err = number_read(n, &mon->kmem, kva, &v,
					  &to->unstable);
		if (err)
			return err;
		to->val += v;
	}
	return 0;
}

static void read_element(struct monitor *mon, const struct mon_map *m,
			 const char *prefix, const struct map_entry *e)
{
	uint8_t key[MAP_MAX_KEY_BYTES], after[MAP_MAX_KEY_BYTES];
	struct hash_numbers *hn = m->hash;
	unsigned int had = hn->nr, i;

	if (kmem_read(&mon->kmem, e->key_kva, key, m->key_size))
		return;
	for (i = 0; i < hn->value.nr && hn->nr < HASH_NUMBERS_MAX; i++) {
		struct hash_number *to = &hn->v[hn->nr];

		if (name_number(m, prefix, key, i, to) &&
		    !read_sum(mon, m, e, &hn->value.v[i], to))
			hn->nr++;
	}
	/* Freed and taken for another key meanwhile: whose numbers are they? */
	if (kmem_read(&mon->kmem, e->key_kva, after, m->key_size) ||
	    memcmp(key, after, m->key_size))
		hn->nr = had;
}

void hash_numbers_read(struct monitor *mon, const struct mon_map *m,
		       const char *prefix)
{
	struct htab_iter it = { 0 };
	unsigned int elems = 0;
	struct map_entry e;

	m->hash->nr = 0;
	while (elems++ < HASH_NUMBERS_MAX_ELEMS &&
	       m->hash->nr < HASH_NUMBERS_MAX &&
	       htab_next(mon, m, &it, &e) > 0)
		read_element(mon, m, prefix, &e);
}
