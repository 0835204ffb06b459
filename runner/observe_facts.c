// SPDX-License-Identifier: GPL-2.0-only
#include "runner/observe_facts.h"

#include <string.h>

static const json_t *find_phase(const json_t *facts, const char *name)
{
	const json_t *phase;
	size_t i;

	json_array_foreach(json_object_get(facts, "phases"), i, phase) {
		const char *is = json_string_value(json_object_get(phase,
								   "name"));

		if (is && !strcmp(is, name))
			return phase;
	}
	return NULL;
}

const json_t *observe_who_ran(const json_t *facts, const char *phase,
			      const char *workload)
{
	const json_t *part = phase ? find_phase(facts, phase) : facts;
	const json_t *all = json_object_get(part, "workloads");
	const json_t *ran = json_object_get(json_object_get(json_object_get(
		all, workload), "observed"), "who_ran");

	return json_is_integer(json_object_get(ran, "wait_ns")) ? ran : NULL;
}
