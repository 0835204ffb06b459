// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/console_buf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int console_buf_init(struct console_buf *c)
{
	*c = (struct console_buf){ .fd = -1 };
	pthread_mutex_init(&c->lock, NULL);
	c->buf = malloc(CONSOLE_BUF_BYTES);
	c->spare = malloc(CONSOLE_BUF_BYTES);
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->buf && c->spare && c->fd >= 0)
		return 0;
	return c->fd < 0 ? -errno : -ENOMEM;
}

void console_buf_fini(struct console_buf *c)
{
	free(c->buf);
	free(c->spare);
	c->buf = NULL;
	c->spare = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	pthread_mutex_destroy(&c->lock);
}

void console_buf_put(struct console_buf *c, char byte)
{
	bool was_empty;

	pthread_mutex_lock(&c->lock);
	was_empty = !c->len;
	if (c->len < CONSOLE_BUF_BYTES)
		c->buf[c->len++] = byte;
	else
		c->dropped++;
	pthread_mutex_unlock(&c->lock);
	/* One wake-up per batch; only fails when one is already due. */
	if (was_empty)
		(void)eventfd_write(c->fd, 1);
}

void console_buf_drain(struct console_buf *c,
		       void (*fn)(void *ctx, const char *data, size_t len),
		       void *ctx)
{
	eventfd_t n;
	char *data;
	size_t len;

	(void)eventfd_read(c->fd, &n);
	pthread_mutex_lock(&c->lock);
	data = c->buf;
	len = c->len;
	c->buf = c->spare;
	c->spare = data;
	c->len = 0;
	pthread_mutex_unlock(&c->lock);
	if (len && fn)
		fn(ctx, data, len);
}
