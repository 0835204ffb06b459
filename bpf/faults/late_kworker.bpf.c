/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simple.bpf.c, but the kernel's per-CPU threads (kworker, ksoftirqd) are held
 * for @strength milliseconds each time they are woken. Caught by the gap of
 * whoever's IO needs one: an fdatasync() of a disk does, since the block layer
 * hands flushes over from a kworker. Reads and writes do not: they are handed
 * over by the task itself and completed in the interrupt.
 */
#define HOLD_DEFAULT_MS 800
#include "bpf/hold.h"

char _license[] SEC("license") = "GPL";

static bool is_per_cpu_kthread(const struct task_struct *p)
{
	return p->flags & PF_KTHREAD && p->nr_cpus_allowed == 1;
}

s32 SCX_OP(late_kworker_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	return strength && is_per_cpu_kthread(p) ? prev_cpu :
		       vtime_select_cpu(p, prev_cpu, wake_flags);
}

void SCX_OP(late_kworker_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (!is_per_cpu_kthread(p) || !hold(p, enq_flags))
		vtime_enqueue(p, enq_flags);
}

void SCX_OP(late_kworker_dispatch, s32 cpu, struct task_struct *prev)
{
	vtime_dispatch(prev);
}

SEC(".struct_ops.link")
struct sched_ext_ops late_kworker_ops = {
	.select_cpu = (void *)late_kworker_select_cpu,
	.enqueue = (void *)late_kworker_enqueue,
	.dispatch = (void *)late_kworker_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.init_task = (void *)hold_init_task,
	.enable = (void *)vtime_enable,
	.init = (void *)hold_init,
	.exit = (void *)vtime_exit,
	.name = "late_kworker",
};
