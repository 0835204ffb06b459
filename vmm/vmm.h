/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The KVM virtual machine monitor as a library: the only header of vmm/ that
 * the runner includes.
 *
 * Life: vm_new() → vm_run() → vm_free(). vm_run() is the main loop: it starts
 * the vCPU and disk worker threads, calls the owner back on the calling
 * thread, and returns when the VM's end is known and every thread is joined.
 */
#ifndef KTSTR_VMM_VMM_H
#define KTSTR_VMM_VMM_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/guest_mem.h"

struct vm;

#define VM_MAX_VCPUS 64
#define VM_MAX_DISKS 8
#define VM_MAX_DISK_QUEUES 8
#define VM_MAX_NODES 8

/*
 * NUMA nodes, LLCs in total, cores per LLC, threads per core; see DESIGN 4.
 * vCPUs are numbered, and the kernel numbers CPUs, thread first, then core,
 * then LLC; LLCs fill packages and nodes in order.
 */
struct vm_topology {
	unsigned int packages;	/* divides llcs; 0: one per node */
	unsigned int nodes;	/* llcs is a multiple of it */
	unsigned int llcs;
	unsigned int cores_per_llc;
	unsigned int threads_per_core;	/* 1 or 2 */
};

static inline unsigned int vm_topology_cpus(const struct vm_topology *t)
{
	return t->llcs * t->cores_per_llc * t->threads_per_core;
}

/* All rates: 0 is unlimited. */
struct vm_throttle {
	uint64_t iops;
	uint64_t bps;		/* bytes per second */
	uint64_t burst_ns;	/* 0: the default, 10 ms' worth */
	uint64_t latency_ns;	/* no request takes less (L7) */
	uint64_t jitter_ns;	/* up to this much more, drawn for each */
};

/* What a disk is to get wrong (L8). All zeroes: nothing. */
struct vm_disk_faults {
	uint64_t error_ppb;	/* of 1e9 requests this many fail, drawn */
	uint64_t error_from, error_bytes; /* what touches these bytes fails;
					   * multiples of 512 */
	uint64_t stall_ns;	/* nothing is completed for this long... */
	uint64_t stall_every;	/* ...from each so many'th request on, or... */
	uint64_t stall_at_ns;	/* ...0: once, this long after they are set */
	bool torn_writes;	/* writes in flight at the end are done in part */
};

/* What stands between the guest's drivers and its virtio devices. */
enum vm_transport {
	VM_TRANSPORT_PCI,	/* modern, MSI-X: no exit for an interrupt */
	VM_TRANSPORT_MMIO,	/* version 2, by ACPI: two exits for each */
};

struct vm_disk_config {
	const char *name;	/* virtio serial, 1..20 bytes; borrowed */
	uint64_t size_bytes;	/* multiple of 512, not 0 */
	bool read_only;
	/*
	 * A raw file of that size that the disk begins as, borrowed for
	 * vm_new(); NULL: all zeroes. Copied into memory, unless the disk is
	 * read-only or @keep_writes: then it is used in place. Never locked.
	 */
	const char *image_path;
	bool keep_writes;	/* the guest's writes go into the file */
	struct vm_throttle throttle;
	uint64_t seed;		/* of jitter and faults */
	unsigned int queues;	/* up to VM_MAX_DISK_QUEUES; 0: 1 */
};

struct vm_config {
	struct vm_topology topology;
	uint64_t memory_bytes;	/* 128 MiB to 16 GiB, multiple of 2 MiB */
	const char *kernel_path; /* ELF vmlinux or bzImage */
	const char *initrd_path; /* NULL: none */
	const char *cmdline;	/* whole kernel command line */
	enum vm_transport transport;
	const struct vm_disk_config *disks;
	unsigned int nr_disks;
	uint64_t deadline_ns;	/* host time from vm_run(); 0: none */
	const cpu_set_t *vcpu_cpus; /* where vCPU threads may run; NULL: any */
	const cpu_set_t *worker_cpus; /* likewise for disk workers */
};

