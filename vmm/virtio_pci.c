// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/virtio_pci.h"

#include "lib/log.h"

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VENDOR 0x1af4
#define DEVICE_MODERN 0x1040 /* plus the device type */
#define SUBSYSTEM 0x0040 /* one that no old driver takes for its own */
#define CLASS_OTHER 0xff0000

#define PAGE 0x1000
#define NO_VECTOR VIRTIO_MSI_NO_VECTOR

/* The window of VIRTIO_PCI_CAP_PCI_CFG, from the capability's offset. */
#define WINDOW_DATA sizeof(struct virtio_pci_cap)

struct virtio_pci {
	struct virtio_core core;
	struct msix msix;
	const struct virtio_pci_host *host; /* borrowed */
	void *host_ctx;

	/* atomic: any thread */
	_Atomic uint64_t bar_gpa;
	_Atomic uint16_t config_vector;
	_Atomic uint16_t queue_vectors[VIRTIO_MAX_QUEUES];

	/* all below: under the core's lock */
	struct pci_config config;
	uint8_t window_cap, msix_cap; /* their offsets */
	uint64_t bound_gpa;	/* of the BAR kicks are bound for; 0: none */
	uint32_t bound;		/* which queues, bit by queue */
	bool bind_failed;	/* logged */
};

static struct virtio_pci *pci_of(struct virtio_core *c)
{
	return (struct virtio_pci *)c;
}

/* --------------------------------------------------------- interrupts --- */

static void pci_fire(struct virtio_core *c, uint32_t queue)
{
	struct virtio_pci *t = pci_of(c);
	_Atomic uint16_t *v = &t->config_vector;

	if (queue != VIRTIO_CORE_CONFIG)
		v = &t->queue_vectors[queue];
	/* Relaxed: a driver that changes it expects none in between. */
	msix_fire(&t->msix, atomic_load_explicit(v, memory_order_relaxed));
}

static const struct virtio_transport pci_transport = {
	.name = "virtio-pci",
	.fire = pci_fire,
	.queue_size = VIRTIO_QUEUE_MAX,
};

