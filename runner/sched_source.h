/* SPDX-License-Identifier: GPL-2.0-only */
/* Compiling a scheduler's BPF source against a guest kernel's BTF. */
#ifndef KTSTR_RUNNER_SCHED_SOURCE_H
#define KTSTR_RUNNER_SCHED_SOURCE_H

#include <stddef.h>

/**
 * vmlinux_h_write() - vmlinux.h from a kernel's BTF
 * @btf_path: raw .BTF bytes, or an ELF with a .BTF section
 * @out_path: written atomically
 *
 * All types, then prototypes of the kernel functions tagged bpf_kfunc, weak.
 *
 * Return: 0 or -errno, with one line in @err_msg.
 */
int vmlinux_h_write(const char *btf_path, const char *out_path, char *err_msg,
		    size_t err_len);

/* Names of compilers, best first; ends with NULL. */
extern const char *const sched_source_compilers[];

/**
 * sched_source_compile() - clang -target bpf
 * @src: the .bpf.c file
 * @include_dir: has vmlinux.h
 * @out_path: the object
 * @diag: what the compiler printed, at most @diag_len bytes; empty on success
 *
 * The compiler is $KTSTR_CLANG, or the first of clang-22 ... clang that is
 * there. Includes: @include_dir, libbpf's headers, the source's own folder.
 *
 * Return: 0; -ENOENT no compiler or no source; -EINVAL it does not compile.
 */
int sched_source_compile(const char *src, const char *include_dir,
			 const char *out_path, char *diag, size_t diag_len);

#endif
