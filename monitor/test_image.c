// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/test_image.h"

#include <bpf/btf.h>
#include <check.h>
#include <linux/bpf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u
#define IMAGE_ALIGN (2ull << 20)
#define START_KERNEL_MAP 0xffffffff80000000ull
#define IMAGE_SLIDE (6ull * IMAGE_ALIGN)	/* as KASLR would */
#define IMAGE_GPA (4ull * IMAGE_ALIGN)

/* CPU n's area lies n + 1 of these behind the linked one. */
#define PERCPU_STRIDE 0x10000ull

#define PTE_P 0x1ull
#define PTE_RW 0x2ull
#define PTE_PS 0x80ull
#define PTE_NX (1ull << 63)

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t image_kva(void)
{
	return START_KERNEL_MAP + IMAGE_SLIDE;
}

static uint64_t direct_kva(const struct test_image *ti)
{
	return ti->cfg.levels == 5 ? 0xff11000000000000ull :
				     0xffff888000000000ull;
}

static uint64_t vmalloc_kva(const struct test_image *ti)
{
	return ti->cfg.levels == 5 ? 0xffa0000000000000ull :
				     0xffffc90000000000ull;
}

/*
 * The kernel's structures. "-NAME" members are anonymous, "[0]" ones come
 * last. Each struct is listed before those that contain it.
 */
static const struct {
	const char *name;
	const char *members; /* "TYPE NAME;" ... */
	bool is_union;
} kernel_structs[] = {
	{ "atomic_t", "int counter;", false },
	{ "list_head", "ptr prev;ptr next;", false },
	{ "rhash_head", "ptr next;", false },
	{ "rhashtable", "ptr tbl;u32 key_len;", false },
	{ "bucket_table", "u32 size;u32 nest;ptr future_tbl;ptr0 buckets[0];",
	  false },
	{ "scx_dispatch_q",
	  "u64 id;u32 nr;ptr sched;list_head list;rhash_head hash_node;",
	  false },
	{ "scx_sched_pnode", "u64 padding;scx_dispatch_q global_dsq;", false },
	{ "scx_dsq_list_node", "list_head node;u32 flags;u32 priv;", false },
	{ "sched_ext_entity",
	  "ptr sched;ptr dsq;list_head runnable_node;"
	  "scx_dsq_list_node dsq_list;u64 runnable_at;u32 flags;", false },
	{ "scx_exit_info",
	  "u32 kind;s64 exit_code;ptr reason;ptr msg;ptr dump;", false },
	{ "sched_domain", "ptr parent;int level;ptr name;u32 span_weight;",
	  false },
	{ "sched_info", "u64 pcount;u64 run_delay;", false },
	{ "scx_rq",
	  "u32 flags;scx_dispatch_q local_dsq;list_head runnable_list;"
	  "u32 nr_running;",
	  false },
	{ "rq_donor", "ptr donor;ptr curr;", true },
	{ "rq",
	  "u32 nr_running;rq_donor -;ptr idle;scx_rq scx;u64 clock;int cpu;"
	  "ptr sd;u64 nr_switches;sched_info rq_sched_info;u32 ttwu_count;",
	  false },
	{ "sched_ext_ops", "u64 flags;char128 name;", false },
	{ "scx_ops_union", "sched_ext_ops ops;", true },
	{ "scx_event_stats", "s64 SCX_EV_ONE;int SCX_EV_TWO;s64 SCX_EV_NEW;",
	  false },
	{ "scx_sched_pcpu", "ptr sch;scx_event_stats event_stats;", false },
	{ "scx_sched",
	  "scx_ops_union -;atomic_t exit_kind;int bypass_depth;ptr pcpu;"
	  "ptr event_stats_cpu;ptr exit_info;rhashtable dsq_hash;ptr pnode;"
	  "ptr global_dsqs;list_head children;list_head sibling;int level;",
	  false },
	{ "xarray", "u32 xa_flags;ptr xa_head;", false },
	{ "idr", "xarray idr_rt;u32 idr_base;", false },
	{ "xa_node", "u8 shift;u8 offset;ptr parent;slots slots;", false },
	{ "btf", "ptr data;u32 data_size;u32 id;ptr base_btf;", false },
	{ "bpf_map",
	  "u32 map_type;u32 key_size;u32 value_size;u32 max_entries;u32 id;"
	  "char16 name;ptr btf;u32 btf_key_type_id;u32 btf_value_type_id;"
	  "u32 btf_vmlinux_value_type_id;",
	  false },
	{ "bpf_queue_stack",
	  "bpf_map map;u32 head;u32 tail;u32 size;char0 elements[0];", false },
	{ "bpf_bloom_filter",
	  "bpf_map map;u32 bitset_mask;u32 hash_seed;u32 nr_hash_funcs;",
	  false },
	{ "bpf_ringbuf",
	  "u64 mask;u64 consumer_pos;u64 producer_pos;u64 pending_pos;",
	  false },
	{ "bpf_ringbuf_map", "bpf_map map;ptr rb;", false },
	{ "vm_struct", "ptr next;ptr addr;u64 size;", false },
	{ "page", "u64 flags;ptr mapping;u64 index;", false },
	{ "bpf_arena",
	  "bpf_map map;u64 user_vm_start;ptr kern_vm;ptr scratch_page;", false },
	{ "hlist_head", "ptr first;", false },
	{ "hlist_node", "ptr pprev;ptr next;", false },
	{ "bpf_local_storage_map_bucket", "u32 lock;hlist_head list;", false },
	{ "bpf_local_storage_map",
	  "bpf_map map;ptr buckets;u32 bucket_log;", false },
	{ "bpf_local_storage_data", "ptr smap;char0 data[0];", false },
	{ "bpf_local_storage_elem",
	  "hlist_node map_node;ptr local_storage;"
	  "bpf_local_storage_data sdata[0];", false },
	{ "bpf_local_storage", "ptr owner;u64 mem_charge;", false },
	{ "thread_info", "u64 flags;u32 cpu;", false },
	{ "sched_entity", "u64 vruntime;u64 sum_exec_runtime;", false },
	{ "task_struct",
	  "int pid;char16 comm;ptr sched;sched_ext_entity scx;u32 __state;"
	  "sched_entity se;"
	  "thread_info thread_info;list_head tasks;ptr cgroups;", false },
	{ "css_set", "u32 refs;ptr dfl_cgrp;", false },
	{ "kernfs_node", "u64 id;ptr parent;", false },
	{ "cgroup", "u64 flags;ptr kn;", false },
	{ "inode", "u32 i_mode;u64 i_ino;", false },
	{ "hlist_nulls_head", "ptr first;", false },
	{ "hlist_nulls_node", "ptr pprev;ptr next;", false },
	{ "bucket", "u32 raw_lock;hlist_nulls_head head;", false },
	{ "htab_elem", "u64 padding;hlist_nulls_node hash_node;char0 key[0];",
	  false },
	{ "bpf_htab", "u64 ma;bpf_map map;ptr buckets;u32 n_buckets;", false },
	{ "static_key", "atomic_t enabled;ptr entries;", false },
	{ "mutex", "u64 owner;u32 wait_lock;", false },
	{ "psi_group_cpu",
	  "u32 state_mask;u32x7 times;u64 state_start;u32x14 times_prev;",
	  false },
	{ "psi_group", "mutex avgs_lock;ptr pcpu;u64x12 total;", false },
	{ "u64_stats_t", "u64 v;", false },
	{ "bpf_prog_stats", "u64_stats_t cnt;u64_stats_t nsecs;", false },
	{ "bpf_prog_aux", "u32 id;char16 name;u32 verified_insns;", false },
	{ "bpf_prog", "u32 len;ptr aux;ptr stats;", false },
	{ "bpf_link", "u32 id;ptr prog;", false },
	{ "common_value", "int refcnt;int state;", false },
	{ "struct_ops_value", "common_value common;", false },
	{ "test_ops", "ptr enqueue;u64 flags;ptr tick;ptr exit;", false },
	{ "bpf_struct_ops_test_ops", "common_value common;test_ops data;",
	  false },
	{ "bpf_struct_ops_map",
	  "bpf_map map;ptr links;u32 funcs_cnt;ptr uvalue;"
	  "struct_ops_value kvalue;",
	  false },
	{ "flex_value", "char0 value;", false },
	{ "flex_pptrs", "ptr0 pptrs;", false },
	{ "flex", "flex_value -;flex_pptrs -;", true },
	{ "bpf_array", "bpf_map map;u32 elem_size;u32 index_mask;flex -[0];",
	  false },
};

