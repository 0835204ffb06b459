/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scheduler with a user space of its own. The process that holds it speaks
 * as the loader of an object does (sched_loader.h), so that agent/sched.c need
 * not tell one from the other.
 */
#ifndef KTSTR_AGENT_SCHED_EXEC_H
#define KTSTR_AGENT_SCHED_EXEC_H

#include <stdint.h>

#include <jansson.h>

struct plan_sched;
struct program_output;

/**
 * sched_exec_main() - be its holder
 * @fd: as of sched_loader_main()
 * @output: shared with PID 1
 *
 * Starts it, waits until the kernel has a scheduler, and ends it when asked:
 * SIGINT, as of somebody at its terminal, then SIGTERM, then SIGKILL.
 *
 * Return: the exit status.
 */
int sched_exec_main(const struct plan_sched *plan, int fd,
		    struct program_output *output);

/** sched_exec_last_map() - id of the youngest BPF map; 0: none */
uint32_t sched_exec_last_map(void);

/** sched_exec_maps() - [{id, name}] of those younger. New reference. */
json_t *sched_exec_maps(uint32_t after);

#endif
