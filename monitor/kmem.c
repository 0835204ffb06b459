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
	memset(km->large, 0, sizeof(km->large));
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

void guest_copy(void *dst, const void *src, size_t len)
{
	const char *from = src;
	char *to = dst;

	/* Most of the keys of hashes */
	if (len == 4 && (uintptr_t)from % 4 == 0) {
		uint32_t v = kmem_word(from, 4);

		memcpy(to, &v, 4);
		return;
	}
	while (len) {
		size_t size = word_at((uintptr_t)from, len);

		/* Most of it, in values of some size */
		for (; size == 8 && len >= 8; from += 8, to += 8, len -= 8) {
			uint64_t v = kmem_word(from, 8);

			memcpy(to, &v, 8);
		}
		if (size < 8) {
			uint64_t v = kmem_word(from, size);

			memcpy(to, &v, size); /* both sides little endian */
			from += size;
			to += size;
			len -= size;
		}
	}
}

/* 2 MiB of a large page, if RAM has all of them. */
static const char *keep_large(struct kmem *km, uint64_t kva, uint64_t gpa)
{
	uint64_t off = kva & (KMEM_LARGE_BYTES - 1), base = kva - off;
	const char *hva = guest_mem_hva(km->walk.mem, gpa - off,
					KMEM_LARGE_BYTES);
	struct kmem_tlb *slot = &km->large[kmem_slot(base, KMEM_LARGE_BITS)];

	if (!hva)
		return NULL;
	slot->tag = base | km->generation;
	slot->hva = hva;
	return hva + off;
}

static const char *keep_page(struct kmem *km, uint64_t kva, uint64_t gpa)
{
	uint64_t off = kva & PAGE_OFFSET_MASK, page = kva - off;
	const char *hva = guest_mem_hva(km->walk.mem, gpa - off, PW_PAGE_SIZE);
	struct kmem_tlb *slot = &km->tlb[kmem_slot(page, KMEM_TLB_BITS)];

	if (!hva)
		return NULL;
	slot->tag = page | km->generation;
	slot->hva = hva;
	return hva + off;
}

const char *kmem_walk(struct kmem *km, uint64_t kva)
{
	const char *at = NULL;
	uint64_t gpa, bytes;

	km->stats.walks++;
	if (page_walk_page(&km->walk, kva, &gpa, &bytes))
		return NULL;
	if (bytes >= KMEM_LARGE_BYTES)
		at = keep_large(km, kva, gpa);
	return at ? at : keep_page(km, kva, gpa);
}

int kmem_read(struct kmem *km, uint64_t kva, void *buf, size_t len)
{
	char *to = buf;

	km->stats.reads++;
	while (len) {
		uint64_t off = kva & PAGE_OFFSET_MASK;
		size_t part = PW_PAGE_SIZE - off;
		const char *at;

		if (part > len)
			part = len;
		at = kmem_at(km, kva, part);
		if (!at) {
			km->stats.faults++;
			return -EFAULT;
		}
		guest_copy(to, at, part);
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

int kmem_read_uint_far(struct kmem *km, uint64_t kva, size_t size,
		       uint64_t *val)
{
	const char *at;
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
	at = kmem_at(km, kva, size);
	if (!at) {
		km->stats.faults++;
		return -EFAULT;
	}
	km->stats.read_bytes += size;
	*val = kmem_word(at, size);
	return 0;
}
