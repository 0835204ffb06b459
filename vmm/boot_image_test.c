// SPDX-License-Identifier: GPL-2.0-only
/* Images are made here, packed with the libraries that unpack them. */
#include "vmm/boot_image.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <check.h>
#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/test_run.h"
#include "vmm/boot_params.h"
#include "vmm/layout.h"
#include "vmm/memory.h"
#include "vmm/unpack.h"
#include "vmm/vmm.h"

#define RAM (128 * MIB)
#define LOAD_GPA 0x1000000ULL
#define TEXT_BYTES 300000
#define BSS_BYTES 4096
#define SETUP_BYTES 1024 /* boot sector and one more */

static char msg[256];
static const struct errmsg e = { msg, sizeof(msg) };
static struct vm_memory memory;
static char path[64];

/* ------------------------------------------------------------ making ---- */

struct blob {
	uint8_t *p;
	size_t len;
};

/* A kernel: one segment, its text a known pattern. */
static struct blob elf_make(void)
{
	Elf64_Ehdr *h;
	Elf64_Phdr *p;
	struct blob b = { .len = 4096 + TEXT_BYTES };
	size_t i;

	b.p = calloc(1, b.len);
	ck_assert_ptr_nonnull(b.p);
	h = (void *)b.p;
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_type = ET_EXEC;
	h->e_machine = EM_X86_64;
	h->e_phoff = sizeof(*h);
	h->e_phentsize = sizeof(*p);
	h->e_phnum = 1;
	h->e_entry = LOAD_GPA + 0x123;
	p = (void *)(h + 1);
	p->p_type = PT_LOAD;
	p->p_offset = 4096;
	p->p_paddr = LOAD_GPA;
	p->p_filesz = TEXT_BYTES;
	p->p_memsz = TEXT_BYTES + BSS_BYTES;
	for (i = 0; i < TEXT_BYTES; i++)
		b.p[4096 + i] = i * 7 + i / 251;
	return b;
}

static struct blob pack_gzip(struct blob in)
{
	struct blob out = { malloc(in.len * 2), 0 };
	z_stream z = { .next_in = in.p, .avail_in = in.len,
		       .next_out = out.p, .avail_out = in.len * 2 };

	ck_assert_int_eq(Z_OK, deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, 0));
	ck_assert_int_eq(Z_STREAM_END, deflate(&z, Z_FINISH));
	out.len = z.total_out;
	deflateEnd(&z);
	return out;
}

/* The kernel's build appends the size to all but gzip. */
static void append_size(struct blob *b, uint32_t size)
{
	memcpy(b->p + b->len, &size, 4);
	b->len += 4;
}

static struct blob pack_zstd(struct blob in)
{
	struct blob out = { malloc(in.len * 2), 0 };

	out.len = ZSTD_compress(out.p, in.len * 2 - 4, in.p, in.len, 3);
	ck_assert(!ZSTD_isError(out.len));
	append_size(&out, in.len);
	return out;
}

static struct blob pack_xz(struct blob in)
{
	struct blob out = { malloc(in.len * 2), 0 };

	ck_assert_int_eq(LZMA_OK,
			 lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL,
						 in.p, in.len, out.p, &out.len,
						 in.len * 2 - 4));
	append_size(&out, in.len);
	return out;
}

static struct blob pack_lzma(struct blob in)
{
	struct blob out = { malloc(in.len * 2), 0 };
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_options_lzma o;

	lzma_lzma_preset(&o, 1);
	ck_assert_int_eq(LZMA_OK, lzma_alone_encoder(&s, &o));
	s.next_in = in.p;
	s.avail_in = in.len;
	s.next_out = out.p;
	s.avail_out = in.len * 2 - 4;
	ck_assert_int_eq(LZMA_STREAM_END, lzma_code(&s, LZMA_FINISH));
	out.len = s.total_out;
	lzma_end(&s);
	append_size(&out, in.len);
	return out;
}

