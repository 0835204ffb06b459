/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weighted virtual time on one queue for each last-level cache: tasks stay near
 * their data, and a CPU takes from another cache's queue when its own is empty
 * or shorter by two. A good scheduler.
 */
#include "bpf/vtime.h"

#define MAX_CPUS 256
#define MAX_LLCS 64

char _license[] SEC("license") = "GPL";

/* The kernel's own numbering: the first CPU of the cache's. */
extern const int sd_llc_id __ksym __weak;

u32 llc_of[MAX_CPUS];	/* CPU to DSQ */
s32 kernel_id[MAX_LLCS];
u32 nr_llcs;
u64 nr_stolen;		/* tasks taken from another cache's queue */

static u32 llc_of_cpu(s32 cpu)
{
	u32 i = cpu;

	return i < MAX_CPUS ? llc_of[i] : 0;
}

s32 SCX_OP(per_llc_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	return vtime_select_cpu(p, prev_cpu, wake_flags);
}

void SCX_OP(per_llc_enqueue, struct task_struct *p, u64 enq_flags)
{
	vtime_count_enqueue();
	ktstr_insert_vtime(p, llc_of_cpu(scx_bpf_task_cpu(p)), slice_ns,
			   vtime_of(p), enq_flags);
}

/* Take from a queue that is longer than @own by more than one task. */
static bool steal(u32 own, s32 own_queued)
{
	u32 i;

	bpf_for(i, 0, MAX_LLCS) {
		if (i >= nr_llcs)
			break;
		if (i == own || scx_bpf_dsq_nr_queued(i) < own_queued + 2)
			continue;
		if (ktstr_move_to_local(i)) {
			__sync_fetch_and_add(&nr_stolen, 1);
			return true;
		}
	}
	return false;
}

void SCX_OP(per_llc_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 own = llc_of_cpu(cpu);

	/* -1: a CPU with nothing of its own takes even a single task */
	if (steal(own, scx_bpf_dsq_nr_queued(own)) ||
	    ktstr_move_to_local(own) ||
	    (!ktstr_is_kept(prev) && steal(own, -1)))
		vtime_count(VTIME_DISPATCH);
	else
		vtime_keep(prev);
}

/* The DSQ of the cache that the kernel calls @id; a new one gets the next. */
static u32 llc_add(s32 id)
{
	u32 i, n = nr_llcs;

	bpf_for(i, 0, MAX_LLCS) {
		if (i >= n)
			break;
		if (kernel_id[i] == id)
			return i;
	}
	if (n >= MAX_LLCS)
		return 0; /* then some caches share one */
	kernel_id[n] = id;
	nr_llcs = n + 1;
	return n;
}

s32 SCX_OP_SLEEPABLE(per_llc_init)
{
	const int *id;
	s32 err = 0;
	u32 i;

	bpf_for(i, 0, MAX_CPUS) {
		id = NULL;
		if (i >= scx_bpf_nr_cpu_ids())
			break;
		if (bpf_ksym_exists(&sd_llc_id))
			id = bpf_per_cpu_ptr(&sd_llc_id, i);
		llc_of[i] = llc_add(id ? *id : 0);
	}
	bpf_for(i, 0, MAX_LLCS) {
		if (i >= nr_llcs || err)
			break;
		err = scx_bpf_create_dsq(i, -1);
	}
	return err;
}

SEC(".struct_ops.link")
struct sched_ext_ops per_llc_ops = {
	.select_cpu = (void *)per_llc_select_cpu,
	.enqueue = (void *)per_llc_enqueue,
	.dispatch = (void *)per_llc_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.enable = (void *)vtime_enable,
	.init = (void *)per_llc_init,
	.exit = (void *)vtime_exit,
	.name = "per_llc",
};
