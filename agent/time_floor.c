// SPDX-License-Identifier: GPL-2.0-only
#include "agent/time_floor.h"

#include "lib/clock.h"

#include <stdlib.h>

#define NR_SAMPLES 1200 /* p99.9 needs a thousand */
#define PERIOD_NS (200 * NSEC_PER_USEC)
#define LIMIT_NS (1 * NSEC_PER_SEC)

static int cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t time_floor_p999(uint64_t *samples, size_t n)
{
	if (!n)
		return 0;
	qsort(samples, n, sizeof(*samples), cmp_u64);
	return samples[(n * 999 + 999) / 1000 - 1];
}

uint64_t time_floor_measure(void)
{
	static uint64_t samples[NR_SAMPLES];
	uint64_t start = clock_now_ns(), now = start;
	size_t n;

	for (n = 0; n < NR_SAMPLES && now - start < LIMIT_NS; n++) {
		uint64_t due = now + PERIOD_NS;
		struct timespec ts = clock_to_timespec(due);

		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			break;
		now = clock_now_ns();
		samples[n] = now - due;
	}
	return time_floor_p999(samples, n);
}
