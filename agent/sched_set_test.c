// SPDX-License-Identifier: GPL-2.0-only
#include "agent/sched_set.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/test_run.h"

static struct bpf_object *obj;
static char msg[256];

static int say_nothing(enum libbpf_print_level level, const char *fmt,
		       va_list ap)
{
	return 0;
}

/* The object is built beside the test. */
static void setup(void)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 16);

	ck_assert_int_gt(len, 0);
	strcpy(path + len, ".bpf.o");
	libbpf_set_print(say_nothing);
	obj = bpf_object__open_file(path, NULL);
	ck_assert_msg(obj, "%s: %s", path, strerror(errno));
	msg[0] = '\0';
}

static void teardown(void)
{
	bpf_object__close(obj);
}

static int set(const char *json)
{
	json_t *vars = json_loads(json, 0, NULL);
	int err;

	ck_assert_ptr_nonnull(vars);
	err = sched_set_all(obj, vars, msg, sizeof(msg));
	json_decref(vars);
	return err;
}

static struct sched_var find(const char *name)
{
	struct sched_var var;

	ck_assert_int_eq(0, sched_var_find(obj, name, &var));
	return var;
}

/* The variable's bytes are exactly these. */
#define ck_var(name, type, ...) do {					\
	const type want_[] = { __VA_ARGS__ };				\
	struct sched_var var_ = find(name);				\
									\
	ck_assert_uint_eq(sizeof(want_), var_.bytes);			\
	ck_assert_mem_eq(want_, var_.value, sizeof(want_));		\
} while (0)

START_TEST(values_are_stored_as_their_type)
{
	ck_assert_int_eq(0, set("{\"slice_ns\": 20000000, \"s64_var\": -5,"
				" \"u8_var\": 255, \"s8_var\": -128,"
				" \"flag\": true, \"ticks\": 4294967295}"));
	ck_var("slice_ns", uint64_t, 20000000);
	ck_var("s64_var", int64_t, -5);
	ck_var("u8_var", uint8_t, 255);
	ck_var("s8_var", int8_t, -128);
	ck_var("flag", bool, true);
	ck_var("ticks", uint32_t, 4294967295);
}
END_TEST

START_TEST(every_section_of_global_data_can_be_set)
{
	ck_assert_int_eq(0, set("{\"bss_var\": 1, \"data_var\": 2,"
				" \"own_section\": 3}"));
	ck_var("bss_var", uint64_t, 1);
	ck_var("data_var", uint32_t, 2);
	ck_var("own_section", uint32_t, 3);
}
END_TEST

START_TEST(numbers_beyond_json_are_given_as_text)
{
	ck_assert_int_eq(0, set("{\"slice_ns\": \"0x8000000000000001\","
				" \"s64_var\": \"-9223372036854775808\"}"));
	ck_var("slice_ns", uint64_t, 0x8000000000000001);
	ck_var("s64_var", int64_t, INT64_MIN);
}
END_TEST

START_TEST(enums_are_set_by_name_or_number)
{
	ck_assert_int_eq(0, set("{\"color\": \"GREEN\", \"wide\": \"WIDE\","
				" \"signed_color\": \"COLD\"}"));
	ck_var("color", uint32_t, 4);
	ck_var("wide", uint64_t, 1ULL << 40);
	ck_var("signed_color", int32_t, -2);
	ck_assert_int_eq(0, set("{\"color\": 17, \"signed_color\": -1}"));
	ck_var("color", uint32_t, 17);
	ck_var("signed_color", int32_t, -1);
}
END_TEST

START_TEST(arrays_keep_what_is_not_given)
{
	ck_assert_int_eq(0, set("{\"numbers\": [-7, 8], \"flags\": [true],"
				" \"tag\": \"new\"}"));
	ck_var("numbers", int16_t, -7, 8, 3);
	ck_var("flags", bool, true, false);
	ck_var("tag", char, 'n', 'e', 'w', 0, 0, 0, 0, 0);
}
END_TEST

