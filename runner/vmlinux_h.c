// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C header of a kernel's types, as bpftool writes it: a source written
 * for one compiles with the other. No bpftool is needed on the user's machine.
 */
#include "runner/sched_source.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/path.h"

#define KFUNC_TAG "bpf_kfunc"
#define WHOLE_TYPE (-1)	/* component_idx of a tag on the function itself */

static const char prologue[] =
	"#ifndef __VMLINUX_H__\n"
	"#define __VMLINUX_H__\n\n"
	"#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n"
	"#pragma clang attribute push "
	"(__attribute__((preserve_access_index)), apply_to = record)\n"
	"#endif\n\n"
	"#ifndef __ksym\n"
	"#define __ksym __attribute__((section(\".ksyms\")))\n"
	"#endif\n\n"
	"#ifndef __weak\n"
	"#define __weak __attribute__((weak))\n"
	"#endif\n\n";

static const char kfunc_prologue[] =
	"\n/* BPF kfuncs */\n"
	"#ifndef BPF_NO_KFUNC_PROTOTYPES\n";

static const char no_kfuncs[] =
	"/*\n"
	" * None: the BTF of this kernel does not tag them (it was made by\n"
	" * pahole before 1.27). Declare those you call, __weak __ksym.\n"
	" */\n";

static const char epilogue[] =
	"#endif\n\n"
	"#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n"
	"#pragma clang attribute pop\n"
	"#endif\n\n"
	"#endif /* __VMLINUX_H__ */\n";

/* Where libbpf's words go. */
struct writer {
	FILE *out;
	bool opened;	/* the last word was "(" */
};

/*
 * libbpf before 1.5 writes f() for a function of no arguments. In C before
 * C23 that is one of any arguments, and so it says in the object's BTF: the
 * kernel's kfunc would then not match. Only there do the two parentheses come
 * one after the other.
 */
__attribute__((format(printf, 2, 0)))
static void emit(void *ctx, const char *fmt, va_list args)
{
	struct writer *w = ctx;

	if (w->opened && !strcmp(fmt, ")"))
		fputs("void", w->out);
	w->opened = !strcmp(fmt, "(");
	vfprintf(w->out, fmt, args);
}

static int write_types(struct btf_dump *dump, const struct btf *btf)
{
	uint32_t id, count = btf__type_cnt(btf);
	int err;

	for (id = 1; id < count; id++) {
		err = btf_dump__dump_type(dump, id);
		if (err)
			return err;
	}
	return 0;
}

/* The function that @id says is a kfunc; NULL if it says nothing of the sort. */
static const struct btf_type *kfunc_of_tag(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const char *tag;

	if (!btf_is_decl_tag(t) ||
	    btf_decl_tag(t)->component_idx != WHOLE_TYPE)
		return NULL;
	tag = btf__name_by_offset(btf, t->name_off);
	if (!tag || strcmp(tag, KFUNC_TAG))
		return NULL;
	t = btf__type_by_id(btf, t->type);
	return t && btf_is_func(t) ? t : NULL;
}

static int write_kfuncs(struct btf_dump *dump, const struct btf *btf, FILE *out,
			unsigned int *nr)
{
	LIBBPF_OPTS(btf_dump_emit_type_decl_opts, opts);
	uint32_t id, count = btf__type_cnt(btf);
	const struct btf_type *func, *proto;
	int err;

	*nr = 0;
	for (id = 1; id < count; id++) {
		func = kfunc_of_tag(btf, id);
		proto = func ? btf__type_by_id(btf, func->type) : NULL;
		if (!proto || !btf_is_func_proto(proto))
			continue;
		opts.field_name = btf__name_by_offset(btf, func->name_off);
		fputs("extern ", out);
		err = btf_dump__emit_type_decl(dump, func->type, &opts);
		if (err)
			return err;
		fputs(" __weak __ksym;\n", out);
		++*nr;
	}
	return 0;
}

static int write_header(const struct btf *btf, FILE *out, unsigned int *kfuncs)
{
	struct writer w = { .out = out };
	struct btf_dump *dump = btf_dump__new(btf, emit, &w, NULL);
	int err;

	if (!dump)
		return -errno;
	fputs(prologue, out);
	err = write_types(dump, btf);
	if (!err) {
		fputs(kfunc_prologue, out);
		err = write_kfuncs(dump, btf, out, kfuncs);
	}
	if (!err && !*kfuncs)
		fputs(no_kfuncs, out);
	fputs(epilogue, out);
	btf_dump__free(dump);
	return err;
}

/* The whole header in memory: a few MiB, and nothing half written on disk. */
static int header_text(const struct btf *btf, char **text, size_t *len,
		       unsigned int *kfuncs)
{
	FILE *out = open_memstream(text, len);
	bool torn;
	int err;

	if (!out)
		return -errno;
	err = write_header(btf, out, kfuncs);
	torn = ferror(out);
	if ((fclose(out) || torn) && !err)
		err = -ENOMEM;
	if (err) {
		free(*text);
		*text = NULL;
	}
	return err;
}

int vmlinux_h_write(const char *btf_path, const char *out_path, char *err_msg,
		    size_t err_len)
{
	struct btf *btf = btf__parse(btf_path, NULL);
	unsigned int kfuncs = 0;
	char *text = NULL, why[128];
	size_t len = 0;
	int err;

	if (!btf) {
		err = -errno;
		libbpf_strerror(err, why, sizeof(why));
		snprintf(err_msg, err_len, "read BTF of %s: %s", btf_path, why);
		return err;
	}
	err = header_text(btf, &text, &len, &kfuncs);
	btf__free(btf);
	if (err) {
		snprintf(err_msg, err_len, "C types of %s: %s", btf_path,
			 strerror(-err));
		return err;
	}
	err = path_write_file(out_path, text, len);
	free(text);
	if (err)
		snprintf(err_msg, err_len, "write %s: %s", out_path,
			 strerror(-err));
	else if (!kfuncs)
		log_warn("vmlinux.h: the BTF of %s tags no kfuncs, a scheduler "
			 "source must declare those it calls", btf_path);
	return err;
}
