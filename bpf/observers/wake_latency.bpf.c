// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the wake-up of a workload's task to the moment it runs, by workload and
 * phase. A wait counts in the phase in which it ends.
 */
#include "vmlinux.h"

#include "include/ktstr/observe.h"

struct obs_value {
	struct ktstr_obs_task t;
};

#include "bpf/observers/obs_hist.h"
#include "bpf/observers/observer.h"

struct ktstr_obs_wake region[1] SEC(".data.region");

SEC("tp_btf/sched_wakeup")
int BPF_PROG(wake_wakeup, struct task_struct *p)
{
	obs_on_wakeup(p);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(wake_wakeup_new, struct task_struct *p)
{
	obs_on_wakeup(p);
	return 0;
}

static void count(const struct obs_value *v, u64 now_ns)
{
	struct ktstr_shm_hdr *hdr = obs_hdr();
	struct ktstr_obs_wake *cell;
	u32 phase;

	if (!hdr)
		return;
	phase = obs_phase(hdr);
	if (phase == OBS_NONE || v->t.workload >= nr_workloads)
		return;
	cell = OBS_ITEM(region, v->t.workload * nr_phases + phase, nr_items);
	if (!cell)
		return;
	if (v->t.woken_gen != obs_gen(hdr))
		__sync_fetch_and_add(&cell->frozen, 1);
	else
		obs_hist_add(&cell->hist, now_ns - v->t.woken_ns);
}

/* Run by the agent when a phase has ended: who still waits has no sample. */
SEC("iter/task")
int wake_waiting(struct bpf_iter__task *ctx)
{
	struct task_struct *p = ctx->task;
	struct ktstr_shm_hdr *hdr = obs_hdr();
	struct ktstr_obs_wake *cell;
	struct obs_value *v;
	u64 end_ns;
	u32 phase;

	if (!p || !hdr)
		return 0;
	v = obs_of(p);
	phase = obs_ended_phase(hdr, &end_ns);
	if (!obs_counts(v) || phase == OBS_NONE ||
	    v->t.state != KTSTR_OBS_WOKEN || v->t.woken_ns >= end_ns ||
	    v->t.workload >= nr_workloads || v->t.woken_gen != obs_gen(hdr))
		return 0;
	cell = OBS_ITEM(region, v->t.workload * nr_phases + phase, nr_items);
	if (!cell)
		return 0;
	cell->waiting++;
	obs_raise(&cell->waiting_max_ns, end_ns - v->t.woken_ns);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(wake_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next, unsigned int prev_state)
{
	struct obs_value *out = obs_of(prev), *in = obs_of(next);

	if (obs_counts(out))
		obs_note_out(out, preempt, prev_state);
	if (obs_counts(in) && obs_note_in(in))
		count(in, bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(wake_fork, struct task_struct *parent, struct task_struct *child)
{
	obs_inherit(parent, child);
	return 0;
}
