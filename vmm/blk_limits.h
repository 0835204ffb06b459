/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be changed of a running disk, rates and faults, on its way from any
 * thread to the disk's worker.
 */
#ifndef KTSTR_VMM_BLK_LIMITS_H
#define KTSTR_VMM_BLK_LIMITS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/vmm.h"

struct blk_limits_set {
	struct vm_throttle throttle;
	struct vm_disk_faults faults;
	uint64_t faults_gen;	/* how often faults were published */
};

#define BLK_LIMITS_WORDS (sizeof(struct blk_limits_set) / sizeof(uint64_t))

struct blk_limits {
	pthread_mutex_t lock;		/* one publisher at a time */
	struct blk_limits_set set;	/* under @lock: the latest */
	_Atomic uint32_t seq;		/* atomic; odd while being written */
	_Atomic uint64_t word[BLK_LIMITS_WORDS]; /* atomic: @set */
};

/** blk_limits_init() - @t, and no faults */
void blk_limits_init(struct blk_limits *l, const struct vm_throttle *t);
void blk_limits_fini(struct blk_limits *l);

/** blk_limits_publish() - any thread; wake the worker afterwards */
void blk_limits_publish(struct blk_limits *l, const struct vm_throttle *t);
/** blk_limits_publish_faults() - likewise; the same again counts anew */
void blk_limits_publish_faults(struct blk_limits *l,
			       const struct vm_disk_faults *f);

/**
 * blk_limits_take() - what was published since the last time
 * @seen: the reader's own mark, 0 at first
 *
 * Never waits: limits that are just being written are left for the wake-up
 * that follows them.
 *
 * Return: true and @set when there is something new.
 */
bool blk_limits_take(const struct blk_limits *l, uint32_t *seen,
		     struct blk_limits_set *set);

#endif
