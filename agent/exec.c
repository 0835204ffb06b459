// SPDX-License-Identifier: GPL-2.0-only
#include "agent/exec.h"

#include "agent/port.h"
#include "lib/fd.h"
#include "lib/json_get.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_FOUND 127	/* as shells have it */
#define NOT_EXECUTABLE 126

static _Noreturn void become(char **argv, char **env, const char *cwd,
			     const int fds[3])
{
	sigset_t none;
	int i, err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	for (i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			_exit(NOT_EXECUTABLE);
	if (!chdir(cwd))
		execve(argv[0], argv, env);
	err = errno;
	dprintf(2, "ktstr exec: %s: %s\n", argv[0], strerror(err));
	_exit(err == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

/* Pipes whose ends on our side, ours[], are not to block. */
static int open_pipes(int ours[3], int theirs[3])
{
	int i, p[2];

	for (i = 0; i < 3; i++)
		ours[i] = theirs[i] = -1;
	for (i = 0; i < 3; i++) {
		if (pipe2(p, O_CLOEXEC))
			return -errno;
		ours[i] = p[i == 0];
		theirs[i] = p[i != 0];
		if (fcntl(ours[i], F_SETFL, O_NONBLOCK))
			return -errno;
	}
	return 0;
}

int exec_start(struct exec *e, json_t *spec)
{
	const char *cwd = json_string_value(json_object_get(spec, "cwd"));
	char **argv = json_strings(json_object_get(spec, "argv"));
	char **env = json_strings(json_object_get(spec, "env"));
	int ours[3], theirs[3], i;
	pid_t pid = -1;
	int err = open_pipes(ours, theirs);

	if (!argv || !argv[0] || !env || !cwd)
		err = -EINVAL;
	if (!err) {
		signal(SIGPIPE, SIG_IGN); /* it may close its stdin */
		pid = fork();
		if (!pid)
			become(argv, env, cwd, theirs);
		if (pid < 0)
			err = -errno;
	}
	for (i = 0; i < 3; i++) {
		fd_close(&theirs[i]);
		if (err)
			fd_close(&ours[i]);
	}
	if (!err) {
		e->pid = pid;
		e->in_fd = ours[0];
		e->out_fds[0] = ours[1];
		e->out_fds[1] = ours[2];
	}
	free(argv);
	free(env);
	return err;
}

void exec_poll(const struct exec *e, struct pollfd fds[EXEC_NR_FDS])
{
	bool room = e->unread < KTSTR_EXEC_WINDOW;
	int i;

	/* without an interest poll(2) would still tell of a hang-up */
	fds[0] = (struct pollfd){ .fd = e->in_len ? e->in_fd : -1,
				  .events = POLLOUT };
	for (i = 0; i < 2; i++)
		fds[1 + i] = (struct pollfd){ .fd = room ? e->out_fds[i] : -1,
					      .events = POLLIN };
}

static void give_stdin(struct exec *e)
{
	ssize_t n = 0;

	if (e->in_fd >= 0 && e->in_len)
		n = write(e->in_fd, e->in, e->in_len);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		fd_close(&e->in_fd); /* it reads no more */
	if (e->pid && e->in_fd < 0)
		n = e->in_len;
	if (n > 0) {
		memmove(e->in, e->in + n, e->in_len - n);
		e->in_len -= n;
		e->in_taken += n;
	}
	if (e->in_eof && !e->in_len)
		fd_close(&e->in_fd);
}

static void take_output(struct exec *e, struct port *p, int which)
{
	static const uint16_t types[] = { KTSTR_MSG_EXEC_STDOUT,
					  KTSTR_MSG_EXEC_STDERR };
	uint8_t buf[KTSTR_EXEC_CHUNK];

	while (e->out_fds[which] >= 0 && e->unread < KTSTR_EXEC_WINDOW) {
		size_t room = KTSTR_EXEC_WINDOW - e->unread;
		ssize_t n = read(e->out_fds[which], buf,
				 room < sizeof(buf) ? room : sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			/* it has ended: who else holds the pipe may keep it */
			if (e->exited)
				fd_close(&e->out_fds[which]);
			return;
		}
		if (n <= 0) {
			fd_close(&e->out_fds[which]);
			return;
		}
		e->unread += n;
		port_send(p, types[which], buf, n);
	}
}

void exec_serve(struct exec *e, struct port *p)
{
	if (!e->pid)
		return;
	give_stdin(e);
	if (e->in_taken)
		port_send_json(p, KTSTR_MSG_EXEC_STDIN_TAKEN,
			       json_pack("{s:I}", "bytes",
					 (json_int_t)e->in_taken));
	e->in_taken = 0;
	take_output(e, p, 0);
	take_output(e, p, 1);
}

int exec_stdin(struct exec *e, const void *data, size_t len)
{
	if (!len) {
		e->in_eof = true;
		return 0;
	}
	if (len > sizeof(e->in) - e->in_len)
		return -ENOBUFS;
	memcpy(e->in + e->in_len, data, len);
	e->in_len += len;
	return 0;
}

void exec_taken(struct exec *e, uint64_t bytes)
{
	e->unread -= bytes < e->unread ? bytes : e->unread;
}

void exec_exited(struct exec *e, int status)
{
	e->exited = true;
	e->status = status;
	fd_close(&e->in_fd);
}

bool exec_is_over(const struct exec *e)
{
	return e->exited && e->out_fds[0] < 0 && e->out_fds[1] < 0;
}

json_t *exec_end(const struct exec *e)
{
	if (WIFSIGNALED(e->status))
		return json_pack("{s:i}", "signal", WTERMSIG(e->status));
	return json_pack("{s:i}", "exit", WEXITSTATUS(e->status));
}

void exec_kill(struct exec *e)
{
	int i;

	if (e->pid && !e->exited)
		kill(-e->pid, SIGKILL);
	fd_close(&e->in_fd);
	for (i = 0; i < 2; i++)
		fd_close(&e->out_fds[i]);
}
