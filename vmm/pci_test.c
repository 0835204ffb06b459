// SPDX-License-Identifier: GPL-2.0-only
/* The configuration ports and a function's configuration space. */
#include "vmm/pci.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "lib/test_run.h"
#include "vmm/layout.h"

#define ENABLE (1U << 31)
#define BAR_BYTES 0x1000u

/* A function that has plain configuration space and remembers its calls. */
static struct fake {
	struct pci_config config;
	uint64_t off, value;
	uint32_t len;
	unsigned int reads, writes;
} fake;

static struct pci_bus bus;

static void fake_config_read(void *fn, uint32_t off, void *data, uint32_t len)
{
	ck_assert_uint_eq(0, off % len);
	ck_assert_uint_le(off + len, PCI_CONFIG_BYTES);
	pci_config_read(&((struct fake *)fn)->config, off, data, len);
}

static void fake_config_write(void *fn, uint32_t off, const void *data,
			      uint32_t len)
{
	ck_assert_uint_eq(0, off % len);
	ck_assert_uint_le(off + len, PCI_CONFIG_BYTES);
	pci_config_write(&((struct fake *)fn)->config, off, data, len);
}

static uint64_t fake_bar_gpa(void *fn)
{
	return pci_config_bar_gpa(&((struct fake *)fn)->config);
}

static void fake_bar_read(void *fn, uint64_t off, void *data, uint32_t len)
{
	struct fake *f = fn;

	f->reads++;
	f->off = off;
	f->len = len;
	memset(data, 0x5a, len);
}

static void fake_bar_write(void *fn, uint64_t off, const void *data,
			   uint32_t len)
{
	struct fake *f = fn;

	f->writes++;
	f->off = off;
	f->len = len;
	memcpy(&f->value, data, len);
}

static const struct pci_func_ops fake_ops = {
	.config_read = fake_config_read,
	.config_write = fake_config_write,
	.bar_gpa = fake_bar_gpa,
	.bar_bytes = BAR_BYTES,
	.bar_read = fake_bar_read,
	.bar_write = fake_bar_write,
};

static void setup(void)
{
	static const struct pci_id id = {
		.vendor = 0x1234,
		.device = 0x5678,
		.subsystem_vendor = 0x9abc,
		.subsystem = 0xdef0,
		.class = 0x018000,
		.revision = 7,
	};

	memset(&fake, 0, sizeof(fake));
	pci_config_init(&fake.config, &id);
	pci_config_set_bar(&fake.config, BAR_BYTES,
			   LAYOUT_PCI_MEMORY + 4 * BAR_BYTES);
	pci_bus_init(&bus);
	pci_bus_add(&bus, 3, &fake_ops, &fake);
}

static uint32_t in(uint16_t off, uint32_t size)
{
	uint32_t v = 0;

	pci_bus_port(&bus, off, &v, size, false);
	return v;
}

static void out(uint16_t off, uint32_t v, uint32_t size)
{
	pci_bus_port(&bus, off, &v, size, true);
}

static void select_reg(unsigned int slot, uint32_t reg)
{
	out(0, ENABLE | slot << 11 | reg, 4);
}

static uint32_t config(unsigned int slot, uint32_t reg)
{
	select_reg(slot, reg & ~3U);
	return in(4 + (reg & 3), 4 - (reg & 3) == 3 ? 1 : 4 - (reg & 3));
}

/* As Linux decides that the ports are real. Source: pci/direct.c */
START_TEST(the_ports_are_found)
{
	out(3, 1, 1);
	out(0, ENABLE, 4);
	ck_assert_uint_eq(ENABLE, in(0, 4));
	ck_assert_uint_eq(0x0600, config(0, PCI_CLASS_DEVICE));
	ck_assert_uint_eq(0, config(0, PCI_HEADER_TYPE) & 0xff);
}
END_TEST

START_TEST(a_function_shows_its_ids)
{
	ck_assert_uint_eq(0x56781234, config(3, PCI_VENDOR_ID));
	ck_assert_uint_eq(0x01800007, config(3, PCI_CLASS_REVISION));
	ck_assert_uint_eq(0xdef09abc, config(3, PCI_SUBSYSTEM_VENDOR_ID));
	ck_assert_uint_eq(0, config(3, PCI_CAPABILITY_LIST));
	ck_assert_uint_eq(0, config(3, PCI_INTERRUPT_LINE));
}
END_TEST

