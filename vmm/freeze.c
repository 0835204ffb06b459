// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/freeze.h"

#include <errno.h>
#include <time.h>

#include "lib/clock.h"

void freeze_init(struct freeze *f)
{
	pthread_condattr_t attr;

	*f = (struct freeze){ 0 };
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void freeze_fini(struct freeze *f)
{
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
}

void freeze_ask(struct freeze *f)
{
	/* Release: pairs with the acquire of freeze_is_asked(). */
	atomic_store_explicit(&f->wanted, true, memory_order_release);
}

bool freeze_wait(struct freeze *f, uint64_t until_ns)
{
	struct timespec until = clock_to_timespec(until_ns);
	bool all;
	int err = 0;

	pthread_mutex_lock(&f->lock);
	while (f->parked < f->members && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&f->changed, &f->lock, &until);
	all = f->parked == f->members;
	pthread_mutex_unlock(&f->lock);
	return all;
}

void freeze_end(struct freeze *f)
{
	/* Under the lock: a member that is about to wait must not miss it. */
	pthread_mutex_lock(&f->lock);
	atomic_store_explicit(&f->wanted, false, memory_order_release);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void freeze_wake(struct freeze *f)
{
	pthread_mutex_lock(&f->lock);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void freeze_join(struct freeze *f)
{
	pthread_mutex_lock(&f->lock);
	f->members++;
	pthread_mutex_unlock(&f->lock);
}

void freeze_leave(struct freeze *f)
{
	pthread_mutex_lock(&f->lock);
	f->members--;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void freeze_park(struct freeze *f, const _Atomic bool *stop)
{
	pthread_mutex_lock(&f->lock);
	f->parked++;
	pthread_cond_broadcast(&f->changed);
	while (atomic_load_explicit(&f->wanted, memory_order_relaxed) &&
	       !atomic_load_explicit(stop, memory_order_acquire))
		pthread_cond_wait(&f->changed, &f->lock);
	f->parked--;
	pthread_mutex_unlock(&f->lock);
}
