// SPDX-License-Identifier: GPL-2.0-only
#include "runner/observe.h"

#include "lib/hist.h"
#include "lib/test_run.h"
#include "runner/io_pair.h"
#include "runner/observe_facts.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull
#define PHASES 2
#define WORKLOADS 2
#define MAP_ID 77
#define ALL ((struct observe_part){ 3, 2000 * MS })

static const char plan_text[] =
	"{\"vm\": {\"cpus\": 2},"
	" \"workloads\": [{\"name\": \"reader\", \"workers\": 2},"
	"  {\"name\": \"web\", \"workers\": 1}],"
	" \"phases\": [{\"name\": \"warm\"}, {\"name\": \"main\"}],"
	" \"telemetry\": {\"observers\": [\"%s\"]}}";

/* What the guest's memory holds, and whether it can be read. */
static struct {
	uint8_t *region;
	size_t bytes;
	int err;
	_Atomic unsigned int reads;
} guest;

static json_t *plan;
static struct observe *o;

static int read_guest(void *ctx, uint32_t map_id, void *buf, size_t off,
		      size_t len)
{
	ck_assert_uint_eq(MAP_ID, map_id);
	guest.reads++;
	if (guest.err)
		return guest.err;
	ck_assert_uint_le(off + len, guest.bytes);
	memcpy(buf, guest.region + off, len);
	return 0;
}

static const struct observe_ops ops = { read_guest };

static const struct obs_dims dims = {
	.workloads = WORKLOADS, .workers = 3, .phases = PHASES, .cpus = 2,
};

static void open_for(enum obs_id id)
{
	char text[512];

	snprintf(text, sizeof(text), plan_text, obs_name(id));
	plan = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(plan);
	memset(&guest, 0, sizeof(guest));
	guest.bytes = obs_bytes(id, &dims);
	guest.region = calloc(1, guest.bytes);
	ck_assert_int_eq(0, observe_new(plan, &ops, NULL, &o));
	ck_assert_ptr_nonnull(o);
}

static bool tell(json_t *body)
{
	bool taken = observe_on_message(o, body);

	json_decref(body);
	return taken;
}

static void attach(enum obs_id id)
{
	open_for(id);
	ck_assert(tell(json_pack("{s:s, s:s, s:i, s:i, s:I}", "name",
				 obs_name(id), "state", "attached", "programs",
				 4, "map_id", MAP_ID, "bytes",
				 (json_int_t)guest.bytes)));
}

static void close_all(void)
{
	observe_free(o);
	json_decref(plan);
	free(guest.region);
}

static json_int_t number(json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	ck_assert_msg(json_is_integer(v), "%s is no number", key);
	return json_integer_value(v);
}

static const char *why(json_t *obj)
{
	const char *text = json_string_value(json_object_get(obj, "why"));

	return text ? text : "";
}

static struct ktstr_obs_wake *wake_cell(unsigned int workload,
					unsigned int phase)
{
	return (struct ktstr_obs_wake *)guest.region + workload * PHASES +
	       phase;
}

START_TEST(nobody_asked_is_no_observer)
{
	plan = json_loads("{\"telemetry\": {\"observers\": []}}", 0, NULL);
	ck_assert_int_eq(0, observe_new(plan, &ops, NULL, &o));
	ck_assert_ptr_null(o);
	ck_assert_ptr_null(observe_workload_json(o, 0, &ALL));
	ck_assert_ptr_null(observe_json(o, &ALL));
	observe_phase_end(o, 0, NULL);
	ck_assert(!tell(json_pack("{s:s, s:s}", "name", "wake_latency",
				  "state", "attached")));
	json_decref(plan);
}
END_TEST

