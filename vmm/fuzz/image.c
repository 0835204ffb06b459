// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel images: a file as it is, an ELF or a bzImage with some of its bytes
 * changed, or a compressed payload alone.
 */
#include "vmm/fuzz/fuzz.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot_image.h"
#include "vmm/layout.h"
#include "vmm/unpack.h"

#define RAM (4u << 20)
#define SEGMENTS 3
#define HDR_AT 0x1f1

static uint8_t ram[RAM];

static const struct guest_mem mem = {
	.regions = { { .gpa = 0, .len_bytes = RAM, .hva = ram } },
	.nr = 1,
};

struct file {
	uint8_t b[8192];
	size_t len;
};

static void append(struct file *f, struct fuzz_in *in)
{
	size_t n = sizeof(f->b) - f->len;

	n = in->len < n ? in->len : n;
	if (n)
		memcpy(f->b + f->len, in->data, n);
	f->len += n;
	in->data += n;
	in->len -= n;
}

/* Up to 15 bytes of what there is are other ones. */
static void patch(struct file *f, struct fuzz_in *in)
{
	unsigned int n = fuzz_take(in, 1) % 16;

	while (n--) {
		size_t at = fuzz_take(in, 2) % f->len;

		f->b[at] = fuzz_take(in, 1);
	}
}

static void make_elf(struct file *f, struct fuzz_in *in)
{
	Elf64_Ehdr h = {
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = SEGMENTS,
		.e_entry = LAYOUT_HIGH_RAM + fuzz_take(in, 2),
	};
	Elf64_Phdr p[SEGMENTS] = { 0 };
	unsigned int i;

	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	for (i = 0; i < SEGMENTS; i++) {
		p[i].p_type = fuzz_take(in, 1) % 4;
		p[i].p_offset = fuzz_take(in, 1);
		p[i].p_paddr = fuzz_take(in, 2) << 7;
		p[i].p_filesz = fuzz_take(in, 1);
		p[i].p_memsz = fuzz_take(in, 2);
	}
	memcpy(f->b + f->len, &h, sizeof(h));
	memcpy(f->b + f->len + sizeof(h), p, sizeof(p));
	f->len += sizeof(h) + sizeof(p);
}

static void make_bzimage(struct file *f, struct fuzz_in *in)
{
	struct setup_header h = {
		.setup_sects = 1,
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x20f,
		.xloadflags = XLF_KERNEL_64,
		.pref_address = LAYOUT_HIGH_RAM + fuzz_take(in, 2),
		.init_size = fuzz_take(in, 3),
		.payload_offset = fuzz_take(in, 1),
		.payload_length = fuzz_take(in, 2),
	};

	f->len = 1024;
	memcpy(f->b + HDR_AT, &h, sizeof(h));
	f->b[0x201] = fuzz_take(in, 1) | 0x60;
}

static int file_of(const struct file *f)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0);
	must(write(fd, f->b, f->len) == (ssize_t)f->len);
	return fd;
}

static void load(const struct file *f)
{
	char msg[128] = "", path[32];
	const struct errmsg e = { msg, sizeof(msg) };
	struct boot_image img;
	int fd = file_of(f), err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = boot_image_load(&mem, path, &img, &e);
	close(fd);
	must(memchr(msg, 0, sizeof(msg)));
	if (err) {
		must(err < 0 && *msg);
		must(err == -ENOEXEC || err == -ENOSPC || err == -EBADMSG ||
		     err == -EFBIG || err == -ENOMEM);
		return;
	}
	must(img.start_gpa >= LAYOUT_HIGH_RAM);
	must(img.start_gpa < img.end_gpa && img.end_gpa <= RAM);
	must(img.entry_gpa >= img.start_gpa && img.entry_gpa < img.end_gpa);
}

static void unpack_alone(struct fuzz_in *in)
{
	const size_t limit = 1 + fuzz_take(in, 2) * 16;
	const size_t hint = fuzz_take(in, 3);
	uint8_t *copy = malloc(in->len ? in->len : 1), *out = NULL;
	size_t out_len = 0;
	int err;

	must(copy); /* of exactly that size, for the sanitizer */
	if (in->len)
		memcpy(copy, in->data, in->len);
	err = unpack(copy, in->len, hint, limit, &out, &out_len);
	must((err == -ENOTSUP) == !unpack_name(copy, in->len));
	must(!err == !!out);
	must(out_len <= limit);
	must(!err || err == -ENOTSUP || err == -EBADMSG || err == -EFBIG ||
	     err == -ENOMEM);
	free(out);
	free(copy);
}

void fuzz_image(const uint8_t *data, size_t len)
{
	static struct file f;
	struct fuzz_in in = { data, len };
	const uint8_t how = fuzz_take(&in, 1);

	memset(&f, 0, sizeof(f));
	switch (how % 4) {
	case 0:
		append(&f, &in);
		load(&f);
		break;
	case 1:
		make_elf(&f, &in);
		patch(&f, &in);
		append(&f, &in);
		load(&f);
		break;
	case 2:
		make_bzimage(&f, &in);
		patch(&f, &in);
		append(&f, &in);
		load(&f);
		break;
	case 3:
		unpack_alone(&in);
		break;
	}
}
