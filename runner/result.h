/* SPDX-License-Identifier: GPL-2.0-only */
/* result.json (docs/result.md): facts and judgement in one. */
#ifndef KTSTR_RUNNER_RESULT_H
#define KTSTR_RUNNER_RESULT_H

#include <jansson.h>

struct judgement;
struct scenario;

/* What a result is made of; all borrowed. */
struct result_input {
	const struct scenario *scenario;
	const char *scenario_hash;
	const json_t *plan;	/* as the launcher completed it */
	const json_t *facts;	/* NULL: the run left none */
	const struct judgement *judgement;
	const json_t *control;	/* NULL: none was run */
	const char *accel;	/* "": not reached */
};

/** result_new() - new reference, or NULL out of memory */
json_t *result_new(const struct result_input *in);

/** result_dump() - as text, numbers short. Allocated, or NULL. */
char *result_dump(const json_t *json);

/** result_write() - to a file, atomically. 0 or -errno. */
int result_write(const json_t *json, const char *path);

#endif
