// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/kbtf.h"

#include "monitor/btf_type.h"

#include <bpf/btf.h>

#include <errno.h>
#include <string.h>

#define MAX_PATHS 2
#define MAX_MEMBER_NAME 64
#define MAX_ANON_DEPTH 8
#define MAX_MEMBERS 65536	/* visited to find one field */

enum kfield_kind {
	/* integer, enum, pointer of 1, 2, 4 or 8 bytes; or wrapped: atomic_t */
	K_WORD,
	K_BYTES,	/* anything with a size */
	K_START,	/* only where it starts counts (flexible arrays) */
};

/*
 * "struct.member.member": members of anonymous structs and unions are found
 * as C finds them. The first path that this kernel has is taken, so the
 * newest release comes first.
 */
static const struct kfield_spec {
	enum kfield_kind kind;
	const char *paths[MAX_PATHS];
} kfield_specs[KF_NR] = {
	[KF_RQ_NR_RUNNING] = { K_WORD, { "rq.nr_running" } },
	[KF_RQ_CLOCK] = { K_WORD, { "rq.clock" } },
	[KF_RQ_CURR] = { K_WORD, { "rq.curr" } },
	[KF_RQ_IDLE] = { K_WORD, { "rq.idle" } },
	[KF_RQ_CPU] = { K_WORD, { "rq.cpu" } },
	[KF_RQ_SCX_NR_RUNNING] = { K_WORD, { "rq.scx.nr_running" } },
	[KF_RQ_SCX_RUNNABLE] = { K_START, { "rq.scx.runnable_list" } },
	[KF_LIST_NEXT] = { K_WORD, { "list_head.next" } },
	[KF_DSQ_ID] = { K_WORD, { "scx_dispatch_q.id" } },
	[KF_DSQ_NR] = { K_WORD, { "scx_dispatch_q.nr" } },
	[KF_TASK_SCX_NODE] = { K_START, { "task_struct.scx.runnable_node" } },
	[KF_TASK_SCX_DSQ] = { K_WORD, { "task_struct.scx.dsq" } },
	[KF_TASK_SCX_FLAGS] = { K_WORD, { "task_struct.scx.flags" } },
	[KF_TASK_STATE] = { K_WORD, { "task_struct.__state" } },
	[KF_TASK_CPU] = { K_WORD, { "task_struct.thread_info.cpu" } },
	[KF_TASK_TASKS] = { K_START, { "task_struct.tasks" } },
	[KF_TASK_RAN] = { K_WORD, { "task_struct.se.sum_exec_runtime" } },
	[KF_RQ_SCX_LOCAL_DSQ_NR] = { K_WORD, { "rq.scx.local_dsq.nr" } },

	[KF_SCX_OPS_NAME] = { K_BYTES, { "scx_sched.ops.name" } },
	[KF_SCX_EXIT_KIND] = { K_WORD, { "scx_sched.exit_kind" } },
	[KF_SCX_BYPASS_DEPTH] = { K_WORD, { "scx_sched.bypass_depth" } },
	/* 6.16 had a per-CPU scx_event_stats of its own */
	[KF_SCX_PCPU] = { K_WORD, { "scx_sched.pcpu",
				    "scx_sched.event_stats_cpu" } },
	[KF_SCX_PCPU_EVENTS] = { K_BYTES, { "scx_sched_pcpu.event_stats",
					    "scx_event_stats" } },

	[KF_OPS_NAME] = { K_BYTES, { "sched_ext_ops.name" } },
	[KF_SCX_EXIT_INFO] = { K_WORD, { "scx_sched.exit_info" } },
	[KF_SCX_DSQ_HASH] = { K_START, { "scx_sched.dsq_hash" } },
	[KF_SCX_PNODE] = { K_WORD, { "scx_sched.pnode" } },
	[KF_PNODE_GLOBAL] = { K_START, { "scx_sched_pnode.global_dsq" } },
	[KF_SCX_GLOBAL_DSQS] = { K_WORD, { "scx_sched.global_dsqs" } },
	[KF_SCX_LEVEL] = { K_WORD, { "scx_sched.level" } },
	[KF_SCX_CGRP_PATH] = { K_WORD, { "scx_sched.cgrp_path" } },
	[KF_SCX_CHILDREN] = { K_START, { "scx_sched.children" } },
	[KF_SCX_SIBLING] = { K_START, { "scx_sched.sibling" } },
	[KF_EXIT_KIND] = { K_WORD, { "scx_exit_info.kind" } },
	[KF_EXIT_CODE] = { K_WORD, { "scx_exit_info.exit_code" } },
	[KF_EXIT_REASON] = { K_WORD, { "scx_exit_info.reason" } },
	[KF_EXIT_MSG] = { K_WORD, { "scx_exit_info.msg" } },
	[KF_EXIT_DUMP] = { K_WORD, { "scx_exit_info.dump" } },
	[KF_DSQ_LIST] = { K_START, { "scx_dispatch_q.list" } },
	[KF_DSQ_HASH_NODE] = { K_START, { "scx_dispatch_q.hash_node" } },
	[KF_TASK_DSQ_NODE] = { K_START, { "task_struct.scx.dsq_list.node" } },
	[KF_TASK_DSQ_FLAGS] = { K_WORD, { "task_struct.scx.dsq_list.flags" } },
	[KF_TASK_RUNNABLE_AT] = { K_WORD, { "task_struct.scx.runnable_at" } },
	[KF_RHT_TBL] = { K_WORD, { "rhashtable.tbl" } },
	[KF_TBL_SIZE] = { K_WORD, { "bucket_table.size" } },
	[KF_TBL_NEST] = { K_WORD, { "bucket_table.nest" } },
	[KF_TBL_BUCKETS] = { K_START, { "bucket_table.buckets" } },
	[KF_RHASH_NEXT] = { K_WORD, { "rhash_head.next" } },

	[KF_RQ_NR_SWITCHES] = { K_WORD, { "rq.nr_switches" } },
	[KF_RQ_RUN_DELAY] = { K_WORD, { "rq.rq_sched_info.run_delay" } },
	[KF_RQ_PCOUNT] = { K_WORD, { "rq.rq_sched_info.pcount" } },
	[KF_RQ_CPU_TIME] = { K_WORD, { "rq.rq_cpu_time" } },
	[KF_RQ_YLD_COUNT] = { K_WORD, { "rq.yld_count" } },
	[KF_RQ_SCHED_COUNT] = { K_WORD, { "rq.sched_count" } },
	[KF_RQ_SCHED_GOIDLE] = { K_WORD, { "rq.sched_goidle" } },
	[KF_RQ_TTWU_COUNT] = { K_WORD, { "rq.ttwu_count" } },
	[KF_RQ_TTWU_LOCAL] = { K_WORD, { "rq.ttwu_local" } },
	[KF_RQ_SD] = { K_WORD, { "rq.sd" } },
	[KF_SD_NAME] = { K_WORD, { "sched_domain.name" } },
	[KF_SD_LEVEL] = { K_WORD, { "sched_domain.level" } },
	[KF_SD_SPAN_WEIGHT] = { K_WORD, { "sched_domain.span_weight" } },
	[KF_SD_IMBALANCE] = { K_WORD, { "sched_domain.imbalance_pct" } },
	[KF_SD_FLAGS] = { K_WORD, { "sched_domain.flags" } },
	[KF_SD_PARENT] = { K_WORD, { "sched_domain.parent" } },

	[KF_IDR_HEAD] = { K_WORD, { "idr.idr_rt.xa_head" } },
	[KF_IDR_BASE] = { K_WORD, { "idr.idr_base" } },
	[KF_XA_NODE_SHIFT] = { K_WORD, { "xa_node.shift" } },
	[KF_XA_NODE_SLOTS] = { K_BYTES, { "xa_node.slots" } },

	[KF_MAP_TYPE] = { K_WORD, { "bpf_map.map_type" } },
	[KF_MAP_KEY_SIZE] = { K_WORD, { "bpf_map.key_size" } },
	[KF_MAP_VALUE_SIZE] = { K_WORD, { "bpf_map.value_size" } },
	[KF_MAP_MAX_ENTRIES] = { K_WORD, { "bpf_map.max_entries" } },
	[KF_MAP_ID] = { K_WORD, { "bpf_map.id" } },
	[KF_MAP_NAME] = { K_BYTES, { "bpf_map.name" } },
	[KF_MAP_BTF] = { K_WORD, { "bpf_map.btf" } },
	[KF_MAP_BTF_KEY] = { K_WORD, { "bpf_map.btf_key_type_id" } },
	[KF_MAP_BTF_VALUE] = { K_WORD, { "bpf_map.btf_value_type_id" } },
	[KF_MAP_BTF_KERNEL_VALUE] = { K_WORD, {
		"bpf_map.btf_vmlinux_value_type_id" } },

	[KF_ARRAY_MAP] = { K_START, { "bpf_array.map" } },
	[KF_ARRAY_ELEM_SIZE] = { K_WORD, { "bpf_array.elem_size" } },
	[KF_ARRAY_INDEX_MASK] = { K_WORD, { "bpf_array.index_mask" } },
	[KF_ARRAY_VALUE] = { K_START, { "bpf_array.value" } },
	[KF_ARRAY_PPTRS] = { K_START, { "bpf_array.pptrs" } },

	[KF_HTAB_MAP] = { K_START, { "bpf_htab.map" } },
	[KF_HTAB_BUCKETS] = { K_WORD, { "bpf_htab.buckets" } },
	[KF_HTAB_NR_BUCKETS] = { K_WORD, { "bpf_htab.n_buckets" } },
	[KF_BUCKET] = { K_BYTES, { "bucket" } },
	[KF_BUCKET_FIRST] = { K_WORD, { "bucket.head.first" } },
	[KF_NULLS_NEXT] = { K_WORD, { "hlist_nulls_node.next" } },
	[KF_HTAB_ELEM_NODE] = { K_START, { "htab_elem.hash_node" } },
	[KF_HTAB_ELEM_KEY] = { K_START, { "htab_elem.key" } },

	[KF_QUEUE_MAP] = { K_START, { "bpf_queue_stack.map" } },
	[KF_QUEUE_HEAD] = { K_WORD, { "bpf_queue_stack.head" } },
	[KF_QUEUE_TAIL] = { K_WORD, { "bpf_queue_stack.tail" } },
	[KF_QUEUE_SIZE] = { K_WORD, { "bpf_queue_stack.size" } },
	[KF_QUEUE_ELEMENTS] = { K_START, { "bpf_queue_stack.elements" } },
	[KF_BLOOM_MAP] = { K_START, { "bpf_bloom_filter.map" } },
	[KF_BLOOM_MASK] = { K_WORD, { "bpf_bloom_filter.bitset_mask" } },
	[KF_BLOOM_HASHES] = { K_WORD, { "bpf_bloom_filter.nr_hash_funcs" } },
	[KF_RINGBUF_MAP] = { K_START, { "bpf_ringbuf_map.map" } },
	[KF_RINGBUF_RB] = { K_WORD, { "bpf_ringbuf_map.rb" } },
	[KF_RB_MASK] = { K_WORD, { "bpf_ringbuf.mask" } },
	[KF_RB_CONSUMER] = { K_WORD, { "bpf_ringbuf.consumer_pos" } },
	[KF_RB_PRODUCER] = { K_WORD, { "bpf_ringbuf.producer_pos" } },
	[KF_RB_PENDING] = { K_WORD, { "bpf_ringbuf.pending_pos" } },
	[KF_ARENA_MAP] = { K_START, { "bpf_arena.map" } },
	[KF_ARENA_USER_START] = { K_WORD, { "bpf_arena.user_vm_start" } },
	[KF_ARENA_KERN_VM] = { K_WORD, { "bpf_arena.kern_vm" } },
	[KF_ARENA_SCRATCH] = { K_WORD, { "bpf_arena.scratch_page" } },
	[KF_VM_ADDR] = { K_WORD, { "vm_struct.addr" } },
	[KF_PAGE] = { K_BYTES, { "page" } },
	[KF_STORAGE_MAP] = { K_START, { "bpf_local_storage_map.map" } },
	[KF_STORAGE_BUCKETS] = { K_WORD, { "bpf_local_storage_map.buckets" } },
	[KF_STORAGE_BUCKET_LOG] = { K_WORD, {
		"bpf_local_storage_map.bucket_log" } },
	[KF_STORAGE_BUCKET] = { K_BYTES, { "bpf_local_storage_map_bucket" } },
	[KF_STORAGE_BUCKET_FIRST] = { K_WORD, {
		"bpf_local_storage_map_bucket.list.first" } },
	[KF_SELEM_NODE] = { K_START, { "bpf_local_storage_elem.map_node" } },
	[KF_SELEM_STORAGE] = { K_WORD, {
		"bpf_local_storage_elem.local_storage" } },
	[KF_SELEM_SMAP] = { K_WORD, { "bpf_local_storage_elem.sdata.smap" } },
	[KF_SELEM_DATA] = { K_START, { "bpf_local_storage_elem.sdata.data" } },
	[KF_STORAGE_OWNER] = { K_WORD, { "bpf_local_storage.owner" } },
	[KF_HLIST_NEXT] = { K_WORD, { "hlist_node.next" } },
	[KF_TASK_PID] = { K_WORD, { "task_struct.pid" } },
	[KF_TASK_COMM] = { K_BYTES, { "task_struct.comm" } },
	[KF_TASK_CGROUPS] = { K_WORD, { "task_struct.cgroups" } },
	[KF_CSS_SET_CGROUP] = { K_WORD, { "css_set.dfl_cgrp" } },
	[KF_CGROUP_KN] = { K_WORD, { "cgroup.kn" } },
	[KF_KERNFS_ID] = { K_WORD, { "kernfs_node.id" } },
	[KF_INODE_INO] = { K_WORD, { "inode.i_ino" } },

	[KF_STRUCT_OPS_MAP] = { K_START, { "bpf_struct_ops_map.map" } },
	[KF_STRUCT_OPS_STATE] = { K_WORD, {
		"bpf_struct_ops_map.kvalue.common.state",
		"bpf_struct_ops_map.kvalue.state" } },
	[KF_STRUCT_OPS_LINKS] = { K_WORD, { "bpf_struct_ops_map.links" } },
	[KF_STRUCT_OPS_NR_LINKS] = { K_WORD, {
		"bpf_struct_ops_map.funcs_cnt",
		"bpf_struct_ops_map.links_cnt" } },
	[KF_STRUCT_OPS_UVALUE] = { K_WORD, { "bpf_struct_ops_map.uvalue" } },
	[KF_LINK_PROG] = { K_WORD, { "bpf_link.prog" } },
	[KF_PROG_AUX] = { K_WORD, { "bpf_prog.aux" } },
	[KF_PROG_STATS] = { K_WORD, { "bpf_prog.stats" } },
	[KF_PROG_AUX_ID] = { K_WORD, { "bpf_prog_aux.id" } },
	[KF_PROG_AUX_NAME] = { K_BYTES, { "bpf_prog_aux.name" } },
	[KF_PROG_AUX_VERIFIED_INSNS] = { K_WORD, {
		"bpf_prog_aux.verified_insns" } },
	[KF_PROG_STATS_CNT] = { K_WORD, { "bpf_prog_stats.cnt" } },
	[KF_PROG_STATS_NSECS] = { K_WORD, { "bpf_prog_stats.nsecs" } },
	[KF_STATIC_KEY_ENABLED] = { K_WORD, { "static_key.enabled" } },

	[KF_PSI_LOCK] = { K_WORD, { "psi_group.avgs_lock.owner" } },
	[KF_PSI_PCPU] = { K_WORD, { "psi_group.pcpu" } },
	[KF_PSI_TOTAL] = { K_BYTES, { "psi_group.total" } },
	[KF_PSI_CPU] = { K_BYTES, { "psi_group_cpu" } },
	[KF_PSI_CPU_MASK] = { K_WORD, { "psi_group_cpu.state_mask" } },
	[KF_PSI_CPU_START] = { K_WORD, { "psi_group_cpu.state_start" } },
	[KF_PSI_CPU_TIMES] = { K_BYTES, { "psi_group_cpu.times" } },
	[KF_PSI_CPU_PREV] = { K_BYTES, { "psi_group_cpu.times_prev" } },

	[KF_BTF_DATA] = { K_WORD, { "btf.data" } },
	[KF_BTF_DATA_SIZE] = { K_WORD, { "btf.data_size" } },
	[KF_BTF_ID] = { K_WORD, { "btf.id" } },
	[KF_BTF_BASE] = { K_WORD, { "btf.base_btf" } },
};

