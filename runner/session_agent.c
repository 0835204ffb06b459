// SPDX-License-Identifier: GPL-2.0-only
/* The agent's messages: each checked, then acted on. */
#include "runner/session.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "runner/sampler.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

#define AGENT_LOG_MAX (4u << 20)
#define KMSG_PROBLEMS_MAX 64

/* A phase that takes this much longer than asked has a guest that hangs. */
#define PHASE_SLACK_NS (15 * NSEC_PER_SEC)

int session_send_bytes(struct session *s, enum ktstr_msg type,
		       const void *data, size_t len)
{
	struct ktstr_frame_hdr hdr;
	char *msg = malloc(sizeof(hdr) + len);
	int err = -ENOMEM;

	if (msg)
		err = frame_hdr_fill(&hdr, type, s->tx_seq, data, len);
	if (!err) {
		/* in one piece: half a message would break the stream */
		memcpy(msg, &hdr, sizeof(hdr));
		memcpy(msg + sizeof(hdr), data, len);
		err = vm_port_send(s->vm, msg, sizeof(hdr) + len);
	}
	if (!err)
		s->tx_seq++;
	else
		log_err("session: message %d to the agent: %s", type,
			strerror(-err));
	free(msg);
	return err;
}

int session_send(struct session *s, enum ktstr_msg type, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);
	int err = text ? session_send_bytes(s, type, text, strlen(text)) :
		-ENOMEM;

	free(text);
	json_decref(body);
	return err;
}

static void keep(json_t **slot, json_t *body)
{
	json_decref(*slot);
	*slot = json_incref(body);
}

static void on_hello(struct session *s, json_t *body)
{
	if (s->stage != SESSION_BOOT) {
		s->ignored_msgs++;
		return;
	}
	keep(&s->hello, body);
	s->hello_ns = clock_now_ns();
	s->stage = SESSION_HELLO;
	log_info("guest: agent is up after %.1f s",
		 (s->hello_ns - s->start_ns) / 1e9);
	session_open_sampler(s);
}

static void on_topology(struct session *s, json_t *body)
{
	keep(&s->topology, body);
}

static void on_shm(struct session *s, json_t *body)
{
	s->shm_map_id = json_integer_value(json_object_get(body, "map_id"));
	session_open_io_wake(s);
}

static void on_sched(struct session *s, json_t *body)
{
	const char *state = json_string_value(json_object_get(body, "state"));

	if (!state) {
		s->ignored_msgs++;
		return;
	}
	if (!s->sched)
		s->sched = json_object();
	json_object_update(s->sched, body);
	if (!strcmp(state, "loaded")) {
		session_watch_maps(s, json_object_get(body, "maps"));
	} else if (!strcmp(state, "attached")) {
		/* a program's are known only now */
		session_watch_maps(s, json_object_get(body, "maps"));
		if (s->stage < SESSION_SCHEDULER)
			s->stage = SESSION_SCHEDULER;
		session_looks_watch(s);
	} else if (!strcmp(state, "failed")) {
		log_info("scheduler: %s: %s",
			 json_string_value(json_object_get(body, "stage")),
			 json_string_value(json_object_get(body, "message")));
	} else if (!strcmp(state, "gone")) {
		json_t *plan = json_object_get(s->plan, "scheduler");
		const char *expect =
			json_string_value(json_object_get(plan, "expect"));

		log_info("scheduler: it is gone");
		session_look_death(s, LOOK_SEEN_MESSAGE);
		/* its verdict is known: don't make the user wait */
		if (!expect || !strcmp(expect, "running"))
			session_send(s, KTSTR_MSG_STOP,
				     json_pack("{s:s}", "reason",
					       "the scheduler is gone"));
	}
}

static void on_ready(struct session *s, json_t *body)
{
	if (s->stage < SESSION_HELLO) {
		s->ignored_msgs++;
		return;
	}
	s->ready_ns = clock_now_ns();
	s->stage = SESSION_READY;
	keep(&s->tracing_programs, json_object_get(body, "tracing_programs"));
	keep(&s->leaves, json_object_get(body, "leaves"));
}

