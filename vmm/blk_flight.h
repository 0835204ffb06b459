/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One request of a disk, from the look at its chain to its completion: charged,
 * run, failed, or kept until it comes due. Between blk_flight.c and the drain
 * in blk_state.c, and nobody else.
 */
#ifndef KTSTR_VMM_BLK_FLIGHT_H
#define KTSTR_VMM_BLK_FLIGHT_H

#include "lib/log.h"
#include "vmm/blk_state.h"

/* Log once per device and kind; all of them are counted elsewhere. */
#define blk_say_once(s, odd, fmt, ...)                                   \
	do {                                                             \
		if (blk_state_first_time(s, odd))                        \
			log_warn("vblk %.*s: " fmt, VIRTIO_BLK_ID_BYTES, \
				 (s)->disk.id, ##__VA_ARGS__);           \
	} while (0)

static inline bool blk_state_first_time(struct blk_state *s, enum blk_odd odd)
{
	bool told = s->told & (1u << odd);

	s->told |= 1u << odd;
	return !told;
}

static inline uint64_t blk_state_clock(struct blk_state *s)
{
	s->now_ns = s->sh->sys->now_ns(s->sh->sys_ctx);
	return s->now_ns;
}

static inline void blk_state_count(struct blk_state *s, enum blk_counter which)
{
	blk_count(&s->sh->stats, which, 1);
}

/** blk_state_end_stall() - no chain waits for tokens any more */
void blk_state_end_stall(struct blk_state *s);
/** blk_state_suppress_kicks() - of all queues */
void blk_state_suppress_kicks(struct blk_state *s);

/**
 * blk_flight_serve() - a chain that vq_peek() gave
 * @f: the storage it was put into, on top of its queue's free ones
 *
 * Return: 0 when it is taken, done with or in flight; else how long it has to
 * wait, and it is still in the ring.
 */
uint64_t blk_flight_serve(struct blk_state *s, struct blk_flight *f);

/** blk_flight_drop() - a malformed chain: used with length 0 */
void blk_flight_drop(struct blk_state *s, struct blk_flight *f);

/**
 * blk_flight_next_due_ns() - when the first in flight may be completed
 *
 * Return: now or later: a stall that is over holds nothing; BLK_NEVER_NS when
 * none is in flight.
 */
uint64_t blk_flight_next_due_ns(struct blk_state *s);

/** blk_flight_finish_due() - complete what is due, none after @until_ns */
void blk_flight_finish_due(struct blk_state *s, uint64_t until_ns);

#endif
