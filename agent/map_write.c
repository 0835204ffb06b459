// SPDX-License-Identifier: GPL-2.0-only
#include "agent/map_write.h"

#include "agent/sched_set.h"
#include "lib/errmsg.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One map, opened by its id. */
struct target {
	int fd;			/* owned */
	struct bpf_map_info info;
	struct btf *btf;	/* owned; NULL: it has none */
};

/* A member, also of anonymous structs and unions within. Bits from @t's start. */
static const struct btf_member *member_find(const struct btf *btf,
					    const struct btf_type *t,
					    const char *name, size_t len,
					    uint32_t *bits, bool *is_bitfield)
{
	const struct btf_member *m = btf_members(t), *inner;
	int i;

	for (i = 0; i < btf_vlen(t); i++, m++) {
		const char *has = btf__name_by_offset(btf, m->name_off);
		uint32_t at = btf_member_bit_offset(t, i);
		const struct btf_type *sub;

		if (has && strlen(has) == len && !memcmp(has, name, len)) {
			*bits = at;
			*is_bitfield = btf_member_bitfield_size(t, i) || at % 8;
			return m;
		}
		sub = btf__type_by_id(btf, btf__resolve_type(btf, m->type));
		if ((has && *has) || !sub || !btf_is_composite(sub))
			continue;
		inner = member_find(btf, sub, name, len, bits, is_bitfield);
		if (inner) {
			*bits += at;
			return inner;
		}
	}
	return NULL;
}

int map_part_find(const struct btf *btf, uint32_t type_id, const char *path,
		  struct map_part *part, char *err_msg, size_t err_len)
{
	const struct errmsg say = { err_msg, err_len };
	struct map_part p = { .type_id = type_id };
	long long bytes;

	while (path && *path) {
		const struct btf_type *t = btf__type_by_id(
			btf, btf__resolve_type(btf, p.type_id));
		size_t len = strcspn(path, ".");
		const struct btf_member *m;
		bool is_bitfield = false;
		uint32_t bits = 0;

		if (!t || !btf_is_composite(t))
			return errmsg_set(
				&say, -EINVAL,
				"there is no member %.*s: it is no struct",
				(int)len, path);
		m = member_find(btf, t, path, len, &bits, &is_bitfield);
		if (!m)
			return errmsg_set(
				&say, -ENOENT, "no member %.*s in struct %s",
				(int)len, path,
				btf__name_by_offset(btf, t->name_off));
		if (is_bitfield)
			return errmsg_set(&say, -EINVAL,
					  "member %.*s is a bit-field",
					  (int)len, path);
		p.off += bits / 8;
		p.type_id = m->type;
		path += len + (path[len] == '.');
	}
	bytes = btf__resolve_size(btf, p.type_id);
	if (bytes <= 0)
		return errmsg_set(&say, -ENOTSUP, "its size is unknown");
	p.bytes = bytes;
	*part = p;
	return 0;
}

static void target_close(struct target *t)
{
	btf__free(t->btf);
	if (t->fd >= 0)
		close(t->fd);
}

static int target_open(uint32_t id, struct target *t)
{
	uint32_t len = sizeof(t->info);

	*t = (struct target){ .fd = bpf_map_get_fd_by_id(id) };
	if (t->fd < 0)
		return -errno;
	if (bpf_map_get_info_by_fd(t->fd, &t->info, &len)) {
		int err = -errno;

		target_close(t);
		return err;
	}
	if (t->info.btf_id)
		t->btf = btf__load_from_kernel_by_id(t->info.btf_id);
	return 0;
}

/* The variable of that name in a map that is a section, or NULL. */
static const struct btf_var_secinfo *section_var(const struct target *t,
						 const char *name)
{
	const struct btf_type *sec = t->btf ?
		btf__type_by_id(t->btf, t->info.btf_value_type_id) : NULL;
	const struct btf_var_secinfo *info;
	int i;

	if (!sec || !btf_is_datasec(sec))
		return NULL;
	for (i = 0, info = btf_var_secinfos(sec); i < btf_vlen(sec);
	     i++, info++) {
		const struct btf_type *var = btf__type_by_id(t->btf,
							     info->type);

		if (var && btf_is_var(var) &&
		    !strcmp(btf__name_by_offset(t->btf, var->name_off), name))
			return info;
	}
	return NULL;
}

