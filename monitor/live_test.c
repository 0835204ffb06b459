// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that goes on while it is read: what was replaced underway must never
 * be told as if it were there. In each test the writer goes one way only, so
 * that a mixture can be recognised for sure.
 */
#include "monitor/monitor.h"
#include "monitor/test_image.h"

#include "lib/clock.h"
#include "lib/test_run.h"

#include <check.h>
#include <linux/bpf.h>

#include <endian.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define NR_SCHEDS 800
#define NR_MAPS 40
#define ENTRIES 1000		/* so that a reading takes a while */
#define REUSED 666
#define LONG_WORDS 8192		/* of a value: 64 KiB */
#define SHOWN_WORDS 512		/* of an untyped one */
#define STEP 389		/* through those, in no reader's order */
#define ENOUGH_NS 1000000000ull	/* on a busy machine fewer rounds do */

struct live {
	struct test_image *ti;
	uint64_t scheds[NR_SCHEDS];
	uint64_t maps[NR_MAPS + 1];	/* by id */
	unsigned int map;		/* being watched; atomic */
	uint32_t *key;
	uint64_t *value;
	uint64_t *words[SHOWN_WORDS];	/* on several pages */
	unsigned int reads;	/* begun; atomic */
	bool done;		/* atomic */
	uint64_t until_ns;	/* CLOCK_MONOTONIC */
};

/*
 * Spins until the reader is at its next reading, and then a little, so that
 * what follows happens somewhere within it. False when that is enough.
 */
static bool await_reading(struct live *l, unsigned int *seen, unsigned int i)
{
	unsigned int spin, reads;

	do {
		if (clock_now_ns() > l->until_ns)
			return false;
		reads = __atomic_load_n(&l->reads, __ATOMIC_ACQUIRE);
	} while (reads == *seen);
	*seen = reads;
	for (spin = i * 37 % 12000; spin; spin--)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return true;
}

static uint32_t name_off(const struct test_image *ti)
{
	return ti_off(ti, "scx_sched.scx_ops_union") +
	       ti_off(ti, "sched_ext_ops.name");
}

static void *replace_schedulers(void *arg)
{
	struct live *l = arg;
	uint64_t *root = ti_hva(l->ti, l->ti->info.sym[MON_SYM_SCX_ROOT]);
	unsigned int i, seen = 0;

	for (i = 1; i < NR_SCHEDS && await_reading(l, &seen, i); i++) {
		char *name = ti_hva(l->ti, l->scheds[i - 1] + name_off(l->ti));

		__atomic_store_n(root, l->scheds[i], __ATOMIC_RELEASE);
		/* The old one is freed, and its memory someone else's. */
		__atomic_store_n(name, 'X', __ATOMIC_RELEASE);
	}
	__atomic_store_n(&l->done, true, __ATOMIC_RELEASE);
	return NULL;
}

START_TEST(a_scheduler_that_was_replaced_is_not_told)
{
	struct live l = { .ti = ti_new(&(struct ti_config){ .seed = _i }) };
	uint64_t pcpu = ti_percpu(l.ti, ti_size(l.ti, "scx_sched_pcpu"));
	unsigned int good = 0;
	struct monitor *mon;
	struct mon_sched s;
	pthread_t t;
	int i;

	for (i = NR_SCHEDS - 1; i >= 0; i--) {
		l.scheds[i] = ti_direct(l.ti, ti_size(l.ti, "scx_sched"));
		ti_set(l.ti, l.scheds[i], "scx_sched.pcpu", pcpu);
		ti_write(l.ti, l.scheds[i] + name_off(l.ti), "good", 4);
	}
	ti_write_u64(l.ti, l.ti->info.sym[MON_SYM_SCX_ROOT], l.scheds[0]);
	mon = ti_open(l.ti);
	l.until_ns = clock_now_ns() + ENOUGH_NS;
	ck_assert_int_eq(0, pthread_create(&t, NULL, replace_schedulers, &l));
	while (!__atomic_load_n(&l.done, __ATOMIC_ACQUIRE)) {
		__atomic_add_fetch(&l.reads, 1, __ATOMIC_RELEASE);
		ck_assert_int_eq(0, mon_read_sched(mon, &s));
		ck_assert(s.have_scx);
		ck_assert_msg(!strcmp(s.ops_name, "good") || !*s.ops_name,
			      "%s", s.ops_name);
		good += *s.ops_name != '\0';
	}
	pthread_join(t, NULL);
	ck_assert_uint_gt(good, 0);
	mon_close(mon);
	ti_free(l.ti);
}
END_TEST

