// SPDX-License-Identifier: GPL-2.0-only
#include "runner/kinds.h"

#include <inttypes.h>
#include <string.h>

#include "runner/diag.h"
#include "runner/schema.h"
#include "runner/toml.h"

/* Of the vocabulary, but the agent has no such worker yet. */
static const char *const later_kinds[] = {
	"futex_fan_out", "fan_out_compute", "schbench", "wake_chain",
	"producer_consumer", "thundering_herd", "epoll_storm", "signal_storm",
	"cache_pressure", "cache_yield", "cache_pipe", "sequence", "fork_exit",
	"nice_sweep", "affinity_churn", "policy_churn", "cgroup_churn",
	"page_fault_churn", "mutex_contention", "priority_inversion",
	"rt_hog", "smt_pair", "numa_sweep", "io_mixed", "io_convoy",
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

int load_param_unit(const struct load_param *p)
{
	static const int units[] = {
		[LOAD_UNIT_NONE] = -1,
		[LOAD_UNIT_TIME] = UNIT_TIME,
		[LOAD_UNIT_SIZE] = UNIT_SIZE,
	};

	return units[p->unit];
}

static void hint_kinds(struct diag *d)
{
	char list[256];
	size_t i, used = 0;

	for (i = 0; i < LOAD_NR && used < sizeof(list); i++)
		used += snprintf(list + used, sizeof(list) - used, "%s%s",
				 i ? ", " : "", load_specs[i].name);
	diag_hint(d, "the kinds are %s", list);
}

void load_kind_unknown(struct diag *d, const struct toml_node *value)
{
	struct suggest s;
	size_t i;

	suggest_init(&s, value->string);
	for (i = 0; i < LOAD_NR; i++)
		suggest_offer(&s, load_specs[i].name);
	for (i = 0; i < ARRAY_SIZE(later_kinds); i++) {
		if (!strcmp(later_kinds[i], value->string)) {
			diag_value(d, value,
				   "workload kind \"%s\" is not supported yet",
				   value->string);
			hint_kinds(d);
			return;
		}
		suggest_offer(&s, later_kinds[i]);
	}
	diag_value(d, value, "unknown workload kind \"%s\"", value->string);
	if (!suggest_hint(&s, d))
		hint_kinds(d);
}

static void param_out_of_range(struct diag *d, const struct toml_node *value,
			       const struct load_param *p)
{
	char low[UNIT_TEXT_LEN], high[UNIT_TEXT_LEN];

	if (p->unit)
		diag_value(d, value, "%s must be between %s and %s", p->key,
			   unit_format(load_param_unit(p), p->min, low),
			   unit_format(load_param_unit(p), p->max, high));
	else if (p->min == p->max)
		diag_value(d, value,
			   "%s other than %" PRIu64 " is not supported yet",
			   p->key, p->min);
	else
		diag_value(d, value,
			   "%s must be between %" PRIu64 " and %" PRIu64,
			   p->key, p->min, p->max);
}

static void param_parse(struct diag *d, const struct toml_node *value,
			const struct load_param *p, uint64_t *param)
{
	uint64_t v;

	if (p->unit) {
		if (!schema_unit(d, value, load_param_unit(p), &v))
			return;
	} else if (value->type != TOML_NODE_INT) {
		schema_wrong_type(d, value, "an integer");
		return;
	} else {
		v = value->integer; /* a negative one is out of any range */
	}

	if (v < p->min || v > p->max)
		param_out_of_range(d, value, p);
	else if (p->multiple_of && v % p->multiple_of)
		diag_value(d, value, "%s must be a multiple of %" PRIu64,
			   p->key, p->multiple_of);
	else
		*param = v;
}

static const struct load_param *param_find(const struct load_spec *kind,
					   const char *key, size_t *index)
{
	for (*index = 0; *index < LOAD_MAX_PARAMS; ++*index)
		if (kind->params[*index].key &&
		    !strcmp(kind->params[*index].key, key))
			return &kind->params[*index];
	return NULL;
}

static void param_unknown(struct diag *d, const struct load_spec *kind,
			  const struct toml_node *value)
{
	struct suggest s;
	char list[128];
	size_t i, used = 0;

	diag_key(d, value, "%s has no parameter \"%s\"", kind->name,
		 value->key);
	suggest_init(&s, value->key);
	for (i = 0; i < LOAD_MAX_PARAMS && kind->params[i].key; i++) {
		suggest_offer(&s, kind->params[i].key);
		used += snprintf(list + used, sizeof(list) - used, "%s%s",
				 i ? ", " : "", kind->params[i].key);
	}
	if (suggest_hint(&s, d))
		return;
	if (i)
		diag_hint(d, "its parameters are %s", list);
	else
		diag_hint(d, "%s takes none", kind->name);
}

void load_params_parse(struct diag *d, const struct load_spec *kind,
		       const struct toml_node *node, uint64_t *params)
{
	const struct load_param *p;
	size_t i, index;

	for (i = 0; i < LOAD_MAX_PARAMS; i++)
		params[i] = kind->params[i].initial;
	if (!node)
		return;
	if (node->type != TOML_NODE_TABLE) {
		schema_wrong_type(d, node, "a table");
		return;
	}
	for (i = 0; i < node->nr; i++) {
		p = param_find(kind, node->child[i]->key, &index);
		if (p)
			param_parse(d, node->child[i], p, &params[index]);
		else
			param_unknown(d, kind, node->child[i]);
	}
}