START_TEST(wake_ups_add_up_by_workload_and_phase)
{
	struct observe_part main_only = { 2, 1000 * MS };
	json_t *json, *group;
	int i;

	attach(OBS_WAKE_LATENCY);
	for (i = 0; i < 30; i++)
		hist_add(&wake_cell(1, 1)->hist, 5 * MS);
	hist_add(&wake_cell(1, 0)->hist, 7 * MS);
	hist_add(&wake_cell(0, 1)->hist, 9 * MS);
	wake_cell(1, 1)->frozen = 4;
	wake_cell(1, 0)->waiting = 1;
	wake_cell(1, 0)->waiting_max_ns = 900 * MS;
	observe_phase_end(o, 1, NULL);
	json = observe_workload_json(o, 1, &main_only);
	group = json_object_get(json, "wake_latency_ns");
	ck_assert_int_eq(30, number(group, "count"));
	ck_assert_int_eq(5 * MS, number(group, "max"));
	ck_assert_int_eq(4, number(group, "frozen"));
	ck_assert_int_eq(0, number(group, "waiting"));
	ck_assert(json_is_null(json_object_get(group, "waiting_max")));
	ck_assert(json_is_null(json_object_get(group, "p99")));
	json_decref(json);
	json = observe_workload_json(o, 1, &ALL);
	group = json_object_get(json, "wake_latency_ns");
	ck_assert_int_eq(31, number(group, "count"));
	ck_assert_int_eq(7 * MS, number(group, "max"));
	ck_assert_int_eq(1, number(group, "waiting"));
	ck_assert_int_eq(900 * MS, number(group, "waiting_max"));
	json_decref(json);
	close_all();
}
END_TEST

START_TEST(a_failed_read_keeps_the_last_good_copy)
{
	json_t *json;

	attach(OBS_WAKE_LATENCY);
	hist_add(&wake_cell(0, 0)->hist, MS);
	observe_phase_end(o, 0, NULL);
	guest.err = -EFAULT;
	hist_add(&wake_cell(0, 0)->hist, MS);
	observe_phase_end(o, 1, NULL);
	ck_assert_uint_eq(2, guest.reads);
	json = observe_workload_json(o, 0, &ALL);
	ck_assert_int_eq(1, number(json_object_get(json, "wake_latency_ns"),
				   "count"));
	json_decref(json);
	close_all();
}
END_TEST

/* Null with a reason, and never 0. */
static void assert_missing(const char *reason)
{
	json_t *json = observe_workload_json(o, 0, &ALL);
	json_t *group = json_object_get(json, "wake_latency_ns");

	ck_assert(json_is_null(json_object_get(group, "count")));
	ck_assert(json_is_null(json_object_get(group, "max")));
	ck_assert_msg(strstr(why(group), reason), "\"%s\" has no \"%s\"",
		      why(group), reason);
	json_decref(json);
}

static const struct missing_case {
	const char *what;
	const char *message;	/* JSON; NULL: none comes */
	int read_err;
	const char *why;
} missing_cases[] = {
	{ "nothing came", NULL, 0, "before the observer was attached" },
	{ "the verifier's words",
	  "{\"name\": \"wake_latency\", \"state\": \"failed\", \"stage\": \"load\", \"errno\": 13, \"message\": \"load: R1 invalid mem access\"}",
	  0, "R1 invalid mem access" },
	{ "another size",
	  "{\"name\": \"wake_latency\", \"state\": \"attached\", \"map_id\": 77, \"bytes\": 8}",
	  0, "do not agree" },
	{ "a negative size",
	  "{\"name\": \"wake_latency\", \"state\": \"attached\", \"map_id\": 77, \"bytes\": -1}",
	  0, "do not agree" },
	{ "no map", "{\"name\": \"wake_latency\", \"state\": \"attached\"}", 0,
	  "do not agree" },
	{ "memory that can't be read", "", -EFAULT, "could not be read" },
};

START_TEST(what_is_missing_is_null_and_says_why)
{
	const struct missing_case *c = &missing_cases[_i];
	json_t *json;

	if (c->message && !*c->message) {
		attach(OBS_WAKE_LATENCY);
	} else {
		open_for(OBS_WAKE_LATENCY);
		if (c->message)
			ck_assert(tell(json_loads(c->message, 0, NULL)));
	}
	guest.err = c->read_err;
	observe_phase_end(o, 0, NULL);
	assert_missing(c->why);
	json = observe_json(o, &ALL);
	ck_assert(json_is_null(json_object_get(
		json_object_get(json, "wake_latency"), "cpu_ratio")));
	json_decref(json);
	close_all();
}
END_TEST

static const char *const not_taken[] = {
	"{}",
	"{\"name\": 5, \"state\": \"attached\"}",
	"{\"name\": \"wake_latency\"}",
	"{\"name\": \"no such\", \"state\": \"attached\"}",
};

START_TEST(messages_that_are_none_are_refused)
{
	open_for(OBS_WAKE_LATENCY);
	ck_assert(!tell(json_loads(not_taken[_i], 0, NULL)));
	assert_missing("before the observer was attached");
	close_all();
}
END_TEST

