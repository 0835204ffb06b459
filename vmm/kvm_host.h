/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/kvm: opening it and asking what it can do. */
#ifndef KTSTR_VMM_KVM_HOST_H
#define KTSTR_VMM_KVM_HOST_H

#include "lib/errmsg.h"
#include "vmm/cpuid.h"

#define KVM_HOST_PATH "/dev/kvm"

/**
 * kvm_host_open() - open KVM's device and check its version and capabilities
 * @path: KVM_HOST_PATH, but in tests
 * @fd: owned by the caller
 *
 * Return: 0; -ENODEV there is none, or it lacks what we need; -EACCES no
 * permission; others from the host.
 */
int kvm_host_open(const char *path, int *fd, const struct errmsg *e);

/** kvm_host_missing_cap() - what every VM needs and @fd lacks, or NULL */
const char *kvm_host_missing_cap(int fd);

/** kvm_host_cpuid() - KVM_GET_SUPPORTED_CPUID. Return: 0 or -errno. */
int kvm_host_cpuid(int fd, struct cpuid_table *t);

/**
 * kvm_host_create_vm() - a VM with memory regions and what KVM wants first
 * @irqchip: with the in-kernel LAPIC, IOAPIC and PIC
 * @vm_fd: owned by the caller
 *
 * Return: 0 or -errno.
 */
int kvm_host_create_vm(int kvm_fd, const struct guest_mem *mem, bool irqchip,
		       int *vm_fd, const struct errmsg *e);

#endif
