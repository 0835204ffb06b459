// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/sched_details.h"

#include "monitor/btf_json.h"
#include "monitor/btf_type.h"
#include "monitor/monitor_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LEVELS 16		/* of sched domains */
#define MAX_NAME 32
#define MAX_TEXT 1024		/* of an exit's reason and message */
#define MAX_DUMP (64u << 10)
#define MAX_SUBS 64

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static int read_field(struct monitor *mon, uint64_t base, enum kfield_id id,
		      uint64_t *v)
{
	return kbtf_read_ptr(&mon->kbtf, &mon->kmem, base, id, v);
}

/* null: this kernel has no such member, or it can't be read. */
static json_t *field_json(struct monitor *mon, uint64_t base, enum kfield_id id)
{
	int64_t v;

	if (kbtf_read(&mon->kbtf, &mon->kmem, base, id, &v))
		return json_null();
	return json_from_int64(v);
}

/* A NUL-terminated text behind a pointer; what does not fit is cut. */
static json_t *text_json(struct monitor *mon, uint64_t kva, size_t max)
{
	char *text = calloc(1, max + 1);
	size_t len = 0;
	json_t *j;

	if (!text)
		return NULL;
	/* Piece by piece: the page behind its end may not be there. */
	while (len < max) {
		size_t piece = PW_PAGE_SIZE - (kva + len) % PW_PAGE_SIZE;

		if (piece > max - len)
			piece = max - len;
		if (kmem_read(&mon->kmem, kva + len, text + len, piece))
			break;
		if (memchr(text + len, '\0', piece))
			break;
		len += piece;
	}
	j = kva ? json_from_text(text, max) : json_null();
	free(text);
	return j;
}

static json_t *text_field_json(struct monitor *mon, uint64_t base,
			       enum kfield_id id, size_t max)
{
	uint64_t kva;

	if (read_field(mon, base, id, &kva))
		return json_null();
	return text_json(mon, kva, max);
}

/* By CPU what @fill makes of its run queue. */
static json_t *by_cpu(struct monitor *mon,
		      json_t *(*fill)(struct monitor *mon, uint64_t rq))
{
	json_t *list = json_array();
	unsigned int cpu;

	if (!mon->info.sym[MON_SYM_RUNQUEUES] || !mon->nr_possible) {
		json_decref(list);
		return json_null();
	}
	for (cpu = 0; cpu < mon->info.nr_cpus; cpu++)
		json_array_append_new(list, fill(mon,
			mon->info.sym[MON_SYM_RUNQUEUES] +
			mon->percpu_off[cpu]));
	return list;
}

static json_t *rq_schedstat(struct monitor *mon, uint64_t rq)
{
	static const struct {
		const char *name;
		enum kfield_id field;
	} stats[] = {
		{ "switches", KF_RQ_NR_SWITCHES },
		{ "run_delay_ns", KF_RQ_RUN_DELAY },
		{ "run_count", KF_RQ_PCOUNT },
		{ "cpu_time_ns", KF_RQ_CPU_TIME },
		{ "yields", KF_RQ_YLD_COUNT },
		{ "schedules", KF_RQ_SCHED_COUNT },
		{ "schedules_to_idle", KF_RQ_SCHED_GOIDLE },
		{ "wakeups", KF_RQ_TTWU_COUNT },
		{ "wakeups_local", KF_RQ_TTWU_LOCAL },
	};
	json_t *j = json_object();
	size_t i;

	for (i = 0; i < NR(stats); i++)
		json_object_set_new(j, stats[i].name,
				    field_json(mon, rq, stats[i].field));
	return j;
}

json_t *schedstat_json(struct monitor *mon)
{
	return by_cpu(mon, rq_schedstat);
}

