// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel is a BTF of a dozen types made here; the compiler is the real
 * one, with libbpf's real headers.
 */
#include "runner/sched_source.h"

#include <bpf/btf.h>

#include <check.h>
#include <elf.h>
#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/path.h"
#include "lib/test_run.h"

static char dir[64];
static char why[256];
static char diag[8192];

static char *in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void setup(void)
{
	strcpy(dir, "/tmp/ktstr-source.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	*why = *diag = '\0';
	unsetenv("KTSTR_CLANG");
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	return remove(path);
}

static void teardown(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text)
{
	ck_assert_int_eq(0, path_write_file(in_dir(name), text, strlen(text)));
}

static char *get(const char *name)
{
	char *text;
	size_t len;

	ck_assert_int_eq(0, path_read_file(in_dir(name), 1 << 20, &text, &len));
	return text;
}

/* --- a small kernel --- */

/* The integers that bpf_helper_defs.h takes from vmlinux.h. */
static void add_integers(struct btf *btf)
{
	static const struct {
		const char *base, *names[6];
		unsigned int bytes, encoding;
	} t[] = {
		{ "unsigned char", { "__u8", "u8" }, 1, 0 },
		{ "short unsigned int", { "__u16", "u16", "__be16" }, 2, 0 },
		{ "int", { "__s32", "s32" }, 4, BTF_INT_SIGNED },
		{ "unsigned int",
		  { "__u32", "u32", "__be32", "__wsum" }, 4, 0 },
		{ "long long int", { "__s64", "s64" }, 8, BTF_INT_SIGNED },
		{ "long long unsigned int", { "__u64", "u64" }, 8, 0 },
	};
	size_t i, n;
	int id;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		id = btf__add_int(btf, t[i].base, t[i].bytes, t[i].encoding);
		ck_assert_int_gt(id, 0);
		for (n = 0; t[i].names[n]; n++)
			ck_assert_int_gt(btf__add_typedef(btf, t[i].names[n],
							  id), 0);
	}
}

static int find(const struct btf *btf, const char *name, uint32_t kind)
{
	int id = btf__find_by_name_kind(btf, name, kind);

	ck_assert_msg(id > 0, "%s", name);
	return id;
}

/* void (*)(struct task_struct *p, u64 enq_flags), and what points to it. */
static int add_enqueue(struct btf *btf, int task_ptr)
{
	int proto = btf__add_func_proto(btf, 0);

	btf__add_func_param(btf, "p", task_ptr);
	btf__add_func_param(btf, "enq_flags",
			    find(btf, "u64", BTF_KIND_TYPEDEF));
	return proto;
}

static void add_ops(struct btf *btf, int task_ptr)
{
	int enqueue = btf__add_ptr(btf, add_enqueue(btf, task_ptr));
	int text = btf__add_int(btf, "char", 1, BTF_INT_CHAR);
	int index = find(btf, "unsigned int", BTF_KIND_INT);
	int name = btf__add_array(btf, index, text, 16);

	btf__add_struct(btf, "sched_ext_ops", 24);
	btf__add_field(btf, "enqueue", enqueue, 0, 0);
	btf__add_field(btf, "name", name, 64, 0);
}

static int add_func(struct btf *btf, const char *name, int proto)
{
	int id = btf__add_func(btf, name, BTF_FUNC_STATIC, proto);

	ck_assert_int_gt(id, 0);
	return id;
}

