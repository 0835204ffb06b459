/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio console device with one multiport port, named KTSTR_PORT_NAME: the
 * agent's byte stream. Served on the VMM's main loop, by eventfd.
 */
#ifndef KTSTR_VMM_VIRTIO_CONSOLE_H
#define KTSTR_VMM_VIRTIO_CONSOLE_H

#include "vmm/virtio_dev.h"

struct virtio_console;

struct virtio_console_ops {
	void (*data)(void *ctx, const void *data, size_t len);
	void (*open)(void *ctx, bool open);
};

extern const struct virtio_dev_ops virtio_console_dev_ops;

/* What the guest did wrong, or what had to be dropped. */
struct virtio_console_stats {
	uint64_t rx_bytes;	/* guest to host */
	uint64_t tx_bytes;	/* host to guest */
	uint64_t bad_chains, bad_control, dropped_control;
};

/**
 * virtio_console_new()
 * @mem: borrowed
 * @name: of the port
 *
 * Return: 0 and *@c, or -errno.
 */
int virtio_console_new(const struct guest_mem *mem, const char *name,
		       const struct virtio_console_ops *ops, void *ctx,
		       struct virtio_console **c);
void virtio_console_free(struct virtio_console *c);

/** virtio_console_set_irq() - before the guest runs */
void virtio_console_set_irq(struct virtio_console *c, struct virtio_irq *irq);

/** virtio_console_poll_fd() - readable when virtio_console_serve() has work */
int virtio_console_poll_fd(struct virtio_console *c);

/** virtio_console_serve() - drain all queues, bounded; main loop's thread */
void virtio_console_serve(struct virtio_console *c);

/** virtio_console_send() - queue bytes for the guest; main loop's thread.
 *
 * Return: 0, or -ENOBUFS when more than 1 MiB would be waiting.
 */
int virtio_console_send(struct virtio_console *c, const void *data, size_t len);

void virtio_console_stats_read(const struct virtio_console *c,
			       struct virtio_console_stats *st);

#endif
