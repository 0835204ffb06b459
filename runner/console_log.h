/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's serial text: into a file, bounded, and its end kept at hand. */
#ifndef KTSTR_RUNNER_CONSOLE_LOG_H
#define KTSTR_RUNNER_CONSOLE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#define CONSOLE_TAIL_BYTES 8192
#define CONSOLE_FILE_MAX (16u << 20)

struct console_log {
	FILE *file;		/* owned */
	uint64_t bytes;		/* received */
	uint64_t dropped;	/* not written: over CONSOLE_FILE_MAX */
	char tail[CONSOLE_TAIL_BYTES];	/* ring */
};

/** console_log_open() - 0 or -errno */
int console_log_open(struct console_log *c, const char *path);
void console_log_close(struct console_log *c);

/** console_log_add() - hostile bytes, any of them */
void console_log_add(struct console_log *c, const char *data, size_t len);

/**
 * console_log_tail() - the last @lines lines, control bytes made '?'
 *
 * Return: new array of strings, or NULL out of memory.
 */
json_t *console_log_tail(const struct console_log *c, unsigned int lines);

/** console_log_mentions() - does the kept end contain @text? */
bool console_log_mentions(const struct console_log *c, const char *text);

#endif
