// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_worker.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/test_run.h"
#include "vmm/blk_dispatch.h"
#include "vmm/blk_test_sys.h"

#define CAP BLK_RETRY_CAP_NS

/* A client whose drains end as the test says; the last answer is repeated. */
struct client {
	struct blk_outcome script[8];
	unsigned int nr_script;
	_Atomic unsigned int drains;
	unsigned int plain_drains; /* no atomic: TSan sees who may look */
	_Atomic unsigned int kicks, kick_reads;
	bool blocked_at_drain;	/* the flag, as the last drain saw it */
	unsigned int limits;	/* new_limits() is true this many times */
	bool broken;
	uint64_t due_ns;	/* of next_due_ns(); 0: none in flight */
	unsigned int late_nr, wake_on_kicks, freezes, thaws;
	uint64_t late_ns, frozen_ns;
	_Atomic unsigned int deaths;
};

static struct test_sys sys;
static struct client client;
static struct blk_worker w;
static _Atomic unsigned int lines;

static struct blk_outcome client_drain(void *state)
{
	struct client *c = state;
	unsigned int n = atomic_fetch_add(&c->drains, 1);

	c->plain_drains++;
	c->blocked_at_drain = w.blocked;
	if (!c->nr_script)
		return BLK_DONE;
	return c->script[n < c->nr_script ? n : c->nr_script - 1];
}

static bool client_broken(void *state)
{
	return ((struct client *)state)->broken;
}

static uint64_t client_next_due_ns(void *state)
{
	struct client *c = state;

	return c->due_ns ? c->due_ns : UINT64_MAX;
}

static bool client_new_limits(void *state)
{
	struct client *c = state;

	if (!c->limits)
		return false;
	c->limits--;
	return true;
}

static void client_kicked(void *state, uint32_t n)
{
	struct client *c = state;

	atomic_fetch_add(&c->kicks, n);
	atomic_fetch_add(&c->kick_reads, 1);
}

static void client_timer_fired(void *state, uint64_t late_ns)
{
	struct client *c = state;

	c->late_nr++;
	c->late_ns = late_ns;
}

static void client_wake_on_kick(void *state)
{
	((struct client *)state)->wake_on_kicks++;
}

static void client_freezes(void *state, uint64_t now_ns)
{
	struct client *c = state;

	/* before anybody is told that we are parked */
	ck_assert(!blk_gate_is_parked(&w.gate) || atomic_load(&w.gate.away));
	c->freezes++;
}

static void client_thaws(void *state, uint64_t now_ns, uint64_t frozen_ns)
{
	struct client *c = state;

	c->thaws++;
	c->frozen_ns += frozen_ns;
	ck_assert_uint_eq(c->freezes, c->thaws);
}

static void client_died(void *state)
{
	atomic_fetch_add(&((struct client *)state)->deaths, 1);
}

static const struct blk_worker_client client_ops = {
	.drain = client_drain,
	.broken = client_broken,
	.next_due_ns = client_next_due_ns,
	.new_limits = client_new_limits,
	.kicked = client_kicked,
	.timer_fired = client_timer_fired,
	.wake_on_kick = client_wake_on_kick,
	.freezes = client_freezes,
	.thaws = client_thaws,
	.died = client_died,
};

static void init(const struct blk_placement *placement)
{
	memset(&client, 0, sizeof(client));
	memset(&sys, 0, sizeof(sys));
	sys.now_ns = 1000000;
	sys.fail_fd = -1;
	lines = 0;
	log_set_sink(test_log_count, &lines);
	ck_assert_int_eq(0, blk_worker_init(&w, &test_sys_ops, &sys,
					    &client_ops, placement));
}

static void setup(void)
{
	init(NULL);
}

static void teardown(void)
{
	blk_worker_close(&w);
	blk_worker_fini(&w);
	log_set_sink(NULL, NULL);
}

/* For the tests that step: as the thread does before its loop. */
static void setup_step(void)
{
	setup();
	ck_assert_int_eq(0, blk_worker_open(&w, &client));
	sys.nr_calls = 0;
}

static void script(unsigned int nr, const struct blk_outcome *outcomes)
{
	memcpy(client.script, outcomes, nr * sizeof(*outcomes));
	client.nr_script = nr;
}

#define SCRIPT(...)                                                        \
	script(sizeof((struct blk_outcome[]){ __VA_ARGS__ }) /             \
	       sizeof(struct blk_outcome),                                 \
	       (struct blk_outcome[]){ __VA_ARGS__ })

static void kick(unsigned int n)
{
	const uint64_t one = 1;

	while (n--)
		ck_assert_int_eq(8, write(w.kick_fd, &one, sizeof(one)));
}

static bool is_empty(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* One step with a batch of the tokens given, in that order. */
static enum blk_step step(unsigned int nr, const enum blk_token *tokens)
{
	struct epoll_event ev[8];
	unsigned int i;

	for (i = 0; i < nr; i++)
		ev[i] = blk_event_make(tokens[i]);
	return blk_worker_step(&w, ev, nr);
}

#define STEP(...)                                                          \
	step(sizeof((enum blk_token[]){ __VA_ARGS__ }) /                   \
	     sizeof(enum blk_token), (enum blk_token[]){ __VA_ARGS__ })

#define KICK BLK_TOKEN_KICK
#define STOP BLK_TOKEN_STOP
#define TIMER BLK_TOKEN_THROTTLE
#define PAUSE BLK_TOKEN_PAUSE

/* Bring the worker to wait for its timer. */
static void block(uint64_t wait_ns)
{
	SCRIPT(BLK_STALLED(wait_ns));
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(KICK));
	ck_assert(w.blocked);
	client.drains = 0;
	client.kicks = 0;
	client.kick_reads = 0;
	client.nr_script = 0;
	sys.nr_calls = 0;
	sys.arms = 0;
}

/* --- section 3 --- */