const char *kfield_name(enum kfield_id id)
{
	return kfield_specs[id].paths[0];
}

/*
 * The member @name of struct or union @type_id, looked for in its anonymous
 * members too. Bit-fields do not count: nothing here is one.
 */
static bool find_member(const struct btf *btf, uint32_t type_id,
			const char *name, unsigned int depth,
			unsigned int *budget, uint32_t *off,
			uint32_t *member_type)
{
	const struct btf_type *t = btf_type_skip(btf, type_id, NULL);
	const struct btf_member *m;
	unsigned int i;

	if (!t || !btf_is_composite(t) || depth > MAX_ANON_DEPTH)
		return false;

	m = btf_members(t);
	for (i = 0; i < btf_vlen(t) && *budget; i++, m++) {
		const char *n = btf__name_by_offset(btf, m->name_off);
		uint32_t bits = btf_member_bit_offset(t, i);

		--*budget;
		if (bits % 8 || btf_member_bitfield_size(t, i))
			continue;
		if (n && *n) {
			if (strcmp(n, name))
				continue;
			*off += bits / 8;
			*member_type = m->type;
			return true;
		}
		if (find_member(btf, m->type, name, depth + 1, budget, off,
				member_type)) {
			*off += bits / 8;
			return true;
		}
	}
	return false;
}

