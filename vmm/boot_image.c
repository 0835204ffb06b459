// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/boot_image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/layout.h"
#include "vmm/unpack.h"
#include "vmm/vmm.h"

#define HDR_OFF 0x1f1		/* of struct setup_header in the file */
#define HDR_MAGIC 0x53726448	/* "HdrS" */
#define PROTOCOL_MIN 0x020c	/* has xloadflags */
#define ENTRY_64 0x200		/* of the protected-mode part */
#define HEAD_BYTES 4096
#define MAX_PHDRS 64
#define FILE_MAX_BYTES (1ULL << 30)

static int read_all(int fd, uint64_t off, void *buf, size_t len)
{
	char *p = buf;

	if (off > FILE_MAX_BYTES)
		return -ENOEXEC; /* an offset out of a header */
	while (len) {
		ssize_t n = pread(fd, p, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOEXEC; /* shorter than it said */
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

int bzimage_parse(const uint8_t *data, size_t len, uint64_t file_len,
		  struct bzimage *bz, const struct errmsg *e)
{
	struct setup_header *h = &bz->hdr;
	size_t hdr_len;

	if (len < HDR_OFF + sizeof(*h))
		return errmsg_set(e, -ENOEXEC, "too short for a kernel");
	memset(bz, 0, sizeof(*bz));
	memcpy(h, data + HDR_OFF, sizeof(*h));
	if (h->header != HDR_MAGIC || h->boot_flag != 0xaa55)
		return errmsg_set(e, -ENOEXEC, "neither an ELF nor a bzImage");
	/* The header ends where its jump goes to; beyond is code. */
	hdr_len = 0x202 + data[0x201] - HDR_OFF;
	if (hdr_len < sizeof(*h))
		memset((char *)h + hdr_len, 0, sizeof(*h) - hdr_len);
	if (h->version < PROTOCOL_MIN || !(h->xloadflags & XLF_KERNEL_64))
		return errmsg_set(e, -EINVAL,
				  "boot protocol %u.%02u without a 64-bit entry",
				  h->version >> 8, h->version & 0xff);
	bz->kernel_off = ((h->setup_sects ? h->setup_sects : 4) + 1ULL) * 512;
	if (bz->kernel_off >= file_len)
		return errmsg_set(e, -EINVAL, "bzImage ends in its set-up code");
	bz->kernel_len = file_len - bz->kernel_off;
	bz->payload_off = bz->kernel_off + h->payload_offset;
	bz->payload_len = h->payload_length;
	if (h->payload_offset > bz->kernel_len ||
	    bz->payload_len > bz->kernel_len - h->payload_offset)
		return errmsg_set(e, -EINVAL,
				  "bzImage payload lies outside the file");
	return 0;
}

static int check_ehdr(const Elf64_Ehdr *h, const struct errmsg *e)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return errmsg_set(e, -ENOEXEC, "not an ELF");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_machine != EM_X86_64 ||
	    (h->e_type != ET_EXEC && h->e_type != ET_DYN))
		return errmsg_set(e, -ENOEXEC,
				  "not an x86-64 ELF executable");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum ||
	    h->e_phnum > MAX_PHDRS)
		return errmsg_set(e, -ENOEXEC,
				  "ELF with %u program headers of %u bytes",
				  h->e_phnum, h->e_phentsize);
	return 0;
}

static int load_segment(const struct guest_mem *mem, int fd,
			const Elf64_Phdr *p, struct boot_image *img,
			const struct errmsg *e)
{
	void *to;
	int err;

	if (p->p_filesz > p->p_memsz)
		return errmsg_set(e, -ENOEXEC,
				  "ELF segment larger in the file than in memory");
	if (p->p_paddr < LAYOUT_HIGH_RAM)
		return errmsg_set(e, -ENOEXEC,
				  "ELF segment below 1 MiB, at 0x%llx",
				  (unsigned long long)p->p_paddr);
	to = guest_mem_hva(mem, p->p_paddr, p->p_memsz);
	if (!to)
		return errmsg_set(e, -ENOSPC,
				  "kernel segment of 0x%llx bytes at 0x%llx is outside guest memory",
				  (unsigned long long)p->p_memsz,
				  (unsigned long long)p->p_paddr);
	err = read_all(fd, p->p_offset, to, p->p_filesz);
	if (err)
		return errmsg_errno(e, err, "read a kernel segment");
	if (p->p_paddr < img->start_gpa)
		img->start_gpa = p->p_paddr;
	if (p->p_paddr + p->p_memsz > img->end_gpa)
		img->end_gpa = p->p_paddr + p->p_memsz;
	return 0;
}

