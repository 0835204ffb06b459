// SPDX-License-Identifier: GPL-2.0-only
/* How far the run is, some times a second, for `ktstr run` to show. */
#include "runner/session.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "runner/progress.h"
#include "runner/sampler.h"

#define INTERVAL_NS (250 * NSEC_PER_MSEC)

_Static_assert(PROGRESS_MAX_DISKS >= SESSION_MAX_DISKS, "a line has all disks");
_Static_assert((int)PROGRESS_DONE == (int)SESSION_DONE, "the same stages");

struct session_progress {
	int timer_fd;
	struct progress_rate requests[SESSION_MAX_DISKS];
	struct progress_rate bytes[SESSION_MAX_DISKS];
	uint64_t wake_max_ns;
};

static json_t *phase_of(const struct session *s, uint32_t phase)
{
	return json_array_get(json_object_get(s->plan, "phases"), phase);
}

/* The last phase that began. */
static uint32_t last_phase(const struct session *s)
{
	uint32_t i, last = PROGRESS_NO_PHASE;

	for (i = 0; i < s->nr_phases; i++)
		if (s->phases[i].begun)
			last = i;
	return last;
}

static uint64_t elapsed_ns(const struct session *s, uint32_t phase)
{
	const struct phase_record *p = &s->phases[phase];
	uint64_t duration_ns = json_integer_value(
		json_object_get(phase_of(s, phase), "duration_ns"));
	uint64_t ns = p->ended ? duration_ns :
		clock_now_ns() - p->host_start_ns;

	return ns < duration_ns ? ns : duration_ns;
}

/*
 * The longest wake-up of any worker in this phase. What can't be read is left
 * out, and what can is the guest's word: it is only shown.
 */
static uint64_t wake_max_ns(struct session *s, uint32_t phase)
{
	const size_t member = offsetof(struct ktstr_cell, wake.max_ns);
	struct ktstr_shm_hdr hdr;
	uint64_t max_ns = 0, ns;
	unsigned int w;

	if (!s->sampler || !s->shm_map_id || session_shm_header(s, &hdr))
		return 0;
	for (w = 0; w < s->nr_workers; w++) {
		size_t cell = (size_t)w * s->nr_phases + phase;

		if (sampler_shm(s->sampler, s->shm_map_id, &ns, hdr.cells_off +
				cell * sizeof(struct ktstr_cell) + member,
				sizeof(ns)))
			break;
		if (ns > max_ns && ns < INT64_MAX)
			max_ns = ns;
	}
	return max_ns;
}

/* After the last phase there is nothing left but to end. */
static enum progress_stage stage_of(const struct session *s)
{
	if (s->phases[s->nr_phases - 1].ended)
		return PROGRESS_DONE;
	return (enum progress_stage)s->stage;
}

static enum progress_sched sched_of(struct session *s)
{
	static const struct {
		const char *state;
		enum progress_sched sched;
	} ends[] = {
		{ "failed", PROGRESS_SCHED_FAILED },
		{ "gone", PROGRESS_SCHED_GONE },
	};
	static const enum progress_sched states[] = {
		[MON_SCX_ENABLING] = PROGRESS_SCHED_ENABLING,
		[MON_SCX_ENABLED] = PROGRESS_SCHED_ENABLED,
		[MON_SCX_DISABLING] = PROGRESS_SCHED_DISABLING,
		[MON_SCX_DISABLED] = PROGRESS_SCHED_DISABLED,
	};
	const char *state = json_string_value(json_object_get(s->sched,
							      "state"));
	struct mon_sched sched;
	size_t i;

	for (i = 0; state && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(state, ends[i].state))
			return ends[i].sched;
	/* until it is attached none is there, which is no news */
	if (s->stage < SESSION_SCHEDULER || !s->sampler ||
	    sampler_sched(s->sampler, &sched) || !sched.have_scx ||
	    sched.state == MON_SCX_UNKNOWN)
		return PROGRESS_SCHED_UNKNOWN;
	return states[sched.state];
}

static void read_disks(struct session *s, struct progress *p)
{
	struct session_progress *sp = s->progress;
	struct vm_disk_stats st;
	unsigned int i;

	p->nr_disks = s->nr_disks;
	for (i = 0; i < s->nr_disks; i++) {
		vm_disk_stats_read(s->vm, i, &st);
		p->disks[i].iops = progress_rate_add(&sp->requests[i],
						     st.at_ns,
						     st.reads + st.writes);
		p->disks[i].bps = progress_rate_add(&sp->bytes[i], st.at_ns,
						    st.read_bytes +
						    st.write_bytes);
	}
}

/* A reader that has stopped reading must not stop us. */
static bool can_write(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static void on_tick(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	struct session_progress *sp = s->progress;
	struct progress p = {
		.stage = stage_of(s),
		.sched = sched_of(s),
		.phase = last_phase(s),
	};
	char line[PROGRESS_LINE_MAX];
	uint64_t ticks, wake_ns;
	size_t len;

	if (read(sp->timer_fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	if (p.phase != PROGRESS_NO_PHASE) {
		p.elapsed_ns = elapsed_ns(s, p.phase);
		wake_ns = json_is_true(json_object_get(phase_of(s, p.phase),
						       "measure")) ?
			wake_max_ns(s, p.phase) : 0;
		if (wake_ns > sp->wake_max_ns)
			sp->wake_max_ns = wake_ns;
	}
	p.wake_max_ns = sp->wake_max_ns;
	read_disks(s, &p);
	len = progress_line(&p, line);
	/* a whole line at once, or none: it is less than PIPE_BUF */
	if (len && can_write(STDERR_FILENO) &&
	    write(STDERR_FILENO, line, len) < 0)
		return;
}

int session_progress_open(struct session *s)
{
	struct itimerspec its = {
		.it_interval = clock_to_timespec(INTERVAL_NS),
		.it_value = clock_to_timespec(INTERVAL_NS),
	};
	int err;

	s->progress = calloc(1, sizeof(*s->progress));
	if (!s->progress)
		return -ENOMEM;
	s->progress->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC |
					       TFD_NONBLOCK);
	if (s->progress->timer_fd < 0 ||
	    timerfd_settime(s->progress->timer_fd, 0, &its, NULL)) {
		err = -errno;
		log_err("session: timer: %s", strerror(errno));
		return err;
	}
	return 0;
}

int session_progress_start(struct session *s)
{
	return s->progress ? vm_loop_add_fd(s->vm, s->progress->timer_fd,
					    EPOLLIN, on_tick, s) : 0;
}

void session_progress_close(struct session *s)
{
	if (!s->progress)
		return;
	if (s->progress->timer_fd >= 0)
		close(s->progress->timer_fd);
	free(s->progress);
}
