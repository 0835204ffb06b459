// SPDX-License-Identifier: GPL-2.0-only
#include "agent/stamp.h"

#include "lib/clock.h"
#include "lib/hist.h"

void stamp_init(struct stamp *s, struct ktstr_shm_hdr *hdr, unsigned int nr,
		const cpu_set_t *allowed)
{
	char *base = (char *)hdr;

	*s = (struct stamp){
		.hdr = hdr,
		.worker = (struct ktstr_worker *)(base + hdr->workers_off) + nr,
		.cells = (struct ktstr_cell *)(base + hdr->cells_off) +
			 (size_t)nr * hdr->nr_phases,
		.ring = (struct ktstr_io_ring *)(base + hdr->rings_off) + nr,
		.allowed = allowed,
		.phase = KTSTR_SHM_NO_PHASE,
		.cpu = STAMP_NO_CPU,
	};
}

uint64_t stamp_gap_ns(uint64_t last_ns, uint64_t now_ns,
		      uint64_t phase_start_ns, uint64_t frozen_ns)
{
	uint64_t from = last_ns > phase_start_ns ? last_ns : phase_start_ns;
	uint64_t gap = now_ns > from ? now_ns - from : 0;

	return gap > frozen_ns ? gap - frozen_ns : 0;
}

/*
 * Acquire: whoever sees a phase sees its start time too. Pairs with the
 * release store with which the agent publishes the phase.
 */
static uint32_t current_phase(const struct ktstr_shm_hdr *hdr)
{
	uint32_t phase = __atomic_load_n(&hdr->phase, __ATOMIC_ACQUIRE);

	return phase < hdr->nr_phases && phase < KTSTR_SHM_MAX_PHASES ?
		       phase : KTSTR_SHM_NO_PHASE;
}

static void count_gap(struct stamp *s, uint64_t now_ns, uint64_t frozen_ns)
{
	uint64_t gap;

	gap = stamp_gap_ns(s->last_ns, now_ns, s->hdr->phase_start_ns[s->phase],
			   frozen_ns - s->frozen_ns);
	if (gap <= s->cell->gap_max_ns)
		return;
	__atomic_store_n(&s->cell->gap_max_ns, gap, __ATOMIC_RELAXED);
	__atomic_store_n(&s->cell->gap_max_at_ns, now_ns, __ATOMIC_RELAXED);
}

static void count_cpu(struct stamp *s, uint32_t cpu)
{
	__u64 *word;

	if (cpu == STAMP_NO_CPU)
		return;
	if (cpu < KTSTR_SHM_MAX_CPUS) {
		word = &s->cell->cpus_used[cpu / 64];
		__atomic_store_n(word, *word | 1ull << cpu % 64,
				 __ATOMIC_RELAXED);
	}
	if (s->allowed && !CPU_ISSET(cpu, s->allowed))
		stamp_count(&s->cell->cpuset_violations, 1);
}

struct ktstr_cell *stamp_at(struct stamp *s, uint64_t now_ns, uint32_t cpu)
{
	uint64_t frozen_ns = __atomic_load_n(&s->hdr->frozen_ns,
					     __ATOMIC_RELAXED);
	uint32_t phase = current_phase(s->hdr);
	bool moved = s->cpu != STAMP_NO_CPU && cpu != s->cpu;
	bool place_is_news = cpu != s->cpu || phase != s->phase;

	if (phase != s->phase) {
		s->phase = phase;
		s->cell = phase == KTSTR_SHM_NO_PHASE ? NULL :
							s->cells + phase;
	}
	if (s->cell) {
		count_gap(s, now_ns, frozen_ns);
		if (moved)
			stamp_count(&s->cell->migrations, 1);
		if (place_is_news)
			count_cpu(s, cpu);
	}
	if (cpu != s->cpu)
		__atomic_store_n(&s->worker->last_cpu, cpu, __ATOMIC_RELAXED);
	__atomic_store_n(&s->worker->last_progress_ns, now_ns,
			 __ATOMIC_RELAXED);
	s->cpu = cpu;
	s->last_ns = now_ns;
	s->frozen_ns = frozen_ns;
	return s->cell;
}

struct ktstr_cell *stamp_now(struct stamp *s, uint64_t *now_ns)
{
	uint64_t now = clock_now_ns();

	if (now_ns)
		*now_ns = now;
	return stamp_at(s, now, sched_getcpu());
}

void stamp_sleep_until(struct stamp *s, uint64_t expiry_ns)
{
	if (expiry_ns <= s->last_ns)
		return;
	s->last_ns = expiry_ns;
	__atomic_store_n(&s->worker->last_progress_ns, expiry_ns,
			 __ATOMIC_RELAXED);
}

struct ktstr_cell *stamp_wake_at(struct stamp *s, uint64_t due_ns, uint32_t gen,
				 uint64_t now_ns, uint32_t cpu)
{
	struct ktstr_cell *cell = stamp_at(s, now_ns, cpu);

	if (cell && now_ns >= due_ns && gen == stamp_freeze_gen(s))
		hist_add(&cell->wake, now_ns - due_ns);
	return cell;
}

struct ktstr_cell *stamp_wake(struct stamp *s, uint64_t due_ns, uint32_t gen)
{
	uint64_t now_ns = clock_now_ns();

	return stamp_wake_at(s, due_ns, gen, now_ns, sched_getcpu());
}

struct ktstr_cell *stamp_io_at(struct stamp *s, uint64_t submit_ns,
			       uint32_t gen, uint64_t bytes, uint64_t now_ns,
			       uint32_t cpu)
{
	struct ktstr_cell *cell = stamp_at(s, now_ns, cpu);

	if (!cell)
		return NULL;
	stamp_count(&cell->ops, 1);
	stamp_count(&cell->bytes, bytes);
	if (gen == stamp_freeze_gen(s))
		hist_add(&cell->io, now_ns - submit_ns);
	return cell;
}

struct ktstr_cell *stamp_io(struct stamp *s, uint64_t submit_ns, uint32_t gen,
			    uint64_t bytes)
{
	uint64_t now_ns = clock_now_ns();

	return stamp_io_at(s, submit_ns, gen, bytes, now_ns, sched_getcpu());
}

void stamp_io_event(struct stamp *s, const struct ktstr_io_event *event,
		    uint32_t gen)
{
	struct ktstr_io_ring *r = s->ring;
	struct ktstr_io_event *slot = &r->events[r->head % KTSTR_IO_RING_LEN];

	if (!s->cell || gen != stamp_freeze_gen(s))
		return;
	/*
	 * Release, each: the head before this entry is visible before the slot
	 * changes, so whoever sees it change sees that head in a later look.
	 * Pairs with the order of the host's reads (struct io_wake_ops).
	 */
	__atomic_store_n(&slot->sector, event->sector, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->submit_ns, event->submit_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->return_ns, event->return_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->bytes, event->bytes, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->write, event->write, __ATOMIC_RELEASE);
	/* Release: the entry before its number. Pairs likewise. */
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
}

void stamp_io_error(struct stamp *s)
{
	uint32_t phase = current_phase(s->hdr);

	if (phase != KTSTR_SHM_NO_PHASE)
		stamp_count(&s->cells[phase].errors, 1);
}
