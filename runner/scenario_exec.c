// SPDX-License-Identifier: GPL-2.0-only
/* Programs that a scenario names: are they there, and what is read of them? */
#include "runner/scenario.h"

#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "runner/diag.h"
#include "runner/exec_pack.h"
#include "runner/toml.h"

static const struct toml_node *get(const struct table_base *base,
				   const char *key)
{
	return schema_table_get(base->node, key);
}

/* A path of the file starts where the file lies; a name is looked for. */
static int find(const struct scenario *s, const char *command, char *path,
		size_t len)
{
	char below[PATH_MAX];

	if (*command == '/' || !strchr(command, '/'))
		return exec_pack_find(command, path, len);
	if (snprintf(below, sizeof(below), "%s/%s", s->dir, command) >=
	    (int)sizeof(below))
		return -ENAMETOOLONG;
	return exec_pack_find(below, path, len);
}

static void not_found(struct diag *d, const struct toml_node *at, int err)
{
	if (err != -ENOENT) {
		diag_value(d, at, "program \"%s\": %s", at->string,
			   strerror(-err));
		return;
	}
	diag_value(d, at, "there is no program \"%s\" on this machine",
		   at->string);
	if (strchr(at->string, '/'))
		diag_hint(d, "a relative path starts in the scenario's folder");
	else
		diag_hint(d, "install it, or write its path; `tools/setup --stage sources` fetches those of rt-tests");
}

/* The element becomes the program's path. */
static void resolve(struct scenario *s, struct diag *d, struct toml_node *node,
		    const char **item)
{
	char path[PATH_MAX], *copy;
	int err = find(s, node->string, path, sizeof(path));

	if (err) {
		not_found(d, node, err);
		return;
	}
	copy = strdup(path);
	if (!copy) {
		d->no_memory = true;
		return;
	}
	free(node->string);
	node->string = copy;
	*item = copy;
}

/* All elements were strings, else it is reported already. */
static bool is_whole(const struct toml_node *node,
		     const struct string_list *list)
{
	return node->type == TOML_NODE_ARRAY && node->nr == list->nr;
}

static void check_argv(struct scenario *s, struct diag *d,
		       const struct toml_node *node, struct string_list *argv)
{
	if (!node || !is_whole(node, argv))
		return;
	if (!argv->nr) {
		diag_value(d, node, "exec needs a program");
		diag_hint(d, "write exec = [\"PROGRAM\", \"ARGUMENT\"]");
		return;
	}
	resolve(s, d, node->child[0], &argv->item[0]);
}

static void check_add(struct scenario *s, struct diag *d,
		      const struct toml_node *node, struct string_list *add)
{
	unsigned int i;

	if (!node || !is_whole(node, add))
		return;
	for (i = 0; i < add->nr; i++)
		resolve(s, d, node->child[i], &add->item[i]);
}

static void check_pattern(struct diag *d, const struct toml_node *node)
{
	char why[128];
	regex_t re;
	int err;

	if (node->type != TOML_NODE_STRING) {
		schema_wrong_type(d, node, "a regular expression");
		return;
	}
	if (strpbrk(node->key, ".[]"))
		diag_key(d, node, "a name of match has no '.', '[' or ']'");
	err = regcomp(&re, node->string, REG_EXTENDED);
	if (err) {
		regerror(err, &re, why, sizeof(why));
		diag_value(d, node, "not a regular expression: %s", why);
		return;
	}
	if (!re.re_nsub) {
		diag_value(d, node, "%s: nothing in it is the number",
			   node->key);
		diag_hint(d, "put parentheses around the number: 'Time: ([0-9.]+)'");
	}
	regfree(&re);
}

static void check_match(struct diag *d, const struct toml_node *match)
{
	size_t i;

	if (!match)
		return;
	if (match->type != TOML_NODE_TABLE) {
		schema_wrong_type(d, match, "a table");
		diag_hint(d, "write match = { time = 'Time: ([0-9.]+)' }");
		return;
	}
	for (i = 0; i < match->nr; i++)
		check_pattern(d, match->child[i]);
}

static void only_of_exec(struct diag *d, const struct scn_workload *w)
{
	static const char *const keys[] = { "exec", "add", "json", "match",
					    "repeat" };
	const struct toml_node *node;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		node = get(&w->base, keys[i]);
		if (!node)
			continue;
		diag_key(d, node, "%s is of kind \"exec\" only", keys[i]);
		if (!i)
			diag_hint(d, "write kind = \"exec\"");
	}
}

static void check_workload(struct scenario *s, struct diag *d,
			   struct scn_workload *w)
{
	struct scn_program *p = &w->program;

	if (!w->kind_name || strcmp(w->kind_name, "exec")) {
		only_of_exec(d, w);
		return;
	}
	if (!get(&w->base, "exec")) {
		diag_value(d, w->base.node, "kind \"exec\" needs a program");
		diag_hint(d, "add exec = [\"PROGRAM\", \"ARGUMENT\"]");
	}
	check_argv(s, d, get(&w->base, "exec"), &p->argv);
	check_add(s, d, get(&w->base, "add"), &p->add);
	check_match(d, p->match);
	if (p->json && !*p->json)
		diag_value(d, get(&w->base, "json"), "json names a file");
}

static void check_scheduler(struct scenario *s, struct diag *d,
			    struct scn_scheduler *sched)
{
	const struct toml_node *add = get(&sched->base, "add");

	check_argv(s, d, get(&sched->base, "exec"), &sched->exec);
	if (add && !get(&sched->base, "exec"))
		diag_key(d, add, "add is of exec: programs that it starts");
	else
		check_add(s, d, add, &sched->add);
}

void scenario_check_exec(struct scenario *s, struct diag *d)
{
	unsigned int i;

	check_scheduler(s, d, &s->scheduler);
	for (i = 0; i < s->nr_workloads; i++)
		check_workload(s, d, &s->workloads[i]);
}
