/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device behind the transports that are fuzzed: it does nothing, and ends
 * the program when it is asked for what no transport may ask.
 */
#ifndef KTSTR_VMM_FUZZ_FUZZ_DEV_H
#define KTSTR_VMM_FUZZ_FUZZ_DEV_H

#include <linux/virtio_config.h>

#include <stdbool.h>
#include <string.h>

#include "vmm/fuzz/fuzz.h"
#include "vmm/virtio_dev.h"

#define NR_QUEUES 3
#define OFFERED (1ULL << VIRTIO_F_VERSION_1 | 0x21)

#define STATUS_ALL 0x8fu /* without NEEDS_RESET */
#define STATUS_FAILED 0x80u
#define STATUS_LIVE 0x0fu

struct fuzz_dev {
	uint32_t config_bytes;	/* that the transport has room for */
	bool active;
	int activate_err, kick_fd;
};

static uint64_t fuzz_dev_features(void *dev)
{
	return OFFERED;
}

static void fuzz_dev_config_read(void *dev, uint32_t off, void *data,
				 size_t len)
{
	const struct fuzz_dev *d = dev;

	must(off + len <= d->config_bytes);
	memset(data, 0xcc, len);
}

static void fuzz_dev_config_write(void *dev, uint32_t off, const void *data,
				  size_t len)
{
	const struct fuzz_dev *d = dev;

	must(off + len <= d->config_bytes);
}

static int fuzz_dev_activate(void *dev, uint64_t features,
			     const struct virtio_queue_setup *queues,
			     unsigned int nr)
{
	struct fuzz_dev *d = dev;

	must(!d->active);
	must(nr == NR_QUEUES);
	must(!(features & ~OFFERED));
	must(features & 1ULL << VIRTIO_F_VERSION_1);
	d->active = true;
	return d->activate_err;
}

static void fuzz_dev_reset(void *dev)
{
	struct fuzz_dev *d = dev;

	d->active = false;
}

static int fuzz_dev_kick_fd(void *dev, unsigned int q)
{
	const struct fuzz_dev *d = dev;

	must(q < NR_QUEUES);
	must(d->active);
	return d->kick_fd;
}

static const struct virtio_dev_ops fuzz_dev_ops = {
	.device_id = 2,
	.nr_queues = NR_QUEUES,
	.features = fuzz_dev_features,
	.config_read = fuzz_dev_config_read,
	.config_write = fuzz_dev_config_write,
	.activate = fuzz_dev_activate,
	.reset = fuzz_dev_reset,
	.kick_fd = fuzz_dev_kick_fd,
};

#endif
