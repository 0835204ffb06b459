/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine's virtio devices: a transport in front of each, with its kicks
 * and interrupts wired to KVM so that neither needs an exit where it can be.
 */
#ifndef KTSTR_VMM_VIRTIO_SLOTS_H
#define KTSTR_VMM_VIRTIO_SLOTS_H

#include "lib/errmsg.h"
#include "vmm/msi_routes.h"
#include "vmm/pci.h"
#include "vmm/virtio_mmio.h"
#include "vmm/virtio_pci.h"
#include "vmm/vmm.h"

#define VIRTIO_MAX_SLOTS (1 + VM_MAX_DISKS)

struct virtio_slots;

/* One device, the first number 0. */
struct virtio_slot {
	struct virtio_slots *all;
	unsigned int number;
	const struct virtio_dev_ops *ops;
	void *dev;
	struct virtio_mmio *mmio;	/* owned; one of the two */
	struct virtio_pci *pci;		/* owned */
	int irq_fds[VIRTIO_PCI_VECTORS]; /* owned; mmio has the first only */
	unsigned int nr_irq_fds;
};

struct virtio_slots {
	enum vm_transport transport;
	int vm_fd;			/* borrowed */
	struct pci_bus bus;		/* with PCI */
	struct msi_routes routes;	/* likewise */
	struct virtio_slot slots[VIRTIO_MAX_SLOTS];
	unsigned int nr;
};

/**
 * virtio_slots_init() - no device yet
 *
 * On failure, here and below, virtio_slots_fini() must still be called.
 *
 * Return: 0 or -errno.
 */
int virtio_slots_init(struct virtio_slots *s, enum vm_transport transport,
		      int vm_fd, const struct errmsg *e);
/** virtio_slots_fini() - after the devices are freed, which hold the irqs */
void virtio_slots_fini(struct virtio_slots *s);

/**
 * virtio_slots_add() - put a transport in front of @dev, in the next slot
 * @irq: for the device; lives as long as @s
 *
 * Return: 0 or -errno.
 */
int virtio_slots_add(struct virtio_slots *s, const struct virtio_dev_ops *ops,
		     void *dev, struct virtio_irq **irq,
		     const struct errmsg *e);

/**
 * virtio_slots_mmio() - an access outside RAM; vCPU thread
 *
 * Return: false: none of the devices is there, and nothing was done.
 */
bool virtio_slots_mmio(struct virtio_slots *s, uint64_t gpa, void *data,
		       uint32_t len, bool is_write);

/**
 * virtio_slots_port() - an access to a port; vCPU thread
 *
 * Return: false: as above.
 */
bool virtio_slots_port(struct virtio_slots *s, uint16_t port, void *data,
		       uint32_t size, bool is_write);

#endif
