// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/cpuid.h"

#include <errno.h>
#include <string.h>

#include <linux/kvm_para.h>

#include "vmm/topology.h"

#define BIT(n) (1U << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* What an adjuster may look at. */
struct cpuid_ctx {
	const struct vm_topology *topology;
	enum cpuid_vendor vendor;
	struct topology_shifts shifts;
	struct topology_cpu where;
	unsigned int threads_per_package;
	unsigned int cores_per_package;
	uint32_t max_basic;
};

/*
 * Caches of every vCPU. The sizes are ours, so that user space that tunes
 * itself by them behaves the same on every host; who shares them is asked for.
 */
static const struct cache {
	unsigned int type; /* 1 data, 2 instruction, 3 unified */
	unsigned int level;
	unsigned int kib;
	unsigned int ways;
	bool per_llc; /* else per core */
} caches[] = {
	{ 1, 1, 32, 8, false },
	{ 2, 1, 32, 8, false },
	{ 3, 2, 512, 8, false },
	{ 3, 3, 16384, 16, true },
};
#define CACHE_LINE 64

enum cpuid_vendor cpuid_vendor_of(const struct kvm_cpuid2 *supported)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(supported, 0, 0);
	char name[12];

	if (!e)
		return CPUID_VENDOR_OTHER;
	memcpy(name, &e->ebx, 4);
	memcpy(name + 4, &e->edx, 4);
	memcpy(name + 8, &e->ecx, 4);
	if (!memcmp(name, "GenuineIntel", 12))
		return CPUID_VENDOR_INTEL;
	if (!memcmp(name, "AuthenticAMD", 12))
		return CPUID_VENDOR_AMD;
	return CPUID_VENDOR_OTHER;
}

const struct kvm_cpuid_entry2 *cpuid_find(const struct kvm_cpuid2 *c,
					  uint32_t leaf, uint32_t subleaf)
{
	unsigned int i;

	for (i = 0; i < c->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function != leaf)
			continue;
		if (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) ||
		    e->index == subleaf)
			return e;
	}
	return NULL;
}

static void leaf_0(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	e->eax = x->max_basic;
}

/*
 * AMD: the kernel knows where the LLC is from leaf 0x8000001D only from family
 * 0x17 model 0x20 on; before, it takes the node or APIC id >> 3. An emulator's
 * family 6 would even be a K7. So an older one is shown as family 0x19, Zen 3.
 */
static uint32_t amd_signature(uint32_t eax)
{
	uint32_t family = eax >> 8 & 0xf;
	uint32_t model = (eax >> 4 & 0xf) | (eax >> 12 & 0xf0);

	if (family == 0xf)
		family += eax >> 20 & 0xff;
	if (family > 0x17 || (family == 0x17 && model > 0x1f))
		return eax;
	return 0x00a00f11; /* family 0x19 model 1 stepping 1 */
}

static void leaf_1(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	uint32_t ids = x->shifts.package >= 8 ? 255 : BIT(x->shifts.package);

	if (x->vendor == CPUID_VENDOR_AMD)
		e->eax = amd_signature(e->eax);
	e->ebx &= 0x0000ffff;
	e->ebx |= (x->where.apic_id & 0xff) << 24;
	if (x->threads_per_package > 1) {
		e->ebx |= ids << 16;
		e->edx |= BIT(28); /* HTT */
	} else {
		e->ebx |= 1 << 16;
		e->edx &= ~BIT(28);
	}
	/* DTES64, MONITOR, DS_CPL, VMX, EST, TM2, PDCM: not ours to give */
	e->ecx &= ~(BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(7) | BIT(8) |
		    BIT(15));
	/* TSC deadline: KVM has it with its in-kernel LAPIC but never says so */
	e->ecx |= BIT(24) | BIT(31);
	e->edx &= ~BIT(21); /* DS */
}

static void leaf_6(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	e->eax &= BIT(2); /* ARAT: the LAPIC timer never stops */
	e->ebx = 0;
	e->ecx = 0;
	e->edx = 0;
}

static void leaf_7(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	if (e->index == 0)
		e->edx &= ~BIT(15); /* hybrid: all our CPUs are alike */
}

/*
 * Paravirtual features change how a kernel schedules, so each is a choice:
 * - clock: the only clock a kernel without PIT can calibrate by
 * - steal time: lets the guest account what the host took; it also lets the
 *   scheduler see that a vCPU is preempted
 * - PV EOI, PV IPI: fewer exits, same meaning
 * Not given: PV spinlocks (PV_UNHALT), PV TLB flush and PV sched_yield skip or
 * yield by the host's state; async page faults switch tasks on host paging;
 * host-side halt polling control; MSI and memory-encryption extensions.
 */
