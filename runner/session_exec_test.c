// SPDX-License-Identifier: GPL-2.0-only
/*
 * The streams of ktstr exec, with pipes for our own and a list for the agent.
 * What happens is driven: nothing here waits.
 */
#include "runner/session.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/path.h"
#include "lib/test_run.h"

#define PIPE_BYTES 65536

static struct session *s;
static char dir[] = "/tmp/ktstr-session-XXXXXX";
static int in_w;		/* what is typed */
static int out_r[2];		/* what is shown */

/* The agent: what it was sent. */
static char typed[4 * KTSTR_EXEC_WINDOW];
static size_t typed_len;
static unsigned int eofs;
static long long taken;
static int send_error;

/* The loop: what it watches, by descriptor. */
static void (*watched[3])(void *ctx, uint32_t events);

static int fake_send(struct session *ss, enum ktstr_msg type, const void *data,
		     size_t len)
{
	char text[64] = "";

	if (send_error)
		return send_error;
	if (type == KTSTR_MSG_EXEC_STDIN) {
		ck_assert_uint_le(typed_len + len, sizeof(typed));
		memcpy(typed + typed_len, data, len);
		typed_len += len;
		eofs += !len;
		return 0;
	}
	ck_assert_int_eq(KTSTR_MSG_EXEC_TAKEN, type);
	ck_assert_uint_lt(len, sizeof(text));
	memcpy(text, data, len);
	taken += atoll(strchr(text, ':') + 1);
	return 0;
}

static int fake_watch(struct session *ss, int fd, uint32_t events,
		      void (*fn)(void *ctx, uint32_t events))
{
	ck_assert_ptr_null(watched[fd]);
	ck_assert_uint_eq(fd ? EPOLLOUT : EPOLLIN, events);
	watched[fd] = fn;
	return 0;
}

static void fake_unwatch(struct session *ss, int fd)
{
	ck_assert_ptr_nonnull(watched[fd]);
	watched[fd] = NULL;
}

static const struct session_exec_ops ops = { fake_send, fake_watch,
					     fake_unwatch };

/* Our own streams become pipes; the test is a process of its own. */
static void setup(void)
{
	int fds[2], i;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(0, pipe(fds));
	dup2(fds[0], 0);
	close(fds[0]);
	in_w = fds[1];
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(0, pipe(fds));
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		dup2(fds[1], i + 1);
		close(fds[1]);
		out_r[i] = fds[0];
	}
	s = calloc(1, sizeof(*s));
	s->in_dir = s->out_dir = dir;
	s->plan = json_pack("{s:{}}", "exec");
	s->stage = SESSION_HELLO;
}

static void open_exec(void)
{
	ck_assert_int_eq(0, session_exec_open(s, &ops));
}

static void teardown(void)
{
	session_exec_close(s);
	json_decref(s->plan);
	free(s);
	path_remove_tree(dir);
}

static bool frame(enum ktstr_msg type, const void *data, size_t len)
{
	struct frame f = { .type = type, .len = len, .payload = data };

	return session_exec_frame(s, &f);
}

static void agent_says(enum ktstr_msg type, const char *text)
{
	ck_assert(frame(type, text, strlen(text)));
}

/* @n bytes of output, as many frames as it takes. */
static void agent_writes(enum ktstr_msg type, size_t n)
{
	static const char chunk[KTSTR_EXEC_CHUNK];

	for (; n; n -= n < sizeof(chunk) ? n : sizeof(chunk))
		ck_assert(frame(type, chunk,
				n < sizeof(chunk) ? n : sizeof(chunk)));
}

static void type_text(const char *text)
{
	ck_assert_int_eq(strlen(text), write(in_w, text, strlen(text)));
}

/* What has been shown on one of them so far, and not yet read. */
static size_t shown(int which, char *buf, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len && (n = read(out_r[which], buf + got, len - got)) > 0)
		got += n;
	return got;
}

static void assert_shown(int which, const char *want)
{
	char text[256];

	text[shown(which, text, sizeof(text) - 1)] = '\0';
	ck_assert_str_eq(want, text);
}

/* output */

START_TEST(each_stream_goes_to_its_own)
{
	open_exec();
	agent_says(KTSTR_MSG_EXEC_STDOUT, "out");
	agent_says(KTSTR_MSG_EXEC_STDERR, "error");
	assert_shown(0, "out");
	assert_shown(1, "error");
	ck_assert_int_eq(8, taken);
	ck_assert_ptr_null(watched[1]);
}
END_TEST