START_TEST(placement_comes_first_s24)
{
	const struct blk_placement p = { .has_cpu = true, .cpu = 1 };

	teardown();
	init(&p);
	ck_assert_int_eq(0, blk_worker_open(&w, &client));
	ck_assert_uint_gt(sys.nr_calls, 5);
	ck_assert_int_eq(CALL_PLACE, sys.calls[0]);
	ck_assert_uint_eq(1, test_sys_count(&sys, CALL_PLACE, -1));
}
END_TEST

START_TEST(one_cpu_wins_over_a_mask_s24)
{
	struct blk_placement p = { .has_cpu = true, .cpu = 3,
				   .has_mask = true };
	cpu_set_t set;

	CPU_ZERO(&p.mask);
	CPU_SET(0, &p.mask);
	CPU_SET(1, &p.mask);
	ck_assert(blk_placement_set(&p, &set));
	ck_assert_int_eq(1, CPU_COUNT(&set));
	ck_assert(CPU_ISSET(3, &set));

	p.has_cpu = false;
	ck_assert(blk_placement_set(&p, &set));
	ck_assert(CPU_EQUAL(&p.mask, &set));

	p.has_mask = false;
	ck_assert(!blk_placement_set(&p, &set));
}
END_TEST

START_TEST(neither_is_inherited_s24)
{
	ck_assert_int_eq(0, blk_worker_open(&w, &client));
	ck_assert_uint_eq(0, test_sys_count(&sys, CALL_PLACE, -1));
}
END_TEST

START_TEST(failed_placement_is_logged_and_serves_s25)
{
	const struct blk_placement p = { .has_cpu = true };

	teardown();
	init(&p);
	sys.fail = CALL_PLACE;
	sys.fail_times = 1;
	sys.fail_err = EINVAL;
	ck_assert_int_eq(0, blk_worker_open(&w, &client));
	ck_assert_uint_eq(1, lines);
	kick(1);
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(KICK));
	ck_assert_uint_eq(1, client.drains);
}
END_TEST

/* What the gate says at the moment of each call; S26, S27 */
static void note_away(struct test_sys *t, enum test_call call)
{
	bool *away = t->hook_ctx;

	if (call == CALL_PLACE || call == CALL_EPOLL_WAIT)
		away[call] = atomic_load(&w.gate.away);
}

START_TEST(parked_until_it_runs_s26_s27)
{
	const struct blk_placement p = { .has_cpu = true };
	bool away[CALL_PARK + 1] = { false };

	teardown();
	init(&p);
	away[CALL_EPOLL_WAIT] = true;
	blk_gate_pause(&w.gate);
	ck_assert(blk_gate_is_parked(&w.gate));
	blk_gate_resume(&w.gate);

	sys.hook = note_away;
	sys.hook_ctx = away;
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	ck_assert(away[CALL_PLACE]);
	ck_assert(!away[CALL_EPOLL_WAIT]);
}
END_TEST

START_TEST(descriptors_as_promised_s28_s29)
{
	const int fds[] = { w.kick_fd, w.stop_fd, w.gate.pause_fd };
	unsigned int i;

	ck_assert_int_eq(0, blk_worker_open(&w, &client));
	ck_assert_int_ne(0, fcntl(w.timer_fd, F_GETFL) & O_NONBLOCK);
	ck_assert_int_ne(0, fcntl(w.timer_fd, F_GETFD) & FD_CLOEXEC);
	for (i = 0; i < 3; i++)
		ck_assert_int_ne(0, fcntl(fds[i], F_GETFL) & O_NONBLOCK);
	ck_assert_uint_eq(4, test_sys_count(&sys, CALL_EPOLL_ADD, -1));
	ck_assert_uint_eq(1, test_sys_count(&sys, CALL_EPOLL_ADD, w.timer_fd));
	for (i = 0; i < 3; i++)
		ck_assert_uint_eq(1, test_sys_count(&sys, CALL_EPOLL_ADD,
						    fds[i]));
	/* level-triggered: unread, it is reported again */
	kick(1);
	for (i = 0; i < 3; i++) {
		struct epoll_event ev;

		ck_assert_int_eq(1, epoll_wait(w.epoll_fd, &ev, 1, 0));
		ck_assert_uint_eq(BLK_TOKEN_KICK, ev.data.u64);
	}
}
END_TEST

static const struct start_failure {
	enum test_call call;
	unsigned int skip;
} start_failures[] = {
	{ CALL_EPOLL_OPEN, 0 }, { CALL_TIMER_OPEN, 0 }, { CALL_EPOLL_ADD, 0 },
	{ CALL_EPOLL_ADD, 1 },	{ CALL_EPOLL_ADD, 2 },	{ CALL_EPOLL_ADD, 3 },
	/* S32: an error of the wait itself */
	{ CALL_EPOLL_WAIT, 0 },
};

START_TEST(a_dead_worker_is_never_silent_s30_s32_b2)
{
	sys.fail = start_failures[_i].call;
	sys.fail_skip = start_failures[_i].skip;
	sys.fail_times = 1;
	sys.fail_err = EMFILE;
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	ck_assert_uint_eq(1, client.deaths);
	ck_assert_uint_eq(0, client.drains);
	ck_assert_uint_ge(lines, 1);
	blk_gate_pause(&w.gate);
	ck_assert(blk_gate_is_parked(&w.gate));
}
END_TEST

/* --- section 4 --- */

START_TEST(eintr_restarts_s32)
{
	unsigned int i;

	sys.host_clock = true;
	sys.fail = CALL_EPOLL_WAIT;
	sys.fail_times = 3;
	sys.fail_err = EINTR;
	kick(1);
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	for (i = 0; i < 5000 && !client.drains; i++)
		usleep(1000);
	ck_assert_uint_eq(1, client.drains);
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	ck_assert_uint_eq(0, client.deaths);
	ck_assert_uint_eq(0, lines);
}
END_TEST

