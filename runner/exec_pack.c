// SPDX-License-Identifier: GPL-2.0-only
#include "runner/exec_pack.h"

#include "runner/elf_deps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_DEPTH 4	/* as the kernel's own limit of interpreters */
#define HEAD_BYTES 256	/* BINPRM_BUF_SIZE */

static bool has(json_t *files, const char *path)
{
	json_t *f;
	size_t i;

	json_array_foreach(files, i, f)
		if (!strcmp(json_string_value(f), path))
			return true;
	return false;
}

static void add(json_t *files, const char *path)
{
	if (!has(files, path))
		json_array_append_new(files, json_string(path));
}

static int say(int err, const char *what, const char *path, char *err_msg,
	       size_t err_len)
{
	snprintf(err_msg, err_len, "%s: %s%s", path, what, what[0] ? "" :
		 strerror(-err));
	return err;
}

/* "#!/usr/bin/env -S bash -e": the interpreter, and what env is to find. */
static int parse_script(char *head, char **interp, char **named)
{
	char *save = NULL, *word;

	head[strcspn(head, "\n")] = '\0';
	*interp = strtok_r(head + 2, " \t\r", &save);
	*named = NULL;
	if (!*interp)
		return -ENOEXEC;
	if (strlen(*interp) < 4 || strcmp(*interp + strlen(*interp) - 4, "/env"))
		return 0;
	while ((word = strtok_r(NULL, " \t\r", &save)))
		if (word[0] != '-' && !strchr(word, '=')) {
			*named = word;
			break;
		}
	return 0;
}

static int add_at(json_t *files, const char *path, int depth, char *err_msg,
		  size_t err_len);

static int add_script(json_t *files, const char *path, char *head, int depth,
		      char *err_msg, size_t err_len)
{
	char *interp, *named, found[PATH_MAX];
	int err = parse_script(head, &interp, &named);

	if (err)
		return say(err, "no interpreter after #!", path, err_msg,
			   err_len);
	err = add_at(files, interp, depth + 1, err_msg, err_len);
	if (err || !named)
		return err;
	err = exec_pack_find(named, found, sizeof(found));
	if (err)
		return say(err, "", named, err_msg, err_len);
	return add_at(files, found, depth + 1, err_msg, err_len);
}

static int add_elf(json_t *files, const char *path, char *err_msg,
		   size_t err_len)
{
	struct elf_deps deps;
	char lib_dir[PATH_MAX];
	int err = elf_deps_read(path, exec_pack_lib_dir(path, lib_dir,
							sizeof(lib_dir)),
				&deps);
	size_t i;

	if (err == -ENOENT)
		return say(err, "one of its libraries is missing", path,
			   err_msg, err_len);
	if (err == -ENOEXEC)
		return say(err, "neither a program nor a script with #!", path,
			   err_msg, err_len);
	if (err)
		return say(err, "", path, err_msg, err_len);
	if (deps.interp)
		add(files, deps.interp);
	for (i = 0; i < deps.nr_libs; i++)
		add(files, deps.libs[i]);
	elf_deps_free(&deps);
	return 0;
}

static int add_at(json_t *files, const char *path, int depth, char *err_msg,
		  size_t err_len)
{
	char head[HEAD_BYTES + 1] = "";
	int fd;

	if (depth > MAX_DEPTH)
		return say(-ELOOP, "", path, err_msg, err_len);
	if (has(files, path))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, head, HEAD_BYTES) < 0) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return say(err, "", path, err_msg, err_len);
	}
	close(fd);
	add(files, path);
	return !strncmp(head, "#!", 2) ?
		add_script(files, path, head, depth, err_msg, err_len) :
		add_elf(files, path, err_msg, err_len);
}

int exec_pack_add(json_t *files, const char *path, char *err_msg,
		  size_t err_len)
{
	return add_at(files, path, 0, err_msg, err_len);
}
