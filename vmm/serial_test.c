// SPDX-License-Identifier: GPL-2.0-only
/* The register sequences are those of Linux's 8250 driver. */
#include "vmm/serial.h"

#include <linux/serial_reg.h>

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "lib/test_run.h"
#include "vmm/console_buf.h"

#define NO_INT(iir) (((iir) & 0x0f) == UART_IIR_NO_INT)

START_TEST(autoconfig_finds_a_16550a)
{
	struct serial s = { 0 };
	uint8_t msr;

	/* the scratch and interrupt enable registers hold what they should */
	serial_write(&s, UART_IER, 0);
	ck_assert_uint_eq(0, serial_read(&s, UART_IER) & 0x0f);
	serial_write(&s, UART_IER, 0x0f);
	ck_assert_uint_eq(0x0f, serial_read(&s, UART_IER));
	/* loopback: OUT2 and RTS come back as DCD and CTS */
	serial_write(&s, UART_MCR, UART_MCR_LOOP | 0x0a);
	msr = serial_read(&s, UART_MSR);
	ck_assert_uint_eq(0x90, msr & 0xf0);
	serial_write(&s, UART_MCR, 0);
	/* no extended features register hides behind the divisor latch */
	serial_write(&s, UART_LCR, 0xbf);
	serial_write(&s, UART_EFR, 0);
	ck_assert_uint_ne(0, serial_read(&s, UART_EFR));
	serial_write(&s, UART_LCR, 0);
	serial_write(&s, UART_FCR, UART_FCR_ENABLE_FIFO);
	ck_assert_uint_eq(3, serial_read(&s, UART_IIR) >> 6);
	/* not an XScale: bit 6 of IER does not stick */
	serial_write(&s, UART_IER, UART_IER_UUE);
	ck_assert_uint_eq(0, serial_read(&s, UART_IER));
}
END_TEST

START_TEST(the_divisor_latch_shadows_data_and_interrupt_enable)
{
	struct serial s = { 0 };

	serial_write(&s, UART_IER, UART_IER_THRI);
	serial_write(&s, UART_LCR, UART_LCR_DLAB);
	ck_assert_int_eq(SERIAL_NOTHING, serial_write(&s, UART_DLL, 1));
	ck_assert_int_eq(SERIAL_NOTHING, serial_write(&s, UART_DLM, 2));
	ck_assert_uint_eq(1, serial_read(&s, UART_DLL));
	ck_assert_uint_eq(2, serial_read(&s, UART_DLM));
	serial_write(&s, UART_LCR, UART_LCR_WLEN8);
	ck_assert_uint_eq(UART_IER_THRI, serial_read(&s, UART_IER));
}
END_TEST

START_TEST(polled_output_sends_every_byte_and_never_interrupts)
{
	struct serial s = { 0 };
	int i;

	for (i = 0; i < 300; i++) {
		ck_assert_uint_eq(UART_LSR_TEMT | UART_LSR_THRE,
				  serial_read(&s, UART_LSR));
		ck_assert_int_eq(SERIAL_SEND, serial_write(&s, UART_TX, i));
	}
	ck_assert(NO_INT(serial_read(&s, UART_IIR)));
}
END_TEST

/* The driver's THRE test: without a second one it polls with a timer. */
START_TEST(enabling_the_empty_interrupt_raises_it_each_time)
{
	struct serial s = { 0 };
	int i;

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(SERIAL_IRQ,
				 serial_write(&s, UART_IER, UART_IER_THRI));
		ck_assert_uint_eq(UART_IIR_THRI,
				  serial_read(&s, UART_IIR) & 0x0f);
		ck_assert(NO_INT(serial_read(&s, UART_IIR)));
		serial_write(&s, UART_IER, 0);
	}
}
END_TEST

START_TEST(a_burst_after_the_interrupt_gives_one_edge)
{
	struct serial s = { 0 };
	int i;

	serial_write(&s, UART_IER, UART_IER_THRI);
	serial_read(&s, UART_IIR);
	ck_assert_int_eq(SERIAL_SEND | SERIAL_IRQ,
			 serial_write(&s, UART_TX, 'a'));
	for (i = 0; i < 15; i++)
		ck_assert_int_eq(SERIAL_SEND, serial_write(&s, UART_TX, 'b'));
	ck_assert_uint_eq(UART_IIR_THRI, serial_read(&s, UART_IIR) & 0x0f);
	ck_assert_int_eq(SERIAL_SEND | SERIAL_IRQ,
			 serial_write(&s, UART_TX, 'c'));
}
END_TEST

