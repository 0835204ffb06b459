// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/monitor.h"

#include "lib/test_run.h"
#include "monitor/test_image.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct test_image *ti;
static uint64_t head, node_off;

static uint64_t scx_off(const char *member)
{
	return ti_off(ti, "task_struct.scx") + ti_off(ti, member);
}

static uint64_t make_task(int pid, const char *comm)
{
	uint64_t task = ti_direct(ti, ti_size(ti, "task_struct"));

	ti_set(ti, task, "task_struct.pid", pid);
	ti_write(ti, task + ti_off(ti, "task_struct.comm"), comm,
		 strlen(comm));
	return task;
}

static uint64_t next_of(uint64_t list)
{
	return list + ti_off(ti, "list_head.next");
}

/* CPU 1 runs 10, and 11 and 12 wait there; 11 on queue 7 with 2 on it. */
static void build(int seed)
{
	struct ti_config cfg = { .seed = seed };
	uint64_t rq, run, one, two, dsq;

	ti = ti_new(&cfg);
	node_off = scx_off("sched_ext_entity.runnable_node");
	rq = ti_rq(ti, 0) + ti_off(ti, "rq.scx") +
		ti_off(ti, "scx_rq.runnable_list");
	ti_write_u64(ti, next_of(rq), rq);
	run = make_task(10, "spin");
	one = make_task(11, "web\x01");
	two = make_task(12, "reader");
	rq = ti_rq(ti, 1);
	ti_set(ti, rq + ti_off(ti, "rq.rq_donor"), "rq_donor.curr", run);
	head = rq + ti_off(ti, "rq.scx") + ti_off(ti, "scx_rq.runnable_list");
	ti_write_u64(ti, next_of(head), one + node_off);
	ti_write_u64(ti, next_of(one + node_off), run + node_off);
	ti_write_u64(ti, next_of(run + node_off), two + node_off);
	ti_write_u64(ti, next_of(two + node_off), head);
	dsq = ti_direct(ti, ti_size(ti, "scx_dispatch_q"));
	ti_set(ti, dsq, "scx_dispatch_q.id", 7);
	ti_set(ti, dsq, "scx_dispatch_q.nr", 2);
	ti_write_u64(ti, one + scx_off("sched_ext_entity.dsq"), dsq);
}

