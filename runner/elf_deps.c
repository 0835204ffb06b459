// SPDX-License-Identifier: GPL-2.0-only
#include "runner/elf_deps.h"

#include <gelf.h>
#include <libelf.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int interp_from(Elf *elf, char **interp)
{
	size_t nr, size;
	const char *raw = elf_rawfile(elf, &size);

	if (!raw || elf_kind(elf) != ELF_K_ELF || elf_getphdrnum(elf, &nr))
		return -ENOEXEC;
	for (size_t i = 0; i < nr; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, i, &ph))
			return -ENOEXEC;
		if (ph.p_type != PT_INTERP)
			continue;
		if (ph.p_offset > size || ph.p_filesz > size - ph.p_offset)
			return -ENOEXEC;
		*interp = strndup(raw + ph.p_offset, ph.p_filesz);
		return *interp ? 0 : -ENOMEM;
	}
	return 0;
}

static int interp_read(const char *path, char **interp)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = -ENOEXEC;
	Elf *elf;

	if (fd < 0)
		return -errno;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf)
		err = interp_from(elf, interp);
	elf_end(elf);
	close(fd);
	return err;
}

static int add_lib(struct elf_deps *deps, const char *path, size_t len)
{
	char **libs = realloc(deps->libs, (deps->nr_libs + 1) * sizeof(*libs));

	if (!libs)
		return -ENOMEM;
	deps->libs = libs;
	libs[deps->nr_libs] = strndup(path, len);
	if (!libs[deps->nr_libs])
		return -ENOMEM;
	deps->nr_libs++;
	return 0;
}

/* "\tlibc.so.6 => /lib/.../libc.so.6 (0x...)"; others name no file. */
static int parse_line(struct elf_deps *deps, const char *line)
{
	const char *path = strstr(line, "=> ");

	if (!path)
		return 0;
	path += 3;
	if (*path != '/')
		return -ENOENT; /* "not found" */
	return add_lib(deps, path, strcspn(path, " \n"));
}

static int run_loader(const char *path, const char *lib_dir,
		      struct elf_deps *deps, int out_fd)
{
	char *argv[] = { deps->interp, "--list", (char *)path, NULL };
	char *with[] = { deps->interp, "--library-path", (char *)lib_dir,
			 "--list", (char *)path, NULL };
	char *env[] = { NULL };
	posix_spawn_file_actions_t fa;
	int err, status;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, out_fd, 1);
	err = -posix_spawn(&pid, deps->interp, &fa, NULL,
			   lib_dir ? with : argv, env);
	posix_spawn_file_actions_destroy(&fa);
	if (err)
		return err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status ? -ENOENT : 0;
}

int elf_deps_read(const char *path, const char *lib_dir, struct elf_deps *deps)
{
	char *line = NULL;
	size_t cap = 0;
	FILE *list;
	int err;

	*deps = (struct elf_deps){ 0 };
	err = interp_read(path, &deps->interp);
	if (err || !deps->interp)
		return err;
	list = tmpfile();
	err = list ? run_loader(path, lib_dir, deps, fileno(list)) : -errno;
	if (list)
		rewind(list);
	while (!err && getline(&line, &cap, list) > 0)
		err = parse_line(deps, line);
	free(line);
	if (list)
		fclose(list);
	if (err)
		elf_deps_free(deps);
	return err;
}

void elf_deps_free(struct elf_deps *deps)
{
	for (size_t i = 0; i < deps->nr_libs; i++)
		free(deps->libs[i]);
	free(deps->libs);
	free(deps->interp);
	*deps = (struct elf_deps){ 0 };
}