START_TEST(an_observer_speaks_once)
{
	attach(OBS_WAKE_LATENCY);
	ck_assert(!tell(json_pack("{s:s, s:s, s:s}", "name", "wake_latency",
				  "state", "failed", "message", "later")));
	observe_phase_end(o, 0, NULL);
	ck_assert_uint_eq(1, guest.reads);
	close_all();
}
END_TEST

START_TEST(hostile_words_stay_numbers)
{
	json_t *json;
	char *text;

	attach(OBS_WAKE_LATENCY);
	memset(guest.region, 0xff, guest.bytes);
	observe_phase_end(o, 0, NULL);
	json = observe_workload_json(o, 0, &ALL);
	text = json_dumps(json, 0);
	ck_assert_ptr_nonnull(text);
	free(text);
	json_decref(json);
	close_all();
}
END_TEST

static void end_phase(uint32_t phase, json_int_t runs, json_int_t run_ns)
{
	json_t *msg = json_pack("{s:{s:{s:I, s:I, s:i}}}", "observers",
				"wake_latency", "run_count", runs, "run_ns",
				run_ns, "missed", 1);

	observe_phase_end(o, phase, msg);
	json_decref(msg);
}

/* --- io_completion --- */

static struct ktstr_obs_io_ring *ring_of(unsigned int worker)
{
	return (struct ktstr_obs_io_ring *)guest.region + worker;
}

/*
 * An IO that the disk did at @ms; its interrupt 0.4, its end, wake-up and run
 * 1, 3 and 6 later.
 */
static void record_io(unsigned int worker, uint64_t sector, uint64_t ms)
{
	struct ktstr_obs_io_ring *r = ring_of(worker);

	r->events[r->head++ % KTSTR_OBS_IO_LEN] = (struct ktstr_obs_io){
		.sector = sector,
		.irq_ns = ms * MS + 4 * MS / 10,
		.complete_ns = (ms + 1) * MS,
		.woken_ns = (ms + 3) * MS,
		.run_ns = (ms + 6) * MS,
		.bytes = 4096,
	};
}

static struct io_wait wait_of(uint64_t sector, uint64_t ms)
{
	return (struct io_wait){
		.sector = sector,
		.submit_ns = (ms - 5) * MS,
		.return_ns = (ms + 7) * MS,
		.bytes = 4096,
		.result = IO_PAIRED,
		.wake_ns = 7 * MS,
	};
}

static json_t *io_result(struct observe_io_sum *sum)
{
	json_t *json = observe_io_json(o, 0, sum);

	free(sum);
	return json;
}

static json_t *stage(json_t *json, const char *name)
{
	return json_object_get(json_object_get(json, "io_ns"), name);
}

START_TEST(an_io_is_told_apart_by_stage)
{
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	uint64_t i;
	json_t *json;

	attach(OBS_IO_COMPLETION);
	/* more than the ring holds, fetched in time */
	for (i = 1; i <= 400; i++) {
		record_io(1, i * 8, i * 20);
		if (i % 100 == 0)
			observe_drain(o);
	}
	observe_phase_end(o, 0, NULL);
	for (i = 1; i <= 400; i++) {
		struct io_wait w = wait_of(i * 8, i * 20);

		observe_io_add(o, 1, &w, 0, sum);
	}
	json = io_result(sum);
	ck_assert_int_eq(400, number(stage(json, "run"), "count"));
	ck_assert_int_eq(4 * MS / 10, number(stage(json, "interrupt"), "max"));
	ck_assert_int_eq(6 * MS / 10, number(stage(json, "block"), "max"));
	ck_assert_int_eq(1 * MS, number(stage(json, "complete"), "max"));
	ck_assert_int_eq(2 * MS, number(stage(json, "wake"), "max"));
	ck_assert_int_eq(3 * MS, number(stage(json, "run"), "max"));
	ck_assert_int_eq(6 * MS, number(stage(json, "total"), "max"));
	ck_assert_int_eq(400 * 6 * MS, number(stage(json, "total"), "sum"));
	ck_assert_int_eq(0, number(json_object_get(json, "io_pairing"),
				   "unpaired"));
	ck_assert_int_eq(0, number(json_object_get(json, "io_pairing"),
				   "no_interrupt"));
	json_decref(json);
	close_all();
}
END_TEST

