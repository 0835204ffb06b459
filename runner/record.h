/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What became of each run that a command was asked for, also where it left no
 * result: what ktap and junit print.
 */
#ifndef KTSTR_RUNNER_RECORD_H
#define KTSTR_RUNNER_RECORD_H

#include <stdint.h>

#include <jansson.h>

#define RECORD_NAME_LEN 256

/**
 * record_new() - of one run
 * @scenario: its name
 * @boot: from 0
 * @boots: how many the scenario was to have; the name tells which if several
 * @result: result.json, borrowed; NULL: there is none
 * @verdict, @reason: where @result is NULL
 *
 * Members: name, verdict, reason, result (or null). New reference, or NULL.
 */
json_t *record_new(const char *scenario, uint64_t boot, uint64_t boots,
		   json_t *result, const char *verdict, const char *reason);

/** record_checks() - of its result; NULL: none */
const json_t *record_checks(const json_t *record);

/** record_check_name() - "METRIC OP" or "METRIC OP in PHASE" */
void record_check_name(const json_t *check, char *buf, size_t len);

/** record_text() - a string member, "" if there is none */
const char *record_text(const json_t *object, const char *key);

#endif
