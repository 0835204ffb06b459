// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/btf_type.h"

#include <bpf/btf.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int btf_parse_untrusted(const void *raw, size_t len, struct btf **btf)
{
	struct btf_header hdr;
	struct btf *b;

	if (len < sizeof(hdr) || len > UINT32_MAX)
		return -EINVAL;
	memcpy(&hdr, raw, sizeof(hdr));
	if (hdr.magic != BTF_MAGIC || hdr.hdr_len < sizeof(hdr))
		return -EINVAL;

	b = btf__new(raw, len);
	if (!b)
		return errno == ENOMEM ? -ENOMEM : -EINVAL;
	*btf = b;
	return 0;
}

const struct btf_type *btf_type_skip(const struct btf *btf, uint32_t id,
				     uint32_t *real_id)
{
	unsigned int i;

	for (i = 0; i < BTF_MAX_DEPTH; i++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!t || btf_is_void(t))
			return NULL;
		if (!btf_is_mod(t) && !btf_is_typedef(t)) {
			if (real_id)
				*real_id = id;
			return t;
		}
		id = t->type;
	}
	return NULL;
}

bool btf_type_is_signed(const struct btf_type *t)
{
	if (btf_is_int(t))
		return btf_int_encoding(t) & BTF_INT_SIGNED;
	return btf_is_any_enum(t) && btf_kflag(t);
}

static const char *kind_word(const struct btf_type *t)
{
	switch (btf_kind(t)) {
	case BTF_KIND_STRUCT:
		return "struct";
	case BTF_KIND_UNION:
		return "union";
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return "enum";
	default:
		return "";
	}
}

/* One type without the arrays and pointers around it. */
static void base_text(const struct btf *btf, const struct btf_type *t,
		      char *buf, size_t len)
{
	const char *name = btf__name_by_offset(btf, t->name_off);
	const char *word = kind_word(t);

	snprintf(buf, len, "%s%s%s", word,
		 *word && name && *name ? " " : "", name ? name : "");
}


void btf_type_text(const struct btf *btf, uint32_t id, char *buf, size_t len)
{
	const struct btf_type *t;
	char dims[64] = "", dim[16];
	unsigned int i, stars = 0;
	size_t used;

	for (i = 0; i < BTF_MAX_DEPTH; i++) {
		t = btf__type_by_id(btf, id);
		if (!t || btf_is_void(t)) {
			snprintf(buf, len, "void");
			break;
		}
		if (btf_is_ptr(t)) {
			stars++;
			id = t->type;
		} else if (btf_is_array(t) && !stars) {
			snprintf(dim, sizeof(dim), "[%u]",
				 btf_array(t)->nelems);
			if (strlen(dims) + strlen(dim) < sizeof(dims))
				strcat(dims, dim);
			id = btf_array(t)->type;
		} else if (btf_is_mod(t) || btf_is_var(t)) {
			id = t->type;
		} else {
			base_text(btf, t, buf, len);
			break;
		}
	}
	if (i == BTF_MAX_DEPTH)
		snprintf(buf, len, "?");

	used = strlen(buf);
	snprintf(buf + used, len - used, "%s%.*s%s", stars ? " " : "",
		 (int)stars, "****************", dims);
}

bool btf_enum_word(const struct btf *btf, const char *enum_name,
		   const char *prefix, int32_t value, char *buf, size_t len)
{
	int id = btf__find_by_name_kind(btf, enum_name, BTF_KIND_ENUM);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);
	size_t prefix_len = strlen(prefix);
	bool found = false;
	unsigned int i;

	snprintf(buf, len, "%d", value);
	for (i = 0; t && i < btf_vlen(t); i++) {
		const struct btf_enum *e = &btf_enum(t)[i];
		const char *name = btf__name_by_offset(btf, e->name_off);

		if (e->val != value || !name ||
		    strncmp(name, prefix, prefix_len))
			continue;
		snprintf(buf, len, "%s", name + prefix_len);
		found = true;
	}
	for (; *buf; buf++)
		*buf = tolower((unsigned char)*buf);
	return found;
}

void text_to_ascii(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}
