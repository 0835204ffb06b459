// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that lies: memory is changed at random, in all the structures that
 * the monitor follows, and nothing but a bounded answer may come of it.
 */
#include "monitor/map.h"
#include "monitor/monitor.h"
#include "monitor/test_image.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <check.h>
#include <linux/bpf.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 24
#define ROUNDS 150
#define NR_ARRAYS 4
#define NR_HASHES 2
#define NR_OTHERS 5
#define NR_MAPS (NR_ARRAYS + NR_HASHES + NR_OTHERS + 1)

struct guest {
	struct test_image *ti;
	struct btf *btf;
	uint64_t targets[40];	/* worth corrupting */
	uint32_t target_len[40];
	unsigned int nr_targets;
	unsigned int seed;
};

static void target(struct guest *g, uint64_t kva, uint32_t len)
{
	g->targets[g->nr_targets] = kva;
	g->target_len[g->nr_targets++] = len;
}

static struct btf *program_btf(uint32_t *section, uint32_t *strct)
{
	struct btf *btf = btf__new_empty();
	int u64, s32, chr, text, inner, arr, v1, v2;

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
	*section = btf__add_datasec(btf, ".bss", 72);
	btf__add_datasec_var_info(btf, v1, 0, 64);
	btf__add_datasec_var_info(btf, v2, 64, 8);
	return btf;
}

static void add_hash(struct guest *g, struct ti_map *m, uint32_t value_type)
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

static void add_struct_ops(struct guest *g, struct ti_map *m)
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
static void add_others(struct guest *g, struct ti_map *m)
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

static void guest_init(struct guest *g, unsigned int seed)
{
	struct ti_config cfg = { .seed = seed, .levels = seed & 1 ? 5 : 4,
				 .slots = seed & 2 ? 16 : 64 };
	struct ti_map m = { .key_size = 4, .max_entries = 5, .name = "m" };
	uint32_t section, strct, len;
	struct test_image *ti;
	uint64_t sched;

	memset(g, 0, sizeof(*g));
	g->seed = seed;
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
}

static void guest_fini(struct guest *g)
{
	btf__free(g->btf);
	ti_free(g->ti);
}

/* Pointers that are likely to do harm, and numbers that are. */
static uint64_t nasty(struct guest *g)
{
	uint64_t base = g->targets[rand_r(&g->seed) % g->nr_targets];
	uint64_t any = (uint64_t)rand_r(&g->seed) << 33 ^ rand_r(&g->seed);

	switch (rand_r(&g->seed) % 10) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return base + 2;	/* an xarray node */
	case 3:
		return base;
	case 4:
		return base + rand_r(&g->seed) % 4096;
	case 5:
		return any;
	case 6:
		return any | 0xffff888000000000ull;
	case 7:
		return rand_r(&g->seed) % 256;
	case 8:
		return 1ull << rand_r(&g->seed) % 64;
	default:
		return 0x7fffffff7fffffff;
	}
}

static void corrupt(struct guest *g)
{
	unsigned int n = rand_r(&g->seed) % 4 + 1;

	while (n--) {
		unsigned int i = rand_r(&g->seed) % g->nr_targets;
		uint64_t kva = g->targets[i] + rand_r(&g->seed) %
						       g->target_len[i];
		uint64_t v = nasty(g);

		/* Mostly words where a word may be, at times any bytes. */
		if (rand_r(&g->seed) % 4) {
			kva &= ~7ull;
			ti_write(g->ti, kva, &v, 8);
		} else {
			ti_write(g->ti, kva, &v, rand_r(&g->seed) % 4 + 1);
		}
	}
}

/* Entries of page tables, wherever they are. */
static void corrupt_tables(struct guest *g)
{
	struct test_image *ti = g->ti;
	uint64_t gpa = TI_RAM_GPA + 4096 * (rand_r(&g->seed) % 8);
	uint64_t *table = (uint64_t *)(ti->ram + gpa - TI_RAM_GPA);
	unsigned int i;

	if (!(rand_r(&g->seed) % 4))
		table = (uint64_t *)(ti->ram + ti->root_gpa - TI_RAM_GPA);
	for (i = 0; i < 512; i++) {
		if (table[i] & 1 && rand_r(&g->seed) % 2)
			table[i] = nasty(g);
	}
}

/* What was ever handed out: pages from the bottom up, and the image. */
static void restore(struct guest *g, const uint8_t *good)
{
	uint64_t image = g->ti->root_gpa - TI_RAM_GPA;

	memcpy(g->ti->ram, good, g->ti->next_gpa - TI_RAM_GPA);
	memcpy(g->ti->ram + image, good + image, TI_IMAGE_BYTES);
}

static int count(void *ctx, const char *name, double value, bool unstable)
{
	++*(unsigned int *)ctx;
	ck_assert_uint_lt(0, strlen(name));
	return 0;
}

/* All that a session does with a monitor. */
static void use(struct monitor *mon)
{
	static struct mon_sched s;
	struct mon_prog progs[3];
	unsigned int calls = 0;
	uint8_t buf[128];
	uint64_t kva;
	uint32_t id;
	char name[16];
	json_t *j;

	mon_read_sched(mon, &s);
	for (id = 0; id <= NR_MAPS + 1; id++) {
		mon_find_map(mon, id, &kva, name);
		mon_watch_map(mon, id);
		mon_read_array_value(mon, id, buf, 0, sizeof(buf));
	}
	j = mon_read_maps(mon, 100);
	ck_assert_ptr_nonnull(j);
	ck_assert_uint_le(json_object_size(j), NR_MAPS);
	json_decref(j);
	mon_map_numbers(mon, count, &calls);
	json_decref(mon_details(mon));
	json_decref(mon_scx_exit(mon));
	ck_assert_int_le(mon_read_progs(mon, progs, 3), 3);
}

