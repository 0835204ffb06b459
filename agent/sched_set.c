// SPDX-License-Identifier: GPL-2.0-only
#include "agent/sched_set.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NESTING 8

/* Where a store stands, for its messages. */
struct store {
	const struct btf *btf;
	const char *name;
	char *err_msg;
	size_t err_len;
};

__attribute__((format(printf, 3, 4)))
static int refuse(const struct store *st, int err, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(st->err_msg, st->err_len, "variable %s: ", st->name);

	if (n < 0 || (size_t)n >= st->err_len)
		return err;
	va_start(ap, fmt);
	vsnprintf(st->err_msg + n, st->err_len - n, fmt, ap);
	va_end(ap);
	return err;
}

/* Without const, volatile, typedefs. NULL: no such type. */
static const struct btf_type *plain_type(const struct btf *btf, uint32_t id)
{
	int plain = btf__resolve_type(btf, id);

	return plain < 0 ? NULL : btf__type_by_id(btf, plain);
}

/* A section of global variables that may be written before the load. */
static bool section_is_settable(const char *name)
{
	return !strncmp(name, ".rodata", 7) || !strncmp(name, ".data", 5) ||
	       !strncmp(name, ".bss", 4);
}

static int each_in_section(const struct btf *btf, const struct btf_type *sec,
			   char *value, size_t bytes,
			   int (*fn)(void *, const struct sched_var *),
			   void *ctx)
{
	const struct btf_var_secinfo *info = btf_var_secinfos(sec);
	int i, ret;

	for (i = 0; i < btf_vlen(sec); i++, info++) {
		const struct btf_type *var = btf__type_by_id(btf, info->type);
		struct sched_var v = {
			.btf = btf,
			.value = value + info->offset,
			.bytes = info->size,
		};

		if (!var || !btf_is_var(var) || info->offset > bytes ||
		    info->size > bytes - info->offset)
			continue;
		v.name = btf__name_by_offset(btf, var->name_off);
		v.type_id = var->type;
		ret = fn(ctx, &v);
		if (ret)
			return ret;
	}
	return 0;
}

/* The section behind a map, or NULL; @value and @bytes are its variables. */
static const struct btf_type *section_of(const struct bpf_object *obj,
					 struct bpf_map *map,
					 char **value, size_t *bytes)
{
	const struct btf *btf = bpf_object__btf(obj);
	const struct btf_type *sec;

	if (!btf || !bpf_map__is_internal(map))
		return NULL;
	sec = btf__type_by_id(btf, bpf_map__btf_value_type_id(map));
	if (!sec || !btf_is_datasec(sec) ||
	    !section_is_settable(btf__name_by_offset(btf, sec->name_off)))
		return NULL;
	*value = bpf_map__initial_value(map, bytes);
	return *value ? sec : NULL;
}

int sched_var_each(struct bpf_object *obj,
		   int (*fn)(void *ctx, const struct sched_var *var),
		   void *ctx)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		const struct btf_type *sec;
		size_t bytes;
		char *value;
		int ret;

		sec = section_of(obj, map, &value, &bytes);
		if (!sec)
			continue;
		ret = each_in_section(bpf_object__btf(obj), sec, value, bytes,
				      fn, ctx);
		if (ret)
			return ret;
	}
	return 0;
}

void sched_var_refresh(struct bpf_object *obj)
{
	const uint32_t zero = 0;
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		size_t bytes, room;
		char *value, *copy;

		if (bpf_map__fd(map) < 0 ||
		    !section_of(obj, map, &value, &bytes))
			continue;
		/* the kernel copies out in units of 8 bytes */
		room = (bpf_map__value_size(map) + 7) / 8 * 8;
		copy = room < bytes ? NULL : malloc(room);
		if (copy && !bpf_map_lookup_elem(bpf_map__fd(map), &zero, copy))
			memcpy(value, copy, bytes);
		free(copy);
	}
}

struct find {
	const char *name;
	struct sched_var *var;
};

static int find_one(void *ctx, const struct sched_var *var)
{
	struct find *f = ctx;

	if (strcmp(var->name, f->name))
		return 0;
	*f->var = *var;
	return 1;
}

int sched_var_find(struct bpf_object *obj, const char *name,
		   struct sched_var *var)
{
	struct find f = { .name = name, .var = var };

	return sched_var_each(obj, find_one, &f) ? 0 : -ENOENT;
}

static bool integer_fits(uint64_t value, bool negative, size_t bytes,
			 bool is_signed)
{
	unsigned int bits = bytes * 8;

	if (bits > 64)
		return false;
	if (negative)
		return is_signed && (int64_t)value >= INT64_MIN >> (64 - bits);
	return value <= UINT64_MAX >> (64 - bits + is_signed);
}

