// SPDX-License-Identifier: GPL-2.0-only
#include "runner/modules.h"

#include "lib/path.h"
#include "lib/test_run.h"

#include <check.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/modules_test.XXXXXX";
static char err_msg[512];

/* The smallest file that has a .modinfo: header, names, one section. */
struct tiny_module {
	Elf64_Ehdr eh;
	Elf64_Shdr sh[3];
	char names[24];
	char modinfo[64];
};

static size_t tiny_make(struct tiny_module *m, const char *depends)
{
	static const char names[] = "\0.shstrtab\0.modinfo";
	int n;

	*m = (struct tiny_module){
		.eh = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				     ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_REL, .e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_shoff = offsetof(struct tiny_module, sh),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3,
			.e_shstrndx = 1 },
		.sh[1] = { .sh_name = 1, .sh_type = SHT_STRTAB,
			   .sh_offset = offsetof(struct tiny_module, names),
			   .sh_size = sizeof(names) },
		.sh[2] = { .sh_name = 11, .sh_type = SHT_PROGBITS,
			   .sh_offset = offsetof(struct tiny_module, modinfo) },
	};
	memcpy(m->names, names, sizeof(names));
	n = snprintf(m->modinfo, sizeof(m->modinfo),
		     "license=GPL%cdepends=%s%cname=x", 0, depends, 0);
	m->sh[2].sh_size = n + 1;
	return sizeof(*m);
}

static void put_file(const char *name, const void *data, size_t len)
{
	char path[PATH_MAX], *slash;

	snprintf(path, sizeof(path), "%s/modules/%s", dir, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	ck_assert_int_eq(0, path_mkdirs(path));
	*slash = '/';
	ck_assert_int_eq(0, path_write_file(path, data, len));
}

static void put_module(const char *name, const char *depends)
{
	struct tiny_module m;
	size_t len = tiny_make(&m, depends);

	put_file(name, &m, len);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	path_remove_tree(dir);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
}

static int resolve(const char *const *names, struct module_list *list)
{
	return modules_resolve(dir, names, list, err_msg, sizeof(err_msg));
}

START_TEST(dependencies_come_first_and_once)
{
	static const char *const names[] = { "kvm-amd", "kvm", NULL };
	static const char *const order[] = { "irqbypass", "kvm", "ccp",
					     "kvm_amd" };
	struct module_list list;

	put_module("kernel/kvm/kvm-amd.ko", "kvm,ccp");
	put_module("kernel/kvm/kvm.ko", "irqbypass");
	put_module("kernel/virt/irqbypass.ko", "");
	put_module("kernel/crypto/ccp.ko", "irqbypass");
	ck_assert_int_eq(0, resolve(names, &list));
	ck_assert_uint_eq(4, list.nr);
	for (size_t i = 0; i < list.nr; i++)
		ck_assert_str_eq(order[i], list.v[i].name);
	modules_free(&list);
	ck_assert_uint_eq(0, list.nr);
}
END_TEST

START_TEST(what_is_built_in_is_left_out)
{
	static const char *const names[] = { "virtio_blk", "ext4", NULL };
	static const char builtin[] = "kernel/fs/ext4/ext4.ko\n"
				      "kernel/drivers/virtio/virtio-ring.ko\n";
	struct module_list list;

	put_module("kernel/virtio_blk.ko", "virtio_ring");
	put_file("modules.builtin", builtin, strlen(builtin));
	ck_assert_int_eq(0, resolve(names, &list));
	ck_assert_uint_eq(1, list.nr);
	ck_assert_str_eq("virtio_blk", list.v[0].name);
	modules_free(&list);
}
END_TEST

START_TEST(kernel_without_a_module_tree_needs_none)
{
	static const char *const names[] = { "virtio_blk", NULL };
	struct module_list list;

	ck_assert_int_eq(0, resolve(names, &list));
	ck_assert_uint_eq(0, list.nr);
	modules_free(&list);
}
END_TEST

START_TEST(a_driver_is_a_module_built_in_or_missing)
{
	static const char builtin[] = "kernel/drivers/virtio/virtio_pci.ko\n";

	ck_assert(modules_may_have(dir, "virtio_pci")); /* no tree: who knows */
	put_module("kernel/virtio-mmio.ko", "");
	ck_assert(modules_may_have(dir, "virtio_mmio"));
	ck_assert(!modules_may_have(dir, "virtio_pci"));
	put_file("modules.builtin", builtin, strlen(builtin));
	ck_assert(modules_may_have(dir, "virtio_pci"));
	ck_assert(!modules_may_have(dir, "virtio_blk"));
}
END_TEST

START_TEST(missing_dependency_is_named)
{
	static const char *const names[] = { "a", NULL };
	struct module_list list;

	put_module("kernel/a.ko", "not_there");
	ck_assert_int_eq(-ENOENT, resolve(names, &list));
	ck_assert_ptr_nonnull(strstr(err_msg, "not_there"));
}
END_TEST

START_TEST(ring_of_dependencies_is_an_error)
{
	static const char *const names[] = { "a", NULL };
	struct module_list list;

	put_module("kernel/a.ko", "b");
	put_module("kernel/b.ko", "a");
	ck_assert_int_eq(-ELOOP, resolve(names, &list));
}
END_TEST

START_TEST(file_that_is_no_module_is_refused)
{
	static const char *const names[] = { "a", NULL };
	struct tiny_module m;
	struct module_list list;

	put_file("kernel/a.ko", "text", 4);
	ck_assert_int_eq(-ENOEXEC, resolve(names, &list));
	/* .modinfo without an end, and one that points outside */
	tiny_make(&m, "");
	m.sh[2].sh_size -= 1;
	put_file("kernel/a.ko", &m, sizeof(m));
	ck_assert_int_eq(-ENOEXEC, resolve(names, &list));
	m.sh[2].sh_offset = 1 << 20;
	put_file("kernel/a.ko", &m, sizeof(m));
	ck_assert_int_eq(-ENOEXEC, resolve(names, &list));
}
END_TEST

static size_t pack_xz(const void *in, size_t len, uint8_t *out, size_t cap)
{
	size_t n = 0;

	ck_assert_int_eq(LZMA_OK,
			 lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, in,
						 len, out, &n, cap));
	return n;
}

