// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_limits.h"

#include <string.h>

_Static_assert(sizeof(struct blk_limits_set) % sizeof(uint64_t) == 0,
	       "travels in words");

void blk_limits_init(struct blk_limits *l, const struct vm_throttle *t)
{
	memset(l, 0, sizeof(*l));
	pthread_mutex_init(&l->lock, NULL);
	blk_limits_publish(l, t);
}

void blk_limits_fini(struct blk_limits *l)
{
	pthread_mutex_destroy(&l->lock);
}

/* With the lock held. */
static void publish(struct blk_limits *l)
{
	uint32_t seq = atomic_load_explicit(&l->seq, memory_order_relaxed);
	uint64_t word[BLK_LIMITS_WORDS];
	unsigned int i;

	memcpy(word, &l->set, sizeof(word));
	atomic_store_explicit(&l->seq, seq + 1, memory_order_relaxed);
	/* Release, all: as span_write() of blk_stats.c. */
	for (i = 0; i < BLK_LIMITS_WORDS; i++)
		atomic_store_explicit(&l->word[i], word[i],
				      memory_order_release);
	atomic_store_explicit(&l->seq, seq + 2, memory_order_release);
}

void blk_limits_publish(struct blk_limits *l, const struct vm_throttle *t)
{
	pthread_mutex_lock(&l->lock);
	l->set.throttle = *t;
	publish(l);
	pthread_mutex_unlock(&l->lock);
}

void blk_limits_publish_faults(struct blk_limits *l,
			       const struct vm_disk_faults *f)
{
	pthread_mutex_lock(&l->lock);
	l->set.faults = *f;
	l->set.faults_gen++;
	publish(l);
	pthread_mutex_unlock(&l->lock);
}

bool blk_limits_take(const struct blk_limits *l, uint32_t *seen,
		     struct blk_limits_set *set)
{
	uint32_t seq = atomic_load_explicit(&l->seq, memory_order_acquire);
	uint64_t word[BLK_LIMITS_WORDS];
	unsigned int i;

	if (seq == *seen || seq & 1)
		return false;
	for (i = 0; i < BLK_LIMITS_WORDS; i++)
		word[i] = atomic_load_explicit(&l->word[i],
					       memory_order_acquire);
	if (seq != atomic_load_explicit(&l->seq, memory_order_relaxed))
		return false;
	*seen = seq;
	memcpy(set, word, sizeof(*set));
	return true;
}
