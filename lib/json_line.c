// SPDX-License-Identifier: GPL-2.0-only
#include "lib/json_line.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024
#define UINT_DIGITS 20
/* Whole numbers below it are written as such; parsers have no larger ones. */
#define INT_END 9223372036854775808.0

void json_line_fini(struct json_line *l)
{
	free(l->text);
	*l = (struct json_line){ 0 };
}

void json_line_reset(struct json_line *l)
{
	l->len = 0;
	l->failed = false;
}

/* @len bytes to write to, or NULL. */
static char *take(struct json_line *l, size_t len)
{
	size_t room = l->room ? l->room : FIRST_ROOM;
	char *text;

	if (l->room - l->len < len) {
		while (room - l->len < len)
			room *= 2;
		text = l->failed ? NULL : realloc(l->text, room);
		if (!text) {
			l->failed = true;
			return NULL;
		}
		l->text = text;
		l->room = room;
	}
	l->len += len;
	return l->text + l->len - len;
}

static void put(struct json_line *l, const char *text, size_t len)
{
	char *to = take(l, len);

	if (to)
		memcpy(to, text, len);
}

static void put_char(struct json_line *l, char c)
{
	put(l, &c, 1);
}

/* What follows is an element: not the first one has a comma before it. */
static void element(struct json_line *l)
{
	char last = l->len ? l->text[l->len - 1] : '[';

	if (last != '{' && last != '[' && last != ':')
		put_char(l, ',');
}

void json_line_open(struct json_line *l, char bracket)
{
	element(l);
	put_char(l, bracket);
}

void json_line_close(struct json_line *l, char bracket)
{
	put_char(l, bracket);
}

void json_line_end(struct json_line *l)
{
	put_char(l, '\n');
}

static void put_string(struct json_line *l, const char *text)
{
	const char *from = text;
	char code[8];

	put_char(l, '"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		put(l, from, text - from);
		from = text + 1;
		snprintf(code, sizeof(code), c < 0x20 ? "\\u%04x" : "\\%c", c);
		put(l, code, strlen(code));
	}
	put(l, from, text - from);
	put_char(l, '"');
}

void json_line_key(struct json_line *l, const char *name)
{
	element(l);
	put_string(l, name);
	put_char(l, ':');
}

void json_line_text(struct json_line *l, const char *text)
{
	if (!text) {
		json_line_null(l);
		return;
	}
	element(l);
	put_string(l, text);
}

static void put_uint(struct json_line *l, uint64_t v)
{
	char digits[UINT_DIGITS], *at = digits + sizeof(digits);

	do {
		*--at = '0' + v % 10;
		v /= 10;
	} while (v);
	put(l, at, digits + sizeof(digits) - at);
}

void json_line_uint(struct json_line *l, uint64_t v)
{
	element(l);
	put_uint(l, v);
}

void json_line_int(struct json_line *l, int64_t v)
{
	element(l);
	if (v < 0)
		put_char(l, '-');
	put_uint(l, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

static void put_word(struct json_line *l, const char *word)
{
	element(l);
	put(l, word, strlen(word));
}

void json_line_bool(struct json_line *l, bool v)
{
	put_word(l, v ? "true" : "false");
}

void json_line_null(struct json_line *l)
{
	put_word(l, "null");
}

void json_line_number(struct json_line *l, double v)
{
	char text[32];

	if (!isfinite(v)) {
		json_line_null(l);
	} else if (fabs(v) < INT_END && v == trunc(v)) {
		element(l);
		if (v < 0)
			put_char(l, '-');
		put_uint(l, (uint64_t)fabs(v));
	} else {
		snprintf(text, sizeof(text), "%.17g", v);
		put_word(l, text);
	}
}
