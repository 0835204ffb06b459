// SPDX-License-Identifier: GPL-2.0-only
/* Kinds of maps other than arrays and hashes: map_test.c has those. */
#include "monitor/map.h"
#include "lib/test_run.h"
#include "monitor/monitor.h"
#include "monitor/test_image.h"

#include <bpf/btf.h>
#include <check.h>
#include <linux/bpf.h>

#include <stdlib.h>
#include <string.h>

/* Every test runs on a few layouts: odd numbers have 5-level paging. */
#define LAYOUTS 4

static struct test_image *image(int layout)
{
	struct ti_config cfg = { .seed = 700 + layout,
				 .levels = layout & 1 ? 5 : 4 };

	return ti_new(&cfg);
}

static struct monitor *watch(struct test_image *ti)
{
	struct monitor *mon = ti_open(ti);

	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	return mon;
}

/* Map "m" of a new reading of all; the caller's to free. */
static json_t *read_map(struct monitor *mon)
{
	json_t *all = mon_read_maps(mon, 100), *map;

	map = json_incref(json_object_get(all, "m"));
	json_decref(all);
	ck_assert(json_is_object(map));
	return map;
}

static json_int_t member(json_t *map, const char *key)
{
	ck_assert_msg(json_is_integer(json_object_get(map, key)), "%s", key);
	return json_integer_value(json_object_get(map, key));
}

static struct ti_map queue_map(uint32_t type)
{
	return (struct ti_map){ .id = 3, .type = type, .value_size = 8,
				.max_entries = 4, .name = "m" };
}

/* A ring of 5 slots, of which [i] holds 100 + i. */
static uint64_t make_queue(struct test_image *ti, uint32_t type, uint32_t head,
			   uint32_t tail)
{
	struct ti_map m = queue_map(type);
	uint64_t qs = ti_object_map(ti, &m, "bpf_queue_stack", 64);
	uint32_t i;

	ti_set(ti, qs, "bpf_queue_stack.size", 5);
	ti_set(ti, qs, "bpf_queue_stack.head", head);
	ti_set(ti, qs, "bpf_queue_stack.tail", tail);
	for (i = 0; i < 5; i++)
		ti_write_u64(ti, qs + ti_off(ti, "bpf_queue_stack.elements") +
			     i * 8, 100 + i);
	return qs;
}

START_TEST(queues_and_stacks_are_listed_as_they_would_be_popped)
{
	static const struct {
		uint32_t type, head, tail, nr;
		json_int_t values[4];
	} cases[] = {
		{ BPF_MAP_TYPE_QUEUE, 0, 0, 0, { 0 } },
		{ BPF_MAP_TYPE_QUEUE, 3, 0, 3, { 100, 101, 102 } },
		{ BPF_MAP_TYPE_QUEUE, 1, 3, 3, { 103, 104, 100 } },
		{ BPF_MAP_TYPE_QUEUE, 4, 0, 4, { 100, 101, 102, 103 } },
		{ BPF_MAP_TYPE_STACK, 2, 2, 0, { 0 } },
		{ BPF_MAP_TYPE_STACK, 3, 0, 3, { 102, 101, 100 } },
		{ BPF_MAP_TYPE_STACK, 1, 3, 3, { 100, 104, 103 } },
	};
	size_t i;
	uint32_t k;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct test_image *ti = image(_i);
		struct monitor *mon;
		json_t *map, *list;

		make_queue(ti, cases[i].type, cases[i].head, cases[i].tail);
		mon = watch(ti);
		map = read_map(mon);
		list = json_object_get(map, "entries");
		ck_assert_uint_eq(cases[i].nr, json_array_size(list));
		for (k = 0; k < cases[i].nr; k++)
			ck_assert_int_eq(cases[i].values[k], member(
				json_array_get(list, k), "value"));
		ck_assert_ptr_null(json_object_get(map, "key"));
		ck_assert_ptr_null(json_object_get(map, "unstable"));
		json_decref(map);
		mon_close(mon);
		ti_free(ti);
	}
}
END_TEST

