// SPDX-License-Identifier: GPL-2.0-only
#include "lib/json_get.h"
#include "runner/blame_priv.h"

#include <stdbool.h>
#include <string.h>

/* Of this phase, and with tasks; for the totals any phase's. */
static bool look_counts(const struct blame_scene *s, const json_t *look)
{
	const char *phase = json_str(s->part, "name");
	const char *of = json_str(look, "phase");

	return json_is_array(json_object_get(look, "tasks")) &&
		(!phase || (of && !strcmp(of, phase)));
}

/* Taken because this very worker did not get on. */
static bool is_own(const struct blame_scene *s, const json_t *look)
{
	const char *why = json_str(look, "why"), *name = json_str(look, "name");
	char own[128];

	if (!s->worker || !why || !name || strcmp(why, "gap"))
		return false;
	snprintf(own, sizeof(own), "%s/%.0f", s->name,
		 json_num(s->worker, "index"));
	return !strcmp(name, own);
}

static bool is_death(const json_t *look)
{
	const char *why = json_str(look, "why");

	return why && !strcmp(why, "death");
}

/* How much a look tells of what is to be explained. */
static unsigned int worth(const struct blame_scene *s, const json_t *look)
{
	if (is_death(look))
		return 2;
	return is_own(s, look) ? 3 : 1;
}

/* The victim's own, else the death, else the last one of that phase. */
const json_t *blame_look_of(const struct blame_scene *s)
{
	const json_t *list = json_object_get(json_object_get(s->facts,
							     "looks"), "list");
	const json_t *found = NULL, *look;
	size_t i;

	json_array_foreach(list, i, look)
		if (look_counts(s, look) &&
		    (!found || worth(s, look) >= worth(s, found)))
			found = look;
	return found;
}

static const json_t *task_find(const json_t *tasks, json_int_t pid,
			       json_int_t cpu)
{
	const json_t *task;
	size_t i;

	json_array_foreach(tasks, i, task) {
		bool runs = json_is_true(json_object_get(task, "running"));

		if (pid ? json_num(task, "pid") == pid :
			  runs && json_num(task, "cpu") == cpu)
			return task;
	}
	return NULL;
}

/* The victim among those that wait, or NULL. */
static const json_t *waits_in(const struct blame_scene *s, const json_t *look)
{
	const json_t *task = s->pid ? task_find(json_object_get(look, "tasks"),
						s->pid, 0) : NULL;

	return json_is_true(json_object_get(task, "running")) ? NULL : task;
}

struct blame_waits blame_count_waits(const struct blame_scene *s)
{
	const json_t *list = json_object_get(json_object_get(s->facts,
							     "looks"), "list");
	struct blame_waits n = { 0 };
	const json_t *look;
	size_t i;

	json_array_foreach(list, i, look) {
		const json_t *task;

		if (!look_counts(s, look))
			continue;
		task = waits_in(s, look);
		n.looks++;
		n.waited += task != NULL;
		n.kept += task && !json_str(task, "dsq");
	}
	return n;
}

static void say_holder(FILE *to, const json_t *tasks, json_int_t cpu)
{
	const json_t *holder = task_find(tasks, 0, cpu);

	if (!holder)
		return;
	if (json_is_true(json_object_get(holder, "idle")))
		fprintf(to, "; CPU %lld was idle", (long long)cpu);
	else
		fprintf(to, "; CPU %lld ran %s[%.0f]", (long long)cpu,
			json_str(holder, "comm"), json_num(holder, "pid"));
}

void blame_say_where(const struct blame_scene *s, FILE *to)
{
	const json_t *look = blame_look_of(s), *tasks, *task;
	json_int_t cpu;

	blame_gap_say(&s->gap, to);
	if (!look || !s->pid)
		return;
	tasks = json_object_get(look, "tasks");
	task = task_find(tasks, s->pid, 0);
	fprintf(to, "In the frozen look %s, task %lld ", is_death(look) ?
		"when the scheduler died" : is_own(s, look) ?
		"at its wait" : "of that phase", (long long)s->pid);
	if (!task) {
		fputs("was on no run queue: it slept, was blocked, or stopped. ",
		      to);
		return;
	}
	cpu = json_num(task, "cpu");
	if (json_is_true(json_object_get(task, "running"))) {
		fprintf(to, "ran on CPU %lld. ", (long long)cpu);
		return;
	}
	fprintf(to, "waited on CPU %lld, ", (long long)cpu);
	if (json_str(task, "dsq") && json_num(task, "dsq_place") > 0)
		fprintf(to, "on the %s queue as number %.0f of %.0f",
			json_str(task, "dsq"), json_num(task, "dsq_place"),
			json_num(task, "dsq_nr"));
	else if (json_str(task, "dsq"))
		fprintf(to, "on the %s queue with %.0f tasks",
			json_str(task, "dsq"), json_num(task, "dsq_nr"));
	else
		fputs("on no dispatch queue", to);
	say_holder(to, tasks, cpu);
	fputs(". ", to);
}