/* The legacy frame: blocks of 8 MiB, each with its packed size before it. */
static struct blob pack_lz4(struct blob in)
{
	struct blob out = { malloc(in.len * 2 + 64), 4 };
	const uint32_t magic = 0x184c2102;
	size_t at;

	memcpy(out.p, &magic, 4);
	for (at = 0; at < in.len; at += 8 << 20) {
		size_t n = in.len - at < 8 << 20 ? in.len - at : 8 << 20;
		uint32_t chunk;

		chunk = LZ4_compress_default((char *)in.p + at,
					     (char *)out.p + out.len + 4, n,
					     in.len * 2 - out.len);
		ck_assert_uint_gt(chunk, 0);
		memcpy(out.p + out.len, &chunk, 4);
		out.len += 4 + chunk;
	}
	append_size(&out, in.len);
	return out;
}

static struct blob pack_unknown(struct blob in)
{
	struct blob out = { calloc(1, 4096), 4096 };

	memcpy(out.p, "BZh9", 4);
	return out;
}

static const struct {
	const char *name;
	struct blob (*pack)(struct blob in);
} packers[] = {
	{ "gzip", pack_gzip }, { "zstd", pack_zstd }, { "xz", pack_xz },
	{ "lzma", pack_lzma }, { "lz4", pack_lz4 },
};
#define PACKERS (sizeof(packers) / sizeof(packers[0]))

static struct setup_header *hdr_of(struct blob b)
{
	return (void *)(b.p + 0x1f1);
}

/* Set-up code, 0x400 bytes of protected-mode part, then the payload. */
static struct blob bzimage_make(struct blob payload)
{
	struct blob b = { .len = SETUP_BYTES + 0x400 + payload.len };
	struct setup_header *h;

	b.p = calloc(1, b.len);
	ck_assert_ptr_nonnull(b.p);
	h = hdr_of(b);
	h->setup_sects = SETUP_BYTES / 512 - 1;
	h->boot_flag = 0xaa55;
	h->header = 0x53726448;
	h->version = 0x020f;
	h->xloadflags = XLF_KERNEL_64;
	h->payload_offset = 0x400;
	h->payload_length = payload.len;
	h->pref_address = LOAD_GPA;
	h->init_size = 4 * MIB;
	h->initrd_addr_max = 0x7fffffff;
	b.p[0x201] = 0x268 - 0x202; /* the jump over the header */
	memset(b.p + SETUP_BYTES, 0x90, 0x400);
	memcpy(b.p + SETUP_BYTES + 0x400, payload.p, payload.len);
	return b;
}

