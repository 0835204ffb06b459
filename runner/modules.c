// SPDX-License-Identifier: GPL-2.0-only
#include "runner/modules.h"

#include "lib/path.h"

#include <gelf.h>
#include <libelf.h>

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MODULE_MAX (64u << 20)
#define DEPTH_MAX 32

struct tree_file {
	char *name;		/* normalised */
	char *path;
};

/* All module files of a tree, and where the result goes. */
struct resolver {
	char dir[PATH_MAX];
	struct tree_file *files;
	size_t nr_files;
	char *builtin;		/* modules.builtin, or "" */
	struct module_list *list;
	char *err_msg;
	size_t err_len;
};

__attribute__((format(printf, 3, 4)))
static int fail(struct resolver *r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->err_msg, r->err_len, fmt, ap);
	va_end(ap);
	return err;
}

/* "/a/kvm-amd.ko.xz" to "kvm_amd"; false if it is no module's name. */
static bool name_from_path(const char *path, char *name, size_t len)
{
	const char *base = strrchr(path, '/');
	const char *end;
	size_t n;

	base = base ? base + 1 : path;
	end = strstr(base, ".ko");
	if (!end || (end[3] && end[3] != '.'))
		return false;
	n = end - base;
	if (!n || n >= len)
		return false;
	for (size_t i = 0; i < n; i++)
		name[i] = base[i] == '-' ? '_' : base[i];
	name[n] = '\0';
	return true;
}

static int tree_add(struct resolver *r, const char *path)
{
	char name[NAME_MAX];
	struct tree_file *files;

	if (!name_from_path(path, name, sizeof(name)))
		return 0;
	files = realloc(r->files, (r->nr_files + 1) * sizeof(*files));
	if (!files)
		return -ENOMEM;
	r->files = files;
	files[r->nr_files].name = strdup(name);
	files[r->nr_files].path = strdup(path);
	r->nr_files++; /* resolver_fini() frees what there is of it */
	if (!files[r->nr_files - 1].name || !files[r->nr_files - 1].path)
		return -ENOMEM;
	return 0;
}

static int tree_scan(struct resolver *r)
{
	char *const roots[] = { r->dir, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	int err = 0;
	FTSENT *e;

	if (!fts)
		return -errno;
	while (!err && (e = fts_read(fts)))
		if (e->fts_info == FTS_F)
			err = tree_add(r, e->fts_path);
	fts_close(fts);
	return err;
}

static bool is_builtin(const struct resolver *r, const char *want)
{
	const char *line = r->builtin;
	char path[PATH_MAX], name[NAME_MAX];

	while (*line) {
		size_t n = strcspn(line, "\n");

		if (n < sizeof(path)) {
			memcpy(path, line, n);
			path[n] = '\0';
			if (name_from_path(path, name, sizeof(name)) &&
			    !strcmp(name, want))
				return true;
		}
		line += n + (line[n] == '\n');
	}
	return false;
}

static int module_read(struct resolver *r, const char *path, struct module *m)
{
	char *packed;
	size_t len;
	int err = path_read_file(path, MODULE_MAX, &packed, &len);

	if (err)
		return fail(r, err, "%s: %s", path, strerror(-err));
	err = decompress((uint8_t *)packed, len, &m->data, &m->len);
	free(packed);
	if (err)
		return fail(r, err, "%s: cannot unpack: %s", path,
			    strerror(-err));
	return 0;
}

/* The value of "depends=" in .modinfo, allocated: "" if there is none. */
static char *depends_from(Elf *elf)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr sh;
		const char *sec, *p, *end;
		Elf_Data *data;

		if (!gelf_getshdr(scn, &sh))
			return NULL;
		sec = elf_strptr(elf, names, sh.sh_name);
		if (!sec || strcmp(sec, ".modinfo"))
			continue;
		data = elf_getdata(scn, NULL);
		if (!data || !data->d_buf || !data->d_size)
			return NULL;
		p = data->d_buf;
		end = p + data->d_size;
		if (end[-1])
			return NULL;
		for (; p < end; p += strlen(p) + 1)
			if (!strncmp(p, "depends=", 8))
				return strdup(p + 8);
		return strdup("");
	}
	return NULL;
}

static int module_depends(struct resolver *r, const char *path,
			  const struct module *m, char **depends)
{
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)m->data, m->len);
	*depends = elf ? depends_from(elf) : NULL;
	elf_end(elf);
	if (!*depends)
		return fail(r, -ENOEXEC, "%s: not a kernel module", path);
	return 0;
}

