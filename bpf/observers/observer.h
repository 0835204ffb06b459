/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the observers have in common: whose a task is, whether it was woken and
 * when, the current phase, and whether the VM was frozen meanwhile. BPF side
 * only; include/ktstr/observe.h is what others see.
 *
 * An observer defines struct obs_value, whose first member is a struct
 * ktstr_obs_task t, before it includes this.
 */
#ifndef KTSTR_BPF_OBSERVER_H
#define KTSTR_BPF_OBSERVER_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define OBS_NONE 0xffffffffu

char _license[] SEC("license") = "GPL";

/* Set by the agent before loading. */
const volatile u32 nr_workloads;
const volatile u32 nr_workers;
const volatile u32 nr_phases;
const volatile u32 nr_cpus;
const volatile u32 nr_items;	/* of the region */

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct obs_value);
} obs_tasks SEC(".maps");

/* The agent puts the shared region itself in its place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ktstr_shm_hdr);
} obs_shm SEC(".maps");

/*
 * Entry @i of an array that is longer than the compiler knows. The barrier
 * keeps the compiler from computing the address before the comparison, where
 * the verifier would not know of it.
 */
#define OBS_ITEM(array, i, nr)                                              \
	({                                                                  \
		typeof(&(array)[0]) __item = NULL;                          \
		u64 __i = (i);                                              \
		if (__i < (nr)) {                                           \
			asm volatile("" : "+r"(__i));                       \
			__item = (void *)((char *)(array) +                 \
					  __i * sizeof((array)[0]));        \
		}                                                           \
		__item;                                                     \
	})

static __always_inline struct ktstr_shm_hdr *obs_hdr(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&obs_shm, &zero);
}

/* The current phase, or OBS_NONE. */
static __always_inline u32 obs_phase(const struct ktstr_shm_hdr *hdr)
{
	u32 phase = *(volatile const u32 *)&hdr->phase;

	return phase < nr_phases ? phase : OBS_NONE;
}

static __always_inline u32 obs_gen(const struct ktstr_shm_hdr *hdr)
{
	return *(volatile const u32 *)&hdr->freeze_gen;
}

/* What is kept of a task of a workload; NULL of any other. */
static __always_inline struct obs_value *obs_of(struct task_struct *p)
{
	return bpf_task_storage_get(&obs_tasks, p, NULL, 0);
}

static __always_inline bool obs_counts(const struct obs_value *v)
{
	return v && !(v->t.flags & KTSTR_OBS_HOLDER);
}

/*
 * A wake-up is one only of a task that slept: who is woken between deciding to
 * sleep and sleeping was running, or waited, all the time.
 */
static __always_inline void obs_note_wakeup(struct obs_value *v)
{
	struct ktstr_shm_hdr *hdr = obs_hdr();

	if (!hdr || (v->t.state != KTSTR_OBS_ASLEEP &&
		     v->t.state != KTSTR_OBS_UNKNOWN))
		return;
	v->t.woken_ns = bpf_ktime_get_ns();
	v->t.woken_gen = obs_gen(hdr);
	v->t.state = KTSTR_OBS_WOKEN;
}

/* Of who is to be told of any wake-up of a workload's task, its first too. */
static __always_inline void obs_on_wakeup(struct task_struct *p)
{
	struct obs_value *v = obs_of(p);

	if (obs_counts(v))
		obs_note_wakeup(v);
}

static __always_inline void obs_note_out(struct obs_value *v, bool preempt,
					 u32 prev_state)
{
	v->t.state = preempt || !prev_state ? KTSTR_OBS_PREEMPTED :
					      KTSTR_OBS_ASLEEP;
}

/* Return: was it woken, and did it wait until now? */
static __always_inline bool obs_note_in(struct obs_value *v)
{
	bool woken = v->t.state == KTSTR_OBS_WOKEN;

	v->t.state = KTSTR_OBS_RUNNING;
	return woken;
}

/* The phase that ended last, or OBS_NONE: for who is run after its end. */
static __always_inline u32 obs_ended_phase(const struct ktstr_shm_hdr *hdr,
					   u64 *end_ns)
{
	u32 i, phase = OBS_NONE;

	*end_ns = 0;
	for (i = 0; i < KTSTR_SHM_MAX_PHASES && i < nr_phases; i++) {
		if (hdr->phase_end_ns[i] <= *end_ns)
			continue;
		*end_ns = hdr->phase_end_ns[i];
		phase = i;
	}
	return phase;
}

/* A child of a workload's task is of the workload. */
static __always_inline void obs_inherit(struct task_struct *parent,
					struct task_struct *child)
{
	struct obs_value *from = obs_of(parent), *to;

	if (!from)
		return;
	to = bpf_task_storage_get(&obs_tasks, child, NULL,
				  BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!to)
		return;
	to->t.workload = from->t.workload;
	to->t.worker = from->t.worker;
}

#endif
