/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A TOML document as a tree of C nodes, each knowing where it stands in the
 * file. Implemented over toml++ in toml.cc; read by the scenario parser.
 */
#ifndef KTSTR_RUNNER_TOML_H
#define KTSTR_RUNNER_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum toml_type {
	TOML_NODE_TABLE,
	TOML_NODE_ARRAY,
	TOML_NODE_STRING,
	TOML_NODE_INT,
	TOML_NODE_FLOAT,
	TOML_NODE_BOOL,
	TOML_NODE_TIME,		/* dates and times: no value is kept */
};

struct toml_node {
	enum toml_type type;
	unsigned int line, column;	/* of the value, from 1; 0: unknown */
	unsigned int key_line, key_column;
	char *key;		/* owned; NULL in an array and for the root */
	char *origin;		/* owned; text that stands for the position */
	char *string;		/* owned; a string's value, NUL-terminated */
	int64_t integer;
	double real;
	bool boolean;
	struct toml_node **child; /* owned; of a table in order of the file */
	size_t nr;
};

struct toml_error {
	unsigned int line, column;
	char text[256];
};

/**
 * toml_parse() - parse a whole document
 * @text: @len bytes of UTF-8
 * @root: a table, for toml_free()
 * @error: written on -EINVAL
 *
 * A string with a NUL inside is refused: no value of ours can hold one.
 *
 * Return: 0; -EINVAL when it is not TOML 1.0; -ENOMEM.
 */
int toml_parse(const char *text, size_t len, struct toml_node **root,
	       struct toml_error *error);

/** toml_free() - release a node and all below; NULL is fine. */
void toml_free(struct toml_node *node);

#ifdef __cplusplus
}
#endif

#endif
