// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_state.h"

#include <errno.h>
#include <string.h>

#include "lib/hist.h"
#include "lib/log.h"

/* Where a turn ends before it has served a queue size of chains. */
#define BLK_TURN_NS 10000000ULL

static uint64_t read_clock(struct blk_state *s)
{
	s->now_ns = s->sh->sys->now_ns(s->sh->sys_ctx);
	return s->now_ns;
}

static bool first_time(struct blk_state *s, enum blk_odd odd)
{
	bool told = s->told & (1u << odd);

	s->told |= 1u << odd;
	return !told;
}

/* Log once per device and kind; all of them are counted elsewhere. */
#define say_once(s, odd, fmt, ...)                                       \
	do {                                                             \
		if (first_time(s, odd))                                  \
			log_warn("vblk %.*s: " fmt, VIRTIO_BLK_ID_BYTES, \
				 (s)->disk.id, ##__VA_ARGS__);           \
	} while (0)

static bool new_limits(void *state)
{
	struct blk_state *s = state;
	struct tb_limits lim;

	if (!blk_limits_take(&s->sh->limits, &s->limits_seen, &lim))
		return false;
	tb_set_limits(&s->tb, read_clock(s), &lim);
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
	tb_init(&s->tb, read_clock(s), &(struct tb_limits){ 0 });
	new_limits(s);
	return blk_image_open(&s->image, cfg->name, cfg->size_bytes);
}

void blk_state_fini(struct blk_state *s)
{
	blk_image_close(&s->image);
}

static void count(struct blk_state *s, enum blk_counter which)
{
	blk_count(&s->sh->stats, which, 1);
}

/* The ring is wrong beyond this chain: the device must be reset (R, C8). */
static void poison(struct blk_state *s, const char *why)
{
	s->vq.broken = true;
	count(s, BLK_N_POISONED);
	say_once(s, BLK_ODD_BROKEN, "%s, the device needs a reset", why);
}

static int wire(struct blk_state *s, const struct guest_mem *mem)
{
	int err = vq_init(&s->vq, mem, &s->setup, s->disk.features);

	s->wired = true;
	if (err)
		poison(s, "ring refused at activation");
	return err;
}

/* Acquire: the regions that the owner filled in before. Pairs with
 * virtio_blk_set_mem(). */
static const struct guest_mem *guest_mem_of(const struct blk_state *s)
{
	return atomic_load_explicit(&s->sh->mem, memory_order_acquire);
}

int blk_state_activate(struct blk_state *s, uint64_t features,
		       const struct virtio_queue_setup *setup)
{
	const struct guest_mem *mem = guest_mem_of(s);

	s->setup = *setup;
	s->disk.features = features;
	s->active = setup->ready;
	if (!s->active || !mem)
		return 0;
	return wire(s, mem);
}

static void end_stall(struct blk_state *s)
{
	s->stalled = false;
	blk_span_end(&s->sh->stats.throttled, s->now_ns);
}

void blk_state_reset(struct blk_state *s)
{
	read_clock(s);
	end_stall(s);
	blk_span_end(&s->sh->stats.queued, s->now_ns);
	tb_refill(&s->tb, s->now_ns);
	memset(&s->vq, 0, sizeof(s->vq));
	s->active = false;
	s->wired = false;
	s->stamped = 0;
	s->disk.features = 0;
	count(s, BLK_N_RESETS);
}

/* May the ring be touched? */
static bool ready(struct blk_state *s)
{
	const struct guest_mem *mem;

	if (!s->active || s->vq.broken)
		return false;
	if (s->wired)
		return true;
	mem = guest_mem_of(s);
	if (mem)
		return !wire(s, mem);
	say_once(s, BLK_ODD_UNWIRED, "kick before guest memory is wired");
	return false;
}

/* Remember when each chain was first seen in the ring. */
static void stamp(struct blk_state *s)
{
	for (; s->stamped != s->vq.avail_seen; s->stamped++)
		s->seen_ns[s->stamped % s->vq.size] = s->now_ns;
}

/* The chain's status and data are written: hand it back, tell the guest. */
static void complete(struct blk_state *s, uint32_t len)
{
	struct virtio_irq *irq;

	vq_push(&s->vq, s->chain.head, len);
	if (!vq_should_interrupt(&s->vq))
		return;
	count(s, BLK_N_INTERRUPTS);
	irq = atomic_load_explicit(&s->sh->irq, memory_order_acquire);
	if (irq)
		irq->used(irq, 0);
}

static void take(struct blk_state *s)
{
	if (s->stalled)
		end_stall(s);
	vq_consume(&s->vq);
}

static void drop_malformed(struct blk_state *s)
{
	count(s, BLK_N_MALFORMED);
	say_once(s, BLK_ODD_MALFORMED, "malformed descriptor chain");
	take(s);
	complete(s, 0);
}

/* Leave the chain in the ring. The timer looks again, so no kick is needed. */
static void stall(struct blk_state *s)
{
	vq_suppress_kicks(&s->vq);
	if (s->stalled)
		return;
	s->stalled = true;
	count(s, BLK_N_THROTTLE_EVENTS);
	blk_span_begin(&s->sh->stats.throttled, s->now_ns);
}

/* Answer a request that costs nothing and does nothing. */
static void refuse(struct blk_state *s)
{
	struct blk_result res;

	if (s->req.status == VIRTIO_BLK_S_UNSUPP) {
		count(s, BLK_N_UNSUPPORTED);
		say_once(s, BLK_ODD_UNSUPPORTED, "unsupported request");
	} else {
		count(s, BLK_N_IO_ERRORS);
		say_once(s, BLK_ODD_REFUSED, "request refused");
	}
	take(s);
	res = blk_req_run(&s->req, &s->disk, &s->image);
	complete(s, res.used_len);
}

/* The clock has just been read, and the guest can't know before complete(). */
static void trace(struct blk_state *s, const struct blk_result *res)
{
	struct vm_disk_io io = {
		.sector = s->req.sector,
		.complete_ns = s->now_ns,
		.bytes = res->moved_bytes,
	};

	if (blk_req_moves_data(&s->req, &io.write))
		blk_trace_add(&s->sh->trace, &io);
}

static void serve_admitted(struct blk_state *s)
{
	struct blk_stats *st = &s->sh->stats;
	uint64_t admitted_ns = s->now_ns;
	uint64_t seen_ns = s->seen_ns[s->vq.next_avail % s->vq.size];
	struct blk_result res;

	hist_add(&st->hist[VM_DISK_HIST_QUEUE], admitted_ns - seen_ns);
	take(s);
	res = blk_req_run(&s->req, &s->disk, &s->image);
	blk_count(st, BLK_N_BACKING_NS, read_clock(s) - admitted_ns);
	blk_req_count(&s->req, &res, st);
	if (res.err) {
		count(s, BLK_N_IO_ERRORS);
		say_once(s, BLK_ODD_IMAGE, "image: %s", strerror(-res.err));
	} else {
		trace(s, &res);
	}
	complete(s, res.used_len);
	hist_add(&st->hist[VM_DISK_HIST_SERVICE],
		 read_clock(s) - admitted_ns);
}

/* Return: 0 when the chain is done with, else how long it has to wait. */
static uint64_t serve(struct blk_state *s)
{
	uint64_t wait_ns;

	if (!blk_req_parse(&s->req, &s->chain, &s->disk)) {
		drop_malformed(s);
		return 0;
	}
	if (s->req.status != VIRTIO_BLK_S_OK) {
		refuse(s);
		return 0;
	}
	wait_ns = tb_take(&s->tb, s->now_ns, s->req.cost_ops,
			  s->req.cost_bytes);
	if (wait_ns)
		stall(s);
	else
		serve_admitted(s);
	return wait_ns;
}

/*
 * Serve at most one queue size of chains, and no new one after BLK_TURN_NS:
 * the largest request there can be takes a second. While the worker is at it,
 * and while it is blocked, the guest need not kick.
 */
struct blk_outcome blk_state_drain(void *state)
{
	struct blk_state *s = state;
	uint64_t until_ns, wait_ns;
	unsigned int turn;

	if (!ready(s))
		return BLK_DONE;
	until_ns = read_clock(s) + BLK_TURN_NS;
	vq_suppress_kicks(&s->vq);
	for (turn = s->vq.size; turn && s->now_ns < until_ns; turn--) {
		switch (vq_peek(&s->vq, &s->chain)) {
		case 0:
			blk_span_end(&s->sh->stats.queued, read_clock(s));
			if (!vq_enable_kicks(&s->vq))
				return BLK_DONE;
			break;
		case 1:
			blk_span_begin(&s->sh->stats.queued, s->now_ns);
			stamp(s);
			wait_ns = serve(s);
			if (wait_ns)
				return BLK_STALLED(wait_ns);
			break;
		case -EBADMSG:
			stamp(s);
			drop_malformed(s);
			break;
		default:
			poison(s, "broken ring");
			return BLK_DONE;
		}
	}
	/* Stop and pause get a turn before a guest that refills for ever. */
	blk_worker_poke(&s->sh->worker);
	return BLK_DONE;
}

static bool broken(void *state)
{
	const struct blk_state *s = state;

	return s->vq.broken;
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

	if (s->wired)
		vq_enable_kicks(&s->vq);
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
	unsigned int i;

	tb_shift(&s->tb, frozen_ns);
	blk_span_thaw(&s->sh->stats.throttled, now_ns);
	blk_span_thaw(&s->sh->stats.queued, now_ns);
	for (i = 0; i < VIRTIO_QUEUE_MAX; i++)
		s->seen_ns[i] += frozen_ns;
}

static void died(void *state)
{
	struct blk_state *s = state;
	struct virtio_irq *irq;

	/* Nobody serves from here on, so nothing waits to be served. */
	read_clock(s);
	end_stall(s);
	blk_span_end(&s->sh->stats.queued, s->now_ns);
	irq = atomic_load_explicit(&s->sh->irq, memory_order_acquire);
	if (irq)
		irq->needs_reset(irq);
}

const struct blk_worker_client blk_state_client = {
	.drain = blk_state_drain,
	.broken = broken,
	.new_limits = new_limits,
	.kicked = kicked,
	.timer_fired = timer_fired,
	.wake_on_kick = wake_on_kick,
	.freezes = freezes,
	.thaws = thaws,
	.died = died,
};