static const uint32_t elsewhere[] = {
	3 << 11,			/* not enabled */
	ENABLE | 2 << 11,		/* an empty slot */
	ENABLE | 31 << 11,
	ENABLE | 3 << 11 | 1 << 8,	/* a second function */
	ENABLE | 3 << 11 | 7 << 8,
	ENABLE | 1 << 16 | 3 << 11,	/* another bus */
	ENABLE | 255 << 16 | 3 << 11,
	ENABLE | 1 << 24 | 3 << 11,	/* AMD's way to more registers */
	ENABLE | 0x7f << 24 | 3 << 11,
};

START_TEST(nothing_is_elsewhere)
{
	out(0, elsewhere[_i], 4);
	ck_assert_uint_eq(UINT32_MAX, in(4, 4));
	ck_assert_uint_eq(0xff, in(5, 1));
	out(4, 0, 4);
	ck_assert_uint_eq(0x56781234, config(3, PCI_VENDOR_ID));
}
END_TEST

/* Each width at each port, without asking whether it makes sense. */
START_TEST(every_port_access_is_answered)
{
	static const uint32_t sizes[] = { 1, 2, 4 };
	unsigned int off, i;

	for (off = 0; off < PCI_PORTS; off++) {
		for (i = 0; i < 3; i++) {
			uint32_t v = 0;
			const bool good = off < 4 ? !off && sizes[i] == 4 :
						    !(off % sizes[i]);

			select_reg(3, PCI_VENDOR_ID);
			pci_bus_port(&bus, off, &v, sizes[i], false);
			if (!good)
				ck_assert_uint_eq(
					0xffffffffU >> (32 - 8 * sizes[i]), v);
			else if (off >= 4)
				ck_assert_uint_eq(
					(0x56781234 >> 8 * (off - 4)) &
						(0xffffffffU >>
						 (32 - 8 * sizes[i])), v);
			v = 0x12345678;
			pci_bus_port(&bus, off, &v, sizes[i], true);
			if (off || sizes[i] != 4)
				ck_assert_uint_eq(ENABLE | 3 << 11, in(0, 4));
		}
	}
}
END_TEST

START_TEST(what_is_not_writable_stays)
{
	static const struct {
		uint8_t reg;
		uint32_t mask;
	} regs[] = {
		{ PCI_COMMAND, 0x406 },
		{ PCI_BASE_ADDRESS_0, -BAR_BYTES },
		{ PCI_INTERRUPT_LINE, 0xff },
	};
	uint8_t before[PCI_CONFIG_BYTES];
	unsigned int reg, i;

	memcpy(before, fake.config.data, sizeof(before));
	for (reg = 0; reg < PCI_CONFIG_BYTES; reg += 4) {
		uint32_t mask = 0, was;

		for (i = 0; i < 3; i++)
			if (regs[i].reg == reg)
				mask = regs[i].mask;
		memcpy(&was, before + reg, 4);
		select_reg(3, reg);
		out(4, UINT32_MAX, 4);
		ck_assert_uint_eq(was | mask, config(3, reg));
		out(4, 0, 4);
		ck_assert_uint_eq(was & ~mask, config(3, reg));
		/* the bridge has nothing at all that could be written */
		was = config(0, reg);
		out(4, UINT32_MAX, 4);
		ck_assert_uint_eq(was, config(0, reg));
	}
}
END_TEST

START_TEST(bytes_of_a_register_are_written_alone)
{
	select_reg(3, PCI_BASE_ADDRESS_0);
	out(6, 0xc7, 1);
	ck_assert_uint_eq(LAYOUT_PCI_MEMORY + 4 * BAR_BYTES + 0xc70000,
			  config(3, PCI_BASE_ADDRESS_0));
	out(6, 0xcabc, 2);
	ck_assert_uint_eq(0xcabc4000, config(3, PCI_BASE_ADDRESS_0));
}
END_TEST

START_TEST(capabilities_are_a_list)
{
	static const uint8_t body[10] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	uint8_t a, b, c;

	a = pci_config_add_cap(&fake.config, 0x11, body, 10);
	b = pci_config_add_cap(&fake.config, 0x09, body, 3);
	c = pci_config_add_cap(&fake.config, 0x09, body, 2);
	ck_assert_uint_eq(0x40, a);
	ck_assert_uint_eq(0x4c, b);
	ck_assert_uint_eq(0x54, c);
	ck_assert(config(3, PCI_COMMAND) >> 16 & PCI_STATUS_CAP_LIST);
	ck_assert_uint_eq(a, config(3, PCI_CAPABILITY_LIST) & 0xff);
	ck_assert_uint_eq(0x02010000 | b << 8 | 0x11, config(3, a));
	ck_assert_uint_eq(0x02010000 | c << 8 | 0x09, config(3, b));
	ck_assert_uint_eq(0x02010009, config(3, c));
}
END_TEST