/* For the IO at sector 800, 1000 ms, with clocks within 2 ms. */
static const struct pair_case {
	const char *what;
	struct ktstr_obs_io record;
	unsigned int worker;
	enum { PAIRED, UNPAIRED, AWAKE } want;
	uint64_t complete_ns;
} pair_cases[] = {
	{ "its own", { 800, 0, 1001 * MS, 1002 * MS, 1003 * MS, 4096, 0 }, 1, PAIRED, MS },
	{ "the end of a split one", { 804, 0, 1001 * MS, 1002 * MS, 1003 * MS, 2048, 0 }, 1, PAIRED, MS },
	{ "merged with others", { 700, 0, 1001 * MS, 1002 * MS, 1003 * MS, 102400, 0 }, 1, PAIRED, MS },
	{ "the clocks' error explains it", { 800, 0, 998 * MS, 999 * MS, 1003 * MS, 4096, 0 }, 1, PAIRED, 0 },
	{ "seen before it was done", { 800, 0, 997 * MS, 999 * MS, 1003 * MS, 4096, 0 }, 1, UNPAIRED, 0 },
	{ "other sectors", { 808, 0, 1001 * MS, 1002 * MS, 1003 * MS, 4096, 0 }, 1, UNPAIRED, 0 },
	{ "a write", { 800, 0, 1001 * MS, 1002 * MS, 1003 * MS, 4096, KTSTR_OBS_IO_WRITE }, 1, UNPAIRED, 0 },
	{ "of an IO before", { 800, 0, 990 * MS, 996 * MS, 997 * MS, 4096, 0 }, 1, UNPAIRED, 0 },
	{ "backwards", { 800, 0, 1003 * MS, 1002 * MS, 1001 * MS, 4096, 0 }, 1, UNPAIRED, 0 },
	{ "ended before its interrupt", { 800, 1002 * MS, 1001 * MS, 1003 * MS, 1004 * MS, 4096, 0 }, 1, UNPAIRED, 0 },
	{ "slept for something else", { 800, 0, 1001 * MS, 1002 * MS, 1003 * MS, 4096, KTSTR_OBS_IO_OTHER }, 1, UNPAIRED, 0 },
	{ "another worker's", { 800, 0, 1001 * MS, 1002 * MS, 1003 * MS, 4096, 0 }, 0, AWAKE, 0 },
	{ "after its time", { 800, 0, 1001 * MS, 1002 * MS, 1008 * MS, 4096, 0 }, 1, AWAKE, 0 },
	{ "before its time", { 800, 0, 990 * MS, 991 * MS, 994 * MS, 4096, 0 }, 1, AWAKE, 0 },
	{ "hostile", { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX }, 1, AWAKE, 0 },
};

START_TEST(a_record_is_of_its_io_or_of_none)
{
	const struct pair_case *c = &pair_cases[_i];
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	struct io_wait w = wait_of(800, 1000);

	attach(OBS_IO_COMPLETION);
	ring_of(c->worker)->events[0] = c->record;
	ring_of(c->worker)->head = 1;
	observe_phase_end(o, 0, NULL);
	observe_io_add(o, 1, &w, 2 * MS, sum);
	ck_assert_msg((c->want == PAIRED) ==
		      hist_total(&sum->stage[OBSERVE_IO_RUN]), "%s", c->what);
	ck_assert_msg((c->want == UNPAIRED) == sum->unpaired, "%s", c->what);
	ck_assert_msg((c->want == AWAKE) == sum->awake, "%s", c->what);
	ck_assert_msg(c->complete_ns ==
		      sum->stage[OBSERVE_IO_COMPLETE].max_ns, "%s", c->what);
	free(sum);
	close_all();
}
END_TEST

/* Of the same IO, which ends at 1003 ms, and runs at 1006: its interrupt. */
static const struct irq_case {
	const char *what;
	uint64_t irq_ns;
	bool counts;
	uint64_t interrupt_ns, block_ns, total_ns;
} irq_cases[] = {
	{ "its own", 1001 * MS, true, MS, 2 * MS, 6 * MS },
	{ "the clocks' error explains it", 998 * MS, true, 0, 5 * MS, 8 * MS },
	{ "it was being handled already", 997 * MS, false, 0, 0, 6 * MS },
	{ "none", 0, false, 0, 0, 6 * MS },
	{ "at once", 1003 * MS, true, 3 * MS, 0, 6 * MS },
};

