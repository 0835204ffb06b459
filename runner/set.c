// SPDX-License-Identifier: GPL-2.0-only
#include "runner/set.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/diag.h"
#include "runner/schema.h"
#include "runner/toml.h"

#define MAX_KEY 128

/* One --set on its way into the tree. */
struct setting {
	struct diag *d;
	char *origin;		/* owned: "--set a.b=c" */
	const char *path;	/* what is left of the key */
};

static bool mark(struct toml_node *node, const char *origin)
{
	size_t i;

	free(node->origin);
	node->origin = strdup(origin);
	node->line = node->column = 0;
	node->key_line = node->key_column = 0;
	for (i = 0; i < node->nr; i++)
		if (!mark(node->child[i], origin))
			return false;
	return node->origin;
}

/* A node of its own, with key and origin; NULL out of memory. */
static struct toml_node *node_new(enum toml_type type, const char *key,
				  const char *origin)
{
	struct toml_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->type = type;
	node->key = strdup(key);
	node->origin = strdup(origin);
	if (node->key && node->origin)
		return node;
	toml_free(node);
	return NULL;
}

/* Takes @child, whether it can be kept or not. */
static bool table_put(struct toml_node *table, struct toml_node *child)
{
	struct toml_node **more;
	size_t i;

	if (!child)
		return false;
	for (i = 0; i < table->nr; i++) {
		if (strcmp(table->child[i]->key, child->key))
			continue;
		toml_free(table->child[i]);
		table->child[i] = child;
		return true;
	}
	more = reallocarray(table->child, table->nr + 1, sizeof(*more));
	if (!more) {
		toml_free(child);
		return false;
	}
	table->child = more;
	table->child[table->nr++] = child;
	return true;
}

static void table_drop(struct toml_node *table, const char *key)
{
	size_t i;

	for (i = 0; i < table->nr; i++) {
		if (strcmp(table->child[i]->key, key))
			continue;
		toml_free(table->child[i]);
		memmove(&table->child[i], &table->child[i + 1],
			(table->nr - i - 1) * sizeof(table->child[0]));
		table->nr--;
		return;
	}
}

static struct toml_node *table_find(struct toml_node *table, const char *key)
{
	return (struct toml_node *)schema_table_get(table, key);
}

/*
 * The next segment of the path, quoted or bare, into @key. Return: 1, 0 at
 * the end, -1 when it is not a key.
 */
static int next_key(struct setting *s, char key[MAX_KEY])
{
	const char *p = s->path;
	const char *end;
	size_t len;

	if (!*p)
		return 0;
	if (*p == '"') {
		end = strchr(++p, '"');
		if (!end)
			return -1;
		len = end++ - p;
	} else {
		end = p + strcspn(p, ".");
		len = end - p;
	}
	if (!len || len >= MAX_KEY || (*end && *end != '.') ||
	    (*end && !end[1]))
		return -1;
	memcpy(key, p, len);
	key[len] = '\0';
	s->path = *end ? end + 1 : end;
	return 1;
}

/* The element of an array of tables with that name, or that index. */
static struct toml_node *element(struct setting *s, struct toml_node *array,
				 const char *key)
{
	const struct toml_node *name;
	struct suggest near;
	unsigned long index;
	char *end;
	size_t i;

	suggest_init(&near, key);
	for (i = 0; i < array->nr; i++) {
		name = schema_table_get(array->child[i], "name");
		if (!name || name->type != TOML_NODE_STRING)
			continue;
		if (!strcmp(name->string, key))
			return array->child[i];
		suggest_offer(&near, name->string);
	}
	index = strtoul(key, &end, 10);
	if (!*end && index < array->nr)
		return array->child[index];
	diag_text(s->d, s->origin, "there is no %s \"%s\"", array->key, key);
	suggest_hint(&near, s->d);
	return NULL;
}

/* The value as TOML, or as the string that it is when it is no TOML. */
static struct toml_node *value_new(const char *key, const char *text,
				   const char *origin)
{
	struct toml_node *root = NULL, *value = NULL;
	struct toml_error error;
	char *doc;
	int len = asprintf(&doc, "value = %s\n", text);

	if (len < 0)
		return NULL;
	if (!toml_parse(doc, len, &root, &error) && root->nr == 1) {
		value = root->child[0];
		root->nr = 0;
		free(value->key);
		value->key = strdup(key);
		if (!value->key || !mark(value, origin)) {
			toml_free(value);
			value = NULL;
		}
	} else {
		value = node_new(TOML_NODE_STRING, key, origin);
		if (value && !(value->string = strdup(text))) {
			toml_free(value);
			value = NULL;
		}
	}
	toml_free(root);
	free(doc);
	return value;
}

