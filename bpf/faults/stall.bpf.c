/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simple.bpf.c, but a while after it is attached it stops dispatching user
 * tasks. Its watchdog is short, so that the kernel ends it soon: caught as a
 * stall, with the exit kind, the task and the dump.
 */
#include "bpf/vtime.h"

char _license[] SEC("license") = "GPL";

const volatile u64 stall_after_ns = 1000000000;
const volatile u32 strength = 100; /* per cent of the tasks, by their pid */

u64 attached_ns;
u64 nr_withheld;

/*
 * Kernel threads go on: the watchdog that must find the stall is one of them,
 * and so is the one that ends the scheduler.
 */
static bool withhold(struct task_struct *p)
{
	u32 spread = (u32)p->pid * 2654435761U >> 16;

	if (p->flags & PF_KTHREAD || !attached_ns)
		return false;
	if (bpf_ktime_get_ns() - attached_ns < stall_after_ns)
		return false;
	return spread % 100 < strength;
}

s32 SCX_OP(stall_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	return withhold(p) ? prev_cpu :
			     vtime_select_cpu(p, prev_cpu, wake_flags);
}

void SCX_OP(stall_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (withhold(p)) {
		__sync_fetch_and_add(&nr_withheld, 1);
		return;
	}
	vtime_enqueue(p, enq_flags);
}

void SCX_OP(stall_dispatch, s32 cpu, struct task_struct *prev)
{
	vtime_dispatch(prev);
}

s32 SCX_OP_SLEEPABLE(stall_init)
{
	attached_ns = bpf_ktime_get_ns();
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

SEC(".struct_ops.link")
struct sched_ext_ops stall_ops = {
	.select_cpu = (void *)stall_select_cpu,
	.enqueue = (void *)stall_enqueue,
	.dispatch = (void *)stall_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.enable = (void *)vtime_enable,
	.init = (void *)stall_init,
	.exit = (void *)vtime_exit,
	.timeout_ms = 2000,
	.name = "stall",
};
