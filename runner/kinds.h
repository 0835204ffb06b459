/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of load in a scenario: reading what is written of them. Which there
 * are, and what they take, is in lib/load_spec.h.
 */
#ifndef KTSTR_RUNNER_KINDS_H
#define KTSTR_RUNNER_KINDS_H

#include <stdint.h>

#include "lib/load_spec.h"
#include "runner/units.h"

struct diag;
struct toml_node;

/** load_param_unit() - enum unit_kind; -1: a bare integer */
int load_param_unit(const struct load_param *p);

/** load_kind_unknown() - report @value, which names no kind of ours */
void load_kind_unknown(struct diag *d, const struct toml_node *value);

/**
 * load_params_parse() - the params table of a workload
 * @node: a table, or NULL for all defaults
 * @params: LOAD_MAX_PARAMS values, in the order of @kind->params
 */
void load_params_parse(struct diag *d, const struct load_spec *kind,
		       const struct toml_node *node, uint64_t *params);

#endif
