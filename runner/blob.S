/* SPDX-License-Identifier: GPL-2.0-only */
/* The bytes of runner/blob.c; the assembler finds the files by -I. */
#include "runner/builtin_list.h"
#include "runner/observer_list.h"

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
#define BLOB(n, object, ...) blob n, object;
	BUILTINS(BLOB)
	OBSERVERS(BLOB)

	.section .note.GNU-stack, "", @progbits
