/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is wrong with a scenario, in the order of the file, each error with
 * its place and, where there is one, a hint. Filled by the parser and the
 * checks behind it; printed by the commands.
 */
#ifndef KTSTR_RUNNER_DIAG_H
#define KTSTR_RUNNER_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct toml_node;

struct diag_entry {
	char *where;	/* owned; "FILE:LINE:COLUMN", or "--set K=V" */
	char *message;	/* owned */
	char *hint;	/* owned; NULL: none */
	unsigned int line, column;
};

struct diag {
	const char *file;	/* borrowed; what "where" begins with */
	struct diag_entry *entries; /* owned */
	size_t nr;
	bool no_memory;		/* something could not be kept */
};

void diag_init(struct diag *d, const char *file);
void diag_fini(struct diag *d);

/** diag_failed() - is there anything to complain about? */
bool diag_failed(const struct diag *d);

/** diag_pos() - an error at a place of the file; 0, 0: the file as a whole */
__attribute__((format(printf, 4, 5)))
void diag_pos(struct diag *d, unsigned int line, unsigned int column,
	      const char *fmt, ...);

/** diag_value() - an error about a node's value */
__attribute__((format(printf, 3, 4)))
void diag_value(struct diag *d, const struct toml_node *at, const char *fmt,
		...);

/** diag_key() - an error about a node's key */
__attribute__((format(printf, 3, 4)))
void diag_key(struct diag *d, const struct toml_node *at, const char *fmt,
	      ...);

/** diag_text() - an error whose place is @where, as it stands */
__attribute__((format(printf, 3, 4)))
void diag_text(struct diag *d, const char *where, const char *fmt, ...);

/** diag_hint() - give the last error its hint */
__attribute__((format(printf, 2, 3)))
void diag_hint(struct diag *d, const char *fmt, ...);

/** diag_sort() - bring the errors into the order of the file */
void diag_sort(struct diag *d);

/** diag_print() - all of it: "WHERE: error: MESSAGE", then the hint */
void diag_print(const struct diag *d, FILE *to);

/*
 * The nearest of some words to one that was not understood: offer them all,
 * then look at best.
 */
struct suggest {
	const char *word;	/* borrowed */
	const char *best;	/* borrowed from an offer; NULL: none is near */
	unsigned int distance;
};

void suggest_init(struct suggest *s, const char *word);
void suggest_offer(struct suggest *s, const char *candidate);

/** suggest_hint() - diag_hint() with `did you mean "..."?`, if near */
bool suggest_hint(const struct suggest *s, struct diag *d);

#endif
