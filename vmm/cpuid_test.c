// SPDX-License-Identifier: GPL-2.0-only
/*
 * The leaves are read back the way the kernel reads them: a small model of
 * topology_ext.c, topology_amd.c and cacheinfo.c (Linux 7.3), for both
 * vendors, over every preset. What counts is who shares what with whom.
 */
#include "vmm/cpuid.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "vmm/test_topologies.h"
#include "vmm/topology.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define INTEL 0x756e6547, 0x6c65746e, 0x49656e69 /* ebx, ecx, edx */
#define AMD 0x68747541, 0x444d4163, 0x69746e65

/* ----------------------------------------- hosts: as KVM reports them --- */

/* Each has a layout of its own in the leaves that we must not pass on. */
struct leaf {
	uint32_t leaf, subleaf, flags, eax, ebx, ecx, edx;
};

static const struct leaf intel_host[] = {
	{ 0x0, 0, 0, 0x20, INTEL },
	{ 0x1, 0, 0, 0x000806f8, 0x1f400800, 0xfffab223, 0x1fcbfbff },
	{ 0x4, 0, 1, 0xfc004121, 0x02c0003f, 0x3f, 0 },
	{ 0x4, 1, 1, 0xfc004122, 0x01c0003f, 0x3f, 0 },
	{ 0x4, 2, 1, 0xfc01c143, 0x03c0003f, 0x7ff, 0 },
	{ 0x4, 3, 1, 0xfc1fc163, 0x0500003f, 0x1bfff, 4 },
	{ 0x6, 0, 0, 0x77, 2, 9, 0 },
	{ 0x7, 0, 1, 2, 0xf1bf07ab, 0x1b415f6e, 0xbfc18410 },
	{ 0x7, 1, 1, 0x1c30, 0, 0, 0 },
	{ 0xa, 0, 0, 0x07300805, 0, 0xf, 0x8604 },
	{ 0xb, 0, 1, 1, 2, 0x100, 0x1f },
	{ 0x1a, 0, 0, 0x40000001, 0, 0, 0 },
	{ 0x1f, 0, 1, 1, 2, 0x100, 0x1f },
	{ 0x1f, 1, 1, 7, 0x70, 0x201, 0x1f },
	{ 0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d },
	{ 0x40000001, 0, 0, 0x01ffffff, 0, 0, 1 },
	{ 0x80000000, 0, 0, 0x80000008, 0, 0, 0 },
	{ 0x80000001, 0, 0, 0, 0, 0x121, 0x2c100800 },
	{ 0x80000006, 0, 0, 0, 0, 0x08007040, 0 },
	{ 0x80000007, 0, 0, 0, 0, 0, 0x100 },
	{ 0x80000008, 0, 0, 0x3934, 0, 0x7001, 0 },
};

static const struct leaf old_intel_host[] = {
	{ 0x0, 0, 0, 0xa, INTEL },
	{ 0x1, 0, 0, 0x000206a7, 0x00100800, 0x1fbae3ff, 0xbfebfbff },
	{ 0x4, 0, 1, 0x1c004121, 0x01c0003f, 0x3f, 0 },
	{ 0x40000000, 0, 0, 0, 0x4b4d564b, 0x564b4d56, 0x4d },
	{ 0x40000001, 0, 0, 0x01007afb, 0, 0, 0 },
	{ 0x80000000, 0, 0, 0x80000008, 0, 0, 0 },
	{ 0x80000001, 0, 0, 0, 0, 1, 0x28100800 },
};

