// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/btf_json.h"

#include "monitor/btf_type.h"
#include "monitor/btf_value.h"

#include <bpf/btf.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_SAFE_INT ((1ll << 53) - 1)
#define WIDE_MAX_BYTES 16
#define ENUMERATORS_PER_WORK 64

struct walk {
	const struct btf *btf;
	const uint8_t *data;
	size_t len;
	struct btf_json_budget *budget;
	unsigned int depth;
};

static json_t *place_json(struct walk *w, const struct btf_place *place);

bool btf_json_spend(struct btf_json_budget *budget, unsigned int work)
{
	if (budget->work < work)
		budget->exceeded = true;
	if (budget->exceeded)
		return false;
	budget->work -= work;
	return true;
}

static bool spend(struct walk *w, unsigned int work)
{
	return btf_json_spend(w->budget, work);
}

json_t *json_from_int64(int64_t v)
{
	char text[24];

	if (v >= -JSON_SAFE_INT && v <= JSON_SAFE_INT)
		return json_integer(v);
	snprintf(text, sizeof(text), "%" PRId64, v);
	return json_string(text);
}

json_t *json_from_uint64(uint64_t v)
{
	char text[24];

	if (v <= JSON_SAFE_INT)
		return json_integer(v);
	snprintf(text, sizeof(text), "%" PRIu64, v);
	return json_string(text);
}

json_t *json_from_hex(const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(len * 2 + 1);
	json_t *j;
	size_t i;

	if (!text)
		return NULL;
	for (i = 0; i < len; i++) {
		uint8_t byte = ((const uint8_t *)data)[i];

		text[i * 2] = digits[byte >> 4];
		text[i * 2 + 1] = digits[byte & 15];
	}
	j = json_stringn_nocheck(text, len * 2);
	free(text);
	return j;
}

json_t *json_from_text(const char *text, size_t len)
{
	json_t *j;
	char *copy;
	size_t i;

	len = strnlen(text, len);
	j = json_stringn(text, len);
	if (j)
		return j;

	copy = malloc(len + 1);
	if (!copy)
		return NULL;
	for (i = 0; i < len; i++)
		copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	j = json_stringn_nocheck(copy, len);
	free(copy);
	return j;
}

static bool has_bytes(const struct walk *w, const struct btf_place *p,
		      uint64_t size)
{
	uint64_t off = p->bit_off / 8;

	return !(p->bit_off % 8) && off <= w->len && size <= w->len - off;
}

/* The name of value @v, or NULL. */
static const char *enum_name(struct walk *w, const struct btf_type *t,
			     uint64_t v, unsigned int bits)
{
	uint64_t mask = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
	const struct btf *btf = w->btf;
	const char *name = NULL;
	unsigned int i;

	if (!spend(w, btf_vlen(t) / ENUMERATORS_PER_WORK))
		return NULL;
	for (i = 0; i < btf_vlen(t) && !name; i++) {
		if (btf_is_enum(t)) {
			const struct btf_enum *e = &btf_enum(t)[i];

			if (((uint64_t)(int64_t)e->val & mask) == (v & mask))
				name = btf__name_by_offset(btf, e->name_off);
		} else {
			const struct btf_enum64 *e = &btf_enum64(t)[i];

			if ((btf_enum64_value(e) & mask) == (v & mask))
				name = btf__name_by_offset(btf, e->name_off);
		}
	}
	return name && *name ? name : NULL;
}

static json_t *number_json(struct walk *w, const struct btf_type *t,
			   const struct btf_place *p)
{
	enum btf_num_kind kind;
	const char *name;
	unsigned int bits;
	uint64_t v;

	kind = btf_num_kind(w->btf, p, &bits);
	if (kind == BTF_NUM_NONE) {
		if (t->size > WIDE_MAX_BYTES || !has_bytes(w, p, t->size))
			return json_null();
		return json_from_hex(w->data + p->bit_off / 8, t->size);
	}
	if (!btf_bits(w->data, w->len, p->bit_off, bits, &v))
		return json_null();

	switch (kind) {
	case BTF_NUM_BOOL:
		return json_boolean(v);
	case BTF_NUM_SIGNED:
		return json_from_int64(btf_sign_extend(v, bits));
	case BTF_NUM_ENUM_SIGNED:
	case BTF_NUM_ENUM_UNSIGNED:
		name = enum_name(w, t, v, bits);
		if (name)
			return json_from_text(name, strlen(name));
		if (kind == BTF_NUM_ENUM_SIGNED)
			return json_from_int64(btf_sign_extend(v, bits));
		return json_from_uint64(v);
	default:
		return json_from_uint64(v);
	}
}

static json_t *float_json(struct walk *w, const struct btf_type *t,
			  const struct btf_place *p)
{
	double d;
	float f;

	if (!has_bytes(w, p, t->size))
		return json_null();
	if (t->size == sizeof(f)) {
		memcpy(&f, w->data + p->bit_off / 8, sizeof(f));
		d = f;
	} else if (t->size == sizeof(d)) {
		memcpy(&d, w->data + p->bit_off / 8, sizeof(d));
	} else {
		return json_null();
	}
	return isfinite(d) ? json_real(d) : json_null();
}

static json_t *ptr_json(struct walk *w, const struct btf_type *t,
			const struct btf_place *p)
{
	char text[24];
	uint64_t v;

	(void)t;
	if (!btf_bits(w->data, w->len, p->bit_off, 64, &v))
		return json_null();
	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	return json_string(text);
}

