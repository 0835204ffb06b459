// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-pci's own part: capabilities, registers of several widths, vectors,
 * kicks that are bound to the BAR, and the window in configuration space. What
 * it shares with mmio is virtio_core's, and virtio_mmio_test proves it.
 */
#include "vmm/virtio_pci.h"

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/test_run.h"
#include "vmm/layout.h"
#include "vmm/test_virtio_dev.h"

#define NR_VECTORS (1 + NR_QUEUES)
#define BAR_GPA (LAYOUT_PCI_MEMORY + VIRTIO_PCI_BAR_BYTES)
#define NONE VIRTIO_MSI_NO_VECTOR

#define COMMON(r) (VIRTIO_PCI_COMMON + VIRTIO_PCI_COMMON_##r)
#define LIVE 15u
#define FAILED 128u

static struct machine {
	_Atomic unsigned int fired[NR_VECTORS];
	uint32_t routed[NR_VECTORS];
	uint64_t bound[NR_QUEUES]; /* 0: not */
	unsigned int binds, unbinds;
	int bind_err;
} machine;

static struct virtio_pci *t;
static unsigned int log_lines;

static int fake_route(void *ctx, unsigned int v, uint64_t address,
		      uint32_t data)
{
	((struct machine *)ctx)->routed[v] = data;
	return 0;
}

static int fake_fire(void *ctx, unsigned int v)
{
	((struct machine *)ctx)->fired[v]++;
	return 0;
}

static int fake_bind(void *ctx, unsigned int q, uint64_t gpa, bool bind)
{
	struct machine *m = ctx;

	ck_assert_uint_lt(q, NR_QUEUES);
	if (!bind) {
		ck_assert_uint_eq(m->bound[q], gpa);
		m->bound[q] = 0;
		m->unbinds++;
		return 0;
	}
	ck_assert_uint_eq(0, m->bound[q]);
	if (m->bind_err)
		return m->bind_err;
	m->bound[q] = gpa;
	m->binds++;
	return 0;
}

static const struct virtio_pci_host fake_host = {
	.msix = { fake_route, fake_fire },
	.bind_kick = fake_bind,
};

static const struct pci_func_ops *const fn = &virtio_pci_func_ops;

static uint32_t rd(uint64_t off, uint32_t len)
{
	uint32_t v = 0;

	fn->bar_read(t, off, &v, len);
	return v;
}

static void wr(uint64_t off, uint32_t v, uint32_t len)
{
	fn->bar_write(t, off, &v, len);
}

static uint32_t cfg(uint32_t off, uint32_t len)
{
	uint32_t v = 0;

	fn->config_read(t, off, &v, len);
	return v;
}

static void set_cfg(uint32_t off, uint32_t v, uint32_t len)
{
	fn->config_write(t, off, &v, len);
}

static uint32_t status(void)
{
	return rd(COMMON(STATUS), 1);
}

static void set_status(uint32_t v)
{
	wr(COMMON(STATUS), v, 1);
}

static struct virtio_stats stats(void)
{
	struct virtio_stats st;

	virtio_pci_stats_read(t, &st);
	return st;
}

static uint64_t bad_total(void)
{
	const struct virtio_stats st = stats();

	return bad_of(&st);
}

static void count_lines(void *ctx, enum log_level level, const char *line)
{
	log_lines++;
}

static void setup(void)
{
	fake_open();
	memset(&machine, 0, sizeof(machine));
	log_set_sink(count_lines, NULL);
	ck_assert_int_eq(0, virtio_pci_new(&fake_ops, &fake, &fake_host,
					   &machine, BAR_GPA, &t));
	fake.irq = virtio_pci_irq(t);
}

static void teardown(void)
{
	fake_reset(&fake);
	virtio_pci_free(t);
	virtio_pci_free(NULL);
	fake_close();
}

