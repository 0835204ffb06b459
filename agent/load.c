// SPDX-License-Identifier: GPL-2.0-only
#include "agent/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/plan.h"

static const struct load_kind *const kinds[LOAD_NR] = {
	[LOAD_SPIN] = &load_kind_spin,
	[LOAD_YIELD] = &load_kind_yield,
	[LOAD_MIXED] = &load_kind_mixed,
	[LOAD_BURSTY] = &load_kind_bursty,
	[LOAD_PERIODIC] = &load_kind_periodic,
	[LOAD_PIPE] = &load_kind_pipe,
	[LOAD_FUTEX_PING_PONG] = &load_kind_futex_ping_pong,
	[LOAD_IO_RAND_READ] = &load_kind_io_rand_read,
	[LOAD_IO_SEQ_WRITE] = &load_kind_io_seq_write,
	[LOAD_IO_SYNC_WRITE] = &load_kind_io_sync_write,
	[LOAD_EXEC] = &load_kind_exec,
};

const struct load_kind *load_kind_find(const char *name)
{
	const struct load_spec *spec = load_spec_find(name);

	return spec ? kinds[spec - load_specs] : NULL;
}

static bool param_known(const struct load_spec *spec, const char *key)
{
	const struct load_param *p;

	for (p = spec->params; p->key; p++)
		if (!strcmp(p->plan_key, key))
			return true;
	return false;
}

static int param_check(const struct load_param *p, uint64_t value,
		       char *err_msg, size_t err_len)
{
	if (value < p->min || value > p->max) {
		snprintf(err_msg, err_len, "%s is %" PRIu64 ", not %" PRIu64
			 " to %" PRIu64, p->plan_key, value, p->min, p->max);
		return -EINVAL;
	}
	if (p->multiple_of && value % p->multiple_of) {
		snprintf(err_msg, err_len, "%s is %" PRIu64
			 ", not a multiple of %" PRIu64, p->plan_key, value,
			 p->multiple_of);
		return -EINVAL;
	}
	return 0;
}

int load_params(const struct load_kind *kind, const struct plan_workload *w,
		uint64_t *param, char *err_msg, size_t err_len)
{
	const struct load_param *p;
	const char *key;
	json_t *value;
	int err;

	json_object_foreach(w->params, key, value) {
		if (param_known(kind->spec, key))
			continue;
		snprintf(err_msg, err_len, "kind %s has no parameter %s",
			 kind->spec->name, key);
		return -EINVAL;
	}
	for (p = kind->spec->params; p->key; p++, param++) {
		*param = p->initial;
		err = plan_param_u64(w, p->plan_key, param);
		if (err && err != -ENOENT) {
			snprintf(err_msg, err_len, "%s is not a number >= 0",
				 p->plan_key);
			return -EINVAL;
		}
		err = param_check(p, *param, err_msg, err_len);
		if (err)
			return err;
	}
	return 0;
}
