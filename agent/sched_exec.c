// SPDX-License-Identifier: GPL-2.0-only
/*
 * The holder runs SCHED_FIFO below PID 1: the scheduler that it holds can't
 * keep it from saying what it sees, or from ending it. The program itself is
 * scheduled like anybody else.
 */
#include "agent/sched_exec.h"

#include "agent/json_text.h"
#include "agent/plan.h"
#include "agent/program.h"
#include "agent/sched.h"
#include "agent/sched_loader.h"
#include "lib/clock.h"

#include <bpf/bpf.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOLDER_PRIORITY 40
#define CWD "/tmp/ktstr-sched"
#define LOOK_NS (10 * NSEC_PER_MSEC)
#define ATTACH_MAX_NS (30 * NSEC_PER_SEC)
#define ATTACH_SHARE 3		/* of the deadline: the third part */
#define LAST_WORDS_NS (500 * NSEC_PER_MSEC)
#define LAST_LINES 4

struct holder {
	const struct plan_sched *plan;	/* borrowed */
	int fd;				/* borrowed */
	struct program_output *output;	/* borrowed */
	struct program program;
	bool attached;
	uint64_t since_ns;
	sigset_t waiting;	/* what ppoll(2) lets through */
};

/* How to end it, one after the other. */
static const struct {
	int sig;
	uint64_t wait_ns;
} ways[] = {
	{ SIGINT, NSEC_PER_SEC },
	{ SIGTERM, 500 * NSEC_PER_MSEC },
	{ SIGKILL, NSEC_PER_SEC },
};

static void on_child(int sig)
{
}

/* Signals are taken while ppoll(2) waits, and at no other time. */
static void hold_signals(struct holder *h)
{
	const struct sigaction child = { .sa_handler = on_child };
	sigset_t held;

	sigaction(SIGCHLD, &child, NULL);
	sigemptyset(&held);
	sigaddset(&held, SIGCHLD);
	sigprocmask(SIG_BLOCK, &held, &h->waiting);
}

/* Until something happens, or a time; true: the socket is readable. */
static bool wait_for_something(struct holder *h, uint64_t until_ns)
{
	struct program *p = &h->program;
	struct pollfd fds[] = {
		{ .fd = h->fd, .events = POLLIN },
		{ .fd = p->word_fd, .events = POLLIN },
		{ .fd = p->out_fds[0], .events = POLLIN },
		{ .fd = p->out_fds[1], .events = POLLIN },
	};
	uint64_t now_ns = clock_now_ns();
	struct timespec left = clock_to_timespec(until_ns > now_ns ?
						 until_ns - now_ns : 0);

	if (ppoll(fds, 4, until_ns == UINT64_MAX ? NULL : &left,
		  &h->waiting) < 0)
		return false;
	return fds[0].revents;
}

/* It has ended? Takes its output on the way. */
static bool has_ended(struct holder *h)
{
	if (!h->program.pid)
		return true;
	program_serve(&h->program, h->output);
	return program_reap(&h->program, h->output);
}

static bool wait_ended(struct holder *h, uint64_t wait_ns)
{
	uint64_t end_ns = clock_now_ns() + wait_ns;

	while (!has_ended(h)) {
		if (clock_now_ns() >= end_ns)
			return false;
		/* without the socket: who asked waits for the answer */
		ppoll(NULL, 0, &(struct timespec){ .tv_nsec = LOOK_NS },
		      &h->waiting);
	}
	return true;
}

static bool is_enabled(void)
{
	char state[32];

	sched_read_state(state);
	return !strcmp(state, "enabled");
}

/* "scx_qmap exited with status 3: its last words" */
static void tell_end(const struct holder *h, char *text, size_t len)
{
	const struct program *p = &h->program;
	const char *name = h->plan->name;
	char words[400];
	int n;

	if (p->word.err)
		n = snprintf(text, len, "%s: %s: %s", name, p->word.what,
			     strerror(-p->word.err));
	else if (p->pid)
		n = snprintf(text, len, "%s still runs", name);
	else if (WIFSIGNALED(p->status))
		n = snprintf(text, len, "%s died of signal %d", name,
			     WTERMSIG(p->status));
	else
		n = snprintf(text, len, "%s exited with status %d", name,
			     WEXITSTATUS(p->status));
	capture_last_lines(&h->output->streams[1], LAST_LINES, words,
			   sizeof(words));
	if (!*words)
		capture_last_lines(&h->output->streams[0], LAST_LINES, words,
				   sizeof(words));
	if (*words && n > 0 && (size_t)n < len)
		snprintf(text + n, len - n, ": %s", words);
}

static int fail(struct holder *h, const char *stage, int err,
		const char *message)
{
	loader_send(h->fd, LOADER_FAILED,
		    json_pack("{s:s,s:s,s:s,s:i,s:o,s:s}", "state", "failed",
			      "name", h->plan->name, "stage", stage, "errno",
			      err, "message", json_text(message, 1024), "log",
			      ""));
	return -err;
}

