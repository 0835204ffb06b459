// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/monitor.h"
#include "lib/test_run.h"
#include "monitor/test_image.h"
#include "monitor/test_numbers.h"

#include <bpf/btf.h>
#include <check.h>
#include <linux/bpf.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Every test runs on a few layouts: odd numbers have 5-level paging. */
#define LAYOUTS 6

static struct test_image *image(int layout)
{
	struct ti_config cfg = { .seed = 1000 + layout,
				 .levels = layout & 1 ? 5 : 4,
				 .slots = layout & 2 ? 16 : 64 };

	return ti_new(&cfg);
}

START_TEST(maps_are_found_by_id)
{
	static const uint32_t ids[] = { 1, 2, 64, 65, 100, 4097, 300000 };
	struct test_image *ti = image(_i);
	struct monitor *mon;
	uint64_t kva[7], seen;
	char name[16];
	size_t i;

	for (i = 0; i < 7; i++) {
		struct ti_map m = { .id = ids[i], .type = BPF_MAP_TYPE_ARRAY,
				    .key_size = 4, .value_size = 8,
				    .max_entries = 1, .name = "a_map" };

		kva[i] = ti_map(ti, &m);
	}
	mon = ti_open(ti);
	for (i = 0; i < 7; i++) {
		ck_assert_int_eq(0, mon_find_map(mon, ids[i], &seen, name));
		ck_assert_uint_eq(kva[i], seen);
		ck_assert_str_eq("a_map", name);
	}
	ck_assert_int_eq(-ENOENT, mon_find_map(mon, 0, &seen, NULL));
	ck_assert_int_eq(-ENOENT, mon_find_map(mon, 3, &seen, NULL));
	ck_assert_int_eq(-ENOENT, mon_find_map(mon, 70, &seen, NULL));
	ck_assert_int_eq(-ENOENT, mon_find_map(mon, UINT32_MAX, &seen, NULL));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(map_that_carries_another_id_is_not_found)
{
	struct ti_map m = { .id = 9, .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = 8, .max_entries = 1, .name = "m" };
	struct test_image *ti = image(_i);
	uint64_t map = ti_map(ti, &m), seen;
	struct monitor *mon = ti_open(ti);

	ti_set(ti, map, "bpf_map.id", 0); /* as a map that is being freed */
	ck_assert_int_eq(-ENOENT, mon_find_map(mon, 9, &seen, NULL));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* What a test saw of mon_map_numbers(). */
static size_t nr_entries(const json_t *map)
{
	return json_array_size(json_object_get(map, "entries"));
}

static json_t *at(json_t *j, const char *map, size_t entry)
{
	j = json_object_get(json_object_get(j, map), "entries");
	return json_array_get(j, entry);
}

START_TEST(untyped_array_has_entries_and_numbers)
{
	struct ti_map m = { .id = 4, .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = 8, .max_entries = 600,
			    .name = "counts" };
	struct test_image *ti = image(_i);
	uint64_t map = ti_map(ti, &m);
	struct monitor *mon = ti_open(ti);
	json_t *all, *one;

	/* Entry 511's value is on another page than the map itself. */
	ti_write_u64(ti, ti_value(ti, map, 8, 0), 5);
	ti_write_u64(ti, ti_value(ti, map, 8, 511), 1ull << 60);
	ck_assert_int_eq(0, mon_watch_map(mon, 4));
	ck_assert_int_eq(0, mon_watch_map(mon, 4));
	ck_assert_double_eq(5, number(mon, "counts[0]"));
	ck_assert_double_eq(1ull << 60, number(mon, "counts[511]"));

	all = mon_read_maps(mon, 512);
	ck_assert_uint_eq(1, json_object_size(all));
	one = json_object_get(all, "counts");
	ck_assert_str_eq("array",
			 json_string_value(json_object_get(one, "type")));
	ck_assert_str_eq("host",
			 json_string_value(json_object_get(one, "source")));
	ck_assert_str_eq("u32", json_string_value(json_object_get(one, "key")));
	ck_assert_str_eq("u64",
			 json_string_value(json_object_get(one, "value")));
	ck_assert(json_is_true(json_object_get(one, "truncated")));
	ck_assert_uint_eq(512, nr_entries(one));
	ck_assert_int_eq(5, json_integer_value(
		json_object_get(at(all, "counts", 0), "value")));
	ck_assert_str_eq("1152921504606846976", json_string_value(
		json_object_get(at(all, "counts", 511), "value")));
	json_decref(all);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(percpu_array_lists_cpus_and_sums_them)
{
	struct ti_map m = { .id = 5, .type = BPF_MAP_TYPE_PERCPU_ARRAY,
			    .key_size = 4, .value_size = 8, .max_entries = 2,
			    .name = "stats" };
	struct test_image *ti = image(_i);
	uint64_t map = ti_map(ti, &m);
	struct monitor *mon = ti_open(ti);
	json_t *all, *values;

	ti_write_u64(ti, ti_percpu_value(ti, map, 1, 0), 812);
	ti_write_u64(ti, ti_percpu_value(ti, map, 1, 1), 790);
	ck_assert_int_eq(0, mon_watch_map(mon, 5));
	ck_assert_double_eq(0, number(mon, "stats[0]"));
	ck_assert_double_eq(1602, number(mon, "stats[1]"));

	all = mon_read_maps(mon, 100);
	values = json_object_get(at(all, "stats", 1), "values");
	ck_assert_uint_eq(2, json_array_size(values));
	ck_assert_int_eq(812, json_integer_value(json_array_get(values, 0)));
	ck_assert_int_eq(790, json_integer_value(json_array_get(values, 1)));
	json_decref(all);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* A program's BTF with global data: u64 nr at 8, s32 lag at 0. */
static struct btf *global_btf(uint32_t *section)
{
	struct btf *btf = btf__new_empty();
	int u64, s32, nr, lag;

	u64 = btf__add_typedef(btf, "u64", btf__add_int(btf, "unsigned long",
							8, 0));
	s32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	nr = btf__add_var(btf, "nr", BTF_VAR_GLOBAL_ALLOCATED, u64);
	lag = btf__add_var(btf, "lag", BTF_VAR_STATIC, s32);
	*section = btf__add_datasec(btf, ".bss", 16);
	btf__add_datasec_var_info(btf, lag, 0, 4);
	btf__add_datasec_var_info(btf, nr, 8, 8);
	return btf;
}

START_TEST(global_data_goes_by_its_section)
{
	struct ti_map m = { .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = 16, .max_entries = 1 };
	struct test_image *ti = image(_i);
	struct btf *btf = global_btf(&m.value_type);
	struct monitor *mon;
	json_t *all, *value;
	uint64_t map;

	m.btf_kva = ti_btf(ti, btf, 70);
	m.id = 20;
	m.name = "scx_simp.bss";
	map = ti_map(ti, &m);
	ti_write_u32(ti, ti_value(ti, map, 16, 0), -5);
	ti_write_u64(ti, ti_value(ti, map, 16, 0) + 8, 91234567);
	m.id = 21;
	m.name = "second.bss";
	map = ti_map(ti, &m);
	ti_write_u64(ti, ti_value(ti, map, 16, 0) + 8, 3);
	m.id = 22; /* the name is taken */
	map = ti_map(ti, &m);

	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 20));
	ck_assert_int_eq(0, mon_watch_map(mon, 21));
	ck_assert_int_eq(0, mon_watch_map(mon, 22));
	ck_assert_double_eq(91234567, number(mon, ".bss.nr"));
	ck_assert_double_eq(-5, number(mon, ".bss.lag"));
	ck_assert_double_eq(3, number(mon, ".bss#21.nr"));

	all = mon_read_maps(mon, 10);
	value = json_object_get(at(all, "scx_simp.bss", 0), "value");
	ck_assert_int_eq(91234567,
			 json_integer_value(json_object_get(value, "nr")));
	ck_assert_int_eq(-5, json_integer_value(json_object_get(value, "lag")));
	ck_assert_ptr_nonnull(json_object_get(all, "second.bss"));
	ck_assert_ptr_nonnull(json_object_get(all, "second.bss#22"));
	json_decref(all);
	mon_close(mon);
	btf__free(btf);
	ti_free(ti);
}
END_TEST

START_TEST(btf_that_does_not_fit_leaves_the_map_untyped)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = 8, .max_entries = 1, .name = "m" };
	struct test_image *ti = image(_i);
	struct btf *btf = global_btf(&m.value_type); /* 16 bytes */
	struct monitor *mon;
	json_t *all;

	m.btf_kva = ti_btf(ti, btf, 70);
	ti_map(ti, &m);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	ck_assert_double_eq(0, number(mon, "m"));
	all = mon_read_maps(mon, 10);
	ck_assert(json_is_integer(json_object_get(at(all, "m", 0), "value")));
	json_decref(all);
	mon_close(mon);
	btf__free(btf);
	ti_free(ti);
}
END_TEST

