// SPDX-License-Identifier: GPL-2.0-only
/* Who ended the run, and what became of the scheduler (DESIGN 9). */
#include "runner/judge_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a run can end, by facts.end.kind. */
enum ending {
	ENDING_DONE,	/* the agent said so */
	ENDING_CUT,	/* somebody stopped ktstr */
	ENDING_HANG,	/* time ran out */
	ENDING_GUEST,	/* the guest went down */
	ENDING_MACHINE,	/* the VM or ktstr itself failed */
};

static const struct end_kind {
	const char *name;
	enum ending ending;
	const char *text;
} end_kinds[] = {
	{ "done", ENDING_DONE, "" },
	{ "interrupted", ENDING_CUT, "it was interrupted" },
	{ "overrun", ENDING_HANG, "a phase took far longer than asked" },
	{ "deadline", ENDING_HANG, "the deadline of the VM passed" },
	{ "reset", ENDING_GUEST, "the guest reset itself" },
	{ "poweroff", ENDING_GUEST, "the guest powered itself off" },
	{ "triple-fault", ENDING_GUEST, "the guest died of a triple fault" },
	{ "internal-error", ENDING_MACHINE, "KVM could not go on" },
	{ "entry-failed", ENDING_MACHINE, "KVM could not enter the guest" },
	{ "host-error", ENDING_MACHINE, "a call of the host failed" },
	{ "protocol", ENDING_MACHINE, "the agent's messages broke off" },
	{ "stopped", ENDING_MACHINE, "the VM was stopped" },
};

static const struct end_kind unknown_end = { "unknown", ENDING_MACHINE,
					     "the VM ended unexplained" };

static const struct end_kind *end_kind_find(const char *name)
{
	size_t i;

	for (i = 0; name && i < sizeof(end_kinds) / sizeof(end_kinds[0]); i++)
		if (!strcmp(end_kinds[i].name, name))
			return &end_kinds[i];
	return &unknown_end;
}

/* Is @text in a line of the console's end or of the kernel's complaints? */
static bool guest_said(const struct court *c, const char *text)
{
	const json_t *lists[] = {
		json_path(c->facts, "end", "console_tail", NULL),
		json_path(c->facts, "agent", "kmsg_problems", NULL),
	};
	const json_t *line;
	size_t i, j;

	for (i = 0; i < 2; i++)
		json_array_foreach(lists[i], j, line)
			if (json_is_string(line) &&
			    strstr(json_string_value(line), text))
				return true;
	return false;
}

