// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/numbers.h"

#include "monitor/btf_type.h"

#include <bpf/btf.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORK 65536	/* places visited in one value */

struct flatten {
	struct numbers *out;
	const struct btf *btf;
	uint32_t value_size;
	uint32_t entry;
	char name[NUMBERS_MAX_NAME];	/* of the place at hand */
	unsigned int work, depth;
	int err;
};

static void flatten_place(struct flatten *f, const struct btf_place *place);

/*
 * Extend the name. Return: its length before, for name_cut(), or -1 when it
 * would become too long.
 */
__attribute__((format(printf, 2, 3)))
static int name_push(struct flatten *f, const char *fmt, ...)
{
	size_t len = strlen(f->name), room = sizeof(f->name) - len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(f->name + len, room, fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < room)
		return len;
	f->name[len] = '\0';
	f->out->truncated = true;
	return -1;
}

static void name_cut(struct flatten *f, int len)
{
	f->name[len] = '\0';
}

/*
 * Which bytes to load for [@bit_off, @bit_off + @bits): the smallest aligned
 * word around it, so that a live load can't be torn; else just its bytes.
 */
static void place_load(struct number *n, uint64_t bit_off, unsigned int bits)
{
	unsigned int size;

	for (size = 1; size <= 8; size *= 2) {
		uint64_t word = bit_off / 8 & ~(size - 1ull);

		if (bit_off + bits > (word + size) * 8)
			continue;
		n->off = word;
		n->load_bytes = size;
		n->shift = bit_off - word * 8;
		return;
	}
	n->off = bit_off / 8;
	n->load_bytes = (bit_off + bits + 7) / 8 - bit_off / 8;
	n->shift = bit_off % 8;
}

static struct number *numbers_grow(struct flatten *f)
{
	struct numbers *ns = f->out;
	struct number *v;
	unsigned int room;

	if (ns->nr < ns->room)
		return &ns->v[ns->nr];
	room = ns->room ? ns->room * 2 : 16;
	v = reallocarray(ns->v, room, sizeof(*v));
	if (!v) {
		f->err = -ENOMEM;
		return NULL;
	}
	ns->v = v;
	ns->room = room;
	return &v[ns->nr];
}

static enum number_word word_of(const struct number *n)
{
	unsigned int size = n->load_bytes;

	if (n->bits != size * 8 || size & (size - 1) || n->off & (size - 1))
		return NUMBER_NO_WORD;
	if (n->kind == BTF_NUM_UNSIGNED && size >= 4)
		return size == 8 ? NUMBER_U64 : NUMBER_U32;
	if (n->kind == BTF_NUM_SIGNED && size >= 4)
		return size == 8 ? NUMBER_S64 : NUMBER_S32;
	return NUMBER_ANY_WORD;
}

static void emit(struct flatten *f, uint64_t bit_off, unsigned int bits,
		 enum btf_num_kind kind)
{
	struct number n = { .entry = f->entry, .bits = bits, .kind = kind };
	struct number *slot;

	if (f->out->nr >= NUMBERS_MAX) {
		f->out->truncated = true;
		return;
	}
	if ((bit_off + bits + 7) / 8 > f->value_size)
		return;
	place_load(&n, bit_off, bits);
	/* The word may reach past an odd-sized value: take the bytes alone. */
	if (n.off + n.load_bytes > f->value_size) {
		n.off = bit_off / 8;
		n.load_bytes = (bit_off + bits + 7) / 8 - n.off;
		n.shift = bit_off % 8;
	}

	n.word = word_of(&n);

	slot = numbers_grow(f);
	if (!slot)
		return;
	n.name = strdup(f->name);
	if (!n.name) {
		f->err = -ENOMEM;
		return;
	}
	text_to_ascii(n.name);
	*slot = n;
	f->out->nr++;
}

static void flatten_number(struct flatten *f, const struct btf_type *t,
			   const struct btf_place *p)
{
	enum btf_num_kind kind;
	unsigned int bits;

	(void)t;
	kind = btf_num_kind(f->btf, p, &bits);
	if (kind != BTF_NUM_NONE)
		emit(f, p->bit_off, bits, kind);
}

