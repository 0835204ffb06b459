// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/idr.h"

#include "monitor/kbtf.h"
#include "monitor/kmem.h"

#include <errno.h>
#include <stdbool.h>

/*
 * Tags of an xarray entry, include/linux/xarray.h: the low two bits tell
 * pointers (00), values (x1) and internal entries (10) apart; internal
 * entries above 4096 are nodes, those below are siblings, retries and zeroes.
 */
#define XA_TAG_MASK 3u
#define XA_TAG_INTERNAL 2u
#define XA_MAX_INTERNAL 4096u

#define INDEX_BITS 32

static bool entry_is_node(uint64_t entry)
{
	return (entry & XA_TAG_MASK) == XA_TAG_INTERNAL &&
	       entry > XA_MAX_INTERNAL;
}

/* Address bits that a node decides: log2 of its slots. 0: no power of two. */
static unsigned int node_bits(const struct kbtf *kb)
{
	uint32_t slots = kb->fields[KF_XA_NODE_SLOTS].size / 8;

	if (slots < 2 || slots & (slots - 1))
		return 0;
	return __builtin_ctz(slots);
}

static int node_shift(const struct kbtf *kb, struct kmem *km, uint64_t node,
		      unsigned int bits, unsigned int *shift)
{
	int64_t v;
	int err;

	err = kbtf_read(kb, km, node, KF_XA_NODE_SHIFT, &v);
	if (err)
		return err;
	if (v < 0 || v >= INDEX_BITS || v % bits)
		return -EFAULT;
	*shift = v;
	return 0;
}

int idr_find(const struct kbtf *kb, struct kmem *km, uint64_t idr_kva,
	     uint32_t id, uint64_t *ptr)
{
	static const enum kfield_id needed[] = { KF_IDR_HEAD, KF_IDR_BASE,
						 KF_XA_NODE_SHIFT,
						 KF_XA_NODE_SLOTS };
	unsigned int bits = node_bits(kb), shift = 0, expected = 0;
	bool below_root = false;
	uint64_t entry, index;
	int64_t base;
	int err;

	if (kbtf_missing(kb, needed, sizeof(needed) / sizeof(needed[0])) ||
	    !bits)
		return -ENOTSUP;
	err = kbtf_read(kb, km, idr_kva, KF_IDR_BASE, &base);
	if (!err)
		err = kbtf_read_ptr(kb, km, idr_kva, KF_IDR_HEAD, &entry);
	if (err)
		return err;
	if (base < 0 || base > id)
		return -ENOENT;
	index = id - base;

	/* A head that is no node is the entry of index 0. */
	if (!entry_is_node(entry) && index)
		return -ENOENT;

	while (entry_is_node(entry)) {
		uint64_t node = entry - XA_TAG_INTERNAL;
		uint64_t slot;

		if (below_root && !expected)
			return -EFAULT; /* a node where an entry belongs */
		err = node_shift(kb, km, node, bits, &shift);
		if (err)
			return err;
		if (below_root && shift != expected - bits)
			return -EFAULT;
		if (!below_root && index >> shift >> bits)
			return -ENOENT;
		below_root = true;
		expected = shift;

		slot = index >> shift & ((1u << bits) - 1);
		err = kmem_read_ptr(km, node + slot * 8 +
				    kb->fields[KF_XA_NODE_SLOTS].off, &entry);
		if (err)
			return err;
	}
	if (!entry || entry & XA_TAG_MASK || (below_root && shift))
		return -ENOENT;
	*ptr = entry;
	return 0;
}
