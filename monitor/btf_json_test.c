// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/btf_json.h"

#include "lib/test_run.h"
#include "monitor/btf_type.h"
#include "monitor/numbers.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <check.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORK 10000

/* The types that the tests use, made anew for each. */
struct types {
	struct btf *btf;
	int u8, u16, u32, s32, u64, s64, u128, chr, boolean, dbl, ptr, color;
};

static void types_init(struct types *t)
{
	struct btf *b = btf__new_empty();

	ck_assert_ptr_nonnull(b);
	t->btf = b;
	t->u8 = btf__add_typedef(b, "u8",
				 btf__add_int(b, "unsigned char", 1, 0));
	t->u16 = btf__add_int(b, "unsigned short", 2, 0);
	t->u32 = btf__add_int(b, "unsigned int", 4, 0);
	t->s32 = btf__add_int(b, "int", 4, BTF_INT_SIGNED);
	t->u64 = btf__add_typedef(b, "u64",
				  btf__add_volatile(b, btf__add_const(b,
				  btf__add_int(b, "unsigned long", 8, 0))));
	t->s64 = btf__add_int(b, "long", 8, BTF_INT_SIGNED);
	t->u128 = btf__add_int(b, "unsigned __int128", 16, 0);
	t->chr = btf__add_int(b, "char", 1, BTF_INT_SIGNED);
	t->boolean = btf__add_int(b, "_Bool", 1, BTF_INT_BOOL);
	t->dbl = btf__add_float(b, "double", 8);
	t->ptr = btf__add_ptr(b, 0);
	t->color = btf__add_enum(b, "color", 4);
	btf__add_enum_value(b, "BLUE", -3);
	btf__add_enum_value(b, "GREEN", 5);
}

static char *render_with(const struct btf *btf, int type, const void *data,
			 size_t len, struct btf_json_budget *budget)
{
	json_t *j = btf_json(btf, type, data, len, budget);
	char *text;

	ck_assert_ptr_nonnull(j);
	text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
	ck_assert_ptr_nonnull(text);
	json_decref(j);
	return text;
}

static void expect(const struct btf *btf, int type, const void *data,
		   size_t len, const char *want)
{
	struct btf_json_budget budget = { .work = WORK };
	char *text = render_with(btf, type, data, len, &budget);

	ck_assert_str_eq(want, text);
	ck_assert(!budget.exceeded);
	free(text);
}

#define EXPECT(type, value, want) \
	expect(t.btf, type, &(value), sizeof(value), want)

START_TEST(scalars_have_the_promised_forms)
{
	uint64_t wide[2] = { 0x0807060504030201, 0 };
	struct types t;

	types_init(&t);
	EXPECT(t.u8, ((uint8_t){ 200 }), "200");
	EXPECT(t.u16, ((uint16_t){ 65535 }), "65535");
	EXPECT(t.s32, ((int32_t){ -7 }), "-7");
	EXPECT(t.u64, ((uint64_t){ (1ull << 53) - 1 }), "9007199254740991");
	EXPECT(t.u64, ((uint64_t){ 1ull << 53 }), "\"9007199254740992\"");
	EXPECT(t.u64, ((uint64_t){ UINT64_MAX }), "\"18446744073709551615\"");
	EXPECT(t.s64, ((int64_t){ -(1ll << 53) + 1 }), "-9007199254740991");
	EXPECT(t.s64, ((int64_t){ INT64_MIN }), "\"-9223372036854775808\"");
	EXPECT(t.boolean, ((uint8_t){ 1 }), "true");
	EXPECT(t.boolean, ((uint8_t){ 0 }), "false");
	EXPECT(t.dbl, ((double){ 1.5 }), "1.5");
	EXPECT(t.dbl, ((double){ __builtin_nan("") }), "null");
	EXPECT(t.ptr, ((uint64_t){ 0xff00 }), "\"0xff00\"");
	EXPECT(t.u128, wide, "\"01020304050607080000000000000000\"");
	btf__free(t.btf);
}
END_TEST

START_TEST(enums_go_by_name_or_else_by_number)
{
	uint64_t big = 1ull << 40;
	struct types t;
	int e64;

	types_init(&t);
	EXPECT(t.color, ((int32_t){ 5 }), "\"GREEN\"");
	EXPECT(t.color, ((int32_t){ -3 }), "\"BLUE\"");
	EXPECT(t.color, ((int32_t){ -4 }), "-4");
	e64 = btf__add_enum64(t.btf, "wide", 8, false);
	btf__add_enum64_value(t.btf, "HUGE", big);
	EXPECT(e64, big, "\"HUGE\"");
	big = UINT64_MAX;
	EXPECT(e64, big, "\"18446744073709551615\"");
	btf__free(t.btf);
}
END_TEST

