// SPDX-License-Identifier: GPL-2.0-only
#include "runner/console_log.h"
#include "runner/facts_disk.h"
#include "runner/facts_vcpu.h"
#include "runner/facts_workload.h"

#include "lib/clock.h"
#include "lib/hist.h"
#include "lib/test_run.h"
#include "vmm/vmm.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull

static double real_at(json_t *obj, const char *a, const char *b)
{
	json_t *v = json_object_get(obj, a);

	if (b)
		v = json_object_get(v, b);
	ck_assert_msg(json_is_number(v), "%s.%s is no number", a, b ? b : "");
	return json_number_value(v);
}

static const struct gap_case {
	const char *what;
	uint64_t last_ms, cell_ms, want_ms;
} gap_cases[] = {
	{ "never ran: the whole phase", 0, 0, 1000 },
	{ "last seen before the phase", 50, 0, 1000 },
	{ "stopped in the middle", 700, 100, 400 },
	{ "the longest gap is a closed one", 1050, 300, 300 },
	{ "asleep on purpose past the end", 1500, 20, 20 },
	{ "a lie longer than the phase is cut", 1100, 999999, 1000 },
};

START_TEST(gap_counts_what_no_stamp_has_ended)
{
	const struct gap_case *c = &gap_cases[_i];
	struct ktstr_cell *cell = calloc(1, sizeof(*cell));
	struct ktstr_worker w = { .last_progress_ns = c->last_ms * MS };
	struct workload_sum sum;

	cell->gap_max_ns = c->cell_ms * MS;
	ck_assert_int_eq(0, workload_sum_init(&sum, 1));
	workload_sum_add(&sum, 0, cell, &w, 100 * MS, 1100 * MS, NULL);
	ck_assert_msg(c->want_ms * MS == sum.all.gap_max_ns, "%s: %llu",
		      c->what, (unsigned long long)sum.all.gap_max_ns);
	workload_sum_fini(&sum);
	free(cell);
}
END_TEST

START_TEST(frozen_time_is_no_gap_and_no_part_of_a_rate)
{
	struct ktstr_cell *cell = calloc(1, sizeof(*cell));
	struct ktstr_worker w = { .last_progress_ns = 700 * MS };
	struct frozen_log log = { 0 };
	/* the guest's clock is 100 ms ahead */
	struct frozen_view frozen = { &log, 100 * MS, 0 };
	struct workload_sum sum;
	json_t *json;

	cell->iterations = 80;
	frozen_log_add(&log, 200 * MS, 300 * MS); /* before the last progress */
	frozen_log_add(&log, 800 * MS, 900 * MS); /* in the open gap */
	frozen_log_add(&log, 2000 * MS, 3000 * MS); /* after the phase */
	ck_assert_int_eq(0, workload_sum_init(&sum, 1));
	workload_sum_add(&sum, 0, cell, &w, 100 * MS, 1100 * MS, &frozen);
	ck_assert_uint_eq(300 * MS, sum.all.gap_max_ns);
	ck_assert_uint_eq(800 * MS, sum.duration_ns);
	json = workload_sum_json(&sum, 1);
	ck_assert_double_eq_tol(100, json_real_value(json_object_get(
		json, "iterations_per_s")), 1e-9);
	ck_assert(json_is_null(json_object_get(json_object_get(
		json, "run_delay_ns"), "mean")));
	json_decref(json);
	workload_sum_fini(&sum);
	frozen_log_fini(&log);
	free(cell);
}
END_TEST

START_TEST(whoever_ran_when_it_froze_is_not_charged_for_it)
{
	struct ktstr_cell *cell = calloc(1, sizeof(*cell));
	struct ktstr_worker ran = { .pid = 7 }, waited = { .pid = 8 };
	struct frozen_log log = { 0 };
	struct frozen_view frozen = { &log, 0, 0 };
	struct workload_sum sum;

	cell->cpu_time_ns = 400 * MS;
	frozen_log_add(&log, 200 * MS, 500 * MS);
	frozen_log_add_run(&log, 7, 0);
	frozen_log_add(&log, 2000 * MS, 3000 * MS); /* after the phase */
	frozen_log_add_run(&log, 7, 0);
	ck_assert_int_eq(0, workload_sum_init(&sum, 2));
	workload_sum_add(&sum, 0, cell, &ran, 0, 1000 * MS, &frozen);
	workload_sum_add(&sum, 1, cell, &waited, 0, 1000 * MS, &frozen);
	ck_assert_uint_eq(100 * MS, sum.workers[0].cpu_time_ns);
	ck_assert_uint_eq(400 * MS, sum.workers[1].cpu_time_ns);
	ck_assert_uint_eq(500 * MS, sum.all.cpu_time_ns);
	/* never less than nothing */
	cell->cpu_time_ns = 1;
	workload_sum_add(&sum, 0, cell, &ran, 0, 1000 * MS, &frozen);
	ck_assert_uint_eq(100 * MS, sum.workers[0].cpu_time_ns);
	workload_sum_fini(&sum);
	frozen_log_fini(&log);
	free(cell);
}
END_TEST