int boot_image_load_elf(const struct guest_mem *mem, int fd,
			struct boot_image *img, const struct errmsg *e)
{
	Elf64_Phdr ph[MAX_PHDRS];
	Elf64_Ehdr h;
	unsigned int i;
	int err;

	err = read_all(fd, 0, &h, sizeof(h));
	if (err)
		return errmsg_errno(e, err, "read the ELF header");
	err = check_ehdr(&h, e);
	if (err)
		return err;
	err = read_all(fd, h.e_phoff, ph, h.e_phnum * sizeof(ph[0]));
	if (err)
		return errmsg_errno(e, err, "read the ELF program headers");

	img->start_gpa = UINT64_MAX;
	img->end_gpa = 0;
	for (i = 0; i < h.e_phnum && !err; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_memsz)
			err = load_segment(mem, fd, &ph[i], img, e);
	if (err)
		return err;
	if (h.e_entry < img->start_gpa || h.e_entry >= img->end_gpa)
		return errmsg_set(e, -ENOEXEC,
				  "ELF entry 0x%llx is in no segment",
				  (unsigned long long)h.e_entry);
	img->entry_gpa = h.e_entry;
	return 0;
}

/* A kernel file, opened and its head read. */
struct kernel_file {
	int fd;
	uint64_t len;
	uint8_t head[HEAD_BYTES];
	size_t head_len;
};

static int kernel_open(struct kernel_file *k, const char *path,
		       const struct errmsg *e)
{
	struct stat st;
	int err;

	k->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (k->fd < 0)
		return errmsg_errno(e, -errno, "open kernel %s", path);
	if (fstat(k->fd, &st) < 0) {
		err = errmsg_errno(e, -errno, "stat kernel %s", path);
		goto close_fd;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > FILE_MAX_BYTES) {
		err = errmsg_set(e, -ENOEXEC,
				 "kernel %s is not a file of a plausible size",
				 path);
		goto close_fd;
	}
	k->len = st.st_size;
	k->head_len = k->len < HEAD_BYTES ? k->len : HEAD_BYTES;
	err = read_all(k->fd, 0, k->head, k->head_len);
	if (!err)
		return 0;
	errmsg_errno(e, err, "read kernel %s", path);
close_fd:
	close(k->fd);
	return err;
}

static bool is_elf(const struct kernel_file *k)
{
	return k->head_len >= SELFMAG && !memcmp(k->head, ELFMAG, SELFMAG);
}

/* The payload's plain bytes; @out is the caller's to free. */
static int unpack_payload(const struct kernel_file *k,
			  const struct bzimage *bz, uint8_t **out,
			  size_t *out_len, const struct errmsg *e)
{
	uint64_t len = bz->payload_len;
	const char *name;
	uint32_t size;
	uint8_t *in;
	int err;

	if (len < 8)
		return errmsg_set(e, -ENOTSUP, "bzImage has no payload");
	in = malloc(len);
	if (!in)
		return errmsg_errno(e, -ENOMEM, "read the kernel payload");
	err = read_all(k->fd, bz->payload_off, in, len);
	if (err) {
		errmsg_errno(e, err, "read the kernel payload");
		goto free_in;
	}
	name = unpack_name(in, len);
	memcpy(&size, in + len - 4, 4);
	/* gzip ends in the size itself; to others the build appends it */
	if (name && strcmp(name, "gzip"))
		len -= 4;
	err = unpack(in, len, size, UNPACK_MAX_BYTES, out, out_len);
	if (err == -ENOTSUP)
		errmsg_set(e, err,
			   "kernel payload of unknown compression %02x %02x %02x %02x",
			   in[0], in[1], in[2], in[3]);
	else if (err)
		errmsg_errno(e, err, "unpack the %s kernel payload", name);
free_in:
	free(in);
	return err;
}