START_TEST(char_arrays_are_text_and_byte_arrays_are_not)
{
	struct types t;
	int text, bytes;

	types_init(&t);
	text = btf__add_array(t.btf, t.u32, t.chr, 4);
	bytes = btf__add_array(t.btf, t.u32, t.u8, 4);
	expect(t.btf, text, "ab\0c", 4, "\"ab\"");
	expect(t.btf, text, "abcd", 4, "\"abcd\"");
	expect(t.btf, text, "a\xff\"\n", 4, "\"a?\\\"\\n\"");
	expect(t.btf, text, "\xc3\xa4", 3, "null"); /* shorter than the type */
	expect(t.btf, bytes, "ab\0c", 4, "[97,98,0,99]");
	btf__free(t.btf);
}
END_TEST

/* struct s { u8 a:3, b:5; int neg:9; union { u32 word; u16 half; }; } */
static int bit_struct(struct types *t)
{
	int u = btf__add_union(t->btf, "", 4), s;

	btf__add_field(t->btf, "word", t->u32, 0, 0);
	btf__add_field(t->btf, "half", t->u16, 0, 0);
	s = btf__add_struct(t->btf, "s", 12);
	btf__add_field(t->btf, "a", t->u8, 0, 3);
	btf__add_field(t->btf, "b", t->u8, 3, 5);
	btf__add_field(t->btf, "", t->u8, 8, 4);
	btf__add_field(t->btf, "neg", t->s32, 15, 9);
	btf__add_field(t->btf, "", u, 64, 0);
	return s;
}

START_TEST(bit_fields_and_anonymous_unions_are_members)
{
	struct __attribute__((packed)) {
		uint32_t a : 3, b : 5, pad : 7;
		int32_t neg : 9;
		uint32_t rest : 8;
		uint32_t hole;
		uint32_t word;
	} v = { .a = 5, .b = 17, .neg = -200, .word = 0x10002 };
	struct types t;

	types_init(&t);
	expect(t.btf, bit_struct(&t), &v, 12,
	       "{\"a\":5,\"b\":17,\"neg\":-200,\"word\":65538,\"half\":2}");
	btf__free(t.btf);
}
END_TEST

START_TEST(nested_arrays_nest)
{
	static const uint32_t v[6] = { 1, 2, 3, 4, 5, 6 };
	struct types t;
	int inner;

	types_init(&t);
	inner = btf__add_array(t.btf, t.u32, t.u32, 3);
	EXPECT(btf__add_array(t.btf, t.u32, inner, 2), v, "[[1,2,3],[4,5,6]]");
	btf__free(t.btf);
}
END_TEST

START_TEST(what_lies_beyond_the_bytes_is_null)
{
	static const uint32_t v[2] = { 1, 2 };
	struct types t;
	int s;

	types_init(&t);
	s = btf__add_struct(t.btf, "s", 4);
	btf__add_field(t.btf, "in", t.u32, 0, 0);
	btf__add_field(t.btf, "half", t.u64, 32, 0);
	btf__add_field(t.btf, "out", t.u32, 64, 0);
	btf__add_field(t.btf, "far", t.u32, 0x00fffff8, 0);
	expect(t.btf, s, v, 8,
	       "{\"in\":1,\"half\":null,\"out\":null,\"far\":null}");
	btf__free(t.btf);
}
END_TEST

START_TEST(huge_and_cyclic_types_end_and_say_so)
{
	struct btf_json_budget budget = { .work = 1000 };
	uint8_t byte = 0;
	struct types t;
	int empty, self, zeros;
	char *text;

	types_init(&t);
	/* Four thousand million of nothing */
	empty = btf__add_struct(t.btf, "empty", 0);
	zeros = btf__add_array(t.btf, t.u32, empty, UINT32_MAX);
	text = render_with(t.btf, zeros, &byte, 1, &budget);
	ck_assert(budget.exceeded);
	free(text);

	/* A struct that contains itself twice, anonymously and by name */
	self = btf__type_cnt(t.btf);
	ck_assert_int_eq(self, btf__add_struct(t.btf, "self", 1));
	btf__add_field(t.btf, "x", self, 0, 0);
	btf__add_field(t.btf, "", self, 0, 0);
	budget = (struct btf_json_budget){ .work = 1000 };
	text = render_with(t.btf, self, &byte, 1, &budget);
	ck_assert(budget.exceeded);
	free(text);
	btf__free(t.btf);
}
END_TEST

