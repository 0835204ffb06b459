// SPDX-License-Identifier: GPL-2.0-only
/* Plain folders stand in for /sys/block and /dev. */
#include "agent/disk.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/plan.h"
#include "lib/test_run.h"

static char top[PATH_MAX - 64];
static char sys_block[PATH_MAX], dev[PATH_MAX], links[PATH_MAX];
static struct disk_paths paths = { sys_block, dev, links };
static char msg[256];
static struct plan_disk disks[2];
static struct plan plan = { .disks = disks };

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(0, fclose(f));
}

static void add_device(const char *name, const char *serial,
		       const char *sectors)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", sys_block, name);
	ck_assert_int_eq(0, mkdir(path, 0755));
	if (serial) {
		snprintf(path, sizeof(path), "%s/%s/serial", sys_block, name);
		write_file(path, serial);
	}
	snprintf(path, sizeof(path), "%s/%s/size", sys_block, name);
	write_file(path, sectors);
}

static void setup(void)
{
	/* beside the program: O_DIRECT needs a real file system */
	ssize_t len = readlink("/proc/self/exe", top, sizeof(top) - 64);

	ck_assert_int_gt(len, 0);
	strcpy(top + len, ".XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(sys_block, sizeof(sys_block), "%s/block", top);
	snprintf(dev, sizeof(dev), "%s/dev", top);
	snprintf(links, sizeof(links), "%s/dev/disk/by-ktstr", top);
	ck_assert_int_eq(0, mkdir(sys_block, 0755));
	ck_assert_int_eq(0, mkdir(dev, 0755));
	disks[0] = (struct plan_disk){ .name = "data", .size_bytes = 1 << 20 };
	disks[1] = (struct plan_disk){ .name = "log", .size_bytes = 4096 };
	plan.nr_disks = 2;
	*msg = '\0';
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	return remove(path);
}

static void teardown(void)
{
	nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int link_them(void)
{
	return disks_link(&plan, &paths, msg, sizeof(msg));
}

static void check_link(const char *name, const char *device)
{
	char path[PATH_MAX + 64], want[PATH_MAX + 64], got[PATH_MAX + 64];
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%s", links, name);
	snprintf(want, sizeof(want), "%s/%s", dev, device);
	len = readlink(path, got, sizeof(got) - 1);
	ck_assert_int_gt(len, 0);
	got[len] = '\0';
	ck_assert_str_eq(want, got);
}

START_TEST(disks_are_found_by_serial_not_by_order)
{
	add_device("vda", "log\n", "8\n");
	add_device("vdb", "data", "2048\n");
	add_device("sda", "data", "2048\n");	/* not virtio: not ours */
	add_device("vdc", NULL, "2048\n");
	ck_assert_msg(!link_them(), "%s", msg);
	check_link("data", "vdb");
	check_link("log", "vda");
	ck_assert_msg(!link_them(), "%s", msg);	/* again: links replaced */
	check_link("data", "vdb");
}
END_TEST

START_TEST(missing_disk_names_what_is_there)
{
	add_device("vda", "data", "2048");
	ck_assert_int_eq(-ENODEV, link_them());
	ck_assert_str_eq("disk log: no device has its serial; there are: "
			 "vda=data", msg);
}
END_TEST

START_TEST(no_disk_at_all)
{
	ck_assert_int_eq(-ENODEV, link_them());
	ck_assert_str_eq("disk data: no device has its serial; there are: none",
			 msg);
	plan.nr_disks = 0;
	ck_assert_int_eq(0, link_them());
}
END_TEST

START_TEST(wrong_size_is_an_error)
{
	add_device("vda", "data", "2047");
	ck_assert_int_eq(-EUCLEAN, link_them());
	ck_assert_str_eq("disk data: vda has 1048064 bytes, not 1048576", msg);
}
END_TEST

START_TEST(two_of_one_serial_are_an_error)
{
	add_device("vda", "data", "2048");
	add_device("vdb", "data", "2048");
	ck_assert_int_eq(-EEXIST, link_them());
}
END_TEST

START_TEST(serials_are_twenty_bytes)
{
	disks[0].name = "a-name-of-more-than-twenty";
	plan.nr_disks = 1;
	add_device("vda", "a-name-of-more-than-", "2048");
	ck_assert_msg(!link_them(), "%s", msg);
	check_link("a-name-of-more-than-twenty", "vda");
}
END_TEST

START_TEST(prefix_of_a_serial_is_another_disk)
{
	plan.nr_disks = 1;
	add_device("vda", "data2", "2048");
	ck_assert_int_eq(-ENODEV, link_them());
}
END_TEST

START_TEST(open_gives_size_and_direct_io)
{
	char path[PATH_MAX + 64];
	uint64_t bytes = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/data", dev);
	write_file(path, "");
	ck_assert_int_eq(0, truncate(path, 12288));
	fd = disk_open(dev, "data", O_RDONLY, &bytes);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(12288, bytes);
	ck_assert_int_ne(0, fcntl(fd, F_GETFL) & O_DIRECT);
	close(fd);
	ck_assert_int_eq(-ENOENT, disk_open(dev, "nope", O_RDONLY, &bytes));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/disk");
	TCase *tc = tcase_create("disk");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, disks_are_found_by_serial_not_by_order);
	tcase_add_test(tc, missing_disk_names_what_is_there);
	tcase_add_test(tc, no_disk_at_all);
	tcase_add_test(tc, wrong_size_is_an_error);
	tcase_add_test(tc, two_of_one_serial_are_an_error);
	tcase_add_test(tc, serials_are_twenty_bytes);
	tcase_add_test(tc, prefix_of_a_serial_is_another_disk);
	tcase_add_test(tc, open_gives_size_and_direct_io);
	suite_add_tcase(s, tc);
	return test_run(s);
}
