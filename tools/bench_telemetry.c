// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tools/bench.d/telemetry: what a sample costs, of guests made by hand,
 * since few machines boot one of 252 CPUs. Samples are taken by what takes
 * them of a running guest, down to the line in samples.jsonl.
 *
 *   bench_telemetry FILE SAMPLES	FILE is written as samples.jsonl
 *
 * Each line of stdout is CPUS MAPS HASHES WHAT NUMBER.
 */
#include <check.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/clock.h"
#include "monitor/monitor.h"
#include "monitor/test_image.h"
#include "runner/sampler.h"
#include "tools/bench_image.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* More than what a core has of its own, and what another program would use */
#define SWEEP_BYTES (4u << 20)
#define WINDOW_NS (2 * NSEC_PER_SEC)	/* that the thread is watched for */

/* A test of libcheck takes no arguments. */
static struct params {
	const char *path;
	unsigned int samples;
	uint8_t *swept;
} params;

static const struct bench_image cases[] = {
	{ 4, 1, 0 }, { 4, 10, 0 }, { 4, 10, 1 }, { 4, 100, 0 },
	{ 64, 1, 0 }, { 64, 10, 0 }, { 64, 10, 1 }, { 64, 100, 0 },
	{ 252, 1, 0 }, { 252, 10, 0 }, { 252, 10, 1 }, { 252, 100, 0 },
};

static void say(const struct bench_image *c, const char *what, uint64_t n)
{
	printf("%u %u %u %s %" PRIu64 "\n", c->cpus, c->maps, c->hashes, what,
	       n);
	fflush(stdout);
}

static uint64_t cpu_ns(clockid_t clock)
{
	struct timespec ts;

	ck_assert_int_eq(0, clock_gettime(clock, &ts));
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void check_samples(const struct sampler *s, uint64_t at_least)
{
	const struct sampler_phase *p = sampler_phase(s, 0);

	ck_assert_uint_eq(0, p->failed);
	ck_assert_uint_ge(p->taken, at_least);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sweep(void)
{
	size_t i;

	for (i = 0; i < SWEEP_BYTES; i += 64)
		params.swept[i]++;
}

/* One sample after the other, each timed; with @swept caches in between. */
static void time_samples(const struct bench_image *c, struct sampler *s,
			 bool swept)
{
	uint64_t *ns = calloc(params.samples, sizeof(*ns)), start, sum = 0;
	unsigned int i;

	ck_assert_ptr_nonnull(ns);
	for (i = 0; i < params.samples; i++) {
		if (swept)
			sweep();
		start = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
		sampler_take(s);
		ns[i] = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	}
	for (i = 0; i < params.samples; i++)
		sum += ns[i];
	say(c, swept ? "swept_mean_ns" : "warm_mean_ns", sum / params.samples);
	qsort(ns, params.samples, sizeof(*ns), by_size);
	say(c, swept ? "swept_p50_ns" : "warm_p50_ns", ns[params.samples / 2]);
	say(c, swept ? "swept_p99_ns" : "warm_p99_ns",
	    ns[params.samples * 99 / 100]);
	free(ns);
}

static void one_at_a_time(const struct bench_image *c, struct test_image *ti)
{
	struct sampler *s = bench_image_sampler(ti, c, NSEC_PER_SEC,
						 params.path);
	struct mon_stats before, after;
	struct stat st;

	sampler_take(s); /* what is made once */
	sampler_stats(s, &before);
	time_samples(c, s, false);
	sampler_stats(s, &after);
	time_samples(c, s, true);
	say(c, "read_bytes", (after.read_bytes - before.read_bytes) /
	    params.samples);
	say(c, "reads", (after.reads - before.reads) / params.samples);
	say(c, "walks", (after.walks - before.walks) / params.samples);
	check_samples(s, 2 * params.samples + 1);
	sampler_free(s);
	ck_assert_int_eq(0, stat(params.path, &st));
	say(c, "line_bytes", st.st_size / (2 * params.samples + 1));
}

/* The thread itself: its wake-ups too, and whatever it finds in the caches. */
static void by_thread(const struct bench_image *c, struct test_image *ti,
		      unsigned int hz)
{
	const struct timespec window = clock_to_timespec(WINDOW_NS);
	struct sampler *s = bench_image_sampler(ti, c, NSEC_PER_SEC / hz,
						 params.path);
	uint64_t used_ns, took_ns;
	char what[32];

	used_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	took_ns = clock_now_ns();
	ck_assert_int_eq(0, sampler_start(s));
	nanosleep(&window, NULL);
	sampler_stop(s);
	took_ns = clock_now_ns() - took_ns;
	used_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - used_ns;
	check_samples(s, 1);
	snprintf(what, sizeof(what), "share_ppm_%u", hz);
	say(c, what, used_ns * 1000000 / took_ns);
	snprintf(what, sizeof(what), "taken_%u", hz);
	say(c, what, sampler_phase(s, 0)->taken * NSEC_PER_SEC / took_ns);
	sampler_free(s);
}

START_TEST(measure)
{
	const struct bench_image *c = &cases[_i];
	struct test_image *ti = bench_image_new(c, NULL);

	one_at_a_time(c, ti);
	by_thread(c, ti, 100);
	by_thread(c, ti, 1000);
	ti_free(ti);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *t = tcase_create("telemetry");
	Suite *suite = suite_create("telemetry");
	SRunner *r = srunner_create(suite);
	int failed;

	if (argc != 3) {
		fputs("usage: bench_telemetry FILE SAMPLES\n", stderr);
		return 2;
	}
	params.path = argv[1];
	params.samples = atoi(argv[2]);
	params.swept = calloc(1, SWEEP_BYTES);
	if (!params.samples || !params.swept)
		return 2;
	/* The guest's maker is a test's; here it is no test of anything. */
	tcase_add_loop_test(t, measure, 0, NR(cases));
	suite_add_tcase(suite, t);
	srunner_set_fork_status(r, CK_NOFORK);
	srunner_run_all(r, CK_SILENT);
	failed = srunner_ntests_failed(r);
	if (failed)
		srunner_print(r, CK_NORMAL);
	srunner_free(r);
	free(params.swept);
	return failed ? 1 : 0;
}
