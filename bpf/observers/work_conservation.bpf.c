// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work conservation, event by event. The rule: it is violated while there are a
 * CPU that runs its idle task, and a task that is runnable, does not run, and
 * has that CPU in its cpus_ptr. Any task counts, the kernel's own too; a task
 * waits from its wake-up, or from being switched away from while runnable,
 * until it is switched to. So the time that an idle CPU takes to switch to the
 * task it was woken for is in it.
 *
 * One lock serializes the events of all CPUs, so the sum is exact: each event
 * adds the time since the last one if the rule was violated in between. An
 * affinity that changes while a task waits counts from its next wait on.
 */
#include "vmlinux.h"

#include "include/ktstr/observe.h"

#define MASK_WORDS (KTSTR_SHM_MAX_CPUS / 64)

struct obs_value {
	struct ktstr_obs_task t;
	u64 mask[MASK_WORDS];	/* as counted, while it waits */
	u32 waiting;		/* enum wait_kind */
	u32 pad;
};

#include "bpf/observers/observer.h"

enum wait_kind {
	WAITS_NOT,
	WAITS_FOR_ANY,		/* CPU */
	WAITS_FOR_SOME,
};

struct ledger {
	struct bpf_spin_lock lock;	/* all below */
	u32 gen;			/* freeze_gen of the last event */
	u64 last_ns;			/* of the last event */
	u64 since_ns;			/* when the violation began */
	u32 violated;
	u32 wait_any;			/* tasks that may run anywhere */
	u64 idle[MASK_WORDS];		/* CPUs that are idle */
	u64 wanted[MASK_WORDS];		/* CPUs with wait_some */
	u32 wait_some[KTSTR_SHM_MAX_CPUS]; /* by CPU: others, that may there */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ledger);
} obs_state SEC(".maps");

struct ktstr_obs_conserve region[1] SEC(".data.region");

/* What an event needs to know before it takes the lock. */
struct event {
	struct ledger *st;
	struct ktstr_obs_conserve *cell; /* of the phase; NULL: none */
	u64 now_ns, phase_start_ns;
	u32 gen;
};

static __always_inline bool begin_event(struct event *e)
{
	struct ktstr_shm_hdr *hdr = obs_hdr();
	u32 zero = 0, phase;

	e->st = bpf_map_lookup_elem(&obs_state, &zero);
	if (!hdr || !e->st)
		return false;
	phase = obs_phase(hdr);
	e->cell = NULL;
	e->phase_start_ns = 0;
	if (phase != OBS_NONE) {
		e->cell = OBS_ITEM(region, phase, nr_items);
		if (phase < KTSTR_SHM_MAX_PHASES)
			e->phase_start_ns = hdr->phase_start_ns[phase];
	}
	e->gen = obs_gen(hdr);
	e->now_ns = bpf_ktime_get_ns();
	return true;
}

/* Under the lock: what has passed since the last event. */
static __always_inline void account(struct event *e)
{
	struct ktstr_obs_conserve *c = e->cell;
	struct ledger *st = e->st;
	u64 from_ns = st->last_ns, since_ns = st->since_ns;

	/* another CPU was before us in reading the clock, behind in the lock */
	if (e->now_ns < from_ns)
		e->now_ns = from_ns;
	if (e->gen != st->gen) {
		/* how long it was frozen in between is not known here */
		if (c && st->violated)
			c->frozen++;
		st->since_ns = e->now_ns;
	} else if (c && st->violated) {
		if (from_ns < e->phase_start_ns)
			from_ns = e->phase_start_ns;
		if (since_ns < e->phase_start_ns)
			since_ns = e->phase_start_ns;
		if (e->now_ns > from_ns)
			c->violated_ns += e->now_ns - from_ns;
		if (e->now_ns > since_ns &&
		    e->now_ns - since_ns > c->longest_ns) {
			c->longest_ns = e->now_ns - since_ns;
			c->longest_at_ns = e->now_ns;
		}
	}
	if (c)
		c->events++;
	st->last_ns = e->now_ns;
	st->gen = e->gen;
}

/* Under the lock: does the rule hold from now on? */
static __always_inline void conclude(struct event *e)
{
	struct ledger *st = e->st;
	bool violated = false;
	u32 i;

	for (i = 0; i < MASK_WORDS; i++)
		violated |= st->idle[i] &&
			    (st->wait_any || st->idle[i] & st->wanted[i]);
	if (violated && !st->violated) {
		st->since_ns = e->now_ns;
		if (e->cell)
			e->cell->spans++;
	}
	st->violated = violated;
}

