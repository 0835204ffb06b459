// SPDX-License-Identifier: GPL-2.0-only
#include "agent/program.h"

#include "lib/fd.h"
#include "lib/json_get.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK 16384
#define TIMER_SLACK_NS 50000	/* the kernel's, which our workers do without */
#define LAST_CHUNKS 64	/* of a pipe that others may write to without end */

static void say(int fd, int err, const char *what)
{
	struct program_word w = { .err = err };

	snprintf(w.what, sizeof(w.what), "%s", what);
	if (write(fd, &w, sizeof(w)) != sizeof(w))
		_exit(EXIT_FAILURE); /* nobody listens */
}

/* The agent's signals are the agent's. */
static int reset_process(void)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < SIGRTMIN; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    prctl(PR_SET_TIMERSLACK, (unsigned long)TIMER_SLACK_NS))
		return -errno;
	setsid();
	/* all but stdio ends with execve(2) */
	return close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) ? -errno : 0;
}

static int use_streams(const int theirs[2])
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(theirs[0], 1) < 0 ||
	    dup2(theirs[1], 2) < 0)
		return -errno;
	return 0;
}

static int use_cwd(const char *cwd)
{
	if (mkdir(cwd, 0755) && errno != EEXIST)
		return -errno;
	return chdir(cwd) ? -errno : 0;
}

static _Noreturn void become(const struct program_spec *spec, char **argv,
			     char **env, const int theirs[2], int word_fd)
{
	const char *what = "set signals";
	int err = reset_process();

	if (!err) {
		what = "open streams";
		err = use_streams(theirs);
	}
	if (!err) {
		what = "enter folder";
		err = use_cwd(spec->cwd);
	}
	if (!err && spec->settle)
		err = spec->settle(spec->ctx, &what);
	say(word_fd, err, err ? what : "");
	if (err)
		_exit(EXIT_FAILURE);
	if (spec->wait)
		spec->wait(spec->ctx);
	execve(argv[0], argv, env);
	say(word_fd, -errno, "exec");
	_exit(EXIT_FAILURE);
}

static int open_pipes(struct program *p, int theirs[2], int *word_fd)
{
	int fds[2], i;

	for (i = 0; i < 2; i++) {
		if (pipe2(fds, O_CLOEXEC))
			return -errno;
		p->out_fds[i] = fds[0];
		theirs[i] = fds[1];
		if (fcntl(fds[0], F_SETFL, O_NONBLOCK))
			return -errno;
	}
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	p->word_fd = fds[0];
	*word_fd = fds[1];
	return 0;
}

/* Return: bytes: a word came; 0 none will; -EAGAIN, not yet. */
static ssize_t read_word(struct program *p)
{
	struct program_word w;
	ssize_t n;

	do {
		n = read(p->word_fd, &w, sizeof(w));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == sizeof(w))
		p->word = w;
	else
		fd_close(&p->word_fd);
	return n == sizeof(w) ? n : 0;
}

static int fail(struct program *p, const char *what, int err)
{
	p->word.err = err;
	snprintf(p->word.what, sizeof(p->word.what), "%s", what);
	return err;
}

static int wait_settled(struct program *p)
{
	ssize_t n = read_word(p);

	if (n <= 0)
		return fail(p, "start", n ? n : -ECHILD);
	if (p->word.err)
		return p->word.err;
	/* what comes now is that execve(2) failed, or its end of file */
	return fcntl(p->word_fd, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

int program_start(struct program *p, const struct program_spec *spec)
{
	char **argv = json_strings(json_object_get(spec->exec, "argv"));
	char **env = json_strings(json_object_get(spec->exec, "env"));
	int theirs[2] = { -1, -1 }, word_fd = -1;
	int err;

	*p = (struct program)PROGRAM_INIT;
	err = open_pipes(p, theirs, &word_fd);
	if (err)
		fail(p, "open pipes", err);
	else if (!argv || !argv[0] || !env)
		err = fail(p, "read the plan", -EINVAL);
	if (!err) {
		p->pid = fork();
		if (!p->pid)
			become(spec, argv, env, theirs, word_fd);
		if (p->pid < 0) {
			err = fail(p, "fork", -errno);
			p->pid = 0;
		}
	}
	fd_close(&theirs[0]);
	fd_close(&theirs[1]);
	fd_close(&word_fd);
	if (!err)
		err = wait_settled(p);
	if (err)
		program_close(p);
	free(argv);
	free(env);
	return err;
}

static void take_stream(int *fd, struct capture *c, bool last)
{
	/* one at a time while it runs: it may write without end */
	unsigned int chunks = last ? LAST_CHUNKS : 1;
	char buf[CHUNK];
	ssize_t n = 0;

	while (*fd >= 0 && chunks--) {
		do {
			n = read(*fd, buf, sizeof(buf));
		} while (n < 0 && errno == EINTR);
		if (n > 0)
			capture_add(c, buf, n);
		else if (!n || errno != EAGAIN)
			fd_close(fd);
		else
			break;
	}
	if (last)
		fd_close(fd);
}

static void serve(struct program *p, struct program_output *output, bool last)
{
	if (p->word_fd >= 0)
		read_word(p);
	take_stream(&p->out_fds[0], &output->streams[0], last);
	take_stream(&p->out_fds[1], &output->streams[1], last);
}

void program_serve(struct program *p, struct program_output *output)
{
	serve(p, output, false);
}

bool program_reap(struct program *p, struct program_output *output)
{
	if (!p->pid || waitpid(p->pid, &p->status, WNOHANG) != p->pid)
		return false;
	p->pid = 0;
	serve(p, output, true);
	return true;
}

void program_signal(const struct program *p, int sig)
{
	if (p->pid)
		kill(-p->pid, sig);
}

void program_close(struct program *p)
{
	int i;

	if (p->pid) {
		kill(-p->pid, SIGKILL);
		kill(p->pid, SIGKILL); /* it may have no group yet */
		waitpid(p->pid, &p->status, 0);
		p->pid = 0;
	}
	fd_close(&p->word_fd);
	for (i = 0; i < 2; i++)
		fd_close(&p->out_fds[i]);
}

struct program_output *program_output_new(void)
{
	void *mem = mmap(NULL, sizeof(struct program_output),
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

void program_output_free(struct program_output *output)
{
	if (output)
		munmap(output, sizeof(*output));
}