/* Any integer, its two's complement in @out. Return: 0; -EINVAL; -ERANGE. */
static int integer_of(json_t *value, uint64_t *out, bool *negative)
{
	const char *text = json_string_value(value);
	char *end;

	*negative = false;
	if (json_is_integer(value)) {
		*out = json_integer_value(value);
		*negative = json_integer_value(value) < 0;
		return 0;
	}
	if (!text || text[strspn(text, "-")] < '0' ||
	    text[strspn(text, "-")] > '9' || strspn(text, "-") > 1)
		return -EINVAL;
	errno = 0;
	if (*text == '-') {
		*out = strtoll(text, &end, 0);
		*negative = *out != 0;
	} else {
		*out = strtoull(text, &end, 0);
	}
	if (*end)
		return -EINVAL;
	return errno ? -ERANGE : 0;
}

static int store_integer(const struct store *st, void *dst, size_t bytes,
			 bool is_signed, json_t *value)
{
	uint64_t v;
	bool negative;
	int err = integer_of(value, &v, &negative);

	if (err == -EINVAL)
		return refuse(st, err, "want an integer");
	if (err || !integer_fits(v, negative, bytes, is_signed))
		return refuse(st, -ERANGE, "does not fit %s %zu bits",
			      is_signed ? "signed" : "unsigned", bytes * 8);
	memcpy(dst, &v, bytes); /* little-endian, as its only user */
	return 0;
}

static int store_bool(const struct store *st, void *dst, json_t *value)
{
	if (json_is_boolean(value))
		*(uint8_t *)dst = json_is_true(value);
	else if (json_is_integer(value) && json_integer_value(value) >= 0 &&
		 json_integer_value(value) <= 1)
		*(uint8_t *)dst = json_integer_value(value);
	else
		return refuse(st, -EINVAL, "want true or false");
	return 0;
}

/* The value of an enumerator, of either width. Return: false: none. */
static bool enum_at(const struct btf *btf, const struct btf_type *t, int i,
		    const char **name, uint64_t *value)
{
	if (btf_is_enum(t)) {
		const struct btf_enum *e = btf_enum(t) + i;

		*name = btf__name_by_offset(btf, e->name_off);
		*value = btf_kflag(t) ? (uint64_t)(int64_t)e->val :
					(uint32_t)e->val;
		return true;
	}
	if (btf_is_enum64(t)) {
		const struct btf_enum64 *e = btf_enum64(t) + i;

		*name = btf__name_by_offset(btf, e->name_off);
		*value = btf_enum64_value(e);
		return true;
	}
	return false;
}

static int store_enum(const struct store *st, const struct btf_type *t,
		      void *dst, json_t *value)
{
	const char *want = json_string_value(value), *name;
	uint64_t v;
	int i;

	for (i = 0; want && i < btf_vlen(t); i++) {
		if (!enum_at(st->btf, t, i, &name, &v) || strcmp(want, name))
			continue;
		memcpy(dst, &v, t->size);
		return 0;
	}
	if (json_is_integer(value))
		return store_integer(st, dst, t->size, btf_kflag(t), value);
	return refuse(st, -EINVAL, "\"%s\" is no value of enum %s",
		      want ? want : "?",
		      btf__name_by_offset(st->btf, t->name_off));
}

static bool is_char(const struct btf_type *t)
{
	return t && btf_is_int(t) && t->size == 1 &&
	       !(btf_int_encoding(t) & BTF_INT_BOOL);
}

static int store_value(const struct store *st, uint32_t type_id, void *dst,
		       json_t *value, int depth);

static int store_array(const struct store *st, const struct btf_type *t,
		       char *dst, json_t *value, int depth)
{
	const struct btf_array *a = btf_array(t);
	long long elem_bytes = btf__resolve_size(st->btf, a->type);
	const char *text = json_string_value(value);
	json_t *elem;
	size_t i;
	int err;

	if (text && is_char(plain_type(st->btf, a->type))) {
		if (strlen(text) >= a->nelems)
			return refuse(st, -ERANGE, "want at most %u bytes",
				      a->nelems ? a->nelems - 1 : 0);
		memset(dst, 0, a->nelems);
		memcpy(dst, text, strlen(text));
		return 0;
	}
	if (!json_is_array(value) || elem_bytes <= 0)
		return refuse(st, -EINVAL, "want an array");
	if (json_array_size(value) > a->nelems)
		return refuse(st, -ERANGE, "want at most %u elements",
			      a->nelems);
	json_array_foreach(value, i, elem) {
		err = store_value(st, a->type, dst + i * elem_bytes, elem,
				  depth + 1);
		if (err)
			return err;
	}
	return 0;
}

