// SPDX-License-Identifier: GPL-2.0-only
#include "agent/clock_exchange.h"

#include "lib/clock.h"

#define NAP_NS (300 * NSEC_PER_USEC)

void clock_exchange_open(struct ktstr_clock *c, uint64_t exchange)
{
	__atomic_store_n(&c->guest_ns, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&c->high_ns, INT64_MAX, __ATOMIC_RELAXED);
	/* Release: last. Pairs with the host's acquire of it. */
	__atomic_store_n(&c->guest_exchange, exchange, __ATOMIC_RELEASE);
}

/* The host wrote its clock before we read ours now. */
static void learn(struct ktstr_clock *c, uint64_t host_ns)
{
	int64_t high_ns = clock_now_ns() - host_ns;

	if (high_ns < c->high_ns)
		__atomic_store_n(&c->high_ns, high_ns, __ATOMIC_RELEASE);
}

bool clock_exchange_run(struct ktstr_clock *c, uint64_t timeout_ns)
{
	uint64_t now_ns = clock_now_ns(), end_ns = now_ns + timeout_ns;
	const struct timespec nap = { .tv_nsec = NAP_NS };
	bool done = false;
	uint64_t host_ns;

	for (; !done && now_ns < end_ns; now_ns = clock_now_ns()) {
		/* Release and acquire: no clock is read out of its place. */
		__atomic_store_n(&c->guest_ns, now_ns, __ATOMIC_RELEASE);
		host_ns = __atomic_load_n(&c->host_ns, __ATOMIC_ACQUIRE);
		if (host_ns)
			learn(c, host_ns);
		else	/* it has other things to do, maybe on this CPU */
			nanosleep(&nap, NULL);
		done = __atomic_load_n(&c->host_done, __ATOMIC_ACQUIRE) ==
		       c->guest_exchange;
	}
	__atomic_store_n(&c->guest_exchange, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&c->guest_ns, 0, __ATOMIC_RELAXED);
	return done;
}