START_TEST(two_workers_and_two_phases_add_up)
{
	struct ktstr_cell *cell = calloc(1, sizeof(*cell));
	struct ktstr_worker w = { .last_progress_ns = 999 * MS,
				  .state = KTSTR_WORKER_RUNNING };
	struct workload_sum sum;
	unsigned int worker;
	uint64_t phase;
	json_t *json;

	ck_assert_int_eq(0, workload_sum_init(&sum, 2));
	for (phase = 0; phase < 2; phase++) {
		for (worker = 0; worker < 2; worker++) {
			memset(cell, 0, sizeof(*cell));
			cell->iterations = 10 + worker;
			cell->cpu_time_ns = worker ? 300 * MS : 100 * MS;
			cell->cpus_used[0] = 1ull << (worker + phase);
			hist_add(&cell->wake, 5000);
			workload_sum_add(&sum, worker, cell, &w,
					 phase * 1000 * MS,
					 (phase + 1) * 1000 * MS, NULL);
		}
	}
	json = workload_sum_json(&sum, 4);
	ck_assert_uint_eq(42, real_at(json, "iterations", NULL));
	ck_assert_double_eq_tol(21, real_at(json, "iterations_per_s", NULL),
				1e-9);
	ck_assert_uint_eq(3, real_at(json, "cpus_used", NULL));
	ck_assert_uint_eq(4, real_at(json, "wake_latency_ns", "count"));
	/* 800 ms of CPU time in 2 s of 4 CPUs */
	ck_assert_double_eq_tol(0.1, real_at(json, "cpu_share_ratio", NULL),
				1e-9);
	/* (200 + 600)^2 / (2 * (200^2 + 600^2)) */
	ck_assert_double_eq_tol(0.8, real_at(json, "fairness_ratio", NULL),
				1e-9);
	json_decref(json);
	workload_sum_fini(&sum);
	free(cell);
}
END_TEST

START_TEST(what_is_undefined_is_null)
{
	struct workload_sum sum;
	json_t *json;

	ck_assert_int_eq(0, workload_sum_init(&sum, 1));
	json = workload_sum_json(&sum, 1);
	ck_assert(json_is_null(json_object_get(json, "iterations_per_s")));
	ck_assert(json_is_null(json_object_get(json, "fairness_ratio")));
	ck_assert(json_is_null(json_object_get(
		json_object_get(json, "wake_latency_ns"), "p99")));
	json_decref(json);
	workload_sum_fini(&sum);
}
END_TEST

static struct disk_mark *mark_at(uint64_t ms, uint64_t reads)
{
	struct disk_mark *m = calloc(1, sizeof(*m));

	m->stats.at_ns = ms * MS;
	m->stats.reads = reads;
	m->stats.read_bytes = reads * 4096;
	return m;
}

START_TEST(delivered_is_judged_by_the_limit_that_binds)
{
	struct vm_throttle t = { .iops = 100, .bps = 8000000 };
	struct disk_mark *a = mark_at(1000, 50), *b = mark_at(3000, 248);
	struct disk_sum *sum = calloc(1, sizeof(*sum));
	json_t *json;

	disk_sum_add(sum, a, b, &t, NULL);
	json = disk_sum_json(sum);
	ck_assert_double_eq_tol(99, real_at(json, "delivered", "iops"), 1e-9);
	ck_assert_double_eq_tol(0.99, real_at(json, "delivered", "ratio"),
				1e-9);
	json_decref(json);
	/* a second phase at half the rate, fully used: weighed by time */
	t.iops = 50;
	free(a);
	a = b;
	b = mark_at(5000, 348);
	disk_sum_add(sum, a, b, &t, NULL);
	json = disk_sum_json(sum);
	ck_assert_double_eq_tol(298 / 300.0,
				real_at(json, "delivered", "ratio"), 1e-9);
	json_decref(json);
	free(a);
	free(b);
	free(sum);
}
END_TEST

