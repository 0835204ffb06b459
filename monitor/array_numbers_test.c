// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/array_numbers.h"

#include "monitor/monitor.h"
#include "monitor/test_image.h"
#include "monitor/test_numbers.h"

#include <bpf/btf.h>
#include <check.h>
#include <linux/bpf.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fewer than, as many as, and more than are read together; and not of those */
static const unsigned int counts[] = { 1, 7, 8, 9, 16, 63, 252 };

#define NR_COUNTS ((int)(sizeof(counts) / sizeof(counts[0])))
#define ID 5

static uint64_t walks(struct monitor *mon)
{
	struct mon_stats before, after;

	mon_stats_read(mon, &before);
	look(mon, "");
	mon_stats_read(mon, &after);
	return after.walks - before.walks;
}

/*
 * A value with one field of each sort: five that are words, one that has bits
 * of a word, and one that no word holds.
 */
#define VALUE_BYTES 40

static struct btf *fields_btf(int *type)
{
	struct btf *btf = btf__new_empty();
	int u64, s64, u32, s32, u16, odd;

	ck_assert_ptr_nonnull(btf);
	u64 = btf__add_int(btf, "unsigned long", 8, 0);
	s64 = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
	u32 = btf__add_int(btf, "unsigned int", 4, 0);
	s32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	u16 = btf__add_int(btf, "unsigned short", 2, 0);
	odd = btf__add_int(btf, "bool", 1, BTF_INT_BOOL);
	*type = btf__add_struct(btf, "fields", VALUE_BYTES);
	btf__add_field(btf, "u64", u64, 0, 0);
	btf__add_field(btf, "s64", s64, 64, 0);
	btf__add_field(btf, "u32", u32, 128, 0);
	btf__add_field(btf, "s32", s32, 160, 0);
	btf__add_field(btf, "u16", u16, 192, 0);
	btf__add_field(btf, "yes", odd, 208, 0);
	btf__add_field(btf, "bits", u32, 224 + 3, 7);
	ck_assert_int_eq(0, btf__add_field(btf, "across", u64, 256 - 32 + 16,
					   0));
	return btf;
}

struct guest {
	struct test_image *ti;
	struct btf *btf;
	uint64_t map;
	struct monitor *mon;
};

static void open_guest(struct guest *g, unsigned int cpus, uint32_t entries)
{
	struct ti_config cfg = { .seed = 70 + cpus, .cpus = cpus,
				 .levels = cpus & 1 ? 5 : 4 };
	struct ti_map m = { .id = ID, .type = BPF_MAP_TYPE_PERCPU_ARRAY,
			    .key_size = 4, .value_size = VALUE_BYTES,
			    .max_entries = entries, .name = "a" };
	int type;

	g->ti = ti_new(&cfg);
	g->btf = fields_btf(&type);
	m.btf_kva = ti_btf(g->ti, g->btf, 3);
	m.value_type = type;
	g->map = ti_map(g->ti, &m);
	g->mon = ti_open(g->ti);
	ck_assert_int_eq(0, mon_watch_map(g->mon, ID));
}

static void close_guest(struct guest *g)
{
	mon_close(g->mon);
	btf__free(g->btf);
	ti_free(g->ti);
}

static void plant(struct guest *g, unsigned int cpu, uint32_t off, uint64_t v,
		  size_t len)
{
	ti_write(g->ti, ti_percpu_value(g->ti, g->map, 0, cpu) + off, &v, len);
}

START_TEST(each_sort_of_field_adds_up)
{
	unsigned int cpus = counts[_i], cpu, round;
	struct guest g;

	open_guest(&g, cpus, 1);
	for (cpu = 0; cpu < cpus; cpu++) {
		plant(&g, cpu, 0, 1000 + cpu, 8);
		plant(&g, cpu, 8, -5000 - (int64_t)cpu, 8);
		plant(&g, cpu, 16, 0xfffffff0, 4);
		plant(&g, cpu, 20, -3, 4);
		plant(&g, cpu, 24, 65535, 2);
		plant(&g, cpu, 26, 2, 1); /* true is true */
		plant(&g, cpu, 28, (cpu % 128) << 3 | 0x7, 2);
		plant(&g, cpu, 30, 1ull << 40 | cpu, 8);
	}
	/* where they are is known in the second round */
	for (round = 0; round < 2; round++) {
		double pairs = cpus * (cpus - 1) / 2, bits = 0;

		for (cpu = 0; cpu < cpus; cpu++)
			bits += cpu % 128;
		ck_assert_double_eq(1000. * cpus + pairs,
				    number(g.mon, "a.u64"));
		ck_assert_double_eq(-5000. * cpus - pairs,
				    number(g.mon, "a.s64"));
		ck_assert_double_eq(4294967280. * cpus,
				    number(g.mon, "a.u32"));
		ck_assert_double_eq(-3. * cpus, number(g.mon, "a.s32"));
		ck_assert_double_eq(65535. * cpus, number(g.mon, "a.u16"));
		ck_assert_double_eq(1. * cpus, number(g.mon, "a.yes"));
		ck_assert_double_eq(bits, number(g.mon, "a.bits"));
		ck_assert_double_eq(1099511627776. * cpus + pairs,
				    number(g.mon, "a.across"));
	}
	close_guest(&g);
}
END_TEST

