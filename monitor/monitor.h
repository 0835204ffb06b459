/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading a running guest from outside: page walk, kernel structures and BPF
 * maps by BTF. The only header of monitor/ that the runner includes.
 *
 * It knows guest memory through struct guest_mem, and nothing of virtio or
 * KVM. Everything it reads is hostile: each pointer is checked by the page
 * walk, each walk is bounded. A monitor belongs to one thread.
 */
#ifndef KTSTR_MONITOR_MONITOR_H
#define KTSTR_MONITOR_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/guest_mem.h"

struct monitor;

#define MON_MAX_CPUS 256
#define MON_MAX_MAPS 128	/* that are watched */

/* Kernel symbols the monitor uses. Names in mon_symbol_names[]. */
enum mon_symbol {
	MON_SYM_LINUX_BANNER,
	MON_SYM_INIT_TOP_PGT,
	MON_SYM_PHYS_BASE,
	MON_SYM_PER_CPU_OFFSET,
	MON_SYM_RUNQUEUES,
	MON_SYM_MAP_IDR,
	MON_SYM_SCX_ROOT,
	MON_SYM_SCX_ENABLE_STATE_VAR,
	MON_SYM_INIT_TASK,
	MON_SYM_NR_CPU_IDS,
	MON_SYM_VMEMMAP_BASE,
	MON_SYM_JIFFIES,
	MON_SYM_NR_NODE_IDS,
	MON_SYM_BPF_STATS_KEY,
	MON_SYM_PSI_SYSTEM,
	MON_SYM_PSI_DISABLED,
	/* Before 6.16 one scheduler, and no struct of it. */
	MON_SYM_SCX_OPS,
	MON_SYM_SCX_OPS_ENABLE_STATE_VAR,
	MON_SYM_SCX_EXIT_KIND,
	MON_SYM_SCX_EXIT_INFO,
	MON_SYM_DSQ_HASH,
	MON_SYM_NR,
};

extern const char *const mon_symbol_names[MON_SYM_NR];

/* What the agent told about its kernel (HELLO); hostile. */
struct mon_guest_info {
	uint64_t sym[MON_SYM_NR];	/* kernel addresses; 0: not told */
	uint64_t kernel_code_phys;	/* "Kernel code" of /proc/iomem; or 0 */
	unsigned int levels;		/* of paging; both are tried anyway */
	unsigned int nr_cpus;		/* online: whose run queues are read */
};

/**
 * mon_open() - start reading a guest
 * @mem: copied; the regions' memory is borrowed and outlives the monitor
 * @info: copied
 * @btf, @btf_len: the kernel's raw .BTF; copied
 * @mon: owned by the caller, for mon_close()
 * @err_msg: on failure one line
 *
 * Finds the kernel in guest memory by its linux_banner and page tables, and
 * checks that CPU 0's idle task is init_task, so that a wrong address or the
 * BTF of another kernel is found here. Needs linux_banner and init_top_pgt;
 * without another symbol what depends on it is not available. Takes some
 * 10 ms, mostly for the BTF.
 *
 * Return: 0; -EINVAL bad BTF or number of CPUs; -ENOENT a symbol that nothing
 * works without; -EPROTO guest memory does not look like that kernel; -ENOMEM.
 */
int mon_open(const struct guest_mem *mem, const struct mon_guest_info *info,
	     const void *btf, size_t btf_len, struct monitor **mon,
	     char *err_msg, size_t err_len);
void mon_close(struct monitor *mon);

/**
 * mon_read() - guest kernel virtual memory, live
 *
 * Aligned words of up to 8 bytes are never torn. Return: 0 or -EFAULT.
 */
int mon_read(struct monitor *mon, uint64_t kva, void *buf, size_t len);

enum mon_scx_state {	/* the kernel's enum scx_enable_state, by BTF name */
	MON_SCX_UNKNOWN = -1,
	MON_SCX_ENABLING,
	MON_SCX_ENABLED,
	MON_SCX_DISABLING,
	MON_SCX_DISABLED,
};

#define MON_MAX_EVENTS 64
#define MON_NO_VALUE UINT32_MAX	/* this kernel has no such member */