static void file_write(struct blob b)
{
	int fd;

	strcpy(path, "/tmp/boot_image_test.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(b.len, write(fd, b.p, b.len));
	close(fd);
}

static int load(struct blob b, struct boot_image *img)
{
	int err;

	file_write(b);
	err = boot_image_load(&memory.gm, path, img, &e);
	unlink(path);
	return err;
}

static void check_text(struct blob elf)
{
	uint8_t *p = guest_mem_hva(&memory.gm, LOAD_GPA, TEXT_BYTES + 1);

	ck_assert_mem_eq(elf.p + 4096, p, TEXT_BYTES);
	ck_assert_uint_eq(0, p[TEXT_BYTES]);
}

static void setup(void)
{
	ck_assert_int_eq(0, vm_memory_init(&memory, RAM, &e));
}

static void teardown(void)
{
	vm_memory_fini(&memory);
}

/* ------------------------------------------------------------- images --- */

START_TEST(a_bzimage_of_each_compression_is_unpacked_and_loaded)
{
	struct blob elf = elf_make(), payload = packers[_i].pack(elf);
	struct blob bz = bzimage_make(payload);
	struct boot_image img;

	ck_assert_str_eq(packers[_i].name,
			 unpack_name(payload.p, payload.len));
	ck_assert_msg(load(bz, &img) == 0, "%s", msg);
	check_text(elf);
	ck_assert_uint_eq(LOAD_GPA + 0x123, img.entry_gpa);
	ck_assert_uint_eq(LOAD_GPA, img.start_gpa);
	ck_assert_uint_eq(LOAD_GPA + TEXT_BYTES + BSS_BYTES, img.end_gpa);
	ck_assert(img.has_hdr);
	free(bz.p);
	free(payload.p);
	free(elf.p);
}
END_TEST

START_TEST(unpacking_gives_the_elf_byte_by_byte)
{
	struct blob elf = elf_make(), payload = packers[_i].pack(elf);
	struct blob bz = bzimage_make(payload);
	int fd = memfd_create("out", MFD_CLOEXEC);
	uint8_t *got = malloc(elf.len + 1);

	file_write(bz);
	ck_assert_msg(vm_kernel_unpack(path, fd, msg, sizeof(msg)) == 0, "%s",
		      msg);
	unlink(path);
	ck_assert_int_eq(elf.len, pread(fd, got, elf.len + 1, 0));
	ck_assert_mem_eq(elf.p, got, elf.len);
	close(fd);
	free(got);
	free(bz.p);
	free(payload.p);
	free(elf.p);
}
END_TEST

/* Cut anywhere, or damaged anywhere: an error, and no byte out of bounds. */
START_TEST(a_damaged_payload_is_an_error)
{
	struct blob elf = elf_make(), payload = packers[_i].pack(elf);
	uint8_t *out;
	size_t len, n;

	for (len = 8; len < payload.len - 8; len += payload.len / 50) {
		int err = unpack(payload.p, len, elf.len,
				 UNPACK_MAX_BYTES, &out, &n);

		ck_assert_msg(err == -EBADMSG, "%zu of %zu: %d", len,
			      payload.len, err);
	}
	for (len = 6; len < payload.len; len += payload.len / 40) {
		payload.p[len] ^= 0x55;
		if (unpack(payload.p, payload.len, 0, UNPACK_MAX_BYTES, &out,
			   &n) == 0)
			free(out); /* lz4 and lzma have no checksum */
		payload.p[len] ^= 0x55;
	}
	free(payload.p);
	free(elf.p);
}
END_TEST

/* What it says of its size does not count, only what comes out. */
START_TEST(a_bomb_is_stopped_at_the_limit)
{
	struct blob in = { calloc(1, 12 << 20), 12 << 20 };
	struct blob packed = packers[_i].pack(in);
	uint8_t *out;
	size_t n;

	ck_assert_uint_lt(packed.len, 1 << 20);
	ck_assert_int_eq(-EFBIG, unpack(packed.p, packed.len, UINT32_MAX,
					8 << 20, &out, &n));
	ck_assert_int_eq(-EFBIG,
			 unpack(packed.p, packed.len, 0, 8 << 20, &out, &n));
	free(packed.p);
	free(in.p);
}
END_TEST

START_TEST(an_unknown_compression_is_entered_at_the_image_itself)
{
	struct blob payload = pack_unknown((struct blob){ 0 });
	struct blob bz = bzimage_make(payload);
	struct boot_image img;
	int fd = memfd_create("out", MFD_CLOEXEC);

	ck_assert_msg(load(bz, &img) == 0, "%s", msg);
	ck_assert_uint_eq(LOAD_GPA + 0x200, img.entry_gpa);
	ck_assert_uint_eq(LOAD_GPA + 4 * MIB, img.end_gpa);
	ck_assert_mem_eq(bz.p + SETUP_BYTES,
			 guest_mem_hva(&memory.gm, LOAD_GPA, 0x400), 0x400);
	file_write(bz);
	ck_assert_int_eq(-ENOTSUP,
			 vm_kernel_unpack(path, fd, msg, sizeof(msg)));
	unlink(path);
	close(fd);
	free(bz.p);
	free(payload.p);
}
END_TEST

START_TEST(an_elf_is_loaded_as_it_is_and_copied_by_unpack)
{
	struct blob elf = elf_make();
	int fd = memfd_create("out", MFD_CLOEXEC);
	struct boot_image img;
	uint8_t *got = malloc(elf.len);

	ck_assert_msg(load(elf, &img) == 0, "%s", msg);
	check_text(elf);
	ck_assert(!img.has_hdr);
	file_write(elf);
	ck_assert_int_eq(0, vm_kernel_unpack(path, fd, msg, sizeof(msg)));
	unlink(path);
	ck_assert_int_eq(elf.len, pread(fd, got, elf.len, 0));
	ck_assert_mem_eq(elf.p, got, elf.len);
	close(fd);
	free(got);
	free(elf.p);
}
END_TEST

/* One field of the ELF or its program header each. */
static const struct {
	const char *what;
	size_t off, bytes;
	uint64_t value;
	int err;
} bad_elfs[] = {
#define EHDR(f) offsetof(Elf64_Ehdr, f), sizeof(((Elf64_Ehdr *)0)->f)
#define PHDR(f) sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, f), \
		sizeof(((Elf64_Phdr *)0)->f)
	{ "no magic", 0, 1, 0, -ENOEXEC },
	{ "32 bits", EI_CLASS, 1, ELFCLASS32, -ENOEXEC },
	{ "relocatable", EHDR(e_type), ET_REL, -ENOEXEC },
	{ "another machine", EHDR(e_machine), EM_AARCH64, -ENOEXEC },
	{ "no program header", EHDR(e_phnum), 0, -ENOEXEC },
	{ "too many", EHDR(e_phnum), 65, -ENOEXEC },
	{ "odd size", EHDR(e_phentsize), 55, -ENOEXEC },
	{ "headers past the end", EHDR(e_phoff), 1 << 30, -ENOEXEC },
	{ "headers at -1", EHDR(e_phoff), UINT64_MAX, -ENOEXEC },
	{ "text at -1", PHDR(p_offset), UINT64_MAX, -ENOEXEC },
	{ "entry outside", EHDR(e_entry), 0x5000000, -ENOEXEC },
	{ "entry below", EHDR(e_entry), 0, -ENOEXEC },
	{ "not loaded", PHDR(p_type), PT_NOTE, -ENOEXEC },
	{ "below 1 MiB", PHDR(p_paddr), 0x80000, -ENOEXEC },
	{ "outside RAM", PHDR(p_paddr), RAM, -ENOSPC },
	{ "across the end", PHDR(p_paddr), RAM - 4096, -ENOSPC },
	{ "wraps", PHDR(p_paddr), UINT64_MAX - 4096, -ENOSPC },
	{ "memory smaller than file", PHDR(p_memsz), 1, -ENOEXEC },
	{ "huge memory", PHDR(p_memsz), UINT64_MAX, -ENOSPC },
	{ "file shorter", PHDR(p_offset), 8192, -ENOEXEC },
};

START_TEST(a_bad_elf_is_refused_by_name)
{
	struct blob elf = elf_make();
	struct boot_image img;
	int err;

	memcpy(elf.p + bad_elfs[_i].off, &bad_elfs[_i].value,
	       bad_elfs[_i].bytes);
	msg[0] = '\0';
	err = load(elf, &img);
	ck_assert_msg(err == bad_elfs[_i].err, "%s: %d, %s", bad_elfs[_i].what,
		      err, msg);
	ck_assert_uint_gt(strlen(msg), 0);
	free(elf.p);
}
END_TEST

static const struct {
	const char *what;
	size_t off, bytes;
	uint64_t value;
} bad_bzimages[] = {
#define HDR(f) 0x1f1 + offsetof(struct setup_header, f), \
	       sizeof(((struct setup_header *)0)->f)
	{ "no boot flag", HDR(boot_flag), 0 },
	{ "no magic", HDR(header), 0 },
	{ "old protocol", HDR(version), 0x020b },
	{ "no 64-bit entry", HDR(xloadflags), 0 },
	{ "payload past the end", HDR(payload_offset), 0x10000000 },
	{ "payload too long", HDR(payload_length), 0xffffffff },
	{ "set-up code past the end", HDR(setup_sects), 0xff },
};

START_TEST(a_bad_bzimage_is_refused)
{
	struct blob elf = elf_make(), payload = pack_zstd(elf);
	struct blob bz;
	struct boot_image img;

	payload.len = 2000; /* so that 0xff sectors are past the end */
	bz = bzimage_make(payload);
	memcpy(bz.p + bad_bzimages[_i].off, &bad_bzimages[_i].value,
	       bad_bzimages[_i].bytes);
	ck_assert_msg(load(bz, &img) == -ENOEXEC, "%s: %s",
		      bad_bzimages[_i].what, msg);
	free(bz.p);
	free(payload.p);
	free(elf.p);
}
END_TEST

START_TEST(an_own_entry_outside_memory_is_refused)
{
	static const struct {
		uint64_t pref;
		uint32_t init_size;
	} cases[] = {
		{ 0, 4096 }, { 0x80000, 4096 }, { RAM, 4096 },
		{ LOAD_GPA, 0x80000000 }, { UINT64_MAX - 4096, 4096 },
	};
	struct blob payload = pack_unknown((struct blob){ 0 });
	struct boot_image img;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct blob bz = bzimage_make(payload);

		hdr_of(bz)->pref_address = cases[i].pref;
		hdr_of(bz)->init_size = cases[i].init_size;
		ck_assert_int_eq(-ENOSPC, load(bz, &img));
		free(bz.p);
	}
	free(payload.p);
}
END_TEST

