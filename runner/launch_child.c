// SPDX-License-Identifier: GPL-2.0-only
#include "runner/launch_child.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/path.h"
#include "lib/turn.h"
#include "runner/cmd.h"
#include "runner/emu.h"
#include "runner/images.h"
#include "runner/progress.h"
#include "runner/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* After an interrupt the VM process gets this long to write its facts. */
#define INTERRUPT_LIMIT_NS (10 * NSEC_PER_SEC)
#define TURN_NS (100 * NSEC_PER_MSEC)

int interrupt_open(struct interrupt *i)
{
	sigset_t set;

	i->signal = 0;
	i->at_ns = 0;
	i->turn_ns = clock_now_ns();
	i->stopped_ns = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, &i->saved))
		return -errno;
	i->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (i->fd < 0) {
		int err = -errno;

		sigprocmask(SIG_SETMASK, &i->saved, NULL);
		return err;
	}
	return 0;
}

bool interrupt_poll(struct interrupt *i)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t stopped_ns = turn_stopped_ns(&i->turn_ns, now_ns, TURN_NS);
	struct signalfd_siginfo si;

	i->stopped_ns += stopped_ns;
	if (i->signal)
		i->at_ns = turn_put_off(i->at_ns, stopped_ns, now_ns);
	if (read(i->fd, &si, sizeof(si)) != sizeof(si))
		return false;
	if (!i->signal) {
		i->signal = si.ssi_signo;
		i->at_ns = now_ns;
	}
	return true;
}

void interrupt_close(struct interrupt *i)
{
	close(i->fd);
	sigprocmask(SIG_SETMASK, &i->saved, NULL);
}

static bool grace_is_over(const struct interrupt *i)
{
	return i->signal && clock_now_ns() - i->at_ns > INTERRUPT_LIMIT_NS;
}

static void finish(struct launch_result *res, enum launch_status status,
		   const char *reason)
{
	res->status = status;
	snprintf(res->reason, sizeof(res->reason), "%s", reason);
}

/* It tells of its progress where somebody shows it. The array ends in NULL. */
static void argv_fill(const char *argv[6], const struct launch_opts *opts,
		      const char *program, const char *in, const char *out)
{
	*argv++ = program;
	*argv++ = "__vm";
	if (opts->status)
		*argv++ = PROGRESS_OPTION;
	*argv++ = in;
	*argv++ = out;
	*argv = NULL;
}

/* @err_fd: what its stderr is to be, or -1 for ours. */
static pid_t start_child(const struct launch_opts *opts, const char *in,
			 const char *out, const struct interrupt *intr,
			 int err_fd)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	const char *argv[6];

	if (pid)
		return pid;
	if (err_fd >= 0)
		dup2(err_fd, STDERR_FILENO);
	/*
	 * Its own group: a terminal's Ctrl-C reaches us, and we tell it. But
	 * then it could not read from that terminal.
	 */
	if (!opts->exec)
		setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(KTSTR_EXIT_ERROR);
	sigprocmask(SIG_SETMASK, &intr->saved, NULL);
	argv_fill(argv, opts, "ktstr", in, out);
	execv("/proc/self/exe", (char *const *)argv);
	log_err("launch: exec of the VM process: %s", strerror(errno));
	_exit(KTSTR_EXIT_ERROR);
}

/* Pass on what has come on its stderr; at the end of file there is none. */
static void take_stderr(struct status *status, int *err_fd)
{
	char buf[4096];
	ssize_t n;

	while (*err_fd >= 0) {
		n = read(*err_fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0) {
			status_feed(status, buf, n);
			continue;
		}
		close(*err_fd);
		*err_fd = -1;
	}
}