static int fail_ended(struct holder *h)
{
	char message[1024];

	tell_end(h, message, sizeof(message));
	return fail(h, "exec", h->program.word.err ? -h->program.word.err :
		    ECHILD, message);
}

static int fail_late(struct holder *h, uint64_t limit_ns)
{
	char words[700], message[1024];

	tell_end(h, words, sizeof(words));
	snprintf(message, sizeof(message),
		 "no scheduler was attached within %.3g s; %s",
		 limit_ns / (double)NSEC_PER_SEC, words);
	return fail(h, "attach", ETIMEDOUT, message);
}

static void end_program(struct holder *h)
{
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		program_signal(&h->program, ways[i].sig);
		if (wait_ended(h, ways[i].wait_ns))
			return;
	}
}

static json_t *exit_record(const struct holder *h)
{
	char text[1024];

	if (h->program.pid)
		return json_object();
	tell_end(h, text, sizeof(text));
	return json_pack("{s:o}", "program", json_text(text, sizeof(text)));
}

/* Return: false: it was the last thing asked. */
static bool answer(struct holder *h)
{
	uint64_t start_ns = clock_now_ns();
	char ask;

	if (recv(h->fd, &ask, 1, MSG_DONTWAIT) != 1)
		return false;
	if (ask == LOADER_ASK_EXIT) {
		wait_ended(h, LAST_WORDS_NS);
		loader_send(h->fd, LOADER_EXIT, exit_record(h));
	} else if (ask == LOADER_ASK_DETACH) {
		end_program(h);
		loader_send(h->fd, LOADER_DETACHED,
			    json_pack("{s:I,s:o}", "detach_ns",
				      (json_int_t)(clock_now_ns() - start_ns),
				      "exit", json_object()));
	}
	return ask != LOADER_ASK_DETACH;
}

static int start(struct holder *h)
{
	struct program_spec spec = { .exec = h->plan->exec, .cwd = CWD };
	uint64_t start_ns = clock_now_ns();

	if (program_start(&h->program, &spec))
		return fail_ended(h);
	h->since_ns = clock_now_ns();
	return loader_send(h->fd, LOADER_LOADED,
			   json_pack("{s:s,s:s,s:I}", "state", "loaded",
				     "name", h->plan->name, "load_ns",
				     (json_int_t)(h->since_ns - start_ns)));
}

static int say_attached(struct holder *h)
{
	h->attached = true;
	return loader_send(h->fd, LOADER_ATTACHED,
			   json_pack("{s:s,s:s,s:I}", "state", "attached",
				     "name", h->plan->name, "attach_ns",
				     (json_int_t)(clock_now_ns() -
						  h->since_ns)));
}

static uint64_t attach_limit(const struct plan_sched *plan)
{
	uint64_t limit_ns = plan->deadline_ns / ATTACH_SHARE;

	return limit_ns && limit_ns < ATTACH_MAX_NS ? limit_ns :
						      ATTACH_MAX_NS;
}

/* Until there is one. It may end before, if it leaves its scheduler there. */
static int attach(struct holder *h)
{
	uint64_t limit_ns = attach_limit(h->plan);

	for (;;) {
		bool ended = has_ended(h);

		if (is_enabled())
			return say_attached(h);
		if (ended)
			return fail_ended(h);
		if (clock_now_ns() - h->since_ns >= limit_ns)
			return fail_late(h, limit_ns);
		if (wait_for_something(h, clock_now_ns() + LOOK_NS) &&
		    !answer(h))
			return -ECANCELED;
	}
}

static void serve(struct holder *h)
{
	for (;;) {
		has_ended(h);
		if (wait_for_something(h, UINT64_MAX) && !answer(h))
			return;
	}
}

int sched_exec_main(const struct plan_sched *plan, int fd,
		    struct program_output *output)
{
	const struct sched_param fifo = { .sched_priority = HOLDER_PRIORITY };
	struct holder h = { .plan = plan, .fd = fd, .output = output,
			    .program = PROGRAM_INIT };
	int err;

	prctl(PR_SET_NAME, "ktstr-holder");
	/* who may not, as in a test without privileges, does without */
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo);
	hold_signals(&h);
	err = start(&h);
	if (!err)
		err = attach(&h);
	if (!err)
		serve(&h);
	program_close(&h.program);
	return err ? 1 : 0;
}

uint32_t sched_exec_last_map(void)
{
	uint32_t id = 0;

	while (!bpf_map_get_next_id(id, &id))
		continue;
	return id;
}

json_t *sched_exec_maps(uint32_t after)
{
	json_t *list = json_array();
	uint32_t id = after;

	while (!bpf_map_get_next_id(id, &id)) {
		struct bpf_map_info info = { 0 };
		uint32_t len = sizeof(info);
		int fd = bpf_map_get_fd_by_id(id);

		if (fd < 0)
			continue; /* gone since */
		if (!bpf_map_get_info_by_fd(fd, &info, &len))
			json_array_append_new(list, json_pack(
				"{s:I,s:o}", "id", (json_int_t)info.id,
				"name", json_text(info.name,
						  sizeof(info.name))));
		close(fd);
	}
	return list;
}
