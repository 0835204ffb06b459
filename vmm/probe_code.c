// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/probe_code.h"

/* clang-format off */

/* A piece goes to read-only data between two labels. */
#define PIECE(label, text)                                                 \
	extern const uint8_t piece_##label[], piece_##label##_end[];       \
	__asm__(".pushsection .rodata\n"                                   \
		"piece_" #label ":\n" text                                 \
		"piece_" #label "_end:\n"                                  \
		".popsection\n")

#define PASS "	mov $1, %al\n	out %al, $0xf4\n"
#define WRONG "9:	mov $0, %al\n	out %al, $0xf5\n"

/* CR4.OSFXSR, OSXMMEXCPT and OSXSAVE, then XCR0 = @mask. */
#define ENABLE_XSAVE(mask)                                                 \
	"	mov %cr4, %rax\n"                                          \
	"	or $0x40600, %rax\n"                                       \
	"	mov %rax, %cr4\n"                                          \
	"	xor %ecx, %ecx\n"                                          \
	"	xor %edx, %edx\n"                                          \
	"	mov $" mask ", %eax\n"                                     \
	"	xsetbv\n"

PIECE(cmpxchg16b,
"	xor %eax, %eax\n"
"	xor %edx, %edx\n"
"	mov $5, %ebx\n"
"	mov $6, %ecx\n"
"	lock cmpxchg16b (%rdi)\n"
"	jnz 9f\n"
"	cmpq $6, 8(%rdi)\n"
"	jne 9f\n"
PASS WRONG);

PIECE(xadd,
"	mov $7, %eax\n"
"	lock xadd %rax, (%rdi)\n"
"	lock cmpxchg %rcx, (%rdi)\n"
"	cmpq $7, (%rdi)\n"
"	jne 9f\n"
PASS WRONG);

PIECE(popcnt,
"	mov $0xff, %eax\n"
"	popcnt %rax, %rbx\n"
"	cmp $8, %rbx\n"
"	jne 9f\n"
PASS WRONG);

PIECE(shlx,
"	mov $3, %eax\n"
"	mov $4, %ecx\n"
"	shlx %rcx, %rax, %rbx\n"
"	cmp $48, %rbx\n"
"	jne 9f\n"
PASS WRONG);

PIECE(xrstor,
ENABLE_XSAVE("3")
"	mov $3, %eax\n"
"	xor %edx, %edx\n"
"	xrstor (%rdi)\n"
"	mov $3, %eax\n"
"	xsave (%rdi)\n"
PASS);

PIECE(vpcmpeqd,
ENABLE_XSAVE("7")
"	vpcmpeqd %xmm0, %xmm0, %xmm0\n"
"	vmovdqu %xmm0, (%rdi)\n"
"	cmpq $-1, 8(%rdi)\n"
"	jne 9f\n"
PASS WRONG);

PIECE(int3,
"	int3\n"
"	cmpq $1, (%rdi)\n"
"	jne 9f\n"
PASS WRONG);

PIECE(breakpoint,
"	incq (%rdi)\n"
"	iretq\n");

PIECE(lretq,
"	mov %cs, %eax\n"
"	push %rax\n"
"	lea 1f(%rip), %rax\n"
"	push %rax\n"
"	lretq\n"
"	jmp 9f\n"
"1:\n"
PASS WRONG);

/* MSR_KERNEL_GS_BASE to MSR_GS_BASE and back. */
PIECE(swapgs,
"	mov $0xc0000102, %ecx\n"
"	mov $0x1234, %eax\n"
"	xor %edx, %edx\n"
"	wrmsr\n"
"	swapgs\n"
"	mov $0xc0000101, %ecx\n"
"	rdmsr\n"
"	swapgs\n"
"	cmp $0x1234, %eax\n"
"	jne 9f\n"
PASS WRONG);

PIECE(stac,
"	stac\n"
"	clac\n"
PASS);

PIECE(invpcid,
"	mov $2, %eax\n"	/* all contexts */
"	invpcid (%rdi), %rax\n"
PASS);

PIECE(tlb_flush,
"	invlpg (%rdi)\n"
"	mov %cr3, %rax\n"
"	mov %rax, %cr3\n"
PASS);

PIECE(rdtscp,
"	rdtscp\n"
PASS);

PIECE(loop,
"1:	dec %rcx\n"
"	jnz 1b\n"
PASS);

#define CODE(label) piece_##label, piece_##label##_end

enum { EAX, EBX, ECX, EDX };

const struct probe_code probe_codes[] = {
	{ "lock xadd", 0, 0, 0, CODE(xadd) },
	{ "cmpxchg16b", 1, ECX, 13, CODE(cmpxchg16b) },
	{ "popcnt", 1, ECX, 23, CODE(popcnt) },
	{ "shlx (BMI2)", 7, EBX, 8, CODE(shlx) },
	{ "xsave and xrstor", 1, ECX, 26, CODE(xrstor) },
	{ "vpcmpeqd (AVX)", 1, ECX, 28, CODE(vpcmpeqd) },
	{ "int3 and iretq", 0, 0, 0, CODE(int3) },
	{ "lretq", 0, 0, 0, CODE(lretq) },
	{ "wrmsr and swapgs", 0, 0, 0, CODE(swapgs) },
	{ "stac and clac", 7, EBX, 20, CODE(stac) },
	{ "invpcid", 7, EBX, 10, CODE(invpcid) },
	{ "invlpg and CR3", 0, 0, 0, CODE(tlb_flush) },
	{ "rdtscp", 0x80000001, EDX, 27, CODE(rdtscp) },
};
const size_t probe_codes_nr = sizeof(probe_codes) / sizeof(probe_codes[0]);

const struct probe_code probe_breakpoint_handler = {
	"breakpoint handler", 0, 0, 0, CODE(breakpoint),
};

const struct probe_code probe_loop = { "loop", 0, 0, 0, CODE(loop) };
