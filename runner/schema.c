// SPDX-License-Identifier: GPL-2.0-only
#include "runner/schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runner/diag.h"
#include "runner/toml.h"

static const char *const type_names[] = {
	[TOML_NODE_TABLE] = "a table",	 [TOML_NODE_ARRAY] = "an array",
	[TOML_NODE_STRING] = "a string", [TOML_NODE_INT] = "an integer",
	[TOML_NODE_FLOAT] = "a float",	 [TOML_NODE_BOOL] = "a boolean",
	[TOML_NODE_TIME] = "a date or time",
};

static const char *const unit_nouns[] = {
	[UNIT_SIZE] = "a size",
	[UNIT_TIME] = "a time",
	[UNIT_BPS] = "a rate of bytes per second",
	[UNIT_PER_S] = "a rate per second",
};

const struct toml_node *schema_table_get(const struct toml_node *table,
					 const char *key)
{
	size_t i;

	for (i = 0; table && i < table->nr; i++)
		if (table->child[i]->key && !strcmp(table->child[i]->key, key))
			return table->child[i];
	return NULL;
}

static const char *label(const struct toml_node *value)
{
	return value->key ? value->key : "an element";
}

void schema_wrong_type(struct diag *d, const struct toml_node *value,
		       const char *wanted)
{
	diag_value(d, value, "%s must be %s, not %s", label(value), wanted,
		   type_names[value->type]);
}

static bool is_type(struct diag *d, const struct toml_node *value,
		    enum toml_type type)
{
	if (value->type == type)
		return true;
	schema_wrong_type(d, value, type_names[type]);
	return false;
}

static void unit_error(struct diag *d, const struct toml_node *value,
		       enum unit_kind unit, enum unit_status status)
{
	const char *meant = unit_suggest(unit, value->string);

	switch (status) {
	case UNIT_RANGE:
		diag_value(d, value, "%s = \"%s\" is too large", label(value),
			   value->string);
		return;
	case UNIT_FRACTION:
		diag_value(d, value,
			   "%s = \"%s\" is not a whole number of base units",
			   label(value), value->string);
		break;
	case UNIT_MISSING:
		diag_value(d, value, "%s = \"%s\" has no unit", label(value),
			   value->string);
		break;
	case UNIT_UNKNOWN:
		diag_value(d, value, "%s = \"%s\" does not end in a unit of %s",
			   label(value), value->string, unit_nouns[unit] + 2);
		break;
	default:
		diag_value(d, value, "%s = \"%s\" is not %s", label(value),
			   value->string, unit_nouns[unit]);
		break;
	}
	if (meant)
		diag_hint(d, "did you mean %s?", meant);
	else
		diag_hint(d, "write %s", unit_examples(unit));
}

bool schema_unit(struct diag *d, const struct toml_node *value,
		 enum unit_kind unit, uint64_t *result)
{
	enum unit_status status;

	if (value->type == TOML_NODE_INT) {
		if (value->integer < 0) {
			diag_value(d, value, "%s must not be negative",
				   label(value));
			return false;
		}
		*result = value->integer;
		return true;
	}
	if (value->type != TOML_NODE_STRING) {
		schema_wrong_type(d, value, unit_nouns[unit]);
		diag_hint(d, "write %s", unit_examples(unit));
		return false;
	}
	status = unit_parse(unit, value->string, result);
	if (status != UNIT_OK)
		unit_error(d, value, unit, status);
	return status == UNIT_OK;
}

bool schema_ratio(struct diag *d, const struct toml_node *value, double *ratio)
{
	char *end;
	double number;

	switch (value->type) {
	case TOML_NODE_INT:
		number = value->integer;
		break;
	case TOML_NODE_FLOAT:
		number = value->real;
		break;
	case TOML_NODE_STRING:
		number = strtod(value->string, &end) / 100;
		if (end > value->string && !strcmp(end, "%"))
			break;
		diag_value(d, value, "%s = \"%s\" is not a ratio",
			   label(value), value->string);
		diag_hint(d, "write \"5%%\" or 0.05");
		return false;
	default:
		schema_wrong_type(d, value, "a ratio");
		diag_hint(d, "write \"5%%\" or 0.05");
		return false;
	}
	/* also refuses NaN */
	if (!(number >= 0 && number <= 1e12)) {
		diag_value(d, value, "%s must not be negative or infinite",
			   label(value));
		return false;
	}
	*ratio = number;
	return true;
}

