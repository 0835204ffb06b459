// SPDX-License-Identifier: GPL-2.0-only
#include "runner/look_gap.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"

#define MS 1000000ull

static struct gap_watch g;

/* A phase since 1000 ms, in which @nr workers are watched. */
static void setup(unsigned int nr, uint64_t look_ms)
{
	unsigned int i;

	ck_assert_int_eq(0, gap_watch_init(&g, nr, look_ms * MS));
	for (i = 0; i < nr; i++)
		g.workers[i].watched = true;
	gap_watch_begin(&g, 1000 * MS);
}

static bool see(unsigned int worker, uint64_t progress_ms, uint64_t now_ms)
{
	return gap_watch_see(&g, worker, 100 + worker, progress_ms * MS,
			     now_ms * MS);
}

static const struct gap_wait no_wait;

static void add(unsigned int worker, uint64_t at_ms, enum mon_task_doing doing)
{
	const struct gap_seen seen = {
		.at_ns = at_ms * MS,
		.now = { .doing = doing, .task.cpu = 1,
			 .curr = { .pid = 7, .comm = "hog" } },
	};

	gap_watch_add(&g, worker, &seen, &no_wait);
}

static json_t *list(void)
{
	return gap_watch_json(&g, NULL, NULL);
}

static json_int_t member(const json_t *list, size_t i, const char *key)
{
	json_t *v = json_object_get(json_array_get(list, i), key);

	ck_assert_msg(json_is_integer(v), "%zu.%s is no integer", i, key);
	return json_integer_value(v);
}

START_TEST(who_does_not_get_on_for_100_ms_is_looked_at)
{
	setup(1, 0);
	ck_assert(!see(0, 1010, 1109));
	ck_assert(see(0, 1010, 1110));
	ck_assert(!see(0, 1111, 1112));
	ck_assert(see(0, 1111, 1211));
	gap_watch_fini(&g);
}
END_TEST

START_TEST(a_gap_begins_with_the_phase_at_the_earliest)
{
	setup(2, 0);
	ck_assert(!see(0, 0, 1099));
	ck_assert(see(0, 0, 1100));
	ck_assert(!see(1, 500, 1099));
	ck_assert(see(1, 500, 1100));
	gap_watch_fini(&g);
}
END_TEST

START_TEST(asleep_on_purpose_is_no_gap)
{
	setup(1, 0);
	ck_assert(!see(0, 1900, 1800));
	ck_assert(!see(0, 1900, 1999));
	ck_assert(see(0, 1900, 2000));
	gap_watch_fini(&g);
}
END_TEST

START_TEST(nobody_is_looked_at_outside_a_phase_or_if_not_watched)
{
	setup(2, 100);
	g.workers[1].watched = false;
	ck_assert(see(0, 1000, 5000));
	ck_assert(!see(1, 1000, 5000));
	gap_watch_end(&g, 5000 * MS);
	ck_assert(!see(0, 1000, 6000));
	ck_assert_int_eq(-1, gap_watch_look(&g, 6000 * MS));
	gap_watch_fini(&g);
}
END_TEST

START_TEST(frozen_time_is_no_gap)
{
	setup(1, 300);
	gap_watch_frozen(&g, 1000 * MS); /* before */
	ck_assert(!see(0, 1001, 1010));
	gap_watch_frozen(&g, 400 * MS);
	ck_assert(!see(0, 1001, 1500));
	ck_assert(see(0, 1001, 1501));
	ck_assert_int_eq(-1, gap_watch_look(&g, 1700 * MS));
	see(0, 1001, 1701);
	ck_assert_int_eq(0, gap_watch_look(&g, 1701 * MS));
	gap_watch_fini(&g);
}
END_TEST

