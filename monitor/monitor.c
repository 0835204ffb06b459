// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/monitor.h"

#include "monitor/array_numbers.h"
#include "monitor/btf_json.h"
#include "monitor/hash_numbers.h"
#include "monitor/locate.h"
#include "monitor/details.h"
#include "monitor/map.h"
#include "monitor/map_json.h"
#include "monitor/monitor_priv.h"
#include "monitor/sched.h"
#include "monitor/sched_details.h"
#include "monitor/storage.h"
#include "monitor/struct_ops.h"

#include <bpf/btf.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORK_PER_READING (1u << 20)	/* JSON values, roughly */

const char *const mon_symbol_names[MON_SYM_NR] = {
	[MON_SYM_LINUX_BANNER] = "linux_banner",
	[MON_SYM_INIT_TOP_PGT] = "init_top_pgt",
	[MON_SYM_PHYS_BASE] = "phys_base",
	[MON_SYM_PER_CPU_OFFSET] = "__per_cpu_offset",
	[MON_SYM_RUNQUEUES] = "runqueues",
	[MON_SYM_MAP_IDR] = "map_idr",
	[MON_SYM_SCX_ROOT] = "scx_root",
	[MON_SYM_SCX_ENABLE_STATE_VAR] = "scx_enable_state_var",
	[MON_SYM_INIT_TASK] = "init_task",
	[MON_SYM_NR_CPU_IDS] = "nr_cpu_ids",
	[MON_SYM_VMEMMAP_BASE] = "vmemmap_base",
	[MON_SYM_JIFFIES] = "jiffies_64",
	[MON_SYM_NR_NODE_IDS] = "nr_node_ids",
	[MON_SYM_BPF_STATS_KEY] = "bpf_stats_enabled_key",
	[MON_SYM_PSI_SYSTEM] = "psi_system",
	[MON_SYM_PSI_DISABLED] = "psi_disabled",
	[MON_SYM_SCX_OPS] = "scx_ops",
	[MON_SYM_SCX_OPS_ENABLE_STATE_VAR] = "scx_ops_enable_state_var",
	[MON_SYM_SCX_EXIT_KIND] = "scx_exit_kind",
	[MON_SYM_SCX_EXIT_INFO] = "scx_exit_info",
	[MON_SYM_DSQ_HASH] = "dsq_hash",
};

__attribute__((format(printf, 4, 5)))
static int fail(int err, char *msg, size_t len, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(msg, len, fmt, args);
	va_end(args);
	return err;
}

/*
 * Per-CPU data is summed over the CPUs that can ever be, as the kernel does
 * it; run queues are read of those that the guest says are there.
 */
static int read_percpu_offsets(struct monitor *mon)
{
	uint64_t offsets = mon->info.sym[MON_SYM_PER_CPU_OFFSET];
	uint64_t nr_ids = mon->info.nr_cpus;

	if (!offsets)
		return 0;
	if (mon->info.sym[MON_SYM_NR_CPU_IDS] &&
	    kmem_read_uint(&mon->kmem, mon->info.sym[MON_SYM_NR_CPU_IDS], 4,
			   &nr_ids))
		return -EFAULT;
	if (nr_ids < mon->info.nr_cpus || nr_ids > MON_MAX_CPUS)
		return -EPROTO;
	if (kmem_read(&mon->kmem, offsets, mon->percpu_off,
		      nr_ids * sizeof(mon->percpu_off[0])))
		return -EFAULT;
	mon->nr_possible = nr_ids;
	return 0;
}

/* CPU 0 idles in init_task: proof that BTF, symbols and memory fit. */
static bool boot_cpu_fits(struct monitor *mon)
{
	uint64_t init_task = mon->info.sym[MON_SYM_INIT_TASK], idle;

	if (!init_task || !mon->info.sym[MON_SYM_RUNQUEUES] ||
	    !mon->nr_possible || !kbtf_has(&mon->kbtf, KF_RQ_IDLE))
		return true;
	return !kbtf_read_ptr(&mon->kbtf, &mon->kmem,
			      mon->info.sym[MON_SYM_RUNQUEUES] +
			      mon->percpu_off[0], KF_RQ_IDLE, &idle) &&
	       idle == init_task;
}