static size_t pack_zstd(const void *in, size_t len, uint8_t *out, size_t cap)
{
	size_t n = ZSTD_compress(out, cap, in, len, 3);

	ck_assert_int_eq(0, ZSTD_isError(n));
	return n;
}

static size_t pack_gzip(const void *in, size_t len, uint8_t *out, size_t cap)
{
	z_stream s = { .next_in = (Bytef *)in, .avail_in = len,
		       .next_out = out, .avail_out = cap };

	ck_assert_int_eq(Z_OK, deflateInit2(&s, 6, Z_DEFLATED, 15 + 16, 8,
					    Z_DEFAULT_STRATEGY));
	ck_assert_int_eq(Z_STREAM_END, deflate(&s, Z_FINISH));
	deflateEnd(&s);
	return cap - s.avail_out;
}

static const struct {
	const char *suffix;
	size_t (*pack)(const void *in, size_t len, uint8_t *out, size_t cap);
} packers[] = {
	{ ".xz", pack_xz },
	{ ".zst", pack_zstd },
	{ ".gz", pack_gzip },
};

START_TEST(compressed_module_is_unpacked)
{
	static const char *const names[] = { "a", NULL };
	struct tiny_module m;
	struct module_list list;
	uint8_t packed[4096];
	char name[32];
	size_t n;

	tiny_make(&m, "");
	n = packers[_i].pack(&m, sizeof(m), packed, sizeof(packed));
	snprintf(name, sizeof(name), "kernel/a.ko%s", packers[_i].suffix);
	put_file(name, packed, n);
	ck_assert_int_eq(0, resolve(names, &list));
	ck_assert_uint_eq(sizeof(m), list.v[0].len);
	ck_assert_int_eq(0, memcmp(&m, list.v[0].data, sizeof(m)));
	modules_free(&list);
}
END_TEST

/* Highly compressible: the first guess at the size is far too small. */
START_TEST(output_grows_as_needed)
{
	const size_t len = 3 << 20;
	uint8_t *in = calloc(1, len), *packed = malloc(len), *out;
	size_t n = packers[_i].pack(in, len, packed, len), out_len;

	ck_assert_int_eq(0, decompress(packed, n, &out, &out_len));
	ck_assert_uint_eq(len, out_len);
	ck_assert_int_eq(0, memcmp(in, out, len));
	free(out);
	free(packed);
	free(in);
}
END_TEST

START_TEST(damaged_input_is_an_error_at_every_length)
{
	uint8_t in[300], packed[4096], *out;
	size_t n, out_len;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = i * i >> 3;
	n = packers[_i].pack(in, sizeof(in), packed, sizeof(packed));
	/* From where the magic is whole; before it the bytes are plain. */
	for (size_t cut = 6; cut < n; cut++)
		ck_assert_int_eq(-EBADMSG,
				 decompress(packed, cut, &out, &out_len));
}
END_TEST

int main(void)
{
	const int nr_packers = sizeof(packers) / sizeof(packers[0]);
	Suite *s = suite_create("modules");
	TCase *tc = tcase_create("modules");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, dependencies_come_first_and_once);
	tcase_add_test(tc, what_is_built_in_is_left_out);
	tcase_add_test(tc, kernel_without_a_module_tree_needs_none);
	tcase_add_test(tc, a_driver_is_a_module_built_in_or_missing);
	tcase_add_test(tc, missing_dependency_is_named);
	tcase_add_test(tc, ring_of_dependencies_is_an_error);
	tcase_add_test(tc, file_that_is_no_module_is_refused);
	tcase_add_loop_test(tc, compressed_module_is_unpacked, 0, nr_packers);
	tcase_add_loop_test(tc, output_grows_as_needed, 0, nr_packers);
	tcase_add_loop_test(tc, damaged_input_is_an_error_at_every_length, 0,
			    nr_packers);
	suite_add_tcase(s, tc);
	return test_run(s);
}