static const enum blk_token stop_batches[][4] = {
	{ STOP, KICK, TIMER, PAUSE }, { KICK, STOP, TIMER, PAUSE },
	{ KICK, TIMER, STOP, PAUSE }, { PAUSE, TIMER, KICK, STOP },
	{ PAUSE, STOP, KICK, TIMER },
};

/* S33, B9: wherever it stands, and nothing is read either */
START_TEST(stop_wins_s33_b9)
{
	kick(1);
	blk_gate_pause(&w.gate);
	client.limits = 1;
	ck_assert_int_eq(BLK_STEP_STOPPED, step(4, stop_batches[_i]));
	ck_assert_uint_eq(0, client.drains);
	ck_assert_uint_eq(0, sys.nr_calls);
	ck_assert_uint_eq(1, client.limits);
	ck_assert_uint_eq(0, atomic_load(&w.gate.parked));
}
END_TEST

START_TEST(state_comes_back_and_goes_again_s34)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(0, blk_worker_start(&w, &client));
		ck_assert_int_eq(-EBUSY, blk_worker_start(&w, &client));
		ck_assert_ptr_eq(&client, blk_worker_stop(&w));
		ck_assert_ptr_null(blk_worker_stop(&w));
	}
	ck_assert_uint_eq(0, client.deaths);
}
END_TEST

/* C9: nothing of this life reaches the next one */
START_TEST(stop_drains_the_event_counters_c9)
{
	const int fds[] = { w.kick_fd, w.stop_fd, w.gate.pause_fd,
			    w.gate.resume_fd };
	const uint64_t one = 1;
	unsigned int i;

	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	blk_gate_pause(&w.gate);
	for (i = 0; i < 5000 && (atomic_load(&w.gate.away) ||
				 !blk_gate_is_parked(&w.gate)); i++)
		usleep(1000);
	/* parked: nobody reads these */
	kick(2);
	ck_assert_int_eq(8, write(w.gate.pause_fd, &one, sizeof(one)));
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	blk_gate_resume(&w.gate);
	ck_assert_ptr_null(blk_worker_stop(&w));
	for (i = 0; i < 4; i++)
		ck_assert(is_empty(fds[i]));
}
END_TEST

START_TEST(stop_is_obeyed_while_blocked_s35)
{
	block(CAP);
	ck_assert_int_eq(BLK_STEP_STOPPED, STEP(STOP));
	ck_assert_uint_eq(0, client.drains);
}
END_TEST

/* S35 with the thread: the timer is 1 s away each time */
START_TEST(stop_does_not_wait_for_the_timer_s35)
{
	uint64_t start;
	unsigned int i;

	sys.host_clock = true;
	SCRIPT(BLK_STALLED(CAP));
	start = clock_now_ns();
	for (i = 0; i < 8; i++) {
		unsigned int before = client.drains, n;

		ck_assert_int_eq(0, blk_worker_start(&w, &client));
		kick(1);
		for (n = 0; n < 5000 && client.drains == before; n++)
			usleep(200);
		ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	}
	ck_assert_uint_lt(clock_now_ns() - start, 4 * NSEC_PER_SEC);
}
END_TEST

START_TEST(many_kicks_one_read_one_drain_s36)
{
	kick(7);
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(KICK));
	ck_assert_uint_eq(1, client.drains);
	ck_assert_uint_eq(7, client.kicks);
	ck_assert_uint_eq(1, test_sys_count(&sys, CALL_COUNTER_READ,
					    w.kick_fd));
	ck_assert(is_empty(w.kick_fd));
}
END_TEST

START_TEST(a_poke_is_no_guest_kick_l9)
{
	kick(2);
	blk_worker_poke(&w);
	blk_worker_poke(&w);
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(KICK));
	ck_assert_uint_eq(1, client.drains);
	ck_assert_uint_eq(2, client.kicks);
}
END_TEST

START_TEST(kick_counter_errors_s37)
{
	/* nothing to read: EAGAIN is silent, the drain happens */
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(KICK));
	ck_assert_uint_eq(1, client.drains);
	ck_assert_uint_eq(0, lines);

	sys.fail = CALL_COUNTER_READ;
	sys.fail_times = 1;
	sys.fail_err = EIO;
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(KICK));
	ck_assert_uint_eq(2, client.drains);
	ck_assert_uint_eq(1, lines);
}
END_TEST

/* S37: a pass that drains because of the timer reads the kicks as well */
START_TEST(timer_pass_reads_the_kicks_s37)
{
	block(5);
	kick(3);
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(TIMER));
	ck_assert_uint_eq(3, client.kicks);
	ck_assert(is_empty(w.kick_fd));
	ck_assert_uint_eq(1, client.drains);
}
END_TEST

START_TEST(kick_while_blocked_s38_s39_s43)
{
	block(1000);
	kick(2);
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(KICK));
	ck_assert_uint_eq(0, client.drains);
	ck_assert(is_empty(w.kick_fd));
	ck_assert(w.blocked);
	ck_assert_uint_eq(0, sys.arms);
}
END_TEST

START_TEST(kick_and_timer_while_blocked_s40)
{
	const enum blk_token order[2][2] = { { KICK, TIMER }, { TIMER, KICK } };

	block(1000);
	kick(1);
	ck_assert_int_eq(BLK_STEP_GO_ON, step(2, order[_i]));
	ck_assert_uint_eq(1, client.drains);
	ck_assert(!w.blocked);
	ck_assert(is_empty(w.kick_fd));
}
END_TEST

static const struct timer_read {
	int err;
	unsigned int lines;
} timer_reads[] = { { 0, 0 }, { EAGAIN, 0 }, { EINTR, 0 }, { EIO, 1 } };

