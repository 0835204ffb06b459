// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtio_console.h"

#include <linux/virtio_config.h>
#include <linux/virtio_console.h>

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/test_run.h"
#include "vmm/test_ring.h"

#define NAME "ktstr.agent"
#define SIZE 64 /* of each ring */
#define PAGE 4096u
#define NR_QUEUES 6

enum { PORT0_IN, PORT0_OUT, CTL_IN, CTL_OUT, PORT_IN, PORT_OUT };

static const struct virtio_dev_ops *const ops = &virtio_console_dev_ops;
static struct test_mem mem;
static struct test_ring rings[NR_QUEUES];
static struct virtio_console *c;
static uint64_t bufs[NR_QUEUES]; /* SIZE pages each */
static uint64_t features;

/* What the device told us. */
static struct {
	struct virtio_irq irq;
	_Atomic unsigned int used[NR_QUEUES], needs_reset;
	uint8_t *data;
	size_t len;
	unsigned int data_calls;
	char opens[64]; /* 'o' and 'c' in order */
	unsigned int nr_opens;
	size_t len_at_close;
	void (*in_data)(void), (*in_open)(void);
	unsigned int log_lines;
} seen;

static void irq_used(struct virtio_irq *irq, unsigned int q)
{
	seen.used[q]++;
}

static void irq_needs_reset(struct virtio_irq *irq)
{
	seen.needs_reset++;
}

static void on_data(void *ctx, const void *data, size_t len)
{
	ck_assert_ptr_eq(&seen, ctx);
	ck_assert_uint_gt(len, 0);
	seen.data = realloc(seen.data, seen.len + len);
	memcpy(seen.data + seen.len, data, len);
	seen.len += len;
	seen.data_calls++;
	if (seen.in_data)
		seen.in_data();
}

static void on_open(void *ctx, bool open)
{
	if (!open)
		seen.len_at_close = seen.len;
	if (seen.nr_opens < sizeof(seen.opens) - 1)
		seen.opens[seen.nr_opens] = open ? 'o' : 'c';
	seen.nr_opens++;
	if (seen.in_open)
		seen.in_open();
}

static const struct virtio_console_ops console_ops = {
	.data = on_data,
	.open = on_open,
};

static void count_lines(void *ctx, enum log_level level, const char *line)
{
	seen.log_lines++;
}

static void setup(void)
{
	unsigned int q;

	memset(&seen, 0, sizeof(seen));
	seen.irq = (struct virtio_irq){ .used = irq_used,
					.needs_reset = irq_needs_reset };
	log_set_sink(count_lines, NULL);
	test_mem_init(&mem, 8u << 20);
	for (q = 0; q < NR_QUEUES; q++) {
		test_ring_init(&rings[q], &mem, SIZE);
		bufs[q] = test_mem_alloc(&mem, SIZE * PAGE);
	}
	ck_assert_int_eq(0, virtio_console_new(&mem.mem, NAME, &console_ops,
					       &seen, &c));
	virtio_console_set_irq(c, &seen.irq);
	features = ops->features(c);
}

static void teardown(void)
{
	virtio_console_free(c);
	virtio_console_free(NULL);
	test_mem_fini(&mem);
	free(seen.data);
}

static struct virtio_console_stats stats(void)
{
	struct virtio_console_stats st;

	virtio_console_stats_read(c, &st);
	return st;
}

