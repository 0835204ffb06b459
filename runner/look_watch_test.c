// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sampler's side and the main loop's, on a guest and a host whose numbers
 * are set here: driven first, then both threads at once. Built with TSan too.
 */
#include "runner/session.h"

#include "lib/clock.h"
#include "lib/test_run.h"
#include "runner/look_gap.h"
#include "runner/sampler.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS NSEC_PER_MSEC
#define WORKERS 2
#define MAP_ID 5
#define ROUNDS 300

static struct session *s;

/* What stands in for guest and host; each word is written by the test alone. */
static _Atomic uint64_t progress[WORKERS];	/* of each worker */
static _Atomic unsigned int task_cpu;		/* where both were last */
static _Atomic uint64_t waited[2];		/* each vCPU, for a host CPU */
static _Atomic int host_error;
static _Atomic unsigned int looked;
static char looked_at[128];
static int due_fd;
static void (*on_due)(void *ctx, uint32_t events);

int sampler_shm(struct sampler *sampler, uint32_t map_id, void *buf, size_t off,
		size_t len)
{
	struct ktstr_worker w[WORKERS] = { { 0 } };
	unsigned int i;

	ck_assert_uint_eq(MAP_ID, map_id);
	ck_assert_uint_ge(off, sizeof(struct ktstr_shm_hdr));
	off -= sizeof(struct ktstr_shm_hdr);
	ck_assert_uint_le(off + len, sizeof(w));
	for (i = 0; i < WORKERS; i++) {
		w[i].pid = 100 + i;
		w[i].last_progress_ns = atomic_load(&progress[i]);
	}
	memcpy(buf, (char *)w + off, len);
	return 0;
}

int sampler_read_task(struct sampler *sampler, uint32_t pid, uint64_t *task,
		      struct mon_task_now *now)
{
	*now = (struct mon_task_now){ .doing = MON_TASK_RUNS,
				      .task.cpu = atomic_load(&task_cpu) };
	return 0;
}

int sampler_sched(struct sampler *sampler, struct mon_sched *sched)
{
	memset(sched, 0, sizeof(*sched));
	return 0;
}

int session_shm_header(struct session *ss, struct ktstr_shm_hdr *hdr)
{
	*hdr = (struct ktstr_shm_hdr){ .workers_off = sizeof(*hdr) };
	return 0;
}

unsigned int session_nr_cpus(const struct session *ss)
{
	return 2;
}

int vm_vcpu_time_read(const struct vm *vm, unsigned int vcpu,
		      struct vm_thread_time *now)
{
	uint64_t at_ns = clock_now_ns();

	if (atomic_load(&host_error))
		return atomic_load(&host_error);
	ck_assert_uint_lt(vcpu, 2);
	/* it has run since the reading before: no wait goes on */
	*now = (struct vm_thread_time){
		.from_ns = at_ns, .to_ns = at_ns, .run_ns = at_ns,
		.wait_ns = atomic_load(&waited[vcpu]), .runnable = true,
	};
	return 0;
}

void vm_disk_stats_read(const struct vm *vm, unsigned int disk,
			struct vm_disk_stats *st)
{
	ck_abort_msg("nobody has a disk");
}

int vm_loop_add_fd(struct vm *vm, int fd, uint32_t events,
		   void (*fn)(void *ctx, uint32_t events), void *ctx)
{
	ck_assert_ptr_eq(s, ctx);
	due_fd = fd;
	on_due = fn;
	return 0;
}

/* As the real one, by the main loop: nothing is sampled meanwhile. */
void session_look_gap(struct session *ss, const char *name)
{
	snprintf(looked_at, sizeof(looked_at), "%s", name);
	atomic_fetch_add(&looked, 1);
	session_gaps_freeze(ss);
	session_gaps_thaw(ss, 1000);
}

static void phase_start(void)
{
	uint64_t now_ns = clock_now_ns();

	s->phases[0] = (struct phase_record){
		.host_start_ns = now_ns,
		.guest_start_ns = now_ns - 5000 * MS,
	};
	s->clocks[0] = (struct clock_point){ .known = true };
	session_gaps_phase_start(s, 0);
}