START_TEST(what_nobody_reads_yet_is_held_and_not_freed)
{
	static char buf[KTSTR_EXEC_WINDOW];

	open_exec();
	agent_writes(KTSTR_MSG_EXEC_STDOUT, 2 * PIPE_BYTES);
	ck_assert_int_eq(PIPE_BYTES, taken);
	ck_assert_ptr_nonnull(watched[1]);
	ck_assert_uint_eq(PIPE_BYTES, shown(0, buf, sizeof(buf)));
	watched[1](s, EPOLLOUT);
	ck_assert_int_eq(2 * PIPE_BYTES, taken);
	ck_assert_ptr_null(watched[1]);
	ck_assert_uint_eq(PIPE_BYTES, shown(0, buf, sizeof(buf)));
}
END_TEST

START_TEST(one_that_is_full_does_not_hold_up_the_other)
{
	open_exec();
	agent_writes(KTSTR_MSG_EXEC_STDOUT, 2 * PIPE_BYTES);
	agent_says(KTSTR_MSG_EXEC_STDERR, "error");
	assert_shown(1, "error");
}
END_TEST

START_TEST(an_agent_that_does_not_keep_to_the_window_is_not_listened_to)
{
	static char buf[2 * KTSTR_EXEC_WINDOW];
	size_t held = PIPE_BYTES + KTSTR_EXEC_WINDOW;

	open_exec();
	agent_writes(KTSTR_MSG_EXEC_STDOUT, held);
	ck_assert_uint_eq(0, s->ignored_msgs);
	agent_writes(KTSTR_MSG_EXEC_STDOUT, 1);
	agent_writes(KTSTR_MSG_EXEC_STDERR, 1);
	ck_assert_uint_eq(2, s->ignored_msgs);
	while (watched[1]) {
		shown(0, buf, sizeof(buf));
		watched[1](s, EPOLLOUT);
	}
	ck_assert_int_eq(held, taken);
	assert_shown(1, "");
}
END_TEST

START_TEST(a_reader_that_is_gone_does_not_hold_up_the_program)
{
	open_exec();
	close(out_r[0]);
	agent_writes(KTSTR_MSG_EXEC_STDOUT, 2 * PIPE_BYTES);
	ck_assert_int_eq(2 * PIPE_BYTES, taken);
	agent_says(KTSTR_MSG_EXEC_STDERR, "error");
	assert_shown(1, "error");
	ck_assert_int_eq(0, session_exec_finish(s));
}
END_TEST

/* input */

START_TEST(nothing_is_sent_before_there_is_an_agent)
{
	s->stage = SESSION_BOOT;
	open_exec();
	type_text("early");
	ck_assert(!frame(KTSTR_MSG_LOG, "x", 1));
	ck_assert_uint_eq(0, typed_len);
	s->stage = SESSION_HELLO;
	ck_assert(!frame(KTSTR_MSG_HELLO, "{}", 2));
	ck_assert_uint_eq(5, typed_len);
}
END_TEST

START_TEST(what_is_typed_later_is_sent_when_it_comes)
{
	open_exec();
	ck_assert(!frame(KTSTR_MSG_LOG, "x", 1));
	ck_assert_uint_eq(0, typed_len);
	ck_assert_ptr_nonnull(watched[0]);
	type_text("one\n");
	watched[0](s, EPOLLIN);
	ck_assert_uint_eq(4, typed_len);
	ck_assert_uint_eq(0, eofs);
	type_text("two\n");
	watched[0](s, EPOLLIN);
	close(in_w);
	watched[0](s, EPOLLIN | EPOLLHUP);
	ck_assert_uint_eq(1, eofs);
	ck_assert_mem_eq("one\ntwo\n", typed, 8);
	ck_assert_ptr_null(watched[0]);
}
END_TEST

START_TEST(no_more_is_sent_than_the_program_may_leave_unread)
{
	static char much[KTSTR_EXEC_CHUNK];
	size_t sent = 0;

	open_exec();
	ck_assert(!frame(KTSTR_MSG_LOG, "x", 1));
	while (watched[0]) {
		ck_assert_int_eq(sizeof(much), write(in_w, much,
						     sizeof(much)));
		sent += sizeof(much);
		watched[0](s, EPOLLIN);
	}
	ck_assert_uint_eq(KTSTR_EXEC_WINDOW, sent);
	ck_assert_uint_eq(sent, typed_len);
	type_text("more");
	agent_says(KTSTR_MSG_EXEC_STDIN_TAKEN, "{\"bytes\": 16383}");
	ck_assert_uint_eq(sent, typed_len);
	agent_says(KTSTR_MSG_EXEC_STDIN_TAKEN, "{\"bytes\": 1}");
	ck_assert_uint_eq(sent + 4, typed_len);
	ck_assert_ptr_null(watched[0]); /* less than a chunk is free */
	ck_assert_uint_eq(0, s->ignored_msgs);
}
END_TEST