static void expect_why(struct monitor *mon, const char *name, const char *part)
{
	json_t *all = mon_read_maps(mon, 10), *map;
	const char *why;

	map = json_object_get(all, name);
	ck_assert(json_is_false(json_object_get(map, "readable")));
	why = json_string_value(json_object_get(map, "why"));
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, part), "%s", why);
	ck_assert_ptr_null(json_object_get(map, "entries"));
	json_decref(all);
}

START_TEST(maps_that_can_not_be_read_say_why)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_PROG_ARRAY,
			    .key_size = 4, .value_size = 8, .max_entries = 4,
			    .name = "progs" };
	struct test_image *ti = image(_i);
	struct monitor *mon;
	uint64_t map;

	ti_map(ti, &m);
	m.id = 4;
	m.type = BPF_MAP_TYPE_ARRAY;
	m.name = "lies";
	map = ti_map(ti, &m);
	ti_set(ti, map - ti_off(ti, "bpf_array.map"), "bpf_array.elem_size", 4);
	m.id = 5;
	m.name = "big";
	map = ti_map(ti, &m);
	ti_set(ti, map, "bpf_map.value_size", 2 << 20);
	ti_set(ti, map - ti_off(ti, "bpf_array.map"), "bpf_array.elem_size",
	       2 << 20);

	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	ck_assert_int_eq(0, mon_watch_map(mon, 4));
	ck_assert_int_eq(0, mon_watch_map(mon, 5));
	ck_assert_int_eq(-ENOENT, mon_watch_map(mon, 6));
	expect_why(mon, "progs", "type");
	expect_why(mon, "lies", "contradict");
	expect_why(mon, "big", "1 MiB");
	mon_close(mon);
	ti_free(ti);
}
END_TEST

