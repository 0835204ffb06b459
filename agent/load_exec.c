// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program as a load. Its holder, this worker, is part of the harness: it
 * runs SCHED_FIFO below PID 1, so that a bad scheduler does not keep it from
 * taking the program's output or from ending it. The program is scheduled as
 * its workload says.
 */
#include "agent/load_exec.h"

#include "agent/load.h"
#include "agent/plan.h"
#include "agent/sysfile.h"
#include "agent/worker_main.h"
#include "lib/clock.h"
#include "lib/path.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOLDER_PRIORITY 40
#define CWD_ROOT "/tmp/ktstr-load"

/* What is held, in the worker's own memory. */
struct holder {
	struct load *l;
	struct load_exec *x;
	struct program program;
	char cwd[PATH_MAX];
	sigset_t waiting;	/* what ppoll(2) lets through */
	uint64_t term_ns;	/* when it was told to end; 0: not yet */
	bool killed;
};

static const char *const end_names[] = {
	[LOAD_EXEC_WAITING] = "waiting",   [LOAD_EXEC_RUNNING] = "running",
	[LOAD_EXEC_EXITED] = "exited",	   [LOAD_EXEC_SIGNALED] = "signaled",
	[LOAD_EXEC_STOPPED] = "stopped",   [LOAD_EXEC_KILLED] = "killed",
	[LOAD_EXEC_NOT_STARTED] = "not started",
};

struct load_exec *load_exec_new(void)
{
	void *mem = mmap(NULL, sizeof(struct load_exec),
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

void load_exec_free(struct load_exec *x)
{
	if (x)
		munmap(x, sizeof(*x));
}

void load_exec_leaf(const struct plan_workload *w, unsigned int index,
		    char *name, size_t len)
{
	/* a cgroup of the scenario's has no dot in its name */
	snprintf(name, len, "%s/%s.%u", w->cgroup, w->name, index);
}

json_t *load_exec_report(const struct load_exec *x,
			 const struct plan_workload *w, unsigned int index)
{
	uint32_t end = __atomic_load_n(&x->end, __ATOMIC_ACQUIRE);

	return json_pack("{s:i, s:i, s:s, s:i, s:i, s:I, s:I, s:i}",
			 "workload", (int)w->index, "worker", (int)index,
			 "end", end_names[end], "code", (int)x->code, "runs",
			 (int)x->runs, "begun_ns", (json_int_t)x->begun_ns,
			 "ended_ns", (json_int_t)x->ended_ns, "json_errno",
			 (int)-load_exec_yield(x)->json_err);
}

const struct load_exec_yield *load_exec_yield(const struct load_exec *x)
{
	return x->cut && x->runs ? &x->whole : &x->last;
}

static void set_end(struct load_exec *x, enum load_exec_end end, int code)
{
	x->code = code;
	x->ended_ns = clock_now_ns();
	__atomic_store_n(&x->end, end, __ATOMIC_RELEASE);
}

/* In the program's process. */
static int settle(void *ctx, const char **what)
{
	struct holder *h = ctx;

	return worker_settle(h->l->job, what);
}

static void wait_for_go(void *ctx)
{
	struct holder *h = ctx;

	worker_wait_go(h->l->job);
	if (load_stopping(h->l))
		_exit(EXIT_SUCCESS);
}

/* "out.json" is in the program's own folder. */
static int json_path(const struct holder *h, char *path, size_t len)
{
	const char *name = json_string_value(json_object_get(
		h->l->workload->exec, "json"));
	int n;

	if (!name)
		return -ENOENT;
	n = *name == '/' ? snprintf(path, len, "%s", name) :
			   snprintf(path, len, "%s/%s", h->cwd, name);
	return n < (int)len ? 0 : -ENAMETOOLONG;
}

static void drop_json(const struct holder *h)
{
	char path[PATH_MAX];

	if (!json_path(h, path, sizeof(path)))
		unlink(path);
}

static void take_json(struct holder *h)
{
	struct load_exec_yield *y = &h->x->last;
	char path[PATH_MAX], *text;
	size_t len;
	int err = json_path(h, path, sizeof(path));

	y->json_len = 0;
	y->json_err = 0;
	if (err == -ENOENT)
		return; /* none was asked for */
	if (!err)
		err = path_read_file(path, sizeof(y->json), &text, &len);
	y->json_err = err;
	if (err)
		return;
	memcpy(y->json, text, len);
	y->json_len = len;
	free(text);
}

static int start(struct holder *h)
{
	struct program_spec spec = {
		.exec = h->l->workload->exec,
		.cwd = h->cwd,
		.settle = settle,
		.wait = wait_for_go,
		.ctx = h,
	};
	int err;

	drop_json(h);
	capture_reset(&h->x->last.output.streams[0]);
	capture_reset(&h->x->last.output.streams[1]);
	err = program_start(&h->program, &spec);
	if (err)
		return load_fail(h->l, h->program.word.what, err);
	/* a stall is told of by the kernel with this number */
	__atomic_store_n(&h->l->stamp.worker->pid, h->program.pid,
			 __ATOMIC_RELAXED);
	return 0;
}

/* Signals are taken while ppoll(2) waits, and at no other time. */
static void on_signal(int sig)
{
}

static void hold_signals(struct holder *h)
{
	const struct sigaction child = { .sa_handler = on_signal };
	sigset_t held;

	sigaction(SIGCHLD, &child, NULL);
	sigemptyset(&held);
	sigaddset(&held, SIGCHLD);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, &h->waiting);
}

static int exec_setup(struct load *l)
{
	const struct sched_param fifo = { .sched_priority = HOLDER_PRIORITY };
	struct holder *h = calloc(1, sizeof(*h));

	if (!h)
		return load_fail(l, "allocate", -ENOMEM);
	l->buf = h;
	h->l = l;
	h->x = l->job->exec;
	h->program = (struct program)PROGRAM_INIT;
	/* who may not, as in a test without privileges, does without */
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo);
	if (mkdir(CWD_ROOT, 0755) && errno != EEXIST)
		return load_fail(l, "make folder", -errno);
	snprintf(h->cwd, sizeof(h->cwd), CWD_ROOT "/%s.%u", l->workload->name,
		 l->index);
	hold_signals(h);
	return start(h);
}

