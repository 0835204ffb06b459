// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the scenario's programs left behind: kept in the run's folder, and made
 * into facts. On the main loop's thread. The agent sends it when all is over.
 */
#include "runner/session.h"

#include "lib/log.h"
#include "lib/path.h"
#include "runner/facts_exec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 512		/* of the line before the bytes */
#define KEPT_MAX (64u << 20)	/* bytes of all programs together */

static const char *const stream_names[EXEC_NR_STREAMS] = {
	[EXEC_STDOUT] = "stdout", [EXEC_STDERR] = "stderr",
	[EXEC_JSON] = "json",
};

/* The copies of one workload's program. */
struct load_group {
	json_t *exec;		/* borrowed of the plan; NULL: none */
	struct exec_yield *yields;
	unsigned int nr;
};

struct session_load {
	struct load_group *groups; /* one for each workload */
	size_t nr;
	struct exec_yield scheduler;
	size_t kept;
};

int session_load_open(struct session *s)
{
	json_t *workloads = json_object_get(s->plan, "workloads"), *w;
	struct session_load *x = calloc(1, sizeof(*x));
	size_t i;

	s->load = x;
	if (!x)
		return -ENOMEM;
	x->nr = json_array_size(workloads);
	x->groups = calloc(x->nr ? x->nr : 1, sizeof(*x->groups));
	if (!x->groups)
		return -ENOMEM;
	json_array_foreach(workloads, i, w) {
		struct load_group *g = &x->groups[i];

		g->exec = json_object_get(w, "exec");
		if (!g->exec)
			continue;
		g->nr = json_integer_value(json_object_get(w, "workers"));
		g->yields = calloc(g->nr, sizeof(*g->yields));
		if (!g->yields)
			return -ENOMEM;
	}
	return 0;
}

void session_load_close(struct session *s)
{
	struct session_load *x = s->load;
	unsigned int j;
	size_t i;

	if (!x)
		return;
	for (i = 0; x->groups && i < x->nr; i++) {
		for (j = 0; x->groups[i].yields && j < x->groups[i].nr; j++)
			exec_yield_fini(&x->groups[i].yields[j]);
		free(x->groups[i].yields);
	}
	exec_yield_fini(&x->scheduler);
	free(x->groups);
	free(x);
}

/* Whose message it is; NULL: nobody's. @name: of its files. */
static struct exec_yield *find(struct session *s, json_t *head, char *name,
			       size_t len)
{
	json_t *workload = json_object_get(head, "workload");
	json_t *worker = json_object_get(head, "worker");
	json_int_t w = json_integer_value(workload);
	json_int_t i = json_integer_value(worker);
	struct session_load *x = s->load;

	if (!x || !json_is_integer(workload) || !json_is_integer(worker))
		return NULL;
	if (w == -1 && json_is_object(json_object_get(
			json_object_get(s->plan, "scheduler"), "exec"))) {
		snprintf(name, len, "scheduler");
		return &x->scheduler;
	}
	if (w < 0 || (size_t)w >= x->nr || !x->groups[w].exec || i < 0 ||
	    i >= x->groups[w].nr)
		return NULL;
	snprintf(name, len, "%s.%u", json_string_value(json_object_get(
		json_array_get(json_object_get(s->plan, "workloads"), w),
		"name")), (unsigned int)i);
	return &x->groups[w].yields[i];
}

static int find_stream(json_t *head)
{
	const char *name = json_string_value(json_object_get(head, "stream"));
	int i;

	for (i = 0; name && i < EXEC_NR_STREAMS; i++)
		if (!strcmp(name, stream_names[i]))
			return i;
	return -1;
}

static void write_file(const struct session *s, const char *name,
		       const char *stream, const char *text, size_t len)
{
	char *file = NULL, *path = NULL;
	int err = -ENOMEM;

	if (asprintf(&file, "%s.%s", name, stream) >= 0)
		path = path_join(s->out_dir, file);
	else
		file = NULL;
	if (path)
		err = path_write_file(path, text, len);
	if (err)
		log_err("session: %s of %s: %s", stream, name, strerror(-err));
	free(file);
	free(path);
}

