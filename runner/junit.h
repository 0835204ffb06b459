/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs as JUnit XML, for `ktstr run --junit`: one testsuite for each run, its
 * checks as testcases. docs/result.md says how verdicts are put.
 */
#ifndef KTSTR_RUNNER_JUNIT_H
#define KTSTR_RUNNER_JUNIT_H

#include <stdio.h>

#include <jansson.h>

/** junit_print() - @records: an array of record_new()'s */
void junit_print(FILE *to, const json_t *records);

/** junit_write() - likewise to a file, atomically. 0 or -errno. */
int junit_write(const char *path, const json_t *records);

#endif
