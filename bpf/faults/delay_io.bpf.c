/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simple.bpf.c, but user tasks that wake from disk IO are held for @strength
 * milliseconds before they are queued. Caught by io_wake: beside a saturated
 * throttle the disk's queue hides the delay from every other latency.
 */
#define HOLD_DEFAULT_MS 400
#include "bpf/hold.h"

char _license[] SEC("license") = "GPL";

/* io_schedule() sets in_iowait, and the task clears it once it runs again. */
static bool wakes_from_io(const struct task_struct *task)
{
	return strength && !(task->flags & PF_KTHREAD) &&
	       BPF_CORE_READ_BITFIELD(task, in_iowait);
}

s32 SCX_OP(delay_io_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	return wakes_from_io(p) ? prev_cpu :
				  vtime_select_cpu(p, prev_cpu, wake_flags);
}

void SCX_OP(delay_io_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (!wakes_from_io(p) || !hold(p, enq_flags))
		vtime_enqueue(p, enq_flags);
}

void SCX_OP(delay_io_dispatch, s32 cpu, struct task_struct *prev)
{
	vtime_dispatch(prev);
}

SEC(".struct_ops.link")
struct sched_ext_ops delay_io_ops = {
	.select_cpu = (void *)delay_io_select_cpu,
	.enqueue = (void *)delay_io_enqueue,
	.dispatch = (void *)delay_io_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.init_task = (void *)hold_init_task,
	.enable = (void *)vtime_enable,
	.init = (void *)hold_init,
	.exit = (void *)vtime_exit,
	.name = "delay_io",
};
