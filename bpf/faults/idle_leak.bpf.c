/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simple.bpf.c, but every CPU except the first declines @strength per cent of
 * the work it could take, and goes idle beside a full queue. Caught by the
 * share of time that CPUs idle while tasks wait.
 */
#include "bpf/vtime.h"

const volatile u64 __SCX_KICK_IDLE;
#undef SCX_KICK_IDLE
#define SCX_KICK_IDLE __SCX_KICK_IDLE

char _license[] SEC("license") = "GPL";

const volatile u32 strength = 100;

u64 nr_declined;

/* The first CPU takes everything: the work must get done some time. */
static bool decline(s32 cpu)
{
	if (!cpu || bpf_get_prandom_u32() % 100 >= strength)
		return false;
	__sync_fetch_and_add(&nr_declined, 1);
	return true;
}

/* Who may not run on the first CPU depends on the others. */
static bool must_be_taken(const struct task_struct *p)
{
	return p->flags & PF_KTHREAD || p->nr_cpus_allowed == 1;
}

s32 SCX_OP(idle_leak_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	bool idle;
	s32 cpu = vtime_pick_cpu(p, prev_cpu, wake_flags, &idle);

	if (idle && (must_be_taken(p) || !decline(cpu))) {
		vtime_count(VTIME_LOCAL);
		ktstr_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	}
	return cpu;
}

void SCX_OP(idle_leak_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (must_be_taken(p)) {
		vtime_count_enqueue();
		ktstr_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	vtime_enqueue(p, enq_flags);
	scx_bpf_kick_cpu(0, SCX_KICK_IDLE);
}

void SCX_OP(idle_leak_dispatch, s32 cpu, struct task_struct *prev)
{
	if (!decline(cpu) && ktstr_move_to_local(VTIME_DSQ))
		vtime_count(VTIME_DISPATCH);
	else
		vtime_keep(prev);
}

s32 SCX_OP_SLEEPABLE(idle_leak_init)
{
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

SEC(".struct_ops.link")
struct sched_ext_ops idle_leak_ops = {
	.select_cpu = (void *)idle_leak_select_cpu,
	.enqueue = (void *)idle_leak_enqueue,
	.dispatch = (void *)idle_leak_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.enable = (void *)vtime_enable,
	.init = (void *)idle_leak_init,
	.exit = (void *)vtime_exit,
	.name = "idle_leak",
};
