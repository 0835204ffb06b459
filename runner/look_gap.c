// SPDX-License-Identifier: GPL-2.0-only
#include "runner/look_gap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Source: kernel/sched/ext, enum scx_dsq_id_flags: bit 63 is the kernel's own */
#define DSQ_BUILTIN (1ull << 63)
#define DSQ_LOCAL_ON (1ull << 62)

const char *look_dsq_name(uint64_t dsq_id, char text[32])
{
	static const char *const names[] = {
		[1] = "global", [2] = "local", [3] = "bypass",
	};
	uint64_t id = dsq_id & ~DSQ_BUILTIN;

	if (!(dsq_id & DSQ_BUILTIN))
		snprintf(text, 32, "%" PRIu64, dsq_id);
	else if (dsq_id & DSQ_LOCAL_ON)
		strcpy(text, "local");
	else if (id < sizeof(names) / sizeof(names[0]) && names[id])
		strcpy(text, names[id]);
	else
		snprintf(text, 32, "builtin %" PRIu64, id);
	return text;
}

bool gap_bypassed(const struct mon_sched *sched)
{
	return sched->have_scx && (sched->bypass_depth > 0 ||
				   sched->state == MON_SCX_DISABLING);
}

int gap_watch_init(struct gap_watch *g, unsigned int nr_workers,
		   uint64_t look_ns)
{
	*g = (struct gap_watch){ .nr = nr_workers, .look_ns = look_ns };
	g->workers = calloc(nr_workers ? nr_workers : 1, sizeof(*g->workers));
	return g->workers ? 0 : -ENOMEM;
}

void gap_watch_fini(struct gap_watch *g)
{
	free(g->workers);
	*g = (struct gap_watch){ 0 };
}

void gap_watch_begin(struct gap_watch *g, uint64_t start_ns)
{
	unsigned int i;

	g->running = true;
	g->start_ns = start_ns;
	for (i = 0; i < g->nr; i++) {
		struct gap_worker *w = &g->workers[i];

		w->open = false;
		w->last_ns = 0;
		w->frozen_ns = g->frozen_ns;
		w->worst.samples = 0;
	}
}

void gap_watch_frozen(struct gap_watch *g, uint64_t ns)
{
	g->frozen_ns += ns;
}

static uint64_t length_ns(const struct gap *gap)
{
	uint64_t ns = gap->to_ns > gap->from_ns ? gap->to_ns - gap->from_ns : 0;

	return ns > gap->frozen_ns ? ns - gap->frozen_ns : 0;
}

int gap_watch_cpu(const struct gap_watch *g, unsigned int worker)
{
	const struct gap_worker *w = &g->workers[worker];

	return w->open ? w->cpu : -1;
}

void gap_watch_wait(struct gap_watch *g, unsigned int worker,
		    const struct gap_wait *wait)
{
	struct gap_worker *w = &g->workers[worker];

	if (gap_watch_cpu(g, worker) >= 0 && wait->known)
		w->tail_ns = wait->ns - w->wait_ns;
}

/*
 * What its vCPU waited since the last sample. A wait is counted when it is over,
 * so it may be of any time before; but of no more than the gap has.
 */
static void count_tail(struct gap_worker *w, bool counts)
{
	struct gap *gap = &w->now;
	uint64_t len_ns = length_ns(gap), room_ns;

	if (w->cpu < 0)
		return;
	if (counts)
		gap->host_wait_ns += w->tail_ns;
	else if (len_ns > w->len_ns)
		gap->apart_ns += len_ns - w->len_ns;
	room_ns = len_ns > gap->apart_ns ? len_ns - gap->apart_ns : 0;
	if (gap->host_wait_ns > room_ns)
		gap->host_wait_ns = room_ns;
	w->tail_ns = 0;
}

/* Of those that no sample saw there is nothing to tell. */
static void close_gap(struct gap_watch *g, struct gap_worker *w, uint64_t to_ns)
{
	if (!w->open)
		return;
	w->open = false;
	/* when it got on is not known better than between two samples */
	w->now.to_ns = to_ns;
	w->now.frozen_ns = g->frozen_ns - w->frozen_ns;
	count_tail(w, !w->at_disk);
	if (w->now.samples && (!w->worst.samples ||
			       length_ns(&w->now) > length_ns(&w->worst)))
		w->worst = w->now;
}

