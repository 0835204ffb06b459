// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/devices.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "include/ktstr/wire.h"
#include "lib/clock.h"
#include "vmm/blk_gate.h"
#include "vmm/layout.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define I8042_COMMAND 4 /* offset of port 0x64 from 0x60 */
#define I8042_RESET 0xfe
#define SLP_EN (1 << 5)
#define SLP_TYP(v) ((v) >> 2 & 7)

static int irqfd_wire(int vm_fd, int fd, uint32_t gsi)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = gsi };

	return ioctl(vm_fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

static int disks_add(struct devices *d, const struct guest_mem *mem,
		     const struct vm_config *cfg, const struct errmsg *e)
{
	struct virtio_irq *irq;
	unsigned int i;
	int err;

	for (i = 0; i < cfg->nr_disks; i++) {
		const struct vm_disk_config *c = &cfg->disks[i];

		err = virtio_blk_new(mem, c, cfg->worker_cpus, &d->disks[i]);
		if (err)
			return errmsg_errno(e, err,
					    "disk \"%s\" of %llu bytes%s%s",
					    c->name ? c->name : "",
					    (unsigned long long)c->size_bytes,
					    c->image_path ? ", image " : "",
					    c->image_path ? c->image_path : "");
		d->nr_disks++;
		err = virtio_slots_add(&d->virtio, virtio_blk_ops(d->disks[i]),
				       d->disks[i], &irq, e);
		if (err)
			return err;
		blk_gate_set_poke(virtio_blk_gate(d->disks[i]), d->parked_fd);
		virtio_blk_set_irq(d->disks[i], irq);
	}
	return 0;
}

unsigned int devices_nr_virtio(const struct vm_config *cfg)
{
	return 1 + cfg->nr_disks;
}

int devices_init(struct devices *d, int vm_fd, const struct guest_mem *mem,
		 const struct vm_config *cfg,
		 const struct virtio_console_ops *port_ops, void *ctx,
		 const struct errmsg *e)
{
	struct virtio_irq *irq;
	int err;

	*d = (struct devices){ .serial_irq_fd = -1, .parked_fd = -1 };
	pthread_mutex_init(&d->serial_lock, NULL);
	err = console_buf_init(&d->console_out);
	if (err)
		return errmsg_errno(e, err, "buffer of the serial console");
	d->serial_irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->serial_irq_fd < 0)
		return errmsg_errno(e, -errno, "eventfd of the serial console");
	err = irqfd_wire(vm_fd, d->serial_irq_fd, LAYOUT_GSI_COM1);
	if (err)
		return errmsg_errno(e, err, "KVM_IRQFD of the serial console");
	d->parked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->parked_fd < 0)
		return errmsg_errno(e, -errno, "eventfd of the freeze");

	err = virtio_slots_init(&d->virtio, cfg->transport, vm_fd, e);
	if (err)
		return err;
	err = virtio_console_new(mem, KTSTR_PORT_NAME, port_ops, ctx,
				 &d->port);
	if (err)
		return errmsg_errno(e, err, "the agent's port");
	err = virtio_slots_add(&d->virtio, &virtio_console_dev_ops, d->port,
			       &irq, e);
	if (err)
		return err;
	virtio_console_set_irq(d->port, irq);
	return disks_add(d, mem, cfg, e);
}

static bool all_parked(const struct devices *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_disks; i++)
		if (!blk_gate_is_parked(virtio_blk_gate(d->disks[i])))
			return false;
	return true;
}

bool devices_freeze(struct devices *d, uint64_t until_ns)
{
	struct pollfd p = { .fd = d->parked_fd, .events = POLLIN };
	unsigned int i;

	for (i = 0; i < d->nr_disks; i++)
		blk_gate_pause(virtio_blk_gate(d->disks[i]));
	for (;;) {
		uint64_t now = clock_now_ns();
		struct timespec left;
		eventfd_t n;

		if (all_parked(d))
			return true;
		if (now >= until_ns)
			return false;
		/* Each worker pokes when it parks: look again after a poke. */
		left = clock_to_timespec(until_ns - now);
		if (ppoll(&p, 1, &left, NULL) > 0)
			(void)eventfd_read(d->parked_fd, &n);
	}
}

