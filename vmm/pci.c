// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/pci.h"

#include <assert.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "vmm/layout.h"

#define PORT_DATA 4 /* offset of 0xCFC from 0xCF8 */

/* The address port. Source: PCI Local Bus 3.0, 3.2.2.3.2. */
#define ADDRESS_ENABLE (1U << 31)
#define ADDRESS_SLOT(a) ((a) >> 11 & 0x1f)
#define ADDRESS_REG(a) ((a) & 0xfc)
#define ADDRESS_ELSEWHERE 0x7fff0700U /* another bus, function; reserved */

static void put(struct pci_config *c, uint8_t off, uint32_t v, size_t len)
{
	memcpy(c->data + off, &v, len);
}

static uint32_t get(const struct pci_config *c, uint8_t off, size_t len)
{
	uint32_t v = 0;

	memcpy(&v, c->data + off, len);
	return v;
}

void pci_config_init(struct pci_config *c, const struct pci_id *id)
{
	memset(c, 0, sizeof(*c));
	put(c, PCI_VENDOR_ID, id->vendor, 2);
	put(c, PCI_DEVICE_ID, id->device, 2);
	put(c, PCI_CLASS_REVISION, id->class << 8 | id->revision, 4);
	put(c, PCI_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor, 2);
	put(c, PCI_SUBSYSTEM_ID, id->subsystem, 2);
	c->link = PCI_CAPABILITY_LIST;
	c->end = PCI_STD_HEADER_SIZEOF;
}

void pci_config_allow(struct pci_config *c, uint8_t off, uint32_t mask,
		      size_t len)
{
	memcpy(c->writable + off, &mask, len);
}

void pci_config_set_bar(struct pci_config *c, uint32_t bytes, uint32_t gpa)
{
	c->bar_bytes = bytes;
	put(c, PCI_BASE_ADDRESS_0, gpa, 4);
	put(c, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	pci_config_allow(c, PCI_BASE_ADDRESS_0, -bytes, 4);
	pci_config_allow(c, PCI_COMMAND, PCI_COMMAND_MEMORY |
			 PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE, 2);
	/* a scratch register for whoever programs interrupts */
	pci_config_allow(c, PCI_INTERRUPT_LINE, 0xff, 1);
}

uint8_t pci_config_add_cap(struct pci_config *c, uint8_t id, const void *body,
			   size_t len)
{
	const uint8_t off = c->end;

	assert(off + 2 + len <= PCI_CONFIG_BYTES - 4);
	put(c, c->link, off, 1);
	put(c, off + PCI_CAP_LIST_ID, id, 1);
	memcpy(c->data + off + 2, body, len);
	put(c, PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
	c->link = off + PCI_CAP_LIST_NEXT;
	c->end = (off + 2 + len + 3) & ~3U;
	return off;
}

void pci_config_read(const struct pci_config *c, uint32_t off, void *data,
		     uint32_t len)
{
	memcpy(data, c->data + off, len);
}

void pci_config_write(struct pci_config *c, uint32_t off, const void *data,
		      uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++) {
		const uint8_t mask = c->writable[off + i];
		const uint8_t v = ((const uint8_t *)data)[i];

		c->data[off + i] = (c->data[off + i] & ~mask) | (v & mask);
	}
}

uint64_t pci_config_bar_gpa(const struct pci_config *c)
{
	const uint64_t gpa = get(c, PCI_BASE_ADDRESS_0, 4);

	if (!c->bar_bytes || !(get(c, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
		return 0;
	if (gpa < LAYOUT_PCI_MEMORY || gpa + c->bar_bytes >
	    LAYOUT_PCI_MEMORY + LAYOUT_PCI_MEMORY_BYTES)
		return 0;
	return gpa;
}

static void bridge_read(void *fn, uint32_t off, void *data, uint32_t len)
{
	const struct pci_bus *b = fn;

	pci_config_read(&b->bridge, off, data, len);
}

static void bridge_write(void *fn, uint32_t off, const void *data,
			 uint32_t len)
{
}

static const struct pci_func_ops bridge_ops = {
	.config_read = bridge_read,
	.config_write = bridge_write,
};

void pci_bus_init(struct pci_bus *b)
{
	/*
	 * Linux takes the ports for real when bus 0 has a host bridge. The ids
	 * are those of QEMU's generic bridge: no driver, no quirk.
	 */
	static const struct pci_id id = {
		.vendor = 0x1b36,
		.device = 0x0008,
		.class = 0x060000,
	};

	memset(b, 0, sizeof(*b));
	pci_config_init(&b->bridge, &id);
	b->slots[0].ops = &bridge_ops;
	b->slots[0].fn = b;
}

void pci_bus_add(struct pci_bus *b, unsigned int slot,
		 const struct pci_func_ops *ops, void *fn)
{
	assert(slot < PCI_SLOTS && !b->slots[slot].ops);
	b->slots[slot].ops = ops;
	b->slots[slot].fn = fn;
}

/* Only a whole word is the register; a lesser access is another device's. */
static void address_port(struct pci_bus *b, uint16_t off, void *data,
			 uint32_t size, bool is_write)
{
	uint32_t v;

	if (off || size != sizeof(v)) {
		if (!is_write)
			memset(data, 0xff, size);
	} else if (is_write) {
		memcpy(&v, data, sizeof(v));
		atomic_store_explicit(&b->address, v, memory_order_relaxed);
	} else {
		v = atomic_load_explicit(&b->address, memory_order_relaxed);
		memcpy(data, &v, sizeof(v));
	}
}

static void data_port(struct pci_bus *b, uint16_t off, void *data,
		      uint32_t size, bool is_write)
{
	const uint32_t a = atomic_load_explicit(&b->address,
						memory_order_relaxed);
	const unsigned int slot = ADDRESS_SLOT(a);
	const struct pci_func_ops *ops = b->slots[slot].ops;
	void *fn = b->slots[slot].fn;

	if (!is_write)
		memset(data, 0xff, size);
	if (!(a & ADDRESS_ENABLE) || a & ADDRESS_ELSEWHERE || !ops ||
	    off % size)
		return;
	if (is_write)
		ops->config_write(fn, ADDRESS_REG(a) + off, data, size);
	else
		ops->config_read(fn, ADDRESS_REG(a) + off, data, size);
}

void pci_bus_port(struct pci_bus *b, uint16_t off, void *data, uint32_t size,
		  bool is_write)
{
	if (off < PORT_DATA)
		address_port(b, off, data, size, is_write);
	else
		data_port(b, off - PORT_DATA, data, size, is_write);
}

bool pci_bus_mmio(struct pci_bus *b, uint64_t gpa, void *data, uint32_t len,
		  bool is_write)
{
	unsigned int slot;

	for (slot = 1; slot < PCI_SLOTS; slot++) {
		const struct pci_func_ops *ops = b->slots[slot].ops;
		void *fn = b->slots[slot].fn;
		uint64_t at;

		if (!ops || !ops->bar_bytes)
			continue;
		at = ops->bar_gpa(fn);
		if (!at || gpa < at || gpa - at >= ops->bar_bytes)
			continue;
		if (is_write)
			ops->bar_write(fn, gpa - at, data, len);
		else
			ops->bar_read(fn, gpa - at, data, len);
		return true;
	}
	return false;
}
