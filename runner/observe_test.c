// SPDX-License-Identifier: GPL-2.0-only
#include "runner/observe.h"

#include "lib/hist.h"

#include <check.h>
#include <errno.h>
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
	unsigned int reads;
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
	observe_phase_end(o, 1, NULL);
	json = observe_workload_json(o, 1, &main_only);
	group = json_object_get(json, "wake_latency_ns");
	ck_assert_int_eq(30, number(group, "count"));
	ck_assert_int_eq(5 * MS, number(group, "max"));
	ck_assert_int_eq(4, number(group, "frozen"));
	ck_assert(json_is_null(json_object_get(group, "p99")));
	json_decref(json);
	json = observe_workload_json(o, 1, &ALL);
	group = json_object_get(json, "wake_latency_ns");
	ck_assert_int_eq(31, number(group, "count"));
	ck_assert_int_eq(7 * MS, number(group, "max"));
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
	SRunner *runner;
	int failed;

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
	tcase_add_test(tc, cost_is_the_share_of_all_cpus);
	tcase_add_loop_test(tc, cost_that_one_phase_does_not_know_is_not_known,
			    0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
