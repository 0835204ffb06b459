// SPDX-License-Identifier: GPL-2.0-only
/*
 * What there is for each CPU, of guests with 1 to 252 possible ones: each gets
 * a value of its own, and each must be read back as that CPU's.
 */
#include "monitor/monitor.h"
#include "lib/test_run.h"
#include "monitor/test_image.h"
#include "monitor/test_numbers.h"

#include <bpf/btf.h>
#include <check.h>
#include <linux/bpf.h>

#include <stdlib.h>
#include <string.h>

/* Odd numbers have 5-level paging. */
static const unsigned int counts[] = { 1, 2, 4, 16, 63, 64, 65, 252 };

#define NR_COUNTS ((int)(sizeof(counts) / sizeof(counts[0])))
#define MAX_NODES 64

static struct test_image *image(int i)
{
	struct ti_config cfg = { .seed = 40 + i, .cpus = counts[i],
				 .levels = i & 1 ? 5 : 4 };

	return ti_new(&cfg);
}

/* No two CPUs have the same, nor has one CPU twice the same. */
static uint64_t planted(unsigned int what, unsigned int cpu)
{
	return what * 100000ull + cpu * 17 + 3;
}

/* What the CPUs' values add up to. */
static uint64_t planted_sum(unsigned int what, unsigned int cpus)
{
	return what * 100000ull * cpus + 17ull * cpus * (cpus - 1) / 2 +
	       3ull * cpus;
}

static json_t *values_of(json_t *maps, const char *name, size_t entry)
{
	json_t *list = json_object_get(json_object_get(maps, name), "entries");

	return json_object_get(json_array_get(list, entry), "values");
}

static void expect_values(json_t *values, unsigned int what, unsigned int cpus)
{
	unsigned int cpu;

	ck_assert_uint_eq(cpus, json_array_size(values));
	for (cpu = 0; cpu < cpus; cpu++)
		ck_assert_int_eq(planted(what, cpu), json_integer_value(
			json_array_get(values, cpu)));
}