START_TEST(timer_drains_whatever_its_read_says_s41_s42)
{
	const struct timer_read *c = &timer_reads[_i];

	block(1000);
	sys.fail = CALL_COUNTER_READ;
	sys.fail_fd = w.timer_fd;
	sys.fail_err = c->err;
	sys.fail_times = c->err ? 1 : 0;
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(TIMER));
	ck_assert_uint_eq(1, test_sys_count(&sys, CALL_COUNTER_READ,
					    w.timer_fd));
	ck_assert_uint_eq(1, client.drains);
	ck_assert_uint_eq(c->lines, lines);
	ck_assert(!client.blocked_at_drain);
	ck_assert(!w.blocked);
}
END_TEST

START_TEST(the_blocked_flag_s43)
{
	SCRIPT(BLK_STALLED(9), BLK_DONE, BLK_STALLED(9), BLK_STALLED(9));
	STEP(KICK);
	ck_assert(w.blocked);
	STEP(TIMER);
	ck_assert(!w.blocked);
	STEP(KICK);
	ck_assert(w.blocked);
	STEP(TIMER);
	ck_assert(w.blocked);
}
END_TEST

static const struct arm_case {
	uint64_t wait_ns, after_ns;
} arm_cases[] = {
	{ 1, 1 },	{ 500000000, 500000000 }, { CAP - 1, CAP - 1 },
	{ CAP, CAP },	{ CAP + 1, CAP },	  { UINT64_MAX, CAP },
};

START_TEST(timer_is_absolute_and_capped_s44_s45_s46)
{
	SCRIPT(BLK_STALLED(arm_cases[_i].wait_ns));
	STEP(KICK);
	ck_assert_uint_eq(1, sys.arms);
	ck_assert_uint_eq(sys.now_ns + arm_cases[_i].after_ns,
			  sys.armed_at_ns);
}
END_TEST

/* S46, S47: 5 s of refill, a silent guest, a look a second */
START_TEST(a_long_refill_is_looked_at_every_second_s46_s47)
{
	unsigned int i;

	SCRIPT(BLK_STALLED(5 * CAP), BLK_STALLED(4 * CAP),
	       BLK_STALLED(3 * CAP), BLK_STALLED(2 * CAP), BLK_STALLED(CAP),
	       BLK_DONE);
	STEP(KICK);
	for (i = 0; w.blocked; i++) {
		ck_assert_uint_le(sys.armed_at_ns, sys.now_ns + CAP);
		ck_assert_uint_gt(sys.armed_at_ns, sys.now_ns);
		sys.now_ns = sys.armed_at_ns;
		STEP(TIMER);
	}
	ck_assert_uint_eq(5, i);
	ck_assert_uint_eq(6, client.drains);
}
END_TEST

START_TEST(a_re_stall_re_arms_s48)
{
	block(1000);
	SCRIPT(BLK_STALLED(700));
	sys.now_ns += 1000;
	STEP(TIMER);
	ck_assert(w.blocked);
	ck_assert_uint_eq(1, sys.arms);
	ck_assert_uint_eq(sys.now_ns + 700, sys.armed_at_ns);
}
END_TEST

START_TEST(stalled_0_then_done_s49)
{
	SCRIPT(BLK_STALLED(0), BLK_DONE);
	STEP(KICK);
	ck_assert_uint_eq(2, client.drains);
	ck_assert_uint_eq(0, sys.arms);
	ck_assert(!w.blocked);
}
END_TEST

START_TEST(stalled_0_twice_s50)
{
	SCRIPT(BLK_STALLED(0));
	STEP(KICK);
	ck_assert_uint_eq(2, client.drains);
	ck_assert_uint_eq(sys.now_ns + 1, sys.armed_at_ns);
	ck_assert(w.blocked);
	/* a kick comes first: no third drain; then a stop: never one */
	kick(1);
	STEP(KICK);
	ck_assert_uint_eq(2, client.drains);
	ck_assert_int_eq(BLK_STEP_STOPPED, STEP(TIMER, STOP));
	ck_assert_uint_eq(2, client.drains);
}
END_TEST

START_TEST(arming_fails_later_kicks_drain_b3)
{
	sys.fail = CALL_TIMER_ARM;
	sys.fail_err = EINVAL;
	sys.fail_times = 1000;
	SCRIPT(BLK_STALLED(1000));
	kick(1);
	STEP(KICK);
	ck_assert(!w.blocked);
	ck_assert_uint_eq(1, client.wake_on_kicks);
	/* it looks again by itself, and at a kick too */
	ck_assert(!is_empty(w.kick_fd));
	STEP(KICK);
	ck_assert_uint_eq(2, client.drains);
	kick(1);
	STEP(KICK);
	ck_assert_uint_eq(3, client.drains);
	ck_assert_uint_eq(1, lines);
	/* and recovers */
	sys.fail_times = 0;
	STEP(KICK);
	ck_assert(w.blocked);
}
END_TEST

START_TEST(new_limits_look_while_blocked_and_re_arm_l6)
{
	block(CAP);
	client.limits = 1;
	SCRIPT(BLK_STALLED(500));
	blk_worker_poke(&w);
	STEP(KICK);
	ck_assert_uint_eq(1, client.drains);
	ck_assert_uint_eq(sys.now_ns + 500, sys.armed_at_ns);
	ck_assert(w.blocked);
}
END_TEST

START_TEST(timer_lateness_is_told_l9)
{
	block(1000);
	sys.now_ns = w.armed_at_ns + 77;
	STEP(TIMER);
	ck_assert_uint_eq(1, client.late_nr);
	ck_assert_uint_eq(77, client.late_ns);
	/* left armed by a look that was not the timer's: says nothing */
	STEP(TIMER);
	ck_assert_uint_eq(1, client.late_nr);
}
END_TEST

START_TEST(a_broken_ring_ends_the_worker)
{
	client.broken = true;
	ck_assert_int_eq(BLK_STEP_BROKEN, STEP(KICK));
}
END_TEST

