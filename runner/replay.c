// SPDX-License-Identifier: GPL-2.0-only
#include "runner/replay.h"

#include <sha256.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/errmsg.h"
#include "lib/path.h"
#include "runner/image_id.h"
#include "runner/plan.h"

#define SCENARIO_MAX_BYTES (4u << 20)

/* Enough to tell two hashes apart by eye. */
#define SHORT_HASH 12

static const char *text_at(const json_t *object, const char *group,
			   const char *key)
{
	return json_string_value(json_object_get(
		json_object_get(object, group), key));
}

static bool take_seed(struct replay_run *run, const json_t *seed)
{
	if (!json_is_integer(seed) || json_integer_value(seed) < 0)
		return false;
	run->seeds[run->nr_seeds++] = json_integer_value(seed);
	return true;
}

/* One for each boot of the scheduler's; a run without a control has one. */
static int read_seeds(struct replay_run *run, const struct errmsg *say)
{
	const json_t *runs = json_object_get(
		json_object_get(run->result, "control"), "runs"), *boot;
	size_t i, max = json_array_size(runs);
	bool ok = true;

	run->control = json_is_object(json_object_get(run->result,
						      "control"));
	run->seeds = calloc(max + 1, sizeof(*run->seeds));
	if (!run->seeds)
		return errmsg_set(say, -ENOMEM, "out of memory");
	json_array_foreach(runs, i, boot) {
		const char *arm = json_string_value(json_object_get(boot,
								    "arm"));

		if (arm && !strcmp(arm, "scheduler"))
			ok &= take_seed(run, json_object_get(boot, "seed"));
	}
	if (!run->nr_seeds)
		ok &= take_seed(run, json_object_get(run->result, "seed"));
	return ok ? 0 : errmsg_set(say, -EINVAL, "result.json has no seed");
}

/* The scenario must be the one that the result speaks of. */
static int check_scenario(const struct replay_run *run,
			  const struct errmsg *say)
{
	const char *want = text_at(run->result, "scenario", "hash");
	char hash[SHA256_DIGEST_STRING_LENGTH], *text;
	size_t len;
	int err = path_read_file(run->scenario, SCENARIO_MAX_BYTES, &text,
				 &len);

	if (err)
		return errmsg_set(say, err, "%s: %s", run->scenario,
				  strerror(-err));
	SHA256Data((const uint8_t *)text, len, hash);
	free(text);
	if (want && !strcmp(want, hash))
		return 0;
	return errmsg_set(
		say, -EBADMSG,
		"%s is not what ran: its SHA-256 is another; `ktstr run` runs it as it is now",
		run->scenario);
}

static int read_run(const char *dir, struct replay_run *run,
		    const struct errmsg *say)
{
	char *path = path_join(dir, "result.json");
	json_error_t jerr;
	int err;

	run->scenario = path_join(dir, "scenario.toml");
	run->object = path_join(dir, "sched.bpf.o");
	if (!path || !run->scenario || !run->object) {
		free(path);
		return errmsg_set(say, -ENOMEM, "out of memory");
	}
	run->result = json_load_file(path, 0, &jerr);
	free(path);
	if (!run->result)
		return errmsg_set(say, -ENOENT,
				  "%s is no run directory: result.json: %s",
				  dir, jerr.text);
	if (access(run->object, R_OK)) {
		free(run->object);
		run->object = NULL;
	}
	run->kernel_path = text_at(run->result, "kernel", "path");
	run->kernel_hash = text_at(run->result, "kernel", "hash");
	run->scheduler_hash = text_at(run->result, "scheduler", "hash");
	run->transport = text_at(run->result, "vm", "transport");
	if (run->transport && !plan_is_transport(run->transport))
		run->transport = NULL;
	run->verdict = json_string_value(json_object_get(run->result,
							 "verdict"));
	if (!run->kernel_hash)
		return errmsg_set(
			say, -EINVAL,
			"%s: the run never got as far as a kernel; `ktstr run %s` runs the scenario",
			dir, run->scenario);
	err = read_seeds(run, say);
	return err ? err : check_scenario(run, say);
}

int replay_open(const char *dir, struct replay_run *run, char *why,
		size_t why_len)
{
	const struct errmsg say = { why, why_len };
	struct replay_run r = { 0 };
	int err = read_run(dir, &r, &say);

	if (err)
		replay_close(&r);
	else
		*run = r;
	return err;
}

void replay_close(struct replay_run *run)
{
	json_decref(run->result);
	free(run->scenario);
	free(run->object);
	free(run->seeds);
}

bool replay_check_images(const struct replay_run *run, char *why,
			 size_t why_len)
{
	const struct errmsg say = { why, why_len };
	const char *disk;
	char how[160];
	json_t *id;

	json_object_foreach(json_object_get(run->result, "images"), disk, id) {
		const char *path =
			json_string_value(json_object_get(id, "path"));
		int err = image_id_check(id, how, sizeof(how));

		if (!err)
			continue;
		errmsg_set(
			&say, 0,
			"the image of disk %s, %s, is not what it was: %s; bring that one back%s",
			disk, path ? path : "?", how,
			err == -EBADMSG ?
				", or take it as it is with --images" :
				"");
		return false;
	}
	return true;
}

static bool same(const char *want, const json_t *plan, const char *group,
		 const char *option, const struct errmsg *say)
{
	const char *is = text_at(plan, group, "hash");

	if (!want || (is && !strcmp(want, is)))
		return true;
	errmsg_set(
		say, 0,
		"the %s is not the one of that run: its SHA-256 is %.*s..., that run's was %.*s...; bring that one back, or take this one with %s",
		group, SHORT_HASH, is ? is : "none", SHORT_HASH, want, option);
	return false;
}

bool replay_check(const struct replay *want, const json_t *plan, char *why,
		  size_t why_len)
{
	const struct errmsg say = { why, why_len };

	if (!want)
		return true;
	if (!same(want->kernel_hash, plan, "kernel", "--kernel PATH", &say))
		return false;
	/* the control's boots have none */
	return !json_is_object(json_object_get(plan, "scheduler")) ||
		same(want->scheduler_hash, plan, "scheduler",
		     "--scheduler NAME", &say);
}