static uint32_t read_vector(_Atomic uint16_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

/* What can't be had reads back as none (virtio 1.4, 4.1.5.1.2.1). */
static void write_vector(struct virtio_pci *t, _Atomic uint16_t *at, uint32_t v)
{
	if (v != NO_VECTOR && v >= t->msix.nr) {
		virtio_core_bad(&t->core, VIRTIO_BAD_REGISTER, v);
		v = NO_VECTOR;
	}
	atomic_store_explicit(at, v, memory_order_relaxed);
}

static void vectors_reset(struct virtio_pci *t)
{
	unsigned int q;

	atomic_store_explicit(&t->config_vector, NO_VECTOR,
			      memory_order_relaxed);
	for (q = 0; q < VIRTIO_MAX_QUEUES; q++)
		atomic_store_explicit(&t->queue_vectors[q], NO_VECTOR,
				      memory_order_relaxed);
}

/* -------------------------------------------------------------- kicks --- */

static void unbind_kicks(struct virtio_pci *t)
{
	unsigned int q;

	for (q = 0; q < t->core.ops->nr_queues; q++)
		if (t->bound & 1U << q)
			(void)t->host->bind_kick(
				t->host_ctx, q, t->bound_gpa +
				VIRTIO_PCI_NOTIFY + q * VIRTIO_PCI_NOTIFY_STEP,
				false);
	t->bound = 0;
	t->bound_gpa = 0;
}

/*
 * Kicks go round the exit while the driver is up and the BAR answers: bound
 * any earlier, they would be moved about by a kernel that sizes the BAR. One
 * that can't be bound comes by an exit.
 */
static void bind_kicks(struct virtio_pci *t)
{
	const uint64_t gpa = atomic_load_explicit(&t->bar_gpa,
						  memory_order_relaxed);
	const bool up = (t->core.r.status & (VIRTIO_CONFIG_S_DRIVER_OK |
					     VIRTIO_CONFIG_S_FAILED)) ==
			VIRTIO_CONFIG_S_DRIVER_OK;
	unsigned int q;
	int err;

	if (t->bound_gpa == (up ? gpa : 0))
		return;
	unbind_kicks(t);
	if (!up || !gpa)
		return;
	t->bound_gpa = gpa;
	for (q = 0; q < t->core.ops->nr_queues; q++) {
		if (!t->core.r.queues[q].ready)
			continue;
		err = t->host->bind_kick(t->host_ctx, q, gpa +
					 VIRTIO_PCI_NOTIFY +
					 q * VIRTIO_PCI_NOTIFY_STEP, true);
		if (!err)
			t->bound |= 1U << q;
		else if (!t->bind_failed)
			log_warn("virtio-pci: device type %u: kicks of queue %u cause exits: %s",
				 t->core.ops->device_id, q, strerror(-err));
		t->bind_failed |= err != 0;
	}
}

/* ------------------------------------------- the common configuration --- */

static uint32_t read_config_vector(struct virtio_core *c)
{
	return read_vector(&pci_of(c)->config_vector);
}

static void write_config_vector(struct virtio_core *c, uint32_t v)
{
	write_vector(pci_of(c), &pci_of(c)->config_vector, v);
}

static uint32_t read_nr_queues(struct virtio_core *c)
{
	return c->ops->nr_queues;
}

static void write_status(struct virtio_core *c, uint32_t v)
{
	virtio_write_status(c, v);
	if (!v)
		vectors_reset(pci_of(c));
	bind_kicks(pci_of(c));
}

static uint32_t read_generation(struct virtio_core *c)
{
	return virtio_read_generation(c) & 0xff;
}

static uint32_t read_queue_vector(struct virtio_core *c)
{
	const int q = virtio_core_selected(c);

	return q < 0 ? NO_VECTOR : read_vector(&pci_of(c)->queue_vectors[q]);
}

static void write_queue_vector(struct virtio_core *c, uint32_t v)
{
	const int q = virtio_core_selected(c);

	if (q < 0)
		virtio_core_bad(c, VIRTIO_BAD_SELECT, c->r.queue_sel);
	else
		write_vector(pci_of(c), &pci_of(c)->queue_vectors[q], v);
}

/* A driver must not write 0 (virtio 1.4, 4.1.4.3.2). */
static void write_queue_enable(struct virtio_core *c, uint32_t v)
{
	if (v != 1)
		virtio_core_bad(c, VIRTIO_BAD_REGISTER, v);
	else
		virtio_write_queue_ready(c, v);
}

static uint32_t read_notify_off(struct virtio_core *c)
{
	const int q = virtio_core_selected(c);

	return q < 0 ? 0 : q;
}

#define NR_COMMON sizeof(struct virtio_pci_common_cfg)

/* By offset; each register has one width (virtio 1.4, 4.1.3.1). */
static const struct common_reg {
	uint8_t len;
	uint32_t (*read)(struct virtio_core *c);
	void (*write)(struct virtio_core *c, uint32_t v);
} common[NR_COMMON] = {
	[VIRTIO_PCI_COMMON_DFSELECT] = { 4, virtio_read_device_features_sel,
					 virtio_write_device_features_sel },
	[VIRTIO_PCI_COMMON_DF] = { 4, virtio_read_device_features, NULL },
	[VIRTIO_PCI_COMMON_GFSELECT] = { 4, virtio_read_driver_features_sel,
					 virtio_write_driver_features_sel },
	[VIRTIO_PCI_COMMON_GF] = { 4, virtio_read_driver_features,
				   virtio_write_driver_features },
	[VIRTIO_PCI_COMMON_MSIX] = { 2, read_config_vector,
				     write_config_vector },
	[VIRTIO_PCI_COMMON_NUMQ] = { 2, read_nr_queues, NULL },
	[VIRTIO_PCI_COMMON_STATUS] = { 1, virtio_read_status, write_status },
	[VIRTIO_PCI_COMMON_CFGGENERATION] = { 1, read_generation, NULL },
	[VIRTIO_PCI_COMMON_Q_SELECT] = { 2, virtio_read_queue_sel,
					 virtio_write_queue_sel },
	[VIRTIO_PCI_COMMON_Q_SIZE] = { 2, virtio_read_queue_num,
				       virtio_write_queue_num },
	[VIRTIO_PCI_COMMON_Q_MSIX] = { 2, read_queue_vector,
				       write_queue_vector },
	[VIRTIO_PCI_COMMON_Q_ENABLE] = { 2, virtio_read_queue_ready,
					 write_queue_enable },
	[VIRTIO_PCI_COMMON_Q_NOFF] = { 2, read_notify_off, NULL },
	[VIRTIO_PCI_COMMON_Q_DESCLO] = { 4, virtio_read_queue_desc_low,
					 virtio_write_queue_desc_low },
	[VIRTIO_PCI_COMMON_Q_DESCHI] = { 4, virtio_read_queue_desc_high,
					 virtio_write_queue_desc_high },
	[VIRTIO_PCI_COMMON_Q_AVAILLO] = { 4, virtio_read_queue_avail_low,
					  virtio_write_queue_avail_low },
	[VIRTIO_PCI_COMMON_Q_AVAILHI] = { 4, virtio_read_queue_avail_high,
					  virtio_write_queue_avail_high },
	[VIRTIO_PCI_COMMON_Q_USEDLO] = { 4, virtio_read_queue_used_low,
					 virtio_write_queue_used_low },
	[VIRTIO_PCI_COMMON_Q_USEDHI] = { 4, virtio_read_queue_used_high,
					 virtio_write_queue_used_high },
};

/* The register for an access; NULL and counted: there is none. */
static const struct common_reg *common_reg(struct virtio_pci *t, uint64_t off,
					   uint32_t len)
{
	if (off >= NR_COMMON)
		virtio_core_bad(&t->core, VIRTIO_BAD_REGISTER, off);
	else if (!common[off].len || common[off].len != len)
		virtio_core_bad(&t->core, VIRTIO_BAD_WIDTH, off);
	else
		return &common[off];
	return NULL;
}

static void common_read(struct virtio_pci *t, uint64_t off, void *data,
			uint32_t len)
{
	const struct common_reg *r = common_reg(t, off, len);
	uint32_t v;

	if (!r)
		return;
	v = r->read(&t->core);
	memcpy(data, &v, len);
}

static void common_write(struct virtio_pci *t, uint64_t off, const void *data,
			 uint32_t len)
{
	const struct common_reg *r = common_reg(t, off, len);
	uint32_t v = 0;

	if (!r)
		return;
	memcpy(&v, data, len);
	if (r->write)
		r->write(&t->core, v);
	else
		virtio_core_bad(&t->core, VIRTIO_BAD_REGISTER, off);
}

/* --------------------------------------------- the rest of the BAR ------ */

/* Reading takes the bits away (virtio 1.4, 4.1.4.5). */
static void isr_read(struct virtio_pci *t, uint64_t off, void *data,
		     uint32_t len)
{
	uint32_t v;

	if (off || len != 1) {
		virtio_core_bad(&t->core, VIRTIO_BAD_WIDTH, off);
		return;
	}
	v = virtio_read_int_status(&t->core);
	virtio_write_int_ack(&t->core, v);
	memcpy(data, &v, 1);
}

static void device_read(struct virtio_pci *t, uint64_t off, void *data,
			uint32_t len)
{
	t->core.ops->config_read(t->core.dev, off, data, len);
}

static void device_write(struct virtio_pci *t, uint64_t off, const void *data,
			 uint32_t len)
{
	t->core.ops->config_write(t->core.dev, off, data, len);
}

/* Where the kick is bound it does not come here. */
static void notify_write(struct virtio_pci *t, uint64_t off, const void *data,
			 uint32_t len)
{
	if (off % VIRTIO_PCI_NOTIFY_STEP || (len != 2 && len != 4))
		virtio_core_bad(&t->core, VIRTIO_BAD_WIDTH, off);
	else
		virtio_write_notify(&t->core, off / VIRTIO_PCI_NOTIFY_STEP);
}

static void table_read(struct virtio_pci *t, uint64_t off, void *data,
		       uint32_t len)
{
	if (!msix_table_read(&t->msix, off, data, len))
		virtio_core_bad(&t->core, VIRTIO_BAD_WIDTH, off);
}

static void table_write(struct virtio_pci *t, uint64_t off, const void *data,
			uint32_t len)
{
	if (!msix_table_write(&t->msix, off, data, len))
		virtio_core_bad(&t->core, VIRTIO_BAD_WIDTH, off);
}

static void pba_read(struct virtio_pci *t, uint64_t off, void *data,
		     uint32_t len)
{
	if (!msix_pba_read(&t->msix, off, data, len))
		virtio_core_bad(&t->core, VIRTIO_BAD_WIDTH, off);
}

/* By page of the BAR; reads find zeroes there. */
static const struct area {
	void (*read)(struct virtio_pci *t, uint64_t off, void *data,
		     uint32_t len);
	void (*write)(struct virtio_pci *t, uint64_t off, const void *data,
		      uint32_t len);
} areas[VIRTIO_PCI_BAR_BYTES / PAGE] = {
	[VIRTIO_PCI_COMMON / PAGE] = { common_read, common_write },
	[VIRTIO_PCI_ISR_REG / PAGE] = { isr_read, NULL },
	[VIRTIO_PCI_DEVICE / PAGE] = { device_read, device_write },
	[VIRTIO_PCI_NOTIFY / PAGE] = { NULL, notify_write },
	[VIRTIO_PCI_MSIX_TABLE / PAGE] = { table_read, table_write },
	[VIRTIO_PCI_MSIX_PBA / PAGE] = { pba_read, NULL },
};

/* NULL and counted: nothing is there, or the access leaves its page. */
static const struct area *area_of(struct virtio_pci *t, uint64_t off,
				  uint32_t len, bool is_write)
{
	const struct area *a;

	if (off >= VIRTIO_PCI_BAR_BYTES || !len || off % PAGE + len > PAGE) {
		virtio_core_bad(&t->core, VIRTIO_BAD_WIDTH, off);
		return NULL;
	}
	a = &areas[off / PAGE];
	if (is_write ? !a->write : !a->read) {
		virtio_core_bad(&t->core, VIRTIO_BAD_REGISTER, off);
		return NULL;
	}
	return a;
}

static void bar_read_locked(struct virtio_pci *t, uint64_t off, void *data,
			    uint32_t len)
{
	const struct area *a;

	virtio_core_count(&t->core, VIRTIO_READS);
	memset(data, 0, len);
	a = area_of(t, off, len, false);
	if (a)
		a->read(t, off % PAGE, data, len);
}

static void bar_write_locked(struct virtio_pci *t, uint64_t off,
			     const void *data, uint32_t len)
{
	const struct area *a;

	virtio_core_count(&t->core, VIRTIO_WRITES);
	a = area_of(t, off, len, true);
	if (a)
		a->write(t, off % PAGE, data, len);
}

static void bar_read(void *fn, uint64_t off, void *data, uint32_t len)
{
	struct virtio_pci *t = fn;

	pthread_mutex_lock(&t->core.lock);
	bar_read_locked(t, off, data, len);
	pthread_mutex_unlock(&t->core.lock);
}

static void bar_write(void *fn, uint64_t off, const void *data, uint32_t len)
{
	struct virtio_pci *t = fn;

	pthread_mutex_lock(&t->core.lock);
	bar_write_locked(t, off, data, len);
	pthread_mutex_unlock(&t->core.lock);
}

static uint64_t bar_gpa(void *fn)
{
	struct virtio_pci *t = fn;

	return atomic_load_explicit(&t->bar_gpa, memory_order_relaxed);
}

/* ------------------------------------------------ configuration space --- */

static bool overlaps(uint32_t off, uint32_t len, uint32_t at, uint32_t bytes)
{
	return off < at + bytes && at < off + len;
}

/*
 * An access to the BAR through the capability for those who have no BAR
 * (virtio 1.4, 4.1.4.9): the driver says where and how wide, then touches data.
 */
static void window_access(struct virtio_pci *t, bool is_write)
{
	struct virtio_pci_cap cap;
	uint8_t *data = t->config.data + t->window_cap + WINDOW_DATA;

	memcpy(&cap, t->config.data + t->window_cap, sizeof(cap));
	if (!cap.length)
		return; /* nobody set it up: configuration space is dumped */
	if (cap.bar || (cap.length != 1 && cap.length != 2 &&
			cap.length != 4) || cap.offset % cap.length)
		virtio_core_bad(&t->core, VIRTIO_BAD_WIDTH, cap.offset);
	else if (is_write)
		bar_write_locked(t, cap.offset, data, cap.length);
	else
		bar_read_locked(t, cap.offset, data, cap.length);
}

static bool is_window(const struct virtio_pci *t, uint32_t off, uint32_t len)
{
	return overlaps(off, len, t->window_cap + WINDOW_DATA, 4);
}

static void config_read(void *fn, uint32_t off, void *data, uint32_t len)
{
	struct virtio_pci *t = fn;

	pthread_mutex_lock(&t->core.lock);
	if (is_window(t, off, len))
		window_access(t, false);
	pci_config_read(&t->config, off, data, len);
	pthread_mutex_unlock(&t->core.lock);
}

static void update_bar(struct virtio_pci *t)
{
	atomic_store_explicit(&t->bar_gpa, pci_config_bar_gpa(&t->config),
			      memory_order_relaxed);
	bind_kicks(t);
}

static void update_msix(struct virtio_pci *t)
{
	uint16_t control;

	pci_config_read(&t->config, t->msix_cap + PCI_MSIX_FLAGS, &control, 2);
	msix_set_control(&t->msix, control);
}

static void config_write(void *fn, uint32_t off, const void *data,
			 uint32_t len)
{
	struct virtio_pci *t = fn;

	pthread_mutex_lock(&t->core.lock);
	pci_config_write(&t->config, off, data, len);
	if (overlaps(off, len, PCI_COMMAND, 2) ||
	    overlaps(off, len, PCI_BASE_ADDRESS_0, 4))
		update_bar(t);
	if (overlaps(off, len, t->msix_cap + PCI_MSIX_FLAGS, 2))
		update_msix(t);
	if (is_window(t, off, len))
		window_access(t, true);
	pthread_mutex_unlock(&t->core.lock);
}

const struct pci_func_ops virtio_pci_func_ops = {
	.config_read = config_read,
	.config_write = config_write,
	.bar_gpa = bar_gpa,
	.bar_bytes = VIRTIO_PCI_BAR_BYTES,
	.bar_read = bar_read,
	.bar_write = bar_write,
};

/* ------------------------------------------------------ capabilities ---- */

/* One structure in the BAR; @extra of the four bytes that some have behind. */
static uint8_t add_cap(struct virtio_pci *t, uint8_t type, uint32_t offset,
		       uint32_t length, const uint32_t *extra)
{
	struct {
		struct virtio_pci_cap cap;
		uint32_t extra;
	} c = {
		.cap.cfg_type = type,
		.cap.offset = offset,
		.cap.length = length,
	};
	const size_t len = extra ? sizeof(c) : sizeof(c.cap);

	c.cap.cap_len = len;
	if (extra)
		c.extra = *extra;
	return pci_config_add_cap(&t->config, PCI_CAP_ID_VNDR, &c.cap.cap_len,
				  len - 2);
}

static void add_window_cap(struct virtio_pci *t)
{
	const uint32_t data = 0;
	const uint8_t at = add_cap(t, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, &data);

	t->window_cap = at;
	pci_config_allow(&t->config, at + VIRTIO_PCI_CAP_BAR, 0xff, 1);
	pci_config_allow(&t->config, at + VIRTIO_PCI_CAP_OFFSET, UINT32_MAX, 4);
	pci_config_allow(&t->config, at + VIRTIO_PCI_CAP_LENGTH, UINT32_MAX, 4);
	pci_config_allow(&t->config, at + WINDOW_DATA, UINT32_MAX, 4);
}

static void add_msix_cap(struct virtio_pci *t)
{
	const struct __attribute__((packed)) {
		uint16_t control;
		uint32_t table, pba;	/* the low bits are the BAR's number */
	} body = {
		.control = t->msix.nr - 1,
		.table = VIRTIO_PCI_MSIX_TABLE,
		.pba = VIRTIO_PCI_MSIX_PBA,
	};

	t->msix_cap = pci_config_add_cap(&t->config, PCI_CAP_ID_MSIX, &body,
					 sizeof(body));
	pci_config_allow(&t->config, t->msix_cap + PCI_MSIX_FLAGS,
			 PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 2);
}

static uint32_t class_of(uint32_t device_id)
{
	static const uint32_t classes[] = {
		[VIRTIO_ID_BLOCK] = 0x018000, /* storage, other */
		[VIRTIO_ID_CONSOLE] = 0x078000, /* communication, other */
	};

	if (device_id < sizeof(classes) / sizeof(classes[0]) &&
	    classes[device_id])
		return classes[device_id];
	return CLASS_OTHER;
}

static void fill_config(struct virtio_pci *t, uint32_t gpa)
{
	const struct virtio_dev_ops *ops = t->core.ops;
	const uint32_t step = VIRTIO_PCI_NOTIFY_STEP;
	const struct pci_id id = {
		.vendor = VENDOR,
		.device = DEVICE_MODERN + ops->device_id,
		.subsystem_vendor = VENDOR,
		.subsystem = SUBSYSTEM,
		.class = class_of(ops->device_id),
		.revision = 1,
	};

	pci_config_init(&t->config, &id);
	pci_config_set_bar(&t->config, VIRTIO_PCI_BAR_BYTES, gpa);
	add_msix_cap(t);
	add_cap(t, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON, NR_COMMON,
		NULL);
	add_cap(t, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_PCI_ISR_REG, 1, NULL);
	add_cap(t, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_DEVICE, PAGE, NULL);
	add_cap(t, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_PCI_NOTIFY,
		ops->nr_queues * step, &step);
	add_window_cap(t);
	atomic_store_explicit(&t->bar_gpa, pci_config_bar_gpa(&t->config),
			      memory_order_relaxed);
}

int virtio_pci_new(const struct virtio_dev_ops *ops, void *dev,
		   const struct virtio_pci_host *host, void *ctx, uint32_t gpa,
		   struct virtio_pci **res)
{
	struct virtio_pci *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	err = virtio_core_init(&t->core, &pci_transport, ops, dev);
	if (err)
		goto free_t;
	err = msix_init(&t->msix, 1 + ops->nr_queues, &host->msix, ctx);
	if (err)
		goto fini_core;
	t->host = host;
	t->host_ctx = ctx;
	vectors_reset(t);
	fill_config(t, gpa);
	*res = t;
	return 0;

fini_core:
	virtio_core_fini(&t->core);
free_t:
	free(t);
	return err;
}

void virtio_pci_free(struct virtio_pci *t)
{
	if (!t)
		return;
	msix_fini(&t->msix);
	virtio_core_fini(&t->core);
	free(t);
}

struct virtio_irq *virtio_pci_irq(struct virtio_pci *t)
{
	return &t->core.irq;
}

void virtio_pci_stats_read(const struct virtio_pci *t, struct virtio_stats *st)
{
	virtio_core_stats_read(&t->core, st);
}