/* The capability @id, of vendors' that of @type; 0 where there is none. */
static uint8_t find_cap(uint8_t id, int type)
{
	unsigned int n = 0;
	uint8_t at;

	for (at = cfg(PCI_CAPABILITY_LIST, 1); at;
	     at = cfg(at + PCI_CAP_LIST_NEXT, 1)) {
		ck_assert_uint_lt(n++, 48);
		ck_assert_uint_eq(0, at % 4);
		ck_assert_uint_ge(at, PCI_STD_HEADER_SIZEOF);
		if (cfg(at, 1) == id &&
		    (type < 0 || (int)cfg(at + VIRTIO_PCI_CAP_CFG_TYPE, 1) ==
					 type))
			return at;
	}
	return 0;
}

static void msix_on(void)
{
	set_cfg(find_cap(PCI_CAP_ID_MSIX, -1) + PCI_MSIX_FLAGS,
		PCI_MSIX_FLAGS_ENABLE, 2);
}

/* Masked, written, opened. */
static void set_vector(unsigned int v, uint32_t data)
{
	const uint64_t at = VIRTIO_PCI_MSIX_TABLE + v * MSIX_ENTRY_BYTES;

	wr(at, 0xfee00000, 4);
	wr(at + 4, 0, 4);
	wr(at + 8, data, 4);
	wr(at + 12, 0, 4);
}

static void driver_queue(unsigned int q, uint64_t base)
{
	wr(COMMON(Q_SELECT), q, 2);
	ck_assert_uint_eq(VIRTIO_QUEUE_MAX, rd(COMMON(Q_SIZE), 2));
	ck_assert_uint_eq(0, rd(COMMON(Q_ENABLE), 2));
	ck_assert_uint_eq(q, rd(COMMON(Q_NOFF), 2));
	wr(COMMON(Q_SIZE), 128, 2);
	wr(COMMON(Q_DESCLO), base, 4);
	wr(COMMON(Q_DESCHI), base >> 32, 4);
	wr(COMMON(Q_AVAILLO), base + 0x1000, 4);
	wr(COMMON(Q_AVAILHI), base >> 32, 4);
	wr(COMMON(Q_USEDLO), base + 0x2000, 4);
	wr(COMMON(Q_USEDHI), base >> 32, 4);
	wr(COMMON(Q_MSIX), 1 + q, 2);
	ck_assert_uint_eq(1 + q, rd(COMMON(Q_MSIX), 2));
	wr(COMMON(Q_ENABLE), 1, 2);
	ck_assert_uint_eq(1, rd(COMMON(Q_ENABLE), 2));
}

/* As Linux's virtio_pci_modern.c does it. */
static void driver_start(void)
{
	unsigned int i;

	set_status(0);
	while (status())
		;
	set_status(1);
	set_status(3);
	for (i = 0; i < 4; i++) {
		wr(COMMON(DFSELECT), i, 4);
		ck_assert_uint_eq(i < 2 ? (uint32_t)(OFFERED >> 32 * i) : 0,
				  rd(COMMON(DF), 4));
	}
	for (i = 0; i < 2; i++) {
		wr(COMMON(GFSELECT), i, 4);
		wr(COMMON(GF), OFFERED >> 32 * i, 4);
	}
	set_status(11);
	ck_assert_uint_eq(11, status());
	ck_assert_uint_eq(NR_QUEUES, rd(COMMON(NUMQ), 2));
	msix_on();
	for (i = 0; i < NR_VECTORS; i++)
		set_vector(i, 0x40 + i);
	wr(COMMON(MSIX), 0, 2);
	ck_assert_uint_eq(0, rd(COMMON(MSIX), 2));
	driver_queue(0, 0x123400000ULL);
	driver_queue(1, 0x567800000ULL);
	set_status(LIVE);
}

static uint64_t kick_gpa(uint64_t bar, unsigned int q)
{
	return bar + VIRTIO_PCI_NOTIFY + q * VIRTIO_PCI_NOTIFY_STEP;
}

