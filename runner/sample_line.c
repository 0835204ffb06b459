// SPDX-License-Identifier: GPL-2.0-only
#include "runner/sample_line.h"

#include "lib/json_line.h"
#include "monitor/monitor.h"
#include "vmm/vmm.h"

#include <errno.h>
#include <math.h>

const char *sample_scx_state(const struct mon_sched *sched)
{
	if (!sched->have_scx)
		return NULL;
	switch (sched->state) {
	case MON_SCX_ENABLING: return "enabling";
	case MON_SCX_ENABLED: return "enabled";
	case MON_SCX_DISABLING: return "disabling";
	case MON_SCX_DISABLED: return "disabled";
	case MON_SCX_UNKNOWN: break;
	}
	return NULL;
}

static void cpus(struct json_line *l, const char *key, const uint32_t *v,
		 unsigned int nr)
{
	unsigned int i;

	json_line_key(l, key);
	json_line_open(l, '[');
	for (i = 0; i < nr; i++) {
		if (v[i] == MON_NO_VALUE)
			json_line_null(l);
		else
			json_line_uint(l, v[i]);
	}
	json_line_close(l, ']');
}

static void clocks(struct json_line *l, const struct mon_sched *sched)
{
	unsigned int i;

	json_line_key(l, "rq_clock");
	json_line_open(l, '[');
	for (i = 0; i < sched->nr_cpus; i++)
		json_line_uint(l, sched->rq_clock[i]);
	json_line_close(l, ']');
	json_line_key(l, "idle");
	json_line_open(l, '[');
	for (i = 0; i < sched->nr_cpus; i++)
		json_line_bool(l, sched->idle[i]);
	json_line_close(l, ']');
}

void sample_line_begin(struct json_line *l, const struct sample_head *head,
		       const struct mon_sched *sched)
{
	unsigned int i;

	json_line_open(l, '{');
	json_line_key(l, "v");
	json_line_uint(l, 1);
	json_line_key(l, "t_ns");
	json_line_int(l, head->t_ns);
	json_line_key(l, "late_ns");
	json_line_int(l, head->late_ns);
	json_line_key(l, "phase");
	if (head->in_phase)
		json_line_uint(l, head->phase);
	else
		json_line_null(l);
	cpus(l, "nr_running", sched->nr_running, sched->nr_cpus);
	cpus(l, "scx_nr_running", sched->scx_nr_running, sched->nr_cpus);
	cpus(l, "local_dsq_depth", sched->local_dsq_depth, sched->nr_cpus);
	clocks(l, sched);
	json_line_key(l, "state");
	json_line_text(l, sample_scx_state(sched));
	json_line_key(l, "ops");
	json_line_text(l, *sched->ops_name ? sched->ops_name : NULL);
	json_line_key(l, "bypass_depth");
	if (sched->bypass_depth < 0)
		json_line_null(l);
	else
		json_line_int(l, sched->bypass_depth);
	json_line_key(l, "events");
	json_line_open(l, '{');
	for (i = 0; i < sched->nr_events; i++) {
		json_line_key(l, sched->event_names[i]);
		json_line_int(l, sched->events[i]);
	}
	json_line_close(l, '}');
}

void sample_line_disk(struct json_line *l, const char *name,
		      const struct vm_disk_stats *st)
{
	const struct {
		const char *key;
		uint64_t v;
	} counts[] = {
		{ "reads", st->reads },
		{ "writes", st->writes },
		{ "read_bytes", st->read_bytes },
		{ "write_bytes", st->write_bytes },
		{ "stalls", st->throttle_events },
		{ "throttled_ns", st->throttled_ns },
		{ "errors", st->io_errors },
	};
	size_t i;

	json_line_key(l, name);
	json_line_open(l, '{');
	json_line_key(l, "throttled");
	json_line_bool(l, st->throttled_now);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		json_line_key(l, counts[i].key);
		json_line_uint(l, counts[i].v);
	}
	json_line_close(l, '}');
}

int sample_line_map_number(void *line, const char *name, double value,
			   bool unstable)
{
	struct json_line *l = line;

	/* absent is honest; a torn number is not, and JSON has no infinity */
	if (unstable || !isfinite(value))
		return 0;
	json_line_member(l, name, value);
	return l->failed ? -ENOMEM : 0;
}
