/* SPDX-License-Identifier: GPL-2.0-only */
/* The main loop's epoll set: fds with a function each, one thread. */
#ifndef KTSTR_VMM_VM_LOOP_H
#define KTSTR_VMM_VM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_MAX_FDS 64

typedef void (*loop_fn)(void *ctx, uint32_t events);

struct loop_fd {
	int fd;			/* borrowed */
	loop_fn fn;		/* NULL: the slot is free */
	void *ctx;
	uint32_t generation;	/* tells a slot's users apart */
};

/* Belongs to the thread that runs it. */
struct loop {
	int epoll_fd;		/* owned */
	struct loop_fd fds[LOOP_MAX_FDS];
};

/** loop_init() - Return: 0 or -errno */
int loop_init(struct loop *l);
void loop_fini(struct loop *l);

/**
 * loop_add() - watch @fd, level-triggered
 *
 * Return: 0; -ENOSPC LOOP_MAX_FDS are watched; -EEXIST it is; or -errno.
 */
int loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *ctx);

/**
 * loop_del() - forget @fd; it need not be watched
 *
 * Also from within a callback: events of @fd that are already fetched are
 * then not delivered.
 */
void loop_del(struct loop *l, int fd);

/**
 * loop_once() - wait for events and deliver them
 * @timeout_ms: as of epoll_wait
 *
 * Return: 0, also when interrupted; or -errno.
 */
int loop_once(struct loop *l, int timeout_ms);

#endif