void gap_watch_end(struct gap_watch *g, uint64_t end_ns)
{
	unsigned int i;

	for (i = 0; g->running && i < g->nr; i++)
		close_gap(g, &g->workers[i], end_ns);
	g->running = false;
}

bool gap_watch_see(struct gap_watch *g, unsigned int worker, uint32_t pid,
		   uint64_t progress_ns, uint64_t now_ns)
{
	struct gap_worker *w = &g->workers[worker];
	uint64_t from_ns = progress_ns > g->start_ns ? progress_ns :
		g->start_ns;

	if (!g->running || !w->watched)
		return false;
	if (progress_ns != w->last_ns) {
		close_gap(g, w, progress_ns < now_ns ? progress_ns : now_ns);
		w->last_ns = progress_ns;
		w->frozen_ns = g->frozen_ns;
	}
	if (!w->open) {
		w->open = true;
		w->now.nr = w->now.samples = 0;
		w->now.every = 1;
		w->now.host_known = false;
		w->now.host_wait_ns = w->now.apart_ns = 0;
		w->cpu = -1;
		w->waits = w->at_disk = false;
		w->tail_ns = 0;
	}
	w->now.pid = pid;
	w->now.from_ns = from_ns;
	w->now.to_ns = now_ns;
	w->now.frozen_ns = g->frozen_ns - w->frozen_ns;
	return length_ns(&w->now) >= GAP_READ_NS;
}

/* Room again: what is left is still spread evenly over the gap. */
static void thin_out(struct gap *gap)
{
	unsigned int i;

	for (i = 0; i < GAP_SEEN / 2; i++)
		gap->seen[i] = gap->seen[2 * i];
	gap->nr = GAP_SEEN / 2;
	gap->every *= 2;
}

static bool works(enum gap_disk disk)
{
	return disk == GAP_DISK_BUSY || disk == GAP_DISK_THROTTLED;
}

/* Its vCPU's wait: count what was since the last sample, and begin anew. */
static void add_wait(struct gap_worker *w, const struct gap_seen *seen,
		     const struct gap_wait *wait)
{
	int cpu = wait->known ? (int)seen->now.task.cpu : -1;
	bool at_disk = seen->now.doing == MON_TASK_BLOCKED &&
		works(seen->disk);

	if (w->cpu >= 0 && w->cpu == cpu)
		w->tail_ns = wait->ns - w->wait_ns;
	count_tail(w, w->cpu == cpu && !w->at_disk && !at_disk);
	w->now.host_known |= wait->known;
	w->cpu = cpu;
	w->waits = wait->known && wait->now;
	w->at_disk = at_disk;
	w->wait_ns = wait->ns;
	w->len_ns = length_ns(&w->now);
}

void gap_watch_add(struct gap_watch *g, unsigned int worker,
		   const struct gap_seen *seen, const struct gap_wait *wait)
{
	struct gap_worker *w = &g->workers[worker];
	struct gap *gap = &w->now;

	if (!w->open)
		return;
	add_wait(w, seen, wait);
	if (gap->samples++ % gap->every)
		return;
	/* full by a number of samples that the next step divides too */
	if (gap->nr == GAP_SEEN)
		thin_out(gap);
	gap->seen[gap->nr] = *seen;
	gap->seen[gap->nr++].host_wait_ns = wait->known ?
		(int64_t)gap->host_wait_ns : -1;
}

int gap_watch_look(struct gap_watch *g, uint64_t now_ns)
{
	uint64_t longest = 0, ns;
	int found = -1;
	unsigned int i;

	if (!g->running || !g->look_ns || g->looks == GAP_LOOKS ||
	    (g->looks && now_ns < g->looked_at_ns + GAP_LOOK_EVERY_NS))
		return -1;
	for (i = 0; i < g->nr; i++) {
		const struct gap_worker *w = &g->workers[i];

		if (w->open && w->waits)
			return -1;
		ns = w->open ? length_ns(&w->now) : 0;
		if (ns < g->look_ns || ns <= longest || w->looked)
			continue;
		longest = ns;
		found = i;
	}
	if (found < 0)
		return -1;
	g->workers[found].looked = true;
	g->looks++;
	g->looked_at_ns = now_ns;
	return found;
}

