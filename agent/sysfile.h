/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One-line files of sysfs, procfs and cgroupfs, below a root that tests can
 * replace. Used throughout the agent.
 */
#ifndef KTSTR_AGENT_SYSFILE_H
#define KTSTR_AGENT_SYSFILE_H

#include <sched.h>
#include <stddef.h>

/**
 * sysfile_read() - a short file as text
 * @buf: NUL-terminated, one trailing newline removed; "" on failure
 *
 * Longer files are cut to @cap - 1 bytes. The path is a printf() format.
 *
 * Return: bytes in @buf, or -errno.
 */
__attribute__((format(printf, 3, 4)))
int sysfile_read(char *buf, size_t cap, const char *fmt, ...);

/** sysfile_write() - @text in one write(2). Return: 0 or -errno. */
int sysfile_write(const char *path, const char *text);

/** sysfile_read_int() - a file that holds one number. Return: 0 or -errno. */
__attribute__((format(printf, 2, 3)))
int sysfile_read_int(int *value, const char *fmt, ...);

/**
 * sysfile_parse_list() - "0-3,8" as a set
 *
 * Return: 0; -EINVAL for what is no such list; -ERANGE for a number that the
 * set can't hold.
 */
int sysfile_parse_list(const char *text, cpu_set_t *set);

#endif
