/* SPDX-License-Identifier: GPL-2.0-only */
/* Looking an id up in a kernel IDR (an xarray of pointers); map.c calls it. */
#ifndef KTSTR_MONITOR_IDR_H
#define KTSTR_MONITOR_IDR_H

#include <stdint.h>

struct kbtf;
struct kmem;

/**
 * idr_find() - the pointer stored under @id
 * @idr_kva: address of the struct idr
 *
 * Lock-free against a running guest: the answer may be stale, so the caller
 * checks that the object still carries the id. At most one node per level is
 * visited, and levels must fall one by one.
 *
 * Return: 0; -ENOENT nothing there; -EFAULT memory or a tree that is none;
 * -ENOTSUP this kernel's BTF lacks the layout.
 */
int idr_find(const struct kbtf *kb, struct kmem *km, uint64_t idr_kva,
	     uint32_t id, uint64_t *ptr);

#endif
