// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/test_full.h"

#include "monitor/map.h"
#include "monitor/test_image.h"

#include <bpf/btf.h>
#include <linux/bpf.h>

#include <stdio.h>
#include <string.h>

#define NR_ARRAYS 4
#define NR_HASHES 2
#define NR_OTHERS 5
_Static_assert(TF_MAPS == NR_ARRAYS + NR_HASHES + NR_OTHERS + 1, "");

static void target(struct test_full *g, uint64_t kva, uint32_t len)
{
	g->targets[g->nr_targets] = kva;
	g->target_len[g->nr_targets++] = len;
}

static struct btf *program_btf(uint32_t *section, uint32_t *strct)
{
	struct btf *btf = btf__new_empty();
	int u64, s32, chr, text, inner, arr, v1, v2, v3;

	u64 = btf__add_typedef(btf, "u64",
			       btf__add_int(btf, "unsigned long", 8, 0));
	s32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	chr = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);
	text = btf__add_array(btf, s32, chr, 16);
	inner = btf__add_enum(btf, "e", 4);
	btf__add_enum_value(btf, "A", 1);
	arr = btf__add_array(btf, s32, u64, 4);
	*strct = btf__add_struct(btf, "value", 64);
	btf__add_field(btf, "n", u64, 0, 0);
	btf__add_field(btf, "name", text, 64, 0);
	btf__add_field(btf, "e", inner, 192, 0);
	btf__add_field(btf, "arr", arr, 256, 0);
	v1 = btf__add_var(btf, "one", BTF_VAR_GLOBAL_ALLOCATED, *strct);
	v2 = btf__add_var(btf, "two", BTF_VAR_GLOBAL_ALLOCATED, u64);
	v3 = btf__add_var(btf, "three", BTF_VAR_GLOBAL_ALLOCATED, arr);
	btf__add_datasec(btf, ".addr_space.1", 32);
	btf__add_datasec_var_info(btf, v3, 0, 32);
	*section = btf__add_datasec(btf, ".bss", 72);
	btf__add_datasec_var_info(btf, v1, 0, 64);
	btf__add_datasec_var_info(btf, v2, 64, 8);
	return btf;
}

static void add_hash(struct test_full *g, struct ti_map *m, uint32_t value_type)
{
	struct test_image *ti = g->ti;
	uint64_t map, value;
	uint32_t key;

	m->type = m->id & 1 ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_PERCPU_HASH;
	m->value_size = 64;
	m->value_type = value_type;
	m->max_entries = 50;
	map = ti_hash(ti, m, 4);
	target(g, map - ti_off(ti, "bpf_htab.map"), ti_size(ti, "bpf_htab"));
	for (key = 0; key < 6; key++) {
		value = ti_hash_add(ti, map, key % 4, &key, 4);
		if (!(m->id & 1))
			ti_write_u64(ti, value, ti_percpu(ti, 64));
		target(g, value & ~1023ull, 256);
	}
}

static void add_struct_ops(struct test_full *g, struct ti_map *m)
{
	struct test_image *ti = g->ti;
	uint64_t map, slots, link;

	m->type = BPF_MAP_TYPE_STRUCT_OPS;
	m->max_entries = 4;
	map = ti_struct_ops(ti, m, &slots);
	link = ti_link(ti, 5, "prog", 3);
	ti_write_u64(ti, slots + 8, link);
	target(g, map - ti_off(ti, "bpf_struct_ops_map.map"),
	       ti_size(ti, "bpf_struct_ops_map"));
	target(g, slots, 32);
	target(g, link, ti_size(ti, "bpf_link"));
	/* The program and what hangs on it come on the next two pages. */
	target(g, link + 4096, ti_size(ti, "bpf_prog"));
	target(g, link + 8192, ti_size(ti, "bpf_prog_aux"));
}

