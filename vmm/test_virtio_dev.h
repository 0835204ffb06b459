/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests only: a device that remembers what it was asked, for the tests of the
 * transports before it. One for each program, since it holds the state too.
 */
#ifndef KTSTR_VMM_TEST_VIRTIO_DEV_H
#define KTSTR_VMM_TEST_VIRTIO_DEV_H

#include <linux/virtio_config.h>

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/virtio_dev.h"

#define OFFERED ((1ULL << VIRTIO_F_VERSION_1) | 0x30000021ULL)
#define NR_QUEUES 2
#define CONFIG_BYTES 16

static struct fake {
	struct virtio_irq *irq;	/* of its transport; the test sets it */
	unsigned int activated, resets;
	int activate_err;
	bool refuse;		/* needs_reset() from within activate */
	uint64_t features;
	struct virtio_queue_setup queues[NR_QUEUES];
	unsigned int nr;
	uint8_t config[CONFIG_BYTES];
	int kick_fds[NR_QUEUES];
	/* a worker that interrupts until it is reset, if the test wants one */
	bool with_worker;
	pthread_t worker;
	_Atomic bool stop, running;
	_Atomic uint64_t raised;
} fake;

static uint64_t fake_features(void *dev)
{
	return OFFERED;
}

static void fake_config_read(void *dev, uint32_t off, void *data, size_t len)
{
	struct fake *f = dev;
	size_t i;

	for (i = 0; i < len && off + i < CONFIG_BYTES; i++)
		((uint8_t *)data)[i] = f->config[off + i];
}

static void fake_config_write(void *dev, uint32_t off, const void *data,
			      size_t len)
{
	struct fake *f = dev;
	size_t i;

	for (i = 0; i < len && off + i < CONFIG_BYTES; i++)
		f->config[off + i] = ((const uint8_t *)data)[i];
}

static void *fake_worker(void *arg)
{
	struct fake *f = arg;

	while (!f->stop) {
		f->irq->used(f->irq, 1);
		f->irq->config_changed(f->irq);
		f->irq->needs_reset(f->irq);
		f->raised += 3;
	}
	return NULL;
}

static int fake_activate(void *dev, uint64_t features,
			 const struct virtio_queue_setup *queues,
			 unsigned int nr)
{
	struct fake *f = dev;

	ck_assert_uint_le(nr, NR_QUEUES);
	f->activated++;
	f->features = features;
	f->nr = nr;
	memcpy(f->queues, queues, nr * sizeof(*queues));
	if (f->refuse)
		f->irq->needs_reset(f->irq);
	if (f->with_worker) {
		ck_assert(!f->running);
		f->stop = false;
		f->running = true;
		pthread_create(&f->worker, NULL, fake_worker, f);
	}
	return f->activate_err;
}

static void fake_reset(void *dev)
{
	struct fake *f = dev;

	f->resets++;
	if (!f->running)
		return;
	f->stop = true;
	pthread_join(f->worker, NULL);
	f->running = false;
}

static int fake_kick_fd(void *dev, unsigned int q)
{
	return ((struct fake *)dev)->kick_fds[q];
}

static const struct virtio_dev_ops fake_ops = {
	.device_id = 2,
	.nr_queues = NR_QUEUES,
	.features = fake_features,
	.config_read = fake_config_read,
	.config_write = fake_config_write,
	.activate = fake_activate,
	.reset = fake_reset,
	.kick_fd = fake_kick_fd,
};

/* As new, with eventfds for its kicks. */
static void fake_open(void)
{
	unsigned int i;

	memset(&fake, 0, sizeof(fake));
	for (i = 0; i < NR_QUEUES; i++) {
		fake.kick_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ck_assert_int_ge(fake.kick_fds[i], 0);
	}
}

static void fake_close(void)
{
	unsigned int i;

	for (i = 0; i < NR_QUEUES; i++)
		close(fake.kick_fds[i]);
}

/* All that a driver did wrong. */
static uint64_t bad_of(const struct virtio_stats *st)
{
	return st->bad_width + st->bad_register + st->bad_select +
	       st->bad_features + st->bad_phase + st->bad_status +
	       st->bad_notify;
}

/* Events since the last look. */
static uint64_t taken(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

#endif
