// SPDX-License-Identifier: GPL-2.0-only
#include "runner/emu_boot.h"

#include "lib/fd.h"
#include "lib/path.h"
#include "runner/cpio.h"
#include "runner/elf_deps.h"
#include "runner/emu_slot.h"
#include "runner/kernel.h"
#include "runner/modules.h"

#include <linux/close_range.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_WANT_MB 6144
#define MEMORY_LEAST_MB 1536
#define SELF "/proc/self/exe"

/*
 * thread=multi with 3 CPUs: CPU 0 is the machine's own, jobs get 1 and 2
 * (emu_init.c says why). la57, erms and fsrm off: TCG is slower with them.
 */
static const char *const fixed_args[] = {
	"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
	"-M", "pc", "-accel", "tcg,thread=multi",
	"-cpu", "max,la57=off,erms=off,fsrm=off", "-smp", "3",
	"-device", "virtio-serial-pci,max_ports=31",
};

static const char cmdline[] =
	"console=ttyS0 loglevel=4 oops=panic panic=-1 rdinit=/init "
	"clocksource=tsc tsc=reliable nowatchdog -- __emu-init";

struct args {
	char *v[128];		/* owned */
	unsigned int nr;
	bool failed;
};

__attribute__((format(printf, 2, 3)))
static void arg_add(struct args *a, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (a->nr + 1 == sizeof(a->v) / sizeof(a->v[0]) ||
	    vasprintf(&text, fmt, ap) < 0)
		a->failed = true;
	else
		a->v[a->nr++] = text;
	va_end(ap);
}

static void args_free(struct args *a)
{
	for (unsigned int i = 0; i < a->nr; i++)
		free(a->v[i]);
}

__attribute__((format(printf, 4, 5)))
static int fail(int err, char *err_msg, size_t err_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err_msg, err_len, fmt, ap);
	va_end(ap);
	return err;
}

static void pack_file(struct cpio *c, const char *path, const char *name,
		      unsigned int mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		if (!c->err)
			c->err = -errno;
		return;
	}
	cpio_file_fd(c, name, mode, fd);
	close(fd);
}

/*
 * This very program is the machine's init. It lies in the file store from
 * the start, so that jobs which run it need not send it.
 */
static int pack_self(struct cpio *c)
{
	char hex[65], name[PATH_MAX];
	struct elf_deps deps;
	int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = sha256_file(SELF, hex);
	if (!err) {
		snprintf(name, sizeof(name), EMU_STORE_DIR "/%s", hex);
		cpio_file_fd(c, name + 1, 0755, fd);
		cpio_symlink(c, "init", name);
	}
	close(fd);
	if (!err)
		err = elf_deps_read(SELF, NULL, &deps);
	if (err)
		return err;
	if (deps.interp)
		pack_file(c, deps.interp, deps.interp + 1, 0755);
	for (size_t i = 0; i < deps.nr_libs; i++)
		pack_file(c, deps.libs[i], deps.libs[i] + 1, 0755);
	elf_deps_free(&deps);
	return 0;
}

static int pack_modules(struct cpio *c, const char *kernel_dir, char *err_msg,
			size_t err_len)
{
	/* TCG emulates SVM, never VMX. */
	static const char *const names[] = { "kvm", "kvm_amd", NULL };
	struct module_list list;
	int err = modules_resolve(kernel_dir, names, &list, err_msg, err_len);

	if (err)
		return err;
	cpio_dir(c, &EMU_MODULE_DIR[1], 0755);
	for (size_t i = 0; i < list.nr; i++) {
		char name[PATH_MAX];

		snprintf(name, sizeof(name), EMU_MODULE_DIR "/%02zu-%s.ko", i,
			 list.v[i].name);
		cpio_file(c, name + 1, 0644, list.v[i].data, list.v[i].len);
	}
	modules_free(&list);
	return 0;
}

/* In memory; /proc/self/fd/N names it for QEMU. */
static int initramfs_make(const char *kernel_dir, int *out_fd, char *err_msg,
			  size_t err_len)
{
	int fd = memfd_create("emu-initramfs", MFD_CLOEXEC);
	struct cpio c;
	int err, cerr;

	if (fd < 0)
		return fail(-errno, err_msg, err_len, "memfd: %s",
			    strerror(errno));
	cpio_open(&c, fd);
	cpio_dir(&c, "proc", 0755);
	cpio_dir(&c, "sys", 0755);
	cpio_dir(&c, "dev", 0755);
	/* For messages before devtmpfs is mounted. */
	cpio_node(&c, "dev/console", 0020600, 5, 1);
	err = pack_self(&c);
	if (err)
		fail(err, err_msg, err_len, SELF ": %s", strerror(-err));
	else
		err = pack_modules(&c, kernel_dir, err_msg, err_len);
	cerr = cpio_close(&c);
	if (!err && cerr)
		err = fail(cerr, err_msg, err_len, "initramfs: %s",
			   strerror(-cerr));
	if (err)
		close(fd);
	else
		*out_fd = fd;
	return err;
}

