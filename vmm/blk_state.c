// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hist.h"
#include "lib/log.h"
#include "vmm/blk_flight.h"
#include "vmm/blk_file.h"

/* Where a turn ends before it has served a queue size of chains. */
#define BLK_TURN_NS 10000000ULL

static bool new_limits(void *state)
{
	struct blk_state *s = state;
	struct blk_limits_set set;

	if (!blk_limits_take(&s->sh->limits, &s->limits_seen, &set))
		return false;
	tb_set_limits(&s->tb, blk_state_clock(s), &(struct tb_limits){
		.ops_per_s = set.throttle.iops,
		.bytes_per_s = set.throttle.bps,
		.burst_ns = set.throttle.burst_ns,
	});
	s->latency_ns = set.throttle.latency_ns;
	s->jitter_ns = set.throttle.jitter_ns;
	if (set.faults_gen != s->faults_gen)
		blk_faults_set(&s->faults, s->now_ns, &set.faults);
	s->faults_gen = set.faults_gen;
	return true;
}

int blk_state_init(struct blk_state *s, struct blk_shared *sh,
		   const struct vm_disk_config *cfg)
{
	memset(s, 0, sizeof(*s));
	s->sh = sh;
	s->disk.sectors = cfg->size_bytes >> BLK_SECTOR_SHIFT;
	s->disk.read_only = cfg->read_only;
	memcpy(s->disk.id, cfg->name, strnlen(cfg->name, sizeof(s->disk.id)));
	s->seed = cfg->seed;
	s->faults.seed = cfg->seed;
	tb_init(&s->tb, blk_state_clock(s), &(struct tb_limits){ 0 });
	new_limits(s);
	return blk_file_open(&s->image, cfg);
}

static void drop_flights(struct blk_state *s)
{
	free(s->flights);
	s->flights = NULL;
	blk_pending_clear(&s->pending);
}

void blk_state_fini(struct blk_state *s)
{
	drop_flights(s);
	blk_image_close(&s->image);
}

/* A queue of a size that is refused needs none, and is not looked at. */
static unsigned int nr_slots(const struct blk_queue *q)
{
	return q->setup.size <= VIRTIO_QUEUE_MAX ? q->setup.size : 0;
}

static int make_flights(struct blk_state *s)
{
	unsigned int i, j, nr = 0;

	drop_flights(s);
	for (i = 0; i < s->nr_live; i++) {
		struct blk_queue *q = s->live[i];

		q->nr_free = nr_slots(q);
		for (j = 0; j < q->nr_free; j++)
			q->free[j] = nr + q->nr_free - 1 - j;
		nr += q->nr_free;
	}
	if (!nr)
		return 0;
	s->flights = calloc(nr, sizeof(*s->flights));
	return s->flights ? 0 : -ENOMEM;
}

/* The ring is wrong beyond this chain: the device must be reset (R, C8). */
static void poison(struct blk_state *s, const char *why)
{
	s->broken = true;
	blk_state_count(s, BLK_N_POISONED);
	blk_say_once(s, BLK_ODD_BROKEN, "%s, the device needs a reset", why);
}

static int wire(struct blk_state *s, const struct guest_mem *mem)
{
	unsigned int i;
	int err;

	s->wired = true;
	for (i = 0; i < s->nr_live; i++) {
		struct blk_queue *q = s->live[i];

		err = vq_init(&q->vq, mem, &q->setup, s->disk.features);
		if (!err)
			continue;
		poison(s, "ring refused at activation");
		return err;
	}
	return 0;
}

/* Acquire: the regions that the owner filled in before. Pairs with
 * virtio_blk_set_mem(). */
static const struct guest_mem *guest_mem_of(const struct blk_state *s)
{
	return atomic_load_explicit(&s->sh->mem, memory_order_acquire);
}