static bool dropped(const struct test_image *ti, const char *strct,
		    const char *member)
{
	char path[64];
	size_t i;

	snprintf(path, sizeof(path), "%s.%s", strct, member);
	for (i = 0; i < NR(ti->cfg.drop) && ti->cfg.drop[i]; i++) {
		if (!strcmp(ti->cfg.drop[i], path))
			return true;
	}
	if (ti->cfg.no_scx && (!strncmp(path, "scx_sched.", 10) ||
			       !strcmp(path, "rq.scx")))
		return true;
	return !strcmp(path, ti->cfg.scx_6_16 ? "scx_sched.pcpu" :
						"scx_sched.event_stats_cpu");
}

static int scalar_type(struct btf *btf, const char *name, unsigned int slots)
{
	static const struct {
		const char *name, *as;
		unsigned int size;
		int enc;
	} ints[] = {
		{ "u8", "unsigned char", 1, 0 },
		{ "u32", "unsigned int", 4, 0 },
		{ "int", "int", 4, BTF_INT_SIGNED },
		{ "u64", "unsigned long", 8, 0 },
		{ "s64", "long", 8, BTF_INT_SIGNED },
	};
	static const struct {
		const char *name;
		unsigned int nelems;
		unsigned int size; /* of an integer; 0: a pointer */
	} arrays[] = {
		{ "char128", 128, 1 }, { "char16", 16, 1 }, { "char0", 0, 1 },
		{ "ptr0", 0, 0 }, { "u32x7", 7, 4 }, { "u32x14", 14, 4 },
		{ "u64x12", 12, 8 },
	};
	static const char *const names[] = { [1] = "char", [4] = "unsigned int",
					     [8] = "unsigned long" };
	int index, elem;
	size_t i;

	for (i = 0; i < NR(ints); i++) {
		if (!strcmp(ints[i].name, name))
			return btf__add_typedef(btf, name,
				btf__add_int(btf, ints[i].as, ints[i].size,
					     ints[i].enc));
	}
	if (!strcmp(name, "ptr"))
		return btf__add_ptr(btf, 0);

	index = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	if (!strcmp(name, "slots"))
		return btf__add_array(btf, index, btf__add_ptr(btf, 0), slots);
	for (i = 0; i < NR(arrays); i++) {
		if (strcmp(arrays[i].name, name))
			continue;
		elem = !arrays[i].size ? btf__add_ptr(btf, 0) :
			btf__add_int(btf, names[arrays[i].size],
				     arrays[i].size, arrays[i].size == 1 ?
				     BTF_INT_SIGNED : 0);
		return btf__add_array(btf, index, elem, arrays[i].nelems);
	}
	return -1;
}

