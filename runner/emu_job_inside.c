// SPDX-License-Identifier: GPL-2.0-only
/* The program of a job, inside the emulated host. */
#include "lib/clock.h"
#include "lib/fd.h"
#include "lib/json_get.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/emu_slot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_NS NSEC_PER_SEC
#define REAP_NS (20 * NSEC_PER_SEC)

struct child {
	pid_t pid;
	int pidfd;
	int out[2];		/* stdout and stderr, our ends; -1: closed */
	int exec_err;		/* gives execve's errno; EOF: it worked */
	uint64_t start_ns, tick_ns;
};

static int cgroup_write(const struct emu_slot *s, const char *file,
			const char *text)
{
	char path[PATH_MAX + 64];
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", s->cgroup, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text, strlen(text));
	close(fd);
	return err;
}

static bool cgroup_populated(const struct emu_slot *s)
{
	char path[PATH_MAX + 64], *text;
	bool populated;
	size_t len;

	snprintf(path, sizeof(path), "%s/cgroup.events", s->cgroup);
	if (path_read_file(path, 4096, &text, &len))
		return false;
	populated = strstr(text, "populated 1");
	free(text);
	return populated;
}

void emu_slot_kill(struct emu_slot *s)
{
	const struct timespec pause = { .tv_nsec = 5 * NSEC_PER_MSEC };
	uint64_t end_ns = clock_now_ns() + REAP_NS;

	if (!s->cgroup[0])
		return;
	cgroup_write(s, "cgroup.kill", "1");
	/* Orphans of the job are init's children: it reaps them. */
	while (cgroup_populated(s) && clock_now_ns() < end_ns)
		nanosleep(&pause, NULL);
	if (cgroup_populated(s))
		log_err("slot %u: processes of the job don't die", s->index);
}

/* After fork, before exec. Returns only an errno. */
static int become_job(const struct emu_slot *s, char **argv, char **env,
		      const int out_fds[2])
{
	int null_fd = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setsid() < 0 || null_fd < 0 || dup2(null_fd, 0) < 0 ||
	    dup2(out_fds[0], 1) < 0 || dup2(out_fds[1], 2) < 0)
		return errno;
	close(null_fd);
	if (s->cgroup[0]) {
		int err = cgroup_write(s, "cgroup.procs", "0");

		if (err)
			return -err;
	}
	if (chdir(s->dir))
		return errno;
	execve(argv[0], argv, env);
	return errno;
}

