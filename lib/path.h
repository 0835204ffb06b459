/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths, whole files, and atomic writes: for the runner and its tools. */
#ifndef KTSTR_LIB_PATH_H
#define KTSTR_LIB_PATH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** path_join() - "a/b" in allocated memory; NULL out of memory */
char *path_join(const char *dir, const char *name);

/** path_mkdirs() - mkdir -p. Return: 0 or -errno. */
int path_mkdirs(const char *path);

/**
 * path_cache_dir() - $KTSTR_CACHE, or ktstr in the user's cache directory
 * @sub: folder below it, made if missing; NULL: itself
 *
 * Return: allocated path, or NULL with errno.
 */
char *path_cache_dir(const char *sub);

/**
 * path_read_file() - a whole file in allocated memory, with a NUL after it
 * @max: larger files give -EFBIG
 *
 * Return: 0 or -errno.
 */
int path_read_file(const char *path, size_t max, char **data, size_t *len);

/** path_write_file() - through a temporary name and rename(2). 0 or -errno. */
int path_write_file(const char *path, const void *data, size_t len);

/** path_copy_file() - copy @from to @to (new file). 0 or -errno. */
int path_copy_file(const char *from, const char *to);

/** path_remove_tree() - rm -rf below @path; best effort. */
void path_remove_tree(const char *path);

/** write_all() - write(2) until all is written. 0 or -errno. */
int write_all(int fd, const void *data, size_t len);

#endif
