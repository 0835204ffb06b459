/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The disk's thread: waits for kick, timer, pause and stop, and has a client
 * drain the ring. It knows nothing of rings. Used by virtio_blk.
 *
 * Decided elsewhere: what an event means in blk_dispatch, what follows a drain
 * in blk_policy. What is left is a loop that a test can step through.
 */
#ifndef KTSTR_VMM_BLK_WORKER_H
#define KTSTR_VMM_BLK_WORKER_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "vmm/blk_gate.h"
#include "vmm/blk_policy.h"
#include "vmm/blk_sys.h"

#define BLK_WORKER_EVENTS 4

/*
 * What our own side adds to the kick eventfd to have the worker look; a guest's
 * kick adds 1. So the counter's low half counts guest kicks alone.
 */
#define BLK_POKE (1ULL << 32)

/*
 * Whom the worker serves. All are called on the worker's thread, with the
 * state that was handed to blk_worker_start().
 */
struct blk_worker_client {
	/* serve the ring until it is empty, stalled, or a turn is over */
	struct blk_outcome (*drain)(void *state);
	/* is the ring poisoned, so that the worker has to end? */
	bool (*broken)(void *state);
	/* when a request in flight is to be completed; UINT64_MAX: never */
	uint64_t (*next_due_ns)(void *state);
	/* take over new limits; true: look even while blocked (L6) */
	bool (*new_limits)(void *state);
	/* @n guest kicks were read */
	void (*kicked)(void *state, uint32_t n);
	/* the timer woke us @late_ns after its time */
	void (*timer_fired)(void *state, uint64_t late_ns);
	/* no timer will look again: let the guest kick (B3) */
	void (*wake_on_kick)(void *state);
	/* the worker parks: time stands still from @now_ns on */
	void (*freezes)(void *state, uint64_t now_ns);
	/* it goes on at @now_ns, @frozen_ns later */
	void (*thaws)(void *state, uint64_t now_ns, uint64_t frozen_ns);
	/* the worker ends and was not told to: tell the guest (S30) */
	void (*died)(void *state);
};

/* Where the worker runs: one CPU wins over the mask, neither is anywhere. */
struct blk_placement {
	bool has_cpu, has_mask;
	unsigned int cpu;
	cpu_set_t mask;
};

struct blk_worker {
	/* set by blk_worker_init(), constant from then on */
	const struct blk_sys *sys;	/* borrowed */
	void *sys_ctx;
	const struct blk_worker_client *client; /* borrowed */
	struct blk_placement placement;
	int kick_fd, stop_fd;		/* owned eventfds, non-blocking */

	struct blk_gate gate;
	_Atomic pid_t tid;		/* atomic: 0 when no thread runs */
	_Atomic uint64_t past_wait_ns;	/* atomic: of threads that ended */

	/* the starter's: one thread at a time */
	bool started;
	pthread_t thread;

	/* the worker's while it runs */
	void *state;
	int epoll_fd, timer_fd;
	bool blocked;			/* a chain waits for the timer */
	bool armed;			/* chain or completion waits for it */
	bool arm_failed;		/* logged already */
	uint64_t armed_at_ns;		/* valid while armed */
};

/**
 * blk_worker_init() - make the descriptors; no thread yet
 * @sys: borrowed, handed @sys_ctx
 * @client: borrowed
 * @placement: copied; NULL: anywhere
 *
 * Return: 0 or -errno.
 */
int blk_worker_init(struct blk_worker *w, const struct blk_sys *sys,
		    void *sys_ctx, const struct blk_worker_client *client,
		    const struct blk_placement *placement);

/** blk_worker_fini() - after blk_worker_stop(); half-built is fine */
void blk_worker_fini(struct blk_worker *w);

/**
 * blk_worker_start() - hand @state to a new thread
 *
 * The thread owns @state until blk_worker_stop() gives it back. Return: 0, or
 * -errno and @state is still the caller's.
 */
int blk_worker_start(struct blk_worker *w, void *state);

/**
 * blk_worker_stop() - end the thread and join it, however busy or parked
 *
 * Return: the state, or NULL when none was started. The event counters are
 * drained: nothing of this life reaches the next one (C9).
 */
void *blk_worker_stop(struct blk_worker *w);

/** blk_worker_poke() - have it look at the ring; any thread, never blocks */
void blk_worker_poke(struct blk_worker *w);

/** blk_worker_wait_ns() - time it waited for a host CPU; any thread */
uint64_t blk_worker_wait_ns(const struct blk_worker *w);

/*
 * The thread's parts, for tests that step through it without a thread.
 */

enum blk_step {
	BLK_STEP_GO_ON,
	BLK_STEP_STOPPED,	/* told to */
	BLK_STEP_BROKEN,	/* the ring is poisoned */
};

/**
 * blk_placement_set() - which CPUs to ask for
 *
 * Return: false when the placement is inherited.
 */
bool blk_placement_set(const struct blk_placement *p, cpu_set_t *set);

/** blk_worker_open() - placement, epoll, timer. Return: 0 or -errno, logged. */
int blk_worker_open(struct blk_worker *w, void *state);
/** blk_worker_close() - what blk_worker_open() made; half-open is fine */
void blk_worker_close(struct blk_worker *w);

/** blk_worker_step() - act on one batch of events; blocks only while parked */
enum blk_step blk_worker_step(struct blk_worker *w,
			      const struct epoll_event *events, int nr);

#endif
