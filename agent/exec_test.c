// SPDX-License-Identifier: GPL-2.0-only
#include "agent/exec.h"

#include "agent/port.h"
#include "lib/clock.h"
#include "lib/test_run.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A host at the other end of a socket, that keeps what it is sent. */
struct rig {
	struct exec e;
	struct port port, host;
	char out[2][1 << 20];
	size_t len[2];
	uint64_t stdin_taken;
	bool ack;
};

static struct rig *rig_new(const char *script)
{
	struct rig *r = calloc(1, sizeof(*r));
	json_t *spec = json_pack("{s:[s,s,s], s:[s], s:s}", "argv", "/bin/sh",
				 "-c", script, "env", "PATH=/usr/bin:/bin",
				 "cwd", "/");
	int fds[2];

	ck_assert_ptr_nonnull(r);
	r->e = (struct exec)EXEC_INIT;
	r->ack = true;
	ck_assert_int_eq(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	port_init(&r->port, fds[0]);
	port_init(&r->host, fds[1]);
	ck_assert_int_eq(0, exec_start(&r->e, spec));
	json_decref(spec);
	return r;
}

static void rig_free(struct rig *r)
{
	exec_kill(&r->e);
	port_close(&r->port);
	port_close(&r->host);
	free(r);
}

static void host_takes(struct rig *r)
{
	struct frame f;
	json_t *body;
	int i;

	port_io(&r->host, POLLIN, 0);
	while (port_next(&r->host, &f) > 0) {
		if (f.type == KTSTR_MSG_EXEC_STDIN_TAKEN) {
			body = json_loadb((void *)f.payload, f.len, 0, NULL);
			r->stdin_taken += json_integer_value(
				json_object_get(body, "bytes"));
			json_decref(body);
			continue;
		}
		i = f.type == KTSTR_MSG_EXEC_STDERR;
		ck_assert(i || f.type == KTSTR_MSG_EXEC_STDOUT);
		ck_assert_uint_le(r->len[i] + f.len, sizeof(r->out[i]));
		memcpy(r->out[i] + r->len[i], f.payload, f.len);
		r->len[i] += f.len;
		if (r->ack)
			exec_taken(&r->e, f.len);
	}
}

static void turn(struct rig *r)
{
	struct pollfd fds[EXEC_NR_FDS];
	int status;

	exec_poll(&r->e, fds);
	poll(fds, EXEC_NR_FDS, 10);
	if (!r->e.exited && waitpid(r->e.pid, &status, WNOHANG) == r->e.pid)
		exec_exited(&r->e, status);
	exec_serve(&r->e, &r->port);
	port_io(&r->port, POLLOUT, 0);
	host_takes(r);
}

static void to_the_end(struct rig *r)
{
	while (!exec_is_over(&r->e))
		turn(r);
	while (r->port.tx_len)
		turn(r);
	host_takes(r);
}

static int end_value(const struct rig *r, const char *key)
{
	json_t *end = exec_end(&r->e), *v = json_object_get(end, key);
	int n = v ? (int)json_integer_value(v) : -1;

	json_decref(end);
	return n;
}

START_TEST(streams_stay_apart_and_the_status_is_told)
{
	struct rig *r = rig_new("echo out; echo err >&2; exit 3");

	to_the_end(r);
	ck_assert_mem_eq("out\n", r->out[0], 4);
	ck_assert_uint_eq(4, r->len[0]);
	ck_assert_mem_eq("err\n", r->out[1], 4);
	ck_assert_uint_eq(4, r->len[1]);
	ck_assert_int_eq(3, end_value(r, "exit"));
	rig_free(r);
}
END_TEST

START_TEST(stdin_arrives_with_its_end)
{
	struct rig *r = rig_new("cat; echo over");

	ck_assert_int_eq(0, exec_stdin(&r->e, "hello ", 6));
	turn(r);
	ck_assert_int_eq(0, exec_stdin(&r->e, "you\n", 4));
	ck_assert_int_eq(0, exec_stdin(&r->e, NULL, 0));
	to_the_end(r);
	ck_assert_uint_eq(15, r->len[0]);
	ck_assert_mem_eq("hello you\nover\n", r->out[0], 15);
	ck_assert_uint_eq(10, r->stdin_taken);
	rig_free(r);
}
END_TEST

START_TEST(stdin_that_nobody_reads_is_taken_all_the_same)
{
	static char big[KTSTR_EXEC_WINDOW];
	struct rig *r = rig_new("exec <&-; exec sleep 60");

	ck_assert_int_eq(0, exec_stdin(&r->e, big, sizeof(big)));
	while (r->stdin_taken < sizeof(big))
		turn(r);
	kill(r->e.pid, SIGKILL);
	to_the_end(r);
	rig_free(r);
}
END_TEST

START_TEST(more_stdin_than_the_window_is_refused)
{
	static char big[KTSTR_EXEC_WINDOW];
	struct exec e = EXEC_INIT;

	ck_assert_int_eq(0, exec_stdin(&e, big, sizeof(big)));
	ck_assert_int_eq(-ENOBUFS, exec_stdin(&e, big, 1));
}
END_TEST

START_TEST(a_host_that_does_not_read_stops_the_output)
{
	struct rig *r = rig_new("dd if=/dev/zero bs=4096 count=200 2>/dev/null");
	uint64_t end;

	r->ack = false;
	end = clock_now_ns() + 300 * NSEC_PER_MSEC;
	while (clock_now_ns() < end)
		turn(r);
	ck_assert_uint_eq(KTSTR_EXEC_WINDOW, r->len[0]);
	ck_assert(!exec_is_over(&r->e));
	r->ack = true;
	exec_taken(&r->e, KTSTR_EXEC_WINDOW);
	to_the_end(r);
	ck_assert_uint_eq(200 * 4096, r->len[0]);
	rig_free(r);
}
END_TEST

START_TEST(a_signal_is_named)
{
	struct rig *r = rig_new("kill -TERM $$");

	to_the_end(r);
	ck_assert_int_eq(SIGTERM, end_value(r, "signal"));
	rig_free(r);
}
END_TEST

START_TEST(who_keeps_the_pipe_does_not_keep_us)
{
	struct rig *r = rig_new("sleep 60 & echo $!");

	to_the_end(r);
	kill(atoi(r->out[0]), SIGKILL);
	ck_assert_int_eq(0, end_value(r, "exit"));
	rig_free(r);
}
END_TEST

START_TEST(what_is_no_program_is_127)
{
	struct rig *r = calloc(1, sizeof(*r));
	json_t *spec = json_pack("{s:[s], s:[], s:s}", "argv", "/no/such",
				 "env", "cwd", "/");
	int fds[2];

	r->e = (struct exec)EXEC_INIT;
	r->ack = true;
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	port_init(&r->port, fds[0]);
	port_init(&r->host, fds[1]);
	ck_assert_int_eq(0, exec_start(&r->e, spec));
	to_the_end(r);
	ck_assert_int_eq(127, end_value(r, "exit"));
	ck_assert_ptr_nonnull(strstr(r->out[1], "/no/such: No such file"));
	json_decref(spec);
	rig_free(r);
}
END_TEST

START_TEST(a_broken_plan_starts_nothing)
{
	struct exec e = EXEC_INIT;
	json_t *spec = json_pack("{s:[i], s:[], s:s}", "argv", 1, "env", "cwd",
				 "/");

	ck_assert_int_eq(-EINVAL, exec_start(&e, spec));
	ck_assert_int_eq(0, e.pid);
	json_decref(spec);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("exec");
	TCase *tc = tcase_create("exec");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, streams_stay_apart_and_the_status_is_told);
	tcase_add_test(tc, stdin_arrives_with_its_end);
	tcase_add_test(tc, stdin_that_nobody_reads_is_taken_all_the_same);
	tcase_add_test(tc, more_stdin_than_the_window_is_refused);
	tcase_add_test(tc, a_host_that_does_not_read_stops_the_output);
	tcase_add_test(tc, a_signal_is_named);
	tcase_add_test(tc, who_keeps_the_pipe_does_not_keep_us);
	tcase_add_test(tc, what_is_no_program_is_127);
	tcase_add_test(tc, a_broken_plan_starts_nothing);
	suite_add_tcase(s, tc);
	return test_run(s);
}
