// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/struct_ops.h"

#include "monitor/btf_json.h"
#include "monitor/btf_type.h"
#include "monitor/monitor_priv.h"

#include <bpf/btf.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

int struct_ops_open(struct monitor *mon, struct mon_map *m)
{
	static const enum kfield_id needed[] = {
		KF_STRUCT_OPS_MAP, KF_STRUCT_OPS_STATE, KF_STRUCT_OPS_LINKS,
		KF_STRUCT_OPS_NR_LINKS, KF_LINK_PROG, KF_PROG_AUX,
		KF_PROG_AUX_ID, KF_PROG_AUX_NAME,
	};
	const char *missing = kbtf_missing(&mon->kbtf, needed, NR(needed));

	if (missing)
		map_unreadable(m, "this kernel's BTF has no %s", missing);
	return 0;
}

static int read_field(struct monitor *mon, uint64_t base, enum kfield_id id,
		      int64_t *v)
{
	return kbtf_read(&mon->kbtf, &mon->kmem, base, id, v);
}

static uint64_t map_object(const struct monitor *mon, const struct mon_map *m)
{
	return m->kva - mon->kbtf.fields[KF_STRUCT_OPS_MAP].off;
}

/* Does the kernel count runs? Where it does not, its zeroes say nothing. */
static bool counts_runs(struct monitor *mon)
{
	uint64_t key = mon->info.sym[MON_SYM_BPF_STATS_KEY];
	int64_t enabled;

	return key && !read_field(mon, key, KF_STATIC_KEY_ENABLED, &enabled) &&
	       enabled > 0;
}

/* A per-CPU counter of the program's, or UINT64_MAX. */
static uint64_t sum_stats(struct monitor *mon, uint64_t prog,
			  enum kfield_id id)
{
	unsigned int cpu;
	uint64_t sum = 0;
	int64_t pptr, v;

	if (!mon->nr_possible || read_field(mon, prog, KF_PROG_STATS, &pptr) ||
	    !pptr)
		return UINT64_MAX;
	for (cpu = 0; cpu < mon->nr_possible; cpu++) {
		if (read_field(mon, pptr + mon->percpu_off[cpu], id, &v))
			return UINT64_MAX;
		sum += v;
	}
	return sum;
}

static int read_prog(struct monitor *mon, uint64_t prog, struct mon_prog *p)
{
	const struct kfield *name = &mon->kbtf.fields[KF_PROG_AUX_NAME];
	size_t take = name->size < sizeof(p->name) - 1 ? name->size :
							 sizeof(p->name) - 1;
	int64_t aux, id, insns;
	int err;

	memset(p, 0, sizeof(*p));
	err = read_field(mon, prog, KF_PROG_AUX, &aux);
	if (!err)
		err = read_field(mon, aux, KF_PROG_AUX_ID, &id);
	if (!err)
		err = kmem_read(&mon->kmem, aux + name->off, p->name, take);
	if (err)
		return err;
	text_to_ascii(p->name);
	p->id = id;
	p->verified_insns = MON_NO_VALUE;
	if (!read_field(mon, aux, KF_PROG_AUX_VERIFIED_INSNS, &insns))
		p->verified_insns = insns;
	p->run_count = p->run_ns = UINT64_MAX;
	if (counts_runs(mon)) {
		p->run_count = sum_stats(mon, prog, KF_PROG_STATS_CNT);
		p->run_ns = sum_stats(mon, prog, KF_PROG_STATS_NSECS);
	}
	return 0;
}

/* Of struct bpf_struct_ops_X { common; struct X data; } at *@at: X, where. */
static const struct btf_type *callbacks_of(const struct btf *btf,
					   uint32_t type_id, int64_t *at)
{
	const struct btf_type *t = btf_type_skip(btf, type_id, NULL);
	unsigned int i;

	if (!t || !btf_is_struct(t))
		return NULL;
	for (i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = &btf_members(t)[i];
		const char *name = btf__name_by_offset(btf, m->name_off);

		if (!name || strcmp(name, "data"))
			continue;
		*at += btf_member_bit_offset(t, i) / 8;
		t = btf_type_skip(btf, m->type, NULL);
		return t && btf_is_struct(t) ? t : NULL;
	}
	return NULL;
}

/*
 * Which callback each program is: the kernel keeps what user space wrote, with
 * a program's id in place of each pointer to a function. Nothing is found when
 * the struct is a module's, whose BTF is not here.
 */
