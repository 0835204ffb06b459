// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ran while a woken task waited: each CPU remembers its last switches, and
 * of each workload's longest wait in a phase those are kept that lie within, on
 * the CPU that ran it in the end.
 */
#include "vmlinux.h"

#include "include/ktstr/observe.h"

struct obs_value {
	struct ktstr_obs_task t;
};

#include "bpf/observers/observer.h"

#define LOOK_BACK 64 /* switches; a power of two */
#define SKIP_MAX 16 /* of them after a phase's end, when that is looked at */

/* A task that was switched to; it ran until the next one's start. */
struct turn {
	u64 start_ns;
	u32 pid;
	u32 workload;
	char comm[KTSTR_OBS_COMM];
};

struct turns {
	u64 nr;			/* ever; the last is number nr - 1 */
	struct turn turn[LOOK_BACK];
};

struct ktstr_obs_ran region[1] SEC(".data.region");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct turns);
} obs_turns SEC(".maps");

SEC("tp_btf/sched_wakeup")
int BPF_PROG(ran_wakeup, struct task_struct *p)
{
	obs_on_wakeup(p);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(ran_wakeup_new, struct task_struct *p)
{
	obs_on_wakeup(p);
	return 0;
}

/* Turn number @back before the last one. */
static __always_inline const struct turn *turn_at(const struct turns *turns,
						  u64 back)
{
	return &turns->turn[(turns->nr - 1 - back) % LOOK_BACK];
}

/* How many of the last turns began at @end_ns or later. */
static __always_inline u32 turns_after(const struct turns *turns, u64 end_ns)
{
	u32 i;

	for (i = 0; i < SKIP_MAX && i < turns->nr; i++)
		if (turn_at(turns, i)->start_ns < end_ns)
			break;
	return i;
}

/* The turns between the two times, the newest first, but for the last @skip. */
static __always_inline void keep_turns(struct ktstr_obs_ran *r,
				       const struct turns *turns, u32 skip,
				       u64 from_ns, u64 end_ns)
{
	u64 start_ns;
	u32 i;

	r->nr = 0;
	r->more = 0;
	r->at_least = 1;
	for (i = 0; i < LOOK_BACK; i++) {
		const struct turn *t = turn_at(turns, (u64)skip + i);

		if ((u64)skip + i >= turns->nr || end_ns <= from_ns)
			r->at_least = 0;
		if ((u64)skip + i >= turns->nr || skip + i >= LOOK_BACK ||
		    end_ns <= from_ns)
			return;
		start_ns = t->start_ns > from_ns ? t->start_ns : from_ns;
		if (i < KTSTR_OBS_SPANS) {
			struct ktstr_obs_span *s = &r->spans[i];

			s->ns = end_ns - start_ns;
			s->pid = t->pid;
			s->workload = t->workload;
			__builtin_memcpy(s->comm, t->comm, sizeof(s->comm));
			r->nr = i + 1;
		} else {
			r->more++;
		}
		end_ns = start_ns;
	}
	if (end_ns <= from_ns)
		r->at_least = 0;
}

static __always_inline struct ktstr_obs_ran *cell_of(const struct obs_value *v,
						     u32 phase, u32 cpu)
{
	if (v->t.workload >= nr_workloads)
		return NULL;
	return OBS_ITEM(region, ((u64)cpu * nr_workloads + v->t.workload) *
			nr_phases + phase, nr_items);
}

/* A wait of @p that was over, or its phase, at @end_ns: is it the longest? */
static __always_inline void note_wait(struct ktstr_obs_ran *r,
				      const struct obs_value *v,
				      struct task_struct *p,
				      const struct turns *turns, u32 skip,
				      u64 end_ns, bool waiting)
{
	u64 wait_ns = end_ns - v->t.woken_ns;

	if (wait_ns <= r->wait_ns)
		return;
	/* Full barriers: odd is seen before what follows, and even after. */
	__sync_fetch_and_add(&r->seq, 1);
	r->pid = p->pid;
	r->wait_ns = wait_ns;
	r->at_ns = end_ns;
	r->waiting = waiting;
	bpf_probe_read_kernel(r->comm, sizeof(r->comm), p->comm);
	keep_turns(r, turns, skip, v->t.woken_ns, end_ns);
	__sync_fetch_and_add(&r->seq, 1);
}

static __always_inline void end_wait(const struct obs_value *v,
				     struct task_struct *p,
				     const struct turns *turns, u64 now_ns)
{
	struct ktstr_shm_hdr *hdr = obs_hdr();
	struct ktstr_obs_ran *r;
	u32 phase;

	if (!hdr)
		return;
	phase = obs_phase(hdr);
	if (phase == OBS_NONE)
		return;
	r = cell_of(v, phase, bpf_get_smp_processor_id());
	if (!r)
		return;
	if (v->t.woken_gen != obs_gen(hdr))
		r->frozen++;
	else
		note_wait(r, v, p, turns, 0, now_ns, false);
}

/*
 * Run by the agent when a phase has ended: of who still waits, what ran until
 * then on the CPU where it is queued.
 */
SEC("iter/task")
int ran_waiting(struct bpf_iter__task *ctx)
{
	struct task_struct *p = ctx->task;
	struct ktstr_shm_hdr *hdr = obs_hdr();
	struct ktstr_obs_ran *r;
	struct obs_value *v;
	struct turns *turns;
	u32 zero = 0, phase, cpu, skip;
	u64 end_ns;

	if (!p || !hdr)
		return 0;
	v = obs_of(p);
	phase = obs_ended_phase(hdr, &end_ns);
	if (!obs_counts(v) || phase == OBS_NONE ||
	    v->t.state != KTSTR_OBS_WOKEN || v->t.woken_ns >= end_ns ||
	    v->t.woken_gen != obs_gen(hdr))
		return 0;
	cpu = p->thread_info.cpu;
	turns = bpf_map_lookup_percpu_elem(&obs_turns, &zero, cpu);
	r = cpu < nr_cpus ? cell_of(v, phase, cpu) : NULL;
	if (!turns || !r)
		return 0;
	skip = turns_after(turns, end_ns);
	if (skip < SKIP_MAX)
		note_wait(r, v, p, turns, skip, end_ns, true);
	return 0;
}

static __always_inline void begin_turn(struct turns *turns,
				       struct task_struct *p,
				       const struct obs_value *v, u64 now_ns)
{
	struct turn *t = &turns->turn[turns->nr % LOOK_BACK];

	t->start_ns = now_ns;
	t->pid = p->pid;
	t->workload = obs_counts(v) ? v->t.workload : KTSTR_OBS_NOBODY;
	bpf_probe_read_kernel(t->comm, sizeof(t->comm), p->comm);
	turns->nr++;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(ran_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next, unsigned int prev_state)
{
	struct obs_value *out = obs_of(prev), *in = obs_of(next);
	u64 now_ns = bpf_ktime_get_ns();
	struct turns *turns;
	u32 zero = 0;

	turns = bpf_map_lookup_elem(&obs_turns, &zero);
	if (!turns)
		return 0;
	if (obs_counts(out))
		obs_note_out(out, preempt, prev_state);
	if (obs_counts(in) && obs_note_in(in))
		end_wait(in, next, turns, now_ns);
	begin_turn(turns, next, in, now_ns);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(ran_fork, struct task_struct *parent, struct task_struct *child)
{
	obs_inherit(parent, child);
	return 0;
}
