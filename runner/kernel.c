// SPDX-License-Identifier: GPL-2.0-only
#include "runner/kernel.h"

#include "lib/log.h"
#include "lib/path.h"
#include "vmm/vmm.h"

#include <bpf/btf.h>
#include <gelf.h>
#include <libelf.h>
#include <sha256.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 4, 5)))
static int fail(char *err_msg, size_t err_len, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err_msg, err_len, fmt, ap);
	va_end(ap);
	return err;
}

int sha256_file(const char *path, char hex[65])
{
	char buf[SHA256_DIGEST_STRING_LENGTH];

	errno = 0;
	if (!SHA256File(path, buf))
		return errno ? -errno : -EIO;
	memcpy(hex, buf, 65);
	return 0;
}

static bool exists(const char *path)
{
	return path && !access(path, R_OK);
}

/* The release string that a bzImage's set-up header points at. */
static bool release_of_bzimage(int fd, char *release, size_t len)
{
	uint8_t hdr[0x210];
	uint16_t off;
	char text[128];
	ssize_t n;

	if (pread(fd, hdr, sizeof(hdr), 0) != sizeof(hdr) ||
	    memcmp(hdr + 0x202, "HdrS", 4))
		return false;
	memcpy(&off, hdr + 0x20e, sizeof(off));
	if (!off)
		return false;
	n = pread(fd, text, sizeof(text) - 1, 0x200 + off);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, " \n")] = '\0';
	snprintf(release, len, "%s", text);
	return *release;
}

/* An ELF says it in linux_banner: "Linux version RELEASE (". */
static bool release_of_elf(const char *path, char *release, size_t len)
{
	static const char mark[] = "Linux version ";
	const char *p;
	char *data;
	size_t size;

	if (path_read_file(path, 1u << 30, &data, &size))
		return false;
	p = memmem(data, size, mark, sizeof(mark) - 1);
	/* the first occurrence may be a format string */
	while (p && (p[sizeof(mark) - 1] < '0' || p[sizeof(mark) - 1] > '9'))
		p = memmem(p + 1, data + size - p - 1, mark, sizeof(mark) - 1);
	if (p) {
		p += sizeof(mark) - 1;
		snprintf(release, len, "%.*s", (int)strcspn(p, " "), p);
	}
	free(data);
	return p;
}

static void find_release(struct kernel *k)
{
	int fd = open(k->source, O_RDONLY | O_CLOEXEC);
	bool found = fd >= 0 &&
		release_of_bzimage(fd, k->release, sizeof(k->release));

	if (fd >= 0)
		close(fd);
	if (!found)
		release_of_elf(k->image, k->release, sizeof(k->release));
}

/* Unpack into the cache, under a name that only a whole file ever gets. */
static int unpack(struct kernel *k, char *err_msg, size_t err_len)
{
	char *dir = NULL, *elf = NULL, *tmp = NULL;
	int fd, err = -ENOMEM;

	dir = path_cache_dir("unpacked");
	if (!dir)
		return fail(err_msg, err_len, -errno,
			    "kernel: cache directory: %s", strerror(errno));
	if (asprintf(&elf, "%s/%s.elf", dir, k->hash) < 0) {
		elf = NULL;
		goto out;
	}
	if (exists(elf)) {
		err = 0;
		goto out;
	}
	if (asprintf(&tmp, "%s.XXXXXX", elf) < 0) {
		tmp = NULL;
		goto out;
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		err = fail(err_msg, err_len, -errno, "kernel: %s: %s", tmp,
			   strerror(errno));
		goto out;
	}
	err = vm_kernel_unpack(k->source, fd, err_msg, err_len);
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, elf))
		err = -errno;
	if (err)
		unlink(tmp);
out:
	if (!err) {
		k->image = elf;
		elf = NULL;
	} else if (err == -ENOTSUP) {
		/* the image unpacks itself, then */
		k->image = strdup(k->source);
		err = k->image ? 0 : -ENOMEM;
	}
	free(tmp);
	free(elf);
	free(dir);
	return err;
}

