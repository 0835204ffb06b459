// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/details.h"

#include "monitor/btf_json.h"
#include "monitor/dsq.h"
#include "monitor/monitor_priv.h"
#include "monitor/psi.h"
#include "monitor/sched_details.h"

#include <stdlib.h>

#define MAX_PROGS 256

static json_t *count_json(uint64_t v, uint64_t absent)
{
	return v == absent ? json_null() : json_from_uint64(v);
}

/* {NAME: ...}: the callback's name, or the program's where that isn't known. */
static json_t *ops_json(struct monitor *mon)
{
	struct mon_prog *progs = calloc(MAX_PROGS, sizeof(*progs));
	json_t *ops = json_object();
	unsigned int nr, i;

	nr = progs ? mon_read_progs(mon, progs, MAX_PROGS) : 0;
	for (i = 0; ops && i < nr; i++) {
		const struct mon_prog *p = &progs[i];

		json_object_set_new(ops, *p->op ? p->op : p->name,
			json_pack("{s:s, s:o, s:o, s:o}", "program", p->name,
				  "verified_insns",
				  count_json(p->verified_insns, MON_NO_VALUE),
				  "run_count",
				  count_json(p->run_count, UINT64_MAX),
				  "run_ns", count_json(p->run_ns,
						       UINT64_MAX)));
	}
	free(progs);
	return ops;
}

static const struct part {
	const char *name;
	json_t *(*read)(struct monitor *mon);
} parts[] = {
	{ "ops", ops_json },
	{ "dsqs", dsqs_json },
	{ "subs", subs_json },
	{ "schedstat", schedstat_json },
	{ "domains", domains_json },
	{ "exit", exit_json },
	{ "psi", psi_json },
};

json_t *details_json(struct monitor *mon)
{
	json_t *details = json_object();
	size_t i;

	for (i = 0; details && i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *name = parts[i].name;
		json_t *part = parts[i].read(mon);

		if (!part || json_object_set_new(details, name, part)) {
			json_decref(details);
			return NULL;
		}
	}
	return details;
}
