// SPDX-License-Identifier: GPL-2.0-only
#include "runner/scenario.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "lib/path.h"
#include "runner/diag.h"
#include "runner/set.h"
#include "runner/toml.h"

#define SCENARIO_MAX_BYTES (1 << 20)

const struct scn_disk *scenario_find_disk(const struct scenario *s,
					  const char *name)
{
	unsigned int i;

	for (i = 0; i < s->nr_disks; i++)
		if (s->disks[i].name && !strcmp(s->disks[i].name, name))
			return &s->disks[i];
	return NULL;
}

const struct scn_workload *scenario_find_workload(const struct scenario *s,
						  const char *name)
{
	unsigned int i;

	for (i = 0; i < s->nr_workloads; i++)
		if (s->workloads[i].name &&
		    !strcmp(s->workloads[i].name, name))
			return &s->workloads[i];
	return NULL;
}

const struct scn_phase *scenario_find_phase(const struct scenario *s,
					    const char *name)
{
	unsigned int i;

	for (i = 0; i < s->nr_phases; i++)
		if (s->phases[i].name && !strcmp(s->phases[i].name, name))
			return &s->phases[i];
	return NULL;
}

void scenario_free(struct scenario *s)
{
	if (!s)
		return;
	toml_free(s->root);
	free(s->path);
	free(s->dir);
	free(s);
}

/* Absolute where it can be, since the resolved scenario is kept elsewhere. */
static char *dir_of(const char *path)
{
	char *copy = strdup(path);
	char *dir, *full;

	if (!copy)
		return NULL;
	dir = dirname(copy);
	full = realpath(dir, NULL);
	if (!full)
		full = strdup(dir);
	free(copy);
	return full;
}

/* Relative paths start where the file lies. */
static bool resolve_path(struct scenario *s, const struct table_base *base,
			 const char *key, const char **path)
{
	struct toml_node *node;
	char *full;

	if (!*path || !**path || **path == '/')
		return true;
	full = path_join(s->dir, *path);
	if (!full)
		return false;
	node = (struct toml_node *)schema_table_get(base->node, key);
	free(node->string);
	node->string = full;
	*path = full;
	return true;
}

static bool resolve_paths(struct scenario *s)
{
	struct scn_scheduler *sched = &s->scheduler;
	unsigned int i;

	for (i = 0; i < s->nr_disks; i++)
		if (!resolve_path(s, &s->disks[i].base, "image",
				  &s->disks[i].image))
			return false;
	return resolve_path(s, &sched->base, "object", &sched->object) &&
	       resolve_path(s, &sched->base, "source", &sched->source);
}

static void override(struct scenario *s,
		     const struct scenario_overrides *overrides, struct diag *d)
{
	const char *const *set;

	if (overrides->scheduler)
		set_scheduler(d, s->root, overrides->scheduler);
	for (set = overrides->set; set && *set; set++)
		set_apply(d, s->root, *set);
}

static int parse(struct scenario *s, const char *text, size_t len,
		 const struct scenario_overrides *overrides, struct diag *d)
{
	struct toml_error error;
	int err;

	err = toml_parse(text, len, &s->root, &error);
	if (err == -EINVAL)
		diag_pos(d, error.line, error.column, "%s", error.text);
	if (err)
		return err;

	if (overrides)
		override(s, overrides, d);
	if (diag_failed(d))
		return -EINVAL;

	schema_parse(d, &scenario_spec, s->root, s);
	if (!resolve_paths(s))
		return -ENOMEM;
	scenario_check_images(s, d);
	scenario_check_exec(s, d);
	scenario_check(s, d);
	scenario_check_observers(s, d);
	scenario_maps_check(d, &s->telemetry.maps, s->telemetry.interval_ns);
	scenario_check_checks(s, d);
	diag_sort(d);
	if (d->no_memory)
		return -ENOMEM;
	return diag_failed(d) ? -EINVAL : 0;
}

int scenario_parse(const char *path, const char *text, size_t len,
		   const struct scenario_overrides *overrides,
		   struct scenario **scenario, struct diag *d)
{
	struct scenario *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s)
		goto fail;
	s->path = strdup(path);
	s->dir = dir_of(path);
	if (!s->path || !s->dir)
		goto fail;
	err = parse(s, text, len, overrides, d);
	if (err)
		goto fail;
	*scenario = s;
	return 0;

fail:
	if (err == -ENOMEM)
		d->no_memory = true;
	scenario_free(s);
	return err;
}

int scenario_load(const char *path, const struct scenario_overrides *overrides,
		  struct scenario **s, struct diag *d)
{
	char *text;
	size_t len;
	int err;

	err = path_read_file(path, SCENARIO_MAX_BYTES, &text, &len);
	if (err) {
		diag_pos(d, 0, 0, "%s", strerror(-err));
		return -EINVAL;
	}
	err = scenario_parse(path, text, len, overrides, s, d);
	free(text);
	return err;
}

void scenario_print(FILE *to, const struct scenario *s)
{
	schema_print(to, &scenario_spec, s);
}
