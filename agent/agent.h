/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's one struct, and its main loop. PID 1 is one thread: everything
 * here belongs to it. agent/main.c is the order in which things are done.
 */
#ifndef KTSTR_AGENT_AGENT_H
#define KTSTR_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/exec.h"
#include "agent/kmsg.h"
#include "agent/observer.h"
#include "agent/phase.h"
#include "agent/port.h"
#include "agent/sched.h"
#include "agent/shm.h"
#include "agent/worker.h"

#define AGENT_VERSION "0.1"

struct plan;

struct agent {
	uint64_t boot_ns;	/* CLOCK_BOOTTIME when we began */
	struct plan *plan;	/* owned */
	struct port port;
	struct kmsg kmsg;
	struct shm shm;
	struct worker_set workers;
	struct sched sched;
	json_t *maps;		/* owned: [{id, name}] of the scheduler; or NULL */
	uint32_t maps_before;	/* id of the last BPF map before it */
	struct observers observers;
	struct exec exec;
	struct phase_driver phases;
	int signal_fd;		/* owned: SIGCHLD */
	int timer_fd;		/* owned: absolute, CLOCK_MONOTONIC */
	bool stop;		/* the host said so */
	char err_msg[512];	/* of the stage that failed */
};

/** agent_open_loop() - what the loop waits on. Return: 0 or -errno. */
int agent_open_loop(struct agent *a);

/**
 * agent_pump() - wait for one thing to happen, or for a time; and handle it
 * @until_ns: CLOCK_MONOTONIC
 *
 * Serves the port, the kernel's log, children and the scheduler. Returns
 * after one round, which may have been for nothing.
 */
void agent_pump(struct agent *a, uint64_t until_ns);

/** agent_log_line() - one line to the host, or to the console without a port */
__attribute__((format(printf, 2, 3)))
void agent_log_line(struct agent *a, const char *fmt, ...);

/** agent_forward_kmsg() - send what the kernel has logged so far */
void agent_forward_kmsg(struct agent *a);

/**
 * agent_send_programs() - how the scenario's programs ended, what they wrote
 *
 * Once they have. May block for the host.
 */
void agent_send_programs(struct agent *a);

/**
 * agent_run_phases() - drive the plan's phases to their end
 *
 * Return: 0, also when stopped; -ETIMEDOUT the host stopped answering.
 */
int agent_run_phases(struct agent *a);

#endif
