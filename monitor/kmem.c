// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/kmem.h"

#include <errno.h>
#include <string.h>

#define PAGE_OFFSET_MASK ((uint64_t)PW_PAGE_SIZE - 1)
#define STABLE_TRIES 4

void kmem_init(struct kmem *km, const struct guest_mem *mem,
	       uint64_t root_gpa, unsigned int levels)
{
	memset(km, 0, sizeof(*km));
	km->walk.mem = mem;
	km->walk.root_gpa = root_gpa;
	km->walk.levels = levels;
	km->generation = 1;
}

void kmem_flush(struct kmem *km)
{
	if (++km->generation < PW_PAGE_SIZE)
		return;
	memset(km->tlb, 0, sizeof(km->tlb));
	km->generation = 1;
}

/* The largest power of two up to 8 that @addr is a multiple of. */
static size_t word_at(uintptr_t addr, size_t len)
{
	size_t size = 8;

	while (addr & (size - 1) || size > len)
		size /= 2;
	return size;
}

/*
 * An aligned word by itself. Relaxed: a counter's value, nothing is published
 * by it.
 */
static uint64_t load_word(const char *from, size_t size)
{
	switch (size) {
	case 8:
		return __atomic_load_n((const uint64_t *)from,
				       __ATOMIC_RELAXED);
	case 4:
		return __atomic_load_n((const uint32_t *)from,
				       __ATOMIC_RELAXED);
	case 2:
		return __atomic_load_n((const uint16_t *)from,
				       __ATOMIC_RELAXED);
	default:
		return __atomic_load_n((const uint8_t *)from,
				       __ATOMIC_RELAXED);
	}
}

void guest_copy(void *dst, const void *src, size_t len)
{
	const char *from = src;
	char *to = dst;

	while (len) {
		size_t size = word_at((uintptr_t)from, len);

		/* Most of it, in values of some size */
		for (; size == 8 && len >= 8; from += 8, to += 8, len -= 8) {
			uint64_t v = load_word(from, 8);

			memcpy(to, &v, 8);
		}
		if (size < 8) {
			uint64_t v = load_word(from, size);

			memcpy(to, &v, size); /* both sides little endian */
			from += size;
			to += size;
			len -= size;
		}
	}
}

static struct kmem_tlb *tlb_slot(struct kmem *km, uint64_t page_va)
{
	/* Not its low bits: CPUs' areas are a power of two apart. */
	return &km->tlb[page_va * 0x9e3779b97f4a7c15ull >>
			(64 - KMEM_TLB_BITS)];
}

static const char *page_hva(struct kmem *km, uint64_t page_va)
{
	struct kmem_tlb *slot = tlb_slot(km, page_va);
	uint64_t tag = page_va | km->generation;
	const char *hva;
	uint64_t gpa;

	if (slot->tag == tag)
		return slot->hva;

	km->stats.walks++;
	if (page_walk_translate(&km->walk, page_va, &gpa))
		return NULL;
	hva = guest_mem_hva(km->walk.mem, gpa, PW_PAGE_SIZE);
	if (!hva)
		return NULL;
	slot->tag = tag;
	slot->hva = hva;
	return hva;
}

const char *kmem_at(struct kmem *km, uint64_t kva, size_t len)
{
	uint64_t off = kva & PAGE_OFFSET_MASK;
	const char *page;

	if (off + len > PW_PAGE_SIZE || len > PW_PAGE_SIZE)
		return NULL;
	page = page_hva(km, kva - off);
	return page ? page + off : NULL;
}

uint64_t kmem_load(struct kmem *km, const char *at, size_t size)
{
	km->stats.reads++;
	km->stats.read_bytes += size;
	return load_word(at, size);
}

int kmem_read(struct kmem *km, uint64_t kva, void *buf, size_t len)
{
	char *to = buf;

	km->stats.reads++;
	while (len) {
		uint64_t off = kva & PAGE_OFFSET_MASK;
		size_t part = PW_PAGE_SIZE - off;
		const char *page = page_hva(km, kva & ~PAGE_OFFSET_MASK);

		if (!page) {
			km->stats.faults++;
			return -EFAULT;
		}
		if (part > len)
			part = len;
		guest_copy(to, page + off, part);
		km->stats.read_bytes += part;
		to += part;
		kva += part;
		len -= part;
	}
	return 0;
}

int kmem_read_stable(struct kmem *km, uint64_t kva, void *buf, void *scratch,
		     size_t len, bool *stable)
{
	unsigned int try;
	int err;

	err = kmem_read(km, kva, buf, len);
	if (err)
		return err;
	if (!len || word_at(kva, len) == len) {
		*stable = true;
		return 0;
	}

	*stable = false;
	for (try = 0; try < STABLE_TRIES && !*stable; try++) {
		err = kmem_read(km, kva, scratch, len);
		if (err)
			return err;
		*stable = !memcmp(buf, scratch, len);
		memcpy(buf, scratch, len);
	}
	return 0;
}

int kmem_read_uint(struct kmem *km, uint64_t kva, size_t size, uint64_t *val)
{
	const char *page;
	uint64_t v = 0;
	int err;

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return -EINVAL;
	if (kva & (size - 1)) {
		err = kmem_read(km, kva, &v, size); /* as guest_copy() does */
		if (!err)
			*val = v;
		return err;
	}
	km->stats.reads++;
	page = page_hva(km, kva & ~PAGE_OFFSET_MASK);
	if (!page) {
		km->stats.faults++;
		return -EFAULT;
	}
	km->stats.read_bytes += size;
	*val = load_word(page + (kva & PAGE_OFFSET_MASK), size);
	return 0;
}