START_TEST(a_broken_ring_is_told_and_passes_freezes_b2)
{
	unsigned int i;

	client.broken = true;
	sys.host_clock = true;
	kick(1);
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	for (i = 0; i < 5000 && !atomic_load(&client.deaths); i++)
		usleep(1000);
	blk_gate_pause(&w.gate);
	for (i = 0; i < 5000 && !blk_gate_is_parked(&w.gate); i++)
		usleep(1000);
	ck_assert(blk_gate_is_parked(&w.gate));
	blk_gate_resume(&w.gate);
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	ck_assert_uint_eq(1, client.deaths);
}
END_TEST

START_TEST(an_empty_or_unknown_batch_does_nothing_s18)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 99 };

	ck_assert_int_eq(BLK_STEP_GO_ON, blk_worker_step(&w, &ev, 0));
	ck_assert_int_eq(BLK_STEP_GO_ON, blk_worker_step(&w, &ev, 1));
	ck_assert_uint_eq(0, client.drains);
	STEP(KICK);
	ck_assert_uint_eq(1, client.drains);
}
END_TEST

/* --- section 5 --- */

struct parked {
	unsigned int spurious;	/* wake-ups before the resume */
	unsigned int again;	/* pauses right after the resume */
	uint64_t frozen_ns;	/* per call */
	bool stop;
	unsigned int calls;
	bool seen_parked;
};

static int park_then_resume(struct test_sys *t, int stop_fd, int resume_fd)
{
	struct parked *p = t->park_ctx;

	p->calls++;
	p->seen_parked = blk_gate_is_parked(&w.gate);
	t->now_ns += p->frozen_ns;
	if (p->stop)
		return 1;
	if (p->spurious) {
		p->spurious--;
		return 0;
	}
	blk_gate_resume(&w.gate);
	if (p->again) {
		p->again--;
		blk_gate_pause(&w.gate);
	}
	return 0;
}

static void use_park(struct parked *p)
{
	sys.park = park_then_resume;
	sys.park_ctx = p;
}

static unsigned int pokes_read(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) < 0 ? 0 : n;
}

START_TEST(pause_parks_once_and_pokes_s58_s59_s70)
{
	struct parked p = { .frozen_ns = 100 };
	int fd = eventfd(0, EFD_NONBLOCK);

	use_park(&p);
	blk_gate_set_poke(&w.gate, fd);
	blk_gate_pause(&w.gate);
	blk_gate_pause(&w.gate);
	ck_assert(!blk_gate_is_parked(&w.gate) || atomic_load(&w.gate.away));
	blk_gate_arrive(&w.gate);
	ck_assert(!blk_gate_is_parked(&w.gate));
	ck_assert_int_eq(BLK_STEP_GO_ON, STEP(PAUSE));
	ck_assert(p.seen_parked);
	ck_assert_uint_eq(1, p.calls);
	ck_assert_uint_eq(1, pokes_read(fd));
	ck_assert_uint_eq(1, client.thaws);
	ck_assert_uint_eq(100, client.frozen_ns);
	/* the counter first, and once */
	ck_assert_int_eq(CALL_COUNTER_READ, sys.calls[0]);
	ck_assert_int_eq(w.gate.pause_fd, sys.fds[0]);
	ck_assert_int_eq(CALL_PARK, sys.calls[1]);
	ck_assert_uint_eq(1, test_sys_count(&sys, CALL_COUNTER_READ,
					    w.gate.pause_fd));
	ck_assert(is_empty(w.gate.pause_fd));
	ck_assert(!blk_gate_is_parked(&w.gate));
	close(fd);
}
END_TEST

START_TEST(parks_without_anybody_to_poke_s61_s62_s63)
{
	struct parked p = { .frozen_ns = 1 };

	use_park(&p);
	blk_gate_arrive(&w.gate);
	if (_i == 1)
		blk_gate_set_poke(&w.gate, 1000000); /* no such descriptor */
	if (_i == 2) {
		sys.fail = CALL_COUNTER_READ;
		sys.fail_fd = w.gate.pause_fd;
		sys.fail_times = 1;
		sys.fail_err = EIO;
	}
	blk_gate_pause(&w.gate);
	STEP(PAUSE);
	ck_assert_uint_eq(1, p.calls);
	ck_assert(p.seen_parked);
	ck_assert_uint_ge(lines, 1);
}
END_TEST

START_TEST(a_spurious_wake_keeps_it_parked_s65)
{
	struct parked p = { .spurious = 5, .frozen_ns = 10 };
	int fd = eventfd(0, EFD_NONBLOCK);

	use_park(&p);
	blk_gate_set_poke(&w.gate, fd);
	blk_gate_arrive(&w.gate);
	blk_gate_pause(&w.gate);
	STEP(PAUSE);
	ck_assert_uint_eq(6, p.calls);
	ck_assert_uint_eq(1, pokes_read(fd));
	ck_assert_uint_eq(60, client.frozen_ns);
	close(fd);
}
END_TEST

/* S71, B1: the new request is acknowledged on its own */
START_TEST(pause_right_after_resume_parks_again_s71)
{
	struct parked p = { .again = 3, .frozen_ns = 10 };
	int fd = eventfd(0, EFD_NONBLOCK);

	use_park(&p);
	blk_gate_set_poke(&w.gate, fd);
	blk_gate_arrive(&w.gate);
	blk_gate_pause(&w.gate);
	STEP(PAUSE);
	ck_assert_uint_eq(4, p.calls);
	ck_assert_uint_eq(4, pokes_read(fd));
	ck_assert(!blk_gate_is_parked(&w.gate));
	close(fd);
}
END_TEST

START_TEST(pause_taken_back_early_parks_nobody_b1)
{
	struct parked p = { .frozen_ns = 1 };

	use_park(&p);
	blk_gate_arrive(&w.gate);
	blk_gate_pause(&w.gate);
	blk_gate_resume(&w.gate);
	STEP(PAUSE);
	ck_assert_uint_eq(0, p.calls);
	ck_assert_uint_eq(0, client.freezes + client.thaws);
	ck_assert(is_empty(w.gate.pause_fd));
}
END_TEST

