// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtio_mmio.h"

#include "lib/log.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x74726976	/* "virt" */
#define VERSION 2
#define VENDOR 0x5453544b	/* "KTST" */

#define CONFIG_OFF VIRTIO_MMIO_CONFIG
#define NR_REGS (CONFIG_OFF / 4)

#define S_ACKNOWLEDGE VIRTIO_CONFIG_S_ACKNOWLEDGE
#define S_DRIVER VIRTIO_CONFIG_S_DRIVER
#define S_DRIVER_OK VIRTIO_CONFIG_S_DRIVER_OK
#define S_FEATURES_OK VIRTIO_CONFIG_S_FEATURES_OK
#define S_NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET
#define S_FAILED VIRTIO_CONFIG_S_FAILED

enum counter {
	READS, WRITES, INTERRUPTS,
	BAD_WIDTH, BAD_REGISTER, BAD_SELECT, BAD_FEATURES, BAD_PHASE,
	BAD_STATUS, BAD_NOTIFY,
	NR_COUNTERS
};

static const char *const bad_names[NR_COUNTERS] = {
	[BAD_WIDTH] = "access of a wrong width or alignment at",
	[BAD_REGISTER] = "no such register or value:",
	[BAD_SELECT] = "no such queue or feature word:",
	[BAD_FEATURES] = "features refused, low word",
	[BAD_PHASE] = "queue register written out of phase, value",
	[BAD_STATUS] = "status refused:",
	[BAD_NOTIFY] = "notify for a queue that is not live:",
};

struct virtio_mmio {
	const struct virtio_dev_ops *ops; /* borrowed, as is the device */
	void *dev;
	int irq_fd;		/* borrowed */
	struct virtio_irq irq;	/* called without the lock */

	/* atomic: any thread */
	_Atomic uint32_t int_status;
	_Atomic uint32_t generation;
	_Atomic bool needs_reset;
	_Atomic bool irq_failed;
	_Atomic uint64_t counters[NR_COUNTERS];

	/* all below: under the lock */
	pthread_mutex_t lock;
	struct virtio_mmio_regs {
		uint32_t status;	/* without S_NEEDS_RESET */
		uint32_t device_features_sel, driver_features_sel;
		uint64_t driver_features;
		bool features_beyond;	/* one over bit 63 was asked for */
		uint32_t queue_sel;
		struct virtio_queue_setup queues[VIRTIO_MAX_QUEUES];
	} r;
};

static void count(struct virtio_mmio *t, enum counter c)
{
	atomic_fetch_add_explicit(&t->counters[c], 1, memory_order_relaxed);
}

static void bad(struct virtio_mmio *t, enum counter c, uint64_t what)
{
	if (!atomic_fetch_add_explicit(&t->counters[c], 1,
				       memory_order_relaxed))
		log_warn("virtio-mmio: device type %u: %s 0x%llx (logged once)",
			 t->ops->device_id, bad_names[c],
			 (unsigned long long)what);
}

/* An eventfd whose counter is full is readable: what we want to say is said. */
static int poke(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN)
		return 0;
	return -errno;
}

/*
 * Set interrupt-status bits, then fire (C6). Release: the used ring, or the
 * flag, that the bit speaks of is visible to whoever reads the bit. Pairs with
 * the acquire loads of read_int_status() and write_int_ack(). Fires for a bit
 * that is still set, too: only the driver knows if it has seen it.
 */
static void irq_raise(struct virtio_mmio *t, uint32_t bits)
{
	int err;

	atomic_fetch_or_explicit(&t->int_status, bits, memory_order_release);
	count(t, INTERRUPTS);
	err = poke(t->irq_fd);
	if (err && !atomic_exchange_explicit(&t->irq_failed, true,
					     memory_order_relaxed))
		log_err("virtio-mmio: device type %u: interrupt not sent: %s",
			t->ops->device_id, strerror(-err));
}

static struct virtio_mmio *irq_owner(struct virtio_irq *irq)
{
	return (struct virtio_mmio *)((char *)irq -
				      offsetof(struct virtio_mmio, irq));
}

static void irq_used(struct virtio_irq *irq, unsigned int queue)
{
	irq_raise(irq_owner(irq), VIRTIO_MMIO_INT_VRING);
}

