// SPDX-License-Identifier: GPL-2.0-only
#include "agent/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/plan.h"

static const struct load_kind *const kinds[] = {
	&load_kind_spin,
	&load_kind_yield,
	&load_kind_mixed,
	&load_kind_bursty,
	&load_kind_periodic,
	&load_kind_pipe,
	&load_kind_futex_ping_pong,
	&load_kind_io_rand_read,
	&load_kind_io_seq_write,
	&load_kind_io_sync_write,
	&load_kind_exec,
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const struct load_kind *load_kind_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	return NULL;
}

static bool param_known(const struct load_kind *kind, const char *key)
{
	const struct load_param *p;

	for (p = kind->params; p->key; p++)
		if (!strcmp(p->key, key))
			return true;
	return false;
}

int load_params(const struct load_kind *kind, const struct plan_workload *w,
		uint64_t *param, char *err_msg, size_t err_len)
{
	const struct load_param *p;
	const char *key;
	json_t *value;
	int err;

	json_object_foreach(w->params, key, value) {
		if (param_known(kind, key))
			continue;
		snprintf(err_msg, err_len, "kind %s has no parameter %s",
			 kind->name, key);
		return -EINVAL;
	}
	for (p = kind->params; p->key; p++, param++) {
		*param = p->def;
		err = plan_param_u64(w, p->key, param);
		if (err && err != -ENOENT) {
			snprintf(err_msg, err_len, "%s is not a number >= 0",
				 p->key);
			return -EINVAL;
		}
		if (*param < p->min || *param > p->max) {
			snprintf(err_msg, err_len,
				 "%s is %" PRIu64 ", not %" PRIu64 " to %"
				 PRIu64, p->key, *param, p->min, p->max);
			return -EINVAL;
		}
	}
	return 0;
}
