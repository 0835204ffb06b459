// SPDX-License-Identifier: GPL-2.0-only
#include "runner/emu_link.h"

#include "lib/clock.h"
#include "lib/path.h"
#include "lib/test_run.h"

#include <check.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOON (clock_now_ns() + 10 * NSEC_PER_SEC)

static struct emu_link host, guest;

static void setup(void)
{
	int sv[2];

	ck_assert_int_eq(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
				       SOCK_CLOEXEC, 0, sv));
	ck_assert_int_eq(0, emu_link_open(&host, sv[0]));
	ck_assert_int_eq(0, emu_link_open(&guest, sv[1]));
}

static void teardown(void)
{
	emu_link_close(&host);
	emu_link_close(&guest);
}

static void *welcome(void *ret)
{
	*(int *)ret = emu_link_welcome(&guest, SOON);
	return NULL;
}

/* Both sides at once, as in life. */
static void greet(void)
{
	pthread_t thread;
	int guest_ret = -1;

	ck_assert_int_eq(0, pthread_create(&thread, NULL, welcome, &guest_ret));
	ck_assert_int_eq(0, emu_link_greet(&host, SOON));
	pthread_join(thread, NULL);
	ck_assert_int_eq(0, guest_ret);
}

START_TEST(frames_of_every_size_arrive_in_order)
{
	static uint8_t payload[EMU_FRAME_MAX];
	static const size_t sizes[] = { 0, 1, 4095, EMU_FRAME_MAX };
	struct frame f;

	greet();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(payload, 'a' + i, sizes[i]);
		ck_assert_int_eq(0, emu_link_send(&host, EMU_MSG_DATA, payload,
						  sizes[i], SOON));
		ck_assert_int_eq(1, emu_link_recv(&guest, &f, SOON));
		ck_assert_uint_eq(EMU_MSG_DATA, f.type);
		ck_assert_uint_eq(sizes[i], f.len);
		ck_assert_int_eq(0, memcmp(payload, f.payload, f.len));
	}
}
END_TEST

/* A client died in the middle of a frame: the next one is still welcome. */
START_TEST(new_session_survives_half_a_frame_of_the_old)
{
	struct ktstr_frame_hdr hdr;
	static uint8_t payload[EMU_FRAME_MAX];
	struct frame f;
	size_t cut = _i;

	greet();
	ck_assert_int_eq(0, frame_hdr_fill(&hdr, EMU_MSG_DATA, host.tx_seq,
					   payload, sizeof(payload)));
	if (cut <= sizeof(hdr)) {
		ck_assert_int_eq(0, write_all(host.fd, &hdr, cut));
	} else {
		ck_assert_int_eq(0, write_all(host.fd, &hdr, sizeof(hdr)));
		ck_assert_int_eq(0, write_all(host.fd, payload, cut));
	}
	/* What the guest had on the way to the old client. */
	ck_assert_int_eq(0, emu_link_send(&guest, EMU_MSG_STDOUT, "old", 3,
					  SOON));
	ck_assert_int_eq(0, write_all(guest.fd, "KFRM half", 9));
	host.tx_seq = 0;
	frame_reader_fini(&host.rx);
	frame_reader_init(&host.rx);

	greet();
	ck_assert_int_eq(0, emu_link_send(&host, EMU_MSG_JOB, "{}", 2, SOON));
	ck_assert_int_eq(1, emu_link_recv(&guest, &f, SOON));
	ck_assert_uint_eq(EMU_MSG_JOB, f.type);
	ck_assert_int_eq(0, emu_link_send(&guest, EMU_MSG_TICK, NULL, 0, SOON));
	ck_assert_int_eq(1, emu_link_recv(&host, &f, SOON));
	ck_assert_uint_eq(EMU_MSG_TICK, f.type);
}
END_TEST

START_TEST(silence_ends_at_the_deadline)
{
	struct frame f;
	uint64_t begin_ns;

	greet();
	begin_ns = clock_now_ns();
	ck_assert_int_eq(-ETIMEDOUT,
			 emu_link_recv(&host, &f, begin_ns + NSEC_PER_MSEC));
	ck_assert_uint_ge(clock_now_ns() - begin_ns, NSEC_PER_MSEC);
}
END_TEST