START_TEST(an_interrupt_is_of_its_io_or_of_none)
{
	const struct irq_case *c = &irq_cases[_i];
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	struct io_wait w = wait_of(800, 1000);
	const struct ktstr_hist *s = sum->stage;

	attach(OBS_IO_COMPLETION);
	ring_of(1)->events[0] = (struct ktstr_obs_io){
		800, c->irq_ns, 1003 * MS, 1004 * MS, 1006 * MS, 4096, 0 };
	ring_of(1)->head = 1;
	observe_phase_end(o, 0, NULL);
	observe_io_add(o, 1, &w, 2 * MS, sum);
	ck_assert_uint_eq(1, hist_total(&s[OBSERVE_IO_RUN]));
	ck_assert_uint_eq(!c->counts, sum->no_interrupt);
	ck_assert_uint_eq(c->counts, hist_total(&s[OBSERVE_IO_INTERRUPT]));
	ck_assert_uint_eq(c->counts, hist_total(&s[OBSERVE_IO_BLOCK]));
	ck_assert_uint_eq(c->interrupt_ns, s[OBSERVE_IO_INTERRUPT].sum_ns);
	ck_assert_uint_eq(c->block_ns, s[OBSERVE_IO_BLOCK].sum_ns);
	ck_assert_uint_eq(c->total_ns, s[OBSERVE_IO_TOTAL].sum_ns);
	ck_assert_uint_eq(c->total_ns, s[OBSERVE_IO_COMPLETE].sum_ns +
			  s[OBSERVE_IO_WAKE].sum_ns + s[OBSERVE_IO_RUN].sum_ns);
	free(sum);
	close_all();
}
END_TEST

START_TEST(interrupts_that_are_not_seen_are_null_and_say_why)
{
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	struct io_wait w = wait_of(800, 1000);
	json_t *json, *all;

	open_for(OBS_IO_COMPLETION);
	ck_assert(tell(json_pack("{s:s, s:s, s:i, s:i, s:I, s:s}", "name",
				 "io_completion", "state", "attached",
				 "programs", 4, "map_id", MAP_ID, "bytes",
				 (json_int_t)guest.bytes, "without",
				 "load: no such function")));
	record_io(1, 800, 1000);
	ring_of(1)->events[0].irq_ns = 0;
	observe_phase_end(o, 0, NULL);
	observe_io_add(o, 1, &w, 0, sum);
	json = io_result(sum);
	ck_assert_int_eq(MS, number(stage(json, "complete"), "max"));
	ck_assert_int_eq(6 * MS, number(stage(json, "total"), "sum"));
	ck_assert(json_is_null(json_object_get(stage(json, "interrupt"),
					       "count")));
	ck_assert(json_is_null(json_object_get(stage(json, "block"), "sum")));
	ck_assert_str_eq("load: no such function", why(stage(json, "block")));
	ck_assert(json_is_null(json_object_get(json_object_get(
		json, "io_pairing"), "no_interrupt")));
	json_decref(json);
	all = observe_json(o, &ALL);
	ck_assert_str_eq("load: no such function", json_string_value(
		json_object_get(json_object_get(all, "io_completion"),
				"without")));
	json_decref(all);
	close_all();
}
END_TEST

START_TEST(what_the_disk_did_not_tell_is_not_looked_for)
{
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	struct io_wait w = wait_of(800, 1000);

	attach(OBS_IO_COMPLETION);
	w.result = IO_UNPAIRED;
	observe_io_add(o, 1, &w, 0, sum);
	w.result = IO_AMBIGUOUS;
	observe_io_add(o, 1, &w, 0, sum);
	ck_assert_uint_eq(0, sum->unpaired);
	/* nor of a worker that there is not */
	w.result = IO_PAIRED;
	observe_io_add(o, 3, &w, 0, sum);
	ck_assert_uint_eq(0, sum->unpaired);
	free(sum);
	close_all();
}
END_TEST

START_TEST(overwritten_records_are_lost_and_too_many_are_too_many)
{
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	uint64_t i;
	json_t *json;

	attach(OBS_IO_COMPLETION);
	for (i = 1; i <= 500; i++)
		record_io(1, i * 8, i * 20);
	observe_phase_end(o, 0, NULL);
	for (i = 1; i <= 500; i++) {
		struct io_wait w = wait_of(i * 8, i * 20);

		observe_io_add(o, 1, &w, 0, sum);
	}
	json = io_result(sum);
	/* one less: the entry at head may be in the writing */
	ck_assert_int_eq(500 - (KTSTR_OBS_IO_LEN - 1), number(json_object_get(
		json, "io_pairing"), "lost"));
	ck_assert(json_is_null(json_object_get(stage(json, "run"), "count")));
	ck_assert(strstr(why(stage(json, "run")), "more than a tenth"));
	json_decref(json);
	close_all();
}
END_TEST

