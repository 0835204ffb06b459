// SPDX-License-Identifier: GPL-2.0-only
#include "agent/topology.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/plan.h"
#include "agent/sysfile.h"
#include "lib/path.h"
#include "lib/test_run.h"

static char root[64];
static char msg[256];
static struct topology topology;

static void setup(void)
{
	strcpy(root, "/tmp/topology_test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
	path_remove_tree(root);
	rmdir(root);
}

__attribute__((format(printf, 2, 3)))
static void put(const char *text, const char *fmt, ...)
{
	char path[PATH_MAX], dir[PATH_MAX];
	va_list ap;
	FILE *f;
	int n = snprintf(path, sizeof(path), "%s/sys/devices/system/", root);

	va_start(ap, fmt);
	vsnprintf(path + n, sizeof(path) - n, fmt, ap);
	va_end(ap);
	strcpy(dir, path);
	*strrchr(dir, '/') = '\0';
	ck_assert_int_eq(0, path_mkdirs(dir));
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "%s\n", text);
	fclose(f);
}

static const char *range(char *buf, int first, int nr)
{
	if (nr == 1)
		sprintf(buf, "%d", first);
	else
		sprintf(buf, "%d-%d", first, first + nr - 1);
	return buf;
}

/* What a kernel shows of a topology whose CPUs are numbered in order. */
static void make_machine(const struct plan_topology *t)
{
	int threads = t->threads_per_core;
	int llc = t->cores_per_llc * threads, cpus = llc * t->llcs, cpu;
	char buf[32];
	unsigned int n;

	put(range(buf, 0, cpus), "cpu/online");
	put(range(buf, 0, t->nodes), "node/online");
	for (n = 0; n < t->nodes; n++)
		put(range(buf, n * cpus / t->nodes, cpus / t->nodes),
		    "node/node%u/cpulist", n);
	for (cpu = 0; cpu < cpus; cpu++) {
		char package[16];

		sprintf(package, "%d", cpu / (cpus / (int)t->packages));
		put(package, "cpu/cpu%d/topology/physical_package_id", cpu);
		put(range(buf, cpu / threads * threads, threads),
		    "cpu/cpu%d/topology/thread_siblings_list", cpu);
		put("1", "cpu/cpu%d/cache/index0/level", cpu);
		put("Data", "cpu/cpu%d/cache/index0/type", cpu);
		put(range(buf, cpu / threads * threads, threads),
		    "cpu/cpu%d/cache/index0/shared_cpu_list", cpu);
		put("3", "cpu/cpu%d/cache/index1/level", cpu);
		put("Unified", "cpu/cpu%d/cache/index1/type", cpu);
		put(range(buf, cpu / llc * llc, llc),
		    "cpu/cpu%d/cache/index1/shared_cpu_list", cpu);
	}
}

/* packages, nodes, LLCs, cores, threads, CPUs */
static const struct plan_topology machines[] = {
	{ 1, 1, 1, 1, 1, 1 },
	{ 1, 1, 2, 2, 1, 4 },
	{ 1, 1, 3, 1, 2, 6 },
	{ 2, 2, 4, 4, 1, 16 },
	{ 1, 2, 4, 3, 2, 24 },
};

#define NR_MACHINES (sizeof(machines) / sizeof(machines[0]))

static bool compare(const struct plan_topology *want, char *first)
{
	json_t *errors = json_array();
	bool ok;

	ck_assert_msg(!topology_read(root, &topology, msg, sizeof(msg)), "%s",
		      msg);
	ok = topology_compare(&topology, want, errors);
	ck_assert_int_eq(ok, !json_array_size(errors));
	first[0] = '\0';
	if (!ok)
		strcpy(first, json_string_value(json_array_get(errors, 0)));
	json_decref(errors);
	return ok;
}

START_TEST(the_machine_asked_for_is_recognised)
{
	const struct plan_topology *t = &machines[_i];
	struct topology_counts c;
	char first[128];

	make_machine(t);
	ck_assert_msg(compare(t, first), "%s", first);
	topology_count(&topology, &c);
	ck_assert_uint_eq(t->packages, c.packages);
	ck_assert_uint_eq(t->nodes, c.nodes);
	ck_assert_uint_eq(t->llcs, c.llcs);
	ck_assert_uint_eq(t->llcs * t->cores_per_llc, c.cores);
	ck_assert_uint_eq(t->cpus, c.cpus);
}
END_TEST

START_TEST(any_other_machine_is_not)
{
	char first[128];
	size_t i;

	make_machine(&machines[_i]);
	for (i = 0; i < NR_MACHINES; i++) {
		if (i != (size_t)_i)
			ck_assert(!compare(&machines[i], first));
	}
}
END_TEST

