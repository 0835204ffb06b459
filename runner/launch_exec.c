// SPDX-License-Identifier: GPL-2.0-only
#include "runner/launch_exec.h"

#include "runner/exec_pack.h"
#include "runner/kernel.h"
#include "runner/prepare.h"

#include <stdio.h>
#include <string.h>

static json_t *files_of(json_t *plan)
{
	json_t *prepared = json_object_get(plan, PREPARED_KEY);
	json_t *files;

	if (!prepared) {
		prepared = json_object();
		json_object_set_new(plan, PREPARED_KEY, prepared);
	}
	files = json_object_get(prepared, "files");
	if (!files) {
		files = json_array();
		json_object_set_new(prepared, "files", files);
	}
	return files;
}

/* @what: "workload web" */
static int pack(json_t *plan, const char *what, json_t *exec, char *why,
		size_t len)
{
	const char *path = json_string_value(json_object_get(exec, "program"));
	json_t *files = files_of(plan), *more;
	char said[400];
	size_t i;
	int err = exec_pack_add(files, path, said, sizeof(said));

	json_array_foreach(json_object_get(exec, "add"), i, more)
		if (!err)
			err = exec_pack_add(files, json_string_value(more),
					    said, sizeof(said));
	if (err)
		snprintf(why, len, "%s: %s", what, said);
	return err;
}

static int pack_scheduler(json_t *plan, char *why, size_t len)
{
	json_t *sched = json_object_get(plan, "scheduler");
	json_t *exec = json_object_get(sched, "exec");
	char hash[65];
	int err;

	if (!exec)
		return 0;
	err = pack(plan, "scheduler", exec, why, len);
	if (!err && !sha256_file(json_string_value(
				json_object_get(exec, "program")), hash))
		json_object_set_new(sched, "hash", json_string(hash));
	return err;
}

int launch_exec(json_t *plan, char *why, size_t len)
{
	int err = pack_scheduler(plan, why, len);
	char what[80];
	json_t *w;
	size_t i;

	json_array_foreach(json_object_get(plan, "workloads"), i, w) {
		json_t *exec = json_object_get(w, "exec");

		if (err || !exec)
			continue;
		snprintf(what, sizeof(what), "workload %s",
			 json_string_value(json_object_get(w, "name")));
		err = pack(plan, what, exec, why, len);
	}
	return err;
}
