// SPDX-License-Identifier: GPL-2.0-only
/* The observers of [telemetry], and the checks that need one. */
#include "runner/scenario.h"

#include <string.h>

#include "lib/observe.h"
#include "runner/diag.h"
#include "runner/kinds.h"
#include "runner/toml.h"

static const struct toml_node *observers_node(const struct scenario *s)
{
	return schema_table_get(s->telemetry.base.node, "observers");
}

static void unknown(struct diag *d, const struct toml_node *at)
{
	struct suggest near;
	unsigned int i;

	diag_value(d, at, "there is no observer \"%s\"", at->string);
	suggest_init(&near, at->string);
	for (i = 0; i < OBS_NR; i++)
		suggest_offer(&near, obs_name(i));
	if (!suggest_hint(&near, d))
		diag_hint(d, "docs/scenario.md lists the observers");
}

void scenario_check_observers(const struct scenario *s, struct diag *d)
{
	const struct string_list *list = &s->telemetry.observers;
	const struct toml_node *node = observers_node(s);
	unsigned int i, j;

	/* an element that is no string is reported already */
	if (!node || node->type != TOML_NODE_ARRAY || node->nr != list->nr)
		return;
	for (i = 0; i < list->nr; i++) {
		if (obs_find(list->item[i]) == OBS_NR)
			unknown(d, node->child[i]);
		for (j = 0; j < i; j++)
			if (!strcmp(list->item[i], list->item[j]))
				break;
		if (j < i)
			diag_value(d, node->child[i],
				   "observer \"%s\" is named twice",
				   list->item[i]);
	}
}

static bool is_asked_for(const struct scenario *s, const char *observer)
{
	unsigned int i;

	for (i = 0; i < s->telemetry.observers.nr; i++)
		if (!strcmp(s->telemetry.observers.item[i], observer))
			return true;
	return false;
}

void scenario_check_observed(const struct scenario *s, struct diag *d,
			     const struct scn_check *c)
{
	const char *observer = metric_observer(c->metric.def);

	if (!observer || is_asked_for(s, observer))
		return;
	diag_value(d, schema_table_get(c->base.node, "metric"),
		   "\"%s\" needs the observer %s", c->metric_name, observer);
	diag_hint(d, "add \"%s\" to observers of [telemetry]", observer);
}