START_TEST(what_is_no_kernel_is_refused)
{
	static uint8_t zeroes[8192];
	struct boot_image img;

	ck_assert_int_eq(-ENOEXEC, load((struct blob){ zeroes, 0 }, &img));
	ck_assert_int_eq(-ENOEXEC, load((struct blob){ zeroes, 100 }, &img));
	ck_assert_int_eq(-ENOEXEC, load((struct blob){ zeroes, 8192 }, &img));
	ck_assert_int_eq(-ENOENT, boot_image_load(&memory.gm, "/nonexistent",
						  &img, &e));
	ck_assert_int_eq(-ENOEXEC,
			 boot_image_load(&memory.gm, "/tmp", &img, &e));
}
END_TEST

/* The same bytes for the same seed. Source: Marsaglia's xorshift. */
static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static const uint32_t seeds[] = { 1, 77, 4242, 99991, 1234567, 3735928559 };

/*
 * Headers with a few bytes changed: loaded or refused, never out of bounds;
 * the sanitizers watch.
 */
START_TEST(mutated_headers_do_no_harm)
{
	struct blob elf = elf_make(), payload = pack_lz4(elf);
	struct blob bz = bzimage_make(payload);
	uint32_t x = seeds[_i];
	unsigned int i, k, loaded = 0, refused = 0;

	for (i = 0; i < 100; i++) {
		struct blob b = i % 2 ? elf : bz;
		uint8_t head[0x280];
		struct boot_image img;

		memcpy(head, b.p, sizeof(head));
		for (k = next_random(&x) % 4; k < 4; k++) {
			size_t at = i % 2 ? next_random(&x) % 120 :
					    0x1f1 + next_random(&x) % 0x80;

			b.p[at] = next_random(&x) >> 8;
		}
		if (load(b, &img) == 0)
			loaded++;
		else
			refused++;
		memcpy(b.p, head, sizeof(head));
	}
	/* both happen, or the mutations miss what counts */
	ck_assert_uint_gt(loaded, 0);
	ck_assert_uint_gt(refused, 0);
	free(bz.p);
	free(payload.p);
	free(elf.p);
}
END_TEST