static int open_guest(struct monitor *mon, const void *btf, size_t btf_len,
		      char *msg, size_t len)
{
	int err;

	if (!mon->info.nr_cpus || mon->info.nr_cpus > MON_MAX_CPUS)
		return fail(-EINVAL, msg, len, "%u CPUs, at most %u are read",
			    mon->info.nr_cpus, MON_MAX_CPUS);

	err = kbtf_init(&mon->kbtf, btf, btf_len);
	if (err)
		return fail(err, msg, len,
			    "the kernel's BTF (%zu bytes) does not parse",
			    btf_len);
	scx_layout_init(mon);
	psi_layout_init(mon);

	err = locate_kernel(&mon->kmem, &mon->mem, &mon->info,
			    &mon->phys_base);
	if (err == -ENOENT)
		return fail(err, msg, len,
			    "linux_banner or init_top_pgt was not told");
	if (err)
		return fail(err, msg, len,
			    "no kernel in memory has linux_banner at %#" PRIx64,
			    mon->info.sym[MON_SYM_LINUX_BANNER]);

	if (read_percpu_offsets(mon))
		return fail(-EPROTO, msg, len,
			    "__per_cpu_offset or nr_cpu_ids reads wrong");
	if (!boot_cpu_fits(mon))
		return fail(-EPROTO, msg, len,
			    "CPU 0 does not idle in init_task: other BTF?");
	return 0;
}

int mon_open(const struct guest_mem *mem, const struct mon_guest_info *info,
	     const void *btf, size_t btf_len, struct monitor **out,
	     char *err_msg, size_t err_len)
{
	struct monitor *mon = calloc(1, sizeof(*mon));
	int err;

	if (!mon)
		return fail(-ENOMEM, err_msg, err_len, "out of memory");
	mon->mem = *mem;
	mon->info = *info;
	err = open_guest(mon, btf, btf_len, err_msg, err_len);
	if (err) {
		mon_close(mon);
		return err;
	}
	*out = mon;
	return 0;
}

void mon_close(struct monitor *mon)
{
	unsigned int i;

	if (!mon)
		return;
	for (i = 0; i < mon->nr_maps; i++)
		map_free(mon->maps[i]);
	for (i = 0; i < mon->nr_btfs; i++)
		btf__free(mon->btfs[i].btf);
	free(mon->scratch.val);
	free(mon->scratch.again);
	kbtf_fini(&mon->kbtf);
	free(mon);
}

int mon_read(struct monitor *mon, uint64_t kva, void *buf, size_t len)
{
	kmem_flush(&mon->kmem);
	return kmem_read(&mon->kmem, kva, buf, len);
}

int mon_read_sched(struct monitor *mon, struct mon_sched *s)
{
	int err;

	kmem_flush(&mon->kmem);
	err = sched_read_rqs(mon, s);
	if (!err)
		scx_read(mon, s);
	return err;
}

int mon_find_map(struct monitor *mon, uint32_t id, uint64_t *map_kva,
		 char name[16])
{
	const struct kfield *f = &mon->kbtf.fields[KF_MAP_NAME];
	uint64_t kva;
	int err;

	err = map_find(mon, id, &kva);
	if (err)
		return err;
	if (name) {
		if (!f->present || f->size > MAP_NAME_LEN)
			return -ENOTSUP;
		memset(name, 0, MAP_NAME_LEN);
		if (kmem_read(&mon->kmem, kva + f->off, name, f->size))
			return -EFAULT;
		name[MAP_NAME_LEN - 1] = '\0';
	}
	*map_kva = kva;
	return 0;
}

int mon_watch_map(struct monitor *mon, uint32_t id)
{
	struct mon_map *m;
	unsigned int i;
	int err;

	for (i = 0; i < mon->nr_maps; i++) {
		if (mon->maps[i]->id == id)
			return 0;
	}
	if (mon->nr_maps == MON_MAX_MAPS)
		return -ENOSPC;
	err = map_open(mon, id, &m);
	if (!err)
		mon->maps[mon->nr_maps++] = m;
	return err;
}

void mon_set_due(struct monitor *mon, uint32_t id, bool due)
{
	unsigned int i;

	for (i = 0; i < mon->nr_maps; i++)
		if (mon->maps[i]->id == id)
			mon->maps[i]->not_due = !due;
}

json_t *mon_read_maps(struct monitor *mon, unsigned int max_entries)
{
	unsigned int work = MAX_WORK_PER_READING;
	json_t *all = json_object();
	unsigned int i;

	for (i = 0; all && i < mon->nr_maps; i++) {
		const struct mon_map *m = mon->maps[i];
		json_t *label = json_from_text(m->label, sizeof(m->label));
		json_t *map = label ? map_json(mon, m, max_entries, &work) :
			      NULL;

		if (!map || json_object_set_new(all, json_string_value(label),
						map)) {
			json_decref(all);
			all = NULL;
		}
		json_decref(label);
	}
	return all;
}

