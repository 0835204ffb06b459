// SPDX-License-Identifier: GPL-2.0-only
#include "runner/images.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/path.h"
#include "lib/test_run.h"

#define SIZE (1u << 20)

static char dir[] = "/tmp/ktstr-images-XXXXXX";
static char *path, *out, why[512];
static struct images images, others;
static json_t *plans;	/* until the end: images borrow from them */

static void setup(void)
{
	int fd;

	plans = json_array();
	strcpy(dir, "/tmp/ktstr-images-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = path_join(dir, "raw");
	out = path_join(dir, "disk-1");
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(0, ftruncate(fd, SIZE));
	ck_assert_int_eq(3, pwrite(fd, "old", 3, 300000));
	ck_assert_int_eq(3, pwrite(fd, "end", 3, SIZE - 3));
	close(fd);
}

static void teardown(void)
{
	images_close(&images);
	images_close(&others);
	json_decref(plans);
	path_remove_tree(dir);
	free(path);
	free(out);
}

/* A plan with two disks, the second one with the image. */
static json_t *plan_with(bool keep)
{
	return json_pack("{s:[{s:s,s:n,s:i,s:b},{s:s,s:s,s:i,s:b}]}", "disks",
			 "name", "a", "image", "size_bytes", SIZE,
			 "keep_writes", 0, "name", "b", "image", path,
			 "size_bytes", SIZE, "keep_writes", keep);
}

static int open_images(struct images *im, bool keep)
{
	json_t *plan = plan_with(keep);

	ck_assert_int_eq(0, json_array_append_new(plans, plan));
	return images_open(plan, im, why, sizeof(why));
}

START_TEST(only_disks_that_name_a_file_have_one)
{
	char buf[32];

	ck_assert_int_eq(0, open_images(&images, _i));
	ck_assert_uint_eq(1, images.nr);
	ck_assert_uint_eq(1, images.v[0].disk);
	ck_assert_str_eq("disk-1", image_name(&images.v[0], buf));
	ck_assert_int_eq(_i ? O_RDWR : O_RDONLY,
			 fcntl(images.v[0].fd, F_GETFL) & O_ACCMODE);
	ck_assert_uint_ge(images_data_bytes(&images), 2 * 4096);
	ck_assert_uint_lt(images_data_bytes(&images), SIZE / 2);
}
END_TEST

/* By who opens second: may they both have it? */
static const struct {
	bool keep[2];
	int err;
} pairs[] = {
	{ { false, false }, 0 },
	{ { false, true }, -EBUSY },
	{ { true, false }, -EBUSY },
	{ { true, true }, -EBUSY },
};

START_TEST(who_writes_is_alone)
{
	ck_assert_int_eq(0, open_images(&images, pairs[_i].keep[0]));
	ck_assert_int_eq(pairs[_i].err,
			 open_images(&others, pairs[_i].keep[1]));
	if (pairs[_i].err)
		ck_assert_ptr_nonnull(strstr(
			why, "another process has it locked"));
	images_close(&images);
	images_close(&others);
	ck_assert_int_eq(0, open_images(&others, true));
}
END_TEST

/* The VM process writes: the lock must not end before it does */
START_TEST(the_lock_lasts_as_long_as_the_child)
{
	int fds[2], status;
	char c;
	pid_t pid;

	ck_assert_int_eq(0, open_images(&images, true));
	ck_assert_int_eq(0, fcntl(images.v[0].fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(0, pipe(fds));
	pid = fork();
	if (!pid) {
		close(fds[1]);
		_exit(read(fds[0], &c, 1)); /* until we close our end */
	}
	images_close(&images);
	ck_assert_int_eq(-EBUSY, open_images(&others, false));
	images_close(&others);
	close(fds[1]);
	ck_assert_int_eq(pid, waitpid(pid, &status, 0));
	ck_assert_int_eq(0, open_images(&others, false));
}
END_TEST

START_TEST(a_file_that_has_changed_since_is_told)
{
	switch (_i) {
	case 0:
		ck_assert_int_eq(0, truncate(path, SIZE + 512));
		break;
	case 1:
		unlink(path);
		ck_assert_int_eq(0, mkfifo(path, 0600));
		break;
	}
	ck_assert_int_eq(-ESTALE, open_images(&images, true));
	ck_assert_ptr_nonnull(strstr(why, "it has changed since"));
	ck_assert_ptr_nonnull(strstr(why, path));
}
END_TEST

START_TEST(a_link_in_the_folder_is_the_file)
{
	char *link = path_join(dir, "disk-1"), got[4] = "";
	int fd;

	ck_assert_int_eq(0, open_images(&images, false));
	/* whatever becomes of its name */
	unlink(path);
	ck_assert_int_eq(0, images_link(&images, dir));
	fd = open(link, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(3, pread(fd, got, 3, 300000));
	ck_assert_str_eq("old", got);
	close(fd);
	free(link);
}
END_TEST

/* What came back: of @size, with @text at 600000 and nothing else. */
static void came_back(off_t size, const char *text)
{
	int fd = open(out, O_RDWR | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(0, ftruncate(fd, size));
	ck_assert_int_eq(strlen(text), pwrite(fd, text, strlen(text), 600000));
	close(fd);
}

static void file_holds(off_t off, const char *text, size_t len)
{
	char got[8] = "";
	int fd = open(path, O_RDONLY);

	ck_assert_int_eq(len, pread(fd, got, len, off));
	ck_assert_mem_eq(text, got, len);
	close(fd);
}

START_TEST(what_the_guest_wrote_and_discarded_is_in_the_file)
{
	struct stat st;

	came_back(SIZE, "new");
	ck_assert_int_eq(0, open_images(&images, true));
	ck_assert_int_eq(0, images_take_back(&images, dir, why, sizeof(why)));
	file_holds(600000, "new", 3);
	file_holds(300000, "\0\0\0", 3);
	file_holds(SIZE - 3, "\0\0\0", 3);
	ck_assert_int_eq(0, stat(path, &st));
	ck_assert_int_eq(SIZE, st.st_size);
	ck_assert_int_lt(st.st_blocks * 512, SIZE / 2);
	ck_assert_int_eq(-1, access(out, F_OK));
}
END_TEST

START_TEST(what_came_back_in_part_changes_nothing)
{
	if (_i)
		came_back(SIZE - 512, "new");
	ck_assert_int_eq(0, open_images(&images, true));
	ck_assert_int_eq(-ENOENT,
			 images_take_back(&images, dir, why, sizeof(why)));
	ck_assert_ptr_nonnull(strstr(why, "they did not come back"));
	file_holds(300000, "old", 3);
	file_holds(600000, "\0\0\0", 3);
}
END_TEST

/* Not even its time of change: nothing is written that is the same */
START_TEST(what_is_the_same_is_not_written)
{
	struct stat before, after;

	ck_assert_int_eq(0, open_images(&images, true));
	ck_assert_int_eq(0, path_copy_file(path, out));
	ck_assert_int_eq(0, stat(path, &before));
	ck_assert_int_eq(0, images_take_back(&images, dir, why, sizeof(why)));
	ck_assert_int_eq(0, stat(path, &after));
	ck_assert_mem_eq(&before.st_mtim, &after.st_mtim,
			 sizeof(before.st_mtim));
	ck_assert_int_eq(before.st_blocks, after.st_blocks);
}
END_TEST

START_TEST(what_is_not_kept_is_not_taken_back)
{
	came_back(SIZE, "new");
	ck_assert_int_eq(0, open_images(&images, false));
	ck_assert_int_eq(0, images_take_back(&images, dir, why, sizeof(why)));
	file_holds(300000, "old", 3);
	file_holds(600000, "\0\0\0", 3);
}
END_TEST

#define NR(table) (sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("images");
	TCase *tc = tcase_create("images");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, only_disks_that_name_a_file_have_one, 0, 2);
	tcase_add_loop_test(tc, who_writes_is_alone, 0, NR(pairs));
	tcase_add_test(tc, the_lock_lasts_as_long_as_the_child);
	tcase_add_loop_test(tc, a_file_that_has_changed_since_is_told, 0, 2);
	tcase_add_test(tc, a_link_in_the_folder_is_the_file);
	tcase_add_test(tc, what_the_guest_wrote_and_discarded_is_in_the_file);
	tcase_add_loop_test(tc, what_came_back_in_part_changes_nothing, 0, 2);
	tcase_add_test(tc, what_is_the_same_is_not_written);
	tcase_add_test(tc, what_is_not_kept_is_not_taken_back);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
