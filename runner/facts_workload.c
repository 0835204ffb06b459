// SPDX-License-Identifier: GPL-2.0-only
#include "runner/facts_workload.h"

#include "lib/clock.h"
#include "lib/hist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int workload_sum_init(struct workload_sum *sum, unsigned int nr_workers)
{
	memset(sum, 0, sizeof(*sum));
	sum->nr_workers = nr_workers;
	sum->workers = calloc(nr_workers, sizeof(*sum->workers));
	sum->states = calloc(nr_workers, sizeof(*sum->states));
	if (sum->workers && sum->states)
		return 0;
	workload_sum_fini(sum);
	return -ENOMEM;
}

void workload_sum_fini(struct workload_sum *sum)
{
	free(sum->workers);
	free(sum->states);
	sum->workers = NULL;
	sum->states = NULL;
}

/* The time without progress that no stamp has ended yet. */
static uint64_t open_gap_ns(const struct ktstr_worker *state,
			    uint64_t start_ns, uint64_t end_ns,
			    const struct frozen_view *frozen)
{
	uint64_t last_ns = state->last_progress_ns;

	if (end_ns <= start_ns)
		return 0;
	if (last_ns < start_ns)
		last_ns = start_ns;
	/* later than the end: the worker sleeps on purpose until then */
	if (last_ns >= end_ns)
		return 0;
	return end_ns - last_ns - frozen_view_within(frozen, last_ns, end_ns);
}

/* What the guest's clock charged the worker while nothing ran is none. */
static uint64_t cpu_time_ns(const struct ktstr_cell *cell, uint64_t ran_ns)
{
	return cell->cpu_time_ns > ran_ns ? cell->cpu_time_ns - ran_ns : 0;
}

static void add_cell(struct worker_sum *sum, const struct ktstr_cell *cell,
		     uint64_t gap_ns, uint64_t ran_ns)
{
	unsigned int i;

	sum->iterations += cell->iterations;
	sum->ops += cell->ops;
	sum->bytes += cell->bytes;
	sum->errors += cell->errors;
	sum->migrations += cell->migrations;
	sum->cpuset_violations += cell->cpuset_violations;
	sum->deadline_misses += cell->deadline_misses;
	sum->cpu_time_ns += cpu_time_ns(cell, ran_ns);
	sum->run_delay_ns += cell->run_delay_ns;
	sum->run_count += cell->run_count;
	for (i = 0; i < KTSTR_SHM_MAX_CPUS / 64; i++)
		sum->cpus_used[i] |= cell->cpus_used[i];
	if (gap_ns > sum->gap_max_ns)
		sum->gap_max_ns = gap_ns;
}

void workload_sum_add(struct workload_sum *sum, unsigned int index,
		      const struct ktstr_cell *cell,
		      const struct ktstr_worker *state, uint64_t start_ns,
		      uint64_t end_ns, const struct frozen_view *frozen)
{
	uint64_t frozen_ns = frozen_view_within(frozen, start_ns, end_ns);
	uint64_t phase_ns = end_ns > start_ns ?
		end_ns - start_ns - frozen_ns : 0;
	uint64_t gap_ns = open_gap_ns(state, start_ns, end_ns, frozen);
	uint64_t ran_ns = frozen_view_ran(frozen, state->pid, start_ns,
					  end_ns);

	if (cell->gap_max_ns > gap_ns)
		gap_ns = cell->gap_max_ns;
	/* no gap within a phase is longer than the phase */
	if (gap_ns > phase_ns)
		gap_ns = phase_ns;
	add_cell(&sum->workers[index], cell, gap_ns, ran_ns);
	add_cell(&sum->all, cell, gap_ns, ran_ns);
	sum->states[index] = *state;
	hist_merge(&sum->wake, &cell->wake);
	hist_merge(&sum->io, &cell->io);
	if (index)
		return;
	sum->duration_ns += phase_ns;
	sum->frozen_ns += frozen_ns;
}

static json_t *quantile(const struct ktstr_hist *h, uint32_t q_ppm)
{
	uint64_t ns;

	return hist_quantile(h, q_ppm, &ns) ? json_integer(ns) : json_null();
}

