// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's code: copied out of the program that starts it, so it calls
 * nothing outside its section and uses general registers only.
 */
#include "tools/bench_guest.h"

#include <linux/virtio_ring.h>

#include "vmm/layout.h"

#define GUEST_CODE                                                         \
	__attribute__((section("bench_guest"), target("general-regs-only"), \
		       used, noinline, no_stack_protector,                  \
		       no_sanitize("address", "thread", "undefined")))

_Static_assert(GUEST_STACK_GPA == 0x1f0000 && GUEST_PARAMS_GPA == 0x300000,
	       "the numbers of the entry");

/* clang-format off */
__asm__(".pushsection bench_guest, \"ax\", @progbits\n"
	".globl bench_guest_entry\n"
	"bench_guest_entry:\n"
	"	mov $0x1f0000, %esp\n"
	"	mov $0x300000, %edi\n"
	"	call bench_guest_main\n"
	".popsection\n");
/* clang-format on */

void bench_guest_main(struct guest_params *p);

GUEST_CODE static void write_reg(uint64_t addr, uint32_t value)
{
	*(volatile uint32_t *)addr = value;
}

/* Source: Intel SDM 3A, 11.6.1: interrupt command register. */
GUEST_CODE static void start_aps(void)
{
	volatile unsigned int wait;

	write_reg(LAYOUT_LAPIC + 0xf0, 0x1ff); /* on */
	write_reg(LAYOUT_LAPIC + 0x300, 0xc4500); /* INIT, all but self */
	for (wait = 20000; wait; wait--)
		;
	write_reg(LAYOUT_LAPIC + 0x300, 0xc4600 | GUEST_AP_GPA >> 12);
}

/* Offer again what came back. Source: virtio 1.4, 2.7.13. */
GUEST_CODE static void serve(struct guest_queue *q)
{
	struct vring_avail *avail = (void *)q->avail_gpa;
	struct vring_used *used = (void *)q->used_gpa;
	uint16_t mask = q->size - 1, old = q->next;
	uint16_t idx = __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);

	while (q->seen != idx)
		avail->ring[q->next++ & mask] = used->ring[q->seen++ & mask].id;
	if (q->next == old)
		return;
	q->done += (uint16_t)(q->next - old);
	/* sequentially consistent: before the look at what the device wants */
	__atomic_exchange_n(&avail->idx, q->next, __ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&used->flags, __ATOMIC_SEQ_CST) &
	      VRING_USED_F_NO_NOTIFY))
		write_reg(q->notify_gpa, 0);
}

GUEST_CODE void bench_guest_main(struct guest_params *p)
{
	uint32_t i;

	for (i = 0; i < p->nr_regs; i++)
		write_reg(p->regs[i].addr, p->regs[i].value);
	if (p->start_aps)
		start_aps();
	for (;;) {
		__builtin_ia32_pause();
		for (i = 0; i < p->nr_queues; i++)
			serve(&p->queues[i]);
	}
}
