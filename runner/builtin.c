// SPDX-License-Identifier: GPL-2.0-only
#include "runner/builtin.h"

#include "runner/builtin_list.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUILTIN(n, object, is_fault, text) { #n, text, is_fault },
const struct builtin builtins[] = { BUILTINS(BUILTIN) { 0 } };

const struct builtin *builtin_find(const char *name)
{
	const struct builtin *b;

	for (b = builtins; b->name; b++)
		if (!strcmp(b->name, name))
			return b;
	return NULL;
}

static char *existing(const char *dir, const char *below, const char *name)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s%s/%s", dir, below, name) >=
	    sizeof(path))
		return NULL;
	return realpath(path, NULL);
}

char *data_path(const char *name)
{
	static const char *const below_exe[] = { "", "/..",
						 "/../share/ktstr" };
	const char *env = getenv("KTSTR_DATA_DIR");
	char exe[PATH_MAX];
	char *path, *slash;
	ssize_t len;
	size_t i;

	if (env)
		return existing(env, "", name);
	len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (len < 0)
		return NULL;
	exe[len] = '\0';
	slash = strrchr(exe, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	for (i = 0; i < sizeof(below_exe) / sizeof(below_exe[0]); i++) {
		path = existing(exe, below_exe[i], name);
		if (path)
			return path;
	}
	errno = ENOENT;
	return NULL;
}

