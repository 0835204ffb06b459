/* SPDX-License-Identifier: GPL-2.0-only */
/* Hardware-reduced ACPI tables for a topology and a set of virtio devices. */
#ifndef KTSTR_VMM_ACPI_H
#define KTSTR_VMM_ACPI_H

#include "lib/guest_mem.h"
#include "vmm/vmm.h"

struct acpi_config {
	const struct vm_topology *topology;	/* borrowed */
	uint64_t memory_bytes;
	enum vm_transport transport;
	/* with virtio-mmio: devices, from LAYOUT_VIRTIO_MMIO */
	unsigned int nr_virtio;
};

/**
 * acpi_build() - write RSDP, XSDT, FADT, DSDT, MADT, SRAT
 * @buf: zeroed; will be at @gpa in the guest, the RSDP first
 *
 * No SLIT: the kernel's defaults without one are the distances we mean, 10
 * and 20. No PPTT: not read on x86.
 *
 * Return: bytes used, or -E2BIG.
 */
long acpi_build(const struct acpi_config *cfg, void *buf, size_t len,
		uint64_t gpa);

/** acpi_write() - build the tables at LAYOUT_ACPI. Return: 0 or -errno. */
int acpi_write(const struct acpi_config *cfg, const struct guest_mem *mem);

#endif