static const char *const bad_takens[] = {
	"{\"bytes\": 5}", "{\"bytes\": -1}",
	"{\"bytes\": 9223372036854775807}",
};

START_TEST(more_taken_than_was_sent_is_not_believed)
{
	open_exec();
	type_text("four");
	agent_says(KTSTR_MSG_EXEC_STDIN_TAKEN, bad_takens[_i]);
	ck_assert_uint_eq(1, s->ignored_msgs);
	agent_says(KTSTR_MSG_EXEC_STDIN_TAKEN, "{\"bytes\": 4}");
	ck_assert_uint_eq(1, s->ignored_msgs);
	agent_says(KTSTR_MSG_EXEC_STDIN_TAKEN, "no JSON");
	ck_assert_uint_eq(1, s->ignored_msgs); /* none taken: harmless */
}
END_TEST

START_TEST(an_agent_that_can_not_be_reached_ends_the_input)
{
	open_exec();
	type_text("lost");
	send_error = -EPIPE;
	ck_assert(!frame(KTSTR_MSG_LOG, "x", 1));
	ck_assert_ptr_null(watched[0]);
}
END_TEST

START_TEST(a_file_of_the_prepared_folder_is_the_input)
{
	char *path = path_join(dir, "stdin");

	ck_assert_int_eq(0, path_write_file(path, "saved", 5));
	free(path);
	type_text("typed");
	open_exec();
	ck_assert(!frame(KTSTR_MSG_LOG, "x", 1));
	ck_assert_uint_eq(5, typed_len);
	ck_assert_mem_eq("saved", typed, 5);
	ck_assert_uint_eq(1, eofs);
}
END_TEST

/* the end */

static void assert_end(const char *want)
{
	char *path = path_join(dir, "exec.json");
	json_t *is = json_load_file(path, 0, NULL);
	json_t *e = want ? json_loads(want, 0, NULL) : NULL;

	ck_assert(want ? json_equal(e, is) : !is);
	json_decref(is);
	json_decref(e);
	free(path);
}

START_TEST(the_end_is_written_after_what_was_held)
{
	static char buf[2 * PIPE_BYTES];

	open_exec();
	agent_writes(KTSTR_MSG_EXEC_STDOUT, PIPE_BYTES);
	agent_says(KTSTR_MSG_EXEC_STDOUT, "last");
	agent_says(KTSTR_MSG_EXEC_EXIT, "{\"exit\": 7}");
	assert_end(NULL);
	ck_assert_uint_eq(PIPE_BYTES, shown(0, buf, sizeof(buf)));
	ck_assert_int_eq(0, session_exec_finish(s));
	assert_shown(0, "last");
	assert_end("{\"exit\": 7}");
}
END_TEST

START_TEST(without_an_end_none_is_written)
{
	open_exec();
	agent_says(KTSTR_MSG_EXEC_EXIT, "no JSON");
	ck_assert_int_eq(0, session_exec_finish(s));
	assert_end(NULL);
}
END_TEST

START_TEST(a_plan_without_exec_has_no_streams)
{
	json_object_del(s->plan, "exec");
	open_exec();
	ck_assert(!frame(KTSTR_MSG_EXEC_STDOUT, "x", 1));
	ck_assert_int_eq(0, session_exec_finish(s));
	assert_shown(0, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_exec");
	TCase *tc = tcase_create("session_exec");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_stream_goes_to_its_own);
	tcase_add_test(tc, what_nobody_reads_yet_is_held_and_not_freed);
	tcase_add_test(tc, one_that_is_full_does_not_hold_up_the_other);
	tcase_add_test(tc,
	    an_agent_that_does_not_keep_to_the_window_is_not_listened_to);
	tcase_add_test(tc, a_reader_that_is_gone_does_not_hold_up_the_program);
	tcase_add_test(tc, nothing_is_sent_before_there_is_an_agent);
	tcase_add_test(tc, what_is_typed_later_is_sent_when_it_comes);
	tcase_add_test(tc, no_more_is_sent_than_the_program_may_leave_unread);
	tcase_add_loop_test(tc, more_taken_than_was_sent_is_not_believed, 0,
			    3);
	tcase_add_test(tc, an_agent_that_can_not_be_reached_ends_the_input);
	tcase_add_test(tc, a_file_of_the_prepared_folder_is_the_input);
	tcase_add_test(tc, the_end_is_written_after_what_was_held);
	tcase_add_test(tc, without_an_end_none_is_written);
	tcase_add_test(tc, a_plan_without_exec_has_no_streams);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