/* 1n2l2c1t with one file changed */
static const struct {
	const char *path, *text, *says;
} changes[] = {
	{ "cpu/cpu3/cache/index1/shared_cpu_list", "3", "LLC" },
	{ "cpu/cpu1/cache/index1/shared_cpu_list", "0-3", "LLC" },
	{ "cpu/cpu1/topology/thread_siblings_list", "0-1", "core" },
	{ "cpu/cpu3/topology/physical_package_id", "1", "package" },
	{ "cpu/online", "0-2", "CPU" },
};

START_TEST(one_wrong_cpu_is_found)
{
	char first[128];

	make_machine(&machines[1]);
	put(changes[_i].text, "%s", changes[_i].path);
	ck_assert(!compare(&machines[1], first));
	ck_assert_msg(strstr(first, changes[_i].says), "%s", first);
}
END_TEST

START_TEST(an_llc_across_nodes_is_found)
{
	struct plan_topology t = { 1, 2, 2, 2, 1, 4 };
	json_t *errors = json_array();
	char first[128];
	size_t i, found = 0;
	json_t *line;

	make_machine(&t);
	ck_assert_msg(compare(&t, first), "%s", first);
	put("0,2", "node/node0/cpulist");
	put("1,3", "node/node1/cpulist");
	ck_assert_int_eq(0, topology_read(root, &topology, msg, sizeof(msg)));
	ck_assert(!topology_compare(&topology, &t, errors));
	json_array_foreach(errors, i, line)
		found += !!strstr(json_string_value(line), "across nodes");
	ck_assert_uint_eq(2, found);
	json_decref(errors);
}
END_TEST

START_TEST(no_cache_information_is_an_error)
{
	struct plan_topology t = machines[0];
	json_t *errors = json_array();

	put("0", "cpu/online");
	put("0", "cpu/cpu0/topology/physical_package_id");
	put("0", "cpu/cpu0/topology/thread_siblings_list");
	ck_assert_int_eq(0, topology_read(root, &topology, msg, sizeof(msg)));
	ck_assert_int_eq(-1, topology.cpus[0].llc);
	ck_assert_int_eq(0, topology.cpus[0].node); /* no NUMA: node 0 */
	ck_assert(!topology_compare(&topology, &t, errors));
	json_decref(errors);
}
END_TEST

START_TEST(the_report_lists_every_cpu)
{
	char first[128];
	json_t *report, *cpu;

	make_machine(&machines[2]);
	ck_assert_msg(compare(&machines[2], first), "%s", first);
	report = topology_report(&topology, true, json_array());
	ck_assert_int_eq(3, json_integer_value(json_object_get(report,
							       "llcs")));
	cpu = json_array_get(json_object_get(report, "cpus"), 5);
	ck_assert_int_eq(5, json_integer_value(json_object_get(cpu, "cpu")));
	ck_assert_int_eq(4, json_integer_value(json_object_get(cpu, "llc")));
	ck_assert_int_eq(4, json_integer_value(json_object_get(cpu, "core")));
	json_decref(report);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
	put("0-1", "cpu/online");
	ck_assert_int_eq(-ENOENT, topology_read(root, &topology, msg,
						sizeof(msg)));
	ck_assert_ptr_nonnull(strstr(msg, "package of CPU of 0"));
}
END_TEST

static const struct {
	const char *text;
	int err;
	int count;
} lists[] = {
	{ "0", 0, 1 }, { "0-3,8", 0, 5 }, { "", 0, 0 }, { "1,3,5", 0, 3 },
	{ "3-1", -EINVAL, 0 }, { "1-", -EINVAL, 0 }, { "x", -EINVAL, 0 },
	{ "1,", -EINVAL, 0 }, { "1 2", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
	{ "0-99999999", -ERANGE, 0 },
};

START_TEST(cpu_lists_are_read)
{
	cpu_set_t set;

	ck_assert_int_eq(lists[_i].err, sysfile_parse_list(lists[_i].text,
							   &set));
	if (!lists[_i].err)
		ck_assert_int_eq(lists[_i].count, CPU_COUNT(&set));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/topology");
	TCase *tc = tcase_create("topology");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, the_machine_asked_for_is_recognised, 0,
			    NR_MACHINES);
	tcase_add_loop_test(tc, any_other_machine_is_not, 0, NR_MACHINES);
	tcase_add_loop_test(tc, one_wrong_cpu_is_found, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tc, an_llc_across_nodes_is_found);
	tcase_add_test(tc, no_cache_information_is_an_error);
	tcase_add_test(tc, the_report_lists_every_cpu);
	tcase_add_test(tc, a_missing_file_is_named);
	tcase_add_loop_test(tc, cpu_lists_are_read, 0,
			    sizeof(lists) / sizeof(lists[0]));
	suite_add_tcase(s, tc);
	return test_run(s);
}
