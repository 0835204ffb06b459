/* SPDX-License-Identifier: GPL-2.0-only */
/* The disk's rates on their way from any thread to its worker. */
#ifndef KTSTR_VMM_BLK_LIMITS_H
#define KTSTR_VMM_BLK_LIMITS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/token_bucket.h"

struct blk_limits {
	pthread_mutex_t lock;		/* one publisher at a time */
	_Atomic uint32_t seq;		/* atomic; odd while being written */
	_Atomic uint64_t ops_per_s;	/* atomic, all three */
	_Atomic uint64_t bytes_per_s;
	_Atomic uint64_t burst_ns;
};

void blk_limits_init(struct blk_limits *l, const struct tb_limits *lim);
void blk_limits_fini(struct blk_limits *l);

/** blk_limits_publish() - any thread; wake the worker afterwards */
void blk_limits_publish(struct blk_limits *l, const struct tb_limits *lim);

/**
 * blk_limits_take() - what was published since the last time
 * @seen: the reader's own mark, 0 at first
 *
 * Never waits: limits that are just being written are left for the wake-up
 * that follows them.
 *
 * Return: true and @lim when there is something new.
 */
bool blk_limits_take(const struct blk_limits *l, uint32_t *seen,
		     struct tb_limits *lim);

#endif
