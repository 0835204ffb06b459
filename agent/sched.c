// SPDX-License-Identifier: GPL-2.0-only
#include "agent/sched.h"

#include "agent/kmsg.h"
#include "agent/plan.h"
#include "agent/program.h"
#include "agent/sched_exec.h"
#include "agent/sched_exit.h"
#include "agent/sched_loader.h"
#include "agent/sysfile.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WATCH_NS (50 * NSEC_PER_MSEC)
/* How long a loader may take to say what the kernel has done already. */
#define LOADER_WORD_NS (500 * NSEC_PER_MSEC)
#define EXIT_WORD_NS NSEC_PER_SEC

static void enter(struct sched *s, enum sched_phase phase, uint64_t now_ns)
{
	s->phase = phase;
	s->since_ns = now_ns;
}

/* Runs in the child: nothing of PID 1's but the plan and the socket. */
static void be_loader(const struct plan_sched *plan, int fd,
		      struct program_output *output)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(output ? sched_exec_main(plan, fd, output) :
		       sched_loader_main(plan, fd));
}

int sched_start(struct sched *s, const struct plan_sched *plan, uint64_t now_ns)
{
	struct program_output *output = NULL;
	int fds[2], err;
	pid_t pid;

	if (plan->exec && !(output = program_output_new()))
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds)) {
		err = -errno;
		program_output_free(output);
		return err;
	}
	pid = fork();
	if (pid < 0) {
		err = -errno;
		program_output_free(output);
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (!pid) {
		close(fds[0]);
		be_loader(plan, fds[1], output);
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*s = (struct sched){ .name = plan->name, .pid = pid, .fd = fds[0],
			     .output = output };
	enter(s, SCHED_LOADING, now_ns);
	return 0;
}

static void ask(struct sched *s, char what)
{
	if (s->fd >= 0 && send(s->fd, &what, 1, MSG_NOSIGNAL) < 0)
		log_warn("sched: ask the loader: %s", strerror(errno));
}

static json_t *report_gone(struct sched *s, json_t *recorded,
			   const struct kmsg_exit *log, uint64_t now_ns)
{
	enter(s, SCHED_GONE, now_ns);
	return json_pack("{s:s,s:s,s:o}", "state", "gone", "name", s->name,
			 "exit", sched_exit_report(recorded, log));
}

static json_t *report_failed(struct sched *s, int err, const char *message,
			     uint64_t now_ns)
{
	const char *stage = s->phase == SCHED_LOADED ? "attach" : "load";

	enter(s, SCHED_FAILED, now_ns);
	return json_pack("{s:s,s:s,s:s,s:i,s:s,s:s}", "state", "failed", "name",
			 s->name, "stage", stage, "errno", err, "message",
			 message, "log", "");
}

/* What the loader says, where the scheduler stands when it may say so. */
static json_t *take_packet(struct sched *s, char tag, json_t *body,
			   const struct kmsg_exit *log, uint64_t now_ns)
{
	switch (tag) {
	case LOADER_LOADED:
		if (s->phase != SCHED_LOADING)
			return NULL;
		enter(s, SCHED_LOADED, now_ns);
		return json_incref(body);
	case LOADER_ATTACHED:
		if (s->phase != SCHED_LOADED)
			return NULL; /* sched_watch() was first */
		enter(s, SCHED_ATTACHED, now_ns);
		return json_incref(body);
	case LOADER_FAILED:
		if (s->phase != SCHED_LOADING && s->phase != SCHED_LOADED)
			return NULL;
		enter(s, SCHED_FAILED, now_ns);
		return json_incref(body);
	case LOADER_EXIT:
		if (s->phase != SCHED_ENDING)
			return NULL;
		return report_gone(s, body, log, now_ns);
	case LOADER_DETACHED:
		if (s->phase != SCHED_DETACHING)
			return NULL;
		s->detach_ns = json_integer_value(json_object_get(body,
								  "detach_ns"));
		s->recorded = json_incref(json_object_get(body, "exit"));
		enter(s, SCHED_DETACHED, now_ns);
		return NULL;
	}
	return NULL;
}

bool sched_receive(struct sched *s, const struct kmsg_exit *log,
		   uint64_t now_ns, json_t **body)
{
	json_t *said = NULL;
	char *packet;
	ssize_t n;

	*body = NULL;
	packet = malloc(LOADER_PACKET_MAX);
	if (!packet)
		return false;
	n = recv(s->fd, packet, LOADER_PACKET_MAX, MSG_DONTWAIT);
	if (n > 1)
		said = json_loadb(packet + 1, n - 1, 0, NULL);
	if (said)
		*body = take_packet(s, packet[0], said, log, now_ns);
	json_decref(said);
	free(packet);
	if (n == 0) { /* it has closed its end; waitpid() will tell */
		close(s->fd);
		s->fd = -1;
	}
	return n > 0;
}

/* Enabled, by the kernel's word; give the loader the time to say it itself. */
static json_t *watch_loaded(struct sched *s, bool enabled, uint64_t now_ns)
{
	if (!enabled)
		return NULL;
	if (!s->enabled_ns)
		s->enabled_ns = now_ns;
	if (now_ns - s->enabled_ns < LOADER_WORD_NS)
		return NULL;
	log_warn("sched: %s is enabled and its loader does not run", s->name);
	now_ns = s->enabled_ns - s->since_ns;
	enter(s, SCHED_ATTACHED, s->enabled_ns);
	return json_pack("{s:s,s:s,s:I}", "state", "attached", "name", s->name,
			 "attach_ns", (json_int_t)now_ns);
}

json_t *sched_watch(struct sched *s, const char *state,
		    const struct kmsg_exit *log, uint64_t now_ns)
{
	bool disabled = !strcmp(state, "disabled");

	switch (s->phase) {
	case SCHED_LOADED:
		return watch_loaded(s, !strcmp(state, "enabled"), now_ns);
	case SCHED_ATTACHED:
		if (!disabled)
			return NULL;
		/* Its loader can run again, and has what it recorded. */
		enter(s, SCHED_ENDING, now_ns);
		ask(s, LOADER_ASK_EXIT);
		return NULL;
	case SCHED_ENDING:
		if (s->fd >= 0 && now_ns - s->since_ns < EXIT_WORD_NS)
			return NULL;
		return report_gone(s, NULL, log, now_ns);
	default:
		return NULL;
	}
}

uint64_t sched_watch_due(const struct sched *s, uint64_t now_ns)
{
	switch (s->phase) {
	case SCHED_LOADED:
	case SCHED_ATTACHED:
	case SCHED_ENDING:
		return now_ns + WATCH_NS;
	default:
		return UINT64_MAX;
	}
}

json_t *sched_loader_exited(struct sched *s, int status, uint64_t now_ns)
{
	char why[64];

	s->pid = 0;
	if (s->phase != SCHED_LOADING && s->phase != SCHED_LOADED)
		return NULL;
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "the loader died of signal %d",
			 WTERMSIG(status));
	else
		snprintf(why, sizeof(why), "the loader exited with status %d",
			 WEXITSTATUS(status));
	return report_failed(s, ECHILD, why, now_ns);
}

json_t *sched_give_up(struct sched *s, uint64_t now_ns)
{
	const char *why = s->phase == SCHED_LOADED ?
				  "attaching takes too long" :
				  "loading takes too long";

	return report_failed(s, ETIMEDOUT, why, now_ns);
}

void sched_ask_detach(struct sched *s, uint64_t now_ns)
{
	enter(s, SCHED_DETACHING, now_ns);
	ask(s, LOADER_ASK_DETACH);
}

json_t *sched_detached(struct sched *s, const struct kmsg_exit *log,
		       uint64_t now_ns)
{
	if (s->phase != SCHED_DETACHING && s->phase != SCHED_DETACHED)
		return NULL;
	if (!log->seen || sched_exit_is_asked(sched_exit_kind(log->reason)))
		return NULL;
	return report_gone(s, s->recorded, log, now_ns);
}

void sched_kill(struct sched *s)
{
	if (s->pid > 0)
		kill(s->pid, SIGKILL);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	json_decref(s->recorded);
	s->recorded = NULL;
}

void sched_read_state(char state[32])
{
	sysfile_read(state, 32, "/sys/kernel/sched_ext/state");
}