/* Cut the next dotted word off @path. */
static const char *next_word(const char *path, char word[MAX_MEMBER_NAME])
{
	size_t len = strcspn(path, ".");

	if (len >= MAX_MEMBER_NAME)
		len = MAX_MEMBER_NAME - 1;
	memcpy(word, path, len);
	word[len] = '\0';
	path += len;
	return *path == '.' ? path + 1 : path;
}

static bool resolve(const struct btf *btf, const char *path, uint32_t *off,
		    uint32_t *type_id)
{
	unsigned int budget = MAX_MEMBERS;
	char word[MAX_MEMBER_NAME];
	int id;

	path = next_word(path, word);
	id = btf__find_by_name_kind(btf, word, BTF_KIND_STRUCT);
	if (id < 0)
		return false;

	*off = 0;
	*type_id = id;
	while (*path) {
		path = next_word(path, word);
		if (!find_member(btf, *type_id, word, 0, &budget, off,
				 type_id))
			return false;
	}
	return true;
}

static bool is_word(const struct btf_type *t, int64_t size)
{
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return false;
	return btf_is_int(t) || btf_is_any_enum(t) || btf_is_ptr(t);
}

/* What a struct of one member wraps: atomic_t, u64_stats_t and their like. */
static const struct btf_type *unwrap(const struct btf *btf,
				     const struct btf_type *t)
{
	unsigned int depth;

	for (depth = 0; depth < MAX_ANON_DEPTH; depth++) {
		if (!t || !btf_is_struct(t) || btf_vlen(t) != 1 ||
		    btf_member_bit_offset(t, 0))
			break;
		t = btf_type_skip(btf, btf_members(t)->type, NULL);
	}
	return t;
}

