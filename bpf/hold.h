/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the planted faults share that hold woken tasks for @strength
 * milliseconds: a queue that no CPU looks at, and a timer that moves whoever
 * has been there long enough to the one they do. Included by one .bpf.c each,
 * after HOLD_DEFAULT_MS, and with vtime.h as what it is but for that.
 */
#ifndef KTSTR_BPF_HOLD_H
#define KTSTR_BPF_HOLD_H

#include "bpf/vtime.h"

#define HELD_DSQ 1
#define CLOCK_MONOTONIC 1
#define NSEC_PER_MSEC 1000000ull
#define EARLY_STEP_NS 100000ull
#define RELEASE_MAX 512		/* tasks released by one look */
#define BPF_FOR_EACH_ITER (&___it)	/* the iterator of bpf_for_each() */

const volatile u64 __SCX_ENQ_WAKEUP;
#undef SCX_ENQ_WAKEUP
#define SCX_ENQ_WAKEUP __SCX_ENQ_WAKEUP
const volatile u64 __SCX_KICK_IDLE;
#undef SCX_KICK_IDLE
#define SCX_KICK_IDLE __SCX_KICK_IDLE

const volatile u32 strength = HOLD_DEFAULT_MS; /* 0: none is held */

u64 nr_held;
u64 nr_released;
u64 early_ns;	/* by which the timer is set before its time */

/* When a held task is to go on, and the virtual time it came with. */
struct hold {
	u64 until_ns;
	u64 vtime;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hold);
} holds SEC(".maps");

struct release {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct release);
} release SEC(".maps");

static u64 delay_ns(void)
{
	return strength * NSEC_PER_MSEC;
}

/* Return: is @p held? Else it is as it was. */
static bool hold(struct task_struct *p, u64 enq_flags)
{
	struct hold *h;

	if (!strength || !(enq_flags & SCX_ENQ_WAKEUP))
		return false;
	h = bpf_task_storage_get(&holds, p, NULL, 0);
	if (!h)
		return false;
	h->until_ns = bpf_ktime_get_ns() + delay_ns();
	h->vtime = p->scx.dsq_vtime;
	__sync_fetch_and_add(&nr_held, 1);
	/* All are held for as long: first in is first out. */
	ktstr_insert(p, HELD_DSQ, slice_ns, enq_flags);
	return true;
}

/* Best the one that we are on: no other has to be interrupted. */
static void wake_a_cpu(const struct task_struct *p)
{
	s32 cpu = bpf_get_smp_processor_id();

	if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr) ||
	    !scx_bpf_test_and_clear_cpu_idle(cpu))
		cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

/*
 * On a slow machine a timer is late by milliseconds, and what is planted is to
 * be what is asked for: half of all releases come before their time, half after.
 */
static void learn(u64 now_ns, u64 until_ns)
{
	if (ktstr_before(until_ns, now_ns) && early_ns < delay_ns() / 2)
		early_ns += EARLY_STEP_NS;
	else if (early_ns >= EARLY_STEP_NS)
		early_ns -= EARLY_STEP_NS;
}

/*
 * Queue whoever has been held long enough. Return: when to look again. One that
 * is held after this look is released after delay_ns() from now, or later; one
 * that could not be moved, as when it is just being looked at elsewhere, is still
 * there.
 */
static u64 release_due(u64 now_ns)
{
	u64 next_ns = now_ns + delay_ns();
	struct task_struct *p;
	int n = 0;

	bpf_for_each(scx_dsq, p, HELD_DSQ, 0) {
		struct hold *h = bpf_task_storage_get(&holds, p, NULL, 0);

		if (h && ktstr_before(now_ns + early_ns, h->until_ns))
			return h->until_ns;
		if (++n > RELEASE_MAX)
			return now_ns + NSEC_PER_MSEC;
		if (h)
			learn(now_ns, h->until_ns);
		scx_bpf_dsq_move_set_vtime(BPF_FOR_EACH_ITER,
					   h ? h->vtime : vtime_now);
		if (scx_bpf_dsq_move_vtime(BPF_FOR_EACH_ITER, p, VTIME_DSQ, 0)) {
			__sync_fetch_and_add(&nr_released, 1);
			wake_a_cpu(p);
		} else {
			next_ns = now_ns + NSEC_PER_MSEC;
		}
	}
	return next_ns;
}

static int on_timer(void *map, u32 *key, struct release *r)
{
	u64 next_ns = release_due(bpf_ktime_get_ns());

	bpf_timer_start(&r->timer, next_ns - early_ns, BPF_F_TIMER_ABS);
	return 0;
}

s32 SCX_OP(hold_init_task, struct task_struct *p,
	   struct scx_init_task_args *args)
{
	return bpf_task_storage_get(&holds, p, NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE) ?
		       0 : -12; /* ENOMEM */
}

s32 SCX_OP_SLEEPABLE(hold_init)
{
	u32 zero = 0;
	struct release *r;
	s32 err;

	err = scx_bpf_create_dsq(VTIME_DSQ, -1);
	if (!err)
		err = scx_bpf_create_dsq(HELD_DSQ, -1);
	r = bpf_map_lookup_elem(&release, &zero);
	if (err || !r || !strength)
		return err;
	err = bpf_timer_init(&r->timer, &release, CLOCK_MONOTONIC);
	if (!err)
		err = bpf_timer_set_callback(&r->timer, on_timer);
	return err ? err : bpf_timer_start(&r->timer, delay_ns(), 0);
}

#endif