static void irq_needs_reset(struct virtio_irq *irq)
{
	struct virtio_mmio *t = irq_owner(irq);

	/* Relaxed: published by the release in irq_raise(). */
	atomic_store_explicit(&t->needs_reset, true, memory_order_relaxed);
	irq_raise(t, VIRTIO_MMIO_INT_CONFIG);
}

static void irq_config_changed(struct virtio_irq *irq)
{
	struct virtio_mmio *t = irq_owner(irq);

	/*
	 * Release: a driver that reads the new generation reads the new
	 * config space. Pairs with read_generation().
	 */
	atomic_fetch_add_explicit(&t->generation, 1, memory_order_release);
	irq_raise(t, VIRTIO_MMIO_INT_CONFIG);
}

/* Queue registers of the selected queue; NULL: there is none. */
static struct virtio_queue_setup *selected(struct virtio_mmio *t)
{
	return t->r.queue_sel < t->ops->nr_queues ?
	       &t->r.queues[t->r.queue_sel] : NULL;
}

static uint32_t read_magic(struct virtio_mmio *t)
{
	return MAGIC;
}

static uint32_t read_version(struct virtio_mmio *t)
{
	return VERSION;
}

static uint32_t read_device_id(struct virtio_mmio *t)
{
	return t->ops->device_id;
}

static uint32_t read_vendor(struct virtio_mmio *t)
{
	return VENDOR;
}

static uint32_t read_device_features(struct virtio_mmio *t)
{
	if (t->r.device_features_sel > 1)
		return 0;
	return t->ops->features(t->dev) >> (32 * t->r.device_features_sel);
}

static void write_device_features_sel(struct virtio_mmio *t, uint32_t v)
{
	if (v > 1)
		bad(t, BAD_SELECT, v);
	t->r.device_features_sel = v;
}

static void write_driver_features_sel(struct virtio_mmio *t, uint32_t v)
{
	if (v > 1)
		bad(t, BAD_SELECT, v);
	t->r.driver_features_sel = v;
}

/* Only between DRIVER and FEATURES_OK (virtio 1.4, 3.1.1). */
static void write_driver_features(struct virtio_mmio *t, uint32_t v)
{
	const unsigned int shift = 32 * (t->r.driver_features_sel & 1);

	if (t->r.status != (S_ACKNOWLEDGE | S_DRIVER)) {
		bad(t, BAD_PHASE, v);
	} else if (t->r.driver_features_sel > 1) {
		t->r.features_beyond |= v != 0;
	} else {
		t->r.driver_features &= ~(0xffffffffULL << shift);
		t->r.driver_features |= (uint64_t)v << shift;
	}
}

static void write_queue_sel(struct virtio_mmio *t, uint32_t v)
{
	if (v >= t->ops->nr_queues)
		bad(t, BAD_SELECT, v);
	t->r.queue_sel = v;
}

static uint32_t read_queue_num_max(struct virtio_mmio *t)
{
	return selected(t) ? VIRTIO_QUEUE_MAX : 0;
}

static uint32_t read_queue_ready(struct virtio_mmio *t)
{
	const struct virtio_queue_setup *q = selected(t);

	return q && q->ready;
}

/* Queues are set up between FEATURES_OK and DRIVER_OK (virtio 1.4, 3.1.1). */
static struct virtio_queue_setup *queue_in_phase(struct virtio_mmio *t,
						 uint32_t v)
{
	struct virtio_queue_setup *q = selected(t);

	if (!q)
		bad(t, BAD_SELECT, t->r.queue_sel);
	else if (t->r.status != (S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK))
		bad(t, BAD_PHASE, v);
	else
		return q;
	return NULL;
}

static struct virtio_queue_setup *queue_writable(struct virtio_mmio *t,
						 uint32_t v)
{
	struct virtio_queue_setup *q = queue_in_phase(t, v);

	if (!q || !q->ready)
		return q;
	bad(t, BAD_PHASE, v);
	return NULL;
}

static void write_queue_num(struct virtio_mmio *t, uint32_t v)
{
	struct virtio_queue_setup *q = queue_writable(t, v);

	if (q) /* a size that does not fit must not become one that does */
		q->size = v > UINT16_MAX ? 0 : v;
}

