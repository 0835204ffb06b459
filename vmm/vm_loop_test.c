// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/vm_loop.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/test_run.h"

struct watched {
	struct loop *loop;
	int fd;
	unsigned int calls;
	int del_fd, add_fd;	/* from within the callback; -1: none */
	struct watched *other;
};

static void on_event(void *ctx, uint32_t events)
{
	struct watched *w = ctx;

	w->calls++;
	ck_assert_uint_ne(0, events & EPOLLIN);
	if (w->del_fd >= 0)
		loop_del(w->loop, w->del_fd);
	if (w->add_fd >= 0)
		ck_assert_int_eq(0, loop_add(w->loop, w->add_fd, EPOLLIN,
					     on_event, w->other));
	w->add_fd = -1;
}

static struct watched watched_new(struct loop *l, int value)
{
	struct watched w = { .loop = l, .del_fd = -1, .add_fd = -1 };

	w.fd = eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(w.fd, 0);
	return w;
}

START_TEST(events_are_level_triggered)
{
	struct watched a;
	struct loop l;

	ck_assert_int_eq(0, loop_init(&l));
	a = watched_new(&l, 1);
	ck_assert_int_eq(0, loop_add(&l, a.fd, EPOLLIN, on_event, &a));
	loop_once(&l, 0);
	loop_once(&l, 0);
	ck_assert_uint_eq(2, a.calls);
	eventfd_read(a.fd, &(eventfd_t){ 0 });
	loop_once(&l, 0);
	ck_assert_uint_eq(2, a.calls);
	loop_fini(&l);
	close(a.fd);
}
END_TEST

START_TEST(an_fd_is_watched_once_and_not_after_del)
{
	struct watched a;
	struct loop l;

	ck_assert_int_eq(0, loop_init(&l));
	a = watched_new(&l, 1);
	ck_assert_int_eq(0, loop_add(&l, a.fd, EPOLLIN, on_event, &a));
	ck_assert_int_eq(-EEXIST, loop_add(&l, a.fd, EPOLLIN, on_event, &a));
	loop_del(&l, a.fd);
	loop_del(&l, a.fd);
	loop_once(&l, 0);
	ck_assert_uint_eq(0, a.calls);
	ck_assert_int_eq(0, loop_add(&l, a.fd, EPOLLIN, on_event, &a));
	loop_once(&l, 0);
	ck_assert_uint_eq(1, a.calls);
	loop_fini(&l);
	close(a.fd);
}
END_TEST

/* Both are in one batch; whoever is first removes the other. */
START_TEST(an_event_already_fetched_is_not_delivered_after_del)
{
	struct watched a, b;
	struct loop l;

	ck_assert_int_eq(0, loop_init(&l));
	a = watched_new(&l, 1);
	b = watched_new(&l, 1);
	a.del_fd = b.fd;
	b.del_fd = a.fd;
	ck_assert_int_eq(0, loop_add(&l, a.fd, EPOLLIN, on_event, &a));
	ck_assert_int_eq(0, loop_add(&l, b.fd, EPOLLIN, on_event, &b));
	loop_once(&l, 0);
	ck_assert_uint_eq(1, a.calls + b.calls);
	loop_fini(&l);
	close(a.fd);
	close(b.fd);
}
END_TEST

/* The slot is used again in the batch: its new user gets no stale event. */
START_TEST(a_reused_slot_does_not_get_the_old_event)
{
	struct watched a, b, c;
	struct loop l;

	ck_assert_int_eq(0, loop_init(&l));
	a = watched_new(&l, 1);
	b = watched_new(&l, 1);
	c = watched_new(&l, 0);
	a.del_fd = b.fd;
	a.add_fd = c.fd;
	a.other = &c;
	b.del_fd = a.fd;
	b.add_fd = c.fd;
	b.other = &c;
	ck_assert_int_eq(0, loop_add(&l, a.fd, EPOLLIN, on_event, &a));
	ck_assert_int_eq(0, loop_add(&l, b.fd, EPOLLIN, on_event, &b));
	loop_once(&l, 0);
	ck_assert_uint_eq(1, a.calls + b.calls);
	ck_assert_uint_eq(0, c.calls);
	eventfd_write(c.fd, 1);
	loop_once(&l, 0);
	ck_assert_uint_eq(1, c.calls);
	loop_fini(&l);
	close(a.fd);
	close(b.fd);
	close(c.fd);
}
END_TEST

START_TEST(a_full_table_is_refused)
{
	struct watched w[LOOP_MAX_FDS + 1];
	struct loop l;
	int i;

	ck_assert_int_eq(0, loop_init(&l));
	for (i = 0; i <= LOOP_MAX_FDS; i++) {
		w[i] = watched_new(&l, 1);
		ck_assert_int_eq(i < LOOP_MAX_FDS ? 0 : -ENOSPC,
				 loop_add(&l, w[i].fd, EPOLLIN, on_event,
					  &w[i]));
	}
	ck_assert_int_eq(-EBADF, (loop_del(&l, w[0].fd),
				  loop_add(&l, -1, EPOLLIN, on_event, NULL)));
	loop_fini(&l);
	for (i = 0; i <= LOOP_MAX_FDS; i++)
		close(w[i].fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vm_loop");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 20);
	suite_add_tcase(s, t);
	tcase_add_test(t, events_are_level_triggered);
	tcase_add_test(t, an_fd_is_watched_once_and_not_after_del);
	tcase_add_test(t, an_event_already_fetched_is_not_delivered_after_del);
	tcase_add_test(t, a_reused_slot_does_not_get_the_old_event);
	tcase_add_test(t, a_full_table_is_refused);
	return test_run(s);
}
