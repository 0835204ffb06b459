// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sampler's thread beside the session's, on a guest made by hand. Built
 * with TSan too: the guest's words are written here without atomics while the
 * sampler is paused, so a look that went on would be a race.
 */
#include "runner/sampler.h"

#include "lib/clock.h"
#include "lib/test_run.h"
#include "monitor/test_image.h"
#include "vmm/vmm.h"

#include <bpf/btf.h>
#include <check.h>
#include <linux/bpf.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define INTERVAL_NS 200000u
#define MAP_ID 7
#define SLOW_ID 8
#define EVERY_NS (4 * INTERVAL_NS + INTERVAL_NS / 2)
#define ROUNDS 200

static struct test_image *ti;
static uint64_t sched, value;
static char out_path[] = "/tmp/ktstr-sampler-XXXXXX";
static struct sampler *sampler;
static int death_fd;
static _Atomic unsigned int ticks; /* of the timer, on the sampler's thread */

/* What the sampler needs of a VM. */
void vm_disk_stats_read(const struct vm *vm, unsigned int disk,
			struct vm_disk_stats *st)
{
	*st = (struct vm_disk_stats){ .reads = disk + 1 };
}

static void count_tick(void *ctx, uint32_t phase)
{
	atomic_fetch_add(&ticks, 1);
}

/* Returns when the sampler's timer has fired @nr times more. */
static void await_ticks(unsigned int nr)
{
	unsigned int until = atomic_load(&ticks) + nr;

	while ((int)(atomic_load(&ticks) - until) < 0)
		poll(NULL, 0, 1);
}

static void set_value(uint64_t v)
{
	ti_write_u64(ti, value, v);
}

static void setup(void)
{
	static const char *const disks[] = { "data" };
	const struct ti_map m = { .id = MAP_ID, .type = BPF_MAP_TYPE_ARRAY,
				  .key_size = 4, .value_size = 8,
				  .max_entries = 2, .name = "m" };
	const struct ti_map slow = { .id = SLOW_ID, .key_size = 4,
				     .type = BPF_MAP_TYPE_ARRAY,
				     .value_size = 8, .max_entries = 1,
				     .name = "slow" };
	struct sampler_config cfg = {
		.disk_names = disks,
		.nr_disks = 1,
		.interval_ns = INTERVAL_NS,
		.out_path = out_path,
	};
	char why[256] = "";
	uint32_t btf_len;

	ti = ti_new(&(struct ti_config){ .seed = 3, .cpus = 4 });
	sched = ti_scheduler(ti, "good");
	ti_write_u32(ti, ti->info.sym[MON_SYM_SCX_ENABLE_STATE_VAR], 11);
	value = ti_value(ti, ti_map(ti, &m), 8, 0);
	ti_map(ti, &slow);
	close(mkstemp(out_path));
	death_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(death_fd, 0);
	cfg.death_fd = death_fd;
	cfg.mem = &ti->mem;
	cfg.info = &ti->info;
	cfg.btf = btf__raw_data(ti->btf, &btf_len);
	cfg.btf_len = btf_len;
	ck_assert_msg(!sampler_new(&cfg, &sampler, why, sizeof(why)), "%s",
		      why);
	ck_assert_int_eq(0, sampler_watch(sampler, MAP_ID, 0));
	ck_assert_int_eq(0, sampler_watch(sampler, SLOW_ID, EVERY_NS));
	/* as an object's maps are named twice */
	ck_assert_int_eq(0, sampler_watch(sampler, SLOW_ID, EVERY_NS));
	sampler_on_sample(sampler, count_tick, NULL);
	sampler_set_phase(sampler, 0);
	ck_assert_int_eq(0, sampler_start(sampler));
}

static void teardown(void)
{
	sampler_free(sampler);
	unlink(out_path);
	close(death_fd);
	ti_free(ti);
}