static struct ti_map hash_map(uint32_t type)
{
	return (struct ti_map){ .id = 3, .type = type, .key_size = 4,
				.value_size = 8, .max_entries = 100,
				.name = "hash" };
}

START_TEST(hash_lists_the_elements_of_all_buckets)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_LRU_HASH);
	struct test_image *ti = image(_i);
	uint64_t map = ti_hash(ti, &m, 64), sum = 0;
	struct monitor *mon;
	json_t *all, *hash;
	uint32_t key;
	size_t i;

	for (key = 1; key <= 20; key++)
		ti_write_u64(ti, ti_hash_add(ti, map, key % 3 * 31, &key, 4),
			     key * 1000);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	all = mon_read_maps(mon, 100);
	hash = json_object_get(all, "hash");
	ck_assert_ptr_null(json_object_get(hash, "unstable"));
	ck_assert_ptr_null(json_object_get(hash, "truncated"));
	ck_assert_uint_eq(20, nr_entries(hash));
	for (i = 0; i < 20; i++) {
		json_t *e = at(all, "hash", i);
		json_int_t k = json_integer_value(json_object_get(e, "key"));

		ck_assert_int_eq(k * 1000, json_integer_value(
			json_object_get(e, "value")));
		sum += k;
	}
	ck_assert_uint_eq(210, sum);
	json_decref(all);

	all = mon_read_maps(mon, 7);
	hash = json_object_get(all, "hash");
	ck_assert_uint_eq(7, nr_entries(hash));
	ck_assert(json_is_true(json_object_get(hash, "truncated")));
	json_decref(all);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(percpu_hash_lists_cpus)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_PERCPU_HASH);
	struct test_image *ti = image(_i);
	uint64_t map = ti_hash(ti, &m, 4), pptr = ti_percpu(ti, 8);
	uint32_t key = 77, cpu;
	struct monitor *mon;
	json_t *all, *values;

	ti_write_u64(ti, ti_hash_add(ti, map, 2, &key, 4), pptr);
	for (cpu = 0; cpu < 2; cpu++)
		ti_write_u64(ti, pptr + ti->percpu_off[cpu], 5 + cpu);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	all = mon_read_maps(mon, 100);
	values = json_object_get(at(all, "hash", 0), "values");
	ck_assert_uint_eq(2, json_array_size(values));
	ck_assert_int_eq(5, json_integer_value(json_array_get(values, 0)));
	ck_assert_int_eq(6, json_integer_value(json_array_get(values, 1)));
	json_decref(all);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* The element of bucket 0 now hangs in a chain that ends as bucket 1's. */
