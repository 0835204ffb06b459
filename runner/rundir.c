// SPDX-License-Identifier: GPL-2.0-only
#include "runner/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/path.h"

#define ATTEMPTS 100

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;

	if (!dir)
		return false;
	while (empty && (entry = readdir(dir)))
		empty = !strcmp(entry->d_name, ".") ||
			!strcmp(entry->d_name, "..");
	closedir(dir);
	return empty;
}

/* @out itself: new, or there and empty. */
static char *take(const char *out, char *why, size_t why_len)
{
	char *path = strdup(out);
	int err = path ? path_mkdirs(path) : -ENOMEM;

	if (!err && is_empty(path))
		return path;
	if (err)
		snprintf(why, why_len, "%s: %s", out, strerror(-err));
	else
		snprintf(why, why_len,
			 "%s is not empty: nothing is ever overwritten", out);
	free(path);
	errno = err ? -err : EEXIST;
	return NULL;
}

static void fill_id(char id[7])
{
	static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t random = 0;
	int i;

	/* too early in boot for random bytes: the clock is as good */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) !=
	    sizeof(random))
		random = (uint64_t)clock() * 0x9e3779b97f4a7c15;
	for (i = 0; i < 6; i++)
		id[i] = letters[random >> (5 * i) & 31];
	id[6] = '\0';
}

/* A directory of its own below @parent. */
static char *make(const char *parent, const char *name, char *why,
		  size_t why_len)
{
	char stamp[32] = "", id[7];
	time_t now = time(NULL);
	struct tm tm;
	char *path;
	int i, err = path_mkdirs(parent);

	if (localtime_r(&now, &tm))
		strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	for (i = 0; !err && i < ATTEMPTS; i++) {
		fill_id(id);
		if (asprintf(&path, "%s/%s-%s-%s", parent, stamp, name, id) <
		    0) {
			err = -ENOMEM;
			break;
		}
		if (!mkdir(path, 0777))
			return path;
		if (errno != EEXIST)
			err = -errno;
		free(path);
	}
	if (!err)
		err = -EEXIST;
	snprintf(why, why_len, "a directory in %s: %s", parent,
		 strerror(-err));
	errno = -err;
	return NULL;
}

char *rundir_new(const char *out, bool several, const char *name, char *why,
		 size_t why_len)
{
	if (out && !several)
		return take(out, why, why_len);
	return make(out ? out : RUNDIR_DEFAULT, name, why, why_len);
}
