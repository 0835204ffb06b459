// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtio_core.h"

#include "lib/log.h"

#include <linux/virtio_config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define S_ACKNOWLEDGE VIRTIO_CONFIG_S_ACKNOWLEDGE
#define S_DRIVER VIRTIO_CONFIG_S_DRIVER
#define S_DRIVER_OK VIRTIO_CONFIG_S_DRIVER_OK
#define S_FEATURES_OK VIRTIO_CONFIG_S_FEATURES_OK
#define S_NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET
#define S_FAILED VIRTIO_CONFIG_S_FAILED

static const char *const bad_names[VIRTIO_NR_COUNTERS] = {
	[VIRTIO_BAD_WIDTH] = "access of a wrong width or alignment at",
	[VIRTIO_BAD_REGISTER] = "no such register or value:",
	[VIRTIO_BAD_SELECT] = "no such queue or feature word:",
	[VIRTIO_BAD_FEATURES] = "features refused, low word",
	[VIRTIO_BAD_PHASE] = "queue register written out of phase, value",
	[VIRTIO_BAD_STATUS] = "status refused:",
	[VIRTIO_BAD_NOTIFY] = "notify for a queue that is not live:",
};

void virtio_core_count(struct virtio_core *c, enum virtio_counter n)
{
	atomic_fetch_add_explicit(&c->counters[n], 1, memory_order_relaxed);
}

void virtio_core_bad(struct virtio_core *c, enum virtio_counter n,
		     uint64_t what)
{
	if (!atomic_fetch_add_explicit(&c->counters[n], 1,
				       memory_order_relaxed))
		log_warn("%s: device type %u: %s 0x%llx (logged once)",
			 c->transport->name, c->ops->device_id, bad_names[n],
			 (unsigned long long)what);
}

/* An eventfd whose counter is full is readable: what we want to say is said. */
int virtio_core_poke(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN)
		return 0;
	return -errno;
}

/*
 * Set interrupt-status bits, then fire (C6). Release: the used ring, or the
 * flag, that the bit speaks of is visible to whoever reads the bit. Pairs with
 * the acquire of virtio_read_int_status() and virtio_write_int_ack(). Fires
 * for a bit that is still set, too: only the driver knows if it has seen it.
 */
static void irq_raise(struct virtio_core *c, uint32_t bits, uint32_t queue)
{
	atomic_fetch_or_explicit(&c->int_status, bits, memory_order_release);
	virtio_core_count(c, VIRTIO_INTERRUPTS);
	c->transport->fire(c, queue);
}

static struct virtio_core *irq_owner(struct virtio_irq *irq)
{
	return (struct virtio_core *)((char *)irq -
				      offsetof(struct virtio_core, irq));
}

static void irq_used(struct virtio_irq *irq, unsigned int queue)
{
	irq_raise(irq_owner(irq), VIRTIO_INT_VRING, queue);
}

static void irq_needs_reset(struct virtio_irq *irq)
{
	struct virtio_core *c = irq_owner(irq);

	/* Relaxed: published by the release in irq_raise(). */
	atomic_store_explicit(&c->needs_reset, true, memory_order_relaxed);
	irq_raise(c, VIRTIO_INT_CONFIG, VIRTIO_CORE_CONFIG);
}

static void irq_config_changed(struct virtio_irq *irq)
{
	struct virtio_core *c = irq_owner(irq);

	/*
	 * Release: a driver that reads the new generation reads the new
	 * config space. Pairs with virtio_read_generation().
	 */
	atomic_fetch_add_explicit(&c->generation, 1, memory_order_release);
	irq_raise(c, VIRTIO_INT_CONFIG, VIRTIO_CORE_CONFIG);
}

int virtio_core_selected(const struct virtio_core *c)
{
	return c->r.queue_sel < c->ops->nr_queues ? (int)c->r.queue_sel : -1;
}

