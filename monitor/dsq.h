/* SPDX-License-Identifier: GPL-2.0-only */
/* The dispatch queues of sched_ext; details.c calls it. */
#ifndef KTSTR_MONITOR_DSQ_H
#define KTSTR_MONITOR_DSQ_H

#include <jansson.h>

struct monitor;

#define DSQ_MAX 1024		/* of one reading */

/**
 * dsqs_json() - the scheduler's own queues, and the global ones
 *
 * [{"id", "depth", "head_pid", "head_age_ns"}], the global ones with "global":
 * true and their "node". The head's age is the time since that task became
 * runnable. What this kernel does not tell, or what changed meanwhile, is null.
 *
 * Return: new reference: an array; null where they can't be read; NULL out of
 * memory.
 */
json_t *dsqs_json(struct monitor *mon);

#endif