/* Each stream comes once. Return: false: it is not as it should be. */
static bool take(struct session *s, json_t *head, const char *text, size_t len)
{
	char name[96];
	struct exec_yield *y = find(s, head, name, sizeof(name));
	int stream = find_stream(head);

	if (!y || stream < 0 || y->text[stream] ||
	    len > KEPT_MAX - s->load->kept)
		return false;
	y->text[stream] = malloc(len ? len : 1);
	if (!y->text[stream])
		return false;
	memcpy(y->text[stream], text, len);
	y->len[stream] = len;
	y->bytes[stream] = json_integer_value(json_object_get(head, "bytes"));
	s->load->kept += len;
	write_file(s, name, stream_names[stream], text, len);
	return true;
}

static void on_output(struct session *s, const struct frame *f)
{
	const char *text = (const char *)f->payload;
	const char *newline = memchr(text, '\n', f->len < HEAD_MAX ? f->len :
							HEAD_MAX);
	json_t *head = newline ? json_loadb(text, newline - text, 0, NULL) :
				 NULL;

	if (!head || !take(s, head, newline + 1,
			   f->len - (newline + 1 - text)))
		s->ignored_msgs++;
	json_decref(head);
}

static void on_end(struct session *s, const struct frame *f)
{
	json_t *body = json_loadb((const char *)f->payload, f->len, 0, NULL);
	char name[96];
	struct exec_yield *y = find(s, body, name, sizeof(name));

	if (y && !y->end)
		y->end = json_incref(body);
	else
		s->ignored_msgs++;
	json_decref(body);
}

bool session_load_frame(struct session *s, const struct frame *f)
{
	if (f->type == KTSTR_MSG_LOAD_OUTPUT)
		on_output(s, f);
	else if (f->type == KTSTR_MSG_LOAD_END)
		on_end(s, f);
	else
		return false;
	return true;
}

/* Number of the workload's first worker in the shared region. */
static unsigned int first_worker(const struct session *s, unsigned int workload)
{
	json_t *workloads = json_object_get(s->plan, "workloads");
	unsigned int i, first = 0;

	for (i = 0; i < workload; i++)
		first += json_integer_value(json_object_get(
			json_array_get(workloads, i), "workers"));
	return first;
}

/* One copy in one phase. */
static void complete_worker(const struct session *s, unsigned int nr,
			    int phase, const struct exec_yield *y,
			    json_t *worker)
{
	const struct phase_record *p = &s->phases[phase];
	const struct ktstr_shm_hdr *hdr = (const void *)s->shm;
	const struct ktstr_cell *cells = (const void *)(s->shm +
							hdr->cells_off);

	json_object_set_new(worker, "ran", facts_exec_ran(
		y, p->guest_start_ns, p->guest_end_ns));
	json_object_set_new(worker, "waiting_tasks", json_integer(
		json_integer_value(json_object_get(worker, "cpu_time_ns")) ? 0 :
		(json_int_t)cells[nr * s->nr_phases + phase].run_count));
}

void session_load_facts(const struct session *s, unsigned int workload,
			int phase, json_t *stats)
{
	const struct load_group *g = &s->load->groups[workload];
	unsigned int first = first_worker(s, workload);
	struct frozen_view frozen = session_frozen_view(s, 0);
	json_t *worker;
	size_t i;

	if (!g->exec)
		return;
	facts_exec_narrow(stats);
	if (phase < 0) {
		json_object_update_new(stats, facts_exec_totals(
			g->exec, g->yields, g->nr, &frozen));
		return;
	}
	json_array_foreach(json_object_get(stats, "workers_detail"), i, worker)
		if (i < g->nr)
			complete_worker(s, first + i, phase, &g->yields[i],
					worker);
}