/* Down by one key that is not the last. */
static struct toml_node *descend(struct setting *s, struct toml_node *at,
				 const char *key)
{
	struct toml_node *child;

	if (at->type == TOML_NODE_ARRAY)
		return element(s, at, key);
	if (at->type != TOML_NODE_TABLE) {
		diag_text(s->d, s->origin, "%s is not a table", at->key);
		return NULL;
	}
	child = table_find(at, key);
	if (child)
		return child;
	child = node_new(TOML_NODE_TABLE, key, s->origin);
	if (!child || !table_put(at, child)) {
		s->d->no_memory = true;
		return NULL;
	}
	return child;
}

static void apply(struct setting *s, struct toml_node *root,
		  const char *value)
{
	char key[MAX_KEY], last[MAX_KEY] = "";
	struct toml_node *at = root;
	int more;

	more = next_key(s, last);
	while (more > 0 && (more = next_key(s, key)) > 0) {
		at = descend(s, at, last);
		if (!at)
			return;
		strcpy(last, key);
	}
	if (more < 0 || !*last) {
		diag_text(s->d, s->origin, "the part before '=' is not a key");
		diag_hint(s->d, "write --set vm.memory=1G, or --set disk.NAME.throttle.iops=50");
		return;
	}
	if (at->type == TOML_NODE_ARRAY) {
		diag_text(s->d, s->origin,
			  "a whole element of %s can't be set", at->key);
		diag_hint(s->d, "name one of its keys: --set %s.%s.KEY=VALUE",
			  at->key, last);
		return;
	}
	if (at->type != TOML_NODE_TABLE) {
		diag_text(s->d, s->origin, "%s is not a table", at->key);
		return;
	}
	if (!table_put(at, value_new(last, value, s->origin)))
		s->d->no_memory = true;
}

void set_apply(struct diag *d, struct toml_node *root, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	struct setting s = { .d = d };
	char *path = NULL;

	if (asprintf(&s.origin, "--set %s", assignment) < 0) {
		d->no_memory = true;
		return;
	}
	if (!equals || equals == assignment) {
		diag_text(d, s.origin, "this is not KEY=VALUE");
		diag_hint(d, "write --set vm.memory=1G, or --set disk.NAME.throttle.iops=50");
		goto out;
	}
	path = strndup(assignment, equals - assignment);
	if (!path) {
		d->no_memory = true;
		goto out;
	}
	s.path = path;
	apply(&s, root, equals + 1);
out:
	free(path);
	free(s.origin);
}

static bool ends_with(const char *text, const char *end)
{
	size_t a = strlen(text), b = strlen(end);

	return a >= b && !strcmp(text + a - b, end);
}

/* Which key of [scheduler] holds @name, and the value for it. */
static const char *scheduler_key(const char *name)
{
	if (ends_with(name, ".c"))
		return "source";
	if (strchr(name, '/') || ends_with(name, ".o"))
		return "object";
	return "builtin";
}

void set_scheduler(struct diag *d, struct toml_node *root, const char *name)
{
	const char *key = scheduler_key(name);
	struct toml_node *table, *value;
	char path[PATH_MAX];
	char *origin;

	if (!strcmp(name, "none")) {
		table_drop(root, "scheduler");
		return;
	}
	if (asprintf(&origin, "--scheduler %s", name) < 0) {
		d->no_memory = true;
		return;
	}
	if (!strcmp(key, "builtin")) {
		snprintf(path, sizeof(path), "%s", name);
	} else if (!realpath(name, path)) {
		diag_text(d, origin, "%s", strerror(errno));
		goto out;
	}

	table = table_find(root, "scheduler");
	if (!table || table->type != TOML_NODE_TABLE) {
		table = node_new(TOML_NODE_TABLE, "scheduler", origin);
		if (!table_put(root, table)) {
			d->no_memory = true;
			goto out;
		}
	}
	table_drop(table, "builtin");
	table_drop(table, "object");
	table_drop(table, "source");
	table_drop(table, "exec");
	table_drop(table, "add");
	table_drop(table, "set");
	value = node_new(TOML_NODE_STRING, key, origin);
	if (value && !(value->string = strdup(path))) {
		toml_free(value);
		value = NULL;
	}
	if (!table_put(table, value))
		d->no_memory = true;
out:
	free(origin);
}