static void write_queue_ready(struct virtio_mmio *t, uint32_t v)
{
	const struct virtio_queue_setup *old = selected(t);
	struct virtio_queue_setup *q;

	if (v > 1) {
		bad(t, BAD_REGISTER, v);
		return;
	}
	if (!v && old && !old->ready)
		return; /* Linux does so for each queue after a reset */
	q = v ? queue_writable(t, v) : queue_in_phase(t, v);
	if (q)
		q->ready = v;
}

static void set_half(uint64_t *gpa, uint32_t v, bool high)
{
	if (high)
		*gpa = (*gpa & 0xffffffffULL) | (uint64_t)v << 32;
	else
		*gpa = (*gpa & ~0xffffffffULL) | v;
}

#define QUEUE_ADDRESS(name, high)                                      \
	static void write_##name##_##high(struct virtio_mmio *t,       \
					  uint32_t v)                  \
	{                                                              \
		struct virtio_queue_setup *q = queue_writable(t, v);   \
								       \
		if (q)                                                 \
			set_half(&q->name##_gpa, v, high);             \
	}

QUEUE_ADDRESS(desc, 0)
QUEUE_ADDRESS(desc, 1)
QUEUE_ADDRESS(avail, 0)
QUEUE_ADDRESS(avail, 1)
QUEUE_ADDRESS(used, 0)
QUEUE_ADDRESS(used, 1)

static void write_notify(struct virtio_mmio *t, uint32_t v)
{
	int err;

	if (!(t->r.status & S_DRIVER_OK) || t->r.status & S_FAILED ||
	    v >= t->ops->nr_queues || !t->r.queues[v].ready) {
		bad(t, BAD_NOTIFY, v);
		return;
	}
	err = poke(t->ops->kick_fd(t->dev, v));
	if (err)
		log_err("virtio-mmio: device type %u: kick of queue %u: %s",
			t->ops->device_id, v, strerror(-err));
}

static uint32_t read_int_status(struct virtio_mmio *t)
{
	/* Acquire: pairs with irq_raise(). */
	return atomic_load_explicit(&t->int_status, memory_order_acquire);
}

static void write_int_ack(struct virtio_mmio *t, uint32_t v)
{
	/* Acquire: what the driver looks at next is as new as the bit was. */
	atomic_fetch_and_explicit(&t->int_status, ~v, memory_order_acq_rel);
}

static uint32_t read_status(struct virtio_mmio *t)
{
	const bool broken = atomic_load_explicit(&t->needs_reset,
						 memory_order_relaxed);

	return t->r.status | (broken ? S_NEEDS_RESET : 0);
}

static bool features_good(struct virtio_mmio *t)
{
	const uint64_t offered = t->ops->features(t->dev);

	return !t->r.features_beyond && !(t->r.driver_features & ~offered) &&
	       t->r.driver_features & (1ULL << VIRTIO_F_VERSION_1);
}

static void activate(struct virtio_mmio *t)
{
	int err = t->ops->activate(t->dev, t->r.driver_features, t->r.queues,
				   t->ops->nr_queues);

	if (!err)
		return;
	log_err("virtio-mmio: device type %u not activated: %s",
		t->ops->device_id, strerror(-err));
	irq_needs_reset(&t->irq);
}

/* Quiet when it returns: then nobody but us touches the atomics below (C9). */
static void reset(struct virtio_mmio *t)
{
	t->ops->reset(t->dev);
	memset(&t->r, 0, sizeof(t->r));
	atomic_store_explicit(&t->needs_reset, false, memory_order_relaxed);
	atomic_store_explicit(&t->int_status, 0, memory_order_relaxed);
}

/* What must already be set when the driver sets a bit. */
static const struct {
	uint32_t bit, needs;
} status_steps[] = {
	{ S_ACKNOWLEDGE, 0 },
	{ S_DRIVER, S_ACKNOWLEDGE },
	{ S_FEATURES_OK, S_ACKNOWLEDGE | S_DRIVER },
	{ S_DRIVER_OK, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK },
};

/*
 * May the status go from @old to @new? Only on from where it stands, each bit
 * on its own, and never back; FAILED at any time, and nothing after it.
 */
static bool status_step_good(uint32_t old, uint32_t new)
{
	const uint32_t added = new & ~old;
	unsigned int i;

	if (old & ~new)
		return false;
	if (!added || added == S_FAILED)
		return true;
	if (old & S_FAILED)
		return false;
	for (i = 0; i < sizeof(status_steps) / sizeof(status_steps[0]); i++) {
		if (added == status_steps[i].bit)
			return (old & status_steps[i].needs) ==
			       status_steps[i].needs;
	}
	return false; /* several at once, or unknown */
}

static void write_status(struct virtio_mmio *t, uint32_t v)
{
	const uint32_t old = t->r.status;
	uint32_t new = v;

	if (!v) {
		reset(t);
		return;
	}
	/* a driver that adds a bit writes back what it read */
	if (atomic_load_explicit(&t->needs_reset, memory_order_relaxed))
		new &= ~S_NEEDS_RESET;
	if (!status_step_good(old, new)) {
		bad(t, BAD_STATUS, v);
		return;
	}
	if (new & ~old & S_FEATURES_OK && !features_good(t)) {
		bad(t, BAD_FEATURES, t->r.driver_features);
		return;
	}
	t->r.status = new;
	if (new & ~old & S_DRIVER_OK)
		activate(t);
}

/* No region of shared memory exists: all ones (virtio 1.4, 4.2.2). */
static uint32_t read_no_shm(struct virtio_mmio *t)
{
	return UINT32_MAX;
}

static void write_ignored(struct virtio_mmio *t, uint32_t v)
{
}

static uint32_t read_generation(struct virtio_mmio *t)
{
	/* Acquire: pairs with irq_config_changed(). */
	return atomic_load_explicit(&t->generation, memory_order_acquire);
}

#define REG(off) ((off) / 4)

static const struct reg {
	uint32_t (*read)(struct virtio_mmio *t);
	void (*write)(struct virtio_mmio *t, uint32_t v);
} regs[NR_REGS] = {
	[REG(VIRTIO_MMIO_MAGIC_VALUE)] = { read_magic, NULL },
	[REG(VIRTIO_MMIO_VERSION)] = { read_version, NULL },
	[REG(VIRTIO_MMIO_DEVICE_ID)] = { read_device_id, NULL },
	[REG(VIRTIO_MMIO_VENDOR_ID)] = { read_vendor, NULL },
	[REG(VIRTIO_MMIO_DEVICE_FEATURES)] = { read_device_features, NULL },
	[REG(VIRTIO_MMIO_DEVICE_FEATURES_SEL)] = { NULL,
						   write_device_features_sel },
	[REG(VIRTIO_MMIO_DRIVER_FEATURES)] = { NULL, write_driver_features },
	[REG(VIRTIO_MMIO_DRIVER_FEATURES_SEL)] = { NULL,
						   write_driver_features_sel },
	[REG(VIRTIO_MMIO_QUEUE_SEL)] = { NULL, write_queue_sel },
	[REG(VIRTIO_MMIO_QUEUE_NUM_MAX)] = { read_queue_num_max, NULL },
	[REG(VIRTIO_MMIO_QUEUE_NUM)] = { NULL, write_queue_num },
	[REG(VIRTIO_MMIO_QUEUE_READY)] = { read_queue_ready,
					   write_queue_ready },
	[REG(VIRTIO_MMIO_QUEUE_NOTIFY)] = { NULL, write_notify },
	[REG(VIRTIO_MMIO_INTERRUPT_STATUS)] = { read_int_status, NULL },
	[REG(VIRTIO_MMIO_INTERRUPT_ACK)] = { NULL, write_int_ack },
	[REG(VIRTIO_MMIO_STATUS)] = { read_status, write_status },
	[REG(VIRTIO_MMIO_QUEUE_DESC_LOW)] = { NULL, write_desc_0 },
	[REG(VIRTIO_MMIO_QUEUE_DESC_HIGH)] = { NULL, write_desc_1 },
	[REG(VIRTIO_MMIO_QUEUE_AVAIL_LOW)] = { NULL, write_avail_0 },
	[REG(VIRTIO_MMIO_QUEUE_AVAIL_HIGH)] = { NULL, write_avail_1 },
	[REG(VIRTIO_MMIO_QUEUE_USED_LOW)] = { NULL, write_used_0 },
	[REG(VIRTIO_MMIO_QUEUE_USED_HIGH)] = { NULL, write_used_1 },
	[REG(VIRTIO_MMIO_SHM_SEL)] = { NULL, write_ignored },
	[REG(VIRTIO_MMIO_SHM_LEN_LOW)] = { read_no_shm, NULL },
	[REG(VIRTIO_MMIO_SHM_LEN_HIGH)] = { read_no_shm, NULL },
	[REG(VIRTIO_MMIO_SHM_BASE_LOW)] = { read_no_shm, NULL },
	[REG(VIRTIO_MMIO_SHM_BASE_HIGH)] = { read_no_shm, NULL },
	[REG(VIRTIO_MMIO_CONFIG_GENERATION)] = { read_generation, NULL },
};

/* Registers are aligned 32-bit words; config space is the device's affair. */
static bool width_good(struct virtio_mmio *t, uint64_t off, uint32_t len)
{
	if (off < CONFIG_OFF ? !(off % 4) && len == 4 :
	    off < VIRTIO_MMIO_BYTES && len <= VIRTIO_MMIO_BYTES - off)
		return true;
	bad(t, BAD_WIDTH, off);
	return false;
}

void virtio_mmio_read(struct virtio_mmio *t, uint64_t off, void *data,
		      uint32_t len)
{
	uint32_t v;

	count(t, READS);
	memset(data, 0, len);
	if (!width_good(t, off, len))
		return;
	if (off < CONFIG_OFF && !regs[REG(off)].read) {
		bad(t, BAD_REGISTER, off);
		return;
	}
	pthread_mutex_lock(&t->lock);
	if (off >= CONFIG_OFF) {
		t->ops->config_read(t->dev, off - CONFIG_OFF, data, len);
	} else {
		v = regs[REG(off)].read(t);
		memcpy(data, &v, sizeof(v));
	}
	pthread_mutex_unlock(&t->lock);
}

void virtio_mmio_write(struct virtio_mmio *t, uint64_t off, const void *data,
		       uint32_t len)
{
	uint32_t v;

	count(t, WRITES);
	if (!width_good(t, off, len))
		return;
	if (off < CONFIG_OFF && !regs[REG(off)].write) {
		bad(t, BAD_REGISTER, off);
		return;
	}
	pthread_mutex_lock(&t->lock);
	if (off >= CONFIG_OFF) {
		t->ops->config_write(t->dev, off - CONFIG_OFF, data, len);
	} else {
		memcpy(&v, data, sizeof(v));
		regs[REG(off)].write(t, v);
	}
	pthread_mutex_unlock(&t->lock);
}

int virtio_mmio_new(const struct virtio_dev_ops *ops, void *dev, int irq_fd,
		    struct virtio_mmio **res)
{
	struct virtio_mmio *t;
	int err;

	if (ops->nr_queues > VIRTIO_MAX_QUEUES)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	err = -pthread_mutex_init(&t->lock, NULL);
	if (err) {
		free(t);
		return err;
	}
	t->ops = ops;
	t->dev = dev;
	t->irq_fd = irq_fd;
	t->irq = (struct virtio_irq){
		.used = irq_used,
		.needs_reset = irq_needs_reset,
		.config_changed = irq_config_changed,
	};
	*res = t;
	return 0;
}

void virtio_mmio_free(struct virtio_mmio *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t);
}

struct virtio_irq *virtio_mmio_irq(struct virtio_mmio *t)
{
	return &t->irq;
}

static uint64_t counter(const struct virtio_mmio *t, enum counter c)
{
	return atomic_load_explicit(&t->counters[c], memory_order_relaxed);
}

void virtio_mmio_stats_read(const struct virtio_mmio *t,
			    struct virtio_mmio_stats *st)
{
	*st = (struct virtio_mmio_stats){
		.reads = counter(t, READS),
		.writes = counter(t, WRITES),
		.interrupts = counter(t, INTERRUPTS),
		.bad_width = counter(t, BAD_WIDTH),
		.bad_register = counter(t, BAD_REGISTER),
		.bad_select = counter(t, BAD_SELECT),
		.bad_features = counter(t, BAD_FEATURES),
		.bad_phase = counter(t, BAD_PHASE),
		.bad_status = counter(t, BAD_STATUS),
		.bad_notify = counter(t, BAD_NOTIFY),
	};
}