#define PV_FEATURES                                                         \
	(BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |     \
	 BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_STEAL_TIME) |      \
	 BIT(KVM_FEATURE_PV_EOI) | BIT(KVM_FEATURE_PV_SEND_IPI) |           \
	 BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT))

static void leaf_kvm_features(const struct cpuid_ctx *x,
			      struct kvm_cpuid_entry2 *e)
{
	e->eax &= PV_FEATURES;
	e->edx = 0; /* realtime hint: would turn off steal-time logic */
}

static void leaf_ext_0(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	if (x->vendor == CPUID_VENDOR_AMD && e->eax < 0x8000001e)
		e->eax = 0x8000001e;
}

static void leaf_ext_1(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	if (x->vendor != CPUID_VENDOR_AMD)
		return;
	e->eax = amd_signature(e->eax);
	/* SVM, IBS, SKINIT, WDT, four kinds of counters, MWAITX */
	e->ecx &= ~(BIT(2) | BIT(10) | BIT(12) | BIT(13) | BIT(23) | BIT(24) |
		    BIT(27) | BIT(28) | BIT(29));
	e->ecx |= BIT(22); /* TOPOEXT: leaves 0x8000001D and E are valid */
	e->ecx &= ~BIT(1);
	if (x->threads_per_package > 1)
		e->ecx |= BIT(1); /* CMP_LEGACY */
}

static void leaf_ext_5(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	if (x->vendor != CPUID_VENDOR_AMD)
		return;
	e->ecx = caches[0].kib << 24 | caches[0].ways << 16 | 1 << 8 |
		 CACHE_LINE;
	e->edx = caches[1].kib << 24 | caches[1].ways << 16 | 1 << 8 |
		 CACHE_LINE;
}

/* The associativity code of leaf 0x80000006. */
static uint32_t ways_code(unsigned int ways)
{
	return ways == 16 ? 8 : 6; /* 8 ways */
}

static void leaf_ext_6(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	e->ecx = caches[2].kib << 16 | ways_code(caches[2].ways) << 12 |
		 1 << 8 | CACHE_LINE;
	e->edx = 0;
	if (x->vendor == CPUID_VENDOR_AMD) /* nonzero: there is an L3 */
		e->edx = caches[3].kib / 512 << 18 |
			 ways_code(caches[3].ways) << 12 | 1 << 8 | CACHE_LINE;
}

static void leaf_ext_7(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	e->eax = 0;
	e->ebx = 0;
	e->ecx = 0;
	e->edx &= BIT(8); /* invariant TSC */
}

static void leaf_ext_8(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	e->ecx = 0;
	e->edx = 0; /* INVLPGB count, RDPRU */
	e->ebx &= ~BIT(4); /* RDPRU */
	if (x->vendor == CPUID_VENDOR_AMD)
		e->ecx = x->shifts.package << 12 |
			 (x->threads_per_package - 1);
}

/*
 * One node per package here: more would split the package's mask, and NUMA
 * comes from the SRAT.
 */
static void leaf_ext_1e(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	unsigned int core = x->where.llc_in_package *
			    x->topology->cores_per_llc + x->where.core;

	e->eax = x->where.apic_id;
	e->ebx = (x->topology->threads_per_core - 1) << 8 | (core & 0xff);
	e->ecx = x->where.package & 0xff;
	e->edx = 0;
}

/* Leaves that are taken from KVM and changed. */
static const struct {
	uint32_t leaf;
	void (*adjust)(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e);
} adjusted[] = {
	{ 0x0, leaf_0 },
	{ 0x1, leaf_1 },
	{ 0x6, leaf_6 },
	{ 0x7, leaf_7 },
	{ KVM_CPUID_FEATURES, leaf_kvm_features },
	{ 0x80000000, leaf_ext_0 },
	{ 0x80000001, leaf_ext_1 },
	{ 0x80000005, leaf_ext_5 },
	{ 0x80000006, leaf_ext_6 },
	{ 0x80000007, leaf_ext_7 },
	{ 0x80000008, leaf_ext_8 },
};

/*
 * Leaves never taken from KVM: an absent one reads as zero. Those that name
 * the topology are made anew below.
 */
static const uint32_t dropped[] = {
	0x4,	    /* caches, Intel */
	0xa,	    /* performance counters */
	0xb,	    /* topology */
	0x14,	    /* processor trace */
	0x1a,	    /* hybrid */
	0x1c,	    /* last branch records */
	0x1f,	    /* topology, version 2 */
	0x8000000a, /* SVM */
	0x8000001b, /* IBS */
	0x8000001d, /* caches, AMD */
	0x8000001e, /* topology, AMD */
	0x8000001f, /* memory encryption */
	0x80000022, /* performance counters, AMD */
	0x80000026, /* topology, AMD version 2: read before 0xB */
};