START_TEST(a_chain_that_ends_elsewhere_is_unstable)
{
	struct ti_map m = hash_map(BPF_MAP_TYPE_HASH);
	struct test_image *ti = image(_i);
	uint64_t map = ti_hash(ti, &m, 4), node;
	struct monitor *mon;
	uint32_t key = 1;
	json_t *all;

	node = ti_hash_add(ti, map, 0, &key, 4) - 8 -
	       ti_off(ti, "htab_elem.key") + ti_off(ti, "htab_elem.hash_node");
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	all = mon_read_maps(mon, 100);
	ck_assert_ptr_null(json_object_get(json_object_get(all, "hash"),
					   "unstable"));
	json_decref(all);

	ti_set(ti, node, "hlist_nulls_node.next", 3);
	all = mon_read_maps(mon, 100);
	ck_assert(json_is_true(json_object_get(json_object_get(all, "hash"),
					       "unstable")));
	json_decref(all);

	/* And one that leads back to itself ends, too. */
	ti_set(ti, node, "hlist_nulls_node.next", node);
	all = mon_read_maps(mon, 10000);
	ck_assert(json_is_true(json_object_get(json_object_get(all, "hash"),
					       "unstable")));
	json_decref(all);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(map_that_went_away_is_gone)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = 8, .max_entries = 1, .name = "m" };
	struct test_image *ti = image(_i);
	uint64_t map = ti_map(ti, &m);
	struct monitor *mon = ti_open(ti);
	struct seen s = { .want = "m" };
	char byte;

	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	ck_assert_double_eq(0, number(mon, "m"));
	ti_idr_set(ti, 3, 0);
	ck_assert_int_eq(0, mon_map_numbers(mon, see, &s));
	ck_assert_uint_eq(0, s.calls);
	expect_why(mon, "m", "gone");
	ck_assert_int_eq(-ENOENT, mon_read_array_value(mon, 3, &byte, 0, 1));

	/* Another map under the same id is not that map. */
	ti_idr_set(ti, 3, map + 8);
	expect_why(mon, "m", "gone");
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(raw_bytes_of_an_array_are_bounded)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = 10000, .max_entries = 1,
			    .name = "shm" };
	struct test_image *ti = image(_i);
	uint64_t map = ti_map(ti, &m), v = 0, again = 0;
	struct monitor *mon;
	void *hva;

	ti_write_u64(ti, ti_value(ti, map, 10000, 0) + 9992, 4711);
	m.id = 4;
	m.type = BPF_MAP_TYPE_PERCPU_ARRAY;
	m.value_size = 8;
	ti_map(ti, &m);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_read_array_value(mon, 3, &v, 9992, 8));
	ck_assert_uint_eq(4711, v);
	ck_assert_int_eq(-EINVAL, mon_read_array_value(mon, 3, &v, 9993, 8));
	ck_assert_int_eq(-EINVAL,
			 mon_read_array_value(mon, 3, &v, SIZE_MAX, 8));
	/* where it is: a write there is a write to the guest's */
	ck_assert_int_eq(0, mon_array_value_hva(mon, 3, 9992, 8, &hva));
	*(uint64_t *)hva = ~v;
	ck_assert_int_eq(0, mon_read_array_value(mon, 3, &again, 9992, 8));
	ck_assert_uint_eq(~v, again);
	*(uint64_t *)hva = v;
	ck_assert_int_eq(-EINVAL, mon_array_value_hva(mon, 3, 9993, 8, &hva));
	ck_assert_int_eq(-EFAULT, mon_array_value_hva(mon, 3, 0, 8192, &hva));
	ck_assert_int_eq(-ENOENT, mon_array_value_hva(mon, 5, 0, 8, &hva));
	ck_assert_int_eq(-EINVAL, mon_read_array_value(mon, 4, &v, 0, 8));
	ck_assert_int_eq(-ENOENT, mon_read_array_value(mon, 5, &v, 0, 8));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(at_most_128_maps_are_watched)
{
	struct ti_map m = { .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = 8, .max_entries = 1, .name = "m" };
	struct test_image *ti = image(_i);
	struct monitor *mon;

	for (m.id = 1; m.id <= 129; m.id++)
		ti_map(ti, &m);
	mon = ti_open(ti);
	for (m.id = 1; m.id <= 128; m.id++)
		ck_assert_int_eq(0, mon_watch_map(mon, m.id));
	ck_assert_int_eq(-ENOSPC, mon_watch_map(mon, 129));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(struct_ops_lists_its_programs)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_STRUCT_OPS,
			    .key_size = 4, .value_size = 64, .max_entries = 4,
			    .name = "ops" };
	struct test_image *ti = image(_i);
	struct mon_prog progs[4];
	struct monitor *mon;
	uint64_t slots, obj;
	json_t *all, *map, *p;

	obj = ti_struct_ops(ti, &m, &slots) -
	      ti_off(ti, "bpf_struct_ops_map.map");
	ti_write_u64(ti, slots + 8, ti_link(ti, 70, "enqueue", 10));
	ti_write_u64(ti, slots + 24, ti_link(ti, 71, "exit\x01", 0));
	ti_set_op(ti, obj + ti_off(ti, "bpf_struct_ops_map.map"), "tick", 71);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	ck_assert_int_eq(2, mon_read_progs(mon, progs, 4));
	ck_assert_str_eq("enqueue", progs[0].name);
	ck_assert_uint_eq(70, progs[0].id);
	ck_assert_uint_eq(31, progs[0].verified_insns);
	ck_assert_uint_eq(20, progs[0].run_count); /* both CPUs */
	ck_assert_uint_eq(0, progs[0].run_ns);
	ck_assert_str_eq("exit?", progs[1].name);
	ck_assert_str_eq("", progs[0].op);
	ck_assert_str_eq("tick", progs[1].op);
	ck_assert_int_eq(1, mon_read_progs(mon, progs, 1));

	all = mon_read_maps(mon, 10);
	map = json_object_get(all, "ops");
	ck_assert_str_eq("ready",
			 json_string_value(json_object_get(map, "state")));
	p = json_array_get(json_object_get(map, "programs"), 0);
	ck_assert_int_eq(20, json_integer_value(json_object_get(p,
								"run_count")));
	json_decref(all);

	ti_set(ti, obj, "bpf_struct_ops_map.funcs_cnt", 1u << 31);
	ck_assert_int_eq(0, mon_read_progs(mon, progs, 4));
	expect_why(mon, "ops", "followed");
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(program_counters_that_are_not_kept_are_not_available)
{
	struct ti_config cfg = { .seed = _i, .drop = { "bpf_prog.stats" } };
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_STRUCT_OPS,
			    .key_size = 4, .value_size = 64, .max_entries = 1,
			    .name = "ops" };
	struct test_image *ti = ti_new(&cfg);
	uint64_t slots, link, prog, aux;
	struct mon_prog p;
	struct monitor *mon;

	ti_struct_ops(ti, &m, &slots);
	link = ti_direct(ti, ti_size(ti, "bpf_link"));
	prog = ti_direct(ti, ti_size(ti, "bpf_prog"));
	aux = ti_direct(ti, ti_size(ti, "bpf_prog_aux"));
	ti_write_u64(ti, slots, link);
	ti_set(ti, link, "bpf_link.prog", prog);
	ti_set(ti, prog, "bpf_prog.aux", aux);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	ck_assert_int_eq(1, mon_read_progs(mon, &p, 1));
	ck_assert_uint_eq(UINT64_MAX, p.run_count);
	ck_assert_uint_eq(UINT64_MAX, p.run_ns);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(zeroes_of_a_kernel_that_does_not_count_runs_are_none)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_STRUCT_OPS,
			    .key_size = 4, .value_size = 64, .max_entries = 1,
			    .name = "ops" };
	struct test_image *ti = image(_i);
	struct mon_prog p;
	struct monitor *mon;
	uint64_t slots;

	ti_struct_ops(ti, &m, &slots);
	ti_write_u64(ti, slots, ti_link(ti, 70, "enqueue", 10));
	ti_set(ti, ti->info.sym[MON_SYM_BPF_STATS_KEY], "static_key.enabled",
	       0);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	ck_assert_int_eq(1, mon_read_progs(mon, &p, 1));
	ck_assert_uint_eq(31, p.verified_insns);
	ck_assert_uint_eq(UINT64_MAX, p.run_count);
	ck_assert_uint_eq(UINT64_MAX, p.run_ns);
	ti_set(ti, ti->info.sym[MON_SYM_BPF_STATS_KEY], "static_key.enabled",
	       2);
	ck_assert_int_eq(1, mon_read_progs(mon, &p, 1));
	ck_assert_uint_eq(20, p.run_count);
	mon_close(mon);

	/* Nor are they of one that does not say whether it does. */
	ti->info.sym[MON_SYM_BPF_STATS_KEY] = 0;
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	ck_assert_int_eq(1, mon_read_progs(mon, &p, 1));
	ck_assert_uint_eq(UINT64_MAX, p.run_count);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