#define AMD_LEAVES(max, ext_max, signature)                                \
	{ 0x0, 0, 0, max, AMD },                                           \
	{ 0x1, 0, 0, signature, 0x07080800, 0x81202000, 0x078bfbff },      \
	{ 0xb, 0, 1, 0, 0, 0, 5 },                                         \
	{ 0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d },    \
	{ 0x40000001, 0, 0, 0x01007efb, 0, 0, 0 },                         \
	{ 0x80000000, 0, 0, ext_max, AMD },                                \
	{ 0x80000001, 0, 0, signature, 0x40000000, 0x3fffff, 0x2fd3fbff }, \
	{ 0x80000005, 0, 0, 0, 0, 0x20080140, 0x20080140 },                \
	{ 0x80000006, 0, 0, 0, 0, 0x02006140, 0 },                         \
	{ 0x80000008, 0, 0, 0x3030, 0x50020015, 0x7007, 0x10007 },         \
	{ 0x8000001d, 0, 1, 0x4121, 0x01c0003f, 0x3f, 0 },                 \
	{ 0x8000001d, 1, 1, 0x4122, 0x01c0003f, 0x3f, 0 },                 \
	{ 0x8000001d, 2, 1, 0x4143, 0x01c0003f, 0x3ff, 2 },                \
	{ 0x8000001d, 3, 1, 0x3fc163, 0x03c0003f, 0x7fff, 1 },             \
	{ 0x8000001e, 0, 0, 7, 0x103, 0x301, 0 }

static const struct leaf zen4_host[] = {
	AMD_LEAVES(0x10, 0x80000028, 0x00a10f11),
	{ 0x80000022, 0, 0, 7, 0, 0, 0 },
	{ 0x80000026, 0, 1, 1, 2, 0x100, 7 },
	{ 0x80000026, 1, 1, 4, 16, 0x201, 7 },
};
static const struct leaf zen5_host[] = {
	AMD_LEAVES(0x20, 0x80000028, 0x00b00f21),
};
static const struct leaf zen1_host[] = {
	AMD_LEAVES(0xd, 0x8000001f, 0x00800f12),
};
static const struct leaf emulator_host[] = {
	AMD_LEAVES(0xd, 0x8000000a, 0x00000663),
};

static const struct {
	const char *name;
	const struct leaf *leaves;
	size_t nr;
	enum cpuid_vendor vendor;
} hosts[] = {
#define HOST(h, v) { #h, h, ARRAY_SIZE(h), v }
	HOST(intel_host, CPUID_VENDOR_INTEL),
	HOST(old_intel_host, CPUID_VENDOR_INTEL),
	HOST(zen4_host, CPUID_VENDOR_AMD),
	HOST(zen5_host, CPUID_VENDOR_AMD),
	HOST(zen1_host, CPUID_VENDOR_AMD),
	HOST(emulator_host, CPUID_VENDOR_AMD),
};

static void host_get(int i, struct cpuid_table *t)
{
	size_t k;

	t->head.nent = hosts[i].nr;
	for (k = 0; k < hosts[i].nr; k++) {
		const struct leaf *l = &hosts[i].leaves[k];

		t->entries[k] = (struct kvm_cpuid_entry2){
			.function = l->leaf, .index = l->subleaf,
			.flags = l->flags, .eax = l->eax, .ebx = l->ebx,
			.ecx = l->ecx, .edx = l->edx,
		};
	}
}

/* -------------------------------------------------- the kernel's view --- */

struct seen {
	uint32_t apic_id, package, core, llc, l2;
	bool bad; /* a firmware-bug line in the kernel log */
};

static struct kvm_cpuid_entry2 cpuid(const struct cpuid_table *t,
				     uint32_t leaf, uint32_t sub)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(&t->head, leaf, sub);

	return e ? *e : (struct kvm_cpuid_entry2){ 0 };
}

/* topology_ext.c: returns false when the leaf says nothing. */
static bool parse_levels(const struct cpuid_table *t, uint32_t leaf,
			 uint32_t shifts[2], struct seen *s)
{
	uint32_t sub;

	for (sub = 0;; sub++) {
		struct kvm_cpuid_entry2 e = cpuid(t, leaf, sub);
		uint32_t type = e.ecx >> 8 & 0xff;

		if (!(e.ebx & 0xffff) || !type)
			break;
		if ((e.ecx & 0xff) != sub || type > 2)
			s->bad = true;
		if (!sub)
			s->apic_id = e.edx;
		else if (s->apic_id != e.edx)
			s->bad = true;
		if (type == 1)
			shifts[0] = e.eax & 0x1f;
		shifts[1] = e.eax & 0x1f; /* what is missing copies below */
	}
	return sub > 0;
}

static unsigned int count_order(unsigned int n)
{
	unsigned int order = 0;

	while (1u << order < n)
		order++;
	return order;
}