static void flatten_array(struct flatten *f, const struct btf_type *t,
			  const struct btf_place *p)
{
	const struct btf_array *arr = btf_array(t);
	int64_t size = btf__resolve_size(f->btf, arr->type);
	uint32_t i;

	if (size <= 0 || btf_is_text(f->btf, t))
		return;
	for (i = 0; i < arr->nelems && f->work && !f->err; i++) {
		struct btf_place elem = {
			.type_id = arr->type,
			.bit_off = p->bit_off + (uint64_t)i * size * 8,
		};
		int len;

		if (elem.bit_off / 8 >= f->value_size)
			return;
		len = name_push(f, "[%u]", i);
		if (len < 0)
			return;
		flatten_place(f, &elem);
		name_cut(f, len);
	}
}

static void flatten_composite(struct flatten *f, const struct btf_type *t,
			      const struct btf_place *p)
{
	unsigned int i;

	for (i = 0; i < btf_vlen(t) && f->work && !f->err; i++) {
		struct btf_place m = btf_member_place(t, i, p->bit_off);
		const char *name;
		int len = 0;

		name = btf__name_by_offset(f->btf, btf_members(t)[i].name_off);
		if (!name || !*name) {
			const struct btf_type *mt =
				btf_type_skip(f->btf, m.type_id, NULL);

			f->work--;
			if (mt && btf_is_composite(mt))
				flatten_place(f, &m);
			continue;
		}
		len = name_push(f, ".%s", name);
		if (len < 0)
			continue;
		flatten_place(f, &m);
		name_cut(f, len);
	}
}

static void flatten_datasec(struct flatten *f, const struct btf_type *t,
			    const struct btf_place *p)
{
	const struct btf_var_secinfo *var = btf_var_secinfos(t);
	unsigned int i;

	for (i = 0; i < btf_vlen(t) && f->work && !f->err; i++, var++) {
		const struct btf_type *vt = btf__type_by_id(f->btf, var->type);
		struct btf_place vp = { .bit_off = p->bit_off +
						   var->offset * 8ull };
		int len;

		if (!vt || !btf_is_var(vt))
			continue;
		vp.type_id = vt->type;
		len = name_push(f, ".%s",
				btf__name_by_offset(f->btf, vt->name_off));
		if (len < 0)
			continue;
		flatten_place(f, &vp);
		name_cut(f, len);
	}
}

/* No entry: no number in it. */
static void (*const kind_flatten[])(struct flatten *f, const struct btf_type *t,
				    const struct btf_place *p) = {
	[BTF_KIND_INT] = flatten_number,
	[BTF_KIND_ENUM] = flatten_number,
	[BTF_KIND_ENUM64] = flatten_number,
	[BTF_KIND_ARRAY] = flatten_array,
	[BTF_KIND_STRUCT] = flatten_composite,
	[BTF_KIND_UNION] = flatten_composite,
	[BTF_KIND_DATASEC] = flatten_datasec,
};

static void flatten_place(struct flatten *f, const struct btf_place *place)
{
	const struct btf_type *t = btf_type_skip(f->btf, place->type_id, NULL);
	unsigned int kind = t ? btf_kind(t) : 0;

	if (!f->work || f->depth >= BTF_MAX_DEPTH) {
		f->out->truncated = true;
		return;
	}
	f->work--;
	if (kind >= sizeof(kind_flatten) / sizeof(kind_flatten[0]) ||
	    !kind_flatten[kind])
		return;
	f->depth++;
	kind_flatten[kind](f, t, place);
	f->depth--;
}

int numbers_add(struct numbers *ns, const struct btf *btf, uint32_t type_id,
		uint32_t value_size, uint32_t entry, const char *prefix)
{
	struct flatten f = { .out = ns, .btf = btf, .value_size = value_size,
			     .entry = entry, .work = MAX_WORK };
	struct btf_place top = { .type_id = type_id };

	if (name_push(&f, "%s", prefix) < 0)
		return 0;
	if (btf)
		flatten_place(&f, &top);
	else if (value_size == 1 || value_size == 2 || value_size == 4 ||
		 value_size == 8)
		emit(&f, 0, value_size * 8, BTF_NUM_UNSIGNED);
	return f.err;
}

void numbers_fini(struct numbers *ns)
{
	unsigned int i;

	for (i = 0; i < ns->nr; i++)
		free(ns->v[i].name);
	free(ns->v);
	memset(ns, 0, sizeof(*ns));
}

