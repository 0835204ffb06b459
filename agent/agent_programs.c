// SPDX-License-Identifier: GPL-2.0-only
/* What the scenario's own programs left behind, told to the host. */
#include "agent/agent.h"

#include "agent/load_exec.h"
#include "agent/plan.h"
#include "agent/sched_exec.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_WAIT_NS (5 * NSEC_PER_SEC)

/* LOAD_OUTPUT: one line of JSON, then the bytes. Takes the reference. */
static void send_bytes(struct agent *a, json_t *head, const void *data,
		       size_t len)
{
	char *line = head ? json_dumps(head, JSON_COMPACT) : NULL;
	size_t line_len = line ? strlen(line) : 0;
	char *msg = line ? malloc(line_len + 1 + len) : NULL;
	int err = -ENOMEM;

	if (msg) {
		memcpy(msg, line, line_len);
		msg[line_len] = '\n';
		memcpy(msg + line_len + 1, data, len);
		/* nothing of it is to be dropped because the host is slow */
		port_flush(&a->port, FLUSH_WAIT_NS);
		err = port_send(&a->port, KTSTR_MSG_LOAD_OUTPUT, msg,
				line_len + 1 + len);
	}
	if (err)
		log_warn("agent: output of a program: %s", strerror(-err));
	free(msg);
	free(line);
	json_decref(head);
}

/* @workload: its index; -1: the scheduler. */
static void send_output(struct agent *a, int workload, int worker,
			const struct program_output *output)
{
	static const char *const names[] = { "stdout", "stderr" };
	char *text = malloc(CAPTURE_TEXT_MAX);
	int i;

	for (i = 0; text && i < 2; i++) {
		const struct capture *c = &output->streams[i];
		size_t len = capture_text(c, text);

		if (len)
			send_bytes(a, json_pack("{s:i, s:i, s:s, s:I}",
						"workload", workload, "worker",
						worker, "stream", names[i],
						"bytes",
						(json_int_t)c->total),
				   text, len);
	}
	free(text);
}

static void send_load(struct agent *a, const struct worker *w)
{
	const struct plan_workload *workload =
		&a->plan->workloads[w->workload];
	const struct load_exec_yield *y = load_exec_yield(w->exec);

	send_output(a, w->workload, w->index, &y->output);
	if (y->json_len)
		send_bytes(a, json_pack("{s:i, s:i, s:s, s:I}", "workload",
					(int)w->workload, "worker",
					(int)w->index, "stream", "json",
					"bytes", (json_int_t)y->json_len),
			   y->json, y->json_len);
	port_send_json(&a->port, KTSTR_MSG_LOAD_END,
		       load_exec_report(w->exec, workload, w->index));
}

void agent_send_programs(struct agent *a)
{
	unsigned int nr;

	if (a->sched.output)
		send_output(a, -1, 0, a->sched.output);
	for (nr = 0; nr < a->workers.nr; nr++)
		if (a->workers.workers[nr].exec)
			send_load(a, &a->workers.workers[nr]);
}
