/* SPDX-License-Identifier: GPL-2.0-only */
/* The bytes of runner/blob.c; the assembler finds the files by -I. */
.macro blob symbol, path
	.balign 16
	.globl blob_\symbol
blob_\symbol:
	.incbin "\path"
	.globl blob_\symbol\()_end
blob_\symbol\()_end:
.endm

	.section .rodata.blob, "a", @progbits
	blob agent, "agent/ktstr-agent"
	blob simple, "bpf/simple.bpf.o"
	blob fifo, "bpf/fifo.bpf.o"
	blob starve_one, "bpf/faults/starve_one.bpf.o"
	blob stall, "bpf/faults/stall.bpf.o"
	blob map_lies, "bpf/faults/map_lies.bpf.o"
	blob delay_io, "bpf/faults/delay_io.bpf.o"
	blob per_llc, "bpf/per_llc.bpf.o"
	blob unfair, "bpf/faults/unfair.bpf.o"
	blob idle_leak, "bpf/faults/idle_leak.bpf.o"

	.section .note.GNU-stack, "", @progbits
