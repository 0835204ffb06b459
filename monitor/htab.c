// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/htab.h"

#include "monitor/monitor_priv.h"

#include <errno.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

int htab_open(struct monitor *mon, struct mon_map *m)
{
	static const enum kfield_id needed[] = {
		KF_HTAB_MAP, KF_HTAB_BUCKETS, KF_HTAB_NR_BUCKETS,
		KF_BUCKET, KF_BUCKET_FIRST, KF_NULLS_NEXT, KF_HTAB_ELEM_NODE,
		KF_HTAB_ELEM_KEY,
	};
	const char *missing = kbtf_missing(&mon->kbtf, needed, NR(needed));
	uint64_t htab = m->kva - mon->kbtf.fields[KF_HTAB_MAP].off;
	int64_t nr;
	int err;

	if (missing) {
		map_unreadable(m, "this kernel's BTF has no %s", missing);
		return 0;
	}
	err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, htab, KF_HTAB_BUCKETS,
			    &m->buckets_kva);
	if (!err)
		err = kbtf_read(&mon->kbtf, &mon->kmem, htab,
				KF_HTAB_NR_BUCKETS, &nr);
	if (err)
		return err;

	if (nr < 1 || !m->key_size || m->key_size > MAP_MAX_KEY_BYTES)
		map_unreadable(m, "its sizes contradict each other");
	else if (nr > HTAB_MAX_BUCKETS)
		map_unreadable(m, "tables of over %u buckets are not read",
			       HTAB_MAX_BUCKETS);
	else
		m->nr_buckets = nr;
	return 0;
}

/*
 * A chain ends in an odd word, twice the number of its bucket plus one: so a
 * reader whose element moved notices. See include/linux/list_nulls.h.
 */
static bool is_end(uint64_t node)
{
	return node & 1;
}

static uint32_t end_bucket(uint64_t node)
{
	return node >> 1;
}

static void next_bucket(struct htab_iter *it)
{
	it->bucket++;
	it->chain = 0;
	it->node = 0;
}

int htab_next(struct monitor *mon, const struct mon_map *m,
	      struct htab_iter *it, struct map_entry *e)
{
	const struct kfield *f = mon->kbtf.fields;

	while (it->bucket < m->nr_buckets) {
		uint64_t bucket = m->buckets_kva +
				  (uint64_t)it->bucket * f[KF_BUCKET].size;
		uint64_t node = it->node, elem;
		int err = 0;

		if (!node)
			err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, bucket,
					    KF_BUCKET_FIRST, &node);
		if (err)
			return err;
		if (is_end(node) || it->chain == HTAB_MAX_CHAIN) {
			if (!is_end(node) || end_bucket(node) != it->bucket)
				it->disturbed = true;
			next_bucket(it);
			continue;
		}

		if (it->visits++ == HTAB_MAX_VISITS)
			return -E2BIG;
		err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, node,
				    KF_NULLS_NEXT, &it->node);
		if (err)
			return err;
		it->chain++;
		if (!it->node) {
			/* Just taken out of a list: that is no way on. */
			it->disturbed = true;
			next_bucket(it);
		}

		elem = node - f[KF_HTAB_ELEM_NODE].off;
		e->index = 0;
		e->key_kva = elem + f[KF_HTAB_ELEM_KEY].off;
		e->slot_kva = e->key_kva + (m->key_size + 7) / 8 * 8;
		return 1;
	}
	return 0;
}
