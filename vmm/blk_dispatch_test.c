// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/blk_dispatch.h"

#include <check.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/test_run.h"

static unsigned int lines;

static void count_line(void *ctx, enum log_level level, const char *line)
{
	lines++;
}

static void setup(void)
{
	lines = 0;
	log_set_sink(count_line, NULL);
}

static void teardown(void)
{
	log_set_sink(NULL, NULL);
}

static const struct token_case {
	uint64_t token;
	enum blk_event_kind kind;
	bool forced;
} token_cases[] = {
	/* S16, S17 */
	{ 1, BLK_EV_DRAIN, false },
	{ 2, BLK_EV_STOP, false },
	{ 3, BLK_EV_DRAIN, true },
	{ 4, BLK_EV_PAUSE, false },
	/* S18 */
	{ 0, BLK_EV_SKIP, false },
	{ 5, BLK_EV_SKIP, false },
	{ 99, BLK_EV_SKIP, false },
	{ UINT64_MAX, BLK_EV_SKIP, false },
	{ 1ULL << 32 | 1, BLK_EV_SKIP, false },
};

START_TEST(tokens_s16_s17_s18)
{
	const struct token_case *c = &token_cases[_i];
	struct blk_event ev = blk_dispatch(c->token);

	ck_assert_int_eq(c->kind, ev.kind);
	ck_assert_int_eq(c->forced, ev.forced);
}
END_TEST

START_TEST(token_values_s16)
{
	ck_assert_uint_eq(1, BLK_TOKEN_KICK);
	ck_assert_uint_eq(2, BLK_TOKEN_STOP);
	ck_assert_uint_eq(3, BLK_TOKEN_THROTTLE);
	ck_assert_uint_eq(4, BLK_TOKEN_PAUSE);
}
END_TEST

static struct blk_batch scan_one(uint64_t token, uint32_t bits)
{
	struct epoll_event ev = { .events = bits, .data.u64 = token };

	return blk_batch_scan(&ev, 1);
}

/* S18: logged, and nothing is asked for */
START_TEST(unknown_tokens_are_logged_and_skipped_s18)
{
	const uint64_t unknown[] = { 0, 5, 99, UINT64_MAX };
	struct blk_batch b = scan_one(unknown[_i], EPOLLIN);

	ck_assert_uint_eq(1, lines);
	ck_assert(!b.stop && !b.pause && !b.kick && !b.timer);
}
END_TEST

/* S19-S22: every combination, for every token, known or not */
START_TEST(error_bits_change_nothing_and_are_logged_s19_s20_s21_s22)
{
	const uint32_t bits[] = {
		EPOLLERR, EPOLLHUP, EPOLLERR | EPOLLHUP, EPOLLIN | EPOLLERR,
		EPOLLIN | EPOLLHUP, EPOLLIN | EPOLLERR | EPOLLHUP,
	};
	struct blk_batch plain, odd;
	uint64_t token;
	unsigned int before;

	for (token = 0; token < 6; token++) {
		plain = scan_one(token, EPOLLIN);
		before = lines;
		odd = scan_one(token, bits[_i]);
		ck_assert_int_eq(plain.stop, odd.stop);
		ck_assert_int_eq(plain.pause, odd.pause);
		ck_assert_int_eq(plain.kick, odd.kick);
		ck_assert_int_eq(plain.timer, odd.timer);
		ck_assert_uint_gt(lines, before);
	}
}
END_TEST

START_TEST(plain_events_are_not_logged)
{
	uint64_t token;

	for (token = 1; token <= 4; token++)
		scan_one(token, EPOLLIN);
	ck_assert_uint_eq(0, lines);
}
END_TEST

START_TEST(a_batch_is_the_sum_of_its_events)
{
	const struct epoll_event ev[] = {
		{ .events = EPOLLIN, .data.u64 = BLK_TOKEN_KICK },
		{ .events = EPOLLIN, .data.u64 = 99 },
		{ .events = EPOLLIN, .data.u64 = BLK_TOKEN_THROTTLE },
		{ .events = EPOLLIN, .data.u64 = BLK_TOKEN_STOP },
	};
	struct blk_batch b = blk_batch_scan(ev, 4);

	ck_assert(b.stop && !b.pause && b.kick && b.timer);
	b = blk_batch_scan(ev, 2);
	ck_assert(!b.stop && !b.pause && b.kick && !b.timer);
	b = blk_batch_scan(ev, 0);
	ck_assert(!b.stop && !b.pause && !b.kick && !b.timer);
}
END_TEST

/* S23, S28: through a real epoll; level-triggered means it comes again */
START_TEST(token_and_bits_survive_epoll_s23_s28)
{
	const enum blk_token token = _i;
	struct epoll_event ev = blk_event_make(token), got;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(1, 0), i;

	ck_assert_int_eq(0, epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev));
	for (i = 0; i < 3; i++) {
		memset(&got, 0, sizeof(got));
		ck_assert_int_eq(1, epoll_wait(epoll_fd, &got, 1, 0));
		ck_assert_uint_eq(token, got.data.u64);
		ck_assert_uint_eq(EPOLLIN, got.events);
	}
	close(fd);
	close(epoll_fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blk_dispatch");
	TCase *tc = tcase_create("blk_dispatch");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, tokens_s16_s17_s18, 0,
			    sizeof(token_cases) / sizeof(token_cases[0]));
	tcase_add_test(tc, token_values_s16);
	tcase_add_loop_test(tc, unknown_tokens_are_logged_and_skipped_s18, 0,
			    4);
	tcase_add_loop_test(
		tc, error_bits_change_nothing_and_are_logged_s19_s20_s21_s22, 0,
		6);
	tcase_add_test(tc, plain_events_are_not_logged);
	tcase_add_test(tc, a_batch_is_the_sum_of_its_events);
	tcase_add_loop_test(tc, token_and_bits_survive_epoll_s23_s28, 1, 5);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
