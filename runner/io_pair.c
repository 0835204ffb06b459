// SPDX-License-Identifier: GPL-2.0-only
#include "runner/io_pair.h"

#include <stdlib.h>

#define SECTOR_BYTES 512

/*
 * Completions looked at for one IO. A worker waits with as many others as
 * there are; only a guest that lies waits for ever.
 */
#define SCAN_MAX 2048

static int by_time(const void *a, const void *b)
{
	uint64_t x = ((const struct io_done *)a)->at_ns;
	uint64_t y = ((const struct io_done *)b)->at_ns;

	return (x > y) - (x < y);
}

/* The first that is not before @at_ns. */
static size_t first_from(const struct io_done *done, size_t nr, uint64_t at_ns)
{
	size_t low = 0, high = nr, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (done[mid].at_ns < at_ns)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static uint64_t end_of(uint64_t sector, uint32_t bytes)
{
	uint64_t end, sectors = bytes / SECTOR_BYTES;

	return __builtin_add_overflow(sector, sectors, &end) ? UINT64_MAX : end;
}

/* Sectors that both have. */
static uint64_t shared(const struct io_done *d, const struct io_wait *w)
{
	uint64_t d_end = end_of(d->sector, d->bytes);
	uint64_t w_end = end_of(w->sector, w->bytes);
	uint64_t from = d->sector > w->sector ? d->sector : w->sector;
	uint64_t to = d_end < w_end ? d_end : w_end;

	return d->write == w->write && to > from ? to - from : 0;
}

/* What the completions in an IO's time come to. */
struct cover {
	uint64_t sectors;
	uint64_t last_ns;
	bool contested;		/* another IO may own one of them */
	bool too_many;
};

/* @claim: note on each completion how much of it is wanted. */
static struct cover cover_of(struct io_done *done, size_t nr,
			     const struct io_wait *w, uint64_t error_ns,
			     bool claim)
{
	uint64_t from_ns = w->submit_ns > error_ns ? w->submit_ns - error_ns :
						     0;
	struct cover c = { 0 };
	size_t i, first = first_from(done, nr, from_ns);
	uint64_t sectors;

	for (i = first; i < nr; i++) {
		if (done[i].at_ns > w->return_ns &&
		    done[i].at_ns - w->return_ns > error_ns)
			break;
		if (i - first == SCAN_MAX) {
			c.too_many = true;
			break;
		}
		sectors = shared(&done[i], w);
		if (!sectors)
			continue;
		c.sectors += sectors;
		c.last_ns = done[i].at_ns;
		if (claim)
			done[i].claimed += sectors;
		if (done[i].claimed > done[i].bytes / SECTOR_BYTES)
			c.contested = true;
	}
	return c;
}

void io_pair(struct io_done *done, size_t nr_done, struct io_wait *wait,
	     size_t nr_wait, uint64_t error_ns)
{
	size_t i;

	if (nr_done)
		qsort(done, nr_done, sizeof(*done), by_time);
	for (i = 0; i < nr_done; i++)
		done[i].claimed = 0;
	for (i = 0; i < nr_wait; i++)
		cover_of(done, nr_done, &wait[i], error_ns, true);

	for (i = 0; i < nr_wait; i++) {
		struct io_wait *w = &wait[i];
		struct cover c = cover_of(done, nr_done, w, error_ns, false);
		uint64_t wanted = w->bytes / SECTOR_BYTES;

		if (c.contested || c.too_many || c.sectors > wanted)
			w->result = IO_AMBIGUOUS;
		else if (!wanted || c.sectors < wanted)
			w->result = IO_UNPAIRED;
		else
			w->result = IO_PAIRED;
		w->wake_ns = w->result == IO_PAIRED &&
			     w->return_ns > c.last_ns ?
			     w->return_ns - c.last_ns : 0;
	}
}
