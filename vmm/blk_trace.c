// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_trace.h"

void blk_trace_add(struct blk_trace *t, const struct vm_disk_io *io)
{
	uint64_t head = atomic_load_explicit(&t->head, memory_order_relaxed);
	/* Acquire: the reader is done with the slot. Pairs with its release. */
	uint64_t tail = atomic_load_explicit(&t->tail, memory_order_acquire);

	if (head - tail >= BLK_TRACE_LEN) {
		atomic_fetch_add_explicit(&t->dropped, 1,
					  memory_order_relaxed);
		return;
	}
	t->io[head % BLK_TRACE_LEN] = *io;
	/* Release: the entry before the count. Pairs with the reader's acquire. */
	atomic_store_explicit(&t->head, head + 1, memory_order_release);
}

size_t blk_trace_read(struct blk_trace *t, struct vm_disk_io *io, size_t max,
		      uint64_t *dropped)
{
	/* Acquire: the entries below it are whole. Pairs with blk_trace_add(). */
	uint64_t head = atomic_load_explicit(&t->head, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&t->tail, memory_order_relaxed);
	size_t n = 0;

	for (; tail != head && n < max; tail++)
		io[n++] = t->io[tail % BLK_TRACE_LEN];
	/* Release: copied before the slots are free. Pairs as above. */
	atomic_store_explicit(&t->tail, tail, memory_order_release);
	*dropped = atomic_load_explicit(&t->dropped, memory_order_relaxed);
	return n;
}
