/* SPDX-License-Identifier: GPL-2.0-only */
/* Starting the VM process, here or in the emulated host. For launch.c. */
#ifndef KTSTR_RUNNER_LAUNCH_CHILD_H
#define KTSTR_RUNNER_LAUNCH_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "runner/launch.h"

/* Signals that end a run, taken as they come instead of by default. */
struct interrupt {
	int fd;			/* signalfd */
	int signal;		/* the first one seen, or 0 */
	uint64_t at_ns;		/* when, and what we were stopped since */
	uint64_t turn_ns;	/* when it was last asked */
	uint64_t stopped_ns;	/* that we were stopped, in all */
	sigset_t saved;		/* the mask before */
};

/** interrupt_open() - block and watch SIGINT, SIGTERM, SIGHUP. 0 or -errno. */
int interrupt_open(struct interrupt *i);

/**
 * interrupt_poll() - Return: true when a signal came since the last call
 *
 * To be asked each 100 ms while somebody is waited for.
 */
bool interrupt_poll(struct interrupt *i);
void interrupt_close(struct interrupt *i);

/**
 * child_run() - `ktstr __vm @in @out` as a process of this machine
 * @limit_ns: then it is killed
 *
 * Fills @res. Blocks.
 */
void child_run(const struct launch_opts *opts, const char *in,
	       const char *out, uint64_t limit_ns, struct interrupt *intr,
	       struct launch_result *res);

struct images;

/**
 * emulated_run() - the same in the emulated host; files are sent and fetched
 * @images: sent too; of those that keep writes disk-N comes to @out
 */
void emulated_run(const struct launch_opts *opts,
		  const struct images *images, const char *in,
		  const char *out, uint64_t limit_ns, struct interrupt *intr,
		  struct launch_result *res);

#endif
