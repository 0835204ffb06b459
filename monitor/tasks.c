// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who runs on each CPU, which runnable tasks of sched_ext wait there, and what
 * one task is at.
 */
#include "monitor/btf_type.h"
#include "monitor/monitor_priv.h"

#include <errno.h>
#include <string.h>

/* A list that does not come back to its head in so many steps is broken. */
#define MAX_WALK 4096
#define MAX_PROCESSES 65536

/* Nobody needs to know whether it was the 70th or the 80th. */
#define MAX_PLACE 64

/* Source: include/linux/sched.h, of task_struct.__state */
#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2
#define TASK_STOPPED_OR_TRACED (4 | 8)

/* Source: include/linux/sched/ext.h, enum scx_ent_flags */
#define SCX_TASK_QUEUED 1

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static int read_task(struct monitor *mon, uint64_t task, struct mon_task *t)
{
	const struct kfield *comm = &mon->kbtf.fields[KF_TASK_COMM];
	size_t len = comm->size < sizeof(t->comm) - 1 ? comm->size :
		sizeof(t->comm) - 1;
	int64_t pid;
	int err = kbtf_read(&mon->kbtf, &mon->kmem, task, KF_TASK_PID, &pid);

	if (!err)
		err = kmem_read(&mon->kmem, task + comm->off, t->comm, len);
	if (err)
		return err;
	text_to_ascii(t->comm);
	t->pid = pid;
	return 0;
}

/* The queue that a waiting task is on; a kernel may have none to tell. */
static int read_dsq(struct monitor *mon, uint64_t task, struct mon_task *t)
{
	uint64_t dsq;
	int64_t nr;
	int err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, task, KF_TASK_SCX_DSQ,
				&dsq);

	if (err || !dsq)
		return err == -ENOENT ? 0 : err;
	err = kbtf_read(&mon->kbtf, &mon->kmem, dsq, KF_DSQ_ID,
			(int64_t *)&t->dsq_id);
	if (!err)
		err = kbtf_read(&mon->kbtf, &mon->kmem, dsq, KF_DSQ_NR, &nr);
	if (err)
		return err == -ENOENT ? 0 : err;
	t->dsq_nr = nr;
	t->on_dsq = true;
	return 0;
}

/* Where on its queue a task waits: they are taken from the list's head. */
static void read_place(struct monitor *mon, uint64_t task, struct mon_task *t)
{
	static const enum kfield_id needed[] = {
		KF_DSQ_LIST, KF_TASK_DSQ_NODE, KF_TASK_DSQ_FLAGS, KF_LIST_NEXT,
	};
	const struct kfield *f = mon->kbtf.fields;
	uint64_t dsq, head, node, flags;
	unsigned int steps, place = 0;

	if (!t->on_dsq || kbtf_missing(&mon->kbtf, needed, NR(needed)) ||
	    kbtf_read_ptr(&mon->kbtf, &mon->kmem, task, KF_TASK_SCX_DSQ, &dsq))
		return;
	head = node = dsq + f[KF_DSQ_LIST].off;
	for (steps = 0; steps < MAX_PLACE; steps++) {
		if (kbtf_read_ptr(&mon->kbtf, &mon->kmem, node, KF_LIST_NEXT,
				  &node) || node == head ||
		    kbtf_read_ptr(&mon->kbtf, &mon->kmem,
				  node - f[KF_TASK_DSQ_NODE].off,
				  KF_TASK_DSQ_FLAGS, &flags))
			return;
		/* an iterator's place holder is no task: it has a flag */
		place += !flags;
		if (node == task + f[KF_TASK_DSQ_NODE].off) {
			t->dsq_place = place;
			return;
		}
	}
}

/* 0: not known */
static uint64_t read_cgroup(struct monitor *mon, uint64_t task)
{
	static const enum kfield_id path[] = {
		KF_TASK_CGROUPS, KF_CSS_SET_CGROUP, KF_CGROUP_KN,
	};
	uint64_t at = task;
	int64_t id;
	size_t i;

	for (i = 0; i < NR(path); i++)
		if (kbtf_read_ptr(&mon->kbtf, &mon->kmem, at, path[i], &at) ||
		    !at)
			return 0;
	if (kbtf_read(&mon->kbtf, &mon->kmem, at, KF_KERNFS_ID, &id))
		return 0;
	return id;
}