/* The lines of samples.jsonl; an array, owned. */
static json_t *lines(void)
{
	json_t *all = json_array(), *line;
	FILE *f = fopen(out_path, "r");
	char buf[4096];

	ck_assert_ptr_nonnull(f);
	while (fgets(buf, sizeof(buf), f)) {
		line = json_loads(buf, 0, NULL);
		ck_assert_msg(line != NULL, "%s", buf);
		json_array_append_new(all, line);
	}
	fclose(f);
	return all;
}

static double value_of(const json_t *line)
{
	return json_number_value(json_object_get(json_object_get(line, "maps"),
						 "m[0]"));
}

START_TEST(nothing_is_read_while_paused)
{
	json_t *all, *line;
	double last = 0;
	size_t i;
	int round;

	for (round = 1; round <= ROUNDS; round++) {
		sampler_pause(sampler, true);
		/* Both values: only the even one may ever be seen. */
		set_value(2 * round - 1);
		await_ticks(1);
		set_value(2 * round);
		sampler_pause(sampler, false);
		await_ticks(2);
	}
	sampler_stop(sampler);
	all = lines();
	ck_assert_uint_ge(json_array_size(all), ROUNDS);
	json_array_foreach(all, i, line) {
		ck_assert_int_eq(0, (long)value_of(line) % 2);
		ck_assert_double_ge(value_of(line), last);
		last = value_of(line);
	}
	ck_assert_double_eq(2 * ROUNDS, last);
	json_decref(all);
}
END_TEST

/* A buffer of them, by that interval, is there after six seconds only. */
START_TEST(who_reads_meanwhile_has_all_but_the_last_second)
{
	struct stat st = { 0 };

	sampler_set_interval(sampler, 100 * INTERVAL_NS);
	while (!st.st_size) {
		await_ticks(1);
		ck_assert_int_eq(0, stat(out_path, &st));
	}
	ck_assert_int_lt(st.st_size, 64 << 10);
	sampler_stop(sampler);
}
END_TEST

START_TEST(an_interval_is_in_force_at_once)
{
	unsigned int before, round;
	json_t *all, *line;
	json_int_t last = 0, t, late;
	size_t i;

	await_ticks(2);
	sampler_set_interval(sampler, 0);
	before = atomic_load(&ticks);
	poll(NULL, 0, 50);
	/* but for one that was under way */
	ck_assert_uint_le(atomic_load(&ticks) - before, 1);
	for (round = 0; round < ROUNDS; round++) {
		sampler_set_interval(sampler, round % 2 ? 5 * INTERVAL_NS :
							  INTERVAL_NS);
		if (round % 4 == 0)
			await_ticks(1);
	}
	sampler_stop(sampler);
	all = lines();
	ck_assert_uint_ge(json_array_size(all), ROUNDS / 4);
	json_array_foreach(all, i, line) {
		t = json_integer_value(json_object_get(line, "t_ns"));
		late = json_integer_value(json_object_get(line, "late_ns"));
		ck_assert_int_gt(t, last);
		/* never taken before it was due */
		ck_assert_int_ge(late, 0);
		last = t;
	}
	json_decref(all);
}
END_TEST

/* When the sample was due: t_ns and late_ns count from the same start. */
static json_int_t due_of(const json_t *line)
{
	return json_integer_value(json_object_get(line, "t_ns")) -
		json_integer_value(json_object_get(line, "late_ns"));
}

START_TEST(a_map_with_an_interval_is_in_no_other_samples)
{
	json_int_t last = 0, due;
	unsigned int with = 0;
	json_t *all, *line;
	size_t i;

	for (i = 0; i < 10; i++) {
		json_t *numbers;

		await_ticks(8);
		/* Beside the samples it is there whenever it is asked for. */
		numbers = sampler_map_numbers(sampler);
		ck_assert_ptr_nonnull(json_object_get(numbers, "slow"));
		json_decref(numbers);
	}
	sampler_stop(sampler);
	all = lines();
	json_array_foreach(all, i, line) {
		json_t *maps = json_object_get(line, "maps");

		due = due_of(line);
		ck_assert_ptr_nonnull(json_object_get(maps, "m[0]"));
		/* In the first, and in the first so long after each. */
		ck_assert_int_eq(!i || due - last >= EVERY_NS,
				 json_object_get(maps, "slow") != NULL);
		if (!json_object_get(maps, "slow"))
			continue;
		last = due;
		with++;
	}
	ck_assert_uint_gt(with, 1);
	ck_assert_uint_gt(json_array_size(all), with);
	json_decref(all);
}
END_TEST

