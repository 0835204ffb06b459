// SPDX-License-Identifier: GPL-2.0-only
#include "runner/cpio.h"

#include <check.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test_run.h"

/* An entry as a reader of the format finds it. */
struct seen {
	char name[64];
	unsigned int mode, len, rmajor, rminor;
	char data[64];
};

static unsigned int field(const char *hdr, int n)
{
	char text[9] = "";

	memcpy(text, hdr + 6 + 8 * n, 8);
	return strtoul(text, NULL, 16);
}

static unsigned int align4(unsigned int n)
{
	return (n + 3) & ~3u;
}

/* Takes the archive apart. Return: entries before the trailer. */
static unsigned int unpack(int fd, struct seen *v, unsigned int max)
{
	static char buf[1 << 16];
	ssize_t len = pread(fd, buf, sizeof(buf), 0);
	unsigned int pos = 0, n = 0;

	ck_assert_int_gt(len, 0);
	for (;;) {
		const char *h = buf + pos;
		unsigned int name_len = field(h, 11);

		ck_assert_int_le(pos + 110, len);
		ck_assert_int_eq(0, memcmp(h, "070701", 6));
		ck_assert_int_eq('\0', h[110 + name_len - 1]);
		if (!strcmp(h + 110, "TRAILER!!!"))
			return n;
		ck_assert_uint_lt(n, max);
		v[n] = (struct seen){ .mode = field(h, 1), .len = field(h, 6),
				      .rmajor = field(h, 9),
				      .rminor = field(h, 10) };
		strcpy(v[n].name, h + 110);
		pos = align4(pos + 110 + name_len);
		ck_assert_uint_lt(v[n].len, sizeof(v[n].data));
		memcpy(v[n].data, buf + pos, v[n].len);
		pos = align4(pos + v[n].len);
		n++;
	}
}

START_TEST(entries_are_read_back_as_written)
{
	int fd = memfd_create("cpio", 0);
	struct seen v[8];
	struct cpio c;

	cpio_open(&c, fd);
	cpio_dir(&c, "dev", 0755);
	cpio_node(&c, "dev/console", S_IFCHR | 0600, 5, 1);
	cpio_file(&c, "init", 0755, "#!x", 3);
	cpio_symlink(&c, "bin", "/usr/bin");
	ck_assert_int_eq(0, cpio_close(&c));

	ck_assert_uint_eq(4, unpack(fd, v, 8));
	ck_assert_uint_eq(S_IFDIR | 0755, v[0].mode);
	ck_assert_str_eq("dev/console", v[1].name);
	ck_assert_uint_eq(S_IFCHR | 0600, v[1].mode);
	ck_assert_uint_eq(5, v[1].rmajor);
	ck_assert_uint_eq(1, v[1].rminor);
	ck_assert_str_eq("init", v[2].name);
	ck_assert_str_eq("#!x", v[2].data);
	ck_assert_uint_eq(S_IFLNK | 0777, v[3].mode);
	ck_assert_str_eq("/usr/bin", v[3].data);
	close(fd);
}
END_TEST

START_TEST(parents_come_once_and_before_their_files)
{
	static const char *const order[] = { "a", "a/b", "a/b/one", "a/b/two" };
	int fd = memfd_create("cpio", 0);
	struct seen v[8];
	struct cpio c;

	cpio_open(&c, fd);
	cpio_file(&c, "a/b/one", 0644, "1", 1);
	cpio_file(&c, "a/b/two", 0644, "2", 1);
	ck_assert_int_eq(0, cpio_close(&c));

	ck_assert_uint_eq(4, unpack(fd, v, 8));
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_str_eq(order[i], v[i].name);
	close(fd);
}
END_TEST

/* Every alignment of name and content. */
START_TEST(padding_holds_for_every_length)
{
	static const char text[] = "abcdefghijklmnop";

	for (size_t name = 1; name < 9; name++) {
		for (size_t len = 0; len < 9; len++) {
			int fd = memfd_create("cpio", 0);
			struct seen v[4];
			char path[16] = "";
			struct cpio c;

			memcpy(path, text, name);
			cpio_open(&c, fd);
			cpio_file(&c, path, 0644, text, len);
			cpio_file(&c, "end", 0644, "x", 1);
			ck_assert_int_eq(0, cpio_close(&c));
			ck_assert_uint_eq(2, unpack(fd, v, 4));
			ck_assert_str_eq(path, v[0].name);
			ck_assert_uint_eq(len, v[0].len);
			ck_assert_int_eq(0, memcmp(text, v[0].data, len));
			ck_assert_str_eq("end", v[1].name);
			close(fd);
		}
	}
}
END_TEST

START_TEST(file_from_descriptor_starts_at_its_beginning)
{
	int fd = memfd_create("cpio", 0), from = memfd_create("from", 0);
	struct seen v[2];
	struct cpio c;

	ck_assert_int_eq(5, write(from, "hello", 5));
	cpio_open(&c, fd);
	cpio_file_fd(&c, "f", 0755, from);
	ck_assert_int_eq(0, cpio_close(&c));
	ck_assert_uint_eq(1, unpack(fd, v, 2));
	ck_assert_str_eq("hello", v[0].data);
	close(from);
	close(fd);
}
END_TEST

START_TEST(first_error_is_what_close_returns)
{
	int fd = memfd_create("cpio", 0);
	struct cpio c;

	cpio_open(&c, fd);
	cpio_file_fd(&c, "f", 0755, -1);
	cpio_file(&c, "g", 0644, "x", 1);
	ck_assert_int_eq(-EBADF, cpio_close(&c));
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpio");
	TCase *tc = tcase_create("cpio");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, entries_are_read_back_as_written);
	tcase_add_test(tc, parents_come_once_and_before_their_files);
	tcase_add_test(tc, padding_holds_for_every_length);
	tcase_add_test(tc, file_from_descriptor_starts_at_its_beginning);
	tcase_add_test(tc, first_error_is_what_close_returns);
	suite_add_tcase(s, tc);
	return test_run(s);
}
