/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The good scheduler that simple.bpf.c is, and that every planted fault is but
 * for its one defect: weighted virtual time on one shared queue. Included by
 * one .bpf.c each; it holds the state, and the callbacks that none of them
 * changes (running, stopping, enable, exit) as programs of their own.
 *
 * VTIME_MAY_COUNT, defined before the include, is asked before each count.
 */
#ifndef KTSTR_BPF_VTIME_H
#define KTSTR_BPF_VTIME_H

#include "bpf/ktstr_scx.h"

#ifndef VTIME_MAY_COUNT
#define VTIME_MAY_COUNT() true
#endif

#define VTIME_DSQ 0
#define VTIME_WEIGHT_BASE 100 /* p->scx.weight of nice 0 */

const volatile u64 slice_ns = 5000000;

enum vtime_stat {
	VTIME_LOCAL,	/* put straight on an idle CPU's queue */
	VTIME_GLOBAL,	/* put on the shared queue */
	VTIME_DISPATCH,	/* taken from the shared queue */
	VTIME_STOP,	/* tasks that stopped running */
	VTIME_NR_STATS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VTIME_NR_STATS);
	__type(key, u32);
	__type(value, u64);
} stats SEC(".maps");

u64 vtime_now;		/* of the task that has run furthest */
u64 nr_enqueued;
u64 nr_running;		/* times a task began to run */
u64 nr_enabled;		/* tasks that were put under it */

static __always_inline void vtime_count(u32 stat)
{
	u64 *count = bpf_map_lookup_elem(&stats, &stat);

	if (count && VTIME_MAY_COUNT())
		(*count)++;
}

/* Return: the CPU; *@idle tells whether it was idle and is now claimed. */
static __always_inline s32 vtime_pick_cpu(struct task_struct *p, s32 prev_cpu,
					  u64 wake_flags, bool *idle)
{
	*idle = false;
	return scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, idle);
}

/* On an idle CPU @p goes straight to its queue. Return: the CPU. */
static __always_inline s32 vtime_select_cpu(struct task_struct *p,
					    s32 prev_cpu, u64 wake_flags)
{
	bool idle;
	s32 cpu = vtime_pick_cpu(p, prev_cpu, wake_flags, &idle);

	if (idle) {
		vtime_count(VTIME_LOCAL);
		ktstr_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	}
	return cpu;
}

/* What @p is queued by: who slept long keeps at most one slice of credit. */
static __always_inline u64 vtime_of(const struct task_struct *p)
{
	u64 vtime = p->scx.dsq_vtime;

	return ktstr_before(vtime, vtime_now - slice_ns) ?
		       vtime_now - slice_ns : vtime;
}

static __always_inline void vtime_count_enqueue(void)
{
	vtime_count(VTIME_GLOBAL);
	__sync_fetch_and_add(&nr_enqueued, 1);
}

static __always_inline void vtime_enqueue(struct task_struct *p, u64 enq_flags)
{
	vtime_count_enqueue();
	ktstr_insert_vtime(p, VTIME_DSQ, slice_ns, vtime_of(p), enq_flags);
}

/* Weight makes the time that was used cheap or dear. */
static __always_inline void vtime_charge(struct task_struct *p)
{
	u64 weight = p->scx.weight ?: VTIME_WEIGHT_BASE;
	u64 left = p->scx.slice;
	/* A task that yields has its slice zeroed, and so pays for it whole. */
	u64 used = left < slice_ns ? slice_ns - left : 0;

	used = used * VTIME_WEIGHT_BASE / weight;
	ktstr_set_vtime(p, p->scx.dsq_vtime + used);
}

/* Nothing waits, so @prev goes on; it pays for the slice it has used. */
static __always_inline void vtime_keep(struct task_struct *prev)
{
	if (!ktstr_is_kept(prev))
		return;
	vtime_charge(prev);
	ktstr_set_slice(prev, slice_ns);
}

static __always_inline void vtime_dispatch(struct task_struct *prev)
{
	if (ktstr_move_to_local(VTIME_DSQ))
		vtime_count(VTIME_DISPATCH);
	else
		vtime_keep(prev);
}

void SCX_OP(vtime_running, struct task_struct *p)
{
	/* Racy, and harmless so: the clock only ever lags by one task. */
	if (ktstr_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
	__sync_fetch_and_add(&nr_running, 1);
}

void SCX_OP(vtime_stopping, struct task_struct *p, bool runnable)
{
	vtime_count(VTIME_STOP);
	vtime_charge(p);
}

void SCX_OP(vtime_enable, struct task_struct *p)
{
	__sync_fetch_and_add(&nr_enabled, 1);
	ktstr_set_vtime(p, vtime_now);
}

void SCX_OP(vtime_exit, struct scx_exit_info *ei)
{
	ktstr_record_exit(ei);
}

#endif
