/* SPDX-License-Identifier: GPL-2.0-only */
/* One vCPU: its KVM state, its thread, and what its exits mean. */
#ifndef KTSTR_VMM_VCPU_H
#define KTSTR_VMM_VCPU_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/errmsg.h"
#include "vmm/cpuid.h"
#include "vmm/devices.h"
#include "vmm/freeze.h"
#include "vmm/thread_time.h"

/* Interrupts KVM_RUN. Its handler does nothing; all other threads ignore it. */
#define VCPU_SIGNAL SIGRTMIN

/* Counters by the vCPU's thread, relaxed; any thread reads. */
struct vcpu_counters {
	_Atomic uint64_t exits, mmio, io, hlt, intr, other;
};

/* How a vCPU tells the VM that it is over. Any vCPU thread; once is enough. */
struct vcpu_ops {
	__attribute__((format(printf, 4, 5)))
	void (*end)(void *ctx, enum vm_end_kind kind, unsigned int vcpu,
		    const char *fmt, ...);
	/* the write that was watched for; this vCPU watches no more */
	void (*hit)(void *ctx, unsigned int vcpu);
};

struct vcpu {
	unsigned int index;
	uint32_t apic_id;
	int fd;			/* owned */
	struct kvm_run *run;	/* owned mapping */
	size_t run_bytes;
	struct devices *devices; /* borrowed */
	struct freeze *freeze;	/* borrowed */
	const struct vcpu_ops *ops; /* borrowed */
	void *ctx;
	const cpu_set_t *cpus;	/* borrowed, NULL: anywhere */

	pthread_t thread;
	bool started;		/* @thread is to be joined */
	_Atomic bool stop;	/* set before the signal */
	struct vcpu_counters counters;
	struct thread_time time; /* owned; the thread's, until @timed */
	_Atomic bool timed;	/* release: @time is there to be read */
	_Atomic bool finished;	/* release: what is below is final */
	struct vm_thread_time final_time;
};

/* What vcpu_init() needs beside the VM's fd. */
struct vcpu_config {
	unsigned int index;
	const struct vm_topology *topology;
	const struct kvm_cpuid2 *supported;
	enum cpuid_vendor vendor;
	uint64_t entry_gpa;	/* for vCPU 0; the others wait for SIPI */
};

/**
 * vcpu_init() - create the vCPU and set CPUID, MSRs and registers
 *
 * On failure vcpu_fini() must still be called.
 *
 * Return: 0 or -errno.
 */
int vcpu_init(struct vcpu *v, int kvm_fd, int vm_fd,
	      const struct vcpu_config *cfg, const struct errmsg *e);
void vcpu_fini(struct vcpu *v);

/** vcpu_signal_setup() - install the handler of VCPU_SIGNAL. 0 or -errno. */
int vcpu_signal_setup(void);

/** vcpu_start() - start the thread. Return: 0 or -errno. */
int vcpu_start(struct vcpu *v);

/** vcpu_interrupt() - make the thread look at stop and freeze; any thread */
void vcpu_interrupt(struct vcpu *v);

/** vcpu_watch() - see watch_set(); while the vCPU is parked or not started */
int vcpu_watch(struct vcpu *v, uint64_t gva, unsigned int len);

/** vcpu_kick_out() - make the thread leave KVM_RUN and end; any thread */
void vcpu_kick_out(struct vcpu *v);

/** vcpu_join() - after vcpu_kick_out(); fine when never started */
void vcpu_join(struct vcpu *v);

void vcpu_stats_read(const struct vcpu *v, struct vm_vcpu_stats *st);

/** vcpu_time_read() - see vm_vcpu_time_read() */
int vcpu_time_read(const struct vcpu *v, struct vm_thread_time *now);

#endif