START_TEST(a_head_that_jumps_spoils_the_guest_s_own_result)
{
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	struct io_wait w = wait_of(800, 1000);
	json_t *json;

	attach(OBS_IO_COMPLETION);
	record_io(1, 800, 1000);
	observe_drain(o);
	ring_of(1)->head = 0; /* back: it is not believed */
	observe_drain(o);
	observe_io_add(o, 1, &w, 0, sum);
	ck_assert_uint_eq(0, sum->unpaired);
	ring_of(1)->head = UINT64_MAX;
	observe_phase_end(o, 0, NULL);
	observe_drain(o);
	json = io_result(sum);
	ck_assert(json_is_null(json_object_get(stage(json, "run"), "count")));
	json_decref(json);
	close_all();
}
END_TEST

static atomic_bool enough;

static void *drain_often(void *ctx)
{
	while (!atomic_load(&enough))
		observe_drain(ctx);
	return NULL;
}

START_TEST(the_monitor_s_thread_drains_beside_the_session)
{
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	pthread_t thread;
	uint64_t i;

	open_for(OBS_IO_COMPLETION);
	for (i = 1; i <= 200; i++)
		record_io(1, i * 8, i * 20);
	ck_assert_int_eq(0, pthread_create(&thread, NULL, drain_often, o));
	ck_assert(tell(json_pack("{s:s, s:s, s:i, s:I}", "name",
				 "io_completion", "state", "attached",
				 "map_id", MAP_ID, "bytes",
				 (json_int_t)guest.bytes)));
	for (i = 0; i < 200; i++)
		observe_phase_end(o, i % PHASES, NULL);
	atomic_store(&enough, true);
	ck_assert_int_eq(0, pthread_join(thread, NULL));
	for (i = 1; i <= 200; i++) {
		struct io_wait w = wait_of(i * 8, i * 20);

		observe_io_add(o, 1, &w, 0, sum);
	}
	ck_assert_uint_eq(200, hist_total(&sum->stage[OBSERVE_IO_RUN]));
	free(sum);
	close_all();
}
END_TEST

START_TEST(without_one_clock_no_stage_is_known)
{
	struct observe_io_sum *sum = calloc(1, sizeof(*sum));
	json_t *json;

	attach(OBS_IO_COMPLETION);
	observe_phase_end(o, 0, NULL);
	sum->clock_unknown = true;
	json = io_result(sum);
	ck_assert(json_is_null(json_object_get(stage(json, "wake"), "p50")));
	ck_assert(strstr(why(stage(json, "wake")), "clocks"));
	json_decref(json);
	close_all();
}
END_TEST

/* --- who_ran --- */

static struct ktstr_obs_ran *ran_cell(unsigned int cpu, unsigned int workload,
				      unsigned int phase)
{
	return (struct ktstr_obs_ran *)guest.region +
	       (cpu * WORKLOADS + workload) * PHASES + phase;
}

static const struct ktstr_obs_ran some_wait = {
	.seq = 2, .pid = 300, .wait_ns = 5 * MS, .at_ns = 900 * MS, .nr = 2,
	.comm = "w\x7f_\xff/0",
	.spans = { { 4 * MS, 400, 0, "reader/1" },
		   { 1 * MS, 0, KTSTR_OBS_NOBODY, "swapper/1" } },
};

static json_t *ran_result(unsigned int workload)
{
	json_t *json = observe_workload_json(o, workload, &ALL);
	json_t *ran = json_incref(json_object_get(json, "who_ran"));

	json_decref(json);
	return ran;
}

START_TEST(the_longest_wait_of_all_cpus_and_phases_is_told)
{
	json_t *ran, *span;

	attach(OBS_WHO_RAN);
	*ran_cell(0, 1, 0) = (struct ktstr_obs_ran){ .seq = 4, .pid = 7,
						     .wait_ns = 2 * MS };
	*ran_cell(1, 1, 1) = some_wait;
	observe_phase_end(o, 1, NULL);
	ran = ran_result(1);
	ck_assert_int_eq(5 * MS, number(ran, "wait_ns"));
	ck_assert_int_eq(1, number(ran, "cpu"));
	ck_assert_int_eq(300, number(ran, "pid"));
	ck_assert_str_eq("w?_?/0", json_string_value(
		json_object_get(ran, "comm")));
	ck_assert_uint_eq(2, json_array_size(json_object_get(ran, "ran")));
	span = json_array_get(json_object_get(ran, "ran"), 0);
	ck_assert_str_eq("reader", json_string_value(
		json_object_get(span, "workload")));
	ck_assert_int_eq(4 * MS, number(span, "ns"));
	span = json_array_get(json_object_get(ran, "ran"), 1);
	ck_assert(json_is_null(json_object_get(span, "workload")));
	ck_assert_int_eq(0, number(span, "pid"));
	json_decref(ran);
	close_all();
}
END_TEST

