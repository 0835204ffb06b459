/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the running kernel keeps what the monitor reads: members of its
 * structures, found by name in its BTF. No offset is known in advance; a
 * member that moved between releases has several names in one table.
 */
#ifndef KTSTR_MONITOR_KBTF_H
#define KTSTR_MONITOR_KBTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/kmem.h"

struct btf;

enum kfield_id {
	KF_RQ_NR_RUNNING,
	KF_RQ_CLOCK,
	KF_RQ_CURR,
	KF_RQ_IDLE,
	KF_RQ_CPU,
	KF_RQ_SCX_NR_RUNNING,
	KF_RQ_SCX_LOCAL_DSQ_NR,
	KF_RQ_SCX_RUNNABLE,
	KF_LIST_NEXT,
	KF_DSQ_ID,
	KF_DSQ_NR,
	KF_TASK_SCX_NODE,
	KF_TASK_SCX_DSQ,
	KF_TASK_SCX_FLAGS,
	KF_TASK_STATE,
	KF_TASK_CPU,
	KF_TASK_TASKS,
	KF_TASK_RAN,		/* CPU time, ns, up to its last tick or stop */

	KF_SCX_OPS_NAME,
	KF_SCX_EXIT_KIND,
	KF_SCX_BYPASS_DEPTH,
	KF_SCX_PCPU,		/* per-CPU pointer to what holds the events */
	KF_SCX_PCPU_EVENTS,	/* offset of the events in it */

	KF_OPS_NAME,
	KF_SCX_EXIT_INFO,
	KF_SCX_DSQ_HASH,
	KF_SCX_PNODE,		/* array of pointers, by node */
	KF_PNODE_GLOBAL,
	KF_SCX_GLOBAL_DSQS,	/* the same, of kernels before */
	KF_SCX_LEVEL,
	KF_SCX_CGRP_PATH,
	KF_SCX_CHILDREN,
	KF_SCX_SIBLING,
	KF_EXIT_KIND,
	KF_EXIT_CODE,
	KF_EXIT_REASON,
	KF_EXIT_MSG,
	KF_EXIT_DUMP,
	KF_DSQ_LIST,
	KF_DSQ_HASH_NODE,
	KF_TASK_DSQ_NODE,
	KF_TASK_DSQ_FLAGS,
	KF_TASK_RUNNABLE_AT,
	KF_RHT_TBL,
	KF_TBL_SIZE,
	KF_TBL_NEST,
	KF_TBL_BUCKETS,
	KF_RHASH_NEXT,

	KF_RQ_NR_SWITCHES,
	KF_RQ_RUN_DELAY,
	KF_RQ_PCOUNT,
	KF_RQ_CPU_TIME,
	KF_RQ_YLD_COUNT,
	KF_RQ_SCHED_COUNT,
	KF_RQ_SCHED_GOIDLE,
	KF_RQ_TTWU_COUNT,
	KF_RQ_TTWU_LOCAL,
	KF_RQ_SD,
	KF_SD_NAME,
	KF_SD_LEVEL,
	KF_SD_SPAN_WEIGHT,
	KF_SD_IMBALANCE,
	KF_SD_FLAGS,
	KF_SD_PARENT,

	KF_IDR_HEAD,
	KF_IDR_BASE,
	KF_XA_NODE_SHIFT,
	KF_XA_NODE_SLOTS,

	KF_MAP_TYPE,
	KF_MAP_KEY_SIZE,
	KF_MAP_VALUE_SIZE,
	KF_MAP_MAX_ENTRIES,
	KF_MAP_ID,
	KF_MAP_NAME,
	KF_MAP_BTF,
	KF_MAP_BTF_KEY,
	KF_MAP_BTF_VALUE,
	KF_MAP_BTF_KERNEL_VALUE,

	KF_ARRAY_MAP,
	KF_ARRAY_ELEM_SIZE,
	KF_ARRAY_INDEX_MASK,
	KF_ARRAY_VALUE,
	KF_ARRAY_PPTRS,

	KF_HTAB_MAP,
	KF_HTAB_BUCKETS,
	KF_HTAB_NR_BUCKETS,
	KF_BUCKET,		/* its size */
	KF_BUCKET_FIRST,
	KF_NULLS_NEXT,
	KF_HTAB_ELEM_NODE,
	KF_HTAB_ELEM_KEY,

