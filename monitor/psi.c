// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/psi.h"

#include "monitor/btf_json.h"
#include "monitor/monitor_priv.h"

#include <bpf/btf.h>

#include <string.h>

#define MAX_STATES 16
#define MAX_CPU_BYTES 1024	/* of struct psi_group_cpu */
#define READ_TRIES 4
#define OWNER_FLAGS 7ull	/* of a mutex's owner: a task is aligned */

static const struct {
	const char *name, *state;
} numbers[PSI_NUMBERS] = {
	[PSI_CPU_SOME] = { "cpu_some_ns", "PSI_CPU_SOME" },
	[PSI_IO_SOME] = { "io_some_ns", "PSI_IO_SOME" },
	[PSI_IO_FULL] = { "io_full_ns", "PSI_IO_FULL" },
	[PSI_MEMORY_SOME] = { "memory_some_ns", "PSI_MEM_SOME" },
	[PSI_MEMORY_FULL] = { "memory_full_ns", "PSI_MEM_FULL" },
};

/* What the CPUs have that is in no total yet. */
struct pending {
	unsigned __int128 stalled[MAX_STATES];	/* ns x weight */
	uint64_t weight;			/* ns not idle */
};

/* The value of an enumerator, or -1. */
static int enum_value(const struct btf *btf, const char *enum_name,
		      const char *name)
{
	int id = btf__find_by_name_kind(btf, enum_name, BTF_KIND_ENUM);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);
	const struct btf_enum *e = t ? btf_enum(t) : NULL;
	unsigned int i;

	for (i = 0; t && i < btf_vlen(t); i++) {
		const char *n = btf__name_by_offset(btf, e[i].name_off);

		if (n && !strcmp(n, name))
			return e[i].val;
	}
	return -1;
}

/* The BTF is the guest's, and may say anything. */
static bool within_cpu(const struct monitor *mon, enum kfield_id id,
		       size_t bytes)
{
	const struct kfield *f = &mon->kbtf.fields[id];
	size_t room = mon->kbtf.fields[KF_PSI_CPU].size;

	return f->present && f->size >= bytes && f->off <= room &&
	       f->size <= room - f->off;
}

static bool layout_fits(const struct monitor *mon, unsigned int nr,
			unsigned int avgs)
{
	const struct kfield *f = mon->kbtf.fields;

	return kbtf_has(&mon->kbtf, KF_PSI_LOCK) &&
	       kbtf_has(&mon->kbtf, KF_PSI_PCPU) &&
	       kbtf_has(&mon->kbtf, KF_PSI_CPU) &&
	       f[KF_PSI_CPU].size <= MAX_CPU_BYTES &&
	       within_cpu(mon, KF_PSI_CPU_MASK, 4) &&
	       within_cpu(mon, KF_PSI_CPU_START, 8) &&
	       within_cpu(mon, KF_PSI_CPU_TIMES, nr * 4) &&
	       within_cpu(mon, KF_PSI_CPU_PREV, (avgs + 1) * nr * 4) &&
	       kbtf_has(&mon->kbtf, KF_PSI_TOTAL) &&
	       f[KF_PSI_TOTAL].size >= (avgs + 1) * (nr - 1) * 8;
}

void psi_layout_init(struct monitor *mon)
{
	const struct btf *btf = mon->kbtf.btf;
	int nr = enum_value(btf, "psi_states", "NR_PSI_STATES");
	int idle = enum_value(btf, "psi_states", "PSI_NONIDLE");
	int avgs = enum_value(btf, "psi_aggregators", "PSI_AVGS");
	struct psi_layout *l = &mon->psi;
	unsigned int i;

	if (nr < 2 || nr > MAX_STATES || idle != nr - 1 || avgs < 0 ||
	    avgs > 8 || !layout_fits(mon, nr, avgs))
		return;
	for (i = 0; i < PSI_NUMBERS; i++) {
		l->state[i] = enum_value(btf, "psi_states", numbers[i].state);
		if (l->state[i] >= idle)
			l->state[i] = -1;
	}
	l->nr_states = nr;
	l->avgs = avgs;
}

static int read_field(struct monitor *mon, uint64_t base, enum kfield_id id,
		      uint64_t *v)
{
	return kbtf_read_ptr(&mon->kbtf, &mon->kmem, base, id, v);
}

static bool psi_is_on(struct monitor *mon)
{
	uint64_t off_key = mon->info.sym[MON_SYM_PSI_DISABLED], off;

	return mon->info.sym[MON_SYM_PSI_SYSTEM] && off_key &&
	       mon->info.sym[MON_SYM_RUNQUEUES] && mon->nr_possible &&
	       !read_field(mon, off_key, KF_STATIC_KEY_ENABLED, &off) && !off;
}

