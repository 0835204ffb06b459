// SPDX-License-Identifier: GPL-2.0-only
/* mon_details() and mon_scx_exit(), and sched_ext before it had a struct. */
#include "monitor/monitor.h"
#include "lib/test_run.h"
#include "monitor/test_image.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

/* Every test runs on a few layouts: odd numbers have 5-level paging. */
#define LAYOUTS 4
#define HZ 250u
#define UP_S 20ull		/* since boot */
#define NOW_JIFFIES ((1ull << 32) - 300 * HZ + HZ * UP_S)

static struct test_image *image(int layout)
{
	struct ti_config cfg = { .seed = 900 + layout,
				 .levels = layout & 1 ? 5 : 4 };
	struct test_image *ti = ti_new(&cfg);

	ti_set(ti, ti_rq(ti, 0), "rq.clock", UP_S * 1000000000);
	ti->info.sym[MON_SYM_JIFFIES] = ti_image(ti, 8);
	ti_write_u64(ti, ti->info.sym[MON_SYM_JIFFIES], NOW_JIFFIES);
	return ti;
}

static json_t *part(struct monitor *mon, const char *name)
{
	json_t *all = mon_details(mon), *part;

	part = json_incref(json_object_get(all, name));
	json_decref(all);
	ck_assert_ptr_nonnull(part);
	return part;
}

static json_int_t member(json_t *obj, const char *key)
{
	ck_assert_msg(json_is_integer(json_object_get(obj, key)), "%s", key);
	return json_integer_value(json_object_get(obj, key));
}

static uint64_t list_of(struct test_image *ti, uint64_t dsq)
{
	return dsq + ti_off(ti, "scx_dispatch_q.list");
}

/* An empty queue at @dsq. */
static void init_dsq(struct test_image *ti, uint64_t dsq, uint64_t id)
{
	ti_set(ti, dsq, "scx_dispatch_q.id", id);
	ti_set(ti, list_of(ti, dsq), "list_head.next", list_of(ti, dsq));
}

/* Put a task, or an iterator's place holder, in front. */
static uint64_t put_first(struct test_image *ti, uint64_t dsq, int pid,
			  uint64_t waits_jiffies, uint32_t flags)
{
	uint64_t task = ti_direct(ti, ti_size(ti, "task_struct"));
	uint64_t scx = task + ti_off(ti, "task_struct.scx");
	uint64_t lnode = scx + ti_off(ti, "sched_ext_entity.dsq_list");
	uint64_t node = lnode + ti_off(ti, "scx_dsq_list_node.node"), next;

	memcpy(&next, ti_hva(ti, list_of(ti, dsq) +
			     ti_off(ti, "list_head.next")), 8);
	ti_set(ti, node, "list_head.next", next);
	ti_set(ti, list_of(ti, dsq), "list_head.next", node);
	ti_set(ti, task, "task_struct.pid", pid);
	ti_set(ti, scx, "sched_ext_entity.dsq", dsq);
	ti_set(ti, scx, "sched_ext_entity.runnable_at",
	       NOW_JIFFIES - waits_jiffies);
	ti_set(ti, lnode, "scx_dsq_list_node.flags", flags);
	return task;
}

/* A table of four buckets; the queues are chained in one of them. */
static uint64_t make_table(struct test_image *ti, uint64_t rht, unsigned int nr)
{
	uint64_t tbl = ti_direct(ti, ti_off(ti, "bucket_table.buckets") + 64);
	uint64_t chain = 0x1235, dsq = 0;
	unsigned int i;

	ti_set(ti, rht, "rhashtable.tbl", tbl);
	ti_set(ti, tbl, "bucket_table.size", 4);
	for (i = 0; i < nr; i++) {
		dsq = ti_direct(ti, ti_size(ti, "scx_dispatch_q"));
		init_dsq(ti, dsq, 100 + i);
		ti_set(ti, dsq + ti_off(ti, "scx_dispatch_q.hash_node"),
		       "rhash_head.next", chain);
		chain = dsq + ti_off(ti, "scx_dispatch_q.hash_node");
	}
	/* As it is while the bucket's lock is held. */
	ti_write_u64(ti, tbl + ti_off(ti, "bucket_table.buckets") + 16,
		     nr ? chain | 1 : 0);
	return dsq;
}

