/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How finely this machine keeps time: below some multiple of it no time that
 * a worker measures means anything. Called once by agent/main.c.
 */
#ifndef KTSTR_AGENT_TIME_FLOOR_H
#define KTSTR_AGENT_TIME_FLOOR_H

#include <stddef.h>
#include <stdint.h>

/**
 * time_floor_p999() - the value that 99.9 % of the samples do not exceed
 * @samples: sorted by the call
 *
 * Return: 0 for no samples.
 */
uint64_t time_floor_p999(uint64_t *samples, size_t n);

/**
 * time_floor_measure() - p99.9 oversleep of the caller's timers
 *
 * The caller is SCHED_FIFO and alone. Blocks for about 0.3 s, 1 s at most.
 *
 * Return: ns; 0 if the clock can't be slept on.
 */
uint64_t time_floor_measure(void);

#endif
