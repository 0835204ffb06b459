// SPDX-License-Identifier: GPL-2.0-only
#include "runner/exec_pack.h"

#include "lib/path.h"
#include "lib/test_run.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static json_t *files;
static char why[256];

static void setup(void)
{
	strcpy(dir, "/tmp/exec_pack.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	files = json_array();
}

static void teardown(void)
{
	json_decref(files);
	path_remove_tree(dir);
}

static const char *script(const char *name, const char *text)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(0, path_write_file(path, text, strlen(text)));
	chmod(path, 0755);
	return path;
}

static bool has(const char *path)
{
	json_t *f;
	size_t i;

	json_array_foreach(files, i, f)
		if (!strcmp(json_string_value(f), path))
			return true;
	return false;
}

START_TEST(a_program_brings_loader_and_libraries_once)
{
	json_t *f, *g;
	size_t i, j;

	ck_assert_int_eq(0, exec_pack_add(files, "/bin/sh", why, sizeof(why)));
	ck_assert(has("/bin/sh"));
	ck_assert(has("/lib64/ld-linux-x86-64.so.2"));
	ck_assert_uint_ge(json_array_size(files), 3);
	ck_assert_int_eq(0, exec_pack_add(files, "/bin/cat", why,
					  sizeof(why)));
	json_array_foreach(files, i, f)
		json_array_foreach(files, j, g)
			ck_assert(i == j || !json_equal(f, g));
}
END_TEST

START_TEST(a_script_brings_its_interpreter)
{
	const char *path = script("s", "#! /bin/sh -e\nexit 0\n");

	ck_assert_int_eq(0, exec_pack_add(files, path, why, sizeof(why)));
	ck_assert(has(path));
	ck_assert(has("/bin/sh"));
	ck_assert(has("/lib64/ld-linux-x86-64.so.2"));
}
END_TEST

START_TEST(env_brings_what_it_is_to_find)
{
	setenv("PATH", "/usr/bin:/bin", 1);
	ck_assert_int_eq(0, exec_pack_add(
		files, script("s", "#!/usr/bin/env -S A=1 sh\n"), why,
		sizeof(why)));
	ck_assert(has("/usr/bin/env"));
	ck_assert(has("/usr/bin/sh"));
}
END_TEST

static const struct {
	const char *text;
	int err;
	const char *why;
} bad[] = {
	{ "just text\n", -ENOEXEC, "neither a program nor a script" },
	{ "#!\n", -ENOEXEC, "no interpreter" },
	{ "#!/no/such/thing\n", -ENOENT, "/no/such/thing: No such file" },
	{ "#!/usr/bin/env no-such-name\n", -ENOENT, "no-such-name" },
};

START_TEST(what_can_not_run_is_named)
{
	setenv("PATH", "/usr/bin:/bin", 1);
	ck_assert_int_eq(bad[_i].err, exec_pack_add(
		files, script("s", bad[_i].text), why, sizeof(why)));
	ck_assert_msg(strstr(why, bad[_i].why) != NULL, "%s", why);
}
END_TEST

START_TEST(scripts_of_scripts_end)
{
	char text[256], name[8] = "s0";
	int i;

	script("s0", "#!/bin/sh\n");
	for (i = 1; i < 8; i++) {
		snprintf(text, sizeof(text), "#!%s/s%d\n", dir, i - 1);
		snprintf(name, sizeof(name), "s%d", i);
		script(name, text);
	}
	snprintf(text, sizeof(text), "%s/s7", dir);
	ck_assert_int_eq(-ELOOP, exec_pack_add(files, text, why, sizeof(why)));
}
END_TEST

START_TEST(commands_are_found_as_a_shell_does)
{
	char path[PATH_MAX];

	setenv("PATH", "relative:/nowhere:/usr/bin", 1);
	ck_assert_int_eq(0, exec_pack_find("env", path, sizeof(path)));
	ck_assert_str_eq("/usr/bin/env", path);
	ck_assert_int_eq(-ENOENT, exec_pack_find("no-such", path,
						 sizeof(path)));
	ck_assert_int_eq(-EACCES, exec_pack_find("/etc/passwd", path,
						 sizeof(path)));
	ck_assert_int_eq(0, chdir("/usr/lib"));
	ck_assert_int_eq(0, exec_pack_find("../bin/env", path, sizeof(path)));
	ck_assert_str_eq("/usr/bin/env", path);
}
END_TEST

START_TEST(what_the_guest_mounts_over_is_elsewhere)
{
	char place[64];

	exec_pack_place("/tmp/x/prog", place, sizeof(place));
	ck_assert_str_eq("/ktstr/root/tmp/x/prog", place);
	exec_pack_place("/usr/bin/prog", place, sizeof(place));
	ck_assert_str_eq("/usr/bin/prog", place);
	ck_assert_int_eq(-ENAMETOOLONG, exec_pack_place("/usr/bin", place, 4));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("exec_pack");
	TCase *tc = tcase_create("pack");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_program_brings_loader_and_libraries_once);
	tcase_add_test(tc, a_script_brings_its_interpreter);
	tcase_add_test(tc, env_brings_what_it_is_to_find);
	tcase_add_loop_test(tc, what_can_not_run_is_named, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, scripts_of_scripts_end);
	tcase_add_test(tc, commands_are_found_as_a_shell_does);
	tcase_add_test(tc, what_the_guest_mounts_over_is_elsewhere);
	suite_add_tcase(s, tc);
	return test_run(s);
}
