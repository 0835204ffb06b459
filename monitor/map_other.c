// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/map_other.h"

#include "monitor/btf_json.h"
#include "monitor/map.h"
#include "monitor/monitor_priv.h"

#include <bpf/btf.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/*
 * A program reaches an arena by a 32-bit offset and the 16-bit one of an
 * instruction: the kernel leaves half of the latter's reach free before it.
 */
#define ARENA_GUARD (0x10000u / 2)
#define ARENA_MAX_PAGES (1u << 20)	/* 4 GiB */
#define ARENA_SECTION ".addr_space.1"	/* as clang calls it */
#define ARENA_MAX_WORK (1u << 16)	/* JSON values, roughly */

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
static bool arena_start(struct monitor *mon, uint64_t arena, uint64_t user,
			uint64_t *kva)
{
	uint64_t vm;

	if (read_field(mon, arena, KF_ARENA_KERN_VM, &vm) ||
	    read_field(mon, vm, KF_VM_ADDR, kva))
		return false;
	*kva += ARENA_GUARD + (uint32_t)user;
	return true;
}

/*
 * The program's BTF has a section of its variables in the arena. An arena of
 * its own has no BTF: it is the one that its program's other maps brought.
 */
static const struct btf *globals_btf(const struct monitor *mon,
				     uint32_t *section, uint32_t *size)
{
	const struct btf *found = NULL;
	unsigned int i;

	for (i = 0; i < mon->nr_btfs; i++) {
		const struct btf *btf = mon->btfs[i].btf;
		int id = btf__find_by_name_kind(btf, ARENA_SECTION,
						BTF_KIND_DATASEC);

		if (id < 0)
			continue;
		if (found)
			return NULL;
		found = btf;
		*section = id;
		*size = btf__type_by_id(btf, id)->size;
	}
	return found;
}

static bool pages_are_there(struct monitor *mon, uint64_t kva, uint32_t pages,
			    uint64_t scratch)
{
	uint64_t gpa;

	for (; pages; pages--, kva += PW_PAGE_SIZE)
		if (page_walk_translate(&mon->kmem.walk, kva, &gpa) ||
		    gpa == scratch)
			return false;
	return true;
}

/*
 * libbpf puts the variables at the arena's start, newer ones at its end. Where
 * both could be, nobody says which; then they are not told.
 */
static bool find_globals(struct monitor *mon, const struct mon_map *m,
			 uint64_t arena, uint64_t start, uint32_t size,
			 uint64_t *kva)
{
	uint32_t pages = (size + PW_PAGE_SIZE - 1) / PW_PAGE_SIZE;
	uint64_t scratch = scratch_gpa(mon, arena), end;
	bool at_start, at_end;

	if (pages > m->max_entries)
		return false;
	end = start + (m->max_entries - pages) * (uint64_t)PW_PAGE_SIZE;
	at_start = pages_are_there(mon, start, pages, scratch);
	at_end = pages_are_there(mon, end, pages, scratch);
	*kva = at_start ? start : end;
	return at_start != at_end || (at_start && start == end);
}

/* "globals", or nothing where they are not known. */
static int add_globals(struct monitor *mon, const struct mon_map *m,
		       uint64_t arena, uint64_t start, json_t *obj)
{
	struct btf_json_budget budget = { .work = ARENA_MAX_WORK };
	uint32_t section = 0, size = 0;
	const struct btf *btf = globals_btf(mon, &section, &size);
	uint64_t kva;
	uint8_t *val;
	bool stable;
	int err = 0;

	if (!btf || !size || size > MAP_MAX_VALUE_BYTES ||
	    !find_globals(mon, m, arena, start, size, &kva))
		return 0;
	val = malloc(2 * (size_t)size);
	if (!val)
		return -ENOMEM;
	if (!kmem_read_stable(&mon->kmem, kva, val, val + size, size,
			      &stable)) {
		err = json_object_set_new(obj, "globals",
					  btf_json(btf, section, val, size,
						   &budget));
		if (!stable && !err)
			err = json_object_set_new(obj, "unstable",
						  json_true());
	}
	free(val);
	return err ? -ENOMEM : 0;
}

int arena_json(struct monitor *mon, const struct mon_map *m, json_t *obj)
{
	uint64_t arena = m->kva - mon->kbtf.fields[KF_ARENA_MAP].off;
	json_t *pages = json_null(), *bytes = json_null();
	uint64_t user, start, nr;
	char text[24];

	if (m->max_entries > ARENA_MAX_PAGES ||
	    read_field(mon, arena, KF_ARENA_USER_START, &user))
		return -EFAULT;
	/* Before user space has mapped it, the kernel knows no address. */
	if (user && arena_start(mon, arena, user, &start)) {
		nr = page_walk_count(&mon->kmem.walk, start, m->max_entries,
				     scratch_gpa(mon, arena));
		pages = json_integer(nr);
		bytes = json_integer(nr * PW_PAGE_SIZE);
		if (add_globals(mon, m, arena, start, obj)) {
			json_decref(pages);
			json_decref(bytes);
			return -ENOMEM;
		}
	}
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)user);
	return take(obj, json_pack("{s:I, s:o, s:o, s:s}", "max_pages",
				   (json_int_t)m->max_entries, "pages", pages,
				   "bytes", bytes, "user_vm_start", text));
}