static struct kfield find_field(const struct btf *btf,
				const struct kfield_spec *spec)
{
	struct kfield f = { 0 };
	unsigned int i;

	for (i = 0; i < MAX_PATHS && spec->paths[i]; i++) {
		const struct btf_type *t;
		uint32_t type_id, off;
		int64_t size;

		if (!resolve(btf, spec->paths[i], &off, &type_id))
			continue;
		t = btf_type_skip(btf, type_id, &type_id);
		if (!t)
			continue;
		size = spec->kind == K_START ? 0 :
					       btf__resolve_size(btf, type_id);
		if (spec->kind == K_WORD)
			t = unwrap(btf, t);
		if (!t || size < 0 || size > UINT32_MAX ||
		    (spec->kind == K_WORD && !is_word(t, size)))
			continue;
		f.present = true;
		f.off = off;
		f.size = size;
		f.is_signed = btf_type_is_signed(t);
		break;
	}
	return f;
}

int kbtf_init(struct kbtf *kb, const void *raw, size_t len)
{
	unsigned int i;
	int err;

	memset(kb, 0, sizeof(*kb));
	err = btf_parse_untrusted(raw, len, &kb->btf);
	if (err)
		return err;

	for (i = 0; i < KF_NR; i++)
		kb->fields[i] = find_field(kb->btf, &kfield_specs[i]);
	return 0;
}

void kbtf_fini(struct kbtf *kb)
{
	btf__free(kb->btf);
	memset(kb, 0, sizeof(*kb));
}

const char *kbtf_missing(const struct kbtf *kb, const enum kfield_id *ids,
			 size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (!kb->fields[ids[i]].present)
			return kfield_name(ids[i]);
	}
	return NULL;
}

int kbtf_read(const struct kbtf *kb, struct kmem *km, uint64_t base,
	      enum kfield_id id, int64_t *val)
{
	const struct kfield *f = &kb->fields[id];
	uint64_t v;
	int err;

	if (!f->present)
		return -ENOENT;
	err = kmem_read_uint(km, base + f->off, f->size, &v);
	if (err)
		return err;
	*val = f->is_signed ? btf_sign_extend(v, f->size * 8) : (int64_t)v;
	return 0;
}