START_TEST(a_driver_like_linux_gets_through)
{
	unsigned int q;

	driver_start();
	ck_assert_uint_eq(LIVE, status());
	ck_assert_uint_eq(1, fake.activated);
	ck_assert_uint_eq(OFFERED, fake.features);
	ck_assert_uint_eq(128, fake.queues[1].size);
	ck_assert_uint_eq(0x567800000ULL, fake.queues[1].desc_gpa);
	ck_assert_uint_eq(0x567801000ULL, fake.queues[1].avail_gpa);
	ck_assert_uint_eq(0x567802000ULL, fake.queues[1].used_gpa);
	ck_assert_uint_eq(0x5, rd(COMMON(Q_DESCHI), 4));
	ck_assert_uint_eq(0x67800000, rd(COMMON(Q_DESCLO), 4));
	for (q = 0; q < NR_QUEUES; q++)
		ck_assert_uint_eq(kick_gpa(BAR_GPA, q), machine.bound[q]);

	/* and out again: reset, then del_vq() for each queue */
	set_status(0);
	ck_assert_uint_eq(0, status());
	for (q = 0; q < NR_QUEUES; q++) {
		ck_assert_uint_eq(0, machine.bound[q]);
		wr(COMMON(Q_SELECT), q, 2);
		ck_assert_uint_eq(NONE, rd(COMMON(Q_MSIX), 2));
		wr(COMMON(Q_MSIX), NONE, 2);
		ck_assert_uint_eq(NONE, rd(COMMON(Q_MSIX), 2));
	}
	ck_assert_uint_eq(NONE, rd(COMMON(MSIX), 2));
	driver_start();
	ck_assert_uint_eq(2, fake.activated);
	ck_assert_uint_eq(0, bad_total());
	ck_assert_uint_eq(0, log_lines);
}
END_TEST

/* Source: virtio 1.4, 4.1.2 and 4.1.4; what Linux's probe insists on. */
START_TEST(the_function_is_what_the_spec_asks_for)
{
	static const struct {
		uint8_t type;
		uint32_t offset, length;
	} caps[] = {
		{ VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON, 56 },
		{ VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_PCI_NOTIFY, 8 },
		{ VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_PCI_ISR_REG, 1 },
		{ VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_DEVICE, 0x1000 },
	};
	unsigned int i;
	uint8_t at;

	ck_assert_uint_eq(0x10421af4, cfg(PCI_VENDOR_ID, 4));
	ck_assert_uint_ge(cfg(PCI_REVISION_ID, 1), 1);
	ck_assert_uint_eq(0x1af4, cfg(PCI_SUBSYSTEM_VENDOR_ID, 2));
	ck_assert_uint_ge(cfg(PCI_SUBSYSTEM_ID, 2), 0x40);
	ck_assert_uint_eq(0, cfg(PCI_INTERRUPT_PIN, 1));
	ck_assert_uint_eq(BAR_GPA, cfg(PCI_BASE_ADDRESS_0, 4));
	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		at = find_cap(PCI_CAP_ID_VNDR, caps[i].type);
		ck_assert_uint_ne(0, at);
		ck_assert_uint_eq(0, cfg(at + VIRTIO_PCI_CAP_BAR, 1));
		ck_assert_uint_eq(caps[i].offset,
				  cfg(at + VIRTIO_PCI_CAP_OFFSET, 4));
		ck_assert_uint_eq(caps[i].length,
				  cfg(at + VIRTIO_PCI_CAP_LENGTH, 4));
		ck_assert_uint_ge(cfg(at + VIRTIO_PCI_CAP_LEN, 1), 16);
	}
	at = find_cap(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_NOTIFY_CFG);
	ck_assert_uint_eq(20, cfg(at + VIRTIO_PCI_CAP_LEN, 1));
	ck_assert_uint_eq(4, cfg(at + VIRTIO_PCI_NOTIFY_CAP_MULT, 4));
	ck_assert_uint_ne(0, find_cap(PCI_CAP_ID_VNDR,
				      VIRTIO_PCI_CAP_PCI_CFG));
	at = find_cap(PCI_CAP_ID_MSIX, -1);
	ck_assert_uint_ne(0, at);
	ck_assert_uint_eq(NR_VECTORS - 1, cfg(at + PCI_MSIX_FLAGS, 2));
	ck_assert_uint_eq(VIRTIO_PCI_MSIX_TABLE, cfg(at + PCI_MSIX_TABLE, 4));
	ck_assert_uint_eq(VIRTIO_PCI_MSIX_PBA, cfg(at + PCI_MSIX_PBA, 4));
}
END_TEST

