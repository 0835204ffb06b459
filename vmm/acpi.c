// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/acpi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/aml.h"
#include "vmm/layout.h"
#include "vmm/memory.h"
#include "vmm/pci.h"
#include "vmm/topology.h"
#include "vmm/virtio_mmio.h"

#define TABLE_ALIGN 64
#define HEADER_BYTES 36
#define RSDP_BYTES 36
#define FADT_BYTES 276 /* revision 6 */
#define APIC_ID_XAPIC_MAX 254 /* 255 is the broadcast id */

/* Flags of the FADT. Source: ACPI 6.5, 5.2.9. */
#define FADT_NO_POWER_BUTTON (1U << 4)
#define FADT_NO_SLEEP_BUTTON (1U << 5)
#define FADT_RESET_REG (1U << 10)
#define FADT_HW_REDUCED (1U << 20)
/*
 * Boot flags: no VGA, no CMOS clock. The 8042 flag stays clear, which saves
 * the kernel its probe for a keyboard: hundreds of milliseconds.
 */
#define FADT_BOOT_ARCH (1U << 2 | 1U << 5)

enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_X2APIC = 9,
	SRAT_LAPIC = 0,
	SRAT_MEMORY = 1,
	SRAT_X2APIC = 2,
};

/* The area that tables are laid out in, one after the other. */
struct builder {
	const struct acpi_config *cfg;
	struct aml a;
	uint64_t gpa;
};

static uint8_t sum_to_zero(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return -sum;
}

static void zeroes(struct aml *a, size_t len)
{
	static const uint8_t none[64];

	for (; len > sizeof(none); len -= sizeof(none))
		aml_bytes(a, none, sizeof(none));
	aml_bytes(a, none, len);
}

/* Start a table: its offset. The length and checksum come at the end. */
static size_t table_begin(struct builder *b, const char *sig, uint8_t rev)
{
	size_t start;

	zeroes(&b->a, -b->a.len % TABLE_ALIGN);
	start = b->a.len;
	aml_bytes(&b->a, sig, 4);
	aml_le(&b->a, 0, 4); /* length */
	aml_le(&b->a, rev, 1);
	aml_le(&b->a, 0, 1); /* checksum */
	aml_bytes(&b->a, "KTSTR ", 6);
	aml_bytes(&b->a, "KTSTRVMM", 8);
	aml_le(&b->a, 1, 4);
	aml_bytes(&b->a, "KTST", 4);
	aml_le(&b->a, 1, 4);
	return start;
}

static uint64_t table_end(struct builder *b, size_t start)
{
	uint8_t *p = b->a.buf + start;
	uint32_t len = b->a.len - start;

	if (b->a.overflow)
		return 0;
	memcpy(p + 4, &len, 4);
	p[9] = sum_to_zero(p, len);
	return b->gpa + start;
}

static void virtio_node(struct aml *a, unsigned int i)
{
	struct aml_block dev;
	struct aml_crs crs;
	char seg[5];

	snprintf(seg, sizeof(seg), "VR%02X", i & 0xff);
	dev = aml_device(a, seg);
	aml_name_string(a, "_HID", "LNRO0005");
	aml_name_int(a, "_UID", i);
	aml_name_int(a, "_CCA", 1);
	aml_crs_init(&crs);
	aml_crs_memory(&crs, LAYOUT_VIRTIO_MMIO + i * VIRTIO_MMIO_BYTES,
		       VIRTIO_MMIO_BYTES);
	aml_crs_irq(&crs, LAYOUT_GSI_VIRTIO + i);
	aml_name_crs(a, &crs);
	aml_end(a, dev);
}

/*
 * A conventional root (PNP0A03): an express one would have the kernel ask for
 * _OSC and look for ECAM. No _PRT: nothing here has an interrupt pin.
 */
static void pci_node(struct aml *a)
{
	struct aml_block dev = aml_device(a, "PCI0");
	struct aml_crs crs;

	aml_name_eisaid(a, "_HID", "PNP0A03");
	aml_name_int(a, "_UID", 0);
	aml_name_int(a, "_CCA", 1);
	aml_crs_init(&crs);
	aml_crs_bus(&crs, 0, 0);
	aml_crs_io(&crs, LAYOUT_PORT_PCI, PCI_PORTS);
	aml_crs_window(&crs, LAYOUT_PCI_MEMORY, LAYOUT_PCI_MEMORY_BYTES);
	aml_name_crs(a, &crs);
	aml_end(a, dev);
}

