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
	bool idle;
	s32 cpu;

	if (withhold(p))
		return prev_cpu;
	cpu = vtime_pick_cpu(p, prev_cpu, wake_flags, &idle);
	if (idle) {
		vtime_count(VTIME_LOCAL);
		ktstr_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	}
	return cpu;
}

void SCX_OP(stall_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (withhold(p)) {
		__sync_fetch_and_add(&nr_withheld, 1);
		return;
	}
	vtime_count(VTIME_GLOBAL);
	__sync_fetch_and_add(&nr_enqueued, 1);
	vtime_insert(p, enq_flags);
}

void SCX_OP(stall_dispatch, s32 cpu, struct task_struct *prev)
{
	if (ktstr_move_to_local(VTIME_DSQ))
		vtime_count(VTIME_DISPATCH);
	else
		vtime_keep(prev);
}

void SCX_OP(stall_running, struct task_struct *p)
{
	vtime_running(p);
}

void SCX_OP(stall_stopping, struct task_struct *p, bool runnable)
{
	vtime_count(VTIME_STOP);
	vtime_stopping(p);
}

void SCX_OP(stall_enable, struct task_struct *p)
{
	__sync_fetch_and_add(&nr_enabled, 1);
	ktstr_set_vtime(p, vtime_now);
}

s32 SCX_OP_SLEEPABLE(stall_init)
{
	attached_ns = bpf_ktime_get_ns();
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

void SCX_OP(stall_exit, struct scx_exit_info *ei)
{
	ktstr_record_exit(ei);
}

SEC(".struct_ops.link")
struct sched_ext_ops stall_ops = {
	.select_cpu = (void *)stall_select_cpu,
	.enqueue = (void *)stall_enqueue,
	.dispatch = (void *)stall_dispatch,
	.running = (void *)stall_running,
	.stopping = (void *)stall_stopping,
	.enable = (void *)stall_enable,
	.init = (void *)stall_init,
	.exit = (void *)stall_exit,
	.timeout_ms = 2000,
	.name = "stall",
};
