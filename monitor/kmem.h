/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading a guest kernel's virtual memory: the page walk behind a small
 * cache, and copies that a running guest can't tear a word of. Everything in
 * monitor/ that follows a guest pointer comes through here.
 */
#ifndef KTSTR_MONITOR_KMEM_H
#define KTSTR_MONITOR_KMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/page_walk.h"

/* A look at 252 CPUs touches some 800 pages: per-CPU data is spread out. */
#define KMEM_TLB_BITS 11
#define KMEM_TLB_SLOTS (1u << KMEM_TLB_BITS)

/*
 * The kernel maps all memory once by large pages, and what it allocates in
 * small pieces is reached there. Of any large page 2 MiB are one entry.
 */
#define KMEM_LARGE_BYTES (2ull << 20)
#define KMEM_LARGE_BITS 8
#define KMEM_LARGE_SLOTS (1u << KMEM_LARGE_BITS)

struct kmem_tlb {
	uint64_t tag;		/* page's address + generation; 0: empty */
	const char *hva;
};

struct kmem_stats {
	uint64_t reads, read_bytes, faults, walks;
};

struct kmem {
	struct page_walk walk;
	struct kmem_tlb tlb[KMEM_TLB_SLOTS];
	struct kmem_tlb large[KMEM_LARGE_SLOTS];
	unsigned int generation;	/* of entries that count; 1 to 4095 */
	struct kmem_stats stats;
};

/** kmem_init() - @mem is borrowed; @root_gpa and @levels as in page_walk. */
void kmem_init(struct kmem *km, const struct guest_mem *mem,
	       uint64_t root_gpa, unsigned int levels);

/**
 * kmem_flush() - forget cached translations
 *
 * The guest unmaps and reuses vmalloc space, so every look at it starts with
 * this: a translation is never older than the look.
 */
void kmem_flush(struct kmem *km);

/**
 * guest_copy() - copy out of memory that the guest writes meanwhile
 *
 * Naturally aligned words of @src up to 8 bytes are copied with one relaxed
 * load each, so none of them is torn. No order between words is promised.
 */
void guest_copy(void *dst, const void *src, size_t len);

/*
 * Not the address's low bits: CPUs' areas are a power of two apart. Which of
 * two pages of the same size are in one slot is all that hangs on this.
 */
static inline unsigned int kmem_slot(uint64_t page_va, unsigned int bits)
{
	return page_va * 0x9e3779b97f4a7c15ull >> (64 - bits);
}

/* Where @kva is here, if this look has translated its page; else NULL. */
static inline const char *kmem_known(const struct kmem *km, uint64_t kva)
{
	uint64_t large = kva & ~(KMEM_LARGE_BYTES - 1);
	uint64_t page = kva & ~(uint64_t)(PW_PAGE_SIZE - 1);
	const struct kmem_tlb *t;

	t = &km->large[kmem_slot(large, KMEM_LARGE_BITS)];
	if (t->tag == (large | km->generation))
		return t->hva + (kva - large);
	t = &km->tlb[kmem_slot(page, KMEM_TLB_BITS)];
	if (t->tag == (page | km->generation))
		return t->hva + (kva - page);
	return NULL;
}

/* The byte's place, by a walk: what kmem_known() does not know. */
const char *kmem_walk(struct kmem *km, uint64_t kva);

/**
 * kmem_at() - where @len bytes are here, until the next kmem_flush()
 *
 * For many words of one place: each is to be loaded once, by itself. NULL: not
 * mapped, or on more than one page.
 */
static inline const char *kmem_at(struct kmem *km, uint64_t kva, size_t len)
{
	uint64_t off = kva & (PW_PAGE_SIZE - 1);
	const char *at;

	if (len > PW_PAGE_SIZE || off + len > PW_PAGE_SIZE)
		return NULL;
	at = kmem_known(km, kva);
	return at ? at : kmem_walk(km, kva);
}

/*
 * An aligned word of 1, 2, 4 or 8 bytes by itself. Relaxed: a counter's value,
 * nothing is published by it.
 */
static inline uint64_t kmem_word(const char *at, size_t size)
{
	switch (size) {
	case 8:
		return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
	case 4:
		return __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
	case 2:
		return __atomic_load_n((const uint16_t *)at, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n((const uint8_t *)at, __ATOMIC_RELAXED);
	}
}

/** kmem_read() - copy as guest_copy() does. Return: 0 or -EFAULT. */
int kmem_read(struct kmem *km, uint64_t kva, void *buf, size_t len);

/**
 * kmem_read_stable() - copy, and read again until two readings are equal
 * @buf, @scratch: @len bytes each
 * @stable: false when no two of a few readings in a row were equal; @buf then
 *          holds the last one
 *
 * One aligned word is stable at once. Return: 0 or -EFAULT.
 */
int kmem_read_stable(struct kmem *km, uint64_t kva, void *buf, void *scratch,
		     size_t len, bool *stable);

/* kmem_read_uint() of what is on no page that is known, or no aligned word */
int kmem_read_uint_far(struct kmem *km, uint64_t kva, size_t size,
		       uint64_t *val);

/**
 * kmem_read_uint() - an unsigned integer of 1, 2, 4 or 8 bytes
 *
 * Return: 0; -EFAULT; -EINVAL another size.
 */
static inline int kmem_read_uint(struct kmem *km, uint64_t kva, size_t size,
				 uint64_t *val)
{
	const char *at;

	if (size - 1 > 7 || (size | kva) & (size - 1))
		return kmem_read_uint_far(km, kva, size, val);
	at = kmem_known(km, kva);
	if (!at)
		return kmem_read_uint_far(km, kva, size, val);
	km->stats.reads++;
	km->stats.read_bytes += size;
	*val = kmem_word(at, size);
	return 0;
}

static inline int kmem_read_ptr(struct kmem *km, uint64_t kva, uint64_t *val)
{
	return kmem_read_uint(km, kva, 8, val);
}

#endif