/* Copy the image's .BTF section into a file beside it. */
static int extract_btf(struct kernel *k)
{
	Elf_Scn *scn = NULL;
	char *path = NULL;
	size_t shstrndx;
	int fd, err = -ENOENT;
	Elf *elf;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOTSUP;
	fd = open(k->image, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF ||
	    elf_getshdrstrndx(elf, &shstrndx))
		goto out;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr shdr;
		Elf_Data *data;
		const char *name;

		if (!gelf_getshdr(scn, &shdr))
			continue;
		name = elf_strptr(elf, shstrndx, shdr.sh_name);
		if (!name || strcmp(name, ".BTF"))
			continue;
		data = elf_rawdata(scn, NULL);
		if (!data || asprintf(&path, "%s.btf", k->image) < 0)
			break;
		err = exists(path) ? 0 :
			path_write_file(path, data->d_buf, data->d_size);
		if (!err)
			k->btf = path;
		else
			free(path);
		break;
	}
out:
	elf_end(elf);
	close(fd);
	return err;
}

static void look_for_sched_ext(struct kernel *k)
{
	struct btf *btf = k->btf ? btf__parse_raw(k->btf) : NULL;

	k->has_sched_ext = btf && btf__find_by_name_kind(btf, "sched_ext_ops",
							 BTF_KIND_STRUCT) > 0;
	btf__free(btf);
}

static int resolve_dir(struct kernel *k, const char *dir, char *err_msg,
		       size_t err_len)
{
	static const char *const images[] = { "vmlinuz", "bzImage", "vmlinux" };
	size_t i;

	for (i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		k->source = path_join(dir, images[i]);
		if (exists(k->source))
			break;
		free(k->source);
		k->source = NULL;
	}
	if (!k->source)
		return fail(err_msg, err_len, -ENOENT,
			    "kernel: no vmlinuz, bzImage or vmlinux in %s; tools/setup fetches one",
			    dir);
	k->dir = strdup(dir);
	k->config = path_join(dir, "config");
	return 0;
}

static int resolve(const char *path, struct kernel *k, char *err_msg,
		   size_t err_len)
{
	char *dir = NULL;
	struct stat st;
	int err;

	if (!path) {
		char *kernels = path_cache_dir("kernels");

		dir = kernels ? path_join(kernels, "default") : NULL;
		free(kernels);
		if (!dir)
			return -ENOMEM;
		path = dir;
	}
	if (stat(path, &st))
		err = fail(err_msg, err_len, -errno, "kernel: %s: %s%s", path,
			   strerror(errno),
			   dir ? "; tools/setup fetches one" : "");
	else if (S_ISDIR(st.st_mode))
		err = resolve_dir(k, path, err_msg, err_len);
	else
		err = (k->source = strdup(path)) ? 0 : -ENOMEM;
	free(dir);
	return err;
}

/* For an image file: where distributions keep config and modules. */
static void find_companions(struct kernel *k)
{
	if (!k->config && *k->release &&
	    asprintf(&k->config, "/boot/config-%s", k->release) < 0)
		k->config = NULL;
	if (!exists(k->config)) {
		free(k->config);
		k->config = NULL;
	}
	if (!k->dir && *k->release &&
	    asprintf(&k->dir, "/lib/modules/%s", k->release) < 0)
		k->dir = NULL;
	if (!exists(k->dir)) {
		free(k->dir);
		k->dir = NULL;
	}
	if (k->config)
		sha256_file(k->config, k->config_hash);
}

int kernel_open(const char *path, struct kernel *k, char *err_msg,
		size_t err_len)
{
	int err;

	*k = (struct kernel){ 0 };
	*err_msg = '\0';
	err = resolve(path, k, err_msg, err_len);
	if (err)
		goto close;
	err = sha256_file(k->source, k->hash);
	if (err) {
		fail(err_msg, err_len, err, "kernel: %s: %s", k->source,
		     strerror(-err));
		goto close;
	}
	err = unpack(k, err_msg, err_len);
	if (err)
		goto close;
	find_release(k);
	find_companions(k);
	err = extract_btf(k);
	if (err)
		log_debug("kernel: %s: no BTF: %s", k->image, strerror(-err));
	look_for_sched_ext(k);
	return 0;

close:
	if (!*err_msg)
		fail(err_msg, err_len, err, "kernel: %s", strerror(-err));
	kernel_close(k);
	return err;
}

void kernel_close(struct kernel *k)
{
	free(k->source);
	free(k->image);
	free(k->btf);
	free(k->config);
	free(k->dir);
	*k = (struct kernel){ 0 };
}