/* How a VM ended. */
enum vm_end_kind {
	VM_END_STOPPED,		/* the owner called vm_stop() */
	VM_END_RESET,		/* guest asked for a reset: panic=-1, reboot */
	VM_END_POWEROFF,	/* guest entered S5 */
	VM_END_TRIPLE_FAULT,
	VM_END_INTERNAL_ERROR,	/* KVM could not go on */
	VM_END_ENTRY_FAILED,	/* KVM_EXIT_FAIL_ENTRY */
	VM_END_DEADLINE,
	VM_END_HOST_ERROR,	/* a host call failed: see detail */
};

struct vm_end {
	enum vm_end_kind kind;
	int reason;		/* vm_stop()'s argument */
	unsigned int vcpu;	/* where it was seen, if on a vCPU */
	char detail[192];	/* one line, "" if nothing to add */
};

/** vm_end_name() - "stopped", "reset", ... for logs and results */
const char *vm_end_name(enum vm_end_kind kind);

/*
 * Callbacks, all on vm_run()'s thread; any may be NULL. They may call
 * vm_stop(), vm_port_send(), vm_disk_*() and the vm_loop_*() functions.
 */
struct vm_ops {
	/* bytes the guest wrote to the serial console; hostile */
	void (*console)(void *ctx, const char *data, size_t len);
	/* bytes the guest wrote to the agent's port; hostile */
	void (*port)(void *ctx, const void *data, size_t len);
	/* the guest opened (true) or closed the agent's port */
	void (*port_open)(void *ctx, bool open);
	/* all threads run; vm_loop_*() may be called from here on */
	void (*started)(void *ctx);
};

/**
 * vm_new() - create the VM: memory, vCPUs, tables, devices, image loaded
 * @cfg: borrowed for the call, but for the strings, which live as long as @vm
 * @ops: borrowed, lives as long as @vm
 * @ctx: handed to every callback
 * @err_msg: on failure one line that says what, on what, why
 *
 * Blocks for the image load. No thread is started.
 *
 * Return: 0 and *@vm (owned by the caller, for vm_free()), or -errno:
 * -EINVAL configuration out of range, -ENOEXEC no kernel image,
 * -ENODEV, -EACCES no usable /dev/kvm, others from the host.
 */
int vm_new(const struct vm_config *cfg, const struct vm_ops *ops, void *ctx,
	   struct vm **vm, char *err_msg, size_t err_len);

/**
 * vm_run() - run to the end
 *
 * Return: 0 and @end, whatever ended it; -errno only when the threads could
 * not be started. Once per VM. All threads are joined on return; guest memory
 * and counters stay readable until vm_free().
 */
int vm_run(struct vm *vm, struct vm_end *end);

void vm_free(struct vm *vm);

/** vm_stop() - end with VM_END_STOPPED; any thread, a signal handler too. */
void vm_stop(struct vm *vm, int reason);

/**
 * vm_port_send() - queue bytes for the agent's port; main loop's thread
 *
 * Return: 0, or -ENOBUFS when the guest has 1 MiB unread.
 */
int vm_port_send(struct vm *vm, const void *data, size_t len);

/**
 * vm_loop_add_fd() - have the main loop watch @fd (borrowed)
 *
 * @fn is called on the loop's thread with the EPOLL* bits seen, level
 * triggered. Remove before closing. Return: 0 or -errno.
 */
int vm_loop_add_fd(struct vm *vm, int fd, uint32_t events,
		   void (*fn)(void *ctx, uint32_t events), void *ctx);
void vm_loop_del_fd(struct vm *vm, int fd);

/** vm_guest_mem() - guest RAM, readable from any thread until vm_free(). */
const struct guest_mem *vm_guest_mem(const struct vm *vm);

/**
 * vm_freeze() - park all vCPUs and disk workers; main loop's thread
 * @timeout_ns: how long to wait for them
 *
 * From a callback of a running VM. Until vm_thaw() nothing but the owner
 * changes guest memory, rings and disk counters. The guest's clocks go on; its
 * watchdogs are told that it was paused. vm_stop() works while frozen.
 *
 * Return: 0; -EBUSY it is frozen; -ETIMEDOUT some thread did not park, and
 * none is parked any more.
 */
