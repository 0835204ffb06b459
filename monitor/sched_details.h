/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the scheduler core keeps of each CPU, and of the end of a sched_ext
 * scheduler; details.c calls it. Each returns a new reference, JSON null where
 * the kernel does not have it, NULL out of memory.
 */
#ifndef KTSTR_MONITOR_SCHED_DETAILS_H
#define KTSTR_MONITOR_SCHED_DETAILS_H

#include <jansson.h>

struct monitor;

/** schedstat_json() - [{NAME: count since boot}] by CPU */
json_t *schedstat_json(struct monitor *mon);

/**
 * domains_json() - by CPU, from the innermost out:
 * [[{"name", "level", "span_weight", "imbalance_pct", "flags"}]]
 */
json_t *domains_json(struct monitor *mon);

/**
 * exit_json() - why the root scheduler ends or has ended, while it is there:
 * {"kind", "kind_name", "code", "reason", "message", "dump"}
 */
json_t *exit_json(struct monitor *mon);

/**
 * subs_json() - the schedulers below the root one:
 * [{"name", "level", "cgroup", "exit_kind", "bypass_depth"}]
 */
json_t *subs_json(struct monitor *mon);

#endif
