// SPDX-License-Identifier: GPL-2.0-only
#include "tools/bench_image.h"

#include <bpf/btf.h>
#include <check.h>
#include <linux/bpf.h>

#include <stdio.h>

#include "monitor/test_image.h"
#include "runner/sampler.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

#define HASH_ELEMS 256
#define HASH_BUCKETS 256
#define OBJECTS_GPA (2u << 20)

/* As programs have it: four counters. */
static struct btf *counters_btf(int *type)
{
	static const char *const names[] = { "events", "time_ns", "max_ns",
					     "errors" };
	struct btf *btf = btf__new_empty();
	size_t i;
	int u64;

	ck_assert_ptr_nonnull(btf);
	u64 = btf__add_int(btf, "unsigned long", 8, 0);
	*type = btf__add_struct(btf, "counters", 8 * NR(names));
	for (i = 0; i < NR(names); i++)
		ck_assert_int_eq(0, btf__add_field(btf, names[i], u64, i * 64,
						   0));
	return btf;
}

static void count(struct test_image *ti, uint64_t value, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		ti_write_u64(ti, value + 8 * i, 1000003ull * seed << 4 * i);
}

static void add_maps(struct test_image *ti, const struct bench_image *c,
		     uint64_t *map_kva)
{
	struct ti_map m = { .key_size = 4, .value_size = 32, .max_entries = 1 };
	struct btf *btf;
	unsigned int cpu, i;
	char name[16];
	int type;

	btf = counters_btf(&type);
	m.btf_kva = ti_btf(ti, btf, 70);
	m.value_type = type;
	m.name = name;
	for (i = 0; i < c->maps; i++) {
		uint64_t map;

		snprintf(name, sizeof(name), "counters_%u", i);
		m.id = i + 1;
		m.type = i % 2 ? BPF_MAP_TYPE_PERCPU_ARRAY :
				 BPF_MAP_TYPE_ARRAY;
		map = ti_map(ti, &m);
		if (map_kva)
			map_kva[i] = map;
		if (m.type == BPF_MAP_TYPE_ARRAY) {
			count(ti, ti_value(ti, map, 32, 0), i + 1);
			continue;
		}
		for (cpu = 0; cpu < c->cpus; cpu++)
			count(ti, ti_percpu_value(ti, map, 0, cpu),
			      i + cpu + 1);
	}
	btf__free(btf);
}

static void add_hash(struct test_image *ti, uint32_t id)
{
	struct ti_map m = { .id = id, .type = BPF_MAP_TYPE_HASH, .key_size = 4,
			    .value_size = 8, .max_entries = HASH_ELEMS,
			    .name = "by_task" };
	uint64_t map = ti_hash(ti, &m, HASH_BUCKETS);
	uint32_t i;

	/* Few of a kernel's objects are in its first 2 MiB. */
	while (ti->next_gpa < OBJECTS_GPA)
		ti_direct(ti, 4096);

	for (i = 0; i < HASH_ELEMS; i++) {
		uint32_t pid = 1000 + i;
		/* Not evenly: some chains are long, some are none */
		uint64_t value = ti_hash_add(ti, map, i * i * 7 % HASH_BUCKETS,
					     &pid, sizeof(pid));

		ti_write_u64(ti, value, pid * 12345ull);
	}
}

struct test_image *bench_image_new(const struct bench_image *c,
				   uint64_t *map_kva)
{
	struct ti_config cfg = { .seed = 1, .cpus = c->cpus };
	struct test_image *ti = ti_new(&cfg);
	uint64_t sched = ti_scheduler(ti, "bench");
	unsigned int cpu;

	ti_write_u32(ti, ti->info.sym[MON_SYM_SCX_ENABLE_STATE_VAR], 11);
	for (cpu = 0; cpu < c->cpus; cpu++) {
		ti_set(ti, ti_rq(ti, cpu), "rq.nr_running", cpu % 5);
		ti_event(ti, sched, cpu, 0, 100000 + cpu);
	}
	add_maps(ti, c, map_kva);
	if (c->hashes)
		add_hash(ti, c->maps + 1);
	return ti;
}

struct sampler *bench_image_sampler(struct test_image *ti,
				    const struct bench_image *c,
				    uint64_t interval_ns, const char *out_path)
{
	struct sampler_config cfg = { .mem = &ti->mem, .info = &ti->info,
				      .interval_ns = interval_ns,
				      .death_fd = -1,
				      .out_path = out_path };
	struct sampler *s = NULL;
	char why[200] = "";
	unsigned int id;
	uint32_t len;

	cfg.btf = btf__raw_data(ti->btf, &len);
	cfg.btf_len = len;
	ck_assert_msg(!sampler_new(&cfg, &s, why, sizeof(why)), "%s", why);
	for (id = 1; id <= c->maps + c->hashes; id++)
		ck_assert_int_eq(0, sampler_watch(s, id, 0));
	sampler_set_phase(s, 0);
	return s;
}
