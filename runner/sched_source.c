// SPDX-License-Identifier: GPL-2.0-only
#include "runner/sched_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/path.h"

#define COMPILE_NS (120 * NSEC_PER_SEC)	/* a compiler that hangs is killed */
#define HELPERS_H "bpf/bpf_helpers.h"

extern char **environ;

/* Newest first: each reads more of BTF's attributes than the one before. */
const char *const sched_source_compilers[] = {
	"clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang-17",
	"clang-16", "clang-15", "clang-14", "clang", NULL,
};

/* What the compiler says, as far as there is room for it. */
struct diag {
	char *text;
	size_t len;	/* of what is there */
	size_t room;	/* of the buffer, with the NUL */
};

static void diag_add(struct diag *d, const char *text, size_t len)
{
	if (len > d->room - d->len - 1)
		len = d->room - d->len - 1;
	memcpy(d->text + d->len, text, len);
	d->len += len;
	d->text[d->len] = '\0';
}

static void diag_say(struct diag *d, const char *text)
{
	diag_add(d, text, strlen(text));
}

static bool has_helpers(const char *dir)
{
	char *path = path_join(dir, HELPERS_H);
	bool there = path && !access(path, R_OK);

	free(path);
	return there;
}

/* Owned; NULL: leave it to the compiler's own search path. */
static char *libbpf_include(void)
{
	const char *asked = getenv("KTSTR_LIBBPF_INCLUDE");
	char *cache, *dir;

	if (asked && *asked)
		return strdup(asked);
	cache = path_cache_dir(NULL);
	dir = cache ? path_join(cache, "pkg/usr/include") : NULL;
	free(cache);
	if (dir && has_helpers(dir))
		return dir;
	free(dir);
	return NULL;
}

/* Descriptors and signals of the compiler: its words into @out_fd. */
static int start(const char *compiler, char *const *argv, int out_fd,
		 pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, dfl;
	int err;

	sigemptyset(&none);
	sigemptyset(&dfl);
	sigaddset(&dfl, SIGPIPE);
	err = posix_spawn_file_actions_init(&files);
	if (err)
		return -err;
	err = posix_spawnattr_init(&attr);
	if (err)
		goto destroy_files;
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &dfl);
	err = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
					      POSIX_SPAWN_SETSIGDEF);
	if (!err)
		err = posix_spawn_file_actions_addopen(&files, STDIN_FILENO,
						       "/dev/null", O_RDONLY,
						       0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&files, out_fd,
						       STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&files, out_fd,
						       STDERR_FILENO);
	if (!err)
		err = posix_spawnp(pid, compiler, &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
destroy_files:
	posix_spawn_file_actions_destroy(&files);
	return -err;
}

/* The compiler asked for, else the first that is there; argv[0] is set. */
static int start_any(char **argv, int out_fd, pid_t *pid, struct diag *diag)
{
	const char *asked = getenv("KTSTR_CLANG");
	const char *const asked_only[] = { asked, NULL };
	const char *const *c = asked && *asked ? asked_only :
		sched_source_compilers;
	int err = -ENOENT;

	for (; *c && err == -ENOENT; c++) {
		argv[0] = (char *)*c;
		err = start(*c, argv, out_fd, pid);
	}
	if (!err)
		return 0;
	diag_say(diag, asked && *asked ? asked : "clang");
	diag_say(diag, ": ");
	diag_say(diag, strerror(-err));
	return err;
}

/* Until the compiler closes its end. Return: 0, -ETIMEDOUT, -errno. */
static int listen_to(int fd, struct diag *diag)
{
	uint64_t end_ns = clock_now_ns() + COMPILE_NS, now_ns;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char part[4096];
	ssize_t got;

	for (;;) {
		now_ns = clock_now_ns();
		if (now_ns >= end_ns)
			return -ETIMEDOUT;
		if (poll(&p, 1, (end_ns - now_ns) / NSEC_PER_MSEC + 1) < 0 &&
		    errno != EINTR)
			return -errno;
		if (!p.revents)
			continue;
		got = read(fd, part, sizeof(part));
		if (got > 0)
			diag_add(diag, part, got);
		else if (!got)
			return 0;
		else if (errno != EINTR)
			return -errno;
	}
}

static int wait_for(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Return: 0; -EINVAL it has refused the source; other -errno. */
static int run(char **argv, struct diag *diag)
{
	int fds[2], status = 0, err, gone;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	err = start_any(argv, fds[1], &pid, diag);
	close(fds[1]);
	if (err)
		goto close_pipe;
	err = listen_to(fds[0], diag);
	if (err)
		kill(pid, SIGKILL);
	gone = wait_for(pid, &status);
	if (!err)
		err = gone;
	if (!err && (!WIFEXITED(status) || WEXITSTATUS(status)))
		err = -EINVAL;
	if (err == -ETIMEDOUT)
		diag_say(diag, "the compiler did not end, and was killed");
	else if (err && WIFSIGNALED(status))
		diag_say(diag, "the compiler was killed by a signal");
close_pipe:
	close(fds[0]);
	return err;
}

/* The folder of @src, for <> includes; owned, NULL out of memory. */
static char *folder_of(const char *src)
{
	const char *slash = strrchr(src, '/');

	if (!slash)
		return strdup(".");
	return strndup(src, slash == src ? 1 : slash - src);
}

/*
 * The headers are system headers, so that -Wall speaks of the scheduler only.
 * The source's folder comes first: a scheduler may bring its own of each.
 */
static int compile(const char *src, const char *folder, const char *include_dir,
		   const char *libbpf, const char *out_path, struct diag *diag)
{
	char *argv[] = {
		NULL, "-g", "-O2", "-Wall", "-std=gnu11", "-target", "bpf",
		"-mcpu=v3", "-D__TARGET_ARCH_x86", "-fno-color-diagnostics",
		"-fms-extensions", /* structs embedded by their tag alone */
		"-Wno-microsoft-anon-tag",
		"-I", (char *)folder, "-isystem", (char *)include_dir,
		"-c", (char *)src, "-o", (char *)out_path,
		libbpf ? "-isystem" : NULL, (char *)libbpf, NULL,
	};

	return run(argv, diag);
}

static void hint(struct diag *diag, const char *libbpf)
{
	if (!strstr(diag->text, "'" HELPERS_H "' file not found"))
		return;
	diag_say(diag, "libbpf's headers are not in ");
	diag_say(diag, libbpf ? libbpf : "the cache nor in /usr/include");
	diag_say(diag, ": set KTSTR_LIBBPF_INCLUDE, or run tools/setup\n");
}

int sched_source_compile(const char *src, const char *include_dir,
			 const char *out_path, char *diag, size_t diag_len)
{
	struct diag d = { .text = diag, .room = diag_len };
	char *libbpf, *folder;
	int err;

	*diag = '\0';
	if (access(src, R_OK)) {
		err = -errno;
		diag_say(&d, src);
		diag_say(&d, ": ");
		diag_say(&d, strerror(-err));
		return err;
	}
	folder = folder_of(src);
	if (!folder)
		return -ENOMEM;
	libbpf = libbpf_include();
	err = compile(src, folder, include_dir, libbpf, out_path, &d);
	if (err)
		hint(&d, libbpf);
	else
		*diag = '\0';	/* warnings that stopped nothing */
	free(libbpf);
	free(folder);
	return err;
}
