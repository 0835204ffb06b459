// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/hash_numbers.h"

#include "lib/test_run.h"
#include "monitor/monitor.h"
#include "monitor/test_image.h"
#include "monitor/test_numbers.h"

#include <bpf/btf.h>
#include <check.h>
#include <linux/bpf.h>

#include <stdlib.h>
#include <string.h>

/* Every test runs on a few layouts: odd numbers have 5-level paging. */
#define LAYOUTS 4

static struct test_image *image(int layout)
{
	struct ti_config cfg = { .seed = 500 + layout,
				 .levels = layout & 1 ? 5 : 4 };

	return ti_new(&cfg);
}

/* The types of the tests' maps, and the BTF that has them. */
struct types {
	struct btf *btf;
	int u32, s32, text, pair, value;
};

static struct types make_types(void)
{
	struct types t = { .btf = btf__new_empty() };
	int ch;

	t.u32 = btf__add_int(t.btf, "unsigned int", 4, 0);
	t.s32 = btf__add_int(t.btf, "int", 4, BTF_INT_SIGNED);
	ch = btf__add_int(t.btf, "char", 1, BTF_INT_SIGNED);
	t.text = btf__add_array(t.btf, t.u32, ch, 8);
	t.pair = btf__add_struct(t.btf, "pair", 8);
	btf__add_field(t.btf, "cpu", t.u32, 0, 0);
	btf__add_field(t.btf, "pid", t.s32, 32, 0);
	t.value = btf__add_struct(t.btf, "value", 8);
	btf__add_field(t.btf, "count", t.u32, 0, 0);
	btf__add_field(t.btf, "lag", t.s32, 32, 0);
	return t;
}

static struct ti_map hash_map(uint32_t type)
{
	return (struct ti_map){ .id = 3, .type = type, .key_size = 4,
				.value_size = 8, .max_entries = 1000,
				.name = "hash" };
}

static struct monitor *watch(struct test_image *ti)
{
	struct monitor *mon = ti_open(ti);

	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	return mon;
}

START_TEST(fields_of_each_element_go_by_its_key)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_LRU_HASH);
	struct test_image *ti = image(_i);
	struct types t = make_types();
	uint32_t keys[] = { 7, 4000000000u }, v[2][2] = { { 5, -9 }, { 6, 1 } };
	struct monitor *mon;
	uint64_t map;
	int i;

	m.btf_kva = ti_btf(ti, t.btf, 1);
	m.key_type = t.u32;
	m.value_type = t.value;
	map = ti_hash(ti, &m, 8);
	for (i = 0; i < 2; i++)
		ti_write(ti, ti_hash_add(ti, map, i * 3, &keys[i], 4), v[i], 8);
	mon = watch(ti);
	ck_assert_uint_eq(4, look(mon, "").calls);
	ck_assert_double_eq(5, number(mon, "hash[7].count"));
	ck_assert_double_eq(-9, number(mon, "hash[7].lag"));
	ck_assert_double_eq(6, number(mon, "hash[4000000000].count"));
	ck_assert_double_eq(1, number(mon, "hash[4000000000].lag"));
	btf__free(t.btf);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(keys_are_written_by_their_type)
{
	const struct {
		int type;
		uint32_t size;
		char bytes[9];
		const char *name;
	} keys[] = {
		{ 0, 4, "\xff\xff\xff\xff", "hash[4294967295].count" },
		{ 1, 4, "\xff\xff\xff\xff", "hash[-1].count" },
		{ 2, 8, "task-a", "hash[task-a].count" },
		{ 2, 8, "eight by", "hash[eight by].count" },
		{ 2, 8, "\n\xff", "hash[??].count" },
		{ 3, 8, "\3\0\0\0\xfe\xff\xff\xff", "hash[3,-2].count" },
	};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct ti_map m = hash_map(BPF_MAP_TYPE_HASH);
		struct test_image *ti = image(_i);
		struct types t = make_types();
		const int types[] = { t.u32, t.s32, t.text, t.pair };
		struct monitor *mon;

		m.btf_kva = ti_btf(ti, t.btf, 1);
		m.key_size = keys[i].size;
		m.key_type = types[keys[i].type];
		m.value_type = t.value;
		ti_write_u32(ti, ti_hash_add(ti, ti_hash(ti, &m, 4), 1,
					     keys[i].bytes, m.key_size), 17);
		mon = watch(ti);
		ck_assert_double_eq(17, number(mon, keys[i].name));
		btf__free(t.btf);
		mon_close(mon);
		ti_free(ti);
	}
}
END_TEST

