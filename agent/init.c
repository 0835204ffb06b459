// SPDX-License-Identifier: GPL-2.0-only
#include "agent/init.h"

#include "agent/sysfile.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SUPERVISOR_PRIORITY 50
#define KERNEL_CONFIG "/ktstr/config"

static const struct {
	const char *type;
	const char *dir;
	unsigned long flags;
	const char *data;
	bool required;
} mounts[] = {
	{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true },
	{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true },
	{ "devtmpfs", "/dev", MS_NOSUID, "mode=755", true },
	{ "tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", true },
	{ "tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777", true },
	{ "tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755", true },
	{ "cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL,
	  true },
	{ "bpf", "/sys/fs/bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false },
	{ "debugfs", "/sys/kernel/debug", 0, NULL, false },
	{ "tracefs", "/sys/kernel/tracing", 0, NULL, false },
};

static const struct {
	const char *path;
	const char *value;
} sysctls[] = {
	{ "/proc/sys/kernel/kptr_restrict", "0" },
	{ "/proc/sys/kernel/sched_schedstats", "1" },
	{ "/proc/sys/kernel/sysrq", "1" },
};

/* The kernel opens /dev/console before there is a /dev. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int init_mounts(char *err_msg, size_t err_len)
{
	size_t i;

	clearenv();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/", 1);
	umask(022);
	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		int err;

		mkdir(mounts[i].dir, 0755); /* else mount(2) says why */
		if (!mount(mounts[i].type, mounts[i].dir, mounts[i].type,
			   mounts[i].flags, mounts[i].data) || errno == EBUSY)
			continue;
		err = -errno;
		if (!mounts[i].required)
			continue;
		snprintf(err_msg, err_len, "mount %s on %s: %s",
			 mounts[i].type, mounts[i].dir, strerror(-err));
		return err;
	}
	open_console();
	return 0;
}

int init_kernel_config(void)
{
	char path[PATH_MAX];
	struct utsname uts;

	if (access(KERNEL_CONFIG, R_OK))
		return errno == ENOENT ? 0 : -errno;
	if (uname(&uts))
		return -errno;
	mkdir("/boot", 0755);
	snprintf(path, sizeof(path), "/boot/config-%s", uts.release);
	if (symlink(KERNEL_CONFIG, path) && errno != EEXIST)
		return -errno;
	return 0;
}

void init_sysctls(void)
{
	size_t i;

	for (i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++) {
		int err = sysfile_write(sysctls[i].path, sysctls[i].value);

		if (err)
			log_warn("init: %s = %s: %s", sysctls[i].path,
				 sysctls[i].value, strerror(-err));
	}
}

void init_bpf_stats(bool on)
{
	int err = sysfile_write("/proc/sys/kernel/bpf_stats_enabled",
				on ? "1" : "0");

	if (err && on)
		log_warn("init: kernel.bpf_stats_enabled = 1: %s",
			 strerror(-err));
}

int init_supervisor(void)
{
	struct sched_param param = { .sched_priority = SUPERVISOR_PRIORITY };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		return -errno;
	return 0;
}
