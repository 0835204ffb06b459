/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things are in the guest's physical address space, its ports and its
 * interrupt lines. Everything that writes guest memory before the first
 * instruction takes its addresses from here, so that nothing overlaps.
 */
#ifndef KTSTR_VMM_LAYOUT_H
#define KTSTR_VMM_LAYOUT_H

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

/* Low memory: e820 has it as RAM up to here, as reserved from here to 1 MiB. */
#define LAYOUT_LOW_RAM_END 0x9fc00ULL
#define LAYOUT_HIGH_RAM 0x100000ULL

/* The reserved part, written by us before entry. */
#define LAYOUT_GDT 0xa0000ULL
#define LAYOUT_BOOT_PARAMS 0xa1000ULL
#define LAYOUT_CMDLINE 0xa2000ULL
#define LAYOUT_CMDLINE_BYTES 0x1000ULL
#define LAYOUT_PAGE_TABLES 0xa4000ULL /* PML4, PDPT, 4 PDs: 6 pages */
#define LAYOUT_PAGE_TABLE_BYTES 0x6000ULL
#define LAYOUT_ACPI 0xe0000ULL /* the RSDP first: also where it is scanned for */
#define LAYOUT_ACPI_BYTES 0x20000ULL

/* RAM is [0, 3 GiB) and what is left from 4 GiB on. */
#define LAYOUT_HOLE (3 * GIB)
#define LAYOUT_HOLE_END (4 * GIB)

/* In the hole. */
#define LAYOUT_PCI_MEMORY 0xc0000000ULL /* the host bridge's window */
#define LAYOUT_PCI_MEMORY_BYTES 0x10000000ULL
#define LAYOUT_VIRTIO_MMIO 0xd0000000ULL /* a page per device */
#define LAYOUT_IOAPIC 0xfec00000ULL
#define LAYOUT_LAPIC 0xfee00000ULL
#define LAYOUT_IDENTITY_MAP 0xfffbc000ULL /* KVM's own, on old Intel hosts */
#define LAYOUT_TSS 0xfffbd000ULL /* three pages, likewise */

/* Ports. */
#define LAYOUT_PORT_COM1 0x3f8
#define LAYOUT_PORT_I8042 0x60 /* data; 0x64 is command and status */
#define LAYOUT_PORT_SLEEP_CONTROL 0x600
#define LAYOUT_PORT_SLEEP_STATUS 0x601
#define LAYOUT_PORT_RESET 0x602
#define LAYOUT_PORT_PCI 0xcf8 /* address; 0xCFC is data */
#define LAYOUT_RESET_VALUE 1
#define LAYOUT_S5_TYPE 5 /* SLP_TYP of \_S5 */

/* Interrupt lines of the IOAPIC. */
#define LAYOUT_GSI_COM1 4
#define LAYOUT_GSI_VIRTIO 5 /* one per device from here */
#define LAYOUT_GSIS 24
#define LAYOUT_GSI_MSI LAYOUT_GSIS /* beyond: messages, one per vector */

#endif
