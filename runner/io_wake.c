// SPDX-License-Identifier: GPL-2.0-only
#include "runner/io_wake.h"

#include "lib/hist.h"
#include "lib/log.h"
#include "runner/facts_workload.h"
#include "runner/io_pair.h"
#include "vmm/vmm.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What is kept of one run; 24 and 56 MiB. The rest counts as lost. */
#define MAX_DONE (1u << 20)
#define MAX_WAITS (1u << 20)

/* With more than this share missing, the rest says nothing of the whole. */
#define MISSING_MAX 0.1

struct disk_log {
	struct vm_disk_io *io;	/* owned */
	size_t nr, cap;
	bool told;
};

struct worker_log {
	unsigned int workload, disk;
	unsigned int nr;	/* in the shared region */
	uint64_t head;		/* entries of its ring fetched or lost */
	uint64_t lost[KTSTR_SHM_MAX_PHASES];
};

struct io_wake {
	const struct io_wake_ops *ops;
	void *ctx;
	uint32_t rings_off;
	pthread_mutex_t lock;	/* all below */
	struct disk_log *disks;	/* owned */
	unsigned int nr_disks;
	struct worker_log *workers; /* owned; only those with a disk */
	unsigned int nr_workers;
	struct io_wait *waits;	/* owned; owner: index in @workers */
	size_t nr_waits, waits_cap;
	struct ktstr_io_event ring[KTSTR_IO_RING_LEN]; /* scratch */
};

