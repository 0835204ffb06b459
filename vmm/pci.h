/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One PCI bus behind a host bridge, reached by the configuration ports (PCI
 * Local Bus 3.0, 3.2.2.3.2), and the configuration space of a function on it.
 */
#ifndef KTSTR_VMM_PCI_H
#define KTSTR_VMM_PCI_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_CONFIG_BYTES 256
#define PCI_SLOTS 32
#define PCI_PORTS 8 /* from LAYOUT_PORT_PCI */

struct pci_id {
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint32_t class;		/* class, subclass, interface */
	uint8_t revision;
};

/* Configuration space, type 0, with one 32-bit memory BAR at most. */
struct pci_config {
	uint8_t data[PCI_CONFIG_BYTES];
	uint8_t writable[PCI_CONFIG_BYTES]; /* the bits a guest may change */
	uint8_t link;		/* where the next capability's offset goes */
	uint8_t end;		/* of the last capability */
	uint32_t bar_bytes;	/* 0: no BAR */
};

void pci_config_init(struct pci_config *c, const struct pci_id *id);

/**
 * pci_config_set_bar() - BAR 0, memory, as firmware would have left it
 * @bytes: a power of two, at least 16
 * @gpa: a multiple of @bytes; decoding is on
 */
void pci_config_set_bar(struct pci_config *c, uint32_t bytes, uint32_t gpa);

/**
 * pci_config_add_cap() - append a capability
 * @body: what follows the id and the link; read-only for the guest
 *
 * Return: its offset, a multiple of 4. There is room for all of ours.
 */
uint8_t pci_config_add_cap(struct pci_config *c, uint8_t id, const void *body,
			   size_t len);

/** pci_config_allow() - let the guest change the bits of @mask at @off */
void pci_config_allow(struct pci_config *c, uint8_t off, uint32_t mask,
		      size_t len);

/* @off + @len within PCI_CONFIG_BYTES. What is not writable stays. */
void pci_config_read(const struct pci_config *c, uint32_t off, void *data,
		     uint32_t len);
void pci_config_write(struct pci_config *c, uint32_t off, const void *data,
		      uint32_t len);

/**
 * pci_config_bar_gpa() - where BAR 0 answers
 *
 * Return: 0 when it does not: decoding is off, or it is not wholly within the
 * host bridge's window, beyond which nothing is forwarded.
 */
uint64_t pci_config_bar_gpa(const struct pci_config *c);

/*
 * A function. All are called on vCPU threads, several at once; @len is 1, 2 or
 * 4 and @off its multiple for the config calls, 1 to 8 and any for the bar's.
 */
struct pci_func_ops {
	void (*config_read)(void *fn, uint32_t off, void *data, uint32_t len);
	void (*config_write)(void *fn, uint32_t off, const void *data,
			     uint32_t len);
	/* where the BAR answers now, 0: nowhere; and its size */
	uint64_t (*bar_gpa)(void *fn);
	uint32_t bar_bytes;	/* 0: no BAR, then neither call is made */
	void (*bar_read)(void *fn, uint64_t off, void *data, uint32_t len);
	void (*bar_write)(void *fn, uint64_t off, const void *data,
			  uint32_t len);
};

/* Its storage is the caller's. The slots don't change while a guest runs. */
struct pci_bus {
	struct pci_config bridge;	/* slot 0, read-only */
	struct {
		const struct pci_func_ops *ops;	/* borrowed; NULL: empty */
		void *fn;		/* borrowed */
	} slots[PCI_SLOTS];
	_Atomic uint32_t address;	/* of the next access, as written */
};

/** pci_bus_init() - a bus with nothing but its host bridge */
void pci_bus_init(struct pci_bus *b);

/** pci_bus_add() - put a function into an empty slot, 1 to PCI_SLOTS - 1 */
void pci_bus_add(struct pci_bus *b, unsigned int slot,
		 const struct pci_func_ops *ops, void *fn);

/**
 * pci_bus_port() - an access to port LAYOUT_PORT_PCI + @off
 * @size: 1, 2 or 4
 * @data: read from, or filled: all ones where nothing is
 */
void pci_bus_port(struct pci_bus *b, uint16_t off, void *data, uint32_t size,
		  bool is_write);

/**
 * pci_bus_mmio() - an access to memory
 *
 * Return: false: no BAR is there, and nothing was done.
 */
bool pci_bus_mmio(struct pci_bus *b, uint64_t gpa, void *data, uint32_t len,
		  bool is_write);

#endif
