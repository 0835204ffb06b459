// SPDX-License-Identifier: GPL-2.0-only
/* What ports and addresses mean, without KVM: a machine with no virtio. */
#include "vmm/devices.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/test_run.h"
#include "vmm/layout.h"

static struct devices d;

static void setup(void)
{
	memset(&d, 0, sizeof(d));
	pthread_mutex_init(&d.serial_lock, NULL);
	d.parked_fd = -1;
	d.serial_irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(d.serial_irq_fd, 0);
	ck_assert_int_eq(0, console_buf_init(&d.console_out));
}

static void teardown(void)
{
	devices_fini(&d);
}

static const struct {
	uint16_t port;
	uint8_t value;
	enum devices_action action;
} writes[] = {
	{ 0x64, 0xfe, DEVICES_RESET },
	{ 0x64, 0xff, DEVICES_CONTINUE },
	{ 0x60, 0xfe, DEVICES_CONTINUE },
	{ 0x61, 0xfe, DEVICES_CONTINUE },
	{ 0x600, 0x34, DEVICES_POWEROFF },
	{ 0x600, 0x14, DEVICES_CONTINUE }, /* no SLP_EN */
	{ 0x600, 0x2c, DEVICES_CONTINUE }, /* S3 */
	{ 0x601, 0x34, DEVICES_CONTINUE }, /* the status register */
	{ 0x602, 1, DEVICES_RESET },
	{ 0x602, 0, DEVICES_CONTINUE },
	{ 0x603, 1, DEVICES_CONTINUE },
	{ 0x3f8, 0xfe, DEVICES_CONTINUE },
	{ 0x400, 0xfe, DEVICES_CONTINUE },
	{ 0xcf9, 6, DEVICES_CONTINUE },
};

START_TEST(only_the_end_ports_end_a_vm)
{
	uint32_t value = writes[_i].value;

	ck_assert_int_eq(writes[_i].action,
			 devices_pio(&d, writes[_i].port, &value, 1, true));
}
END_TEST

static const struct {
	uint16_t port;
	uint32_t size, value;
} reads[] = {
	{ 0x60, 1, 0 },	    { 0x64, 1, 0 },	  { 0x61, 1, 0xff },
	{ 0x600, 1, 0 },    { 0x601, 1, 0 },	  { 0x602, 1, 0 },
	{ 0x3fd, 1, 0x60 }, { 0xcfc, 4, ~0u },	  { 0x70, 2, 0xffff },
	{ 0x3f7, 1, 0xff }, { 0x400, 1, 0xff },	  { 0x3fd, 2, 0xff60 },
};

START_TEST(reads_give_registers_or_ones)
{
	uint32_t value = 0;

	devices_pio(&d, reads[_i].port, &value, reads[_i].size, false);
	ck_assert_uint_eq(reads[_i].value, value);
}
END_TEST

START_TEST(an_interrupt_of_the_serial_port_fires_its_irqfd_once)
{
	uint8_t thri = 2, byte = 'x';
	eventfd_t n;

	devices_pio(&d, 0x3f9, &thri, 1, true);
	devices_pio(&d, 0x3f8, &byte, 1, true);
	ck_assert_int_eq(0, eventfd_read(d.serial_irq_fd, &n));
	ck_assert_uint_eq(1, n);
	ck_assert_int_eq(0, eventfd_read(d.console_out.fd, &n));
	ck_assert_uint_eq(1, d.console_out.len);
}
END_TEST

START_TEST(addresses_without_a_device_read_as_ones)
{
	static const uint64_t gpas[] = {
		0xc0000000, LAYOUT_VIRTIO_MMIO - 4, LAYOUT_VIRTIO_MMIO,
		LAYOUT_IOAPIC, UINT64_MAX - 7,
	};
	size_t i;

	for (i = 0; i < sizeof(gpas) / sizeof(gpas[0]); i++) {
		uint64_t value = 0;

		devices_mmio(&d, gpas[i], &value, 8, false);
		ck_assert_uint_eq(UINT64_MAX, value);
		devices_mmio(&d, gpas[i], &value, 8, true);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, setup, teardown);
	suite_add_tcase(s, t);
	tcase_add_loop_test(t, only_the_end_ports_end_a_vm, 0,
			    sizeof(writes) / sizeof(writes[0]));
	tcase_add_loop_test(t, reads_give_registers_or_ones, 0,
			    sizeof(reads) / sizeof(reads[0]));
	tcase_add_test(t, an_interrupt_of_the_serial_port_fires_its_irqfd_once);
	tcase_add_test(t, addresses_without_a_device_read_as_ones);
	return test_run(s);
}
