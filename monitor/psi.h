/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pressure stall times of the whole guest, from the kernel's psi_system. Called
 * by details.c; the layout is found when the monitor is opened.
 */
#ifndef KTSTR_MONITOR_PSI_H
#define KTSTR_MONITOR_PSI_H

#include <stdint.h>

#include <jansson.h>

struct monitor;

enum psi_number {
	PSI_CPU_SOME,
	PSI_IO_SOME,
	PSI_IO_FULL,
	PSI_MEMORY_SOME,
	PSI_MEMORY_FULL,
	PSI_NUMBERS,
};

/* The kernel's enum psi_states and psi_aggregators, by name. */
struct psi_layout {
	unsigned int nr_states;	/* the last is non-idle; 0: not available */
	unsigned int avgs;	/* whose totals /proc/pressure shows */
	int state[PSI_NUMBERS];	/* -1: this kernel has no such */
};

/** psi_layout_init() - find it in the kernel's BTF; fills mon->psi. */
void psi_layout_init(struct monitor *mon);

/**
 * psi_json() - {"cpu_some_ns", "io_some_ns", "io_full_ns", "memory_some_ns",
 * "memory_full_ns"} since boot
 *
 * The kernel adds each CPU's times to its totals every two seconds, or when
 * somebody reads /proc/pressure. What is not yet added is added here likewise:
 * each CPU's time weighs as much as that CPU was not idle meanwhile. "Now" is
 * the newest of the run queues' clocks.
 *
 * Return: new reference; JSON null: not available, PSI is off, or the kernel
 * added up each time it was looked at. A member that this kernel has not is
 * null. NULL out of memory.
 */
json_t *psi_json(struct monitor *mon);

#endif