static void com1_node(struct aml *a)
{
	struct aml_block dev = aml_device(a, "COM1");
	struct aml_crs crs;

	aml_name_eisaid(a, "_HID", "PNP0501");
	aml_name_int(a, "_UID", 0);
	aml_crs_init(&crs);
	aml_crs_io(&crs, LAYOUT_PORT_COM1, 8);
	aml_crs_irq(&crs, LAYOUT_GSI_COM1);
	aml_name_crs(a, &crs);
	aml_end(a, dev);
}

static uint64_t build_dsdt(struct builder *b)
{
	static const uint32_t s5[] = { LAYOUT_S5_TYPE, 0, 0, 0 };
	size_t start = table_begin(b, "DSDT", 2);
	struct aml_block sb;
	unsigned int i;

	aml_name_package(&b->a, "_S5_", s5, 4);
	sb = aml_scope(&b->a, "\\_SB_");
	com1_node(&b->a);
	if (b->cfg->transport == VM_TRANSPORT_PCI)
		pci_node(&b->a);
	else
		for (i = 0; i < b->cfg->nr_virtio; i++)
			virtio_node(&b->a, i);
	aml_end(&b->a, sb);
	return table_end(b, start);
}

/* A byte-wide IO port as a generic address. Source: ACPI 6.5, 5.2.3.2. */
static void gas_port(uint8_t *p, uint64_t port)
{
	p[0] = 1; /* system IO */
	p[1] = 8; /* bits */
	p[3] = 1; /* byte access */
	memcpy(p + 4, &port, 8);
}

static uint64_t build_fadt(struct builder *b, uint64_t dsdt)
{
	uint32_t flags = FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
			 FADT_RESET_REG | FADT_HW_REDUCED;
	uint16_t boot_arch = FADT_BOOT_ARCH;
	size_t start = table_begin(b, "FACP", 6);
	uint8_t *p = b->a.buf + start;

	zeroes(&b->a, FADT_BYTES - HEADER_BYTES);
	if (b->a.overflow)
		return 0;
	memcpy(p + 109, &boot_arch, 2);
	memcpy(p + 112, &flags, 4);
	gas_port(p + 116, LAYOUT_PORT_RESET);
	p[128] = LAYOUT_RESET_VALUE;
	p[131] = 5; /* minor version: 6.5 */
	memcpy(p + 140, &dsdt, 8);
	gas_port(p + 244, LAYOUT_PORT_SLEEP_CONTROL);
	gas_port(p + 256, LAYOUT_PORT_SLEEP_STATUS);
	memcpy(p + 268, "KTSTR\0\0\0", 8); /* hypervisor vendor */
	return table_end(b, start);
}

/* BSP first: the kernel numbers CPUs in this order. */
static uint64_t build_madt(struct builder *b)
{
	const struct vm_topology *t = b->cfg->topology;
	size_t start = table_begin(b, "APIC", 5);
	struct aml *a = &b->a;
	unsigned int cpu;

	aml_le(a, LAYOUT_LAPIC, 4);
	aml_le(a, 0, 4); /* no 8259 */
	for (cpu = 0; cpu < vm_topology_cpus(t); cpu++) {
		uint32_t id = topology_cpu_get(t, cpu).apic_id;

		if (id <= APIC_ID_XAPIC_MAX) {
			aml_le(a, MADT_LAPIC, 1);
			aml_le(a, 8, 1);
			aml_le(a, cpu, 1);
			aml_le(a, id, 1);
			aml_le(a, 1, 4); /* enabled */
		} else {
			aml_le(a, MADT_X2APIC, 1);
			aml_le(a, 16, 1);
			aml_le(a, 0, 2);
			aml_le(a, id, 4);
			aml_le(a, 1, 4);
			aml_le(a, cpu, 4);
		}
	}
	aml_le(a, MADT_IOAPIC, 1);
	aml_le(a, 12, 1);
	aml_le(a, 0, 2);
	aml_le(a, LAYOUT_IOAPIC, 4);
	aml_le(a, 0, 4); /* GSI base */
	return table_end(b, start);
}