static bool is_dropped(uint32_t leaf)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dropped); i++)
		if (dropped[i] == leaf)
			return true;
	return false;
}

static void adjust(const struct cpuid_ctx *x, struct kvm_cpuid_entry2 *e)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(adjusted); i++)
		if (adjusted[i].leaf == e->function)
			adjusted[i].adjust(x, e);
}

static int append(struct cpuid_table *t, const struct kvm_cpuid_entry2 *e)
{
	if (t->head.nent >= CPUID_MAX_ENTRIES)
		return -E2BIG;
	t->entries[t->head.nent++] = *e;
	return 0;
}

static int append_sub(struct cpuid_table *t, struct kvm_cpuid_entry2 e)
{
	e.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	return append(t, &e);
}

/* Leaves 0xB and 0x1F: the levels thread and core; what is above is package. */
static int append_levels(const struct cpuid_ctx *x, uint32_t leaf,
			 struct cpuid_table *t)
{
	const struct {
		uint32_t type, shift, cpus;
	} levels[] = {
		{ 1, x->shifts.core, x->topology->threads_per_core },
		{ 2, x->shifts.package, x->threads_per_package },
		{ 0, 0, 0 }, /* ends the list */
	};
	uint32_t i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(levels) && !err; i++)
		err = append_sub(t, (struct kvm_cpuid_entry2){
			.function = leaf,
			.index = i,
			.eax = levels[i].shift,
			.ebx = levels[i].cpus,
			.ecx = levels[i].type << 8 | i,
			.edx = x->where.apic_id, /* of every subleaf */
		});
	return err;
}

static int append_caches(const struct cpuid_ctx *x, struct cpuid_table *t)
{
	bool intel = x->vendor == CPUID_VENDOR_INTEL;
	uint32_t leaf = intel ? 0x4 : 0x8000001d;
	unsigned int cores = x->cores_per_package;
	uint32_t i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(caches) && !err; i++) {
		const struct cache *c = &caches[i];
		uint32_t ids = BIT(c->per_llc ? x->shifts.llc : x->shifts.core);
		struct kvm_cpuid_entry2 e = {
			.function = leaf,
			.index = i,
			.eax = (ids - 1) << 14 | BIT(8) | c->level << 5 |
			       c->type,
			.ebx = (c->ways - 1) << 22 | (CACHE_LINE - 1),
			.ecx = c->kib * 1024 / c->ways / CACHE_LINE - 1,
		};

		if (intel)
			e.eax |= (cores > 64 ? 63 : cores - 1) << 26;
		err = append_sub(t, e);
	}
	if (!err) /* type 0 ends the list */
		err = append_sub(t, (struct kvm_cpuid_entry2){
			.function = leaf,
			.index = i,
		});
	return err;
}

static int append_made(const struct cpuid_ctx *x, struct cpuid_table *t)
{
	struct kvm_cpuid_entry2 e = { .function = 0x8000001e };
	int err;

	err = append_caches(x, t);
	if (!err)
		err = append_levels(x, 0xb, t);
	if (!err && x->max_basic >= 0x1f)
		err = append_levels(x, 0x1f, t);
	if (!err && x->vendor == CPUID_VENDOR_AMD) {
		leaf_ext_1e(x, &e);
		err = append(t, &e);
	}
	return err;
}

static struct cpuid_ctx ctx_make(const struct kvm_cpuid2 *supported,
				 const struct vm_topology *t, unsigned int cpu,
				 enum cpuid_vendor vendor)
{
	const struct kvm_cpuid_entry2 *zero = cpuid_find(supported, 0, 0);
	unsigned int packages = topology_packages(t);
	struct cpuid_ctx x = {
		.topology = t,
		.vendor = vendor,
		.shifts = topology_shifts_get(t),
		.where = topology_cpu_get(t, cpu),
		.threads_per_package = vm_topology_cpus(t) / packages,
		.cores_per_package = t->llcs / packages * t->cores_per_llc,
		.max_basic = zero && zero->eax > 0xb ? zero->eax : 0xb,
	};

	return x;
}

int cpuid_build(const struct kvm_cpuid2 *supported,
		const struct vm_topology *topology, unsigned int cpu,
		enum cpuid_vendor vendor, struct cpuid_table *out)
{
	struct cpuid_ctx x = ctx_make(supported, topology, cpu, vendor);
	unsigned int i;
	int err = 0;

	out->head = (struct kvm_cpuid2){ 0 };
	for (i = 0; i < supported->nent && !err; i++) {
		struct kvm_cpuid_entry2 e = supported->entries[i];

		if (is_dropped(e.function))
			continue;
		adjust(&x, &e);
		err = append(out, &e);
	}
	if (!err)
		err = append_made(&x, out);
	return err;
}
