// SPDX-License-Identifier: GPL-2.0-only
/* Disks that begin as files: what the scenario says of files that can't be. */
#include "runner/scenario.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <jansson.h>

#include "lib/path.h"
#include "lib/test_run.h"
#include "runner/plan.h"
#include "runner/test_scenario.h"

#define MI (1u << 20)

static char dir[PATH_MAX], toml[PATH_MAX + 16];

/* A file of @size in the scenario's folder that begins with @head. */
static void make(const char *name, off_t size, const char *head)
{
	char *path = path_join(dir, name);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(0, ftruncate(fd, size));
	ck_assert_int_eq(strlen(head), pwrite(fd, head, strlen(head), 0));
	close(fd);
	free(path);
}

static void setup(void)
{
	char tmp[] = "/tmp/ktstr-scenario-XXXXXX";
	char *sub, *fifo;

	ck_assert_ptr_nonnull(mkdtemp(tmp));
	ck_assert_ptr_nonnull(realpath(tmp, dir));
	snprintf(toml, sizeof(toml), "%s/t.toml", dir);
	make("raw", 2 * MI, "");
	make("tiny", MI - 512, "");
	make("odd", MI + 1, "");
	make("huge", 65ll << 30, "");
	make("max", 64ll << 30, "");
	make("qcow", 2 * MI, "QFI\xfb\x03");
	make("vmdk", 2 * MI, "KDMV");
	make("vhdx", 2 * MI, "vhdxfile");
	sub = path_join(dir, "sub");
	fifo = path_join(dir, "fifo");
	ck_assert_int_eq(0, mkdir(sub, 0700));
	ck_assert_int_eq(0, mkfifo(fifo, 0600));
	free(sub);
	free(fifo);
	ck_assert_int_eq(0, chdir("/")); /* paths are the scenario's */
}

static void teardown(void)
{
	path_remove_tree(dir);
}

static const char head[] = "schema = 1\nname = \"t\"\n[[workload]]\nname = \"w\"\nkind = \"spin\"\n"
			   "[[disk]]\nname = \"data\"\n";

static int parse(const char *disk, struct scenario **s, struct diag *d)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s%s", head, disk);
	diag_init(d, "t.toml");
	return scenario_parse(toml, text, strlen(text), NULL, s, d);
}

static const struct good {
	const char *disk;
	uint64_t size;
} good[] = {
	{ "image = \"raw\"\n", 2 * MI },
	{ "image = \"raw\"\nsize = \"2M\"\n", 2 * MI },
	{ "image = \"sub/../raw\"\nread_only = true\n", 2 * MI },
	{ "image = \"raw\"\nkeep_writes = true\n", 2 * MI },
	{ "image = \"max\"\n", 64ull << 30 },
	{ "image = \"raw\"\n[[disk]]\nname = \"b\"\nimage = \"raw\"\nread_only = true\n",
	  2 * MI },
};

START_TEST(a_raw_image_gives_the_disk_its_size)
{
	struct scenario *s;
	struct diag d;

	ck_assert_int_eq(0, parse(good[_i].disk, &s, &d));
	ck_assert_uint_eq(good[_i].size, s->disks[0].size_bytes);
	diag_fini(&d);
	scenario_free(s);
}
END_TEST

START_TEST(the_plan_has_the_images_full_path)
{
	struct scenario *s;
	struct diag d;
	json_t *plan, *disk;
	char want[PATH_MAX + 8];

	snprintf(want, sizeof(want), "%s/raw", dir);
	ck_assert_int_eq(0, parse("image = \"raw\"\nkeep_writes = true\n", &s,
				  &d));
	plan = plan_new(s, 1);
	disk = json_array_get(json_object_get(plan, "disks"), 0);
	ck_assert_str_eq(want, json_string_value(json_object_get(disk,
								 "image")));
	ck_assert_int_eq(2 * MI, json_integer_value(json_object_get(
		disk, "size_bytes")));
	ck_assert(json_is_true(json_object_get(disk, "keep_writes")));
	json_decref(plan);
	diag_fini(&d);
	scenario_free(s);
}
END_TEST

/* What is kept beside a result runs again as it is, from anywhere */
START_TEST(the_printed_scenario_is_the_same_elsewhere)
{
	struct scenario *s, *again;
	size_t len;
	char *text;
	FILE *f = open_memstream(&text, &len);
	struct diag d;

	ck_assert_int_eq(0, parse("image = \"raw\"\n", &s, &d));
	scenario_print(f, s);
	fclose(f);
	ck_assert_int_eq(0, scenario_parse("/elsewhere/t.toml", text, len,
					   NULL, &again, &d));
	ck_assert_str_eq(s->disks[0].image, again->disks[0].image);
	ck_assert_uint_eq(2 * MI, again->disks[0].size_bytes);
	free(text);
	diag_fini(&d);
	scenario_free(s);
	scenario_free(again);
}
END_TEST