void gap_watch_missed(struct gap_watch *g, unsigned int worker)
{
	g->workers[worker].looked = false;
	g->looks--;
}

/* as JSON */

static const char *doing_name(const struct gap_seen *seen)
{
	static const char *const names[] = {
		[MON_TASK_RUNS] = "runs",
		[MON_TASK_RUNNABLE] = "runnable",
		[MON_TASK_BLOCKED] = "blocked",
		[MON_TASK_SLEEPS] = "sleeps",
		[MON_TASK_STOPPED] = "stopped",
		[MON_TASK_OTHER] = "other",
	};

	return names[seen->now.doing];
}

static json_t *disk_json(const struct gap_seen *seen)
{
	static const char *const names[] = {
		[GAP_DISK_IDLE] = "idle",
		[GAP_DISK_BUSY] = "busy",
		[GAP_DISK_THROTTLED] = "throttled",
	};

	if (seen->disk == GAP_DISK_NONE)
		return json_null();
	return json_pack("{s:s, s:I}", "is", names[seen->disk], "done",
			 (json_int_t)seen->disk_done);
}

/* Of what is below 0 nothing is known. */
static json_t *known_json(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *seen_json(const struct gap_seen *seen, uint64_t start_ns)
{
	const struct mon_task *task = &seen->now.task, *curr = &seen->now.curr;
	bool queued = task->on_dsq;
	char text[32];

	return json_pack(
		"{s:I, s:s, s:i, s:b, s:b, s:o, s:o, s:o, s:{s:I, s:s, s:b}, s:o, s:o}",
		"at_ns", (json_int_t)(seen->at_ns - start_ns),
		"is", doing_name(seen), "cpu", (int)task->cpu,
		"ext", seen->now.ext, "bypassed", seen->bypassed,
		"dsq", queued ? json_string(look_dsq_name(task->dsq_id, text)) :
		json_null(),
		"dsq_nr", queued ? json_integer(task->dsq_nr) : json_null(),
		"ran_ns", known_json(seen->now.ran_ns),
		"curr", "pid", (json_int_t)curr->pid, "comm", curr->comm,
		"idle", curr->idle,
		"disk", disk_json(seen),
		"host_wait_ns", known_json(seen->host_wait_ns));
}

static json_t *gap_json(const struct gap *gap, uint64_t start_ns)
{
	json_t *seen = json_array();
	unsigned int i;

	for (i = 0; i < gap->nr; i++)
		json_array_append_new(seen, seen_json(&gap->seen[i], start_ns));
	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:i, s:o}",
			 "pid", (json_int_t)gap->pid,
			 "from_ns", (json_int_t)(gap->from_ns - start_ns),
			 "to_ns", (json_int_t)(gap->to_ns - start_ns),
			 "gap_ns", (json_int_t)length_ns(gap),
			 "host_wait_ns", gap->host_known ?
			 json_integer(gap->host_wait_ns) : json_null(),
			 "samples", (int)gap->samples, "seen", seen);
}

/* The longest that is shorter than the one before it, or comes after it. */
static int next_worst(const struct gap_watch *g, int before)
{
	int found = -1;
	unsigned int i;

	for (i = 0; i < g->nr; i++) {
		uint64_t ns = length_ns(&g->workers[i].worst);
		uint64_t last = before < 0 ? UINT64_MAX :
			length_ns(&g->workers[before].worst);

		if (!g->workers[i].worst.samples || ns > last ||
		    (ns == last && (int)i <= before))
			continue;
		if (found < 0 || ns > length_ns(&g->workers[found].worst))
			found = i;
	}
	return found;
}

json_t *gap_watch_json(const struct gap_watch *g,
		       json_t *(*worker)(void *ctx, unsigned int worker),
		       void *ctx)
{
	json_t *list = json_array(), *one;
	unsigned int n;
	int i = -1;

	for (n = 0; n < GAP_LISTED; n++) {
		i = next_worst(g, i);
		if (i < 0)
			break;
		one = gap_json(&g->workers[i].worst, g->start_ns);
		if (one && worker)
			json_object_update_new(one, worker(ctx, i));
		json_array_append_new(list, one);
	}
	return list;
}
