// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens to an IO in the guest once the disk has done it: the disk's
 * interrupt is handled, the block layer ends the request, the worker that waits
 * for it is woken, and it runs. One record for each time it slept, in the
 * worker's ring; the host knows when the disk was done, and whose sectors they
 * were.
 */
#include "vmlinux.h"

#include "include/ktstr/observe.h"

/* When a CPU began to handle an interrupt. */
struct irq_stamp {
	u64 at_ns;		/* 0: it handles none */
	u32 gen;
	u32 pad;
};

/* A request that has ended, on the CPU that ends it. */
struct ended {
	u64 at_ns;		/* 0: none since the last switch */
	u64 irq_ns;		/* 0: by no interrupt, as far as is known */
	u64 sector;
	u32 bytes;
	u32 flags;		/* KTSTR_OBS_IO_WRITE, or none */
	u32 gen;
	u32 pad;
};

struct obs_value {
	struct ktstr_obs_task t;
	struct ended io;	/* what woke it; at_ns 0: something else */
};

#include "bpf/observers/observer.h"

#define OP_MASK 0xff
#define OP_WRITE 1 /* REQ_OP_READ is 0: all IO of workers is one or the other */

struct ktstr_obs_io_ring region[1] SEC(".data.region");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ended);
} obs_ended SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct irq_stamp);
} obs_irq SEC(".maps");

/*
 * The interrupts of requests that their driver has handed back and the block
 * layer has not ended yet: it may do so in a softirq, or on another CPU. Who
 * finds no room has no interrupt.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);	/* address of the request */
	__type(value, struct irq_stamp);
} obs_handed_back SEC(".maps");

static struct ended *ended_here(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&obs_ended, &zero);
}

static bool is_worker(const struct obs_value *v)
{
	return v && v->t.flags & KTSTR_OBS_WORKER;
}

static struct ktstr_obs_io_ring *ring_of(const struct obs_value *v)
{
	return OBS_ITEM(region, v->t.worker, nr_items);
}

static struct irq_stamp *irq_here(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&obs_irq, &zero);
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(io_irq_optional, int irq, struct irqaction *action)
{
	struct ktstr_shm_hdr *hdr = obs_hdr();
	struct irq_stamp *now = irq_here();

	if (!hdr || !now)
		return 0;
	now->at_ns = bpf_ktime_get_ns();
	now->gen = obs_gen(hdr);
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(io_irq_end_optional, int irq, struct irqaction *action, int ret)
{
	struct irq_stamp *now = irq_here();

	if (now)
		now->at_ns = 0;
	return 0;
}

/* Of a driver in an interrupt; a poller's, and an error's, are in none. */
SEC("fentry/blk_mq_complete_request")
int BPF_PROG(io_back_optional, struct request *rq)
{
	struct irq_stamp *now = irq_here();
	u64 key = (u64)rq;

	if (now && now->at_ns)
		bpf_map_update_elem(&obs_handed_back, &key, now, BPF_ANY);
	return 0;
}

/*
 * The interrupt that request came with, and no other: its address will be that
 * of another one. A driver may also end it there and then.
 */
static struct irq_stamp take_irq(struct request *rq)
{
	struct irq_stamp irq = { 0 }, *found;
	u64 key = (u64)rq;

	found = bpf_map_lookup_elem(&obs_handed_back, &key);
	if (found) {
		irq = *found;
		bpf_map_delete_elem(&obs_handed_back, &key);
		return irq;
	}
	found = irq_here();
	if (found)
		irq = *found;
	return irq;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(io_complete, struct request *rq, blk_status_t error,
	     unsigned int nr_bytes)
{
	struct irq_stamp irq = take_irq(rq);
	struct ktstr_shm_hdr *hdr = obs_hdr();
	struct ended *e = ended_here();

	if (!hdr || !e || !nr_bytes)
		return 0;
	e->at_ns = bpf_ktime_get_ns();
	e->irq_ns = irq.at_ns;
	e->sector = rq->__sector;
	e->bytes = nr_bytes;
	e->flags = (rq->cmd_flags & OP_MASK) == OP_WRITE ? KTSTR_OBS_IO_WRITE :
							   0;
	/* frozen since the interrupt is frozen since the request ended */
	e->gen = irq.at_ns ? irq.gen : obs_gen(hdr);
	return 0;
}

/*
 * On the CPU of whoever wakes it, in the same interrupt: the wake-up itself may
 * be done by another CPU.
 */
SEC("tp_btf/sched_waking")
int BPF_PROG(io_waking, struct task_struct *p)
{
	struct obs_value *v = obs_of(p);
	struct ended *e;

	if (!is_worker(v))
		return 0;
	e = ended_here();
	if (e && v->t.state == KTSTR_OBS_ASLEEP)
		v->io = *e;
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(io_wakeup, struct task_struct *p)
{
	struct obs_value *v = obs_of(p);

	if (is_worker(v))
		obs_note_wakeup(v);
	return 0;
}

static __always_inline void record(const struct obs_value *v)
{
	struct ktstr_obs_io_ring *ring = ring_of(v);
	struct ktstr_shm_hdr *hdr = obs_hdr();
	struct ktstr_obs_io *slot;

	if (!ring || !hdr)
		return;
	if (v->t.woken_gen != obs_gen(hdr) ||
	    (v->io.at_ns && v->io.gen != obs_gen(hdr))) {
		__sync_fetch_and_add(&ring->frozen, 1);
		return;
	}
	slot = &ring->events[ring->head % KTSTR_OBS_IO_LEN];
	slot->sector = v->io.sector;
	slot->irq_ns = v->io.irq_ns;
	slot->complete_ns = v->io.at_ns;
	slot->woken_ns = v->t.woken_ns;
	slot->run_ns = bpf_ktime_get_ns();
	slot->bytes = v->io.bytes;
	slot->flags = v->io.at_ns ? v->io.flags : KTSTR_OBS_IO_OTHER;
	/*
	 * A full barrier: the entry before its number. Pairs with the order of
	 * the host's reads (runner/observe_io.c).
	 */
	__sync_fetch_and_add(&ring->head, 1);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(io_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next, unsigned int prev_state)
{
	struct obs_value *out = obs_of(prev), *in = obs_of(next);
	struct ended *e = ended_here();

	if (e)
		e->at_ns = 0; /* that interrupt is over */
	if (is_worker(out))
		obs_note_out(out, preempt, prev_state);
	if (!is_worker(in))
		return 0;
	if (obs_note_in(in))
		record(in);
	in->io.at_ns = 0;
	return 0;
}
