// SPDX-License-Identifier: GPL-2.0-only
#include "runner/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

/* A guest of 512 MiB with what its process needs beside it. */
#define KVM_MEMORY_LEAST (768 * MIB)
/* The emulated host takes three quarters of what is free, 1.5 GiB at least. */
#define EMULATED_MEMORY_LEAST (2048 * MIB)
/* An unpacked kernel and the files of some runs. */
#define CACHE_LEAST (512 * MIB)

/* Above these, times measured in a guest are those of its neighbours. */
#define LOAD_NOISY_RATIO 0.5	/* of the last minute, per CPU */
#define STEAL_NOISY_RATIO 0.01

__attribute__((format(printf, 4, 5)))
static struct doctor_line *say(struct doctor_report *r, const char *name,
			       enum doctor_state state, const char *fmt, ...)
{
	struct doctor_line *l = &r->lines[r->nr++];
	va_list ap;

	l->name = name;
	l->state = state;
	va_start(ap, fmt);
	vsnprintf(l->text, sizeof(l->text), fmt, ap);
	va_end(ap);
	return l;
}

__attribute__((format(printf, 2, 3)))
static void mend(struct doctor_line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->mend, sizeof(l->mend), fmt, ap);
	va_end(ap);
}

static bool qemu_is_fit(const struct doctor_findings *f)
{
	return f->qemu_major >= DOCTOR_QEMU_LEAST;
}

static void judge_cpu(const struct doctor_findings *f, struct doctor_report *r)
{
	if (f->x86_64)
		say(r, "machine", DOCTOR_OK, "x86-64, %u CPUs", f->cpus);
	else
		say(r, "machine", DOCTOR_BAD,
		    "not x86-64: neither KVM nor guest would fit");
}

static void judge_kvm(const struct doctor_findings *f, struct doctor_report *r)
{
	const char *module = f->intel ? "kvm_intel" : "kvm_amd";
	struct doctor_line *l;

	if (f->kvm.state == VM_KVM_GOOD) {
		say(r, "kvm", DOCTOR_OK, "can run a stock kernel");
		return;
	}
	l = say(r, "kvm", qemu_is_fit(f) ? DOCTOR_WARN : DOCTOR_BAD, "%s%s",
		f->kvm.why, qemu_is_fit(f) ?
		"; runs go to the emulated host, where times mean little" : "");
	if (f->kvm.state == VM_KVM_FORBIDDEN)
		mend(l, "sudo usermod -aG kvm $USER    # then log in again");
	else if (f->kvm.state == VM_KVM_MISSING)
		mend(l, "sudo modprobe %s", module);
}

static void judge_qemu(const struct doctor_findings *f,
		       struct doctor_report *r)
{
	bool needed = f->kvm.state != VM_KVM_GOOD;
	struct doctor_line *l;

	if (qemu_is_fit(f)) {
		say(r, "qemu", DOCTOR_OK, "%s %u, for the emulated host%s",
		    f->qemu, f->qemu_major, needed ? "" : "; not needed here");
		return;
	}
	if (!needed) {
		say(r, "qemu", DOCTOR_OK,
		    "none that --accel emulated could use; not needed here");
		return;
	}
	if (f->qemu_major)
		l = say(r, "qemu", DOCTOR_BAD,
			"%s is version %u, the emulated host needs %d",
			f->qemu, f->qemu_major, DOCTOR_QEMU_LEAST);
	else
		l = say(r, "qemu", DOCTOR_BAD,
			"no qemu-system-x86_64, which the emulated host needs");
	mend(l, "tools/setup --stage emulator");
}

static void judge_kernel(const struct doctor_findings *f,
			 struct doctor_report *r)
{
	struct doctor_line *l;

	if (f->kernel_err) {
		l = say(r, "kernel", DOCTOR_BAD, "%s", f->kernel_why);
		mend(l, "tools/setup --stage build");
	} else if (!f->kernel_btf) {
		l = say(r, "kernel", DOCTOR_WARN,
			"%s has no BTF: its scheduler can't be read",
			f->kernel_release);
		mend(l, "tools/setup --stage build");
	} else if (!f->kernel_sched_ext) {
		l = say(r, "kernel", DOCTOR_WARN,
			"%s has no sched_ext: only the kernel's default scheduler runs",
			f->kernel_release);
		mend(l, "tools/setup --stage build");
	} else {
		say(r, "kernel", DOCTOR_OK, "%s, with sched_ext",
		    f->kernel_release);
	}
}

