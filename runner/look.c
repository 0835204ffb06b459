// SPDX-License-Identifier: GPL-2.0-only
#include "runner/look.h"

#include "monitor/monitor.h"

#include <errno.h>
#include <stdlib.h>

const char *look_why_name(enum look_why why)
{
	static const char *const names[] = {
		[LOOK_STEP] = "step",
		[LOOK_EVERY] = "every",
		[LOOK_DEATH] = "death",
		[LOOK_GAP] = "gap",
	};

	return names[why];
}

const char *look_seen_name(enum look_seen seen)
{
	static const char *const names[] = {
		[LOOK_SEEN_NONE] = NULL,
		[LOOK_SEEN_WATCHPOINT] = "watchpoint",
		[LOOK_SEEN_SAMPLE] = "sample",
		[LOOK_SEEN_MESSAGE] = "message",
	};

	return names[seen];
}

/* what is due */

void look_schedule_begin(struct look_schedule *s, uint64_t start_ns,
			 uint64_t every_ns)
{
	s->nr = 0;
	s->every_ns = every_ns;
	s->every_at_ns = start_ns + every_ns;
}

int look_schedule_add(struct look_schedule *s, const char *name,
		      uint64_t at_ns)
{
	if (s->nr == LOOK_MAX_ORDERS)
		return -ENOSPC;
	s->orders[s->nr++] = (struct look_order){ LOOK_STEP, name, at_ns };
	return 0;
}

void look_schedule_end(struct look_schedule *s)
{
	s->nr = 0;
	s->every_ns = 0;
}

/* The earliest of the orders, or NULL; the first of those at one time. */
static struct look_order *earliest(struct look_schedule *s)
{
	struct look_order *first = NULL;
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (!first || s->orders[i].at_ns < first->at_ns)
			first = &s->orders[i];
	return first;
}

uint64_t look_schedule_next(const struct look_schedule *s)
{
	const struct look_order *first = earliest((struct look_schedule *)s);
	uint64_t at_ns = first ? first->at_ns : UINT64_MAX;

	if (s->every_ns && s->every_at_ns < at_ns)
		at_ns = s->every_at_ns;
	return at_ns;
}

bool look_schedule_take(struct look_schedule *s, uint64_t now_ns,
			struct look_order *order)
{
	struct look_order *first = earliest(s);
	uint64_t missed;

	if (first && first->at_ns <= now_ns) {
		unsigned int i = first - s->orders;

		*order = *first;
		/* in order: the first of those at one time stays the first */
		for (s->nr--; i < s->nr; i++)
			s->orders[i] = s->orders[i + 1];
		return true;
	}
	if (!s->every_ns || s->every_at_ns > now_ns)
		return false;
	*order = (struct look_order){ LOOK_EVERY, NULL, s->every_at_ns };
	missed = (now_ns - s->every_at_ns) / s->every_ns;
	s->every_at_ns += (missed + 1) * s->every_ns;
	return true;
}

/* the scheduler's end */

/* Source: kernel/sched/ext, enum scx_exit_kind */
enum { EXIT_NONE = 0, EXIT_DONE = 1, EXIT_UNREG = 64, EXIT_SYSRQ = 67 };

bool look_death_seen(struct look_death *d, const struct mon_sched *sched)
{
	/* -1 is not available, and DONE follows what it was before */
	bool told = sched->exit_kind > EXIT_DONE;

	if (!sched->have_scx || sched->state == MON_SCX_UNKNOWN)
		return false;
	if (sched->state == MON_SCX_ENABLED && !told) {
		d->alive = true;
		return false;
	}
	if (!d->alive || (sched->state == MON_SCX_ENABLING && !told))
		return false;
	d->alive = false;
	return sched->exit_kind != EXIT_UNREG &&
		sched->exit_kind != EXIT_SYSRQ;
}

/* frozen time */

/* Room for one more. 0 or -ENOMEM. */
static int make_room(void **array, size_t nr, size_t *cap, size_t size)
{
	size_t want = *cap ? 2 * *cap : 16;
	void *more;

	if (nr < *cap)
		return 0;
	more = reallocarray(*array, want, size);
	if (!more)
		return -ENOMEM;
	*array = more;
	*cap = want;
	return 0;
}

int frozen_log_add(struct frozen_log *log, uint64_t from_ns,
		   uint64_t until_ns)
{
	int err = make_room((void **)&log->spans, log->nr, &log->cap,
			    sizeof(*log->spans));

	if (err)
		return err;
	log->spans[log->nr++] = (struct frozen_span){ from_ns, until_ns,
						      false };
	log->sum_ns += until_ns - from_ns;
	return 0;
}

int frozen_log_add_run(struct frozen_log *log, uint32_t pid, uint32_t program)
{
	int err = make_room((void **)&log->runs, log->nr_runs, &log->cap_runs,
			    sizeof(*log->runs));

	if (err || !log->nr)
		return err;
	log->runs[log->nr_runs++] = (struct frozen_run){ log->nr - 1, pid,
							    program };
	return 0;
}

void frozen_log_bypass(struct frozen_log *log)
{
	if (log->nr)
		log->spans[log->nr - 1].bypass = true;
}

void frozen_log_fini(struct frozen_log *log)
{
	free(log->spans);
	free(log->runs);
	*log = (struct frozen_log){ 0 };
}

static uint64_t overlap(const struct frozen_span *span, uint64_t from_ns,
			uint64_t until_ns)
{
	uint64_t from = span->from_ns, until = span->until_ns;

	if (from < from_ns)
		from = from_ns;
	if (until > until_ns)
		until = until_ns;
	return from < until ? until - from : 0;
}

uint64_t frozen_within(const struct frozen_log *log, uint64_t from_ns,
		       uint64_t until_ns)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; log && i < log->nr; i++)
		sum += overlap(&log->spans[i], from_ns, until_ns);
	return sum;
}

bool frozen_in_bypass(const struct frozen_log *log, uint64_t from_ns,
		      uint64_t until_ns)
{
	size_t i;

	for (i = 0; log && i < log->nr; i++)
		if (log->spans[i].bypass &&
		    overlap(&log->spans[i], from_ns, until_ns))
			return true;
	return false;
}

uint64_t frozen_view_within(const struct frozen_view *v, uint64_t from_ns,
			    uint64_t until_ns)
{
	return v ? frozen_within(v->log, from_ns - v->offset_ns,
				 until_ns - v->offset_ns) : 0;
}

uint64_t frozen_view_ran(const struct frozen_view *v, uint32_t pid,
			 uint64_t from_ns, uint64_t until_ns)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; v && i < v->log->nr_runs; i++) {
		const struct frozen_run *run = &v->log->runs[i];

		if (v->program ? run->program == v->program : run->pid == pid)
			sum += overlap(&v->log->spans[run->span],
				       from_ns - v->offset_ns,
				       until_ns - v->offset_ns);
	}
	return sum;
}
