// SPDX-License-Identifier: GPL-2.0-only
/*
 * The freeze of a disk worker with a coordinator that acts between any two of
 * the worker's calls. One thread, so that each interleaving is the seed's and
 * not the machine's; the stress test of blk_worker_test has the real ones.
 */
#include "vmm/blk_worker.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/test_run.h"
#include "vmm/blk_dispatch.h"
#include "vmm/blk_test_sys.h"

#define CYCLES 100000u	/* pauses */
#define SHARES 4	/* each with its own seed */
#define STEPS_MAX 50	/* until nothing is left to do */

static struct test_sys sys;
static struct blk_worker w;
static uint64_t seed;

static struct world {
	bool paused;		/* the coordinator's wish */
	bool seen;		/* it saw the worker parked for it */
	bool held;		/* no actions: the worker has to come to rest */
	unsigned int pauses, parks, taken_back, drains, frozen_at;
	uint64_t kicks, kicks_read;
} now;

static uint64_t rng_next(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static bool one_in(unsigned int n)
{
	return rng_next(&seed) % n == 0;
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* Told to libcheck only when it is so: there are millions. */
#define must(cond)                            \
	do {                                  \
		if (!(cond))                  \
			ck_assert_msg(0, #cond); \
	} while (0)

/* What must hold between any two calls. */
static void look(void)
{
	const bool parked = blk_gate_is_parked(&w.gate);

	must(!parked || now.paused);
	must(!now.seen || parked); /* it stays so */
	if (!parked)
		return;
	if (!now.seen)
		now.frozen_at = now.drains;
	now.seen = true;
	must(now.drains == now.frozen_at);
}

static void pause_it(void)
{
	blk_gate_pause(&w.gate);
	now.pauses += !now.paused;
	now.paused = true;
}

static void resume_it(void)
{
	now.taken_back += now.paused && !now.seen;
	now.paused = false;
	now.seen = false;
	blk_gate_resume(&w.gate);
}

static void kick(void)
{
	const uint64_t one = 1;

	must(write(w.kick_fd, &one, sizeof(one)) == sizeof(one));
	now.kicks++;
}

/* Anything the coordinator and the guest may do at this point. */
static void act(void)
{
	look();
	while (!now.held && one_in(2)) {
		switch (rng_next(&seed) % 4) {
		case 0:
			pause_it();
			break;
		case 1:
			resume_it();
			break;
		case 2:
			kick();
			break;
		case 3: /* right after one another */
			resume_it();
			pause_it();
			break;
		}
		look();
	}
}

/* Parked, the worker asks for the resume and for nothing else. */
static void on_call(struct test_sys *t, enum test_call call)
{
	if (call != CALL_PARK && call != CALL_COUNTER_READ)
		must(!blk_gate_is_parked(&w.gate));
	act();
}

/* Here the worker waits: it may only be left by a resume. */
static int park(struct test_sys *t, int stop_fd, int resume_fd)
{
	now.parks++;
	act();
	t->now_ns += rng_next(&seed) % 1000;
	if (!is_readable(resume_fd)) {
		/* nobody else will wake it: it must have acknowledged */
		must(now.paused);
		must(blk_gate_is_parked(&w.gate));
		resume_it();
		if (!now.held && one_in(2))
			pause_it();
	}
	return 0;
}

static struct blk_outcome drain(void *state)
{
	must(!now.seen);
	now.drains++;
	act();
	return one_in(3) ? BLK_STALLED(rng_next(&seed) % 3) : BLK_DONE;
}

/* Now and then something is in flight. */
static uint64_t next_due_ns(void *state)
{
	return one_in(4) ? sys.now_ns + rng_next(&seed) % 3 : UINT64_MAX;
}

static bool never(void *state)
{
	return false;
}

static void kicked(void *state, uint32_t n)
{
	now.kicks_read += n;
}

static void late(void *state, uint64_t late_ns)
{
}

static void nothing(void *state)
{
}

static void freezes(void *state, uint64_t now_ns)
{
	must(!now.seen);
}

static void thaws(void *state, uint64_t now_ns, uint64_t frozen_ns)
{
	must(!now.seen);
}

static const struct blk_worker_client client = {
	.drain = drain,
	.broken = never,
	.next_due_ns = next_due_ns,
	.new_limits = never,
	.kicked = kicked,
	.timer_fired = late,
	.wake_on_kick = nothing,
	.freezes = freezes,
	.thaws = thaws,
	.died = nothing,
};

/* A batch of what is ready, as epoll would report it. */
static int ready(struct epoll_event *ev)
{
	int nr = 0;

	if (is_readable(w.kick_fd))
		ev[nr++] = blk_event_make(BLK_TOKEN_KICK);
	if (w.armed && sys.armed_at_ns <= sys.now_ns)
		ev[nr++] = blk_event_make(BLK_TOKEN_THROTTLE);
	if (is_readable(w.gate.pause_fd))
		ev[nr++] = blk_event_make(BLK_TOKEN_PAUSE);
	return nr;
}

/* Let the worker run until it has nothing to do. */
static void settle(void)
{
	struct epoll_event ev[BLK_WORKER_EVENTS];
	unsigned int i;
	int nr;

	for (i = 0; (nr = ready(ev)); i++) {
		must(i < STEPS_MAX);
		must(blk_worker_step(&w, ev, nr) == BLK_STEP_GO_ON);
	}
}

/*
 * S71, B1: a pause parks the worker or is taken back; none is lost, none holds
 * it for ever. S64: nothing is served while it is seen parked.
 */
START_TEST(a_coordinator_at_every_call_loses_no_pause_s71_b1)
{
	struct epoll_event ev[BLK_WORKER_EVENTS];
	unsigned int pauses;
	int nr;

	seed = _i;
	while (now.pauses < CYCLES / SHARES) {
		act();
		sys.now_ns += rng_next(&seed) % 2;
		nr = ready(ev);
		must(blk_worker_step(&w, ev, nr) == BLK_STEP_GO_ON);
		if (!one_in(16))
			continue;
		/* left alone it parks for what is asked, and only for that */
		now.held = true;
		pauses = now.parks;
		if (now.paused) {
			settle();
			must(now.parks > pauses);
			must(!now.paused);
		}
		settle();
		must(!is_readable(w.gate.pause_fd));
		must(now.kicks == now.kicks_read);
		now.held = false;
	}
	/* each kind of interleaving was among them */
	ck_assert_uint_gt(now.parks, CYCLES / SHARES / 20);
	ck_assert_uint_gt(now.taken_back, CYCLES / SHARES / 20);
	ck_assert_uint_gt(now.drains, CYCLES / SHARES / 20);
}
END_TEST

static void setup(void)
{
	static _Atomic unsigned int lines;

	log_set_sink(test_log_count, &lines);
	sys = (struct test_sys){ .now_ns = 1000, .fail_fd = -1 };
	now = (struct world){ 0 };
	ck_assert_int_eq(0, blk_worker_init(&w, &test_sys_ops, &sys, &client,
					    NULL));
	ck_assert_int_eq(0, blk_worker_open(&w, NULL));
	blk_gate_arrive(&w.gate);
	sys.hook = on_call;
	sys.park = park;
}

static void teardown(void)
{
	blk_worker_close(&w);
	blk_worker_fini(&w);
	log_set_sink(NULL, NULL);
}

int main(void)
{
	Suite *suite = suite_create("blk_interleave");
	TCase *tc = tcase_create("blk_interleave");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc,
			    a_coordinator_at_every_call_loses_no_pause_s71_b1,
			    0, SHARES);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