/* The index of a phase message, or false and it is counted. */
static bool phase_index(struct session *s, json_t *body, uint32_t *index)
{
	json_t *v = json_object_get(body, "index");

	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    json_integer_value(v) >= s->nr_phases) {
		s->ignored_msgs++;
		return false;
	}
	*index = json_integer_value(v);
	return true;
}

static uint64_t guest_ns(json_t *body)
{
	json_int_t v = json_integer_value(json_object_get(body, "guest_ns"));

	return v > 0 ? v : 0;
}

static void arm_overrun(struct session *s, uint64_t wait_ns)
{
	struct itimerspec its = { .it_value = clock_to_timespec(wait_ns) };

	if (timerfd_settime(s->timer_fd, 0, &its, NULL))
		log_err("session: timer: %s", strerror(errno));
}

void session_go_on(struct session *s)
{
	uint32_t i = s->phase;
	json_t *phase;

	if (!session_phase_steps(s, i))
		return;
	session_phase_begin(s, i);
	phase = json_array_get(json_object_get(s->plan, "phases"), i);
	log_info("phase %s: %.1f s%s",
		 json_string_value(json_object_get(phase, "name")),
		 json_integer_value(json_object_get(phase, "duration_ns")) / 1e9,
		 json_is_true(json_object_get(phase, "measure")) ? "" :
		 ", not measured");
	arm_overrun(s, json_integer_value(json_object_get(phase, "duration_ns"))
		    + PHASE_SLACK_NS);
	session_send(s, KTSTR_MSG_GO, json_pack("{s:i}", "index", (int)i));
}

static void on_phase_ready(struct session *s, json_t *body)
{
	uint32_t i;

	if (!phase_index(s, body, &i))
		return;
	if (s->phases[i].begun || s->stage < SESSION_READY || s->step_waits) {
		s->ignored_msgs++;
		return;
	}
	s->stage = SESSION_PHASES;
	s->phase = i;
	s->step = 0;
	arm_overrun(s, PHASE_SLACK_NS);
	session_go_on(s);
}

static void on_phase_start(struct session *s, json_t *body)
{
	uint32_t i;

	if (!phase_index(s, body, &i) || !s->phases[i].begun ||
	    s->phases[i].guest_start_ns)
		return;
	s->phases[i].guest_start_ns = guest_ns(body);
	session_looks_phase_start(s, i);
}

static void on_phase_end(struct session *s, json_t *body)
{
	uint32_t i;

	if (!phase_index(s, body, &i))
		return;
	if (!s->phases[i].begun || s->phases[i].ended) {
		s->ignored_msgs++;
		return;
	}
	s->phases[i].guest_end_ns = guest_ns(body);
	keep(&s->phases[i].end_msg, body);
	session_looks_phase_end(s);
	session_phase_end(s, i);
	s->phase = KTSTR_SHM_NO_PHASE;
	arm_overrun(s, PHASE_SLACK_NS);
}

static void on_fatal(struct session *s, json_t *body)
{
	keep(&s->fatal, body);
	log_err("agent: %s: %s",
		json_string_value(json_object_get(body, "stage")),
		json_string_value(json_object_get(body, "message")));
}

static void on_done(struct session *s, json_t *body)
{
	keep(&s->done, body);
	s->stage = SESSION_DONE;
	vm_stop(s->vm, SESSION_STOP_DONE);
}