START_TEST(without_types_words_are_numbers)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_HASH);
	struct test_image *ti = image(_i);
	uint32_t key = 12;
	struct monitor *mon;

	ti_write_u64(ti, ti_hash_add(ti, ti_hash(ti, &m, 4), 0, &key, 4), 99);
	mon = watch(ti);
	ck_assert_double_eq(99, number(mon, "hash[12]"));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(values_per_cpu_are_summed)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_LRU_PERCPU_HASH);
	struct test_image *ti = image(_i);
	uint64_t map = ti_hash(ti, &m, 4), pptr = ti_percpu(ti, 8);
	uint32_t key = 77, cpu;
	struct monitor *mon;

	ti_write_u64(ti, ti_hash_add(ti, map, 2, &key, 4), pptr);
	for (cpu = 0; cpu < 2; cpu++)
		ti_write_u64(ti, pptr + ti->percpu_off[cpu], 5 + cpu);
	mon = watch(ti);
	ck_assert_double_eq(11, number(mon, "hash[77]"));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(elements_come_and_go)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_HASH);
	struct test_image *ti = image(_i);
	uint64_t map = ti_hash(ti, &m, 1), value, node;
	uint32_t old = 1, new = 2;
	struct monitor *mon;

	value = ti_hash_add(ti, map, 0, &old, 4);
	mon = watch(ti);
	ck_assert_uint_eq(1, look(mon, "hash[1]").hits);
	ck_assert_uint_eq(0, look(mon, "hash[2]").hits);

	value = ti_hash_add(ti, map, 0, &new, 4);
	ck_assert_uint_eq(1, look(mon, "hash[1]").hits);
	ck_assert_uint_eq(1, look(mon, "hash[2]").hits);

	/* The old one is taken out: the new one is the chain's last. */
	node = value - 8 - ti_off(ti, "htab_elem.key") +
	       ti_off(ti, "htab_elem.hash_node");
	ti_set(ti, node, "hlist_nulls_node.next", 1);
	ck_assert_uint_eq(0, look(mon, "hash[1]").hits);
	ck_assert_uint_eq(1, look(mon, "hash[2]").hits);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(what_one_reading_tells_is_bounded)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_HASH);
	struct test_image *ti = image(_i);
	uint64_t map = ti_hash(ti, &m, 16);
	struct monitor *mon;
	uint32_t key;

	for (key = 0; key < HASH_NUMBERS_MAX_ELEMS; key++)
		ti_hash_add(ti, map, key % 16, &key, 4);
	mon = watch(ti);
	ck_assert_uint_eq(HASH_NUMBERS_MAX_ELEMS, look(mon, "").calls);
	for (; key < 2 * HASH_NUMBERS_MAX_ELEMS; key++)
		ti_hash_add(ti, map, key % 16, &key, 4);
	ck_assert_uint_eq(HASH_NUMBERS_MAX_ELEMS, look(mon, "").calls);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(a_table_too_large_for_each_sample_has_none)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_HASH);
	struct test_image *ti = image(_i);
	uint64_t map = ti_hash(ti, &m, 64);
	uint32_t key = 1;
	struct monitor *mon;

	ti_hash_add(ti, map, 0, &key, 4);
	ti_set(ti, map - ti_off(ti, "bpf_htab.map"), "bpf_htab.n_buckets",
	       HASH_NUMBERS_MAX_BUCKETS * 2);
	mon = watch(ti);
	ck_assert_uint_eq(0, look(mon, "").calls);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(a_name_too_long_is_left_out)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_HASH);
	struct test_image *ti = image(_i);
	struct types t = make_types();
	char key[HASH_NUMBER_NAME];
	struct monitor *mon;
	uint64_t map;

	m.btf_kva = ti_btf(ti, t.btf, 1);
	m.key_type = btf__add_array(t.btf, t.u32, t.text - 1, sizeof(key));
	m.btf_kva = ti_btf(ti, t.btf, 1);
	m.key_size = sizeof(key);
	m.value_type = t.value;
	map = ti_hash(ti, &m, 4);
	memset(key, 'a', sizeof(key));
	ti_hash_add(ti, map, 0, key, sizeof(key));
	memset(key, 0, sizeof(key));
	key[0] = 'b';
	ti_hash_add(ti, map, 0, key, sizeof(key));
	mon = watch(ti);
	ck_assert_uint_eq(2, look(mon, "").calls);
	ck_assert_uint_eq(1, look(mon, "hash[b].count").hits);
	btf__free(t.btf);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

#define ADD(test) tcase_add_loop_test(t, test, 0, LAYOUTS)

int main(void)
{
	Suite *s = suite_create("hash_numbers");
	TCase *t = tcase_create("hash_numbers");

	tcase_set_timeout(t, 20);
	ADD(fields_of_each_element_go_by_its_key);
	ADD(keys_are_written_by_their_type);
	ADD(without_types_words_are_numbers);
	ADD(values_per_cpu_are_summed);
	ADD(elements_come_and_go);
	ADD(what_one_reading_tells_is_bounded);
	ADD(a_table_too_large_for_each_sample_has_none);
	ADD(a_name_too_long_is_left_out);
	suite_add_tcase(s, t);
	return test_run(s);
}
