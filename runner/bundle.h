/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bundle/ in the directory of a run that did not pass: all that is needed to
 * look into it elsewhere, and to do it again. Called by run.c.
 */
#ifndef KTSTR_RUNNER_BUNDLE_H
#define KTSTR_RUNNER_BUNDLE_H

#include <jansson.h>

/**
 * bundle_write() - make the bundle of a finished run
 * @dir: its run directory, with what the run left
 * @result: what result.json has
 * @facts: NULL: none
 *
 * What the run did not leave is not there. Files of the run directory are
 * linked where that can be, so they take no room twice.
 *
 * Return: 0 or the first -errno, said.
 */
int bundle_write(const char *dir, const json_t *result, const json_t *facts);

#endif
