// SPDX-License-Identifier: GPL-2.0-only
#include "runner/launch.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/blob.h"
#include "runner/emu.h"
#include "runner/images.h"
#include "runner/kernel.h"
#include "runner/launch_child.h"
#include "runner/modules.h"
#include "runner/launch_exec.h"
#include "runner/prepare.h"
#include "runner/replay.h"
#include "runner/sched_source.h"
#include "runner/status.h"
#include "vmm/vmm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Beyond the plan's own deadline: image load, writing, copying back. */
#define LAUNCH_SLACK_NS (60 * NSEC_PER_SEC)
#define DIAG_BYTES 16384

__attribute__((format(printf, 3, 4)))
static void stop(struct launch_result *res, enum launch_status status,
		 const char *fmt, ...)
{
	va_list ap;

	res->status = status;
	va_start(ap, fmt);
	vsnprintf(res->reason, sizeof(res->reason), fmt, ap);
	va_end(ap);
}

static json_t *prepared_of(json_t *plan)
{
	json_t *p = json_object_get(plan, PREPARED_KEY);

	if (!p) {
		p = json_object();
		json_object_set_new(plan, PREPARED_KEY, p);
	}
	return p;
}

static void set_text(json_t *obj, const char *key, const char *text)
{
	json_object_set_new(obj, key, text && *text ? json_string(text) :
			    json_null());
}

/* Which machine runs the VM: asked for, or what KVM can do. */
static void choose_accel(const struct launch_opts *opts, json_t *plan,
			 struct launch_result *res)
{
	struct vm_kvm_probe probe;
	const char *accel = "emulated";

	if (opts->accel != LAUNCH_ACCEL_EMULATED) {
		vm_kvm_probe(&probe);
		if (probe.state == VM_KVM_GOOD) {
			accel = "kvm";
		} else if (opts->accel == LAUNCH_ACCEL_KVM) {
			stop(res, LAUNCH_ERROR, "kvm: %s; --accel emulated runs without it",
			     probe.why);
			res->host_unfit = true;
			return;
		} else if (!opts->quiet) {
			log_info("kvm: %s; using the emulated host, where times mean little",
				 probe.why);
		}
	}
	set_text(prepared_of(plan), "accel", accel);
	snprintf(res->accel, sizeof(res->accel), "%s", accel);
}

/* What finds this kernel again, wherever "default" points by then. */
static void set_from(json_t *out, const struct kernel *k)
{
	size_t len = k->dir ? strlen(k->dir) : 0;
	bool in_dir = len && !strncmp(k->source, k->dir, len) &&
		k->source[len] == '/';
	char *path = realpath(in_dir ? k->dir : k->source, NULL);

	set_text(out, "from", path);
	free(path);
}

/* PCI wherever the kernel has it: docs/adr/0004-transport.md */
static void choose_transport(json_t *plan, const char *kernel_dir)
{
	json_t *vm = json_object_get(plan, "vm");

	if (json_is_null(json_object_get(vm, "transport")))
		set_text(vm, "transport", !kernel_dir ||
			 modules_may_have(kernel_dir, "virtio_pci") ? "pci" :
								      "mmio");
}

static void prepare_kernel(const struct launch_opts *opts, json_t *plan,
			   struct launch_result *res)
{
	json_t *out = json_object_get(plan, "kernel");
	json_t *prepared = prepared_of(plan);
	struct kernel k;
	char why[256];
	int err = kernel_open(opts->kernel, &k, why, sizeof(why));

	if (err) {
		stop(res, opts->kernel || err != -ENOENT ? LAUNCH_USAGE :
		     LAUNCH_SKIP, "%s", why);
		res->host_unfit = res->status == LAUNCH_SKIP;
		return;
	}
	if (!json_is_object(out)) {
		out = json_object();
		json_object_set_new(plan, "kernel", out);
	}
	set_text(out, "path", k.source);
	set_from(out, &k);
	set_text(out, "release", k.release);
	set_text(out, "hash", k.hash);
	set_text(out, "config_hash", k.config_hash);
	set_text(prepared, "image", k.image);
	set_text(prepared, "btf", k.btf);
	set_text(prepared, "config", k.config);
	set_text(prepared, "module_dir", k.dir);
	choose_transport(plan, k.dir);
	if (json_is_object(json_object_get(plan, "scheduler")) && k.btf &&
	    !k.has_sched_ext)
		stop(res, LAUNCH_SKIP,
		     "kernel %s has no sched_ext: CONFIG_SCHED_CLASS_EXT is off",
		     k.release);
	kernel_close(&k);
}

