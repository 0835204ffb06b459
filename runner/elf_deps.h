/* SPDX-License-Identifier: GPL-2.0-only */
/* The shared libraries that a program needs, to take it into another machine. */
#ifndef KTSTR_RUNNER_ELF_DEPS_H
#define KTSTR_RUNNER_ELF_DEPS_H

#include <stddef.h>

struct elf_deps {
	char *interp;		/* the dynamic loader; NULL: a static program */
	char **libs;		/* absolute paths, without the loader */
	size_t nr_libs;
};

/**
 * elf_deps_read() - what the program's own dynamic loader would load
 * @path: an executable of this machine
 * @lib_dir: looked in before the system's folders, as by LD_LIBRARY_PATH;
 *	may be NULL
 * @deps: for elf_deps_free()
 *
 * Runs the loader with --list, as ldd does.
 *
 * Return: 0; -ENOEXEC not an ELF program; -ENOENT a library is missing.
 */
int elf_deps_read(const char *path, const char *lib_dir, struct elf_deps *deps);
void elf_deps_free(struct elf_deps *deps);

#endif