	KF_QUEUE_MAP,
	KF_QUEUE_HEAD,
	KF_QUEUE_TAIL,
	KF_QUEUE_SIZE,
	KF_QUEUE_ELEMENTS,
	KF_BLOOM_MAP,
	KF_BLOOM_MASK,
	KF_BLOOM_HASHES,
	KF_RINGBUF_MAP,
	KF_RINGBUF_RB,
	KF_RB_MASK,
	KF_RB_CONSUMER,
	KF_RB_PRODUCER,
	KF_RB_PENDING,
	KF_ARENA_MAP,
	KF_ARENA_USER_START,
	KF_ARENA_KERN_VM,
	KF_ARENA_SCRATCH,
	KF_VM_ADDR,
	KF_PAGE,		/* its size */
	KF_STORAGE_MAP,
	KF_STORAGE_BUCKETS,
	KF_STORAGE_BUCKET_LOG,
	KF_STORAGE_BUCKET,	/* its size */
	KF_STORAGE_BUCKET_FIRST,
	KF_SELEM_NODE,
	KF_SELEM_STORAGE,
	KF_SELEM_SMAP,
	KF_SELEM_DATA,
	KF_STORAGE_OWNER,
	KF_HLIST_NEXT,
	KF_TASK_PID,
	KF_TASK_COMM,
	KF_TASK_CGROUPS,
	KF_CSS_SET_CGROUP,
	KF_CGROUP_KN,
	KF_KERNFS_ID,
	KF_INODE_INO,

	KF_STRUCT_OPS_MAP,
	KF_STRUCT_OPS_STATE,
	KF_STRUCT_OPS_LINKS,
	KF_STRUCT_OPS_NR_LINKS,
	KF_STRUCT_OPS_UVALUE,
	KF_LINK_PROG,
	KF_PROG_AUX,
	KF_PROG_STATS,
	KF_PROG_AUX_ID,
	KF_PROG_AUX_NAME,
	KF_PROG_AUX_VERIFIED_INSNS,
	KF_PROG_STATS_CNT,
	KF_PROG_STATS_NSECS,
	KF_STATIC_KEY_ENABLED,

	KF_PSI_LOCK,		/* the task that holds it, and flags */
	KF_PSI_PCPU,
	KF_PSI_TOTAL,		/* u64 [aggregator][state but the last] */
	KF_PSI_CPU,		/* its size */
	KF_PSI_CPU_MASK,
	KF_PSI_CPU_START,
	KF_PSI_CPU_TIMES,	/* u32 [state] */
	KF_PSI_CPU_PREV,	/* u32 [aggregator][state] */

	KF_BTF_DATA,
	KF_BTF_DATA_SIZE,
	KF_BTF_ID,
	KF_BTF_BASE,
	KF_NR,
};

struct kfield {
	bool present;
	bool is_signed;
	uint32_t off;
	uint32_t size;
};

struct kbtf {
	struct btf *btf;	/* owned */
	struct kfield fields[KF_NR];
};

/**
 * kbtf_init() - parse a kernel's raw .BTF and find every field
 * @raw: copied
 *
 * Fields that this kernel lacks are marked absent; that is no error here.
 *
 * Return: 0; -EINVAL the BTF does not parse or is of the other byte order;
 * -ENOMEM.
 */
int kbtf_init(struct kbtf *kb, const void *raw, size_t len);
void kbtf_fini(struct kbtf *kb);

/** kfield_name() - the newest "struct.member" of @id, for messages. */
const char *kfield_name(enum kfield_id id);

static inline bool kbtf_has(const struct kbtf *kb, enum kfield_id id)
{
	return kb->fields[id].present;
}

/**
 * kbtf_missing() - the first of @ids (@nr of them) that this kernel lacks
 *
 * Return: its name, or NULL when none is missing.
 */
const char *kbtf_missing(const struct kbtf *kb, const enum kfield_id *ids,
			 size_t nr);

/**
 * kbtf_read() - an integer, enum or pointer member of the object at @base
 * @val: extended to 64 bits by the member's own signedness
 *
 * Return: 0; -ENOENT this kernel has no such field; -EFAULT.
 */
int kbtf_read(const struct kbtf *kb, struct kmem *km, uint64_t base,
	      enum kfield_id id, int64_t *val);

/** kbtf_read_ptr() - the same for a pointer. */
static inline int kbtf_read_ptr(const struct kbtf *kb, struct kmem *km,
				uint64_t base, enum kfield_id id,
				uint64_t *val)
{
	return kbtf_read(kb, km, base, id, (int64_t *)val);
}

#endif