START_TEST(sums_larger_than_a_word_do_not_wrap)
{
	unsigned int cpus = counts[_i], cpu;
	struct guest g;

	open_guest(&g, cpus, 1);
	for (cpu = 0; cpu < cpus; cpu++) {
		plant(&g, cpu, 0, UINT64_MAX, 8);
		plant(&g, cpu, 8, INT64_MIN, 8);
	}
	ck_assert_double_eq(18446744073709551616. * cpus,
			    number(g.mon, "a.u64"));
	ck_assert_double_eq(-9223372036854775808. * cpus,
			    number(g.mon, "a.s64"));
	/* nor do they in the midst of what is small again at the end */
	for (cpu = 2; cpu < cpus; cpu++) {
		plant(&g, cpu, 0, 0, 8);
		plant(&g, cpu, 8, 1ull << 62, 8);
	}
	ck_assert_double_eq(18446744073709551616. * (cpus < 2 ? cpus : 2),
			    number(g.mon, "a.u64"));
	ck_assert_double_eq(cpus < 2 ? -9223372036854775808. :
			    -18446744073709551616. +
			    4611686018427387904. * (cpus - 2),
			    number(g.mon, "a.s64"));
	close_guest(&g);
}
END_TEST

/* 252 CPUs: more places than are kept; 1: fewer. */
START_TEST(entries_that_are_too_many_to_be_kept_are_read)
{
	unsigned int cpus = _i ? 252 : 1, entries = 70;
	struct guest g;
	uint64_t v = 77;

	open_guest(&g, cpus, entries);
	ck_assert_int_eq(_i, cpus * entries > ARRAY_MAX_PLACES);
	ti_write(g.ti, ti_percpu_value(g.ti, g.map, entries - 1, cpus - 1), &v,
		 8);
	ck_assert_double_eq(77, number(g.mon, "a[69].u64"));
	ck_assert_double_eq(77, number(g.mon, "a[69].u64"));
	ck_assert_double_eq(0, number(g.mon, "a[0].u64"));
	close_guest(&g);
}
END_TEST

START_TEST(where_values_are_is_looked_up_once)
{
	struct ti_config cfg = { .cpus = 252 };
	struct ti_map m = { .id = ID, .type = BPF_MAP_TYPE_PERCPU_ARRAY,
			    .key_size = 4, .value_size = 8, .max_entries = 2,
			    .name = "a" };
	struct test_image *ti = ti_new(&cfg);
	struct monitor *mon;
	uint64_t table;

	ti_map(ti, &m);
	mon = ti_open(ti);
	/* the way through the table of ids */
	table = walks(mon);
	ck_assert_int_eq(0, mon_watch_map(mon, ID));
	/* 252 areas of 64 KiB each are at least 7 times 2 MiB */
	ck_assert_uint_ge(walks(mon), table + 7);
	ck_assert_uint_le(walks(mon), table + 3);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/*
 * A map is freed, and what then has its place and its id is told by its own
 * memory, not by that of the one before.
 */
START_TEST(places_do_not_outlive_their_map)
{
	struct guest g;
	uint64_t other;

	open_guest(&g, 9, 1);
	plant(&g, 8, 0, 41, 8);
	ck_assert_double_eq(41, number(g.mon, "a.u64"));

	ti_idr_set(g.ti, ID, 0);
	ck_assert_uint_eq(0, look(g.mon, "").calls);

	other = ti_percpu(g.ti, VALUE_BYTES);
	ti_write_u64(g.ti, ti_value(g.ti, g.map, 8, 0), other);
	ti_write_u64(g.ti, other + g.ti->percpu_off[8], 42);
	ti_idr_set(g.ti, ID, g.map);
	ck_assert_double_eq(42, number(g.mon, "a.u64"));
	close_guest(&g);
}
END_TEST

/* Its id in the table is another's now, though its memory says what it did. */
START_TEST(a_map_that_left_the_table_is_not_told)
{
	struct guest g;

	open_guest(&g, 2, 1);
	ck_assert_uint_eq(8, look(g.mon, "").calls);
	ti_idr_set(g.ti, ID, ti_direct(g.ti, 4096));
	ck_assert_uint_eq(0, look(g.mon, "").calls);
	close_guest(&g);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("array_numbers");
	TCase *t = tcase_create("array_numbers");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, each_sort_of_field_adds_up, 0, NR_COUNTS);
	tcase_add_loop_test(t, sums_larger_than_a_word_do_not_wrap, 0,
			    NR_COUNTS);
	tcase_add_loop_test(t, entries_that_are_too_many_to_be_kept_are_read,
			    0, 2);
	tcase_add_test(t, where_values_are_is_looked_up_once);
	tcase_add_test(t, places_do_not_outlive_their_map);
	tcase_add_test(t, a_map_that_left_the_table_is_not_told);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
