// SPDX-License-Identifier: GPL-2.0-only
#include "agent/json_text.h"

#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text, size_t max)
{
	size_t len = strnlen(text, max), i;
	char *copy = malloc(len + 1);
	json_t *s;

	if (!copy)
		return NULL;
	for (i = 0; i < len; i++) {
		unsigned char c = text[i];
		int keep = (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t';

		copy[i] = keep ? c : '?';
	}
	copy[len] = '\0';
	s = json_stringn(copy, len);
	free(copy);
	return s;
}

json_t *json_text_tail(const char *text, size_t max)
{
	size_t len = strlen(text);

	return json_text(len > max ? text + len - max : text, max);
}