/* Queue registers of the selected queue; NULL: there is none. */
static struct virtio_queue_setup *selected(struct virtio_core *c)
{
	const int q = virtio_core_selected(c);

	return q < 0 ? NULL : &c->r.queues[q];
}

/* Words of feature bits that exist: a driver may look at all of them. */
#define FEATURE_WORDS 4 /* virtio 1.4, 2.2: bits 0 to 127 */

uint32_t virtio_read_device_features_sel(struct virtio_core *c)
{
	return c->r.device_features_sel;
}

void virtio_write_device_features_sel(struct virtio_core *c, uint32_t v)
{
	if (v >= FEATURE_WORDS)
		virtio_core_bad(c, VIRTIO_BAD_SELECT, v);
	c->r.device_features_sel = v;
}

uint32_t virtio_read_device_features(struct virtio_core *c)
{
	if (c->r.device_features_sel > 1)
		return 0;
	return c->ops->features(c->dev) >> (32 * c->r.device_features_sel);
}

uint32_t virtio_read_driver_features_sel(struct virtio_core *c)
{
	return c->r.driver_features_sel;
}

void virtio_write_driver_features_sel(struct virtio_core *c, uint32_t v)
{
	if (v >= FEATURE_WORDS)
		virtio_core_bad(c, VIRTIO_BAD_SELECT, v);
	c->r.driver_features_sel = v;
}

uint32_t virtio_read_driver_features(struct virtio_core *c)
{
	if (c->r.driver_features_sel > 1)
		return 0;
	return c->r.driver_features >> (32 * c->r.driver_features_sel);
}

/* Only between DRIVER and FEATURES_OK (virtio 1.4, 3.1.1). */
void virtio_write_driver_features(struct virtio_core *c, uint32_t v)
{
	const unsigned int shift = 32 * (c->r.driver_features_sel & 1);

	if (c->r.status != (S_ACKNOWLEDGE | S_DRIVER)) {
		virtio_core_bad(c, VIRTIO_BAD_PHASE, v);
	} else if (c->r.driver_features_sel > 1) {
		c->r.features_beyond |= v != 0;
	} else {
		c->r.driver_features &= ~(0xffffffffULL << shift);
		c->r.driver_features |= (uint64_t)v << shift;
	}
}

uint32_t virtio_read_queue_sel(struct virtio_core *c)
{
	return c->r.queue_sel;
}

void virtio_write_queue_sel(struct virtio_core *c, uint32_t v)
{
	if (v >= c->ops->nr_queues)
		virtio_core_bad(c, VIRTIO_BAD_SELECT, v);
	c->r.queue_sel = v;
}

uint32_t virtio_read_queue_num_max(struct virtio_core *c)
{
	return selected(c) ? VIRTIO_QUEUE_MAX : 0;
}

uint32_t virtio_read_queue_num(struct virtio_core *c)
{
	const struct virtio_queue_setup *q = selected(c);

	return q ? q->size : 0;
}

uint32_t virtio_read_queue_ready(struct virtio_core *c)
{
	const struct virtio_queue_setup *q = selected(c);

	return q && q->ready;
}

/* Queues are set up between FEATURES_OK and DRIVER_OK (virtio 1.4, 3.1.1). */
static struct virtio_queue_setup *queue_in_phase(struct virtio_core *c,
						 uint32_t v)
{
	struct virtio_queue_setup *q = selected(c);

	if (!q)
		virtio_core_bad(c, VIRTIO_BAD_SELECT, c->r.queue_sel);
	else if (c->r.status != (S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK))
		virtio_core_bad(c, VIRTIO_BAD_PHASE, v);
	else
		return q;
	return NULL;
}

static struct virtio_queue_setup *queue_writable(struct virtio_core *c,
						 uint32_t v)
{
	struct virtio_queue_setup *q = queue_in_phase(c, v);

	if (!q || !q->ready)
		return q;
	virtio_core_bad(c, VIRTIO_BAD_PHASE, v);
	return NULL;
}