START_TEST(frozen_time_is_not_asked_of_a_disk)
{
	struct vm_throttle t = { .iops = 100 };
	struct disk_mark *a = mark_at(1000, 0), *b = mark_at(3000, 100);
	struct disk_sum *sum = calloc(1, sizeof(*sum));
	struct frozen_log log = { 0 };
	json_t *json;

	frozen_log_add(&log, 500 * MS, 1500 * MS);
	frozen_log_add(&log, 2000 * MS, 2500 * MS);
	disk_sum_add(sum, a, b, &t, &log);
	json = disk_sum_json(sum);
	ck_assert_double_eq_tol(100, real_at(json, "delivered", "iops"), 1e-9);
	ck_assert_double_eq_tol(1, real_at(json, "delivered", "ratio"), 1e-9);
	ck_assert_int_eq(1000 * MS, json_integer_value(
		json_object_get(json, "duration_ns")));
	json_decref(json);
	frozen_log_fini(&log);
	free(a);
	free(b);
	free(sum);
}
END_TEST

START_TEST(no_limit_gives_no_ratio)
{
	struct vm_throttle none = { 0 }, some = { .iops = 10 };
	struct disk_mark *a = mark_at(0, 0), *b = mark_at(1000, 10);
	struct disk_sum *sum = calloc(1, sizeof(*sum));
	json_t *json;

	disk_sum_add(sum, a, b, &some, NULL);
	disk_sum_add(sum, a, b, &none, NULL);
	json = disk_sum_json(sum);
	ck_assert(json_is_null(json_object_get(
		json_object_get(json, "delivered"), "ratio")));
	json_decref(json);
	free(a);
	free(b);
	free(sum);
}
END_TEST

/* The limiter let it through: it is not the disk that was slow. */
START_TEST(what_a_planted_error_failed_was_delivered_l8)
{
	struct vm_throttle t = { .bps = 409600, .latency_ns = 2 * MS,
				 .jitter_ns = MS };
	struct disk_mark *a = mark_at(1000, 50), *b = mark_at(2000, 150);
	struct disk_sum *sum = calloc(1, sizeof(*sum));
	json_t *json;

	a->stats.fault_bytes = 1000;
	b->stats.fault_bytes = 1000 + 10 * 4096;
	b->stats.read_bytes -= 10 * 4096;
	b->stats.fault_rate_errors = 9;
	b->stats.fault_range_errors = 1;
	b->stats.fault_stalls = 2;
	b->stats.fault_stalled_ns = 20 * MS;
	disk_sum_add(sum, a, b, &t, NULL);
	json = disk_sum_json(sum);
	ck_assert_double_eq_tol(1, real_at(json, "delivered", "ratio"), 1e-9);
	ck_assert_double_eq_tol(368640, real_at(json, "delivered", "bps"),
				1e-9);
	ck_assert_uint_eq(2 * MS, real_at(json, "asked", "latency_ns"));
	ck_assert_uint_eq(MS, real_at(json, "asked", "jitter_ns"));
	ck_assert_uint_eq(9, real_at(json, "faults", "rate_errors"));
	ck_assert_uint_eq(1, real_at(json, "faults", "range_errors"));
	ck_assert_uint_eq(40960, real_at(json, "faults", "error_bytes"));
	ck_assert_uint_eq(2, real_at(json, "faults", "stalls"));
	ck_assert_uint_eq(20 * MS, real_at(json, "faults", "stalled_ns"));
	json_decref(json);
	free(a);
	free(b);
	free(sum);
}
END_TEST

START_TEST(histograms_of_a_part_are_the_difference)
{
	struct vm_throttle t = { .iops = 10 };
	struct disk_mark *a = mark_at(0, 0), *b = mark_at(1000, 1);
	struct disk_sum *sum = calloc(1, sizeof(*sum));

	hist_add(&a->queue, 900 * MS);
	hist_add(&b->queue, 900 * MS);
	hist_add(&b->queue, 2 * MS);
	disk_sum_add(sum, a, b, &t, NULL);
	ck_assert_uint_eq(1, hist_total(&sum->queue));
	/* the old maximum is not this part's */
	ck_assert_uint_ge(sum->queue.max_ns, 2 * MS);
	ck_assert_uint_le(sum->queue.max_ns, 2 * MS + 2 * MS / 32);
	free(a);
	free(b);
	free(sum);
}
END_TEST

