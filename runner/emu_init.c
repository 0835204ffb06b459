// SPDX-License-Identifier: GPL-2.0-only
/* PID 1 of the emulated host: set up the machine, keep a process per slot. */
#include "lib/log.h"
#include "lib/path.h"
#include "runner/cmd.h"
#include "runner/emu_boot.h"
#include "runner/emu_slot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORTS_DIR "/sys/class/virtio-ports"

static const struct mount_point {
	const char *dir, *type;
} mount_points[] = {
	{ "/proc", "proc" },
	{ "/sys", "sysfs" },
	{ "/dev", "devtmpfs" },
	{ "/dev/shm", "tmpfs" },
	{ "/tmp", "tmpfs" },
	{ EMU_CGROUP_DIR, "cgroup2" },
};

static void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]);
	     i++) {
		const struct mount_point *m = &mount_points[i];

		mkdir(m->dir, 0755);
		if (mount(m->type, m->dir, m->type, 0, NULL))
			log_err("init: mount %s on %s: %s", m->type, m->dir,
				strerror(errno));
	}
}

/* The kernel opened no console for us if the initramfs has no /dev/console. */
static void console_open(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void load_module(const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), EMU_MODULE_DIR "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		log_err("init: module %s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	unlink(path);
}

/* File names begin with their place in the load order. */
static void load_modules(void)
{
	struct dirent **names;
	int n = scandir(EMU_MODULE_DIR, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.')
			load_module(names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, text, strlen(text));
	close(fd);
	return err;
}

/*
 * Jobs stay off CPU 0: in QEMU's TCG a vCPU that runs x87 code can clear a
 * flag of CPU 0 from outside, which undoes CPU 0's SVM interrupt masking.
 * The cgroup also makes sure that nothing of a job outlives it.
 */
static void cgroup_make(unsigned int slot)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char dir[PATH_MAX], path[PATH_MAX + 32], list[32];
	int err;

	snprintf(dir, sizeof(dir), EMU_CGROUP_DIR "/slot%u", slot);
	if (mkdir(dir, 0755)) {
		log_err("init: mkdir %s: %s", dir, strerror(errno));
		return;
	}
	if (cpus < 2)
		return;
	snprintf(path, sizeof(path), "%s/cpuset.cpus", dir);
	snprintf(list, sizeof(list), "1-%ld", cpus - 1);
	err = write_text(path, list);
	if (err)
		log_err("init: %s: %s", path, strerror(-err));
}

/* The device of the port called ktstr.emu.SLOT, in @path. */
static bool port_find(unsigned int slot, char *path, size_t len)
{
	DIR *dir = opendir(PORTS_DIR);
	struct dirent *d;
	bool found = false;
	char want[64];

	if (!dir)
		return false;
	snprintf(want, sizeof(want), EMU_PORT_PREFIX "%u\n", slot);
	while (!found && (d = readdir(dir))) {
		char attr[PATH_MAX], *name;
		size_t name_len;

		snprintf(attr, sizeof(attr), PORTS_DIR "/%s/name", d->d_name);
		if (d->d_name[0] == '.' ||
		    path_read_file(attr, 4096, &name, &name_len))
			continue;
		found = !strcmp(name, want);
		free(name);
		if (found)
			snprintf(path, len, "/dev/%s", d->d_name);
	}
	closedir(dir);
	return found;
}

static pid_t slot_start(unsigned int slot)
{
	char port[PATH_MAX];
	pid_t pid;

	if (!port_find(slot, port, sizeof(port)))
		return -1;
	pid = fork();
	if (!pid) {
		int err = emu_slot_main(slot, port);

		log_err("slot %u: %s: %s", slot, port, strerror(-err));
		_exit(1);
	}
	return pid;
}

int cmd_emu_init(int argc, char **argv)
{
	pid_t slots[EMU_SLOTS_MAX] = { 0 };
	unsigned int nr = 0;

	if (getpid() != 1) {
		log_err("%s: only for PID 1 of the emulated host", argv[0]);
		return KTSTR_EXIT_USAGE;
	}
	mount_all();
	console_open();
	signal(SIGPIPE, SIG_IGN);
	mkdir(EMU_STORE_DIR, 0755);
	mkdir(EMU_JOB_DIR, 0755);
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY,
						    RLIM_INFINITY });
	write_text(EMU_CGROUP_DIR "/cgroup.subtree_control", "+cpuset");
	load_modules();
	while (nr < EMU_SLOTS_MAX) {
		cgroup_make(nr);
		slots[nr] = slot_start(nr);
		if (slots[nr] < 0)
			break;
		nr++;
	}
	if (!nr) {
		log_err("init: no port to serve");
		reboot(RB_POWER_OFF);
	}

	for (;;) {
		pid_t pid = wait(NULL);

		if (pid < 0)
			sleep(1);
		for (unsigned int i = 0; i < nr; i++) {
			if (pid != slots[i])
				continue;
			log_err("init: slot %u ended, starting it again", i);
			slots[i] = slot_start(i);
		}
	}
}