void virtio_write_queue_num(struct virtio_core *c, uint32_t v)
{
	struct virtio_queue_setup *q = queue_writable(c, v);

	if (q) /* a size that does not fit must not become one that does */
		q->size = v > UINT16_MAX ? 0 : v;
}

void virtio_write_queue_ready(struct virtio_core *c, uint32_t v)
{
	const struct virtio_queue_setup *old = selected(c);
	struct virtio_queue_setup *q;

	if (v > 1) {
		virtio_core_bad(c, VIRTIO_BAD_REGISTER, v);
		return;
	}
	if (!v && old && !old->ready)
		return; /* Linux does so for each queue after a reset */
	q = v ? queue_writable(c, v) : queue_in_phase(c, v);
	if (q)
		q->ready = v;
}

static uint32_t read_half(struct virtio_core *c, size_t member, bool high)
{
	const struct virtio_queue_setup *q = selected(c);
	uint64_t gpa = 0;

	if (q)
		memcpy(&gpa, (const char *)q + member, sizeof(gpa));
	return gpa >> (high ? 32 : 0);
}

static void write_half(struct virtio_core *c, size_t member, bool high,
		       uint32_t v)
{
	struct virtio_queue_setup *q = queue_writable(c, v);
	uint64_t gpa;

	if (!q)
		return;
	memcpy(&gpa, (char *)q + member, sizeof(gpa));
	if (high)
		gpa = (gpa & 0xffffffffULL) | (uint64_t)v << 32;
	else
		gpa = (gpa & ~0xffffffffULL) | v;
	memcpy((char *)q + member, &gpa, sizeof(gpa));
}

