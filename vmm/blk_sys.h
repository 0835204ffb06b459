/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the disk's worker asks of its host, as a table: the real one is
 * blk_sys_host, tests hand in a clock they turn themselves and calls that fail.
 */
#ifndef KTSTR_VMM_BLK_SYS_H
#define KTSTR_VMM_BLK_SYS_H

#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>

/*
 * All but now_ns return 0 (or an fd, or a count) or -errno. One clock for
 * everything: CLOCK_MONOTONIC (S56).
 */
struct blk_sys {
	uint64_t (*now_ns)(void *ctx);
	int (*place)(void *ctx, const cpu_set_t *cpus);
	int (*epoll_open)(void *ctx);
	int (*epoll_add)(void *ctx, int epoll_fd, int fd,
			 struct epoll_event *event);
	/* blocks without a time-out; returns the number of events */
	int (*epoll_wait)(void *ctx, int epoll_fd, struct epoll_event *events,
			  int max);
	/* a one-shot timerfd, non-blocking, close-on-exec */
	int (*timer_open)(void *ctx);
	int (*timer_arm)(void *ctx, int timer_fd, uint64_t at_ns);
	/* one 8-byte read of an eventfd or timerfd */
	int (*counter_read)(void *ctx, int fd, uint64_t *value);
	/* blocks until either is readable; 1 if @stop_fd is */
	int (*park)(void *ctx, int stop_fd, int resume_fd);
};

extern const struct blk_sys blk_sys_host;

#endif