static const struct {
	uint8_t off, len;
	bool writable;
} regs[] = {
	{ 0, 4, true },	  { 4, 4, false },  { 8, 4, true },   { 12, 4, true },
	{ 16, 2, true },  { 18, 2, false }, { 20, 1, true },  { 21, 1, false },
	{ 22, 2, true },  { 24, 2, true },  { 26, 2, true },  { 28, 2, true },
	{ 30, 2, false }, { 32, 4, true },  { 36, 4, true },  { 40, 4, true },
	{ 44, 4, true },  { 48, 4, true },  { 52, 4, true },
};

#define NR_REGS (sizeof(regs) / sizeof(regs[0]))

static int reg_at(uint32_t off, uint32_t len)
{
	unsigned int i;

	for (i = 0; i < NR_REGS; i++)
		if (regs[i].off == off && regs[i].len == len)
			return i;
	return -1;
}

/* section 9: register access of the wrong width or alignment */
START_TEST(common_registers_have_one_width_each)
{
	uint8_t buf[8];
	uint32_t off, len, i;
	uint64_t bad = 0;

	for (off = 0; off < 64; off++) {
		for (len = 1; len <= 8; len++) {
			const int reg = reg_at(off, len);

			memset(buf, 0xff, sizeof(buf));
			fn->bar_read(t, off, buf, len);
			bad += reg < 0;
			ck_assert_uint_eq(bad, bad_total());
			for (i = 0; i < len && reg < 0; i++)
				ck_assert_uint_eq(0, buf[i]);
			for (i = len; i < 8; i++)
				ck_assert_uint_eq(0xff, buf[i]);
			if (reg >= 0 && regs[reg].writable)
				continue;
			fn->bar_write(t, off, buf, len);
			ck_assert_uint_eq(++bad, bad_total());
		}
	}
	ck_assert_uint_eq(0, status());
	ck_assert_uint_eq(0, fake.resets);
}
END_TEST

/* Wherever in the BAR and beyond, and however wide: answered, and no more. */
START_TEST(every_access_is_answered)
{
	uint32_t off, len;
	uint8_t buf[8];

	driver_start();
	for (off = 0; off < VIRTIO_PCI_BAR_BYTES + 16; off++) {
		for (len = 0; len <= 8; len++) {
			fn->bar_read(t, off, buf, len);
			if (off == COMMON(STATUS) || off == COMMON(MSIX) ||
			    off == COMMON(Q_MSIX))
				continue;
			memset(buf, 0xa5, sizeof(buf));
			fn->bar_write(t, off, buf, len);
		}
	}
	fn->bar_read(t, UINT64_MAX, buf, 8);
	fn->bar_write(t, UINT64_MAX, buf, 8);
	fn->bar_write(t, UINT64_MAX - 7, buf, 8);
	ck_assert_uint_eq(LIVE, status());
	ck_assert_uint_eq(1, fake.activated);
	ck_assert_uint_le(log_lines, 10); /* each kind once */
	set_status(0);
	driver_start();
	ck_assert_uint_eq(LIVE, status());
}
END_TEST

START_TEST(each_queue_has_its_vector)
{
	struct virtio_irq *irq = virtio_pci_irq(t);

	driver_start();
	ck_assert_uint_eq(0x40, machine.routed[0]);
	ck_assert_uint_eq(0x42, machine.routed[2]);
	irq->used(irq, 0);
	ck_assert_uint_eq(1, machine.fired[1]);
	irq->used(irq, 1);
	irq->used(irq, 1);
	ck_assert_uint_eq(2, machine.fired[2]);
	ck_assert_uint_eq(0, machine.fired[0]);
	irq->config_changed(irq);
	ck_assert_uint_eq(1, machine.fired[0]);
	irq->needs_reset(irq);
	ck_assert_uint_eq(2, machine.fired[0]);
	ck_assert_uint_eq(LIVE | 64, status());
	ck_assert_uint_eq(1, rd(COMMON(CFGGENERATION), 1));

	/* shared by both queues, as Linux does when vectors are short */
	wr(COMMON(Q_SELECT), 0, 2);
	wr(COMMON(Q_MSIX), 2, 2);
	irq->used(irq, 0);
	ck_assert_uint_eq(3, machine.fired[2]);
	wr(COMMON(Q_MSIX), NONE, 2);
	irq->used(irq, 0);
	ck_assert_uint_eq(3, machine.fired[2]);
	ck_assert_uint_eq(1, machine.fired[1]);
	ck_assert_uint_eq(0, bad_total());
}
END_TEST

