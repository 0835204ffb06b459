// SPDX-License-Identifier: GPL-2.0-only
/* Pressure: the kernel's totals, and what its CPUs have that is not in them. */
#include "monitor/monitor.h"
#include "lib/test_run.h"
#include "monitor/test_image.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

/* Every test runs on a few layouts: odd numbers have 5-level paging. */
#define LAYOUTS 4
#define NOW 5000000000ull

/* As the made kernel has them: test_image.c. */
enum { CPU_SOME, MEM_FULL, IO_SOME, OTHER, IO_FULL, MEM_SOME, NONIDLE, NR };
#define AVGS 1

static struct test_image *ti;
static struct monitor *mon;

static void make(int layout, unsigned int cpus)
{
	struct ti_config cfg = { .seed = 700 + layout, .cpus = cpus,
				 .levels = layout & 1 ? 5 : 4 };

	ti = ti_new(&cfg);
	ti_set(ti, ti_rq(ti, cpus - 1), "rq.clock", NOW);
}

static void end(void)
{
	mon_close(mon);
	ti_free(ti);
	mon = NULL;
}

static void total(unsigned int aggregator, unsigned int state, uint64_t ns)
{
	ti_write_u64(ti, ti->info.sym[MON_SYM_PSI_SYSTEM] +
		     ti_off(ti, "psi_group.total") +
		     8 * (aggregator * (NR - 1) + state), ns);
}

static uint64_t cpu_kva(unsigned int cpu)
{
	uint64_t pcpu;

	memcpy(&pcpu, ti_hva(ti, ti->info.sym[MON_SYM_PSI_SYSTEM] +
			     ti_off(ti, "psi_group.pcpu")), 8);
	return pcpu + ti->percpu_off[cpu];
}

/* @cpu was in @state for @ns, of which @before are in the totals. */
static void spent(unsigned int cpu, unsigned int state, uint32_t ns,
		  uint32_t before)
{
	uint64_t kva = cpu_kva(cpu);

	ti_write_u32(ti, kva + ti_off(ti, "psi_group_cpu.times") + 4 * state,
		     ns);
	ti_write_u32(ti, kva + ti_off(ti, "psi_group_cpu.times_prev") +
		     4 * (AVGS * NR + state), before);
}

static json_t *psi(void)
{
	json_t *details, *psi;

	if (!mon)
		mon = ti_open(ti);
	details = mon_details(mon);
	psi = json_incref(json_object_get(details, "psi"));
	json_decref(details);
	ck_assert_ptr_nonnull(psi);
	return psi;
}

static json_int_t number(const char *name)
{
	json_t *all = psi(), *v = json_object_get(all, name);
	json_int_t n = json_integer_value(v);

	ck_assert_msg(json_is_integer(v), "%s", name);
	json_decref(all);
	return n;
}

static void expect_none(void)
{
	json_t *all = psi();

	ck_assert(json_is_null(all));
	json_decref(all);
}

START_TEST(totals_go_by_the_names_of_the_states)
{
	static const struct {
		const char *name;
		unsigned int state;
	} want[] = {
		{ "cpu_some_ns", CPU_SOME }, { "io_some_ns", IO_SOME },
		{ "io_full_ns", IO_FULL }, { "memory_some_ns", MEM_SOME },
		{ "memory_full_ns", MEM_FULL },
	};
	unsigned int i;

	make(_i, 2);
	for (i = 0; i < NONIDLE; i++) {
		total(AVGS, i, 1000 + i);
		total(!AVGS, i, 9000 + i);
	}
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_int_eq(1000 + want[i].state, number(want[i].name));
	end();
}
END_TEST

START_TEST(what_is_in_no_total_yet_weighs_as_a_cpu_was_busy)
{
	make(_i, 3);
	total(AVGS, CPU_SOME, 1000000);
	/* 300 of 400 ns, 100 of 100 ns, and one that idled. */
	spent(0, CPU_SOME, 1300, 1000);
	spent(0, NONIDLE, 2400, 2000);
	spent(1, CPU_SOME, 150, 50);
	spent(1, NONIDLE, 100, 0);
	spent(2, CPU_SOME, 77, 77);
	spent(2, NONIDLE, 99, 99);
	ck_assert_int_eq(1000000 + (300 * 400 + 100 * 100) / 500,
			 number("cpu_some_ns"));
	ck_assert_int_eq(0, number("io_some_ns"));
	end();
}
END_TEST

