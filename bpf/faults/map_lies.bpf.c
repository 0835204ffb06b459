/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simple.bpf.c, scheduling as well as it does, but its statistics stand still
 * after a while. Caught by checking the map against the kernel's own counts.
 */
#include "bpf/vtime.h"

char _license[] SEC("license") = "GPL";

const volatile u64 lie_after_ns = 0;	/* after it is attached */
const volatile u32 strength = 100;	/* per cent of the counts left out */

u64 attached_ns;

static void count(u32 stat)
{
	if (bpf_ktime_get_ns() - attached_ns >= lie_after_ns &&
	    bpf_get_prandom_u32() % 100 < strength)
		return;
	vtime_count(stat);
}

s32 SCX_OP(map_lies_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	bool idle;
	s32 cpu = vtime_pick_cpu(p, prev_cpu, wake_flags, &idle);

	if (idle) {
		count(VTIME_LOCAL);
		ktstr_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	}
	return cpu;
}

void SCX_OP(map_lies_enqueue, struct task_struct *p, u64 enq_flags)
{
	count(VTIME_GLOBAL);
	__sync_fetch_and_add(&nr_enqueued, 1);
	vtime_insert(p, enq_flags);
}

void SCX_OP(map_lies_dispatch, s32 cpu, struct task_struct *prev)
{
	if (ktstr_move_to_local(VTIME_DSQ))
		count(VTIME_DISPATCH);
	else
		vtime_keep(prev);
}

void SCX_OP(map_lies_running, struct task_struct *p)
{
	vtime_running(p);
}

void SCX_OP(map_lies_stopping, struct task_struct *p, bool runnable)
{
	count(VTIME_STOP);
	vtime_stopping(p);
}

void SCX_OP(map_lies_enable, struct task_struct *p)
{
	__sync_fetch_and_add(&nr_enabled, 1);
	ktstr_set_vtime(p, vtime_now);
}

s32 SCX_OP_SLEEPABLE(map_lies_init)
{
	attached_ns = bpf_ktime_get_ns();
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

void SCX_OP(map_lies_exit, struct scx_exit_info *ei)
{
	ktstr_record_exit(ei);
}

SEC(".struct_ops.link")
struct sched_ext_ops map_lies_ops = {
	.select_cpu = (void *)map_lies_select_cpu,
	.enqueue = (void *)map_lies_enqueue,
	.dispatch = (void *)map_lies_dispatch,
	.running = (void *)map_lies_running,
	.stopping = (void *)map_lies_stopping,
	.enable = (void *)map_lies_enable,
	.init = (void *)map_lies_init,
	.exit = (void *)map_lies_exit,
	.name = "map_lies",
};