START_TEST(a_vector_that_is_not_there_reads_back_as_none)
{
	static const uint16_t vectors[] = { NR_VECTORS, 255, 0xfffe };
	unsigned int i;

	driver_start();
	for (i = 0; i < 3; i++) {
		wr(COMMON(MSIX), vectors[i], 2);
		ck_assert_uint_eq(NONE, rd(COMMON(MSIX), 2));
		wr(COMMON(Q_MSIX), vectors[i], 2);
		ck_assert_uint_eq(NONE, rd(COMMON(Q_MSIX), 2));
	}
	ck_assert_uint_eq(6, stats().bad_register);
	wr(COMMON(Q_SELECT), NR_QUEUES, 2);
	wr(COMMON(Q_MSIX), 1, 2);
	ck_assert_uint_eq(NONE, rd(COMMON(Q_MSIX), 2));
	ck_assert_uint_eq(0, rd(COMMON(Q_SIZE), 2));
	ck_assert_uint_eq(0, rd(COMMON(Q_NOFF), 2));
	ck_assert_uint_eq(2, stats().bad_select);
}
END_TEST

START_TEST(no_interrupt_without_msix)
{
	struct virtio_irq *irq = virtio_pci_irq(t);
	unsigned int v;

	driver_start();
	set_cfg(find_cap(PCI_CAP_ID_MSIX, -1) + PCI_MSIX_FLAGS, 0, 2);
	irq->used(irq, 0);
	irq->config_changed(irq);
	for (v = 0; v < NR_VECTORS; v++)
		ck_assert_uint_eq(0, machine.fired[v]);
	/* but who polls sees the bits, and takes them by it */
	ck_assert_uint_eq(3, rd(VIRTIO_PCI_ISR_REG, 1));
	ck_assert_uint_eq(0, rd(VIRTIO_PCI_ISR_REG, 1));
	ck_assert_uint_eq(0, rd(VIRTIO_PCI_ISR_REG, 4));
	ck_assert_uint_eq(1, stats().bad_width);
}
END_TEST

