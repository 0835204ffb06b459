// SPDX-License-Identifier: GPL-2.0-only
#include "agent/map_write.h"

#include <bpf/btf.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/test_run.h"

static struct btf *btf;
static int outer;

/*
 * struct outer { u64 a; struct { u32 b; u32 c; }; struct inner in; u32 f:3; }
 * struct inner { u16 x; u16 y; }
 */
static void setup(void)
{
	int u16, u32, u64, inner, anon;

	btf = btf__new_empty();
	ck_assert_ptr_nonnull(btf);
	u16 = btf__add_int(btf, "u16", 2, 0);
	u32 = btf__add_int(btf, "u32", 4, 0);
	u64 = btf__add_int(btf, "u64", 8, 0);
	inner = btf__add_struct(btf, "inner", 4);
	btf__add_field(btf, "x", u16, 0, 0);
	btf__add_field(btf, "y", u16, 16, 0);
	anon = btf__add_struct(btf, NULL, 8);
	btf__add_field(btf, "b", u32, 0, 0);
	btf__add_field(btf, "c", u32, 32, 0);
	outer = btf__add_struct(btf, "outer", 24);
	btf__add_field(btf, "a", u64, 0, 0);
	btf__add_field(btf, NULL, anon, 64, 0);
	btf__add_field(btf, "in", inner, 128, 0);
	btf__add_field(btf, "f", u32, 160, 3);
	ck_assert_int_gt(outer, 0);
}

static void teardown(void)
{
	btf__free(btf);
}

static const struct {
	const char *path;
	int err;
	size_t off, bytes;
	const char *msg;
} cases[] = {
	{ NULL, 0, 0, 24, NULL },
	{ "a", 0, 0, 8, NULL },
	{ "c", 0, 12, 4, NULL },
	{ "in", 0, 16, 4, NULL },
	{ "in.y", 0, 18, 2, NULL },
	{ "in.z", -ENOENT, 0, 0, "no member z in struct inner" },
	{ "i", -ENOENT, 0, 0, "no member i in struct outer" },
	{ "a.x", -EINVAL, 0, 0, "there is no member x: it is no struct" },
	{ "f", -EINVAL, 0, 0, "member f is a bit-field" },
};

START_TEST(a_member_is_found_by_its_path)
{
	struct map_part part;
	char msg[128] = "";

	ck_assert_int_eq(cases[_i].err, map_part_find(btf, outer, cases[_i].path,
						      &part, msg, sizeof(msg)));
	if (cases[_i].err) {
		ck_assert_str_eq(cases[_i].msg, msg);
		return;
	}
	ck_assert_uint_eq(cases[_i].off, part.off);
	ck_assert_uint_eq(cases[_i].bytes, part.bytes);
}
END_TEST

static const struct {
	const char *step, *msg;
} missing[] = {
	{ "{\"value\": 1}", "neither var nor map" },
	{ "{\"var\": \"x\", \"value\": 1}", "no variable x in the scheduler" },
	{ "{\"map\": \"m\", \"value\": 1}", "no map m in the scheduler" },
};

START_TEST(what_is_not_there_is_named)
{
	json_t *step = json_loads(missing[_i].step, 0, NULL);
	json_t *maps = json_array();
	char msg[128] = "";

	ck_assert_int_lt(map_write(maps, step, msg, sizeof(msg)), 0);
	ck_assert_str_eq(missing[_i].msg, msg);
	json_decref(step);
	json_decref(maps);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map_write");
	TCase *tc = tcase_create("map_write");

	tcase_set_timeout(tc, 10);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_member_is_found_by_its_path, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tc, what_is_not_there_is_named, 0,
			    sizeof(missing) / sizeof(missing[0]));
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
