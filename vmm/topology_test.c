// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/topology.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test_run.h"
#include "vmm/test_topologies.h"

START_TEST(apic_ids_ascend_from_zero_and_fields_hold_their_place)
{
	const struct vm_topology *t = &test_topologies[_i];
	struct topology_shifts s = topology_shifts_get(t);
	unsigned int cpu;
	uint32_t next = 0;

	for (cpu = 0; cpu < vm_topology_cpus(t); cpu++) {
		struct topology_cpu c = topology_cpu_get(t, cpu);

		ck_assert_uint_ge(c.apic_id, next);
		next = c.apic_id + 1;
		ck_assert_uint_eq(c.package, c.apic_id >> s.package);
		ck_assert_uint_eq(c.thread, c.apic_id & ((1u << s.core) - 1));
		ck_assert_uint_lt(c.core, t->cores_per_llc);
		ck_assert_uint_lt(c.llc, t->llcs);
		ck_assert_uint_lt(c.node, t->nodes);
		if (!cpu)
			ck_assert_uint_eq(0, c.apic_id);
	}
}
END_TEST

START_TEST(an_llc_is_in_one_node_and_one_package)
{
	const struct vm_topology *t = &test_topologies[_i];
	struct topology_cpu first[TEST_MAX_CPUS];
	bool seen[TEST_MAX_CPUS] = { false };
	unsigned int cpu;

	for (cpu = 0; cpu < vm_topology_cpus(t); cpu++) {
		struct topology_cpu c = topology_cpu_get(t, cpu);

		if (!seen[c.llc]) {
			seen[c.llc] = true;
			first[c.llc] = c;
		}
		ck_assert_uint_eq(first[c.llc].node, c.node);
		ck_assert_uint_eq(first[c.llc].package, c.package);
	}
}
END_TEST

START_TEST(every_llc_id_range_is_aligned_and_a_power_of_two)
{
	const struct vm_topology *t = &test_topologies[_i];
	struct topology_shifts s = topology_shifts_get(t);
	unsigned int a, b;

	for (a = 0; a < vm_topology_cpus(t); a++)
		for (b = 0; b < a; b++) {
			struct topology_cpu x = topology_cpu_get(t, a);
			struct topology_cpu y = topology_cpu_get(t, b);

			ck_assert_int_eq(x.llc == y.llc,
					 x.apic_id >> s.llc ==
						 y.apic_id >> s.llc);
		}
}
END_TEST

START_TEST(one_node_fourteen_llcs_reaches_apic_id_433)
{
	const struct vm_topology t = { 0, 1, 14, 9, 2 };

	ck_assert_uint_eq(433, topology_cpu_get(&t, 251).apic_id);
}
END_TEST

static const struct {
	struct vm_topology t;
	const char *why; /* NULL: fine */
} checks[] = {
	{ { 0, 1, 1, 1, 1 }, NULL },
	{ { 0, 2, 4, 4, 2 }, NULL },
	{ { 1, 2, 4, 2, 1 }, NULL },
	{ { 4, 2, 4, 2, 1 }, NULL },
	{ { 0, 1, 8, 8, 1 }, NULL },
	{ { 0, 8, 8, 8, 1 }, NULL },
	{ { 0, 0, 1, 1, 1 }, "no node" },
	{ { 0, 1, 0, 1, 1 }, "no node" },
	{ { 0, 1, 1, 0, 1 }, "no node" },
	{ { 0, 1, 1, 1, 0 }, "0 threads" },
	{ { 0, 1, 1, 1, 3 }, "3 threads" },
	{ { 0, 9, 9, 1, 1 }, "9 nodes" },
	{ { 0, 2, 3, 1, 1 }, "span nodes" },
	{ { 3, 1, 4, 1, 1 }, "span packages" },
	{ { 2, 3, 6, 1, 1 }, "divide" },
	{ { 0, 1, 8, 8, 2 }, "more than 64" },
	{ { 0, 1, 65, 1, 1 }, "more than 64" },
	{ { 0, 1, 65536, 65536, 1 }, "more than 64" },
	{ { 0, 1, 0x80000000, 2, 2 }, "more than 64" },
};

START_TEST(only_what_can_be_expressed_is_taken)
{
	char why[128] = "";
	bool good = vm_topology_check(&checks[_i].t, why, sizeof(why));

	if (!checks[_i].why) {
		ck_assert_msg(good, "%s", why);
		return;
	}
	ck_assert(!good);
	ck_assert_msg(strstr(why, checks[_i].why), "said: %s", why);
}
END_TEST

/* The padding of 64 CPUs never needs ids that only x2APIC mode has. */
START_TEST(no_topology_taken_has_an_apic_id_above_254)
{
	struct vm_topology t;
	char why[128];

	for (t.nodes = 1; t.nodes <= VM_MAX_NODES; t.nodes++)
		for (t.packages = 0; t.packages <= 64; t.packages++)
			for (t.llcs = 1; t.llcs <= 64; t.llcs++)
				for (t.cores_per_llc = 1;
				     t.cores_per_llc * t.llcs <= 64;
				     t.cores_per_llc++)
					for (t.threads_per_core = 1;
					     t.threads_per_core <= 2;
					     t.threads_per_core++) {
						unsigned int n =
							vm_topology_cpus(&t);

						if (!vm_topology_check(
							    &t, why,
							    sizeof(why)))
							continue;
						ck_assert_uint_le(
							topology_cpu_get(&t,
									 n - 1)
								.apic_id,
							254);
					}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("topology");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 20);
	suite_add_tcase(s, t);
	tcase_add_loop_test(
		t, apic_ids_ascend_from_zero_and_fields_hold_their_place, 0,
		TEST_TOPOLOGIES);
	tcase_add_loop_test(t, an_llc_is_in_one_node_and_one_package, 0,
			    TEST_TOPOLOGIES);
	tcase_add_loop_test(t, every_llc_id_range_is_aligned_and_a_power_of_two,
			    0, TEST_TOPOLOGIES);
	tcase_add_test(t, one_node_fourteen_llcs_reaches_apic_id_433);
	tcase_add_loop_test(t, only_what_can_be_expressed_is_taken, 0,
			    sizeof(checks) / sizeof(checks[0]));
	tcase_add_test(t, no_topology_taken_has_an_apic_id_above_254);
	return test_run(s);
}
