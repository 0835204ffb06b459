/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simple.bpf.c, but every second user task gets @strength times the slice and
 * pays for one. Caught by the fairness of workers that ask for all they get.
 */
#include "bpf/vtime.h"

char _license[] SEC("license") = "GPL";

const volatile u32 strength = 4; /* 1: as fair as simple */

u64 nr_met;		/* user tasks so far */
u64 nr_favoured;	/* slices given that were too long */

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);	/* of its slices, ns */
} slices SEC(".maps");

static u64 slice_of(struct task_struct *p)
{
	u64 *ns = bpf_task_storage_get(&slices, p, NULL, 0);

	if (!ns || *ns == slice_ns)
		return slice_ns;
	__sync_fetch_and_add(&nr_favoured, 1);
	return *ns;
}

s32 SCX_OP(unfair_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	bool idle;
	s32 cpu = vtime_pick_cpu(p, prev_cpu, wake_flags, &idle);

	if (idle) {
		vtime_count(VTIME_LOCAL);
		ktstr_insert(p, SCX_DSQ_LOCAL, slice_of(p), 0);
	}
	return cpu;
}

void SCX_OP(unfair_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	vtime_count(VTIME_GLOBAL);
	__sync_fetch_and_add(&nr_enqueued, 1);
	if (ktstr_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	ktstr_insert_vtime(p, VTIME_DSQ, slice_of(p), vtime, enq_flags);
}

void SCX_OP(unfair_dispatch, s32 cpu, struct task_struct *prev)
{
	if (ktstr_move_to_local(VTIME_DSQ))
		vtime_count(VTIME_DISPATCH);
	else
		vtime_keep(prev);
}

void SCX_OP(unfair_running, struct task_struct *p)
{
	vtime_running(p);
}

/* What a long slice has beyond slice_ns is never charged: the defect. */
void SCX_OP(unfair_stopping, struct task_struct *p, bool runnable)
{
	vtime_count(VTIME_STOP);
	vtime_stopping(p);
}

s32 SCX_OP(unfair_init_task, struct task_struct *p,
	   struct scx_init_task_args *args)
{
	u64 *ns = bpf_task_storage_get(&slices, p, NULL,
				       BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!ns)
		return -12; /* ENOMEM */
	*ns = slice_ns;
	if (!(p->flags & PF_KTHREAD) &&
	    __sync_fetch_and_add(&nr_met, 1) % 2)
		*ns = slice_ns * strength;
	return 0;
}

void SCX_OP(unfair_enable, struct task_struct *p)
{
	__sync_fetch_and_add(&nr_enabled, 1);
	ktstr_set_vtime(p, vtime_now);
}

s32 SCX_OP_SLEEPABLE(unfair_init)
{
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

void SCX_OP(unfair_exit, struct scx_exit_info *ei)
{
	ktstr_record_exit(ei);
}

SEC(".struct_ops.link")
struct sched_ext_ops unfair_ops = {
	.select_cpu = (void *)unfair_select_cpu,
	.enqueue = (void *)unfair_enqueue,
	.dispatch = (void *)unfair_dispatch,
	.running = (void *)unfair_running,
	.stopping = (void *)unfair_stopping,
	.init_task = (void *)unfair_init_task,
	.enable = (void *)unfair_enable,
	.init = (void *)unfair_init,
	.exit = (void *)unfair_exit,
	.name = "unfair",
};
