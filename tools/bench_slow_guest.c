// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's code: copied out of the program that starts it, so it calls
 * nothing outside its section and uses general registers only.
 */
#include "tools/bench_slow_guest.h"

#define GUEST_CODE                                                         \
	__attribute__((section("slow_guest"), target("general-regs-only"), \
		       used, noinline, no_stack_protector,                 \
		       no_sanitize("address", "thread", "undefined")))

/* Only the host reads them: nothing else in the guest does. */
GUEST_CODE static void count(struct slow_params *p)
{
	uint32_t i;

	for (i = 0; i < p->nr_counters; i++)
		++*(volatile uint64_t *)p->counters[i];
	++*(volatile uint64_t *)&p->done;
}

GUEST_CODE static void work(const struct slow_params *p)
{
	uint64_t n = p->work;

	__asm__ volatile("0:	dec %0\n"
			 "	jnz 0b\n" : "+r"(n) : : "cc");
}

GUEST_CODE static void leave(uint16_t port)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(0), "d"(port) : "memory");
}

GUEST_CODE void slow_guest_main(struct slow_params *p)
{
	while (!*(volatile uint32_t *)&p->stop) {
		work(p);
		count(p);
		if (p->sleeps)
			leave(SLOW_PORT_SLEEP);
	}
	for (;;)
		leave(SLOW_PORT_END);
}
