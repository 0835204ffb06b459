/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simple.bpf.c, scheduling as well as it does, but its statistics stand still
 * after a while. Caught by checking the map against the kernel's own counts.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

const volatile u64 lie_after_ns = 0;	/* after it is attached */
const volatile u32 strength = 100;	/* per cent of the counts left out */

u64 attached_ns;

static bool may_count(void)
{
	return bpf_ktime_get_ns() - attached_ns < lie_after_ns ||
	       bpf_get_prandom_u32() % 100 >= strength;
}

#define VTIME_MAY_COUNT() may_count()
#include "bpf/vtime.h"

char _license[] SEC("license") = "GPL";

s32 SCX_OP(map_lies_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	return vtime_select_cpu(p, prev_cpu, wake_flags);
}

void SCX_OP(map_lies_enqueue, struct task_struct *p, u64 enq_flags)
{
	vtime_enqueue(p, enq_flags);
}

void SCX_OP(map_lies_dispatch, s32 cpu, struct task_struct *prev)
{
	vtime_dispatch(prev);
}

s32 SCX_OP_SLEEPABLE(map_lies_init)
{
	attached_ns = bpf_ktime_get_ns();
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

SEC(".struct_ops.link")
struct sched_ext_ops map_lies_ops = {
	.select_cpu = (void *)map_lies_select_cpu,
	.enqueue = (void *)map_lies_enqueue,
	.dispatch = (void *)map_lies_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.enable = (void *)vtime_enable,
	.init = (void *)map_lies_init,
	.exit = (void *)vtime_exit,
	.name = "map_lies",
};
