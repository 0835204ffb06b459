// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/btf_value.h"

#include "monitor/btf_type.h"

#include <bpf/btf.h>

#include <string.h>

struct btf_place btf_member_place(const struct btf_type *t, unsigned int i,
				  uint64_t at_bits)
{
	return (struct btf_place){
		.type_id = btf_members(t)[i].type,
		.bit_off = at_bits + btf_member_bit_offset(t, i),
		.bits = btf_member_bitfield_size(t, i),
	};
}

bool btf_bits(const void *data, size_t len, uint64_t bit_off,
	      unsigned int bits, uint64_t *v)
{
	uint64_t first = bit_off / 8, last = (bit_off + bits - 1) / 8;
	unsigned int shift = bit_off % 8, i, nr = last - first + 1;
	uint8_t bytes[16] = { 0 };
	uint64_t lo, hi;

	if (last >= len)
		return false;
	for (i = 0; i < nr; i++) /* 9 at most */
		bytes[i] = ((const uint8_t *)data)[first + i];
	memcpy(&lo, bytes, 8);
	memcpy(&hi, bytes + 8, 8);
	if (shift)
		lo = lo >> shift | hi << (64 - shift);
	*v = bits == 64 ? lo : lo & ((1ull << bits) - 1);
	return true;
}

static enum btf_num_kind int_kind(const struct btf_type *t)
{
	uint8_t enc = btf_int_encoding(t);

	if (enc & BTF_INT_BOOL)
		return BTF_NUM_BOOL;
	return enc & BTF_INT_SIGNED ? BTF_NUM_SIGNED : BTF_NUM_UNSIGNED;
}

enum btf_num_kind btf_num_kind(const struct btf *btf,
			       const struct btf_place *place,
			       unsigned int *bits)
{
	const struct btf_type *t = btf_type_skip(btf, place->type_id, NULL);
	unsigned int width;

	if (!t || (!btf_is_int(t) && !btf_is_any_enum(t)))
		return BTF_NUM_NONE;
	width = place->bits ? place->bits : t->size * 8ull;
	if (t->size > 8 || !width || width > 64)
		return BTF_NUM_NONE;

	*bits = width;
	if (btf_is_int(t))
		return int_kind(t);
	return btf_type_is_signed(t) ? BTF_NUM_ENUM_SIGNED :
				       BTF_NUM_ENUM_UNSIGNED;
}

bool btf_is_text(const struct btf *btf, const struct btf_type *t)
{
	const struct btf_type *elem;
	const char *name;

	if (!btf_is_array(t))
		return false;
	elem = btf_type_skip(btf, btf_array(t)->type, NULL);
	if (!elem || !btf_is_int(elem) || elem->size != 1)
		return false;
	name = btf__name_by_offset(btf, elem->name_off);
	return btf_int_encoding(elem) & BTF_INT_CHAR ||
	       (name && !strcmp(name, "char"));
}