int vm_freeze(struct vm *vm, uint64_t timeout_ns);

/**
 * vm_thaw() - let all go on
 *
 * Return: how long it was frozen, in ns of CLOCK_MONOTONIC; 0 if it was not.
 */
uint64_t vm_thaw(struct vm *vm);

/**
 * vm_watch_write() - have the guest's next write to some bytes freeze it
 * @gva: kernel address, mapped the same in all address spaces; aligned
 * @len: 1, 2, 4 or 8; 0: watch nothing any more
 * @hit: called on the main loop's thread; @vcpu has just done the write and
 *	has stopped, the others are about to. What it does not freeze itself
 *	goes on when it returns.
 *
 * Of a frozen VM. One place at a time, and one hit: then nothing is watched
 * once the VM has been frozen again. Where KVM takes it, the CPU need not: a
 * hit may never come.
 *
 * Return: 0; -EBUSY not frozen; -EINVAL; -errno of KVM.
 */
int vm_watch_write(struct vm *vm, uint64_t gva, unsigned int len,
		   void (*hit)(void *ctx, unsigned int vcpu), void *ctx);

/** vm_disk_set_throttle() - new rates from now on, debt kept; any thread (L6) */
void vm_disk_set_throttle(struct vm *vm, unsigned int disk,
			  const struct vm_throttle *t);

/**
 * vm_disk_set_faults() - from now on; any thread (L8)
 *
 * A disk has none at first. Each call counts requests and time anew.
 */
void vm_disk_set_faults(struct vm *vm, unsigned int disk,
			const struct vm_disk_faults *f);

struct ktstr_hist;

/* Counters of one disk since VM start; never reset by a guest reset (L9). */
struct vm_disk_stats {
	uint64_t at_ns;		/* host CLOCK_MONOTONIC of this reading */
	uint64_t reads, writes, flushes, discards, others;
	uint64_t read_bytes, write_bytes;
	uint64_t io_errors;	/* requests answered with S_IOERR */
	uint64_t unsupported;
	uint64_t malformed;	/* chains refused before they were a request */
	uint64_t poisoned;	/* ring found broken (C8, section 9 R) */
	uint64_t resets;	/* by the guest, and one by the end of vm_run() */
	uint64_t throttle_events; /* stalls: a chain had to wait (C5) */
	uint64_t throttled_ns;	/* time with a chain blocked on tokens, up to at_ns */
	uint64_t queued_ns;	/* time with work queued or blocked, up to at_ns */
	uint64_t backing_ns;	/* time spent in the image */
	uint64_t kicks, interrupts;
	/* planted (L8); the first two are among io_errors */
	uint64_t fault_rate_errors, fault_range_errors;
	uint64_t fault_bytes;	/* that failed requests were to move */
	uint64_t fault_stalls;	/* that held a request */
	uint64_t fault_stalled_ns; /* as long as these were asked for */
	uint64_t fault_torn_writes; /* at the VM's end */
	bool throttled_now;	/* the gauge */
	bool busy_now;		/* a chain was seen in the ring, or a request is
				 * in flight */
};

/** vm_disk_stats_read() - a consistent enough copy; any thread, lock-free. */
void vm_disk_stats_read(const struct vm *vm, unsigned int disk,
			struct vm_disk_stats *st);

enum vm_disk_hist {
	VM_DISK_HIST_QUEUE,	/* seen in the ring to admitted */
	VM_DISK_HIST_SERVICE,	/* admitted to completed */
	VM_DISK_HIST_LATENESS,	/* worker's timer wake-ups after their time */
};

/** vm_disk_hist_read() - copy one histogram; any thread, lock-free. */
void vm_disk_hist_read(const struct vm *vm, unsigned int disk,
		       enum vm_disk_hist which, struct ktstr_hist *h);