/* get_cache_id(): by the leaf whose level is @level. */
static uint32_t cache_id(const struct cpuid_table *t, uint32_t leaf,
			 uint32_t level, uint32_t apic_id)
{
	uint32_t sub;

	for (sub = 0; sub < 8; sub++) {
		struct kvm_cpuid_entry2 e = cpuid(t, leaf, sub);

		if (!(e.eax & 0x1f))
			break;
		if ((e.eax >> 5 & 7) == level)
			return apic_id >>
			       count_order((e.eax >> 14 & 0xfff) + 1);
	}
	return UINT32_MAX;
}

static uint32_t amd_llc(const struct cpuid_table *t, const struct seen *s)
{
	uint32_t sig = cpuid(t, 1, 0).eax;
	uint32_t family = sig >> 8 & 0xf, model = sig >> 4 & 0xf;

	if (family == 0xf)
		family += sig >> 20 & 0xff;
	if (family >= 6)
		model |= sig >> 12 & 0xf0;
	if (!(cpuid(t, 0x80000001, 0).ecx & 1 << 22))
		return s->package; /* no TOPOEXT */
	if (!cpuid(t, 0x80000006, 0).edx)
		return s->package;
	if (family < 0x17)
		return cpuid(t, 0x8000001e, 0).ecx & 0xff;
	if (family == 0x17 && model <= 0x1f)
		return s->apic_id >> 3;
	return cache_id(t, 0x8000001d, 3, s->apic_id);
}

static struct seen parse_amd(const struct cpuid_table *t)
{
	uint32_t max = cpuid(t, 0, 0).eax;
	uint32_t ext_max = cpuid(t, 0x80000000, 0).eax;
	struct kvm_cpuid_entry2 node = cpuid(t, 0x8000001e, 0);
	uint32_t shifts[2] = { 0, 0 };
	struct seen s = { 0 };

	if (!(max >= 0x1f && parse_levels(t, 0x1f, shifts, &s)) &&
	    !(ext_max >= 0x80000026 &&
	      parse_levels(t, 0x80000026, shifts, &s)) &&
	    !(max >= 0xb && parse_levels(t, 0xb, shifts, &s)))
		s.bad = true;
	if (ext_max < 0x8000001e || node.eax != s.apic_id)
		s.bad = true;
	if (node.ecx >> 8 & 7)
		s.bad = true; /* would split the package */
	s.package = s.apic_id >> shifts[1];
	s.core = s.apic_id >> shifts[0];
	s.llc = amd_llc(t, &s);
	s.l2 = cache_id(t, 0x8000001d, 2, s.apic_id);
	return s;
}

static struct seen parse_intel(const struct cpuid_table *t)
{
	uint32_t max = cpuid(t, 0, 0).eax;
	uint32_t shifts[2] = { 0, 0 };
	struct seen s = { 0 };

	if (!(max >= 0x1f && parse_levels(t, 0x1f, shifts, &s)) &&
	    !(max >= 0xb && parse_levels(t, 0xb, shifts, &s)))
		s.bad = true;
	s.package = s.apic_id >> shifts[1];
	s.core = s.apic_id >> shifts[0];
	s.llc = cache_id(t, 4, 3, s.apic_id);
	s.l2 = cache_id(t, 4, 2, s.apic_id);
	return s;
}

/* ------------------------------------------------------------- tests ---- */

static void build(int host, const struct vm_topology *t, unsigned int cpu,
		  struct cpuid_table *out)
{
	struct cpuid_table in;

	host_get(host, &in);
	ck_assert_int_eq(hosts[host].vendor, cpuid_vendor_of(&in.head));
	ck_assert_int_eq(0, cpuid_build(&in.head, t, cpu, hosts[host].vendor,
					out));
}

