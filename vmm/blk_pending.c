// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_pending.h"

#include <assert.h>

#include "lib/clock.h"
#include "vmm/blk_draw.h"

uint64_t blk_delay_ns(uint64_t latency_ns, uint64_t jitter_ns, uint64_t seed,
		      uint64_t n)
{
	if (!jitter_ns)
		return latency_ns;
	return clock_add_ns(latency_ns,
			    blk_draw_upto(seed, BLK_DRAW_JITTER, n, jitter_ns));
}

static bool before(const struct blk_due *a, const struct blk_due *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void blk_pending_push(struct blk_pending *p, uint64_t at_ns, uint16_t slot)
{
	struct blk_due new = { at_ns, p->pushed++, slot };
	unsigned int i = p->nr++, parent;

	assert(i < BLK_PENDING_MAX);
	for (; i; i = parent) {
		parent = (i - 1) / 2;
		if (!before(&new, &p->heap[parent]))
			break;
		p->heap[i] = p->heap[parent];
	}
	p->heap[i] = new;
}

uint64_t blk_pending_first_ns(const struct blk_pending *p)
{
	return p->nr ? p->heap[0].at_ns : BLK_NEVER_NS;
}

uint16_t blk_pending_pop(struct blk_pending *p)
{
	uint16_t slot = p->heap[0].slot;
	unsigned int i = 0, child;
	struct blk_due last;

	assert(p->nr);
	last = p->heap[--p->nr];
	while ((child = 2 * i + 1) < p->nr) {
		if (child + 1 < p->nr &&
		    before(&p->heap[child + 1], &p->heap[child]))
			child++;
		if (!before(&p->heap[child], &last))
			break;
		p->heap[i] = p->heap[child];
		i = child;
	}
	p->heap[i] = last;
	return slot;
}

void blk_pending_shift(struct blk_pending *p, uint64_t ns)
{
	unsigned int i;

	/* Capped times are equal: their order may then differ from the heap's,
	 * which puts them at the end of time all the same. */
	for (i = 0; i < p->nr; i++)
		p->heap[i].at_ns = clock_add_ns(p->heap[i].at_ns, ns);
}

void blk_pending_clear(struct blk_pending *p)
{
	p->nr = 0;
}
