// SPDX-License-Identifier: GPL-2.0-only
/* Where a command is, here and in a guest. It opens no file. */
#include "runner/exec_pack.h"

#include "lib/path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What tools/setup fetched for tests: below the cache, as in its package. */
#define PROGRAMS "programs"
#define PROGRAMS_LIBS "usr/lib/x86_64-linux-gnu"

static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || access(path, X_OK))
		return -EACCES;
	return 0;
}

/* The folder is made real; the name stays, for programs that look at it. */
static int absolute(const char *command, char *path, size_t len)
{
	const char *slash = strrchr(command, '/');
	char dir[PATH_MAX], real[PATH_MAX];

	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - command + 1), command);
	if (!realpath(dir, real))
		return -errno;
	if (snprintf(path, len, "%s/%s", strcmp(real, "/") ? real : "",
		     slash + 1) >= (int)len)
		return -ENAMETOOLONG;
	return executable(path);
}

/* The folder of the programs, with a slash; "" without a cache. */
static void programs_dir(char *dir, size_t len)
{
	char *cache = path_cache_dir(NULL);

	if (!cache ||
	    snprintf(dir, len, "%s/" PROGRAMS "/", cache) >= (int)len)
		*dir = '\0';
	free(cache);
}

static int find_fetched(const char *command, char *path, size_t len)
{
	static const char *const bins[] = { "usr/bin", "usr/sbin" };
	char dir[PATH_MAX];
	size_t i;

	programs_dir(dir, sizeof(dir));
	for (i = 0; *dir && i < sizeof(bins) / sizeof(bins[0]); i++)
		if (snprintf(path, len, "%s%s/%s", dir, bins[i], command) <
		    (int)len && !executable(path))
			return 0;
	return -ENOENT;
}

const char *exec_pack_lib_dir(const char *path, char *dir, size_t len)
{
	char programs[PATH_MAX];

	programs_dir(programs, sizeof(programs));
	if (!*programs || strncmp(path, programs, strlen(programs)))
		return NULL;
	if (snprintf(dir, len, "%s" PROGRAMS_LIBS, programs) >= (int)len)
		return NULL;
	return dir;
}

int exec_pack_find(const char *command, char *path, size_t len)
{
	const char *dirs = getenv("PATH");
	int err = -ENOENT, now;
	size_t n;

	if (!*command)
		return -ENOENT;
	if (strchr(command, '/'))
		return absolute(command, path, len);
	for (; dirs && *dirs; dirs += n + (dirs[n] == ':')) {
		n = strcspn(dirs, ":");
		if (*dirs != '/')
			continue;
		snprintf(path, len, "%.*s/%s", (int)n, dirs, command);
		now = executable(path);
		if (!now)
			return 0;
		if (now == -EACCES)
			err = now;
	}
	return find_fetched(command, path, len) ? err : 0;
}

int exec_pack_place(const char *path, char *place, size_t len)
{
	static const char *const hidden[] = { "/tmp/", "/run/", "/dev/" };
	const char *below = "";
	size_t i;

	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (!strncmp(path, hidden[i], strlen(hidden[i])))
			below = "/ktstr/root";
	if (snprintf(place, len, "%s%s", below, path) >= (int)len)
		return -ENAMETOOLONG;
	return 0;
}

json_t *exec_pack_env(const char *path)
{
	json_t *env = json_pack("[s, s]", "HOME=/", "PATH=/usr/local/sbin:"
				"/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	char dir[PATH_MAX], place[PATH_MAX];

	if (exec_pack_lib_dir(path, dir, sizeof(dir)) &&
	    !exec_pack_place(dir, place, sizeof(place)))
		json_array_append_new(env, json_sprintf("LD_LIBRARY_PATH=%s",
							place));
	return env;
}