static bool third_time(void *ctx)
{
	return ++*(int *)ctx == 3;
}

/* Whoever was stopped past it finds what came meanwhile. */
START_TEST(what_is_there_is_in_time_after_the_deadline)
{
	struct frame f;

	greet();
	ck_assert_int_eq(-ETIMEDOUT, emu_link_recv(&host, &f, 1));
	ck_assert_int_eq(0, emu_link_send(&guest, EMU_MSG_TICK, NULL, 0, 1));
	ck_assert_int_eq(0, emu_link_wait(&host, POLLIN, 1));
	ck_assert_int_eq(1, emu_link_recv(&host, &f, 1));
	ck_assert_uint_eq(EMU_MSG_TICK, f.type);
	ck_assert_int_eq(-ETIMEDOUT, emu_link_wait(&host, POLLIN, 1));
}
END_TEST

START_TEST(wait_ends_when_the_caller_wants_it)
{
	uint64_t begin_ns = clock_now_ns();
	int asked = 0;

	host.abort = third_time;
	host.abort_ctx = &asked;
	ck_assert_int_eq(-ECANCELED, emu_link_greet(&host, SOON));
	ck_assert_int_eq(3, asked);
	ck_assert_uint_lt(clock_now_ns() - begin_ns, 5 * NSEC_PER_SEC);
}
END_TEST

START_TEST(full_pipe_ends_at_the_deadline)
{
	static uint8_t payload[EMU_FRAME_MAX];
	int err;

	do
		err = emu_link_send(&host, EMU_MSG_DATA, payload,
				    sizeof(payload),
				    clock_now_ns() + 10 * NSEC_PER_MSEC);
	while (!err);
	ck_assert_int_eq(-ETIMEDOUT, err);
}
END_TEST

START_TEST(other_side_gone_is_epipe_both_ways)
{
	struct frame f;

	greet();
	emu_link_close(&guest);
	ck_assert_int_eq(-EPIPE, emu_link_recv(&host, &f, SOON));
	ck_assert_int_eq(-EPIPE, emu_link_send(&host, EMU_MSG_TICK, NULL, 0,
					       SOON));
}
END_TEST

START_TEST(too_large_a_payload_is_refused)
{
	static uint8_t payload[EMU_FRAME_MAX + 1];

	ck_assert_int_eq(-EMSGSIZE, emu_link_send(&host, EMU_MSG_DATA, payload,
						  sizeof(payload), SOON));
}
END_TEST

static const struct {
	const char *path;
	bool ok;
} paths[] = {
	{ "facts.json", true },	     { "bundle/maps/a", true },
	{ "..data", true },	     { "", false },
	{ "/etc/passwd", false },    { "..", false },
	{ "a/../../b", false },	     { "a//b", false },
	{ "a/", false },	     { "./a", false },
	{ "a/..", false },
};

START_TEST(only_paths_below_the_folder_are_taken)
{
	ck_assert_int_eq(paths[_i].ok, emu_path_ok(paths[_i].path));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("emu_link");
	TCase *tc = tcase_create("emu_link");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, frames_of_every_size_arrive_in_order);
	tcase_add_loop_test(tc, new_session_survives_half_a_frame_of_the_old,
			    0, 40);
	tcase_add_test(tc, silence_ends_at_the_deadline);
	tcase_add_test(tc, what_is_there_is_in_time_after_the_deadline);
	tcase_add_test(tc, wait_ends_when_the_caller_wants_it);
	tcase_add_test(tc, full_pipe_ends_at_the_deadline);
	tcase_add_test(tc, other_side_gone_is_epipe_both_ways);
	tcase_add_test(tc, too_large_a_payload_is_refused);
	tcase_add_loop_test(tc, only_paths_below_the_folder_are_taken, 0,
			    sizeof(paths) / sizeof(paths[0]));
	suite_add_tcase(s, tc);
	return test_run(s);
}
