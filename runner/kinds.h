/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of load a scenario may name, and the parameters of each with
 * their defaults: what the agent's workers are told in the plan.
 */
#ifndef KTSTR_RUNNER_KINDS_H
#define KTSTR_RUNNER_KINDS_H

#include <stdbool.h>
#include <stdint.h>

#include "runner/units.h"

struct diag;
struct toml_node;

#define LOAD_MAX_PARAMS 4

struct load_param {
	const char *key;	/* in the scenario */
	const char *plan_key;	/* in plan.json, with its unit */
	bool has_unit;		/* else a bare integer */
	enum unit_kind unit;
	uint64_t initial;	/* the default */
	uint64_t min, max;
	uint64_t multiple_of;	/* 0: any */
};

struct load_kind {
	const char *name;
	struct load_param params[LOAD_MAX_PARAMS]; /* ends with a NULL key */
	unsigned int workers_multiple_of; /* 0: any number */
	bool needs_disk;
	bool writes;		/* does not work on a read-only disk */
	bool program;		/* the scenario's own: it needs exec */
};

/** load_kind_find() - NULL: not one that can be run */
const struct load_kind *load_kind_find(const char *name);

/** load_kind_unknown() - report @value, which names no kind of ours */
void load_kind_unknown(struct diag *d, const struct toml_node *value);

/**
 * load_params_parse() - the params table of a workload
 * @node: a table, or NULL for all defaults
 * @params: LOAD_MAX_PARAMS values, in the order of @kind->params
 */
void load_params_parse(struct diag *d, const struct load_kind *kind,
		       const struct toml_node *node, uint64_t *params);

#endif
