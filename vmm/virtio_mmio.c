// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtio_mmio.h"

#include "lib/log.h"

#include <linux/virtio_mmio.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x74726976	/* "virt" */
#define VERSION 2
#define VENDOR 0x5453544b	/* "KTST" */

#define CONFIG_OFF VIRTIO_MMIO_CONFIG
#define NR_REGS (CONFIG_OFF / 4)

_Static_assert(VIRTIO_INT_VRING == VIRTIO_MMIO_INT_VRING &&
	       VIRTIO_INT_CONFIG == VIRTIO_MMIO_INT_CONFIG,
	       "the core's interrupt status is the register's");

struct virtio_mmio {
	struct virtio_core core;
	int irq_fd;		/* borrowed */
	_Atomic bool irq_failed; /* any thread */
};

static void mmio_fire(struct virtio_core *c, uint32_t queue)
{
	struct virtio_mmio *t = (struct virtio_mmio *)c;
	int err = virtio_core_poke(t->irq_fd);

	if (err && !atomic_exchange_explicit(&t->irq_failed, true,
					     memory_order_relaxed))
		log_err("virtio-mmio: device type %u: interrupt not sent: %s",
			c->ops->device_id, strerror(-err));
}

static const struct virtio_transport mmio_transport = {
	.name = "virtio-mmio",
	.fire = mmio_fire,
};

static uint32_t read_magic(struct virtio_core *c)
{
	return MAGIC;
}

static uint32_t read_version(struct virtio_core *c)
{
	return VERSION;
}

static uint32_t read_device_id(struct virtio_core *c)
{
	return c->ops->device_id;
}

static uint32_t read_vendor(struct virtio_core *c)
{
	return VENDOR;
}

/* No region of shared memory exists: all ones (virtio 1.4, 4.2.2). */
static uint32_t read_no_shm(struct virtio_core *c)
{
	return UINT32_MAX;
}

static void write_ignored(struct virtio_core *c, uint32_t v)
{
}

#define REG(off) ((off) / 4)

static const struct reg {
	uint32_t (*read)(struct virtio_core *c);
	void (*write)(struct virtio_core *c, uint32_t v);
} regs[NR_REGS] = {
	[REG(VIRTIO_MMIO_MAGIC_VALUE)] = { read_magic, NULL },
	[REG(VIRTIO_MMIO_VERSION)] = { read_version, NULL },
	[REG(VIRTIO_MMIO_DEVICE_ID)] = { read_device_id, NULL },
	[REG(VIRTIO_MMIO_VENDOR_ID)] = { read_vendor, NULL },
	[REG(VIRTIO_MMIO_DEVICE_FEATURES)] = { virtio_read_device_features,
					       NULL },
	[REG(VIRTIO_MMIO_DEVICE_FEATURES_SEL)] = {
		NULL, virtio_write_device_features_sel },
	[REG(VIRTIO_MMIO_DRIVER_FEATURES)] = { NULL,
					       virtio_write_driver_features },
	[REG(VIRTIO_MMIO_DRIVER_FEATURES_SEL)] = {
		NULL, virtio_write_driver_features_sel },
	[REG(VIRTIO_MMIO_QUEUE_SEL)] = { NULL, virtio_write_queue_sel },
	[REG(VIRTIO_MMIO_QUEUE_NUM_MAX)] = { virtio_read_queue_num_max, NULL },
	[REG(VIRTIO_MMIO_QUEUE_NUM)] = { NULL, virtio_write_queue_num },
	[REG(VIRTIO_MMIO_QUEUE_READY)] = { virtio_read_queue_ready,
					   virtio_write_queue_ready },
	[REG(VIRTIO_MMIO_QUEUE_NOTIFY)] = { NULL, virtio_write_notify },
	[REG(VIRTIO_MMIO_INTERRUPT_STATUS)] = { virtio_read_int_status, NULL },
	[REG(VIRTIO_MMIO_INTERRUPT_ACK)] = { NULL, virtio_write_int_ack },
	[REG(VIRTIO_MMIO_STATUS)] = { virtio_read_status,
				      virtio_write_status },
	[REG(VIRTIO_MMIO_QUEUE_DESC_LOW)] = { NULL,
					      virtio_write_queue_desc_low },
	[REG(VIRTIO_MMIO_QUEUE_DESC_HIGH)] = { NULL,
					       virtio_write_queue_desc_high },
	[REG(VIRTIO_MMIO_QUEUE_AVAIL_LOW)] = { NULL,
					       virtio_write_queue_avail_low },
	[REG(VIRTIO_MMIO_QUEUE_AVAIL_HIGH)] = {
		NULL, virtio_write_queue_avail_high },
	[REG(VIRTIO_MMIO_QUEUE_USED_LOW)] = { NULL,
					      virtio_write_queue_used_low },
	[REG(VIRTIO_MMIO_QUEUE_USED_HIGH)] = { NULL,
					       virtio_write_queue_used_high },
	[REG(VIRTIO_MMIO_SHM_SEL)] = { NULL, write_ignored },
	[REG(VIRTIO_MMIO_SHM_LEN_LOW)] = { read_no_shm, NULL },
	[REG(VIRTIO_MMIO_SHM_LEN_HIGH)] = { read_no_shm, NULL },
	[REG(VIRTIO_MMIO_SHM_BASE_LOW)] = { read_no_shm, NULL },
	[REG(VIRTIO_MMIO_SHM_BASE_HIGH)] = { read_no_shm, NULL },
	[REG(VIRTIO_MMIO_CONFIG_GENERATION)] = { virtio_read_generation,
						 NULL },
};

