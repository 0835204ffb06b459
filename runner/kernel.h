/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding a guest kernel and taking from it what a run needs. */
#ifndef KTSTR_RUNNER_KERNEL_H
#define KTSTR_RUNNER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

/* All strings owned; NULL where the kernel has no such thing. */
struct kernel {
	char *source;		/* the file that was named or found */
	char *image;		/* what is booted: the unpacked ELF, or @source */
	char *btf;		/* raw .BTF bytes in a file */
	char *config;		/* kernel configuration, plain text */
	char *dir;		/* has modules/ below it, for modules_resolve() */
	char release[128];
	char hash[65];		/* SHA-256 of @source */
	char config_hash[65];	/* SHA-256 of @config, or "" */
	bool has_sched_ext;	/* its BTF knows struct sched_ext_ops */
};

/**
 * kernel_open() - resolve a kernel
 * @path: a folder as `tools/setup` lays it out (vmlinuz, config, modules/),
 *	an image file (bzImage or ELF), or NULL for the fetched default
 * @k: for kernel_close()
 * @err_msg: on failure one line that says what to do
 *
 * Unpacks a compressed image once, into the cache, by content hash.
 *
 * Return: 0; -ENOENT no such kernel; -ENOEXEC not a kernel; others.
 */
int kernel_open(const char *path, struct kernel *k, char *err_msg,
		size_t err_len);
void kernel_close(struct kernel *k);

/** sha256_file() - lower-case hex of a whole file. 0 or -errno. */
int sha256_file(const char *path, char hex[65]);

#endif