/* In one piece where that can be: the scheduler reads it meanwhile. */
static void store(void *to, const void *from, size_t bytes)
{
	uint64_t v = 0;

	if (bytes && (uintptr_t)to % bytes == 0) {
		memcpy(&v, from, bytes <= sizeof(v) ? bytes : 0);
		switch (bytes) {
		case 1:
			__atomic_store_n((uint8_t *)to, v, __ATOMIC_RELAXED);
			return;
		case 2:
			__atomic_store_n((uint16_t *)to, v, __ATOMIC_RELAXED);
			return;
		case 4:
			__atomic_store_n((uint32_t *)to, v, __ATOMIC_RELAXED);
			return;
		case 8:
			__atomic_store_n((uint64_t *)to, v, __ATOMIC_RELAXED);
			return;
		}
	}
	memcpy(to, from, bytes);
}

/* Its bytes in @copy are changed, and then they alone in the section. */
static int store_var(const struct target *t, const struct sched_var *var,
		     char *section, size_t off, json_t *value,
		     const struct errmsg *say)
{
	char *copy = malloc(var->bytes);
	struct sched_var own = *var;
	int err;

	if (!copy)
		return errmsg_set(say, -ENOMEM, "out of memory");
	memcpy(copy, section + off, var->bytes);
	own.value = copy;
	err = sched_var_store(&own, value, say->buf, say->len);
	if (!err)
		store(section + off, copy, var->bytes);
	free(copy);
	return err;
}

static int write_var(const struct target *t, const char *name, json_t *value,
		     const struct btf_var_secinfo *info,
		     const struct errmsg *say)
{
	struct sched_var var = {
		.name = name,
		.btf = t->btf,
		.type_id = btf__type_by_id(t->btf, info->type)->type,
		.bytes = info->size,
	};
	size_t page = sysconf(_SC_PAGESIZE);
	size_t bytes = (t->info.value_size + page - 1) / page * page;
	char *section;
	int err;

	if (t->info.map_flags & BPF_F_RDONLY_PROG)
		return errmsg_set(
			say, -EPERM,
			"variable %s is const: it can be set before the load only, by scheduler.set",
			name);
	if ((uint64_t)info->offset + info->size > t->info.value_size)
		return errmsg_set(say, -EINVAL, "variable %s lies outside",
				  name);
	section = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd,
		       0);
	if (section == MAP_FAILED)
		return errmsg_set(say, -errno,
				  "variable %s: map its section: %s", name,
				  strerror(errno));
	err = store_var(t, &var, section, info->offset, value, say);
	munmap(section, bytes);
	return err;
}

static int var_step(json_t *maps, const char *name, json_t *value,
		    const struct errmsg *say)
{
	json_t *map;
	size_t i;

	json_array_foreach(maps, i, map) {
		const struct btf_var_secinfo *info;
		struct target t;
		int err;

		if (target_open(json_integer_value(json_object_get(map, "id")),
				&t))
			continue;
		info = section_var(&t, name);
		err = info ? write_var(&t, name, value, info, say) : 0;
		target_close(&t);
		if (info)
			return err;
	}
	return errmsg_set(say, -ENOENT, "no variable %s in the scheduler",
			  name);
}

/* Without BTF a key or value of 1 to 8 bytes is an unsigned integer. */
static int store_plain(void *to, size_t bytes, const char *what, json_t *value,
		       const struct errmsg *say)
{
	uint64_t v = json_integer_value(value);

	if (!json_is_integer(value) || bytes > sizeof(v))
		return errmsg_set(
			say, -EINVAL,
			"the %s has no BTF: want an integer of at most 8 bytes",
			what);
	memcpy(to, &v, bytes);
	return 0;
}

static int make_key(const struct target *t, json_t *key, void *to,
		    const struct errmsg *say)
{
	struct sched_var var = {
		.name = "key",
		.btf = t->btf,
		.type_id = t->info.btf_key_type_id,
		.value = to,
		.bytes = t->info.key_size,
	};

	memset(to, 0, t->info.key_size);
	if (!key || json_is_null(key)) {
		if (t->info.max_entries == 1)
			return 0;
		return errmsg_set(say, -EINVAL,
				  "map %s has %u entries: say which key",
				  t->info.name, t->info.max_entries);
	}
	if (!t->btf || !var.type_id)
		return store_plain(to, t->info.key_size, "key", key, say);
	return sched_var_store(&var, key, say->buf, say->len);
}

