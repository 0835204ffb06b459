// SPDX-License-Identifier: GPL-2.0-only
/* Register accesses, with resets and a device that raises interrupts. */
#include "vmm/fuzz/fuzz.h"

#include "vmm/fuzz/fuzz_dev.h"
#include "vmm/virtio_mmio.h"

#include <linux/virtio_mmio.h>

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct fuzz_dev device;

static uint32_t read_status(struct virtio_mmio *t)
{
	uint32_t v;

	virtio_mmio_read(t, VIRTIO_MMIO_STATUS, &v, sizeof(v));
	return v & STATUS_ALL;
}

/* What must hold after every access. */
static void check(struct virtio_mmio *t, uint32_t was, bool reset)
{
	const uint32_t status = read_status(t);

	must(reset || !(was & ~status)); /* bits go by a reset only */
	must(!reset || !status);
	must(!(was & STATUS_FAILED) || reset || status == was);
	must(device.active == ((status & STATUS_LIVE) == STATUS_LIVE));
}

/* A driver that knows the way, up to a given step. */
static void go(struct virtio_mmio *t, unsigned int steps)
{
	static const struct {
		uint32_t reg, value;
	} way[] = {
		{ VIRTIO_MMIO_STATUS, 0 },
		{ VIRTIO_MMIO_STATUS, 1 },
		{ VIRTIO_MMIO_STATUS, 3 },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1 },
		{ VIRTIO_MMIO_DRIVER_FEATURES, 1 },
		{ VIRTIO_MMIO_STATUS, 11 },
		{ VIRTIO_MMIO_QUEUE_SEL, 0 },
		{ VIRTIO_MMIO_QUEUE_NUM, 8 },
		{ VIRTIO_MMIO_QUEUE_READY, 1 },
		{ VIRTIO_MMIO_STATUS, 15 },
		{ VIRTIO_MMIO_QUEUE_NOTIFY, 0 },
	};
	unsigned int i;

	for (i = 0; i < steps && i < sizeof(way) / sizeof(way[0]); i++)
		virtio_mmio_write(t, way[i].reg, &way[i].value, 4);
}

static void access_one(struct virtio_mmio *t, struct fuzz_in *in, uint8_t op)
{
	const uint32_t off = (op & 4 ? fuzz_take(in, 2) :
			      fuzz_take(in, 1) % 64 * 4);
	const uint32_t len = op & 8 ? fuzz_take(in, 1) % 9 : 4;
	const uint32_t was = read_status(t);
	uint8_t data[8] = { 0 };
	uint64_t value = fuzz_take(in, op & 16 ? 8 : 1);

	memcpy(data, &value, sizeof(data));
	if (op & 1) {
		virtio_mmio_read(t, off, data, len);
		check(t, was, false);
	} else {
		virtio_mmio_write(t, off, data, len);
		check(t, was, off == VIRTIO_MMIO_STATUS && len == 4 &&
			      !(uint32_t)value);
	}
}

void fuzz_mmio(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	const int irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct virtio_mmio *t;
	struct virtio_irq *irq;

	device = (struct fuzz_dev){
		.config_bytes = VIRTIO_MMIO_BYTES - VIRTIO_MMIO_CONFIG,
		.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	must(irq_fd >= 0 && device.kick_fd >= 0);
	must(!virtio_mmio_new(&fuzz_dev_ops, &device, irq_fd, &t));
	irq = virtio_mmio_irq(t);
	while (in.len) {
		const uint8_t op = fuzz_take(&in, 1);

		if (op < 0xc0)
			access_one(t, &in, op);
		else if (op < 0xe0)
			go(t, op % 32);
		else if (op & 1)
			irq->used(irq, 0);
		else if (op & 2)
			irq->needs_reset(irq);
		else if (op & 4)
			irq->config_changed(irq);
		else
			device.activate_err = op & 8 ? -EIO : 0;
	}
	virtio_mmio_free(t);
	close(irq_fd);
	close(device.kick_fd);
}
