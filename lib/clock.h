/* SPDX-License-Identifier: GPL-2.0-only */
/* CLOCK_MONOTONIC in nanoseconds, for callers that own a clock. */
#ifndef KTSTR_LIB_CLOCK_H
#define KTSTR_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/** clock_add_ns() - a moment that much later; the end of time is the latest */
static inline uint64_t clock_add_ns(uint64_t at_ns, uint64_t ns)
{
	uint64_t sum;

	return __builtin_add_overflow(at_ns, ns, &sum) ? UINT64_MAX : sum;
}

static inline struct timespec clock_to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NSEC_PER_SEC,
				  .tv_nsec = ns % NSEC_PER_SEC };
}

#endif
