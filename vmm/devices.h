/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything behind a guest's MMIO and port accesses: COM1, the ports that
 * end a VM, and the virtio devices with their eventfds wired to KVM.
 */
#ifndef KTSTR_VMM_DEVICES_H
#define KTSTR_VMM_DEVICES_H

#include <pthread.h>

#include "lib/errmsg.h"
#include "vmm/console_buf.h"
#include "vmm/serial.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_slots.h"

/* What a port write asks of the VM. */
enum devices_action {
	DEVICES_CONTINUE,
	DEVICES_RESET,
	DEVICES_POWEROFF,
};

struct devices {
	pthread_mutex_t serial_lock;	/* vCPU threads, for @serial */
	struct serial serial;
	int serial_irq_fd;		/* owned */
	int parked_fd;			/* owned eventfd: a worker parked */
	struct console_buf console_out;	/* serial's bytes for the main loop */
	struct virtio_console *port;	/* owned, virtio device 0 */
	struct virtio_blk *disks[VM_MAX_DISKS]; /* owned, 1.. */
	unsigned int nr_disks;
	struct virtio_slots virtio;	/* the port's, then the disks' */
};

/** devices_nr_virtio() - how many virtio devices @cfg makes */
unsigned int devices_nr_virtio(const struct vm_config *cfg);

/**
 * devices_init() - create all devices and wire them to @vm_fd
 * @port_ops, @ctx: the agent's port
 *
 * On failure devices_fini() must still be called.
 *
 * Return: 0 or -errno.
 */
int devices_init(struct devices *d, int vm_fd, const struct guest_mem *mem,
		 const struct vm_config *cfg,
		 const struct virtio_console_ops *port_ops, void *ctx,
		 const struct errmsg *e);

/**
 * devices_freeze() - park the disk workers; no vCPU runs
 * @until_ns: CLOCK_MONOTONIC
 *
 * Return: true; or false when @until_ns has passed, call devices_thaw() then.
 */
bool devices_freeze(struct devices *d, uint64_t until_ns);
void devices_thaw(struct devices *d);

/** devices_stop() - join the workers; counters stay. No vCPU runs. */
void devices_stop(struct devices *d);
void devices_fini(struct devices *d);

/** devices_mmio() - a guest access outside RAM; vCPU thread */
void devices_mmio(struct devices *d, uint64_t gpa, void *data, uint32_t len,
		  bool is_write);

/**
 * devices_pio() - a guest port access of @size 1, 2 or 4 bytes; vCPU thread
 * @data: read from, or filled: all ones where nothing is
 */
enum devices_action devices_pio(struct devices *d, uint16_t port, void *data,
				uint32_t size, bool is_write);

#endif