static const struct {
	uint32_t bar;
	uint16_t command;
	uint64_t gpa;
} bars[] = {
	{ LAYOUT_PCI_MEMORY, PCI_COMMAND_MEMORY, LAYOUT_PCI_MEMORY },
	{ LAYOUT_PCI_MEMORY, 0, 0 },
	{ LAYOUT_PCI_MEMORY, PCI_COMMAND_MASTER, 0 },
	{ LAYOUT_PCI_MEMORY - BAR_BYTES, PCI_COMMAND_MEMORY, 0 },
	{ LAYOUT_PCI_MEMORY + LAYOUT_PCI_MEMORY_BYTES - BAR_BYTES,
	  PCI_COMMAND_MEMORY,
	  LAYOUT_PCI_MEMORY + LAYOUT_PCI_MEMORY_BYTES - BAR_BYTES },
	{ LAYOUT_PCI_MEMORY + LAYOUT_PCI_MEMORY_BYTES, PCI_COMMAND_MEMORY, 0 },
	{ 0, PCI_COMMAND_MEMORY, 0 },
	{ 0x100000, PCI_COMMAND_MEMORY, 0 },	/* RAM */
	{ LAYOUT_LAPIC, PCI_COMMAND_MEMORY, 0 },
	{ LAYOUT_IOAPIC, PCI_COMMAND_MEMORY, 0 },
	{ UINT32_MAX, PCI_COMMAND_MEMORY, 0 },	/* being sized */
};

START_TEST(a_bar_answers_where_it_was_put_within_the_window)
{
	uint64_t v = 0;

	select_reg(3, PCI_BASE_ADDRESS_0);
	out(4, bars[_i].bar, 4);
	select_reg(3, PCI_COMMAND);
	out(4, bars[_i].command, 2);
	ck_assert_uint_eq(bars[_i].gpa, pci_config_bar_gpa(&fake.config));
	ck_assert_int_eq(bars[_i].gpa != 0,
			 pci_bus_mmio(&bus, bars[_i].bar, &v, 4, false));
	ck_assert_uint_eq(bars[_i].gpa != 0, fake.reads);
}
END_TEST

START_TEST(an_access_goes_to_the_bar_that_has_it)
{
	const uint64_t at = LAYOUT_PCI_MEMORY + 4 * BAR_BYTES;
	uint64_t v = 0x1122334455667788;

	ck_assert(pci_bus_mmio(&bus, at, &v, 8, true));
	ck_assert_uint_eq(v, fake.value);
	ck_assert_uint_eq(0, fake.off);
	ck_assert_uint_eq(8, fake.len);
	ck_assert(pci_bus_mmio(&bus, at + BAR_BYTES - 1, &v, 1, false));
	ck_assert_uint_eq(BAR_BYTES - 1, fake.off);
	ck_assert_uint_eq(0x5a, v & 0xff);
	ck_assert(!pci_bus_mmio(&bus, at - 1, &v, 1, false));
	ck_assert(!pci_bus_mmio(&bus, at + BAR_BYTES, &v, 1, false));
	ck_assert(!pci_bus_mmio(&bus, UINT64_MAX, &v, 1, true));
	ck_assert(!pci_bus_mmio(&bus, at + (1ULL << 32), &v, 1, true));
	ck_assert_uint_eq(1, fake.reads);
	ck_assert_uint_eq(1, fake.writes);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pci");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, setup, NULL);
	suite_add_tcase(s, t);
	tcase_add_test(t, the_ports_are_found);
	tcase_add_test(t, a_function_shows_its_ids);
	tcase_add_loop_test(t, nothing_is_elsewhere, 0,
			    sizeof(elsewhere) / sizeof(elsewhere[0]));
	tcase_add_test(t, every_port_access_is_answered);
	tcase_add_test(t, what_is_not_writable_stays);
	tcase_add_test(t, bytes_of_a_register_are_written_alone);
	tcase_add_test(t, capabilities_are_a_list);
	tcase_add_loop_test(t, a_bar_answers_where_it_was_put_within_the_window,
			    0, sizeof(bars) / sizeof(bars[0]));
	tcase_add_test(t, an_access_goes_to_the_bar_that_has_it);
	return test_run(s);
}