struct member {
	char type[32], name[48];
	int type_id;
	uint32_t size, off;
	bool last;
};

static unsigned int parse_members(struct test_image *ti, const char *strct,
				  const char *text, struct member *m)
{
	unsigned int nr = 0;
	int used;

	while (sscanf(text, "%31[^ ] %47[^;];%n", m[nr].type, m[nr].name,
		      &used) == 2) {
		char *flex = strstr(m[nr].name, "[0]");

		text += used;
		m[nr].last = flex;
		if (flex)
			*flex = '\0';
		if (dropped(ti, strct, m[nr].name))
			continue;
		m[nr].type_id = btf__find_by_name_kind(ti->btf, m[nr].type,
						       BTF_KIND_STRUCT);
		if (m[nr].type_id < 0)
			m[nr].type_id = btf__find_by_name_kind(
				ti->btf, m[nr].type, BTF_KIND_UNION);
		if (m[nr].type_id < 0)
			m[nr].type_id = scalar_type(ti->btf, m[nr].type,
						    ti->cfg.slots);
		ck_assert_int_gt(m[nr].type_id, 0);
		m[nr].size = btf__resolve_size(ti->btf, m[nr].type_id);
		nr++;
	}
	return nr;
}

static void shuffle(struct test_image *ti, struct member *m, unsigned int nr)
{
	unsigned int i;

	if (nr && m[nr - 1].last)
		nr--;
	for (i = nr; i > 1; i--) {
		unsigned int j = rand_r(&ti->cfg.seed) % i;
		struct member tmp = m[i - 1];

		m[i - 1] = m[j];
		m[j] = tmp;
	}
}

static void note_field(struct test_image *ti, const char *strct,
		       const char *member, uint32_t off, uint32_t size)
{
	struct ti_field *f = &ti->fields[ti->nr_fields++];

	ck_assert_uint_lt(ti->nr_fields, TI_MAX_FIELDS);
	snprintf(f->path, sizeof(f->path), "%s%s%s", strct, *member ? "." : "",
		 member);
	f->off = off;
	f->size = size;
}

static void add_struct(struct test_image *ti, const char *name,
		       const char *text, bool is_union)
{
	unsigned int nr, i, off = 0;
	struct member m[16] = { 0 };
	bool small = true;

	nr = parse_members(ti, name, text, m);
	if (!is_union)
		shuffle(ti, m, nr);
	for (i = 0; i < nr; i++) {
		/* One-member structs stay as they are: atomic_t is 4 bytes. */
		if (!is_union && nr > 1) {
			off = (off + 7) / 8 * 8;
			off += rand_r(&ti->cfg.seed) % 3 * 8;
			small = false;
		}
		m[i].off = is_union ? 0 : off;
		off = is_union ? (m[i].size > off ? m[i].size : off) :
				 off + m[i].size;
		/* An anonymous member goes by its type's name here. */
		note_field(ti, name, strcmp(m[i].name, "-") ? m[i].name :
							      m[i].type,
			   m[i].off, m[i].size);
	}
	if (!small)
		off = (off + 7) / 8 * 8;
	note_field(ti, name, "", 0, off);

	ck_assert_int_gt(is_union ? btf__add_union(ti->btf, name, off) :
				    btf__add_struct(ti->btf, name, off), 0);
	for (i = 0; i < nr; i++) {
		const char *mn = strcmp(m[i].name, "-") ? m[i].name : "";

		ck_assert_int_eq(0, btf__add_field(ti->btf, mn, m[i].type_id,
						   m[i].off * 8, 0));
	}
}

