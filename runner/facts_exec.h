/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a scenario's program said of itself, as facts: its end, and the numbers
 * in its output. Pure functions of what the guest sent, which is hostile; for
 * session_load.c.
 */
#ifndef KTSTR_RUNNER_FACTS_EXEC_H
#define KTSTR_RUNNER_FACTS_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

enum exec_stream { EXEC_STDOUT, EXEC_STDERR, EXEC_JSON, EXEC_NR_STREAMS };

struct frozen_view;

/* One copy of a program. */
struct exec_yield {
	char *text[EXEC_NR_STREAMS];	/* owned, not NUL-terminated; or NULL */
	size_t len[EXEC_NR_STREAMS];
	json_int_t bytes[EXEC_NR_STREAMS]; /* it wrote, kept or not */
	json_t *end;			/* owned: LOAD_END; NULL: none came */
};

void exec_yield_fini(struct exec_yield *y);

/**
 * facts_exec_totals() - {"json", "match", "programs"}
 * @exec: of the planned workload
 * @yields: @nr copies of its program
 * @frozen: taken off "ran_ns"; NULL: nothing was
 *
 * Numbers of several copies are their mean; one that a copy lacks is null. A
 * number of "match" is the last that its expression finds in stdout.
 *
 * Return: new reference.
 */
json_t *facts_exec_totals(json_t *exec, const struct exec_yield *yields,
			  unsigned int nr, const struct frozen_view *frozen);

/**
 * facts_exec_narrow() - take from a workload's numbers what nobody measured
 *
 * Our own workers stamp their progress; of a program the kernel tells the CPU
 * time. What only stamps can tell becomes null.
 */
void facts_exec_narrow(json_t *stats);

/**
 * facts_exec_ran() - did it run in a phase? JSON true, false, or null
 * @start_ns, @end_ns: of the phase, guest time
 */
json_t *facts_exec_ran(const struct exec_yield *y, uint64_t start_ns,
		       uint64_t end_ns);

#endif
