/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Console bytes on their way from the vCPU threads to the main loop: bounded,
 * with an eventfd that says "not empty".
 */
#ifndef KTSTR_VMM_CONSOLE_BUF_H
#define KTSTR_VMM_CONSOLE_BUF_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_BUF_BYTES (256 << 10)

struct console_buf {
	pthread_mutex_t lock;	/* for all below but @fd */
	char *buf;		/* owned, CONSOLE_BUF_BYTES */
	char *spare;		/* owned: swapped with @buf by a drain */
	size_t len;
	uint64_t dropped;	/* bytes that found no room */
	int fd;			/* owned */
};

/** console_buf_init() - Return: 0 or -errno */
int console_buf_init(struct console_buf *c);
void console_buf_fini(struct console_buf *c);

/** console_buf_put() - one byte; any thread; never blocks for the reader */
void console_buf_put(struct console_buf *c, char byte);

/**
 * console_buf_drain() - hand what is there to @fn, outside the lock
 *
 * One reader at a time.
 */
void console_buf_drain(struct console_buf *c,
		       void (*fn)(void *ctx, const char *data, size_t len),
		       void *ctx);

#endif
