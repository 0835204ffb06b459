// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/queue.h"

#include "monitor/monitor_priv.h"

#include <errno.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

int queue_open(struct monitor *mon, struct mon_map *m)
{
	static const enum kfield_id needed[] = { KF_QUEUE_MAP, KF_QUEUE_HEAD,
						 KF_QUEUE_TAIL, KF_QUEUE_SIZE,
						 KF_QUEUE_ELEMENTS };
	const char *missing = kbtf_missing(&mon->kbtf, needed, NR(needed));

	if (missing)
		map_unreadable(m, "this kernel's BTF has no %s", missing);
	return 0;
}

static uint64_t queue_object(const struct monitor *mon, const struct mon_map *m)
{
	return m->kva - mon->kbtf.fields[KF_QUEUE_MAP].off;
}

int queue_read_ends(struct monitor *mon, const struct mon_map *m,
		    struct queue_ends *ends)
{
	uint64_t qs = queue_object(mon, m);
	int64_t head, tail, size;
	int err;

	err = kbtf_read(&mon->kbtf, &mon->kmem, qs, KF_QUEUE_HEAD, &head);
	if (!err)
		err = kbtf_read(&mon->kbtf, &mon->kmem, qs, KF_QUEUE_TAIL,
				&tail);
	if (!err)
		err = kbtf_read(&mon->kbtf, &mon->kmem, qs, KF_QUEUE_SIZE,
				&size);
	if (err)
		return err;
	if (size != m->max_entries + 1ll || head < 0 || head >= size ||
	    tail < 0 || tail >= size)
		return -EFAULT;
	*ends = (struct queue_ends){
		.head = head,
		.tail = tail,
		.size = size,
		.nr = (head - tail + size) % size,
	};
	return 0;
}

struct map_entry queue_entry(const struct monitor *mon, const struct mon_map *m,
			     const struct queue_ends *ends, uint32_t i)
{
	struct map_entry e = { .index = i };
	uint64_t slot;

	if (m->layout == MAP_QUEUE)
		slot = ((uint64_t)ends->tail + i) % ends->size;
	else
		slot = ((uint64_t)ends->head + ends->size - 1 - i) % ends->size;
	e.slot_kva = queue_object(mon, m) +
		     mon->kbtf.fields[KF_QUEUE_ELEMENTS].off +
		     slot * m->value_size;
	return e;
}