static void check_pairs(int host, const struct vm_topology *t)
{
	static struct seen seen[TEST_MAX_CPUS];
	unsigned int a, b;

	for (a = 0; a < vm_topology_cpus(t); a++) {
		struct topology_cpu x = topology_cpu_get(t, a);
		struct cpuid_table table;

		build(host, t, a, &table);
		seen[a] = hosts[host].vendor == CPUID_VENDOR_AMD ?
				  parse_amd(&table) :
				  parse_intel(&table);
		ck_assert_msg(!seen[a].bad, "%s: cpu %u", hosts[host].name, a);
		ck_assert_uint_eq(x.apic_id, seen[a].apic_id);
		ck_assert_uint_eq(x.apic_id & 0xff,
				  cpuid(&table, 1, 0).ebx >> 24);
		for (b = 0; b <= a; b++) {
			struct topology_cpu y = topology_cpu_get(t, b);
			bool same_llc = x.llc == y.llc;
			bool same_core = same_llc && x.core == y.core;

			ck_assert_int_eq(x.package == y.package,
					 seen[a].package == seen[b].package);
			ck_assert_int_eq(same_llc, seen[a].llc == seen[b].llc);
			ck_assert_int_eq(same_core,
					 seen[a].core == seen[b].core);
			ck_assert_int_eq(same_core, seen[a].l2 == seen[b].l2);
		}
	}
}

START_TEST(the_kernel_sees_the_topology_asked_for_on_every_host)
{
	size_t i;

	for (i = 0; i < TEST_TOPOLOGIES; i++)
		check_pairs(_i, &test_topologies[i]);
}
END_TEST

START_TEST(logical_processor_count_and_htt_fit_the_package)
{
	static const struct {
		struct vm_topology t;
		uint32_t count;
		bool htt;
	} cases[] = {
		{ { 0, 1, 1, 1, 1 }, 1, false },
		{ { 0, 2, 2, 1, 1 }, 1, false },
		{ { 0, 1, 3, 3, 1 }, 16, true },
		{ { 0, 1, 14, 9, 2 }, 255, true },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cpuid_table t;
		struct kvm_cpuid_entry2 e;

		build(_i, &cases[i].t, 0, &t);
		e = cpuid(&t, 1, 0);
		ck_assert_uint_eq(cases[i].count, e.ebx >> 16 & 0xff);
		ck_assert_int_eq(cases[i].htt, e.edx >> 28 & 1);
	}
}
END_TEST

/* A cache's ways, sets and line give its size: user space multiplies. */
START_TEST(cache_sizes_are_those_of_the_legacy_leaves)
{
	uint32_t leaf = hosts[_i].vendor == CPUID_VENDOR_AMD ? 0x8000001d : 4;
	static const uint32_t kib[] = { 32, 32, 512, 16384 };
	const struct vm_topology t = { 0, 1, 2, 2, 2 };
	struct cpuid_table table;
	uint32_t i;

	build(_i, &t, 3, &table);
	for (i = 0; i < 4; i++) {
		struct kvm_cpuid_entry2 e = cpuid(&table, leaf, i);

		ck_assert_uint_eq(kib[i] * 1024,
				  ((e.ebx >> 22) + 1) * ((e.ebx & 0xfff) + 1) *
					  (e.ecx + 1));
	}
	ck_assert_uint_eq(0, cpuid(&table, leaf, 4).eax & 0x1f);
	if (leaf == 4)
		return;
	ck_assert_uint_eq(512, cpuid(&table, 0x80000006, 0).ecx >> 16);
	ck_assert_uint_eq(32, cpuid(&table, 0x80000006, 0).edx >> 18);
}
END_TEST

START_TEST(clock_deadline_timer_and_hypervisor_are_there)
{
	const struct vm_topology t = { 0, 1, 1, 1, 1 };
	struct cpuid_table table;
	uint32_t kvm;

	build(_i, &t, 0, &table);
	ck_assert_uint_eq(1u << 31 | 1 << 24,
			  cpuid(&table, 1, 0).ecx & (1u << 31 | 1 << 24));
	ck_assert_uint_eq(0x4b4d564b, cpuid(&table, 0x40000000, 0).ebx);
	kvm = cpuid(&table, 0x40000001, 0).eax;
	/* both kvm-clocks, stable, steal time */
	ck_assert_uint_eq(0x1000029, kvm & 0x1000029);
	/* async page faults, PV unhalt, TLB flush, poll control, yield */
	ck_assert_uint_eq(0, kvm & (1 << 4 | 1 << 7 | 1 << 9 | 1 << 10 |
				    1 << 12 | 1 << 13 | 1 << 14));
	ck_assert_uint_eq(0, cpuid(&table, 0x40000001, 0).edx);
}
END_TEST