static void kill_all(const struct holder *h)
{
	const struct worker_job *job = h->l->job;
	char leaf[2 * PLAN_NAME_MAX + 16], path[PATH_MAX];

	program_signal(&h->program, SIGKILL);
	if (!job->cgroup_root)
		return;
	load_exec_leaf(job->workload, job->index, leaf, sizeof(leaf));
	snprintf(path, sizeof(path), "%s/%s/cgroup.kill", job->cgroup_root,
		 leaf);
	sysfile_write(path, "1");
}

/* Ask, then insist. Return: when to look again. */
static uint64_t end_it(struct holder *h, uint64_t now_ns)
{
	if (!h->term_ns) {
		h->term_ns = now_ns;
		program_signal(&h->program, SIGTERM);
		program_signal(&h->program, SIGCONT); /* were it stopped */
	}
	if (!h->killed && now_ns - h->term_ns >= LOAD_EXEC_GRACE_NS) {
		h->killed = true;
		kill_all(h);
	}
	return h->killed ? UINT64_MAX : h->term_ns + LOAD_EXEC_GRACE_NS;
}

static bool was_good(int status)
{
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void note_whole_run(struct holder *h)
{
	struct load_exec *x = h->x;
	int i;

	/* not the whole struct: pages that nobody touches cost nothing */
	for (i = 0; i < 2; i++)
		capture_copy(&x->whole.output.streams[i],
			     &x->last.output.streams[i]);
	x->whole.json_err = x->last.json_err;
	x->whole.json_len = x->last.json_len;
	memcpy(x->whole.json, x->last.json, x->last.json_len);
	x->runs++;
	stamp_iteration(stamp_now(&h->l->stamp, NULL));
}

static void note_run(struct holder *h)
{
	int status = h->program.status;
	int code = WIFSIGNALED(status) ? WTERMSIG(status) :
		   WEXITSTATUS(status);
	/* one that was to begin just then left at once, and did nothing */
	bool stopped = h->term_ns || load_stopping(h->l);

	take_json(h);
	h->x->cut = stopped;
	if (h->program.word.err)
		set_end(h->x, LOAD_EXEC_NOT_STARTED, h->program.word.err);
	else if (h->killed)
		set_end(h->x, LOAD_EXEC_KILLED, code);
	else if (stopped)
		set_end(h->x, LOAD_EXEC_STOPPED, code);
	else if (WIFSIGNALED(status))
		set_end(h->x, LOAD_EXEC_SIGNALED, code);
	else
		set_end(h->x, LOAD_EXEC_EXITED, code);
	if (!stopped && was_good(status))
		note_whole_run(h);
}

static bool may_repeat(const struct holder *h)
{
	return json_is_true(json_object_get(h->l->workload->exec, "repeat")) &&
	       h->x->end == LOAD_EXEC_EXITED && !h->x->code &&
	       !load_stopping(h->l);
}

static void wait_for_something(struct holder *h, uint64_t until_ns)
{
	struct program *p = &h->program;
	struct pollfd fds[] = {
		{ .fd = p->word_fd, .events = POLLIN },
		{ .fd = p->out_fds[0], .events = POLLIN },
		{ .fd = p->out_fds[1], .events = POLLIN },
	};
	uint64_t now_ns = clock_now_ns();
	struct timespec left = clock_to_timespec(until_ns > now_ns ?
						 until_ns - now_ns : 0);

	ppoll(fds, 3, until_ns == UINT64_MAX ? NULL : &left, &h->waiting);
}

/* Until it has ended. */
static void hold(struct holder *h)
{
	uint64_t until_ns = UINT64_MAX;

	while (!program_reap(&h->program, &h->x->last.output)) {
		program_serve(&h->program, &h->x->last.output);
		if (load_stopping(h->l))
			until_ns = end_it(h, clock_now_ns());
		wait_for_something(h, until_ns);
	}
}

static void wait_for_stop(struct holder *h)
{
	while (!load_stopping(h->l))
		ppoll(NULL, 0, NULL, &h->waiting);
}

static int exec_run(struct load *l)
{
	struct holder *h = l->buf;
	int err = 0;

	if (load_stopping(l)) { /* it never began */
		program_close(&h->program);
		return 0;
	}
	h->x->begun_ns = clock_now_ns();
	__atomic_store_n(&h->x->end, LOAD_EXEC_RUNNING, __ATOMIC_RELEASE);
	do {
		hold(h);
		note_run(h);
		err = may_repeat(h) ? start(h) : 0;
	} while (!err && h->program.pid);
	if (!err)
		wait_for_stop(h);
	kill_all(h); /* whatever it left behind */
	program_close(&h->program);
	return err;
}

const struct load_kind load_kind_exec = {
	.spec = &load_specs[LOAD_EXEC],
	.setup = exec_setup,
	.run = exec_run,
};
