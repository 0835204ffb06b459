// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_sys.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/clock.h"

static int or_errno(int ret)
{
	return ret < 0 ? -errno : ret;
}

static uint64_t host_now_ns(void *ctx)
{
	return clock_now_ns();
}

static int host_place(void *ctx, const cpu_set_t *cpus)
{
	return -pthread_setaffinity_np(pthread_self(), sizeof(*cpus), cpus);
}

static int host_epoll_open(void *ctx)
{
	return or_errno(epoll_create1(EPOLL_CLOEXEC));
}

static int host_epoll_add(void *ctx, int epoll_fd, int fd,
			  struct epoll_event *event)
{
	return or_errno(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, event));
}

static int host_epoll_wait(void *ctx, int epoll_fd, struct epoll_event *events,
			   int max)
{
	return or_errno(epoll_wait(epoll_fd, events, max, -1));
}

static int host_timer_open(void *ctx)
{
	return or_errno(timerfd_create(CLOCK_MONOTONIC,
				       TFD_NONBLOCK | TFD_CLOEXEC));
}

static int host_timer_arm(void *ctx, int timer_fd, uint64_t at_ns)
{
	const struct itimerspec at = { .it_value = clock_to_timespec(at_ns) };

	return or_errno(timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at,
					NULL));
}

static int host_counter_read(void *ctx, int fd, uint64_t *value)
{
	uint64_t v;
	ssize_t n = read(fd, &v, sizeof(v));

	if (n < 0)
		return -errno;
	if (n != sizeof(v))
		return -EIO;
	*value = v;
	return 0;
}

static int host_park(void *ctx, int stop_fd, int resume_fd)
{
	struct pollfd fds[] = {
		{ .fd = stop_fd, .events = POLLIN },
		{ .fd = resume_fd, .events = POLLIN },
	};

	if (poll(fds, 2, -1) < 0)
		return -errno;
	return fds[0].revents != 0;
}

const struct blk_sys blk_sys_host = {
	.now_ns = host_now_ns,
	.place = host_place,
	.epoll_open = host_epoll_open,
	.epoll_add = host_epoll_add,
	.epoll_wait = host_epoll_wait,
	.timer_open = host_timer_open,
	.timer_arm = host_timer_arm,
	.counter_read = host_counter_read,
	.park = host_park,
};