/* ------------------------------------------------- initrd, zero page ---- */

START_TEST(the_initrd_lies_high_and_never_on_the_kernel)
{
	struct boot_image img = { .end_gpa = 0x2000000 };
	struct blob b = { malloc(10000), 10000 };
	uint64_t gpa, len;

	memset(b.p, 0x77, b.len);
	file_write(b);
	ck_assert_int_eq(0, boot_initrd_load(&memory.gm, path, &img, &gpa,
					     &len, &e));
	ck_assert_uint_eq(10000, len);
	ck_assert_uint_eq(RAM - 3 * 4096, gpa);
	ck_assert_mem_eq(b.p, guest_mem_hva(&memory.gm, gpa, len), len);

	/* a header's limit counts, inclusive */
	img.has_hdr = true;
	img.hdr.initrd_addr_max = 0x37fffff;
	ck_assert_int_eq(0, boot_initrd_load(&memory.gm, path, &img, &gpa,
					     &len, &e));
	ck_assert_uint_eq(0x3800000 - 3 * 4096, gpa);

	img.end_gpa = 0x3800000 - 2 * 4096;
	ck_assert_int_eq(-ENOSPC, boot_initrd_load(&memory.gm, path, &img,
						   &gpa, &len, &e));
	unlink(path);
	ck_assert_int_eq(-ENOENT, boot_initrd_load(&memory.gm, path, &img,
						   &gpa, &len, &e));
	ck_assert_int_eq(0, boot_initrd_load(&memory.gm, NULL, &img, &gpa,
					     &len, &e));
	ck_assert_uint_eq(0, len);
	free(b.p);
}
END_TEST

