/* SPDX-License-Identifier: GPL-2.0-only */
/* Where in physical memory the guest's kernel lies; monitor.c calls it. */
#ifndef KTSTR_MONITOR_LOCATE_H
#define KTSTR_MONITOR_LOCATE_H

#include <stdint.h>

#include "monitor/kmem.h"
#include "monitor/monitor.h"

/**
 * locate_kernel() - find the kernel, and ready @km to read it
 * @phys_base: what the kernel calls so; an address of its image lies at
 *             KVA - 0xffffffff80000000 + @phys_base
 *
 * Tries the addresses that "Kernel code" of /proc/iomem leaves, then all of
 * RAM in steps of the image's alignment. A place is taken when linux_banner
 * reads as one there, phys_base (if its address is known) holds that very
 * place, and the page tables found through it lead back to the banner.
 *
 * Return: 0; -ENOENT linux_banner or init_top_pgt was not told; -EPROTO no
 * place fits.
 */
int locate_kernel(struct kmem *km, const struct guest_mem *mem,
		  const struct mon_guest_info *info, uint64_t *phys_base);

#endif
