/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests only: JSON as it is written in a C test, and changed there. */
#ifndef KTSTR_RUNNER_TEST_JSON_H
#define KTSTR_RUNNER_TEST_JSON_H

#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <jansson.h>

/* JSON with ' for ", which C can quote. */
static inline json_t *json(const char *text)
{
	char *copy = strdup(text), *p;
	json_error_t error;
	json_t *value;

	for (p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	value = json_loads(copy, JSON_DECODE_ANY, &error);
	ck_assert_msg(value, "%s at %d: %s", error.text, error.position, copy);
	free(copy);
	return value;
}

/* Replace what stands at "a/b/0/c"; "-" removes it. */
static inline void put(json_t *at, const char *path, const char *value)
{
	char *copy = strdup(path), *save, *key, *next;

	key = strtok_r(copy, "/", &save);
	while ((next = strtok_r(NULL, "/", &save))) {
		at = json_is_array(at) ? json_array_get(at, atoi(key)) :
					 json_object_get(at, key);
		ck_assert_msg(at, "%s of %s is not there", key, path);
		key = next;
	}
	if (json_is_array(at))
		ck_assert(!json_array_set_new(at, atoi(key), json(value)));
	else if (!strcmp(value, "-"))
		ck_assert_msg(!json_object_del(at, key), "%s", path);
	else
		ck_assert(!json_object_set_new(at, key, json(value)));
	free(copy);
}

#endif
