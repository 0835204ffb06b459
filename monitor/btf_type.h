/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small questions about BTF types that come from a guest: parsing with bounds,
 * looking through typedefs, names as C writes them. Cycles and dangling ids
 * are answered, never followed.
 */
#ifndef KTSTR_MONITOR_BTF_TYPE_H
#define KTSTR_MONITOR_BTF_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf;
struct btf_type;

/* Guards recursion over nested types: C code nests a handful. */
#define BTF_MAX_DEPTH 16

/**
 * btf_parse_untrusted() - raw BTF to a struct btf
 * @raw: copied
 *
 * Return: 0; -EINVAL not BTF, of the other byte order, or refused by libbpf's
 * checks; -ENOMEM.
 */
int btf_parse_untrusted(const void *raw, size_t len, struct btf **btf);

/**
 * btf_type_skip() - the type behind typedefs, const, volatile and tags
 * @real_id: where to put its id, may be NULL
 *
 * Return: NULL for void, an id out of range, or an endless chain.
 */
const struct btf_type *btf_type_skip(const struct btf *btf, uint32_t id,
				     uint32_t *real_id);

/** btf_type_is_signed() - of an integer or enum; anything else is not. */
bool btf_type_is_signed(const struct btf_type *t);

/** btf_sign_extend() - the low @bits (1 to 64) of @v as a signed number. */
static inline int64_t btf_sign_extend(uint64_t v, unsigned int bits)
{
	unsigned int unused = 64 - bits;

	return (int64_t)(v << unused) >> unused;
}

/**
 * btf_type_text() - @id as C writes it: "u64", "struct foo", "u32[4]", "char *"
 *
 * Unnamed types are "struct", "union", "enum". Longer text is cut.
 */
void btf_type_text(const struct btf *btf, uint32_t id, char *buf, size_t len);

/**
 * btf_enum_word() - an enumerator's name behind @prefix, in lower case
 *
 * "array" for @value 2 of enum bpf_map_type, with prefix BPF_MAP_TYPE_. Of
 * several with that value the last: deprecated names come first.
 *
 * Return: false when there is none; @buf is then the number.
 */
bool btf_enum_word(const struct btf *btf, const char *enum_name,
		   const char *prefix, int32_t value, char *buf, size_t len);

/** text_to_ascii() - put '?' for all that is not printable ASCII. */
void text_to_ascii(char *text);

#endif