static void write_kernel(bool tags)
{
	struct btf *btf = btf__new_empty();
	int task, task_ptr, insert, none, plain;
	const void *raw;
	uint32_t len;

	ck_assert_ptr_nonnull(btf);
	add_integers(btf);
	task = btf__add_struct(btf, "task_struct", 8);
	btf__add_field(btf, "scx_weight", find(btf, "u64", BTF_KIND_TYPEDEF), 0,
		       0);
	task_ptr = btf__add_ptr(btf, task);
	add_ops(btf, task_ptr);
	insert = add_func(btf, "scx_insert", add_enqueue(btf, task_ptr));
	none = add_func(btf, "scx_nr", btf__add_func_proto(btf,
				find(btf, "u32", BTF_KIND_TYPEDEF)));
	plain = add_func(btf, "schedule", add_enqueue(btf, task_ptr));
	if (tags) {
		btf__add_decl_tag(btf, "bpf_kfunc", insert, -1);
		btf__add_decl_tag(btf, "bpf_kfunc", none, -1);
		/* of an argument, of a type, and of another name */
		btf__add_decl_tag(btf, "bpf_kfunc", plain, 0);
		btf__add_decl_tag(btf, "bpf_kfunc", task, -1);
		btf__add_decl_tag(btf, "bpf_kfunc2", plain, -1);
	}
	raw = btf__raw_data(btf, &len);
	ck_assert_int_eq(0, path_write_file(in_dir("btf"), raw, len));
	btf__free(btf);
}

static void write_vmlinux_h(bool tags)
{
	write_kernel(tags);
	ck_assert_msg(!vmlinux_h_write(in_dir("btf"), in_dir("vmlinux.h"), why,
				       sizeof(why)), "%s", why);
}

/* --- vmlinux.h --- */

START_TEST(header_has_types_and_tagged_kfuncs_only)
{
	char *text;

	write_vmlinux_h(true);
	text = get("vmlinux.h");
	ck_assert_ptr_eq(text, strstr(text, "#ifndef __VMLINUX_H__\n"));
	ck_assert_ptr_nonnull(strstr(text,
		"struct task_struct {\n\tu64 scx_weight;\n};\n"));
	ck_assert_ptr_nonnull(strstr(text,
		"\tvoid (*enqueue)(struct task_struct *p, u64 enq_flags);\n"));
	ck_assert_ptr_nonnull(strstr(text,
		"\nextern void scx_insert(struct task_struct *p, "
		"u64 enq_flags) __weak __ksym;\n"));
	ck_assert_ptr_nonnull(strstr(text,
		"\nextern u32 scx_nr(void) __weak __ksym;\n"));
	ck_assert_ptr_null(strstr(text, "schedule"));
	ck_assert_ptr_null(strstr(text, "None:"));
	free(text);
}
END_TEST

START_TEST(header_without_tags_says_so)
{
	char *text;

	write_vmlinux_h(false);
	text = get("vmlinux.h");
	ck_assert_ptr_nonnull(strstr(text, "does not tag them"));
	ck_assert_ptr_null(strstr(text, "extern"));
	free(text);
}
END_TEST

START_TEST(what_is_no_btf_gives_no_header)
{
	char want[160];

	put("btf", "not BTF at all");
	ck_assert_int_lt(vmlinux_h_write(in_dir("btf"), in_dir("vmlinux.h"),
					 why, sizeof(why)), 0);
	snprintf(want, sizeof(want), "read BTF of %s: ", in_dir("btf"));
	ck_assert_ptr_eq(why, strstr(why, want));
	ck_assert_int_eq(-ENOENT, vmlinux_h_write(in_dir("nope"),
						  in_dir("vmlinux.h"), why,
						  sizeof(why)));
	ck_assert_int_ne(0, access(in_dir("vmlinux.h"), F_OK));
}
END_TEST

START_TEST(header_that_cannot_be_written_is_an_error)
{
	write_kernel(true);
	ck_assert_int_eq(-ENOENT, vmlinux_h_write(in_dir("btf"),
						  in_dir("no/vmlinux.h"), why,
						  sizeof(why)));
	ck_assert_ptr_nonnull(strstr(why, "no/vmlinux.h: No such file"));
}
END_TEST

/* --- the compiler --- */

#define SCHED_HEAD \
	"#include <vmlinux.h>\n" \
	"#include <bpf/bpf_helpers.h>\n" \
	"#include <bpf/bpf_tracing.h>\n" \
	"char _license[] SEC(\"license\") = \"GPL\";\n"

#define SCHED_TAIL \
	"SEC(\".struct_ops.link\") struct sched_ext_ops ops = {\n" \
	"	.enqueue = (void *)tiny_enqueue, .name = \"tiny\" };\n"