/* A read or write that a disk has completed without an error. */
struct vm_disk_io {
	uint64_t sector;	/* of 512 bytes */
	uint64_t complete_ns;	/* host CLOCK_MONOTONIC, before the guest could
				 * see it and before the interrupt */
	uint32_t bytes;
	bool write;
};

/**
 * vm_disk_trace_read() - fetch completions, oldest first
 * @dropped: how many were lost since the VM's start, since 4096 waited to be
 *	fetched
 *
 * Lock-free; any thread, but one at a time for each disk.
 *
 * Return: how many were written to @io, at most @max.
 */
size_t vm_disk_trace_read(struct vm *vm, unsigned int disk,
			  struct vm_disk_io *io, size_t max,
			  uint64_t *dropped);

struct vm_vcpu_stats {
	uint64_t exits;
	uint64_t exits_mmio, exits_io, exits_intr, exits_other;
	uint64_t exits_hlt;	/* 0: KVM's own LAPIC halts vCPUs */
	uint64_t run_ns;	/* host: the thread's time on a CPU */
	uint64_t wait_ns;	/* host: time it waited for a CPU */
};

/** vm_vcpu_stats_read() - of one vCPU thread; main loop's thread. */
void vm_vcpu_stats_read(const struct vm *vm, unsigned int vcpu,
			struct vm_vcpu_stats *st);

/*
 * What a thread has had of the host's CPUs. A wait that still goes on is in no
 * number yet: the kernel adds it when it ends.
 */
struct vm_thread_time {
	uint64_t from_ns, to_ns; /* CLOCK_MONOTONIC: when it was read */
	uint64_t run_ns;	/* on a CPU */
	uint64_t wait_ns;	/* runnable without one, waits that are over */
	bool runnable;		/* after both were read: on a CPU, or waits */
};

/**
 * vm_vcpu_time_read() - of one vCPU thread; any thread, while the VM exists
 *
 * Of one that has ended it is what it had then.
 *
 * Return: 0; -ENOTSUP: the host does not count this; -ESRCH: the thread has
 * not begun, or ends right now; -EINVAL: no such vCPU; -errno of the reading.
 */
int vm_vcpu_time_read(const struct vm *vm, unsigned int vcpu,
		      struct vm_thread_time *now);

/** vm_worker_wait_ns() - time a disk's worker waited for a host CPU. */
uint64_t vm_worker_wait_ns(const struct vm *vm, unsigned int disk);

/** vm_topology_check() - is @t one that vm_new() takes?
 *
 * Return: true; or false and a line in @why.
 */
bool vm_topology_check(const struct vm_topology *t, char *why, size_t why_len);

/**
 * vm_kernel_unpack() - turn a bzImage into the ELF it carries
 * @path: bzImage or ELF; an ELF is copied
 * @out_fd: where the ELF is written
 *
 * Return: 0; -ENOEXEC not a kernel; -ENOTSUP unknown compression (boot the
 * bzImage itself then); others from the host. A line in @err_msg.
 */
int vm_kernel_unpack(const char *path, int out_fd, char *err_msg,
		     size_t err_len);

enum vm_kvm_state {
	VM_KVM_GOOD,		/* can boot a stock kernel */
	VM_KVM_MISSING,		/* no /dev/kvm */
	VM_KVM_FORBIDDEN,	/* no permission */
	VM_KVM_UNFIT,		/* lacks a capability or instruction */
	VM_KVM_SLOW,		/* kernel mode is interpreted */
};

struct vm_kvm_probe {
	enum vm_kvm_state state;
	char why[192];		/* one line */
	uint64_t loop_ns;	/* 1e6 iterations of the kernel-mode loop */
};

/**
 * vm_kvm_probe() - can this machine's KVM run a stock kernel?
 *
 * Asks KVM, then runs a tiny guest with instructions a kernel needs and a
 * timed kernel-mode loop (DESIGN 13). Takes well under a second.
 */
void vm_kvm_probe(struct vm_kvm_probe *probe);

#endif
