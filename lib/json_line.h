/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One JSON object a line, written as it is known and without a tree: for what
 * is written a thousand times a second. Commas are put where they belong; that
 * brackets close is the caller's care.
 */
#ifndef KTSTR_LIB_JSON_LINE_H
#define KTSTR_LIB_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one. The text is kept for the next line. */
struct json_line {
	char *text;		/* owned; @len bytes, no NUL */
	size_t len, room;
	bool failed;		/* out of memory: not all of it is there */
};

void json_line_fini(struct json_line *l);

/** json_line_reset() - begin anew */
void json_line_reset(struct json_line *l);

/** json_line_open() - '{' or '['; json_line_close() - '}' or ']' */
void json_line_open(struct json_line *l, char bracket);
void json_line_close(struct json_line *l, char bracket);

/** json_line_end() - a newline */
void json_line_end(struct json_line *l);

/** json_line_key() - @name, of which a value is to follow */
void json_line_key(struct json_line *l, const char *name);

/** json_line_text() - a string of ASCII; NULL: null */
void json_line_text(struct json_line *l, const char *text);
void json_line_uint(struct json_line *l, uint64_t v);
void json_line_int(struct json_line *l, int64_t v);
void json_line_bool(struct json_line *l, bool v);
void json_line_null(struct json_line *l);

/** json_line_number() - exact for each double; not finite: null */
void json_line_number(struct json_line *l, double v);

/** json_line_member() - json_line_key() and json_line_number() in one go */
void json_line_member(struct json_line *l, const char *name, double v);

#endif
