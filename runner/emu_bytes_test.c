// SPDX-License-Identifier: GPL-2.0-only
#include "runner/emu_bytes.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/test_run.h"

#define PAGE 4096
#define LIMIT_NS (10 * NSEC_PER_SEC)

static struct emu_link from, to;
static int sent_fd, got_fd;

static void setup(void)
{
	int sv[2];

	ck_assert_int_eq(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
				       SOCK_CLOEXEC, 0, sv));
	ck_assert_int_eq(0, emu_link_open(&from, sv[0]));
	ck_assert_int_eq(0, emu_link_open(&to, sv[1]));
	sent_fd = memfd_create("sent", MFD_CLOEXEC);
	got_fd = memfd_create("got", MFD_CLOEXEC);
	ck_assert_int_ge(sent_fd, 0);
	ck_assert_int_ge(got_fd, 0);
}

static void teardown(void)
{
	emu_link_close(&from);
	emu_link_close(&to);
	close(sent_fd);
	close(got_fd);
}

static void put(int byte, size_t len, off_t off)
{
	static char buf[256 << 10];

	memset(buf, byte, len);
	ck_assert_int_eq(len, pwrite(sent_fd, buf, len, off));
}

static uint64_t size;

static void *sender(void *ret)
{
	*(int *)ret = emu_bytes_send(&from, sent_fd, size, &emu_bytes_out,
				     LIMIT_NS);
	return NULL;
}

/* Frames that came, as numbers of each kind. */
static unsigned int receive(uint64_t *data_bytes)
{
	struct emu_bytes_rx rx = { .fd = got_fd, .size = size, .left = size };
	unsigned int holes = 0;
	struct frame f;

	while (rx.left) {
		ck_assert_int_eq(1, emu_link_recv(&to, &f,
						  clock_now_ns() + LIMIT_NS));
		holes += f.type == EMU_MSG_FILE_HOLE;
		ck_assert_int_eq(0, emu_bytes_take(&rx, &f, &emu_bytes_out,
						   data_bytes));
	}
	ck_assert_int_eq(0, emu_bytes_end(&rx));
	return holes;
}

static void assert_same(void)
{
	static char a[PAGE], b[PAGE];
	uint64_t off;

	ck_assert_int_eq(size, lseek(got_fd, 0, SEEK_END));
	for (off = 0; off < size; off += PAGE) {
		ssize_t n = pread(sent_fd, a, PAGE, off);

		ck_assert_int_eq(n, pread(got_fd, b, PAGE, off));
		ck_assert_mem_eq(a, b, n);
	}
}

static const struct row {
	uint64_t size;
	struct { uint64_t off, len; } data[3];
	unsigned int holes;
	uint64_t data_bytes;
} rows[] = {
	{ 0, { { 0 } }, 0, 0 },
	{ 1, { { 0, 1 } }, 0, 1 },
	{ 100, { { 0, 100 } }, 0, 100 },
	{ 64 * PAGE, { { 0 } }, 1, 0 },
	{ 64 * PAGE, { { 0, 64 * PAGE } }, 0, 64 * PAGE },
	{ 64 * PAGE, { { 0, PAGE } }, 1, PAGE },
	{ 64 * PAGE, { { 63 * PAGE, PAGE } }, 1, PAGE },
	{ 64 * PAGE, { { 9 * PAGE, PAGE }, { 20 * PAGE, 17 * PAGE } }, 3,
	  18 * PAGE },
	{ 64 * PAGE + 77, { { 64 * PAGE, 77 } }, 1, 77 },
};

START_TEST(data_arrives_and_holes_stay_holes)
{
	const struct row *r = &rows[_i];
	uint64_t data_bytes = 0;
	pthread_t thread;
	struct stat st;
	int err = -1, i;

	size = r->size;
	ck_assert_int_eq(0, ftruncate(sent_fd, size));
	for (i = 0; i < 3; i++)
		put('a' + i, r->data[i].len, r->data[i].off);
	ck_assert_int_eq(0, pthread_create(&thread, NULL, sender, &err));
	ck_assert_uint_eq(r->holes, receive(&data_bytes));
	pthread_join(thread, NULL);
	ck_assert_int_eq(0, err);
	ck_assert_uint_eq(r->data_bytes, data_bytes);
	assert_same();
	ck_assert_int_eq(0, fstat(got_fd, &st));
	ck_assert_uint_eq((r->data_bytes + PAGE - 1) / PAGE * PAGE,
			  st.st_blocks * 512);
}
END_TEST

/* No bytes at all for a size that could not be sent otherwise */
START_TEST(a_tebibyte_of_nothing_is_one_frame)
{
	uint64_t data_bytes = 0;

	size = 1ull << 40;
	ck_assert_int_eq(0, ftruncate(sent_fd, size));
	ck_assert_int_eq(0, emu_bytes_send(&from, sent_fd, size,
					   &emu_bytes_out, LIMIT_NS));
	ck_assert_uint_eq(1, receive(&data_bytes));
	ck_assert_int_eq(size, lseek(got_fd, 0, SEEK_END));
}
END_TEST

START_TEST(a_file_that_shrank_is_told)
{
	ck_assert_int_eq(0, ftruncate(sent_fd, 3 * PAGE));
	ck_assert_int_eq(-ENODATA, emu_bytes_send(&from, sent_fd, 4 * PAGE,
						  &emu_bytes_out, LIMIT_NS));
}
END_TEST

static const struct wrong {
	uint16_t type;
	size_t len;
	uint64_t hole;
} wrongs[] = {
	{ EMU_MSG_FILE_HOLE, 8, 101 },
	{ EMU_MSG_FILE_HOLE, 8, UINT64_MAX },
	{ EMU_MSG_FILE_HOLE, 7, 1 },
	{ EMU_MSG_FILE_HOLE, 9, 1 },
	{ EMU_MSG_FILE_HOLE, 0, 1 },
	{ EMU_MSG_FILE_DATA, 101, 0 },
	{ EMU_MSG_HOLE, 8, 1 }, /* of the other direction */
	{ EMU_MSG_DATA, 1, 0 },
	{ EMU_MSG_TICK, 0, 0 },
};

/* The other machine may have gone mad */
START_TEST(what_is_more_than_announced_is_refused)
{
	struct emu_bytes_rx rx = { .fd = got_fd, .size = 100, .left = 100 };
	uint8_t payload[128] = { 0 };
	uint64_t le = htole64(wrongs[_i].hole), data_bytes = 0;
	struct frame f = { .type = wrongs[_i].type, .len = wrongs[_i].len,
			   .payload = payload };

	memcpy(payload, &le, sizeof(le));
	ck_assert_int_eq(-EPROTO, emu_bytes_take(&rx, &f, &emu_bytes_out,
						 &data_bytes));
	ck_assert_uint_eq(100, rx.left);
	ck_assert_uint_eq(0, data_bytes);
	ck_assert_int_eq(0, lseek(got_fd, 0, SEEK_END));
	ck_assert_int_eq(-EPROTO, emu_bytes_end(&rx));
}
END_TEST

#define NR(table) (sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("emu_bytes");
	TCase *tc = tcase_create("emu_bytes");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, data_arrives_and_holes_stay_holes, 0,
			    NR(rows));
	tcase_add_test(tc, a_tebibyte_of_nothing_is_one_frame);
	tcase_add_test(tc, a_file_that_shrank_is_told);
	tcase_add_loop_test(tc, what_is_more_than_announced_is_refused, 0,
			    NR(wrongs));
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
