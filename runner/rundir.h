/* SPDX-License-Identifier: GPL-2.0-only */
/* The directory of a run: always a new one. Used by the run command. */
#ifndef KTSTR_RUNNER_RUNDIR_H
#define KTSTR_RUNNER_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>

#define RUNDIR_DEFAULT "ktstr-results"

/**
 * rundir_new() - make a directory that nothing was in
 * @out: --out, or NULL: then RUNDIR_DEFAULT/TIME-NAME-ID
 * @several: more runs come: @out holds one directory for each
 * @name: of the scenario
 * @why: on failure one line
 *
 * Return: allocated path, or NULL. -EEXIST in errno when @out holds something
 * already: nothing is ever overwritten.
 */
char *rundir_new(const char *out, bool several, const char *name, char *why,
		 size_t why_len);

#endif