START_TEST(the_longest_gap_is_kept_with_what_was_seen_in_it)
{
	json_t *j;

	setup(1, 0);
	see(0, 1010, 1200);
	add(0, 1200, MON_TASK_BLOCKED);
	see(0, 1300, 1400);		/* 290 ms it was */
	add(0, 1400, MON_TASK_SLEEPS);
	see(0, 1500, 1500);		/* 200 ms, shorter */
	j = list();
	ck_assert_uint_eq(1, json_array_size(j));
	ck_assert_int_eq(10 * MS, member(j, 0, "from_ns"));
	ck_assert_int_eq(300 * MS, member(j, 0, "to_ns"));
	ck_assert_int_eq(290 * MS, member(j, 0, "gap_ns"));
	ck_assert_int_eq(100, member(j, 0, "pid"));
	ck_assert_int_eq(1, member(j, 0, "samples"));
	json_decref(j);
	/* a phase's end ends it too, and the next begins with nothing */
	gap_watch_end(&g, 9000 * MS);
	gap_watch_begin(&g, 9000 * MS);
	j = list();
	ck_assert_uint_eq(0, json_array_size(j));
	json_decref(j);
	gap_watch_fini(&g);
}
END_TEST

START_TEST(an_open_gap_ends_with_the_phase)
{
	json_t *j;

	setup(1, 0);
	see(0, 1010, 1200);
	add(0, 1200, MON_TASK_RUNNABLE);
	gap_watch_frozen(&g, 90 * MS);
	gap_watch_end(&g, 2000 * MS);
	j = list();
	ck_assert_int_eq(900 * MS, member(j, 0, "gap_ns"));
	json_decref(j);
	gap_watch_fini(&g);
}
END_TEST

START_TEST(what_is_kept_of_a_long_gap_is_spread_over_it)
{
	uint64_t last = 0, at;
	unsigned int i;
	json_t *j, *seen;

	setup(1, 0);
	for (i = 0; i < 1000; i++) {
		see(0, 1000, 1100 + i);
		add(0, 1100 + i, MON_TASK_RUNNABLE);
	}
	gap_watch_end(&g, 2100 * MS);
	j = list();
	ck_assert_int_eq(1000, member(j, 0, "samples"));
	seen = json_object_get(json_array_get(j, 0), "seen");
	ck_assert_uint_ge(json_array_size(seen), GAP_SEEN / 2);
	ck_assert_uint_le(json_array_size(seen), GAP_SEEN);
	for (i = 0; i < json_array_size(seen); i++) {
		at = json_integer_value(json_object_get(
			json_array_get(seen, i), "at_ns"));
		ck_assert_uint_eq(i ? last + 32 * MS : 100 * MS, at);
		last = at;
	}
	ck_assert_uint_gt(last, 1000 * MS);
	json_decref(j);
	gap_watch_fini(&g);
}
END_TEST

START_TEST(the_longest_of_many_are_listed_first)
{
	unsigned int i;
	json_t *j;

	setup(GAP_LISTED + 4, 0);
	for (i = 0; i < GAP_LISTED + 4; i++) {
		/* two and two are as long */
		see(i, 1000 + i / 2 * 10, 1900);
		add(i, 1900, MON_TASK_RUNNABLE);
	}
	gap_watch_end(&g, 2000 * MS);
	j = list();
	ck_assert_uint_eq(GAP_LISTED, json_array_size(j));
	for (i = 0; i < GAP_LISTED; i++)
		ck_assert_int_eq(100 + i, member(j, i, "pid"));
	json_decref(j);
	gap_watch_fini(&g);
}
END_TEST

START_TEST(looks_are_few_apart_and_one_for_a_worker)
{
	uint64_t now = 3000;
	unsigned int i;

	setup(6, 1000);
	for (i = 0; i < 6; i++)
		see(i, 1000 + 100 * i, now);
	see(5, 2001, now); /* 999 ms */
	ck_assert_int_eq(0, gap_watch_look(&g, now * MS));
	ck_assert_int_eq(-1, gap_watch_look(&g, (now + 999) * MS));
	ck_assert_int_eq(1, gap_watch_look(&g, (now + 1000) * MS));
	ck_assert_int_eq(2, gap_watch_look(&g, (now + 2000) * MS));
	/* no more in this run, whatever the phase */
	ck_assert_int_eq(-1, gap_watch_look(&g, (now + 9000) * MS));
	gap_watch_begin(&g, 20000 * MS);
	see(4, 0, 30000);
	ck_assert_int_eq(-1, gap_watch_look(&g, 30000 * MS));
	gap_watch_fini(&g);
}
END_TEST

START_TEST(a_look_that_came_too_late_is_none)
{
	unsigned int i;

	setup(1, 1000);
	for (i = 0; i < 2 * GAP_LOOKS; i++) {
		see(0, 1000, 3000 + i * 1000);
		ck_assert_int_eq(0, gap_watch_look(&g, (3000 + i * 1000) * MS));
		gap_watch_missed(&g, 0);
	}
	gap_watch_fini(&g);
}
END_TEST