static const struct boot_params *zero_page(void)
{
	return guest_mem_hva(&memory.gm, LAYOUT_BOOT_PARAMS,
			     sizeof(struct boot_params));
}

START_TEST(the_zero_page_says_where_everything_is)
{
	struct boot_image img = { .has_hdr = true };
	const struct boot_params *bp;

	img.hdr.loadflags = KASLR_FLAG;
	img.hdr.version = 0x020f;
	ck_assert_int_eq(0, boot_params_write(&memory.gm, &img, "quiet x=1",
					      0x7000000, 99, &e));
	bp = zero_page();
	ck_assert_uint_eq(0xff, bp->hdr.type_of_loader);
	ck_assert_uint_eq(LAYOUT_ACPI, bp->acpi_rsdp_addr);
	ck_assert_uint_eq(0x7000000, bp->hdr.ramdisk_image);
	ck_assert_uint_eq(99, bp->hdr.ramdisk_size);
	ck_assert_uint_eq(0, bp->hdr.loadflags & KASLR_FLAG);
	ck_assert_str_eq("quiet x=1",
			 guest_mem_hva(&memory.gm, bp->hdr.cmd_line_ptr, 10));
}
END_TEST

START_TEST(e820_leaves_out_the_tables_and_the_hole)
{
	const struct boot_image img = { 0 };
	const struct boot_params *bp;
	uint64_t ram = 0;
	int i;

	teardown();
	ck_assert_int_eq(0, vm_memory_init(&memory, 4 * GIB, &e));
	ck_assert_int_eq(0, boot_params_write(&memory.gm, &img, "", 0, 0, &e));
	bp = zero_page();
	ck_assert_uint_eq(4, bp->e820_entries);
	for (i = 0; i < bp->e820_entries; i++) {
		const struct boot_e820_entry *r = &bp->e820_table[i];

		if (r->type != 1)
			continue;
		ram += r->size;
		ck_assert_ptr_nonnull(
			guest_mem_hva(&memory.gm, r->addr, r->size));
		ck_assert(r->addr + r->size <= LAYOUT_GDT ||
			  r->addr >= LAYOUT_HIGH_RAM);
	}
	ck_assert_uint_eq(4 * GIB - (LAYOUT_HIGH_RAM - LAYOUT_LOW_RAM_END),
			  ram);
	ck_assert_ptr_null(guest_mem_hva(&memory.gm, LAYOUT_HOLE, 1));
	ck_assert_ptr_null(guest_mem_hva(&memory.gm, LAYOUT_HOLE - 1, 2));
	ck_assert_ptr_nonnull(guest_mem_hva(&memory.gm, 5 * GIB - 1, 1));
	ck_assert_ptr_null(guest_mem_hva(&memory.gm, 5 * GIB, 1));
}
END_TEST

