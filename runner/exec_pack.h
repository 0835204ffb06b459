/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which files a program needs in a guest that has none. For ktstr exec, and for
 * the programs that a scenario names.
 */
#ifndef KTSTR_RUNNER_EXEC_PACK_H
#define KTSTR_RUNNER_EXEC_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/**
 * exec_pack_find() - a command as a shell would find it
 * @path: absolute
 *
 * What is not in $PATH is looked for among the programs of the cache.
 *
 * Return: 0; -ENOENT; -EACCES it is there, and can't be executed.
 */
int exec_pack_find(const char *command, char *path, size_t len);

/**
 * exec_pack_lib_dir() - where a program of the cache has its own libraries
 * @dir: of @len bytes, for the result
 *
 * Return: @dir, for LD_LIBRARY_PATH; NULL: it uses the system's.
 */
const char *exec_pack_lib_dir(const char *path, char *dir, size_t len);

/**
 * exec_pack_env() - what a guest's program has for an environment
 * @path: of the program, here
 *
 * Return: array of "NAME=VALUE", new reference.
 */
json_t *exec_pack_env(const char *path);

/**
 * exec_pack_add() - a program, its libraries, its interpreter
 * @files: array of paths, each added once: what the guest is to have, at the
 *	same place
 * @path: absolute; an ELF program or a script with #!
 *
 * "#!/usr/bin/env NAME" takes NAME as well.
 *
 * Return: 0; -ENOEXEC neither; -ENOENT an interpreter or library is missing;
 * -ELOOP scripts that interpret scripts, too deep. One line in @err_msg.
 */
int exec_pack_add(json_t *files, const char *path, char *err_msg,
		  size_t err_len);

/**
 * exec_pack_place() - where a packed file is in the guest
 *
 * At its own place, but for folders that the guest mounts over.
 *
 * Return: 0; -ENAMETOOLONG.
 */
int exec_pack_place(const char *path, char *place, size_t len);

#endif