static bool readable(void)
{
	struct pollfd p = { .fd = virtio_console_poll_fd(c), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void kick(unsigned int q)
{
	const uint64_t one = 1;

	ck_assert_int_eq(8, write(ops->kick_fd(c, q), &one, 8));
}

/* The main loop, until it would sleep. */
static void loop(void)
{
	unsigned int i;

	for (i = 0; readable(); i++) {
		ck_assert_msg(i < 1000, "the poll fd never rests");
		virtio_console_serve(c);
	}
}

static void activate_as_is(void)
{
	struct virtio_queue_setup setups[NR_QUEUES];
	unsigned int q;

	for (q = 0; q < NR_QUEUES; q++)
		setups[q] = test_ring_setup(&rings[q]);
	ck_assert_int_eq(0, ops->activate(c, features, setups, NR_QUEUES));
}

static void activate(void)
{
	unsigned int q;

	for (q = 0; q < NR_QUEUES; q++)
		test_ring_restart(&rings[q]);
	activate_as_is();
}

static uint64_t page(unsigned int q, unsigned int i)
{
	return bufs[q] + i % SIZE * PAGE;
}

static void add_in(unsigned int q, uint32_t len)
{
	const struct test_seg seg = { page(q, rings[q].next_desc), len, true };

	test_ring_add(&rings[q], &seg, 1);
}

static void add_out(unsigned int q, const void *data, uint32_t len)
{
	const struct test_seg seg = { page(q, rings[q].next_desc), len, false };

	ck_assert_uint_le(len, PAGE);
	memcpy(test_mem_hva(&mem, seg.gpa), data, len);
	test_ring_add(&rings[q], &seg, 1);
}

static void send_control(uint32_t id, uint16_t event, uint16_t value)
{
	const struct virtio_console_control msg = { id, event, value };
	uint32_t used, len;

	add_out(CTL_OUT, &msg, sizeof(msg));
	kick(CTL_OUT);
	loop();
	/* Linux spins until it is used */
	ck_assert(test_ring_used(&rings[CTL_OUT], &used, &len));
	ck_assert_uint_eq(0, len);
}

/* Take a message from the host, or none. Return: its bytes. */
static uint32_t take_control(struct virtio_console_control *msg, char *name)
{
	uint32_t id, len;
	const char *p;

	if (!test_ring_used(&rings[CTL_IN], &id, &len))
		return 0;
	p = test_mem_hva(&mem, page(CTL_IN, id));
	if (len >= sizeof(*msg)) {
		memcpy(msg, p, sizeof(*msg));
		memcpy(name, p + sizeof(*msg), len - sizeof(*msg));
		name[len - sizeof(*msg)] = '\0';
	}
	return len;
}

static void expect_control(uint16_t event, const char *text)
{
	struct virtio_console_control msg;
	char name[PAGE];

	ck_assert_uint_eq(sizeof(msg) + strlen(text), take_control(&msg, name));
	ck_assert_uint_eq(event, msg.event);
	ck_assert_uint_eq(1, msg.id);
	ck_assert_uint_eq(1, msg.value);
	ck_assert_str_eq(text, name);
}

static void expect_no_control(void)
{
	struct virtio_console_control msg;
	char name[PAGE];

	ck_assert_uint_eq(0, take_control(&msg, name));
}

/* As drivers/char/virtio_console.c does it. */
static void boot(void)
{
	unsigned int i;

	activate();
	loop();
	for (i = 0; i < 8; i++)
		add_in(CTL_IN, PAGE);
	kick(CTL_IN);
	loop();
	send_control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect_control(VIRTIO_CONSOLE_PORT_ADD, "");
	expect_no_control();
	for (i = 0; i < 8; i++)
		add_in(PORT_IN, PAGE);
	kick(PORT_IN);
	send_control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	expect_control(VIRTIO_CONSOLE_PORT_NAME, NAME);
	expect_control(VIRTIO_CONSOLE_PORT_OPEN, "");
	expect_no_control();
}

static void boot_and_open(void)
{
	boot();
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static void expect_clean(void)
{
	const struct virtio_console_stats st = stats();

	ck_assert_uint_eq(0, st.bad_chains + st.bad_control + st.rx_dropped +
			     st.tx_dropped + st.dropped_control + st.broken);
	ck_assert_uint_eq(0, seen.needs_reset);
	ck_assert_uint_eq(0, seen.log_lines);
}

static uint8_t pattern(size_t i)
{
	return i * 31 + i / 251;
}

/* Take what the host sent and give the buffers back. Return: bytes. */
static size_t take_data(size_t at, uint32_t buf_len)
{
	const size_t start = at;
	uint32_t id, len, i;

	while (test_ring_used(&rings[PORT_IN], &id, &len)) {
		const uint8_t *p = test_mem_hva(&mem, page(PORT_IN, id));

		for (i = 0; i < len; i++) {
			if (p[i] != pattern(at + i)) /* a ck_assert is slow */
				ck_abort_msg("byte %zu", at + i);
		}
		at += len;
		add_in(PORT_IN, buf_len);
		kick(PORT_IN);
	}
	return at - start;
}

START_TEST(a_driver_like_linux_gets_its_named_port)
{
	boot();
	ck_assert_uint_eq(0, seen.nr_opens);
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ck_assert_str_eq("o", seen.opens);
	ck_assert_uint_gt(seen.used[CTL_IN], 0);
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ck_assert_str_eq("oco", seen.opens);
	expect_clean();
}
END_TEST

START_TEST(config_space_names_two_ports_at_any_width)
{
	const struct virtio_console_config want = { .max_nr_ports = 2 };
	uint8_t data[16];
	uint32_t off, len, i;

	for (off = 0; off < 20; off++) {
		for (len = 1; len <= 8; len++) {
			memset(data, 0xff, sizeof(data));
			ops->config_read(c, off, data, len);
			for (i = 0; i < len; i++)
				ck_assert_uint_eq(
					off + i < sizeof(want) ?
					((const uint8_t *)&want)[off + i] : 0,
					data[i]);
			ck_assert_uint_eq(0xff, data[len]);
			ops->config_write(c, off, data, len);
		}
	}
	ops->config_read(c, UINT32_MAX, data, 8);
	ops->config_read(c, 4, &i, 4);
	ck_assert_uint_eq(2, i);
}
END_TEST

START_TEST(names_out_of_range_are_refused)
{
	char name[VIRTIO_CONSOLE_NAME_MAX + 2];
	struct virtio_console *none;

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(-EINVAL, virtio_console_new(&mem.mem, name,
						     &console_ops, NULL,
						     &none));
	ck_assert_int_eq(-EINVAL, virtio_console_new(&mem.mem, "",
						     &console_ops, NULL,
						     &none));
	ck_assert_int_eq(0, virtio_console_new(&mem.mem, name + 1,
					       &console_ops, NULL, &none));
	virtio_console_free(none);
}
END_TEST

START_TEST(bytes_from_the_guest_come_in_order_however_split)
{
	size_t sent = 0, i;
	unsigned int round, n, k;
	uint32_t id, len;

	boot_and_open();
	for (round = 0; round < 500; round++) {
		for (n = 0; n < 1 + round % 7; n++) {
			struct test_seg segs[4];
			unsigned int nr = 1 + (round + n) % 4;
			uint64_t at = page(PORT_OUT, n);

			for (k = 0; k < nr; k++) {
				segs[k] = (struct test_seg){
					at, (round * 13 + k * 101) % 700,
					false };
				if (!k)
					segs[k].len++;
				for (i = 0; i < segs[k].len; i++)
					*(uint8_t *)test_mem_hva(&mem, at++) =
						pattern(sent++);
			}
			if (round % 3)
				test_ring_add(&rings[PORT_OUT], segs, nr);
			else
				test_ring_add_indirect(
					&rings[PORT_OUT],
					bufs[PORT0_OUT] + n * 64 + round % 16,
					segs, nr);
		}
		kick(PORT_OUT);
		loop();
		while (test_ring_used(&rings[PORT_OUT], &id, &len))
			ck_assert_uint_eq(0, len);
		ck_assert_uint_eq(test_ring_avail_idx(&rings[PORT_OUT]),
				  rings[PORT_OUT].last_used);
		ck_assert_uint_eq(sent, seen.len);
	}
	for (i = 0; i < sent; i++) {
		if (seen.data[i] != pattern(i))
			ck_abort_msg("byte %zu", i);
	}
	ck_assert_uint_eq(sent, stats().rx_bytes);
	expect_clean();
}
END_TEST

/* 6 MB through the ring of 1 MiB, in pieces that fit nothing */
START_TEST(bytes_to_the_guest_come_in_order)
{
	size_t sent = 0, got = 0, i;
	uint8_t data[5000];
	unsigned int round;

	boot_and_open();
	for (round = 0; round < 2400; round++) {
		const size_t n = round * 37 % sizeof(data);

		for (i = 0; i < n; i++)
			data[i] = pattern(sent + i);
		ck_assert_int_eq(0, virtio_console_send(c, data, n));
		sent += n;
		if (round % 3) {
			loop();
			got += take_data(got, 1 + round % PAGE);
		}
	}
	for (i = 0; i < 10000 && got < sent; i++) {
		loop();
		got += take_data(got, PAGE);
	}
	ck_assert_uint_eq(sent, got);
	ck_assert_uint_eq(sent, stats().tx_bytes);
	ck_assert_uint_gt(seen.used[PORT_IN], 0);
	expect_clean();
}
END_TEST

START_TEST(a_buffer_of_many_pieces_is_filled)
{
	const struct test_seg segs[] = {
		{ bufs[PORT_IN], 3, true }, { bufs[PORT_IN] + 100, 0, true },
		{ bufs[PORT_IN] + 200, 1, true },
		{ bufs[PORT_IN] + 300, 100, true },
	};
	uint32_t id, len;

	activate();
	add_in(CTL_IN, PAGE);
	send_control(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	test_ring_add(&rings[PORT_IN], segs, 4);
	ck_assert_int_eq(0, virtio_console_send(c, "0123456789", 10));
	ck_assert(test_ring_used(&rings[PORT_IN], &id, &len));
	ck_assert_uint_eq(10, len);
	ck_assert_mem_eq("012", test_mem_hva(&mem, bufs[PORT_IN]), 3);
	ck_assert_mem_eq("3", test_mem_hva(&mem, bufs[PORT_IN] + 200), 1);
	ck_assert_mem_eq("456789\0", test_mem_hva(&mem, bufs[PORT_IN] + 300),
			 7);
}
END_TEST

/* Linux throws away what it gets before somebody has the port open. */
START_TEST(bytes_wait_for_the_guest_to_open)
{
	uint32_t id, len;

	ck_assert_int_eq(0, virtio_console_send(c, "early", 5));
	boot();
	ck_assert(!test_ring_used(&rings[PORT_IN], &id, &len));
	ck_assert_int_eq(0, virtio_console_send(c, " bird", 5));
	ck_assert(!test_ring_used(&rings[PORT_IN], &id, &len));
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ck_assert(test_ring_used(&rings[PORT_IN], &id, &len));
	ck_assert_uint_eq(10, len);
	ck_assert_mem_eq("early bird",
			 test_mem_hva(&mem, page(PORT_IN, id)), 10);
	expect_clean();
}
END_TEST

/* Backpressure: all or nothing at 1 MiB */
START_TEST(no_more_than_1_mib_waits)
{
	static uint8_t data[VIRTIO_CONSOLE_PENDING_MAX + 1];
	size_t got = 0, i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = pattern(i);
	ck_assert_int_eq(-ENOBUFS, virtio_console_send(c, data, sizeof(data)));
	ck_assert_int_eq(0, virtio_console_send(c, data, 0));
	ck_assert_int_eq(0, virtio_console_send(c, data, 1000));
	ck_assert_int_eq(-ENOBUFS, virtio_console_send(c, data, SIZE_MAX));
	ck_assert_int_eq(-ENOBUFS,
			 virtio_console_send(c, data + 1000,
					     sizeof(data) - 1000));
	ck_assert_int_eq(0, virtio_console_send(c, data + 1000,
						sizeof(data) - 1001));
	ck_assert_int_eq(-ENOBUFS, virtio_console_send(c, data, 1));
	boot_and_open();
	for (i = 0; i < 1000 && got < sizeof(data) - 1; i++) {
		loop();
		got += take_data(got, PAGE);
	}
	ck_assert_uint_eq(sizeof(data) - 1, got);
	expect_clean();
}
END_TEST

START_TEST(what_was_written_before_a_close_comes_before_it)
{
	const struct virtio_console_control msg = {
		1, VIRTIO_CONSOLE_PORT_OPEN, 0
	};

	boot_and_open();
	add_out(PORT_OUT, "bye", 3);
	add_out(CTL_OUT, &msg, sizeof(msg));
	kick(CTL_OUT);
	loop();
	ck_assert_str_eq("oc", seen.opens);
	ck_assert_uint_eq(3, seen.len_at_close);
	expect_clean();
}
END_TEST

/* The guest writes and closes while we hand out what it wrote before. */
static void write_and_close(void)
{
	const struct virtio_console_control msg = {
		1, VIRTIO_CONSOLE_PORT_OPEN, 0
	};

	seen.in_data = NULL;
	add_out(PORT_OUT, "world", 5);
	add_out(CTL_OUT, &msg, sizeof(msg));
}

START_TEST(a_close_in_the_middle_of_things_comes_last)
{
	boot_and_open();
	seen.in_data = write_and_close;
	add_out(PORT_OUT, "hello ", 6);
	kick(PORT_OUT);
	loop();
	ck_assert_str_eq("oc", seen.opens);
	ck_assert_uint_eq(11, seen.len_at_close);
	expect_clean();
}
END_TEST

START_TEST(a_close_drops_what_waits)
{
	uint32_t id, len;

	boot_and_open();
	while (test_ring_used(&rings[PORT_IN], &id, &len))
		;
	/* 8 pages fit, 10 bytes wait */
	for (len = 0; len < 8; len++)
		ck_assert_int_eq(0, virtio_console_send(c, "x", 1));
	ck_assert_int_eq(0, virtio_console_send(c, "0123456789", 10));
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	ck_assert_uint_eq(10, stats().tx_dropped);
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	while (test_ring_used(&rings[PORT_IN], &id, &len))
		;
	add_in(PORT_IN, PAGE);
	ck_assert_int_eq(0, virtio_console_send(c, "new", 3));
	ck_assert(test_ring_used(&rings[PORT_IN], &id, &len));
	ck_assert_uint_eq(3, len);
	ck_assert_mem_eq("new", test_mem_hva(&mem, page(PORT_IN, id)), 3);
}
END_TEST

static void answer(void)
{
	ck_assert_int_eq(0, virtio_console_send(c, "pong", 4));
}

START_TEST(callbacks_may_send)
{
	uint32_t id, len;

	boot();
	seen.in_open = answer;
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ck_assert(test_ring_used(&rings[PORT_IN], &id, &len));
	ck_assert_mem_eq("pong", test_mem_hva(&mem, page(PORT_IN, id)), 4);
	seen.in_data = answer;
	add_out(PORT_OUT, "ping", 4);
	kick(PORT_OUT);
	loop();
	ck_assert(test_ring_used(&rings[PORT_IN], &id, &len));
	ck_assert_mem_eq("pong", test_mem_hva(&mem, page(PORT_IN, id)), 4);
	expect_clean();
}
END_TEST

/* C9: quiet when reset returns; the owner hears of it on its own thread */
START_TEST(reset_closes_the_port_and_touches_nothing_after)
{
	unsigned int i;
	uint8_t used[6 + 8 * SIZE];

	boot_and_open();
	for (i = 0; i < 3; i++) {
		ops->reset(c);
		ops->reset(c);
		ck_assert_uint_eq(2 * i + 1, seen.nr_opens); /* not from here */
		loop();
		ck_assert_uint_eq(2 * i + 2, seen.nr_opens);
		ck_assert_int_eq('c', seen.opens[2 * i + 1]);

		add_out(PORT_OUT, "x", 1);
		memcpy(used, rings[PORT_OUT].used, sizeof(used));
		kick(PORT_OUT);
		ck_assert_int_eq(0, virtio_console_send(c, "y", 1));
		loop();
		ck_assert_mem_eq(used, rings[PORT_OUT].used, sizeof(used));
		ck_assert_uint_eq(0, seen.len);

		boot_and_open();
		ck_assert_int_eq('o', seen.opens[2 * i + 2]);
	}
	ck_assert_uint_eq(0, stats().tx_dropped);
}
END_TEST

START_TEST(a_reset_drops_what_waits_but_not_what_comes_after)
{
	boot_and_open();
	for (; !test_ring_used_idx(&rings[PORT_IN]) ||
	       test_ring_used_idx(&rings[PORT_IN]) < 8;)
		ck_assert_int_eq(0, virtio_console_send(c, "x", 1));
	ck_assert_int_eq(0, virtio_console_send(c, "waits", 5));
	ops->reset(c);
	ck_assert_uint_eq(5, stats().tx_dropped);
	ck_assert_int_eq(0, virtio_console_send(c, "\0", 1)); /* pattern(0) */
	boot_and_open();
	ck_assert_uint_eq(1, take_data(0, PAGE));
}
END_TEST

/* A vCPU resets, sets up and opens again, while we hand out bytes. */
static void reset_and_reopen(void)
{
	const struct virtio_console_control msgs[] = {
		{ 0, VIRTIO_CONSOLE_DEVICE_READY, 1 },
		{ 1, VIRTIO_CONSOLE_PORT_OPEN, 1 },
	};

	seen.in_data = NULL;
	ops->reset(c);
	activate();
	add_out(CTL_OUT, &msgs[0], sizeof(msgs[0]));
	add_out(CTL_OUT, &msgs[1], sizeof(msgs[1]));
}

START_TEST(a_reset_is_told_before_the_next_open)
{
	boot_and_open();
	seen.in_data = reset_and_reopen;
	add_out(PORT_OUT, "x", 1);
	kick(PORT_OUT);
	loop();
	ck_assert_str_eq("oco", seen.opens);
	expect_clean();
}
END_TEST

/* section 9: bad control messages */
START_TEST(bad_control_messages_are_counted_and_change_nothing)
{
	static const struct virtio_console_control bad[] = {
		{ 0, VIRTIO_CONSOLE_DEVICE_READY, 1 }, /* again */
		{ 0, VIRTIO_CONSOLE_DEVICE_READY, 0 },
		{ 1, VIRTIO_CONSOLE_PORT_READY, 1 }, /* again */
		{ 0, VIRTIO_CONSOLE_PORT_READY, 1 },
		{ 2, VIRTIO_CONSOLE_PORT_READY, 1 },
		{ 1, VIRTIO_CONSOLE_PORT_OPEN, 0 }, /* is not open */
		{ 1, VIRTIO_CONSOLE_PORT_OPEN, 2 },
		{ 1, VIRTIO_CONSOLE_PORT_OPEN, 65535 },
		{ 0, VIRTIO_CONSOLE_PORT_OPEN, 1 },
		{ UINT32_MAX, VIRTIO_CONSOLE_PORT_OPEN, 1 },
		{ 1, VIRTIO_CONSOLE_PORT_ADD, 1 }, /* ours to send */
		{ 1, VIRTIO_CONSOLE_PORT_REMOVE, 1 },
		{ 1, VIRTIO_CONSOLE_CONSOLE_PORT, 1 },
		{ 1, VIRTIO_CONSOLE_RESIZE, 1 },
		{ 1, VIRTIO_CONSOLE_PORT_NAME, 1 },
		{ 1, 8, 1 },
		{ 1, 65535, 1 },
	};
	unsigned int i;

	boot();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		send_control(bad[i].id, bad[i].event, bad[i].value);
		expect_no_control();
		ck_assert_uint_eq(i + 1, stats().bad_control);
	}
	ck_assert_uint_eq(0, seen.nr_opens);
	ck_assert_uint_eq(1, seen.log_lines); /* each kind once */
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ck_assert_str_eq("o", seen.opens);
	ck_assert_uint_eq(i + 1, stats().bad_control);
}
END_TEST

START_TEST(messages_before_device_ready_are_bad)
{
	activate();
	add_in(CTL_IN, PAGE);
	send_control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ck_assert_uint_eq(2, stats().bad_control);
	ck_assert_uint_eq(0, seen.nr_opens);
	expect_no_control();
}
END_TEST

/* section 9: tiny and zero-length buffers, both ways, on every queue */
START_TEST(tiny_buffers_are_given_back_and_counted)
{
	uint32_t id, len, i;

	activate();
	for (i = 1; i < 8; i++) { /* a control message has 8 bytes */
		add_out(CTL_OUT, "\0\0\0\0\0\0\0", i);
		add_in(CTL_IN, i);
	}
	kick(CTL_OUT);
	loop();
	ck_assert_uint_eq(7, stats().bad_control);
	ck_assert_uint_eq(7, test_ring_used_idx(&rings[CTL_OUT]));
	ck_assert_uint_eq(0, test_ring_used_idx(&rings[CTL_IN]));
	rings[CTL_OUT].last_used = 7;

	send_control(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	ck_assert(test_ring_used(&rings[CTL_IN], &id, &len));
	ck_assert_uint_eq(0, len);
	ck_assert_uint_eq(1, stats().dropped_control);
	send_control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	ck_assert_uint_eq(3, stats().dropped_control);
	ck_assert_uint_eq(3, test_ring_used_idx(&rings[CTL_IN]));

	for (i = 0; i < 3; i++) {
		add_out(PORT_OUT, "", 0);
		add_out(PORT0_OUT, "", 0);
		add_out(CTL_OUT, "", 0);
		add_in(PORT_IN, 0);
		add_out(PORT_IN, "wrong way", 9);
		add_in(PORT_OUT, 9);
	}
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	add_in(PORT_IN, 1);
	ck_assert_int_eq(0, virtio_console_send(c, "ab", 2));
	ck_assert_uint_eq(1, stats().tx_bytes);
	ck_assert_uint_eq(18, stats().bad_chains);
	ck_assert_uint_eq(0, seen.needs_reset);
	loop();
}
END_TEST

/* section 9: buffers never replenished: we wait, and hold a few bytes */
START_TEST(control_messages_wait_for_buffers)
{
	activate();
	send_control(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	send_control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	loop();
	ck_assert(!readable());
	add_in(CTL_IN, PAGE);
	kick(CTL_IN);
	loop();
	expect_control(VIRTIO_CONSOLE_PORT_ADD, "");
	expect_no_control();
	add_in(CTL_IN, PAGE);
	ck_assert(test_ring_must_kick(&rings[CTL_IN], true));
	add_in(CTL_IN, PAGE);
	kick(CTL_IN);
	loop();
	expect_control(VIRTIO_CONSOLE_PORT_NAME, NAME);
	expect_control(VIRTIO_CONSOLE_PORT_OPEN, "");
	expect_clean();
}
END_TEST

START_TEST(a_reset_forgets_control_messages_that_wait)
{
	activate();
	send_control(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	send_control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	ops->reset(c);
	boot(); /* expects each message once */
	expect_clean();
}
END_TEST

/* section 9: malformed chains (U) on each queue the guest fills */
START_TEST(malformed_chains_are_given_back)
{
	static const unsigned int queues[] = { CTL_OUT, PORT_OUT, PORT0_OUT };
	unsigned int i;
	uint32_t id, len;

	boot_and_open();
	for (i = 0; i < 3; i++) {
		struct test_ring *r = &rings[queues[i]];

		r->last_used = test_ring_used_idx(r);
		test_ring_desc(r, 0, UINT64_MAX, 8, 0, 0);
		test_ring_publish(r, 0);
		test_ring_desc(r, 1, bufs[CTL_OUT], 8, VRING_DESC_F_NEXT, 1);
		test_ring_publish(r, 1);
		kick(queues[i]);
		loop();
		ck_assert(test_ring_used(r, &id, &len));
		ck_assert_uint_eq(0, id + len);
		ck_assert(test_ring_used(r, &id, &len));
		ck_assert_uint_eq(1, id + len);
		ck_assert_uint_eq(2 * (i + 1), stats().bad_chains);
	}
	ck_assert_uint_eq(0, seen.needs_reset);
	ck_assert_uint_eq(0, seen.len);
}
END_TEST

/* One chain can name one page again and again: 1 MiB is the most we copy. */
START_TEST(chains_over_1_mib_are_refused)
{
	struct test_seg segs[33];
	unsigned int i;

	boot_and_open();
	for (i = 0; i < 33; i++)
		segs[i] = (struct test_seg){ bufs[PORT_OUT], 32768, false };
	test_ring_add(&rings[PORT_OUT], segs, 32);
	kick(PORT_OUT);
	loop();
	ck_assert_uint_eq(1u << 20, seen.len);
	segs[32].len = 1;
	rings[PORT_OUT].next_desc = 0;
	test_ring_add(&rings[PORT_OUT], segs, 33);
	kick(PORT_OUT);
	loop();
	ck_assert_uint_eq(1u << 20, seen.len);
	ck_assert_uint_eq(1, stats().bad_chains);
	ck_assert_uint_eq(2, test_ring_used_idx(&rings[PORT_OUT]));
}
END_TEST

START_TEST(bytes_for_a_closed_port_are_dropped)
{
	boot();
	add_out(PORT_OUT, "hello", 5);
	kick(PORT_OUT);
	loop();
	ck_assert_uint_eq(0, seen.len);
	ck_assert_uint_eq(5, stats().rx_dropped);
	ck_assert_uint_eq(1, test_ring_used_idx(&rings[PORT_OUT]));
	ck_assert_uint_eq(1, seen.log_lines);
}
END_TEST

START_TEST(port_0_is_a_sink)
{
	unsigned int i;

	boot_and_open();
	for (i = 0; i < 10; i++)
		add_out(PORT0_OUT, "hello", 5);
	kick(PORT0_OUT);
	loop();
	ck_assert_uint_eq(10, test_ring_used_idx(&rings[PORT0_OUT]));
	ck_assert_uint_eq(10, stats().bad_chains);
	ck_assert_uint_eq(0, seen.len);
}
END_TEST

/* A guest that is always faster than we: it refills while we serve. */
static void refill(void)
{
	const struct test_ring *r = &rings[PORT_OUT];

	while ((uint16_t)(test_ring_avail_idx(r) - test_ring_used_idx(r)) <
	       SIZE)
		add_out(PORT_OUT, "flood", 5);
}

/* section 9: output flood: serve comes back, and says that it is not done */
START_TEST(a_flood_does_not_keep_us)
{
	const struct virtio_console_control msgs[] = {
		{ 7, VIRTIO_CONSOLE_PORT_OPEN, 1 },
		{ 1, VIRTIO_CONSOLE_PORT_OPEN, 0 },
	};
	unsigned int calls, i;

	boot_and_open();
	refill();
	seen.in_data = refill;
	kick(PORT_OUT);
	for (i = 0; i < 5; i++) {
		calls = seen.data_calls;
		ck_assert(readable());
		virtio_console_serve(c);
		ck_assert_uint_gt(seen.data_calls, calls);
		ck_assert_uint_le(seen.data_calls, calls + 10);
	}
	/* nor does it shut out the other queues, but for a close */
	add_out(CTL_OUT, &msgs[0], sizeof(msgs[0]));
	add_out(CTL_OUT, &msgs[1], sizeof(msgs[1]));
	for (i = 0; i < 5; i++) {
		ck_assert(readable());
		virtio_console_serve(c);
	}
	ck_assert_uint_eq(1, stats().bad_control);
	ck_assert_str_eq("o", seen.opens);
	seen.in_data = NULL;
	loop();
	ck_assert_str_eq("oc", seen.opens);
	ck_assert_uint_eq(seen.len, seen.len_at_close);
}
END_TEST

static void big_refill(void)
{
	struct test_seg segs[32];
	unsigned int i;

	for (i = 0; i < 32; i++)
		segs[i] = (struct test_seg){ bufs[PORT_OUT], 32768, false };
	rings[PORT_OUT].next_desc = 0;
	test_ring_add(&rings[PORT_OUT], segs, 32);
	seen.len = 0; /* spare our memory */
}

START_TEST(a_flood_of_bytes_does_not_keep_us)
{
	boot_and_open();
	big_refill();
	seen.in_data = big_refill;
	kick(PORT_OUT);
	virtio_console_serve(c);
	ck_assert_uint_eq(16u << 20, stats().rx_bytes);
	ck_assert(readable());
	virtio_console_serve(c);
	ck_assert_uint_eq(32u << 20, stats().rx_bytes);
}
END_TEST

START_TEST(a_full_ring_is_taken_in_one_call)
{
	boot_and_open();
	refill();
	kick(PORT_OUT);
	virtio_console_serve(c);
	ck_assert_uint_eq(SIZE * 5, seen.len);
	ck_assert_uint_eq(1, seen.data_calls);
	ck_assert(!readable());
	expect_clean();
}
END_TEST

/* section 9, R: nothing is touched until reset, then all is well again */
START_TEST(a_broken_ring_needs_a_reset)
{
	static const unsigned int queues[] = { PORT0_OUT, CTL_OUT, PORT_OUT,
					       PORT_IN };
	unsigned int i;
	uint16_t used;

	for (i = 0; i < 4; i++) {
		struct test_ring *r = &rings[queues[i]];

		boot_and_open();
		ck_assert_int_eq('o', seen.opens[2 * i]);
		used = test_ring_used_idx(r);
		test_ring_set_avail_idx(r, test_ring_avail_idx(r) + SIZE + 1);
		kick(queues[i]);
		loop();
		ck_assert_int_eq(0, virtio_console_send(c, "x", 1));
		ck_assert_uint_eq(i + 1, seen.needs_reset);
		ck_assert_uint_eq(i + 1, stats().broken);
		ck_assert_uint_eq(used, test_ring_used_idx(r));

		add_out(PORT_OUT, "x", 1);
		used = test_ring_used_idx(&rings[PORT_OUT]);
		kick(PORT_OUT);
		loop();
		ck_assert_uint_eq(used, test_ring_used_idx(&rings[PORT_OUT]));
		ck_assert_uint_eq(i + 1, seen.needs_reset); /* said once */
		ops->reset(c);
		loop();
	}
	ck_assert_str_eq("ococococ", seen.opens);
}
END_TEST

START_TEST(a_bad_ring_is_refused_at_activation)
{
	struct virtio_queue_setup setups[NR_QUEUES];
	unsigned int q;

	for (q = 0; q < NR_QUEUES; q++)
		setups[q] = test_ring_setup(&rings[q]);
	setups[3].used_gpa += 1;
	ck_assert_int_eq(0, ops->activate(c, features, setups, NR_QUEUES));
	ck_assert_uint_eq(1, seen.needs_reset);
	add_out(PORT0_OUT, "x", 1);
	loop();
	ck_assert_uint_eq(0, test_ring_used_idx(&rings[PORT0_OUT]));
}
END_TEST

START_TEST(a_kick_before_activation_is_not_lost)
{
	add_out(PORT0_OUT, "x", 1);
	kick(PORT0_OUT);
	loop();
	ck_assert_uint_eq(0, test_ring_used_idx(&rings[PORT0_OUT]));
	activate_as_is();
	loop();
	ck_assert_uint_eq(1, test_ring_used_idx(&rings[PORT0_OUT]));
}
END_TEST

/* C1 */
START_TEST(queues_that_are_not_ready_are_left_alone)
{
	struct virtio_queue_setup setups[NR_QUEUES] = { 0 };

	setups[PORT0_OUT] = test_ring_setup(&rings[PORT0_OUT]);
	setups[PORT_OUT] = test_ring_setup(&rings[PORT_OUT]);
	setups[PORT_OUT].ready = false;
	ck_assert_int_eq(0, ops->activate(c, features, setups, NR_QUEUES));
	add_out(PORT0_OUT, "x", 1);
	add_out(PORT_OUT, "x", 1);
	kick(PORT_OUT);
	loop();
	ck_assert_int_eq(0, virtio_console_send(c, "x", 1));
	ck_assert_uint_eq(1, test_ring_used_idx(&rings[PORT0_OUT]));
	ck_assert_uint_eq(0, test_ring_used_idx(&rings[PORT_OUT]));
	ck_assert_uint_eq(0, seen.needs_reset);
}
END_TEST

START_TEST(works_without_event_index)
{
	features &= ~(1ULL << VIRTIO_RING_F_EVENT_IDX);
	boot_and_open();
	refill();
	kick(PORT_OUT);
	loop();
	ck_assert_uint_eq(SIZE * 5, seen.len);
	ck_assert(test_ring_must_kick(&rings[PORT_OUT], false));
	ck_assert(!test_ring_must_kick(&rings[PORT_IN], false));
	expect_clean();
}
END_TEST

#define STRESS_ROUNDS 200

/*
 * A vCPU that sets up, opens, writes and resets, as fast as it can and without
 * waiting for an answer. It touches no ring that the device may still serve.
 */
static void *stress_vcpu(void *arg)
{
	_Atomic bool *done = arg;
	unsigned int i, k;

	for (i = 0; i < STRESS_ROUNDS; i++) {
		const struct virtio_console_control msgs[] = {
			{ 0, VIRTIO_CONSOLE_DEVICE_READY, 1 },
			{ 1, VIRTIO_CONSOLE_PORT_READY, 1 },
			{ 1, VIRTIO_CONSOLE_PORT_OPEN, 1 },
		};

		activate();
		for (k = 0; k < 8; k++) {
			add_in(CTL_IN, PAGE);
			add_in(PORT_IN, PAGE);
		}
		for (k = 0; k < 3; k++)
			add_out(CTL_OUT, &msgs[k], sizeof(msgs[k]));
		kick(CTL_OUT);
		/* half of the rounds get as far as the open */
		while (i % 2 && test_ring_used_idx(&rings[CTL_OUT]) < 3)
			usleep(10);
		for (k = 0; k < 20; k++)
			add_out(PORT_OUT, "abcdefgh", 8);
		kick(PORT_OUT);
		while (i % 4 == 3 && test_ring_used_idx(&rings[PORT_OUT]) < 20)
			usleep(10);
		ops->reset(c);
	}
	*done = true;
	return NULL;
}

/* activate and reset on a vCPU thread, while the main loop serves and sends */
START_TEST(a_vcpu_resets_while_we_serve)
{
	_Atomic bool done = false;
	pthread_t thread;
	unsigned int i;

	ck_assert_int_eq(0, pthread_create(&thread, NULL, stress_vcpu, &done));
	while (!done) {
		struct pollfd p = { .fd = virtio_console_poll_fd(c),
				    .events = POLLIN };

		if (poll(&p, 1, 1) == 1)
			virtio_console_serve(c);
		virtio_console_send(c, "x", 1);
	}
	pthread_join(thread, NULL);
	loop();
	ck_assert_uint_gt(seen.nr_opens, STRESS_ROUNDS / 2);
	for (i = 0; i < sizeof(seen.opens) - 1; i++)
		ck_assert_int_eq(i % 2 ? 'c' : 'o', seen.opens[i]);
	ck_assert_uint_eq(0, seen.nr_opens % 2);
	ck_assert_uint_gt(seen.len, STRESS_ROUNDS / 4 * 100);
	ck_assert_uint_eq(0, seen.len % 8);
	for (i = 0; i < seen.len; i++) {
		if (seen.data[i] != 'a' + i % 8)
			ck_abort_msg("byte %u", i);
	}
	ck_assert_uint_eq(0, seen.needs_reset);
	boot_and_open();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio_console");
	TCase *tc = tcase_create("virtio_console");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_driver_like_linux_gets_its_named_port);
	tcase_add_test(tc, config_space_names_two_ports_at_any_width);
	tcase_add_test(tc, names_out_of_range_are_refused);
	tcase_add_test(tc, bytes_from_the_guest_come_in_order_however_split);
	tcase_add_test(tc, bytes_to_the_guest_come_in_order);
	tcase_add_test(tc, a_buffer_of_many_pieces_is_filled);
	tcase_add_test(tc, bytes_wait_for_the_guest_to_open);
	tcase_add_test(tc, no_more_than_1_mib_waits);
	tcase_add_test(tc, what_was_written_before_a_close_comes_before_it);
	tcase_add_test(tc, a_close_in_the_middle_of_things_comes_last);
	tcase_add_test(tc, a_close_drops_what_waits);
	tcase_add_test(tc, callbacks_may_send);
	tcase_add_test(tc, reset_closes_the_port_and_touches_nothing_after);
	tcase_add_test(tc, a_reset_drops_what_waits_but_not_what_comes_after);
	tcase_add_test(tc, a_reset_is_told_before_the_next_open);
	tcase_add_test(tc, bad_control_messages_are_counted_and_change_nothing);
	tcase_add_test(tc, messages_before_device_ready_are_bad);
	tcase_add_test(tc, tiny_buffers_are_given_back_and_counted);
	tcase_add_test(tc, control_messages_wait_for_buffers);
	tcase_add_test(tc, a_reset_forgets_control_messages_that_wait);
	tcase_add_test(tc, malformed_chains_are_given_back);
	tcase_add_test(tc, chains_over_1_mib_are_refused);
	tcase_add_test(tc, bytes_for_a_closed_port_are_dropped);
	tcase_add_test(tc, port_0_is_a_sink);
	tcase_add_test(tc, a_flood_does_not_keep_us);
	tcase_add_test(tc, a_flood_of_bytes_does_not_keep_us);
	tcase_add_test(tc, a_full_ring_is_taken_in_one_call);
	tcase_add_test(tc, a_broken_ring_needs_a_reset);
	tcase_add_test(tc, a_bad_ring_is_refused_at_activation);
	tcase_add_test(tc, a_kick_before_activation_is_not_lost);
	tcase_add_test(tc, queues_that_are_not_ready_are_left_alone);
	tcase_add_test(tc, works_without_event_index);
	tcase_add_test(tc, a_vcpu_resets_while_we_serve);
	suite_add_tcase(s, tc);
	return test_run(s);
}
