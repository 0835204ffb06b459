/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest without a kernel, that works and notes how much it got done, where
 * somebody else reads meanwhile; started by bench_slow.c.
 */
#ifndef KTSTR_TOOLS_BENCH_SLOW_GUEST_H
#define KTSTR_TOOLS_BENCH_SLOW_GUEST_H

#include <stdint.h>

#define SLOW_COUNTERS 16

/* Ports that it writes to. */
#define SLOW_PORT_SLEEP 0x80	/* it goes on when it is woken */
#define SLOW_PORT_END 0x81

/* Written by the host before the first instruction, but for @done. */
struct slow_params {
	uint32_t sleeps;	/* not 0: after each round */
	uint32_t work;		/* of a round: steps of a loop */
	uint32_t nr_counters;
	uint32_t stop;		/* written by the host: end */
	/* incremented in each round, as a scheduler counts what it does */
	uint64_t counters[SLOW_COUNTERS];
	uint64_t pad[6];
	uint64_t done;		/* rounds; alone on its cache line */
} __attribute__((aligned(64)));

/* The code, position independent; slow_guest_main() is somewhere in it. */
extern const uint8_t __start_slow_guest[], __stop_slow_guest[];

/** slow_guest_main() - what the guest does, in user mode, with a stack */
void slow_guest_main(struct slow_params *p);

#endif