static bool is_signed(const struct number *n)
{
	return n->kind == BTF_NUM_SIGNED || n->kind == BTF_NUM_ENUM_SIGNED;
}

void number_text(const struct number *n, const void *bytes,
		 char buf[NUMBER_TEXT_MAX])
{
	uint64_t v = 0;

	btf_bits(bytes, n->load_bytes, n->shift, n->bits, &v);
	if (is_signed(n))
		snprintf(buf, NUMBER_TEXT_MAX, "%" PRId64,
			 btf_sign_extend(v, n->bits));
	else
		snprintf(buf, NUMBER_TEXT_MAX, "%" PRIu64, v);
}

static double number_value(const struct number *n, uint64_t v)
{
	if (is_signed(n))
		return btf_sign_extend(v, n->bits);
	return n->kind == BTF_NUM_BOOL ? v != 0 : v;
}

int number_read(const struct number *n, struct kmem *km, uint64_t kva,
		double *val, bool *unstable)
{
	uint8_t bytes[16] = { 0 }, again[16];
	bool stable;
	uint64_t v;
	int err;

	if (n->word && !(kva & (n->load_bytes - 1))) {
		err = kmem_read_uint(km, kva + n->off, n->load_bytes, &v);
		if (!err)
			*val = number_value(n, v);
		return err;
	}
	err = kmem_read_stable(km, kva + n->off, bytes, again, n->load_bytes,
			       &stable);
	if (err)
		return err;
	if (!btf_bits(bytes, sizeof(bytes), n->shift, n->bits, &v))
		return -EFAULT;
	if (!stable)
		*unstable = true;
	*val = number_value(n, v);
	return 0;
}

/* As doubles: of any kind, and of any size. */
static double sum_any(const struct number *n, const char *const *at,
		      unsigned int nr)
{
	double sum = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		sum += number_value(n, kmem_word(at[i] + n->off,
						 n->load_bytes));
	return sum;
}

/*
 * As integers, which takes less time. @size and @is_signed are constants where
 * this is called. False: too large for that.
 */
static inline __attribute__((always_inline))
bool sum_words(const char *const *at, uint32_t off, unsigned int size,
	       bool is_signed, double *sum)
{
	uint64_t as_unsigned = 0;
	int64_t as_signed = 0;
	bool over = false;
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < NUMBERS_TOGETHER; i++) {
		uint64_t v = kmem_word(at[i] + off, size);

		if (is_signed)
			over |= __builtin_add_overflow(
				as_signed, btf_sign_extend(v, size * 8),
				&as_signed);
		else
			over |= __builtin_add_overflow(as_unsigned, v,
						       &as_unsigned);
	}
	*sum = is_signed ? (double)as_signed : (double)as_unsigned;
	return !over;
}

static inline double sum_together(const struct number *n, const char *const *at)
{
	bool summed = false;
	double sum;

	switch (n->word) {
	case NUMBER_U64:
		summed = sum_words(at, n->off, 8, false, &sum);
		break;
	case NUMBER_U32:
		summed = sum_words(at, n->off, 4, false, &sum);
		break;
	case NUMBER_S64:
		summed = sum_words(at, n->off, 8, true, &sum);
		break;
	case NUMBER_S32:
		summed = sum_words(at, n->off, 4, true, &sum);
		break;
	}
	return summed ? sum : sum_any(n, at, NUMBERS_TOGETHER);
}

void numbers_sum(struct number *n, unsigned int nr, struct kmem *km,
		 const char *const *at, unsigned int nr_values)
{
	unsigned int words = 0, bytes = 0, from, i;

	for (i = 0; i < nr; i++) {
		if (!n[i].word)
			continue;
		words++;
		bytes += n[i].load_bytes;
	}
	km->stats.reads += (uint64_t)words * nr_values;
	km->stats.read_bytes += (uint64_t)bytes * nr_values;

	for (from = 0; from + NUMBERS_TOGETHER <= nr_values;
	     from += NUMBERS_TOGETHER)
		for (i = 0; i < nr; i++)
			if (n[i].word)
				n[i].val += sum_together(&n[i], at + from);
	for (i = 0; i < nr && from < nr_values; i++)
		if (n[i].word)
			n[i].val += sum_any(&n[i], at + from, nr_values - from);
}