START_TEST(types_are_named_as_in_c)
{
	struct types t;
	char text[40];
	int id;

	types_init(&t);
	btf_type_text(t.btf, t.u64, text, sizeof(text));
	ck_assert_str_eq("u64", text);
	btf_type_text(t.btf, t.color, text, sizeof(text));
	ck_assert_str_eq("enum color", text);
	btf_type_text(t.btf, bit_struct(&t), text, sizeof(text));
	ck_assert_str_eq("struct s", text);
	id = btf__add_array(t.btf, t.u32, btf__add_array(t.btf, t.u32, t.u8, 3),
			    2);
	btf_type_text(t.btf, id, text, sizeof(text));
	ck_assert_str_eq("u8[2][3]", text);
	btf_type_text(t.btf, btf__add_ptr(t.btf, t.ptr), text, sizeof(text));
	ck_assert_str_eq("void **", text);
	btf_type_text(t.btf, 0, text, sizeof(text));
	ck_assert_str_eq("void", text);
	btf__free(t.btf);
}
END_TEST

static void expect_numbers(const struct numbers *ns, const char *const *names,
			   unsigned int nr)
{
	unsigned int i;

	ck_assert_uint_eq(nr, ns->nr);
	for (i = 0; i < nr; i++)
		ck_assert_str_eq(names[i], ns->v[i].name);
}

START_TEST(numbers_are_flat_and_leave_out_what_is_none)
{
	static const char *const names[] = {
		"m.n", "m.arr[0]", "m.arr[1]", "m.in.a", "m.in.b", "m.in.neg",
		"m.in.word", "m.in.half", "m.col", "m.yes",
	};
	struct numbers ns = { 0 };
	int in, s;
	struct types t;

	types_init(&t);
	in = bit_struct(&t);
	s = btf__add_struct(t.btf, "outer", 56);
	btf__add_field(t.btf, "n", t.u64, 0, 0);
	btf__add_field(t.btf, "arr",
		       btf__type_cnt(t.btf), 64, 0);
	btf__add_field(t.btf, "p", t.ptr, 128, 0);
	btf__add_field(t.btf, "d", t.dbl, 192, 0);
	btf__add_field(t.btf, "in", in, 256, 0);
	btf__add_field(t.btf, "col", t.color, 352, 0);
	btf__add_field(t.btf, "yes", t.boolean, 384, 0);
	btf__add_field(t.btf, "beyond", t.u64, 448, 0);
	btf__add_array(t.btf, t.u32, t.u32, 2);
	ck_assert_int_eq(0, numbers_add(&ns, t.btf, s, 56, 0, "m"));
	expect_numbers(&ns, names, sizeof(names) / sizeof(names[0]));
	ck_assert(!ns.truncated);
	/* One aligned word each: such a load is never torn */
	ck_assert_uint_eq(4, ns.v[5].load_bytes);
	ck_assert_uint_eq(8, ns.v[0].load_bytes);
	numbers_fini(&ns);
	btf__free(t.btf);
}
END_TEST

START_TEST(numbers_of_one_value_are_bounded)
{
	struct numbers ns = { 0 };
	struct types t;
	int arr;

	types_init(&t);
	arr = btf__add_array(t.btf, t.u32, t.u8, NUMBERS_MAX + 10);
	ck_assert_int_eq(0, numbers_add(&ns, t.btf, arr, NUMBERS_MAX + 10, 0,
					"m"));
	ck_assert_uint_eq(NUMBERS_MAX, ns.nr);
	ck_assert(ns.truncated);
	numbers_fini(&ns);
	btf__free(t.btf);
}
END_TEST

START_TEST(foreign_byte_order_and_garbage_are_no_btf)
{
	uint8_t raw[64] = { 0x9f, 0xeb };
	struct btf *btf;

	ck_assert_int_eq(-EINVAL, btf_parse_untrusted(raw, 8, &btf));
	ck_assert_int_eq(-EINVAL, btf_parse_untrusted(raw, 64, &btf));
	raw[0] = 0xeb;
	raw[1] = 0x9f;
	ck_assert_int_eq(-EINVAL, btf_parse_untrusted(raw, 64, &btf));
}
END_TEST

static int no_print(enum libbpf_print_level level, const char *fmt,
		    va_list args)
{
	return 0;
}

int main(void)
{
	Suite *s = suite_create("btf_json");
	TCase *t = tcase_create("btf_json");

	libbpf_set_print(no_print);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, scalars_have_the_promised_forms);
	tcase_add_test(t, enums_go_by_name_or_else_by_number);
	tcase_add_test(t, char_arrays_are_text_and_byte_arrays_are_not);
	tcase_add_test(t, bit_fields_and_anonymous_unions_are_members);
	tcase_add_test(t, nested_arrays_nest);
	tcase_add_test(t, what_lies_beyond_the_bytes_is_null);
	tcase_add_test(t, huge_and_cyclic_types_end_and_say_so);
	tcase_add_test(t, types_are_named_as_in_c);
	tcase_add_test(t, numbers_are_flat_and_leave_out_what_is_none);
	tcase_add_test(t, numbers_of_one_value_are_bounded);
	tcase_add_test(t, foreign_byte_order_and_garbage_are_no_btf);
	suite_add_tcase(s, t);
	return test_run(s);
}
