// SPDX-License-Identifier: GPL-2.0-only
#include "runner/emu.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/emu_host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define OPEN_NS (60 * NSEC_PER_SEC)
#define HANG_NS (30 * NSEC_PER_SEC)
/* A slot that serves answers within milliseconds, a busy machine's too. */
#define GREET_TRY_NS (6 * NSEC_PER_SEC)

__attribute__((format(printf, 4, 5)))
static int fail(int err, char *err_msg, size_t err_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err_msg, err_len, fmt, ap);
	va_end(ap);
	return err;
}

static void pause_20ms(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20 * NSEC_PER_MSEC }, NULL);
}

/* A link is asked to give up only until it is open. */
static int greet(struct emu_host *h, uint64_t deadline_ns)
{
	int err;

	h->link.abort = h->abort;
	h->link.abort_ctx = h->abort_ctx;
	err = emu_link_greet(&h->link, deadline_ns);
	h->link.abort = NULL;
	return err;
}

static bool aborted(const struct emu_host *h)
{
	return h->abort && h->abort(h->abort_ctx);
}

/* --- a host of our own --- */

/* In slices, so that a QEMU that ended is not waited for. */
static int greet_own(struct emu_host *h, uint64_t deadline_ns, char *err_msg,
		     size_t err_len)
{
	char why[192], tail[512];
	int err = greet(h, deadline_ns);

	if (!err)
		return 0;
	if (err == -ECANCELED)
		return fail(err, err_msg, err_len, "stopped by the caller");
	for (int i = 0; err == -EPIPE && i < 50; i++) {
		if (emu_machine_died(&h->own, why, sizeof(why)))
			return fail(-EIO, err_msg, err_len,
				    "emulated host: %s", why);
		pause_20ms();
	}
	emu_console_tail(h->own.console_fd, tail, sizeof(tail));
	return fail(err, err_msg, err_len,
		    "emulated host did not come up: %s; its console ends: %s",
		    strerror(-err), *tail ? tail : "(empty)");
}

static int open_own(struct emu_host *h, const char *kernel_dir,
		    uint64_t deadline_ns, char *err_msg, size_t err_len)
{
	struct emu_boot_opts boot = { .kernel_dir = kernel_dir,
				      .nr_slots = 1 };
	int sv[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       sv))
		return fail(-errno, err_msg, err_len, "socketpair: %s",
			    strerror(errno));
	boot.port_fds = &sv[1];
	err = emu_machine_start(&boot, &h->own, err_msg, err_len);
	close(sv[1]);
	if (err) {
		close(sv[0]);
		return err;
	}
	err = emu_link_open(&h->link, sv[0]);
	if (err)
		return fail(err, err_msg, err_len, "out of memory");
	return greet_own(h, deadline_ns, err_msg, err_len);
}

/* --- a slot of a batch host --- */

static int serve_path(const struct emu_host *h, char path[PATH_MAX],
		      const char *fmt, unsigned int n, const char *suffix)
{
	char name[64];

	snprintf(name, sizeof(name), fmt, n);
	if (snprintf(path, PATH_MAX, "%s/%s%s", h->serve_dir, name, suffix) >=
	    PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/* Return: the slot's number; -EBUSY all taken; -ENOENT no such host. */
static int lock_slot(struct emu_host *h)
{
	for (unsigned int i = 0; i < EMU_SLOTS_MAX; i++) {
		char path[PATH_MAX];
		int err = serve_path(h, path, EMU_SERVE_SLOT, i, ".lock");

		if (err)
			return err;
		h->lock_fd = open(path, O_RDWR | O_CLOEXEC);
		if (h->lock_fd < 0)
			return errno == ENOENT && i ? -EBUSY : -errno;
		if (!flock(h->lock_fd, LOCK_EX | LOCK_NB))
			return i;
		close(h->lock_fd);
		h->lock_fd = -1;
	}
	return -EBUSY;
}

static int connect_slot(struct emu_host *h, unsigned int slot)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	int fd, err = serve_path(h, path, EMU_SERVE_SLOT, slot, ".sock");

	if (err)
		return err;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK)) {
		err = -errno;
		close(fd);
		return err;
	}
	return emu_link_open(&h->link, fd);
}

static unsigned int generation_read(const struct emu_host *h)
{
	char path[PATH_MAX], *text;
	unsigned int n = 0;
	size_t len;

	if (serve_path(h, path, EMU_SERVE_GENERATION, 0, "") ||
	    path_read_file(path, 64, &text, &len))
		return 0;
	if (sscanf(text, "%u", &n) != 1)
		n = 0;
	free(text);
	return n;
}

/* The batch host's keeper boots it again when it finds this file. */
static void tell_keeper(struct emu_host *h)
{
	char path[PATH_MAX];
	int fd;

	if (serve_path(h, path, EMU_SERVE_SUSPECT, h->generation, ""))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
}

/*
 * The host may be booting again after a fault: then a try ends in -EPIPE. And
 * of connections that follow each other closely about one in 500 got no
 * answer, with the guest alive; the next one did, in 2,347 of 2,347 jobs.
 */
static int greet_slot(struct emu_host *h, unsigned int slot,
		      uint64_t deadline_ns)
{
	for (;;) {
		uint64_t try_ns = clock_now_ns() + GREET_TRY_NS;
		int err = connect_slot(h, slot);

		if (!err)
			err = greet(h, try_ns < deadline_ns ? try_ns :
				    deadline_ns);
		if (!err) {
			/* Not before: the next boot may have answered. */
			h->generation = generation_read(h);
			return 0;
		}
		emu_link_close(&h->link);
		if (err != -EPIPE && err != -ECONNREFUSED && err != -ETIMEDOUT)
			return err;
		if (aborted(h))
			return -ECANCELED;
		if (clock_now_ns() >= deadline_ns) {
			h->generation = generation_read(h);
			tell_keeper(h);
			return -ETIMEDOUT;
		}
		if (err == -ETIMEDOUT)
			log_warn("emulated host: slot %u is silent, connecting again",
				 slot);
		pause_20ms();
	}
}

