// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ktstr exec`: the program's streams between the agent and our own. All on
 * the main loop's thread, which never blocks: a pipe that is ready takes
 * PIPE_BUF bytes, and we do not touch the flags of what others share with us.
 */
#include "runner/session.h"

#include "lib/log.h"
#include "lib/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct out_stream {
	int fd;
	bool broken;		/* nobody reads it: the bytes are dropped */
	bool watched;
	uint8_t buf[KTSTR_EXEC_WINDOW];
	size_t len;
};

struct session_exec {
	const struct session_exec_ops *ops;	/* borrowed */
	struct out_stream out[2];
	size_t passed_on;	/* to be told to the agent */
	int in_fd;
	bool in_started, in_ended, in_watched;
	size_t in_unread;	/* sent, and not yet taken by the program */
	json_t *end;		/* EXEC_EXIT as sent */
};

static bool ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) == 1;
}

static void pump_in(struct session *s);
static void pump_out(struct session *s);

static void on_in(void *ctx, uint32_t events)
{
	pump_in(ctx);
}

static void on_out(void *ctx, uint32_t events)
{
	pump_out(ctx);
}

/* Files that epoll does not take are always ready. */
static void watch(struct session *s, int fd, bool want, bool *watched,
		  uint32_t events, void (*fn)(void *ctx, uint32_t events))
{
	if (want == *watched)
		return;
	*watched = want;
	if (!want)
		s->exec->ops->unwatch(s, fd);
	else if (s->exec->ops->watch(s, fd, events, fn))
		*watched = false;
}

static void pump_in(struct session *s)
{
	struct session_exec *x = s->exec;
	uint8_t buf[KTSTR_EXEC_CHUNK];

	while (!x->in_ended &&
	       x->in_unread + sizeof(buf) <= KTSTR_EXEC_WINDOW &&
	       ready(x->in_fd, POLLIN)) {
		ssize_t n = read(x->in_fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			log_warn("exec: stdin: %s", strerror(errno));
			n = 0;
		}
		if (x->ops->send(s, KTSTR_MSG_EXEC_STDIN, buf, n))
			n = 0;
		x->in_unread += n;
		x->in_ended = !n;
	}
	watch(s, x->in_fd, !x->in_ended &&
	      x->in_unread + sizeof(buf) <= KTSTR_EXEC_WINDOW, &x->in_watched,
	      EPOLLIN, on_in);
}

/* Return: false when nothing could be written now. */
static bool write_some(struct session_exec *x, struct out_stream *o)
{
	size_t max = o->len < PIPE_BUF ? o->len : PIPE_BUF;
	ssize_t n = max;

	if (!o->broken) {
		if (!ready(o->fd, POLLOUT))
			return false;
		n = write(o->fd, o->buf, max);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		o->broken = true;
		return true;
	}
	memmove(o->buf, o->buf + n, o->len - n);
	o->len -= n;
	x->passed_on += n;
	return true;
}

static void pump_out(struct session *s)
{
	struct session_exec *x = s->exec;
	char body[48];
	int i, len;

	for (i = 0; i < 2; i++) {
		struct out_stream *o = &x->out[i];

		while (o->len && write_some(x, o))
			;
		watch(s, o->fd, o->len, &o->watched, EPOLLOUT, on_out);
	}
	if (!x->passed_on)
		return;
	len = snprintf(body, sizeof(body), "{\"bytes\": %zu}", x->passed_on);
	x->ops->send(s, KTSTR_MSG_EXEC_TAKEN, body, len);
	x->passed_on = 0;
}

static void take_output(struct session *s, struct out_stream *o,
			const struct frame *f)
{
	struct session_exec *x = s->exec;

	if (f->len > KTSTR_EXEC_WINDOW - x->out[0].len - x->out[1].len) {
		s->ignored_msgs++; /* it does not keep to the window */
		return;
	}
	memcpy(o->buf + o->len, f->payload, f->len);
	o->len += f->len;
	pump_out(s);
}

static void stdin_taken(struct session *s, const struct frame *f)
{
	struct session_exec *x = s->exec;
	json_t *body = json_loadb((const char *)f->payload, f->len, 0, NULL);
	json_int_t n = json_integer_value(json_object_get(body, "bytes"));

	json_decref(body);
	if (n < 0 || (uint64_t)n > x->in_unread) {
		s->ignored_msgs++;
		return;
	}
	x->in_unread -= n;
	pump_in(s);
}

bool session_exec_frame(struct session *s, const struct frame *f)
{
	struct session_exec *x = s->exec;

	if (!x)
		return false;
	if (!x->in_started && s->stage >= SESSION_HELLO) {
		x->in_started = true;
		pump_in(s);
	}
	switch (f->type) {
	case KTSTR_MSG_EXEC_STDOUT:
		take_output(s, &x->out[0], f);
		return true;
	case KTSTR_MSG_EXEC_STDERR:
		take_output(s, &x->out[1], f);
		return true;
	case KTSTR_MSG_EXEC_STDIN_TAKEN:
		stdin_taken(s, f);
		return true;
	case KTSTR_MSG_EXEC_EXIT:
		json_decref(x->end);
		x->end = json_loadb((const char *)f->payload, f->len, 0, NULL);
		return true;
	default:
		return false;
	}
}

int session_exec_open(struct session *s, const struct session_exec_ops *ops)
{
	char *path;

	if (!json_object_get(s->plan, "exec"))
		return 0;
	s->exec = calloc(1, sizeof(*s->exec));
	path = path_join(s->in_dir, "stdin");
	if (!s->exec || !path) {
		free(path);
		return -ENOMEM;
	}
	s->exec->ops = ops;
	s->exec->out[0].fd = STDOUT_FILENO;
	s->exec->out[1].fd = STDERR_FILENO;
	s->exec->in_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->exec->in_fd < 0)
		s->exec->in_fd = STDIN_FILENO;
	free(path);
	/* the program's stderr is not the place for how we get on */
	log_set_level(LOG_LVL_WARN);
	return 0;
}

int session_exec_finish(struct session *s)
{
	struct session_exec *x = s->exec;
	char *path, *text;
	int err = 0, i;

	if (!x)
		return 0;
	/* the VM has ended: nothing is held up any more but ourselves */
	for (i = 0; i < 2; i++)
		if (!x->out[i].broken)
			write_all(x->out[i].fd, x->out[i].buf, x->out[i].len);
	if (!json_is_object(x->end))
		return 0;
	path = path_join(s->out_dir, "exec.json");
	text = json_dumps(x->end, 0);
	err = path && text ? path_write_file(path, text, strlen(text)) :
		-ENOMEM;
	if (err)
		log_err("exec: exec.json: %s", strerror(-err));
	free(path);
	free(text);
	return err;
}

void session_exec_close(struct session *s)
{
	if (!s->exec)
		return;
	if (s->exec->in_fd > STDERR_FILENO)
		close(s->exec->in_fd);
	json_decref(s->exec->end);
	free(s->exec);
}