#define QUEUE_HALF(name, half, high)                                      \
	uint32_t virtio_read_queue_##name##_##half(struct virtio_core *c) \
	{                                                                 \
		return read_half(c, offsetof(struct virtio_queue_setup,   \
					     name##_gpa), high);          \
	}                                                                 \
	void virtio_write_queue_##name##_##half(struct virtio_core *c,    \
						uint32_t v)               \
	{                                                                 \
		write_half(c, offsetof(struct virtio_queue_setup,         \
				       name##_gpa), high, v);             \
	}

QUEUE_HALF(desc, low, false)
QUEUE_HALF(desc, high, true)
QUEUE_HALF(avail, low, false)
QUEUE_HALF(avail, high, true)
QUEUE_HALF(used, low, false)
QUEUE_HALF(used, high, true)

void virtio_write_notify(struct virtio_core *c, uint32_t v)
{
	int err;

	if (!(c->r.status & S_DRIVER_OK) || c->r.status & S_FAILED ||
	    v >= c->ops->nr_queues || !c->r.queues[v].ready) {
		virtio_core_bad(c, VIRTIO_BAD_NOTIFY, v);
		return;
	}
	err = virtio_core_poke(c->ops->kick_fd(c->dev, v));
	if (err)
		log_err("%s: device type %u: kick of queue %u: %s",
			c->transport->name, c->ops->device_id, v,
			strerror(-err));
}

uint32_t virtio_read_int_status(struct virtio_core *c)
{
	/* Acquire: pairs with irq_raise(). */
	return atomic_load_explicit(&c->int_status, memory_order_acquire);
}

void virtio_write_int_ack(struct virtio_core *c, uint32_t v)
{
	/* Acquire: what the driver looks at next is as new as the bit was. */
	atomic_fetch_and_explicit(&c->int_status, ~v, memory_order_acq_rel);
}

uint32_t virtio_read_status(struct virtio_core *c)
{
	const bool broken = atomic_load_explicit(&c->needs_reset,
						 memory_order_relaxed);

	return c->r.status | (broken ? S_NEEDS_RESET : 0);
}

static bool features_good(struct virtio_core *c)
{
	const uint64_t offered = c->ops->features(c->dev);

	return !c->r.features_beyond && !(c->r.driver_features & ~offered) &&
	       c->r.driver_features & (1ULL << VIRTIO_F_VERSION_1);
}

static void activate(struct virtio_core *c)
{
	int err = c->ops->activate(c->dev, c->r.driver_features, c->r.queues,
				   c->ops->nr_queues);

	if (!err)
		return;
	log_err("%s: device type %u not activated: %s", c->transport->name,
		c->ops->device_id, strerror(-err));
	irq_needs_reset(&c->irq);
}

static void regs_reset(struct virtio_core *c)
{
	unsigned int q;

	memset(&c->r, 0, sizeof(c->r));
	for (q = 0; q < c->ops->nr_queues; q++)
		c->r.queues[q].size = c->transport->queue_size;
}

/* Quiet when it returns: then nobody but us touches the atomics below (C9). */
static void reset(struct virtio_core *c)
{
	c->ops->reset(c->dev);
	regs_reset(c);
	atomic_store_explicit(&c->needs_reset, false, memory_order_relaxed);
	atomic_store_explicit(&c->int_status, 0, memory_order_relaxed);
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

void virtio_write_status(struct virtio_core *c, uint32_t v)
{
	const uint32_t old = c->r.status;
	uint32_t new = v;

	if (!v) {
		reset(c);
		return;
	}
	/* a driver that adds a bit writes back what it read */
	if (atomic_load_explicit(&c->needs_reset, memory_order_relaxed))
		new &= ~S_NEEDS_RESET;
	if (!status_step_good(old, new)) {
		virtio_core_bad(c, VIRTIO_BAD_STATUS, v);
		return;
	}
	if (new & ~old & S_FEATURES_OK && !features_good(c)) {
		virtio_core_bad(c, VIRTIO_BAD_FEATURES, c->r.driver_features);
		return;
	}
	c->r.status = new;
	if (new & ~old & S_DRIVER_OK)
		activate(c);
}

uint32_t virtio_read_generation(struct virtio_core *c)
{
	/* Acquire: pairs with irq_config_changed(). */
	return atomic_load_explicit(&c->generation, memory_order_acquire);
}

int virtio_core_init(struct virtio_core *c, const struct virtio_transport *t,
		     const struct virtio_dev_ops *ops, void *dev)
{
	if (ops->nr_queues > VIRTIO_MAX_QUEUES)
		return -EINVAL;
	c->ops = ops;
	c->dev = dev;
	c->transport = t;
	c->irq = (struct virtio_irq){
		.used = irq_used,
		.needs_reset = irq_needs_reset,
		.config_changed = irq_config_changed,
	};
	regs_reset(c);
	return -pthread_mutex_init(&c->lock, NULL);
}

void virtio_core_fini(struct virtio_core *c)
{
	pthread_mutex_destroy(&c->lock);
}

static uint64_t counter(const struct virtio_core *c, enum virtio_counter n)
{
	return atomic_load_explicit(&c->counters[n], memory_order_relaxed);
}

void virtio_core_stats_read(const struct virtio_core *c,
			    struct virtio_stats *st)
{
	*st = (struct virtio_stats){
		.reads = counter(c, VIRTIO_READS),
		.writes = counter(c, VIRTIO_WRITES),
		.interrupts = counter(c, VIRTIO_INTERRUPTS),
		.bad_width = counter(c, VIRTIO_BAD_WIDTH),
		.bad_register = counter(c, VIRTIO_BAD_REGISTER),
		.bad_select = counter(c, VIRTIO_BAD_SELECT),
		.bad_features = counter(c, VIRTIO_BAD_FEATURES),
		.bad_phase = counter(c, VIRTIO_BAD_PHASE),
		.bad_status = counter(c, VIRTIO_BAD_STATUS),
		.bad_notify = counter(c, VIRTIO_BAD_NOTIFY),
	};
}
