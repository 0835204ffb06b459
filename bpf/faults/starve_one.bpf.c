/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simple.bpf.c, but the first @strength workers that it meets are never
 * dispatched. Caught by the progress check, which must name them.
 */
#include "bpf/vtime.h"

#define MAX_VICTIMS 64
#define COMM_BYTES 16

char _license[] SEC("license") = "GPL";

const volatile u32 strength = 1; /* victims, at most MAX_VICTIMS */

u32 victim_pid;			/* the first one's; 0: none yet */
u32 victims[MAX_VICTIMS];
u32 nr_victims;
u64 nr_withheld;		/* times one was not queued */

/* Two CPUs that meet the same new worker must not count it twice. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct victim_lock { struct bpf_spin_lock lock; });
} victim_lock SEC(".maps");

/* Workers are user processes that call themselves NAME/INDEX. */
static bool is_worker(struct task_struct *p)
{
	char comm[COMM_BYTES];
	bool digits = false, slash = false;
	int i;

	if (p->flags & PF_KTHREAD)
		return false;
	if (bpf_probe_read_kernel_str(comm, sizeof(comm), p->comm) < 0)
		return false;
	for (i = 0; i < COMM_BYTES && comm[i]; i++) {
		if (comm[i] == '/') {
			slash = true;
			digits = false;
		} else if (slash && comm[i] >= '0' && comm[i] <= '9') {
			digits = true;
		} else {
			slash = false;
		}
	}
	return slash && digits;
}

static bool is_victim(u32 pid)
{
	int i;

	for (i = 0; i < MAX_VICTIMS && i < nr_victims; i++) {
		if (victims[i] == pid)
			return true;
	}
	return false;
}

static bool choose_victim(u32 pid)
{
	u32 zero = 0, n;
	struct victim_lock *vl = bpf_map_lookup_elem(&victim_lock, &zero);
	bool chosen = false;

	if (!vl)
		return false;
	bpf_spin_lock(&vl->lock);
	n = nr_victims;
	if (n < strength && n < MAX_VICTIMS) {
		victims[n] = pid;
		if (!n)
			victim_pid = pid;
		nr_victims = n + 1;
		chosen = true;
	}
	bpf_spin_unlock(&vl->lock);
	return chosen;
}

static bool withhold(struct task_struct *p)
{
	if (is_victim(p->pid))
		return true;
	if (nr_victims >= strength || !is_worker(p))
		return false;
	return choose_victim(p->pid);
}

s32 SCX_OP(starve_one_select_cpu, struct task_struct *p, s32 prev_cpu,
	   u64 wake_flags)
{
	return withhold(p) ? prev_cpu :
			     vtime_select_cpu(p, prev_cpu, wake_flags);
}

void SCX_OP(starve_one_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (withhold(p)) {
		__sync_fetch_and_add(&nr_withheld, 1);
		return;
	}
	vtime_enqueue(p, enq_flags);
}

void SCX_OP(starve_one_dispatch, s32 cpu, struct task_struct *prev)
{
	vtime_dispatch(prev);
}

s32 SCX_OP_SLEEPABLE(starve_one_init)
{
	return scx_bpf_create_dsq(VTIME_DSQ, -1);
}

SEC(".struct_ops.link")
struct sched_ext_ops starve_one_ops = {
	.select_cpu = (void *)starve_one_select_cpu,
	.enqueue = (void *)starve_one_enqueue,
	.dispatch = (void *)starve_one_dispatch,
	.running = (void *)vtime_running,
	.stopping = (void *)vtime_stopping,
	.enable = (void *)vtime_enable,
	.init = (void *)starve_one_init,
	.exit = (void *)vtime_exit,
	.name = "starve_one",
};
