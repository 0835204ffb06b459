// SPDX-License-Identifier: GPL-2.0-only
#include "lib/observe.h"

#include <string.h>

static uint64_t per_workload_phase(const struct obs_dims *d)
{
	return (uint64_t)d->workloads * d->phases;
}

static uint64_t per_phase(const struct obs_dims *d)
{
	return d->phases;
}

static uint64_t per_cpu_workload_phase(const struct obs_dims *d)
{
	return (uint64_t)d->cpus * d->workloads * d->phases;
}

static uint64_t per_worker(const struct obs_dims *d)
{
	return d->workers;
}

static const struct obs_def {
	const char *name;
	unsigned int item_bytes;
	uint64_t (*items)(const struct obs_dims *dims);
} defs[] = {
	[OBS_WAKE_LATENCY] = { "wake_latency", sizeof(struct ktstr_obs_wake),
			       per_workload_phase },
	[OBS_IO_COMPLETION] = { "io_completion",
				sizeof(struct ktstr_obs_io_ring), per_worker },
	[OBS_WHO_RAN] = { "who_ran", sizeof(struct ktstr_obs_ran),
			  per_cpu_workload_phase },
	[OBS_WORK_CONSERVATION] = { "work_conservation",
				    sizeof(struct ktstr_obs_conserve),
				    per_phase },
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