/* To @out_fd: the ELF in a bzImage. */
static int bzimage_to_elf(const struct kernel_file *k, const struct bzimage *bz,
			  int out_fd, const struct errmsg *e)
{
	uint8_t *elf = NULL;
	size_t len;
	int err;

	err = unpack_payload(k, bz, &elf, &len, e);
	if (err)
		return err;
	err = write_all(out_fd, elf, len);
	if (err)
		errmsg_errno(e, err, "write the unpacked kernel");
	free(elf);
	return err;
}

static int copy_file(const struct kernel_file *k, int out_fd,
		     const struct errmsg *e)
{
	enum { CHUNK = 1 << 20 };
	uint8_t *buf = malloc(CHUNK);
	uint64_t at = 0;
	int err = buf ? 0 : -ENOMEM;

	while (!err && at < k->len) {
		size_t n = k->len - at < CHUNK ? k->len - at : CHUNK;

		err = read_all(k->fd, at, buf, n);
		if (!err)
			err = write_all(out_fd, buf, n);
		at += n;
	}
	free(buf);
	if (err)
		errmsg_errno(e, err, "copy the kernel");
	return err;
}

int vm_kernel_unpack(const char *path, int out_fd, char *err_msg,
		     size_t err_len)
{
	struct errmsg e = { err_msg, err_len };
	struct kernel_file k;
	struct bzimage bz;
	int err;

	err = kernel_open(&k, path, &e);
	if (err)
		return err;
	if (is_elf(&k)) {
		err = copy_file(&k, out_fd, &e);
	} else {
		err = bzimage_parse(k.head, k.head_len, k.len, &bz, &e);
		if (!err)
			err = bzimage_to_elf(&k, &bz, out_fd, &e);
		else if (err == -EINVAL)
			err = -ENOEXEC;
	}
	close(k.fd);
	return err;
}

/*
 * The bzImage's own 64-bit entry: it moves and unpacks itself within
 * [pref_address, + init_size), where we put it.
 */
static int load_own_entry(const struct guest_mem *mem,
			  const struct kernel_file *k,
			  const struct bzimage *bz, struct boot_image *img,
			  const struct errmsg *e)
{
	uint64_t at = bz->hdr.pref_address;
	uint64_t need = bz->hdr.init_size;
	void *to;
	int err;

	if (bz->kernel_len <= ENTRY_64)
		return errmsg_set(e, -ENOEXEC,
				  "bzImage ends before its 64-bit entry");
	if (need < bz->kernel_len)
		need = bz->kernel_len;
	to = at < LAYOUT_HIGH_RAM ? NULL : guest_mem_hva(mem, at, need);
	if (!to)
		return errmsg_set(e, -ENOSPC,
				  "bzImage needs 0x%llx bytes at 0x%llx: outside guest memory",
				  (unsigned long long)need,
				  (unsigned long long)at);
	err = read_all(k->fd, bz->kernel_off, to, bz->kernel_len);
	if (err)
		return errmsg_errno(e, err, "read the bzImage");
	img->start_gpa = at;
	img->end_gpa = at + need;
	img->entry_gpa = at + ENTRY_64;
	return 0;
}

static int load_bzimage(const struct guest_mem *mem,
			const struct kernel_file *k, struct boot_image *img,
			const struct errmsg *e)
{
	struct bzimage bz;
	int err, fd;

	err = bzimage_parse(k->head, k->head_len, k->len, &bz, e);
	if (err)
		return err == -EINVAL ? -ENOEXEC : err;
	img->has_hdr = true;
	img->hdr = bz.hdr;

	fd = memfd_create("kernel", MFD_CLOEXEC);
	if (fd < 0)
		return errmsg_errno(e, -errno, "make a file for the kernel");
	err = bzimage_to_elf(k, &bz, fd, e);
	if (!err)
		err = boot_image_load_elf(mem, fd, img, e);
	else if (err == -ENOTSUP)
		err = load_own_entry(mem, k, &bz, img, e);
	close(fd);
	return err;
}

int boot_image_load(const struct guest_mem *mem, const char *path,
		    struct boot_image *img, const struct errmsg *e)
{
	struct kernel_file k;
	int err;

	memset(img, 0, sizeof(*img));
	err = kernel_open(&k, path, e);
	if (err)
		return err;
	if (is_elf(&k))
		err = boot_image_load_elf(mem, k.fd, img, e);
	else
		err = load_bzimage(mem, &k, img, e);
	close(k.fd);
	return err;
}