static void reopen_and_use(struct guest *g)
{
	struct test_image *ti = g->ti;
	struct monitor *mon;
	const void *raw;
	char msg[200];
	uint32_t len;

	raw = btf__raw_data(ti->btf, &len);
	if (mon_open(&ti->mem, &ti->info, raw, len, &mon, msg, sizeof(msg)))
		return;
	use(mon);
	mon_close(mon);
}

START_TEST(random_structures_do_no_harm)
{
	uint8_t *good = malloc(TI_RAM_BYTES);
	struct monitor *mon;
	struct guest g;
	unsigned int i;

	guest_init(&g, _i);
	memcpy(good, g.ti->ram, TI_RAM_BYTES);
	for (i = 0; i < ROUNDS; i++) {
		/* Maps that are watched before it happens, and after. */
		mon = ti_open(g.ti);
		if (i & 1)
			use(mon);
		corrupt(&g);
		use(mon);
		mon_close(mon);
		reopen_and_use(&g);
		restore(&g, good);
	}
	guest_fini(&g);
	free(good);
}
END_TEST

START_TEST(random_page_tables_do_no_harm)
{
	uint8_t *good = malloc(TI_RAM_BYTES);
	struct monitor *mon;
	struct guest g;
	unsigned int i;

	guest_init(&g, _i);
	memcpy(good, g.ti->ram, TI_RAM_BYTES);
	for (i = 0; i < ROUNDS; i++) {
		mon = ti_open(g.ti);
		use(mon);
		corrupt_tables(&g);
		use(mon);
		mon_close(mon);
		reopen_and_use(&g);
		restore(&g, good);
	}
	guest_fini(&g);
	free(good);
}
END_TEST

START_TEST(random_kernel_btf_does_no_harm)
{
	struct test_image *ti;
	struct monitor *mon;
	struct guest g;
	const void *raw;
	uint8_t *bad;
	char msg[200];
	uint32_t len;
	unsigned int i;

	guest_init(&g, _i);
	ti = g.ti;
	raw = btf__raw_data(ti->btf, &len);
	bad = malloc(len);
	for (i = 0; i < ROUNDS; i++) {
		unsigned int n = rand_r(&g.seed) % 4 + 1;

		memcpy(bad, raw, len);
		while (n--) {
			uint64_t v = nasty(&g);
			uint32_t at = rand_r(&g.seed) % (len - 8);

			memcpy(bad + at, &v, rand_r(&g.seed) % 8 + 1);
		}
		if (mon_open(&ti->mem, &ti->info, bad, len, &mon, msg,
			     sizeof(msg)))
			continue;
		use(mon);
		mon_close(mon);
	}
	free(bad);
	guest_fini(&g);
}
END_TEST

START_TEST(random_symbols_do_no_harm)
{
	struct guest g;
	unsigned int i;

	guest_init(&g, _i);
	for (i = 0; i < ROUNDS; i++) {
		struct mon_guest_info good = g.ti->info;

		g.ti->info.sym[rand_r(&g.seed) % MON_SYM_NR] = nasty(&g);
		if (i % 4 == 3)
			g.ti->info.nr_cpus = nasty(&g);
		reopen_and_use(&g);
		g.ti->info = good;
	}
	guest_fini(&g);
}
END_TEST

START_TEST(a_node_that_is_its_own_child_ends)
{
	struct guest g;
	struct monitor *mon;
	uint64_t node, slots, kva;
	unsigned int i, shift;

	guest_init(&g, _i);
	node = ti_direct(g.ti, ti_size(g.ti, "xa_node"));
	slots = node + ti_off(g.ti, "xa_node.slots");
	for (i = 0; i < g.ti->cfg.slots; i++)
		ti_write_u64(g.ti, slots + i * 8, node + 2);
	ti_write_u64(g.ti, g.ti->info.sym[MON_SYM_MAP_IDR] +
		     ti_off(g.ti, "idr.idr_rt") +
		     ti_off(g.ti, "xarray.xa_head"), node + 2);
	mon = ti_open(g.ti);
	for (shift = 0; shift < 256; shift++) {
		ti_set(g.ti, node, "xa_node.shift", shift);
		ck_assert_int_ne(0, mon_find_map(mon, 1, &kva, NULL));
	}
	mon_close(mon);
	guest_fini(&g);
}
END_TEST

static int no_print(enum libbpf_print_level level, const char *fmt,
		    va_list args)
{
	return 0;
}

int main(void)
{
	Suite *s = suite_create("hostile");
	TCase *t = tcase_create("hostile");
	SRunner *r;
	int failed;

	libbpf_set_print(no_print);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, random_structures_do_no_harm, 0, SEEDS);
	tcase_add_loop_test(t, random_page_tables_do_no_harm, 0, SEEDS);
	tcase_add_loop_test(t, random_kernel_btf_does_no_harm, 0, SEEDS);
	tcase_add_loop_test(t, random_symbols_do_no_harm, 0, SEEDS);
	tcase_add_loop_test(t, a_node_that_is_its_own_child_ends, 0, 4);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
