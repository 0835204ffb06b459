/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between a virtio device (blk, console) and its transport (mmio or pci):
 * the transport owns registers, features, status and queue set-up; the device
 * owns what the queues mean.
 *
 * Threads: the transport calls the device on the vCPU thread that wrote the
 * register, under the transport's lock, except that kicks arrive by eventfd.
 */
#ifndef KTSTR_VMM_VIRTIO_DEV_H
#define KTSTR_VMM_VIRTIO_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/guest_mem.h"

#define VIRTIO_QUEUE_MAX 256 /* entries; ours for every queue */
#define VIRTIO_MAX_QUEUES 8

/* What the driver wrote for one queue; hostile until checked. */
struct virtio_queue_setup {
	uint16_t size;
	bool ready;
	uint64_t desc_gpa, avail_gpa, used_gpa;
};

/*
 * The device's way back to its transport. Both functions may be called from
 * any thread, also while the transport holds its lock: they do not take it.
 */
struct virtio_irq {
	/* set the interrupt-status used-buffer bit, then fire (C6) */
	void (*used)(struct virtio_irq *irq, unsigned int queue);
	/* set DEVICE_NEEDS_RESET, the config-change bit, then fire */
	void (*needs_reset)(struct virtio_irq *irq);
	/* config space changed: bump the generation, config-change, fire */
	void (*config_changed)(struct virtio_irq *irq);
};

struct virtio_dev_ops {
	uint32_t device_id;	/* virtio 1.4 section 5: 2 blk, 3 console */
	unsigned int nr_queues;
	/* features offered, bits 0..63; VERSION_1 always among them */
	uint64_t (*features)(void *dev);
	/* any width and alignment the driver used; the device checks bounds,
	 * reads past the end give zeroes, writes past it are ignored */
	void (*config_read)(void *dev, uint32_t off, void *data, size_t len);
	void (*config_write)(void *dev, uint32_t off, const void *data,
			     size_t len);
	/*
	 * DRIVER_OK was set: take the queues and start serving. @features are
	 * the acknowledged ones, a subset of the offered. A ring that is bad
	 * (section 9, R) is the device's to refuse, by irq->needs_reset().
	 * Return: 0 or -errno of the host; the transport then sets NEEDS_RESET.
	 */
	int (*activate)(void *dev, uint64_t features,
			const struct virtio_queue_setup *queues,
			unsigned int nr);
	/* status 0 was written: quiet, nothing in flight, when it returns (C9) */
	void (*reset)(void *dev);
	/* eventfd of queue @q, for KVM_IOEVENTFD; owned by the device */
	int (*kick_fd)(void *dev, unsigned int q);
};

#endif