START_TEST(stop_ends_a_park_b6)
{
	struct parked p = { .stop = true };

	use_park(&p);
	blk_gate_arrive(&w.gate);
	blk_gate_pause(&w.gate);
	ck_assert_int_eq(BLK_STEP_STOPPED, STEP(PAUSE));
	ck_assert_uint_eq(0, client.drains);
}
END_TEST

START_TEST(resume_looks_once_kick_or_not_b10)
{
	struct parked p = { .frozen_ns = 1 };

	use_park(&p);
	blk_gate_arrive(&w.gate);
	blk_gate_pause(&w.gate);
	STEP(PAUSE);
	ck_assert_uint_eq(0, client.drains);
	ck_assert(!is_empty(w.kick_fd));
	STEP(KICK);
	ck_assert_uint_eq(1, client.drains);
	ck_assert_uint_eq(0, client.kicks);
	ck_assert(is_empty(w.kick_fd));
}
END_TEST

/* S67, S68, S69, B10: all of it is put off by the frozen time */
START_TEST(a_blocked_chain_survives_a_pause_s67_s68_b10)
{
	const enum blk_token batches[3][3] = {
		{ PAUSE, PAUSE, PAUSE }, { PAUSE, TIMER, PAUSE },
		{ KICK, TIMER, PAUSE },
	};
	struct parked p = { .frozen_ns = 5 * CAP };
	uint64_t armed_at;

	use_park(&p);
	blk_gate_arrive(&w.gate);
	block(1000);
	armed_at = w.armed_at_ns;
	kick(1);
	blk_gate_pause(&w.gate);
	ck_assert_int_eq(BLK_STEP_GO_ON, step(3, batches[_i]));
	ck_assert(w.blocked);
	ck_assert_uint_eq(0, client.drains);
	ck_assert_uint_eq(1, sys.arms);
	ck_assert_uint_eq(armed_at + 5 * CAP, sys.armed_at_ns);
	/* the kick is taken, the timer looks */
	STEP(KICK);
	ck_assert_uint_eq(0, client.drains);
	STEP(TIMER);
	ck_assert_uint_eq(1, client.drains);
}
END_TEST

/* A request in flight blocks nothing: a kick drains, the timer stays. */
START_TEST(a_completion_to_come_arms_the_timer_and_takes_kicks_l7)
{
	client.due_ns = sys.now_ns + 5000;
	kick(1);
	STEP(KICK);
	ck_assert_uint_eq(1, client.drains);
	ck_assert(!w.blocked);
	ck_assert_uint_eq(1, sys.arms);
	ck_assert_uint_eq(client.due_ns, sys.armed_at_ns);
	kick(1);
	STEP(KICK);
	ck_assert_uint_eq(2, client.drains);
	/* it is set already */
	ck_assert_uint_eq(1, sys.arms);
	client.due_ns -= 1000;
	kick(1);
	STEP(KICK);
	ck_assert_uint_eq(2, sys.arms);
	ck_assert_uint_eq(client.due_ns, sys.armed_at_ns);
	/* it fires; nothing is left in flight */
	sys.now_ns = client.due_ns + 70;
	client.due_ns = 0;
	STEP(TIMER);
	ck_assert_uint_eq(4, client.drains);
	ck_assert_uint_eq(1, client.late_nr);
	ck_assert_uint_eq(70, client.late_ns);
	ck_assert_uint_eq(2, sys.arms);
	/* what fires now was for nobody: no lateness */
	STEP(TIMER);
	ck_assert_uint_eq(1, client.late_nr);
}
END_TEST

/* The same moment again, once the timer has fired, is armed again. */
START_TEST(a_fired_timer_is_armed_again_for_the_same_moment_l7)
{
	client.due_ns = sys.now_ns + 2 * CAP;
	kick(1);
	STEP(KICK);
	ck_assert_uint_eq(sys.now_ns + CAP, sys.armed_at_ns);
	STEP(TIMER);
	ck_assert_uint_eq(2, sys.arms);
	ck_assert_uint_eq(sys.now_ns + CAP, sys.armed_at_ns);
}
END_TEST

/* S69: put off by the frozen time, and no lateness for it. */
START_TEST(a_pause_puts_off_the_next_completion_s69_l7)
{
	struct parked p = { .frozen_ns = 5 * CAP };
	uint64_t due_ns = sys.now_ns + 5000;

	use_park(&p);
	blk_gate_arrive(&w.gate);
	client.due_ns = due_ns;
	kick(1);
	STEP(KICK);
	client.due_ns += 5 * CAP;
	blk_gate_pause(&w.gate);
	STEP(PAUSE);
	ck_assert_uint_eq(1, client.drains);
	ck_assert_uint_eq(2, sys.arms);
	ck_assert_uint_eq(due_ns + 5 * CAP, sys.armed_at_ns);
	/* B10: the resume looks */
	STEP(KICK);
	ck_assert_uint_eq(2, client.drains);
	sys.now_ns = client.due_ns;
	STEP(TIMER);
	ck_assert_uint_eq(3, client.drains);
	ck_assert_uint_eq(0, client.late_ns);
}
END_TEST

/* B3: without a timer, looked at round after round. */
START_TEST(arming_fails_completions_are_polled_b3_l7)
{
	client.due_ns = sys.now_ns + 5000;
	sys.fail = CALL_TIMER_ARM;
	sys.fail_times = 1;
	sys.fail_err = EINVAL;
	kick(1);
	STEP(KICK);
	ck_assert_uint_eq(1, client.drains);
	ck_assert_uint_eq(1, client.wake_on_kicks);
	ck_assert(!is_empty(w.kick_fd));
	STEP(KICK);
	ck_assert_uint_eq(2, client.drains);
	ck_assert_uint_eq(client.due_ns, sys.armed_at_ns);
	ck_assert(is_empty(w.kick_fd));
}
END_TEST