static void add_enums(struct test_image *ti)
{
	struct btf *btf = ti->btf;

	if (!ti->cfg.no_scx) {
		btf__add_enum(btf, "scx_enable_state", 4);
		btf__add_enum_value(btf, "SCX_DISABLED", 10);
		btf__add_enum_value(btf, "SCX_ENABLED", 11);
		btf__add_enum_value(btf, "SCX_ENABLING", 12);
		btf__add_enum_value(btf, "SCX_DISABLING", 13);
	}
	/* In another order than any kernel's; non-idle is the last of all. */
	btf__add_enum(btf, "psi_states", 4);
	btf__add_enum_value(btf, "PSI_CPU_SOME", 0);
	btf__add_enum_value(btf, "PSI_MEM_FULL", 1);
	btf__add_enum_value(btf, "PSI_IO_SOME", 2);
	btf__add_enum_value(btf, "PSI_OTHER", 3);
	btf__add_enum_value(btf, "PSI_IO_FULL", 4);
	btf__add_enum_value(btf, "PSI_MEM_SOME", 5);
	btf__add_enum_value(btf, "PSI_NONIDLE", 6);
	btf__add_enum_value(btf, "NR_PSI_STATES", 7);
	btf__add_enum(btf, "psi_aggregators", 4);
	btf__add_enum_value(btf, "PSI_POLL", 0);
	btf__add_enum_value(btf, "PSI_AVGS", 1);
	btf__add_enum(btf, "bpf_struct_ops_state", 4);
	btf__add_enum_value(btf, "BPF_STRUCT_OPS_STATE_READY", 33);
	btf__add_enum(btf, "bpf_map_type", 4);
	btf__add_enum_value(btf, "BPF_MAP_TYPE_HASH", BPF_MAP_TYPE_HASH);
	btf__add_enum_value(btf, "BPF_MAP_TYPE_ARRAY", BPF_MAP_TYPE_ARRAY);
	btf__add_enum_value(btf, "BPF_MAP_TYPE_PERCPU_ARRAY",
			    BPF_MAP_TYPE_PERCPU_ARRAY);
}

static void make_btf(struct test_image *ti)
{
	size_t i;

	ti->btf = btf__new_empty();
	ck_assert_ptr_nonnull(ti->btf);
	for (i = 0; i < NR(kernel_structs); i++) {
		if (ti->cfg.no_scx && !strcmp(kernel_structs[i].name,
					      "scx_event_stats"))
			continue;
		if (ti->cfg.no_scx && !strcmp(kernel_structs[i].name,
					      "scx_sched_pcpu"))
			continue;
		if (ti->cfg.scx_6_16 && !strcmp(kernel_structs[i].name,
						"scx_sched_pcpu"))
			continue;
		add_struct(ti, kernel_structs[i].name,
			   kernel_structs[i].members,
			   kernel_structs[i].is_union);
	}
	add_enums(ti);
}

static void *gpa_hva(struct test_image *ti, uint64_t gpa)
{
	ck_assert_uint_ge(gpa, TI_RAM_GPA);
	ck_assert_uint_lt(gpa, TI_RAM_GPA + ti->ram_bytes);
	return ti->ram + (gpa - TI_RAM_GPA);
}

static uint64_t new_page(struct test_image *ti)
{
	uint64_t gpa = ti->next_gpa;

	ti->next_gpa += PAGE;
	/* Step over the kernel image. */
	if (ti->next_gpa >= IMAGE_GPA &&
	    ti->next_gpa < IMAGE_GPA + ti->image_bytes)
		ti->next_gpa = IMAGE_GPA + ti->image_bytes;
	gpa_hva(ti, gpa);
	return gpa;
}

/* Map @kva at table level @level: 1 is 4 KiB, 2 is 2 MiB, 3 is 1 GiB. */
static void map_page(struct test_image *ti, uint64_t kva, uint64_t gpa,
		     unsigned int level)
{
	uint64_t table = ti->root_gpa;
	unsigned int l;

	for (l = ti->cfg.levels; l > level; l--) {
		uint64_t *e = gpa_hva(ti, table);

		e += kva >> (12 + 9 * (l - 1)) & 511;
		if (!*e)
			*e = new_page(ti) | PTE_P | PTE_RW;
		table = *e & 0x000ffffffffff000ull;
	}
	((uint64_t *)gpa_hva(ti, table))[kva >> (12 + 9 * (level - 1)) & 511] =
		gpa | PTE_P | PTE_RW | PTE_NX | (level > 1 ? PTE_PS : 0);
}

void *ti_hva(struct test_image *ti, uint64_t kva)
{
	uint64_t vpage = (kva - vmalloc_kva(ti)) / PAGE;

	if (kva - image_kva() < ti->image_bytes)
		return gpa_hva(ti, IMAGE_GPA + (kva - image_kva()));
	if (kva >= vmalloc_kva(ti) && vpage < ti->nr_vpages)
		return (char *)gpa_hva(ti, ti->vpages[vpage]) + kva % PAGE;
	return gpa_hva(ti, kva - direct_kva(ti));
}

void ti_write(struct test_image *ti, uint64_t kva, const void *buf, size_t len)
{
	const char *from = buf;

	while (len) {
		size_t part = PAGE - kva % PAGE;

		part = part < len ? part : len;
		memcpy(ti_hva(ti, kva), from, part);
		kva += part;
		from += part;
		len -= part;
	}
}

void ti_write_u64(struct test_image *ti, uint64_t kva, uint64_t v)
{
	ti_write(ti, kva, &v, sizeof(v));
}