/* An even key has a thousand times itself as value; odd ones are underway. */
static void *reuse_element(void *arg)
{
	struct live *l = arg;
	uint32_t k;

	for (k = 2; !__atomic_load_n(&l->done, __ATOMIC_ACQUIRE); k += 2) {
		__atomic_store_n(l->key, k - 1, __ATOMIC_RELEASE);
		__atomic_store_n(l->value, k * 1000ull, __ATOMIC_RELEASE);
		__atomic_store_n(l->key, k, __ATOMIC_RELEASE);
	}
	return NULL;
}

static unsigned int check_entries(json_t *maps)
{
	json_t *entries = json_object_get(json_object_get(maps, "h"),
					  "entries"), *e;
	unsigned int seen = 0;
	size_t i;

	json_array_foreach(entries, i, e) {
		json_int_t k = json_integer_value(json_object_get(e, "key"));

		if (k % 2)
			continue;
		ck_assert_int_eq(k * 1000, json_integer_value(
			json_object_get(e, "value")));
		seen++;
	}
	return seen;
}

/* The same of "h[KEY]" among the numbers. */
static int check_number(void *ctx, const char *name, double value,
			bool unstable)
{
	unsigned long k = strtoul(name + 2, NULL, 10);

	(void)ctx;
	ck_assert(!unstable);
	if (k % 2 == 0)
		ck_assert_double_eq(k * 1000.0, value);
	return 0;
}

