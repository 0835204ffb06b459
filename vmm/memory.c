// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "vmm/layout.h"

bool vm_memory_bytes_ok(uint64_t bytes)
{
	return bytes >= VM_MEMORY_MIN && bytes <= VM_MEMORY_MAX &&
	       bytes % VM_MEMORY_ALIGN == 0;
}

int vm_memory_init(struct vm_memory *m, uint64_t bytes, const struct errmsg *e)
{
	uint64_t low = bytes < LAYOUT_HOLE ? bytes : LAYOUT_HOLE;
	void *p;

	*m = (struct vm_memory){ 0 };
	if (!vm_memory_bytes_ok(bytes))
		return errmsg_set(e, -EINVAL,
				  "memory of %llu bytes: need 128 MiB to 16 GiB, a multiple of 2 MiB",
				  (unsigned long long)bytes);
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return errmsg_errno(e, -errno, "map %llu MiB of guest memory",
				    (unsigned long long)(bytes / MIB));
	/* Hints: without them the VM is slower and a core dump is larger. */
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	(void)madvise(p, bytes, MADV_DONTDUMP);

	m->base = p;
	m->bytes = bytes;
	m->gm.regions[m->gm.nr++] = (struct guest_mem_region){
		.gpa = 0, .len_bytes = low, .hva = p,
	};
	if (bytes > low)
		m->gm.regions[m->gm.nr++] = (struct guest_mem_region){
			.gpa = LAYOUT_HOLE_END,
			.len_bytes = bytes - low,
			.hva = (char *)p + low,
		};
	return 0;
}

void vm_memory_fini(struct vm_memory *m)
{
	if (m->base)
		munmap(m->base, m->bytes);
	*m = (struct vm_memory){ 0 };
}

uint64_t vm_memory_gpa(uint64_t offset)
{
	if (offset < LAYOUT_HOLE)
		return offset;
	return offset - LAYOUT_HOLE + LAYOUT_HOLE_END;
}