/* vmlinux.h of the guest kernel, made once per BTF. Owned path or NULL. */
static char *vmlinux_h_dir(json_t *plan, struct launch_result *res)
{
	const char *btf = json_string_value(json_object_get(
		prepared_of(plan), "btf"));
	const char *hash = json_string_value(json_object_get(
		json_object_get(plan, "kernel"), "hash"));
	char *sub = NULL, *dir = NULL, *header = NULL;
	char why[256] = "";
	int err = -ENOENT;

	if (!btf) {
		stop(res, LAUNCH_USAGE,
		     "scheduler: a source needs a kernel whose BTF is in its image");
		return NULL;
	}
	/* 1: the form of what vmlinux_h_write() writes */
	if (asprintf(&sub, "include/1-%s", hash) < 0)
		sub = NULL;
	dir = sub ? path_cache_dir(sub) : NULL;
	header = dir ? path_join(dir, "vmlinux.h") : NULL;
	if (header)
		err = access(header, R_OK) ?
			vmlinux_h_write(btf, header, why, sizeof(why)) : 0;
	if (err) {
		stop(res, LAUNCH_ERROR, "vmlinux.h: %s",
		     *why ? why : strerror(-err));
		free(dir);
		dir = NULL;
	}
	free(sub);
	free(header);
	return dir;
}

static void compile_source(json_t *plan, const char *src, const char *object,
			   struct launch_result *res)
{
	char *dir = vmlinux_h_dir(plan, res);
	char *diag = calloc(1, DIAG_BYTES);
	int err;

	if (!dir || !diag)
		goto out;
	err = sched_source_compile(src, dir, object, diag, DIAG_BYTES);
	if (err) {
		/* the compiler's own words first: they have the line */
		if (*diag)
			fprintf(stderr, "%s%s", diag,
				diag[strlen(diag) - 1] == '\n' ? "" : "\n");
		stop(res, LAUNCH_USAGE, "scheduler: %s does not compile: %s",
		     src, *diag ? "see above" : strerror(-err));
		/* no compiler, or no source, is another matter */
		res->no_compile = err == -EINVAL;
	}
out:
	free(dir);
	free(diag);
}

static void write_builtin(const char *name, const char *object,
			  struct launch_result *res)
{
	const struct blob *blob = blob_find(name);
	int err = blob ? path_write_file(object, blob->data, blob->len) :
		-ENOENT;

	if (!blob)
		stop(res, LAUNCH_USAGE,
		     "scheduler: no builtin \"%s\"; ktstr list shows them",
		     name);
	else if (err)
		stop(res, LAUNCH_ERROR, "scheduler: %s: %s", object,
		     strerror(-err));
}

/* The scheduler's object, into the run's folder: a run keeps what it ran. */
static void prepare_scheduler(const struct launch_opts *opts, json_t *plan,
			      struct launch_result *res)
{
	json_t *sched = json_object_get(plan, "scheduler");
	const char *kind = json_string_value(json_object_get(sched, "kind"));
	const char *name = json_string_value(json_object_get(sched, "name"));
	const char *path = json_string_value(json_object_get(sched, "path"));
	char hash[65];
	char *object;
	int err;

	if (!json_is_object(sched) || !strcmp(kind, "exec"))
		return;
	object = path_join(opts->out_dir, "sched.bpf.o");
	if (!object) {
		stop(res, LAUNCH_ERROR, "out of memory");
		return;
	}
	if (opts->replay && opts->replay->object)
		path = opts->replay->object;
	else if (!strcmp(kind, "builtin"))
		path = NULL;
	if (!path) {
		write_builtin(name, object, res);
	} else if (!strcmp(kind, "source") &&
		   !(opts->replay && opts->replay->object)) {
		compile_source(plan, path, object, res);
	} else {
		err = path_copy_file(path, object);
		if (err)
			stop(res, LAUNCH_USAGE, "scheduler: %s: %s", path,
			     strerror(-err));
	}
	if (res->status == LAUNCH_OK) {
		set_text(prepared_of(plan), "object", object);
		json_object_set_new(sched, "object",
				    json_string("/ktstr/sched.bpf.o"));
		if (!sha256_file(object, hash))
			set_text(sched, "hash", hash);
	}
	free(object);
}

/* The scenario's own programs, a scheduler's and the loads'. */
static void prepare_programs(json_t *plan, struct launch_result *res)
{
	char why[480];

	if (launch_exec(plan, why, sizeof(why)))
		stop(res, LAUNCH_USAGE, "%s", why);
}

void launch_prepare(const struct launch_opts *opts, json_t *plan,
		    struct launch_result *res)
{
	char why[480];

	*res = (struct launch_result){ .status = LAUNCH_OK };
	prepare_kernel(opts, plan, res);
	if (res->status == LAUNCH_OK)
		prepare_scheduler(opts, plan, res);
	if (res->status == LAUNCH_OK &&
	    !replay_check(opts->replay, plan, why, sizeof(why)))
		stop(res, LAUNCH_USAGE, "%s", why);
	if (res->status == LAUNCH_OK)
		prepare_programs(plan, res);
	if (res->status == LAUNCH_OK)
		choose_accel(opts, plan, res);
}