static int read_running(struct monitor *mon, uint64_t rq, struct mon_task *t,
			uint64_t *curr)
{
	uint64_t idle;
	int err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, rq, KF_RQ_CURR, curr);

	if (!err)
		err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, rq, KF_RQ_IDLE,
				    &idle);
	if (err)
		return err;
	t->running = true;
	t->idle = *curr == idle;
	t->cgroup = read_cgroup(mon, *curr);
	return read_task(mon, *curr, t);
}

/* From the list's head on, but for the one that runs. Return: nr or -errno. */
static int read_waiting(struct monitor *mon, unsigned int cpu, uint64_t rq,
			uint64_t curr, struct mon_task *tasks,
			unsigned int max)
{
	const struct kfield *list = &mon->kbtf.fields[KF_RQ_SCX_RUNNABLE];
	const struct kfield *node = &mon->kbtf.fields[KF_TASK_SCX_NODE];
	uint64_t head = rq + list->off, at = head, task;
	unsigned int nr = 0, steps;
	int err;

	for (steps = 0; steps < MAX_WALK && nr < max; steps++) {
		err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, at, KF_LIST_NEXT,
				    &at);
		if (err)
			return err;
		if (at == head)
			return nr;
		task = at - node->off;
		if (task == curr)
			continue;
		tasks[nr] = (struct mon_task){ .cpu = cpu };
		err = read_task(mon, task, &tasks[nr]);
		if (!err)
			err = read_dsq(mon, task, &tasks[nr]);
		if (err)
			return err;
		read_place(mon, task, &tasks[nr]);
		nr++;
	}
	return steps == MAX_WALK ? -EFAULT : (int)nr;
}

int mon_read_running(struct monitor *mon, struct mon_task *tasks,
		     unsigned int max)
{
	static const enum kfield_id needed[] = {
		KF_RQ_CURR, KF_RQ_IDLE, KF_TASK_PID, KF_TASK_COMM,
	};
	unsigned int cpu;
	uint64_t curr;
	int err;

	if (!mon->info.sym[MON_SYM_RUNQUEUES] || !mon->nr_possible ||
	    kbtf_missing(&mon->kbtf, needed, NR(needed)))
		return -ENOTSUP;
	for (cpu = 0; cpu < mon->info.nr_cpus && cpu < max; cpu++) {
		tasks[cpu] = (struct mon_task){ .cpu = cpu };
		err = read_running(mon, mon->info.sym[MON_SYM_RUNQUEUES] +
				   mon->percpu_off[cpu], &tasks[cpu], &curr);
		if (err)
			return err;
	}
	return cpu;
}

int mon_read_tasks(struct monitor *mon, struct mon_task *tasks,
		   unsigned int max)
{
	static const enum kfield_id needed[] = {
		KF_RQ_CURR, KF_RQ_IDLE, KF_RQ_SCX_RUNNABLE, KF_LIST_NEXT,
		KF_TASK_SCX_NODE, KF_TASK_PID, KF_TASK_COMM,
	};
	unsigned int cpu, nr = 0;
	uint64_t curr, rq;
	int n, err;

	if (!mon->info.sym[MON_SYM_RUNQUEUES] || !mon->nr_possible ||
	    kbtf_missing(&mon->kbtf, needed, NR(needed)))
		return -ENOTSUP;
	for (cpu = 0; cpu < mon->info.nr_cpus && nr < max; cpu++) {
		rq = mon->info.sym[MON_SYM_RUNQUEUES] + mon->percpu_off[cpu];
		tasks[nr] = (struct mon_task){ .cpu = cpu };
		err = read_running(mon, rq, &tasks[nr], &curr);
		if (err)
			return err;
		nr++;
		n = read_waiting(mon, cpu, rq, curr, tasks + nr, max - nr);
		if (n < 0)
			return n;
		nr += n;
	}
	return nr;
}

