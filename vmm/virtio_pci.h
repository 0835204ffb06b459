/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio over PCI, modern (virtio 1.4, 4.1): a function with one BAR and MSI-X
 * in front of virtio_core. It has no interrupt pin: a driver without MSI-X
 * polls.
 */
#ifndef KTSTR_VMM_VIRTIO_PCI_H
#define KTSTR_VMM_VIRTIO_PCI_H

#include <stdint.h>

#include "vmm/msix.h"
#include "vmm/pci.h"
#include "vmm/virtio_core.h"

#define VIRTIO_PCI_BAR_BYTES 0x8000
/* In the BAR: a page each. */
#define VIRTIO_PCI_COMMON 0x0000
#define VIRTIO_PCI_ISR_REG 0x1000
#define VIRTIO_PCI_DEVICE 0x2000
#define VIRTIO_PCI_NOTIFY 0x3000
#define VIRTIO_PCI_MSIX_TABLE 0x4000
#define VIRTIO_PCI_MSIX_PBA 0x5000
#define VIRTIO_PCI_NOTIFY_STEP 4 /* from queue to queue */

/* One for config changes, one for each queue. */
#define VIRTIO_PCI_VECTORS (1 + VIRTIO_MAX_QUEUES)

struct virtio_pci;

/* What the machine does for a function. */
struct virtio_pci_host {
	struct msix_ops msix;
	/*
	 * Have writes at @gpa, of any width and value, kick queue @q without
	 * an exit, or no longer. Under the core's lock. Return: 0 or -errno.
	 */
	int (*bind_kick)(void *ctx, unsigned int q, uint64_t gpa, bool bind);
};

/**
 * virtio_pci_new() - a function in front of @dev
 * @ops: borrowed, lives as long as the transport
 * @dev: handed to every op
 * @host: borrowed, likewise; @ctx: handed to all it calls
 * @bar_gpa: where the BAR is at first, a multiple of its size
 * @t: result, for virtio_pci_free()
 *
 * Return: 0 and *@t, or -errno; -EINVAL when @ops has too many queues.
 */
int virtio_pci_new(const struct virtio_dev_ops *ops, void *dev,
		   const struct virtio_pci_host *host, void *ctx,
		   uint32_t bar_gpa, struct virtio_pci **t);

/** virtio_pci_free() - after the device is quiet; NULL is fine */
void virtio_pci_free(struct virtio_pci *t);

/** virtio_pci_irq() - what the device calls; lives as long as @t. */
struct virtio_irq *virtio_pci_irq(struct virtio_pci *t);

/** virtio_pci_stats_read() - any thread, without a lock */
void virtio_pci_stats_read(const struct virtio_pci *t,
			   struct virtio_stats *st);

/* For pci_bus_add(), with the struct virtio_pci. */
extern const struct pci_func_ops virtio_pci_func_ops;

#endif
