// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_worker.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "vmm/blk_dispatch.h"

int blk_worker_init(struct blk_worker *w, const struct blk_sys *sys,
		    void *sys_ctx, const struct blk_worker_client *client,
		    const struct blk_placement *placement)
{
	int err;

	*w = (struct blk_worker){
		.sys = sys,
		.sys_ctx = sys_ctx,
		.client = client,
		.kick_fd = -1,
		.stop_fd = -1,
		.epoll_fd = -1,
		.timer_fd = -1,
	};
	if (placement)
		w->placement = *placement;
	err = blk_gate_init(&w->gate);
	if (err)
		return err;
	w->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->kick_fd < 0)
		goto fail;
	w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->stop_fd < 0)
		goto fail;
	return 0;

fail:
	err = -errno;
	blk_worker_fini(w);
	return err;
}

void blk_worker_fini(struct blk_worker *w)
{
	fd_close(&w->kick_fd);
	fd_close(&w->stop_fd);
	blk_gate_fini(&w->gate);
}

bool blk_placement_set(const struct blk_placement *p, cpu_set_t *set)
{
	if (p->has_cpu) {
		CPU_ZERO(set);
		CPU_SET(p->cpu, set);
		return true;
	}
	if (p->has_mask)
		*set = p->mask;
	return p->has_mask;
}

static void worker_place(struct blk_worker *w)
{
	cpu_set_t set;
	int err;

	if (!blk_placement_set(&w->placement, &set))
		return;
	err = w->sys->place(w->sys_ctx, &set);
	if (err)
		log_warn("vblk: place the worker on its CPUs: %s",
			 strerror(-err));
}

static int worker_watch(struct blk_worker *w, int fd, enum blk_token token)
{
	struct epoll_event ev = blk_event_make(token);
	int err = w->sys->epoll_add(w->sys_ctx, w->epoll_fd, fd, &ev);

	if (err)
		log_err("vblk: watch descriptor of token %d: %s", token,
			strerror(-err));
	return err;
}

int blk_worker_open(struct blk_worker *w, void *state)
{
	int err;

	w->state = state;
	w->blocked = false;
	w->armed = false;
	/* Before any other call: an epoll wait-queue is made where we run. */
	worker_place(w);
	w->epoll_fd = w->sys->epoll_open(w->sys_ctx);
	if (w->epoll_fd < 0) {
		log_err("vblk: create epoll: %s", strerror(-w->epoll_fd));
		return w->epoll_fd;
	}
	w->timer_fd = w->sys->timer_open(w->sys_ctx);
	if (w->timer_fd < 0) {
		log_err("vblk: create timer: %s", strerror(-w->timer_fd));
		return w->timer_fd;
	}
	err = worker_watch(w, w->kick_fd, BLK_TOKEN_KICK);
	if (!err)
		err = worker_watch(w, w->stop_fd, BLK_TOKEN_STOP);
	if (!err)
		err = worker_watch(w, w->timer_fd, BLK_TOKEN_THROTTLE);
	if (!err)
		err = worker_watch(w, w->gate.pause_fd, BLK_TOKEN_PAUSE);
	return err;
}

void blk_worker_close(struct blk_worker *w)
{
	fd_close(&w->epoll_fd);
	fd_close(&w->timer_fd);
}

/*
 * Have the timer wake us at @at_ns. Without one nobody would look again but for
 * a kick, and the guest may be silent until this very request is done: so look
 * again at once, round after round. That costs a CPU, but strands no request
 * (B3).
 */
static void worker_arm(struct blk_worker *w, uint64_t at_ns)
{
	int err;

	if (w->armed && at_ns == w->armed_at_ns)
		return;
	err = w->sys->timer_arm(w->sys_ctx, w->timer_fd, at_ns);
	w->armed_at_ns = at_ns;
	w->armed = !err;
	if (!err)
		return;
	if (!w->arm_failed)
		log_err("vblk: arm the throttle timer: %s", strerror(-err));
	w->arm_failed = true;
	w->blocked = false;
	w->client->wake_on_kick(w->state);
	blk_worker_poke(w);
}