/* MiB on one line of a file, after @key; -1 if it says nothing. */
static long read_mb(const char *path, const char *key, long per_mb)
{
	const char *p;
	char *text;
	size_t len;
	long mb = -1;

	if (path_read_file(path, 1 << 16, &text, &len))
		return -1;
	p = strstr(text, key);
	if (p && sscanf(p + strlen(key), "%ld", &mb) == 1)
		mb /= per_mb;
	free(text);
	return mb;
}

/* A quarter of what is free stays free. */
static long memory_mb(void)
{
	long mb = read_mb("/proc/meminfo", "MemAvailable:", 1024);
	long limit = read_mb("/sys/fs/cgroup/memory.max", "", 1 << 20);

	if (mb < 0)
		mb = MEMORY_LEAST_MB;
	if (limit >= 0 && limit < mb)
		mb = limit;
	mb = mb / 4 * 3;
	return mb < MEMORY_WANT_MB ? mb : MEMORY_WANT_MB;
}

static void args_fill(struct args *a, const struct emu_boot_opts *opts,
		      const char *image, int initrd_fd, int console_fd,
		      long mem_mb)
{
	const char *qemu = getenv("KTSTR_QEMU");

	arg_add(a, "%s", qemu && *qemu ? qemu : "qemu-system-x86_64");
	for (size_t i = 0; i < sizeof(fixed_args) / sizeof(fixed_args[0]); i++)
		arg_add(a, "%s", fixed_args[i]);
	arg_add(a, "-m");
	arg_add(a, "%ld", mem_mb);
	arg_add(a, "-kernel");
	arg_add(a, "%s", image);
	arg_add(a, "-initrd");
	arg_add(a, "/proc/self/fd/%d", initrd_fd);
	arg_add(a, "-append");
	arg_add(a, "%s", cmdline);
	arg_add(a, "-chardev");
	arg_add(a, "file,id=con,path=/proc/self/fd/%d", console_fd);
	arg_add(a, "-serial");
	arg_add(a, "chardev:con");
	for (unsigned int i = 0; i < opts->nr_slots; i++) {
		arg_add(a, "-chardev");
		arg_add(a, "socket,id=slot%u,fd=%d%s", i, opts->port_fds[i],
			opts->listening ? ",server=on,wait=off" : "");
		arg_add(a, "-device");
		arg_add(a, "virtserialport,chardev=slot%u,name="
			EMU_PORT_PREFIX "%u", i, i);
	}
}

static void keep_over_exec(int fd)
{
	fcntl(fd, F_SETFD, fcntl(fd, F_GETFD) & ~FD_CLOEXEC);
}

