/* SPDX-License-Identifier: GPL-2.0-only */
/* Bits of a typed value, and where a number lies in it. */
#ifndef KTSTR_MONITOR_BTF_VALUE_H
#define KTSTR_MONITOR_BTF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf;
struct btf_type;

/* A place in a value: a whole type, or a bit-field of it. */
struct btf_place {
	uint32_t type_id;
	uint64_t bit_off;
	uint8_t bits;		/* of a bit-field; 0: the whole type */
};

/**
 * btf_member_place() - member @i of struct or union @t, itself at @at
 */
struct btf_place btf_member_place(const struct btf_type *t, unsigned int i,
				  uint64_t at_bits);

/**
 * btf_bits() - up to 64 bits from anywhere in a value, little endian
 * @bits: 1 to 64
 *
 * Return: false when they reach beyond @len bytes.
 */
bool btf_bits(const void *data, size_t len, uint64_t bit_off,
	      unsigned int bits, uint64_t *v);

enum btf_num_kind {
	BTF_NUM_NONE,		/* not a number */
	BTF_NUM_UNSIGNED,
	BTF_NUM_SIGNED,
	BTF_NUM_BOOL,
	BTF_NUM_ENUM_UNSIGNED,
	BTF_NUM_ENUM_SIGNED,
};

/**
 * btf_num_kind() - is the type at @place a number of at most 64 bits?
 * @bits: its width, written when it is
 *
 * Integers, booleans and enums are; floats and pointers are not.
 */
enum btf_num_kind btf_num_kind(const struct btf *btf,
			       const struct btf_place *place,
			       unsigned int *bits);

/** btf_is_text() - is the array type @t one of char? */
bool btf_is_text(const struct btf *btf, const struct btf_type *t);

#endif