START_TEST(no_counters_no_nesting_no_hybrid)
{
	const struct vm_topology t = { 0, 1, 2, 2, 2 };
	struct kvm_cpuid_entry2 e;
	struct cpuid_table table;

	build(_i, &t, 1, &table);
	ck_assert_uint_eq(0, cpuid(&table, 0xa, 0).eax);
	ck_assert_uint_eq(0, cpuid(&table, 0x1a, 0).eax);
	ck_assert_uint_eq(0, cpuid(&table, 0x80000022, 0).eax);
	ck_assert_uint_eq(0, cpuid(&table, 7, 0).edx & 1 << 15);
	e = cpuid(&table, 1, 0);
	ck_assert_uint_eq(0, e.ecx & (1 << 3 | 1 << 5 | 1 << 15));
	ck_assert_uint_eq(0, e.edx & 1 << 21);
	e = cpuid(&table, 0x80000001, 0);
	if (hosts[_i].vendor == CPUID_VENDOR_AMD)
		ck_assert_uint_eq(0, e.ecx & (1 << 2 | 1 << 23 | 1 << 24));
}
END_TEST

START_TEST(an_amd_family_with_fitting_rules_is_kept)
{
	static const struct {
		uint32_t host, guest;
	} cases[] = {
		{ 0x00000663, 0x00a00f11 }, /* an emulator's family 6 */
		{ 0x00600f20, 0x00a00f11 }, /* family 0x15 */
		{ 0x00800f12, 0x00a00f11 }, /* Zen 1 */
		{ 0x00810f10, 0x00a00f11 }, /* family 0x17 model 0x11 */
		{ 0x00830f10, 0x00830f10 }, /* Zen 2 */
		{ 0x00a20f12, 0x00a20f12 }, /* Zen 3 */
		{ 0x00b00f21, 0x00b00f21 }, /* Zen 5 */
	};
	const struct vm_topology t = { 0, 1, 1, 1, 1 };
	struct cpuid_table in, out;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		host_get(2, &in);
		in.entries[1].eax = cases[i].host;
		ck_assert_int_eq(0, cpuid_build(&in.head, &t, 0,
						CPUID_VENDOR_AMD, &out));
		ck_assert_uint_eq(cases[i].guest, cpuid(&out, 1, 0).eax);
	}
}
END_TEST

START_TEST(a_table_that_does_not_fit_is_refused)
{
	const struct vm_topology t = { 0, 1, 1, 1, 1 };
	struct cpuid_table in, out;
	size_t i;

	host_get(0, &in);
	for (i = in.head.nent; i < CPUID_MAX_ENTRIES; i++)
		in.entries[i] = (struct kvm_cpuid_entry2){ .function = 0x30 };
	in.head.nent = CPUID_MAX_ENTRIES;
	ck_assert_int_eq(-E2BIG, cpuid_build(&in.head, &t, 0,
					     CPUID_VENDOR_INTEL, &out));
}
END_TEST

START_TEST(other_vendors_are_named_as_such)
{
	struct cpuid_table in;

	host_get(2, &in);
	in.entries[0].ebx ^= 1;
	ck_assert_int_eq(CPUID_VENDOR_OTHER, cpuid_vendor_of(&in.head));
	in.head.nent = 0;
	ck_assert_int_eq(CPUID_VENDOR_OTHER, cpuid_vendor_of(&in.head));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpuid");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	tcase_add_loop_test(
		t, the_kernel_sees_the_topology_asked_for_on_every_host, 0,
		ARRAY_SIZE(hosts));
	tcase_add_loop_test(t, logical_processor_count_and_htt_fit_the_package,
			    0, ARRAY_SIZE(hosts));
	tcase_add_loop_test(t, cache_sizes_are_those_of_the_legacy_leaves, 0,
			    ARRAY_SIZE(hosts));
	tcase_add_loop_test(t, clock_deadline_timer_and_hypervisor_are_there,
			    0, ARRAY_SIZE(hosts));
	tcase_add_loop_test(t, no_counters_no_nesting_no_hybrid, 0,
			    ARRAY_SIZE(hosts));
	tcase_add_test(t, an_amd_family_with_fitting_rules_is_kept);
	tcase_add_test(t, a_table_that_does_not_fit_is_refused);
	tcase_add_test(t, other_vendors_are_named_as_such);
	return test_run(s);
}
