// SPDX-License-Identifier: GPL-2.0-only
#include "runner/facts_exec.h"

#include "runner/look.h"

#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 4096	/* of a line that an expression is tried on */
#define JSON_TRIES 8
#define LAST_LINES 5
#define LAST_LINE_BYTES 200

void exec_yield_fini(struct exec_yield *y)
{
	unsigned int i;

	for (i = 0; i < EXEC_NR_STREAMS; i++)
		free(y->text[i]);
	json_decref(y->end);
	*y = (struct exec_yield){ 0 };
}

/* The line's end, or the text's. */
static const char *line_end(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', end - at);

	return newline ? newline : end;
}

/* numbers of JSON */

/* An object that begins a line: a tool may say something before it. */
static json_t *json_of_text(const char *text, size_t len)
{
	const char *end = text + len, *at = text;
	unsigned int tries = 0;
	json_t *json;

	while (at < end && tries < JSON_TRIES) {
		if (*at == '{') {
			json = json_loadb(at, end - at, JSON_DISABLE_EOF_CHECK,
					  NULL);
			if (json_is_object(json))
				return json;
			json_decref(json);
			tries++;
		}
		at = line_end(at, end);
		at += at < end;
	}
	return NULL;
}

static json_t *json_of(json_t *exec, const struct exec_yield *y)
{
	enum exec_stream from = json_is_string(json_object_get(exec, "json")) ?
				EXEC_JSON : EXEC_STDOUT;

	return y->text[from] ? json_of_text(y->text[from], y->len[from]) :
			       NULL;
}

static json_t *mean_of(json_t *const *values, unsigned int nr);

static json_t *mean_number(json_t *const *values, unsigned int nr)
{
	double sum = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!json_is_number(values[i]))
			return json_null();
		sum += json_number_value(values[i]);
	}
	return isfinite(sum) ? json_real(sum / nr) : json_null();
}

static json_t *mean_object(json_t *const *values, unsigned int nr)
{
	json_t **below = calloc(nr, sizeof(*below)), *out = json_object();
	const char *key;
	json_t *member;
	unsigned int i;

	json_object_foreach(values[0], key, member) {
		for (i = 0; below && i < nr; i++)
			below[i] = json_object_get(values[i], key);
		if (below)
			json_object_set_new(out, key, mean_of(below, nr));
	}
	free(below);
	return out;
}

static json_t *mean_array(json_t *const *values, unsigned int nr)
{
	json_t **below = calloc(nr, sizeof(*below)), *out = json_array();
	json_t *member;
	unsigned int i;
	size_t at;

	json_array_foreach(values[0], at, member) {
		for (i = 0; below && i < nr; i++)
			below[i] = json_array_get(values[i], at);
		if (below)
			json_array_append_new(out, mean_of(below, nr));
	}
	free(below);
	return out;
}

/* Of the first one's shape; what is no number in all of them is null. */
static json_t *mean_of(json_t *const *values, unsigned int nr)
{
	if (json_is_object(values[0]))
		return mean_object(values, nr);
	if (json_is_array(values[0]))
		return mean_array(values, nr);
	return mean_number(values, nr);
}

/* Null where one copy printed none. */
static json_t *json_of_all(json_t *exec, const struct exec_yield *yields,
			   unsigned int nr)
{
	json_t **all = calloc(nr, sizeof(*all)), *out = NULL;
	bool missing = !all;
	unsigned int i;

	for (i = 0; all && i < nr; i++) {
		all[i] = json_of(exec, &yields[i]);
		missing |= !all[i];
	}
	if (!missing)
		out = nr == 1 ? json_incref(all[0]) : mean_of(all, nr);
	for (i = 0; all && i < nr; i++)
		json_decref(all[i]);
	free(all);
	return out ? out : json_null();
}

/* numbers of text */

static bool number_in(const regex_t *re, const char *line, double *number)
{
	regmatch_t m[2];
	char *end;

	if (regexec(re, line, 2, m, 0) || m[1].rm_so < 0)
		return false;
	*number = strtod(line + m[1].rm_so, &end);
	return m[1].rm_eo > m[1].rm_so && end == line + m[1].rm_eo &&
	       isfinite(*number);
}

static bool last_number(const regex_t *re, const struct exec_yield *y,
			double *number)
{
	const char *at = y->text[EXEC_STDOUT], *end, *to;
	char line[LINE_MAX_BYTES + 1];
	bool found = false;
	size_t len;

	if (!at)
		return false;
	for (end = at + y->len[EXEC_STDOUT]; at < end; at = to + 1) {
		to = line_end(at, end);
		len = to - at < LINE_MAX_BYTES ? to - at : LINE_MAX_BYTES;
		memcpy(line, at, len);
		line[len] = '\0';
		found |= number_in(re, line, number);
	}
	return found;
}

