// SPDX-License-Identifier: GPL-2.0-only
#include "runner/bundle.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/path.h"
#include "runner/result.h"

/* Of the run directory, and what each is. */
static const struct {
	const char *name, *about;
} kept[] = {
	{ "result.json", "the verdict, every check, versions and hashes" },
	{ "scenario.toml", "the scenario with every default filled in" },
	{ "facts.json", "what was seen, before it was judged" },
	{ "samples.jsonl", "run queues, sched_ext and maps, each interval" },
	{ "looks.jsonl", "the same and all maps, with the VM frozen" },
	{ "console.log", "the guest's serial console" },
	{ "agent.log", "the agent, and the guest's kernel log" },
	{ "sched.bpf.o", "the scheduler that ran" },
};

/* Of the facts: texts and values that deserve a file of their own. */
static const struct {
	const char *name, *about;
	const char *path[4];
} parts[] = {
	{ "maps.json", "the scheduler's maps, as last read", { "maps" } },
	{ "dump.txt", "what the kernel's sched_ext dumped at its end",
	  { "scheduler", "exit", "dump" } },
	{ "verifier.log", "the end of the verifier's log",
	  { "scheduler", "failed", "log" } },
};

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static int keep(const char *from, const char *to)
{
	if (!link(from, to))
		return 0;
	if (errno == ENOENT)
		return -ENOENT;
	return path_copy_file(from, to); /* another file system, or no links */
}

/* A line of the README for each file that there is. */
static void tell(FILE *readme, const char *name, const char *about)
{
	fprintf(readme, "  %-14s %s\n", name, about);
}

static int keep_files(const char *dir, const char *bundle, FILE *readme)
{
	int err = 0, e;
	size_t i;

	for (i = 0; i < NR(kept); i++) {
		char *from = path_join(dir, kept[i].name);
		char *to = path_join(bundle, kept[i].name);

		e = from && to ? keep(from, to) : -ENOMEM;
		if (!e)
			tell(readme, kept[i].name, kept[i].about);
		else if (e != -ENOENT && !err)
			err = e;
		free(from);
		free(to);
	}
	return err;
}

static int write_part(const char *bundle, const char *name,
		      const json_t *value)
{
	char *text = json_is_string(value) ?
		strdup(json_string_value(value)) : result_dump(value);
	char *path = path_join(bundle, name);
	int err = text && path ? path_write_file(path, text, strlen(text)) :
		-ENOMEM;

	free(text);
	free(path);
	return err;
}

static bool is_empty(const json_t *value)
{
	if (json_is_string(value))
		return !*json_string_value(value);
	return !json_object_size(value);
}

static int write_parts(const char *bundle, const json_t *facts, FILE *readme)
{
	int err = 0, e;
	size_t i, j;

	for (i = 0; i < NR(parts); i++) {
		const json_t *value = facts;

		for (j = 0; j < NR(parts[i].path) && parts[i].path[j]; j++)
			value = json_object_get(value, parts[i].path[j]);
		if (is_empty(value))
			continue;
		e = write_part(bundle, parts[i].name, value);
		if (!e)
			tell(readme, parts[i].name, parts[i].about);
		else if (!err)
			err = e;
	}
	return err;
}

static const char *text_at(const json_t *result, const char *group,
			   const char *key)
{
	const char *text = json_string_value(json_object_get(
		group ? json_object_get(result, group) : result, key));

	return text ? text : "not known";
}

/* What ran, by the names and hashes that tell it from others. */
static void head(FILE *readme, const char *dir, const json_t *result)
{
	fprintf(readme, "%s: %s\n%s\n\n",
		text_at(result, "scenario", "name"),
		text_at(result, NULL, "verdict"),
		text_at(result, NULL, "reason"));
	fprintf(readme, "Run it again:\n\n  ktstr replay %s\n\n", dir);
	fprintf(readme, "which takes this kernel, scheduler and seed, and says what is no longer\n"
		"the same. What ran:\n\n");
	fprintf(readme, "  ktstr      %s\n", text_at(result, "versions", "ktstr"));
	fprintf(readme, "  seed       %" JSON_INTEGER_FORMAT "\n",
		json_integer_value(json_object_get(result, "seed")));
	fprintf(readme, "  kernel     %s\n             %s\n             SHA-256 %s\n",
		text_at(result, "kernel", "release"),
		text_at(result, "kernel", "path"),
		text_at(result, "kernel", "hash"));
	fprintf(readme, "  scheduler  %s (%s)\n             SHA-256 %s\n",
		text_at(result, "scheduler", "name"),
		text_at(result, "scheduler", "kind"),
		text_at(result, "scheduler", "hash"));
	fputs("\nWhat is here:\n\n", readme);
}

static int write_all_of_it(const char *dir, const char *bundle,
			   const json_t *result, const json_t *facts)
{
	char *path = path_join(bundle, "README"), *text = NULL;
	size_t len;
	FILE *readme = open_memstream(&text, &len);
	int err = -ENOMEM, e;

	if (path && readme) {
		head(readme, dir, result);
		err = keep_files(dir, bundle, readme);
		e = write_parts(bundle, facts, readme);
		if (!err)
			err = e;
	}
	if (readme && fclose(readme) && !err)
		err = -ENOMEM;
	if (text && path) {
		e = path_write_file(path, text, len);
		if (!err)
			err = e;
	}
	free(text);
	free(path);
	return err;
}

int bundle_write(const char *dir, const json_t *result, const json_t *facts)
{
	char *bundle = path_join(dir, "bundle");
	int err = bundle ? 0 : -ENOMEM;

	if (!err && mkdir(bundle, 0777))
		err = -errno;
	if (!err)
		err = write_all_of_it(dir, bundle, result, facts);
	if (err)
		log_err("bundle: %s/bundle: %s", dir, strerror(-err));
	free(bundle);
	return err;
}
