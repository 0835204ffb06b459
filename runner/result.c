// SPDX-License-Identifier: GPL-2.0-only
#include "runner/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/path.h"
#include "runner/blame.h"
#include "runner/image_id.h"
#include "runner/judge.h"
#include "runner/scenario.h"
#include "runner/version.h"

/* Enough to tell two doubles of ours apart, and 0.95 stays 0.95. */
#define REAL_DIGITS 15

static json_t *null_or(const json_t *value)
{
	return value ? json_incref((json_t *)value) : json_null();
}

/* The named members of @from, null where absent, in this order. */
static json_t *members(const json_t *from, const char *const *keys)
{
	json_t *object = json_object();

	for (; *keys; keys++)
		json_object_set_new(object, *keys,
				    null_or(json_object_get(from, *keys)));
	return object;
}

static json_t *kernel_json(const struct result_input *in)
{
	static const char *const keys[] = { "release", "config_hash", "hash",
					    NULL };
	const json_t *kernel = json_object_get(in->facts, "kernel");
	json_t *json;

	if (!kernel)
		kernel = json_object_get(in->plan, "kernel");
	json = members(kernel, keys);
	json_object_set_new(json, "path", null_or(json_object_get(
		json_object_get(in->plan, "kernel"), "from")));
	return json;
}

static json_t *scheduler_json(const struct result_input *in)
{
	static const char *const keys[] = { "name", "kind", "hash",
					    "final_state", "exit", "failed",
					    "load_ns", "attach_ns", NULL };
	const json_t *scheduler = json_object_get(in->facts, "scheduler");
	json_t *json;

	if (!json_is_object(scheduler))
		scheduler = json_object_get(in->plan, "scheduler");
	json = members(scheduler, keys);
	json_object_set(json, "args", json_object_get(scheduler, "args"));
	if (!json_is_object(scheduler)) {
		/* the kernel's default has a name too */
		json_object_set_new(json, "name", json_string("none"));
		json_object_set_new(json, "kind", json_string("kernel"));
	}
	return json;
}

static json_t *vm_json(const struct result_input *in)
{
	const struct scn_topology *t = &in->scenario->vm.topology;

	return json_pack("{s:o,s:i,s:I,s:s?,s:O?}", "topology",
			 json_sprintf("%un%ul%uc%ut", t->nodes, t->llcs,
				      t->cores_per_llc, t->threads_per_core),
			 "cpus", (int)t->cpus, "memory_bytes",
			 (json_int_t)in->scenario->vm.memory_bytes, "accel",
			 *in->accel ? in->accel : NULL, "transport",
			 json_object_get(json_object_get(in->plan, "vm"),
					 "transport"));
}

static json_t *scenario_json(const struct result_input *in)
{
	return json_pack("{s:s,s:s?,s:n}", "name", in->scenario->name, "hash",
			 in->scenario_hash, "variant");
}

static json_t *versions_json(const struct result_input *in)
{
	json_t *versions = json_pack("{s:s}", "ktstr", KTSTR_VERSION);

	json_object_update(versions, json_object_get(in->facts, "versions"));
	return versions;
}

json_t *result_new(const struct result_input *in)
{
	static const char *const from_facts[] = { "timing", "phases",
						  "workloads", "disks",
						  "sched", "maps", "host",
						  NULL };
	const struct judgement *j = in->judgement;
	json_t *reason = json_string(j->reason);
	json_t *looks = json_object_get(in->facts, "looks");
	json_t *observers = json_object_get(in->facts, "observers");
	json_t *images = image_ids_of(in->plan);
	json_t *result, *rest, *blame;

	/* a guest's text may have been cut within a character */
	if (!reason)
		reason = json_string("the reason is not valid UTF-8");
	result = json_pack(
		"{s:s,s:o,s:s,s:o,s:O?,s:o,s:o,s:o,s:O?}", "schema",
		"ktstr.result/1", "scenario", scenario_json(in), "verdict",
		verdict_name(j->verdict), "reason", reason, "checks",
		j->checks, "kernel", kernel_json(in), "scheduler",
		scheduler_json(in), "vm", vm_json(in), "seed",
		json_object_get(in->plan, "seed"));
	rest = members(in->facts, from_facts);
	blame = blame_new(in->plan, in->facts, j->checks);
	if (!result || !rest || json_object_update(result, rest) ||
	    (blame && json_object_set(result, "blame", blame)) ||
	    (looks && json_object_set(result, "looks", looks)) ||
	    (observers && json_object_set(result, "observers", observers)) ||
	    (images && json_object_set(result, "images", images)) ||
	    (in->control && json_object_set(result, "control",
					    (json_t *)in->control)) ||
	    json_object_set_new(result, "versions", versions_json(in))) {
		json_decref(result);
		result = NULL;
	}
	json_decref(rest);
	json_decref(blame);
	json_decref(images);
	return result;
}

char *result_dump(const json_t *json)
{
	return json_dumps(json, JSON_INDENT(2) |
				JSON_REAL_PRECISION(REAL_DIGITS));
}

int result_write(const json_t *json, const char *path)
{
	char *text = result_dump(json);
	char *line;
	int len, err;

	if (!text)
		return -ENOMEM;
	len = asprintf(&line, "%s\n", text);
	free(text);
	if (len < 0)
		return -ENOMEM;
	err = path_write_file(path, line, len);
	free(line);
	return err;
}
