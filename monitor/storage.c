// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/storage.h"

#include "monitor/btf_json.h"
#include "monitor/monitor_priv.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#define MAX_BUCKET_LOG 20
#define MAX_CHAIN 1024		/* elements of one bucket */
#define MAX_VISITS (1u << 17)	/* elements of one walk */
#define MAX_COMM 64

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t storage_object(const struct monitor *mon,
			       const struct mon_map *m)
{
	return m->kva - mon->kbtf.fields[KF_STORAGE_MAP].off;
}

static int read_field(struct monitor *mon, uint64_t base, enum kfield_id id,
		      uint64_t *v)
{
	return kbtf_read_ptr(&mon->kbtf, &mon->kmem, base, id, v);
}

int storage_open(struct monitor *mon, struct mon_map *m)
{
	static const enum kfield_id needed[] = {
		KF_STORAGE_MAP, KF_STORAGE_BUCKETS, KF_STORAGE_BUCKET_LOG,
		KF_STORAGE_BUCKET, KF_STORAGE_BUCKET_FIRST, KF_SELEM_NODE,
		KF_SELEM_STORAGE, KF_SELEM_SMAP, KF_SELEM_DATA,
		KF_STORAGE_OWNER, KF_HLIST_NEXT,
	};
	const char *missing = kbtf_missing(&mon->kbtf, needed, NR(needed));
	uint64_t smap = storage_object(mon, m), log;
	int err;

	if (missing) {
		map_unreadable(m, "this kernel's BTF has no %s", missing);
		return 0;
	}
	err = read_field(mon, smap, KF_STORAGE_BUCKETS, &m->buckets_kva);
	if (!err)
		err = read_field(mon, smap, KF_STORAGE_BUCKET_LOG, &log);
	if (err)
		return err;
	if (log > MAX_BUCKET_LOG)
		map_unreadable(m, "its sizes contradict each other");
	else
		m->nr_buckets = 1u << log;
	return 0;
}

static uint64_t elem_of(const struct monitor *mon, const struct map_entry *e)
{
	return e->slot_kva - mon->kbtf.fields[KF_SELEM_DATA].off;
}

/* The owner, if the element is this map's; else 0. */
static uint64_t owner_of(struct monitor *mon, const struct mon_map *m,
			 uint64_t elem)
{
	uint64_t smap, storage, owner;

	if (read_field(mon, elem, KF_SELEM_SMAP, &smap) ||
	    smap != storage_object(mon, m) ||
	    read_field(mon, elem, KF_SELEM_STORAGE, &storage) || !storage ||
	    read_field(mon, storage, KF_STORAGE_OWNER, &owner))
		return 0;
	return owner;
}

static void next_bucket(struct storage_iter *it)
{
	it->bucket++;
	it->chain = 0;
	it->node = 0;
}

int storage_next(struct monitor *mon, const struct mon_map *m,
		 struct storage_iter *it, struct map_entry *e)
{
	const struct kfield *f = mon->kbtf.fields;

	while (it->bucket < m->nr_buckets) {
		uint64_t bucket = m->buckets_kva +
				  (uint64_t)it->bucket *
				  f[KF_STORAGE_BUCKET].size;
		uint64_t node = it->node, elem;
		int err = 0;

		if (!node)
			err = read_field(mon, bucket, KF_STORAGE_BUCKET_FIRST,
					 &node);
		if (err)
			return err;
		if (!node) {
			next_bucket(it);
			continue;
		}
		if (it->chain++ == MAX_CHAIN) {
			it->disturbed = true;
			next_bucket(it);
			continue;
		}
		if (it->visits++ == MAX_VISITS)
			return -E2BIG;
		err = read_field(mon, node, KF_HLIST_NEXT, &it->node);
		if (err)
			return err;
		if (!it->node)
			next_bucket(it);

		elem = node - f[KF_SELEM_NODE].off;
		e->index = 0;
		e->slot_kva = elem + f[KF_SELEM_DATA].off;
		e->key_kva = owner_of(mon, m, elem);
		if (e->key_kva)
			return 1;
		it->disturbed = true; /* on its way out */
	}
	return 0;
}

bool storage_entry_holds(struct monitor *mon, const struct mon_map *m,
			 const struct map_entry *e)
{
	return owner_of(mon, m, elem_of(mon, e)) == e->key_kva;
}

/* Add what one element has; false: it is not, or no longer, of this map. */
static bool add_element(struct monitor *mon, struct mon_map *m,
			const struct map_entry *e)
{
	unsigned int i;
	double v;

	for (i = 0; i < m->numbers.nr; i++) {
		struct number *n = &m->numbers.v[i];

		if (number_read(n, &mon->kmem, e->slot_kva, &v, &n->unstable))
			return false;
		n->val += v;
	}
	return storage_entry_holds(mon, m, e);
}

void storage_numbers_read(struct monitor *mon, struct mon_map *m)
{
	struct storage_iter it = { 0 };
	unsigned int words = 0, i;
	struct map_entry e;
	bool all = true;
	int more = 0;

	for (i = 0; i < m->numbers.nr; i++) {
		m->numbers.v[i].val = 0;
		m->numbers.v[i].unstable = false;
	}
	while (all && (more = storage_next(mon, m, &it, &e)) > 0) {
		words += m->numbers.nr;
		all = words <= STORAGE_NUMBERS_MAX && add_element(mon, m, &e);
	}
	for (i = 0; i < m->numbers.nr; i++)
		m->numbers.v[i].read_ok = all && !more && !it.disturbed;
}

static json_t *task_json(struct monitor *mon, uint64_t task)
{
	const struct kfield *comm = &mon->kbtf.fields[KF_TASK_COMM];
	char text[MAX_COMM] = "";
	uint64_t pid;

	if (read_field(mon, task, KF_TASK_PID, &pid))
		return json_null();
	if (!comm->present || comm->size > sizeof(text) ||
	    kmem_read(&mon->kmem, task + comm->off, text, comm->size))
		text[0] = '\0';
	return json_pack("{s:I, s:o}", "pid", (json_int_t)(int32_t)pid, "comm",
			 json_from_text(text, sizeof(text)));
}

static json_t *cgroup_json(struct monitor *mon, uint64_t cgroup)
{
	uint64_t kn, id;

	if (read_field(mon, cgroup, KF_CGROUP_KN, &kn) ||
	    read_field(mon, kn, KF_KERNFS_ID, &id))
		return json_null();
	return json_pack("{s:o}", "cgroup_id", json_from_uint64(id));
}

static json_t *inode_json(struct monitor *mon, uint64_t inode)
{
	uint64_t ino;

	if (read_field(mon, inode, KF_INODE_INO, &ino))
		return json_null();
	return json_pack("{s:o}", "inode", json_from_uint64(ino));
}

json_t *storage_owner_json(struct monitor *mon, const struct mon_map *m,
			   const struct map_entry *e)
{
	switch (m->type) {
	case BPF_MAP_TYPE_TASK_STORAGE: return task_json(mon, e->key_kva);
	case MAP_TYPE_CGRP_STORAGE: return cgroup_json(mon, e->key_kva);
	case BPF_MAP_TYPE_INODE_STORAGE: return inode_json(mon, e->key_kva);
	default: return json_null();
	}
}