/* One look at run queues and sched_ext. */
struct mon_sched {
	unsigned int nr_cpus;
	uint32_t nr_running[MON_MAX_CPUS];
	uint32_t scx_nr_running[MON_MAX_CPUS];	/* or MON_NO_VALUE */
	uint64_t rq_clock[MON_MAX_CPUS];	/* ns, guest sched_clock */
	bool idle[MON_MAX_CPUS];		/* rq->curr == rq->idle */
	uint32_t local_dsq_depth[MON_MAX_CPUS];	/* or MON_NO_VALUE */
	bool have_scx;		/* the kernel has sched_ext, and it was read */
	enum mon_scx_state state;
	char ops_name[128];	/* "" without a scheduler */
	int64_t exit_kind;	/* of the root scheduler; -1 not available */
	int64_t bypass_depth;	/* -1: not available */
	unsigned int nr_events;	/* names from the guest's BTF */
	const char *event_names[MON_MAX_EVENTS]; /* the monitor's */
	int64_t events[MON_MAX_EVENTS];	/* sum over CPUs */
};

/**
 * mon_read_sched() - take that look
 *
 * What this kernel does not have is marked as said above, never 0. About
 * 10 us with 3 CPUs.
 *
 * Return: 0; -EFAULT the run queues could not be read (torn or hostile);
 * -ENOTSUP the symbols were not told, or the BTF has no such run queue.
 */
int mon_read_sched(struct monitor *mon, struct mon_sched *s);

/* A task that runs, or one of sched_ext that is runnable and does not. */
struct mon_task {
	uint32_t cpu;		/* whose run queue it is on */
	uint32_t pid;
	char comm[16];		/* printable ASCII */
	bool running;
	bool idle;		/* it runs, and is the idle task */
	uint64_t cgroup;	/* of version 2, by number, of one that runs;
				 * 0: not known */
	bool on_dsq;		/* it waits on that queue; the two below */
	uint64_t dsq_id;
	uint32_t dsq_nr;	/* tasks on it */
	uint32_t dsq_place;	/* on it, from 1; 0: not looked for, or beyond
				 * the first 64 */
};

/**
 * mon_read_tasks() - who runs on each CPU, and who waits there
 * @max: room in @tasks
 *
 * By CPU: the one that runs, then those that wait, in the order in which they
 * became runnable. Of a frozen guest: a live list changes while it is walked.
 *
 * Return: how many; -EFAULT; -ENOTSUP symbols or members are missing.
 */
int mon_read_tasks(struct monitor *mon, struct mon_task *tasks,
		   unsigned int max);

/**
 * mon_read_running() - only who runs on each CPU; any kernel, live too
 *
 * Return: as mon_read_tasks().
 */
int mon_read_running(struct monitor *mon, struct mon_task *tasks,
		     unsigned int max);

/* What a task is at. */
enum mon_task_doing {
	MON_TASK_RUNS,		/* it is on a CPU */
	MON_TASK_RUNNABLE,	/* it could be */
	MON_TASK_BLOCKED,	/* uninterruptible: for a disk, mostly */
	MON_TASK_SLEEPS,
	MON_TASK_STOPPED,	/* by a signal or a tracer, until it may go on */
	MON_TASK_OTHER,		/* is being woken, parked, dead */
};

struct mon_task_now {
	enum mon_task_doing doing;
	bool ext;		/* sched_ext has it on a run queue */
	int64_t ran_ns;		/* CPU time so far, of one that does not run;
				 * -1: not available */
	struct mon_task task;	/* cpu: where it is, or was last */
	struct mon_task curr;	/* who runs on that CPU */
};

/**
 * mon_find_task() - where the kernel keeps a process
 * @pid: of its main thread
 * @task: for mon_read_task(), until that says -ESRCH
 *
 * Goes through the kernel's list, live: some 100 ns for each process.
 *
 * Return: 0; -ESRCH; -EFAULT the list changed under us, or is broken;
 * -ENOTSUP symbols or members are missing.
 */
int mon_find_task(struct monitor *mon, uint32_t pid, uint64_t *task);