/*
 * True when all of it was read of the map that is being watched: it still is
 * one afterwards. Of what is followed from element to element it is asked
 * before as well, lest each look follows what a map that is gone left behind.
 */
static bool read_numbers(struct monitor *mon, struct mon_map *m)
{
	bool still;

	if (m->not_due || (!m->numbers.nr && !m->hash))
		return false;
	if (!map_is_array(m) && map_still(mon, m))
		return false;
	if (m->hash)
		hash_numbers_read(mon, m, m->label);
	else if (m->layout == MAP_STORAGE)
		storage_numbers_read(mon, m);
	else
		array_numbers_read(mon, m);
	still = !map_still(mon, m);
	if (!still)
		array_places_forget(&m->places);
	return still;
}

static int tell_hash(const struct hash_numbers *hn, mon_number_fn fn, void *ctx)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; hn && i < hn->nr && !ret; i++)
		ret = fn(ctx, hn->v[i].name, hn->v[i].val, hn->v[i].unstable);
	return ret;
}

static int tell_array(const struct numbers *ns, mon_number_fn fn, void *ctx)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < ns->nr && !ret; i++)
		if (ns->v[i].read_ok)
			ret = fn(ctx, ns->v[i].name, ns->v[i].val,
				 ns->v[i].unstable);
	return ret;
}

int mon_map_numbers(struct monitor *mon, mon_number_fn fn, void *ctx)
{
	unsigned int i;
	int ret = 0;

	kmem_flush(&mon->kmem);
	for (i = 0; i < mon->nr_maps && !ret; i++) {
		struct mon_map *m = mon->maps[i];

		if (!read_numbers(mon, m))
			continue;
		ret = tell_array(&m->numbers, fn, ctx);
		if (!ret)
			ret = tell_hash(m->hash, fn, ctx);
	}
	return ret;
}

int mon_read_progs(struct monitor *mon, struct mon_prog *progs,
		   unsigned int max)
{
	unsigned int nr = 0, i;

	for (i = 0; i < mon->nr_maps; i++) {
		const struct mon_map *m = mon->maps[i];
		int got;

		if (m->layout != MAP_STRUCT_OPS || map_check(mon, m))
			continue;
		got = struct_ops_progs(mon, m, progs + nr, max - nr);
		if (got > 0 && !map_check(mon, m))
			nr += got;
	}
	return nr;
}

json_t *mon_scx_exit(struct monitor *mon)
{
	kmem_flush(&mon->kmem);
	return exit_json(mon);
}

json_t *mon_details(struct monitor *mon)
{
	kmem_flush(&mon->kmem);
	return details_json(mon);
}

/* The array map and the address of bytes of its entry 0. */
static int array_value_kva(struct monitor *mon, uint32_t map_id, size_t off,
			   size_t len, struct mon_map *m, uint64_t *kva)
{
	int err = map_probe(mon, map_id, m);

	if (err)
		return err;
	if (m->layout != MAP_ARRAY || off > m->value_size ||
	    len > m->value_size - off)
		return -EINVAL;
	*kva = map_array_entry(mon, m, 0).slot_kva + off;
	return 0;
}

int mon_read_array_value(struct monitor *mon, uint32_t map_id, void *buf,
			 size_t off, size_t len)
{
	struct mon_map m;
	uint64_t kva;
	int err;

	err = array_value_kva(mon, map_id, off, len, &m, &kva);
	if (!err)
		err = kmem_read(&mon->kmem, kva, buf, len);
	return err ? err : map_check(mon, &m);
}

int mon_array_value_hva(struct monitor *mon, uint32_t map_id, size_t off,
			size_t len, void **hva)
{
	const struct page_walk *walk = &mon->kmem.walk;
	struct mon_map m;
	uint64_t kva, gpa;
	void *at;
	int err;

	err = array_value_kva(mon, map_id, off, len, &m, &kva);
	if (err)
		return err;
	if (kva % PW_PAGE_SIZE + len > PW_PAGE_SIZE ||
	    page_walk_translate(walk, kva, &gpa))
		return -EFAULT;
	at = guest_mem_hva(walk->mem, gpa, len);
	if (!at)
		return -EFAULT;
	err = map_check(mon, &m);
	if (!err)
		*hva = at;
	return err;
}

void mon_stats_read(const struct monitor *mon, struct mon_stats *st)
{
	*st = (struct mon_stats){
		.reads = mon->kmem.stats.reads,
		.read_bytes = mon->kmem.stats.read_bytes,
		.faults = mon->kmem.stats.faults,
		.walks = mon->kmem.stats.walks,
	};
}
