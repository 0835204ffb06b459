/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pieces of guest code, each trying one thing that a kernel does in kernel
 * mode, for kvm_probe.c. Position independent, 64-bit, CPL 0.
 */
#ifndef KTSTR_VMM_PROBE_CODE_H
#define KTSTR_VMM_PROBE_CODE_H

#include <stddef.h>
#include <stdint.h>

/* How a piece ends: by a byte out to one of these. */
#define PROBE_PORT_PASS 0xf4
#define PROBE_PORT_WRONG 0xf5

/*
 * Registers at entry: RDI a zeroed page, RCX an argument, RSP a stack. Vector
 * 3 of the IDT leads to the piece "breakpoint handler".
 */
struct probe_code {
	const char *name;	/* for the user */
	/* Run only where KVM offers this CPUID bit; leaf 0: always. */
	uint32_t leaf;
	unsigned int reg;	/* 0 eax, 1 ebx, 2 ecx, 3 edx */
	unsigned int bit;
	const uint8_t *code, *end;
};

extern const struct probe_code probe_codes[];
extern const size_t probe_codes_nr;

extern const struct probe_code probe_breakpoint_handler;
/* RCX times dec and jump. */
extern const struct probe_code probe_loop;

#endif