/* A CPU's clock stands still while it idles; the newest is about now. */
static bool newest_clock(struct monitor *mon, uint64_t *now)
{
	unsigned int cpu;
	uint64_t clock;

	*now = 0;
	for (cpu = 0; cpu < mon->info.nr_cpus; cpu++) {
		if (read_field(mon, mon->info.sym[MON_SYM_RUNQUEUES] +
			       mon->percpu_off[cpu], KF_RQ_CLOCK, &clock))
			return false;
		if (clock > *now)
			*now = clock;
	}
	return true;
}

static uint32_t u32_at(const struct monitor *mon, const uint8_t *cpu,
		       enum kfield_id id, size_t index)
{
	uint32_t v;

	memcpy(&v, cpu + mon->kbtf.fields[id].off + index * sizeof(v),
	       sizeof(v));
	return v;
}

/* False: it could not be read, or changed each time. */
static bool add_cpu(struct monitor *mon, uint64_t kva, uint64_t now,
		    struct pending *p)
{
	const struct kfield *f = mon->kbtf.fields;
	uint8_t cpu[MAX_CPU_BYTES], again[MAX_CPU_BYTES];
	unsigned int nr = mon->psi.nr_states, s;
	uint32_t ns[MAX_STATES], mask;
	uint64_t start;
	bool stable;

	if (kmem_read_stable(&mon->kmem, kva, cpu, again, f[KF_PSI_CPU].size,
			     &stable) || !stable)
		return false;
	mask = u32_at(mon, cpu, KF_PSI_CPU_MASK, 0);
	memcpy(&start, cpu + f[KF_PSI_CPU_START].off, sizeof(start));
	for (s = 0; s < nr; s++) {
		/* 32 bits, and meant to go round. */
		ns[s] = u32_at(mon, cpu, KF_PSI_CPU_TIMES, s) -
			u32_at(mon, cpu, KF_PSI_CPU_PREV,
			       mon->psi.avgs * nr + s);
		if (mask >> s & 1 && now > start)
			ns[s] += now - start;
	}
	for (s = 0; s < nr - 1; s++)
		p->stalled[s] += (unsigned __int128)ns[s] * ns[nr - 1];
	p->weight += ns[nr - 1];
	return true;
}

static bool read_totals(struct monitor *mon, uint64_t group,
			uint64_t totals[MAX_STATES])
{
	size_t len = (mon->psi.nr_states - 1) * 8;
	uint64_t owner;

	/* Somebody who holds it may be halfway through the CPUs. */
	return !read_field(mon, group, KF_PSI_LOCK, &owner) &&
	       !(owner & ~OWNER_FLAGS) &&
	       !kmem_read(&mon->kmem, group + mon->psi.avgs * len +
			  mon->kbtf.fields[KF_PSI_TOTAL].off, totals, len);
}

static bool read_group(struct monitor *mon, uint64_t totals[MAX_STATES])
{
	uint64_t group = mon->info.sym[MON_SYM_PSI_SYSTEM], now, pcpu;
	unsigned int nr = mon->psi.nr_states, cpu, s;
	uint64_t after[MAX_STATES];
	struct pending p = { 0 };

	if (!read_totals(mon, group, totals) || !newest_clock(mon, &now) ||
	    read_field(mon, group, KF_PSI_PCPU, &pcpu))
		return false;
	for (cpu = 0; cpu < mon->nr_possible; cpu++)
		if (!add_cpu(mon, pcpu + mon->percpu_off[cpu], now, &p))
			return false;
	if (!read_totals(mon, group, after) ||
	    memcmp(totals, after, (nr - 1) * sizeof(after[0])))
		return false;
	for (s = 0; p.weight && s < nr - 1; s++)
		totals[s] += p.stalled[s] / p.weight;
	return true;
}

json_t *psi_json(struct monitor *mon)
{
	uint64_t totals[MAX_STATES];
	unsigned int i, try;
	json_t *psi;

	if (!mon->psi.nr_states || !psi_is_on(mon))
		return json_null();
	for (try = 0; !read_group(mon, totals); try++)
		if (try == READ_TRIES)
			return json_null();
	psi = json_object();
	for (i = 0; i < PSI_NUMBERS; i++)
		json_object_set_new(psi, numbers[i].name,
				    mon->psi.state[i] < 0 ? json_null() :
				    json_from_uint64(
					    totals[mon->psi.state[i]]));
	return psi;
}
