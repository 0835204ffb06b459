/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel modules for an initramfs: which files, in which order. Called by
 * the launcher (the guest's initrd) and by the emulated host.
 */
#ifndef KTSTR_RUNNER_MODULES_H
#define KTSTR_RUNNER_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module {
	char *name;		/* as the kernel writes it: "kvm_amd" */
	uint8_t *data;		/* plain ELF */
	size_t len;
};

struct module_list {
	struct module *v;	/* owned, in load order */
	size_t nr;
};

/**
 * modules_resolve() - modules with all they depend on, uncompressed
 * @kernel_dir: has modules/ (or is itself) the kernel's module tree
 * @names: NULL-terminated; '-' and '_' are the same
 * @list: on success; freed with modules_free()
 * @err_msg: on failure one line
 *
 * What modules.builtin lists is left out, and a directory without any module
 * tree gives an empty list: such a kernel has everything built in, or the
 * driver is found missing in the guest. Order is by "depends=" of .modinfo.
 *
 * Return: 0; -ENOENT a module is neither there nor built in; -ENOEXEC a file
 * is no module; -ENOTSUP unknown compression; -ELOOP dependencies in a ring.
 */
int modules_resolve(const char *kernel_dir, const char *const *names,
		    struct module_list *list, char *err_msg, size_t err_len);

/**
 * modules_may_have() - false if the kernel is known to lack @name
 *
 * That is: it has a module tree, and @name is neither in that nor built in.
 */
bool modules_may_have(const char *kernel_dir, const char *name);

void modules_free(struct module_list *list);

/**
 * decompress() - xz, zstd or gzip by magic; anything else is copied
 * @out: allocated
 *
 * Return: 0; -EBADMSG damaged data; -EFBIG over 256 MiB; -ENOMEM.
 */
int decompress(const uint8_t *in, size_t in_len, uint8_t **out,
	       size_t *out_len);

#endif