/* Wait for the process, passing signals on; false: it had to be killed. */
static bool wait_child(pid_t pid, uint64_t limit_ns, struct interrupt *intr,
		       struct status *status, int *err_fd)
{
	uint64_t start_ns = clock_now_ns(), before_ns = intr->stopped_ns;
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	struct pollfd fds[] = {
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = intr->fd, .events = POLLIN },
		{ .events = POLLIN },
	};

	intr->turn_ns = start_ns;
	for (;;) {
		fds[2].fd = *err_fd;
		poll(fds, 3, TURN_NS / NSEC_PER_MSEC);
		take_stderr(status, err_fd);
		status_tick(status);
		if (pidfd < 0 ? kill(pid, 0) : fds[0].revents)
			break;
		if (interrupt_poll(intr)) {
			status_interrupted(status);
			kill(pid, intr->signal);
		}
		/* it went on when we were stopped, but for what it says */
		if (clock_now_ns() - start_ns >
		    clock_add_ns(limit_ns, intr->stopped_ns - before_ns) ||
		    grace_is_over(intr)) {
			kill(pid, SIGKILL);
			if (pidfd >= 0)
				close(pidfd);
			return false;
		}
	}
	if (pidfd >= 0)
		close(pidfd);
	return true;
}

/* Ours doesn't block, so that nothing is left unread and nothing waits. */
static int pipe_for_stderr(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC))
		return -1;
	if (!fcntl(fds[0], F_SETFL, O_NONBLOCK))
		return 0;
	close(fds[0]);
	close(fds[1]);
	return -1;
}

void child_run(const struct launch_opts *opts, const char *in,
	       const char *out, uint64_t limit_ns, struct interrupt *intr,
	       struct launch_result *res)
{
	int err_fds[2] = { -1, -1 };
	char reason[128];
	int status;
	bool ended;
	pid_t pid;

	if (opts->status && pipe_for_stderr(err_fds)) {
		snprintf(reason, sizeof(reason), "pipe: %s", strerror(errno));
		finish(res, LAUNCH_ERROR, reason);
		return;
	}
	pid = start_child(opts, in, out, intr, err_fds[1]);
	if (err_fds[1] >= 0)
		close(err_fds[1]);
	if (pid < 0) {
		snprintf(reason, sizeof(reason), "fork: %s", strerror(errno));
		finish(res, LAUNCH_ERROR, reason);
		if (err_fds[0] >= 0)
			close(err_fds[0]);
		return;
	}
	ended = wait_child(pid, limit_ns, intr, opts->status, &err_fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	take_stderr(opts->status, &err_fds[0]);
	if (err_fds[0] >= 0)
		close(err_fds[0]);
	if (intr->signal) {
		finish(res, LAUNCH_INTERRUPTED, "interrupted");
	} else if (!ended) {
		finish(res, LAUNCH_ERROR,
		       "the VM process outlived its deadline and was killed");
	} else if (WIFSIGNALED(status)) {
		snprintf(reason, sizeof(reason), "the VM process died of %s",
			 strsignal(WTERMSIG(status)));
		finish(res, LAUNCH_ERROR, reason);
	} else if (WEXITSTATUS(status)) {
		finish(res, LAUNCH_ERROR,
		       "the VM process failed; its log says why");
	} else {
		finish(res, LAUNCH_OK, "");
	}
}

struct emulated {
	const struct launch_opts *opts;
	struct interrupt *intr;
	struct emu_host *host;
};

static void emulated_output(void *ctx, bool is_stderr, const void *data,
			    size_t len)
{
	struct emulated *e = ctx;

	if (e->opts->exec)
		write_all(is_stderr ? STDERR_FILENO : STDOUT_FILENO, data, len);
	else if (e->opts->status)
		status_feed(e->opts->status, data, len);
	else if (!e->opts->quiet && write(STDERR_FILENO, data, len) < 0)
		return;
}

static bool emulated_abort(void *ctx)
{
	struct emulated *e = ctx;

	if (interrupt_poll(e->intr)) {
		status_interrupted(e->opts->status);
		emu_job_signal(e->host, e->intr->signal);
	}
	status_tick(e->opts->status);
	return grace_is_over(e->intr);
}

/* No host: given up, none to be had, it hangs or died, or we failed. */
static void finish_no_host(struct launch_result *res, int err, const char *why)
{
	char reason[400];

	if (err == -ECANCELED) {
		finish(res, LAUNCH_INTERRUPTED, "interrupted");
	} else if (err == -ENOENT) {
		finish(res, LAUNCH_SKIP, why);
		res->host_unfit = true;
	} else if (err == -ETIMEDOUT || err == -EIO) {
		snprintf(reason, sizeof(reason),
			 "a fault of the emulating machine: %s", why);
		finish(res, LAUNCH_MACHINE_FAULT, reason);
	} else {
		finish(res, LAUNCH_ERROR, why);
	}
}

/* Ctrl-C while the host boots: nothing runs yet that could be told. */
static bool opening_abort(void *ctx)
{
	struct emulated *e = ctx;

	status_tick(e->opts->status);
	return interrupt_poll(e->intr);
}

static void emulated_result(const struct emu_result *r,
			    const struct interrupt *intr,
			    struct launch_result *res)
{
	char reason[400];

