// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/vm_loop.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 16

int loop_init(struct loop *l)
{
	*l = (struct loop){ 0 };
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -errno : 0;
}

void loop_fini(struct loop *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
}

static struct loop_fd *find(struct loop *l, int fd)
{
	unsigned int i;

	for (i = 0; i < LOOP_MAX_FDS; i++)
		if (l->fds[i].fn && l->fds[i].fd == fd)
			return &l->fds[i];
	return NULL;
}

static struct loop_fd *find_free(struct loop *l)
{
	unsigned int i;

	for (i = 0; i < LOOP_MAX_FDS; i++)
		if (!l->fds[i].fn)
			return &l->fds[i];
	return NULL;
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *ctx)
{
	struct loop_fd *s = find_free(l);
	struct epoll_event ev = { .events = events };

	if (find(l, fd))
		return -EEXIST;
	if (!s)
		return -ENOSPC;
	ev.data.u64 = (uint64_t)(s->generation + 1) << 32 | (s - l->fds);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	s->generation++;
	s->fd = fd;
	s->fn = fn;
	s->ctx = ctx;
	return 0;
}

void loop_del(struct loop *l, int fd)
{
	struct loop_fd *s = find(l, fd);

	if (!s)
		return;
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	s->fn = NULL;
}

int loop_once(struct loop *l, int timeout_ms)
{
	struct epoll_event ev[BATCH];
	int i, n;

	n = epoll_wait(l->epoll_fd, ev, BATCH, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++) {
		struct loop_fd *s = &l->fds[(uint32_t)ev[i].data.u64];

		/* An earlier callback of this batch may have removed it. */
		if (s->fn && s->generation == ev[i].data.u64 >> 32)
			s->fn(s->ctx, ev[i].events);
	}
	return 0;
}
