/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an epoll event of the disk's worker means: no clock, no fd, no state
 * but the batch that is filled. Called by the worker's loop.
 */
#ifndef KTSTR_VMM_BLK_DISPATCH_H
#define KTSTR_VMM_BLK_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* epoll_event.data.u64 of the worker's four descriptors. */
enum blk_token {
	BLK_TOKEN_KICK = 1,
	BLK_TOKEN_STOP = 2,
	BLK_TOKEN_THROTTLE = 3,
	BLK_TOKEN_PAUSE = 4,
};

enum blk_event_kind { BLK_EV_SKIP, BLK_EV_STOP, BLK_EV_DRAIN, BLK_EV_PAUSE };

struct blk_event {
	enum blk_event_kind kind;
	bool forced;		/* of BLK_EV_DRAIN: also while blocked */
};

/** blk_dispatch() - by token alone; no event bit changes the answer */
struct blk_event blk_dispatch(uint64_t token);

/** blk_event_make() - what is registered with epoll: readable, level */
struct epoll_event blk_event_make(enum blk_token token);

/* A batch of events, looked at as a whole before any of it is acted on. */
struct blk_batch {
	bool stop, pause;
	bool kick;		/* a drain that yields to the blocked flag */
	bool timer;		/* a forced drain */
};

/**
 * blk_batch_scan() - sum up what epoll_wait() returned
 *
 * Logs unknown tokens and error bits, and goes on.
 */
struct blk_batch blk_batch_scan(const struct epoll_event *events, int nr);

#endif
