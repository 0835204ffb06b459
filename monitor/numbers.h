/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The numeric fields of a map's value, flattened: found once by BTF, then
 * each is one load per sample. map.c calls it.
 */
#ifndef KTSTR_MONITOR_NUMBERS_H
#define KTSTR_MONITOR_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/btf_value.h"
#include "monitor/kmem.h"

struct btf;

#define NUMBERS_MAX 4096	/* of one map */
#define NUMBERS_MAX_NAME 256
#define NUMBER_TEXT_MAX 24

/* How a number is taken from an aligned value, where numbers_sum() takes it. */
enum number_word {
	NUMBER_NO_WORD,		/* it does not fill an aligned one */
	NUMBER_U64,
	NUMBER_U32,
	NUMBER_S64,
	NUMBER_S32,
	NUMBER_ANY_WORD,	/* any other that does */
};

struct number {
	char *name;		/* owned */
	uint32_t entry;		/* of the map */
	uint32_t off;		/* of the bytes to load, in the entry's value */
	uint8_t load_bytes;	/* 1 to 9 */
	uint8_t shift;		/* of the number in them */
	uint8_t bits;
	uint8_t word;		/* enum number_word */
	enum btf_num_kind kind;

	/* The last reading; its owner fills it in. */
	double val;
	bool read_ok, unstable;
};

struct numbers {
	struct number *v;	/* owned */
	unsigned int nr, room;
	bool truncated;		/* more than NUMBERS_MAX, or too deep */
};

/**
 * numbers_add() - append the numeric fields of one entry's value
 * @btf: NULL: the value is one number of @value_size bytes, if 1, 2, 4 or 8
 * @prefix: what the names begin with; "PREFIX.FIELD", or it alone when the
 *          value is a bare number
 *
 * Nested members are joined by dots, anonymous ones merged, array elements
 * written [i]. Char arrays, floats, pointers and what lies beyond @value_size
 * are left out. A data section's fields are its variables.
 *
 * Return: 0 or -ENOMEM.
 */
int numbers_add(struct numbers *ns, const struct btf *btf, uint32_t type_id,
		uint32_t value_size, uint32_t entry, const char *prefix);
void numbers_fini(struct numbers *ns);

/**
 * number_text() - the number in the n->load_bytes bytes at @bytes, in decimal
 */
void number_text(const struct number *n, const void *bytes,
		 char buf[NUMBER_TEXT_MAX]);

/**
 * number_read() - one field of the value at @kva
 * @unstable: set when it is no aligned word and did not read equal twice;
 *            else left alone
 *
 * Return: 0 or -EFAULT.
 */
int number_read(const struct number *n, struct kmem *km, uint64_t kva,
		double *val, bool *unstable);

/*
 * Values that are read together, field by field. CPUs' areas are a power of
 * two apart, and a cache has few places for what is: so many are there at once.
 */
#define NUMBERS_TOGETHER 8

/**
 * numbers_sum() - add to their ->val those that fill words, of each value
 * @n: @nr of them, all of one entry; those that do not are passed over
 * @at: where @nr_values values are here, see kmem_at(); all of them aligned to
 *      8 bytes
 */
void numbers_sum(struct number *n, unsigned int nr, struct kmem *km,
		 const char *const *at, unsigned int nr_values);

#endif
