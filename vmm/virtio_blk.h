/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The throttled virtio-blk device: config space, activation and reset, on the
 * transport's calls. Its worker (blk_worker.h) does the requests.
 */
#ifndef KTSTR_VMM_VIRTIO_BLK_H
#define KTSTR_VMM_VIRTIO_BLK_H

#include "vmm/virtio_dev.h"
#include "vmm/vmm.h"

struct blk_gate;
struct virtio_blk;

/**
 * virtio_blk_ops() - for its transport; lives as long as @b
 *
 * A table for each disk: how many queues it has is in there.
 */
const struct virtio_dev_ops *virtio_blk_ops(const struct virtio_blk *b);

/**
 * virtio_blk_new() - a disk, its image as blk_file.h has it
 * @mem: borrowed; may still be NULL in tests (S51)
 * @cfg: copied, strings too
 * @cpus: where the worker may run, copied; NULL: anywhere
 *
 * No thread is started before activate.
 *
 * Return: 0 and *@b, or -errno: -EINVAL for a name or size out of range, or an
 * image that is none; what opening or copying the image gave.
 */
int virtio_blk_new(const struct guest_mem *mem,
		   const struct vm_disk_config *cfg, const cpu_set_t *cpus,
		   struct virtio_blk **b);
/** virtio_blk_free() - stops and joins the worker first. NULL is fine. */
void virtio_blk_free(struct virtio_blk *b);

/** virtio_blk_set_irq() - before the guest runs */
void virtio_blk_set_irq(struct virtio_blk *b, struct virtio_irq *irq);

/** virtio_blk_set_mem() - wire guest memory, borrowed; kicks so far count */
void virtio_blk_set_mem(struct virtio_blk *b, const struct guest_mem *mem);

/**
 * virtio_blk_gate() - the freeze rendezvous with the worker, see blk_gate.h
 *
 * The coordinator pauses, waits until it is parked, and resumes.
 */
struct blk_gate *virtio_blk_gate(struct virtio_blk *b);

/** virtio_blk_set_throttle() - new rates, debt kept; any thread (L6) */
void virtio_blk_set_throttle(struct virtio_blk *b, const struct vm_throttle *t);
/** virtio_blk_set_faults() - from now on; any thread (L8) */
void virtio_blk_set_faults(struct virtio_blk *b,
			   const struct vm_disk_faults *f);
/**
 * virtio_blk_power_off() - no driver is left: a reset, and what power-off does
 *
 * Guest memory must still be there.
 */
void virtio_blk_power_off(struct virtio_blk *b);
/** virtio_blk_stats_read() - any thread, no lock (L9) */
void virtio_blk_stats_read(const struct virtio_blk *b,
			   struct vm_disk_stats *st);
/** virtio_blk_hist_read() - any thread, no lock (L9) */
void virtio_blk_hist_read(const struct virtio_blk *b, enum vm_disk_hist which,
			  struct ktstr_hist *h);
/** virtio_blk_trace_read() - completions; one reader, no lock */
size_t virtio_blk_trace_read(struct virtio_blk *b, struct vm_disk_io *io,
			     size_t max, uint64_t *dropped);
/** virtio_blk_worker_wait_ns() - host schedstat of the worker; any thread */
uint64_t virtio_blk_worker_wait_ns(const struct virtio_blk *b);

#endif
