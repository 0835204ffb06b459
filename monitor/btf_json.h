/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A value in memory, typed by BTF, as JSON: the forms that result.json
 * promises for map values.
 */
#ifndef KTSTR_MONITOR_BTF_JSON_H
#define KTSTR_MONITOR_BTF_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct btf;

/* Bounds what one reading may make; shared by all values of it. */
struct btf_json_budget {
	unsigned int work;	/* values and members still to be visited */
	bool exceeded;		/* it did not suffice: something is left out */
};

/**
 * btf_json_spend() - take @work from @budget
 *
 * Return: false, for this and all that follows, when it does not suffice.
 */
bool btf_json_spend(struct btf_json_budget *budget, unsigned int work);

/**
 * btf_json() - the value at @data of type @type_id
 * @len: bytes at @data; what the type has beyond them becomes null
 *
 * Structs, unions and data sections are objects (anonymous members are merged
 * into theirs), arrays are arrays, enums their name or else the number, char
 * arrays text up to the first NUL, booleans true or false, integers beyond
 * 2^53-1 decimal strings, wider than 64 bits hex strings, pointers hex
 * strings, non-finite floats null.
 *
 * Return: new reference, or NULL out of memory.
 */
json_t *btf_json(const struct btf *btf, uint32_t type_id, const void *data,
		 size_t len, struct btf_json_budget *budget);

/** json_from_int64() - a number, or a string beyond 2^53-1. */
json_t *json_from_int64(int64_t v);
json_t *json_from_uint64(uint64_t v);

/** json_from_hex() - bytes in address order, two digits each. */
json_t *json_from_hex(const void *data, size_t len);

/**
 * json_from_text() - a guest's text of at most @len bytes, up to a NUL
 *
 * What is not UTF-8 becomes '?', byte by byte, so there is always a result.
 */
json_t *json_from_text(const char *text, size_t len);

#endif