/* The mask of the function, set through its capability. */
START_TEST(a_masked_function_waits)
{
	const uint8_t cap = find_cap(PCI_CAP_ID_MSIX, -1);
	struct virtio_irq *irq = virtio_pci_irq(t);

	driver_start();
	set_cfg(cap + PCI_MSIX_FLAGS + 1, 0xc0, 1); /* one byte will do */
	irq->used(irq, 0);
	ck_assert_uint_eq(0, machine.fired[1]);
	ck_assert_uint_eq(2, rd(VIRTIO_PCI_MSIX_PBA, 4));
	set_cfg(cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
	ck_assert_uint_eq(1, machine.fired[1]);
	ck_assert_uint_eq(0, rd(VIRTIO_PCI_MSIX_PBA, 4));
}
END_TEST

START_TEST(a_queue_is_enabled_and_never_disabled)
{
	driver_start();
	set_status(0);
	set_status(1);
	set_status(3);
	wr(COMMON(GFSELECT), 1, 4);
	wr(COMMON(GF), 1, 4);
	set_status(11);
	wr(COMMON(Q_SELECT), 0, 2);
	wr(COMMON(Q_ENABLE), 1, 2);
	wr(COMMON(Q_ENABLE), 0, 2);
	wr(COMMON(Q_ENABLE), 2, 2);
	ck_assert_uint_eq(1, rd(COMMON(Q_ENABLE), 2));
	ck_assert_uint_eq(2, stats().bad_register);
	wr(COMMON(Q_SIZE), 8, 2); /* too late */
	ck_assert_uint_eq(VIRTIO_QUEUE_MAX, rd(COMMON(Q_SIZE), 2));
	ck_assert_uint_eq(1, stats().bad_phase);
	set_status(LIVE);
	/* only what is enabled is bound */
	ck_assert_uint_eq(kick_gpa(BAR_GPA, 0), machine.bound[0]);
	ck_assert_uint_eq(0, machine.bound[1]);
}
END_TEST

static void move_bar(uint32_t gpa)
{
	set_cfg(PCI_BASE_ADDRESS_0, gpa, 4);
}

START_TEST(kicks_are_bound_while_the_driver_is_up_and_the_bar_answers)
{
	const uint64_t to = BAR_GPA + 64 * VIRTIO_PCI_BAR_BYTES;

	/* sized before there is a driver: nothing is moved about */
	set_cfg(PCI_COMMAND, 0, 2);
	move_bar(UINT32_MAX);
	ck_assert_uint_eq(-(uint32_t)VIRTIO_PCI_BAR_BYTES,
			  cfg(PCI_BASE_ADDRESS_0, 4));
	ck_assert_uint_eq(0, fn->bar_gpa(t));
	move_bar(BAR_GPA);
	set_cfg(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	ck_assert_uint_eq(BAR_GPA, fn->bar_gpa(t));
	ck_assert_uint_eq(0, machine.binds);

	driver_start();
	ck_assert_uint_eq(NR_QUEUES, machine.binds);
	set_cfg(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	ck_assert_uint_eq(NR_QUEUES, machine.binds);
	set_cfg(PCI_COMMAND, PCI_COMMAND_MASTER, 2);
	ck_assert_uint_eq(0, machine.bound[0] | machine.bound[1]);
	set_cfg(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	move_bar(to);
	ck_assert_uint_eq(to, fn->bar_gpa(t));
	ck_assert_uint_eq(kick_gpa(to, 0), machine.bound[0]);
	ck_assert_uint_eq(kick_gpa(to, 1), machine.bound[1]);
	move_bar(0x100000); /* over RAM: it answers nowhere */
	ck_assert_uint_eq(0, fn->bar_gpa(t));
	ck_assert_uint_eq(0, machine.bound[0] | machine.bound[1]);
	move_bar(to);
	set_status(LIVE | FAILED);
	ck_assert_uint_eq(0, machine.bound[0] | machine.bound[1]);
	ck_assert_uint_eq(machine.binds, machine.unbinds);
}
END_TEST

START_TEST(kicks_that_cannot_be_bound_come_by_exits)
{
	machine.bind_err = -ENOSPC;
	driver_start();
	ck_assert_uint_eq(1, log_lines);
	wr(VIRTIO_PCI_NOTIFY + 4, 1, 2);
	wr(VIRTIO_PCI_NOTIFY + 4, 1, 4);
	ck_assert_uint_eq(2, taken(fake.kick_fds[1]));
	ck_assert_uint_eq(0, taken(fake.kick_fds[0]));
	set_status(0);
	ck_assert_uint_eq(0, machine.unbinds);
	ck_assert_uint_eq(0, bad_total());
}
END_TEST

/* section 9: notify before DRIVER_OK or for no queue */
START_TEST(a_notify_reaches_a_live_queue_only)
{
	wr(VIRTIO_PCI_NOTIFY, 0, 2);
	ck_assert_uint_eq(1, stats().bad_notify);
	driver_start();
	wr(VIRTIO_PCI_NOTIFY + NR_QUEUES * 4, 0, 2);
	wr(VIRTIO_PCI_NOTIFY + 0xffc, 0, 2);
	ck_assert_uint_eq(3, stats().bad_notify);
	wr(VIRTIO_PCI_NOTIFY, 0, 1);
	wr(VIRTIO_PCI_NOTIFY + 2, 0, 2);
	ck_assert_uint_eq(2, stats().bad_width);
	rd(VIRTIO_PCI_NOTIFY, 2);
	ck_assert_uint_eq(1, stats().bad_register);
	ck_assert_uint_eq(0, taken(fake.kick_fds[0]));
	set_status(0);
	wr(VIRTIO_PCI_NOTIFY, 0, 2);
	ck_assert_uint_eq(4, stats().bad_notify);
}
END_TEST

START_TEST(device_config_takes_any_width)
{
	uint32_t off, len, i;
	uint8_t buf[8];

	for (i = 0; i < CONFIG_BYTES; i++)
		fake.config[i] = i + 1;
	for (off = 0; off < CONFIG_BYTES; off++) {
		for (len = 1; len <= 8; len++) {
			memset(buf, 0xff, sizeof(buf));
			fn->bar_read(t, VIRTIO_PCI_DEVICE + off, buf, len);
			for (i = 0; i < len; i++)
				ck_assert_uint_eq(off + i < CONFIG_BYTES ?
						  off + i + 1 : 0, buf[i]);
		}
	}
	wr(VIRTIO_PCI_DEVICE + 3, 0x7f, 1);
	ck_assert_uint_eq(0x7f, fake.config[3]);
	ck_assert_uint_eq(0, bad_total());
	rd(VIRTIO_PCI_DEVICE + 0xffe, 4); /* over the page's end */
	ck_assert_uint_eq(1, stats().bad_width);
}
END_TEST

static void set_window(uint8_t cap, uint8_t bar, uint32_t off, uint32_t len)
{
	set_cfg(cap + VIRTIO_PCI_CAP_BAR, bar, 1);
	set_cfg(cap + VIRTIO_PCI_CAP_OFFSET, off, 4);
	set_cfg(cap + VIRTIO_PCI_CAP_LENGTH, len, 4);
}

/* Source: virtio 1.4, 4.1.4.9 */
START_TEST(the_bar_is_reached_through_configuration_space)
{
	const uint8_t cap = find_cap(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_PCI_CFG);
	const uint8_t data = cap + sizeof(struct virtio_pci_cap);
	uint32_t i;

	/* a dump of it all is no access */
	for (i = 0; i < PCI_CONFIG_BYTES; i += 4)
		cfg(i, 4);
	ck_assert_uint_eq(0, stats().reads);
	ck_assert_uint_eq(0, bad_total());

	set_window(cap, 0, COMMON(STATUS), 1);
	set_cfg(data, 1, 1);
	ck_assert_uint_eq(1, status());
	set_cfg(data, 3, 4);
	ck_assert_uint_eq(3, cfg(data, 1));
	set_window(cap, 0, COMMON(NUMQ), 2);
	ck_assert_uint_eq(NR_QUEUES, cfg(data, 2));
	set_window(cap, 0, COMMON(DF), 4);
	ck_assert_uint_eq((uint32_t)OFFERED, cfg(data, 4));
	ck_assert_uint_eq(0, bad_total());
}
END_TEST

START_TEST(a_window_that_makes_no_sense_is_refused)
{
	const uint8_t cap = find_cap(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_PCI_CFG);
	const uint8_t data = cap + sizeof(struct virtio_pci_cap);
	static const struct {
		uint8_t bar;
		uint32_t off, len;
	} cases[] = {
		{ 1, 0, 4 },		{ 255, 0, 4 },
		{ 0, 0, 3 },		{ 0, 0, 8 },
		{ 0, 0, UINT32_MAX },	{ 0, 1, 2 },
		{ 0, 2, 4 },		{ 0, VIRTIO_PCI_BAR_BYTES, 4 },
		{ 0, UINT32_MAX, 1 },	{ 0, UINT32_MAX - 3, 4 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_window(cap, cases[i].bar, cases[i].off, cases[i].len);
		set_cfg(data, 0x01010101, 4);
		cfg(data, 4);
		ck_assert_uint_eq(2 * (i + 1), stats().bad_width);
	}
	ck_assert_uint_eq(0, status());
}
END_TEST

START_TEST(too_many_queues_are_our_own_error)
{
	struct virtio_dev_ops ops = fake_ops;
	struct virtio_pci *none;

	ops.nr_queues = VIRTIO_MAX_QUEUES + 1;
	ck_assert_int_eq(-EINVAL, virtio_pci_new(&ops, &fake, &fake_host,
						 &fake, BAR_GPA, &none));
	ops.nr_queues = VIRTIO_MAX_QUEUES;
	ck_assert_int_eq(0, virtio_pci_new(&ops, &fake, &fake_host, &fake,
					   BAR_GPA, &none));
	virtio_pci_free(none);
}
END_TEST

/* C9: quiet when the write returns; nobody is interrupted after it */
START_TEST(reset_joins_the_device)
{
	unsigned int fired;
	int i;

	fake.with_worker = true;
	for (i = 0; i < 50; i++) {
		machine.fired[2] = 0;
		driver_start();
		while (!machine.fired[2])
			;
		set_status(0);
		ck_assert(!fake.running);
		fired = machine.fired[2];
		ck_assert_uint_eq(0, rd(VIRTIO_PCI_ISR_REG, 1));
		ck_assert_uint_eq(fired, machine.fired[2]);
	}
	ck_assert_uint_eq(0, bad_total());
}
END_TEST

static void *hammer(void *arg)
{
	uint64_t x = (uintptr_t)arg;
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		static const uint32_t lens[] = { 1, 2, 4, 8 };
		uint8_t data[8] = { 0 };
		uint32_t len, off;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		len = lens[x >> 40 & 3];
		memcpy(data, &x, sizeof(data));
		if (x & 0x100) {
			off = (x >> 20 & 0xff) & -(len == 8 ? 4 : len);
			len = len == 8 ? 4 : len;
			if (x & 1)
				fn->config_write(t, off, data, len);
			else
				fn->config_read(t, off, data, len);
			continue;
		}
		off = (x >> 20 & 7) << 12 | ((x >> 24 & 0x3f) & -len);
		if (x & 1)
			fn->bar_write(t, off, data, len);
		else
			fn->bar_read(t, off, data, len);
		(void)fn->bar_gpa(t);
	}
	return NULL;
}

static void *boot_and_reset(void *arg)
{
	unsigned int i;

	for (i = 0; i < 300; i++) {
		set_status(0);
		set_status(1);
		set_status(3);
		wr(COMMON(GFSELECT), 1, 4);
		wr(COMMON(GF), 1, 4);
		set_status(11);
		wr(COMMON(Q_ENABLE), 1, 2);
		set_status(LIVE);
		wr(VIRTIO_PCI_NOTIFY, 0, 2);
	}
	return NULL;
}

/* section 9: reset storm, from several vCPUs, with a worker that fires */
START_TEST(several_vcpus_do_what_they_like)
{
	pthread_t threads[4];
	uintptr_t i;

	fake.with_worker = true;
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(0, pthread_create(&threads[i], NULL,
						   i < 2 ? hammer :
						   boot_and_reset,
						   (void *)(i + 12345)));
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	/* and the device is as good as new */
	set_cfg(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	move_bar(BAR_GPA);
	driver_start();
	ck_assert_uint_eq(LIVE, status() & LIVE);
	ck_assert_uint_eq(kick_gpa(BAR_GPA, 1), machine.bound[1]);
	set_status(0);
	ck_assert(!fake.running);
	ck_assert_uint_eq(machine.binds, machine.unbinds);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio_pci");
	TCase *tc = tcase_create("virtio_pci");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_driver_like_linux_gets_through);
	tcase_add_test(tc, the_function_is_what_the_spec_asks_for);
	tcase_add_test(tc, common_registers_have_one_width_each);
	tcase_add_test(tc, every_access_is_answered);
	tcase_add_test(tc, each_queue_has_its_vector);
	tcase_add_test(tc, a_vector_that_is_not_there_reads_back_as_none);
	tcase_add_test(tc, no_interrupt_without_msix);
	tcase_add_test(tc, a_masked_function_waits);
	tcase_add_test(tc, a_queue_is_enabled_and_never_disabled);
	tcase_add_test(tc,
		kicks_are_bound_while_the_driver_is_up_and_the_bar_answers);
	tcase_add_test(tc, kicks_that_cannot_be_bound_come_by_exits);
	tcase_add_test(tc, a_notify_reaches_a_live_queue_only);
	tcase_add_test(tc, device_config_takes_any_width);
	tcase_add_test(tc, the_bar_is_reached_through_configuration_space);
	tcase_add_test(tc, a_window_that_makes_no_sense_is_refused);
	tcase_add_test(tc, too_many_queues_are_our_own_error);
	tcase_add_test(tc, reset_joins_the_device);
	tcase_add_test(tc, several_vcpus_do_what_they_like);
	suite_add_tcase(s, tc);
	return test_run(s);
}
