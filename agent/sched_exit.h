/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of a scheduler's end: the kernel's exit kinds by number, by
 * name, and by the reason that the kernel log gives for them.
 */
#ifndef KTSTR_AGENT_SCHED_EXIT_H
#define KTSTR_AGENT_SCHED_EXIT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct kmsg_exit;

/** sched_exit_name() - "SCX_EXIT_ERROR_STALL" of 1026; NULL: not one we know */
const char *sched_exit_name(int64_t kind);

/** sched_exit_kind() - 1026 of "runnable task stall"; -1: not one we know */
int64_t sched_exit_kind(const char *reason);

/** sched_exit_is_asked() - does it mean that somebody ended it from outside? */
bool sched_exit_is_asked(int64_t kind);

/**
 * sched_exit_report() - the "exit" member of SCHED gone
 * @recorded: what the scheduler itself recorded, as the loader reports it:
 *	{"kind", "code", "reason", "message", "dump"}; borrowed, may be NULL
 * @log: what the kernel log said; fills in what @recorded lacks
 *
 * Members that nobody knows are left out. Return: new reference.
 */
json_t *sched_exit_report(json_t *recorded, const struct kmsg_exit *log);

#endif