START_TEST(no_look_where_none_is_wanted)
{
	setup(1, 0);
	see(0, 1000, 90000);
	ck_assert_int_eq(-1, gap_watch_look(&g, 90000 * MS));
	gap_watch_fini(&g);
}
END_TEST

static const struct {
	struct mon_sched sched;
	bool bypassed;
} bypass_cases[] = {
	{ { .have_scx = true, .state = MON_SCX_ENABLED }, false },
	{ { .have_scx = true, .state = MON_SCX_ENABLED, .bypass_depth = 1 },
	  true },
	{ { .have_scx = true, .state = MON_SCX_DISABLED, .bypass_depth = -1 },
	  false },
	/* of an older kernel's depth there is no word */
	{ { .have_scx = true, .state = MON_SCX_ENABLED, .bypass_depth = -1 },
	  false },
	{ { .have_scx = true, .state = MON_SCX_DISABLING, .bypass_depth = -1 },
	  true },
	{ { .state = MON_SCX_DISABLING, .bypass_depth = 1 }, false },
};

START_TEST(a_scheduler_is_bypassed_by_its_depth_or_its_state)
{
	ck_assert_int_eq(bypass_cases[_i].bypassed,
			 gap_bypassed(&bypass_cases[_i].sched));
}
END_TEST

static const struct {
	struct gap_seen seen;
	const char *json;
} json_cases[] = {
	{ { .now = { .doing = MON_TASK_RUNNABLE, .ext = true, .ran_ns = 1234,
		     .task = { .cpu = 1, .on_dsq = true, .dsq_id = 7,
			       .dsq_nr = 3 },
		     .curr = { .pid = 9, .comm = "hog" } } },
	  "{\"at_ns\": 5, \"is\": \"runnable\", \"cpu\": 1, \"ext\": true,"
	  " \"bypassed\": false, \"dsq\": \"7\", \"dsq_nr\": 3, \"ran_ns\": 1234,"
	  " \"disk\": null,"
	  " \"host_wait_ns\": null,"
	  " \"curr\": {\"pid\": 9, \"comm\": \"hog\", \"idle\": false}}" },
	{ { .now = { .doing = MON_TASK_RUNNABLE, .ext = true, .ran_ns = -1,
		     .curr = { .idle = true } }, .bypassed = true },
	  "{\"at_ns\": 5, \"is\": \"runnable\", \"cpu\": 0, \"ext\": true,"
	  " \"bypassed\": true, \"dsq\": null, \"dsq_nr\": null, \"ran_ns\": null,"
	  " \"disk\": null,"
	  " \"host_wait_ns\": null,"
	  " \"curr\": {\"pid\": 0, \"comm\": \"\", \"idle\": true}}" },
	{ { .now = { .doing = MON_TASK_BLOCKED }, .disk = GAP_DISK_THROTTLED,
	    .disk_done = 12 },
	  "{\"at_ns\": 5, \"is\": \"blocked\", \"cpu\": 0, \"ext\": false,"
	  " \"bypassed\": false, \"dsq\": null, \"dsq_nr\": null, \"ran_ns\": 0,"
	  " \"disk\": {\"is\": \"throttled\", \"done\": 12}, \"host_wait_ns\": null,"
	  " \"curr\": {\"pid\": 0, \"comm\": \"\", \"idle\": false}}" },
};

START_TEST(a_sample_is_told_as_it_was)
{
	json_t *want = json_loads(json_cases[_i].json, 0, NULL), *j, *got;
	struct gap_seen seen = json_cases[_i].seen;

	ck_assert_ptr_nonnull(want);
	setup(1, 0);
	see(0, 1000, 1200);
	seen.at_ns = 1000 * MS + 5;
	gap_watch_add(&g, 0, &seen, &no_wait);
	gap_watch_end(&g, 1300 * MS);
	j = list();
	got = json_array_get(json_object_get(json_array_get(j, 0), "seen"), 0);
	ck_assert_msg(json_equal(want, got), "%s", json_dumps(got, 0));
	json_decref(j);
	json_decref(want);
	gap_watch_fini(&g);
}
END_TEST

