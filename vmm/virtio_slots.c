// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtio_slots.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "vmm/kvm_host.h"
#include "vmm/layout.h"

#define MAX_MSI (VIRTIO_MAX_SLOTS * VIRTIO_PCI_VECTORS)

_Static_assert(LAYOUT_GSI_VIRTIO + VIRTIO_MAX_SLOTS <= LAYOUT_GSIS,
	       "an IOAPIC line per device");
_Static_assert(VIRTIO_MAX_SLOTS < PCI_SLOTS, "and a slot beside the bridge");
_Static_assert(VIRTIO_MAX_SLOTS * VIRTIO_PCI_BAR_BYTES <=
		       LAYOUT_PCI_MEMORY_BYTES, "and room for its BAR");
_Static_assert(VIRTIO_PCI_VECTORS <= MSIX_MAX_VECTORS, "and its vectors");

int virtio_slots_init(struct virtio_slots *s, enum vm_transport transport,
		      int vm_fd, const struct errmsg *e)
{
	int err;

	*s = (struct virtio_slots){ .transport = transport, .vm_fd = vm_fd };
	if (transport != VM_TRANSPORT_PCI)
		return 0;
	pci_bus_init(&s->bus);
	err = msi_routes_init(&s->routes, vm_fd, MAX_MSI);
	return err ? errmsg_errno(e, err, "interrupt routes") : 0;
}

void virtio_slots_fini(struct virtio_slots *s)
{
	unsigned int i, v;

	for (i = 0; i < s->nr; i++) {
		virtio_mmio_free(s->slots[i].mmio);
		virtio_pci_free(s->slots[i].pci);
		for (v = 0; v < s->slots[i].nr_irq_fds; v++)
			close(s->slots[i].irq_fds[v]);
	}
	msi_routes_fini(&s->routes);
}

/* ---------------------------------------------------------------- KVM --- */

/* An eventfd that is the interrupt @gsi, without this process in between. */
static int add_irq_fd(struct virtio_slot *slot, uint32_t gsi)
{
	struct kvm_irqfd irqfd = { .gsi = gsi };
	const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	slot->irq_fds[slot->nr_irq_fds++] = fd;
	irqfd.fd = fd;
	return ioctl(slot->all->vm_fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

static int mmio_bind_kick(const struct virtio_slot *slot, unsigned int q)
{
	struct kvm_ioeventfd io = {
		.addr = LAYOUT_VIRTIO_MMIO +
			slot->number * VIRTIO_MMIO_BYTES +
			VIRTIO_MMIO_QUEUE_NOTIFY,
		.len = 4,
		.datamatch = q,
		.fd = slot->ops->kick_fd(slot->dev, q),
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	return ioctl(slot->all->vm_fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

/* Length 0 is any: KVM need not even look at the instruction. */
static int pci_bind_kick(void *ctx, unsigned int q, uint64_t gpa, bool bind)
{
	const struct virtio_slot *slot = ctx;
	struct kvm_ioeventfd io = {
		.addr = gpa,
		.fd = slot->ops->kick_fd(slot->dev, q),
		.flags = bind ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	return ioctl(slot->all->vm_fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

static unsigned int msi_of(const struct virtio_slot *slot, unsigned int vector)
{
	return slot->number * VIRTIO_PCI_VECTORS + vector;
}

static int pci_route(void *ctx, unsigned int vector, uint64_t address,
		     uint32_t data)
{
	const struct virtio_slot *slot = ctx;

	return msi_routes_set(&slot->all->routes, msi_of(slot, vector),
			      address, data);
}

static int pci_send(void *ctx, unsigned int vector)
{
	const struct virtio_slot *slot = ctx;

	return virtio_core_poke(slot->irq_fds[vector]);
}

static const struct virtio_pci_host pci_host = {
	.msix = { .route = pci_route, .fire = pci_send },
	.bind_kick = pci_bind_kick,
};

/* ------------------------------------------------------------ add ------- */

static int add_mmio(struct virtio_slot *slot, struct virtio_irq **irq,
		    const struct errmsg *e)
{
	unsigned int q;
	int err = add_irq_fd(slot, LAYOUT_GSI_VIRTIO + slot->number);

	if (err)
		return errmsg_errno(e, err, "interrupt of virtio device %u",
				    slot->number);
	err = virtio_mmio_new(slot->ops, slot->dev, slot->irq_fds[0],
			      &slot->mmio);
	if (err)
		return errmsg_errno(e, err, "transport of virtio device %u",
				    slot->number);
	for (q = 0; q < slot->ops->nr_queues; q++) {
		err = mmio_bind_kick(slot, q);
		if (err)
			return errmsg_errno(e, err,
					    "KVM_IOEVENTFD of virtio device %u, queue %u",
					    slot->number, q);
	}
	*irq = virtio_mmio_irq(slot->mmio);
	return 0;
}

static int add_pci(struct virtio_slot *slot, struct virtio_irq **irq,
		   const struct errmsg *e)
{
	unsigned int v;
	int err;

	err = virtio_pci_new(slot->ops, slot->dev, &pci_host, slot,
			     LAYOUT_PCI_MEMORY +
			     slot->number * VIRTIO_PCI_BAR_BYTES, &slot->pci);
	if (err)
		return errmsg_errno(e, err, "transport of virtio device %u",
				    slot->number);
	for (v = 0; v < 1 + slot->ops->nr_queues; v++) {
		err = add_irq_fd(slot, LAYOUT_GSI_MSI + msi_of(slot, v));
		if (err)
			return errmsg_errno(e, err,
					    "interrupt of virtio device %u, vector %u",
					    slot->number, v);
	}
	pci_bus_add(&slot->all->bus, 1 + slot->number, &virtio_pci_func_ops,
		    slot->pci);
	*irq = virtio_pci_irq(slot->pci);
	return 0;
}

int virtio_slots_add(struct virtio_slots *s, const struct virtio_dev_ops *ops,
		     void *dev, struct virtio_irq **irq,
		     const struct errmsg *e)
{
	struct virtio_slot *slot = &s->slots[s->nr];

	*slot = (struct virtio_slot){ .all = s, .number = s->nr, .ops = ops,
				      .dev = dev };
	s->nr++;
	return s->transport == VM_TRANSPORT_PCI ? add_pci(slot, irq, e) :
						  add_mmio(slot, irq, e);
}

/* ------------------------------------------------------------ access ---- */

bool virtio_slots_mmio(struct virtio_slots *s, uint64_t gpa, void *data,
		       uint32_t len, bool is_write)
{
	const uint64_t off = gpa - LAYOUT_VIRTIO_MMIO;
	const uint64_t slot = off / VIRTIO_MMIO_BYTES;

	if (s->transport == VM_TRANSPORT_PCI)
		return pci_bus_mmio(&s->bus, gpa, data, len, is_write);
	if (gpa < LAYOUT_VIRTIO_MMIO || slot >= s->nr)
		return false;
	if (is_write)
		virtio_mmio_write(s->slots[slot].mmio, off % VIRTIO_MMIO_BYTES,
				  data, len);
	else
		virtio_mmio_read(s->slots[slot].mmio, off % VIRTIO_MMIO_BYTES,
				 data, len);
	return true;
}

bool virtio_slots_port(struct virtio_slots *s, uint16_t port, void *data,
		       uint32_t size, bool is_write)
{
	if (s->transport != VM_TRANSPORT_PCI || port < LAYOUT_PORT_PCI ||
	    port - LAYOUT_PORT_PCI >= PCI_PORTS)
		return false;
	pci_bus_port(&s->bus, port - LAYOUT_PORT_PCI, data, size, is_write);
	return true;
}
