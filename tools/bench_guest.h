/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest without a kernel, that keeps disks busy on any /dev/kvm; started by
 * bench_free.c. It asks by virtio-mmio and polls the used rings: what it has
 * back is offered again at once.
 */
#ifndef KTSTR_TOOLS_BENCH_GUEST_H
#define KTSTR_TOOLS_BENCH_GUEST_H

#include <stdint.h>

#define GUEST_ENTRY_GPA 0x200000ULL
#define GUEST_STACK_GPA 0x1f0000ULL	/* its end */
#define GUEST_PARAMS_GPA 0x300000ULL
/* Where the other vCPUs begin, in real mode: a page below 1 MiB. */
#define GUEST_AP_GPA 0x8000ULL
#define GUEST_AP_COUNT_GPA 0x9000ULL	/* 16 bits: those that have begun */

#define GUEST_QUEUES 8
#define GUEST_REGS (20 * GUEST_QUEUES)

struct guest_queue {
	uint64_t avail_gpa, used_gpa, notify_gpa;
	uint32_t size;
	uint16_t next;		/* avail->idx */
	uint16_t seen;		/* used->idx */
	uint64_t done;		/* requests it has back */
};

/* Written by the host before the first instruction. */
struct guest_params {
	uint32_t nr_regs, nr_queues;
	uint32_t start_aps;	/* not 0: INIT and SIPI to all others */
	uint32_t pad;
	struct {
		uint32_t addr, value;
	} regs[GUEST_REGS];	/* to be written first, in this order */
	struct guest_queue queues[GUEST_QUEUES];
};

/* The code, position independent; its entry is somewhere in it. */
extern const uint8_t __start_bench_guest[], __stop_bench_guest[];
extern const uint8_t bench_guest_entry[];

#endif