static int stop_at_once(void *ctx, const char *name, double value,
			bool unstable)
{
	++*(unsigned int *)ctx;
	return 17;
}

START_TEST(a_callback_can_end_the_listing)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = 8, .max_entries = 5, .name = "m" };
	struct test_image *ti = image(_i);
	unsigned int calls = 0;
	struct monitor *mon;

	ti_map(ti, &m);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	ck_assert_int_eq(17, mon_map_numbers(mon, stop_at_once, &calls));
	ck_assert_uint_eq(1, calls);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* On every layout. */
#define ADD(test) tcase_add_loop_test(t, test, 0, LAYOUTS)

static Suite *suite(void)
{
	Suite *s = suite_create("map");
	TCase *t = tcase_create("map");

	tcase_set_timeout(t, 20);
	ADD(maps_are_found_by_id);
	ADD(map_that_carries_another_id_is_not_found);
	ADD(untyped_array_has_entries_and_numbers);
	ADD(percpu_array_lists_cpus_and_sums_them);
	ADD(global_data_goes_by_its_section);
	ADD(btf_that_does_not_fit_leaves_the_map_untyped);
	ADD(maps_that_can_not_be_read_say_why);
	ADD(hash_lists_the_elements_of_all_buckets);
	ADD(percpu_hash_lists_cpus);
	ADD(a_chain_that_ends_elsewhere_is_unstable);
	ADD(map_that_went_away_is_gone);
	ADD(raw_bytes_of_an_array_are_bounded);
	ADD(at_most_128_maps_are_watched);
	ADD(struct_ops_lists_its_programs);
	ADD(program_counters_that_are_not_kept_are_not_available);
	ADD(zeroes_of_a_kernel_that_does_not_count_runs_are_none);
	ADD(a_callback_can_end_the_listing);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{

	return test_run(suite());
}
