/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of monitor/ share behind monitor.h. */
#ifndef KTSTR_MONITOR_PRIV_H
#define KTSTR_MONITOR_PRIV_H

#include "monitor/kbtf.h"
#include "monitor/kmem.h"
#include "monitor/map.h"
#include "monitor/monitor.h"
#include "monitor/psi.h"
#include "monitor/scx.h"

#define MON_MAX_BTFS 16

/* BTF that a program brought along, shared by the maps of that program. */
struct mon_map_btf {
	uint64_t kva;		/* of the kernel's struct btf */
	uint32_t id;
	struct btf *btf;	/* owned */
};

/* Room for one value, and for reading it again. */
struct mon_scratch {
	void *val, *again;	/* owned */
	size_t len_bytes;
};

struct monitor {
	struct guest_mem mem;
	struct mon_guest_info info;
	struct kbtf kbtf;
	struct kmem kmem;
	uint64_t phys_base;

	/* Settled when the guest's CPUs were brought up, so read once. */
	unsigned int nr_possible;	/* 0: per-CPU data can't be read */
	uint64_t percpu_off[MON_MAX_CPUS];

	struct scx_layout scx;
	struct psi_layout psi;
	uint64_t jiffy_ns;	/* 0: not told yet */

	struct mon_map *maps[MON_MAX_MAPS];	/* owned */
	unsigned int nr_maps;
	struct mon_map_btf btfs[MON_MAX_BTFS];
	unsigned int nr_btfs;
	struct mon_scratch scratch;
};

#endif