START_TEST(run_queues)
{
	struct test_image *ti = image(_i);
	unsigned int cpu, nr = counts[_i];
	struct monitor *mon = ti_open(ti);
	struct mon_sched s;

	for (cpu = 0; cpu < nr; cpu++) {
		uint64_t rq = ti_rq(ti, cpu), scx = rq + ti_off(ti, "rq.scx");

		ti_set(ti, rq, "rq.nr_running", planted(1, cpu));
		ti_set(ti, rq, "rq.clock", planted(2, cpu));
		ti_set(ti, scx, "scx_rq.nr_running", planted(3, cpu));
		ti_set(ti, scx + ti_off(ti, "scx_rq.local_dsq"),
		       "scx_dispatch_q.nr", planted(4, cpu));
		if (cpu % 3 == 1)
			ti_set(ti, rq + ti_off(ti, "rq.rq_donor"),
			       "rq_donor.curr", 42);
	}
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert_uint_eq(nr, s.nr_cpus);
	for (cpu = 0; cpu < nr; cpu++) {
		ck_assert_uint_eq(planted(1, cpu), s.nr_running[cpu]);
		ck_assert_uint_eq(planted(2, cpu), s.rq_clock[cpu]);
		ck_assert_uint_eq(planted(3, cpu), s.scx_nr_running[cpu]);
		ck_assert_uint_eq(planted(4, cpu), s.local_dsq_depth[cpu]);
		ck_assert_int_eq(cpu % 3 != 1, s.idle[cpu]);
	}
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(events_add_up)
{
	struct test_image *ti = image(_i);
	uint64_t sched = ti_scheduler(ti, "wide");
	unsigned int cpu, i, nr = counts[_i], seen = 0;
	struct monitor *mon = ti_open(ti);
	struct mon_sched s;

	for (cpu = 0; cpu < nr; cpu++)
		ti_event(ti, sched, cpu, 0, planted(5, cpu));
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	for (i = 0; i < s.nr_events; i++) {
		if (strcmp(s.event_names[i], "SCX_EV_ONE"))
			continue;
		ck_assert_int_eq(planted_sum(5, nr), s.events[i]);
		seen++;
	}
	ck_assert_uint_eq(1, seen);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(arrays)
{
	struct ti_map m = { .id = 5, .type = BPF_MAP_TYPE_PERCPU_ARRAY,
			    .key_size = 4, .value_size = 8, .max_entries = 3,
			    .name = "a" };
	struct test_image *ti = image(_i);
	uint64_t map = ti_map(ti, &m);
	unsigned int cpu, i, nr = counts[_i];
	struct monitor *mon = ti_open(ti);
	json_t *all;

	for (i = 0; i < 3; i++)
		for (cpu = 0; cpu < nr; cpu++)
			ti_write_u64(ti, ti_percpu_value(ti, map, i, cpu),
				     planted(i, cpu));
	ck_assert_int_eq(0, mon_watch_map(mon, 5));
	all = mon_read_maps(mon, 10);
	for (i = 0; i < 3; i++)
		expect_values(values_of(all, "a", i), i, nr);
	json_decref(all);
	ck_assert_double_eq(planted_sum(2, nr), number(mon, "a[2]"));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(hashes)
{
	struct ti_map m = { .id = 6, .type = BPF_MAP_TYPE_PERCPU_HASH,
			    .key_size = 4, .value_size = 8, .max_entries = 8,
			    .name = "h" };
	struct test_image *ti = image(_i);
	uint64_t map = ti_hash(ti, &m, 4), slot, pptr;
	unsigned int cpu, key, nr = counts[_i];
	struct monitor *mon;
	json_t *all;

	/* Each in a bucket of its own, so the order is that of the keys. */
	for (key = 0; key < 3; key++) {
		slot = ti_hash_add(ti, map, key, &key, sizeof(key));
		pptr = ti_percpu(ti, 8);
		ti_write_u64(ti, slot, pptr);
		for (cpu = 0; cpu < nr; cpu++)
			ti_write_u64(ti, pptr + ti->percpu_off[cpu],
				     planted(10 + key, cpu));
	}
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 6));
	all = mon_read_maps(mon, 10);
	for (key = 0; key < 3; key++)
		expect_values(values_of(all, "h", key), 10 + key, nr);
	json_decref(all);
	ck_assert_double_eq(planted_sum(11, nr), number(mon, "h[1]"));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(runs_of_programs_add_up)
{
	struct ti_map m = { .id = 3, .type = BPF_MAP_TYPE_STRUCT_OPS,
			    .key_size = 4, .value_size = 64, .max_entries = 1,
			    .name = "ops" };
	struct test_image *ti = image(_i);
	struct monitor *mon;
	struct mon_prog p;
	uint64_t slots;

	ti_struct_ops(ti, &m, &slots);
	ti_write_u64(ti, slots, ti_link(ti, 70, "enqueue", 11));
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 3));
	ck_assert_int_eq(1, mon_read_progs(mon, &p, 1));
	ck_assert_uint_eq(11 * counts[_i], p.run_count);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(counts_and_domains_of_run_queues)
{
	struct test_image *ti = image(_i);
	unsigned int cpu, nr = counts[_i];
	json_t *all, *stats, *domains;
	struct monitor *mon;

	for (cpu = 0; cpu < nr; cpu++) {
		uint64_t sd = ti_direct(ti, ti_size(ti, "sched_domain"));

		ti_set(ti, ti_rq(ti, cpu), "rq.nr_switches", planted(6, cpu));
		ti_set(ti, ti_rq(ti, cpu), "rq.sd", sd);
		ti_set(ti, sd, "sched_domain.span_weight", planted(7, cpu));
	}
	mon = ti_open(ti);
	all = mon_details(mon);
	stats = json_object_get(all, "schedstat");
	domains = json_object_get(all, "domains");
	ck_assert_uint_eq(nr, json_array_size(stats));
	ck_assert_uint_eq(nr, json_array_size(domains));
	for (cpu = 0; cpu < nr; cpu++) {
		json_t *sd = json_array_get(json_array_get(domains, cpu), 0);

		ck_assert_int_eq(planted(6, cpu), json_integer_value(
			json_object_get(json_array_get(stats, cpu),
					"switches")));
		ck_assert_int_eq(planted(7, cpu), json_integer_value(
			json_object_get(sd, "span_weight")));
	}
	json_decref(all);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* As many nodes as there are CPUs, each with a queue that tasks wait on. */
START_TEST(global_queues_of_each_node)
{
	struct test_image *ti = image(_i);
	unsigned int nr = counts[_i] < MAX_NODES ? counts[_i] : MAX_NODES, i;
	uint64_t sched = ti_scheduler(ti, "wide"), pnodes = ti_direct(ti, 512);
	uint64_t tbl = ti_direct(ti, 256);
	struct monitor *mon;
	json_t *all, *dsqs;

	ti_set(ti, sched + ti_off(ti, "scx_sched.dsq_hash"), "rhashtable.tbl",
	       tbl);
	ti_set(ti, tbl, "bucket_table.size", 1);
	ti_set(ti, sched, "scx_sched.pnode", pnodes);
	for (i = 0; i < nr; i++) {
		uint64_t pnode = ti_direct(ti, ti_size(ti, "scx_sched_pnode"));
		uint64_t dsq = pnode +
			ti_off(ti, "scx_sched_pnode.global_dsq");

		ti_write_u64(ti, pnodes + i * 8, pnode);
		ti_set(ti, dsq, "scx_dispatch_q.nr", planted(8, i));
	}
	ti->info.sym[MON_SYM_NR_NODE_IDS] = ti_image(ti, 4);
	ti_write_u32(ti, ti->info.sym[MON_SYM_NR_NODE_IDS], nr);
	mon = ti_open(ti);
	all = mon_details(mon);
	dsqs = json_object_get(all, "dsqs");
	ck_assert_uint_eq(nr, json_array_size(dsqs));
	for (i = 0; i < nr; i++) {
		json_t *q = json_array_get(dsqs, i);

		ck_assert_int_eq(i, json_integer_value(
			json_object_get(q, "node")));
		ck_assert_int_eq(planted(8, i), json_integer_value(
			json_object_get(q, "depth")));
	}
	json_decref(all);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(who_runs)
{
	static struct mon_task tasks[2 * MON_MAX_CPUS];
	struct test_image *ti = image(_i);
	unsigned int cpu, nr = counts[_i];
	struct monitor *mon = ti_open(ti);

	for (cpu = 0; cpu < nr; cpu++) {
		uint64_t task = ti_direct(ti, ti_size(ti, "task_struct"));
		uint64_t rq = ti_rq(ti, cpu);
		uint64_t list = rq + ti_off(ti, "rq.scx") +
			ti_off(ti, "scx_rq.runnable_list");

		ti_write_u64(ti, list + ti_off(ti, "list_head.next"), list);
		ti_set(ti, task, "task_struct.pid", planted(9, cpu));
		ti_set(ti, rq + ti_off(ti, "rq.rq_donor"), "rq_donor.curr",
		       task);
	}
	ck_assert_int_eq(nr, mon_read_tasks(mon, tasks, 2 * MON_MAX_CPUS));
	for (cpu = 0; cpu < nr; cpu++) {
		ck_assert(tasks[cpu].running && !tasks[cpu].idle);
		ck_assert_uint_eq(cpu, tasks[cpu].cpu);
		ck_assert_uint_eq(planted(9, cpu), tasks[cpu].pid);
	}
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* Fewer are online than could be: maps have values of all, run queues not. */
START_TEST(cpus_that_are_not_online_count_too)
{
	struct ti_map m = { .id = 5, .type = BPF_MAP_TYPE_PERCPU_ARRAY,
			    .key_size = 4, .value_size = 8, .max_entries = 1,
			    .name = "a" };
	struct test_image *ti = image(_i);
	unsigned int cpu, nr = counts[_i], online = (nr + 1) / 2;
	uint64_t map = ti_map(ti, &m), sched = ti_scheduler(ti, "wide");
	struct monitor *mon;
	struct mon_sched s;
	json_t *all;

	for (cpu = 0; cpu < nr; cpu++) {
		ti_write_u64(ti, ti_percpu_value(ti, map, 0, cpu),
			     planted(1, cpu));
		ti_event(ti, sched, cpu, 0, 1);
	}
	ti->info.nr_cpus = online;
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 5));
	all = mon_read_maps(mon, 10);
	expect_values(values_of(all, "a", 0), 1, nr);
	json_decref(all);
	ck_assert_double_eq(planted_sum(1, nr), number(mon, "a"));
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert_uint_eq(online, s.nr_cpus);
	for (cpu = 0; cpu < s.nr_events; cpu++)
		if (!strcmp(s.event_names[cpu], "SCX_EV_ONE"))
			ck_assert_int_eq(nr, s.events[cpu]);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* With each number of CPUs. */
#define ADD(test) tcase_add_loop_test(t, test, 0, NR_COUNTS)

static Suite *suite(void)
{
	Suite *s = suite_create("cpus");
	TCase *t = tcase_create("cpus");

	tcase_set_timeout(t, 20);
	ADD(run_queues);
	ADD(events_add_up);
	ADD(arrays);
	ADD(hashes);
	ADD(runs_of_programs_add_up);
	ADD(counts_and_domains_of_run_queues);
	ADD(global_queues_of_each_node);
	ADD(who_runs);
	ADD(cpus_that_are_not_online_count_too);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{

	return test_run(suite());
}