static int change_value(const struct target *t, const char *field, char *at,
			json_t *value, const struct errmsg *say)
{
	struct sched_var var = { .name = field ? field : t->info.name,
				 .btf = t->btf };
	struct map_part part;
	int err;

	if (!t->btf || !t->info.btf_value_type_id) {
		if (!field)
			return store_plain(at, t->info.value_size, "value",
					   value, say);
		return errmsg_set(say, -EINVAL,
				  "map %s has no BTF: it has no member %s",
				  t->info.name, field);
	}
	err = map_part_find(t->btf, t->info.btf_value_type_id, field, &part,
			    say->buf, say->len);
	if (err)
		return err;
	if (part.off + part.bytes > t->info.value_size)
		return errmsg_set(say, -EINVAL, "member %s lies outside",
				  field);
	var.type_id = part.type_id;
	var.bytes = part.bytes;
	var.value = at + part.off;
	return sched_var_store(&var, value, say->buf, say->len);
}

/* How many values an entry has; 0: a kind that is not written. */
static int values_of(uint32_t type)
{
	switch (type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
		return 1;
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return libbpf_num_possible_cpus();
	default:
		return 0;
	}
}

static int write_entry(const struct target *t, json_t *step,
		       const struct errmsg *say)
{
	const char *field = json_string_value(json_object_get(step, "field"));
	size_t bytes = (t->info.value_size + 7) / 8 * 8;
	int i, nr = values_of(t->info.type), err;
	char *key, *values;

	if (nr <= 0)
		return errmsg_set(
			say, -ENOTSUP,
			"map %s is no array and no hash: it can't be written",
			t->info.name);
	key = calloc(1, t->info.key_size + 8);
	values = calloc(nr, bytes);
	if (!key || !values) {
		err = errmsg_set(say, -ENOMEM, "out of memory");
		goto out;
	}
	err = make_key(t, json_object_get(step, "key"), key, say);
	if (err)
		goto out;
	/* an entry that is not there yet begins as zeroes */
	if (bpf_map_lookup_elem(t->fd, key, values) && errno != ENOENT) {
		err = errmsg_set(say, -errno, "map %s: read the entry: %s",
				 t->info.name, strerror(errno));
		goto out;
	}
	for (i = 0; i < nr && !err; i++)
		err = change_value(t, field, values + i * bytes,
				   json_object_get(step, "value"), say);
	if (!err && bpf_map_update_elem(t->fd, key, values, BPF_ANY))
		err = errmsg_set(say, -errno, "map %s: write the entry: %s",
				 t->info.name, strerror(errno));
out:
	free(key);
	free(values);
	return err;
}

/* The kernel keeps 15 characters of a name. */
static bool is_named(json_t *map, const char *name)
{
	const char *has = json_string_value(json_object_get(map, "name"));

	return has && !strncmp(has, name, BPF_OBJ_NAME_LEN - 1);
}

static int entry_step(json_t *maps, const char *name, json_t *step,
		      const struct errmsg *say)
{
	struct target t;
	json_t *map;
	size_t i;
	int err;

	json_array_foreach(maps, i, map) {
		if (!is_named(map, name))
			continue;
		err = target_open(json_integer_value(json_object_get(map,
								     "id")),
				  &t);
		if (err)
			return errmsg_set(say, err, "map %s: %s", name,
					  strerror(-err));
		err = write_entry(&t, step, say);
		target_close(&t);
		return err;
	}
	return errmsg_set(say, -ENOENT, "no map %s in the scheduler", name);
}

int map_write(json_t *maps, json_t *step, char *err_msg, size_t err_len)
{
	const char *var = json_string_value(json_object_get(step, "var"));
	const char *map = json_string_value(json_object_get(step, "map"));
	const struct errmsg say = { err_msg, err_len };

	if (var)
		return var_step(maps, var, json_object_get(step, "value"),
				&say);
	if (map)
		return entry_step(maps, map, step, &say);
	return errmsg_set(&say, -EINVAL, "neither var nor map");
}
