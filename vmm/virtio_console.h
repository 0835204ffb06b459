/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio console device with one named multiport port: the agent's byte
 * stream. Served on the VMM's main loop, by eventfd; the callbacks run there.
 *
 * The transport activates and resets it on vCPU threads, so a lock guards all
 * of it; callbacks run without that lock and may call virtio_console_send().
 */
#ifndef KTSTR_VMM_VIRTIO_CONSOLE_H
#define KTSTR_VMM_VIRTIO_CONSOLE_H

#include "vmm/virtio_dev.h"

#define VIRTIO_CONSOLE_NAME_MAX 63	/* bytes of the port's name */
#define VIRTIO_CONSOLE_PENDING_MAX (1u << 20) /* bytes waiting for the guest */

struct virtio_console;

/* May be NULL each. */
struct virtio_console_ops {
	/* bytes from the guest, in order, while the port is open; a copy */
	void (*data)(void *ctx, const void *data, size_t len);
	/* the guest opened or closed the port; a device reset closes it */
	void (*open)(void *ctx, bool open);
};

extern const struct virtio_dev_ops virtio_console_dev_ops;

/* What the guest did wrong, or what had to be dropped. */
struct virtio_console_stats {
	uint64_t rx_bytes;	/* guest to host, handed to ops->data */
	uint64_t tx_bytes;	/* host to guest, put into its buffers */
	uint64_t rx_dropped;	/* bytes from the guest, port not open */
	uint64_t tx_dropped;	/* bytes still waiting at a close or reset */
	uint64_t bad_chains;	/* malformed, empty, too long, wrong port */
	uint64_t bad_control;	/* no such message, port, or not now */
	uint64_t dropped_control; /* to the guest: its buffer was too small */
	uint64_t broken;	/* rings found broken: NEEDS_RESET */
};

/**
 * virtio_console_new()
 * @mem: borrowed
 * @name: of the port, 1..VIRTIO_CONSOLE_NAME_MAX bytes, copied
 * @ops: borrowed
 * @ctx: handed to the callbacks
 * @c: result, for virtio_console_free()
 *
 * Return: 0 and *@c, or -errno; -EINVAL for the name.
 */
int virtio_console_new(const struct guest_mem *mem, const char *name,
		       const struct virtio_console_ops *ops, void *ctx,
		       struct virtio_console **c);

/** virtio_console_free() - when no vCPU runs; no callback. NULL is fine. */
void virtio_console_free(struct virtio_console *c);

/** virtio_console_set_irq() - before the guest runs */
void virtio_console_set_irq(struct virtio_console *c, struct virtio_irq *irq);

/** virtio_console_poll_fd() - readable when virtio_console_serve() has work */
int virtio_console_poll_fd(struct virtio_console *c);

/**
 * virtio_console_serve() - drain all queues; main loop's thread
 *
 * Bounded, by chains and by bytes: if the guest is not done, the poll fd is
 * readable again. What one queue can hold is always taken in one call, unless
 * it is more than 16 MiB.
 */
void virtio_console_serve(struct virtio_console *c);

/**
 * virtio_console_send() - queue bytes for the guest; main loop's thread
 *
 * They wait here until the guest has the port open. All or nothing.
 *
 * Return: 0, or -ENOBUFS when more than 1 MiB would be waiting.
 */
int virtio_console_send(struct virtio_console *c, const void *data, size_t len);

/** virtio_console_stats_read() - any thread, without a lock */
void virtio_console_stats_read(const struct virtio_console *c,
			       struct virtio_console_stats *st);

#endif