static json_t *match_of_all(const char *pattern,
			    const struct exec_yield *yields, unsigned int nr)
{
	double sum = 0, number;
	unsigned int i;
	regex_t re;

	if (!pattern || regcomp(&re, pattern, REG_EXTENDED))
		return json_null();
	for (i = 0; i < nr && last_number(&re, &yields[i], &number); i++)
		sum += number;
	regfree(&re);
	return nr && i == nr ? json_real(sum / nr) : json_null();
}

static json_t *matches(json_t *exec, const struct exec_yield *yields,
		       unsigned int nr)
{
	json_t *out = json_object(), *pattern;
	const char *name;

	json_object_foreach(json_object_get(exec, "match"), name, pattern)
		json_object_set_new(out, name, match_of_all(
			json_string_value(pattern), yields, nr));
	return out;
}

/* ends */

/* A guest's bytes as text that JSON can hold. */
static json_t *clean_line(const char *at, const char *end)
{
	char line[LAST_LINE_BYTES + 1];
	size_t i, len = end - at;

	if (len > LAST_LINE_BYTES)
		len = LAST_LINE_BYTES;
	for (i = 0; i < len; i++)
		line[i] = at[i] >= ' ' && at[i] <= '~' ? at[i] : '?';
	line[len] = '\0';
	return json_string(line);
}

static json_t *last_lines(const struct exec_yield *y)
{
	const char *text = y->text[EXEC_STDERR], *at, *end;
	json_t *lines = json_array();

	if (!text)
		return lines;
	end = text + y->len[EXEC_STDERR];
	while (json_array_size(lines) < LAST_LINES && end > text) {
		if (end[-1] == '\n')
			end--;
		at = end;
		while (at > text && at[-1] != '\n')
			at--;
		json_array_insert_new(lines, 0, clean_line(at, end));
		end = at;
	}
	return lines;
}

static json_t *ran_ns(const struct exec_yield *y,
		      const struct frozen_view *frozen)
{
	json_int_t begun = json_integer_value(json_object_get(y->end,
							      "begun_ns"));
	json_int_t ended = json_integer_value(json_object_get(y->end,
							      "ended_ns"));

	if (begun <= 0 || ended <= begun)
		return json_null();
	return json_integer(ended - begun -
			    (json_int_t)frozen_view_within(frozen, begun,
							   ended));
}

static json_t *program_json(const struct exec_yield *y, unsigned int index,
			    const struct frozen_view *frozen)
{
	json_t *json = json_pack("{s:i, s:O?, s:O?, s:O?, s:o, s:I, s:I, s:o}",
		"index", (int)index, "end", json_object_get(y->end, "end"),
		"code", json_object_get(y->end, "code"),
		"runs", json_object_get(y->end, "runs"), "ran_ns",
		ran_ns(y, frozen),
		"stdout_bytes", y->bytes[EXEC_STDOUT], "stderr_bytes",
		y->bytes[EXEC_STDERR], "stderr", last_lines(y));
	json_int_t json_errno = json_integer_value(
		json_object_get(y->end, "json_errno"));

	if (json_errno)
		json_object_set_new(json, "json_errno",
				    json_integer(json_errno));
	return json;
}

json_t *facts_exec_totals(json_t *exec, const struct exec_yield *yields,
			  unsigned int nr, const struct frozen_view *frozen)
{
	json_t *programs = json_array();
	unsigned int i;

	for (i = 0; i < nr; i++)
		json_array_append_new(programs, program_json(&yields[i], i,
							     frozen));
	return json_pack("{s:o, s:o, s:o}", "json",
			 json_of_all(exec, yields, nr), "match",
			 matches(exec, yields, nr), "programs", programs);
}

void facts_exec_narrow(json_t *stats)
{
	static const char *const unknown[] = {
		"wake_latency_ns", "io_latency_ns", "gap_ns", "run_delay_ns",
		"migrations", "cpus_used", "cpuset_violations",
		"deadline_misses", "errors", "iops", "bps",
	};
	static const char *const of_worker[] = { "gap_max_ns", "migrations" };
	json_t *worker;
	size_t i, j;

	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		json_object_set_new(stats, unknown[i], json_null());
	json_array_foreach(json_object_get(stats, "workers_detail"), i, worker)
		for (j = 0; j < sizeof(of_worker) / sizeof(of_worker[0]); j++)
			json_object_set_new(worker, of_worker[j], json_null());
}

json_t *facts_exec_ran(const struct exec_yield *y, uint64_t start_ns,
		       uint64_t end_ns)
{
	json_int_t begun = json_integer_value(json_object_get(y->end,
							      "begun_ns"));
	json_int_t ended = json_integer_value(json_object_get(y->end,
							      "ended_ns"));

	if (!y->end || !end_ns)
		return json_null();
	return json_boolean(begun > 0 && (uint64_t)begun < end_ns &&
			    (ended <= 0 || (uint64_t)ended > start_ns));
}