START_TEST(a_pause_from_before_the_start_parks_before_serving_s26)
{
	unsigned int i;

	sys.host_clock = true;
	blk_gate_pause(&w.gate);
	kick(1);
	ck_assert(blk_gate_is_parked(&w.gate));
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	for (i = 0; i < 5000 && atomic_load(&w.gate.away); i++)
		usleep(1000);
	for (i = 0; i < 5000 && !blk_gate_is_parked(&w.gate); i++)
		usleep(1000);
	ck_assert(blk_gate_is_parked(&w.gate));
	ck_assert_uint_eq(0, client.drains);
	blk_gate_resume(&w.gate);
	for (i = 0; i < 5000 && !client.drains; i++)
		usleep(1000);
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	ck_assert_uint_ge(client.drains, 1);
}
END_TEST

/* A reset while frozen drains the pause counter, but not the pause */
START_TEST(a_restart_while_frozen_parks_again_s26_b6)
{
	unsigned int i;

	sys.host_clock = true;
	blk_gate_pause(&w.gate);
	ck_assert_ptr_null(blk_worker_stop(&w));
	ck_assert(is_empty(w.gate.pause_fd));
	kick(1);
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	for (i = 0; i < 5000 && (atomic_load(&w.gate.away) ||
				 !blk_gate_is_parked(&w.gate)); i++)
		usleep(1000);
	ck_assert(!atomic_load(&w.gate.away));
	ck_assert(blk_gate_is_parked(&w.gate));
	ck_assert_uint_eq(0, client.drains);
	blk_gate_resume(&w.gate);
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
}
END_TEST

/* Pause and wait for the poke, as a coordinator does. */
static void pause_and_wait(int poke_fd)
{
	struct pollfd p = { .fd = poke_fd, .events = POLLIN };

	blk_gate_pause(&w.gate);
	while (!blk_gate_is_parked(&w.gate)) {
		ck_assert_int_eq(1, poll(&p, 1, 10000));
		pokes_read(poke_fd);
	}
}

/* S71: 100,000 cycles, none lost, kicks and timers in between */
START_TEST(stress_of_pause_and_resume_s60_s64_s71)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	unsigned int i, drains, kicks = 0;

	sys.host_clock = true;
	SCRIPT(BLK_STALLED(20000), BLK_DONE, BLK_STALLED(1000), BLK_DONE);
	blk_gate_set_poke(&w.gate, fd);
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	for (i = 0; i < 100000; i++) {
		pause_and_wait(fd);
		drains = client.drains;
		if (i % 16 == 0) {
			kick(1);
			kicks++;
		}
		if (i % 1024 == 0)
			usleep(100);
		ck_assert_uint_eq(drains, client.drains);
		/* S60: all its writes, once it is seen parked */
		ck_assert_uint_eq(drains, client.plain_drains);
		blk_gate_resume(&w.gate);
	}
	/* every kick is taken in the end, parked meanwhile or not */
	for (i = 0; i < 5000 && client.kicks != kicks; i++)
		usleep(1000);
	ck_assert_uint_eq(kicks, client.kicks);
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	close(fd);
}
END_TEST

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * S65: from resume to the look at the ring. The machine may be busy with
 * something else: the quietest of some batches counts.
 */
START_TEST(resume_takes_less_than_1_ms_s65)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t ns[21], start, best = UINT64_MAX;
	unsigned int batch, i, drains;

	sys.host_clock = true;
	blk_gate_set_poke(&w.gate, fd);
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	for (batch = 0; batch < 50 && best >= NSEC_PER_MSEC; batch++) {
		for (i = 0; i < 21; i++) {
			pause_and_wait(fd);
			drains = client.drains;
			start = clock_now_ns();
			blk_gate_resume(&w.gate);
			while (client.drains == drains &&
			       clock_now_ns() - start < NSEC_PER_SEC)
				sched_yield();
			ns[i] = clock_now_ns() - start;
		}
		qsort(ns, 21, sizeof(ns[0]), by_value);
		if (ns[10] < best)
			best = ns[10];
	}
	ck_assert_uint_lt(best, NSEC_PER_MSEC);
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	close(fd);
}
END_TEST

/* B6: with the thread; ten of them, so that one hiccup is no failure */
START_TEST(stop_while_parked_is_prompt_b6)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t start, best = UINT64_MAX, ns;
	unsigned int i;

	sys.host_clock = true;
	blk_gate_set_poke(&w.gate, fd);
	for (i = 0; i < 10; i++) {
		ck_assert_int_eq(0, blk_worker_start(&w, &client));
		pause_and_wait(fd);
		start = clock_now_ns();
		ck_assert_ptr_eq(&client, blk_worker_stop(&w));
		ns = clock_now_ns() - start;
		best = ns < best ? ns : best;
		ck_assert(blk_gate_is_parked(&w.gate));
		blk_gate_resume(&w.gate);
	}
	ck_assert_uint_lt(best, 100 * NSEC_PER_MSEC);
	close(fd);
}
END_TEST

/* S64, S67: kicks while parked wait for the resume and need no other */
START_TEST(kick_while_parked_is_served_after_s64_s67)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	unsigned int i, drains;

	sys.host_clock = true;
	blk_gate_set_poke(&w.gate, fd);
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	pause_and_wait(fd);
	drains = client.drains;
	kick(3);
	usleep(20000);
	ck_assert_uint_eq(drains, client.drains);
	ck_assert_uint_eq(0, client.kicks);
	blk_gate_resume(&w.gate);
	for (i = 0; i < 5000 && !client.kicks; i++)
		usleep(1000);
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	ck_assert_uint_eq(3, client.kicks);
	ck_assert_uint_gt(client.drains, drains);
	close(fd);
}
END_TEST

