// SPDX-License-Identifier: GPL-2.0-only
#include "runner/blame.h"

#include "lib/json_get.h"
#include "runner/blame_priv.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_STALL 1026

void blame_scene_gap(const struct blame_scene *s, json_int_t pid,
		   struct blame_gap *gap)
{
	blame_gap_of(s->facts, s->part == s->facts ? NULL :
		     json_str(s->part, "name"), pid, gap);
}

/* Behind "NAME.", for a workload of the plan. */
static const char *metric_of(struct blame_scene *s, const char *metric)
{
	const json_t *w;
	size_t i, len;

	json_array_foreach(json_object_get(s->plan, "workloads"), i, w) {
		const char *name = json_str(w, "name");

		len = name ? strlen(name) : 0;
		if (!len || strncmp(metric, name, len) || metric[len] != '.')
			continue;
		s->workload = w;
		s->name = name;
		return metric + len + 1;
	}
	return NULL;
}

/* The worker with the longest gap; of equals the one that did the least. */
static const json_t *worst_worker(const struct blame_scene *s)
{
	const json_t *stats = json_object_get(json_object_get(
		s->part, "workloads"), s->name);
	const json_t *worst = NULL, *d;
	size_t i;

	json_array_foreach(json_object_get(stats, "workers_detail"), i, d) {
		double gap = json_num(d, "gap_max_ns");

		if (!worst || gap > json_num(worst, "gap_max_ns") ||
		    (gap == json_num(worst, "gap_max_ns") &&
		     json_num(d, "iterations") < json_num(worst, "iterations")))
			worst = d;
	}
	return worst;
}

/* "name[pid] failed to run for ..." */
static json_int_t stalled_pid(const json_t *facts)
{
	const json_t *exit = json_object_get(json_object_get(
		facts, "scheduler"), "exit");
	const char *message = json_str(exit, "message");
	const char *at = message ? strstr(message, "] failed to run") : NULL;

	if (json_num(exit, "kind") != EXIT_STALL || !at)
		return 0;
	while (at > message && at[-1] != '[')
		at--;
	return strtoll(at, NULL, 10);
}

static const json_t *part_named(const json_t *facts, const char *phase)
{
	const json_t *part;
	size_t i;

	json_array_foreach(json_object_get(facts, "phases"), i, part)
		if (phase && json_str(part, "name") &&
		    !strcmp(json_str(part, "name"), phase))
			return part;
	return facts;
}

static bool is_explained(const char *metric)
{
	static const char *const beginnings[] = {
		"progress", "gap.", "wake_latency.", "io_latency.",
		"io_wake.", "deadline_misses",
	};
	size_t i;

	for (i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (!strncmp(metric, beginnings[i], strlen(beginnings[i])))
			return true;
	return false;
}

/* Return: is this a check to explain? Then @s is set up. */
static bool scene_set(struct blame_scene *s, const json_t *check)
{
	const char *verdict = json_str(check, "verdict");
	const char *metric = json_str(check, "metric");

	if (!verdict || strcmp(verdict, "fail") || !metric)
		return false;
	s->part = part_named(s->facts, json_str(check, "phase"));
	s->ns = json_num(s->part, "duration_ns");
	if (!strcmp(metric, "scheduler")) {
		s->pid = stalled_pid(s->facts);
		return s->pid > 0;
	}
	s->metric = metric_of(s, metric);
	if (!s->metric || !is_explained(s->metric))
		return false;
	if (!strncmp(s->metric, "gap.", 4))
		s->limit_ns = json_num(check, "limit");
	s->worker = worst_worker(s);
	s->pid = json_num(s->worker, "pid");
	return true;
}

static void say_who(const struct blame_scene *s, FILE *to)
{
	if (s->worker)
		fprintf(to, "Worst hit was %s worker %.0f[%lld], %.0f ms without progress. ",
			s->name, json_num(s->worker, "index"),
			(long long)s->pid, to_ms(json_num(s->worker,
						     "gap_max_ns")));
	else if (s->workload)
		fprintf(to, "Which worker of %s was hit is not known. ",
			s->name);
}

static json_t *explain(const struct blame_scene *s, const json_t *check)
{
	const char *cause;
	char *paragraph = NULL;
	json_t *json = NULL;
	size_t len;
	FILE *to = open_memstream(&paragraph, &len);

	if (!to)
		return NULL;
	say_who(s, to);
	cause = blame_cause(s, to);
	blame_say_where(s, to);
	if (fclose(to))
		goto out;
	while (len && paragraph[len - 1] == ' ')
		paragraph[--len] = '\0';
	if (!len)
		goto out;
	json = json_pack("{s:O, s:O?, s:s, s:s}", "metric",
			 json_object_get(check, "metric"), "phase",
			 json_object_get(check, "phase"), "cause", cause,
			 "text", paragraph);
out:
	free(paragraph);
	return json;
}

json_t *blame_new(const json_t *plan, const json_t *facts,
		  const json_t *checks)
{
	json_t *all = json_array(), *one;
	const json_t *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		struct blame_scene s = { .plan = plan, .facts = facts };

		if (!facts || !scene_set(&s, check))
			continue;
		blame_scene_gap(&s, s.pid, &s.gap);
		one = explain(&s, check);
		if (one)
			json_array_append_new(all, one);
	}
	if (json_array_size(all))
		return all;
	json_decref(all);
	return NULL;
}
