/* SPDX-License-Identifier: GPL-2.0-only */
/* Weighted virtual time on one shared queue: a good scheduler to begin with. */
#include "bpf/vtime.h"

char _license[] SEC("license") = "GPL";

s32 SCX_OP(simple_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	bool idle;
	s32 cpu = vtime_pick_cpu(p, prev_cpu, wake_flags, &idle);

	if (idle) {
		vtime_count(VTIME_LOCAL);
		ktstr_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	}
	return cpu;
}

void SCX_OP(simple_enqueue, struct task_struct *p, u64 enq_flags)
{
	vtime_count(VTIME_GLOBAL);
	__sync_fetch_and_add(&nr_enqueued, 1);
	vtime_insert(p, enq_flags);
}

void SCX_OP(simple_dispatch, s32 cpu, struct task_struct *prev)
{
	if (ktstr_move_to_local(VTIME_DSQ))
		vtime_count(VTIME_DISPATCH);
	else
		vtime_keep(prev);
}

void SCX_OP(simple_running, struct task_struct *p)
{
	vtime_running(p);
}

void SCX_OP(simple_stopping, struct task_struct *p, bool runnable)
{
	vtime_count(VTIME_STOP);
	vtime_stopping(p);
}

void SCX_OP(simple_enable, struct task_struct *p)
{
	__sync_fetch_and_add(&nr_enabled, 1);
	ktstr_set_vtime(p, vtime_now);
}

s32 SCX_OP_SLEEPABLE(simple_init)
{
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

void SCX_OP(simple_exit, struct scx_exit_info *ei)
{
	ktstr_record_exit(ei);
}

SEC(".struct_ops.link")
struct sched_ext_ops simple_ops = {
	.select_cpu = (void *)simple_select_cpu,
	.enqueue = (void *)simple_enqueue,
	.dispatch = (void *)simple_dispatch,
	.running = (void *)simple_running,
	.stopping = (void *)simple_stopping,
	.enable = (void *)simple_enable,
	.init = (void *)simple_init,
	.exit = (void *)simple_exit,
	.name = "simple",
};