/**
 * mon_read_task() - what it is at now, live
 *
 * Word by word: it may have gone on between two of them, so that a task which
 * runs has no queue, and one that waits is told with the queue seen last. The
 * pid is the same before and after.
 *
 * Return: 0; -ESRCH it is not @pid's any more; -EFAULT; -ENOTSUP.
 */
int mon_read_task(struct monitor *mon, uint64_t task, uint32_t pid,
		  struct mon_task_now *now);

/**
 * mon_exit_kind_kva() - where the root scheduler's exit kind is kept now
 * @len: its size in bytes
 *
 * Return: 0; -ENOENT no scheduler, or this kernel has no such member; -EFAULT;
 * -ENOTSUP scx_root was not told.
 */
int mon_exit_kind_kva(struct monitor *mon, uint64_t *kva, unsigned int *len);

/**
 * mon_find_map() - look a BPF map up by id in the kernel's map table
 * @name: the map's name (15 characters and a NUL), may be NULL
 *
 * Return: 0; -ENOENT no such map; -EFAULT; -ENOTSUP without map_idr or layout.
 */
int mon_find_map(struct monitor *mon, uint32_t id, uint64_t *map_kva,
		 char name[16]);

/**
 * mon_watch_map() - have mon_read_maps() and mon_map_numbers() read this map
 *
 * Takes type, sizes and the BTF of key and value once; the BTF is parsed from
 * guest memory (at most 8 MiB). A map whose kind can't be read is kept and
 * shown as such; one that is watched already is not watched twice.
 *
 * Return: 0; -ENOENT; -EFAULT; -ENOTSUP; -ENOMEM; -ENOSPC over 128 maps.
 */
int mon_watch_map(struct monitor *mon, uint32_t id);

/**
 * mon_set_due() - have mon_map_numbers() leave this map out, or read it again
 *
 * A map that is watched is due at first; one that is not does not matter.
 */
void mon_set_due(struct monitor *mon, uint32_t id, bool due);

/**
 * mon_read_maps() - values of all watched maps, as in result.json's "maps"
 *
 * {NAME: {"type", "source": "host", "key": type, "value": type,
 * "entries": [{"key", "value"} or for per-CPU maps {"key", "values": [...]}]}}
 * NAME is the map's, or NAME#ID if taken. Read are arrays and hashes, plain,
 * per-CPU (a value for each possible CPU) and LRU, of values up to 1 MiB.
 * "truncated": true tells that there are more than @max_entries entries or
 * more than a bounded number of values. An entry of more than 8 bytes must
 * read equal twice, or has "unstable": true; "fault": true where memory could
 * not be read (null in its place). A hash that changed while it was walked
 * has "unstable": true itself: entries may be missing.
 * A struct_ops map has "state" and "programs": [{"name", "op", "id",
 * "verified_insns", "run_count", "run_ns"}] (null: not available).
 * Queues and stacks list {"value"} in the order of popping. Storage has the
 * owner as key: {"pid", "comm"}, {"cgroup_id"}, {"inode"}, or null.
 * A ring buffer has "size_bytes", "consumer_pos", "producer_pos",
 * "pending_pos" and "unread_bytes"; an arena "pages" that are there, "bytes",
 * "max_pages", "user_vm_start", and "globals", its program's variables in it
 * where it is known which they are; a Bloom filter "bits" and "hashes".
 * What can't be read has "readable": false and "why".
 *
 * Return: new reference, or NULL out of memory.
 */
json_t *mon_read_maps(struct monitor *mon, unsigned int max_entries);

