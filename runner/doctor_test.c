// SPDX-License-Identifier: GPL-2.0-only
#include "runner/doctor.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"

/* A machine on which nothing is to be said. */
static struct doctor_findings good(void)
{
	return (struct doctor_findings){
		.x86_64 = true,
		.kvm.state = VM_KVM_GOOD,
		.kernel_release = "7.3.4",
		.kernel_btf = true,
		.kernel_sched_ext = true,
		.clang = "clang-22",
		.memory_bytes = 8ULL << 30,
		.cache_dir = "/home/me/.cache/ktstr",
		.cache_free_bytes = 8ULL << 30,
		.cpus = 8,
		.load1 = 0.5,
	};
}

static const struct doctor_line *line(const struct doctor_report *r,
				      const char *name)
{
	unsigned int i;

	for (i = 0; i < r->nr; i++)
		if (!strcmp(r->lines[i].name, name))
			return &r->lines[i];
	ck_abort_msg("no line \"%s\"", name);
	return NULL;
}

static void no_kvm(struct doctor_findings *f)
{
	f->kvm.state = VM_KVM_MISSING;
	strcpy(f->kvm.why, "no /dev/kvm");
}

static void no_kvm_intel(struct doctor_findings *f)
{
	no_kvm(f);
	f->intel = true;
}

static void kvm_forbidden_qemu(struct doctor_findings *f)
{
	f->kvm.state = VM_KVM_FORBIDDEN;
	f->qemu_major = 10;
}

static void kvm_slow_qemu(struct doctor_findings *f)
{
	f->kvm.state = VM_KVM_SLOW;
	f->qemu_major = 10;
}

static void kvm_slow_old_qemu(struct doctor_findings *f)
{
	f->kvm.state = VM_KVM_SLOW;
	f->qemu_major = 9;
}

static void kvm_slow_little_memory(struct doctor_findings *f)
{
	kvm_slow_qemu(f);
	f->memory_bytes = (2048ULL << 20) - 1;
}

static void kvm_slow_enough_memory(struct doctor_findings *f)
{
	kvm_slow_qemu(f);
	f->memory_bytes = 2048ULL << 20;
}

static void kvm_little_memory(struct doctor_findings *f)
{
	f->memory_bytes = 512ULL << 20;
}

static void no_kernel(struct doctor_findings *f)
{
	f->kernel_err = -ENOENT;
}

static void no_sched_ext(struct doctor_findings *f)
{
	f->kernel_sched_ext = false;
}

static void no_btf(struct doctor_findings *f)
{
	f->kernel_btf = false;
}

static void no_clang(struct doctor_findings *f)
{
	f->clang[0] = '\0';
}

static void cache_forbidden(struct doctor_findings *f)
{
	f->cache_err = -EACCES;
}

static void cache_full(struct doctor_findings *f)
{
	f->cache_free_bytes = 100 << 20;
}

static void arm(struct doctor_findings *f)
{
	f->x86_64 = false;
}

static void noisy(struct doctor_findings *f)
{
	f->load1 = 6;
}

static void stolen(struct doctor_findings *f)
{
	f->is_guest = true;
	f->steal_ratio = 0.02;
}

