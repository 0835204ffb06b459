// SPDX-License-Identifier: GPL-2.0-only
#include "agent/load.h"

#include <errno.h>
#include <time.h>

#include "lib/clock.h"

/*
 * Pauses between two stamps: a few microseconds on a CPU, and still well under
 * a millisecond where an emulator takes a microsecond and more for each.
 */
#define STAMP_PAUSES 64

static void pause_for(unsigned int pauses)
{
	while (pauses--)
		__builtin_ia32_pause();
}

struct ktstr_cell *load_spin(struct load *l, unsigned int pauses)
{
	for (; pauses > STAMP_PAUSES; pauses -= STAMP_PAUSES) {
		pause_for(STAMP_PAUSES);
		stamp_now(&l->stamp, NULL);
	}
	pause_for(pauses);
	return stamp_now(&l->stamp, NULL);
}

static uint64_t cpu_time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/*
 * CPU time never grows faster than time, so the CPU clock, a system call, is
 * asked again only when it could have got there: once or twice in a burst.
 */
struct ktstr_cell *load_spin_cpu_time(struct load *l, uint64_t ns)
{
	uint64_t end_cpu_ns = cpu_time_ns() + ns, used_ns, now_ns, ask_ns;
	struct ktstr_cell *cell = stamp_now(&l->stamp, &now_ns);

	for (ask_ns = now_ns + ns; !load_stopping(l);) {
		pause_for(STAMP_PAUSES);
		cell = stamp_now(&l->stamp, &now_ns);
		if (now_ns < ask_ns)
			continue;
		used_ns = cpu_time_ns();
		if (used_ns >= end_cpu_ns)
			break;
		ask_ns = now_ns + (end_cpu_ns - used_ns);
	}
	return cell;
}

struct ktstr_cell *load_sleep_until(struct load *l, uint64_t expiry_ns)
{
	struct timespec expiry = clock_to_timespec(expiry_ns);
	uint32_t gen = stamp_freeze_gen(&l->stamp);
	int err;

	stamp_sleep_until(&l->stamp, expiry_ns);
	do {
		err = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &expiry,
				      NULL);
	} while (err == EINTR && !load_stopping(l));
	return stamp_wake(&l->stamp, expiry_ns, gen);
}

static int spin_run(struct load *l)
{
	while (!load_stopping(l))
		stamp_iteration(load_spin(l, LOAD_SPINS));
	return 0;
}

const struct load_kind load_kind_spin = {
	.spec = &load_specs[LOAD_SPIN],
	.run = spin_run,
};
