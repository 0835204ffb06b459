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

static bool grow(struct json_line *l, size_t len)
{
	size_t room = l->room ? l->room : FIRST_ROOM;
	char *text;

	while (room - l->len < len)
		room *= 2;
	text = l->failed ? NULL : realloc(l->text, room);
	if (!text) {
		l->failed = true;
		return false;
	}
	l->text = text;
	l->room = room;
	return true;
}

/* @len bytes to write to, or NULL. */
static inline char *take(struct json_line *l, size_t len)
{
	if (l->room - l->len < len && !grow(l, len))
		return NULL;
	l->len += len;
	return l->text + l->len - len;
}

static void put(struct json_line *l, const char *text, size_t len)
{
	char *to = take(l, len);

	if (to)
		memcpy(to, text, len);
}

static inline void put_char(struct json_line *l, char c)
{
	char *to = take(l, 1);

	if (to)
		*to = c;
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

static bool needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

#define ALL_BYTES(c) (0x0101010101010101ull * (c))

/* Is a byte of @w less than @n? @n: up to 128 */
static bool has_less(uint64_t w, unsigned int n)
{
	return (w - ALL_BYTES(n)) & ~w & ALL_BYTES(0x80);
}

/* Copy eight bytes, unless one of them has to be escaped. */
static inline bool copy_eight(char *to, const char *text)
{
	uint64_t eight;

	memcpy(&eight, text, sizeof(eight));
	if (has_less(eight, 0x20) || has_less(eight ^ ALL_BYTES('"'), 1) ||
	    has_less(eight ^ ALL_BYTES('\\'), 1))
		return false;
	memcpy(to, &eight, sizeof(eight));
	return true;
}

/* Copy what has to be escaped nowhere, as nearly all names; or return false. */
static inline bool copy_plain(char *to, const char *text, size_t len)
{
	size_t i;

	if (len >= 8) {
		for (i = 0; i + 8 < len; i += 8)
			if (!copy_eight(to + i, text + i))
				return false;
		/* the last eight, some of them once more */
		return copy_eight(to + len - 8, text + len - 8);
	}
	for (i = 0; i < len; i++) {
		if (needs_escape(text[i]))
			return false;
		to[i] = text[i];
	}
	return true;
}

static void put_escaped(struct json_line *l, const char *text)
{
	char code[8];

	put_char(l, '"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (!needs_escape(c)) {
			put_char(l, c);
			continue;
		}
		snprintf(code, sizeof(code), c < 0x20 ? "\\u%04x" : "\\%c", c);
		put(l, code, strlen(code));
	}
	put_char(l, '"');
}

static void put_string(struct json_line *l, const char *text)
{
	size_t len = strlen(text);
	char *to = take(l, len + 2);

	if (!to)
		return;
	if (!copy_plain(to + 1, text, len)) {
		l->len -= len + 2;
		put_escaped(l, text);
		return;
	}
	to[0] = '"';
	to[len + 1] = '"';
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

static const char digit_pairs[] =
	"00010203040506070809" "10111213141516171819"
	"20212223242526272829" "30313233343536373839"
	"40414243444546474849" "50515253545556575859"
	"60616263646566676869" "70717273747576777879"
	"80818283848586878889" "90919293949596979899";

/* Two digits of @v, which is below 100, to @at */
static inline void two_digits(char *at, uint32_t v)
{
	memcpy(at, digit_pairs + v * 2, 2);
}

/* Not one after the other: no division waits for the one before it. */
static inline void eight_digits(char *at, uint32_t v)
{
	uint32_t high = v / 10000, low = v % 10000;

	two_digits(at, high / 100);
	two_digits(at + 2, high % 100);
	two_digits(at + 4, low / 100);
	two_digits(at + 6, low % 100);
}

/* Return: how many; @to has room for UINT_DIGITS */
static unsigned int put_digits(char *to, uint64_t v)
{
	char digits[UINT_DIGITS], *end = digits + sizeof(digits), *at = end;
	uint32_t rest;

	for (; v >= 100000000; v /= 100000000) {
		at -= 8;
		eight_digits(at, v % 100000000);
	}
	for (rest = v; rest >= 10; rest /= 100) {
		at -= 2;
		two_digits(at, rest % 100);
	}
	/* an odd one is left, or nothing of what was not 0 */
	if (rest || at == end)
		*--at = '0' + rest;
	memcpy(to, at, end - at);
	return end - at;
}

static void put_uint(struct json_line *l, uint64_t v)
{
	char *to = take(l, UINT_DIGITS);

	if (to)
		l->len -= UINT_DIGITS - put_digits(to, v);
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

static bool is_whole(double v)
{
	return fabs(v) < INT_END && v == (double)(int64_t)v;
}

void json_line_number(struct json_line *l, double v)
{
	char text[32];

	if (!isfinite(v)) {
		json_line_null(l);
	} else if (is_whole(v)) {
		element(l);
		if (v < 0)
			put_char(l, '-');
		put_uint(l, (uint64_t)fabs(v));
	} else {
		snprintf(text, sizeof(text), "%.17g", v);
		put_word(l, text);
	}
}

void json_line_member(struct json_line *l, const char *name, double v)
{
	size_t len = strlen(name), at_once = len + 4 + 1 + UINT_DIGITS;
	char *to, *at;

	element(l);
	to = is_whole(v) ? take(l, at_once) : NULL;
	if (to && copy_plain(to + 1, name, len)) {
		at = to + 1 + len;
		to[0] = *at++ = '"';
		*at++ = ':';
		if (v < 0)
			*at++ = '-';
		at += put_digits(at, (uint64_t)fabs(v));
		l->len -= at_once - (at - to);
		return;
	}
	if (to)
		l->len -= at_once;
	put_string(l, name);
	put_char(l, ':');
	json_line_number(l, v);
}
