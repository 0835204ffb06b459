/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests: struct blk_sys with a clock that the test turns and calls that it
 * makes fail; everything else is the host's.
 */
#ifndef KTSTR_VMM_BLK_TEST_SYS_H
#define KTSTR_VMM_BLK_TEST_SYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "vmm/blk_sys.h"

enum test_call {
	CALL_PLACE = 1,
	CALL_EPOLL_OPEN,
	CALL_EPOLL_ADD,
	CALL_EPOLL_WAIT,
	CALL_TIMER_OPEN,
	CALL_TIMER_ARM,
	CALL_COUNTER_READ,
	CALL_PARK,
};

#define TEST_CALLS_MAX 64

struct test_sys {
	bool host_clock;
	uint64_t now_ns;	/* unless host_clock */
	uint64_t tick_ns;	/* each look at the clock moves it on */
	uint64_t armed_at_ns;	/* last timer_arm() */
	unsigned int arms;
	/* the calls made, in order; the first TEST_CALLS_MAX of them */
	enum test_call calls[TEST_CALLS_MAX];
	int fds[TEST_CALLS_MAX]; /* of counter_read */
	unsigned int nr_calls;
	/* fail call @fail, from the @fail_skip'th on, @fail_times times */
	enum test_call fail;
	int fail_fd;		/* of counter_read: this one only; -1: any */
	unsigned int fail_skip, fail_times;
	int fail_err;
	cpu_set_t placed;
	/* parks instead of the host, if set; returns as blk_sys park() */
	int (*park)(struct test_sys *t, int stop_fd, int resume_fd);
	void *park_ctx;
	/* called at each look at the clock, if set */
	void (*clock_hook)(void);
	/* called first thing in each call, if set */
	void (*hook)(struct test_sys *t, enum test_call call);
	void *hook_ctx;
};

static inline int test_sys_enter(struct test_sys *t, enum test_call call,
				 int fd)
{
	if (t->hook)
		t->hook(t, call);
	if (t->nr_calls < TEST_CALLS_MAX) {
		t->fds[t->nr_calls] = fd;
		t->calls[t->nr_calls++] = call;
	}
	if (t->fail != call || !t->fail_times)
		return 0;
	if (call == CALL_COUNTER_READ && t->fail_fd >= 0 && t->fail_fd != fd)
		return 0;
	if (t->fail_skip) {
		t->fail_skip--;
		return 0;
	}
	t->fail_times--;
	return -t->fail_err;
}

static inline uint64_t test_now_ns(void *ctx)
{
	struct test_sys *t = ctx;

	if (t->host_clock)
		return blk_sys_host.now_ns(NULL);
	if (t->clock_hook)
		t->clock_hook();
	t->now_ns += t->tick_ns;
	return t->now_ns;
}

static inline int test_place(void *ctx, const cpu_set_t *cpus)
{
	struct test_sys *t = ctx;
	int err = test_sys_enter(t, CALL_PLACE, -1);

	t->placed = *cpus;
	return err;
}

static inline int test_epoll_open(void *ctx)
{
	int err = test_sys_enter(ctx, CALL_EPOLL_OPEN, -1);

	return err ? err : blk_sys_host.epoll_open(NULL);
}

static inline int test_epoll_add(void *ctx, int epoll_fd, int fd,
				 struct epoll_event *event)
{
	int err = test_sys_enter(ctx, CALL_EPOLL_ADD, fd);

	return err ? err : blk_sys_host.epoll_add(NULL, epoll_fd, fd, event);
}

static inline int test_epoll_wait(void *ctx, int epoll_fd,
				  struct epoll_event *events, int max)
{
	int err = test_sys_enter(ctx, CALL_EPOLL_WAIT, epoll_fd);

	return err ? err : blk_sys_host.epoll_wait(NULL, epoll_fd, events, max);
}

static inline int test_timer_open(void *ctx)
{
	int err = test_sys_enter(ctx, CALL_TIMER_OPEN, -1);

	return err ? err : blk_sys_host.timer_open(NULL);
}

static inline int test_timer_arm(void *ctx, int timer_fd, uint64_t at_ns)
{
	struct test_sys *t = ctx;
	int err = test_sys_enter(t, CALL_TIMER_ARM, timer_fd);

	t->arms++;
	t->armed_at_ns = at_ns;
	if (err || !t->host_clock)
		return err;
	return blk_sys_host.timer_arm(NULL, timer_fd, at_ns);
}

static inline int test_counter_read(void *ctx, int fd, uint64_t *value)
{
	int err = test_sys_enter(ctx, CALL_COUNTER_READ, fd);

	return err ? err : blk_sys_host.counter_read(NULL, fd, value);
}

static inline int test_park(void *ctx, int stop_fd, int resume_fd)
{
	struct test_sys *t = ctx;
	int err = test_sys_enter(t, CALL_PARK, stop_fd);

	if (err)
		return err;
	if (t->park)
		return t->park(t, stop_fd, resume_fd);
	return blk_sys_host.park(NULL, stop_fd, resume_fd);
}

static const struct blk_sys test_sys_ops = {
	.now_ns = test_now_ns,
	.place = test_place,
	.epoll_open = test_epoll_open,
	.epoll_add = test_epoll_add,
	.epoll_wait = test_epoll_wait,
	.timer_open = test_timer_open,
	.timer_arm = test_timer_arm,
	.counter_read = test_counter_read,
	.park = test_park,
};

static inline unsigned int test_sys_count(const struct test_sys *t,
					  enum test_call call, int fd)
{
	unsigned int i, n = 0;

	for (i = 0; i < t->nr_calls; i++)
		n += t->calls[i] == call && (fd < 0 || t->fds[i] == fd);
	return n;
}

/* A log sink that counts lines; install with log_set_sink(). */
static inline void test_log_count(void *ctx, enum log_level level,
				  const char *line)
{
	_Atomic unsigned int *lines = ctx;

	atomic_fetch_add(lines, 1);
}

#endif
