// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that lies: memory is changed at random, in all the structures that
 * the monitor follows, and nothing but a bounded answer may come of it.
 */
#include "monitor/monitor.h"
#include "lib/test_run.h"
#include "monitor/test_full.h"
#include "monitor/test_image.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <check.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 24
#define ROUNDS 150

struct guest {
	struct test_full full;
	struct test_image *ti;	/* its own */
	unsigned int seed;
};

static void guest_init(struct guest *g, unsigned int seed)
{
	tf_init(&g->full, seed);
	g->ti = g->full.ti;
	g->seed = seed;
}

static void guest_fini(struct guest *g)
{
	tf_fini(&g->full);
}

/* Pointers that are likely to do harm, and numbers that are. */
static uint64_t nasty(struct guest *g)
{
	uint64_t base = g->full.targets[rand_r(&g->seed) % g->full.nr_targets];
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
		unsigned int i = rand_r(&g->seed) % g->full.nr_targets;
		uint64_t kva = g->full.targets[i] + rand_r(&g->seed) %
						       g->full.target_len[i];
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
	for (id = 0; id <= TF_MAPS + 1; id++) {
		mon_find_map(mon, id, &kva, name);
		mon_watch_map(mon, id);
		mon_read_array_value(mon, id, buf, 0, sizeof(buf));
	}
	j = mon_read_maps(mon, 100);
	ck_assert_ptr_nonnull(j);
	ck_assert_uint_le(json_object_size(j), TF_MAPS);
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

	libbpf_set_print(no_print);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, random_structures_do_no_harm, 0, SEEDS);
	tcase_add_loop_test(t, random_page_tables_do_no_harm, 0, SEEDS);
	tcase_add_loop_test(t, random_kernel_btf_does_no_harm, 0, SEEDS);
	tcase_add_loop_test(t, random_symbols_do_no_harm, 0, SEEDS);
	tcase_add_loop_test(t, a_node_that_is_its_own_child_ends, 0, 4);
	suite_add_tcase(s, t);
	return test_run(s);
}