static const struct {
	const char *set;
	int err;
	const char *says;
} refused[] = {
	{ "{\"u8_var\": 256}", -ERANGE, "u8_var" },
	{ "{\"u8_var\": -1}", -ERANGE, "unsigned 8 bits" },
	{ "{\"s8_var\": 128}", -ERANGE, "signed 8 bits" },
	{ "{\"s8_var\": -129}", -ERANGE, "s8_var" },
	{ "{\"slice_ns\": -1}", -ERANGE, "slice_ns" },
	{ "{\"s64_var\": \"0x8000000000000000\"}", -ERANGE, "s64_var" },
	{ "{\"slice_ns\": \"99999999999999999999\"}", -ERANGE, "slice_ns" },
	{ "{\"slice_ns\": \"5ms\"}", -EINVAL, "want an integer" },
	{ "{\"slice_ns\": \"--5\"}", -EINVAL, "want an integer" },
	{ "{\"slice_ns\": 1.5}", -EINVAL, "want an integer" },
	{ "{\"slice_ns\": true}", -EINVAL, "want an integer" },
	{ "{\"flag\": 2}", -EINVAL, "true or false" },
	{ "{\"flag\": \"yes\"}", -EINVAL, "true or false" },
	{ "{\"color\": \"BLUE\"}", -EINVAL, "BLUE" },
	{ "{\"tag\": \"12345678\"}", -ERANGE, "7 bytes" },
	{ "{\"numbers\": [1, 2, 3, 4]}", -ERANGE, "3 elements" },
	{ "{\"numbers\": [1, 99999]}", -ERANGE, "numbers" },
	{ "{\"numbers\": 1}", -EINVAL, "want an array" },
	{ "{\"pair\": 1}", -ENOTSUP, "pair" },
	{ "{\"slice_n\": 1}", -ENOENT, "did you mean slice_ns?" },
	{ "{\"colour\": 1}", -ENOENT, "did you mean color?" },
	{ "{\"zzzzzz\": 1}", -ENOENT, "no variable zzzzzz" },
};

START_TEST(wrong_values_are_refused_by_name)
{
	ck_assert_int_eq(refused[_i].err, set(refused[_i].set));
	ck_assert_msg(strstr(msg, refused[_i].says), "\"%s\" lacks \"%s\"", msg,
		      refused[_i].says);
}
END_TEST

START_TEST(far_names_are_not_suggested)
{
	ck_assert_int_eq(-ENOENT, set("{\"zzzzzz\": 1}"));
	ck_assert_ptr_null(strstr(msg, "mean"));
}
END_TEST

START_TEST(enum_constants_come_from_the_kernel)
{
	struct btf *kernel = btf__new_empty();

	ck_assert_int_gt(btf__add_enum(kernel, "small", 4), 0);
	ck_assert_int_eq(0, btf__add_enum_value(kernel, "SCX_GIVEN", 6));
	ck_assert_int_gt(btf__add_enum64(kernel, "large", 8, false), 0);
	ck_assert_int_eq(0, btf__add_enum64_value(kernel, "SCX_DSQ_LOCAL",
						  0x8000000000000002));
	ck_assert_int_eq(1, sched_set_enums(obj, kernel));
	ck_var("__SCX_DSQ_LOCAL", uint64_t, 0x8000000000000002);
	ck_var("__SCX_GIVEN", uint64_t, 5); /* the object's own value stays */
	ck_var("__SCX_NOT_IN_THIS_KERNEL", uint64_t, 0);
	btf__free(kernel);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/sched_set");
	TCase *tc = tcase_create("sched_set");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, values_are_stored_as_their_type);
	tcase_add_test(tc, every_section_of_global_data_can_be_set);
	tcase_add_test(tc, numbers_beyond_json_are_given_as_text);
	tcase_add_test(tc, enums_are_set_by_name_or_number);
	tcase_add_test(tc, arrays_keep_what_is_not_given);
	tcase_add_loop_test(tc, wrong_values_are_refused_by_name, 0,
			    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, far_names_are_not_suggested);
	tcase_add_test(tc, enum_constants_come_from_the_kernel);
	suite_add_tcase(s, tc);
	return test_run(s);
}
