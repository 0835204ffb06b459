// SPDX-License-Identifier: GPL-2.0-only
#include "runner/sample_line.h"

#include "lib/json_line.h"
#include "lib/test_run.h"
#include "monitor/monitor.h"
#include "vmm/vmm.h"

#include <check.h>
#include <jansson.h>

#include <math.h>
#include <stdlib.h>

static void some_sched(struct mon_sched *s)
{
	*s = (struct mon_sched){
		.nr_cpus = 3,
		.nr_running = { 2, 0, 40 },
		.scx_nr_running = { 1, MON_NO_VALUE, 0 },
		.local_dsq_depth = { 0, MON_NO_VALUE, 7 },
		.rq_clock = { 1ull << 41, 0, 5 },
		.idle = { false, true, false },
		.bypass_depth = 2,
		.have_scx = true,
		.state = MON_SCX_ENABLED,
		.ops_name = "si\"mple",
		.nr_events = 2,
		.event_names = { "SCX_EV_ONE", "SCX_EV_TWO" },
		.events = { -5, 1ll << 40 },
	};
}

/* The object that the line is; ends the test if it is none. */
static json_t *finished(struct json_line *l)
{
	json_error_t err;
	json_t *v;

	json_line_close(l, '}');
	ck_assert(!l->failed);
	v = json_loadb(l->text, l->len, JSON_REJECT_DUPLICATES, &err);
	ck_assert_msg(v, "%s: %.*s", err.text, (int)l->len, l->text);
	json_line_fini(l);
	return v;
}

static void assert_equal(json_t *want, json_t *got)
{
	ck_assert_ptr_nonnull(want);
	if (!json_equal(want, got))
		ck_abort_msg("%s", json_dumps(got, 0));
	json_decref(want);
	json_decref(got);
}

START_TEST(a_sample_has_all_that_was_seen)
{
	const struct sample_head head = { 123456789, 1000, true, 4 };
	const struct vm_disk_stats st = {
		.throttled_now = true, .reads = 1, .writes = 2,
		.read_bytes = 4096, .write_bytes = 8192, .throttle_events = 3,
		.throttled_ns = 77, .io_errors = 5,
	};
	struct json_line l = { 0 };
	struct mon_sched s;

	some_sched(&s);
	sample_line_begin(&l, &head, &s);
	json_line_key(&l, "disks");
	json_line_open(&l, '{');
	sample_line_disk(&l, "data", &st);
	json_line_close(&l, '}');
	assert_equal(json_pack(
		"{s:i, s:i, s:i, s:i, s:[i,i,i], s:[i,n,i], s:[i,n,i],"
		" s:[I,i,i], s:[b,b,b], s:s, s:s, s:i, s:{s:i, s:I},"
		" s:{s:{s:b, s:i, s:i, s:i, s:i, s:i, s:i, s:i}}}",
		"v", 1, "t_ns", 123456789, "late_ns", 1000, "phase", 4,
		"nr_running", 2, 0, 40, "scx_nr_running", 1, 0,
		"local_dsq_depth", 0, 7, "rq_clock", (json_int_t)1 << 41, 0, 5,
		"idle", 0, 1, 0,
		"state", "enabled", "ops", "si\"mple", "bypass_depth", 2,
		"events", "SCX_EV_ONE", -5, "SCX_EV_TWO",
		(json_int_t)1 << 40,
		"disks", "data", "throttled", 1, "reads", 1, "writes", 2,
		"read_bytes", 4096, "write_bytes", 8192, "stalls", 3,
		"throttled_ns", 77, "errors", 5), finished(&l));
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
	const struct sample_head head = { 1, 2, false, 7 };
	struct json_line l = { 0 };
	struct mon_sched s;

	some_sched(&s);
	s.nr_cpus = 0;
	s.nr_events = 0;
	s.ops_name[0] = '\0';
	s.have_scx = false; /* then its state is nothing */
	s.bypass_depth = -1;
	sample_line_begin(&l, &head, &s);
	assert_equal(json_pack(
		"{s:i, s:i, s:i, s:n, s:[], s:[], s:[], s:[], s:[], s:n, s:n,"
		" s:n, s:{}}",
		"v", 1, "t_ns", 1, "late_ns", 2, "phase", "nr_running",
		"scx_nr_running", "local_dsq_depth", "rq_clock", "idle",
		"state", "ops", "bypass_depth", "events"), finished(&l));
}
END_TEST

START_TEST(numbers_that_were_torn_are_left_out)
{
	struct json_line l = { 0 };

	json_line_open(&l, '{');
	ck_assert_int_eq(0, sample_line_map_number(&l, "a.x", 812, false));
	ck_assert_int_eq(0, sample_line_map_number(&l, "a.y", 813, true));
	ck_assert_int_eq(0, sample_line_map_number(&l, "a.z", NAN, false));
	ck_assert_int_eq(0, sample_line_map_number(&l, "h[\"k\\\"]", -1, false));
	assert_equal(json_pack("{s:i, s:i}", "a.x", 812, "h[\"k\\\"]", -1),
		     finished(&l));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sample_line");
	TCase *t = tcase_create("sample_line");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, a_sample_has_all_that_was_seen);
	tcase_add_test(t, what_is_not_known_is_null);
	tcase_add_test(t, numbers_that_were_torn_are_left_out);
	suite_add_tcase(s, t);
	return test_run(s);
}
