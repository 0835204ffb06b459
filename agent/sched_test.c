// SPDX-License-Identifier: GPL-2.0-only
/* PID 1's half of the loader, against a loader that the test plays. */
#include "agent/sched.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/json_text.h"
#include "agent/kmsg.h"
#include "agent/sched_loader.h"
#include "lib/clock.h"
#include "lib/test_run.h"

static struct sched s;
static int loader;
static const struct kmsg_exit no_log;
static const struct kmsg_exit stall_log = {
	.seen = true,
	.scheduler = "simple",
	.reason = "runnable task stall",
	.message = "web/1[102] failed to run for 2.056s",
};

static void setup(void)
{
	int fds[2];

	ck_assert_int_eq(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	loader = fds[1];
	s = (struct sched){ .name = "simple", .fd = fds[0],
			    .phase = SCHED_LOADING, .since_ns = 100 };
}

static void teardown(void)
{
	sched_kill(&s);
	close(loader);
}

static void say(const char *packet)
{
	ck_assert_int_eq(strlen(packet), send(loader, packet, strlen(packet),
					      0));
}

/* The one packet that waits; its SCHED message's state, "" for none. */
static const char *receive(uint64_t now_ns)
{
	static char state[32];
	json_t *body;

	ck_assert(sched_receive(&s, &stall_log, now_ns, &body));
	snprintf(state, sizeof(state), "%s",
		 body ? json_string_value(json_object_get(body, "state")) : "");
	json_decref(body);
	return state;
}

static char asked(void)
{
	char c = 0;

	recv(loader, &c, 1, MSG_DONTWAIT);
	return c;
}

static void attach(void)
{
	say("L{\"state\": \"loaded\"}");
	ck_assert_str_eq("loaded", receive(200));
	say("A{\"state\": \"attached\"}");
	ck_assert_str_eq("attached", receive(300));
	ck_assert_int_eq(SCHED_ATTACHED, s.phase);
}

START_TEST(what_the_loader_says_is_sent_on)
{
	ck_assert_uint_eq(UINT64_MAX, sched_watch_due(&s, 0));
	attach();
	ck_assert_uint_lt(sched_watch_due(&s, 0), 100 * NSEC_PER_MSEC);
	ck_assert_ptr_null(sched_watch(&s, "enabled", &no_log, 400));
}
END_TEST

START_TEST(words_out_of_order_are_ignored)
{
	say("A{\"state\": \"attached\"}");
	ck_assert_str_eq("", receive(200));
	say("X{}");
	ck_assert_str_eq("", receive(200));
	say("D{}");
	ck_assert_str_eq("", receive(200));
	say("?{}");
	ck_assert_str_eq("", receive(200));
	say("L[not json");
	ck_assert_str_eq("", receive(200));
	ck_assert_int_eq(SCHED_LOADING, s.phase);
	attach();
	say("F{\"state\": \"failed\"}");
	ck_assert_str_eq("", receive(400));
	ck_assert_int_eq(SCHED_ATTACHED, s.phase);
}
END_TEST

START_TEST(an_end_is_reported_with_what_the_loader_recorded)
{
	json_t *body, *exit;

	attach();
	ck_assert_ptr_null(sched_watch(&s, "disabling", &stall_log, 400));
	ck_assert_int_eq(0, asked());
	ck_assert_ptr_null(sched_watch(&s, "disabled", &stall_log, 500));
	ck_assert_int_eq(LOADER_ASK_EXIT, asked());
	say("X{\"kind\": 1026, \"code\": 3, \"dump\": \"d\"}");
	ck_assert(sched_receive(&s, &stall_log, 600, &body));
	exit = json_object_get(body, "exit");
	ck_assert_str_eq("gone", json_string_value(json_object_get(body,
								   "state")));
	ck_assert_int_eq(1026, json_integer_value(json_object_get(exit,
								  "kind")));
	ck_assert_str_eq("d", json_string_value(json_object_get(exit, "dump")));
	ck_assert_str_eq(stall_log.message,
			 json_string_value(json_object_get(exit, "message")));
	json_decref(body);
	/* once */
	ck_assert_ptr_null(sched_watch(&s, "disabled", &stall_log, 700));
	ck_assert_ptr_null(sched_detached(&s, &stall_log, 800));
}
END_TEST

START_TEST(an_end_is_reported_without_the_loader_too)
{
	uint64_t asked_ns = 500;
	json_t *body;

	attach();
	ck_assert_ptr_null(sched_watch(&s, "disabled", &stall_log, asked_ns));
	ck_assert_ptr_null(sched_watch(&s, "disabled", &stall_log,
				       asked_ns + NSEC_PER_SEC - 1));
	body = sched_watch(&s, "disabled", &stall_log, asked_ns + NSEC_PER_SEC);
	ck_assert_ptr_nonnull(body);
	ck_assert_int_eq(1026, json_integer_value(json_object_get(
				       json_object_get(body, "exit"), "kind")));
	json_decref(body);
}
END_TEST

START_TEST(a_scheduler_that_starves_its_loader_counts_as_attached)
{
	json_t *body;

	say("L{\"state\": \"loaded\"}");
	ck_assert_str_eq("loaded", receive(1000));
	ck_assert_ptr_null(sched_watch(&s, "enabling", &no_log, 2000));
	ck_assert_ptr_null(sched_watch(&s, "enabled", &no_log, 3000));
	body = sched_watch(&s, "enabled", &no_log, 3000 + NSEC_PER_SEC);
	ck_assert_str_eq("attached", json_string_value(json_object_get(body,
								       "state")));
	/* the time it took, not the time it was waited for */
	ck_assert_int_eq(2000, json_integer_value(json_object_get(body,
								  "attach_ns")));
	json_decref(body);
	/* its own word, late, is not sent a second time */
	say("A{\"state\": \"attached\"}");
	ck_assert_str_eq("", receive(4 * NSEC_PER_SEC));
}
END_TEST

START_TEST(a_loader_that_dies_is_a_scheduler_that_failed)
{
	json_t *body = sched_loader_exited(&s, 9 /* SIGKILL */, 200);

	ck_assert_str_eq("failed", json_string_value(json_object_get(body,
								     "state")));
	ck_assert_str_eq("load", json_string_value(json_object_get(body,
								   "stage")));
	ck_assert_ptr_nonnull(strstr(json_string_value(
		json_object_get(body, "message")), "signal 9"));
	json_decref(body);
	ck_assert_int_eq(SCHED_FAILED, s.phase);
	ck_assert_ptr_null(sched_loader_exited(&s, 0, 300));
}
END_TEST

START_TEST(a_slow_attach_is_given_up_by_its_stage)
{
	json_t *body;

	say("L{\"state\": \"loaded\"}");
	ck_assert_str_eq("loaded", receive(200));
	body = sched_give_up(&s, 300);
	ck_assert_str_eq("attach", json_string_value(json_object_get(body,
								     "stage")));
	ck_assert_int_eq(ETIMEDOUT, json_integer_value(json_object_get(body,
								       "errno")));
	json_decref(body);
}
END_TEST

START_TEST(detaching_is_told_from_ending)
{
	static const struct kmsg_exit ours = {
		.seen = true,
		.reason = "unregistered from user space",
	};
	json_t *body;

	attach();
	sched_ask_detach(&s, 400);
	ck_assert_int_eq(LOADER_ASK_DETACH, asked());
	ck_assert_ptr_null(sched_watch(&s, "disabled", &ours, 500));
	say("D{\"detach_ns\": 77, \"exit\": {\"kind\": 1026, \"code\": 5}}");
	ck_assert_str_eq("", receive(600));
	ck_assert_int_eq(SCHED_DETACHED, s.phase);
	ck_assert_uint_eq(77, s.detach_ns);
	ck_assert_ptr_null(sched_detached(&s, &ours, 700));
	/* the same, but the kernel says that it was not us */
	body = sched_detached(&s, &stall_log, 700);
	ck_assert_str_eq("gone", json_string_value(json_object_get(body,
								   "state")));
	ck_assert_int_eq(5, json_integer_value(json_object_get(
				    json_object_get(body, "exit"), "code")));
	json_decref(body);
}
END_TEST

START_TEST(the_end_of_the_socket_is_not_read_again)
{
	json_t *body;

	close(loader);
	ck_assert(!sched_receive(&s, &no_log, 200, &body));
	ck_assert_ptr_null(body);
	ck_assert_int_eq(-1, s.fd);
	loader = dup(0);
}
END_TEST

START_TEST(text_of_any_origin_becomes_json)
{
	const char raw[8] = { 'a', '\n', (char)0xff, 1, '"', 'b', 'c', 'd' };
	json_t *t = json_text(raw, sizeof(raw)); /* has no NUL */

	ck_assert_str_eq("a\n?\?\"bcd", json_string_value(t));
	json_decref(t);
	t = json_text_tail("0123456789", 4);
	ck_assert_str_eq("6789", json_string_value(t));
	json_decref(t);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("agent/sched");
	TCase *tc = tcase_create("sched");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_the_loader_says_is_sent_on);
	tcase_add_test(tc, words_out_of_order_are_ignored);
	tcase_add_test(tc, an_end_is_reported_with_what_the_loader_recorded);
	tcase_add_test(tc, an_end_is_reported_without_the_loader_too);
	tcase_add_test(tc,
		       a_scheduler_that_starves_its_loader_counts_as_attached);
	tcase_add_test(tc, a_loader_that_dies_is_a_scheduler_that_failed);
	tcase_add_test(tc, a_slow_attach_is_given_up_by_its_stage);
	tcase_add_test(tc, detaching_is_told_from_ending);
	tcase_add_test(tc, the_end_of_the_socket_is_not_read_again);
	tcase_add_test(tc, text_of_any_origin_becomes_json);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