static struct console_log *console_with(const char *text, size_t len)
{
	struct console_log *c = calloc(1, sizeof(*c));

	console_log_add(c, text, len);
	return c;
}

START_TEST(tail_keeps_the_last_lines_printable)
{
	static const char text[] = "one\r\ntwo\n\x1b[31mthree\xff\nfour";
	struct console_log *c = console_with(text, sizeof(text) - 1);
	json_t *tail = console_log_tail(c, 2);

	ck_assert_uint_eq(2, json_array_size(tail));
	ck_assert_str_eq("?[31mthree?",
			 json_string_value(json_array_get(tail, 0)));
	ck_assert_str_eq("four", json_string_value(json_array_get(tail, 1)));
	ck_assert(console_log_mentions(c, "three"));
	ck_assert(!console_log_mentions(c, "five"));
	json_decref(tail);
	free(c);
}
END_TEST

START_TEST(tail_survives_a_flood)
{
	char line[100];
	struct console_log *c = calloc(1, sizeof(*c));
	json_t *tail;
	int i;

	for (i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		console_log_add(c, line, strlen(line));
	}
	tail = console_log_tail(c, 3);
	ck_assert_uint_eq(3, json_array_size(tail));
	ck_assert_str_eq("line 4999",
			 json_string_value(json_array_get(tail, 2)));
	ck_assert_str_eq("line 4997",
			 json_string_value(json_array_get(tail, 0)));
	json_decref(tail);
	free(c);
}
END_TEST

START_TEST(exits_of_a_phase_are_what_came_between)
{
	const struct vm_vcpu_stats from[2] = {
		{ .exits = 10, .exits_mmio = 4, .exits_io = 6 },
		{ .exits = 5, .exits_hlt = 5, .run_ns = 100 },
	};
	const struct vm_vcpu_stats to[2] = {
		{ .exits = 17, .exits_mmio = 4, .exits_io = 9,
		  .exits_intr = 3, .exits_other = 1 },
		{ .exits = 6, .exits_hlt = 6, .run_ns = 350, .wait_ns = 7 },
	};
	json_t *j = vcpus_json(from, to, 2);
	json_t *a = json_array_get(j, 0), *b = json_array_get(j, 1);

	ck_assert_uint_eq(2, json_array_size(j));
	ck_assert(real_at(a, "exits", NULL) == 7);
	ck_assert(real_at(a, "mmio", NULL) == 0);
	ck_assert(real_at(a, "io", NULL) == 3);
	ck_assert(real_at(a, "intr", NULL) == 3);
	ck_assert(real_at(a, "other", NULL) == 1);
	ck_assert(real_at(b, "hlt", NULL) == 1);
	ck_assert(real_at(b, "run_ns", NULL) == 250);
	ck_assert(real_at(b, "wait_ns", NULL) == 7);
	json_decref(j);

	j = vcpus_json(NULL, to, 1);
	ck_assert(real_at(json_array_get(j, 0), "exits", NULL) == 17);
	json_decref(j);
	j = vcpus_json(from, NULL, 2); /* the phase never ended */
	ck_assert(json_is_null(j));
	json_decref(j);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("facts");
	TCase *tc = tcase_create("facts");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, gap_counts_what_no_stamp_has_ended, 0,
			    sizeof(gap_cases) / sizeof(gap_cases[0]));
	tcase_add_test(tc, frozen_time_is_no_gap_and_no_part_of_a_rate);
	tcase_add_test(tc, frozen_time_is_not_asked_of_a_disk);
	tcase_add_test(tc, whoever_ran_when_it_froze_is_not_charged_for_it);
	tcase_add_test(tc, two_workers_and_two_phases_add_up);
	tcase_add_test(tc, what_is_undefined_is_null);
	tcase_add_test(tc, delivered_is_judged_by_the_limit_that_binds);
	tcase_add_test(tc, no_limit_gives_no_ratio);
	tcase_add_test(tc, what_a_planted_error_failed_was_delivered_l8);
	tcase_add_test(tc, histograms_of_a_part_are_the_difference);
	tcase_add_test(tc, tail_keeps_the_last_lines_printable);
	tcase_add_test(tc, tail_survives_a_flood);
	tcase_add_test(tc, exits_of_a_phase_are_what_came_between);
	suite_add_tcase(s, tc);
	return test_run(s);
}