/* The queues of a scheduler that made @nr of them; the last one's address. */
static uint64_t make_queues(struct test_image *ti, unsigned int nr,
			    uint64_t *sched)
{
	uint64_t pnodes = ti_direct(ti, 64), pnode;

	*sched = ti_scheduler(ti, "good");
	pnode = ti_direct(ti, ti_size(ti, "scx_sched_pnode"));
	ti_write_u64(ti, pnodes, pnode);
	ti_set(ti, *sched, "scx_sched.pnode", pnodes);
	init_dsq(ti, pnode + ti_off(ti, "scx_sched_pnode.global_dsq"),
		 0x8000000000000001);
	return make_table(ti, *sched + ti_off(ti, "scx_sched.dsq_hash"), nr);
}

START_TEST(queues_tell_depth_and_how_long_the_first_waits)
{
	struct test_image *ti = image(_i);
	uint64_t sched, dsq = make_queues(ti, 3, &sched);
	struct monitor *mon;
	json_t *list, *q;

	ti_set(ti, dsq, "scx_dispatch_q.nr", 2);
	put_first(ti, dsq, 70, 1, 0);
	put_first(ti, dsq, 71, 50, 0);
	put_first(ti, dsq, 0, 0, 1); /* somebody iterates over it */
	mon = ti_open(ti);
	list = part(mon, "dsqs");
	ck_assert_uint_eq(4, json_array_size(list));
	q = json_array_get(list, 0);
	ck_assert_int_eq(102, member(q, "id"));
	ck_assert_int_eq(2, member(q, "depth"));
	ck_assert_int_eq(71, member(q, "head_pid"));
	ck_assert_int_eq(50 * (1000000000 / HZ), member(q, "head_age_ns"));
	q = json_array_get(list, 1);
	ck_assert_int_eq(101, member(q, "id"));
	ck_assert_int_eq(0, member(q, "depth"));
	ck_assert(json_is_null(json_object_get(q, "head_age_ns")));
	q = json_array_get(list, 3);
	ck_assert(json_is_true(json_object_get(q, "global")));
	ck_assert_int_eq(0, member(q, "node"));
	/* What JSON's integers can't hold is text. */
	ck_assert_str_eq("9223372036854775809",
			 json_string_value(json_object_get(q, "id")));
	json_decref(list);

	/* A first task that is another queue's by now tells nothing. */
	ti_set(ti, put_first(ti, dsq, 72, 9, 0) + ti_off(ti, "task_struct.scx"),
	       "sched_ext_entity.dsq", dsq + 8);
	list = part(mon, "dsqs");
	q = json_array_get(list, 0);
	ck_assert(json_is_null(json_object_get(q, "head_pid")));
	ck_assert(json_is_null(json_object_get(q, "head_age_ns")));
	json_decref(list);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(a_table_that_can_not_be_gone_through_tells_no_queues)
{
	struct test_image *ti = image(_i);
	uint64_t sched, dsq = make_queues(ti, 2, &sched), node, tbl;
	struct monitor *mon = ti_open(ti);
	json_t *list = part(mon, "dsqs");

	ck_assert_uint_eq(3, json_array_size(list));
	json_decref(list);
	/* Round and round. */
	node = dsq + ti_off(ti, "scx_dispatch_q.hash_node");
	ti_set(ti, node, "rhash_head.next", node);
	list = part(mon, "dsqs");
	ck_assert(json_is_null(list));
	json_decref(list);
	/* Of a shape that the kernel falls back to when memory is short. */
	ti_set(ti, node, "rhash_head.next", 1);
	memcpy(&tbl, ti_hva(ti, sched + ti_off(ti, "scx_sched.dsq_hash") +
			    ti_off(ti, "rhashtable.tbl")), 8);
	ti_set(ti, tbl, "bucket_table.nest", 1);
	list = part(mon, "dsqs");
	ck_assert(json_is_null(list));
	json_decref(list);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(without_a_scheduler_there_are_no_queues)
{
	struct test_image *ti = image(_i);
	struct monitor *mon = ti_open(ti);
	json_t *list = part(mon, "dsqs");

	ck_assert(json_is_null(list));
	json_decref(list);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(run_queues_tell_their_counts_and_domains)
{
	struct test_image *ti = image(_i);
	uint64_t mc = ti_direct(ti, ti_size(ti, "sched_domain"));
	uint64_t numa = ti_direct(ti, ti_size(ti, "sched_domain"));
	uint64_t rq = ti_rq(ti, 1), name = ti_direct(ti, 16);
	struct monitor *mon;
	json_t *cpus, *list;

	ti_set(ti, rq, "rq.nr_switches", 12345);
	ti_set(ti, rq, "rq.ttwu_count", 77);
	ti_set(ti, rq + ti_off(ti, "rq.rq_sched_info"), "sched_info.run_delay",
	       5000);
	ti_set(ti, rq, "rq.sd", mc);
	ti_write(ti, name, "MC", 3);
	ti_set(ti, mc, "sched_domain.name", name);
	ti_set(ti, mc, "sched_domain.span_weight", 2);
	ti_set(ti, mc, "sched_domain.parent", numa);
	ti_set(ti, numa, "sched_domain.span_weight", 8);
	mon = ti_open(ti);
	cpus = part(mon, "schedstat");
	ck_assert_uint_eq(2, json_array_size(cpus));
	ck_assert_int_eq(12345, member(json_array_get(cpus, 1), "switches"));
	ck_assert_int_eq(77, member(json_array_get(cpus, 1), "wakeups"));
	ck_assert_int_eq(5000, member(json_array_get(cpus, 1),
				      "run_delay_ns"));
	/* This kernel does not count them. */
	ck_assert(json_is_null(json_object_get(json_array_get(cpus, 1),
					       "yields")));
	json_decref(cpus);
	cpus = part(mon, "domains");
	ck_assert_uint_eq(0, json_array_size(json_array_get(cpus, 0)));
	list = json_array_get(cpus, 1);
	ck_assert_uint_eq(2, json_array_size(list));
	ck_assert_str_eq("MC", json_string_value(json_object_get(
		json_array_get(list, 0), "name")));
	ck_assert_int_eq(2, member(json_array_get(list, 0), "span_weight"));
	ck_assert_int_eq(8, member(json_array_get(list, 1), "span_weight"));
	json_decref(cpus);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(the_exit_record_is_read_while_it_is_there)
{
	struct test_image *ti = image(_i);
	uint64_t sched = ti_scheduler(ti, "bad");
	uint64_t info = ti_direct(ti, ti_size(ti, "scx_exit_info"));
	uint64_t msg = ti_vmalloc(ti, 8192) + 4090;
	struct monitor *mon;
	json_t *exit;

	ti_set(ti, sched, "scx_sched.exit_info", info);
	/* across a page's end */
	ti_write(ti, msg, "a task was not run for 5 s", 27);
	ti_set(ti, info, "scx_exit_info.msg", msg);
	mon = ti_open(ti);
	exit = mon_scx_exit(mon);
	ck_assert(json_is_null(exit));
	json_decref(exit);

	ti_set(ti, info, "scx_exit_info.kind", 1026);
	ti_set(ti, info, "scx_exit_info.exit_code", -3);
	exit = mon_scx_exit(mon);
	ck_assert_int_eq(1026, member(exit, "kind"));
	ck_assert_int_eq(-3, member(exit, "code"));
	ck_assert_str_eq("a task was not run for 5 s", json_string_value(
		json_object_get(exit, "message")));
	ck_assert(json_is_null(json_object_get(exit, "dump")));
	json_decref(exit);

	ti_write_u64(ti, ti->info.sym[MON_SYM_SCX_ROOT], 0);
	exit = mon_scx_exit(mon);
	ck_assert(json_is_null(exit));
	json_decref(exit);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(schedulers_below_the_root_are_listed)
{
	struct test_image *ti = image(_i);
	uint64_t child = ti_scheduler(ti, "child"), root, head, node;
	struct monitor *mon;
	json_t *list;

	root = ti_scheduler(ti, "root");
	head = root + ti_off(ti, "scx_sched.children");
	node = child + ti_off(ti, "scx_sched.sibling");
	ti_set(ti, head, "list_head.next", node);
	ti_set(ti, node, "list_head.next", head);
	head = child + ti_off(ti, "scx_sched.children");
	ti_set(ti, head, "list_head.next", head);
	ti_set(ti, child, "scx_sched.level", 1);
	mon = ti_open(ti);
	list = part(mon, "subs");
	ck_assert_uint_eq(1, json_array_size(list));
	ck_assert_str_eq("child", json_string_value(json_object_get(
		json_array_get(list, 0), "name")));
	ck_assert_int_eq(1, member(json_array_get(list, 0), "level"));
	json_decref(list);
	/* A list that never comes back ends nevertheless. */
	ti_set(ti, node, "list_head.next", node);
	list = part(mon, "subs");
	ck_assert_uint_le(json_array_size(list), 64);
	json_decref(list);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* 6.12 to 6.15: global variables, and no scx_root. */
START_TEST(a_kernel_without_a_scheduler_struct_is_read_from_its_globals)
{
	struct test_image *ti = image(_i);
	uint64_t *sym = ti->info.sym, ops = ti_image(ti, 512);
	uint64_t table = ti_image(ti, ti_size(ti, "rhashtable"));
	struct mon_sched s;
	struct monitor *mon;

	sym[MON_SYM_SCX_OPS_ENABLE_STATE_VAR] =
		sym[MON_SYM_SCX_ENABLE_STATE_VAR];
	sym[MON_SYM_SCX_ENABLE_STATE_VAR] = 0;
	sym[MON_SYM_SCX_ROOT] = 0;
	sym[MON_SYM_SCX_OPS] = ops;
	sym[MON_SYM_DSQ_HASH] = table;
	ti_write(ti, ops + ti_off(ti, "sched_ext_ops.name"), "old", 4);
	make_table(ti, table, 2);
	ti_write_u32(ti, sym[MON_SYM_SCX_OPS_ENABLE_STATE_VAR], 11);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert(s.have_scx);
	ck_assert_int_eq(MON_SCX_ENABLED, s.state);
	ck_assert_str_eq("old", s.ops_name);
	/* Nothing stands where these would be: not 0. */
	ck_assert_int_eq(-1, s.exit_kind);
	ck_assert_int_eq(-1, s.bypass_depth);
	ck_assert_uint_eq(0, s.nr_events);
	mon_close(mon);

	sym[MON_SYM_SCX_EXIT_KIND] = ti_image(ti, 4);
	ti_write_u32(ti, sym[MON_SYM_SCX_EXIT_KIND], 1026);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert_int_eq(1026, s.exit_kind);
	mon_close(mon);

	/* With neither there is nothing to say. */
	sym[MON_SYM_SCX_OPS] = 0;
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert(!s.have_scx);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

#define ADD(test) tcase_add_loop_test(t, test, 0, LAYOUTS)

int main(void)
{
	Suite *s = suite_create("details");
	TCase *t = tcase_create("details");

	tcase_set_timeout(t, 20);
	ADD(queues_tell_depth_and_how_long_the_first_waits);
	ADD(a_table_that_can_not_be_gone_through_tells_no_queues);
	ADD(without_a_scheduler_there_are_no_queues);
	ADD(run_queues_tell_their_counts_and_domains);
	ADD(the_exit_record_is_read_while_it_is_there);
	ADD(schedulers_below_the_root_are_listed);
	ADD(a_kernel_without_a_scheduler_struct_is_read_from_its_globals);
	suite_add_tcase(s, t);
	return test_run(s);
}