/* The facts the VM process left, with the accelerator, which it can't know. */
static json_t *load_facts(const char *out_dir, const char *accel,
			  struct launch_result *res)
{
	char *path = path_join(out_dir, "facts.json");
	json_error_t err;
	json_t *facts = path ? json_load_file(path, 0, &err) : NULL;

	if (facts)
		set_text(json_object_get(facts, "vm"), "accel", accel);
	else if (res->status == LAUNCH_OK)
		stop(res, LAUNCH_ERROR, "%s:%d: %s", path ? path : out_dir,
		     err.line, err.text);
	free(path);
	return facts;
}

/* Did the emulation, not the scheduler, bring the guest down? */
static void look_for_machine_fault(json_t *facts, struct launch_result *res)
{
	json_t *end = json_object_get(facts, "end"), *line;
	const char *fault;
	size_t i;

	json_array_foreach(json_object_get(end, "console_tail"), i, line) {
		fault = emu_fault_name(json_string_value(line));
		if (!fault)
			continue;
		stop(res, LAUNCH_MACHINE_FAULT,
		     "a known fault of the emulating machine: %s", fault);
		return;
	}
}

/* The images are sent; what the guest wrote comes back when it is over. */
static void run_emulated(const struct launch_opts *opts,
			 const struct images *images, const char *dir,
			 uint64_t limit_ns, struct interrupt *intr,
			 struct launch_result *res)
{
	char why[512];

	if (images_data_bytes(images) > IMAGES_SEND_MAX) {
		stop(res, LAUNCH_SKIP,
		     "the disks' images hold %llu MiB: the emulated host takes at most %llu",
		     (unsigned long long)images_data_bytes(images) >> 20,
		     IMAGES_SEND_MAX >> 20);
		return;
	}
	emulated_run(opts, images, dir, opts->out_dir, limit_ns, intr, res);
	if (images_take_back(images, opts->out_dir, why, sizeof(why)) &&
	    res->status == LAUNCH_OK)
		stop(res, LAUNCH_ERROR, "%s", why);
}

static void run_in_dir(const struct launch_opts *opts, json_t *plan,
		       const char *dir, struct interrupt *intr,
		       struct launch_result *res)
{
	uint64_t limit_ns = LAUNCH_SLACK_NS + json_integer_value(
		json_object_get(json_object_get(plan, "vm"), "deadline_ns"));
	struct images images;
	char why[512];

	if (images_open(plan, &images, why, sizeof(why)) ||
	    prepare_dir(plan, dir, why, sizeof(why)))
		stop(res, LAUNCH_ERROR, "%s", why);
	else if (strcmp(res->accel, "kvm"))
		run_emulated(opts, &images, dir, limit_ns, intr, res);
	else if (images_link(&images, dir))
		stop(res, LAUNCH_ERROR, "%s: links to the disks' images", dir);
	else
		child_run(opts, dir, opts->out_dir, limit_ns, intr, res);
	images_close(&images);
}

/* A temporary folder for the VM process, gone when this returns. */
static void run_in_tmp(const struct launch_opts *opts, json_t *plan,
		       struct interrupt *intr, struct launch_result *res)
{
	const char *tmp = getenv("TMPDIR");
	char *dir;

	if (asprintf(&dir, "%s/ktstr-in-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0)
		dir = NULL;
	if (dir && mkdtemp(dir)) {
		run_in_dir(opts, plan, dir, intr, res);
		path_remove_tree(dir);
	} else {
		stop(res, LAUNCH_ERROR, "temporary folder %s: %s",
		     dir ? dir : "", strerror(errno));
	}
	free(dir);
}

void launch_run(const struct launch_opts *opts, json_t *plan,
		struct launch_result *res, json_t **facts)
{
	const char *accel = json_string_value(json_object_get(
		prepared_of(plan), "accel"));
	struct interrupt intr;
	int err;

	*facts = NULL;
	*res = (struct launch_result){ .status = LAUNCH_OK };
	snprintf(res->accel, sizeof(res->accel), "%s", accel);
	/* first of all, so that no signal can leave something behind */
	err = interrupt_open(&intr);
	if (err) {
		stop(res, LAUNCH_ERROR, "signalfd: %s", strerror(-err));
		return;
	}
	status_begin(opts->status, plan);
	run_in_tmp(opts, plan, &intr, res);
	status_end(opts->status);
	interrupt_poll(&intr);
	res->signal = intr.signal;
	interrupt_close(&intr);
	if (res->status != LAUNCH_OK && res->status != LAUNCH_INTERRUPTED)
		return;
	*facts = load_facts(opts->out_dir, accel, res);
	if (*facts && !strcmp(accel, "emulated") && res->status == LAUNCH_OK)
		look_for_machine_fault(*facts, res);
}
