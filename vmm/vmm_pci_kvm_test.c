// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk behind virtio-pci, driven by a guest on the real /dev/kvm: found by
 * configuration space, interrupts by MSI-X, and the exits of it all counted.
 */
#include "vmm/vmm.h"

#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "vmm/layout.h"
#include "vmm/pci.h"
#include "vmm/test_steps.h"
#include "vmm/virtio_pci.h"

#define RING_GPA 0x400000ULL
#define AVAIL_GPA (RING_GPA + 0x1000)
#define USED_GPA (RING_GPA + 0x2000)
#define HDR_GPA (RING_GPA + 0x3000)
#define STATUS_GPA (RING_GPA + 0x4000)
#define DATA_GPA 0x500000ULL
#define QUEUE 64
#define SECTOR 512

#define DISK_ID 0x10421af4 /* a modern block device */
#define CONFIG_WORDS (PCI_CONFIG_BYTES / 4)
#define MSG_ADDRESS 0xfee00000 /* the first CPU */

static struct vm_disk_config disk = { .name = "data", .size_bytes = MIB };

/* What the driver found out about the function. */
static struct {
	unsigned int slot;
	uint8_t config[PCI_CONFIG_BYTES];
	uint64_t bar, common, notify, device, isr, msix_table;
	uint8_t msix_cap;
	uint32_t notify_step;
} found;

static unsigned int nr_requests;

static uint32_t config_address(unsigned int slot, uint32_t reg)
{
	return 1U << 31 | slot << 11 | (reg & 0xfc);
}

static unsigned int config_read(unsigned int slot, uint32_t reg, uint32_t size)
{
	step(STEP_OUT, LAYOUT_PORT_PCI, config_address(slot, reg), 4);
	return step(STEP_IN, LAYOUT_PORT_PCI + 4 + (reg & 3), 0, size);
}

static void config_write(unsigned int slot, uint32_t reg, uint32_t value,
			 uint32_t size)
{
	step(STEP_OUT, LAYOUT_PORT_PCI, config_address(slot, reg), 4);
	step(STEP_OUT, LAYOUT_PORT_PCI + 4 + (reg & 3), value, size);
}

/* One VM whose guest reads all there is; returns with it freed. */
static void read_slots(uint32_t ids[PCI_SLOTS])
{
	unsigned int at_step[PCI_SLOTS], slot;

	steps_begin(&disk, VM_TRANSPORT_PCI);
	for (slot = 0; slot < PCI_SLOTS; slot++)
		at_step[slot] = config_read(slot, PCI_VENDOR_ID, 4);
	steps_run();
	for (slot = 0; slot < PCI_SLOTS; slot++)
		ids[slot] = steps[at_step[slot]].value;
	vm_free(guest.vm);
}

static void read_config(unsigned int slot)
{
	unsigned int at_step[CONFIG_WORDS], i;

	steps_begin(&disk, VM_TRANSPORT_PCI);
	for (i = 0; i < CONFIG_WORDS; i++)
		at_step[i] = config_read(slot, 4 * i, 4);
	steps_run();
	for (i = 0; i < CONFIG_WORDS; i++)
		memcpy(found.config + 4 * i, &steps[at_step[i]].value, 4);
	vm_free(guest.vm);
}

static uint32_t config_get(uint32_t off, size_t len)
{
	uint32_t v = 0;

	ck_assert_uint_le(off + len, PCI_CONFIG_BYTES);
	memcpy(&v, found.config + off, len);
	return v;
}

static void take_vendor_cap(uint8_t cap)
{
	const uint64_t gpa = found.bar +
			     config_get(cap + VIRTIO_PCI_CAP_OFFSET, 4);

	switch (found.config[cap + VIRTIO_PCI_CAP_CFG_TYPE]) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		found.common = gpa;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		found.notify = gpa;
		found.notify_step = config_get(cap + VIRTIO_PCI_NOTIFY_CAP_MULT,
					       4);
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		found.isr = gpa;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		found.device = gpa;
		break;
	}
}