static bool list_has(const struct module_list *list, const char *name)
{
	for (size_t i = 0; i < list->nr; i++)
		if (!strcmp(list->v[i].name, name))
			return true;
	return false;
}

static int list_add(struct module_list *list, const char *name,
		    struct module *m)
{
	struct module *v = realloc(list->v, (list->nr + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	list->v = v;
	m->name = strdup(name);
	if (!m->name)
		return -ENOMEM;
	v[list->nr++] = *m;
	return 0;
}

static const char *tree_find(const struct resolver *r, const char *name)
{
	for (size_t i = 0; i < r->nr_files; i++)
		if (!strcmp(r->files[i].name, name))
			return r->files[i].path;
	return NULL;
}

static int add_module(struct resolver *r, const char *asked, int depth);

static int add_depends(struct resolver *r, char *depends, int depth)
{
	char *save, *name;

	for (name = strtok_r(depends, ",", &save); name;
	     name = strtok_r(NULL, ",", &save)) {
		int err = add_module(r, name, depth);

		if (err)
			return err;
	}
	return 0;
}

/* @asked after everything it needs. */
static int add_module(struct resolver *r, const char *asked, int depth)
{
	struct module m = { 0 };
	char *depends = NULL;
	char name[NAME_MAX];
	const char *path;
	int err;

	snprintf(name, sizeof(name), "%s", asked);
	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	if (list_has(r->list, name) || is_builtin(r, name))
		return 0;
	if (depth == DEPTH_MAX)
		return fail(r, -ELOOP, "module %s: dependencies in a ring",
			    name);
	path = tree_find(r, name);
	if (!path)
		return fail(r, -ENOENT, "%s: no module %s, nor is it built in",
			    r->dir, name);

	err = module_read(r, path, &m);
	if (!err)
		err = module_depends(r, path, &m, &depends);
	if (!err)
		err = add_depends(r, depends, depth + 1);
	if (!err)
		err = list_add(r->list, name, &m);
	if (err)
		free(m.data);
	free(depends);
	return err;
}

/* False when @kernel_dir has no module tree at all. */
static bool tree_locate(struct resolver *r, const char *kernel_dir)
{
	static const char *const subs[] = { "modules", "." };

	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		char probe[PATH_MAX + 32];
		struct stat st;

		snprintf(r->dir, sizeof(r->dir), "%s/%s", kernel_dir, subs[i]);
		snprintf(probe, sizeof(probe), "%s/kernel", r->dir);
		if (!stat(probe, &st) && S_ISDIR(st.st_mode))
			return true;
	}
	return false;
}

static int resolver_init(struct resolver *r)
{
	char path[PATH_MAX + 32];
	size_t len;
	int err;

	snprintf(path, sizeof(path), "%s/modules.builtin", r->dir);
	err = path_read_file(path, 1 << 20, &r->builtin, &len);
	if (err == -ENOENT) {
		r->builtin = strdup("");
		err = r->builtin ? 0 : -ENOMEM;
	}
	if (!err)
		err = tree_scan(r);
	return err ? fail(r, err, "%s: %s", r->dir, strerror(-err)) : 0;
}

static void resolver_fini(struct resolver *r)
{
	for (size_t i = 0; i < r->nr_files; i++) {
		free(r->files[i].name);
		free(r->files[i].path);
	}
	free(r->files);
	free(r->builtin);
}

int modules_resolve(const char *kernel_dir, const char *const *names,
		    struct module_list *list, char *err_msg, size_t err_len)
{
	struct module_list found = { 0 };
	struct resolver r = { .list = &found, .err_msg = err_msg,
			      .err_len = err_len };
	int err = 0;

	if (!tree_locate(&r, kernel_dir)) {
		*list = found;
		return 0;
	}
	err = resolver_init(&r);
	for (size_t i = 0; !err && names[i]; i++)
		err = add_module(&r, names[i], 0);
	resolver_fini(&r);
	if (err)
		modules_free(&found);
	else
		*list = found;
	return err;
}

bool modules_may_have(const char *kernel_dir, const char *name)
{
	char why[256];
	struct resolver r = { .err_msg = why, .err_len = sizeof(why) };
	bool has;

	if (!tree_locate(&r, kernel_dir))
		return true;
	has = resolver_init(&r) || is_builtin(&r, name) || tree_find(&r, name);
	resolver_fini(&r);
	return has;
}

void modules_free(struct module_list *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		free(list->v[i].name);
		free(list->v[i].data);
	}
	free(list->v);
	*list = (struct module_list){ 0 };
}