json_t *hist_json(const struct ktstr_hist *h)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}",
			 "count", (json_int_t)hist_total(h),
			 "p50", quantile(h, 500000),
			 "p90", quantile(h, 900000),
			 "p99", quantile(h, 990000),
			 "p999", quantile(h, 999000),
			 "max", quantile(h, 1000000));
}

static json_t *ratio(double num, double den)
{
	return den > 0 ? json_real(num / den) : json_null();
}

/* Jain's index over the workers' CPU time: 1 is fair, 1/n one has it all. */
static json_t *fairness(const struct workload_sum *sum)
{
	double total = 0, squares = 0;
	unsigned int i;

	for (i = 0; i < sum->nr_workers; i++) {
		double x = sum->workers[i].cpu_time_ns;

		total += x;
		squares += x * x;
	}
	return ratio(total * total, sum->nr_workers * squares);
}

static unsigned int count_cpus(const struct worker_sum *w)
{
	unsigned int i, n = 0;

	for (i = 0; i < KTSTR_SHM_MAX_CPUS / 64; i++)
		n += __builtin_popcountll(w->cpus_used[i]);
	return n;
}

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {
		[KTSTR_WORKER_NEW] = "new",
		[KTSTR_WORKER_READY] = "ready",
		[KTSTR_WORKER_RUNNING] = "running",
		[KTSTR_WORKER_STOPPED] = "stopped",
		[KTSTR_WORKER_FAILED] = "failed",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] :
		"unknown";
}

static json_t *workers_json(const struct workload_sum *sum)
{
	json_t *array = json_array();
	unsigned int i;

	for (i = 0; array && i < sum->nr_workers; i++) {
		const struct worker_sum *w = &sum->workers[i];
		const struct ktstr_worker *st = &sum->states[i];
		char what[sizeof(st->what) + 1] = "";

		memcpy(what, st->what, sizeof(st->what));
		json_array_append_new(array, json_pack(
			"{s:i, s:I, s:s, s:I, s:I, s:I, s:I, s:i, s:s*}",
			"index", (int)i,
			"pid", (json_int_t)st->pid,
			"state", state_name(st->state),
			"iterations", (json_int_t)w->iterations,
			"gap_max_ns", (json_int_t)w->gap_max_ns,
			"cpu_time_ns", (json_int_t)w->cpu_time_ns,
			"migrations", (json_int_t)w->migrations,
			"error", (int)st->error,
			"what", *what ? what : NULL));
	}
	return array;
}

/*
 * The kernel counts it by its own clock, which goes on in a frozen VM: who
 * waited then, and so how much of it is too much, is not known.
 */
static json_t *run_delay(const struct workload_sum *sum)
{
	if (sum->frozen_ns)
		return json_null();
	return ratio(sum->all.run_delay_ns, sum->all.run_count);
}

json_t *workload_sum_json(const struct workload_sum *sum, unsigned int nr_cpus)
{
	const struct worker_sum *all = &sum->all;
	double seconds = sum->duration_ns / (double)NSEC_PER_SEC;
	json_t *obj = json_pack(
		"{s:i, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:{s:I}, s:{s:o, s:n}}",
		"workers", (int)sum->nr_workers,
		"iterations", (json_int_t)all->iterations,
		"iterations_per_s", ratio(all->iterations, seconds),
		"cpu_time_ns", (json_int_t)all->cpu_time_ns,
		"cpu_share_ratio", ratio(all->cpu_time_ns,
					 (double)sum->duration_ns * nr_cpus),
		"fairness_ratio", fairness(sum),
		"wake_latency_ns", hist_json(&sum->wake),
		"io_latency_ns", hist_json(&sum->io),
		"gap_ns", "max", (json_int_t)all->gap_max_ns,
		"run_delay_ns", "mean", run_delay(sum), "max");

	if (!obj)
		return NULL;
	json_object_update_new(obj, json_pack(
		"{s:I, s:i, s:I, s:I, s:I, s:o, s:o, s:o}",
		"migrations", (json_int_t)all->migrations,
		"cpus_used", (int)count_cpus(all),
		"cpuset_violations", (json_int_t)all->cpuset_violations,
		"deadline_misses", (json_int_t)all->deadline_misses,
		"errors", (json_int_t)all->errors,
		"iops", ratio(all->ops, seconds),
		"bps", ratio(all->bytes, seconds),
		"workers_detail", workers_json(sum)));
	return obj;
}
