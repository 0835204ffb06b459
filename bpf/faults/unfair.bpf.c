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

/* What it has beyond slice_ns vtime_stopping() never charges: the defect. */
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
	vtime_count_enqueue();
	ktstr_insert_vtime(p, VTIME_DSQ, slice_of(p), vtime_of(p), enq_flags);
}

void SCX_OP(unfair_dispatch, s32 cpu, struct task_struct *prev)
{
	vtime_dispatch(prev);
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

s32 SCX_OP_SLEEPABLE(unfair_init)
{
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

SEC(".struct_ops.link")
struct sched_ext_ops unfair_ops = {
	.select_cpu = (void *)unfair_select_cpu,
	.enqueue = (void *)unfair_enqueue,
	.dispatch = (void *)unfair_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.init_task = (void *)unfair_init_task,
	.enable = (void *)vtime_enable,
	.init = (void *)unfair_init,
	.exit = (void *)vtime_exit,
	.name = "unfair",
};