/* Queue, stack, storage, ring buffer and arena, each with something in it. */
static void add_others(struct test_full *g, struct ti_map *m)
{
	static const struct {
		uint32_t type;
		const char *strct;
		const char *member[4];
		uint64_t value[4];
	} others[NR_OTHERS] = {
		{ BPF_MAP_TYPE_QUEUE, "bpf_queue_stack",
		  { "head", "tail", "size" }, { 3, 1, 6 } },
		{ BPF_MAP_TYPE_STACK, "bpf_queue_stack",
		  { "head", "tail", "size" }, { 1, 3, 6 } },
		{ BPF_MAP_TYPE_TASK_STORAGE, "bpf_local_storage_map",
		  { "bucket_log", "buckets" }, { 1, 0 } },
		{ BPF_MAP_TYPE_RINGBUF, "bpf_ringbuf_map", { "rb" }, { 0 } },
		{ MAP_TYPE_ARENA, "bpf_arena", { "kern_vm", "user_vm_start" },
		  { 0, 4096 } },
	};
	struct test_image *ti = g->ti;
	char path[64];
	unsigned int i, k;

	for (i = 0; i < NR_OTHERS; i++, m->id++) {
		uint64_t obj, page = ti_direct(ti, 4096);

		m->type = others[i].type;
		m->max_entries = 5;
		obj = ti_object_map(ti, m, others[i].strct, 512);
		target(g, obj, ti_size(ti, others[i].strct));
		target(g, page, 64);
		for (k = 0; k < 4 && others[i].member[k]; k++) {
			snprintf(path, sizeof(path), "%s.%s", others[i].strct,
				 others[i].member[k]);
			/* 0 stands for the page with what hangs on it */
			ti_set(ti, obj, path, others[i].value[k] ?
			       others[i].value[k] : page);
		}
		/* pointers that lead round and round there */
		ti_write_u64(ti, page, page + 8);
		ti_write_u64(ti, page + 8, page);
		ti_write_u64(ti, page + 16, page);
	}
}

void tf_init(struct test_full *g, unsigned int seed)
{
	struct ti_config cfg = { .seed = seed, .levels = seed & 1 ? 5 : 4,
				 .slots = seed & 2 ? 16 : 64 };
	struct ti_map m = { .key_size = 4, .max_entries = 5, .name = "m" };
	uint32_t section, strct, len;
	struct test_image *ti;
	uint64_t sched;

	memset(g, 0, sizeof(*g));
	g->ti = ti = ti_new(&cfg);
	g->btf = program_btf(&section, &strct);
	m.btf_kva = ti_btf(ti, g->btf, 3);
	btf__raw_data(g->btf, &len);
	target(g, m.btf_kva, ti_size(ti, "btf"));
	/* The blob itself lies where ti_btf() put it: its last vmalloc. */
	target(g, ti->next_vmalloc - 8192 - (len > 4096 ? 4096 : 0), len);
	for (m.id = 1; m.id <= NR_ARRAYS; m.id++) {
		uint64_t map;

		m.type = m.id & 1 ? BPF_MAP_TYPE_ARRAY :
				    BPF_MAP_TYPE_PERCPU_ARRAY;
		m.value_type = m.id == 3 ? section : strct;
		m.value_size = m.id == 3 ? 72 : 64;
		m.max_entries = m.id == 3 ? 1 : 5;
		map = ti_map(ti, &m);
		target(g, map - ti_off(ti, "bpf_array.map"),
		       ti_off(ti, "bpf_array.flex") + 64);
	}
	for (; m.id <= NR_ARRAYS + NR_HASHES; m.id++)
		add_hash(g, &m, strct);
	add_others(g, &m);
	add_struct_ops(g, &m);
	sched = ti_scheduler(ti, "fuzz");
	target(g, sched, ti_size(ti, "scx_sched"));
	target(g, ti->info.sym[MON_SYM_MAP_IDR], ti_size(ti, "idr"));
	target(g, ti_rq(ti, 0), ti_size(ti, "rq"));
	target(g, ti->info.sym[MON_SYM_SCX_ROOT], 8);
	target(g, ti->info.sym[MON_SYM_SCX_ENABLE_STATE_VAR], 4);
	target(g, ti->info.sym[MON_SYM_PER_CPU_OFFSET], 16);
	target(g, ti->info.sym[MON_SYM_PSI_SYSTEM], ti_size(ti, "psi_group"));
}

void tf_fini(struct test_full *g)
{
	btf__free(g->btf);
	ti_free(g->ti);
}
