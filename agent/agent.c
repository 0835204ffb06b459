// SPDX-License-Identifier: GPL-2.0-only
#include "agent/agent.h"

#include "agent/json_text.h"
#include "agent/map_write.h"
#include "agent/plan.h"
#include "agent/sched_exec.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define KMSG_BATCH (64 << 10)

/* What the loop waits on, in this order in its poll set. */
enum {
	FD_TIMER,
	FD_SIGNAL,
	FD_PORT,
	FD_KMSG,
	FD_SCHED,
	FD_EXEC,
	NR_FDS = FD_EXEC + EXEC_NR_FDS,
};

int agent_open_loop(struct agent *a)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mask, NULL))
		return -errno;
	a->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (a->signal_fd < 0)
		return -errno;
	a->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_NONBLOCK | TFD_CLOEXEC);
	return a->timer_fd < 0 ? -errno : 0;
}

void agent_log_line(struct agent *a, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	if (a->port.fd >= 0)
		port_send(&a->port, KTSTR_MSG_LOG, line, n);
	else
		fprintf(stderr, "ktstr-agent: %s\n", line);
}

void agent_forward_kmsg(struct agent *a)
{
	static char lines[KMSG_BATCH];
	size_t len;

	while ((len = kmsg_drain(&a->kmsg, lines, sizeof(lines))))
		port_send(&a->port, KTSTR_MSG_KMSG, lines, len);
}

/* A program does not tell which maps are its own: they came with it. */
static void add_maps(struct agent *a, json_t *body)
{
	const char *state = json_string_value(json_object_get(body, "state"));

	if (a->plan->sched.exec && state && !strcmp(state, "attached"))
		json_object_set_new(body, "maps",
				    sched_exec_maps(a->maps_before));
}

static void send_sched(struct agent *a, json_t *body)
{
	json_t *maps;

	if (!body)
		return;
	add_maps(a, body);
	maps = json_object_get(body, "maps");
	if (maps) {
		json_decref(a->maps);
		a->maps = json_incref(maps);
	}
	port_send_json(&a->port, KTSTR_MSG_SCHED, body);
}

static void write_map(struct agent *a, json_t *step)
{
	char why[256] = "";
	int err = map_write(a->maps, step, why, sizeof(why));

	port_send_json(&a->port, KTSTR_MSG_WRITTEN,
		       json_pack("{s:O?,s:b,s:o}", "id",
				 json_object_get(step, "id"), "ok", !err,
				 "message", json_text(why, sizeof(why))));
}

static void take_frame(struct agent *a, const struct frame *f)
{
	json_t *body;

	if (f->type == KTSTR_MSG_EXEC_STDIN) {
		if (exec_stdin(&a->exec, f->payload, f->len))
			log_err("agent: more stdin than there is room for");
		return;
	}
	body = json_loadb((const char *)f->payload, f->len, 0, NULL);
	switch (f->type) {
	case KTSTR_MSG_GO:
		if (!phase_go(&a->phases,
			      json_integer_value(json_object_get(body,
								 "index"))))
			log_warn("agent: a GO that was not asked for");
		break;
	case KTSTR_MSG_STOP:
		log_info("agent: stopped by the host");
		a->stop = true;
		phase_stop(&a->phases);
		break;
	case KTSTR_MSG_WRITE_MAP:
		write_map(a, body);
		break;
	case KTSTR_MSG_EXEC_TAKEN:
		exec_taken(&a->exec, json_integer_value(
			json_object_get(body, "bytes")));
		break;
	default:
		log_warn("agent: message of unknown type %u", f->type);
	}
	json_decref(body);
}

static void serve_port(struct agent *a, short revents)
{
	struct frame f;
	int ret;

	port_io(&a->port, revents, clock_now_ns());
	while ((ret = port_next(&a->port, &f)) > 0)
		take_frame(a, &f);
	if (ret < 0)
		log_err("agent: the host's messages are broken, not read on");
}

static void reap_children(struct agent *a)
{
	struct signalfd_siginfo info;
	int status, worker;
	pid_t pid;

	while (read(a->signal_fd, &info, sizeof(info)) == sizeof(info))
		continue;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == a->sched.pid) {
			send_sched(a, sched_loader_exited(&a->sched, status,
							  clock_now_ns()));
			continue;
		}
		if (pid == a->exec.pid) {
			exec_exited(&a->exec, status);
			continue;
		}
		worker = workers_exited(&a->workers, pid, status);
		if (worker >= 0 && !a->workers.stopping)
			log_warn("agent: worker %d (pid %d) ended, status 0x%x",
				 worker, pid, status);
	}
}

static void serve_sched(struct agent *a)
{
	json_t *body;

	agent_forward_kmsg(a); /* the log explains what comes now */
	while (a->sched.fd >= 0 &&
	       sched_receive(&a->sched, &a->kmsg.exit, clock_now_ns(), &body))
		send_sched(a, body);
}

static void watch_sched(struct agent *a)
{
	char state[32];
	json_t *body;

	if (sched_watch_due(&a->sched, 0) == UINT64_MAX)
		return;
	sched_read_state(state);
	body = sched_watch(&a->sched, state, &a->kmsg.exit, clock_now_ns());
	send_sched(a, body);
}

static void arm_timer(struct agent *a, uint64_t at_ns)
{
	struct itimerspec its = { .it_value = clock_to_timespec(at_ns ?: 1) };

	timerfd_settime(a->timer_fd, TFD_TIMER_ABSTIME, &its, NULL);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void agent_pump(struct agent *a, uint64_t until_ns)
{
	uint64_t now = clock_now_ns(), port_due, expirations;
	struct pollfd fds[NR_FDS] = {
		[FD_TIMER] = { .fd = a->timer_fd, .events = POLLIN },
		[FD_SIGNAL] = { .fd = a->signal_fd, .events = POLLIN },
		[FD_KMSG] = { .fd = a->kmsg.fd, .events = POLLIN },
		[FD_SCHED] = { .fd = a->sched.fd, .events = POLLIN },
	};

	exec_poll(&a->exec, &fds[FD_EXEC]);
	port_due = port_poll(&a->port, now, &fds[FD_PORT]);
	if (port_due)
		until_ns = earlier(until_ns, port_due);
	arm_timer(a, earlier(until_ns, sched_watch_due(&a->sched, now)));
	if (poll(fds, NR_FDS, -1) < 0)
		return;
	if (fds[FD_TIMER].revents &&
	    read(a->timer_fd, &expirations, sizeof(expirations)) < 0)
		log_debug("agent: timer: %s", strerror(errno));
	if (fds[FD_KMSG].revents)
		agent_forward_kmsg(a);
	if (fds[FD_SCHED].revents)
		serve_sched(a);
	if (fds[FD_SIGNAL].revents)
		reap_children(a);
	if (fds[FD_PORT].revents)
		serve_port(a, fds[FD_PORT].revents);
	exec_serve(&a->exec, &a->port);
	watch_sched(a);
}