START_TEST(a_cpu_that_is_in_it_now_counts_until_now)
{
	make(_i, 2);
	spent(0, IO_SOME, 10, 4);
	spent(0, NONIDLE, 10, 4);
	ti_set(ti, cpu_kva(0), "psi_group_cpu.state_mask",
	       1 << IO_SOME | 1 << NONIDLE);
	ti_set(ti, cpu_kva(0), "psi_group_cpu.state_start", NOW - 1000);
	ck_assert_int_eq(1006, number("io_some_ns"));
	ck_assert_int_eq(0, number("io_full_ns"));
	/* From after the newest of the clocks: none of it is over. */
	ti_set(ti, cpu_kva(0), "psi_group_cpu.state_start", NOW + 1000);
	ck_assert_int_eq(6, number("io_some_ns"));
	end();
}
END_TEST

START_TEST(times_go_round_at_32_bits)
{
	make(_i, 1);
	spent(0, MEM_SOME, 20, UINT32_MAX - 9);
	spent(0, NONIDLE, 20, UINT32_MAX - 9);
	ck_assert_int_eq(30, number("memory_some_ns"));
	end();
}
END_TEST

START_TEST(each_of_252_cpus_weighs)
{
	unsigned int cpu;

	make(_i, 252);
	for (cpu = 0; cpu < 252; cpu++) {
		spent(cpu, CPU_SOME, cpu % 2 ? 4000000000u : 0, 0);
		spent(cpu, NONIDLE, 4000000000u, 0);
	}
	ck_assert_int_eq(2000000000, number("cpu_some_ns"));
	end();
}
END_TEST

START_TEST(where_it_is_off_or_unknown_there_is_none)
{
	struct mon_guest_info good;

	make(_i, 2);
	good = ti->info;
	ck_assert_int_eq(0, number("cpu_some_ns"));
	ti_set(ti, good.sym[MON_SYM_PSI_DISABLED], "static_key.enabled", 1);
	expect_none();
	ti_set(ti, good.sym[MON_SYM_PSI_DISABLED], "static_key.enabled", 0);
	mon_close(mon);
	mon = NULL;
	ti->info.sym[MON_SYM_PSI_DISABLED] = 0;
	expect_none();
	mon_close(mon);
	mon = NULL;
	ti->info = good;
	ti->info.sym[MON_SYM_PSI_SYSTEM] = 0;
	expect_none();
	end();
}
END_TEST

START_TEST(a_kernel_without_it_has_none)
{
	static const char *const lacks[] = { "psi_group.total",
					     "psi_group_cpu.times",
					     "psi_group_cpu.state_start",
					     "psi_group.avgs_lock" };
	struct ti_config cfg = { .seed = 70 + _i, .drop = { lacks[_i] } };

	ti = ti_new(&cfg);
	expect_none();
	end();
}
END_TEST

START_TEST(while_the_kernel_adds_up_there_is_none)
{
	uint64_t lock;

	make(_i, 2);
	lock = ti->info.sym[MON_SYM_PSI_SYSTEM] +
		ti_off(ti, "psi_group.avgs_lock");
	ti_set(ti, lock, "mutex.owner", 0xffff888000001000);
	expect_none();
	/* Nobody holds it, whatever its flags are. */
	ti_set(ti, lock, "mutex.owner", 3);
	ck_assert_int_eq(0, number("cpu_some_ns"));
	end();
}
END_TEST

/* On every layout. */
#define ADD(test) tcase_add_loop_test(t, test, 0, LAYOUTS)

static Suite *suite(void)
{
	Suite *s = suite_create("psi");
	TCase *t = tcase_create("psi");

	tcase_set_timeout(t, 20);
	ADD(totals_go_by_the_names_of_the_states);
	ADD(what_is_in_no_total_yet_weighs_as_a_cpu_was_busy);
	ADD(a_cpu_that_is_in_it_now_counts_until_now);
	ADD(times_go_round_at_32_bits);
	ADD(each_of_252_cpus_weighs);
	ADD(where_it_is_off_or_unknown_there_is_none);
	ADD(a_kernel_without_it_has_none);
	ADD(while_the_kernel_adds_up_there_is_none);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{

	return test_run(suite());
}
