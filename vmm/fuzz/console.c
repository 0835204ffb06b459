// SPDX-License-Identifier: GPL-2.0-only
/*
 * The console: a driver that writes chains, control messages and any other
 * words into its rings, and sets up and resets, between calls of serve.
 */
#include "vmm/fuzz/fuzz.h"

#include "vmm/test_ring.h"
#include "vmm/virtio_console.h"

#include <linux/virtio_config.h>
#include <linux/virtio_console.h>

#include <stdbool.h>

#define RAM (80u << 10)
#define SIZE 8u
#define NR_QUEUES 6u
#define BUF_BYTES 64u
#define SERVES_MAX 64

static struct fuzz_guest {
	struct virtio_irq irq;
	struct test_mem mem;
	struct test_ring rings[NR_QUEUES];
	uint64_t bufs;
	struct virtio_console *c;
	bool open, active;
	uint64_t rx_bytes, sent;
	unsigned int needs_reset;
} g;

static void on_data(void *ctx, const void *data, size_t len)
{
	must(g.open);
	must(len);
	g.rx_bytes += len;
}

static void on_open(void *ctx, bool open)
{
	must(open != g.open);
	g.open = open;
}

static const struct virtio_console_ops ops = { on_data, on_open };

static void irq_used(struct virtio_irq *irq, unsigned int queue)
{
	must(g.active);
	must(queue < NR_QUEUES);
}

static void irq_needs_reset(struct virtio_irq *irq)
{
	must(g.active);
	g.needs_reset++;
	must(g.needs_reset == 1); /* once between two resets */
}

static void add(struct test_ring *r, struct fuzz_in *in, bool writable)
{
	const struct test_seg seg = {
		g.bufs + r->next_desc * BUF_BYTES,
		fuzz_take(in, 1) % (BUF_BYTES + 1), writable
	};

	test_ring_add(r, &seg, 1);
}

static void add_control(struct fuzz_in *in, uint8_t op)
{
	struct test_ring *r = &g.rings[3];
	const struct test_seg seg = {
		g.bufs + (SIZE + r->next_desc) * BUF_BYTES,
		sizeof(struct virtio_console_control), false
	};
	const struct virtio_console_control msg = {
		.id = op & 1 ? 1 : fuzz_take(in, 1),
		.event = op & 2 ? VIRTIO_CONSOLE_PORT_OPEN : fuzz_take(in, 1),
		.value = fuzz_take(in, 1),
	};

	memcpy(test_mem_hva(&g.mem, seg.gpa), &msg, sizeof(msg));
	test_ring_add(r, &seg, 1);
}

static void reset(void)
{
	virtio_console_dev_ops.reset(g.c);
	g.active = false;
	g.needs_reset = 0;
}

static void activate(struct fuzz_in *in, bool bad)
{
	struct virtio_queue_setup setups[NR_QUEUES];
	uint64_t features = virtio_console_dev_ops.features(g.c);
	unsigned int q;

	reset();
	for (q = 0; q < NR_QUEUES; q++) {
		test_ring_restart(&g.rings[q]);
		setups[q] = test_ring_setup(&g.rings[q]);
	}
	if (bad) {
		q = fuzz_take(in, 1) % NR_QUEUES;
		setups[q].ready = fuzz_take(in, 1) & 1;
		setups[q].size = fuzz_take(in, 2);
		setups[q].used_gpa += fuzz_take(in, 2);
		features &= ~(fuzz_take(in, 1) << 24);
	}
	g.active = true;
	must(!virtio_console_dev_ops.activate(g.c, features, setups,
					      NR_QUEUES));
}

static void send(struct fuzz_in *in)
{
	static const uint8_t bytes[65536];
	const size_t n = fuzz_take(in, 2);

	if (!virtio_console_send(g.c, bytes, n))
		g.sent += n;
}

static void step(struct fuzz_in *in)
{
	const uint8_t op = fuzz_take(in, 1);
	struct test_ring *r = &g.rings[op / 32 % NR_QUEUES];
	uint64_t at;

	switch (op % 16) {
	case 0: case 1:
		virtio_console_serve(g.c);
		break;
	case 2: case 3: case 4:
		add(r, in, false);
		break;
	case 5: case 6: case 7:
		add(r, in, true);
		break;
	case 8: case 9: case 10: case 11:
		add_control(in, op / 32);
		break;
	case 12:
		send(in);
		break;
	case 13:
		activate(in, op & 128);
		break;
	case 14:
		reset();
		break;
	case 15: /* any word of any ring */
		at = fuzz_take(in, 2) % (g.bufs & ~1ULL) & ~1ULL;
		*(uint16_t *)test_mem_hva(&g.mem, at) = fuzz_take(in, 2);
		break;
	}
}

void fuzz_console(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct virtio_console_stats st;
	unsigned int q, i;

	memset(&g, 0, sizeof(g));
	g.irq = (struct virtio_irq){ .used = irq_used,
				     .needs_reset = irq_needs_reset };
	test_mem_init(&g.mem, RAM);
	for (q = 0; q < NR_QUEUES; q++)
		test_ring_init(&g.rings[q], &g.mem, SIZE);
	g.bufs = test_mem_alloc(&g.mem, 2 * SIZE * BUF_BYTES);
	must(!virtio_console_new(&g.mem.mem, "fuzz", &ops, &g, &g.c));
	virtio_console_set_irq(g.c, &g.irq);
	activate(&in, false);
	while (in.len)
		step(&in);
	for (i = 0; i < SERVES_MAX; i++)
		virtio_console_serve(g.c);
	reset();
	virtio_console_serve(g.c);
	must(!g.open);
	virtio_console_stats_read(g.c, &st);
	must(st.rx_bytes == g.rx_bytes);
	must(st.tx_bytes + st.tx_dropped <= g.sent);
	must(g.sent - st.tx_bytes - st.tx_dropped <=
	     VIRTIO_CONSOLE_PENDING_MAX);
	virtio_console_free(g.c);
	test_mem_fini(&g.mem);
}
