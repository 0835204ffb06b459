/* SPDX-License-Identifier: GPL-2.0-only */
/* A result as text, for people. Used by the run command. */
#ifndef KTSTR_RUNNER_REPORT_H
#define KTSTR_RUNNER_REPORT_H

#include <stdio.h>

#include <jansson.h>

enum report_detail {
	REPORT_LINE,	/* the verdict's line only */
	REPORT_NORMAL,	/* automatic checks that held are counted, not listed */
	REPORT_ALL,
};

/**
 * report_print() - verdict first, then why, then the checks
 * @result: result.json
 * @facts: NULL: none; of these the console's last lines, when not a pass
 * @dir: the run's directory, or NULL
 */
void report_print(FILE *to, const json_t *result, const json_t *facts,
		  const char *dir, enum report_detail detail);

#endif