/* @look_ms: 0: none */
static void setup(unsigned int look_ms)
{
	s = calloc(1, sizeof(*s));
	ck_assert_ptr_nonnull(s);
	s->plan = json_pack("{s:[{s:s, s:s, s:i}], s:[{s:s}], s:{s:I}}",
			    "workloads", "name", "web", "kind", "spin",
			    "workers", WORKERS, "phases", "name", "run",
			    "telemetry", "look_gap_ns",
			    (json_int_t)(look_ms * MS));
	ck_assert_ptr_nonnull(s->plan);
	s->nr_workers = WORKERS;
	s->nr_phases = 1;
	s->shm_map_id = MAP_ID;
	s->sampler = (struct sampler *)s; /* never looked into */
	ck_assert_int_eq(0, session_gaps_open(s));
	ck_assert_int_eq(0, session_gaps_start(s));
	phase_start();
}

static void teardown(void)
{
	session_gaps_close(s);
	json_decref(s->plan);
	free(s);
}

/* The worker got on last so long ago. */
static void got_on(unsigned int worker, uint64_t ago_ms)
{
	atomic_store(&progress[worker], clock_now_ns() - ago_ms * MS);
}

static bool is_due(void)
{
	struct pollfd p = { .fd = due_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* The one gap of worker 0; a new reference. */
static json_t *the_gap(void)
{
	json_t *all = session_gaps_json(s), *gap, *found = NULL;
	size_t i;

	json_array_foreach(all, i, gap)
		if (json_integer_value(json_object_get(gap, "pid")) == 100) {
			ck_assert_ptr_null(found);
			found = json_incref(gap);
		}
	ck_assert_ptr_nonnull(found);
	json_decref(all);
	return found;
}

static void host_wait_is(int64_t want_ms, unsigned int samples)
{
	json_t *gap = the_gap(), *v = json_object_get(gap, "host_wait_ns");

	ck_assert_int_eq(samples, json_integer_value(json_object_get(
		gap, "samples")));
	if (want_ms < 0)
		ck_assert(json_is_null(v));
	else
		ck_assert_int_eq(want_ms * (int64_t)MS, json_integer_value(v));
	json_decref(gap);
}

START_TEST(the_wait_of_its_vcpu_is_told_up_to_the_gaps_end)
{
	setup(0);
	atomic_store(&task_cpu, 1);
	atomic_store(&waited[1], 7000 * MS);
	got_on(0, 2000);
	got_on(1, 0);
	session_gaps_sample(s);
	/* what the vCPU waited before it ran again, and another one did */
	atomic_store(&waited[1], 7900 * MS);
	atomic_store(&waited[0], 500 * MS);
	got_on(0, 0);
	session_gaps_sample(s);
	atomic_store(&waited[1], 8900 * MS);
	host_wait_is(900, 1);
	teardown();
}
END_TEST

START_TEST(a_gap_that_the_phase_ends_is_told_up_to_there)
{
	setup(0);
	atomic_store(&task_cpu, 1);
	got_on(0, 2000);
	session_gaps_sample(s);
	atomic_store(&waited[1], 900 * MS);
	host_wait_is(900, 1);
	teardown();
}
END_TEST

START_TEST(without_numbers_of_the_host_it_is_not_known)
{
	setup(0);
	atomic_store(&host_error, -ENOTSUP);
	got_on(0, 2000);
	session_gaps_sample(s);
	session_gaps_sample(s);
	host_wait_is(-1, 2);
	atomic_store(&host_error, 0);
	teardown();
}
END_TEST

START_TEST(what_was_waited_in_frozen_time_is_not_told)
{
	setup(0);
	atomic_store(&task_cpu, 1);
	got_on(0, 3000);
	session_gaps_sample(s);
	atomic_store(&waited[1], 100 * MS);
	session_gaps_freeze(s);
	session_gaps_sample(s);	/* none is taken */
	/* it could not be parked: for all of the time, and 60 ms before */
	atomic_store(&waited[1], 560 * MS);
	session_gaps_thaw(s, 400 * MS);
	atomic_store(&waited[1], 567 * MS);
	session_gaps_sample(s);
	host_wait_is(167, 2);
	teardown();
}
END_TEST

START_TEST(who_does_not_get_on_is_looked_at_by_the_main_loop)
{
	setup(1000);
	atomic_store(&looked, 0);
	got_on(0, 900);
	got_on(1, 1500);
	session_gaps_sample(s);
	ck_assert(is_due());
	on_due(s, 0);
	ck_assert(!is_due());
	ck_assert_uint_eq(1, atomic_load(&looked));
	ck_assert_str_eq("web/1", looked_at);
	teardown();
}
END_TEST

START_TEST(who_got_on_meanwhile_is_not_looked_at)
{
	setup(1000);
	atomic_store(&looked, 0);
	got_on(0, 0);
	got_on(1, 1500);
	session_gaps_sample(s);
	ck_assert(is_due());
	got_on(1, 0);
	on_due(s, 0);
	ck_assert_uint_eq(0, atomic_load(&looked));
	teardown();
}
END_TEST

/* as the sampler's thread and the main loop's do it */

static _Atomic bool stop;
static _Atomic unsigned int taken;

static void *sample_on(void *arg)
{
	while (!atomic_load(&stop)) {
		session_gaps_sample(s);
		atomic_fetch_add(&taken, 1);
	}
	return NULL;
}

static void await_samples(unsigned int nr)
{
	unsigned int until = atomic_load(&taken) + nr;

	while ((int)(atomic_load(&taken) - until) < 0)
		sched_yield();
}

/* A round of the main loop: all that it does with gaps, in some order. */
static void round_of(unsigned int n)
{
	got_on(0, n % 3 ? 1500 : 0);
	got_on(1, n % 2 ? 2500 : 0);
	atomic_store(&task_cpu, n % 5 == 0);
	await_samples(2);
	atomic_fetch_add(&waited[n % 2], 20 * MS);
	if (n % 4 == 0) {
		session_gaps_freeze(s);
		atomic_fetch_add(&waited[1], 30 * MS);
		session_gaps_thaw(s, 10 * MS);
	}
	if (is_due())
		on_due(s, 0);
	if (n % 7)
		return;
	session_gaps_phase_end(s);
	phase_start();
}

START_TEST(both_threads_at_once)
{
	json_t *all, *gap;
	unsigned int n;
	pthread_t t;
	size_t i;

	setup(1000);
	atomic_store(&looked, 0);
	ck_assert_int_eq(0, pthread_create(&t, NULL, sample_on, NULL));
	for (n = 0; n < ROUNDS; n++)
		round_of(n);
	/* once a second at most, whoever is fast: these are the first ones' */
	while (!is_due() && !atomic_load(&looked)) {
		got_on(1, 2500);
		await_samples(2);
	}
	if (is_due())
		on_due(s, 0);
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	all = session_gaps_json(s);
	ck_assert_uint_ge(json_array_size(all), ROUNDS / 7);
	json_array_foreach(all, i, gap) {
		json_int_t ns = json_integer_value(json_object_get(
			gap, "host_wait_ns"));

		ck_assert_int_ge(ns, 0);
		ck_assert_int_le(ns, json_integer_value(json_object_get(
			gap, "gap_ns")));
	}
	json_decref(all);
	teardown();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("look_watch");
	TCase *tc = tcase_create("look_watch");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_wait_of_its_vcpu_is_told_up_to_the_gaps_end);
	tcase_add_test(tc, a_gap_that_the_phase_ends_is_told_up_to_there);
	tcase_add_test(tc, without_numbers_of_the_host_it_is_not_known);
	tcase_add_test(tc, what_was_waited_in_frozen_time_is_not_told);
	tcase_add_test(tc, who_does_not_get_on_is_looked_at_by_the_main_loop);
	tcase_add_test(tc, who_got_on_meanwhile_is_not_looked_at);
	tcase_add_test(tc, both_threads_at_once);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