static int store_value(const struct store *st, uint32_t type_id, void *dst,
		       json_t *value, int depth)
{
	const struct btf_type *t = plain_type(st->btf, type_id);

	if (!t || depth > MAX_NESTING)
		return refuse(st, -ENOTSUP, "its type can't be read");
	switch (btf_kind(t)) {
	case BTF_KIND_INT:
		if (btf_int_encoding(t) & BTF_INT_BOOL)
			return store_bool(st, dst, value);
		return store_integer(st, dst, t->size,
				     btf_int_encoding(t) & BTF_INT_SIGNED,
				     value);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return store_enum(st, t, dst, value);
	case BTF_KIND_ARRAY:
		return store_array(st, t, dst, value, depth);
	default:
		return refuse(st, -ENOTSUP,
			      "only integers, bool, enums and arrays of them can be set");
	}
}

int sched_var_store(const struct sched_var *var, json_t *value, char *err_msg,
		    size_t err_len)
{
	struct store st = {
		.btf = var->btf,
		.name = var->name,
		.err_msg = err_msg,
		.err_len = err_len,
	};
	long long bytes = btf__resolve_size(var->btf, var->type_id);

	if (bytes < 0 || (size_t)bytes > var->bytes)
		return refuse(&st, -ENOTSUP, "its size is unknown");
	return store_value(&st, var->type_id, var->value, value, 0);
}

/* Levenshtein's distance of names, cut at 64 bytes. */
static unsigned int name_distance(const char *a, const char *b)
{
	unsigned int row[65], i, j, diag, up;
	size_t la = strnlen(a, 64), lb = strnlen(b, 64);

	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		diag = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			up = row[j];
			row[j] = diag + (a[i - 1] != b[j - 1]);
			if (up + 1 < row[j])
				row[j] = up + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diag = up;
		}
	}
	return row[lb];
}

struct nearest {
	const char *want;
	const char *name;
	unsigned int distance;
};

static int nearest_one(void *ctx, const struct sched_var *var)
{
	struct nearest *n = ctx;
	unsigned int d = name_distance(n->want, var->name);

	if (d < n->distance) {
		n->distance = d;
		n->name = var->name;
	}
	return 0;
}

static int no_such_variable(struct bpf_object *obj, const char *name,
			    char *err_msg, size_t err_len)
{
	struct nearest n = {
		.want = name,
		/* further away is no typing error */
		.distance = strlen(name) / 3 + 2,
	};

	sched_var_each(obj, nearest_one, &n);
	if (n.name)
		snprintf(err_msg, err_len,
			 "no variable %s in the scheduler; did you mean %s?",
			 name, n.name);
	else
		snprintf(err_msg, err_len, "no variable %s in the scheduler",
			 name);
	return -ENOENT;
}

int sched_set_all(struct bpf_object *obj, json_t *set, char *err_msg,
		  size_t err_len)
{
	struct sched_var var;
	const char *name;
	json_t *value;
	int err;

	json_object_foreach(set, name, value) {
		if (sched_var_find(obj, name, &var))
			return no_such_variable(obj, name, err_msg, err_len);
		err = sched_var_store(&var, value, err_msg, err_len);
		if (err)
			return err;
	}
	return 0;
}

/* The variables __SCX_X of an object, while their constants are looked for. */
struct wanted_enums {
	struct sched_var *vars;
	size_t nr, cap;
};

static int collect_enum(void *ctx, const struct sched_var *var)
{
	struct wanted_enums *w = ctx;
	uint64_t zero = 0;
	void *vars;

	if (strncmp(var->name, "__SCX_", 6) || var->bytes != sizeof(zero) ||
	    memcmp(var->value, &zero, sizeof(zero)))
		return 0;
	if (w->nr == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 64;
		vars = realloc(w->vars, w->cap * sizeof(*w->vars));
		if (!vars)
			return -ENOMEM;
		w->vars = vars;
	}
	w->vars[w->nr++] = *var;
	return 0;
}

static int fill_from_type(const struct wanted_enums *w, const struct btf *btf,
			  const struct btf_type *t)
{
	const char *name;
	uint64_t value;
	int i, filled = 0;
	size_t k;

	for (i = 0; i < btf_vlen(t); i++) {
		if (!enum_at(btf, t, i, &name, &value) ||
		    strncmp(name, "SCX_", 4))
			continue;
		for (k = 0; k < w->nr; k++) {
			if (strcmp(w->vars[k].name + 2, name))
				continue;
			memcpy(w->vars[k].value, &value, sizeof(value));
			filled++;
		}
	}
	return filled;
}

int sched_set_enums(struct bpf_object *obj, const struct btf *kernel)
{
	struct wanted_enums w = { 0 };
	uint32_t id, nr = btf__type_cnt(kernel);
	int err = sched_var_each(obj, collect_enum, &w);
	size_t filled = 0;

	for (id = 1; !err && id < nr && filled < w.nr; id++) {
		const struct btf_type *t = btf__type_by_id(kernel, id);

		if (btf_is_any_enum(t))
			filled += fill_from_type(&w, kernel, t);
	}
	free(w.vars);
	return err ? err : (int)filled;
}
