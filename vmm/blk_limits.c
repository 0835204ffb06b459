// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_limits.h"

void blk_limits_init(struct blk_limits *l, const struct tb_limits *lim)
{
	*l = (struct blk_limits){ .seq = 0 };
	pthread_mutex_init(&l->lock, NULL);
	blk_limits_publish(l, lim);
}

void blk_limits_fini(struct blk_limits *l)
{
	pthread_mutex_destroy(&l->lock);
}

void blk_limits_publish(struct blk_limits *l, const struct tb_limits *lim)
{
	uint32_t seq;

	pthread_mutex_lock(&l->lock);
	seq = atomic_load_explicit(&l->seq, memory_order_relaxed);
	atomic_store_explicit(&l->seq, seq + 1, memory_order_relaxed);
	/* Release, all: as span_write() of blk_stats.c. */
	atomic_store_explicit(&l->ops_per_s, lim->ops_per_s,
			      memory_order_release);
	atomic_store_explicit(&l->bytes_per_s, lim->bytes_per_s,
			      memory_order_release);
	atomic_store_explicit(&l->burst_ns, lim->burst_ns,
			      memory_order_release);
	atomic_store_explicit(&l->seq, seq + 2, memory_order_release);
	pthread_mutex_unlock(&l->lock);
}

bool blk_limits_take(const struct blk_limits *l, uint32_t *seen,
		     struct tb_limits *lim)
{
	uint32_t seq = atomic_load_explicit(&l->seq, memory_order_acquire);
	struct tb_limits copy;

	if (seq == *seen || seq & 1)
		return false;
	copy.ops_per_s = atomic_load_explicit(&l->ops_per_s,
					      memory_order_acquire);
	copy.bytes_per_s = atomic_load_explicit(&l->bytes_per_s,
						memory_order_acquire);
	copy.burst_ns = atomic_load_explicit(&l->burst_ns,
					     memory_order_acquire);
	if (seq != atomic_load_explicit(&l->seq, memory_order_relaxed))
		return false;
	*seen = seq;
	*lim = copy;
	return true;
}
