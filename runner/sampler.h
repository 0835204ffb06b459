/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The monitor's thread: looks at the running guest at a fixed interval and
 * writes each look as one line of samples.jsonl. Used by the session.
 */
#ifndef KTSTR_RUNNER_SAMPLER_H
#define KTSTR_RUNNER_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "include/ktstr/shm.h"
#include "monitor/monitor.h"

struct sampler;
struct vm;

struct sampler_config {
	const struct guest_mem *mem;	/* copied; its memory is borrowed */
	struct vm *vm;			/* borrowed, for its disks */
	const char *const *disk_names;	/* borrowed, nr_disks of them */
	unsigned int nr_disks;
	const struct mon_guest_info *info;
	const void *btf;
	size_t btf_len;
	uint64_t interval_ns;
	int death_fd;			/* borrowed eventfd: written when the
					 * scheduler is first seen to die */
	const char *out_path;		/* samples.jsonl */
};

/* What the samples of one phase add up to. */
struct sampler_phase {
	uint64_t taken, failed;
	uint64_t nr_running_sum[MON_MAX_CPUS];
	uint32_t nr_running_max[MON_MAX_CPUS];
	uint32_t local_dsq_max;	/* of the depths that could be read */
	uint64_t local_dsq_read;	/* samples in which one could */
	uint64_t idle_while_waiting;	/* samples; see sampler.c */
	uint64_t not_enabled;	/* samples that saw no enabled scheduler */
	uint64_t max_late_ns;
};

/**
 * sampler_new() - open a monitor on the guest; no thread yet
 *
 * Return: 0; what mon_open() returns; -errno for the output file. One line in
 * @err_msg.
 */
int sampler_new(const struct sampler_config *cfg, struct sampler **s,
		char *err_msg, size_t err_len);

/** sampler_start() - begin to sample. 0 or -errno. */
int sampler_start(struct sampler *s);

/** sampler_take() - one sample, as the thread takes them; while it is not one */
void sampler_take(struct sampler *s);

/** sampler_stop() - end the thread and join it; NULL and twice are fine. */
void sampler_stop(struct sampler *s);
void sampler_free(struct sampler *s);

/** sampler_set_phase() - samples count for it from now on; any thread */
void sampler_set_phase(struct sampler *s, uint32_t phase);

/**
 * sampler_set_interval() - from now on; any thread
 * @interval_ns: 0: no samples until the next call
 *
 * The first is due one interval from now. NULL and the same again are fine.
 */
void sampler_set_interval(struct sampler *s, uint64_t interval_ns);

/**
 * sampler_watch() - read this map; see mon_watch_map()
 * @every_ns: its numbers are in the first sample, and then in the first that is
 *            due so long after the last that had them; 0: in every sample
 *
 * What the session's thread asks for has them always.
 */
int sampler_watch(struct sampler *s, uint32_t map_id, uint64_t every_ns);

/**
 * sampler_pause() - take no samples while the VM is frozen; NULL is fine
 *
 * Not taken, not failed, not late: nothing was due. After it returns no sample
 * is under way.
 */
void sampler_pause(struct sampler *s, bool pause);

/** sampler_sched_json() - what a look shows of CPUs and sched_ext, into @to */
void sampler_sched_json(const struct mon_sched *sched, json_t *to);

/*
 * One look from the session's thread, between two samples. New references,
 * NULL when out of memory or unreadable.
 */
json_t *sampler_maps(struct sampler *s);
json_t *sampler_map_numbers(struct sampler *s);
json_t *sampler_details(struct sampler *s);

/**
 * sampler_exit() - the kernel's exit record of the scheduler, as first seen
 *
 * The kernel frees it when the scheduler is gone: a sample or a look at the
 * details that saw it keeps it. After sampler_stop(). Borrowed; NULL: not seen.
 */
json_t *sampler_exit(const struct sampler *s);

/** sampler_stats() - as mon_stats_read() */
void sampler_stats(struct sampler *s, struct mon_stats *st);

/** sampler_sched() - as mon_read_sched() */
int sampler_sched(struct sampler *s, struct mon_sched *sched);

/** sampler_tasks() - as mon_read_tasks() */
int sampler_tasks(struct sampler *s, struct mon_task *tasks, unsigned int max);

/** sampler_running() - as mon_read_running() */
int sampler_running(struct sampler *s, struct mon_task *tasks,
		    unsigned int max);

/**
 * sampler_read_task() - as mon_read_task()
 * @task: 0 at first; where it was found, for the next time
 */
int sampler_read_task(struct sampler *s, uint32_t pid, uint64_t *task,
		      struct mon_task_now *now);

/** sampler_exit_kind_kva() - as mon_exit_kind_kva(); -ENOTSUP without @s */
int sampler_exit_kind_kva(struct sampler *s, uint64_t *kva, unsigned int *len);

/** sampler_shm() - bytes of the shared region; see mon_read_array_value() */
int sampler_shm(struct sampler *s, uint32_t map_id, void *buf, size_t off,
		size_t len);

/** sampler_shm_hva() - see mon_array_value_hva(); -ENOTSUP without @s */
int sampler_shm_hva(struct sampler *s, uint32_t map_id, size_t off, size_t len,
		    void **hva);

/**
 * sampler_on_sample() - have @fn called on the sampler's thread, each interval
 *
 * Until sampler_stop(). @fn may call sampler_shm().
 */
void sampler_on_sample(struct sampler *s, void (*fn)(void *ctx, uint32_t phase),
		       void *ctx);

/** sampler_phase() - the sums of one phase; after sampler_stop() */
const struct sampler_phase *sampler_phase(const struct sampler *s,
					  uint32_t phase);

#endif