START_TEST(a_wait_in_the_writing_and_none_at_all_are_none)
{
	json_t *ran;

	attach(OBS_WHO_RAN);
	*ran_cell(1, 1, 1) = some_wait;
	ran_cell(1, 1, 1)->seq = 3;
	observe_phase_end(o, 1, NULL);
	ran = ran_result(1);
	ck_assert(json_is_null(ran));
	json_decref(ran);
	close_all();
}
END_TEST

START_TEST(hostile_spans_stay_within_the_record)
{
	json_t *ran;
	char *text;

	attach(OBS_WHO_RAN);
	memset(ran_cell(0, 0, 0), 0xfe, sizeof(struct ktstr_obs_ran));
	observe_phase_end(o, 0, NULL);
	ran = ran_result(0);
	ck_assert_uint_eq(KTSTR_OBS_SPANS,
			  json_array_size(json_object_get(ran, "ran")));
	text = json_dumps(ran, 0);
	ck_assert_ptr_nonnull(text);
	free(text);
	json_decref(ran);
	close_all();
}
END_TEST

START_TEST(who_ran_is_found_in_the_facts_by_name)
{
	json_t *facts = json_pack(
		"{s:{s:{s:{s:{s:i}}}}, s:[{s:s, s:{s:{s:{s:{s:i}}}}},"
		" {s:s, s:{s:{s:{s:{s:n, s:s}}}}}]}",
		"workloads", "web", "observed", "who_ran", "wait_ns", 9,
		"phases", "name", "warm", "workloads", "web", "observed",
		"who_ran", "wait_ns", 5, "name", "main", "workloads", "web",
		"observed", "who_ran", "wait_ns", "why", "no such hook");

	ck_assert_ptr_nonnull(facts);
	ck_assert_int_eq(9, json_integer_value(json_object_get(
		observe_who_ran(facts, NULL, "web"), "wait_ns")));
	ck_assert_int_eq(5, json_integer_value(json_object_get(
		observe_who_ran(facts, "warm", "web"), "wait_ns")));
	ck_assert_ptr_null(observe_who_ran(facts, "main", "web"));
	ck_assert_ptr_null(observe_who_ran(facts, "none", "web"));
	ck_assert_ptr_null(observe_who_ran(facts, NULL, "db"));
	ck_assert_ptr_null(observe_who_ran(NULL, NULL, "web"));
	json_decref(facts);
}
END_TEST

/* --- work_conservation --- */

static struct ktstr_obs_conserve *conserve_cell(unsigned int phase)
{
	return (struct ktstr_obs_conserve *)guest.region + phase;
}

START_TEST(violations_are_a_share_of_the_phases)
{
	json_t *json, *ns;

	attach(OBS_WORK_CONSERVATION);
	*conserve_cell(0) = (struct ktstr_obs_conserve){
		.violated_ns = 300 * MS, .longest_ns = 200 * MS,
		.longest_at_ns = 44, .spans = 3, .events = 10,
	};
	*conserve_cell(1) = (struct ktstr_obs_conserve){
		.violated_ns = 100 * MS, .longest_ns = 50 * MS,
		.longest_at_ns = 55, .spans = 4, .events = 20, .frozen = 1,
	};
	observe_phase_end(o, 1, NULL);
	json = observe_sched_json(o, &ALL);
	ck_assert_double_eq_tol(0.2, json_real_value(json_object_get(
		json, "idle_while_waiting_ratio")), 1e-9);
	ns = json_object_get(json, "idle_while_waiting_ns");
	ck_assert_int_eq(400 * MS, number(ns, "sum"));
	ck_assert_int_eq(200 * MS, number(ns, "max"));
	ck_assert_int_eq(44, number(ns, "max_at"));
	ck_assert_int_eq(7, number(json, "spans"));
	ck_assert_int_eq(1, number(json, "frozen"));
	json_decref(json);
	close_all();
}
END_TEST

