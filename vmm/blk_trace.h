/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When each read and write of a disk was completed: a bounded ring from its
 * worker to one reader. What the reader does not fetch in time is dropped and
 * counted; the worker never waits.
 */
#ifndef KTSTR_VMM_BLK_TRACE_H
#define KTSTR_VMM_BLK_TRACE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/vmm.h"

#define BLK_TRACE_LEN 4096	/* a power of two */

/* All zeroes is an empty one. */
struct blk_trace {
	_Atomic uint64_t head;		/* atomic: entries ever added */
	_Atomic uint64_t tail;		/* atomic: entries ever fetched */
	_Atomic uint64_t dropped;	/* atomic, relaxed */
	struct vm_disk_io io[BLK_TRACE_LEN]; /* [tail, head): the reader's */
};

/** blk_trace_add() - one more, if there is room; the worker */
void blk_trace_add(struct blk_trace *t, const struct vm_disk_io *io);

/**
 * blk_trace_read() - fetch the oldest; one reader at a time
 * @dropped: how many found no room so far
 *
 * Return: how many were written to @io, at most @max.
 */
size_t blk_trace_read(struct blk_trace *t, struct vm_disk_io *io, size_t max,
		      uint64_t *dropped);

#endif
