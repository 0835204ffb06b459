// SPDX-License-Identifier: GPL-2.0-only
/* The way back: structs as TOML, by the same tables. */
#include "runner/schema.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runner/toml.h"

void schema_print_string(FILE *to, const char *text)
{
	const char *p;

	fputc('"', to);
	for (p = text; *p; p++) {
		unsigned char c = *p;

		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(to, "\\u%04x", c);
		else
			fputc(c, to);
	}
	fputc('"', to);
}

void schema_print_double(FILE *to, double value)
{
	char text[40];
	int digits;

	for (digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	fputs(text, to);
	if (!strpbrk(text, ".eni"))
		fputs(".0", to);
}

static void print_key(FILE *to, const char *key)
{
	if (*key && strspn(key, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
			    strlen(key))
		fputs(key, to);
	else
		schema_print_string(to, key);
}

void schema_print_node(FILE *to, const struct toml_node *value)
{
	bool table = value->type == TOML_NODE_TABLE;
	size_t i;

	switch (value->type) {
	case TOML_NODE_STRING:
		schema_print_string(to, value->string);
		return;
	case TOML_NODE_INT:
		fprintf(to, "%" PRId64, value->integer);
		return;
	case TOML_NODE_FLOAT:
		schema_print_double(to, value->real);
		return;
	case TOML_NODE_BOOL:
		fputs(value->boolean ? "true" : "false", to);
		return;
	case TOML_NODE_TIME:
		assert(!"dates are refused by every field");
		return;
	case TOML_NODE_TABLE:
	case TOML_NODE_ARRAY:
		break;
	}
	fputs(table ? "{ " : "[", to);
	for (i = 0; i < value->nr; i++) {
		if (i)
			fputs(", ", to);
		if (table) {
			print_key(to, value->child[i]->key);
			fputs(" = ", to);
		}
		schema_print_node(to, value->child[i]);
	}
	fputs(table ? " }" : "]", to);
}

static void print_inline(FILE *to, const struct table_spec *spec,
			 const void *obj);

static void print_list(FILE *to, const struct string_list *list)
{
	unsigned int i;

	fputc('[', to);
	for (i = 0; i < list->nr; i++) {
		if (i)
			fputs(", ", to);
		schema_print_string(to, list->item[i]);
	}
	fputc(']', to);
}

static void print_tables(FILE *to, const struct field *f, const char *obj)
{
	unsigned int i, nr = *(const unsigned int *)(obj + f->nr_offset);

	fputc('[', to);
	for (i = 0; i < nr; i++) {
		if (i)
			fputs(", ", to);
		print_inline(to, f->table,
			     obj + f->offset + i * f->table->size);
	}
	fputc(']', to);
}

static void print_value(FILE *to, const struct field *f, const char *obj)
{
	const void *member = obj + f->offset;
	char text[UNIT_TEXT_LEN];

	switch (f->type) {
	case FIELD_STRING:
	case FIELD_NAME:
		if (*(const char *const *)member)
			schema_print_string(to, *(const char *const *)member);
		break;
	case FIELD_BOOL:
		if (*(const bool *)member || !f->optional)
			fputs(*(const bool *)member ? "true" : "false", to);
		break;
	case FIELD_UINT:
		if (*(const uint64_t *)member != FIELD_UNSET)
			fprintf(to, "%" PRIu64, *(const uint64_t *)member);
		break;
	case FIELD_INT:
		fprintf(to, "%" PRId64, *(const int64_t *)member);
		break;
	case FIELD_UNIT:
		if (*(const uint64_t *)member == FIELD_UNSET)
			break;
		if (f->unit == UNIT_PER_S)
			fprintf(to, "%" PRIu64, *(const uint64_t *)member);
		else
			fprintf(to, "\"%s\"",
				unit_format(f->unit, *(const uint64_t *)member,
					    text));
		break;
	case FIELD_RATIO:
		schema_print_double(to, *(const double *)member);
		break;
	case FIELD_WORD:
		schema_print_string(to,
				    f->words[*(const unsigned int *)member]);
		break;
	case FIELD_STRINGS:
		if (((const struct string_list *)member)->nr || !f->optional)
			print_list(to, member);
		break;
	case FIELD_NODE:
		if (*(const struct toml_node *const *)member)
			schema_print_node(to,
				*(const struct toml_node *const *)member);
		break;
	case FIELD_TABLE:
		if (f->optional &&
		    !((const struct table_base *)member)->node)
			break;
		print_inline(to, f->table, member);
		break;
	case FIELD_TABLES:
		print_tables(to, f, obj);
		break;
	case FIELD_CUSTOM:
		f->print(to, f, member);
		break;
	case FIELD_LATER:
		break;
	}
}

/* "key = value", or nothing when the value is unset. */
static bool print_pair(FILE *to, const struct field *f, const void *obj,
		       const char *before, const char *after)
{
	char *text = NULL;
	size_t len = 0;
	FILE *value = open_memstream(&text, &len);

	if (!value)
		return false;
	print_value(value, f, obj);
	if (fclose(value))
		len = 0;
	if (len)
		fprintf(to, "%s%s = %s%s", before, f->key, text, after);
	free(text);
	return len;
}

static void print_inline(FILE *to, const struct table_spec *spec,
			 const void *obj)
{
	const struct field *f;
	bool any = false;

	fputc('{', to);
	for (f = spec->fields; f->key; f++)
		any |= print_pair(to, f, obj, any ? ", " : " ", "");
	fputs(any ? " }" : "}", to);
}

static bool is_section(const struct field *f)
{
	return (f->type == FIELD_TABLE || f->type == FIELD_TABLES) &&
	       !f->inline_table;
}

void schema_print(FILE *to, const struct table_spec *spec, const void *obj)
{
	const struct field *f;
	const char *base = obj;
	unsigned int i, nr;

	for (f = spec->fields; f->key; f++)
		if (!is_section(f))
			print_pair(to, f, obj, "", "\n");

	for (f = spec->fields; f->key; f++) {
		if (!is_section(f))
			continue;
		if (f->type == FIELD_TABLE) {
			const struct table_base *t =
				(const void *)(base + f->offset);

			if (f->optional && !t->node)
				continue;
			fprintf(to, "\n[%s]\n", f->key);
			schema_print(to, f->table, t);
			continue;
		}
		nr = *(const unsigned int *)(base + f->nr_offset);
		for (i = 0; i < nr; i++) {
			fprintf(to, "\n[[%s]]\n", f->key);
			schema_print(to, f->table,
				     base + f->offset + i * f->table->size);
		}
	}
}
