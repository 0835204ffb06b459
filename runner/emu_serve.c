// SPDX-License-Identifier: GPL-2.0-only
/* ktstr __emu-serve: boots an emulated host and keeps it for a batch of jobs. */
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/cmd.h"
#include "runner/emu_host.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BOOT_TRIES 3
#define BOOT_PAUSE_MS 1000	/* times the tries that failed in a row */
#define LOOK_MS 200

static const char usage[] =
"usage: ktstr __emu-serve DIR [--slots N]\n"
"Boots an emulated host, prints READY when jobs can be sent with\n"
"KTSTR_EMU_HOST=DIR, and boots it again after a fault. Ends at SIGTERM,\n"
"SIGINT, or when the pipe on stdin is closed.\n";

struct serve {
	const char *dir;
	unsigned int nr_slots;
	int socks[EMU_SLOTS_MAX];
	struct emu_machine machine;
	unsigned int generation;
	int signal_fd;
	bool watch_stdin;
};

static void name_in(const struct serve *s, char path[PATH_MAX],
		    const char *fmt, unsigned int n, const char *suffix)
{
	char name[64];

	snprintf(name, sizeof(name), fmt, n);
	snprintf(path, PATH_MAX, "%s/%s%s", s->dir, name, suffix);
}

static int slot_listen(struct serve *s, unsigned int i)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	int fd;

	name_in(s, path, EMU_SERVE_SLOT, i, ".sock");
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	unlink(path);
	s->socks[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->socks[i] < 0 ||
	    bind(s->socks[i], (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(s->socks[i], 4))
		return -errno;
	/* Last, since a client takes the lock's presence for the slot's. */
	name_in(s, path, EMU_SERVE_SLOT, i, ".lock");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int boot_once(struct serve *s, char *err_msg, size_t err_len)
{
	char path[PATH_MAX], text[16];
	struct emu_boot_opts opts = {
		.nr_slots = s->nr_slots,
		.port_fds = s->socks,
		.listening = true,
		.console = path,
	};
	int err;

	s->generation++;
	name_in(s, path, EMU_SERVE_CONSOLE, s->generation, "");
	err = emu_machine_start(&opts, &s->machine, err_msg, err_len);
	if (err)
		return err;
	snprintf(text, sizeof(text), "%u\n", s->generation);
	name_in(s, path, EMU_SERVE_GENERATION, 0, "");
	err = path_write_file(path, text, strlen(text));
	if (err)
		snprintf(err_msg, err_len, "%s: %s", path, strerror(-err));
	return err;
}

/* A client of our own: when it is welcome, so is everybody. */
static int wait_usable(struct serve *s, char *err_msg, size_t err_len)
{
	struct emu_opts opts = { .serve_dir = s->dir };
	struct emu_host *host;
	int err = emu_host_open(&opts, &host, err_msg, err_len);

	if (!err)
		emu_host_close(host);
	return err;
}

static void say_signal(const struct serve *s)
{
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) == sizeof(info))
		log_info("emulated host: ended by signal %u of process %u",
			 info.ssi_signo, info.ssi_pid);
}

static void say_fault(const struct serve *s, const char *why)
{
	char tail[1024];

	emu_console_tail(s->machine.console_fd, tail, sizeof(tail));
	log_warn("emulated host: %s; booting it again; its console ended: %s",
		 why, *tail ? tail : "(empty)");
}

/* Return: 1 to end, 0 nothing, -EIO the machine has to be booted again. */
static int look(struct serve *s)
{
	struct pollfd p[] = {
		{ .fd = s->signal_fd, .events = POLLIN },
		{ .fd = s->machine.pidfd, .events = POLLIN },
		{ .fd = s->watch_stdin ? 0 : -1 },
	};
	char path[PATH_MAX], why[256];

	if (poll(p, 3, LOOK_MS) < 0) {
		if (errno == EINTR)
			return 0;
		log_err("emulated host: poll: %s", strerror(errno));
		return 1;
	}
	if (p[0].revents) {
		say_signal(s);
		return 1;
	}
	if (p[2].revents & (POLLHUP | POLLERR)) {
		log_info("emulated host: ended with its stdin");
		return 1;
	}
	if (emu_machine_died(&s->machine, why, sizeof(why))) {
		say_fault(s, why);
		return -EIO;
	}
	name_in(s, path, EMU_SERVE_SUSPECT, s->generation, "");
	if (!access(path, F_OK)) {
		say_fault(s, "a client found it failed");
		return -EIO;
	}
	return 0;
}

