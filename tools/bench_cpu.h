/* SPDX-License-Identifier: GPL-2.0-only */
/* Host CPU time of a VMM's process, from outside; bench_disk.c reads it. */
#ifndef KTSTR_TOOLS_BENCH_CPU_H
#define KTSTR_TOOLS_BENCH_CPU_H

#include <stdint.h>
#include <sys/types.h>

/* Sums from the process's start, in ns. */
struct bench_cpu {
	uint64_t process_ns;	/* all threads, those that are gone too */
	uint64_t vcpu_ns;	/* threads called "vcpu..." or "CPU ..." */
	uint64_t guest_ns;	/* of that, in the guest: told by the tick */
};

/**
 * bench_cpu_read() - as of now
 *
 * Return: 0; -ENOENT no thread of it is a vCPU's; others of the host.
 */
int bench_cpu_read(pid_t pid, struct bench_cpu *c);

/** bench_cpu_device_ns() - of all threads but the vCPUs' */
double bench_cpu_device_ns(const struct bench_cpu *from,
			   const struct bench_cpu *to);

/** bench_cpu_host_ns() - of all threads, but not what was the guest's own */
double bench_cpu_host_ns(const struct bench_cpu *from,
			 const struct bench_cpu *to);

#endif
