/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From TOML tables to C structs and back, by tables of fields. One row per
 * key of the scenario file says its type, range and place; the same row
 * parses it, names it in errors and prints it. Used by scenario.c.
 */
#ifndef KTSTR_RUNNER_SCHEMA_H
#define KTSTR_RUNNER_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runner/units.h"

struct diag;
struct toml_node;
struct table_spec;

/* The member at the field's offset has the type in brackets. */
enum field_type {
	FIELD_STRING,	/* const char *, borrowed from the node */
	FIELD_NAME,	/* const char *: letters, digits, - _, at most max */
	FIELD_BOOL,	/* bool */
	FIELD_UINT,	/* uint64_t, min..max */
	FIELD_INT,	/* int64_t, (int64_t)min..(int64_t)max */
	FIELD_UNIT,	/* uint64_t in base units of .unit, min..max */
	FIELD_RATIO,	/* double; "5%" or 0.05, up to max percent */
	FIELD_WORD,	/* unsigned int: index in .words */
	FIELD_STRINGS,	/* struct string_list */
	FIELD_NODE,	/* const struct toml_node *, read later */
	FIELD_TABLE,	/* the struct of .table */
	FIELD_TABLES,	/* array of it; count (unsigned int) at .nr_offset */
	FIELD_CUSTOM,	/* what .parse and .print make of it */
	FIELD_LATER,	/* of the contract, not built: always an error */
};

#define STRING_LIST_MAX 32
/* A number that was not given, where that differs from every value. */
#define FIELD_UNSET UINT64_MAX

struct string_list {
	const char *item[STRING_LIST_MAX]; /* borrowed from the nodes */
	unsigned int nr;
};

struct field {
	const char *key;
	enum field_type type;
	size_t offset;
	size_t nr_offset;
	uint64_t min, max;	/* max 0: no limit */
	enum unit_kind unit;
	bool required;
	bool inline_table;	/* how a FIELD_TABLE is printed */
	bool optional;		/* a FIELD_TABLE not printed when absent, a
				 * FIELD_BOOL when false, FIELD_STRINGS when
				 * empty */
	const char *const *words; /* NULL-terminated */
	const struct table_spec *table;
	void (*parse)(struct diag *d, const struct toml_node *value,
		      const struct field *f, void *member);
	/* the value only; nothing printed when it is unset */
	void (*print)(FILE *to, const struct field *f, const void *member);
	const char *later;	/* FIELD_LATER: what to do instead, or NULL */
};

/* Every struct that is filled from a table begins with this. */
struct table_base {
	const struct toml_node *node; /* NULL: absent, all defaults */
};

struct table_spec {
	const char *what;	/* "[vm]", "[[disk]]", "a throttle" */
	const struct field *fields; /* ends with a NULL key */
	size_t size;
	const void *defaults;	/* of that size; NULL: zeroes */
	unsigned int max;	/* how many a FIELD_TABLES may have */
};

/**
 * schema_parse() - fill @obj, its defaults first
 * @node: a table; NULL: only the defaults
 *
 * Reports all it finds, not only the first error. Strings and nodes in @obj
 * are borrowed from @node.
 */
void schema_parse(struct diag *d, const struct table_spec *spec,
		  const struct toml_node *node, void *obj);

/** schema_print() - @obj as TOML that schema_parse() reads back the same */
void schema_print(FILE *to, const struct table_spec *spec, const void *obj);

/* For custom fields and values whose type is known late. */

/** schema_unit() - a string with a unit or a bare integer. False: reported. */
bool schema_unit(struct diag *d, const struct toml_node *value,
		 enum unit_kind unit, uint64_t *result);

/** schema_ratio() - "5%" or 0.05. False: reported. */
bool schema_ratio(struct diag *d, const struct toml_node *value, double *ratio);

/** schema_wrong_type() - "KEY must be WANTED, not a boolean" */
void schema_wrong_type(struct diag *d, const struct toml_node *value,
		       const char *wanted);

/** schema_print_string() - quoted and escaped */
void schema_print_string(FILE *to, const char *text);

/** schema_print_node() - any value as TOML, tables inline */
void schema_print_node(FILE *to, const struct toml_node *value);

/** schema_print_double() - shortest form that reads back the same */
void schema_print_double(FILE *to, double value);

/** schema_table_get() - the child of that key, or NULL */
const struct toml_node *schema_table_get(const struct toml_node *table,
					 const char *key);

#endif