/* What one sample finds, and what the vCPU has waited until then, in ms. */
struct host_step {
	uint64_t at_ms;
	int cpu;
	enum mon_task_doing doing;
	enum gap_disk disk;
	int64_t waited_ms;	/* of @cpu; -1: not known */
	int64_t tail_ms;	/* of the CPU of the sample before; -1: n/a */
	int64_t want_ms;	/* in the gap so far */
};

#define RUNS MON_TASK_RUNS, GAP_DISK_NONE
#define AT_DISK MON_TASK_BLOCKED, GAP_DISK_BUSY

/* A gap from 1010 ms on, seen in steps; it ends at the last, by progress. */
static const struct {
	const char *why;
	struct host_step steps[5];
	uint64_t frozen_ms;	/* before the last sample */
	uint64_t end_ms;
	int64_t tail_ms, want_ms;
} host_cases[] = {
	{ "what was waited since the first sample",
	  { { 1110, 1, RUNS, 5000, -1, 0 }, { 1160, 1, RUNS, 5050, 5050, 50 },
	    { 1210, 1, RUNS, 5080, 5080, 80 } }, 0, 1310, 5090, 90 },
	{ "what the kernel counts when it is over, at the gap's end",
	  { { 1110, 1, RUNS, 5000, -1, 0 }, { 1160, 1, RUNS, 5000, 5000, 0 } },
	  0, 2010, 5990, 990 },
	{ "no more than the gap is long",
	  { { 1110, 1, RUNS, 5000, -1, 0 }, { 1160, 1, RUNS, 5400, 5400, 150 } },
	  0, 1210, 5900, 200 },
	{ "nor with frozen time in it",
	  { { 1110, 1, RUNS, 5000, -1, 0 }, { 1510, 1, RUNS, 5500, 5500, 200 } },
	  300, 1520, 5500, 200 },
	{ "not where it was moved meanwhile, and from there on again",
	  { { 1110, 1, RUNS, 5000, -1, 0 }, { 1210, 0, RUNS, 100, 5100, 0 },
	    { 1310, 0, RUNS, 190, 190, 90 } }, 0, 1410, 200, 100 },
	{ "what is not counted is no room for what is",
	  { { 1110, 1, RUNS, 5000, -1, 0 }, { 1210, 0, RUNS, 100, 5100, 0 },
	    { 1310, 0, RUNS, 900, 900, 200 } }, 0, 1320, 990, 210 },
	{ "not while its disk had work",
	  { { 1110, 1, AT_DISK, 5000, -1, 0 }, { 1210, 1, AT_DISK, 5100, 5100, 0 },
	    { 1310, 1, RUNS, 5200, 5200, 0 }, { 1410, 1, RUNS, 5280, 5280, 80 },
	    { 1510, 1, AT_DISK, 5380, 5380, 80 } }, 0, 1600, 5470, 80 },
	{ "a disk without work is none to wait for",
	  { { 1110, 1, MON_TASK_BLOCKED, GAP_DISK_IDLE, 5000, -1, 0 },
	    { 1210, 1, MON_TASK_BLOCKED, GAP_DISK_IDLE, 5100, 5100, 100 } },
	  0, 1310, 5200, 200 },
	{ "asleep, when the timer of its CPU should have woken it",
	  { { 1110, 1, MON_TASK_SLEEPS, GAP_DISK_NONE, 5000, -1, 0 },
	    { 1210, 1, MON_TASK_SLEEPS, GAP_DISK_BUSY, 5100, 5100, 100 } },
	  0, 1310, 5200, 200 },
	{ "a reading that failed counts nothing, on either side of it",
	  { { 1110, 1, RUNS, 5000, -1, 0 }, { 1210, 1, RUNS, -1, -1, -1 },
	    { 1310, 1, RUNS, 5200, -1, 0 }, { 1410, 1, RUNS, 5300, 5300, 100 } },
	  0, 1510, 5310, 110 },
	{ "without any it is not known",
	  { { 1110, 1, RUNS, -1, -1, -1 }, { 1210, 1, RUNS, -1, -1, -1 } },
	  0, 1310, -1, -1 },
};