void devices_thaw(struct devices *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_disks; i++)
		blk_gate_resume(virtio_blk_gate(d->disks[i]));
}

void devices_stop(struct devices *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_disks; i++)
		virtio_blk_power_off(d->disks[i]);
}

void devices_fini(struct devices *d)
{
	unsigned int i;

	/* Devices hold the transports' irq: they go first. */
	for (i = 0; i < d->nr_disks; i++)
		virtio_blk_free(d->disks[i]);
	virtio_console_free(d->port);
	virtio_slots_fini(&d->virtio);
	if (d->serial_irq_fd >= 0)
		close(d->serial_irq_fd);
	if (d->parked_fd >= 0)
		close(d->parked_fd);
	console_buf_fini(&d->console_out);
	pthread_mutex_destroy(&d->serial_lock);
}

void devices_mmio(struct devices *d, uint64_t gpa, void *data, uint32_t len,
		  bool is_write)
{
	if (!virtio_slots_mmio(&d->virtio, gpa, data, len, is_write) &&
	    !is_write)
		memset(data, 0xff, len);
}

static enum devices_action serial_port(struct devices *d, uint16_t off,
				       uint8_t *value, bool is_write)
{
	enum serial_effect effect = SERIAL_NOTHING;

	/* The byte is queued under the lock: two vCPUs keep their order. */
	pthread_mutex_lock(&d->serial_lock);
	if (is_write)
		effect = serial_write(&d->serial, off, *value);
	else
		*value = serial_read(&d->serial, off);
	if (effect & SERIAL_SEND)
		console_buf_put(&d->console_out, *value);
	pthread_mutex_unlock(&d->serial_lock);
	if (effect & SERIAL_IRQ)
		(void)eventfd_write(d->serial_irq_fd, 1);
	return DEVICES_CONTINUE;
}

/*
 * Reads give 0: no output waits and no input is being taken, or the kernel
 * would poll before its reset. The ports between are not the controller's.
 */
static enum devices_action i8042_port(struct devices *d, uint16_t off,
				      uint8_t *value, bool is_write)
{
	if (off != 0 && off != I8042_COMMAND)
		return DEVICES_CONTINUE;
	if (!is_write)
		*value = 0;
	else if (off == I8042_COMMAND && *value == I8042_RESET)
		return DEVICES_RESET;
	return DEVICES_CONTINUE;
}

static enum devices_action sleep_port(struct devices *d, uint16_t off,
				      uint8_t *value, bool is_write)
{
	if (!is_write)
		*value = 0;
	else if (off == 0 && (*value & SLP_EN) &&
		 SLP_TYP(*value) == LAYOUT_S5_TYPE)
		return DEVICES_POWEROFF;
	return DEVICES_CONTINUE;
}

static enum devices_action reset_port(struct devices *d, uint16_t off,
				      uint8_t *value, bool is_write)
{
	if (!is_write)
		*value = 0;
	else if (*value == LAYOUT_RESET_VALUE)
		return DEVICES_RESET;
	return DEVICES_CONTINUE;
}

static const struct port_range {
	uint16_t base, len;
	enum devices_action (*access)(struct devices *d, uint16_t off,
				      uint8_t *value, bool is_write);
} port_ranges[] = {
	{ LAYOUT_PORT_COM1, SERIAL_PORTS, serial_port },
	{ LAYOUT_PORT_I8042, I8042_COMMAND + 1, i8042_port },
	{ LAYOUT_PORT_SLEEP_CONTROL, 2, sleep_port },
	{ LAYOUT_PORT_RESET, 1, reset_port },
}; /* no entry: reads as all ones, writes are lost */

enum devices_action devices_pio(struct devices *d, uint16_t port, void *data,
				uint32_t size, bool is_write)
{
	size_t i;

	if (virtio_slots_port(&d->virtio, port, data, size, is_write))
		return DEVICES_CONTINUE;
	if (!is_write)
		memset(data, 0xff, size);
	for (i = 0; i < ARRAY_SIZE(port_ranges); i++) {
		const struct port_range *r = &port_ranges[i];

		if (port < r->base || port - r->base >= r->len)
			continue;
		/* All are byte registers; a wider access sees the first. */
		return r->access(d, port - r->base, data, is_write);
	}
	return DEVICES_CONTINUE;
}
