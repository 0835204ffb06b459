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

/**
 * kmem_at() - where @len bytes are here, until the next kmem_flush()
 *
 * For many words of one place: each is to be loaded once, by itself. NULL: not
 * mapped, or on more than one page.
 */
const char *kmem_at(struct kmem *km, uint64_t kva, size_t len);

/** kmem_load() - an aligned word of 1, 2, 4 or 8 bytes at a kmem_at() */
uint64_t kmem_load(struct kmem *km, const char *at, size_t size);

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

/** kmem_read_uint() - an unsigned integer of 1, 2, 4 or 8 bytes. */
int kmem_read_uint(struct kmem *km, uint64_t kva, size_t size, uint64_t *val);

static inline int kmem_read_ptr(struct kmem *km, uint64_t kva, uint64_t *val)
{
	return kmem_read_uint(km, kva, 8, val);
}

#endif
