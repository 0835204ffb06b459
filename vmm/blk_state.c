// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hist.h"
#include "lib/log.h"
#include "vmm/blk_file.h"

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
	struct blk_limits_set set;

	if (!blk_limits_take(&s->sh->limits, &s->limits_seen, &set))
		return false;
	tb_set_limits(&s->tb, read_clock(s), &(struct tb_limits){
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
	tb_init(&s->tb, read_clock(s), &(struct tb_limits){ 0 });
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

static void count(struct blk_state *s, enum blk_counter which)
{
	blk_count(&s->sh->stats, which, 1);
}

/* The ring is wrong beyond this chain: the device must be reset (R, C8). */
static void poison(struct blk_state *s, const char *why)
{
	s->broken = true;
	count(s, BLK_N_POISONED);
	say_once(s, BLK_ODD_BROKEN, "%s, the device needs a reset", why);
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
	drop_flights(s);
	memset(s->queue, 0, sizeof(s->queue));
	s->nr_live = 0;
	s->wired = false;
	s->broken = false;
	s->disk.features = 0;
	count(s, BLK_N_RESETS);
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
	say_once(s, BLK_ODD_UNWIRED, "kick before guest memory is wired");
	return false;
}

/* Remember when each chain was first seen in the ring. */
static void stamp(struct blk_state *s, struct blk_queue *q)
{
	for (; q->stamped != q->vq.avail_seen; q->stamped++)
		q->seen_ns[q->stamped % q->vq.size] = s->now_ns;
}

static void suppress_kicks(struct blk_state *s)
{
	unsigned int i;

	for (i = 0; i < s->nr_live; i++)
		vq_suppress_kicks(&s->live[i]->vq);
}

/* Its status and data are written: hand the chain back, tell the guest. */
static void complete(struct blk_state *s, const struct blk_flight *f,
		     uint32_t len)
{
	struct virtio_irq *irq;

	vq_push(&f->q->vq, f->chain.head, len);
	if (!vq_should_interrupt(&f->q->vq))
		return;
	count(s, BLK_N_INTERRUPTS);
	irq = atomic_load_explicit(&s->sh->irq, memory_order_acquire);
	if (irq)
		irq->used(irq, f->q - s->queue);
}

static void take(struct blk_state *s, struct blk_flight *f)
{
	if (s->stalled)
		end_stall(s);
	vq_consume(&f->q->vq);
}

static void drop_malformed(struct blk_state *s, struct blk_flight *f)
{
	count(s, BLK_N_MALFORMED);
	say_once(s, BLK_ODD_MALFORMED, "malformed descriptor chain");
	take(s, f);
	complete(s, f, 0);
}

/* Leave the chain in the ring. The timer looks again, so no kick is needed. */
static void stall(struct blk_state *s)
{
	suppress_kicks(s);
	if (s->stalled)
		return;
	s->stalled = true;
	count(s, BLK_N_THROTTLE_EVENTS);
	blk_span_begin(&s->sh->stats.throttled, s->now_ns);
}

/* Answer a request that costs nothing and does nothing. */
static void refuse(struct blk_state *s, struct blk_flight *f)
{
	struct blk_result res;

	if (f->req.status == VIRTIO_BLK_S_UNSUPP) {
		count(s, BLK_N_UNSUPPORTED);
		say_once(s, BLK_ODD_UNSUPPORTED, "unsupported request");
	} else {
		count(s, BLK_N_IO_ERRORS);
		say_once(s, BLK_ODD_REFUSED, "request refused");
	}
	take(s, f);
	res = blk_req_run(&f->req, &s->disk, &s->image);
	complete(s, f, res.used_len);
}

/* The clock has just been read, and the guest can't know before complete(). */
static void trace(struct blk_state *s, const struct blk_flight *f,
		  const struct blk_result *res)
{
	struct vm_disk_io io = {
		.sector = f->req.sector,
		.complete_ns = s->now_ns,
		.bytes = res->moved_bytes,
	};

	if (blk_req_moves_data(&f->req, &io.write))
		blk_trace_add(&s->sh->trace, &io);
}

/* Fail it without a look at the image. */
static void plant_error(struct blk_state *s, struct blk_flight *f)
{
	struct blk_stats *st = &s->sh->stats;

	f->req.status = VIRTIO_BLK_S_IOERR;
	count(s, f->fault == BLK_FAULT_RANGE ? BLK_N_FAULT_RANGE :
					       BLK_N_FAULT_RATE);
	blk_count(st, BLK_N_FAULT_BYTES, f->req.cost_bytes);
	count(s, BLK_N_IO_ERRORS);
}

/* Do an admitted request, and hand it back. The clock has just been read. */
static void finish(struct blk_state *s, struct blk_flight *f)
{
	struct blk_stats *st = &s->sh->stats;
	uint64_t start_ns = s->now_ns;
	struct blk_result res;

	if (f->fault != BLK_FAULT_NONE)
		plant_error(s, f);
	res = blk_req_run(&f->req, &s->disk, &s->image);
	blk_count(st, BLK_N_BACKING_NS, read_clock(s) - start_ns);
	blk_req_count(&f->req, &res, st);
	if (res.err) {
		count(s, BLK_N_IO_ERRORS);
		say_once(s, BLK_ODD_IMAGE, "image: %s", strerror(-res.err));
	} else if (f->fault == BLK_FAULT_NONE) {
		trace(s, f, &res);
	}
	complete(s, f, res.used_len);
	hist_add(&st->hist[VM_DISK_HIST_SERVICE],
		 read_clock(s) - f->admitted_ns);
}

/* What a stall of the disk holds back until @until_ns, or nothing. */
static bool held(struct blk_state *s, uint64_t at_ns, uint64_t *until_ns)
{
	*until_ns = blk_faults_hold(&s->faults, at_ns);
	if (*until_ns == at_ns)
		return false;
	if (blk_faults_stall_seen(&s->faults)) {
		count(s, BLK_N_FAULT_STALLS);
		blk_count(&s->sh->stats, BLK_N_FAULT_STALLED_NS,
			  s->faults.set.stall_ns);
	}
	return true;
}

/* The first completion, not before now: a stall that is over holds nothing. */
static uint64_t next_due_ns(void *state)
{
	struct blk_state *s = state;
	uint64_t due_ns = blk_pending_first_ns(&s->pending);
	uint64_t until_ns;

	if (due_ns == BLK_NEVER_NS)
		return BLK_NEVER_NS;
	if (due_ns < s->now_ns)
		due_ns = s->now_ns;
	held(s, due_ns, &until_ns);
	return until_ns;
}

/* Complete what is due; but after @until_ns stop and pause get a turn. */
static void finish_due(struct blk_state *s, uint64_t until_ns)
{
	struct blk_flight *f;
	uint16_t slot;

	while (next_due_ns(s) <= s->now_ns && s->now_ns < until_ns) {
		slot = blk_pending_pop(&s->pending);
		f = &s->flights[slot];
		finish(s, f);
		f->q->free[f->q->nr_free++] = slot;
	}
}

/*
 * How long the request takes beyond its own work. What was asked for counts
 * from here on, not from when the drain began: no guest may see it fall short.
 */
static uint64_t delay_of(struct blk_state *s, struct blk_flight *f)
{
	uint64_t n = s->nr_admitted++;

	f->fault = BLK_FAULT_NONE;
	if (s->faults.on)
		f->fault = blk_faults_admit(&s->faults, read_clock(s),
					    &f->req);
	if (!s->latency_ns && !s->jitter_ns)
		return 0;
	f->admitted_ns = read_clock(s);
	return blk_delay_ns(s->latency_ns, s->jitter_ns, s->seed, n);
}

static void serve_admitted(struct blk_state *s, struct blk_flight *f)
{
	struct blk_queue *q = f->q;
	uint64_t seen_ns = q->seen_ns[q->vq.next_avail % q->vq.size];
	uint64_t delay_ns, due_ns, until_ns;

	hist_add(&s->sh->stats.hist[VM_DISK_HIST_QUEUE], s->now_ns - seen_ns);
	f->admitted_ns = s->now_ns;
	take(s, f);
	delay_ns = delay_of(s, f);
	if (!delay_ns && !held(s, s->now_ns, &until_ns)) {
		finish(s, f);
		return;
	}
	if (__builtin_add_overflow(f->admitted_ns, delay_ns, &due_ns))
		due_ns = BLK_NEVER_NS - 1;
	blk_pending_push(&s->pending, due_ns, q->free[--q->nr_free]);
}

/* Return: 0 when the chain is done with, else how long it has to wait. */
static uint64_t serve(struct blk_state *s, struct blk_flight *f)
{
	uint64_t wait_ns;

	if (!blk_req_parse(&f->req, &f->chain, &s->disk)) {
		drop_malformed(s, f);
		return 0;
	}
	if (f->req.status != VIRTIO_BLK_S_OK) {
		refuse(s, f);
		return 0;
	}
	wait_ns = tb_take(&s->tb, s->now_ns, f->req.cost_ops,
			  f->req.cost_bytes);
	if (wait_ns)
		stall(s);
	else
		serve_admitted(s, f);
	return wait_ns;
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
		*wait_ns = serve(s, f);
		return *wait_ns ? LOOK_STALLED : LOOK_SERVED;
	case -EBADMSG:
		stamp(s, q);
		drop_malformed(s, f);
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

	read_clock(s);
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
	until_ns = read_clock(s) + BLK_TURN_NS;
	suppress_kicks(s);
	finish_due(s, until_ns);
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

/* Of a write: its first @bytes, to the image. */
static void write_part(struct blk_state *s, struct blk_flight *f,
		       uint64_t bytes)
{
	struct iovec *iov = f->req.data;
	uint64_t left = bytes, moved;
	unsigned int nr;

	for (nr = 0; nr < f->req.nr_data && left; nr++) {
		if (iov[nr].iov_len > left)
			iov[nr].iov_len = left;
		left -= iov[nr].iov_len;
	}
	if (blk_image_write(&s->image, f->req.sector << BLK_SECTOR_SHIFT, iov,
			    nr, &moved))
		say_once(s, BLK_ODD_IMAGE, "image: a torn write failed");
}

void blk_state_power_off(struct blk_state *s)
{
	uint64_t sectors, n;
	bool write;

	if (!s->faults.set.torn_writes)
		return;
	for (n = 0; s->pending.nr; n++) {
		struct blk_flight *f =
			&s->flights[blk_pending_pop(&s->pending)];

		if (!blk_req_moves_data(&f->req, &write) || !write ||
		    f->fault != BLK_FAULT_NONE || !f->req.data_bytes)
			continue;
		sectors = blk_torn_sectors(s->seed, n, f->req.data_bytes >>
							       BLK_SECTOR_SHIFT);
		if (sectors)
			write_part(s, f, sectors << BLK_SECTOR_SHIFT);
		count(s, BLK_N_FAULT_TORN);
	}
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
	.next_due_ns = next_due_ns,
	.new_limits = new_limits,
	.kicked = kicked,
	.timer_fired = timer_fired,
	.wake_on_kick = wake_on_kick,
	.freezes = freezes,
	.thaws = thaws,
	.died = died,
};
