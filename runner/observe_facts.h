/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the facts have of observers, for whoever judges or explains. Functions
 * of the facts alone.
 */
#ifndef KTSTR_RUNNER_OBSERVE_FACTS_H
#define KTSTR_RUNNER_OBSERVE_FACTS_H

#include <jansson.h>

/**
 * observe_who_ran() - what ran while a workload waited longest
 * @facts: facts.json
 * @phase: by name; NULL: of all measured phases
 * @workload: by name
 *
 * {"wait_ns", "at_ns", "cpu", "pid", "comm": who waited, and where it ran then,
 * or, "waiting", is queued: it still waited when the phase ended; "ran":
 * [{"comm", "pid", "workload": name or null, "ns"}], the newest first, pid 0
 * being an idle CPU; "more": spans before these, "more_at_least": that or more}.
 * A wait is from a wake-up to the run.
 *
 * Return: borrowed; NULL where the observer who_ran was not asked for or is not
 * available, the facts have no such phase or workload, or nothing waited.
 */
const json_t *observe_who_ran(const json_t *facts, const char *phase,
			      const char *workload);

#endif
