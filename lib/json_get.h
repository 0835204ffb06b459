/* SPDX-License-Identifier: GPL-2.0-only */
/* What jansson leaves to its users. Inline: not all of lib's have jansson. */
#ifndef KTSTR_LIB_JSON_GET_H
#define KTSTR_LIB_JSON_GET_H

#include <stdlib.h>

#include <jansson.h>

/** json_str() - a string of an object, borrowed; NULL: there is none */
static inline const char *json_str(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/** json_num() - an integer or real of an object; 0: there is none */
static inline double json_num(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/**
 * json_strings() - for execve(): the strings of @array, and NULL behind them
 *
 * Return: owned array of borrowed strings; NULL: something else is in @array,
 * or out of memory.
 */
static inline char **json_strings(const json_t *array)
{
	char **v = calloc(json_array_size(array) + 1, sizeof(*v));
	const json_t *item;
	size_t i;

	if (!v)
		return NULL;
	json_array_foreach(array, i, item) {
		v[i] = (char *)json_string_value(item);
		if (!v[i]) {
			free(v);
			return NULL;
		}
	}
	return v;
}

#endif