START_TEST(violations_that_were_not_seen_are_not_zero)
{
	json_t *json;

	open_for(OBS_WORK_CONSERVATION);
	json = observe_sched_json(o, &ALL);
	ck_assert(json_is_null(json_object_get(json,
					       "idle_while_waiting_ratio")));
	ck_assert(json_is_null(json_object_get(json_object_get(
		json, "idle_while_waiting_ns"), "max")));
	ck_assert(strstr(why(json), "before the observer was attached"));
	json_decref(json);
	close_all();
}
END_TEST

START_TEST(cost_is_the_share_of_all_cpus)
{
	struct observe_part first = { 1, 500 * MS };
	json_t *json, *one;

	attach(OBS_WAKE_LATENCY);
	end_phase(0, 100, 10 * MS);
	end_phase(1, 300, 30 * MS);
	json = observe_json(o, &first);
	one = json_object_get(json, "wake_latency");
	ck_assert_str_eq("attached",
			 json_string_value(json_object_get(one, "state")));
	ck_assert_int_eq(4, number(one, "programs"));
	ck_assert_int_eq(100, number(one, "run_count"));
	/* 10 ms of 2 CPUs' 500 ms */
	ck_assert_double_eq_tol(0.01, json_real_value(
		json_object_get(one, "cpu_ratio")), 1e-9);
	json_decref(json);
	json = observe_json(o, &ALL);
	one = json_object_get(json, "wake_latency");
	ck_assert_int_eq(400, number(one, "run_count"));
	ck_assert_int_eq(2, number(one, "missed"));
	ck_assert_double_eq_tol(0.01, json_real_value(
		json_object_get(one, "cpu_ratio")), 1e-9);
	json_decref(json);
	close_all();
}
END_TEST

START_TEST(cost_that_one_phase_does_not_know_is_not_known)
{
	json_t *json, *one;

	attach(OBS_WAKE_LATENCY);
	end_phase(0, 100, 10 * MS);
	end_phase(1, _i ? 0 : 5, _i ? 5 : -5);
	json = observe_json(o, &ALL);
	one = json_object_get(json, "wake_latency");
	ck_assert(json_is_null(json_object_get(one, "run_ns")));
	ck_assert(json_is_null(json_object_get(one, "cpu_ratio")));
	json_decref(json);
	close_all();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("observe");
	TCase *tc = tcase_create("observe");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, nobody_asked_is_no_observer);
	tcase_add_test(tc, wake_ups_add_up_by_workload_and_phase);
	tcase_add_test(tc, a_failed_read_keeps_the_last_good_copy);
	tcase_add_loop_test(tc, what_is_missing_is_null_and_says_why, 0,
			    sizeof(missing_cases) / sizeof(missing_cases[0]));
	tcase_add_loop_test(tc, messages_that_are_none_are_refused, 0,
			    sizeof(not_taken) / sizeof(not_taken[0]));
	tcase_add_test(tc, an_observer_speaks_once);
	tcase_add_test(tc, hostile_words_stay_numbers);
	tcase_add_test(tc, an_io_is_told_apart_by_stage);
	tcase_add_loop_test(tc, a_record_is_of_its_io_or_of_none, 0,
			    sizeof(pair_cases) / sizeof(pair_cases[0]));
	tcase_add_loop_test(tc, an_interrupt_is_of_its_io_or_of_none, 0,
			    sizeof(irq_cases) / sizeof(irq_cases[0]));
	tcase_add_test(tc, interrupts_that_are_not_seen_are_null_and_say_why);
	tcase_add_test(tc, what_the_disk_did_not_tell_is_not_looked_for);
	tcase_add_test(tc,
		       overwritten_records_are_lost_and_too_many_are_too_many);
	tcase_add_test(tc, a_head_that_jumps_spoils_the_guest_s_own_result);
	tcase_add_test(tc, the_monitor_s_thread_drains_beside_the_session);
	tcase_add_test(tc, without_one_clock_no_stage_is_known);
	tcase_add_test(tc, the_longest_wait_of_all_cpus_and_phases_is_told);
	tcase_add_test(tc, a_wait_in_the_writing_and_none_at_all_are_none);
	tcase_add_test(tc, hostile_spans_stay_within_the_record);
	tcase_add_test(tc, who_ran_is_found_in_the_facts_by_name);
	tcase_add_test(tc, violations_are_a_share_of_the_phases);
	tcase_add_test(tc, violations_that_were_not_seen_are_not_zero);
	tcase_add_test(tc, cost_is_the_share_of_all_cpus);
	tcase_add_loop_test(tc, cost_that_one_phase_does_not_know_is_not_known,
			    0, 2);
	suite_add_tcase(suite, tc);
	return test_run(suite);
}