static int find_disk(const char *name, const char *const *names,
		     unsigned int nr)
{
	unsigned int i;

	for (i = 0; name && i < nr; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static unsigned int workers_of(json_t *workload)
{
	return json_integer_value(json_object_get(workload, "workers"));
}

static unsigned int count_workers(json_t *workloads)
{
	unsigned int n = 0;
	json_t *w;
	size_t i;

	json_array_foreach(workloads, i, w)
		n += workers_of(w);
	return n;
}

static void list_workers(struct io_wake *iw, json_t *workloads,
			 const char *const *disk_names)
{
	unsigned int nr = 0, k;
	json_t *w;
	size_t i;

	json_array_foreach(workloads, i, w) {
		int disk = find_disk(json_string_value(
			json_object_get(w, "disk")), disk_names, iw->nr_disks);

		for (k = 0; k < workers_of(w); k++, nr++) {
			if (disk < 0)
				continue;
			iw->workers[iw->nr_workers++] = (struct worker_log){
				.workload = i,
				.disk = disk,
				.nr = nr,
			};
		}
	}
}

int io_wake_new(json_t *workloads, const char *const *disk_names,
		unsigned int nr_disks, uint32_t rings_off,
		const struct io_wake_ops *ops, void *ctx, struct io_wake **out)
{
	struct io_wake *iw = calloc(1, sizeof(*iw));

	if (!iw)
		return -ENOMEM;
	pthread_mutex_init(&iw->lock, NULL);
	iw->ops = ops;
	iw->ctx = ctx;
	iw->rings_off = rings_off;
	iw->nr_disks = nr_disks;
	iw->disks = calloc(nr_disks + 1, sizeof(*iw->disks));
	iw->workers = calloc(count_workers(workloads) + 1,
			     sizeof(*iw->workers));
	if (!iw->disks || !iw->workers) {
		io_wake_free(iw);
		return -ENOMEM;
	}
	list_workers(iw, workloads, disk_names);
	if (!iw->nr_workers) {
		io_wake_free(iw);
		iw = NULL;
	}
	*out = iw;
	return 0;
}

void io_wake_free(struct io_wake *iw)
{
	unsigned int i;

	if (!iw)
		return;
	for (i = 0; iw->disks && i < iw->nr_disks; i++)
		free(iw->disks[i].io);
	free(iw->disks);
	free(iw->workers);
	free(iw->waits);
	pthread_mutex_destroy(&iw->lock);
	free(iw);
}

/* Room for one more of @size bytes. Return: false at @max or out of memory. */
static bool grow(void **array, size_t nr, size_t *cap, size_t size, size_t max)
{
	size_t want = *cap ? *cap * 2 : 1024;
	void *bigger;

	if (nr < *cap)
		return true;
	if (want > max)
		return false;
	bigger = realloc(*array, want * size);
	if (!bigger)
		return false;
	*array = bigger;
	*cap = want;
	return true;
}

static bool keep_wait(struct io_wake *iw, unsigned int worker,
		      const struct ktstr_io_event *e)
{
	if (!grow((void **)&iw->waits, iw->nr_waits, &iw->waits_cap,
		  sizeof(*iw->waits), MAX_WAITS))
		return false;
	iw->waits[iw->nr_waits++] = (struct io_wait){
		.sector = e->sector,
		.submit_ns = e->submit_ns,
		.return_ns = e->return_ns,
		.bytes = e->bytes,
		.write = e->write,
		.owner = worker,
	};
	return true;
}

static int read_head(struct io_wake *iw, size_t ring_off, uint64_t *head)
{
	return iw->ops->shm(iw->ctx, head,
			    ring_off + offsetof(struct ktstr_io_ring, head),
			    sizeof(*head));
}

/*
 * Copy the new entries of a ring, then see how far the worker has got
 * meanwhile: it may be writing the entry after head. What it has reached was
 * overwritten, or is being so. Three calls of shm(), in the order that pairs
 * with the releases of stamp_io_event().
 */
static void drain_ring(struct io_wake *iw, unsigned int worker, uint32_t phase)
{
	struct worker_log *w = &iw->workers[worker];
	size_t off = iw->rings_off + w->nr * sizeof(struct ktstr_io_ring);
	uint64_t head, later, first, n, lost = 0;

	if (read_head(iw, off, &head) || head == w->head)
		return;
	if (iw->ops->shm(iw->ctx, iw->ring,
			 off + offsetof(struct ktstr_io_ring, events),
			 sizeof(iw->ring)))
		return;
	if (read_head(iw, off, &later) || later < head || head < w->head)
		return; /* no worker of ours does so */
	first = later >= KTSTR_IO_RING_LEN ? later - KTSTR_IO_RING_LEN + 1 : 0;
	if (first < w->head)
		first = w->head;
	if (first > head)
		first = head;
	lost += first - w->head;
	for (n = first; n < head; n++)
		lost += !keep_wait(iw, worker,
				   &iw->ring[n % KTSTR_IO_RING_LEN]);
	w->head = head;
	if (phase < KTSTR_SHM_MAX_PHASES)
		w->lost[phase] += lost;
}

static void drain_disk(struct io_wake *iw, unsigned int disk)
{
	struct disk_log *d = &iw->disks[disk];
	struct vm_disk_io io[64];
	uint64_t dropped;
	size_t n, i;

	do {
		n = iw->ops->trace(iw->ctx, disk, io, 64, &dropped);
		for (i = 0; i < n; i++) {
			if (grow((void **)&d->io, d->nr, &d->cap,
				 sizeof(*d->io), MAX_DONE))
				d->io[d->nr++] = io[i];
		}
	} while (n == 64);
	if (dropped && !d->told) {
		d->told = true;
		log_warn("io_wake: disk %u is faster than its completions are read",
			 disk);
	}
}

void io_wake_drain(struct io_wake *iw, uint32_t phase)
{
	unsigned int i;

	if (!iw)
		return;
	pthread_mutex_lock(&iw->lock);
	/* In this order: what has returned has completed. */
	for (i = 0; i < iw->nr_workers; i++)
		drain_ring(iw, i, phase);
	for (i = 0; i < iw->nr_disks; i++)
		drain_disk(iw, i);
	pthread_mutex_unlock(&iw->lock);
}

/* The disk of a workload, and what of its ring is lost. */
static int workload_disk(const struct io_wake *iw, unsigned int workload,
			 uint32_t phase, struct io_wake_sum *sum)
{
	int disk = -ENOENT;
	unsigned int i;

	for (i = 0; i < iw->nr_workers; i++) {
		if (iw->workers[i].workload != workload)
			continue;
		disk = iw->workers[i].disk;
		sum->lost += iw->workers[i].lost[phase];
	}
	return disk;
}

/*
 * The IOs of all workloads on this disk that may have a completion in common
 * with one of this phase.
 */
static size_t waits_of(const struct io_wake *iw, unsigned int disk,
		       uint64_t start_ns, uint64_t end_ns, struct io_wait *out)
{
	size_t i, n = 0;

	for (i = 0; i < iw->nr_waits; i++) {
		const struct io_wait *w = &iw->waits[i];

		if (iw->workers[w->owner].disk == disk &&
		    w->return_ns >= start_ns && w->submit_ns <= end_ns)
			out[n++] = *w;
	}
	return n;
}

static void completions_of(const struct disk_log *d,
			   const struct clock_relation *clock,
			   struct io_done *out)
{
	size_t i;

	for (i = 0; i < d->nr; i++)
		out[i] = (struct io_done){
			.sector = d->io[i].sector,
			.at_ns = clock_to_guest(clock, d->io[i].complete_ns),
			.bytes = d->io[i].bytes,
			.write = d->io[i].write,
		};
}

static void count_wait(const struct io_wait *w, struct io_wake_sum *sum)
{
	switch (w->result) {
	case IO_PAIRED:
		hist_add(&sum->hist, w->wake_ns);
		break;
	case IO_UNPAIRED:
		sum->unpaired++;
		break;
	case IO_AMBIGUOUS:
		sum->ambiguous++;
		break;
	}
}

int io_wake_add(struct io_wake *iw, unsigned int workload, uint32_t phase,
		uint64_t start_ns, uint64_t end_ns,
		const struct clock_relation *clock, struct io_wake_sum *sum)
{
	struct io_wait *waits = NULL;
	struct io_done *done = NULL;
	int disk, err = -ENOMEM;
	size_t i, n;

	if (!iw || phase >= KTSTR_SHM_MAX_PHASES)
		return -ENOENT;
	disk = workload_disk(iw, workload, phase, sum);
	if (disk < 0)
		return disk;
	if (!clock->known) {
		sum->clock_unknown = true;
		return 0;
	}
	if (clock->error_ns > sum->error_ns)
		sum->error_ns = clock->error_ns;
	done = calloc(iw->disks[disk].nr + 1, sizeof(*done));
	waits = calloc(iw->nr_waits + 1, sizeof(*waits));
	if (!done || !waits)
		goto out;
	err = 0;
	completions_of(&iw->disks[disk], clock, done);
	n = waits_of(iw, disk, start_ns, end_ns, waits);
	io_pair(done, iw->disks[disk].nr, waits, n, clock->error_ns);
	for (i = 0; i < n; i++) {
		const struct worker_log *w = &iw->workers[waits[i].owner];

		/* as with every latency: it belongs to where it ends */
		if (w->workload != workload || waits[i].return_ns > end_ns)
			continue;
		count_wait(&waits[i], sum);
		if (sum->each)
			sum->each(sum->each_ctx, w->nr, &waits[i],
				  clock->error_ns);
	}
out:
	free(done);
	free(waits);
	return err;
}

static bool sound(const struct io_wake_sum *sum)
{
	uint64_t missing = sum->unpaired + sum->lost;
	uint64_t all = missing + sum->ambiguous + hist_total(&sum->hist);

	return !sum->clock_unknown && missing <= all * MISSING_MAX;
}

json_t *io_wake_sum_json(const struct io_wake_sum *sum)
{
	return json_pack("{s:o, s:{s:I, s:I, s:I, s:I, s:o}}",
			 "io_wake_ns", sound(sum) ? hist_json(&sum->hist) :
			 json_null(),
			 "io_wake_pairing",
			 "paired", (json_int_t)hist_total(&sum->hist),
			 "unpaired", (json_int_t)sum->unpaired,
			 "ambiguous", (json_int_t)sum->ambiguous,
			 "lost", (json_int_t)sum->lost,
			 "clock_error_ns", sum->clock_unknown ? json_null() :
			 json_integer(sum->error_ns));
}