/* From here on a guest that dies is the scheduler's business. */
static bool is_attached(const struct court *c)
{
	static const char *const before[] = { "boot", "hello" };
	const json_t *said = json_path(c->facts, "end", "scheduler_attached",
				       NULL);
	const char *stage = json_text(json_object_get(c->facts, "end"),
				      "stage");
	size_t i;

	if (c->has_scheduler && json_is_boolean(said))
		return json_is_true(said);
	if (!stage)
		return false;
	for (i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		if (!strcmp(stage, before[i]))
			return false;
	return true;
}

static void guest_down(const struct court *c, const struct end_kind *kind,
		       const char *stage, struct finding *f)
{
	const char *text = kind->text;

	if (c->emulated && guest_said(c, "int3")) {
		finding_set(f, VERDICT_ERROR,
			    "a known fault of the emulating machine: oops at int3");
		return;
	}
	if (guest_said(c, "Attempted to kill init")) {
		finding_set(f, VERDICT_ERROR, "the agent died at stage %s",
			    stage);
		return;
	}
	if (kind->ending == ENDING_GUEST && guest_said(c, "Kernel panic"))
		text = "the guest's kernel panicked";
	if (c->attached)
		finding_set(f, VERDICT_FAIL, "guest: %s at stage %s", text,
			    stage);
	else
		finding_set(f, VERDICT_ERROR,
			    "%s at stage %s, before the scheduler was attached",
			    text, stage);
}

/* The agent gave up. Waiting in vain for others is not its own fault. */
static void agent_fatal(const struct court *c, const json_t *fatal,
			struct finding *f)
{
	const char *stage = json_text(fatal, "stage");
	const char *message = json_text(fatal, "message");
	const char *what = json_text(fatal, "what");
	long long code = llabs(json_integer_value(
		json_object_get(fatal, "errno")));
	bool waited = code == ETIMEDOUT || code == EBUSY;

	if (waited && c->attached)
		finding_set(f, VERDICT_FAIL,
			    "guest: the agent waited in vain at stage %s: %s",
			    stage ? stage : "?",
			    message ? message : what ? what : "");
	else
		finding_set(f, VERDICT_ERROR, "the agent gave up at stage %s: %s",
			    stage ? stage : "?",
			    message ? message : what ? what : "");
}

bool scheduler_left(const struct court *c)
{
	const json_t *s = json_object_get(c->facts, "scheduler");
	const char *state = json_text(s, "state");

	return json_is_object(json_object_get(s, "failed")) ||
	       json_is_object(json_object_get(s, "exit")) ||
	       (state && (!strcmp(state, "gone") || !strcmp(state, "failed")));
}

/* The first measured phase that is not complete, or NULL. */
static const char *cut_phase(const struct court *c)
{
	const json_t *phases = json_object_get(c->facts, "phases");
	const json_t *phase;
	size_t i;

	if (!json_array_size(phases))
		return "any";
	json_array_foreach(phases, i, phase)
		if (!json_is_true(json_object_get(phase, "complete")))
			return json_text(phase, "name");
	return NULL;
}

static void done(const struct court *c, struct finding *f)
{
	const json_t *ok = json_path(c->facts, "agent", "topology_ok", NULL);
	const char *phase = cut_phase(c);

	if (json_is_false(ok))
		finding_set(f, VERDICT_ERROR,
			    "the guest's topology is not what was asked for");
	else if (phase && !scheduler_left(c))
		finding_set(f, VERDICT_ERROR,
			    "the run ended, but not phase %s", phase);
	else
		f->verdict = VERDICT_PASS;
}

void judge_end(struct court *c)
{
	const json_t *end = json_object_get(c->facts, "end");
	const json_t *fatal = json_path(c->facts, "agent", "fatal", NULL);
	const struct end_kind *kind = end_kind_find(json_text(end, "kind"));
	const char *stage = json_text(end, "stage");
	const char *detail = json_text(end, "detail");
	struct finding f = {
		.metric = "run",
		.op = "equals",
		.limit = json_string("done"),
		.value = json_string(json_text(end, "kind") ?
				     kind->name : "unknown"),
		.automatic = "end",
		.says_all = true,
	};

	c->attached = is_attached(c);
	if (!stage)
		stage = "unknown";
	if (json_is_object(fatal)) {
		agent_fatal(c, fatal, &f);
		court_find(c, &f);
		return;
	}
	switch (kind->ending) {
	case ENDING_DONE:
		done(c, &f);
		break;
	case ENDING_CUT:
		finding_set(&f, VERDICT_INCONCLUSIVE, "%s at stage %s",
			    kind->text, stage);
		break;
	case ENDING_HANG:
	case ENDING_GUEST:
		guest_down(c, kind, stage, &f);
		break;
	case ENDING_MACHINE:
		finding_set(&f, VERDICT_ERROR, "%s at stage %s%s%s",
			    kind->text, stage, detail && *detail ? ": " : "",
			    detail ? detail : "");
		break;
	}
	court_find(c, &f);
}

/* the scheduler */

/* Source: enum scx_exit_kind of the kernel; 64 and up are ends. */
#define SCX_EXIT_ERROR 1024
#define SCX_EXIT_ERROR_STALL 1026

static const char *exit_class(const json_t *exit)
{
	json_int_t kind = json_integer_value(json_object_get(exit, "kind"));
	const char *reason = json_text(exit, "reason");

	if (kind == SCX_EXIT_ERROR_STALL)
		return "stall";
	if (kind >= SCX_EXIT_ERROR)
		return "error";
	if (kind > 0)
		return "exit";
	/* no number: the kernel log's words */
	if (reason && strstr(reason, "stall"))
		return "stall";
	return reason ? "error" : "exit";
}

/* The worker with that pid, as "web: worker 0". */
static bool name_worker(const struct court *c, json_int_t pid, char *buf,
			size_t len)
{
	json_t *workloads = json_object_get(c->facts, "workloads");
	const json_t *workload, *worker;
	const char *name;
	size_t i;

	json_object_foreach(workloads, name, workload) {
		json_array_foreach(json_object_get(workload, "workers_detail"),
				   i, worker) {
			if (json_integer_value(json_object_get(worker,
							       "pid")) != pid)
				continue;
			snprintf(buf, len, "%s: worker %lld", name,
				 (long long)json_integer_value(
					 json_object_get(worker, "index")));
			return true;
		}
	}
	return false;
}

/* The kernel's message says "comm[PID] failed to run for 3.012s". */
static void name_task(const struct court *c, const char *message,
		      struct finding *f)
{
	const char *bracket = message ? strchr(message, '[') : NULL;
	char worker[96];
	long pid;
	char *end;
	size_t used = strlen(f->reason);

	if (!bracket)
		return;
	pid = strtol(bracket + 1, &end, 10);
	if (*end == ']' && pid > 0 &&
	    name_worker(c, pid, worker, sizeof(worker)))
		snprintf(f->reason + used, sizeof(f->reason) - used, " (%s)",
			 worker);
}

/* The first phase whose end did not see it enabled; NULL: none. */
static const json_t *phase_without(const struct court *c)
{
	const json_t *phase, *state;
	size_t i;

	json_array_foreach(json_object_get(c->facts, "phases"), i, phase) {
		state = json_path(phase, "sched", "state", NULL);
		if (!json_is_true(json_object_get(phase, "complete")) ||
		    !json_is_string(state) ||
		    strcmp(json_string_value(state), "enabled"))
			return phase;
	}
	return NULL;
}

static void load_failed(const json_t *failed, struct finding *f)
{
	const char *stage = json_text(failed, "stage");
	const char *message = json_text(failed, "message");
	const char *log = json_text(failed, "log");
	bool verifier = stage && !strcmp(stage, "load") && log && *log;

	f->value = json_string("failed");
	finding_set(f, VERDICT_FAIL, "load: %s%s%s",
		    verifier ? "the verifier rejected it" :
			       "it could not be started",
		    verifier || !stage ? "" : ": ",
		    verifier || !stage ? "" : stage);
	if (message && *message) {
		size_t used = strlen(f->reason);

		snprintf(f->reason + used, sizeof(f->reason) - used, ": %s",
			 message);
	}
}

static void has_left(struct court *c, const json_t *exit, const char *expect,
		     struct finding *f)
{
	const json_t *phase = phase_without(c);
	const char *class = json_is_object(exit) ? exit_class(exit) : "exit";
	const char *reason = json_text(exit, "reason");
	const char *message = json_text(exit, "message");
	const char *name = json_text(phase, "name");
	const char *verb = !strcmp(class, "stall") ? "stalled" :
			   !strcmp(class, "error") ? "ended with an error" :
						     "left by itself";

	f->value = json_string(class);
	f->phase = name;
	if (!strcmp(class, expect)) {
		f->verdict = VERDICT_PASS;
		snprintf(f->reason, sizeof(f->reason), "as expected%s%s",
			 reason ? ": " : "", reason ? reason : "");
		return;
	}
	finding_set(f, VERDICT_FAIL, "it %s%s%s%s%s", verb,
		    reason ? ": " : "", reason ? reason : "",
		    message && *message ? ": " : "",
		    message ? message : "");
	if (json_text(exit, "program")) {
		size_t used = strlen(f->reason);

		snprintf(f->reason + used, sizeof(f->reason) - used, "; %s",
			 json_text(exit, "program"));
	}
	name_task(c, message, f);
}

static void still_there(struct court *c, const char *expect, struct finding *f)
{
	const json_t *phase = phase_without(c);
	const json_t *state = json_path(phase, "sched", "state", NULL);

	if (!json_array_size(json_object_get(c->facts, "phases")) ||
	    (phase && !json_is_string(state))) {
		finding_set(f, VERDICT_INCONCLUSIVE, "its state is not known");
		return;
	}
	if (phase && strcmp(json_string_value(state), "enabled")) {
		f->phase = json_text(phase, "name");
		f->value = json_incref((json_t *)state);
		finding_set(f, VERDICT_FAIL,
			    "sched_ext was %s at the end of the phase",
			    json_string_value(state));
		return;
	}
	f->value = json_string("running");
	if (strcmp(expect, "running"))
		finding_set(f, VERDICT_FAIL, "it still ran, expected was %s",
			    expect);
	else if (phase)
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "phase %s did not run to its end",
			    json_text(phase, "name"));
	else
		f->verdict = VERDICT_PASS;
}

void judge_scheduler(struct court *c)
{
	const json_t *facts = json_object_get(c->facts, "scheduler");
	const json_t *failed = json_object_get(facts, "failed");
	const json_t *exit = json_object_get(facts, "exit");
	const char *expect = json_text(json_object_get(c->plan, "scheduler"),
				       "expect");
	struct finding f = {
		.metric = "scheduler",
		.op = "equals",
		.automatic = "scheduler",
	};

	if (!c->has_scheduler)
		return;
	if (!expect)
		expect = "running";
	/* one that never started is judged even where the check is off */
	if (!json_is_object(failed) &&
	    !json_is_true(json_object_get(c->automatic, "scheduler")))
		return;
	f.limit = json_string(expect);
	if (json_is_object(failed))
		load_failed(failed, &f);
	else if (scheduler_left(c))
		has_left(c, exit, expect, &f);
	else
		still_there(c, expect, &f);
	court_find(c, &f);
}
