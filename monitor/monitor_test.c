// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/monitor.h"
#include "lib/test_run.h"
#include "monitor/test_image.h"

#include <bpf/btf.h>
#include <check.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Every test runs on a few layouts: odd numbers have 5-level paging. */
#define LAYOUTS 6

static struct test_image *image(int layout)
{
	struct ti_config cfg = { .seed = 1000 + layout,
				 .levels = layout & 1 ? 5 : 4,
				 .slots = layout & 2 ? 16 : 64 };

	return ti_new(&cfg);
}

static int open_err(struct test_image *ti)
{
	struct monitor *mon = NULL;
	char msg[200] = "";
	const void *raw;
	uint32_t len;
	int err;

	raw = btf__raw_data(ti->btf, &len);
	err = mon_open(&ti->mem, &ti->info, raw, len, &mon, msg, sizeof(msg));
	if (err)
		ck_assert_int_gt(strlen(msg), 0);
	mon_close(mon);
	return err;
}

START_TEST(banner_is_read_through_the_tables)
{
	struct test_image *ti = image(_i);
	struct monitor *mon = ti_open(ti);
	char text[19] = "";

	ck_assert_int_eq(0, mon_read(mon, ti->info.sym[MON_SYM_LINUX_BANNER],
				     text, 18));
	ck_assert_str_eq("Linux version test", text);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(kernel_is_found_with_and_without_hints)
{
	struct test_image *ti = image(_i);

	ti->info.levels = 0;
	ck_assert_int_eq(0, open_err(ti));
	ti->info.kernel_code_phys = 8 << 20;
	ck_assert_int_eq(0, open_err(ti));
	ti->info.kernel_code_phys = 12345;
	ck_assert_int_eq(0, open_err(ti));
	ti->info.sym[MON_SYM_PHYS_BASE] = 0;
	ck_assert_int_eq(0, open_err(ti));
	ti_free(ti);
}
END_TEST

START_TEST(what_is_no_such_kernel_is_refused)
{
	struct test_image *ti = image(_i);
	struct mon_guest_info good = ti->info;

	ti->info.sym[MON_SYM_LINUX_BANNER] = 0;
	ck_assert_int_eq(-ENOENT, open_err(ti));
	ti->info = good;
	ti->info.sym[MON_SYM_LINUX_BANNER] += 8;
	ck_assert_int_eq(-EPROTO, open_err(ti));
	ti->info = good;
	ti->info.sym[MON_SYM_INIT_TOP_PGT] += 4096;
	ck_assert_int_eq(-EPROTO, open_err(ti));
	ti->info = good;
	ti->info.sym[MON_SYM_PHYS_BASE] += 8;
	ck_assert_int_eq(-EPROTO, open_err(ti));
	ti->info = good;
	ti->info.sym[MON_SYM_INIT_TASK] += 8;
	ck_assert_int_eq(-EPROTO, open_err(ti));
	ti->info = good;
	ti->info.nr_cpus = MON_MAX_CPUS + 1;
	ck_assert_int_eq(-EINVAL, open_err(ti));
	ti_free(ti);
}
END_TEST

START_TEST(memory_that_is_not_there_faults)
{
	struct test_image *ti = image(_i);
	uint64_t page = ti_vmalloc(ti, 4096);
	struct monitor *mon = ti_open(ti);
	char buf[16];

	ck_assert_int_eq(0, mon_read(mon, page + 4080, buf, 16));
	ck_assert_int_eq(-EFAULT, mon_read(mon, page + 4088, buf, 16));
	ck_assert_int_eq(-EFAULT, mon_read(mon, 0, buf, 16));
	ck_assert_int_eq(-EFAULT, mon_read(mon, 0x7fff00000000, buf, 16));
	ck_assert_int_eq(-EFAULT, mon_read(mon, UINT64_MAX - 7, buf, 16));
	/* In the direct map, but no RAM */
	ck_assert_int_eq(-EFAULT,
			 mon_read(mon, ti_direct(ti, 8) + TI_RAM_BYTES, buf,
				  16));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(run_queues_are_read_by_name)
{
	struct test_image *ti = image(_i);
	struct monitor *mon = ti_open(ti);
	uint64_t rq = ti_rq(ti, 1);
	struct mon_sched s;

	ti_set(ti, rq, "rq.nr_running", 7);
	ti_set(ti, rq, "rq.clock", 123456789012345);
	ti_set(ti, rq + ti_off(ti, "rq.rq_donor"), "rq_donor.curr", 42);
	ti_set(ti, rq + ti_off(ti, "rq.scx"), "scx_rq.nr_running", 5);
	ti_set(ti, rq + ti_off(ti, "rq.scx") + ti_off(ti, "scx_rq.local_dsq"),
	       "scx_dispatch_q.nr", 3);
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert_uint_eq(2, s.nr_cpus);
	ck_assert_uint_eq(0, s.nr_running[0]);
	ck_assert(s.idle[0]);
	ck_assert_uint_eq(7, s.nr_running[1]);
	ck_assert_uint_eq(123456789012345, s.rq_clock[1]);
	ck_assert(!s.idle[1]);
	ck_assert_uint_eq(5, s.scx_nr_running[1]);
	ck_assert_uint_eq(3, s.local_dsq_depth[1]);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(each_of_256_cpus_is_read)
{
	struct ti_config cfg = { .seed = 1000 + _i, .cpus = MON_MAX_CPUS,
				 .levels = _i & 1 ? 5 : 4 };
	struct test_image *ti = ti_new(&cfg);
	uint64_t sched = ti_scheduler(ti, "wide");
	struct monitor *mon = ti_open(ti);
	struct mon_sched s;
	unsigned int cpu, i;

	for (cpu = 0; cpu < MON_MAX_CPUS; cpu++) {
		ti_set(ti, ti_rq(ti, cpu), "rq.nr_running", 1000 + cpu);
		ti_event(ti, sched, cpu, 0, cpu);
	}
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert_uint_eq(MON_MAX_CPUS, s.nr_cpus);
	for (cpu = 0; cpu < MON_MAX_CPUS; cpu++)
		ck_assert_uint_eq(1000 + cpu, s.nr_running[cpu]);
	for (i = 0; i < s.nr_events; i++)
		if (!strcmp(s.event_names[i], "SCX_EV_ONE"))
			break;
	ck_assert_uint_lt(i, s.nr_events);
	ck_assert_int_eq(255 * 256 / 2, s.events[i]);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(run_queue_of_another_cpu_is_a_fault)
{
	struct test_image *ti = image(_i);
	struct monitor *mon = ti_open(ti);
	struct mon_sched s;

	ti_set(ti, ti_rq(ti, 1), "rq.cpu", 0);
	ck_assert_int_eq(-EFAULT, mon_read_sched(mon, &s));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(scheduler_and_events_are_read_by_name)
{
	struct test_image *ti = image(_i);
	uint64_t sched = ti_scheduler(ti, "good\tone");
	struct monitor *mon = ti_open(ti);
	struct mon_sched s;
	unsigned int i, len, seen = 0;
	uint32_t kind;
	uint64_t kva;

	ti_write_u32(ti, ti->info.sym[MON_SYM_SCX_ENABLE_STATE_VAR], 11);
	ti_set(ti, sched, "scx_sched.bypass_depth", 2);
	ti_set(ti, sched, "scx_sched.exit_kind", 1026);
	ti_event(ti, sched, 0, 0, 100);
	ti_event(ti, sched, 1, 0, 11);
	ti_event(ti, sched, 1, 2, -3);
	ti_event(ti, sched, 0, 1, -9); /* a counter of 4 bytes */
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert(s.have_scx);
	ck_assert_int_eq(MON_SCX_ENABLED, s.state);
	ck_assert_str_eq("good?one", s.ops_name);
	ck_assert_int_eq(1026, s.exit_kind);
	ck_assert_int_eq(0, mon_exit_kind_kva(mon, &kva, &len));
	ck_assert_uint_eq(4, len);
	ck_assert_int_eq(0, mon_read(mon, kva, &kind, len));
	ck_assert_uint_eq(1026, kind);
	ck_assert_int_eq(2, s.bypass_depth);
	ck_assert_uint_eq(3, s.nr_events);
	for (i = 0; i < s.nr_events; i++) {
		int64_t want = -1;

		if (!strcmp(s.event_names[i], "SCX_EV_ONE"))
			want = 111;
		else if (!strcmp(s.event_names[i], "SCX_EV_TWO"))
			want = -9;
		else if (!strcmp(s.event_names[i], "SCX_EV_NEW"))
			want = -3;
		ck_assert_int_eq(want, s.events[i]);
		seen++;
	}
	ck_assert_uint_eq(3, seen);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(events_of_an_older_layout_are_found)
{
	struct ti_config cfg = { .seed = 5 + _i, .scx_6_16 = true };
	struct test_image *ti = ti_new(&cfg);
	uint64_t sched = ti_scheduler(ti, "old");
	struct monitor *mon = ti_open(ti);
	int64_t sum = 0;
	struct mon_sched s;
	unsigned int i;

	ti_event(ti, sched, 1, 1, 77);
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert_uint_eq(3, s.nr_events);
	for (i = 0; i < s.nr_events; i++)
		sum += s.events[i];
	ck_assert_int_eq(77, sum);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(without_a_scheduler_nothing_is_said_of_one)
{
	struct test_image *ti = image(_i);
	struct monitor *mon = ti_open(ti);
	struct mon_sched s;
	unsigned int len;
	uint64_t kva;

	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert(s.have_scx);
	ck_assert_int_eq(MON_SCX_DISABLED, s.state);
	ck_assert_str_eq("", s.ops_name);
	ck_assert_int_eq(-1, s.exit_kind);
	ck_assert_int_eq(-ENOENT, mon_exit_kind_kva(mon, &kva, &len));
	ck_assert_int_eq(-1, s.bypass_depth);
	ck_assert_uint_eq(0, s.nr_events);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(missing_fields_are_not_available_and_never_zero)
{
	struct ti_config cfg = {
		.seed = _i, .drop = { "scx_sched.bypass_depth",
				      "scx_sched.exit_kind", "scx_rq.local_dsq",
				      "scx_sched_pcpu.event_stats" },
	};
	struct test_image *ti = ti_new(&cfg);
	struct monitor *mon;
	struct mon_sched s;
	unsigned int len;
	uint64_t kva;

	ti_scheduler(ti, "x");
	mon = ti_open(ti);
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert(s.have_scx);
	ck_assert_str_eq("x", s.ops_name);
	ck_assert_int_eq(-1, s.exit_kind);
	ck_assert_int_eq(-ENOENT, mon_exit_kind_kva(mon, &kva, &len));
	ck_assert_int_eq(-1, s.bypass_depth);
	ck_assert_uint_eq(MON_NO_VALUE, s.local_dsq_depth[0]);
	ck_assert_uint_eq(0, s.scx_nr_running[0]);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(kernel_without_sched_ext_is_read_without_it)
{
	struct ti_config cfg = { .seed = _i, .no_scx = true };
	struct test_image *ti = ti_new(&cfg);
	struct monitor *mon = ti_open(ti);
	struct mon_sched s;

	ti_set(ti, ti_rq(ti, 0), "rq.nr_running", 4);
	ck_assert_int_eq(0, mon_read_sched(mon, &s));
	ck_assert(!s.have_scx);
	ck_assert_int_eq(MON_SCX_UNKNOWN, s.state);
	ck_assert_uint_eq(4, s.nr_running[0]);
	ck_assert_uint_eq(MON_NO_VALUE, s.scx_nr_running[0]);
	mon_close(mon);
	ti_free(ti);
}
END_TEST

START_TEST(without_run_queue_layout_sched_is_not_supported)
{
	struct ti_config cfg = { .seed = _i, .drop = { "rq.clock" } };
	struct test_image *ti = ti_new(&cfg);
	struct monitor *mon = ti_open(ti);
	struct mon_sched s;

	ck_assert_int_eq(-ENOTSUP, mon_read_sched(mon, &s));
	mon_close(mon);
	ti_free(ti);
}
END_TEST

/* "Kernel code" points at the kernel, so the pages before it stay untouched. */
START_TEST(the_hint_spares_the_rest_of_memory)
{
	struct test_image *ti = image(_i);
	uint64_t gpa;

	ti->info.kernel_code_phys = ti->root_gpa;
	for (gpa = 2 << 20; gpa < ti->root_gpa; gpa += 2 << 20)
		ck_assert_int_eq(0, mprotect(ti->ram + gpa - TI_RAM_GPA,
					     1 << 20, PROT_NONE));
	ck_assert_int_eq(0, open_err(ti));
	ti_free(ti);
}
END_TEST

/* On every layout. */
#define ADD(test) tcase_add_loop_test(t, test, 0, LAYOUTS)

static Suite *suite(void)
{
	Suite *s = suite_create("monitor");
	TCase *t = tcase_create("monitor");

	tcase_set_timeout(t, 20);
	ADD(banner_is_read_through_the_tables);
	ADD(kernel_is_found_with_and_without_hints);
	ADD(what_is_no_such_kernel_is_refused);
	ADD(memory_that_is_not_there_faults);
	ADD(run_queues_are_read_by_name);
	ADD(each_of_256_cpus_is_read);
	ADD(run_queue_of_another_cpu_is_a_fault);
	ADD(scheduler_and_events_are_read_by_name);
	ADD(events_of_an_older_layout_are_found);
	ADD(without_a_scheduler_nothing_is_said_of_one);
	ADD(missing_fields_are_not_available_and_never_zero);
	ADD(kernel_without_sched_ext_is_read_without_it);
	ADD(without_run_queue_layout_sched_is_not_supported);
	ADD(the_hint_spares_the_rest_of_memory);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{

	return test_run(suite());
}