/* In the child. Only async-signal-safe calls: the caller may have threads. */
static void become_qemu(const struct emu_boot_opts *opts, char **argv,
			const int fds[2], int log_fd, int status_fd,
			pid_t parent)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;
	int err;

	/* Its own group: Ctrl-C is for us, who then end it in order. */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent && null_fd >= 0) {
		dup2(null_fd, 0);
		dup2(log_fd, 1);
		dup2(log_fd, 2);
		/* What our caller left open is not QEMU's to keep. */
		close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
		keep_over_exec(fds[0]);
		keep_over_exec(fds[1]);
		for (unsigned int i = 0; i < opts->nr_slots; i++)
			keep_over_exec(opts->port_fds[i]);
		execvp(argv[0], argv);
	}
	err = errno;
	if (write(status_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static int spawn(const struct emu_boot_opts *opts, struct emu_machine *m,
		 char **argv, int initrd_fd)
{
	int fds[2] = { initrd_fd, m->console_fd };
	pid_t parent = getpid();
	int status[2], exec_err = 0;
	ssize_t n;

	if (pipe2(status, O_CLOEXEC))
		return -errno;
	m->pid = fork();
	if (!m->pid)
		become_qemu(opts, argv, fds, m->log_fd, status[1], parent);
	close(status[1]);
	if (m->pid < 0) {
		m->pid = 0;
		close(status[0]);
		return -EAGAIN;
	}
	do
		n = read(status[0], &exec_err, sizeof(exec_err));
	while (n < 0 && errno == EINTR);
	close(status[0]);
	if (n > 0)
		return exec_err ? -exec_err : -ECANCELED;
	m->pidfd = syscall(SYS_pidfd_open, m->pid, 0);
	return m->pidfd < 0 ? -errno : 0;
}

static int outputs_open(const struct emu_boot_opts *opts,
			struct emu_machine *m)
{
	m->console_fd = opts->console ?
		open(opts->console, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
		     0644) :
		memfd_create("emu-console", MFD_CLOEXEC);
	if (m->console_fd < 0)
		return -errno;
	m->log_fd = memfd_create("emu-qemu", MFD_CLOEXEC);
	return m->log_fd < 0 ? -errno : 0;
}

static int boot(const struct emu_boot_opts *opts, struct emu_machine *m,
		const struct kernel *k, char *err_msg, size_t err_len)
{
	long mem_mb = memory_mb();
	struct args a = { 0 };
	int initrd_fd = -1, err;

	if (mem_mb < MEMORY_LEAST_MB)
		return fail(-ENOMEM, err_msg, err_len,
			    "emulated host: %ld MiB can be had, it needs %d",
			    mem_mb, MEMORY_LEAST_MB);
	err = initramfs_make(k->dir, &initrd_fd, err_msg, err_len);
	if (err)
		return err;
	err = outputs_open(opts, m);
	if (!err) {
		args_fill(&a, opts, k->image, initrd_fd, m->console_fd,
			  mem_mb);
		err = a.failed ? -ENOMEM : spawn(opts, m, a.v, initrd_fd);
	}
	if (err)
		fail(err, err_msg, err_len, "emulated host: %s: %s%s",
		     a.nr ? a.v[0] : "console", strerror(-err),
		     err == -ENOENT ?
		     " (tools/setup --stage emulator installs it)" : "");
	close(initrd_fd);
	args_free(&a);
	return err;
}

int emu_machine_start(const struct emu_boot_opts *opts, struct emu_machine *m,
		      char *err_msg, size_t err_len)
{
	struct kernel k;
	int err;

	*m = (struct emu_machine){ .pidfd = -1, .console_fd = -1,
				   .log_fd = -1 };
	err = kernel_open(opts->kernel_dir, &k, err_msg, err_len);
	if (err)
		return err;
	if (k.dir)
		err = boot(opts, m, &k, err_msg, err_len);
	else
		err = fail(-ENOENT, err_msg, err_len,
			   "%s: no module tree for the emulated host",
			   k.source);
	kernel_close(&k);
	if (err)
		emu_machine_stop(m);
	return err;
}

void emu_machine_stop(struct emu_machine *m)
{
	if (m->pid > 0) {
		kill(m->pid, SIGKILL);
		while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	m->pid = 0;
	fd_close(&m->pidfd);
	fd_close(&m->console_fd);
	fd_close(&m->log_fd);
}

bool emu_machine_died(struct emu_machine *m, char *why, size_t why_len)
{
	char tail[160];
	int status;

	if (m->pid <= 0 || waitpid(m->pid, &status, WNOHANG) != m->pid)
		return false;
	m->pid = 0;
	emu_console_tail(m->log_fd, tail, sizeof(tail));
	tail[strcspn(tail, "\n")] = '\0';
	if (WIFSIGNALED(status))
		snprintf(why, why_len, "QEMU died of signal %d%s%s",
			 WTERMSIG(status), *tail ? ": " : "", tail);
	else
		snprintf(why, why_len, "QEMU ended with status %d%s%s",
			 WEXITSTATUS(status), *tail ? ": " : "", tail);
	return true;
}

void emu_console_tail(int fd, char *tail, size_t len)
{
	off_t end = lseek(fd, 0, SEEK_END);
	off_t from = end > (off_t)len - 1 ? end - ((off_t)len - 1) : 0;
	ssize_t n = pread(fd, tail, len - 1, from);
	size_t out = 0;

	/* A file of the guest: no control bytes, no NUL in the middle. */
	for (ssize_t i = 0; i < n; i++)
		if (tail[i] == '\n' || tail[i] == '\t' ||
		    (unsigned char)tail[i] >= ' ')
			tail[out++] = tail[i];
	tail[out] = '\0';
}