START_TEST(each_look_is_counted_and_written)
{
	const struct sampler_phase *p;
	json_t *all, *line;

	await_ticks(20);
	sampler_set_phase(sampler, KTSTR_SHM_NO_PHASE);
	await_ticks(5);
	sampler_stop(sampler);
	all = lines();
	p = sampler_phase(sampler, 0);
	ck_assert_uint_eq(0, p->failed);
	ck_assert_uint_ge(p->taken, 19);
	/* those of no phase are in the file only */
	ck_assert_uint_gt(json_array_size(all), p->taken);
	line = json_array_get(all, 0);
	ck_assert_int_eq(0, json_integer_value(json_object_get(line, "phase")));
	ck_assert_str_eq("enabled", json_string_value(
		json_object_get(line, "state")));
	ck_assert_int_eq(1, json_integer_value(json_object_get(json_object_get(
		json_object_get(line, "disks"), "data"), "reads")));
	line = json_array_get(all, json_array_size(all) - 1);
	ck_assert(json_is_null(json_object_get(line, "phase")));
	json_decref(all);
}
END_TEST

START_TEST(the_session_may_look_between_samples)
{
	struct mon_task tasks[16];
	struct mon_sched now;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		json_t *maps = sampler_maps(sampler);
		json_t *numbers = sampler_map_numbers(sampler);
		json_t *details = sampler_details(sampler);
		uint64_t word;

		ck_assert_ptr_nonnull(json_object_get(maps, "m"));
		ck_assert_ptr_nonnull(json_object_get(numbers, "m[0]"));
		ck_assert_ptr_nonnull(details);
		ck_assert_int_eq(0, sampler_sched(sampler, &now));
		ck_assert_str_eq("good", now.ops_name);
		ck_assert_int_eq(0, sampler_shm(sampler, MAP_ID, &word, 0,
						sizeof(word)));
		sampler_tasks(sampler, tasks, 16);
		json_decref(maps);
		json_decref(numbers);
		json_decref(details);
	}
	sampler_stop(sampler);
	ck_assert_uint_eq(0, sampler_phase(sampler, 0)->failed);
}
END_TEST

START_TEST(a_death_is_told_once)
{
	uint64_t count = 0;

	await_ticks(2);
	ck_assert_int_lt(read(death_fd, &count, sizeof(count)), 0);
	sampler_pause(sampler, true);
	ti_set(ti, sched, "scx_sched.exit_kind", 1026);
	sampler_pause(sampler, false);
	await_ticks(10);
	sampler_stop(sampler);
	ck_assert_int_eq(sizeof(count), read(death_fd, &count, sizeof(count)));
	ck_assert_uint_eq(1, count);
}
END_TEST

START_TEST(a_guest_that_makes_no_sense_fails_the_sample)
{
	await_ticks(2);
	sampler_pause(sampler, true);
	ti_set(ti, ti_rq(ti, 1), "rq.cpu", 0);
	sampler_pause(sampler, false);
	await_ticks(10);
	sampler_stop(sampler);
	ck_assert_uint_ge(sampler_phase(sampler, 0)->failed, 9);
	ck_assert_uint_ge(sampler_phase(sampler, 0)->taken, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sampler");
	TCase *tc = tcase_create("sampler");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_is_read_while_paused);
	tcase_add_test(tc, who_reads_meanwhile_has_all_but_the_last_second);
	tcase_add_test(tc, an_interval_is_in_force_at_once);
	tcase_add_test(tc, a_map_with_an_interval_is_in_no_other_samples);
	tcase_add_test(tc, each_look_is_counted_and_written);
	tcase_add_test(tc, the_session_may_look_between_samples);
	tcase_add_test(tc, a_death_is_told_once);
	tcase_add_test(tc, a_guest_that_makes_no_sense_fails_the_sample);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
