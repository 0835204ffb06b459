/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio over MMIO, version 2 (virtio 1.4, 4.2): a page of registers in front
 * of virtio_core.
 */
#ifndef KTSTR_VMM_VIRTIO_MMIO_H
#define KTSTR_VMM_VIRTIO_MMIO_H

#include <stdint.h>

#include "vmm/virtio_core.h"

#define VIRTIO_MMIO_BYTES 0x1000
#ifndef VIRTIO_MMIO_QUEUE_NOTIFY /* <linux/virtio_mmio.h> */
#define VIRTIO_MMIO_QUEUE_NOTIFY 0x050
#endif

struct virtio_mmio;

/**
 * virtio_mmio_new() - a transport in front of @dev
 * @ops: borrowed, lives as long as the transport
 * @dev: handed to every op
 * @irq_fd: eventfd, borrowed: written to fire (irqfd in a VM)
 * @t: result, for virtio_mmio_free()
 *
 * Return: 0 and *@t, or -errno; -EINVAL when @ops has too many queues.
 */
int virtio_mmio_new(const struct virtio_dev_ops *ops, void *dev, int irq_fd,
		    struct virtio_mmio **t);

/** virtio_mmio_free() - after the device is quiet; NULL is fine */
void virtio_mmio_free(struct virtio_mmio *t);

/** virtio_mmio_irq() - what the device calls; lives as long as @t. */
struct virtio_irq *virtio_mmio_irq(struct virtio_mmio *t);

/**
 * virtio_mmio_read() - a guest read of @len bytes at @off; vCPU thread
 * @data: always filled, with zeroes for what is refused
 */
void virtio_mmio_read(struct virtio_mmio *t, uint64_t off, void *data,
		      uint32_t len);

/**
 * virtio_mmio_write() - a guest write; vCPU thread
 *
 * Blocks for the device's reset, which may join a worker, and its activate.
 * QUEUE_NOTIFY normally goes by ioeventfd; one that comes here is passed on.
 */
void virtio_mmio_write(struct virtio_mmio *t, uint64_t off, const void *data,
		       uint32_t len);

/** virtio_mmio_stats_read() - any thread, without a lock */
void virtio_mmio_stats_read(const struct virtio_mmio *t,
			    struct virtio_stats *st);

#endif
