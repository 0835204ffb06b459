/* SPDX-License-Identifier: GPL-2.0-only */
/* A line of samples.jsonl, part by part. The sampler calls it. */
#ifndef KTSTR_RUNNER_SAMPLE_LINE_H
#define KTSTR_RUNNER_SAMPLE_LINE_H

#include <stdbool.h>
#include <stdint.h>

struct json_line;
struct mon_sched;
struct vm_disk_stats;

struct sample_head {
	uint64_t t_ns;		/* since the sampler was made */
	uint64_t late_ns;
	bool in_phase;
	uint32_t phase;
};

/** sample_line_begin() - open the line, with all but disks and maps */
void sample_line_begin(struct json_line *l, const struct sample_head *head,
		       const struct mon_sched *sched);

/** sample_line_disk() - a member of the object "disks" */
void sample_line_disk(struct json_line *l, const char *name,
		      const struct vm_disk_stats *st);

/**
 * sample_line_map_number() - a member of the object "maps"; a mon_number_fn
 * @line: the struct json_line
 *
 * A number that was torn is left out, as is one that JSON has not.
 */
int sample_line_map_number(void *line, const char *name, double value,
			   bool unstable);

/** sample_scx_state() - as it is written; NULL: unknown */
const char *sample_scx_state(const struct mon_sched *sched);

#endif
