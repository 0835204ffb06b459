// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's accesses to ports and memory, before a bus with one virtio-pci
 * function whose device raises interrupts; with resets and BARs that move.
 */
#include "vmm/fuzz/fuzz.h"

#include "vmm/fuzz/fuzz_dev.h"
#include "vmm/layout.h"
#include "vmm/virtio_pci.h"

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NR_VECTORS (1 + NR_QUEUES)
#define SLOT 1

static struct fuzz_dev device;

static struct machine {
	bool routed[NR_VECTORS];
	uint64_t bound[NR_QUEUES];
	int bind_err, route_err;
	unsigned int fired;
} machine;

static struct pci_bus bus;

static int host_route(void *ctx, unsigned int v, uint64_t address,
		      uint32_t data)
{
	must(v < NR_VECTORS);
	machine.routed[v] |= !machine.route_err;
	return machine.route_err;
}

static int host_fire(void *ctx, unsigned int v)
{
	must(v < NR_VECTORS);
	must(machine.routed[v]);
	machine.fired++;
	return 0;
}

static int host_bind(void *ctx, unsigned int q, uint64_t gpa, bool bind)
{
	must(q < NR_QUEUES);
	must(gpa >= LAYOUT_PCI_MEMORY &&
	     gpa < LAYOUT_PCI_MEMORY + LAYOUT_PCI_MEMORY_BYTES);
	must(bind ? !machine.bound[q] : machine.bound[q] == gpa);
	if (bind && machine.bind_err)
		return machine.bind_err;
	machine.bound[q] = bind ? gpa : 0;
	return 0;
}

static const struct virtio_pci_host host = {
	.msix = { host_route, host_fire },
	.bind_kick = host_bind,
};

static uint32_t status_of(struct virtio_pci *t)
{
	uint8_t v;

	virtio_pci_func_ops.bar_read(t, VIRTIO_PCI_COMMON_STATUS, &v, 1);
	return v & STATUS_ALL;
}

/* What must hold after every access. */
static void check(struct virtio_pci *t, uint32_t was)
{
	const uint64_t bar = virtio_pci_func_ops.bar_gpa(t);
	const uint32_t status = status_of(t);
	unsigned int q;

	must(!status || !(was & ~status)); /* bits go by a reset only */
	must(!(was & STATUS_FAILED) || !status || status == was);
	must(device.active == ((status & STATUS_LIVE) == STATUS_LIVE));
	for (q = 0; q < NR_QUEUES; q++)
		must(!machine.bound[q] ||
		     (status == STATUS_LIVE && bar &&
		      machine.bound[q] == bar + VIRTIO_PCI_NOTIFY +
					 q * VIRTIO_PCI_NOTIFY_STEP));
}

static void bar_write(struct virtio_pci *t, uint64_t off, uint32_t v,
		      uint32_t len)
{
	virtio_pci_func_ops.bar_write(t, off, &v, len);
}

/* A driver that knows the way, up to a given step. */
static void go(struct virtio_pci *t, unsigned int steps)
{
	static const struct {
		uint32_t off, value, len;
	} way[] = {
		{ VIRTIO_PCI_COMMON_STATUS, 0, 1 },
		{ VIRTIO_PCI_COMMON_STATUS, 1, 1 },
		{ VIRTIO_PCI_COMMON_STATUS, 3, 1 },
		{ VIRTIO_PCI_COMMON_GFSELECT, 1, 4 },
		{ VIRTIO_PCI_COMMON_GF, 1, 4 },
		{ VIRTIO_PCI_COMMON_STATUS, 11, 1 },
		{ VIRTIO_PCI_COMMON_Q_SELECT, 0, 2 },
		{ VIRTIO_PCI_COMMON_Q_MSIX, 1, 2 },
		{ VIRTIO_PCI_MSIX_TABLE + 16 + 12, 0, 4 },
		{ VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2 },
		{ VIRTIO_PCI_COMMON_STATUS, 15, 1 },
		{ VIRTIO_PCI_NOTIFY, 0, 2 },
	};
	unsigned int i;

	for (i = 0; i < steps && i < sizeof(way) / sizeof(way[0]); i++)
		bar_write(t, way[i].off, way[i].value, way[i].len);
}

