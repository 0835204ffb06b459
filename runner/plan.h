/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario as JSON: the plan that launcher, VM process and agent follow
 * (docs/internals/session.md), and what the judge is to check. Called by the
 * commands.
 */
#ifndef KTSTR_RUNNER_PLAN_H
#define KTSTR_RUNNER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct scenario;

/* Seeds fit what a JSON reader keeps of an integer. */
#define PLAN_SEED_MAX ((1ULL << 53) - 1)

/**
 * plan_new() - plan.json of one run
 * @seed: of the run; workloads without a seed get theirs from it and their
 *	name, so that adding a workload changes nobody else's
 *
 * kernel{}, vm{transport} and scheduler{hash} are null: the launcher completes
 * them. A builtin scheduler has no scheduler{path}.
 *
 * Return: new reference, or NULL out of memory.
 */
json_t *plan_new(const struct scenario *s, uint64_t seed);

/** plan_is_transport() - can a plan have it: "pci" or "mmio" */
bool plan_is_transport(const char *name);

/** plan_set_transport() - one that it can have; NULL: the launcher chooses */
void plan_set_transport(json_t *plan, const char *name);

/**
 * plan_checks_new() - what is to be judged
 *
 * {"checks": [{"metric", "phase", "op", "limit", "unit"}], "ratios": [...],
 * "automatic": {...}}; ratios are the checks against a control.
 *
 * Return: new reference, or NULL out of memory.
 */
json_t *plan_checks_new(const struct scenario *s);

#endif
