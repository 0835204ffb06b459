/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The schedulers that come with ktstr, and where its own files are. Used by
 * the scenario parser, the list command and the plan.
 */
#ifndef KTSTR_RUNNER_BUILTIN_H
#define KTSTR_RUNNER_BUILTIN_H

#include <stdbool.h>

struct builtin {
	const char *name;
	const char *about;	/* one line */
	bool fault;		/* planted: not for use, but to be caught */
};

/* Ends with a NULL name; the good ones first. */
extern const struct builtin builtins[];

/** builtin_find() - by name; NULL: none */
const struct builtin *builtin_find(const char *name);

/**
 * data_path() - a file or folder that comes with ktstr
 * @name: "scenarios": below $KTSTR_DATA_DIR, beside the
 *	running program, one above it, or in its ../share/ktstr
 *
 * Return: allocated, absolute; NULL with errno ENOENT when it is nowhere.
 */
char *data_path(const char *name);

#endif