START_TEST(positions_that_no_queue_has_list_nothing)
{
	struct test_image *ti = image(_i);
	uint64_t qs = make_queue(ti, BPF_MAP_TYPE_QUEUE, 5, 0);
	struct monitor *mon = watch(ti);
	json_t *map = read_map(mon);

	ck_assert(json_is_true(json_object_get(map, "unstable")));
	ck_assert_uint_eq(0, json_array_size(json_object_get(map, "entries")));
	json_decref(map);
	ti_set(ti, qs, "bpf_queue_stack.head", 1);
	ti_set(ti, qs, "bpf_queue_stack.size", 1u << 31);
	map = read_map(mon);
	ck_assert(json_is_true(json_object_get(map, "unstable")));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(a_bloom_filter_tells_its_size)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_BLOOM_FILTER,
			    .value_size = 8, .max_entries = 40, .name = "m" };
	struct test_image *ti = image(_i);
	uint64_t bloom = ti_object_map(ti, &m, "bpf_bloom_filter", 0);
	struct monitor *mon;
	json_t *map;

	ti_set(ti, bloom, "bpf_bloom_filter.bitset_mask", 255);
	ti_set(ti, bloom, "bpf_bloom_filter.nr_hash_funcs", 5);
	mon = watch(ti);
	map = read_map(mon);
	ck_assert_int_eq(256, member(map, "bits"));
	ck_assert_int_eq(5, member(map, "hashes"));
	ck_assert_int_eq(40, member(map, "max_entries"));
	ck_assert(json_is_false(json_object_get(map, "readable")));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

static uint64_t make_ring(struct test_image *ti)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_RINGBUF,
			    .max_entries = 4096, .name = "m" };
	uint64_t map = ti_object_map(ti, &m, "bpf_ringbuf_map", 0);
	uint64_t rb = ti_vmalloc(ti, ti_size(ti, "bpf_ringbuf"));

	ti_set(ti, map, "bpf_ringbuf_map.rb", rb);
	ti_set(ti, rb, "bpf_ringbuf.mask", 4095);
	ti_set(ti, rb, "bpf_ringbuf.consumer_pos", 1000);
	ti_set(ti, rb, "bpf_ringbuf.producer_pos", 1048);
	return rb;
}