static json_t *rq_domains(struct monitor *mon, uint64_t rq)
{
	json_t *list = json_array();
	unsigned int i;
	uint64_t sd;

	if (read_field(mon, rq, KF_RQ_SD, &sd)) {
		json_decref(list);
		return json_null();
	}
	for (i = 0; sd && i < MAX_LEVELS; i++) {
		json_array_append_new(list, json_pack(
			"{s:o, s:o, s:o, s:o, s:o}", "name",
			text_field_json(mon, sd, KF_SD_NAME, MAX_NAME),
			"level", field_json(mon, sd, KF_SD_LEVEL),
			"span_weight", field_json(mon, sd, KF_SD_SPAN_WEIGHT),
			"imbalance_pct", field_json(mon, sd, KF_SD_IMBALANCE),
			"flags", field_json(mon, sd, KF_SD_FLAGS)));
		if (read_field(mon, sd, KF_SD_PARENT, &sd))
			break;
	}
	return list;
}

json_t *domains_json(struct monitor *mon)
{
	return by_cpu(mon, rq_domains);
}

static json_t *kind_name(struct monitor *mon, int64_t kind)
{
	char text[48];

	btf_enum_word(mon->kbtf.btf, "scx_exit_kind", "SCX_EXIT_", kind, text,
		      sizeof(text));
	return json_from_text(text, sizeof(text));
}

/* Where the exit record is; 0: nowhere. */
static uint64_t exit_info(struct monitor *mon)
{
	uint64_t at = mon->info.sym[MON_SYM_SCX_ROOT], info;

	if (at && (kmem_read_ptr(&mon->kmem, at, &at) || !at))
		return 0;
	if (at)
		return read_field(mon, at, KF_SCX_EXIT_INFO, &info) ? 0 : info;
	at = mon->info.sym[MON_SYM_SCX_EXIT_INFO];
	return !at || kmem_read_ptr(&mon->kmem, at, &info) ? 0 : info;
}

json_t *exit_json(struct monitor *mon)
{
	uint64_t info = exit_info(mon);
	int64_t kind;
	json_t *j;

	if (!info || kbtf_read(&mon->kbtf, &mon->kmem, info, KF_EXIT_KIND,
			       &kind) || !kind)
		return json_null();
	j = json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "kind",
		      (json_int_t)kind, "kind_name", kind_name(mon, kind),
		      "code", field_json(mon, info, KF_EXIT_CODE), "reason",
		      text_field_json(mon, info, KF_EXIT_REASON, MAX_TEXT),
		      "message",
		      text_field_json(mon, info, KF_EXIT_MSG, MAX_TEXT), "dump",
		      text_field_json(mon, info, KF_EXIT_DUMP, MAX_DUMP));
	/* The record is freed with its scheduler. */
	if (j && exit_info(mon) == info)
		return j;
	json_decref(j);
	return json_null();
}

static json_t *sub_json(struct monitor *mon, uint64_t sched)
{
	const struct kfield *name = &mon->kbtf.fields[KF_SCX_OPS_NAME];

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", name->present ?
			 text_json(mon, sched + name->off, name->size) :
			 json_null(), "level",
			 field_json(mon, sched, KF_SCX_LEVEL), "cgroup",
			 text_field_json(mon, sched, KF_SCX_CGRP_PATH, 512),
			 "exit_kind", field_json(mon, sched, KF_SCX_EXIT_KIND),
			 "bypass_depth",
			 field_json(mon, sched, KF_SCX_BYPASS_DEPTH));
}

/* Children, and theirs: the list grows while it is gone through. */
json_t *subs_json(struct monitor *mon)
{
	const struct kfield *f = mon->kbtf.fields;
	uint64_t at = mon->info.sym[MON_SYM_SCX_ROOT], scheds[MAX_SUBS + 1];
	unsigned int nr = 0, i;
	json_t *list;

	if (!at || !f[KF_SCX_CHILDREN].present || !f[KF_SCX_SIBLING].present ||
	    kmem_read_ptr(&mon->kmem, at, &scheds[0]) || !scheds[0])
		return json_null();
	list = json_array();
	for (i = 0, nr = 1; i < nr; i++) {
		uint64_t head = scheds[i] + f[KF_SCX_CHILDREN].off, node = head;

		while (nr <= MAX_SUBS &&
		       !read_field(mon, node, KF_LIST_NEXT, &node) &&
		       node != head && node) {
			scheds[nr] = node - f[KF_SCX_SIBLING].off;
			json_array_append_new(list, sub_json(mon,
							     scheds[nr++]));
		}
	}
	return list;
}
