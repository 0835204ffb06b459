/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The numeric fields of a hash map's elements. What a value holds is found
 * once by BTF; which elements there are is looked up anew with each reading.
 * map.c and monitor.c call it.
 */
#ifndef KTSTR_MONITOR_HASH_NUMBERS_H
#define KTSTR_MONITOR_HASH_NUMBERS_H

#include <stdbool.h>

#include "monitor/numbers.h"

struct mon_map;
struct monitor;

#define HASH_NUMBERS_MAX_BUCKETS 16384u	/* of a table that is gone through */
#define HASH_NUMBERS_MAX_ELEMS 256	/* of one reading */
#define HASH_NUMBERS_MAX 1024		/* of one reading */
#define HASH_NUMBER_NAME 160
#define HASH_KEY_PARTS 8

struct hash_number {
	char name[HASH_NUMBER_NAME];	/* "MAP[key].FIELD", printable ASCII */
	double val;
	bool unstable;
	unsigned int named;	/* for this field's number + 1; 0: for none */
};

struct hash_numbers {
	struct numbers key, value;	/* of any element; names without MAP */
	bool text_key;			/* the key is a char array */
	struct hash_number *v;		/* owned; the last reading */
	uint8_t *named_keys;		/* owned; of each, for which key */
	unsigned int nr;
};

/**
 * hash_numbers_open() - what numbers do @m's keys and values hold?
 * @hn: owned by the caller, for hash_numbers_free(); NULL when there are none,
 *      or the table has too many buckets to be gone through in each sample
 *
 * A key is written as its number, its text, or its numbers joined by commas.
 *
 * Return: 0 or -ENOMEM.
 */
int hash_numbers_open(const struct mon_map *m, struct hash_numbers **hn);
void hash_numbers_free(struct hash_numbers *hn);

/**
 * hash_numbers_read() - fill m->hash with what is in the table now
 * @prefix: MAP of the names
 *
 * An element whose key is another after its numbers were read than before is
 * left out, as is one that can't be read, or whose name would be too long.
 */
void hash_numbers_read(struct monitor *mon, const struct mon_map *m,
		       const char *prefix);

#endif