static int child_start(struct emu_slot *s, struct child *c, char **argv,
		       char **env)
{
	int out[2], err[2], status[2];

	if (pipe2(out, O_CLOEXEC))
		return -errno;
	if (pipe2(err, O_CLOEXEC))
		goto close_out;
	if (pipe2(status, O_CLOEXEC))
		goto close_err;
	c->start_ns = c->tick_ns = clock_now_ns();
	c->pid = fork();
	if (c->pid < 0)
		goto close_status;
	if (!c->pid) {
		int e = become_job(s, argv, env, (int[]){ out[1], err[1] });

		write_all(status[1], &e, sizeof(e));
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	close(status[1]);
	c->out[0] = out[0];
	c->out[1] = err[0];
	c->exec_err = status[0];
	c->pidfd = syscall(SYS_pidfd_open, c->pid, 0);
	return c->pidfd < 0 ? -errno : 0;

close_status:
	close(status[0]);
	close(status[1]);
close_err:
	close(err[0]);
	close(err[1]);
close_out:
	close(out[0]);
	close(out[1]);
	return -errno;
}

static void child_close(struct child *c)
{
	fd_close(&c->out[0]);
	fd_close(&c->out[1]);
	fd_close(&c->exec_err);
	fd_close(&c->pidfd);
}

/* One piece of output @which. */
static int pass_output(struct emu_slot *s, struct child *c, int which)
{
	static const uint16_t types[] = { EMU_MSG_STDOUT, EMU_MSG_STDERR };
	char buf[16384];
	ssize_t n = read(c->out[which], buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (!n) {
		fd_close(&c->out[which]);
		return 0;
	}
	return emu_link_send(&s->link, types[which], buf, n,
			     clock_now_ns() + EMU_CLIENT_NS);
}

static int take_messages(struct emu_slot *s, struct child *c)
{
	struct frame f;
	int ret;

	while ((ret = emu_link_next(&s->link, &f)) > 0) {
		json_t *msg;
		int signo = 0;

		if (f.type != EMU_MSG_SIGNAL)
			return -EPROTO;
		msg = emu_frame_json(&f);
		json_unpack(msg, "{s:i}", "signo", &signo);
		json_decref(msg);
		if (signo == SIGKILL && s->cgroup[0])
			cgroup_write(s, "cgroup.kill", "1");
		else if (signo > 0)
			kill(c->pid, signo);
	}
	return ret;
}

/* One turn of the loop. Return: 1 the child has ended; 0; -errno. */
static int child_turn(struct emu_slot *s, struct child *c)
{
	struct pollfd p[] = {
		{ .fd = s->link.fd, .events = POLLIN },
		{ .fd = c->out[0], .events = POLLIN },
		{ .fd = c->out[1], .events = POLLIN },
		{ .fd = c->pidfd, .events = POLLIN },
	};
	int err = 0;

	if (poll(p, 4, TICK_NS / NSEC_PER_MSEC) < 0)
		return errno == EINTR ? 0 : -errno;
	if (p[0].revents)
		err = p[0].revents & POLLIN ? take_messages(s, c) : -EPIPE;
	for (int i = 0; !err && i < 2; i++)
		if (p[1 + i].revents)
			err = pass_output(s, c, i);
	if (!err && clock_now_ns() - c->tick_ns >= TICK_NS) {
		c->tick_ns = clock_now_ns();
		err = emu_link_send(&s->link, EMU_MSG_TICK, NULL, 0,
				    clock_now_ns() + EMU_CLIENT_NS);
	}
	if (err)
		return err;
	return p[3].revents != 0;
}

/* What processes that are all dead by now left in the pipes. */
static int drain_output(struct emu_slot *s, struct child *c)
{
	for (int i = 0; i < 2; i++) {
		while (c->out[i] >= 0) {
			struct pollfd p = { .fd = c->out[i],
					    .events = POLLIN };
			int err;

			if (poll(&p, 1, 0) <= 0)
				break;
			err = pass_output(s, c, i);
			if (err)
				return err;
		}
	}
	return 0;
}

static json_t *exit_message(struct child *c, int status, uint64_t run_ns)
{
	const char *end = "exited";
	int exec_errno, value = WEXITSTATUS(status);

	if (read(c->exec_err, &exec_errno, sizeof(exec_errno)) ==
	    sizeof(exec_errno)) {
		end = "not_started";
		value = exec_errno;
	} else if (WIFSIGNALED(status)) {
		end = "signaled";
		value = WTERMSIG(status);
	}
	return json_pack("{s:s, s:i, s:I}", "end", end, "value", value,
			 "run_ns", (json_int_t)run_ns);
}

static int child_run(struct emu_slot *s, struct child *c, json_t **exit_msg)
{
	uint64_t run_ns;
	int status = 0, ret;

	ret = emu_link_send_json(&s->link, EMU_MSG_STARTED,
				 json_pack("{s:i}", "pid", (int)c->pid),
				 clock_now_ns() + EMU_CLIENT_NS);
	while (!ret)
		ret = child_turn(s, c);
	run_ns = clock_now_ns() - c->start_ns;
	if (ret < 0)
		kill(c->pid, SIGKILL);
	emu_slot_kill(s);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ret > 0)
		ret = drain_output(s, c);
	if (ret < 0)
		return ret;
	*exit_msg = exit_message(c, status, run_ns);
	return *exit_msg ? 0 : -ENOMEM;
}

int emu_slot_spawn(struct emu_slot *s, json_t *job, json_t **exit_msg)
{
	struct child c = { .out = { -1, -1 }, .exec_err = -1, .pidfd = -1 };
	char **argv = json_strings(json_object_get(job, "argv"));
	char **env = json_strings(json_object_get(job, "env"));
	int err = -EPROTO;

	if (argv && env && argv[0])
		err = child_start(s, &c, argv, env);
	if (!err)
		err = child_run(s, &c, exit_msg);
	else if (c.pid > 0)
		kill(c.pid, SIGKILL);
	child_close(&c);
	free(argv);
	free(env);
	return err;
}
