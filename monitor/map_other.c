// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/map_other.h"

#include "monitor/btf_json.h"
#include "monitor/map.h"
#include "monitor/monitor_priv.h"

#include <errno.h>
#include <stdio.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/*
 * A program reaches an arena by a 32-bit offset and the 16-bit one of an
 * instruction: the kernel leaves half of the latter's reach free before it.
 */
#define ARENA_GUARD (0x10000u / 2)
#define ARENA_MAX_PAGES (1u << 20)	/* 4 GiB */

static const enum kfield_id bloom_fields[] = { KF_BLOOM_MAP, KF_BLOOM_MASK,
					       KF_BLOOM_HASHES };
static const enum kfield_id ringbuf_fields[] = { KF_RINGBUF_MAP, KF_RINGBUF_RB,
						 KF_RB_MASK, KF_RB_CONSUMER,
						 KF_RB_PRODUCER };
static const enum kfield_id arena_fields[] = { KF_ARENA_MAP,
					       KF_ARENA_USER_START,
					       KF_ARENA_KERN_VM, KF_VM_ADDR };

static const struct needs {
	const enum kfield_id *fields;
	size_t nr;
} needs[] = {
	[MAP_BLOOM] = { bloom_fields, NR(bloom_fields) },
	[MAP_RINGBUF] = { ringbuf_fields, NR(ringbuf_fields) },
	[MAP_ARENA] = { arena_fields, NR(arena_fields) },
};

int map_other_open(struct monitor *mon, struct mon_map *m)
{
	const struct needs *n = &needs[m->layout];
	const char *missing = kbtf_missing(&mon->kbtf, n->fields, n->nr);

	if (missing)
		map_unreadable(m, "this kernel's BTF has no %s", missing);
	return 0;
}

static int read_field(struct monitor *mon, uint64_t base, enum kfield_id id,
		      uint64_t *v)
{
	return kbtf_read_ptr(&mon->kbtf, &mon->kmem, base, id, v);
}

static int take(json_t *obj, json_t *members)
{
	return json_object_update_new(obj, members) ? -ENOMEM : 0;
}

int bloom_json(struct monitor *mon, const struct mon_map *m, json_t *obj)
{
	uint64_t bloom = m->kva - mon->kbtf.fields[KF_BLOOM_MAP].off;
	uint64_t mask, hashes;

	if (read_field(mon, bloom, KF_BLOOM_MASK, &mask) ||
	    read_field(mon, bloom, KF_BLOOM_HASHES, &hashes))
		return -EFAULT;
	return take(obj, json_pack("{s:I, s:o, s:I, s:b, s:s}", "max_entries",
				   (json_int_t)m->max_entries, "bits",
				   json_from_uint64(mask + 1), "hashes",
				   (json_int_t)hashes, "readable", 0, "why",
				   "a Bloom filter does not keep its keys"));
}

int ringbuf_json(struct monitor *mon, const struct mon_map *m, json_t *obj)
{
	uint64_t map = m->kva - mon->kbtf.fields[KF_RINGBUF_MAP].off;
	uint64_t rb, mask, consumer, producer, pending;
	json_t *pending_json = json_null();

	/*
	 * The consumer first: it never passes the producer, so neither does
	 * what is read of them in this order.
	 */
	if (read_field(mon, map, KF_RINGBUF_RB, &rb) ||
	    read_field(mon, rb, KF_RB_MASK, &mask) ||
	    read_field(mon, rb, KF_RB_CONSUMER, &consumer))
		return -EFAULT;
	if (!read_field(mon, rb, KF_RB_PENDING, &pending))
		pending_json = json_from_uint64(pending);
	if (read_field(mon, rb, KF_RB_PRODUCER, &producer)) {
		json_decref(pending_json);
		return -EFAULT;
	}
	return take(obj, json_pack("{s:o, s:o, s:o, s:o, s:o}", "size_bytes",
				   json_from_uint64(mask + 1), "consumer_pos",
				   json_from_uint64(consumer), "producer_pos",
				   json_from_uint64(producer), "pending_pos",
				   pending_json, "unread_bytes",
				   producer >= consumer ?
				   json_from_uint64(producer - consumer) :
				   json_null()));
}

/* The page that stands in for those that are not there. */
static uint64_t scratch_gpa(struct monitor *mon, uint64_t arena)
{
	const struct kfield *page = &mon->kbtf.fields[KF_PAGE];
	uint64_t base_kva = mon->info.sym[MON_SYM_VMEMMAP_BASE];
	uint64_t scratch, vmemmap;

	if (!page->present || !page->size || !base_kva ||
	    read_field(mon, arena, KF_ARENA_SCRATCH, &scratch) ||
	    kmem_read_ptr(&mon->kmem, base_kva, &vmemmap) || scratch < vmemmap)
		return UINT64_MAX;
	return (scratch - vmemmap) / page->size * PW_PAGE_SIZE;
}

/* Its pages are where the low 32 bits of their addresses in user space say. */
static json_t *count_pages(struct monitor *mon, const struct mon_map *m,
			   uint64_t arena, uint64_t user)
{
	uint64_t vm, kva;

	if (read_field(mon, arena, KF_ARENA_KERN_VM, &vm) ||
	    read_field(mon, vm, KF_VM_ADDR, &kva))
		return json_null();
	kva += ARENA_GUARD + (uint32_t)user;
	return json_integer(page_walk_count(&mon->kmem.walk, kva,
					    m->max_entries,
					    scratch_gpa(mon, arena)));
}

int arena_json(struct monitor *mon, const struct mon_map *m, json_t *obj)
{
	uint64_t arena = m->kva - mon->kbtf.fields[KF_ARENA_MAP].off;
	json_t *pages = json_null(), *bytes = json_null();
	char text[24];
	uint64_t user;

	if (m->max_entries > ARENA_MAX_PAGES ||
	    read_field(mon, arena, KF_ARENA_USER_START, &user))
		return -EFAULT;
	/* Before user space has mapped it, the kernel knows no address. */
	if (user)
		pages = count_pages(mon, m, arena, user);
	if (json_is_integer(pages))
		bytes = json_integer(json_integer_value(pages) * PW_PAGE_SIZE);
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)user);
	return take(obj, json_pack("{s:I, s:o, s:o, s:s}", "max_pages",
				   (json_int_t)m->max_entries, "pages", pages,
				   "bytes", bytes, "user_vm_start", text));
}
