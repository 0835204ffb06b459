/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The observers there are, and how large each one's region is: for the
 * scenario, for the agent that makes it, and for the host that reads it.
 */
#ifndef KTSTR_LIB_OBSERVE_H
#define KTSTR_LIB_OBSERVE_H

#include <stdint.h>

#include "include/ktstr/observe.h"

enum obs_id {
	OBS_WAKE_LATENCY,
	OBS_IO_COMPLETION,
	OBS_WHO_RAN,
	OBS_WORK_CONSERVATION,
	OBS_NR,
};

/* What a plan has of each. */
struct obs_dims {
	unsigned int workloads, workers, phases, cpus;
};

/** obs_name() - as the scenario writes it */
const char *obs_name(enum obs_id id);

/** obs_find() - by name. Return: the observer, or OBS_NR. */
enum obs_id obs_find(const char *name);

/** obs_items() - how many elements its region has */
uint64_t obs_items(enum obs_id id, const struct obs_dims *dims);

/** obs_bytes() - of the whole region; KTSTR_OBS_MAX_BYTES is not looked at */
uint64_t obs_bytes(enum obs_id id, const struct obs_dims *dims);

#endif
