/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every scheduler in bpf/ needs: the kernel's types, its enum constants
 * as the loader fills them in, kfunc wrappers, and the exit record. BPF side
 * only; bpf/ktstr_exit.h is the half that the loader reads.
 */
#ifndef KTSTR_BPF_KTSTR_SCX_H
#define KTSTR_BPF_KTSTR_SCX_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/ktstr_exit.h"

#define PF_KTHREAD 0x00200000

/*
 * Constants differ from kernel to kernel, and these objects run on others
 * than the one whose vmlinux.h they were built with: the loader finds each
 * SCX_X in the running kernel's BTF and writes it to __SCX_X before loading.
 */
const volatile u64 __SCX_DSQ_LOCAL;
#undef SCX_DSQ_LOCAL
#define SCX_DSQ_LOCAL __SCX_DSQ_LOCAL
const volatile u64 __SCX_TASK_QUEUED;
#undef SCX_TASK_QUEUED
#define SCX_TASK_QUEUED __SCX_TASK_QUEUED

/* A callback of struct sched_ext_ops, and one that may sleep. */
#define SCX_OP(name, args...) \
	SEC("struct_ops/" #name) BPF_PROG(name, ##args)
#define SCX_OP_SLEEPABLE(name, args...) \
	SEC("struct_ops.s/" #name) BPF_PROG(name, ##args)

/*
 * Newer kernels replaced some kfuncs by versions of another shape and keep the
 * old ones only for a while.
 */
static __always_inline void ktstr_insert(struct task_struct *p, u64 dsq_id,
					 u64 slice_ns, u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert___v2))
		scx_bpf_dsq_insert___v2(p, dsq_id, slice_ns, enq_flags);
	else
		scx_bpf_dsq_insert(p, dsq_id, slice_ns, enq_flags);
}

/*
 * As the kernel's struct scx_bpf_dsq_insert_vtime_args, whose members libbpf
 * would look for in kernels that do not have it: those refuse the program.
 */
struct ktstr_insert_vtime_args {
	u64 dsq_id, slice, vtime, enq_flags;
};

static __always_inline void ktstr_insert_vtime(struct task_struct *p,
					       u64 dsq_id, u64 slice_ns,
					       u64 vtime, u64 enq_flags)
{
	struct ktstr_insert_vtime_args args = {
		.dsq_id = dsq_id,
		.slice = slice_ns,
		.vtime = vtime,
		.enq_flags = enq_flags,
	};

	if (bpf_ksym_exists(__scx_bpf_dsq_insert_vtime))
		__scx_bpf_dsq_insert_vtime(p, (void *)&args);
	else
		scx_bpf_dsq_insert_vtime(p, dsq_id, slice_ns, vtime,
					 enq_flags);
}

static __always_inline bool ktstr_move_to_local(u64 dsq_id)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local___v2))
		return scx_bpf_dsq_move_to_local___v2(dsq_id, 0);
	return scx_bpf_dsq_move_to_local(dsq_id);
}

static __always_inline void ktstr_set_vtime(struct task_struct *p, u64 vtime)
{
	if (bpf_ksym_exists(scx_bpf_task_set_dsq_vtime))
		scx_bpf_task_set_dsq_vtime(p, vtime);
	else
		p->scx.dsq_vtime = vtime;
}

static __always_inline void ktstr_set_slice(struct task_struct *p, u64 slice)
{
	if (bpf_ksym_exists(scx_bpf_task_set_slice))
		scx_bpf_task_set_slice(p, slice);
	else
		p->scx.slice = slice;
}

/*
 * May @prev go on running after a dispatch that found nothing? The kernel
 * then gives it a slice of its own default, unless it is given one here.
 */
static __always_inline bool ktstr_is_kept(const struct task_struct *prev)
{
	return prev && prev->scx.flags & SCX_TASK_QUEUED;
}

/* Is @a before @b, on a clock that wraps? */
static __always_inline bool ktstr_before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

/*
 * The exit record and the dump, each in a map of its own, so that the global
 * data of a scheduler holds only what the scheduler itself counts.
 */
struct ktstr_exit ktstr_exit SEC(".data.exit");
char ktstr_dump[KTSTR_EXIT_DUMP] SEC(".data.dump");

/** ktstr_record_exit() - keep @ei, which the kernel frees after ops.exit() */
static __always_inline void ktstr_record_exit(const struct scx_exit_info *ei)
{
	bpf_probe_read_kernel_str(ktstr_exit.reason, sizeof(ktstr_exit.reason),
				  ei->reason);
	bpf_probe_read_kernel_str(ktstr_exit.msg, sizeof(ktstr_exit.msg),
				  ei->msg);
	bpf_probe_read_kernel_str(ktstr_dump, sizeof(ktstr_dump), ei->dump);
	ktstr_exit.exit_code = ei->exit_code;
	/* Last: whoever sees the kind may read the rest. */
	__sync_fetch_and_add(&ktstr_exit.kind, ei->kind);
}

#endif
