/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the disk's worker does after a drain: no clock, no fd, no state. Called
 * by the worker's loop.
 *
 * The worker never sleeps on a promise alone: Linux's virtio_blk has no request
 * time-out, so a forgotten request shows only at the hung-task watchdog. Hence
 * the cap on every wait.
 */
#ifndef KTSTR_VMM_BLK_POLICY_H
#define KTSTR_VMM_BLK_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define BLK_RETRY_CAP_NS 1000000000ULL

/* How a drain ended. */
struct blk_outcome {
	bool stalled;		/* the next chain waits for tokens */
	uint64_t wait_ns;	/* how long, if stalled; 0: try again now */
};

#define BLK_DONE ((struct blk_outcome){ .stalled = false })
#define BLK_STALLED(ns) \
	((struct blk_outcome){ .stalled = true, .wait_ns = (ns) })

enum blk_decision_kind { BLK_CONTINUE, BLK_SLEEP, BLK_REDRAIN };

struct blk_decision {
	enum blk_decision_kind kind;
	uint64_t wait_ns;	/* of BLK_SLEEP: 1 to the cap */
};

/* What is left to do when no drain is due: sleep or not, nothing third. */
struct blk_action {
	bool sleep;
	uint64_t wait_ns;	/* if sleep: 1 to the cap */
};

/**
 * blk_clamp_wait() - a wait the timer may be armed with
 *
 * Return: @ns within 1 and the cap; a timerfd value of 0 would disarm.
 */
uint64_t blk_clamp_wait(uint64_t ns);

/** blk_decide() - after the first drain of a wake */
struct blk_decision blk_decide(struct blk_outcome outcome);

/**
 * blk_resolve() - turn a decision into an action
 * @decision: of blk_decide()
 * @drain: called once for BLK_REDRAIN, never otherwise, and never a third
 *	time in one wake: stop, kick and pause get their turn first
 * @ctx: handed to @drain
 */
struct blk_action blk_resolve(struct blk_decision decision,
			      struct blk_outcome (*drain)(void *ctx),
			      void *ctx);

/* What the worker's one timer is set to. */
struct blk_alarm {
	bool set;
	uint64_t at_ns;		/* if set: 1 ns to the cap from now */
};

/**
 * blk_alarm_of() - the earlier of a stalled chain's retry and a completion
 * @action: of blk_resolve()
 * @due_ns: when the first request in flight comes due; UINT64_MAX: none is
 */
struct blk_alarm blk_alarm_of(struct blk_action action, uint64_t due_ns,
			      uint64_t now_ns);

#endif