void ti_write_u32(struct test_image *ti, uint64_t kva, uint32_t v)
{
	ti_write(ti, kva, &v, sizeof(v));
}

uint64_t ti_direct(struct test_image *ti, size_t len)
{
	uint64_t gpa = new_page(ti);

	ck_assert_uint_le(len, 2 * PAGE);
	if (len > PAGE) {
		while (new_page(ti) != gpa + PAGE)
			gpa = ti->next_gpa - PAGE;
	}
	return direct_kva(ti) + gpa;
}

/* Its pages are not neighbours: each second one is left out. */
uint64_t ti_vmalloc(struct test_image *ti, size_t len)
{
	uint64_t kva = ti->next_vmalloc, off;

	for (off = 0; off < len; off += PAGE) {
		uint64_t gpa;

		new_page(ti);
		gpa = new_page(ti);
		ck_assert_uint_lt(ti->nr_vpages + 1, TI_MAX_VPAGES);
		ti->vpages[ti->nr_vpages++] = gpa;
		map_page(ti, kva + off, gpa, 1);
	}
	/* A guard page, as vmalloc has */
	ti->vpages[ti->nr_vpages++] = TI_RAM_GPA;
	ti->next_vmalloc = kva + (len + PAGE - 1) / PAGE * PAGE + PAGE;
	return kva;
}

uint64_t ti_image(struct test_image *ti, size_t len)
{
	uint64_t kva = ti->next_image;

	ti->next_image += (len + 63) / 64 * 64;
	ck_assert_uint_lt(ti->next_image, image_kva() + PERCPU_STRIDE);
	return kva;
}

uint64_t ti_percpu(struct test_image *ti, size_t len)
{
	uint64_t base = ti_image(ti, len);
	unsigned int cpu;

	for (cpu = 0; cpu < ti->cfg.cpus; cpu++)
		memset(ti_hva(ti, base + ti->percpu_off[cpu]), 0, len);
	return base;
}

uint32_t ti_off(const struct test_image *ti, const char *path)
{
	unsigned int i;

	for (i = 0; i < ti->nr_fields; i++) {
		if (!strcmp(ti->fields[i].path, path))
			return ti->fields[i].off;
	}
	ck_abort_msg("no field %s", path);
}

uint32_t ti_size(const struct test_image *ti, const char *name)
{
	unsigned int i;

	for (i = 0; i < ti->nr_fields; i++) {
		if (!strcmp(ti->fields[i].path, name))
			return ti->fields[i].size;
	}
	ck_abort_msg("no struct %s", name);
}

void ti_set(struct test_image *ti, uint64_t kva, const char *path, uint64_t v)
{
	uint32_t size = ti_size(ti, path);

	ck_assert_uint_le(size, 8);
	ti_write(ti, kva + ti_off(ti, path), &v, size);
}

uint64_t ti_rq(const struct test_image *ti, unsigned int cpu)
{
	return ti->info.sym[MON_SYM_RUNQUEUES] + ti->percpu_off[cpu];
}

static uint64_t new_node(struct test_image *ti, unsigned int shift)
{
	uint64_t node = ti_direct(ti, ti_size(ti, "xa_node"));

	ti_set(ti, node, "xa_node.shift", shift);
	return node;
}

static uint64_t read_u64(struct test_image *ti, uint64_t kva)
{
	uint64_t v;

	memcpy(&v, ti_hva(ti, kva), sizeof(v));
	return v;
}

void ti_idr_set(struct test_image *ti, uint32_t id, uint64_t ptr)
{
	unsigned int bits = __builtin_ctz(ti->cfg.slots), shift = 0;
	uint64_t head_kva = ti->info.sym[MON_SYM_MAP_IDR] +
			    ti_off(ti, "idr.idr_rt") +
			    ti_off(ti, "xarray.xa_head");
	uint64_t head = read_u64(ti, head_kva), node, slot;
	uint32_t index = id - 1; /* idr_base is 1 here */

	if (!head) {
		head = new_node(ti, 0) + 2;
	} else {
		node = head - 2 + ti_off(ti, "xa_node.shift");
		memcpy(&shift, ti_hva(ti, node), 1);
	}
	/* Grow upwards until the index fits. */
	while ((uint64_t)index >> shift >> bits) {
		shift += bits;
		node = new_node(ti, shift);
		ti_write_u64(ti, node + ti_off(ti, "xa_node.slots"), head);
		head = node + 2;
	}
	ti_write_u64(ti, head_kva, head);

	for (node = head - 2;; shift -= bits) {
		slot = node + ti_off(ti, "xa_node.slots") +
		       8ull * (index >> shift & (ti->cfg.slots - 1));
		if (!shift)
			break;
		if (!read_u64(ti, slot))
			ti_write_u64(ti, slot, new_node(ti, shift - bits) + 2);
		node = read_u64(ti, slot) - 2;
	}
	ti_write_u64(ti, slot, ptr);
}

static uint32_t elem_size(uint32_t value_size)
{
	return (value_size + 7) / 8 * 8;
}

