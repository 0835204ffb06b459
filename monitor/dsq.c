// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/dsq.h"

#include "monitor/btf_json.h"
#include "monitor/monitor_priv.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_BUCKETS (1u << 16)
#define MAX_CHAIN 256		/* queues of one bucket */
#define MAX_CURSORS 8		/* iterators in front of a queue's first task */
#define MAX_NODES 64
#define NSEC_PER_SEC 1000000000ull
#define BOOT_JIFFIES_S 300	/* so long before a 32-bit count wraps */

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static int read_field(struct monitor *mon, uint64_t base, enum kfield_id id,
		      uint64_t *v)
{
	return kbtf_read_ptr(&mon->kbtf, &mon->kmem, base, id, v);
}

static bool has(const struct monitor *mon, enum kfield_id id)
{
	return kbtf_has(&mon->kbtf, id);
}

/*
 * Nanoseconds of a jiffy, or 0. The kernel counts from 300 s before the count's
 * low half wraps, so with the time since boot its rate can be told; there are
 * only a few rates that it can have.
 */
static uint64_t jiffy_ns(struct monitor *mon, uint64_t jiffies)
{
	static const unsigned int rates[] = { 100, 250, 300, 1000 };
	uint64_t clock;
	double rate;
	size_t i;

	if (mon->jiffy_ns)
		return mon->jiffy_ns;
	if (!mon->nr_possible || !mon->info.sym[MON_SYM_RUNQUEUES] ||
	    read_field(mon, mon->info.sym[MON_SYM_RUNQUEUES] +
		       mon->percpu_off[0], KF_RQ_CLOCK, &clock))
		return 0;
	rate = ((double)(1ull << 32) - jiffies) /
	       (BOOT_JIFFIES_S - (double)clock / NSEC_PER_SEC);
	for (i = 0; i < NR(rates); i++)
		if (rate > rates[i] * 0.95 && rate < rates[i] * 1.05)
			mon->jiffy_ns = NSEC_PER_SEC / rates[i];
	return mon->jiffy_ns;
}

static json_t *age_json(struct monitor *mon, uint64_t task)
{
	uint64_t jiffies, since, ns;

	if (!mon->info.sym[MON_SYM_JIFFIES] ||
	    kmem_read_uint(&mon->kmem, mon->info.sym[MON_SYM_JIFFIES], 8,
			   &jiffies) ||
	    read_field(mon, task, KF_TASK_RUNNABLE_AT, &since) ||
	    since > jiffies)
		return json_null();
	ns = jiffy_ns(mon, jiffies);
	return ns ? json_from_uint64((jiffies - since) * ns) : json_null();
}

/* The task that is first in the queue at @dsq, or 0. */
static uint64_t first_task(struct monitor *mon, uint64_t dsq)
{
	const struct kfield *f = mon->kbtf.fields;
	uint64_t list = dsq + f[KF_DSQ_LIST].off, node, flags, task, owner;
	unsigned int i;

	if (!has(mon, KF_DSQ_LIST) || !has(mon, KF_TASK_DSQ_NODE) ||
	    !has(mon, KF_TASK_SCX_DSQ) ||
	    read_field(mon, list, KF_LIST_NEXT, &node))
		return 0;
	for (i = 0; i < MAX_CURSORS && node != list; i++) {
		task = node - f[KF_TASK_DSQ_NODE].off;
		/* An iterator's place holder is no task: it has a flag. */
		if (read_field(mon, task, KF_TASK_DSQ_FLAGS, &flags))
			return 0;
		if (!flags)
			return read_field(mon, task, KF_TASK_SCX_DSQ, &owner) ||
			       owner != dsq ? 0 : task;
		if (read_field(mon, node, KF_LIST_NEXT, &node))
			return 0;
	}
	return 0;
}

static json_t *dsq_json(struct monitor *mon, uint64_t dsq)
{
	json_t *pid_json = json_null(), *age = json_null();
	uint64_t id, nr, task, pid;

	if (read_field(mon, dsq, KF_DSQ_ID, &id) ||
	    read_field(mon, dsq, KF_DSQ_NR, &nr))
		return NULL;
	task = nr ? first_task(mon, dsq) : 0;
	if (task && !read_field(mon, task, KF_TASK_PID, &pid)) {
		pid_json = json_integer((int32_t)pid);
		age = age_json(mon, task);
		/* Gone from the queue meanwhile: its age is another's. */
		if (first_task(mon, dsq) != task) {
			json_decref(age);
			json_decref(pid_json);
			age = json_null();
			pid_json = json_null();
		}
	}
	return json_pack("{s:o, s:o, s:o, s:o}", "id", json_from_uint64(id),
			 "depth", json_integer(nr), "head_pid", pid_json,
			 "head_age_ns", age);
}