/* Of a disk, from line 8 on. */
static const struct bad_scenario bad[] = {
	{ "image = \"none\"\n",
	  "t.toml:8:9: error: image */none: No such file or directory",
	  "truncate -s 64M FILE makes an empty one" },
	{ "image = \"\"\n",
	  "t.toml:8:9: error: image : No such file or directory", "*" },
	{ "image = \"sub\"\n",
	  "t.toml:8:9: error: image */sub is not a regular file", NULL },
	{ "image = \"sub\"\nkeep_writes = true\n",
	  "t.toml:8:9: error: image */sub: Is a directory", NULL },
	{ "image = \"fifo\"\n",
	  "t.toml:8:9: error: image */fifo is not a regular file", NULL },
	{ "image = \"tiny\"\n",
	  "t.toml:8:9: error: the image has 1048064B; a disk has between 1M and 64G",
	  NULL },
	{ "image = \"huge\"\n",
	  "t.toml:8:9: error: the image has 65G; a disk has between 1M and 64G",
	  NULL },
	{ "image = \"odd\"\n",
	  "t.toml:8:9: error: the image has 1048577B, no multiple of 512 bytes",
	  "truncate -s %512 FILE rounds it up" },
	{ "image = \"qcow\"\n",
	  "t.toml:8:9: error: image */qcow is a qcow2 image, not a raw one",
	  "qemu-img convert -O raw makes a raw one" },
	{ "image = \"vmdk\"\n",
	  "t.toml:8:9: error: image */vmdk is a VMDK image, not a raw one", "*" },
	{ "image = \"vhdx\"\n",
	  "t.toml:8:9: error: image */vhdx is a VHDX image, not a raw one", "*" },
	{ "image = \"raw\"\nsize = \"4M\"\n",
	  "t.toml:9:8: error: the image has 2M, not 4M",
	  "leave size out, or make the file as large with truncate(1)" },
	{ "image = 5\n", "t.toml:8:9: error: image must be a string, not an integer",
	  NULL },
	{ "size = \"1M\"\nkeep_writes = true\n",
	  "t.toml:9:1: error: there is no image to keep the writes in",
	  "add image = \"FILE\"" },
	{ "image = \"raw\"\nkeep_writes = true\nread_only = true\n",
	  "t.toml:9:1: error: a read-only disk has no writes to keep", NULL },
	{ "keep_writes = true\n", "t.toml:6:1: error: ??disk?? needs a size",
	  NULL },
	{ "image = \"raw\"\n[[disk]]\nname = \"b\"\nimage = \"sub/../raw\"\nkeep_writes = true\n",
	  "t.toml:11:9: error: disk \"data\" has the same image, and writes to it are kept",
	  NULL },
};

static bool fnmatches(const char *pattern, const char *text)
{
	return !fnmatch(pattern, text, FNM_NOESCAPE);
}

START_TEST(a_file_that_is_no_image_is_an_error_at_its_place)
{
	const struct bad_scenario *b = &bad[_i];
	struct scenario *s;
	struct diag d;

	ck_assert_int_eq(-EINVAL, parse(b->text, &s, &d));
	assert_told(b, &d, fnmatches);
	diag_fini(&d);
}
END_TEST

/* More than can be copied: told of the way that needs no copy */
START_TEST(a_large_image_is_not_copied)
{
	struct scenario *s;
	struct diag d;
	char *path = path_join(dir, "max");
	int fd = open(path, O_RDWR);
	struct statfs fs;
	int i;

	ck_assert_int_eq(0, fstatfs(fd, &fs));
	/* allocated, not written; on a tmpfs it would be memory */
	if (fs.f_type == TMPFS_MAGIC ||
	    fallocate(fd, 0, 0, (4ll << 30) + MI)) {
		fprintf(stderr, "no room for 4 GiB in /tmp: not looked at\n");
		close(fd);
		free(path);
		return;
	}
	close(fd);
	ck_assert_int_eq(-EINVAL, parse("image = \"max\"\n", &s, &d));
	ck_assert_msg(!fnmatch("the image holds 4*; at most 4G are copied into memory",
			       d.entries[0].message, 0), "%s",
		      d.entries[0].message);
	ck_assert_str_eq("with read_only or keep_writes the file itself is used",
			 d.entries[0].hint);
	diag_fini(&d);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(0, parse(i ? "image = \"max\"\nread_only = true\n" :
					  "image = \"max\"\nkeep_writes = true\n",
					  &s, &d));
		diag_fini(&d);
		scenario_free(s);
	}
	free(path);
}
END_TEST

#define NR(table) (sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("scenario_image");
	TCase *tc = tcase_create("scenario_image");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_raw_image_gives_the_disk_its_size, 0,
			    NR(good));
	tcase_add_test(tc, the_plan_has_the_images_full_path);
	tcase_add_test(tc, the_printed_scenario_is_the_same_elsewhere);
	tcase_add_loop_test(tc, a_file_that_is_no_image_is_an_error_at_its_place,
			    0, NR(bad));
	tcase_add_test(tc, a_large_image_is_not_copied);
	suite_add_tcase(suite, tc);

	return test_run(suite);
}