static void worker_drain(struct blk_worker *w)
{
	struct blk_decision decision = blk_decide(w->client->drain(w->state));
	struct blk_action action = blk_resolve(decision, w->client->drain,
					       w->state);
	uint64_t due_ns = w->client->next_due_ns(w->state);
	struct blk_alarm alarm = { .set = false };

	if (action.sleep || due_ns != UINT64_MAX)
		alarm = blk_alarm_of(action, due_ns,
				     w->sys->now_ns(w->sys_ctx));
	w->blocked = action.sleep;
	if (alarm.set)
		worker_arm(w, alarm.at_ns);
	else
		w->armed = false;
}

/*
 * Parked for the pause @gen, and for those that follow without a gap; see
 * blk_gate.h. Return: true when the worker has to stop.
 */
static bool worker_stay_parked(struct blk_worker *w, uint32_t gen)
{
	uint32_t acked = 0;
	int ret, told = 0;
	uint64_t n;

	do {
		if (gen != acked)
			blk_gate_park(&w->gate, gen);
		acked = gen;
		ret = w->sys->park(w->sys_ctx, w->stop_fd, w->gate.resume_fd);
		if (ret > 0)
			return true;
		if (ret && ret != -EINTR && ret != told)
			log_err("vblk: wait for resume: %s", strerror(-ret));
		told = ret;
		w->sys->counter_read(w->sys_ctx, w->gate.resume_fd, &n);
		gen = blk_gate_asked(&w->gate);
	} while (gen);
	return false;
}

/*
 * Read the pause counter, and park while a pause is in force.
 * Return: true when the worker has to stop.
 */
static bool worker_take_pause(struct blk_worker *w)
{
	uint64_t start_ns, now_ns, n;
	uint32_t gen;
	int err;

	/* Before the look at what is asked: the other way loses a pause. */
	err = w->sys->counter_read(w->sys_ctx, w->gate.pause_fd, &n);
	if (err && err != -EAGAIN)
		log_err("vblk: read the pause counter: %s", strerror(-err));
	gen = blk_gate_asked(&w->gate);
	if (gen) {
		start_ns = w->sys->now_ns(w->sys_ctx);
		w->client->freezes(w->state, start_ns);
		if (worker_stay_parked(w, gen))
			return true;
		now_ns = w->sys->now_ns(w->sys_ctx);
		w->client->thaws(w->state, now_ns, now_ns - start_ns);
	}
	/*
	 * The timer is put off by the time that did not count. A resume looks
	 * at the ring, kick or not; but a blocked chain waits for the timer
	 * (B10).
	 */
	if (gen && w->armed)
		worker_arm(w, w->armed_at_ns + now_ns - start_ns);
	if (!w->blocked)
		blk_worker_poke(w);
	return false;
}

static void worker_take_timer(struct blk_worker *w)
{
	uint64_t now_ns, n;
	int err = w->sys->counter_read(w->sys_ctx, w->timer_fd, &n);

	if (err && err != -EAGAIN && err != -EINTR)
		log_err("vblk: read the throttle timer: %s", strerror(-err));
	if (w->armed) {
		now_ns = w->sys->now_ns(w->sys_ctx);
		if (now_ns >= w->armed_at_ns)
			w->client->timer_fired(w->state,
					       now_ns - w->armed_at_ns);
	}
	w->armed = false;
	w->blocked = false;
}

static void worker_take_kicks(struct blk_worker *w)
{
	uint64_t n;
	int err = w->sys->counter_read(w->sys_ctx, w->kick_fd, &n);

	if (!err)
		w->client->kicked(w->state, (uint32_t)n);
	else if (err != -EAGAIN)
		log_err("vblk: read the kick counter: %s", strerror(-err));
}

