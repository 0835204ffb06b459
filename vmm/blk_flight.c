// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_flight.h"

#include <string.h>

#include "lib/hist.h"

/* Its status and data are written: hand the chain back, tell the guest. */
static void complete(struct blk_state *s, const struct blk_flight *f,
		     uint32_t len)
{
	struct virtio_irq *irq;

	vq_push(&f->q->vq, f->chain.head, len);
	if (!vq_should_interrupt(&f->q->vq))
		return;
	blk_state_count(s, BLK_N_INTERRUPTS);
	irq = atomic_load_explicit(&s->sh->irq, memory_order_acquire);
	if (irq)
		irq->used(irq, f->q - s->queue);
}

static void take(struct blk_state *s, struct blk_flight *f)
{
	if (s->stalled)
		blk_state_end_stall(s);
	vq_consume(&f->q->vq);
}

void blk_flight_drop(struct blk_state *s, struct blk_flight *f)
{
	blk_state_count(s, BLK_N_MALFORMED);
	blk_say_once(s, BLK_ODD_MALFORMED, "malformed descriptor chain");
	take(s, f);
	complete(s, f, 0);
}

/* Leave the chain in the ring. The timer looks again, so no kick is needed. */
static void stall(struct blk_state *s)
{
	blk_state_suppress_kicks(s);
	if (s->stalled)
		return;
	s->stalled = true;
	blk_state_count(s, BLK_N_THROTTLE_EVENTS);
	blk_span_begin(&s->sh->stats.throttled, s->now_ns);
}

/* Answer a request that costs nothing and does nothing. */
static void refuse(struct blk_state *s, struct blk_flight *f)
{
	struct blk_result res;

	if (f->req.status == VIRTIO_BLK_S_UNSUPP) {
		blk_state_count(s, BLK_N_UNSUPPORTED);
		blk_say_once(s, BLK_ODD_UNSUPPORTED, "unsupported request");
	} else {
		blk_state_count(s, BLK_N_IO_ERRORS);
		blk_say_once(s, BLK_ODD_REFUSED, "request refused");
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
	blk_state_count(s, f->fault == BLK_FAULT_RANGE ? BLK_N_FAULT_RANGE :
					       BLK_N_FAULT_RATE);
	blk_count(st, BLK_N_FAULT_BYTES, f->req.cost_bytes);
	blk_state_count(s, BLK_N_IO_ERRORS);
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
	blk_count(st, BLK_N_BACKING_NS, blk_state_clock(s) - start_ns);
	blk_req_count(&f->req, &res, st);
	if (res.err) {
		blk_state_count(s, BLK_N_IO_ERRORS);
		blk_say_once(s, BLK_ODD_IMAGE, "image: %s", strerror(-res.err));
	} else if (f->fault == BLK_FAULT_NONE) {
		trace(s, f, &res);
	}
	complete(s, f, res.used_len);
	hist_add(&st->hist[VM_DISK_HIST_SERVICE],
		 blk_state_clock(s) - f->admitted_ns);
}

/* What a stall of the disk holds back until @until_ns, or nothing. */
static bool held(struct blk_state *s, uint64_t at_ns, uint64_t *until_ns)
{
	*until_ns = blk_faults_hold(&s->faults, at_ns);
	if (*until_ns == at_ns)
		return false;
	if (blk_faults_stall_seen(&s->faults)) {
		blk_state_count(s, BLK_N_FAULT_STALLS);
		blk_count(&s->sh->stats, BLK_N_FAULT_STALLED_NS,
			  s->faults.set.stall_ns);
	}
	return true;
}

uint64_t blk_flight_next_due_ns(struct blk_state *s)
{
	uint64_t due_ns = blk_pending_first_ns(&s->pending);
	uint64_t until_ns;

	if (due_ns == BLK_NEVER_NS)
		return BLK_NEVER_NS;
	if (due_ns < s->now_ns)
		due_ns = s->now_ns;
	held(s, due_ns, &until_ns);
	return until_ns;
}

void blk_flight_finish_due(struct blk_state *s, uint64_t until_ns)
{
	struct blk_flight *f;
	uint16_t slot;

	while (blk_flight_next_due_ns(s) <= s->now_ns && s->now_ns < until_ns) {
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
		f->fault = blk_faults_admit(&s->faults, blk_state_clock(s),
					    &f->req);
	if (!s->latency_ns && !s->jitter_ns)
		return 0;
	f->admitted_ns = blk_state_clock(s);
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

uint64_t blk_flight_serve(struct blk_state *s, struct blk_flight *f)
{
	uint64_t wait_ns;

	if (!blk_req_parse(&f->req, &f->chain, &s->disk)) {
		blk_flight_drop(s, f);
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
		blk_say_once(s, BLK_ODD_IMAGE, "image: a torn write failed");
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
		blk_state_count(s, BLK_N_FAULT_TORN);
	}
}