/**
 * mon_map_numbers() - every numeric field of the maps that are due, flat
 *
 * Calls @fn with "MAP.FIELD" (nested fields joined by dots, array elements as
 * [i]) for one-entry maps, "MAP[key].FIELD" for the others; per-CPU values are
 * summed. A bare number is "MAP" or "MAP[key]". MAP is as in mon_read_maps(),
 * but for global data it is the section: ".bss.FIELD", ".data.FIELD",
 * ".rodata.FIELD"; a second map with that section is ".bss#ID.FIELD".
 * Signed and unsigned integers, booleans, enums (value); no floats, pointers,
 * char arrays. Names are printable ASCII and live until @fn returns. Of an
 * array with more than 4096 numbers the first are given. A field that can't be
 * read is left out, as are the fields of a map that is gone.
 *
 * Of a hash the elements that are there are given, as "MAP[key].FIELD": the key
 * in decimal, as text, or its numbers joined by commas. At most 256 elements
 * and 1024 numbers, and none of a table of more than 16384 buckets. While the
 * guest changes the table an element may be missed, or told twice.
 * Of a storage "MAP.FIELD" is the sum over all its elements; not given where
 * not all of them could be read.
 * @unstable: only for a number that is no aligned word.
 *
 * Return: 0, or the first non-zero value of @fn.
 */
typedef int (*mon_number_fn)(void *ctx, const char *name, double value,
			     bool unstable);
int mon_map_numbers(struct monitor *mon, mon_number_fn fn, void *ctx);

/* A BPF program behind a callback of a watched struct_ops map. */
struct mon_prog {
	uint32_t id;
	char name[16];			/* printable ASCII */
	char op[32];			/* the callback it is; "" if unknown */
	uint32_t verified_insns;	/* or MON_NO_VALUE */
	uint64_t run_count, run_ns;	/* or UINT64_MAX, as while the kernel
					 * does not count them */
};

/**
 * mon_read_progs() - the programs of all watched struct_ops maps
 * @max: room in @progs
 *
 * Return: how many were written.
 */
int mon_read_progs(struct monitor *mon, struct mon_prog *progs,
		   unsigned int max);

/**
 * mon_details() - what there is to know at one moment beside mon_read_sched()
 *
 * {"ops": {NAME: {"program", "verified_insns", "run_count", "run_ns"}}, NAME
 * being the callback of sched_ext_ops, or else the program's;
 * "dsqs": [{"id", "depth", "head_pid", "head_age_ns"}] of the scheduler, with
 * "global" and "node" where it is the kernel's;
 * "subs": [{"name", "level", "cgroup", "exit_kind", "bypass_depth"}], the
 * schedulers below the root one; "schedstat": [{NAME: count}] by CPU;
 * "domains": [[{"name", "level", "span_weight", "imbalance_pct", "flags"}]] by
 * CPU, the innermost first; "exit": as mon_scx_exit(); "psi": {"cpu_some_ns",
 * "io_some_ns", "io_full_ns", "memory_some_ns", "memory_full_ns"}, as
 * /proc/pressure would say now}. null: not available.
 *
 * Return: new reference, or NULL out of memory.
 */
json_t *mon_details(struct monitor *mon);

/**
 * mon_scx_exit() - the kernel's record of why the root scheduler ends
 *
 * {"kind", "kind_name", "code", "reason", "message", "dump"}; JSON null while it
 * does not end, and when it is gone. New reference, NULL out of memory.
 */
json_t *mon_scx_exit(struct monitor *mon);

/**
 * mon_read_array_value() - raw bytes of entry 0 of an array map
 *
 * For the shared region, of any size. Copied live: aligned words are never
 * torn, but no two of them belong together.
 *
 * Return: 0; -EINVAL not an array map or too short; -ENOENT no such map;
 * -EFAULT; -ENOTSUP.
 */
int mon_read_array_value(struct monitor *mon, uint32_t map_id, void *buf,
			 size_t off, size_t len);

/**
 * mon_array_value_hva() - where bytes of entry 0 of an array map are, here
 * @hva: guest memory, which may also be written
 *
 * For a map that is kept: the kernel neither moves nor frees its pages while
 * it lives, but nothing here holds it. Guest memory outlives the monitor.
 *
 * Return: as mon_read_array_value(); -EFAULT also for more than one page.
 */
int mon_array_value_hva(struct monitor *mon, uint32_t map_id, size_t off,
			size_t len, void **hva);

struct mon_stats {
	uint64_t reads, read_bytes, faults, walks;
};

/** mon_stats_read() - what the monitor has done since it was opened. */
void mon_stats_read(const struct monitor *mon, struct mon_stats *st);

#endif