static json_int_t ms_or_null(const json_t *of, const char *key)
{
	const json_t *v = json_object_get(of, key);

	ck_assert(json_is_null(v) || json_is_integer(v));
	return json_is_null(v) ? -1 : json_integer_value(v) / (json_int_t)MS;
}

static void tell(int64_t waited_ms)
{
	const struct gap_wait wait = {
		.known = waited_ms >= 0, .ns = waited_ms * MS };

	gap_watch_wait(&g, 0, &wait);
}

static void step(const struct host_step *st)
{
	const struct gap_seen seen = {
		.at_ns = st->at_ms * MS,
		.now = { .doing = st->doing, .task.cpu = st->cpu },
		.disk = st->disk,
	};
	const struct gap_wait wait = {
		.known = st->waited_ms >= 0, .ns = st->waited_ms * MS };

	tell(st->tail_ms);
	ck_assert(see(0, 1010, st->at_ms));
	gap_watch_add(&g, 0, &seen, &wait);
	ck_assert_int_eq(st->waited_ms < 0 ? -1 : st->cpu,
			 gap_watch_cpu(&g, 0));
}

START_TEST(what_the_host_withheld_is_counted_where_it_held_the_worker)
{
	const struct host_step *steps = host_cases[_i].steps;
	const char *why = host_cases[_i].why;
	json_t *j, *gap, *seen;
	size_t i, nr = 0;

	setup(1, 0);
	ck_assert_int_eq(-1, gap_watch_cpu(&g, 0));
	see(0, 1010, 1010);
	while (nr < 5 && steps[nr].at_ms)
		nr++;
	for (i = 0; i < nr; i++) {
		if (i + 1 == nr)
			gap_watch_frozen(&g, host_cases[_i].frozen_ms * MS);
		step(&steps[i]);
	}
	tell(host_cases[_i].tail_ms);
	see(0, host_cases[_i].end_ms, host_cases[_i].end_ms + 7);
	ck_assert_int_eq(-1, gap_watch_cpu(&g, 0));
	j = list();
	gap = json_array_get(j, 0);
	json_array_foreach(json_object_get(gap, "seen"), i, seen)
		ck_assert_msg(ms_or_null(seen, "host_wait_ns") ==
			      steps[i].want_ms, "%s: sample %zu: %s", why, i,
			      json_dumps(seen, 0));
	ck_assert_msg(ms_or_null(gap, "host_wait_ns") == host_cases[_i].want_ms,
		      "%s: %s", why, json_dumps(gap, 0));
	json_decref(j);
	gap_watch_fini(&g);
}
END_TEST

START_TEST(a_wait_that_goes_on_at_the_end_of_the_phase_counts)
{
	json_t *j;

	setup(1, 0);
	see(0, 1010, 1010);
	step(&(struct host_step){ 1110, 1, RUNS, 5000, -1, 0 });
	tell(5880);
	gap_watch_end(&g, 2000 * MS);
	j = list();
	ck_assert_int_eq(880 * MS, member(j, 0, "host_wait_ns"));
	json_decref(j);
	/* and is none of the next phase's */
	gap_watch_begin(&g, 2000 * MS);
	tell(9000);
	see(0, 2010, 2010);
	ck_assert_int_eq(-1, gap_watch_cpu(&g, 0));
	see(0, 2010, 2110);
	add(0, 2110, MON_TASK_RUNS);
	gap_watch_end(&g, 3000 * MS);
	j = list();
	ck_assert(json_is_null(json_object_get(json_array_get(j, 0),
					       "host_wait_ns")));
	json_decref(j);
	gap_watch_fini(&g);
}
END_TEST

START_TEST(one_gaps_wait_is_none_of_the_next)
{
	json_t *j;

	setup(1, 0);
	see(0, 1010, 1010);
	step(&(struct host_step){ 1110, 1, RUNS, 5000, -1, 0 });
	tell(5100);
	see(0, 1220, 1230);
	ck_assert_int_eq(-1, gap_watch_cpu(&g, 0));
	tell(7000);
	ck_assert(see(0, 1220, 1520));
	gap_watch_add(&g, 0, &(struct gap_seen){ .at_ns = 1520 * MS,
		      .now = { .task.cpu = 1 } },
		      &(struct gap_wait){ .known = true, .ns = 7300 * MS });
	tell(7310);
	see(0, 1620, 1630);
	j = list();
	ck_assert_int_eq(400 * MS, member(j, 0, "gap_ns"));
	ck_assert_int_eq(10 * MS, member(j, 0, "host_wait_ns"));
	json_decref(j);
	gap_watch_fini(&g);
}
END_TEST