START_TEST(loopback_keeps_bytes_in_the_chip)
{
	struct serial s = { 0 };

	serial_write(&s, UART_MCR, UART_MCR_LOOP);
	serial_write(&s, UART_IER, UART_IER_RDI);
	ck_assert_int_eq(SERIAL_IRQ, serial_write(&s, UART_TX, 0x5a));
	ck_assert_uint_eq(UART_IIR_RDI, serial_read(&s, UART_IIR) & 0x0f);
	ck_assert(serial_read(&s, UART_LSR) & UART_LSR_DR);
	ck_assert_uint_eq(0x5a, serial_read(&s, UART_RX));
	ck_assert(!(serial_read(&s, UART_LSR) & UART_LSR_DR));
	ck_assert(NO_INT(serial_read(&s, UART_IIR)));
}
END_TEST

/* ------------------------------------------------- the bytes' way out --- */

struct sink {
	char *text;
	size_t len;
};

static void collect(void *ctx, const char *data, size_t len)
{
	struct sink *k = ctx;

	memcpy(k->text + k->len, data, len);
	k->len += len;
}

START_TEST(console_bytes_keep_their_order_over_drains)
{
	static char text[1 << 20];
	struct sink k = { text, 0 };
	struct console_buf c;
	int i;

	ck_assert_int_eq(0, console_buf_init(&c));
	for (i = 0; i < 100000; i++) {
		console_buf_put(&c, i % 251);
		if (i % 777 == 0)
			console_buf_drain(&c, collect, &k);
	}
	console_buf_drain(&c, collect, &k);
	ck_assert_uint_eq(100000, k.len);
	for (i = 0; i < 100000; i++)
		ck_assert_int_eq((char)(i % 251), text[i]);
	ck_assert_uint_eq(0, c.dropped);
	console_buf_fini(&c);
}
END_TEST

START_TEST(a_console_flood_is_bounded_and_counted)
{
	static char text[1 << 20];
	struct sink k = { text, 0 };
	struct console_buf c;
	int i;

	ck_assert_int_eq(0, console_buf_init(&c));
	for (i = 0; i < CONSOLE_BUF_BYTES + 10; i++)
		console_buf_put(&c, 'x');
	console_buf_drain(&c, collect, &k);
	ck_assert_uint_eq(CONSOLE_BUF_BYTES, k.len);
	ck_assert_uint_eq(10, c.dropped);
	console_buf_put(&c, 'y');
	console_buf_drain(&c, collect, &k);
	ck_assert_int_eq('y', text[CONSOLE_BUF_BYTES]);
	console_buf_fini(&c);
}
END_TEST

static void *put_many(void *arg)
{
	int i;

	for (i = 0; i < 50000; i++)
		console_buf_put(arg, 'z');
	return NULL;
}

START_TEST(no_wake_up_is_lost_between_a_writer_and_the_reader)
{
	static char text[1 << 20];
	struct sink k = { text, 0 };
	struct console_buf c;
	pthread_t thread;

	ck_assert_int_eq(0, console_buf_init(&c));
	ck_assert_int_eq(0, pthread_create(&thread, NULL, put_many, &c));
	while (k.len < 50000) {
		fd_set set;

		/* Blocks for ever, that is to the time limit, when one is. */
		FD_ZERO(&set);
		FD_SET(c.fd, &set);
		ck_assert_int_eq(1, select(c.fd + 1, &set, NULL, NULL, NULL));
		console_buf_drain(&c, collect, &k);
	}
	pthread_join(thread, NULL);
	ck_assert_uint_eq(50000, k.len);
	console_buf_fini(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("serial");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 20);
	suite_add_tcase(s, t);
	tcase_add_test(t, autoconfig_finds_a_16550a);
	tcase_add_test(t, the_divisor_latch_shadows_data_and_interrupt_enable);
	tcase_add_test(t, polled_output_sends_every_byte_and_never_interrupts);
	tcase_add_test(t, enabling_the_empty_interrupt_raises_it_each_time);
	tcase_add_test(t, a_burst_after_the_interrupt_gives_one_edge);
	tcase_add_test(t, loopback_keeps_bytes_in_the_chip);
	tcase_add_test(t, console_bytes_keep_their_order_over_drains);
	tcase_add_test(t, a_console_flood_is_bounded_and_counted);
	tcase_add_test(t, no_wake_up_is_lost_between_a_writer_and_the_reader);
	return test_run(s);
}