START_TEST(a_command_line_of_the_kernels_limit_fits_and_one_more_does_not)
{
	const struct boot_image img = { 0 };
	char line[BOOT_CMDLINE_MAX + 2];

	memset(line, 'a', sizeof(line));
	line[BOOT_CMDLINE_MAX] = '\0';
	ck_assert_int_eq(0, boot_params_write(&memory.gm, &img, line, 0, 0,
					      &e));
	line[BOOT_CMDLINE_MAX] = 'a';
	line[BOOT_CMDLINE_MAX + 1] = '\0';
	ck_assert_int_eq(-E2BIG, boot_params_write(&memory.gm, &img, line, 0,
						   0, &e));
}
END_TEST

/* As the processor walks it: every address below 4 GiB maps to itself. */
START_TEST(the_page_tables_map_the_low_4_gib_to_itself)
{
	static const uint64_t addrs[] = { 0, 0x1000123, 0xd0000050,
					  0xfee00000, 4 * GIB - 1 };
	const uint64_t mask = 0x000ffffffffff000ULL;
	size_t i;

	ck_assert_int_eq(0, boot_tables_write(&memory.gm));
	for (i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		uint64_t a = addrs[i], at = LAYOUT_PAGE_TABLES, pte = 0;
		int shift;

		for (shift = 39; shift >= 21; shift -= 9) {
			uint64_t *t = guest_mem_hva(&memory.gm, at, 4096);

			pte = t[a >> shift & 511];
			ck_assert_uint_eq(3, pte & 3);
			at = pte & mask;
		}
		ck_assert_uint_ne(0, pte & 1 << 7);
		ck_assert_uint_eq(a, (at & ~(2 * MIB - 1)) + a % (2 * MIB));
	}
}
END_TEST

START_TEST(memory_sizes_have_limits)
{
	struct vm_memory m;

	ck_assert(vm_memory_bytes_ok(128 * MIB));
	ck_assert(vm_memory_bytes_ok(16 * GIB));
	ck_assert(!vm_memory_bytes_ok(126 * MIB));
	ck_assert(!vm_memory_bytes_ok(16 * GIB + 2 * MIB));
	ck_assert(!vm_memory_bytes_ok(129 * MIB));
	ck_assert_int_eq(-EINVAL, vm_memory_init(&m, 0, &e));
	vm_memory_fini(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_image");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, setup, teardown);
	suite_add_tcase(s, t);
	tcase_add_loop_test(
		t, a_bzimage_of_each_compression_is_unpacked_and_loaded, 0,
		PACKERS);
	tcase_add_loop_test(t, unpacking_gives_the_elf_byte_by_byte, 0,
			    PACKERS);
	tcase_add_loop_test(t, a_damaged_payload_is_an_error, 0, PACKERS);
	tcase_add_loop_test(t, a_bomb_is_stopped_at_the_limit, 0, PACKERS);
	tcase_add_test(t, an_unknown_compression_is_entered_at_the_image_itself);
	tcase_add_test(t, an_elf_is_loaded_as_it_is_and_copied_by_unpack);
	tcase_add_loop_test(t, a_bad_elf_is_refused_by_name, 0,
			    sizeof(bad_elfs) / sizeof(bad_elfs[0]));
	tcase_add_loop_test(t, a_bad_bzimage_is_refused, 0,
			    sizeof(bad_bzimages) / sizeof(bad_bzimages[0]));
	tcase_add_test(t, an_own_entry_outside_memory_is_refused);
	tcase_add_loop_test(t, mutated_headers_do_no_harm, 0,
			    sizeof(seeds) / sizeof(seeds[0]));
	tcase_add_test(t, what_is_no_kernel_is_refused);
	tcase_add_test(t, the_initrd_lies_high_and_never_on_the_kernel);
	tcase_add_test(t, the_zero_page_says_where_everything_is);
	tcase_add_test(t, e820_leaves_out_the_tables_and_the_hole);
	tcase_add_test(
		t,
		a_command_line_of_the_kernels_limit_fits_and_one_more_does_not);
	tcase_add_test(t, the_page_tables_map_the_low_4_gib_to_itself);
	tcase_add_test(t, memory_sizes_have_limits);
	return test_run(s);
}