static const struct {
	void (*make)(struct doctor_findings *f);
	const char *name;
	enum doctor_state state;
	bool can_run;
	const char *mend;	/* part of it; "": none */
} cases[] = {
	{ no_kvm, "kvm", DOCTOR_BAD, false, "modprobe kvm_amd" },
	{ no_kvm, "qemu", DOCTOR_BAD, false, "tools/setup --stage emulator" },
	{ no_kvm_intel, "kvm", DOCTOR_BAD, false, "modprobe kvm_intel" },
	{ kvm_forbidden_qemu, "kvm", DOCTOR_WARN, true, "usermod -aG kvm" },
	{ kvm_slow_qemu, "kvm", DOCTOR_WARN, true, "" },
	{ kvm_slow_old_qemu, "kvm", DOCTOR_BAD, false, "" },
	{ kvm_slow_old_qemu, "qemu", DOCTOR_BAD, false,
	  "tools/setup --stage emulator" },
	{ kvm_slow_little_memory, "memory", DOCTOR_BAD, false, "" },
	{ kvm_slow_enough_memory, "memory", DOCTOR_OK, true, "" },
	{ kvm_little_memory, "memory", DOCTOR_BAD, false, "" },
	{ no_kernel, "kernel", DOCTOR_BAD, false, "tools/setup" },
	{ no_sched_ext, "kernel", DOCTOR_WARN, true, "tools/setup" },
	{ no_btf, "kernel", DOCTOR_WARN, true, "tools/setup" },
	{ no_clang, "clang", DOCTOR_WARN, true, "tools/setup" },
	{ cache_forbidden, "cache", DOCTOR_BAD, false, "KTSTR_CACHE=" },
	{ cache_full, "cache", DOCTOR_WARN, true, "KTSTR_CACHE=" },
	{ arm, "machine", DOCTOR_BAD, false, "" },
	{ noisy, "noise", DOCTOR_WARN, true, "" },
	{ stolen, "steal", DOCTOR_WARN, true, "" },
};

START_TEST(each_finding_has_its_state_and_its_mend)
{
	struct doctor_findings f = good();
	const struct doctor_line *l;
	struct doctor_report r;

	cases[_i].make(&f);
	doctor_judge(&f, &r);
	l = line(&r, cases[_i].name);
	ck_assert_int_eq(cases[_i].state, l->state);
	ck_assert_int_eq(cases[_i].can_run, r.can_run);
	ck_assert_int_eq(cases[_i].can_run, r.accel != NULL);
	if (*cases[_i].mend)
		ck_assert_ptr_nonnull(strstr(l->mend, cases[_i].mend));
	else
		ck_assert_str_eq("", l->mend);
}
END_TEST

START_TEST(a_good_machine_has_nothing_to_mend)
{
	struct doctor_findings f = good();
	struct doctor_report r;
	unsigned int i;

	doctor_judge(&f, &r);
	ck_assert(r.can_run);
	ck_assert_str_eq("kvm", r.accel);
	for (i = 0; i < r.nr; i++) {
		ck_assert_int_eq(DOCTOR_OK, r.lines[i].state);
		ck_assert_str_eq("", r.lines[i].mend);
	}
}
END_TEST

START_TEST(unfit_kvm_with_qemu_is_the_emulated_host)
{
	struct doctor_findings f = good();
	struct doctor_report r;

	kvm_slow_qemu(&f);
	doctor_judge(&f, &r);
	ck_assert_str_eq("emulated", r.accel);
}
END_TEST

START_TEST(json_has_every_line)
{
	struct doctor_findings f = good();
	struct doctor_report r;
	json_t *j, *first;

	no_kernel(&f);
	doctor_judge(&f, &r);
	j = doctor_json(&r);
	ck_assert_str_eq("ktstr.doctor/1", json_string_value(
		json_object_get(j, "schema")));
	ck_assert(json_is_false(json_object_get(j, "can_run")));
	ck_assert(json_is_null(json_object_get(j, "accel")));
	ck_assert_uint_eq(r.nr, json_array_size(json_object_get(j,
								"findings")));
	first = json_array_get(json_object_get(j, "findings"), 0);
	ck_assert_str_eq("ok", json_string_value(json_object_get(first,
								 "state")));
	ck_assert(json_is_null(json_object_get(first, "mend")));
	json_decref(j);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("doctor");
	TCase *tc = tcase_create("judge");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, each_finding_has_its_state_and_its_mend, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, a_good_machine_has_nothing_to_mend);
	tcase_add_test(tc, unfit_kvm_with_qemu_is_the_emulated_host);
	tcase_add_test(tc, json_has_every_line);
	suite_add_tcase(s, tc);
	return test_run(s);
}
