/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rendezvous of a freeze: one coordinator asks, vCPU threads park between
 * two KVM_RUNs and go on when it lets them. Disk workers have blk_gate.h.
 */
#ifndef KTSTR_VMM_FREEZE_H
#define KTSTR_VMM_FREEZE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct freeze {
	pthread_mutex_t lock;	/* for all below; @wanted is also read without */
	pthread_cond_t changed;
	_Atomic bool wanted;	/* coordinator's */
	unsigned int members;	/* threads that must park */
	unsigned int parked;
};

void freeze_init(struct freeze *f);
void freeze_fini(struct freeze *f);

/*
 * The coordinator's side: one thread.
 */

/** freeze_ask() - from now on members park; make them look, then wait */
void freeze_ask(struct freeze *f);

/**
 * freeze_wait() - until all members are parked
 * @until_ns: CLOCK_MONOTONIC
 *
 * What they did before is then visible to the caller.
 *
 * Return: true, or false when @until_ns has passed.
 */
bool freeze_wait(struct freeze *f, uint64_t until_ns);

/** freeze_end() - let all go on */
void freeze_end(struct freeze *f);

/** freeze_wake() - have parked members look at their stop flags */
void freeze_wake(struct freeze *f);

/*
 * A member's side.
 */

/** freeze_join() - a thread that will park when asked; before it starts */
void freeze_join(struct freeze *f);
/** freeze_leave() - the thread touches nothing any more */
void freeze_leave(struct freeze *f);

static inline bool freeze_is_asked(struct freeze *f)
{
	/* Acquire: pairs with the release of freeze_ask(). */
	return atomic_load_explicit(&f->wanted, memory_order_acquire);
}

/** freeze_park() - stay here while asked to and @stop is not set */
void freeze_park(struct freeze *f, const _Atomic bool *stop);

#endif
