/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A write watchpoint on guest memory, by KVM's guest debugging and the CPU's
 * debug registers. Called by vcpu.c.
 */
#ifndef KTSTR_VMM_WATCH_H
#define KTSTR_VMM_WATCH_H

#include <stdint.h>

struct kvm_guest_debug;

/**
 * watch_fill() - what KVM is to be told
 * @gva: linear address, a multiple of @len
 * @len: 1, 2, 4 or 8 bytes; 0: watch nothing
 *
 * Return: 0 or -EINVAL.
 */
int watch_fill(uint64_t gva, unsigned int len, struct kvm_guest_debug *dbg);

/**
 * watch_set() - of one vCPU, which must not be in KVM_RUN
 *
 * While it watches, the guest's own debug registers do nothing.
 *
 * Return: 0; -EINVAL; -errno of KVM.
 */
int watch_set(int vcpu_fd, uint64_t gva, unsigned int len);

#endif