/* Somewhere in the BAR, by page: the front of each is where things are. */
static void access_bar(struct virtio_pci *t, struct fuzz_in *in, uint8_t op)
{
	const uint64_t where = fuzz_take(in, op & 4 ? 8 : 2);
	const uint64_t off = op & 4 ? where :
			     (where & 7) << 12 | (where >> 3 & 0x3f);
	const uint32_t len = fuzz_take(in, 1) % 9;
	uint64_t value = fuzz_take(in, op & 8 ? 8 : 1);

	if (op & 1)
		virtio_pci_func_ops.bar_read(t, off, &value, len);
	else
		virtio_pci_func_ops.bar_write(t, off, &value, len);
}

/* As the guest sees it: an address anywhere, the function's BAR or not. */
static void access_memory(struct virtio_pci *t, struct fuzz_in *in, uint8_t op)
{
	const uint64_t bar = virtio_pci_func_ops.bar_gpa(t);
	const uint64_t gpa = (op & 4 ? bar : 0) + fuzz_take(in, 4);
	const uint32_t len = 1 + fuzz_take(in, 1) % 8;
	uint64_t value = fuzz_take(in, 1);

	pci_bus_mmio(&bus, gpa, &value, len, op & 1);
}

static void access_port(struct fuzz_in *in, uint8_t op)
{
	static const uint32_t sizes[] = { 1, 2, 4, 4 };
	uint32_t value = fuzz_take(in, 4);

	if (op & 4) /* most addresses mean the function */
		value = 1U << 31 | SLOT << 11 | (value & 0xff);
	pci_bus_port(&bus, op >> 3 & 7, &value, sizes[op & 3], op & 0x40);
}

static void config_write(struct fuzz_in *in, uint8_t op)
{
	static const uint8_t offs[] = { PCI_COMMAND, PCI_BASE_ADDRESS_0,
					PCI_STD_HEADER_SIZEOF, 0 };
	const uint8_t reg = op & 4 ? offs[op & 3] : fuzz_take(in, 1) & ~3U;
	uint32_t value = 1U << 31 | SLOT << 11 | reg;

	pci_bus_port(&bus, 0, &value, 4, true);
	value = fuzz_take(in, 4);
	pci_bus_port(&bus, 4, &value, 4, op & 8 ? false : true);
}

static void event(struct virtio_irq *irq, uint8_t op)
{
	switch (op & 7) {
	case 0:
		irq->used(irq, op >> 3 & 1);
		break;
	case 1:
		irq->needs_reset(irq);
		break;
	case 2:
		irq->config_changed(irq);
		break;
	case 3:
		device.activate_err = op & 8 ? -EIO : 0;
		break;
	case 4:
		machine.bind_err = op & 8 ? -ENOSPC : 0;
		break;
	default:
		machine.route_err = op & 8 ? -ENOMEM : 0;
	}
}

void fuzz_pci(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct virtio_pci *t;

	machine = (struct machine){ 0 };
	device = (struct fuzz_dev){
		.config_bytes = 0x1000,
		.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	must(device.kick_fd >= 0);
	must(!virtio_pci_new(&fuzz_dev_ops, &device, &host, &machine,
			     LAYOUT_PCI_MEMORY, &t));
	pci_bus_init(&bus);
	pci_bus_add(&bus, SLOT, &virtio_pci_func_ops, t);
	while (in.len) {
		const uint8_t op = fuzz_take(&in, 1);
		const uint32_t was = status_of(t);

		if (op < 0x60)
			access_bar(t, &in, op);
		else if (op < 0x80)
			access_memory(t, &in, op);
		else if (op < 0xa0)
			access_port(&in, fuzz_take(&in, 1));
		else if (op < 0xd0)
			config_write(&in, op);
		else if (op < 0xe0)
			go(t, op % 16);
		else
			event(virtio_pci_irq(t), op);
		/* a driver that starts over resets first */
		check(t, op >= 0xd0 && op < 0xe0 ? 0 : was);
	}
	virtio_pci_free(t);
	close(device.kick_fd);
}