enum blk_step blk_worker_step(struct blk_worker *w,
			      const struct epoll_event *events, int nr)
{
	struct blk_batch batch = blk_batch_scan(events, nr);
	bool forced;

	if (batch.stop)
		return BLK_STEP_STOPPED;
	if (batch.pause) {
		/*
		 * The rest of the batch is as old as the pause: what of it
		 * still holds is reported again.
		 */
		return worker_take_pause(w) ? BLK_STEP_STOPPED : BLK_STEP_GO_ON;
	}
	if (batch.timer)
		worker_take_timer(w);
	forced = w->client->new_limits(w->state) || batch.timer;
	if (!forced && !batch.kick)
		return BLK_STEP_GO_ON;
	worker_take_kicks(w);
	if (w->blocked && !forced)
		return BLK_STEP_GO_ON;
	worker_drain(w);
	return w->client->broken(w->state) ? BLK_STEP_BROKEN : BLK_STEP_GO_ON;
}

/* Return: true when it ended though nobody told it to. */
static bool worker_loop(struct blk_worker *w)
{
	struct epoll_event events[BLK_WORKER_EVENTS];
	enum blk_step step = BLK_STEP_GO_ON;
	int nr;

	/* A pause from before we arrived: it counted us as parked. */
	if (blk_gate_asked(&w->gate) && worker_take_pause(w))
		return false;
	while (step == BLK_STEP_GO_ON) {
		nr = w->sys->epoll_wait(w->sys_ctx, w->epoll_fd, events,
					BLK_WORKER_EVENTS);
		if (nr == -EINTR)
			continue;
		if (nr < 0) {
			log_err("vblk: wait for events: %s", strerror(-nr));
			return true;
		}
		step = blk_worker_step(w, events, nr);
	}
	return step == BLK_STEP_BROKEN;
}

/* Second number of schedstat: nanoseconds spent runnable without a CPU. */
static bool read_wait_ns(pid_t tid, uint64_t *wait_ns)
{
	char path[64];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fscanf(f, "%*u %" SCNu64, wait_ns) == 1;
	fclose(f);
	return ok;
}

static void *worker_main(void *arg)
{
	struct blk_worker *w = arg;
	uint64_t wait_ns = 0;
	pid_t tid = gettid();

	pthread_setname_np(pthread_self(), "ktstr-blk");
	atomic_store_explicit(&w->tid, tid, memory_order_relaxed);
	if (blk_worker_open(w, w->state)) {
		w->client->died(w->state);
	} else {
		blk_gate_arrive(&w->gate);
		if (worker_loop(w))
			w->client->died(w->state);
	}
	blk_worker_close(w);
	blk_gate_leave(&w->gate);

	read_wait_ns(tid, &wait_ns);
	atomic_store_explicit(&w->tid, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->past_wait_ns, wait_ns,
				  memory_order_relaxed);
	return w->state;
}

int blk_worker_start(struct blk_worker *w, void *state)
{
	sigset_t all, old;
	int err;

	if (w->started)
		return -EBUSY;
	w->state = state;
	/* Signals are the owner's business: never taken on this thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	w->started = !err;
	return err;
}

static void add_to_counter(int fd, uint64_t n, const char *what)
{
	/* A full counter (EAGAIN) is as readable as any. */
	if (write(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_err("vblk: %s the worker: %s", what, strerror(errno));
}

static void drain_counter(int fd)
{
	uint64_t n;

	blk_sys_host.counter_read(NULL, fd, &n);
}

void *blk_worker_stop(struct blk_worker *w)
{
	void *state = NULL;

	if (w->started) {
		add_to_counter(w->stop_fd, 1, "stop");
		pthread_join(w->thread, &state);
		w->started = false;
	}
	drain_counter(w->stop_fd);
	drain_counter(w->kick_fd);
	drain_counter(w->gate.pause_fd);
	drain_counter(w->gate.resume_fd);
	return state;
}

void blk_worker_poke(struct blk_worker *w)
{
	add_to_counter(w->kick_fd, BLK_POKE, "poke");
}

uint64_t blk_worker_wait_ns(const struct blk_worker *w)
{
	uint64_t past = atomic_load_explicit(&w->past_wait_ns,
					     memory_order_relaxed);
	pid_t tid = atomic_load_explicit(&w->tid, memory_order_relaxed);
	uint64_t now = 0;

	if (tid)
		read_wait_ns(tid, &now);
	return past + now;
}
