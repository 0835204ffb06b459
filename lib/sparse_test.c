// SPDX-License-Identifier: GPL-2.0-only
#include "lib/sparse.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/test_run.h"

#define PAGE 4096u
#define SIZE (64 * PAGE)

static int fd;

/* Data in page 3, pages 8 and 9, and the last one. */
static void setup(void)
{
	fd = memfd_create("sparse", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(0, ftruncate(fd, SIZE));
	ck_assert_int_eq(1, pwrite(fd, "x", 1, 3 * PAGE + 5));
	ck_assert_int_eq(1, pwrite(fd, "x", 1, 8 * PAGE));
	ck_assert_int_eq(1, pwrite(fd, "x", 1, 9 * PAGE));
	ck_assert_int_eq(1, pwrite(fd, "x", 1, SIZE - 1));
}

static void teardown(void)
{
	close(fd);
}

static const struct row {
	uint64_t off, end, start, stop;
} rows[] = {
	{ 0, SIZE, 3 * PAGE, 4 * PAGE },
	{ 3 * PAGE, SIZE, 3 * PAGE, 4 * PAGE },
	{ 3 * PAGE + 7, SIZE, 3 * PAGE + 7, 4 * PAGE },
	{ 4 * PAGE, SIZE, 8 * PAGE, 10 * PAGE },
	{ 4 * PAGE, 9 * PAGE, 8 * PAGE, 9 * PAGE },
	{ 4 * PAGE, 8 * PAGE, 8 * PAGE, 8 * PAGE },
	{ 4 * PAGE, 7 * PAGE, 7 * PAGE, 7 * PAGE },
	{ 10 * PAGE, SIZE, SIZE - PAGE, SIZE },
	{ SIZE, SIZE, SIZE, SIZE },
	/* the file has been cut: nothing is there */
	{ SIZE, 2 * SIZE, 2 * SIZE, 2 * SIZE },
	{ SIZE - PAGE, 2 * SIZE, SIZE - PAGE, SIZE },
};

START_TEST(data_is_found_and_holes_are_skipped)
{
	const struct row *r = &rows[_i];
	uint64_t start = 1, stop = 2;

	ck_assert_int_eq(0, sparse_next(fd, r->off, r->end, &start, &stop));
	ck_assert_uint_eq(r->start, start);
	ck_assert_uint_eq(r->stop, stop);
}
END_TEST

START_TEST(what_can_not_be_sought_is_an_error)
{
	uint64_t start, stop;
	int fds[2];

	ck_assert_int_eq(0, pipe(fds));
	ck_assert_int_eq(-ESPIPE, sparse_next(fds[0], 0, SIZE, &start, &stop));
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sparse");
	TCase *tc = tcase_create("sparse");

	tcase_set_timeout(tc, 10);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, data_is_found_and_holes_are_skipped, 0,
			    sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, what_can_not_be_sought_is_an_error);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