START_TEST(an_element_that_was_reused_is_left_out)
{
	struct ti_map m = { .id = 1, .type = BPF_MAP_TYPE_HASH, .key_size = 4,
			    .value_size = 8, .max_entries = 10, .name = "h" };
	struct live l = { .ti = ti_new(&(struct ti_config){ .seed = _i }) };
	uint64_t value = ti_hash_add(l.ti, ti_hash(l.ti, &m, 2), 1,
				     &(uint32_t){ 0 }, 4);
	struct monitor *mon = ti_open(l.ti);
	json_t *maps;
	pthread_t t;

	l.value = ti_hva(l.ti, value);
	l.key = ti_hva(l.ti, value - 8);
	ck_assert_int_eq(0, mon_watch_map(mon, 1));
	l.until_ns = clock_now_ns() + ENOUGH_NS;
	ck_assert_int_eq(0, pthread_create(&t, NULL, reuse_element, &l));
	while (!__atomic_load_n(l.key, __ATOMIC_ACQUIRE))
		sched_yield();
	while (clock_now_ns() < l.until_ns) {
		maps = mon_read_maps(mon, 10);
		check_entries(maps);
		json_decref(maps);
		ck_assert_int_eq(0, mon_map_numbers(mon, check_number, NULL));
	}
	__atomic_store_n(&l.done, true, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	maps = mon_read_maps(mon, 10);
	ck_assert_uint_eq(1, check_entries(maps));
	json_decref(maps);
	mon_close(mon);
	ti_free(l.ti);
}
END_TEST

static uint64_t *last_value(struct live *l, unsigned int id)
{
	return ti_hva(l->ti, ti_value(l->ti, l->maps[id], 8, ENTRIES - 1));
}

static void *free_maps(void *arg)
{
	struct live *l = arg;
	uint32_t id_off = ti_off(l->ti, "bpf_map.id");
	unsigned int id, seen = 0;

	for (id = 1; id <= NR_MAPS; id++) {
		uint32_t *map_id = ti_hva(l->ti, l->maps[id] + id_off);

		/* The reader comes to it when the one before is gone. */
		while (__atomic_load_n(&l->map, __ATOMIC_ACQUIRE) != id)
			if (clock_now_ns() > l->until_ns)
				goto done;
		if (!await_reading(l, &seen, id * 31))
			break;
		__atomic_store_n(map_id, 1000 + id, __ATOMIC_RELEASE);
		__atomic_store_n(last_value(l, id), REUSED, __ATOMIC_RELEASE);
	}
done:
	__atomic_store_n(&l->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static int count_good(void *ctx, const char *name, double value, bool unstable)
{
	ck_assert_msg(!unstable && value < REUSED, "%s is %g", name, value);
	++*(unsigned int *)ctx;
	return 0;
}

/* Looks at map @id: all of it is told, and then, when it is freed, nothing. */
static void watch_until_gone(struct live *l, unsigned int id)
{
	struct monitor *mon = ti_open(l->ti);
	unsigned int numbers = 0;

	ck_assert_int_eq(0, mon_watch_map(mon, id));
	ck_assert_int_eq(0, mon_map_numbers(mon, count_good, &numbers));
	ck_assert_uint_eq(ENTRIES, numbers);
	/* from now on it may be */
	__atomic_store_n(&l->map, id, __ATOMIC_RELEASE);
	do {
		numbers = 0;
		__atomic_add_fetch(&l->reads, 1, __ATOMIC_RELEASE);
		ck_assert_int_eq(0, mon_map_numbers(mon, count_good, &numbers));
		ck_assert(numbers == 0 || numbers == ENTRIES);
	} while (numbers && !__atomic_load_n(&l->done, __ATOMIC_ACQUIRE));
	mon_close(mon);
}

START_TEST(an_array_that_was_freed_is_left_out)
{
	struct ti_map m = { .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = 8, .max_entries = ENTRIES,
			    .name = "m" };
	struct live l = { .ti = ti_new(&(struct ti_config){ .seed = _i }) };
	pthread_t t;

	for (m.id = 1; m.id <= NR_MAPS; m.id++)
		l.maps[m.id] = ti_map(l.ti, &m);
	l.until_ns = clock_now_ns() + ENOUGH_NS;
	ck_assert_int_eq(0, pthread_create(&t, NULL, free_maps, &l));
	for (m.id = 1; m.id <= NR_MAPS; m.id++) {
		watch_until_gone(&l, m.id);
		if (__atomic_load_n(&l.done, __ATOMIC_ACQUIRE))
			break;
	}
	pthread_join(t, NULL);
	ti_free(l.ti);
}
END_TEST

/* One number in all words, and then the next one. */
static void *rewrite_value(void *arg)
{
	struct live *l = arg;
	uint64_t n, i;

	for (n = 1; !__atomic_load_n(&l->done, __ATOMIC_ACQUIRE); n++)
		for (i = 0; i < SHOWN_WORDS; i++)
			__atomic_store_n(l->words[i * STEP % SHOWN_WORDS], n,
					 __ATOMIC_RELAXED);
	return NULL;
}

static uint64_t shown_word(const char *hex, unsigned int i)
{
	char digits[17] = "";

	memcpy(digits, hex + i * 16, 16);
	return be64toh(strtoull(digits, NULL, 16)); /* byte by byte */
}

/* Had the first so many words of the writer's order one number, and no other? */
static bool was_there(const char *hex)
{
	uint64_t first = shown_word(hex, 0), before = first, n;
	unsigned int i;

	for (i = 1; i < SHOWN_WORDS; i++, before = n) {
		n = shown_word(hex, i * STEP % SHOWN_WORDS);
		if (n > before || n + 1 < first)
			return false;
	}
	return true;
}

START_TEST(a_value_that_was_never_there_is_unstable)
{
	struct ti_map m = { .id = 1, .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			    .value_size = LONG_WORDS * 8, .max_entries = 1,
			    .name = "m" };
	struct live l = { .ti = ti_new(&(struct ti_config){ .seed = _i }) };
	uint64_t map = ti_map(l.ti, &m);
	struct monitor *mon;
	unsigned int marked = 0, plain = 0, i;
	pthread_t t;

	for (i = 0; i < SHOWN_WORDS; i++)
		l.words[i] = ti_hva(l.ti, ti_value(l.ti, map, m.value_size,
						   0) + i * 8);
	mon = ti_open(l.ti);
	ck_assert_int_eq(0, mon_watch_map(mon, 1));
	l.until_ns = clock_now_ns() + ENOUGH_NS;
	ck_assert_int_eq(0, pthread_create(&t, NULL, rewrite_value, &l));
	while (clock_now_ns() < l.until_ns) {
		json_t *maps = mon_read_maps(mon, 1), *e;

		e = json_array_get(json_object_get(json_object_get(maps, "m"),
						   "entries"), 0);
		if (json_is_true(json_object_get(e, "unstable"))) {
			marked++;
		} else {
			ck_assert(was_there(json_string_value(
				json_object_get(e, "value"))));
			plain++;
		}
		json_decref(maps);
	}
	__atomic_store_n(&l.done, true, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	ck_assert_uint_gt(marked + plain, 0);
	mon_close(mon);
	ti_free(l.ti);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("live");
	TCase *t = tcase_create("live");

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, a_scheduler_that_was_replaced_is_not_told, 0, 4);
	tcase_add_loop_test(t, an_element_that_was_reused_is_left_out, 0, 2);
	tcase_add_loop_test(t, an_array_that_was_freed_is_left_out, 0, 2);
	tcase_add_loop_test(t, a_value_that_was_never_there_is_unstable, 0, 2);
	suite_add_tcase(s, t);
	return test_run(s);
}
