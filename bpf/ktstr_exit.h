/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exit record that a scheduler of bpf/ leaves for its loader, in the
 * global variable ktstr_exit; the kernel's own is gone after ops.exit().
 */
#ifndef KTSTR_BPF_KTSTR_EXIT_H
#define KTSTR_BPF_KTSTR_EXIT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define KTSTR_EXIT_VAR "ktstr_exit"
#define KTSTR_EXIT_DUMP_VAR "ktstr_dump"
#define KTSTR_EXIT_DUMP 32768 /* the kernel's own default length */

struct ktstr_exit {
	__u64 kind;		/* enum scx_exit_kind; 0: has not exited */
	__s64 exit_code;
	char reason[128];
	char msg[256];
};

_Static_assert(sizeof(struct ktstr_exit) == 16 + 128 + 256, "ktstr_exit");

#endif