START_TEST(who_runs_and_who_waits_where)
{
	struct mon_task t[8];
	struct monitor *mon;

	build(_i);
	mon = ti_open(ti);
	ck_assert_int_eq(4, mon_read_tasks(mon, t, 8));
	ck_assert(t[0].running && t[0].idle && t[0].cpu == 0);
	ck_assert(t[1].running && !t[1].idle && t[1].cpu == 1);
	ck_assert_uint_eq(10, t[1].pid);
	ck_assert_str_eq("spin", t[1].comm);
	ck_assert_uint_eq(11, t[2].pid);
	ck_assert_str_eq("web?", t[2].comm);
	ck_assert(!t[2].running && t[2].on_dsq);
	ck_assert_uint_eq(7, t[2].dsq_id);
	ck_assert_uint_eq(2, t[2].dsq_nr);
	ck_assert_uint_eq(12, t[3].pid);
	ck_assert(!t[3].on_dsq);
	/* room for fewer: the first */
	ck_assert_int_eq(3, mon_read_tasks(mon, t, 3));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* The number of its cgroup, or 0 where a kernel, or a task, has not all. */
static const struct {
	const char *drop;	/* NULL: nothing is missing */
	bool broken;		/* no css_set */
	uint64_t want;
} cgroup_cases[] = {
	{ NULL, false, 0x100000991 },
	{ "task_struct.cgroups", false, 0 },
	{ "css_set.dfl_cgrp", false, 0 },
	{ "kernfs_node.id", false, 0 },
	{ NULL, true, 0 },
};

static void link_unless(const char *drop, uint64_t at, const char *path,
			uint64_t to)
{
	if (!drop || strcmp(drop, path))
		ti_set(ti, at, path, to);
}

START_TEST(who_runs_is_told_with_its_cgroup)
{
	const char *drop = cgroup_cases[_i].drop;
	struct ti_config cfg = { .drop = { drop } };
	uint64_t task, set, cgroup, kn;
	struct mon_task t[8];
	struct monitor *mon;

	ti = ti_new(&cfg);
	task = make_task(10, "spin");
	set = ti_direct(ti, ti_size(ti, "css_set"));
	cgroup = ti_direct(ti, ti_size(ti, "cgroup"));
	kn = ti_direct(ti, ti_size(ti, "kernfs_node"));
	link_unless(drop, task, "task_struct.cgroups",
		    cgroup_cases[_i].broken ? 0 : set);
	link_unless(drop, set, "css_set.dfl_cgrp", cgroup);
	link_unless(drop, cgroup, "cgroup.kn", kn);
	link_unless(drop, kn, "kernfs_node.id", 0x100000991);
	ti_set(ti, ti_rq(ti, 1) + ti_off(ti, "rq.rq_donor"), "rq_donor.curr",
	       task);
	mon = ti_open(ti);
	ck_assert_int_eq(2, mon_read_running(mon, t, 8));
	ck_assert_uint_eq(10, t[1].pid);
	ck_assert_uint_eq(cgroup_cases[_i].want, t[1].cgroup);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(who_runs_is_told_without_sched_ext_too)
{
	struct ti_config cfg = { .seed = _i,
				 .drop = { "scx_rq.runnable_list" } };
	struct mon_task t[8];
	struct monitor *mon;

	ti = ti_new(&cfg);
	ti_set(ti, ti_rq(ti, 1) + ti_off(ti, "rq.rq_donor"), "rq_donor.curr",
	       make_task(10, "spin"));
	mon = ti_open(ti);
	ck_assert_int_eq(2, mon_read_running(mon, t, 8));
	ck_assert(t[0].running && t[0].idle && t[0].cpu == 0);
	ck_assert(t[1].running && !t[1].idle && t[1].cpu == 1);
	ck_assert_uint_eq(10, t[1].pid);
	ck_assert_int_eq(1, mon_read_running(mon, t, 1));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* A queue of an iterator's place holder, 12 and 11, as build() has them. */
START_TEST(the_place_on_a_queue_is_counted_from_its_head)
{
	uint64_t one, two, dsq, list, cursor, node[3];
	struct mon_task t[8];
	struct monitor *mon;
	uint32_t lnode;

	build(_i);
	lnode = scx_off("sched_ext_entity.dsq_list");
	memcpy(&one, ti_hva(ti, next_of(head)), 8);
	one -= node_off;
	memcpy(&dsq, ti_hva(ti, one + scx_off("sched_ext_entity.dsq")), 8);
	two = make_task(12, "reader");
	ti_write_u64(ti, two + scx_off("sched_ext_entity.dsq"), dsq);
	cursor = make_task(0, "");
	ti_write_u32(ti, cursor + lnode + ti_off(ti, "scx_dsq_list_node.flags"),
		     1);
	list = dsq + ti_off(ti, "scx_dispatch_q.list");
	node[0] = cursor + lnode + ti_off(ti, "scx_dsq_list_node.node");
	node[1] = two + lnode + ti_off(ti, "scx_dsq_list_node.node");
	node[2] = one + lnode + ti_off(ti, "scx_dsq_list_node.node");
	ti_write_u64(ti, next_of(list), node[0]);
	ti_write_u64(ti, next_of(node[0]), node[1]);
	ti_write_u64(ti, next_of(node[1]), node[2]);
	ti_write_u64(ti, next_of(node[2]), list);
	mon = ti_open(ti);
	ck_assert_int_eq(4, mon_read_tasks(mon, t, 8));
	ck_assert_uint_eq(11, t[2].pid);
	ck_assert_uint_eq(2, t[2].dsq_place);
	ck_assert_uint_eq(0, t[3].dsq_place); /* on no queue */
	/* not on the list that it says, one that never ends, one that is gone */
	ti_write_u64(ti, next_of(node[1]), list);
	ck_assert_int_eq(4, mon_read_tasks(mon, t, 8));
	ck_assert_uint_eq(0, t[2].dsq_place);
	ti_write_u64(ti, next_of(node[1]), node[0]);
	ck_assert_int_eq(4, mon_read_tasks(mon, t, 8));
	ck_assert_uint_eq(0, t[2].dsq_place);
	ti_write_u64(ti, next_of(node[1]), 0x122);
	ck_assert_int_eq(4, mon_read_tasks(mon, t, 8));
	ck_assert_uint_eq(0, t[2].dsq_place);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(a_list_that_never_ends_is_a_fault)
{
	static struct mon_task t[8192];
	struct monitor *mon;
	uint64_t task;

	build(_i);
	task = make_task(13, "loop");
	ti_write_u64(ti, next_of(head), task + node_off);
	ti_write_u64(ti, next_of(task + node_off), task + node_off);
	mon = ti_open(ti);
	ck_assert_int_eq(-EFAULT, mon_read_tasks(mon, t, 8192));
	ti_write_u64(ti, next_of(head), 0x1234);
	ck_assert_int_eq(-EFAULT, mon_read_tasks(mon, t, 8192));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(a_kernel_without_the_list_has_none_to_tell)
{
	struct ti_config cfg = { .seed = _i,
				 .drop = { "scx_rq.runnable_list" } };
	struct mon_task t[4];
	struct monitor *mon;

	ti = ti_new(&cfg);
	mon = ti_open(ti);
	ck_assert_int_eq(-ENOTSUP, mon_read_tasks(mon, t, 4));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* Two processes on the kernel's list behind init_task: 20, then 21. */
static uint64_t tasks_of(uint64_t task)
{
	return task + ti_off(ti, "task_struct.tasks");
}

static void list_two(uint64_t *one, uint64_t *two)
{
	uint64_t init = ti->info.sym[MON_SYM_INIT_TASK];

	*one = make_task(20, "web/0");
	*two = make_task(21, "web/1");
	ti_write_u64(ti, next_of(tasks_of(init)), tasks_of(*one));
	ti_write_u64(ti, next_of(tasks_of(*one)), tasks_of(*two));
	ti_write_u64(ti, next_of(tasks_of(*two)), tasks_of(init));
}

static void place(uint64_t task, unsigned int cpu, unsigned int state)
{
	ti_set(ti, task + ti_off(ti, "task_struct.thread_info"),
	       "thread_info.cpu", cpu);
	ti_set(ti, task, "task_struct.__state", state);
}

START_TEST(a_process_is_found_by_its_pid)
{
	uint64_t one, two, found;
	struct monitor *mon;

	build(_i);
	list_two(&one, &two);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_find_task(mon, 21, &found));
	ck_assert_uint_eq(two, found);
	ck_assert_int_eq(-ESRCH, mon_find_task(mon, 22, &found));
	/* a list that never ends, and one that leads nowhere */
	ti_write_u64(ti, next_of(tasks_of(two)), tasks_of(one));
	ck_assert_int_eq(-EFAULT, mon_find_task(mon, 22, &found));
	ti_write_u64(ti, next_of(tasks_of(two)), 0x122);
	ck_assert_int_eq(-EFAULT, mon_find_task(mon, 22, &found));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

static const struct {
	unsigned int cpu, state;
	enum mon_task_doing doing;
} at_cases[] = {
	{ 1, 0, MON_TASK_RUNNABLE },
	{ 0, 1, MON_TASK_SLEEPS },
	{ 1, 2, MON_TASK_BLOCKED },
	{ 1, 0x2002, MON_TASK_BLOCKED },
	/* as of SIGSTOP, and of ptrace(2) */
	{ 1, 0x104, MON_TASK_STOPPED },
	{ 0, 0x108, MON_TASK_STOPPED },
	{ 1, 0x200, MON_TASK_OTHER },
};

static void set_ran(uint64_t task, uint64_t ran_ns)
{
	ti_set(ti, task + ti_off(ti, "task_struct.se"),
	       "sched_entity.sum_exec_runtime", ran_ns);
}

START_TEST(what_a_task_is_at_is_told_with_who_has_its_cpu)
{
	struct mon_task_now now;
	uint64_t one, two;
	struct monitor *mon;
	size_t i;

	build(_i);
	list_two(&one, &two);
	mon = ti_open(ti);
	for (i = 0; i < sizeof(at_cases) / sizeof(at_cases[0]); i++) {
		place(one, at_cases[i].cpu, at_cases[i].state);
		set_ran(one, 1000 + i);
		ck_assert_int_eq(0, mon_read_task(mon, one, 20, &now));
		ck_assert_int_eq(at_cases[i].doing, now.doing);
		ck_assert_uint_eq(at_cases[i].cpu, now.task.cpu);
		ck_assert(!now.ext && !now.task.on_dsq);
		ck_assert_int_eq(1000 + i, now.ran_ns);
		ck_assert(now.curr.idle == !at_cases[i].cpu);
		ck_assert_str_eq("web/0", now.task.comm);
	}
	ck_assert_uint_eq(10, now.curr.pid);
	ck_assert_str_eq("spin", now.curr.comm);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(a_waiting_task_is_told_with_its_queue)
{
	struct mon_task_now now;
	uint64_t one, two, dsq;
	struct monitor *mon;

	build(_i);
	list_two(&one, &two);
	dsq = ti_direct(ti, ti_size(ti, "scx_dispatch_q"));
	ti_set(ti, dsq, "scx_dispatch_q.id", 7);
	ti_set(ti, dsq, "scx_dispatch_q.nr", 3);
	ti_write_u64(ti, one + scx_off("sched_ext_entity.dsq"), dsq);
	place(one, 1, 0);
	ti_write_u32(ti, one + scx_off("sched_ext_entity.flags"), 0x301);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_read_task(mon, one, 20, &now));
	ck_assert(now.ext && now.task.on_dsq);
	ck_assert_uint_eq(7, now.task.dsq_id);
	ck_assert_uint_eq(3, now.task.dsq_nr);
	/* on none: somebody keeps it */
	ti_write_u64(ti, one + scx_off("sched_ext_entity.dsq"), 0);
	ck_assert_int_eq(0, mon_read_task(mon, one, 20, &now));
	ck_assert(now.ext && !now.task.on_dsq);
	/* another's by now, or on a CPU that is not */
	ck_assert_int_eq(-ESRCH, mon_read_task(mon, one, 21, &now));
	place(one, 99, 0);
	ck_assert_int_eq(-EFAULT, mon_read_task(mon, one, 20, &now));
	ck_assert_int_eq(-EFAULT, mon_read_task(mon, 0x10, 20, &now));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(a_task_on_its_cpu_runs_whatever_it_is_about_to_do)
{
	struct mon_task_now now;
	uint64_t one, two;
	struct monitor *mon;

	build(_i);
	list_two(&one, &two);
	ti_set(ti, ti_rq(ti, 1) + ti_off(ti, "rq.rq_donor"), "rq_donor.curr",
	       two);
	place(two, 1, 2);
	set_ran(two, 1000); /* up to its last tick only */
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_read_task(mon, two, 21, &now));
	ck_assert_int_eq(MON_TASK_RUNS, now.doing);
	ck_assert(now.task.running);
	ck_assert_int_eq(-1, now.ran_ns);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(cpu_time_that_is_none_or_is_not_told_is_not_available)
{
	struct ti_config cfg = { .seed = _i,
				 .drop = { "sched_entity.sum_exec_runtime" } };
	struct mon_task_now now;
	struct monitor *mon;
	uint64_t one, two;

	build(_i);
	list_two(&one, &two);
	place(one, 1, 1);
	set_ran(one, UINT64_MAX - 1);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_read_task(mon, one, 20, &now));
	ck_assert_int_eq(-1, now.ran_ns);
	mon_close(mon);
	ti_free(ti);

	ti = ti_new(&cfg);
	list_two(&one, &two);
	place(one, 1, 1);
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_read_task(mon, one, 20, &now));
	ck_assert_int_eq(MON_TASK_SLEEPS, now.doing);
	ck_assert_int_eq(-1, now.ran_ns);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tasks");
	TCase *tc = tcase_create("tasks");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, who_runs_and_who_waits_where, 0, 4);
	tcase_add_loop_test(tc, who_runs_is_told_with_its_cgroup, 0,
			    sizeof(cgroup_cases) / sizeof(cgroup_cases[0]));
	tcase_add_loop_test(tc, who_runs_is_told_without_sched_ext_too, 0, 4);
	tcase_add_loop_test(tc, the_place_on_a_queue_is_counted_from_its_head,
			    0, 4);
	tcase_add_loop_test(tc, a_list_that_never_ends_is_a_fault, 0, 4);
	tcase_add_loop_test(tc, a_kernel_without_the_list_has_none_to_tell, 0,
			    4);
	tcase_add_loop_test(tc, a_process_is_found_by_its_pid, 0, 4);
	tcase_add_loop_test(tc, what_a_task_is_at_is_told_with_who_has_its_cpu,
			    0, 4);
	tcase_add_loop_test(tc, a_waiting_task_is_told_with_its_queue, 0, 4);
	tcase_add_loop_test(tc,
		cpu_time_that_is_none_or_is_not_told_is_not_available, 0, 4);
	tcase_add_loop_test(tc,
		a_task_on_its_cpu_runs_whatever_it_is_about_to_do, 0, 4);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
