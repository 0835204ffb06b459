/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a kernel finds in memory at its 64-bit entry: the zero page, command
 * line, initrd, GDT and page tables. Source: Documentation/arch/x86/boot.rst.
 */
#ifndef KTSTR_VMM_BOOT_PARAMS_H
#define KTSTR_VMM_BOOT_PARAMS_H

#include <linux/kvm.h>

#include "vmm/boot_image.h"

#define BOOT_CMDLINE_MAX 2047 /* bytes, COMMAND_LINE_SIZE without its NUL */

/**
 * boot_initrd_load() - put the initrd as high as it may lie
 * @path: NULL for none
 * @gpa: where it is
 * @len: 0 for none
 *
 * Return: 0; -ENOSPC it does not fit between kernel and hole; others from the
 * host.
 */
int boot_initrd_load(const struct guest_mem *mem, const char *path,
		     const struct boot_image *img, uint64_t *gpa,
		     uint64_t *len, const struct errmsg *e);

/**
 * boot_params_write() - command line, zero page, GDT, page tables
 * @img: the loaded kernel
 *
 * Return: 0; -E2BIG the command line is too long; -EFAULT no RAM there.
 */
int boot_params_write(const struct guest_mem *mem, const struct boot_image *img,
		      const char *cmdline, uint64_t initrd_gpa,
		      uint64_t initrd_len, const struct errmsg *e);

/** boot_tables_write() - the GDT and page tables alone. 0 or -EFAULT. */
int boot_tables_write(const struct guest_mem *mem);

/**
 * boot_sregs() - 64-bit mode on the GDT and page tables written above
 * @s: as KVM_GET_SREGS gave it; changed
 */
void boot_sregs(struct kvm_sregs *s);

/** boot_regs() - at @entry_gpa with RSI on the zero page, interrupts off */
struct kvm_regs boot_regs(uint64_t entry_gpa);

#endif
