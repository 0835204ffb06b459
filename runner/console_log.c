// SPDX-License-Identifier: GPL-2.0-only
#include "runner/console_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int console_log_open(struct console_log *c, const char *path)
{
	memset(c, 0, sizeof(*c));
	c->file = fopen(path, "we");
	return c->file ? 0 : -errno;
}

void console_log_close(struct console_log *c)
{
	if (c->file)
		fclose(c->file);
	c->file = NULL;
}

void console_log_add(struct console_log *c, const char *data, size_t len)
{
	size_t room = c->bytes - c->dropped < CONSOLE_FILE_MAX ?
		CONSOLE_FILE_MAX - (c->bytes - c->dropped) : 0;
	size_t keep = len < room ? len : room;
	size_t i;

	if (keep && c->file)
		fwrite(data, 1, keep, c->file);
	c->dropped += len - keep;
	for (i = 0; i < len; i++)
		c->tail[(c->bytes + i) % CONSOLE_TAIL_BYTES] = data[i];
	c->bytes += len;
	if (c->file)
		fflush(c->file);
}

/* The ring laid out straight, as text without control bytes. */
static size_t straighten(const struct console_log *c,
			 char text[CONSOLE_TAIL_BYTES + 1])
{
	size_t len = c->bytes < CONSOLE_TAIL_BYTES ? c->bytes :
		CONSOLE_TAIL_BYTES;
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		unsigned char ch = c->tail[(c->bytes - len + i) %
					   CONSOLE_TAIL_BYTES];

		if (ch == '\r')
			continue;
		text[n++] = ch == '\n' || (ch >= ' ' && ch < 127) ? ch : '?';
	}
	text[n] = '\0';
	return n;
}

json_t *console_log_tail(const struct console_log *c, unsigned int lines)
{
	char text[CONSOLE_TAIL_BYTES + 1];
	size_t len = straighten(c, text);
	json_t *array = json_array();
	char *p = text + len, *line, *save;
	unsigned int seen = 0;

	/* the newline that ends the text ends no further line */
	if (len && p[-1] == '\n')
		p--;
	while (p > text) {
		if (p[-1] == '\n' && ++seen == lines)
			break;
		p--;
	}
	for (line = strtok_r(p, "\n", &save); array && line;
	     line = strtok_r(NULL, "\n", &save))
		json_array_append_new(array, json_string(line));
	return array;
}

bool console_log_mentions(const struct console_log *c, const char *text)
{
	char tail[CONSOLE_TAIL_BYTES + 1];

	straighten(c, tail);
	return strstr(tail, text);
}