static void set_map(struct test_image *ti, const struct ti_map *m, uint64_t map)
{
	ti_set(ti, map, "bpf_map.map_type", m->type);
	ti_set(ti, map, "bpf_map.key_size", m->key_size);
	ti_set(ti, map, "bpf_map.value_size", m->value_size);
	ti_set(ti, map, "bpf_map.max_entries", m->max_entries);
	ti_set(ti, map, "bpf_map.id", m->id);
	ti_set(ti, map, "bpf_map.btf", m->btf_kva);
	ti_set(ti, map, "bpf_map.btf_key_type_id", m->key_type);
	ti_set(ti, map, "bpf_map.btf_value_type_id", m->value_type);
	ti_write(ti, map + ti_off(ti, "bpf_map.name"), m->name,
		 strlen(m->name));
	ti_idr_set(ti, m->id, map);
}

uint64_t ti_map(struct test_image *ti, const struct ti_map *m)
{
	bool percpu = m->type == BPF_MAP_TYPE_PERCPU_ARRAY;
	uint32_t head = ti_off(ti, "bpf_array.flex"), i;
	uint64_t array, map;

	array = ti_vmalloc(ti, head + (size_t)m->max_entries *
				      (percpu ? 8 : elem_size(m->value_size)));
	map = array + ti_off(ti, "bpf_array.map");
	ti_set(ti, array, "bpf_array.elem_size", elem_size(m->value_size));
	ti_set(ti, array, "bpf_array.index_mask", m->max_entries - 1);
	set_map(ti, m, map);
	for (i = 0; percpu && i < m->max_entries; i++)
		ti_write_u64(ti, array + head + i * 8ull,
			     ti_percpu(ti, m->value_size));
	return map;
}

/* A map that is no array: @strct, with @extra bytes behind it. */
uint64_t ti_object_map(struct test_image *ti, const struct ti_map *m,
		       const char *strct, size_t extra)
{
	uint64_t obj = ti_direct(ti, ti_size(ti, strct) + extra);
	char path[64];

	snprintf(path, sizeof(path), "%s.map", strct);
	set_map(ti, m, obj + ti_off(ti, path));
	return obj;
}

static uint64_t bucket_first(struct test_image *ti, uint64_t map,
			     uint32_t bucket)
{
	uint64_t htab = map - ti_off(ti, "bpf_htab.map");

	return read_u64(ti, htab + ti_off(ti, "bpf_htab.buckets")) +
	       (uint64_t)bucket * ti_size(ti, "bucket") +
	       ti_off(ti, "bucket.head") + ti_off(ti, "hlist_nulls_head.first");
}

uint64_t ti_hash(struct test_image *ti, const struct ti_map *m,
		 uint32_t nr_buckets)
{
	uint64_t htab = ti_direct(ti, ti_size(ti, "bpf_htab"));
	uint64_t map = htab + ti_off(ti, "bpf_htab.map");
	uint32_t i;

	ti_set(ti, htab, "bpf_htab.n_buckets", nr_buckets);
	ti_set(ti, htab, "bpf_htab.buckets",
	       ti_vmalloc(ti, (size_t)nr_buckets * ti_size(ti, "bucket")));
	set_map(ti, m, map);
	for (i = 0; i < nr_buckets; i++)
		ti_write_u64(ti, bucket_first(ti, map, i), i * 2ull + 1);
	return map;
}

uint64_t ti_hash_add(struct test_image *ti, uint64_t map, uint32_t bucket,
		     const void *key, uint32_t key_size)
{
	uint64_t elem = ti_direct(ti, 1024);
	uint64_t first = bucket_first(ti, map, bucket);
	uint64_t node = elem + ti_off(ti, "htab_elem.hash_node");

	ti_set(ti, node, "hlist_nulls_node.next", read_u64(ti, first));
	ti_write_u64(ti, first, node);
	elem += ti_off(ti, "htab_elem.key");
	ti_write(ti, elem, key, key_size);
	return elem + elem_size(key_size);
}

uint64_t ti_value(struct test_image *ti, uint64_t map, uint32_t value_size,
		  uint32_t index)
{
	return map - ti_off(ti, "bpf_array.map") +
	       ti_off(ti, "bpf_array.flex") +
	       (uint64_t)index * elem_size(value_size);
}

uint64_t ti_percpu_value(struct test_image *ti, uint64_t map, uint32_t index,
			 unsigned int cpu)
{
	return read_u64(ti, ti_value(ti, map, 8, index)) + ti->percpu_off[cpu];
}

uint64_t ti_struct_ops(struct test_image *ti, const struct ti_map *m,
		       uint64_t *link_slots)
{
	uint64_t obj = ti_direct(ti, ti_size(ti, "bpf_struct_ops_map"));
	uint64_t map = obj + ti_off(ti, "bpf_struct_ops_map.map");

	set_map(ti, m, map);
	*link_slots = ti_direct(ti, 8 * m->max_entries);
	ti_set(ti, obj, "bpf_struct_ops_map.links", *link_slots);
	ti_set(ti, obj, "bpf_struct_ops_map.funcs_cnt", m->max_entries);
	ti_set(ti, obj + ti_off(ti, "bpf_struct_ops_map.kvalue") +
	       ti_off(ti, "struct_ops_value.common"), "common_value.state", 33);
	ti_set(ti, map, "bpf_map.btf_vmlinux_value_type_id",
	       btf__find_by_name_kind(ti->btf, "bpf_struct_ops_test_ops",
				      BTF_KIND_STRUCT));
	ti_set(ti, obj, "bpf_struct_ops_map.uvalue",
	       ti_direct(ti, ti_size(ti, "bpf_struct_ops_test_ops")));
	return map;
}