static const char tiny[] = SCHED_HEAD
	"SEC(\"struct_ops/tiny_enqueue\")\n"
	"void BPF_PROG(tiny_enqueue, struct task_struct *p, u64 enq_flags)\n"
	"{\n"
	"	if (p->scx_weight && scx_nr())\n"
	"		scx_insert(p, enq_flags);\n"
	"}\n" SCHED_TAIL;

static const char broken[] = SCHED_HEAD
	"SEC(\"struct_ops/tiny_enqueue\")\n"
	"void BPF_PROG(tiny_enqueue, struct task_struct *p, u64 enq_flags)\n"
	"{\n"
	"	p->no_such_member = 1;\n"		/* line 8 */
	"}\n" SCHED_TAIL;

static int compile(const char *name, size_t room)
{
	return sched_source_compile(in_dir(name), dir, in_dir("x.bpf.o"), diag,
				    room);
}

static void check_object(void)
{
	char *data;
	size_t len;
	const Elf64_Ehdr *ehdr;

	ck_assert_int_eq(0, path_read_file(in_dir("x.bpf.o"), 1 << 24, &data,
					   &len));
	ck_assert_uint_gt(len, sizeof(*ehdr));
	ehdr = (const Elf64_Ehdr *)data;
	ck_assert_mem_eq(ELFMAG, ehdr->e_ident, SELFMAG);
	ck_assert_uint_eq(EM_BPF, ehdr->e_machine);
	free(data);
}

START_TEST(scheduler_compiles_against_the_header)
{
	const struct btf_type *t;
	struct btf *btf;
	int id;

	write_vmlinux_h(true);
	put("tiny.bpf.c", tiny);
	ck_assert_msg(!compile("tiny.bpf.c", sizeof(diag)), "%s", diag);
	ck_assert_str_eq("", diag);
	check_object();
	/*
	 * A kfunc without arguments is one in the object too: "f()" would be
	 * one of any, which the kernel's does not match.
	 */
	btf = btf__parse(in_dir("x.bpf.o"), NULL);
	ck_assert_ptr_nonnull(btf);
	id = btf__find_by_name_kind(btf, "scx_nr", BTF_KIND_FUNC);
	ck_assert_int_gt(id, 0);
	t = btf__type_by_id(btf, id);
	ck_assert_uint_eq(0, btf_vlen(btf__type_by_id(btf, t->type)));
	btf__free(btf);
}
END_TEST

START_TEST(error_names_file_and_line)
{
	char want[160];

	write_vmlinux_h(true);
	put("broken.bpf.c", broken);
	ck_assert_int_eq(-EINVAL, compile("broken.bpf.c", sizeof(diag)));
	snprintf(want, sizeof(want), "%s:8:5: error: no member named "
		 "'no_such_member'", in_dir("broken.bpf.c"));
	ck_assert_msg(strstr(diag, want), "%s", diag);
	ck_assert_int_ne(0, access(in_dir("x.bpf.o"), F_OK));
}
END_TEST

START_TEST(long_diagnostics_are_cut_not_overrun)
{
	write_vmlinux_h(true);
	put("broken.bpf.c", broken);
	memset(diag, 'x', sizeof(diag));
	ck_assert_int_eq(-EINVAL, compile("broken.bpf.c", 40));
	ck_assert_uint_eq(39, strlen(diag));
	ck_assert_int_eq('x', diag[40]);
	ck_assert_ptr_eq(diag, strstr(diag, dir));
}
END_TEST

START_TEST(warnings_stop_nothing)
{
	write_vmlinux_h(true);
	put("warn.bpf.c", SCHED_HEAD "static int unused(void) { return 1; }\n");
	ck_assert_msg(!compile("warn.bpf.c", sizeof(diag)), "%s", diag);
	ck_assert_str_eq("", diag);
	check_object();
}
END_TEST

