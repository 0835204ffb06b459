// SPDX-License-Identifier: GPL-2.0-only
/* io_completion: what the guest recorded of each IO, and the disk's stamp. */
#include "runner/observe.h"

#include "lib/hist.h"
#include "lib/log.h"
#include "runner/facts_workload.h"
#include "runner/io_pair.h"
#include "runner/observe_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What is kept of one worker; 40 MiB. The rest counts as lost. */
#define MAX_RECORDS (1u << 20)

/* With more than this share missing, the rest says nothing of the whole. */
#define MISSING_MAX 0.1

/* What was fetched of one worker's ring. */
struct io_log {
	struct ktstr_obs_io *records;	/* owned */
	size_t nr, cap;
	uint64_t head;		/* fetched or lost */
	uint64_t lost;
};

struct observe_io {
	pthread_mutex_t lock;	/* all below, and the region's map */
	struct io_log *logs;	/* owned, one for each worker */
	struct ktstr_obs_io_ring ring; /* scratch */
};

int observe_io_new(unsigned int workers, struct observe_io **out)
{
	struct observe_io *io = calloc(1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->logs = calloc(workers + 1, sizeof(*io->logs));
	if (!io->logs) {
		free(io);
		return -ENOMEM;
	}
	pthread_mutex_init(&io->lock, NULL);
	*out = io;
	return 0;
}

void observe_io_free(struct observe_io *io, unsigned int workers)
{
	unsigned int i;

	if (!io)
		return;
	for (i = 0; i < workers; i++)
		free(io->logs[i].records);
	free(io->logs);
	pthread_mutex_destroy(&io->lock);
	free(io);
}

static bool keep(struct io_log *log, const struct ktstr_obs_io *e)
{
	size_t want = log->cap ? log->cap * 2 : 1024;
	void *bigger;

	if (log->nr == log->cap) {
		if (want > MAX_RECORDS)
			return false;
		bigger = realloc(log->records, want * sizeof(*e));
		if (!bigger)
			return false;
		log->records = bigger;
		log->cap = want;
	}
	log->records[log->nr++] = *e;
	return true;
}

/*
 * Copy a ring, then see how far the guest has got meanwhile: what it has
 * reached was overwritten, or is being so. Each read comes before the next:
 * pairs with the barrier of record() in io_completion.bpf.c.
 */
static void drain_ring(const struct observe *o, uint32_t map_id,
		       unsigned int worker)
{
	struct observe_io *io = o->io;
	struct io_log *log = &io->logs[worker];
	size_t off = worker * sizeof(io->ring);
	uint64_t head, later, first, n;

	if (o->ops->read(o->ctx, map_id, &head, off, sizeof(head)) ||
	    head == log->head)
		return;
	if (o->ops->read(o->ctx, map_id, &io->ring, off, sizeof(io->ring)) ||
	    o->ops->read(o->ctx, map_id, &later, off, sizeof(later)))
		return;
	if (later < head || head < log->head)
		return; /* no program of ours does so */
	first = later >= KTSTR_OBS_IO_LEN ? later - KTSTR_OBS_IO_LEN + 1 : 0;
	if (first < log->head)
		first = log->head;
	if (first > head)
		first = head;
	log->lost += first - log->head;
	for (n = first; n < head; n++)
		log->lost += !keep(log, &io->ring.events[n % KTSTR_OBS_IO_LEN]);
	log->head = head;
}

void observe_drain(struct observe *o)
{
	uint32_t map_id;
	unsigned int i;

	if (!o || !o->io)
		return;
	/* Relaxed: the id is all there is to it; the map was there before. */
	map_id = __atomic_load_n(&o->one[OBS_IO_COMPLETION].map_id,
				 __ATOMIC_RELAXED);
	if (!map_id)
		return;
	pthread_mutex_lock(&o->io->lock);
	for (i = 0; i < o->dims.workers; i++)
		drain_ring(o, map_id, i);
	pthread_mutex_unlock(&o->io->lock);
}

/* The first record that ran at @ns or later: they are in order of that. */
static size_t lower_bound(const struct io_log *log, uint64_t ns)
{
	size_t low = 0, high = log->nr, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (log->records[mid].run_ns < ns)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* A request may have been split, or merged with its neighbours. */
static bool same_sectors(const struct ktstr_obs_io *r, const struct io_wait *w)
{
	return !(r->flags & KTSTR_OBS_IO_OTHER) &&
	       !(r->flags & KTSTR_OBS_IO_WRITE) == !w->write &&
	       r->sector < w->sector + (w->bytes + 511) / 512 &&
	       w->sector < r->sector + (r->bytes + 511ull) / 512;
}

static bool in_order(const struct ktstr_obs_io *r)
{
	return r->irq_ns <= r->complete_ns && r->complete_ns <= r->woken_ns &&
	       r->woken_ns <= r->run_ns;
}

/*
 * Of several the last: with it the worker had all it waited for. @slept: did it
 * sleep at all, for whatever?
 */
static const struct ktstr_obs_io *find(const struct io_log *log,
				       const struct io_wait *w, bool *slept)
{
	const struct ktstr_obs_io *found = NULL;
	size_t i;

	*slept = log->lost > 0; /* what is lost may have been of any time */

	for (i = lower_bound(log, w->submit_ns); i < log->nr; i++) {
		const struct ktstr_obs_io *r = &log->records[i];

		if (r->run_ns > w->return_ns)
			break;
		*slept = true;
		if (r->complete_ns >= w->submit_ns && in_order(r) &&
		    same_sectors(r, w))
			found = r;
	}
	return found;
}

/*
 * Each stage but the first is by the guest's clock alone, and together they are
 * the whole. Nothing is seen before it was done: where it seems so, by the
 * clocks' error, the first stage took 0. A handler that ran before that was not
 * called for this IO.
 */
static void add_stages(struct observe_io_sum *sum, const struct ktstr_obs_io *r,
		       uint64_t done_ns, uint64_t error_ns)
{
	bool irq = r->irq_ns && r->irq_ns + error_ns >= done_ns;
	uint64_t seen_ns = irq ? r->irq_ns : r->complete_ns;

	if (done_ns > seen_ns)
		done_ns = seen_ns;
	if (irq) {
		hist_add(&sum->stage[OBSERVE_IO_INTERRUPT],
			 r->irq_ns - done_ns);
		hist_add(&sum->stage[OBSERVE_IO_BLOCK],
			 r->complete_ns - r->irq_ns);
	}
	sum->no_interrupt += !irq;
	hist_add(&sum->stage[OBSERVE_IO_COMPLETE], r->complete_ns - done_ns);
	hist_add(&sum->stage[OBSERVE_IO_WAKE], r->woken_ns - r->complete_ns);
	hist_add(&sum->stage[OBSERVE_IO_RUN], r->run_ns - r->woken_ns);
	hist_add(&sum->stage[OBSERVE_IO_TOTAL], r->run_ns - done_ns);
}

void observe_io_add(struct observe *o, unsigned int worker,
		    const struct io_wait *wait, uint64_t error_ns,
		    struct observe_io_sum *sum)
{
	uint64_t done_ns = wait->return_ns - wait->wake_ns;
	const struct ktstr_obs_io *r;
	bool slept;

	if (wait->result != IO_PAIRED || !o->io || worker >= o->dims.workers)
		return;
	pthread_mutex_lock(&o->io->lock);
	r = find(&o->io->logs[worker], wait, &slept);
	/* it can't be seen before it was done, but by the clocks' error */
	if (r && r->complete_ns + error_ns < done_ns)
		r = NULL;
	if (r) {
		add_stages(sum, r, done_ns, error_ns);
	} else {
		sum->unpaired += slept;
		sum->awake += !slept;
	}
	pthread_mutex_unlock(&o->io->lock);
}

/* Of the workload's workers, over the whole run: no more is known of them. */
static void add_losses(const struct observe *o, unsigned int workload,
		       struct observe_io_sum *sum)
{
	const struct ktstr_obs_io_ring *rings =
		o->one[OBS_IO_COMPLETION].region;
	json_t *list = json_object_get(o->plan, "workloads"), *w;
	unsigned int first = 0, n, i;
	size_t k;

	json_array_foreach(list, k, w) {
		n = json_integer_value(json_object_get(w, "workers"));
		for (i = first; k == workload && i < first + n; i++) {
			sum->lost += o->io->logs[i].lost;
			sum->frozen += rings ? rings[i].frozen : 0;
		}
		first += n;
	}
}

static const char *io_why(const struct observe *o,
			  const struct observe_io_sum *sum)
{
	const char *why = observe_why(&o->one[OBS_IO_COMPLETION]);
	uint64_t missing = sum->unpaired + sum->lost;

	if (why)
		return why;
	if (sum->clock_unknown)
		return "the clocks of host and guest were not measured";
	if (missing > MISSING_MAX * (missing +
				     sum->awake +
				     hist_total(&sum->stage[OBSERVE_IO_RUN])))
		return "of more than a tenth of the IOs the observer has no record";
	return NULL;
}

/* As any histogram, and its sum: by it the stages add up. */
static json_t *stage_json(const struct ktstr_hist *h, const char *why_not)
{
	json_t *json = why_not ? observe_not_available(why_not) : hist_json(h);

	json_object_set_new(json, "sum", why_not ? json_null() :
						   json_integer(h->sum_ns));
	return json;
}

static const struct {
	const char *name;
	bool of_irq;		/* needs the observer's optional programs */
} io_stages[OBSERVE_IO_STAGES] = {
	[OBSERVE_IO_INTERRUPT] = { "interrupt", true },
	[OBSERVE_IO_BLOCK] = { "block", true },
	[OBSERVE_IO_COMPLETE] = { "complete", false },
	[OBSERVE_IO_WAKE] = { "wake", false },
	[OBSERVE_IO_RUN] = { "run", false },
	[OBSERVE_IO_TOTAL] = { "total", false },
};

json_t *observe_io_json(const struct observe *o, unsigned int workload,
			struct observe_io_sum *sum)
{
	const char *no_irq = observe_without(&o->one[OBS_IO_COMPLETION]);
	json_t *stages = json_object();
	const char *why;
	int i;

	add_losses(o, workload, sum);
	why = io_why(o, sum);
	for (i = 0; i < OBSERVE_IO_STAGES; i++) {
		const char *not = why || !io_stages[i].of_irq ? why : no_irq;

		json_object_set_new(stages, io_stages[i].name,
				    stage_json(&sum->stage[i], not));
	}
	return json_pack("{s:o, s:{s:I, s:I, s:I, s:I, s:I, s:o}}", "io_ns",
			 stages, "io_pairing",
			 "paired", (json_int_t)hist_total(
					&sum->stage[OBSERVE_IO_RUN]),
			 "unpaired", (json_int_t)sum->unpaired,
			 "lost", (json_int_t)sum->lost,
			 "awake", (json_int_t)sum->awake,
			 "frozen", (json_int_t)sum->frozen,
			 "no_interrupt", why || no_irq ? json_null() :
			 json_integer(sum->no_interrupt));
}

bool observe_has_io(const struct observe *o)
{
	return o && o->io;
}