static int keep(struct serve *s)
{
	int ret;

	while (!(ret = look(s)))
		;
	emu_machine_stop(&s->machine);
	return ret;
}

/* A signal ends the pause too, and the whole. */
static bool pause_before_boot(const struct serve *s, int tries)
{
	struct pollfd p = { .fd = s->signal_fd, .events = POLLIN };

	return poll(&p, 1, tries * BOOT_PAUSE_MS) > 0;
}

static int serve_run(struct serve *s)
{
	bool ready = false;
	char err_msg[1024];
	int tries = 0;

	for (;;) {
		int err = boot_once(s, err_msg, sizeof(err_msg));

		if (!err && !ready) {
			err = wait_usable(s, err_msg, sizeof(err_msg));
			if (err)
				emu_machine_stop(&s->machine);
		}
		if (err) {
			log_err("%s", err_msg);
			/* What it has served with may come back; else not. */
			if (!ready && (err == -ENOENT || err == -ENOMEM))
				return KTSTR_EXIT_ERROR;
			if (++tries == BOOT_TRIES ||
			    pause_before_boot(s, tries))
				return KTSTR_EXIT_ERROR;
			continue;
		}
		tries = 0;
		if (!ready) {
			puts("READY");
			fflush(stdout);
			ready = true;
		}
		if (keep(s) > 0)
			return KTSTR_EXIT_PASS;
	}
}

static int serve_open(struct serve *s)
{
	struct stat st;
	sigset_t set;
	int err = path_mkdirs(s->dir);

	if (err)
		return err;
	for (unsigned int i = 0; i < EMU_SLOTS_MAX; i++)
		s->socks[i] = -1;
	for (unsigned int i = 0; !err && i < s->nr_slots; i++)
		err = slot_listen(s, i);
	if (err)
		return err;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (s->signal_fd < 0)
		return -errno;
	s->watch_stdin = !fstat(0, &st) &&
			 (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	return 0;
}

/* Consoles stay: they are the record of the faults. */
static void serve_close(struct serve *s)
{
	char path[PATH_MAX];

	emu_machine_stop(&s->machine);
	for (unsigned int i = 0; i < s->nr_slots; i++) {
		if (s->socks[i] >= 0)
			close(s->socks[i]);
		name_in(s, path, EMU_SERVE_SLOT, i, ".sock");
		unlink(path);
		name_in(s, path, EMU_SERVE_SLOT, i, ".lock");
		unlink(path);
	}
	name_in(s, path, EMU_SERVE_GENERATION, 0, "");
	unlink(path);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
}

static bool parse(int argc, char **argv, struct serve *s)
{
	static const struct option options[] = {
		{ "slots", required_argument, NULL, 's' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		char *end;

		if (opt != 's')
			return false;
		s->nr_slots = strtoul(optarg, &end, 10);
		if (*end || !s->nr_slots || s->nr_slots > EMU_SLOTS_MAX)
			return false;
	}
	if (optind + 1 != argc)
		return false;
	s->dir = argv[optind];
	return true;
}

int cmd_emu_serve(int argc, char **argv)
{
	struct serve s = {
		.nr_slots = 2,
		.signal_fd = -1,
		.machine = { .pidfd = -1, .console_fd = -1, .log_fd = -1 },
	};
	int ret = KTSTR_EXIT_ERROR;
	int err;

	if (!parse(argc, argv, &s)) {
		fputs(usage, stderr);
		return KTSTR_EXIT_USAGE;
	}
	err = serve_open(&s);
	if (err)
		log_err("%s: %s", s.dir, strerror(-err));
	else
		ret = serve_run(&s);
	serve_close(&s);
	return ret;
}
