// SPDX-License-Identifier: GPL-2.0-only
#include "runner/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runner/toml.h"

#define MAX_WORD 64

void diag_init(struct diag *d, const char *file)
{
	*d = (struct diag){ .file = file };
}

void diag_fini(struct diag *d)
{
	size_t i;

	for (i = 0; i < d->nr; i++) {
		free(d->entries[i].where);
		free(d->entries[i].message);
		free(d->entries[i].hint);
	}
	free(d->entries);
	*d = (struct diag){ .file = d->file };
}

bool diag_failed(const struct diag *d)
{
	return d->nr || d->no_memory;
}

/* Takes @where, which may be NULL after an allocation failed. */
static void add(struct diag *d, char *where, unsigned int line,
		unsigned int column, const char *fmt, va_list args)
{
	struct diag_entry *more;
	char *message;

	if (vasprintf(&message, fmt, args) < 0)
		message = NULL;
	more = reallocarray(d->entries, d->nr + 1, sizeof(*more));
	if (more)
		d->entries = more;
	if (!where || !message || !more) {
		d->no_memory = true;
		free(where);
		free(message);
		return;
	}
	d->entries[d->nr++] = (struct diag_entry){
		.where = where,
		.message = message,
		.line = line,
		.column = column,
	};
}

static char *place(const struct diag *d, unsigned int line,
		   unsigned int column)
{
	char *text;
	int len;

	if (line)
		len = asprintf(&text, "%s:%u:%u", d->file, line, column);
	else
		len = asprintf(&text, "%s", d->file);
	return len < 0 ? NULL : text;
}

void diag_pos(struct diag *d, unsigned int line, unsigned int column,
	      const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(d, place(d, line, column), line, column, fmt, args);
	va_end(args);
}

void diag_value(struct diag *d, const struct toml_node *at, const char *fmt,
		...)
{
	va_list args;

	va_start(args, fmt);
	add(d, at->origin ? strdup(at->origin) :
			    place(d, at->line, at->column),
	    at->line, at->column, fmt, args);
	va_end(args);
}

void diag_key(struct diag *d, const struct toml_node *at, const char *fmt,
	      ...)
{
	unsigned int line = at->key_line ? at->key_line : at->line;
	unsigned int column = at->key_line ? at->key_column : at->column;
	va_list args;

	va_start(args, fmt);
	add(d, at->origin ? strdup(at->origin) : place(d, line, column), line,
	    column, fmt, args);
	va_end(args);
}

void diag_text(struct diag *d, const char *where, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(d, strdup(where), 0, 0, fmt, args);
	va_end(args);
}

void diag_hint(struct diag *d, const char *fmt, ...)
{
	va_list args;
	char *hint;

	if (!d->nr || d->entries[d->nr - 1].hint)
		return;
	va_start(args, fmt);
	if (vasprintf(&hint, fmt, args) < 0)
		d->no_memory = true;
	else
		d->entries[d->nr - 1].hint = hint;
	va_end(args);
}

static int by_place(const void *a, const void *b)
{
	const struct diag_entry *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->message, y->message);
}

void diag_sort(struct diag *d)
{
	if (d->nr)
		qsort(d->entries, d->nr, sizeof(*d->entries), by_place);
}

void diag_print(const struct diag *d, FILE *to)
{
	size_t i;

	for (i = 0; i < d->nr; i++) {
		fprintf(to, "%s: error: %s\n", d->entries[i].where,
			d->entries[i].message);
		if (d->entries[i].hint)
			fprintf(to, "    hint: %s\n", d->entries[i].hint);
	}
	if (d->no_memory)
		fprintf(to, "%s: error: out of memory\n", d->file);
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Edits, a swap of neighbours being one (optimal string alignment). */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[3][MAX_WORD + 1];
	unsigned int *before = rows[0], *last = rows[1], *now = rows[2], *free_row;
	size_t la = strlen(a), lb = strlen(b), i, j;

	if (la > MAX_WORD || lb > MAX_WORD)
		return MAX_WORD;
	for (j = 0; j <= lb; j++)
		last[j] = j;
	for (i = 1; i <= la; i++) {
		now[0] = i;
		for (j = 1; j <= lb; j++) {
			now[j] = least(least(last[j], now[j - 1]) + 1,
				       last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		free_row = before;
		before = last;
		last = now;
		now = free_row;
	}
	return last[lb];
}

void suggest_init(struct suggest *s, const char *word)
{
	size_t len = strlen(word);

	/* up to a third of the word may be wrong, at least one letter */
	*s = (struct suggest){ .word = word,
			       .distance = (len < 6 ? 1 : len / 3) + 1 };
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	unsigned int d = distance(s->word, candidate);

	if (d < s->distance) {
		s->distance = d;
		s->best = candidate;
	}
}

bool suggest_hint(const struct suggest *s, struct diag *d)
{
	if (s->best)
		diag_hint(d, "did you mean \"%s\"?", s->best);
	return s->best;
}
