/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every virtio transport does alike (virtio 1.4, 2 and 3): status,
 * features, the set-up of queues, reset, and the interrupt status. A transport
 * (virtio_mmio.c, virtio_pci.c) embeds it, and puts registers in front.
 *
 * Several vCPUs may access the registers at once; the core's lock puts them in
 * order. Each kind of wrong access is logged once and counted.
 */
#ifndef KTSTR_VMM_VIRTIO_CORE_H
#define KTSTR_VMM_VIRTIO_CORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "vmm/virtio_dev.h"

/* The interrupt status, as both transports show it. */
#define VIRTIO_INT_VRING 1u
#define VIRTIO_INT_CONFIG 2u

/* What struct virtio_core counts. */
enum virtio_counter {
	VIRTIO_READS,
	VIRTIO_WRITES,
	VIRTIO_INTERRUPTS,
	VIRTIO_BAD_WIDTH,
	VIRTIO_BAD_REGISTER,
	VIRTIO_BAD_SELECT,
	VIRTIO_BAD_FEATURES,
	VIRTIO_BAD_PHASE,
	VIRTIO_BAD_STATUS,
	VIRTIO_BAD_NOTIFY,
	VIRTIO_NR_COUNTERS
};

/* Counters of what a driver did wrong, for tests and results. */
struct virtio_stats {
	uint64_t reads, writes, interrupts;
	uint64_t bad_width;	/* a width or alignment that no register has */
	uint64_t bad_register;	/* no such register, not writable, bad value */
	uint64_t bad_select;	/* queue or feature select out of range */
	uint64_t bad_features;	/* never offered, or VERSION_1 missing */
	uint64_t bad_phase;	/* queue write while ready, or wrong status */
	uint64_t bad_status;	/* skipped, cleared, unknown bits */
	uint64_t bad_notify;	/* before DRIVER_OK or no such queue */
};

/* A queue number that stands for the config interrupt. */
#define VIRTIO_CORE_CONFIG UINT32_MAX

struct virtio_core;

/* What is the transport's own. */
struct virtio_transport {
	const char *name;	/* for the log: "virtio-mmio" */
	/*
	 * Interrupt the driver for @queue, or for VIRTIO_CORE_CONFIG; the
	 * status bit is set. Any thread, also with the core's lock held.
	 */
	void (*fire)(struct virtio_core *c, uint32_t queue);
	uint16_t queue_size;	/* of a queue after reset */
};

/* Its storage is the transport's. */
struct virtio_core {
	const struct virtio_dev_ops *ops; /* borrowed, as is the device */
	void *dev;
	const struct virtio_transport *transport; /* borrowed */
	struct virtio_irq irq;	/* called without the lock */

	/* atomic: any thread */
	_Atomic uint32_t int_status;
	_Atomic uint32_t generation;
	_Atomic bool needs_reset;
	_Atomic uint64_t counters[VIRTIO_NR_COUNTERS];

	/* all below: under the lock */
	pthread_mutex_t lock;
	struct virtio_core_regs {
		uint32_t status;	/* without NEEDS_RESET */
		uint32_t device_features_sel, driver_features_sel;
		uint64_t driver_features;
		bool features_beyond;	/* one over bit 63 was asked for */
		uint32_t queue_sel;
		struct virtio_queue_setup queues[VIRTIO_MAX_QUEUES];
	} r;
};

/**
 * virtio_core_init() - the state of a transport in front of @dev
 * @ops: borrowed, lives as long as the core
 * @dev: handed to every op
 *
 * Return: 0 or -errno; -EINVAL when @ops has too many queues.
 */
int virtio_core_init(struct virtio_core *c, const struct virtio_transport *t,
		     const struct virtio_dev_ops *ops, void *dev);
void virtio_core_fini(struct virtio_core *c);

/** virtio_core_count() - any thread */
void virtio_core_count(struct virtio_core *c, enum virtio_counter n);
/** virtio_core_bad() - count a mistake of the driver's, and log the first */
void virtio_core_bad(struct virtio_core *c, enum virtio_counter n,
		     uint64_t what);
/** virtio_core_stats_read() - any thread, without a lock */
void virtio_core_stats_read(const struct virtio_core *c,
			    struct virtio_stats *st);

/** virtio_core_poke() - add 1 to an eventfd. Return: 0 or -errno. */
int virtio_core_poke(int fd);

/*
 * The registers, by what they mean; all with the lock held. A write that is
 * refused is counted and changes nothing. Those that act on a queue act on the
 * selected one, and read as 0 where there is none.
 */
uint32_t virtio_read_device_features_sel(struct virtio_core *c);
void virtio_write_device_features_sel(struct virtio_core *c, uint32_t v);
uint32_t virtio_read_device_features(struct virtio_core *c);
uint32_t virtio_read_driver_features_sel(struct virtio_core *c);
void virtio_write_driver_features_sel(struct virtio_core *c, uint32_t v);
uint32_t virtio_read_driver_features(struct virtio_core *c);
void virtio_write_driver_features(struct virtio_core *c, uint32_t v);
uint32_t virtio_read_status(struct virtio_core *c);
/* Blocks for the device's reset, which may join a worker, and its activate. */
void virtio_write_status(struct virtio_core *c, uint32_t v);
uint32_t virtio_read_generation(struct virtio_core *c);
uint32_t virtio_read_int_status(struct virtio_core *c);
void virtio_write_int_ack(struct virtio_core *c, uint32_t v);
uint32_t virtio_read_queue_sel(struct virtio_core *c);
void virtio_write_queue_sel(struct virtio_core *c, uint32_t v);
uint32_t virtio_read_queue_num_max(struct virtio_core *c);
uint32_t virtio_read_queue_num(struct virtio_core *c);
void virtio_write_queue_num(struct virtio_core *c, uint32_t v);
uint32_t virtio_read_queue_ready(struct virtio_core *c);
void virtio_write_queue_ready(struct virtio_core *c, uint32_t v);
/* Kicks normally go by ioeventfd; one that came by an exit is passed on. */
void virtio_write_notify(struct virtio_core *c, uint32_t v);

/* Halves of the addresses of the selected queue's rings. */
#define VIRTIO_CORE_QUEUE_ADDRESS(name)                                \
	uint32_t virtio_read_queue_##name##_low(struct virtio_core *c); \
	uint32_t virtio_read_queue_##name##_high(struct virtio_core *c); \
	void virtio_write_queue_##name##_low(struct virtio_core *c,    \
					     uint32_t v);              \
	void virtio_write_queue_##name##_high(struct virtio_core *c,   \
					      uint32_t v)

VIRTIO_CORE_QUEUE_ADDRESS(desc);
VIRTIO_CORE_QUEUE_ADDRESS(avail);
VIRTIO_CORE_QUEUE_ADDRESS(used);

/** virtio_core_selected() - the selected queue's number, or -1: none */
int virtio_core_selected(const struct virtio_core *c);

#endif