void ti_set_op(struct test_image *ti, uint64_t map, const char *op,
	       uint32_t prog_id)
{
	uint64_t obj = map - ti_off(ti, "bpf_struct_ops_map.map");
	uint64_t uvalue = read_u64(ti, obj + ti_off(ti,
					"bpf_struct_ops_map.uvalue"));
	char path[64];

	snprintf(path, sizeof(path), "test_ops.%s", op);
	ti_set(ti, uvalue + ti_off(ti, "bpf_struct_ops_test_ops.data"), path,
	       prog_id);
}

uint64_t ti_link(struct test_image *ti, uint32_t prog_id, const char *name,
		 uint64_t runs_per_cpu)
{
	uint64_t link = ti_direct(ti, ti_size(ti, "bpf_link"));
	uint64_t prog = ti_direct(ti, ti_size(ti, "bpf_prog"));
	uint64_t aux = ti_direct(ti, ti_size(ti, "bpf_prog_aux"));
	uint64_t stats = ti_percpu(ti, ti_size(ti, "bpf_prog_stats"));
	unsigned int cpu;

	ti_set(ti, link, "bpf_link.prog", prog);
	ti_set(ti, prog, "bpf_prog.aux", aux);
	ti_set(ti, prog, "bpf_prog.stats", stats);
	ti_set(ti, aux, "bpf_prog_aux.id", prog_id);
	ti_set(ti, aux, "bpf_prog_aux.verified_insns", 31);
	ti_write(ti, aux + ti_off(ti, "bpf_prog_aux.name"), name, strlen(name));
	for (cpu = 0; cpu < ti->cfg.cpus; cpu++)
		ti_set(ti, stats + ti->percpu_off[cpu], "bpf_prog_stats.cnt",
		       runs_per_cpu);
	return link;
}

uint64_t ti_btf(struct test_image *ti, const struct btf *btf, uint32_t id)
{
	uint64_t kva = ti_direct(ti, ti_size(ti, "btf")), data;
	const void *raw;
	uint32_t len;

	raw = btf__raw_data(btf, &len);
	ck_assert_ptr_nonnull(raw);
	data = ti_vmalloc(ti, len);
	ti_write(ti, data, raw, len);
	ti_set(ti, kva, "btf.data", data);
	ti_set(ti, kva, "btf.data_size", len);
	ti_set(ti, kva, "btf.id", id);
	return kva;
}

uint64_t ti_scheduler(struct test_image *ti, const char *name)
{
	uint64_t sched = ti_direct(ti, ti_size(ti, "scx_sched")), pcpu;

	ti_write(ti, sched + ti_off(ti, "scx_sched.scx_ops_union") +
		 ti_off(ti, "sched_ext_ops.name"), name, strlen(name));
	if (ti->cfg.scx_6_16) {
		pcpu = ti_percpu(ti, ti_size(ti, "scx_event_stats"));
		ti_set(ti, sched, "scx_sched.event_stats_cpu", pcpu);
	} else {
		pcpu = ti_percpu(ti, ti_size(ti, "scx_sched_pcpu"));
		ti_set(ti, sched, "scx_sched.pcpu", pcpu);
	}
	ti_write_u64(ti, ti->info.sym[MON_SYM_SCX_ROOT], sched);
	return sched;
}

void ti_event(struct test_image *ti, uint64_t sched, unsigned int cpu,
	      unsigned int event, int64_t count)
{
	static const char *const names[] = { "scx_event_stats.SCX_EV_ONE",
					     "scx_event_stats.SCX_EV_TWO",
					     "scx_event_stats.SCX_EV_NEW" };
	uint64_t kva = ti->percpu_off[cpu] + ti_off(ti, names[event]);

	kva += read_u64(ti, sched + ti_off(ti, ti->cfg.scx_6_16 ?
					   "scx_sched.event_stats_cpu" :
					   "scx_sched.pcpu"));
	if (!ti->cfg.scx_6_16)
		kva += ti_off(ti, "scx_sched_pcpu.event_stats");
	ti_write_u64(ti, kva, read_u64(ti, kva) + count);
}