START_TEST(sources_folder_is_searched)
{
	ck_assert_int_eq(0, mkdir(in_dir("src"), 0755));
	ck_assert_int_eq(0, mkdir(in_dir("inc"), 0755));
	write_kernel(true);
	ck_assert_int_eq(0, vmlinux_h_write(in_dir("btf"),
					    in_dir("inc/vmlinux.h"), why,
					    sizeof(why)));
	put("src/mine.h", "#define MINE 7\n");
	put("src/a.bpf.c", SCHED_HEAD "#include <mine.h>\nint x = MINE;\n");
	ck_assert_msg(!sched_source_compile(in_dir("src/a.bpf.c"),
					    in_dir("inc"), in_dir("x.bpf.o"),
					    diag, sizeof(diag)), "%s", diag);
	check_object();
	/* and by the source's bare name, from within its folder */
	ck_assert_int_eq(0, chdir(in_dir("src")));
	ck_assert_msg(!sched_source_compile("a.bpf.c", in_dir("inc"),
					    in_dir("x.bpf.o"), diag,
					    sizeof(diag)), "%s", diag);
	ck_assert_int_eq(0, chdir("/"));
}
END_TEST

START_TEST(missing_libbpf_headers_say_what_to_do)
{
	put("a.bpf.c", "#include <bpf/bpf_helpers.h>\n");
	setenv("KTSTR_LIBBPF_INCLUDE", dir, 1);
	ck_assert_int_eq(0, mkdir(in_dir("bpf"), 0755));
	/* found there, and so taken from there, and not from elsewhere */
	put("bpf/bpf_helpers.h", "#error mine\n");
	ck_assert_int_eq(-EINVAL, compile("a.bpf.c", sizeof(diag)));
	ck_assert_ptr_nonnull(strstr(diag, "#error mine"));
	put("a.bpf.c", "#error \"'bpf/bpf_helpers.h' file not found\"\n");
	ck_assert_int_eq(-EINVAL, compile("a.bpf.c", sizeof(diag)));
	ck_assert_ptr_nonnull(strstr(diag, "set KTSTR_LIBBPF_INCLUDE, or run "
					   "tools/setup"));
}
END_TEST

START_TEST(missing_source_and_missing_compiler_are_told_apart)
{
	char want[160];

	ck_assert_int_eq(-ENOENT, compile("nope.bpf.c", sizeof(diag)));
	snprintf(want, sizeof(want), "%s: No such file or directory",
		 in_dir("nope.bpf.c"));
	ck_assert_str_eq(want, diag);
	put("a.bpf.c", "int x;\n");
	setenv("KTSTR_CLANG", "no-such-clang", 1);
	ck_assert_int_eq(-ENOENT, compile("a.bpf.c", sizeof(diag)));
	ck_assert_str_eq("no-such-clang: No such file or directory", diag);
}
END_TEST

START_TEST(compiler_that_dies_is_a_refusal)
{
	put("clang", "#!/bin/sh\necho last words\nkill -9 $$\n");
	ck_assert_int_eq(0, chmod(in_dir("clang"), 0755));
	put("a.bpf.c", "int x;\n");
	setenv("KTSTR_CLANG", in_dir("clang"), 1);
	ck_assert_int_eq(-EINVAL, compile("a.bpf.c", sizeof(diag)));
	ck_assert_str_eq("last words\nthe compiler was killed by a signal",
			 diag);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("runner/sched_source");
	TCase *tc = tcase_create("sched_source");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, header_has_types_and_tagged_kfuncs_only);
	tcase_add_test(tc, header_without_tags_says_so);
	tcase_add_test(tc, what_is_no_btf_gives_no_header);
	tcase_add_test(tc, header_that_cannot_be_written_is_an_error);
	tcase_add_test(tc, scheduler_compiles_against_the_header);
	tcase_add_test(tc, error_names_file_and_line);
	tcase_add_test(tc, long_diagnostics_are_cut_not_overrun);
	tcase_add_test(tc, warnings_stop_nothing);
	tcase_add_test(tc, sources_folder_is_searched);
	tcase_add_test(tc, missing_libbpf_headers_say_what_to_do);
	tcase_add_test(tc, missing_source_and_missing_compiler_are_told_apart);
	tcase_add_test(tc, compiler_that_dies_is_a_refusal);
	suite_add_tcase(s, tc);
	return test_run(s);
}
