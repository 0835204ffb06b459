// SPDX-License-Identifier: GPL-2.0-only
#include "lib/observe.h"

#include <string.h>

static uint64_t per_workload_phase(const struct obs_dims *d)
{
	return (uint64_t)d->workloads * d->phases;
}

static const struct obs_def {
	const char *name;
	unsigned int item_bytes;
	uint64_t (*items)(const struct obs_dims *dims);
} defs[] = {
	[OBS_WAKE_LATENCY] = { "wake_latency", sizeof(struct ktstr_obs_wake),
			       per_workload_phase },
};

_Static_assert(sizeof(defs) / sizeof(defs[0]) == OBS_NR, "obs_id");

const char *obs_name(enum obs_id id)
{
	return defs[id].name;
}

enum obs_id obs_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < OBS_NR; i++)
		if (!strcmp(defs[i].name, name))
			break;
	return i;
}

uint64_t obs_items(enum obs_id id, const struct obs_dims *dims)
{
	return defs[id].items(dims);
}

uint64_t obs_bytes(enum obs_id id, const struct obs_dims *dims)
{
	return obs_items(id, dims) * defs[id].item_bytes;
}