	if (intr->signal)
		finish(res, LAUNCH_INTERRUPTED, "interrupted");
	else if (r->end == EMU_FAULT)
		finish_no_host(res, -EIO, r->reason);
	else if (r->end == EMU_EXITED && !r->value)
		finish(res, LAUNCH_OK, "");
	else if (r->end == EMU_EXITED)
		finish(res, LAUNCH_ERROR,
		       "the VM process failed; its log says why");
	else {
		snprintf(reason, sizeof(reason), "the VM process %s: %s",
			 emu_end_name(r->end), r->reason);
		finish(res, LAUNCH_ERROR, reason);
	}
}

/* An image that comes back lies in OUT from the start. */
static void add_images(struct emu_job *job, struct emu_file *files,
		       const struct images *images, char paths[][32],
		       char inside[][32])
{
	char name[16];
	unsigned int i;

	for (i = 0; i < images->nr; i++) {
		const struct image *image = &images->v[i];

		snprintf(inside[i], sizeof(inside[i]), "%s/%s",
			 image->keep ? "out" : "in", image_name(image, name));
		files[job->nr_files++] = (struct emu_file){
			.host_path = image_path(image, paths[i]),
			.path = inside[i],
			.own = true,
		};
	}
}

void emulated_run(const struct launch_opts *opts,
		  const struct images *images, const char *in,
		  const char *out, uint64_t limit_ns, struct interrupt *intr,
		  struct launch_result *res)
{
	static const char *const names[] = { "plan.json", "kernel", "initrd",
					     "btf", "stdin" };
	struct emu_file files[6 + IMAGES_MAX] = {
		{ .host_path = "/proc/self/exe", .path = "ktstr", .exec = true },
	};
	char paths[5][4096], inside[5][32], why[256] = "";
	char image_paths[IMAGES_MAX][32], images_inside[IMAGES_MAX][32];
	const char *argv[6];
	struct emulated e = { .opts = opts, .intr = intr };
	struct emu_job job = {
		.argv = argv, .files = files, .nr_files = 1, .out = "out",
		.out_dir = out, .timeout_ns = limit_ns,
		.output = emulated_output, .abort = emulated_abort, .ctx = &e,
	};
	struct emu_opts host_opts = { .abort = opening_abort, .ctx = &e };
	struct emu_result r;
	size_t i;
	int err;

	for (i = 0; i < 5; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", in, names[i]);
		snprintf(inside[i], sizeof(inside[i]), "in/%s", names[i]);
		if (access(paths[i], R_OK))
			continue; /* no btf, no stdin */
		files[job.nr_files++] = (struct emu_file){
			.host_path = paths[i], .path = inside[i],
		};
	}
	add_images(&job, files, images, image_paths, images_inside);
	argv_fill(argv, opts, "./ktstr", "in", "out");
	err = emu_host_open(&host_opts, &e.host, why, sizeof(why));
	if (err) {
		finish_no_host(res, err, why);
		return;
	}
	err = emu_job_run(e.host, &job, &r);
	if (err)
		finish(res, LAUNCH_ERROR, r.reason);
	else
		emulated_result(&r, intr, res);
	emu_host_close(e.host);
}
