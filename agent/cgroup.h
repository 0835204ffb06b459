/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cgroup v2 tree of a run: one cgroup for each name the plan's workloads
 * use, below a root of our own. Called by agent/worker.c.
 */
#ifndef KTSTR_AGENT_CGROUP_H
#define KTSTR_AGENT_CGROUP_H

#include <stddef.h>
#include <stdint.h>

struct plan;
struct worker_account;

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define CGROUP_ROOT CGROUP_MOUNT "/ktstr"

/**
 * cgroup_tree_make() - make the cgroups of all workloads, and set them
 * @root: CGROUP_ROOT, or a test's; the folder above it is a mounted cgroup2
 * @err_msg: one line on failure: which file, which value, why
 *
 * cpu.weight and cpu.max are the workloads'; cpuset.cpus is what the
 * workloads of a cgroup may use together (each worker's affinity is its own).
 * A controller that the kernel lacks is an error only if a workload needs it.
 * Cgroups that exist are used as they are.
 *
 * Return: 0; -EINVAL if two workloads ask different things of one cgroup, or
 * one's cgroup lies within another's (the kernel lets no task live between);
 * -errno of the file system.
 */
int cgroup_tree_make(const struct plan *plan, const char *root, char *err_msg,
		     size_t err_len);

/**
 * cgroup_make_leaf() - a cgroup of one program, in one that is there
 * @name: below @root
 *
 * It has no controllers of its own: the one above still decides.
 *
 * Return: a descriptor for cgroup_account_read(); or -errno.
 */
int cgroup_make_leaf(const char *root, const char *name);

/**
 * cgroup_leaf_id() - the kernel's number of it, by which the host knows it
 *
 * Return: 0; -errno; -ENAMETOOLONG.
 */
int cgroup_leaf_id(const char *root, const char *name, uint64_t *id);

/**
 * cgroup_account_read() - the CPU time of all that ever was in a cgroup
 * @fd: its cpu.stat
 *
 * The kernel does not say there how long they waited: that is 0.
 *
 * Return: 0; -errno; -EBADMSG.
 */
int cgroup_account_read(int fd, struct worker_account *account);

/**
 * cgroup_count_runnable() - tasks in it that want a CPU now
 *
 * Running or waiting for one. What ends meanwhile is not counted.
 */
unsigned int cgroup_count_runnable(const char *root, const char *name);

/**
 * cgroup_enter() - move the caller into @name below @root
 *
 * Return: 0 or -errno.
 */
int cgroup_enter(const char *root, const char *name);

#endif