static void parse_name(struct diag *d, const struct toml_node *value,
		       const struct field *f, const char **name)
{
	size_t len, good;

	if (!is_type(d, value, TOML_NODE_STRING))
		return;
	len = strlen(value->string);
	good = strspn(value->string, "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
	if (!len || len != good || value->string[0] == '-') {
		diag_value(d, value, "%s = \"%s\" is not a name", label(value),
			   value->string);
		diag_hint(d, "use letters, digits, '-' and '_'");
		return;
	}
	if (f->max && len > f->max) {
		diag_value(d, value, "%s is longer than %" PRIu64 " characters",
			   label(value), f->max);
		return;
	}
	*name = value->string;
}

static void parse_word(struct diag *d, const struct toml_node *value,
		       const struct field *f, unsigned int *index)
{
	struct suggest s;
	unsigned int i;
	char list[256];
	size_t used = 0;

	if (!is_type(d, value, TOML_NODE_STRING))
		return;
	suggest_init(&s, value->string);
	for (i = 0; f->words[i]; i++) {
		if (!strcmp(f->words[i], value->string)) {
			*index = i;
			return;
		}
		suggest_offer(&s, f->words[i]);
		if (used < sizeof(list))
			used += snprintf(list + used, sizeof(list) - used,
					 "%s%s", i ? ", " : "", f->words[i]);
	}
	diag_value(d, value, "%s = \"%s\" is not one of %s", label(value),
		   value->string, list);
	suggest_hint(&s, d);
}

static void parse_uint(struct diag *d, const struct toml_node *value,
		       const struct field *f, uint64_t *number)
{
	uint64_t v;

	if (!is_type(d, value, TOML_NODE_INT))
		return;
	v = value->integer;
	if (value->integer < 0 || v < f->min || (f->max && v > f->max)) {
		if (f->max)
			diag_value(d, value,
				   "%s must be between %" PRIu64 " and %" PRIu64
				   ", not %" PRId64,
				   label(value), f->min, f->max,
				   value->integer);
		else
			diag_value(d, value,
				   "%s must be at least %" PRIu64
				   ", not %" PRId64,
				   label(value), f->min, value->integer);
		return;
	}
	*number = v;
}

static void parse_int(struct diag *d, const struct toml_node *value,
		      const struct field *f, int64_t *number)
{
	if (!is_type(d, value, TOML_NODE_INT))
		return;
	if (value->integer < (int64_t)f->min ||
	    value->integer > (int64_t)f->max) {
		diag_value(d, value,
			   "%s must be between %" PRId64 " and %" PRId64
			   ", not %" PRId64,
			   label(value), (int64_t)f->min, (int64_t)f->max,
			   value->integer);
		return;
	}
	*number = value->integer;
}

static void parse_unit(struct diag *d, const struct toml_node *value,
		       const struct field *f, uint64_t *number)
{
	char low[UNIT_TEXT_LEN], high[UNIT_TEXT_LEN], is[UNIT_TEXT_LEN];
	uint64_t v;

	if (!schema_unit(d, value, f->unit, &v))
		return;
	if (v >= f->min && (!f->max || v <= f->max)) {
		*number = v;
		return;
	}
	unit_format(f->unit, f->min, low);
	unit_format(f->unit, f->max, high);
	unit_format(f->unit, v, is);
	if (f->max)
		diag_value(d, value, "%s must be between %s and %s, not %s",
			   label(value), low, high, is);
	else
		diag_value(d, value, "%s must be at least %s, not %s",
			   label(value), low, is);
}

static void parse_ratio(struct diag *d, const struct toml_node *value,
			const struct field *f, double *ratio)
{
	double v;

	if (!schema_ratio(d, value, &v))
		return;
	if (f->max && v * 100 > f->max)
		diag_value(d, value, "%s must be at most %" PRIu64 "%%",
			   label(value), f->max);
	else
		*ratio = v;
}

static void parse_strings(struct diag *d, const struct toml_node *value,
			  struct string_list *list)
{
	size_t i;

	if (!is_type(d, value, TOML_NODE_ARRAY))
		return;
	if (value->nr > STRING_LIST_MAX) {
		diag_value(d, value, "%s has more than %d elements",
			   label(value), STRING_LIST_MAX);
		return;
	}
	list->nr = 0;
	for (i = 0; i < value->nr; i++)
		if (is_type(d, value->child[i], TOML_NODE_STRING))
			list->item[list->nr++] = value->child[i]->string;
}

static void parse_tables(struct diag *d, const struct toml_node *value,
			 const struct field *f, char *obj)
{
	unsigned int *nr = (unsigned int *)(obj + f->nr_offset);
	size_t i;

	if (value->type != TOML_NODE_ARRAY) {
		schema_wrong_type(d, value, "an array of tables");
		if (value->type == TOML_NODE_TABLE)
			diag_hint(d, "write [[%s]]", value->key);
		return;
	}
	for (i = 0; i < value->nr; i++) {
		if (!is_type(d, value->child[i], TOML_NODE_TABLE))
			continue;
		if (*nr == f->table->max) {
			diag_value(d, value->child[i],
				   "more than %u %s are not supported",
				   f->table->max, f->table->what);
			return;
		}
		schema_parse(d, f->table, value->child[i],
			     obj + f->offset + *nr * f->table->size);
		++*nr;
	}
}

static void parse_field(struct diag *d, const struct toml_node *value,
			const struct field *f, char *obj)
{
	void *member = obj + f->offset;

	switch (f->type) {
	case FIELD_STRING:
		if (is_type(d, value, TOML_NODE_STRING))
			*(const char **)member = value->string;
		break;
	case FIELD_NAME:
		parse_name(d, value, f, member);
		break;
	case FIELD_BOOL:
		if (is_type(d, value, TOML_NODE_BOOL))
			*(bool *)member = value->boolean;
		break;
	case FIELD_UINT:
		parse_uint(d, value, f, member);
		break;
	case FIELD_INT:
		parse_int(d, value, f, member);
		break;
	case FIELD_UNIT:
		parse_unit(d, value, f, member);
		break;
	case FIELD_RATIO:
		parse_ratio(d, value, f, member);
		break;
	case FIELD_WORD:
		parse_word(d, value, f, member);
		break;
	case FIELD_STRINGS:
		parse_strings(d, value, member);
		break;
	case FIELD_NODE:
		*(const struct toml_node **)member = value;
		break;
	case FIELD_TABLE:
		if (is_type(d, value, TOML_NODE_TABLE))
			schema_parse(d, f->table, value, member);
		break;
	case FIELD_TABLES:
		parse_tables(d, value, f, obj);
		break;
	case FIELD_CUSTOM:
		f->parse(d, value, f, member);
		break;
	case FIELD_LATER:
		diag_key(d, value, "%s is not supported yet", f->key);
		if (f->later)
			diag_hint(d, "%s", f->later);
		break;
	}
}

static const struct field *field_find(const struct table_spec *spec,
				      const char *key)
{
	const struct field *f;

	for (f = spec->fields; f->key; f++)
		if (!strcmp(f->key, key))
			return f;
	return NULL;
}

static void unknown_key(struct diag *d, const struct table_spec *spec,
			const struct toml_node *value)
{
	const struct field *f;
	struct suggest s;
	char list[512];
	size_t used = 0;

	suggest_init(&s, value->key);
	for (f = spec->fields; f->key; f++) {
		suggest_offer(&s, f->key);
		if (f->type != FIELD_LATER && used < sizeof(list))
			used += snprintf(list + used, sizeof(list) - used,
					 "%s%s", used ? ", " : "", f->key);
	}
	diag_key(d, value, "unknown key \"%s\" in %s", value->key, spec->what);
	if (!suggest_hint(&s, d) && used)
		diag_hint(d, "the keys here are %s", list);
}

void schema_parse(struct diag *d, const struct table_spec *spec,
		  const struct toml_node *node, void *obj)
{
	struct table_base *base = obj;
	const struct field *f;
	size_t i;

	if (spec->defaults)
		memcpy(obj, spec->defaults, spec->size);
	else
		memset(obj, 0, spec->size);
	for (f = spec->fields; f->key; f++)
		if (f->type == FIELD_TABLE)
			schema_parse(d, f->table, NULL,
				     (char *)obj + f->offset);
	base->node = node;
	if (!node)
		return;

	for (i = 0; i < node->nr; i++) {
		f = field_find(spec, node->child[i]->key);
		if (f)
			parse_field(d, node->child[i], f, obj);
		else
			unknown_key(d, spec, node->child[i]);
	}
	for (f = spec->fields; f->key; f++)
		if (f->required && !schema_table_get(node, f->key))
			diag_value(d, node, "%s needs a %s", spec->what,
				   f->key);
}
