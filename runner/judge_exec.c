// SPDX-License-Identifier: GPL-2.0-only
/* The automatic checks of a scenario's own programs. */
#include "runner/judge_priv.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 240	/* of what it said last */

bool judge_is_program(const json_t *planned)
{
	return json_is_object(json_object_get(planned, "exec"));
}

/* "hackbench" of "/usr/bin/hackbench" */
static const char *program_name(const json_t *planned)
{
	const char *path = json_text(json_object_get(planned, "exec"),
				     "program");
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "?";
}

/* ends */

static void add_words(const json_t *program, struct finding *f)
{
	const json_t *line;
	char words[WORDS_MAX] = "";
	size_t i, used = 0;

	json_array_foreach(json_object_get(program, "stderr"), i, line)
		if (used < sizeof(words))
			used += snprintf(words + used, sizeof(words) - used,
					 "%s%s", i ? " | " : ": ",
					 json_string_value(line));
	used = strlen(f->reason);
	snprintf(f->reason + used, sizeof(f->reason) - used, "%s", words);
}

static void judge_exit(const char *who, const json_t *program, int code,
		       struct finding *f)
{
	f->value = json_integer(code);
	if (!code) {
		f->verdict = VERDICT_PASS;
		return;
	}
	finding_set(f, VERDICT_FAIL, "%s exited with status %d", who, code);
	add_words(program, f);
}

static void judge_signal(const char *who, const json_t *program, int code,
			 struct finding *f)
{
	const char *name = sigabbrev_np(code);

	finding_set(f, VERDICT_FAIL, "%s died of SIG%s", who,
		    name ? name : "?");
	add_words(program, f);
}

static void judge_stopped(const char *who, const json_t *program, int code,
			  struct finding *f)
{
	f->verdict = VERDICT_PASS;
	snprintf(f->reason, sizeof(f->reason), "%s ran to the end of the phases",
		 who);
}

static void judge_killed(const char *who, const json_t *program, int code,
			 struct finding *f)
{
	finding_set(f, VERDICT_PASS,
		    "warning: %s did not end after SIGTERM and was killed",
		    who);
}

static void judge_not_started(const char *who, const json_t *program, int code,
			      struct finding *f)
{
	finding_set(f, VERDICT_ERROR, "%s could not be started: %s", who,
		    strerror(code < 0 ? -code : code));
}

static const struct {
	const char *end;
	void (*judge)(const char *who, const json_t *program, int code,
		      struct finding *f);
} ends[] = {
	{ "exited", judge_exit },
	{ "signaled", judge_signal },
	{ "stopped", judge_stopped },
	{ "killed", judge_killed },
	{ "not started", judge_not_started },
};

static void judge_one_end(const json_t *planned, const json_t *program,
			  struct finding *f)
{
	const char *end = json_text(program, "end");
	int code = json_integer_value(json_object_get(program, "code"));
	char who[160];
	size_t i;

	if (json_integer_value(json_object_get(planned, "workers")) > 1)
		snprintf(who, sizeof(who), "%s (%s, copy %lld)",
			 program_name(planned), json_text(planned, "name"),
			 (long long)json_integer_value(
				 json_object_get(program, "index")));
	else
		snprintf(who, sizeof(who), "%s (%s)", program_name(planned),
			 json_text(planned, "name"));
	for (i = 0; end && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(ends[i].end, end)) {
			ends[i].judge(who, program, code, f);
			return;
		}
	finding_set(f, VERDICT_INCONCLUSIVE, "how %s ended is not known", who);
}

/* Of all copies the worst one; a warning is not lost on a good one. */
static void judge_ends(const json_t *planned, const json_t *programs,
		       struct finding *worst)
{
	const json_t *program;
	size_t i;

	json_array_foreach(programs, i, program) {
		struct finding f = { .verdict = VERDICT_SKIP };

		judge_one_end(planned, program, &f);
		if (i && f.verdict <= worst->verdict &&
		    (f.verdict < worst->verdict || worst->reason[0])) {
			json_decref(f.value);
			continue;
		}
		json_decref(worst->value);
		worst->value = f.value;
		worst->verdict = f.verdict;
		memcpy(worst->reason, f.reason, sizeof(f.reason));
	}
}

static void judge_program(struct court *c, const json_t *planned)
{
	const char *name = json_text(planned, "name");
	const json_t *programs = json_path(c->facts, "workloads", name,
					   "programs", NULL);
	char metric[96];
	struct finding f = {
		.metric = metric,
		.op = "equals",
		.limit = json_integer(0),
		.automatic = "program",
		.says_all = true,
	};

	snprintf(metric, sizeof(metric), "%s.program", name);
	if (json_array_size(programs))
		judge_ends(planned, programs, &f);
	else
		finding_set(&f, VERDICT_INCONCLUSIVE,
			    "how %s (%s) ended is not known",
			    program_name(planned), name);
	court_find(c, &f);
}

void judge_programs(struct court *c)
{
	const json_t *planned;
	size_t i;

	json_array_foreach(json_object_get(c->plan, "workloads"), i, planned)
		if (judge_is_program(planned))
			judge_program(c, planned);
}

/* progress */

/*
 * Return: false, with the reason in @f, if nothing more is to be said of the
 * phase.
 */
static bool judge_one_progress(const char *name, const json_t *worker,
			       struct finding *f, json_int_t *least)
{
	const json_t *ran = json_object_get(worker, "ran");
	json_int_t ns = json_integer_value(json_object_get(worker,
							   "cpu_time_ns"));
	json_int_t waiting = json_integer_value(
		json_object_get(worker, "waiting_tasks"));

	if (!json_is_boolean(ran)) {
		finding_set(f, VERDICT_INCONCLUSIVE,
			    "whether the program ran is not known");
		return false;
	}
	if (json_is_false(ran) || (!ns && !waiting))
		return true; /* it had ended, or slept */
	if (*least < 0 || ns < *least)
		*least = ns;
	if (ns)
		return true;
	f->says_all = true;
	finding_set(f, VERDICT_FAIL,
		    "%s: program %lld had no CPU time in phase %s, with %lld tasks that waited for it",
		    name, (long long)json_integer_value(
			    json_object_get(worker, "index")), f->phase,
		    (long long)waiting);
	return false;
}

void judge_program_progress(const char *name, const json_t *workers,
			    struct finding *f)
{
	json_int_t least = -1;
	const json_t *worker;
	size_t i;

	f->unit = "ns";
	json_array_foreach(workers, i, worker)
		if (!judge_one_progress(name, worker, f, &least))
			break;
	if (least >= 0)
		f->value = json_integer(least);
	if (i < json_array_size(workers))
		return;
	if (least < 0)
		finding_set(f, VERDICT_SKIP,
			    "the program had ended before, or wanted no CPU");
	else
		f->verdict = VERDICT_PASS;
}