/* Registers are aligned 32-bit words; config space is the device's affair. */
static bool width_good(struct virtio_mmio *t, uint64_t off, uint32_t len)
{
	if (off < CONFIG_OFF ? !(off % 4) && len == 4 :
	    off < VIRTIO_MMIO_BYTES && len <= VIRTIO_MMIO_BYTES - off)
		return true;
	virtio_core_bad(&t->core, VIRTIO_BAD_WIDTH, off);
	return false;
}

void virtio_mmio_read(struct virtio_mmio *t, uint64_t off, void *data,
		      uint32_t len)
{
	uint32_t v;

	virtio_core_count(&t->core, VIRTIO_READS);
	memset(data, 0, len);
	if (!width_good(t, off, len))
		return;
	if (off < CONFIG_OFF && !regs[REG(off)].read) {
		virtio_core_bad(&t->core, VIRTIO_BAD_REGISTER, off);
		return;
	}
	pthread_mutex_lock(&t->core.lock);
	if (off >= CONFIG_OFF) {
		t->core.ops->config_read(t->core.dev, off - CONFIG_OFF, data,
					 len);
	} else {
		v = regs[REG(off)].read(&t->core);
		memcpy(data, &v, sizeof(v));
	}
	pthread_mutex_unlock(&t->core.lock);
}

void virtio_mmio_write(struct virtio_mmio *t, uint64_t off, const void *data,
		       uint32_t len)
{
	uint32_t v;

	virtio_core_count(&t->core, VIRTIO_WRITES);
	if (!width_good(t, off, len))
		return;
	if (off < CONFIG_OFF && !regs[REG(off)].write) {
		virtio_core_bad(&t->core, VIRTIO_BAD_REGISTER, off);
		return;
	}
	pthread_mutex_lock(&t->core.lock);
	if (off >= CONFIG_OFF) {
		t->core.ops->config_write(t->core.dev, off - CONFIG_OFF, data,
					  len);
	} else {
		memcpy(&v, data, sizeof(v));
		regs[REG(off)].write(&t->core, v);
	}
	pthread_mutex_unlock(&t->core.lock);
}

int virtio_mmio_new(const struct virtio_dev_ops *ops, void *dev, int irq_fd,
		    struct virtio_mmio **res)
{
	struct virtio_mmio *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	err = virtio_core_init(&t->core, &mmio_transport, ops, dev);
	if (err) {
		free(t);
		return err;
	}
	t->irq_fd = irq_fd;
	*res = t;
	return 0;
}

void virtio_mmio_free(struct virtio_mmio *t)
{
	if (!t)
		return;
	virtio_core_fini(&t->core);
	free(t);
}

struct virtio_irq *virtio_mmio_irq(struct virtio_mmio *t)
{
	return &t->core.irq;
}

void virtio_mmio_stats_read(const struct virtio_mmio *t,
			    struct virtio_stats *st)
{
	virtio_core_stats_read(&t->core, st);
}
