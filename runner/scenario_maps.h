/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of the scheduler's maps are read, and how often: maps of [telemetry].
 * scenario.c calls it; the session reads the plan.
 */
#ifndef KTSTR_RUNNER_SCENARIO_MAPS_H
#define KTSTR_RUNNER_SCENARIO_MAPS_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "runner/schema.h"

struct diag;

/* Written "NAME", or { name = "NAME", interval = "TIME" }. */
struct scn_map_glob {
	struct table_base base;	/* of the second form */
	const char *name;	/* a glob; borrowed from the node */
	uint64_t interval_ns;	/* 0: each sample */
};

struct scn_maps {
	struct scn_map_glob item[STRING_LIST_MAX];
	unsigned int nr;
};

/** scenario_maps_parse(), _print() - as struct field has them */
void scenario_maps_parse(struct diag *d, const struct toml_node *value,
			 const struct field *f, void *member);
void scenario_maps_print(FILE *to, const struct field *f, const void *member);

/** scenario_maps_check() - report what is shorter than @interval_ns */
void scenario_maps_check(struct diag *d, const struct scn_maps *maps,
			 uint64_t interval_ns);

/** scenario_maps_json() - the plan's [{"name", "interval_ns"}] */
json_t *scenario_maps_json(const struct scn_maps *maps);

#endif