int blk_state_activate(struct blk_state *s, uint64_t features,
		       const struct virtio_queue_setup *setups,
		       unsigned int nr)
{
	const struct guest_mem *mem = guest_mem_of(s);
	unsigned int i;
	int err;

	s->disk.features = features;
	s->nr_live = 0;
	s->next = 0;
	for (i = 0; i < nr; i++) {
		s->queue[i].setup = setups[i];
		if (setups[i].ready)
			s->live[s->nr_live++] = &s->queue[i];
	}
	err = make_flights(s);
	if (err) {
		s->nr_live = 0;
		return err;
	}
	return s->nr_live && mem ? wire(s, mem) : 0;
}

void blk_state_end_stall(struct blk_state *s)
{
	s->stalled = false;
	blk_span_end(&s->sh->stats.throttled, s->now_ns);
}

void blk_state_reset(struct blk_state *s)
{
	blk_state_clock(s);
	blk_state_end_stall(s);
	blk_span_end(&s->sh->stats.queued, s->now_ns);
	tb_refill(&s->tb, s->now_ns);
	drop_flights(s);
	memset(s->queue, 0, sizeof(s->queue));
	s->nr_live = 0;
	s->wired = false;
	s->broken = false;
	s->disk.features = 0;
	blk_state_count(s, BLK_N_RESETS);
}

/* May the rings be touched? */
static bool ready(struct blk_state *s)
{
	const struct guest_mem *mem;

	if (!s->nr_live || s->broken)
		return false;
	if (s->wired)
		return true;
	mem = guest_mem_of(s);
	if (mem)
		return !wire(s, mem);
	blk_say_once(s, BLK_ODD_UNWIRED, "kick before guest memory is wired");
	return false;
}

/* Remember when each chain was first seen in the ring. */
static void stamp(struct blk_state *s, struct blk_queue *q)
{
	for (; q->stamped != q->vq.avail_seen; q->stamped++)
		q->seen_ns[q->stamped % q->vq.size] = s->now_ns;
}

void blk_state_suppress_kicks(struct blk_state *s)
{
	unsigned int i;

	for (i = 0; i < s->nr_live; i++)
		vq_suppress_kicks(&s->live[i]->vq);
}

/* How many looks at a queue one drain may take (B5). */
static unsigned int turn_of(const struct blk_state *s)
{
	unsigned int i, turn = 0;

	for (i = 0; i < s->nr_live; i++)
		turn += s->live[i]->vq.size;
	return turn;
}

/* What the look at one queue came to. */
enum look { LOOK_SERVED, LOOK_IDLE, LOOK_STALLED, LOOK_BROKEN };

/*
 * With a queue size in flight nothing more is taken: only a driver that offers
 * again what it has not got back can have more, and the next completion looks.
 */
static enum look look_at(struct blk_state *s, struct blk_queue *q,
			 uint64_t *wait_ns)
{
	struct blk_flight *f;

	if (!q->nr_free)
		return LOOK_IDLE;
	f = &s->flights[q->free[q->nr_free - 1]];
	f->q = q;
	switch (vq_peek(&q->vq, &f->chain)) {
	case 0:
		return LOOK_IDLE;
	case 1:
		blk_span_begin(&s->sh->stats.queued, s->now_ns);
		stamp(s, q);
		*wait_ns = blk_flight_serve(s, f);
		return *wait_ns ? LOOK_STALLED : LOOK_SERVED;
	case -EBADMSG:
		stamp(s, q);
		blk_flight_drop(s, f);
		return LOOK_SERVED;
	default:
		poison(s, "broken ring");
		return LOOK_BROKEN;
	}
}

/* All were idle: ask for kicks. Return: false when there is work after all. */
static bool go_idle(struct blk_state *s)
{
	bool idle = true, full = false;
	unsigned int i;

	blk_state_clock(s);
	for (i = 0; i < s->nr_live; i++)
		full |= !s->live[i]->nr_free;
	if (!full)
		blk_span_end(&s->sh->stats.queued, s->now_ns);
	for (i = 0; i < s->nr_live; i++)
		if (s->live[i]->nr_free && vq_enable_kicks(&s->live[i]->vq))
			idle = false;
	return idle;
}

