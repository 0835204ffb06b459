// SPDX-License-Identifier: GPL-2.0-only
#include "agent/libbpf_room.h"

#include <check.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"

/* A compiler makes a malloc() of what it sees to be one. */
static void *volatile nothing;

START_TEST(what_may_grow_has_room_while_it_is_on)
{
	char *table, *after;

	libbpf_room(true);
	table = realloc(nothing, 16);
	ck_assert_ptr_nonnull(table);
	ck_assert_uint_ge(malloc_usable_size(table), LIBBPF_ROOM_BYTES);
	strcpy(table, "what was there");
	table = realloc(table, LIBBPF_ROOM_BYTES + 16);
	ck_assert_ptr_nonnull(table);
	ck_assert_str_eq("what was there", table);
	libbpf_room(false);
	after = realloc(nothing, 16);
	ck_assert_ptr_nonnull(after);
	ck_assert_uint_lt(malloc_usable_size(after), LIBBPF_ROOM_BYTES);
	free(after);
	free(table);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/libbpf_room");
	TCase *tc = tcase_create("libbpf_room");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, what_may_grow_has_room_while_it_is_on);
	suite_add_tcase(s, tc);
	return test_run(s);
}