static void judge_clang(const struct doctor_findings *f,
			struct doctor_report *r)
{
	if (*f->clang)
		say(r, "clang", DOCTOR_OK, "%s, for schedulers given as source",
		    f->clang);
	else
		mend(say(r, "clang", DOCTOR_WARN,
			 "none: a scheduler's source can't be compiled, objects can be run"),
		     "tools/setup --stage build");
}

static void judge_memory(const struct doctor_findings *f,
			 struct doctor_report *r)
{
	uint64_t least = f->kvm.state == VM_KVM_GOOD ? KVM_MEMORY_LEAST :
		EMULATED_MEMORY_LEAST;

	if (f->memory_bytes < least)
		say(r, "memory", DOCTOR_BAD,
		    "%llu MiB free, %llu MiB are the least",
		    (unsigned long long)(f->memory_bytes / MIB),
		    (unsigned long long)(least / MIB));
	else
		say(r, "memory", DOCTOR_OK, "%.1f GiB free",
		    (double)f->memory_bytes / GIB);
}

static void judge_cache(const struct doctor_findings *f,
			struct doctor_report *r)
{
	struct doctor_line *l;

	if (f->cache_err) {
		l = say(r, "cache", DOCTOR_BAD, "%s: %s", f->cache_dir,
			strerror(-f->cache_err));
		mend(l, "export KTSTR_CACHE=DIR    # one that you can write to");
	} else if (f->cache_free_bytes < CACHE_LEAST) {
		l = say(r, "cache", DOCTOR_WARN,
			"%s: %llu MiB free, a new kernel may not fit",
			f->cache_dir,
			(unsigned long long)(f->cache_free_bytes / MIB));
		mend(l, "export KTSTR_CACHE=DIR    # one with more room");
	} else {
		say(r, "cache", DOCTOR_OK, "%s, %.1f GiB free", f->cache_dir,
		    (double)f->cache_free_bytes / GIB);
	}
}

static void judge_noise(const struct doctor_findings *f,
			struct doctor_report *r)
{
	double load = f->cpus ? f->load1 / f->cpus : 0;

	if (load > LOAD_NOISY_RATIO)
		say(r, "noise", DOCTOR_WARN,
		    "load %.1f on %u CPUs: checks of time may be inconclusive",
		    f->load1, f->cpus);
	else
		say(r, "noise", DOCTOR_OK, "load %.1f on %u CPUs", f->load1,
		    f->cpus);
	if (f->steal_ratio > STEAL_NOISY_RATIO)
		say(r, "steal", DOCTOR_WARN,
		    "%.1f %% of CPU time went to other machines on this host: checks of time may be inconclusive",
		    f->steal_ratio * 100);
	else if (f->is_guest)
		say(r, "steal", DOCTOR_OK, f->steal_ratio < 0 ?
		    "a virtual machine; it does not say what is stolen" :
		    "a virtual machine, with next to nothing stolen");
}

void doctor_judge(const struct doctor_findings *f, struct doctor_report *r)
{
	static void (*const judges[])(const struct doctor_findings *f,
				      struct doctor_report *r) = {
		judge_cpu, judge_kvm, judge_qemu, judge_kernel, judge_clang,
		judge_memory, judge_cache, judge_noise,
	};
	unsigned int i;

	*r = (struct doctor_report){ .can_run = true };
	for (i = 0; i < sizeof(judges) / sizeof(judges[0]); i++)
		judges[i](f, r);
	for (i = 0; i < r->nr; i++)
		if (r->lines[i].state == DOCTOR_BAD)
			r->can_run = false;
	if (r->can_run)
		r->accel = f->kvm.state == VM_KVM_GOOD ? "kvm" : "emulated";
}

const char *doctor_state_name(enum doctor_state state)
{
	static const char *const names[] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_WARN] = "warn",
		[DOCTOR_BAD] = "bad",
	};

	return names[state];
}

json_t *doctor_json(const struct doctor_report *r)
{
	json_t *lines = json_array();
	unsigned int i;

	for (i = 0; i < r->nr; i++) {
		const struct doctor_line *l = &r->lines[i];

		json_array_append_new(
			lines, json_pack("{s:s,s:s,s:s,s:o}", "name", l->name,
					 "state", doctor_state_name(l->state),
					 "text", l->text, "mend", *l->mend ?
					 json_string(l->mend) : json_null()));
	}
	return json_pack("{s:s,s:b,s:o,s:o}", "schema", "ktstr.doctor/1",
			 "can_run", r->can_run, "accel", r->accel ?
			 json_string(r->accel) : json_null(), "findings",
			 lines);
}