/* A chain's end, and a bucket's lock, are in the lowest bit. */
static bool add_chain(struct monitor *mon, uint64_t node, json_t *list)
{
	unsigned int i;

	node &= ~1ull;
	for (i = 0; node && !(node & 1); i++) {
		uint64_t dsq = node - mon->kbtf.fields[KF_DSQ_HASH_NODE].off;
		json_t *j;

		if (i == MAX_CHAIN || json_array_size(list) == DSQ_MAX)
			return false;
		j = dsq_json(mon, dsq);
		if (!j || json_array_append_new(list, j) ||
		    read_field(mon, node, KF_RHASH_NEXT, &node))
			return false;
	}
	return true;
}

/* False: the table could not be gone through. */
static bool add_table(struct monitor *mon, uint64_t rht, json_t *list)
{
	static const enum kfield_id needed[] = {
		KF_RHT_TBL, KF_TBL_SIZE, KF_TBL_NEST, KF_TBL_BUCKETS,
		KF_RHASH_NEXT, KF_DSQ_HASH_NODE, KF_DSQ_ID, KF_DSQ_NR,
	};
	uint64_t tbl, size, nest, after, head;
	uint32_t i;

	if (kbtf_missing(&mon->kbtf, needed, NR(needed)) ||
	    read_field(mon, rht, KF_RHT_TBL, &tbl) ||
	    read_field(mon, tbl, KF_TBL_SIZE, &size) ||
	    read_field(mon, tbl, KF_TBL_NEST, &nest) || nest ||
	    size > MAX_BUCKETS)
		return false;
	for (i = 0; i < size; i++)
		if (kmem_read_ptr(&mon->kmem, tbl + i * 8ull +
				  mon->kbtf.fields[KF_TBL_BUCKETS].off,
				  &head) ||
		    !add_chain(mon, head, list))
			return false;
	/* A table that was replaced by a larger one lacks some. */
	return !read_field(mon, rht, KF_RHT_TBL, &after) && after == tbl;
}

/* Where the global queue of @node is: kernels kept it in two ways. */
static int global_dsq(struct monitor *mon, uint64_t sched, unsigned int node,
		      uint64_t *dsq)
{
	enum kfield_id array = has(mon, KF_SCX_PNODE) ? KF_SCX_PNODE :
							KF_SCX_GLOBAL_DSQS;
	int err;

	err = read_field(mon, sched, array, dsq);
	if (!err)
		err = kmem_read_ptr(&mon->kmem, *dsq + node * 8ull, dsq);
	if (!err && has(mon, KF_SCX_PNODE))
		*dsq += mon->kbtf.fields[KF_PNODE_GLOBAL].off;
	return err;
}

static bool add_global(struct monitor *mon, uint64_t sched, json_t *list)
{
	uint64_t nodes = 1, sym = mon->info.sym[MON_SYM_NR_NODE_IDS], dsq;
	unsigned int node;

	if (has(mon, KF_SCX_PNODE) ? !has(mon, KF_PNODE_GLOBAL) :
				     !has(mon, KF_SCX_GLOBAL_DSQS))
		return true;
	if (sym && kmem_read_uint(&mon->kmem, sym, 4, &nodes))
		return false;
	for (node = 0; node < nodes && node < MAX_NODES; node++) {
		json_t *j;

		if (global_dsq(mon, sched, node, &dsq) || !dsq)
			return false;
		j = dsq_json(mon, dsq);
		if (!j)
			return false;
		json_object_update_new(j, json_pack("{s:b, s:i}", "global", 1,
						    "node", (int)node));
		if (json_array_append_new(list, j))
			return false;
	}
	return true;
}

json_t *dsqs_json(struct monitor *mon)
{
	uint64_t root_kva = mon->info.sym[MON_SYM_SCX_ROOT], root = 0, after;
	uint64_t rht = mon->info.sym[MON_SYM_DSQ_HASH];
	json_t *list = json_array();
	bool ok;

	if (root_kva && has(mon, KF_SCX_DSQ_HASH)) {
		if (kmem_read_ptr(&mon->kmem, root_kva, &root) || !root)
			goto none;
		rht = root + mon->kbtf.fields[KF_SCX_DSQ_HASH].off;
	}
	if (!rht)
		goto none;
	ok = add_table(mon, rht, list);
	if (ok && root)
		ok = add_global(mon, root, list) &&
		     !kmem_read_ptr(&mon->kmem, root_kva, &after) &&
		     after == root;
	if (ok)
		return list;
none:
	json_decref(list);
	return json_null();
}