static void name_ops(struct monitor *mon, const struct mon_map *m,
		     struct mon_prog *progs, unsigned int nr)
{
	const struct btf *btf = mon->kbtf.btf;
	const struct btf_member *member;
	int64_t uvalue, type_id, kept;
	const struct btf_type *t;
	unsigned int i, p;

	if (read_field(mon, map_object(mon, m), KF_STRUCT_OPS_UVALUE,
		       &uvalue) ||
	    read_field(mon, m->kva, KF_MAP_BTF_KERNEL_VALUE, &type_id))
		return;
	t = callbacks_of(btf, type_id, &uvalue);
	if (!t)
		return;
	for (i = 0, member = btf_members(t); i < btf_vlen(t); i++, member++) {
		uint64_t at = uvalue + btf_member_bit_offset(t, i) / 8;
		const struct btf_type *mt =
			btf_type_skip(btf, member->type, NULL);
		const char *name = btf__name_by_offset(btf, member->name_off);

		if (!name || !mt || !btf_is_ptr(mt) ||
		    kmem_read_ptr(&mon->kmem, at, (uint64_t *)&kept))
			continue;
		for (p = 0; p < nr; p++)
			if (kept && kept == progs[p].id)
				snprintf(progs[p].op, sizeof(progs[p].op),
					 "%s", name);
	}
	for (p = 0; p < nr; p++)
		text_to_ascii(progs[p].op);
}

int struct_ops_progs(struct monitor *mon, const struct mon_map *m,
		     struct mon_prog *progs, unsigned int max)
{
	uint64_t map = map_object(mon, m);
	int64_t links, nr_links, i;
	unsigned int nr = 0;
	int err;

	err = read_field(mon, map, KF_STRUCT_OPS_LINKS, &links);
	if (!err)
		err = read_field(mon, map, KF_STRUCT_OPS_NR_LINKS, &nr_links);
	if (err)
		return err;
	if (nr_links > STRUCT_OPS_MAX_PROGS)
		return -EFAULT;

	/* A callback that the scheduler does not have has no link. */
	for (i = 0; links && i < nr_links && nr < max; i++) {
		uint64_t link;
		int64_t prog;

		err = kmem_read_ptr(&mon->kmem, links + i * 8, &link);
		if (!err && !link)
			continue;
		if (!err)
			err = read_field(mon, link, KF_LINK_PROG, &prog);
		if (!err)
			err = read_prog(mon, prog, &progs[nr]);
		if (err)
			return err;
		nr++;
	}
	name_ops(mon, m, progs, nr);
	return nr;
}

static json_t *state_json(const struct monitor *mon, int64_t state)
{
	char text[32];

	btf_enum_word(mon->kbtf.btf, "bpf_struct_ops_state",
		      "BPF_STRUCT_OPS_STATE_", state, text, sizeof(text));
	return json_from_text(text, sizeof(text));
}

static json_t *count_json(uint64_t v, uint64_t absent)
{
	return v == absent ? json_null() : json_from_uint64(v);
}

static json_t *prog_json(const struct mon_prog *p)
{
	return json_pack("{s:s, s:s*, s:I, s:o, s:o, s:o}", "name", p->name,
			 "op", *p->op ? p->op : NULL, "id",
			 (json_int_t)p->id, "verified_insns",
			 count_json(p->verified_insns, MON_NO_VALUE),
			 "run_count", count_json(p->run_count, UINT64_MAX),
			 "run_ns", count_json(p->run_ns, UINT64_MAX));
}

int struct_ops_json(struct monitor *mon, const struct mon_map *m, json_t *obj)
{
	struct mon_prog progs[STRUCT_OPS_MAX_PROGS];
	int64_t state;
	json_t *list;
	int nr, i;

	if (read_field(mon, map_object(mon, m), KF_STRUCT_OPS_STATE, &state))
		return -EFAULT;
	nr = struct_ops_progs(mon, m, progs, NR(progs));
	if (nr < 0)
		return nr;

	list = json_array();
	for (i = 0; list && i < nr; i++) {
		if (json_array_append_new(list, prog_json(&progs[i]))) {
			json_decref(list);
			list = NULL;
		}
	}
	if (json_object_set_new(obj, "state", state_json(mon, state)) ||
	    json_object_set(obj, "programs", list)) {
		json_decref(list);
		return -ENOMEM;
	}
	json_decref(list);
	return 0;
}
