// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/sched.h"

#include "monitor/monitor_priv.h"

#include <errno.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static int read_field(struct monitor *mon, uint64_t rq, enum kfield_id id,
		      int64_t *v)
{
	return kbtf_read(&mon->kbtf, &mon->kmem, rq, id, v);
}

/* A member that only some kernels have: @absent where it is not there. */
static int read_optional(struct monitor *mon, uint64_t rq, enum kfield_id id,
			 int64_t absent, int64_t *v)
{
	int err = read_field(mon, rq, id, v);

	if (err == -ENOENT) {
		*v = absent;
		err = 0;
	}
	return err;
}

static int read_rq(struct monitor *mon, unsigned int cpu, struct mon_sched *s)
{
	uint64_t rq = mon->info.sym[MON_SYM_RUNQUEUES] + mon->percpu_off[cpu];
	int64_t nr, scx_nr, dsq_nr, clock, curr, idle, owner;
	int err;

	err = read_optional(mon, rq, KF_RQ_CPU, cpu, &owner);
	if (!err)
		err = read_field(mon, rq, KF_RQ_NR_RUNNING, &nr);
	if (!err)
		err = read_field(mon, rq, KF_RQ_CLOCK, &clock);
	if (!err)
		err = read_field(mon, rq, KF_RQ_CURR, &curr);
	if (!err)
		err = read_field(mon, rq, KF_RQ_IDLE, &idle);
	if (!err)
		err = read_optional(mon, rq, KF_RQ_SCX_NR_RUNNING, MON_NO_VALUE,
				    &scx_nr);
	if (!err)
		err = read_optional(mon, rq, KF_RQ_SCX_LOCAL_DSQ_NR,
				    MON_NO_VALUE, &dsq_nr);
	if (err)
		return err;
	if (owner != cpu)
		return -EFAULT; /* whatever this is, it is not that CPU's */

	s->nr_running[cpu] = nr;
	s->scx_nr_running[cpu] = scx_nr;
	s->local_dsq_depth[cpu] = dsq_nr;
	s->rq_clock[cpu] = clock;
	s->idle[cpu] = curr == idle;
	return 0;
}

int sched_read_rqs(struct monitor *mon, struct mon_sched *s)
{
	static const enum kfield_id needed[] = { KF_RQ_NR_RUNNING, KF_RQ_CLOCK,
						 KF_RQ_CURR, KF_RQ_IDLE };
	unsigned int cpu;
	int err;

	if (!mon->info.sym[MON_SYM_RUNQUEUES] || !mon->nr_possible ||
	    kbtf_missing(&mon->kbtf, needed, NR(needed)))
		return -ENOTSUP;

	s->nr_cpus = mon->info.nr_cpus;
	for (cpu = 0; cpu < s->nr_cpus; cpu++) {
		err = read_rq(mon, cpu, s);
		if (err)
			return err;
	}
	return 0;
}