/* Tables, and the three ways that the kernel maps memory. */
static void make_memory(struct test_image *ti)
{
	uint64_t areas = (ti->cfg.cpus + 1) * PERCPU_STRIDE, off;

	ti->image_bytes = (areas + IMAGE_ALIGN - 1) & ~(IMAGE_ALIGN - 1);
	ti->ram_bytes = TI_RAM_BYTES + ti->image_bytes - TI_IMAGE_BYTES;
	ti->ram = mmap(NULL, ti->ram_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(ti->ram, MAP_FAILED);
	ti->mem.nr = 1;
	ti->mem.regions[0] = (struct guest_mem_region){
		.gpa = TI_RAM_GPA, .len_bytes = ti->ram_bytes, .hva = ti->ram,
	};
	ti->next_gpa = TI_RAM_GPA + PAGE;
	ti->next_image = image_kva() + PAGE;
	ti->next_vmalloc = vmalloc_kva(ti);
	ti->root_gpa = IMAGE_GPA;
	for (off = 0; off < ti->image_bytes; off += IMAGE_ALIGN)
		map_page(ti, image_kva() + off, IMAGE_GPA + off, 2);
	map_page(ti, direct_kva(ti), 0, 3);
	ti->phys_base = IMAGE_GPA - IMAGE_SLIDE;
}

static void make_symbols(struct test_image *ti)
{
	uint64_t *sym = ti->info.sym;
	unsigned int cpu;

	sym[MON_SYM_INIT_TOP_PGT] = image_kva();
	sym[MON_SYM_LINUX_BANNER] = ti_image(ti, 64);
	ti_write(ti, sym[MON_SYM_LINUX_BANNER], "Linux version test", 18);
	sym[MON_SYM_PHYS_BASE] = ti_image(ti, 8);
	ti_write_u64(ti, sym[MON_SYM_PHYS_BASE], ti->phys_base);
	sym[MON_SYM_NR_CPU_IDS] = ti_image(ti, 4);
	ti_write_u32(ti, sym[MON_SYM_NR_CPU_IDS], ti->cfg.cpus);
	sym[MON_SYM_PER_CPU_OFFSET] = ti_image(ti, 8 * MON_MAX_CPUS);
	sym[MON_SYM_MAP_IDR] = ti_image(ti, ti_size(ti, "idr"));
	ti_set(ti, sym[MON_SYM_MAP_IDR], "idr.idr_base", 1);
	sym[MON_SYM_SCX_ROOT] = ti_image(ti, 8);
	sym[MON_SYM_SCX_ENABLE_STATE_VAR] = ti_image(ti, 4);
	ti_write_u32(ti, sym[MON_SYM_SCX_ENABLE_STATE_VAR], 10);
	sym[MON_SYM_INIT_TASK] = ti_image(ti, 64);
	sym[MON_SYM_BPF_STATS_KEY] = ti_image(ti, ti_size(ti, "static_key"));
	ti_set(ti, sym[MON_SYM_BPF_STATS_KEY], "static_key.enabled", 1);
	sym[MON_SYM_PSI_DISABLED] = ti_image(ti, ti_size(ti, "static_key"));
	sym[MON_SYM_PSI_SYSTEM] = ti_image(ti, ti_size(ti, "psi_group"));

	for (cpu = 0; cpu < ti->cfg.cpus; cpu++) {
		ti->percpu_off[cpu] = PERCPU_STRIDE * (cpu + 1);
		ti_write_u64(ti, sym[MON_SYM_PER_CPU_OFFSET] + cpu * 8,
			     ti->percpu_off[cpu]);
	}
	ti_set(ti, sym[MON_SYM_PSI_SYSTEM], "psi_group.pcpu",
	       ti_percpu(ti, ti_size(ti, "psi_group_cpu")));
	sym[MON_SYM_RUNQUEUES] = ti_percpu(ti, ti_size(ti, "rq"));
	for (cpu = 0; cpu < ti->cfg.cpus; cpu++) {
		uint64_t idle = sym[MON_SYM_INIT_TASK] + cpu * 8;

		ti_set(ti, ti_rq(ti, cpu), "rq.cpu", cpu);
		ti_set(ti, ti_rq(ti, cpu), "rq.idle", idle);
		ti_set(ti, ti_rq(ti, cpu) + ti_off(ti, "rq.rq_donor"),
		       "rq_donor.curr", idle);
	}
}

struct test_image *ti_new(const struct ti_config *cfg)
{
	struct test_image *ti = calloc(1, sizeof(*ti));

	ck_assert_ptr_nonnull(ti);
	ti->cfg = *cfg;
	ti->cfg.levels = cfg->levels ? cfg->levels : 4;
	ti->cfg.cpus = cfg->cpus ? cfg->cpus : 2;
	ti->cfg.slots = cfg->slots ? cfg->slots : 64;
	make_memory(ti);
	make_btf(ti);
	make_symbols(ti);
	ti->info.levels = ti->cfg.levels;
	ti->info.nr_cpus = ti->cfg.cpus;
	return ti;
}

void ti_free(struct test_image *ti)
{
	btf__free(ti->btf);
	munmap(ti->ram, ti->ram_bytes);
	free(ti);
}

struct monitor *ti_open(struct test_image *ti)
{
	struct monitor *mon = NULL;
	char msg[200] = "";
	const void *raw;
	uint32_t len;

	raw = btf__raw_data(ti->btf, &len);
	ck_assert_msg(!mon_open(&ti->mem, &ti->info, raw, len, &mon, msg,
				sizeof(msg)), "%s", msg);
	return mon;
}