/* As a driver does it: by ids, then along the capabilities. */
static void find_disk(void)
{
	uint32_t ids[PCI_SLOTS];
	unsigned int n = 0;
	uint8_t cap;

	memset(&found, 0, sizeof(found));
	read_slots(ids);
	for (found.slot = 0; found.slot < PCI_SLOTS; found.slot++)
		if (ids[found.slot] == DISK_ID)
			break;
	ck_assert_uint_lt(found.slot, PCI_SLOTS);
	read_config(found.slot);
	found.bar = config_get(PCI_BASE_ADDRESS_0, 4) & ~0xfU;
	ck_assert(config_get(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	for (cap = found.config[PCI_CAPABILITY_LIST]; cap;
	     cap = found.config[cap + PCI_CAP_LIST_NEXT]) {
		ck_assert_uint_lt(n++, 16);
		if (found.config[cap] == PCI_CAP_ID_VNDR) {
			take_vendor_cap(cap);
		} else if (found.config[cap] == PCI_CAP_ID_MSIX) {
			found.msix_cap = cap;
			found.msix_table = found.bar +
				(config_get(cap + PCI_MSIX_TABLE, 4) & ~7U);
		}
	}
	ck_assert(found.common && found.notify && found.isr && found.device &&
		  found.msix_cap);
}

static void reg(uint32_t off, uint32_t value, uint32_t size)
{
	step(STEP_WRITE, found.common + off, value, size);
}

static void reg64(uint32_t off, uint64_t value)
{
	reg(off, value, 4);
	reg(off + 4, value >> 32, 4);
}

/* Vector 1 to the first CPU; vector 0 stays masked. */
static void set_up_msix(void)
{
	const uint64_t entry = found.msix_table + MSIX_ENTRY_BYTES;

	config_write(found.slot, found.msix_cap + PCI_MSIX_FLAGS,
		     PCI_MSIX_FLAGS_ENABLE, 2);
	step(STEP_WRITE, entry, MSG_ADDRESS, 4);
	step(STEP_WRITE, entry + 4, 0, 4);
	step(STEP_WRITE, entry + 8, STEPS_VECTOR, 4);
	step(STEP_WRITE, entry + 12, 0, 4);
}

/* The driver's way to DRIVER_OK. Source: virtio 1.4, 3.1.1. */
static void set_up_queue(uint16_t vector)
{
	reg(VIRTIO_PCI_COMMON_STATUS, 0, 1);
	reg(VIRTIO_PCI_COMMON_STATUS, 1, 1);
	reg(VIRTIO_PCI_COMMON_STATUS, 3, 1);
	reg(VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	reg(VIRTIO_PCI_COMMON_GF, 1, 4); /* VERSION_1 */
	reg(VIRTIO_PCI_COMMON_STATUS, 11, 1);
	reg(VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	reg(VIRTIO_PCI_COMMON_Q_SIZE, QUEUE, 2);
	reg(VIRTIO_PCI_COMMON_Q_MSIX, vector, 2);
	reg64(VIRTIO_PCI_COMMON_Q_DESCLO, RING_GPA);
	reg64(VIRTIO_PCI_COMMON_Q_AVAILLO, AVAIL_GPA);
	reg64(VIRTIO_PCI_COMMON_Q_USEDLO, USED_GPA);
	reg(VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	reg(VIRTIO_PCI_COMMON_STATUS, 15, 1);
	nr_requests = 0;
}

/* One request of one sector: offered and kicked. */
static unsigned int offer(uint32_t type, uint64_t sector, uint64_t data_gpa)
{
	struct vring_desc *d = at(RING_GPA, QUEUE * sizeof(*d));
	struct vring_avail *avail = at(AVAIL_GPA, 4096);
	struct virtio_blk_outhdr *h = at(HDR_GPA, 4096);
	unsigned int n = nr_requests++, head = 3 * n % (QUEUE - 1);

	ck_assert_uint_lt(n, QUEUE);
	h[n] = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*(uint8_t *)at(STATUS_GPA + n, 1) = 0xff;
	d[head] = (struct vring_desc){ HDR_GPA + n * sizeof(*h), sizeof(*h),
				       VRING_DESC_F_NEXT, head + 1 };
	d[head + 1] = (struct vring_desc){
		data_gpa, SECTOR,
		VRING_DESC_F_NEXT |
			(type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0),
		head + 2 };
	d[head + 2] = (struct vring_desc){ STATUS_GPA + n, 1,
					   VRING_DESC_F_WRITE, 0 };
	avail->ring[n] = head;
	step(STEP_WRITE, AVAIL_GPA, (n + 1) << 16, 4); /* flags 0, the index */
	step(STEP_WRITE, found.notify, 0, 2);
	return n;
}

static void wait_used(void)
{
	step(STEP_WAIT16, USED_GPA + 2, nr_requests, 0);
}

static void wait_interrupts(uint16_t n)
{
	step(STEP_WAIT16, STEPS_IRQS, n, 0);
}

static uint8_t status_of(unsigned int n)
{
	return *(uint8_t *)at(STATUS_GPA + n, 1);
}

static struct vm_vcpu_stats exits(void)
{
	struct vm_vcpu_stats st;

	vm_vcpu_stats_read(guest.vm, 0, &st);
	return st;
}

START_TEST(a_guest_finds_the_disk_by_configuration_space)
{
	unsigned int sectors, queues, size;

	find_disk();
	ck_assert_uint_eq(1, found.config[PCI_REVISION_ID]);
	ck_assert_uint_eq(0, found.config[PCI_INTERRUPT_PIN]);
	steps_begin(&disk, VM_TRANSPORT_PCI);
	sectors = step(STEP_READ, found.device, 0, 4);
	queues = step(STEP_READ, found.common + VIRTIO_PCI_COMMON_NUMQ, 0, 2);
	size = step(STEP_READ, found.common + VIRTIO_PCI_COMMON_Q_SIZE, 0, 2);
	steps_run();
	ck_assert_uint_eq(MIB / SECTOR, steps[sectors].value);
	ck_assert_uint_ge(steps[queues].value, 1);
	ck_assert_uint_eq(VIRTIO_QUEUE_MAX, steps[size].value);
	vm_free(guest.vm);
}
END_TEST

START_TEST(what_a_guest_wrote_it_reads_back)
{
	uint8_t *data;
	int i;

	find_disk();
	steps_begin(&disk, VM_TRANSPORT_PCI);
	data = at(DATA_GPA, 4096);
	for (i = 0; i < SECTOR; i++)
		data[i] = i * 5 + 1;
	steps_take_interrupts();
	set_up_msix();
	set_up_queue(1);
	offer(VIRTIO_BLK_T_OUT, 100, DATA_GPA);
	wait_interrupts(1);
	offer(VIRTIO_BLK_T_IN, 100, DATA_GPA + 1024);
	wait_interrupts(2);
	offer(VIRTIO_BLK_T_IN, MIB / SECTOR, DATA_GPA + 2048);
	wait_interrupts(3);
	steps_run();
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(0));
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(1));
	ck_assert_uint_eq(VIRTIO_BLK_S_IOERR, status_of(2));
	ck_assert_mem_eq(data, data + 1024, SECTOR);
	ck_assert_uint_eq(3, steps_interrupts());
	vm_free(guest.vm);
}
END_TEST

/* Exits by reason of a run with @n requests, each waited for by interrupt. */
static struct vm_vcpu_stats exits_of_requests(unsigned int n)
{
	struct vm_vcpu_stats st;
	unsigned int i;

	steps_begin(&disk, VM_TRANSPORT_PCI);
	steps_take_interrupts();
	set_up_msix();
	set_up_queue(1);
	for (i = 0; i < n; i++) {
		offer(VIRTIO_BLK_T_IN, i, DATA_GPA);
		wait_interrupts(i + 1);
	}
	steps_run();
	ck_assert_uint_eq(n, steps_interrupts());
	for (i = 0; i < n; i++)
		ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(i));
	st = exits();
	vm_free(guest.vm);
	return st;
}

START_TEST(neither_a_kick_nor_an_interrupt_is_an_exit)
{
	struct vm_vcpu_stats few, many;

	find_disk();
	few = exits_of_requests(1);
	many = exits_of_requests(20);
	ck_assert_uint_gt(few.exits_mmio, 10); /* the set-up */
	ck_assert_uint_eq(few.exits_mmio, many.exits_mmio);
	ck_assert_uint_eq(few.exits_io, many.exits_io);
	ck_assert_uint_eq(few.exits_other, many.exits_other);
}
END_TEST

/* Masked, an interrupt waits in the pending bits; unmasked, it comes. */
START_TEST(a_masked_vector_waits)
{
	unsigned int masked, before, after;
	uint64_t control, pba;

	find_disk();
	control = found.msix_table + MSIX_ENTRY_BYTES + 12;
	pba = found.bar + (config_get(found.msix_cap + PCI_MSIX_PBA, 4) & ~7U);
	steps_begin(&disk, VM_TRANSPORT_PCI);
	steps_take_interrupts();
	set_up_msix();
	set_up_queue(1);
	step(STEP_WRITE, control, PCI_MSIX_ENTRY_CTRL_MASKBIT, 4);
	offer(VIRTIO_BLK_T_IN, 0, DATA_GPA);
	wait_used();
	/* the used index is there before the interrupt: wait for the bit */
	step(STEP_READ, pba, 0, 4);
	offer(VIRTIO_BLK_T_IN, 1, DATA_GPA);
	wait_used();
	masked = step(STEP_READ, pba, 0, 4);
	before = step(STEP_READ, STEPS_IRQS, 0, 4);
	step(STEP_WRITE, control, 0, 4);
	wait_interrupts(1);
	after = step(STEP_READ, pba, 0, 4);
	steps_run();
	ck_assert_uint_eq(2, steps[masked].value);
	ck_assert_uint_eq(0, steps[before].value);
	ck_assert_uint_eq(0, steps[after].value);
	vm_free(guest.vm);
}
END_TEST

/* A kernel may put the BAR elsewhere, also under a driver that is up. */
START_TEST(the_bar_moves_and_kicks_move_with_it)
{
	const uint64_t to = LAYOUT_PCI_MEMORY + LAYOUT_PCI_MEMORY_BYTES -
			    VIRTIO_PCI_BAR_BYTES;
	unsigned int old, new, size;
	uint64_t was;
	struct vm_vcpu_stats st;

	find_disk();
	was = found.bar;
	steps_begin(&disk, VM_TRANSPORT_PCI);
	steps_take_interrupts();
	set_up_msix();
	set_up_queue(1);
	offer(VIRTIO_BLK_T_IN, 0, DATA_GPA);
	wait_interrupts(1);
	/* sizing: with decoding off, as Linux does it */
	config_write(found.slot, PCI_COMMAND, 0, 2);
	config_write(found.slot, PCI_BASE_ADDRESS_0, UINT32_MAX, 4);
	size = config_read(found.slot, PCI_BASE_ADDRESS_0, 4);
	config_write(found.slot, PCI_BASE_ADDRESS_0, to, 4);
	config_write(found.slot, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	old = step(STEP_READ, found.common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	found.common += to - was;
	found.notify += to - was;
	new = step(STEP_READ, found.common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	offer(VIRTIO_BLK_T_IN, 1, DATA_GPA);
	wait_interrupts(2);
	steps_run();
	ck_assert_uint_eq(-(uint32_t)VIRTIO_PCI_BAR_BYTES, steps[size].value);
	ck_assert_uint_eq(0xff, steps[old].value);
	ck_assert_uint_eq(15, steps[new].value);
	ck_assert_uint_eq(VIRTIO_BLK_S_OK, status_of(1));
	st = exits();
	vm_free(guest.vm);

	/* and without the last request: the kick was no exit there either */
	found.common -= to - was;
	found.notify -= to - was;
	steps_begin(&disk, VM_TRANSPORT_PCI);
	steps_take_interrupts();
	set_up_msix();
	set_up_queue(1);
	offer(VIRTIO_BLK_T_IN, 0, DATA_GPA);
	wait_interrupts(1);
	config_write(found.slot, PCI_BASE_ADDRESS_0, to, 4);
	step(STEP_READ, found.common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	step(STEP_READ, to, 0, 4);
	steps_run();
	ck_assert_uint_eq(exits().exits_mmio, st.exits_mmio);
	vm_free(guest.vm);
}
END_TEST

/* KVM takes the table of routes whole: the IOAPIC's must be in it. */
START_TEST(pins_work_beside_messages)
{
	const uint8_t enable_empty = 2, byte = 'x';

	find_disk();
	steps_begin(&disk, VM_TRANSPORT_PCI);
	steps_take_interrupts();
	set_up_msix();
	set_up_queue(1);
	offer(VIRTIO_BLK_T_IN, 0, DATA_GPA);
	wait_interrupts(1);
	step(STEP_WRITE, LAYOUT_IOAPIC, 0x10 + 2 * LAYOUT_GSI_COM1, 4);
	step(STEP_WRITE, LAYOUT_IOAPIC + 0x10, STEPS_VECTOR, 4);
	step(STEP_WRITE, LAYOUT_IOAPIC, 0x11 + 2 * LAYOUT_GSI_COM1, 4);
	step(STEP_WRITE, LAYOUT_IOAPIC + 0x10, 0, 4);
	step(STEP_OUT, LAYOUT_PORT_COM1 + 1, enable_empty, 1);
	step(STEP_OUT, LAYOUT_PORT_COM1, byte, 1);
	wait_interrupts(2);
	steps_run();
	ck_assert_str_eq("x", guest.console);
	vm_free(guest.vm);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm_pci_kvm");
	TCase *t = tcase_create("all");

	if (!guest_can_run("vmm_pci_kvm_test"))
		return EXIT_SUCCESS;
	tcase_set_timeout(t, 30);
	suite_add_tcase(s, t);
	tcase_add_test(t, a_guest_finds_the_disk_by_configuration_space);
	tcase_add_test(t, what_a_guest_wrote_it_reads_back);
	tcase_add_test(t, neither_a_kick_nor_an_interrupt_is_an_exit);
	tcase_add_test(t, a_masked_vector_waits);
	tcase_add_test(t, the_bar_moves_and_kicks_move_with_it);
	tcase_add_test(t, pins_work_beside_messages);
	return test_run(s);
}
