/* SPDX-License-Identifier: GPL-2.0-only */
/* Weighted virtual time on one shared queue: a good scheduler to begin with. */
#include "bpf/vtime.h"

char _license[] SEC("license") = "GPL";

s32 SCX_OP(simple_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	return vtime_select_cpu(p, prev_cpu, wake_flags);
}

void SCX_OP(simple_enqueue, struct task_struct *p, u64 enq_flags)
{
	vtime_enqueue(p, enq_flags);
}

void SCX_OP(simple_dispatch, s32 cpu, struct task_struct *prev)
{
	vtime_dispatch(prev);
}

s32 SCX_OP_SLEEPABLE(simple_init)
{
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

SEC(".struct_ops.link")
struct sched_ext_ops simple_ops = {
	.select_cpu = (void *)simple_select_cpu,
	.enqueue = (void *)simple_enqueue,
	.dispatch = (void *)simple_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.enable = (void *)vtime_enable,
	.init = (void *)simple_init,
	.exit = (void *)vtime_exit,
	.name = "simple",
};
