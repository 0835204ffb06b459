/* SPDX-License-Identifier: GPL-2.0-only */
/* One queue, first come first served: the plainest scheduler that is fair. */
#include "bpf/ktstr_scx.h"

#define FIFO_DSQ 0

char _license[] SEC("license") = "GPL";

const volatile u64 slice_ns = 5000000;

u64 nr_enqueued;
u64 nr_dispatched;

void SCX_OP(fifo_enqueue, struct task_struct *p, u64 enq_flags)
{
	__sync_fetch_and_add(&nr_enqueued, 1);
	ktstr_insert(p, FIFO_DSQ, slice_ns, enq_flags);
}

void SCX_OP(fifo_dispatch, s32 cpu, struct task_struct *prev)
{
	if (ktstr_move_to_local(FIFO_DSQ))
		__sync_fetch_and_add(&nr_dispatched, 1);
	else if (ktstr_is_kept(prev))
		ktstr_set_slice(prev, slice_ns);
}

s32 SCX_OP_SLEEPABLE(fifo_init)
{
	return scx_bpf_create_dsq(FIFO_DSQ, -1);
}

void SCX_OP(fifo_exit, struct scx_exit_info *ei)
{
	ktstr_record_exit(ei);
}

SEC(".struct_ops.link")
struct sched_ext_ops fifo_ops = {
	.enqueue = (void *)fifo_enqueue,
	.dispatch = (void *)fifo_dispatch,
	.init = (void *)fifo_init,
	.exit = (void *)fifo_exit,
	.name = "fifo",
};