static __always_inline void want(struct ledger *st, const struct obs_value *v,
				 int by)
{
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus && cpu < KTSTR_SHM_MAX_CPUS; cpu++) {
		u64 bit = 1ull << (cpu % 64);

		if (!(v->mask[cpu / 64] & bit))
			continue;
		st->wait_some[cpu] += by;
		if (st->wait_some[cpu])
			st->wanted[cpu / 64] |= bit;
		else
			st->wanted[cpu / 64] &= ~bit;
	}
}

/* Before the lock is taken: where @p may run. */
static __always_inline u32 read_mask(struct task_struct *p, u64 *mask)
{
	u32 cpu, allowed = 0;

	if (bpf_probe_read_kernel(mask, MASK_WORDS * sizeof(u64),
				  p->cpus_ptr))
		return WAITS_FOR_ANY;
	for (cpu = 0; cpu < nr_cpus && cpu < KTSTR_SHM_MAX_CPUS; cpu++)
		allowed += mask[cpu / 64] >> (cpu % 64) & 1;
	return allowed == nr_cpus ? WAITS_FOR_ANY : WAITS_FOR_SOME;
}

static __always_inline void start_wait(struct ledger *st, struct obs_value *v,
				       u32 kind, const u64 *mask)
{
	u32 i;

	if (v->waiting != WAITS_NOT)
		return;
	v->waiting = kind;
	if (kind == WAITS_FOR_ANY) {
		st->wait_any++;
		return;
	}
	for (i = 0; i < MASK_WORDS; i++)
		v->mask[i] = mask[i];
	want(st, v, 1);
}

static __always_inline void end_wait(struct ledger *st, struct obs_value *v)
{
	if (v->waiting == WAITS_FOR_ANY)
		st->wait_any--;
	else if (v->waiting == WAITS_FOR_SOME)
		want(st, v, -1);
	v->waiting = WAITS_NOT;
}

static __always_inline void set_idle(struct ledger *st, u32 cpu, bool idle)
{
	u64 bit = 1ull << (cpu % 64);

	if (cpu >= KTSTR_SHM_MAX_CPUS)
		return;
	if (idle)
		st->idle[cpu / 64] |= bit;
	else
		st->idle[cpu / 64] &= ~bit;
}

static __always_inline int on_wakeup(struct task_struct *p)
{
	struct obs_value *v = obs_of(p);
	u64 mask[MASK_WORDS] = { 0 };
	struct event e;
	u32 kind;

	if (!v || v->t.state == KTSTR_OBS_RUNNING)
		return 0;
	kind = read_mask(p, mask);
	if (!begin_event(&e))
		return 0;
	bpf_spin_lock(&e.st->lock);
	account(&e);
	start_wait(e.st, v, kind, mask);
	conclude(&e);
	bpf_spin_unlock(&e.st->lock);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(conserve_wakeup, struct task_struct *p)
{
	return on_wakeup(p);
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(conserve_wakeup_new, struct task_struct *p)
{
	return on_wakeup(p);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(conserve_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next, unsigned int prev_state)
{
	struct obs_value *out = obs_of(prev), *in = obs_of(next);
	bool waits = prev->pid && (preempt || !prev_state);
	u32 cpu = bpf_get_smp_processor_id(), kind = WAITS_NOT;
	u64 mask[MASK_WORDS] = { 0 };
	struct event e;

	if (out && waits)
		kind = read_mask(prev, mask);
	if (!begin_event(&e))
		return 0;
	bpf_spin_lock(&e.st->lock);
	account(&e);
	if (out) {
		obs_note_out(out, preempt, prev_state);
		if (waits)
			start_wait(e.st, out, kind, mask);
	}
	if (in) {
		in->t.state = KTSTR_OBS_RUNNING;
		end_wait(e.st, in);
	}
	set_idle(e.st, cpu, !next->pid);
	conclude(&e);
	bpf_spin_unlock(&e.st->lock);
	return 0;
}

static __always_inline void make_known(struct task_struct *p)
{
	bpf_task_storage_get(&obs_tasks, p, NULL,
			     BPF_LOCAL_STORAGE_GET_F_CREATE);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(conserve_fork, struct task_struct *parent,
	     struct task_struct *child)
{
	make_known(child);
	return 0;
}

/* Run once by the agent: everybody who is there already. */
SEC("iter/task")
int conserve_existing(struct bpf_iter__task *ctx)
{
	if (ctx->task)
		make_known(ctx->task);
	return 0;
}
