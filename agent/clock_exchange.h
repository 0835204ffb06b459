/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's side of measuring how guest and host clocks relate, see struct
 * ktstr_clock. Called by PID 1 between phases, when nothing is measured.
 */
#ifndef KTSTR_AGENT_CLOCK_EXCHANGE_H
#define KTSTR_AGENT_CLOCK_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "include/ktstr/shm.h"

/** clock_exchange_open() - number @exchange, from 1; the host may come now */
void clock_exchange_open(struct ktstr_clock *c, uint64_t exchange);

/**
 * clock_exchange_run() - write and read clocks until the host has enough
 * @timeout_ns: for this long at most
 *
 * Keeps its CPU busy while the host is there. Return: false when the host did not say that it is over.
 */
bool clock_exchange_run(struct ktstr_clock *c, uint64_t timeout_ns);

#endif
