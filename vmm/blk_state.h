/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the disk's worker works on: image, limiter, ring, requests in flight. It
 * belongs to the worker while one runs, and comes back to the device through
 * the join (S34): a reset keeps it, a destroy drops it.
 */
#ifndef KTSTR_VMM_BLK_STATE_H
#define KTSTR_VMM_BLK_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/blk_faults.h"
#include "vmm/blk_image.h"
#include "vmm/blk_limits.h"
#include "vmm/blk_pending.h"
#include "vmm/blk_policy.h"
#include "vmm/blk_req.h"
#include "vmm/blk_stats.h"
#include "vmm/blk_trace.h"
#include "vmm/blk_worker.h"
#include "vmm/token_bucket.h"
#include "vmm/virtqueue.h"

/* What the device and its worker share: all of it may be used at any time. */
struct blk_shared {
	const struct blk_sys *sys;	/* constant, borrowed */
	void *sys_ctx;
	struct blk_stats stats;		/* atomic: see there */
	struct blk_trace trace;		/* atomic: see there */
	struct blk_limits limits;	/* atomic: see there */
	_Atomic(const struct guest_mem *) mem; /* atomic; NULL: not wired yet */
	_Atomic(struct virtio_irq *) irq; /* atomic; NULL: nobody to tell */
	struct blk_worker worker;	/* for blk_worker_poke() */
};

/* Said once per device, however often a guest does it. */
enum blk_odd {
	BLK_ODD_UNWIRED,
	BLK_ODD_MALFORMED,
	BLK_ODD_REFUSED,
	BLK_ODD_UNSUPPORTED,
	BLK_ODD_IMAGE,
	BLK_ODD_BROKEN,
};

/* A virtqueue, from activation to reset. */
struct blk_queue {
	struct virtio_queue_setup setup;
	struct virtqueue vq;		/* once wired */
	uint16_t stamped;		/* seen_ns is set up to this index */
	uint64_t seen_ns[VIRTIO_QUEUE_MAX]; /* by avail index */
	/* slots of blk_state.flights that are not in flight, a stack */
	uint16_t free[VIRTIO_QUEUE_MAX];
	unsigned int nr_free;
};

/* A request from the look at its chain to its completion. */
struct blk_flight {
	struct blk_queue *q;		/* borrowed: where it came from */
	struct vq_chain chain;
	struct blk_req req;		/* points into @chain */
	uint64_t admitted_ns;
	enum blk_fault fault;		/* planted: not run, but failed */
};

struct blk_state {
	struct blk_shared *sh;		/* borrowed */
	struct blk_disk disk;
	struct blk_image image;
	struct token_bucket tb;
	uint64_t latency_ns, jitter_ns, seed;
	struct blk_faults faults;
	uint64_t nr_admitted;		/* ever: the draws of the jitter */
	uint64_t faults_gen;
	uint32_t limits_seen;
	unsigned int told;		/* bit per enum blk_odd */
	uint64_t now_ns;		/* latest reading of the clock */

	/* from activation to reset */
	struct blk_queue *live[VIRTIO_MAX_QUEUES]; /* the ready ones (C1) */
	unsigned int nr_live;
	unsigned int next;		/* of live: whose turn it is */
	bool wired;			/* they stand in guest memory */
	bool broken;			/* one of them is (C8) */
	bool stalled;			/* the next chain waits for tokens */
	struct blk_queue queue[VIRTIO_MAX_QUEUES];

	/* one for each descriptor of a queue: more is no driver's to ask */
	struct blk_flight *flights;	/* owned */
	struct blk_pending pending;	/* those in flight, by slot */
};

extern const struct blk_worker_client blk_state_client;

/**
 * blk_state_init() - an idle disk with an empty image
 * @sh: borrowed, with sys, stats and limits set up
 * @cfg: borrowed for the call; checked by the caller
 *
 * Return: 0 or -errno.
 */
int blk_state_init(struct blk_state *s, struct blk_shared *sh,
		   const struct vm_disk_config *cfg);
void blk_state_fini(struct blk_state *s);

/**
 * blk_state_activate() - take the queues the driver set up
 * @nr: of @setups, at most VIRTIO_MAX_QUEUES; one that is not ready is left out
 *
 * With guest memory wired the rings are checked now, else at the first drain
 * that finds it.
 *
 * Return: 0, or -EINVAL for a ring that is refused (section 9, R): counted,
 * and no drain touches it; -ENOMEM.
 */
int blk_state_activate(struct blk_state *s, uint64_t features,
		       const struct virtio_queue_setup *setups,
		       unsigned int nr);

/**
 * blk_state_reset() - forget queues and debt, keep image and counters
 *
 * What is in flight is dropped: its ring and its data are not touched again.
 */
void blk_state_reset(struct blk_state *s);

/**
 * blk_state_power_off() - the VM's end: tear the writes in flight, if asked to
 *
 * Guest memory must still be there. A reset is what follows.
 */
void blk_state_power_off(struct blk_state *s);

/** blk_state_drain() - the worker's drain, see struct blk_worker_client */
struct blk_outcome blk_state_drain(void *state);

#endif
