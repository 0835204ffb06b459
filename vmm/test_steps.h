/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest on the real /dev/kvm that runs a list of steps, which a test writes
 * into its memory: accesses of every kind, waits, and interrupts counted.
 */
#ifndef KTSTR_VMM_TEST_STEPS_H
#define KTSTR_VMM_TEST_STEPS_H

#include "vmm/test_guest.h"

#define STEPS_GPA 0x300000ULL
#define STEPS_BYTES 0x10000ULL
#define STEPS_IDT 0x320000ULL
#define STEPS_IDT_PTR 0x321000ULL
#define STEPS_HANDLER 0x322000ULL
#define STEPS_IRQS 0x323000ULL /* interrupts taken, 32 bits */
#define STEPS_VECTOR 0x50
#define STEPS_CODE_SELECTOR 0x10

enum step_op {
	STEP_END,
	STEP_WRITE,	/* value to addr; size in the third word */
	STEP_READ,	/* addr to value */
	STEP_OUT,	/* likewise, of ports */
	STEP_IN,
	STEP_WAIT16,	/* until the 16 bits at addr are value or more */
	STEP_IDT,	/* load the IDT and let interrupts in */
};

/* clang-format off */
GUEST(steps,
"	mov $0x300000, %esi\n"
"1:	mov (%rsi), %eax\n"
"	mov 4(%rsi), %edi\n"
"	mov 8(%rsi), %ecx\n"
"	mov 12(%rsi), %ebx\n"
"	mov %edi, %edx\n"
"	cmp $1, %eax\n"
"	je 10f\n"
"	cmp $2, %eax\n"
"	je 20f\n"
"	cmp $3, %eax\n"
"	je 30f\n"
"	cmp $4, %eax\n"
"	je 40f\n"
"	cmp $5, %eax\n"
"	je 50f\n"
"	cmp $6, %eax\n"
"	je 60f\n"
"	mov $0xfe, %al\n"
"	out %al, $0x64\n"
"	jmp .\n"
"10:	cmp $1, %ebx\n"
"	je 11f\n"
"	cmp $2, %ebx\n"
"	je 12f\n"
"	mov %ecx, (%rdi)\n"
"	jmp 9f\n"
"11:	mov %cl, (%rdi)\n"
"	jmp 9f\n"
"12:	mov %cx, (%rdi)\n"
"	jmp 9f\n"
"20:	xor %eax, %eax\n"
"	cmp $1, %ebx\n"
"	je 21f\n"
"	cmp $2, %ebx\n"
"	je 22f\n"
"	mov (%rdi), %eax\n"
"	jmp 29f\n"
"21:	mov (%rdi), %al\n"
"	jmp 29f\n"
"22:	mov (%rdi), %ax\n"
"29:	mov %eax, 8(%rsi)\n"
"	jmp 9f\n"
"30:	mov %ecx, %eax\n"
"	cmp $1, %ebx\n"
"	je 31f\n"
"	cmp $2, %ebx\n"
"	je 32f\n"
"	out %eax, %dx\n"
"	jmp 9f\n"
"31:	out %al, %dx\n"
"	jmp 9f\n"
"32:	out %ax, %dx\n"
"	jmp 9f\n"
"40:	xor %eax, %eax\n"
"	cmp $1, %ebx\n"
"	je 41f\n"
"	cmp $2, %ebx\n"
"	je 42f\n"
"	in %dx, %eax\n"
"	jmp 29b\n"
"41:	in %dx, %al\n"
"	jmp 29b\n"
"42:	in %dx, %ax\n"
"	jmp 29b\n"
"50:	pause\n"
"	cmp %cx, (%rdi)\n"
"	jb 50b\n"
"	jmp 9f\n"
"60:	lidt (%rdi)\n"
"	sti\n"
"9:	add $16, %rsi\n"
"	jmp 1b\n");

/* Counts, and tells the local APIC. */
GUEST(irq,
"	push %rax\n"
"	mov $0x323000, %eax\n"
"	incl (%rax)\n"
"	mov $0xfee000b0, %eax\n"
"	movl $0, (%rax)\n"
"	pop %rax\n"
"	iretq\n");
/* clang-format on */

struct step {
	uint32_t op, addr, value, size;
};

/* The script under construction, in guest memory. */
static struct guest_run guest;
static struct step *steps;
static unsigned int nr_steps;

static inline void *at(uint64_t gpa, uint64_t len)
{
	void *p = guest_mem_hva(vm_guest_mem(guest.vm), gpa, len);

	ck_assert_ptr_nonnull(p);
	return p;
}

/* Return: its number, to find what it read. */
static inline unsigned int step(enum step_op op, uint64_t addr, uint32_t value,
				uint32_t size)
{
	ck_assert_uint_lt(nr_steps, STEPS_BYTES / sizeof(*steps));
	steps[nr_steps] = (struct step){ op, addr, value, size };
	return nr_steps++;
}

static inline void steps_begin(struct vm_disk_config *disk,
			       enum vm_transport transport)
{
	guest = (struct guest_run){ CODE(steps), .disk = disk,
				    .transport = transport };
	guest_new(&guest);
	steps = at(STEPS_GPA, STEPS_BYTES);
	nr_steps = 0;
}

static inline void steps_run(void)
{
	step(STEP_END, 0, 0, 0);
	guest_go(&guest, VM_END_RESET);
}

/* Interrupt STEPS_VECTOR is taken from here on, and counted. */
static inline void steps_take_interrupts(void)
{
	const struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} ptr = { 16 * (STEPS_VECTOR + 1) - 1, STEPS_IDT };
	const struct {
		uint16_t low, selector, flags, middle;
		uint32_t high, zero;
	} gate = {
		.low = (uint16_t)STEPS_HANDLER,
		.selector = STEPS_CODE_SELECTOR,
		.flags = 0x8e00, /* present, interrupt gate */
		.middle = STEPS_HANDLER >> 16,
	};

	memcpy(at(STEPS_IDT + 16 * STEPS_VECTOR, 16), &gate, 16);
	memcpy(at(STEPS_IDT_PTR, sizeof(ptr)), &ptr, sizeof(ptr));
	memcpy(at(STEPS_HANDLER, guest_irq_end - guest_irq), guest_irq,
	       guest_irq_end - guest_irq);
	step(STEP_WRITE, LAYOUT_LAPIC + 0x350, 0x10000, 4); /* no 8259 */
	step(STEP_WRITE, LAYOUT_LAPIC + 0xf0, 0x1ff, 4); /* on */
	step(STEP_IDT, STEPS_IDT_PTR, 0, 0);
}

static inline uint32_t steps_interrupts(void)
{
	return *(uint32_t *)at(STEPS_IRQS, 4);
}

#endif