static void srat_memory(struct aml *a, unsigned int node, uint64_t gpa,
			uint64_t len)
{
	aml_le(a, SRAT_MEMORY, 1);
	aml_le(a, 40, 1);
	aml_le(a, node, 4);
	aml_le(a, 0, 2);
	aml_le(a, gpa, 8);
	aml_le(a, len, 8);
	aml_le(a, 0, 4);
	aml_le(a, 1, 4); /* enabled */
	aml_le(a, 0, 8);
}

static void srat_cpu(struct aml *a, unsigned int node, uint32_t apic_id)
{
	if (apic_id <= APIC_ID_XAPIC_MAX) {
		aml_le(a, SRAT_LAPIC, 1);
		aml_le(a, 16, 1);
		aml_le(a, node & 0xff, 1);
		aml_le(a, apic_id, 1);
		aml_le(a, 1, 4); /* enabled */
		aml_le(a, 0, 1);
		aml_le(a, 0, 3); /* the rest of the node number */
		aml_le(a, 0, 4);
	} else {
		aml_le(a, SRAT_X2APIC, 1);
		aml_le(a, 24, 1);
		aml_le(a, 0, 2);
		aml_le(a, node, 4);
		aml_le(a, apic_id, 4);
		aml_le(a, 1, 4);
		aml_le(a, 0, 8);
	}
}

/* Equal shares of RAM, the last node takes the rest; cut again at the hole. */
static void srat_node_memory(struct builder *b, unsigned int node)
{
	unsigned int nodes = b->cfg->topology->nodes;
	uint64_t share = b->cfg->memory_bytes / nodes;
	uint64_t from, to;

	share -= share % VM_MEMORY_ALIGN;
	from = node * share;
	to = node == nodes - 1 ? b->cfg->memory_bytes : from + share;
	if (from < LAYOUT_HOLE && to > LAYOUT_HOLE) {
		srat_memory(&b->a, node, from, LAYOUT_HOLE - from);
		from = LAYOUT_HOLE;
	}
	srat_memory(&b->a, node, vm_memory_gpa(from), to - from);
}

static uint64_t build_srat(struct builder *b)
{
	const struct vm_topology *t = b->cfg->topology;
	size_t start = table_begin(b, "SRAT", 3);
	unsigned int i;

	aml_le(&b->a, 1, 4);
	aml_le(&b->a, 0, 8);
	for (i = 0; i < vm_topology_cpus(t); i++) {
		struct topology_cpu c = topology_cpu_get(t, i);

		srat_cpu(&b->a, c.node, c.apic_id);
	}
	for (i = 0; i < t->nodes; i++)
		srat_node_memory(b, i);
	return table_end(b, start);
}

static uint64_t build_xsdt(struct builder *b, const uint64_t *tables,
			   unsigned int nr)
{
	size_t start = table_begin(b, "XSDT", 1);
	unsigned int i;

	for (i = 0; i < nr; i++)
		aml_le(&b->a, tables[i], 8);
	return table_end(b, start);
}

static void fill_rsdp(uint8_t *p, uint64_t xsdt)
{
	uint32_t len = RSDP_BYTES;

	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, "KTSTR ", 6);
	p[15] = 2; /* revision */
	memcpy(p + 20, &len, 4);
	memcpy(p + 24, &xsdt, 8);
	p[8] = sum_to_zero(p, 20);
	p[32] = sum_to_zero(p, RSDP_BYTES);
}

long acpi_build(const struct acpi_config *cfg, void *buf, size_t len,
		uint64_t gpa)
{
	struct builder b = { .cfg = cfg, .gpa = gpa };
	uint64_t tables[3], xsdt;

	aml_init(&b.a, buf, len);
	zeroes(&b.a, RSDP_BYTES);
	tables[0] = build_fadt(&b, build_dsdt(&b));
	tables[1] = build_madt(&b);
	tables[2] = build_srat(&b);
	xsdt = build_xsdt(&b, tables, 3);
	if (b.a.overflow)
		return -E2BIG;
	fill_rsdp(buf, xsdt);
	return b.a.len;
}

int acpi_write(const struct acpi_config *cfg, const struct guest_mem *mem)
{
	void *p = guest_mem_hva(mem, LAYOUT_ACPI, LAYOUT_ACPI_BYTES);
	long used;

	if (!p)
		return -EFAULT;
	used = acpi_build(cfg, p, LAYOUT_ACPI_BYTES, LAYOUT_ACPI);
	return used < 0 ? used : 0;
}
