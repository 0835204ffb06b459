/* SPDX-License-Identifier: GPL-2.0-only */
/* What PID 1 of an empty initramfs does first. Called once by agent/main.c. */
#ifndef KTSTR_AGENT_INIT_H
#define KTSTR_AGENT_INIT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * init_mounts() - file systems, console, environment
 * @err_msg: on failure one line
 *
 * What a kernel may lack (debugfs, tracefs, bpf) is tried and not required.
 *
 * Return: 0 or -errno of the first one that is required and failed.
 */
int init_mounts(char *err_msg, size_t err_len);

/**
 * init_kernel_config() - let libbpf find /ktstr/config as /boot/config-RELEASE
 *
 * Return: 0, also when there is no such file; -errno.
 */
int init_kernel_config(void);

/** init_bpf_stats() - have the kernel count each program's runs, or not. */
void init_bpf_stats(bool on);

/** init_sysctls() - what reading the guest needs; logs what is not there. */
void init_sysctls(void);

/**
 * init_supervisor() - put the caller above whatever is scheduled here
 *
 * SCHED_FIFO, and what it forks is not. Return: 0 or -errno.
 */
int init_supervisor(void);

#endif