/*
 * Complete what is due, then serve at most a queue size of chains of each
 * queue, in turns, and no new one after BLK_TURN_NS: the largest request there
 * can be takes a second. While the worker is at it, and while it is blocked,
 * the guest need not kick. A chain that stalls keeps its turn.
 */
struct blk_outcome blk_state_drain(void *state)
{
	struct blk_state *s = state;
	unsigned int turn, idle = 0;
	uint64_t until_ns, wait_ns;

	if (!ready(s))
		return BLK_DONE;
	until_ns = blk_state_clock(s) + BLK_TURN_NS;
	blk_state_suppress_kicks(s);
	blk_flight_finish_due(s, until_ns);
	for (turn = turn_of(s); turn && s->now_ns < until_ns; turn--) {
		switch (look_at(s, s->live[s->next], &wait_ns)) {
		case LOOK_STALLED:
			return BLK_STALLED(wait_ns);
		case LOOK_BROKEN:
			return BLK_DONE;
		case LOOK_SERVED:
			idle = 0;
			break;
		case LOOK_IDLE:
			if (++idle < s->nr_live)
				break;
			if (go_idle(s))
				return BLK_DONE;
			idle = 0;
			break;
		}
		if (++s->next == s->nr_live)
			s->next = 0;
	}
	/* Stop and pause get a turn before a guest that refills for ever. */
	blk_worker_poke(&s->sh->worker);
	return BLK_DONE;
}

static uint64_t next_due_ns(void *state)
{
	return blk_flight_next_due_ns(state);
}

static bool broken(void *state)
{
	const struct blk_state *s = state;

	return s->broken;
}

static void kicked(void *state, uint32_t n)
{
	struct blk_state *s = state;

	blk_count(&s->sh->stats, BLK_N_KICKS, n);
}

static void timer_fired(void *state, uint64_t late_ns)
{
	struct blk_state *s = state;

	hist_add(&s->sh->stats.hist[VM_DISK_HIST_LATENESS], late_ns);
}

/* A chain that came meanwhile needs no kick: the worker looks again anyway. */
static void wake_on_kick(void *state)
{
	struct blk_state *s = state;

	unsigned int i;

	for (i = 0; s->wired && i < s->nr_live; i++)
		vq_enable_kicks(&s->live[i]->vq);
}

static void freezes(void *state, uint64_t now_ns)
{
	struct blk_state *s = state;

	blk_span_freeze(&s->sh->stats.throttled, now_ns);
	blk_span_freeze(&s->sh->stats.queued, now_ns);
}

static void thaws(void *state, uint64_t now_ns, uint64_t frozen_ns)
{
	struct blk_state *s = state;
	unsigned int i, j;

	tb_shift(&s->tb, frozen_ns);
	blk_pending_shift(&s->pending, frozen_ns);
	blk_faults_shift(&s->faults, frozen_ns);
	for (i = 0; i < s->pending.nr; i++)
		s->flights[s->pending.heap[i].slot].admitted_ns += frozen_ns;
	blk_span_thaw(&s->sh->stats.throttled, now_ns);
	blk_span_thaw(&s->sh->stats.queued, now_ns);
	for (i = 0; i < s->nr_live; i++)
		for (j = 0; j < VIRTIO_QUEUE_MAX; j++)
			s->live[i]->seen_ns[j] += frozen_ns;
}

static void died(void *state)
{
	struct blk_state *s = state;
	struct virtio_irq *irq;

	/* Nobody serves from here on, so nothing waits to be served. */
	blk_state_clock(s);
	blk_state_end_stall(s);
	blk_span_end(&s->sh->stats.queued, s->now_ns);
	irq = atomic_load_explicit(&s->sh->irq, memory_order_acquire);
	if (irq)
		irq->needs_reset(irq);
}

const struct blk_worker_client blk_state_client = {
	.drain = blk_state_drain,
	.broken = broken,
	.next_due_ns = next_due_ns,
	.new_limits = new_limits,
	.kicked = kicked,
	.timer_fired = timer_fired,
	.wake_on_kick = wake_on_kick,
	.freezes = freezes,
	.thaws = thaws,
	.died = died,
};
