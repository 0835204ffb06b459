/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which completions of a disk woke a worker from which IO: found by sector and
 * time, or not at all. A function of its arguments. Used by io_wake.
 */
#ifndef KTSTR_RUNNER_IO_PAIR_H
#define KTSTR_RUNNER_IO_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A completion, on the guest's clock. */
struct io_done {
	uint64_t sector;
	uint64_t at_ns;
	uint32_t bytes;
	bool write;
	uint64_t claimed;	/* scratch */
};

enum io_pair_result {
	IO_UNPAIRED,	/* not all of it was seen to complete while it waited */
	IO_PAIRED,
	IO_AMBIGUOUS,	/* more than one completion may have been its own */
};

/* An IO as its worker saw it. */
struct io_wait {
	uint64_t sector;
	uint64_t submit_ns, return_ns;
	uint32_t bytes;
	bool write;
	uint32_t owner;		/* the caller's */

	enum io_pair_result result;
	uint64_t wake_ns;	/* of IO_PAIRED: last completion to return */
};

/**
 * io_pair() - find each IO's completions
 * @done: sorted here by time
 * @error_ns: by which a completion may seem to be outside of the IO's time
 *
 * An IO is paired when completions within its time cover each of its sectors
 * once: it may have been split, or merged with its neighbours. A wake-up that
 * seems to come before its completion, by @error_ns at most, took 0.
 */
void io_pair(struct io_done *done, size_t nr_done, struct io_wait *wait,
	     size_t nr_wait, uint64_t error_ns);

#endif