START_TEST(no_look_while_a_vcpu_waits_for_a_host_cpu)
{
	struct gap_wait wait = { .known = true, .now = true };

	setup(2, 1000);
	see(0, 1000, 2400);
	see(1, 1100, 2400);
	gap_watch_add(&g, 0, &(struct gap_seen){ .at_ns = 2400 * MS }, &wait);
	wait.now = false;
	gap_watch_add(&g, 1, &(struct gap_seen){ .at_ns = 2400 * MS }, &wait);
	/* neither its own worker nor another one, which is to wait for it */
	ck_assert_int_eq(-1, gap_watch_look(&g, 2400 * MS));
	/* it has one again */
	see(0, 1000, 2450);
	gap_watch_add(&g, 0, &(struct gap_seen){ .at_ns = 2450 * MS }, &wait);
	ck_assert_int_eq(0, gap_watch_look(&g, 2450 * MS));
	/* whose gap is over waits no more */
	wait.now = true;
	see(0, 1000, 2500);
	gap_watch_add(&g, 0, &(struct gap_seen){ .at_ns = 2500 * MS }, &wait);
	see(1, 1100, 3500);
	ck_assert_int_eq(-1, gap_watch_look(&g, 3500 * MS));
	see(0, 3500, 3510);
	ck_assert_int_eq(1, gap_watch_look(&g, 3510 * MS));
	gap_watch_fini(&g);
}
END_TEST

START_TEST(queues_of_the_kernels_own_have_names)
{
	char text[32];

	ck_assert_str_eq("0", look_dsq_name(0, text));
	ck_assert_str_eq("4611686018427387904",
			 look_dsq_name(1ull << 62, text));
	ck_assert_str_eq("global", look_dsq_name(1ull << 63 | 1, text));
	ck_assert_str_eq("local", look_dsq_name(1ull << 63 | 2, text));
	ck_assert_str_eq("local", look_dsq_name(3ull << 62 | 5, text));
	ck_assert_str_eq("bypass", look_dsq_name(1ull << 63 | 3, text));
	ck_assert_str_eq("builtin 9", look_dsq_name(1ull << 63 | 9, text));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("look_gap");
	TCase *tc = tcase_create("look_gap");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, who_does_not_get_on_for_100_ms_is_looked_at);
	tcase_add_test(tc, a_gap_begins_with_the_phase_at_the_earliest);
	tcase_add_test(tc, asleep_on_purpose_is_no_gap);
	tcase_add_test(tc, nobody_is_looked_at_outside_a_phase_or_if_not_watched);
	tcase_add_test(tc, frozen_time_is_no_gap);
	tcase_add_test(tc, the_longest_gap_is_kept_with_what_was_seen_in_it);
	tcase_add_test(tc, an_open_gap_ends_with_the_phase);
	tcase_add_test(tc, what_is_kept_of_a_long_gap_is_spread_over_it);
	tcase_add_test(tc, the_longest_of_many_are_listed_first);
	tcase_add_test(tc, looks_are_few_apart_and_one_for_a_worker);
	tcase_add_test(tc, a_look_that_came_too_late_is_none);
	tcase_add_test(tc, no_look_where_none_is_wanted);
	tcase_add_loop_test(tc, a_scheduler_is_bypassed_by_its_depth_or_its_state,
			    0, sizeof(bypass_cases) / sizeof(bypass_cases[0]));
	tcase_add_loop_test(tc, a_sample_is_told_as_it_was, 0,
			    sizeof(json_cases) / sizeof(json_cases[0]));
	tcase_add_loop_test(tc, what_the_host_withheld_is_counted_where_it_held_the_worker,
			    0, sizeof(host_cases) / sizeof(host_cases[0]));
	tcase_add_test(tc, a_wait_that_goes_on_at_the_end_of_the_phase_counts);
	tcase_add_test(tc, one_gaps_wait_is_none_of_the_next);
	tcase_add_test(tc, no_look_while_a_vcpu_waits_for_a_host_cpu);
	tcase_add_test(tc, queues_of_the_kernels_own_have_names);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