int mon_find_task(struct monitor *mon, uint32_t pid, uint64_t *task)
{
	static const enum kfield_id needed[] = {
		KF_TASK_TASKS, KF_LIST_NEXT, KF_TASK_PID,
	};
	const struct kfield *node = &mon->kbtf.fields[KF_TASK_TASKS];
	uint64_t init = mon->info.sym[MON_SYM_INIT_TASK], at;
	unsigned int steps;
	int64_t seen;
	int err;

	if (!init || kbtf_missing(&mon->kbtf, needed, NR(needed)))
		return -ENOTSUP;
	at = init + node->off;
	for (steps = 0; steps < MAX_PROCESSES; steps++) {
		err = kbtf_read_ptr(&mon->kbtf, &mon->kmem, at, KF_LIST_NEXT,
				    &at);
		if (err)
			return err;
		if (at == init + node->off)
			return -ESRCH;
		err = kbtf_read(&mon->kbtf, &mon->kmem, at - node->off,
				KF_TASK_PID, &seen);
		if (err)
			return err;
		if (seen != pid)
			continue;
		*task = at - node->off;
		return 0;
	}
	return -EFAULT;
}

static enum mon_task_doing doing_of(int64_t state, bool runs)
{
	/* it may be about to sleep, and is on the CPU until it does */
	if (runs)
		return MON_TASK_RUNS;
	if (!state)
		return MON_TASK_RUNNABLE;
	if (state & TASK_UNINTERRUPTIBLE)
		return MON_TASK_BLOCKED;
	if (state & TASK_STOPPED_OR_TRACED)
		return MON_TASK_STOPPED;
	return state & TASK_INTERRUPTIBLE ? MON_TASK_SLEEPS : MON_TASK_OTHER;
}

static int read_now(struct monitor *mon, uint64_t task,
		    struct mon_task_now *now)
{
	int64_t cpu, state, flags = 0;
	uint64_t curr;
	int err = read_task(mon, task, &now->task);

	if (!err)
		err = kbtf_read(&mon->kbtf, &mon->kmem, task, KF_TASK_CPU,
				&cpu);
	if (!err && (cpu < 0 || cpu >= mon->info.nr_cpus))
		err = -EFAULT;
	if (err)
		return err;
	now->task.cpu = now->curr.cpu = cpu;
	err = read_running(mon, mon->info.sym[MON_SYM_RUNQUEUES] +
			   mon->percpu_off[cpu], &now->curr, &curr);
	if (!err)
		err = kbtf_read(&mon->kbtf, &mon->kmem, task, KF_TASK_STATE,
				&state);
	if (err)
		return err;
	now->doing = doing_of(state, curr == task);
	now->task.running = curr == task;
	if (now->doing != MON_TASK_RUNNABLE)
		return 0;
	err = kbtf_read(&mon->kbtf, &mon->kmem, task, KF_TASK_SCX_FLAGS,
			&flags);
	now->ext = !err && flags & SCX_TASK_QUEUED;
	return now->ext ? read_dsq(mon, task, &now->task) : 0;
}

int mon_read_task(struct monitor *mon, uint64_t task, uint32_t pid,
		  struct mon_task_now *now)
{
	static const enum kfield_id needed[] = {
		KF_RQ_CURR, KF_RQ_IDLE, KF_TASK_PID, KF_TASK_COMM,
		KF_TASK_CPU, KF_TASK_STATE,
	};
	int64_t after, ran_ns;
	int err;

	if (!mon->info.sym[MON_SYM_RUNQUEUES] || !mon->nr_possible ||
	    kbtf_missing(&mon->kbtf, needed, NR(needed)))
		return -ENOTSUP;
	*now = (struct mon_task_now){ .ran_ns = -1 };
	err = read_now(mon, task, now);
	/* after its queue: from then on it has not run if this stays */
	if (!err && now->doing != MON_TASK_RUNS &&
	    !kbtf_read(&mon->kbtf, &mon->kmem, task, KF_TASK_RAN, &ran_ns) &&
	    ran_ns >= 0)
		now->ran_ns = ran_ns;
	if (!err)
		err = kbtf_read(&mon->kbtf, &mon->kmem, task, KF_TASK_PID,
				&after);
	if (err)
		return err;
	return now->task.pid == pid && after == pid ? 0 : -ESRCH;
}
