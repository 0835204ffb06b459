// SPDX-License-Identifier: GPL-2.0-only
#include "runner/facts_disk.h"

#include "lib/clock.h"
#include "lib/hist.h"
#include "runner/facts_workload.h"

/* Counters of struct vm_disk_stats that are simply subtracted and added. */
static const size_t counters[] = {
#define C(m) offsetof(struct vm_disk_stats, m)
	C(at_ns), C(reads), C(writes), C(flushes), C(discards), C(others),
	C(read_bytes), C(write_bytes), C(io_errors), C(unsupported),
	C(malformed), C(poisoned), C(resets), C(throttle_events),
	C(throttled_ns), C(queued_ns), C(backing_ns), C(kicks), C(interrupts),
	C(fault_rate_errors), C(fault_range_errors), C(fault_bytes),
	C(fault_stalls), C(fault_stalled_ns), C(fault_torn_writes),
#undef C
};

static uint64_t *counter(struct vm_disk_stats *st, size_t off)
{
	return (uint64_t *)((char *)st + off);
}

static uint64_t counter_value(const struct vm_disk_stats *st, size_t off)
{
	return *(const uint64_t *)((const char *)st + off);
}

static void hist_add_delta(struct ktstr_hist *sum,
			   const struct ktstr_hist *start,
			   const struct ktstr_hist *end)
{
	struct ktstr_hist delta = *end;
	unsigned int i;

	for (i = 0; i < KTSTR_HIST_BUCKETS; i++)
		delta.buckets[i] -= start->buckets[i];
	delta.sum_ns -= start->sum_ns;
	/* the maximum of the part is not known better than its last bucket */
	if (end->max_ns == start->max_ns) {
		delta.max_ns = 0;
		for (i = KTSTR_HIST_BUCKETS; i-- > 0;) {
			if (!delta.buckets[i])
				continue;
			delta.max_ns = hist_upper_ns(i);
			break;
		}
		if (delta.max_ns > end->max_ns)
			delta.max_ns = end->max_ns;
	}
	hist_merge(sum, &delta);
}

void disk_sum_add(struct disk_sum *sum, const struct disk_mark *start,
		  const struct disk_mark *end, const struct vm_throttle *asked,
		  const struct frozen_log *frozen)
{
	uint64_t frozen_ns = frozen_within(frozen, start->stats.at_ns,
					   end->stats.at_ns);
	uint64_t live_ns = end->stats.at_ns - start->stats.at_ns - frozen_ns;
	double seconds = live_ns / (double)NSEC_PER_SEC;
	size_t i;

	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		*counter(&sum->delta, counters[i]) +=
			counter_value(&end->stats, counters[i]) -
			counter_value(&start->stats, counters[i]);
	sum->delta.at_ns -= frozen_ns;
	sum->asked_ops += asked->iops * seconds;
	sum->asked_bytes += asked->bps * seconds;
	if (asked->iops || asked->bps)
		sum->limited_ns += live_ns;
	sum->asked = *asked;
	hist_add_delta(&sum->queue, &start->queue, &end->queue);
	hist_add_delta(&sum->service, &start->service, &end->service);
	hist_add_delta(&sum->lateness, &start->lateness, &end->lateness);
}

static json_t *ratio(double num, double den)
{
	return den > 0 ? json_real(num / den) : json_null();
}

/*
 * Delivered over asked, of the limit that binds: the larger share. The limiter
 * let through what a planted error then failed, so that counts.
 */
static json_t *delivered_ratio(const struct disk_sum *sum, double ops,
			       double moved)
{
	double bytes = moved + sum->delta.fault_bytes;
	double by_ops = sum->asked_ops > 0 ? ops / sum->asked_ops : 0;
	double by_bytes = sum->asked_bytes > 0 ? bytes / sum->asked_bytes : 0;

	/* part of the time unlimited: no single ratio says anything */
	if (!sum->limited_ns || sum->limited_ns != sum->delta.at_ns)
		return json_null();
	return json_real(by_ops > by_bytes ? by_ops : by_bytes);
}

static json_t *faults_json(const struct vm_disk_stats *d)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
			 "rate_errors", (json_int_t)d->fault_rate_errors,
			 "range_errors", (json_int_t)d->fault_range_errors,
			 "error_bytes", (json_int_t)d->fault_bytes,
			 "stalls", (json_int_t)d->fault_stalls,
			 "stalled_ns", (json_int_t)d->fault_stalled_ns,
			 "torn_writes", (json_int_t)d->fault_torn_writes);
}

json_t *disk_sum_json(const struct disk_sum *sum)
{
	const struct vm_disk_stats *d = &sum->delta;
	double ops = (double)d->reads + d->writes + d->flushes + d->discards +
		d->others;
	double bytes = (double)d->read_bytes + d->write_bytes;
	double seconds = d->at_ns / (double)NSEC_PER_SEC;
	json_t *obj = json_pack(
		"{s:{s:I, s:I, s:I, s:I}, s:{s:o, s:o, s:o}, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"asked", "iops", (json_int_t)sum->asked.iops,
		"bps", (json_int_t)sum->asked.bps,
		"latency_ns", (json_int_t)sum->asked.latency_ns,
		"jitter_ns", (json_int_t)sum->asked.jitter_ns,
		"delivered", "iops", ratio(ops, seconds),
		"bps", ratio(bytes, seconds),
		"ratio", delivered_ratio(sum, ops, bytes),
		"reads", (json_int_t)d->reads, "writes", (json_int_t)d->writes,
		"flushes", (json_int_t)d->flushes,
		"errors", (json_int_t)d->io_errors,
		"stalls", (json_int_t)d->throttle_events,
		"throttled_ns", (json_int_t)d->throttled_ns,
		"queued_ns", (json_int_t)d->queued_ns);

	if (!obj)
		return NULL;
	json_object_update_new(obj, json_pack(
		"{s:o, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I}",
		"faults", faults_json(d),
		"duration_ns", (json_int_t)d->at_ns,
		"queue_time_ns", hist_json(&sum->queue),
		"service_time_ns", hist_json(&sum->service),
		"worker_delay_ns", hist_json(&sum->lateness),
		"backing_ns", (json_int_t)d->backing_ns,
		"malformed", (json_int_t)d->malformed,
		"poisoned", (json_int_t)d->poisoned,
		"kicks", (json_int_t)d->kicks,
		"interrupts", (json_int_t)d->interrupts));
	return obj;
}