static const struct {
	enum ktstr_msg type;
	void (*fn)(struct session *s, json_t *body);
} json_msgs[] = {
	{ KTSTR_MSG_HELLO, on_hello },
	{ KTSTR_MSG_TOPOLOGY, on_topology },
	{ KTSTR_MSG_SHM, on_shm },
	{ KTSTR_MSG_SCHED, on_sched },
	{ KTSTR_MSG_OBSERVER, session_on_observer },
	{ KTSTR_MSG_READY, on_ready },
	{ KTSTR_MSG_PHASE_READY, on_phase_ready },
	{ KTSTR_MSG_PHASE_START, on_phase_start },
	{ KTSTR_MSG_PHASE_END, on_phase_end },
	{ KTSTR_MSG_CLOCK, session_on_clock },
	{ KTSTR_MSG_WRITTEN, session_on_written },
	{ KTSTR_MSG_FATAL, on_fatal },
	{ KTSTR_MSG_DONE, on_done },
};

static void log_text(struct session *s, const struct frame *f)
{
	if (!s->agent_log || s->agent_log_bytes > AGENT_LOG_MAX)
		return;
	fprintf(s->agent_log, "[%9.3f] ", (clock_now_ns() - s->start_ns) / 1e9);
	fwrite(f->payload, 1, f->len, s->agent_log);
	if (!f->len || f->payload[f->len - 1] != '\n')
		fputc('\n', s->agent_log);
	fflush(s->agent_log);
	s->agent_log_bytes += f->len + 16;
}

/* What in a kernel log means that the guest itself was not well. */
static const char *const problem_marks[] = {
	"Oops", "BUG:", "Kernel panic", "general protection fault",
	"soft lockup", "hard LOCKUP", "blocked for more than",
	"rcu_sched self-detected", "rcu_preempt self-detected",
	"rcu: INFO:", "[ cut here ]", "stack guard page was hit",
};

static bool is_problem(const char *line)
{
	size_t i;

	for (i = 0; i < sizeof(problem_marks) / sizeof(problem_marks[0]); i++)
		if (strstr(line, problem_marks[i]))
			return true;
	return false;
}

static void on_kmsg(struct session *s, const struct frame *f)
{
	char *text = strndup((const char *)f->payload, f->len);
	char *line, *save;

	log_text(s, f);
	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *msg = strchr(line, ';');

		if (!is_problem(line) ||
		    json_array_size(s->kmsg_problems) >= KMSG_PROBLEMS_MAX)
			continue;
		/* not UTF-8: jansson says NULL, and the array takes nothing */
		json_array_append_new(s->kmsg_problems,
				      json_string(msg ? msg + 1 : line));
	}
	free(text);
}

static void on_frame(struct session *s, const struct frame *f)
{
	json_t *body;
	size_t i;

	if (session_exec_frame(s, f) || session_load_frame(s, f))
		return;
	if (f->type == KTSTR_MSG_LOG) {
		log_text(s, f);
		return;
	}
	if (f->type == KTSTR_MSG_KMSG) {
		on_kmsg(s, f);
		return;
	}
	for (i = 0; i < sizeof(json_msgs) / sizeof(json_msgs[0]); i++)
		if (json_msgs[i].type == f->type)
			break;
	if (i == sizeof(json_msgs) / sizeof(json_msgs[0])) {
		s->ignored_msgs++;
		return;
	}
	body = json_loadb((const char *)f->payload, f->len, 0, NULL);
	if (json_is_object(body))
		json_msgs[i].fn(s, body);
	else
		s->ignored_msgs++;
	json_decref(body);
}

static void protocol_error(struct session *s, const char *what)
{
	if (*s->protocol_error)
		return;
	snprintf(s->protocol_error, sizeof(s->protocol_error),
		 "%s after %" PRIu64 " messages", what, s->reader.frames);
	log_err("session: agent's stream: %s", s->protocol_error);
	vm_stop(s->vm, SESSION_STOP_PROTOCOL);
}

void session_on_bytes(struct session *s, const void *data, size_t len)
{
	struct frame f;
	int r;

	if (*s->protocol_error)
		return;
	if (frame_reader_feed(&s->reader, data, len)) {
		protocol_error(s, "out of memory");
		return;
	}
	while ((r = frame_reader_next(&s->reader, &f)) > 0)
		on_frame(s, &f);
	if (r < 0)
		protocol_error(s, "broken frame");
}
