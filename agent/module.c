// SPDX-License-Identifier: GPL-2.0-only
#include "agent/module.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_module(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 3 && !strcmp(d->d_name + len - 3, ".ko");
}

static int load_one(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		err = -errno;
	close(fd);
	return err;
}

int module_load_all(const char *dir, char *err_msg, size_t err_len)
{
	struct dirent **list;
	int i, n, err = 0;

	n = scandir(dir, &list, is_module, alphasort);
	if (n < 0) {
		if (errno == ENOENT)
			return 0;
		err = -errno;
		snprintf(err_msg, err_len, "%s: %s", dir, strerror(-err));
		return err;
	}
	for (i = 0; i < n; i++) {
		char path[PATH_MAX];

		if (!err) {
			snprintf(path, sizeof(path), "%s/%s", dir,
				 list[i]->d_name);
			err = load_one(path);
			if (err)
				snprintf(err_msg, err_len,
					 "insert module %s: %s", path,
					 strerror(-err));
		}
		free(list[i]);
	}
	free(list);
	return err;
}