/* S31: nothing to do is one wait, however long; the stop ends it */
START_TEST(idle_waits_without_a_time_out_s31)
{
	sys.host_clock = true;
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	usleep(100000);
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	ck_assert_uint_eq(1, test_sys_count(&sys, CALL_EPOLL_WAIT, -1));
}
END_TEST

START_TEST(host_wait_is_read_and_kept)
{
	uint64_t wait_ns;

	sys.host_clock = true;
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	wait_ns = blk_worker_wait_ns(&w);
	ck_assert_int_eq(0, blk_worker_start(&w, &client));
	ck_assert_uint_ge(blk_worker_wait_ns(&w), wait_ns);
	ck_assert_ptr_eq(&client, blk_worker_stop(&w));
	ck_assert_uint_ge(blk_worker_wait_ns(&w), wait_ns);
}
END_TEST

#define NR(table) (sizeof(table) / sizeof((table)[0]))

static TCase *start_case(void)
{
	TCase *tc = tcase_create("start");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, placement_comes_first_s24);
	tcase_add_test(tc, one_cpu_wins_over_a_mask_s24);
	tcase_add_test(tc, neither_is_inherited_s24);
	tcase_add_test(tc, failed_placement_is_logged_and_serves_s25);
	tcase_add_test(tc, parked_until_it_runs_s26_s27);
	tcase_add_test(tc, descriptors_as_promised_s28_s29);
	tcase_add_loop_test(tc, a_dead_worker_is_never_silent_s30_s32_b2, 0,
			    NR(start_failures));
	return tc;
}

static TCase *loop_case(void)
{
	TCase *tc = tcase_create("loop");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup_step, teardown);
	tcase_add_loop_test(tc, stop_wins_s33_b9, 0, NR(stop_batches));
	tcase_add_test(tc, stop_is_obeyed_while_blocked_s35);
	tcase_add_test(tc, many_kicks_one_read_one_drain_s36);
	tcase_add_test(tc, a_poke_is_no_guest_kick_l9);
	tcase_add_test(tc, kick_counter_errors_s37);
	tcase_add_test(tc, timer_pass_reads_the_kicks_s37);
	tcase_add_test(tc, kick_while_blocked_s38_s39_s43);
	tcase_add_loop_test(tc, kick_and_timer_while_blocked_s40, 0, 2);
	tcase_add_loop_test(tc, timer_drains_whatever_its_read_says_s41_s42, 0,
			    NR(timer_reads));
	tcase_add_test(tc, the_blocked_flag_s43);
	tcase_add_loop_test(tc, timer_is_absolute_and_capped_s44_s45_s46, 0,
			    NR(arm_cases));
	tcase_add_test(tc, a_long_refill_is_looked_at_every_second_s46_s47);
	tcase_add_test(tc, a_re_stall_re_arms_s48);
	tcase_add_test(tc, stalled_0_then_done_s49);
	tcase_add_test(tc, stalled_0_twice_s50);
	tcase_add_test(tc, arming_fails_later_kicks_drain_b3);
	tcase_add_test(tc, new_limits_look_while_blocked_and_re_arm_l6);
	tcase_add_test(tc, timer_lateness_is_told_l9);
	tcase_add_test(tc, a_broken_ring_ends_the_worker);
	tcase_add_test(tc, an_empty_or_unknown_batch_does_nothing_s18);
	return tc;
}

static TCase *pause_case(void)
{
	TCase *tc = tcase_create("pause");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup_step, teardown);
	tcase_add_test(tc, pause_parks_once_and_pokes_s58_s59_s70);
	tcase_add_loop_test(tc, parks_without_anybody_to_poke_s61_s62_s63, 0,
			    3);
	tcase_add_test(tc, a_spurious_wake_keeps_it_parked_s65);
	tcase_add_test(tc, pause_right_after_resume_parks_again_s71);
	tcase_add_test(tc, pause_taken_back_early_parks_nobody_b1);
	tcase_add_test(tc, stop_ends_a_park_b6);
	tcase_add_test(tc, resume_looks_once_kick_or_not_b10);
	tcase_add_loop_test(tc, a_blocked_chain_survives_a_pause_s67_s68_b10,
			    0, 3);
	tcase_add_test(tc,
		       a_completion_to_come_arms_the_timer_and_takes_kicks_l7);
	tcase_add_test(tc,
		       a_fired_timer_is_armed_again_for_the_same_moment_l7);
	tcase_add_test(tc, a_pause_puts_off_the_next_completion_s69_l7);
	tcase_add_test(tc, arming_fails_completions_are_polled_b3_l7);
	return tc;
}

static TCase *thread_case(void)
{
	TCase *tc = tcase_create("thread");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, eintr_restarts_s32);
	tcase_add_test(tc, idle_waits_without_a_time_out_s31);
	tcase_add_test(tc, state_comes_back_and_goes_again_s34);
	tcase_add_test(tc, stop_drains_the_event_counters_c9);
	tcase_add_test(tc, stop_does_not_wait_for_the_timer_s35);
	tcase_add_test(tc, a_broken_ring_is_told_and_passes_freezes_b2);
	tcase_add_test(tc,
		       a_pause_from_before_the_start_parks_before_serving_s26);
	tcase_add_test(tc, a_restart_while_frozen_parks_again_s26_b6);
	tcase_add_test(tc, stress_of_pause_and_resume_s60_s64_s71);
	tcase_add_test(tc, resume_takes_less_than_1_ms_s65);
	tcase_add_test(tc, stop_while_parked_is_prompt_b6);
	tcase_add_test(tc, kick_while_parked_is_served_after_s64_s67);
	tcase_add_test(tc, host_wait_is_read_and_kept);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("blk_worker");

	suite_add_tcase(suite, start_case());
	suite_add_tcase(suite, loop_case());
	suite_add_tcase(suite, pause_case());
	suite_add_tcase(suite, thread_case());
	return test_run(suite);
}
