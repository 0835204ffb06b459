/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of load as both sides must know them alike: their names, their
 * parameters with defaults and bounds, how many workers belong together. The
 * runner reads scenarios by this table, the agent plans; agent/load.h has what
 * they do.
 */
#ifndef KTSTR_LIB_LOAD_SPEC_H
#define KTSTR_LIB_LOAD_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#define LOAD_MAX_PARAMS 4

enum load_id {
	LOAD_SPIN,
	LOAD_YIELD,
	LOAD_MIXED,
	LOAD_BURSTY,
	LOAD_PERIODIC,
	LOAD_PIPE,
	LOAD_FUTEX_PING_PONG,
	LOAD_IO_RAND_READ,
	LOAD_IO_SEQ_WRITE,
	LOAD_IO_SYNC_WRITE,
	LOAD_EXEC,
	LOAD_NR,
};

/* What a value is of, and so what it may be written as in a scenario. */
enum load_unit {
	LOAD_UNIT_NONE,		/* a bare integer */
	LOAD_UNIT_TIME,
	LOAD_UNIT_SIZE,
};

enum load_disk_use { LOAD_DISK_NONE, LOAD_DISK_READ, LOAD_DISK_WRITE };

struct load_param {
	const char *key;	/* in a scenario; NULL ends a list */
	const char *plan_key;	/* in a plan, with its unit */
	enum load_unit unit;
	uint64_t initial;	/* the default */
	uint64_t min, max;
	uint64_t multiple_of;	/* 0: any */
};

struct load_spec {
	const char *name;
	unsigned int group;	/* workers that work together; 1: each alone */
	enum load_disk_use disk; /* WRITE: not on a read-only one */
	bool program;		/* the scenario's own, not a worker of ours */
	struct load_param params[LOAD_MAX_PARAMS + 1];
};

/* By enum load_id. */
extern const struct load_spec load_specs[LOAD_NR];

/** load_spec_find() - by name; NULL if there is none. */
const struct load_spec *load_spec_find(const char *name);

#endif