START_TEST(a_ring_buffer_tells_its_positions)
{
	struct test_image *ti = image(_i);
	uint64_t rb = make_ring(ti);
	struct monitor *mon;
	json_t *map;

	ti_set(ti, rb, "bpf_ringbuf.pending_pos", 1032);
	mon = watch(ti);
	map = read_map(mon);
	ck_assert_int_eq(4096, member(map, "size_bytes"));
	ck_assert_int_eq(1000, member(map, "consumer_pos"));
	ck_assert_int_eq(1048, member(map, "producer_pos"));
	ck_assert_int_eq(1032, member(map, "pending_pos"));
	ck_assert_int_eq(48, member(map, "unread_bytes"));
	json_decref(map);

	/* The consumer writes its page itself, and may lie. */
	ti_set(ti, rb, "bpf_ringbuf.consumer_pos", 2000);
	map = read_map(mon);
	ck_assert(json_is_null(json_object_get(map, "unread_bytes")));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(a_position_that_an_old_kernel_has_not_is_null)
{
	struct ti_config cfg = { .seed = _i,
				 .drop = { "bpf_ringbuf.pending_pos" } };
	struct test_image *ti = ti_new(&cfg);
	struct monitor *mon;
	json_t *map;

	make_ring(ti);
	mon = watch(ti);
	map = read_map(mon);
	ck_assert(json_is_null(json_object_get(map, "pending_pos")));
	ck_assert_int_eq(48, member(map, "unread_bytes"));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* An arena of 8 pages, of which the first five are there. */
static uint64_t make_arena(struct test_image *ti, uint64_t user)
{
	struct ti_map m = { .id = 3, .type = MAP_TYPE_ARENA, .max_entries = 8,
			    .name = "m" };
	uint64_t arena = ti_object_map(ti, &m, "bpf_arena", 0);
	uint64_t vm = ti_direct(ti, ti_size(ti, "vm_struct"));
	uint64_t pages = ti_vmalloc(ti, 5 * 4096);

	ti_set(ti, arena, "bpf_arena.user_vm_start", user);
	ti_set(ti, arena, "bpf_arena.kern_vm", vm);
	/* as the kernel finds a page from its address in user space */
	ti_set(ti, vm, "vm_struct.addr", pages - 0x8000 - (uint32_t)user);
	return arena;
}

START_TEST(an_arena_counts_its_pages)
{
	struct test_image *ti = image(_i);
	uint64_t arena = make_arena(ti, 0x7f0000100000);
	struct monitor *mon = watch(ti);
	json_t *map = read_map(mon);

	/* What follows in vmalloc space is not mapped: five of the eight. */
	ck_assert_int_eq(5, member(map, "pages"));
	ck_assert_int_eq(5 * 4096, member(map, "bytes"));
	ck_assert_int_eq(8, member(map, "max_pages"));
	json_decref(map);

	ti_set(ti, arena, "bpf_arena.user_vm_start", 0);
	map = read_map(mon);
	ck_assert(json_is_null(json_object_get(map, "pages")));
	ck_assert(json_is_null(json_object_get(map, "bytes")));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* A program's BTF with variables in the arena, and a map that brings it. */
static void make_globals(struct test_image *ti, uint32_t id, uint32_t size)
{
	struct ti_map m = { .id = id, .type = BPF_MAP_TYPE_ARRAY,
			    .key_size = 4, .value_size = 8, .max_entries = 1,
			    .name = "other" };
	struct btf *btf = btf__new_empty();
	int u64 = btf__add_int(btf, "u64", 8, 0), count, last;

	count = btf__add_var(btf, "count", BTF_VAR_GLOBAL_ALLOCATED, u64);
	last = btf__add_var(btf, "last", BTF_VAR_GLOBAL_ALLOCATED, u64);
	btf__add_datasec(btf, ".addr_space.1", size);
	btf__add_datasec_var_info(btf, count, 0, 8);
	btf__add_datasec_var_info(btf, last, size - 8, 8);
	m.btf_kva = ti_btf(ti, btf, id);
	m.value_type = u64;
	ti_map(ti, &m);
	btf__free(btf);
}

static uint64_t arena_pages(struct test_image *ti, uint64_t arena)
{
	uint64_t vm, at;

	memcpy(&vm, ti_hva(ti, arena + ti_off(ti, "bpf_arena.kern_vm")), 8);
	memcpy(&at, ti_hva(ti, vm + ti_off(ti, "vm_struct.addr")), 8);
	return at + 0x8000 + 0x100000;
}

/* @max_pages of the arena, of which five are there from its start on. */
static json_t *globals_with(int layout, uint32_t size, uint32_t max_pages,
			    unsigned int programs)
{
	struct test_image *ti = image(layout);
	uint64_t arena = make_arena(ti, 0x7f0000100000);
	uint64_t at = arena_pages(ti, arena);
	struct monitor *mon;
	unsigned int i;
	json_t *map, *globals;

	ti_set(ti, arena + ti_off(ti, "bpf_arena.map"), "bpf_map.max_entries",
	       max_pages);
	ti_write_u64(ti, at, 42);
	ti_write_u64(ti, at + size - 8, 4300);
	for (i = 0; i < programs; i++)
		make_globals(ti, 10 + i, size);
	mon = watch(ti);
	for (i = 0; i < programs; i++)
		ck_assert_int_eq(0, mon_watch_map(mon, 10 + i));
	map = read_map(mon);
	ck_assert(!json_object_get(map, "unstable"));
	globals = json_incref(json_object_get(map, "globals"));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
	return globals;
}

START_TEST(variables_in_an_arena_are_typed_by_its_program)
{
	json_t *globals = globals_with(_i, 24, 8, 1);

	ck_assert_int_eq(42, member(globals, "count"));
	ck_assert_int_eq(4300, member(globals, "last"));
	json_decref(globals);
	/* Over pages that are no neighbours in memory. */
	globals = globals_with(_i, 3 * 4096 + 16, 8, 1);
	ck_assert_int_eq(42, member(globals, "count"));
	ck_assert_int_eq(4300, member(globals, "last"));
	json_decref(globals);
}
END_TEST

START_TEST(variables_that_could_be_elsewhere_are_not_told)
{
	/* Nobody brought types, or two did. */
	ck_assert_ptr_null(globals_with(_i, 24, 8, 0));
	ck_assert_ptr_null(globals_with(_i, 24, 8, 2));
	/* The last page is there too: of that libbpf, or of the other? */
	ck_assert_ptr_null(globals_with(_i, 24, 5, 1));
	/* More than are there, and more than there can be. */
	ck_assert_ptr_null(globals_with(_i, 6 * 4096, 8, 1));
	ck_assert_ptr_null(globals_with(_i, 4 * 4096 + 16, 3, 1));
}
END_TEST

START_TEST(a_page_that_stands_in_for_others_is_not_counted)
{
	struct test_image *ti = image(_i);
	uint64_t arena = make_arena(ti, 0x7f0000100000);
	uint64_t base = ti_image(ti, 8), gpa;
	struct monitor *mon;
	json_t *map;

	/* The third page's frame is what the kernel calls its scratch page. */
	gpa = ti->vpages[ti->nr_vpages - 3];
	ti->info.sym[MON_SYM_VMEMMAP_BASE] = base;
	ti_write_u64(ti, base, 0xffffea0000000000ull);
	ti_set(ti, arena, "bpf_arena.scratch_page", 0xffffea0000000000ull +
	       gpa / 4096 * ti_size(ti, "page"));
	mon = watch(ti);
	map = read_map(mon);
	ck_assert_int_eq(4, member(map, "pages"));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* One element in bucket @bucket, in front of the others. */
static uint64_t add_element(struct test_image *ti, uint64_t smap,
			    uint32_t bucket, uint64_t owner, uint64_t value)
{
	uint64_t elem = ti_direct(ti, ti_size(ti, "bpf_local_storage_elem") +
				  64);
	uint64_t storage = ti_direct(ti, ti_size(ti, "bpf_local_storage"));
	uint64_t sdata = elem + ti_off(ti, "bpf_local_storage_elem.sdata");
	uint64_t node = elem + ti_off(ti, "bpf_local_storage_elem.map_node");
	uint64_t *first, buckets;

	memcpy(&buckets, ti_hva(ti, smap + ti_off(ti,
			"bpf_local_storage_map.buckets")), 8);
	first = ti_hva(ti, buckets + (uint64_t)bucket *
		       ti_size(ti, "bpf_local_storage_map_bucket") +
		       ti_off(ti, "bpf_local_storage_map_bucket.list") +
		       ti_off(ti, "hlist_head.first"));
	ti_set(ti, node, "hlist_node.next", *first);
	*first = node;
	ti_set(ti, elem, "bpf_local_storage_elem.local_storage", storage);
	ti_set(ti, storage, "bpf_local_storage.owner", owner);
	ti_set(ti, sdata, "bpf_local_storage_data.smap", smap);
	ti_write_u64(ti, sdata + ti_off(ti, "bpf_local_storage_data.data"),
		     value);
	return elem;
}

static uint64_t make_storage(struct test_image *ti, uint32_t type)
{
	struct ti_map m = { .id = 3, .type = type, .key_size = 4,
			    .value_size = 8, .name = "m" };
	uint64_t smap = ti_object_map(ti, &m, "bpf_local_storage_map", 0);

	ti_set(ti, smap, "bpf_local_storage_map.bucket_log", 2);
	ti_set(ti, smap, "bpf_local_storage_map.buckets", ti_direct(ti,
	       4ull * ti_size(ti, "bpf_local_storage_map_bucket")));
	return smap;
}

static uint64_t make_task(struct test_image *ti, int pid, const char *comm)
{
	uint64_t task = ti_direct(ti, ti_size(ti, "task_struct"));

	ti_set(ti, task, "task_struct.pid", pid);
	ti_write(ti, task + ti_off(ti, "task_struct.comm"), comm, strlen(comm));
	return task;
}

START_TEST(task_storage_goes_by_the_task)
{
	struct test_image *ti = image(_i);
	uint64_t smap = make_storage(ti, BPF_MAP_TYPE_TASK_STORAGE);
	struct monitor *mon;
	json_t *map, *list, *key;

	add_element(ti, smap, 0, make_task(ti, 40, "spin"), 4000);
	add_element(ti, smap, 3, make_task(ti, 41, "web"), 4100);
	add_element(ti, smap, 3, make_task(ti, 42, "web\xff"), 4200);
	mon = watch(ti);
	map = read_map(mon);
	list = json_object_get(map, "entries");
	ck_assert_uint_eq(3, json_array_size(list));
	key = json_object_get(json_array_get(list, 0), "key");
	ck_assert_int_eq(40, member(key, "pid"));
	ck_assert_str_eq("spin", json_string_value(json_object_get(key,
								   "comm")));
	ck_assert_int_eq(4000, member(json_array_get(list, 0), "value"));
	key = json_object_get(json_array_get(list, 1), "key");
	ck_assert_int_eq(42, member(key, "pid"));
	ck_assert_str_eq("web?", json_string_value(json_object_get(key,
								   "comm")));
	ck_assert_int_eq(4200, member(json_array_get(list, 1), "value"));
	ck_assert_int_eq(4100, member(json_array_get(list, 2), "value"));
	ck_assert_ptr_null(json_object_get(map, "unstable"));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

static int see_sum(void *ctx, const char *name, double value, bool unstable)
{
	ck_assert_str_eq("m", name);
	ck_assert(!unstable);
	*(double *)ctx = value;
	return 0;
}

static double sum_of(struct monitor *mon)
{
	double sum = -1;

	ck_assert_int_eq(0, mon_map_numbers(mon, see_sum, &sum));
	return sum;
}

START_TEST(numbers_of_a_storage_are_summed)
{
	struct test_image *ti = image(_i);
	uint64_t smap = make_storage(ti, BPF_MAP_TYPE_TASK_STORAGE), elem;
	struct monitor *mon = watch(ti);

	ck_assert_double_eq(0, sum_of(mon));
	add_element(ti, smap, 0, make_task(ti, 40, "spin"), 4000);
	ck_assert_double_eq(4000, sum_of(mon));
	add_element(ti, smap, 3, make_task(ti, 41, "web"), 100);
	elem = add_element(ti, smap, 3, make_task(ti, 42, "web"), 20);
	ck_assert_double_eq(4120, sum_of(mon));
	/* One that is on its way out: the sum is of all, or there is none. */
	ti_set(ti, elem + ti_off(ti, "bpf_local_storage_elem.sdata"),
	       "bpf_local_storage_data.smap", smap + 4096);
	ck_assert_double_eq(-1, sum_of(mon));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(cgroup_and_inode_storage_go_by_their_ids)
{
	struct test_image *ti = image(_i);
	uint64_t smap = make_storage(ti, MAP_TYPE_CGRP_STORAGE);
	uint64_t cgroup = ti_direct(ti, ti_size(ti, "cgroup"));
	uint64_t kn = ti_direct(ti, ti_size(ti, "kernfs_node"));
	struct monitor *mon;
	json_t *map;

	ti_set(ti, cgroup, "cgroup.kn", kn);
	ti_set(ti, kn, "kernfs_node.id", 991);
	add_element(ti, smap, 1, cgroup, 5);
	mon = watch(ti);
	map = read_map(mon);
	ck_assert_int_eq(991, member(json_object_get(json_array_get(
		json_object_get(map, "entries"), 0), "key"), "cgroup_id"));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);

	ti = image(_i);
	smap = make_storage(ti, BPF_MAP_TYPE_INODE_STORAGE);
	cgroup = ti_direct(ti, ti_size(ti, "inode"));
	ti_set(ti, cgroup, "inode.i_ino", 77);
	add_element(ti, smap, 1, cgroup, 5);
	mon = watch(ti);
	map = read_map(mon);
	ck_assert_int_eq(77, member(json_object_get(json_array_get(
		json_object_get(map, "entries"), 0), "key"), "inode"));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(an_element_of_another_map_is_left_out)
{
	struct test_image *ti = image(_i);
	uint64_t smap = make_storage(ti, BPF_MAP_TYPE_TASK_STORAGE), elem, node;
	struct monitor *mon;
	json_t *map;

	add_element(ti, smap, 2, make_task(ti, 40, "a"), 1);
	elem = add_element(ti, smap, 2, make_task(ti, 41, "b"), 2);
	ti_set(ti, elem + ti_off(ti, "bpf_local_storage_elem.sdata"),
	       "bpf_local_storage_data.smap", smap + 4096);
	mon = watch(ti);
	map = read_map(mon);
	ck_assert_uint_eq(1, json_array_size(json_object_get(map, "entries")));
	ck_assert(json_is_true(json_object_get(map, "unstable")));
	json_decref(map);

	/* And a chain that leads back into itself ends. */
	node = elem + ti_off(ti, "bpf_local_storage_elem.map_node");
	ti_set(ti, node, "hlist_node.next", node);
	map = read_map(mon);
	ck_assert(json_is_true(json_object_get(map, "unstable")));
	json_decref(map);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

#define ADD(test) tcase_add_loop_test(t, test, 0, LAYOUTS)

int main(void)
{
	Suite *s = suite_create("map_kinds");
	TCase *t = tcase_create("map_kinds");

	tcase_set_timeout(t, 20);
	ADD(queues_and_stacks_are_listed_as_they_would_be_popped);
	ADD(positions_that_no_queue_has_list_nothing);
	ADD(a_bloom_filter_tells_its_size);
	ADD(a_ring_buffer_tells_its_positions);
	ADD(a_position_that_an_old_kernel_has_not_is_null);
	ADD(an_arena_counts_its_pages);
	ADD(variables_in_an_arena_are_typed_by_its_program);
	ADD(variables_that_could_be_elsewhere_are_not_told);
	ADD(a_page_that_stands_in_for_others_is_not_counted);
	ADD(task_storage_goes_by_the_task);
	ADD(numbers_of_a_storage_are_summed);
	ADD(cgroup_and_inode_storage_go_by_their_ids);
	ADD(an_element_of_another_map_is_left_out);
	suite_add_tcase(s, t);
	return test_run(s);
}
