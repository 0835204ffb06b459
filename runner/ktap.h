/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs as KTAP version 1, for `ktstr run --ktap`: one test for each run, its
 * checks as subtests. docs/result.md says how verdicts are put.
 */
#ifndef KTSTR_RUNNER_KTAP_H
#define KTSTR_RUNNER_KTAP_H

#include <stdio.h>

#include <jansson.h>

/** ktap_begin() - version and plan; @nr runs will follow, or are accounted for */
void ktap_begin(FILE *to, unsigned long nr);

/**
 * ktap_run() - one run
 * @number: from 1
 * @record: as of record_new()
 */
void ktap_run(FILE *to, unsigned long number, const json_t *record);

#endif