static json_t *array_json(struct walk *w, const struct btf_type *t,
			  const struct btf_place *p)
{
	const struct btf_array *arr = btf_array(t);
	int64_t size = btf__resolve_size(w->btf, arr->type);
	struct btf_place elem = { .type_id = arr->type, .bit_off = p->bit_off };
	json_t *list;
	uint32_t i;

	if (size < 0)
		return json_null();
	if (btf_is_text(w->btf, t)) {
		if (!has_bytes(w, p, arr->nelems))
			return json_null();
		return json_from_text((const char *)w->data + p->bit_off / 8,
				      arr->nelems);
	}

	list = json_array();
	if (!list)
		return NULL;
	for (i = 0; i < arr->nelems && !w->budget->exceeded; i++) {
		json_t *j = place_json(w, &elem);

		if (!j || json_array_append_new(list, j)) {
			json_decref(list);
			return NULL;
		}
		elem.bit_off += size * 8;
	}
	return list;
}

/* Takes the reference of @value. A guest's name need not be UTF-8. */
static int object_set(json_t *obj, const char *name, json_t *value)
{
	json_t *key;
	int err;

	if (!value)
		return -1;
	key = json_from_text(name, strlen(name));
	if (!key) {
		json_decref(value);
		return -1;
	}
	err = json_object_set_new_nocheck(obj, json_string_value(key), value);
	json_decref(key);
	return err;
}

static bool is_composite_place(const struct walk *w, uint32_t type_id)
{
	const struct btf_type *t = btf_type_skip(w->btf, type_id, NULL);

	return t && btf_is_composite(t);
}

/* Add the members of @t to @obj: C reaches anonymous ones directly. */
static int add_members(struct walk *w, const struct btf_type *t,
		       uint64_t at_bits, json_t *obj)
{
	unsigned int i;
	int err = 0;

	if (++w->depth > BTF_MAX_DEPTH) {
		w->depth--;
		w->budget->exceeded = true;
		return 0;
	}
	for (i = 0; i < btf_vlen(t) && !err && spend(w, 1); i++) {
		struct btf_place p = btf_member_place(t, i, at_bits);
		const char *name;

		name = btf__name_by_offset(w->btf, btf_members(t)[i].name_off);
		if (name && *name)
			err = object_set(obj, name, place_json(w, &p));
		else if (is_composite_place(w, p.type_id))
			err = add_members(w, btf_type_skip(w->btf, p.type_id,
							   NULL),
					  p.bit_off, obj);
	}
	w->depth--;
	return err;
}

static json_t *composite_json(struct walk *w, const struct btf_type *t,
			      const struct btf_place *p)
{
	json_t *obj = json_object();

	if (obj && add_members(w, t, p->bit_off, obj)) {
		json_decref(obj);
		obj = NULL;
	}
	return obj;
}

static json_t *datasec_json(struct walk *w, const struct btf_type *t,
			    const struct btf_place *p)
{
	const struct btf_var_secinfo *var = btf_var_secinfos(t);
	json_t *obj = json_object();
	unsigned int i;

	for (i = 0; obj && i < btf_vlen(t) && spend(w, 1); i++, var++) {
		const struct btf_type *vt = btf__type_by_id(w->btf, var->type);
		struct btf_place vp = { .bit_off = p->bit_off +
						   var->offset * 8ull };
		const char *name;

		if (!vt || !btf_is_var(vt))
			continue;
		vp.type_id = vt->type;
		name = btf__name_by_offset(w->btf, vt->name_off);
		if (!name || !*name)
			continue;
		if (object_set(obj, name, place_json(w, &vp))) {
			json_decref(obj);
			obj = NULL;
		}
	}
	return obj;
}

/* No entry: null. */
static json_t *(*const kind_json[])(struct walk *w, const struct btf_type *t,
				    const struct btf_place *p) = {
	[BTF_KIND_INT] = number_json,
	[BTF_KIND_ENUM] = number_json,
	[BTF_KIND_ENUM64] = number_json,
	[BTF_KIND_FLOAT] = float_json,
	[BTF_KIND_PTR] = ptr_json,
	[BTF_KIND_ARRAY] = array_json,
	[BTF_KIND_STRUCT] = composite_json,
	[BTF_KIND_UNION] = composite_json,
	[BTF_KIND_DATASEC] = datasec_json,
};

static json_t *place_json(struct walk *w, const struct btf_place *place)
{
	const struct btf_type *t = btf_type_skip(w->btf, place->type_id, NULL);
	unsigned int kind = t ? btf_kind(t) : 0;
	json_t *j;

	if (w->depth >= BTF_MAX_DEPTH)
		w->budget->exceeded = true;
	if (!spend(w, 1))
		return json_null();
	if (kind >= sizeof(kind_json) / sizeof(kind_json[0]) ||
	    !kind_json[kind])
		return json_null();

	w->depth++;
	j = kind_json[kind](w, t, place);
	w->depth--;
	return j;
}

json_t *btf_json(const struct btf *btf, uint32_t type_id, const void *data,
		 size_t len, struct btf_json_budget *budget)
{
	struct btf_place top = { .type_id = type_id };
	struct walk w = { .btf = btf, .data = data, .len = len,
			  .budget = budget };

	return place_json(&w, &top);
}
