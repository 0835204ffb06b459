/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a disk's completion to the worker's first instruction after it:
 * collects what both sides stamped while the VM runs, and pairs it when the
 * clocks' relation is known. Used by the session.
 */
#ifndef KTSTR_RUNNER_IO_WAKE_H
#define KTSTR_RUNNER_IO_WAKE_H

#include <stdint.h>

#include <jansson.h>

#include "include/ktstr/shm.h"
#include "runner/clock_relation.h"
#include "vmm/vmm.h"

struct io_wait;
struct io_wake;

/* Where the two streams come from; a test has its own. */
struct io_wake_ops {
	/*
	 * bytes of the shared region: 0 or -errno. All reads of a call come
	 * before those of the next: it takes a lock
	 */
	int (*shm)(void *ctx, void *buf, size_t off, size_t len);
	/* as vm_disk_trace_read() */
	size_t (*trace)(void *ctx, unsigned int disk, struct vm_disk_io *io,
			size_t max, uint64_t *dropped);
};

/**
 * io_wake_new() - for the workloads of a plan
 * @workloads: the plan's; those with a disk are watched
 * @disk_names: in the VM's order, @nr_disks of them; borrowed for the call
 * @rings_off: of the shared region, checked
 *
 * Return: 0 and *@out, which is NULL when no workload has a disk; -ENOMEM.
 */
int io_wake_new(json_t *workloads, const char *const *disk_names,
		unsigned int nr_disks, uint32_t rings_off,
		const struct io_wake_ops *ops, void *ctx,
		struct io_wake **out);
void io_wake_free(struct io_wake *iw);

/**
 * io_wake_drain() - fetch what there is before it is overwritten; any thread
 * @phase: the current one, for what has been lost, or KTSTR_SHM_NO_PHASE
 */
void io_wake_drain(struct io_wake *iw, uint32_t phase);

/* One workload over some phases. */
struct io_wake_sum {
	struct ktstr_hist hist;
	uint64_t unpaired;	/* no completion is known to be its own */
	uint64_t ambiguous;	/* more than one may be */
	uint64_t lost;		/* overwritten before we came */
	bool clock_unknown;	/* in one of the phases at least */
	uint64_t error_ns;	/* of the clocks, the worst */
	/* told of each IO that counts; @worker: in the shared region. Or NULL */
	void (*each)(void *ctx, unsigned int worker,
		     const struct io_wait *wait, uint64_t error_ns);
	void *each_ctx;
};

/**
 * io_wake_add() - pair what a workload did in one phase
 * @start_ns, @end_ns: the phase, guest clock
 *
 * After the last drain. Adds to @sum. Return: 0; -ENOENT a workload without
 * a disk; -ENOMEM.
 */
int io_wake_add(struct io_wake *iw, unsigned int workload, uint32_t phase,
		uint64_t start_ns, uint64_t end_ns,
		const struct clock_relation *clock, struct io_wake_sum *sum);

/**
 * io_wake_sum_json() - {"io_wake_ns", "io_wake_pairing"}, for a workload
 *
 * io_wake_ns is null where too much was lost, or the clocks not measured.
 */
json_t *io_wake_sum_json(const struct io_wake_sum *sum);

#endif