static int open_slot(struct emu_host *h, const char *dir, uint64_t deadline_ns,
		     char *err_msg, size_t err_len)
{
	int slot, err;

	h->serve_dir = strdup(dir);
	if (!h->serve_dir)
		return fail(-ENOMEM, err_msg, err_len, "out of memory");
	while ((slot = lock_slot(h)) == -EBUSY) {
		if (aborted(h))
			return fail(-ECANCELED, err_msg, err_len,
				    "stopped by the caller");
		if (clock_now_ns() >= deadline_ns)
			return fail(-ETIMEDOUT, err_msg, err_len,
				    "emulated host %s: all slots are taken",
				    dir);
		pause_20ms();
	}
	/* Its keeper takes the locks away when it ends. */
	if (slot == -ENOENT)
		return fail(-EIO, err_msg, err_len,
			    "emulated host %s: it has ended", dir);
	if (slot < 0)
		return fail(slot, err_msg, err_len, "emulated host %s: %s",
			    dir, strerror(-slot));
	err = greet_slot(h, slot, deadline_ns);
	if (err)
		return fail(err, err_msg, err_len,
			    "emulated host %s does not answer: %s", dir,
			    strerror(-err));
	return 0;
}

int emu_host_open(const struct emu_opts *opts, struct emu_host **host,
		  char *err_msg, size_t err_len)
{
	static const struct emu_opts defaults;
	struct emu_host *h = calloc(1, sizeof(*h));
	uint64_t deadline_ns;
	const char *dir;
	int err;

	if (!h)
		return fail(-ENOMEM, err_msg, err_len, "out of memory");
	if (!opts)
		opts = &defaults;
	h->link.fd = h->lock_fd = -1;
	h->own = (struct emu_machine){ .pidfd = -1, .console_fd = -1,
				       .log_fd = -1 };
	h->abort = opts->abort;
	h->abort_ctx = opts->ctx;
	h->hang_ns = opts->hang_ns ? opts->hang_ns : HANG_NS;
	deadline_ns = clock_now_ns() +
		      (opts->open_ns ? opts->open_ns : OPEN_NS);
	dir = opts->serve_dir ? opts->serve_dir : getenv(KTSTR_EMU_HOST_ENV);
	if (dir && *dir)
		err = open_slot(h, dir, deadline_ns, err_msg, err_len);
	else
		err = open_own(h, opts->kernel_dir, deadline_ns, err_msg,
			       err_len);
	if (err)
		emu_host_close(h);
	else
		*host = h;
	return err;
}

void emu_host_close(struct emu_host *h)
{
	if (!h)
		return;
	emu_link_close(&h->link);
	emu_machine_stop(&h->own);
	if (h->lock_fd >= 0)
		close(h->lock_fd);
	free(h->serve_dir);
	free(h);
}

void emu_job_signal(struct emu_host *h, int signo)
{
	h->signo = signo;
}

/* --- what is wrong with the machine --- */

static const struct fault {
	const char *text, *name;
} faults[] = {
	{ "Oops: int3", "Oops: int3 at a patched branch" },
	{ "stack guard page was hit", "stack guard page was hit" },
};

const char *emu_fault_name(const char *text)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (strstr(text, faults[i].text))
			return faults[i].name;
	return NULL;
}

static void tail_read(struct emu_host *h, struct emu_result *res)
{
	char path[PATH_MAX];
	int fd = h->own.console_fd;

	if (h->serve_dir) {
		if (serve_path(h, path, EMU_SERVE_CONSOLE, h->generation, ""))
			return;
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return;
	emu_console_tail(fd, res->console_tail, sizeof(res->console_tail));
	if (h->serve_dir)
		close(fd);
}

/* The stream can end a little before the process does. */
static bool own_died(struct emu_host *h, char *why, size_t len)
{
	for (int i = 0; h->own.pid > 0 && i < 25; i++) {
		if (emu_machine_died(&h->own, why, len))
			return true;
		pause_20ms();
	}
	return false;
}

void emu_host_fault(struct emu_host *h, struct emu_result *res, int err)
{
	const char *name;
	char why[192];

	h->faulted = true;
	if (err == -ETIMEDOUT)
		snprintf(why, sizeof(why), "no sign of life for %llu s",
			 (unsigned long long)(h->hang_ns / NSEC_PER_SEC));
	else if (!own_died(h, why, sizeof(why)))
		snprintf(why, sizeof(why), "its port: %s", strerror(-err));
	tail_read(h, res);
	name = emu_fault_name(res->console_tail);
	res->end = EMU_FAULT;
	res->value = 0;
	snprintf(res->reason, sizeof(res->reason),
		 "the emulated host failed: %s%s%s", name ? name : why,
		 name ? "; " : "", name ? why : "");
	if (h->serve_dir)
		tell_keeper(h);
}

const char *emu_end_name(enum emu_end end)
{
	static const char *const names[] = {
		[EMU_EXITED] = "exited",
		[EMU_SIGNALED] = "signaled",
		[EMU_TIMED_OUT] = "timed_out",
		[EMU_ABORTED] = "aborted",
		[EMU_NOT_STARTED] = "not_started",
		[EMU_FAULT] = "fault",
	};

	return names[end];
}
