// SPDX-License-Identifier: GPL-2.0-only
#include "agent/plan.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/shm.h"
#include "lib/test_run.h"

static char msg[256];

/* As docs/internals/session.md has it, with a second workload. */
static const char good[] =
	"{\"schema\": \"ktstr.plan/1\", \"name\": \"t\", \"seed\": 1234,"
	" \"vm\": {\"topology\": {\"packages\": 1, \"nodes\": 1, \"llcs\": 2,"
	"   \"cores_per_llc\": 2, \"threads_per_core\": 1},"
	"  \"cpus\": 4, \"memory_bytes\": 1073741824,"
	"  \"deadline_ns\": 60000000000},"
	" \"disks\": [{\"name\": \"data\", \"size_bytes\": 268435456,"
	"   \"read_only\": false}],"
	" \"scheduler\": {\"name\": \"simple\","
	"   \"object\": \"/ktstr/sched.bpf.o\", \"set\": {\"slice_ns\": 5}},"
	" \"workloads\": [{\"name\": \"reader\", \"kind\": \"io_rand_read\","
	"   \"workers\": 4, \"disk\": \"data\", \"cgroup\": \"batch\","
	"   \"cpu_weight\": 100, \"cpu_max\": null, \"cpus\": [0, 3],"
	"   \"nice\": -5, \"policy\": {\"kind\": \"fifo\", \"priority\": 7},"
	"   \"params\": {\"block_bytes\": 4096}, \"seed\": 99},"
	"  {\"name\": \"web\", \"kind\": \"bursty\", \"workers\": 2,"
	"   \"disk\": null, \"cgroup\": \"a/b\", \"cpu_weight\": null,"
	"   \"cpu_max\": {\"quota_ns\": 50000000, \"period_ns\": 100000000},"
	"   \"cpus\": null, \"nice\": 0,"
	"   \"policy\": {\"kind\": \"normal\", \"priority\": 0},"
	"   \"params\": {}, \"seed\": 1}],"
	" \"phases\": [{\"name\": \"warm\", \"duration_ns\": 1000000000,"
	"   \"measure\": false, \"do\": []}]}";

START_TEST(a_plan_is_taken_apart)
{
	const struct plan_workload *w;
	struct plan *p;
	uint64_t v;

	ck_assert_msg(!plan_parse(good, strlen(good), &p, msg, sizeof(msg)),
		      "%s", msg);
	ck_assert_uint_eq(4, p->topology.cpus);
	ck_assert_uint_eq(2, p->topology.llcs);
	ck_assert_uint_eq(60000000000, p->deadline_ns);
	ck_assert_uint_eq(1, p->nr_disks);
	ck_assert_ptr_eq(&p->disks[0], plan_find_disk(p, "data"));
	ck_assert(p->has_sched);
	ck_assert_int_eq(5, json_integer_value(json_object_get(p->sched.set,
							       "slice_ns")));
	ck_assert_uint_eq(6, p->nr_workers);
	w = &p->workloads[0];
	ck_assert_str_eq("data", w->disk);
	ck_assert(w->has_cpus && CPU_ISSET(0, &w->cpus) &&
		  CPU_ISSET(3, &w->cpus));
	ck_assert_int_eq(2, CPU_COUNT(&w->cpus));
	ck_assert_int_eq(-5, w->nice);
	ck_assert_int_eq(PLAN_POLICY_FIFO, w->policy);
	ck_assert_int_eq(7, w->priority);
	ck_assert_int_eq(0, plan_param_u64(w, "block_bytes", &v));
	ck_assert_uint_eq(4096, v);
	ck_assert_int_eq(-ENOENT, plan_param_u64(w, "depth", &v));
	w = &p->workloads[1];
	ck_assert_uint_eq(4, w->first_worker);
	ck_assert_ptr_null(w->disk);
	ck_assert(!w->has_cpus);
	ck_assert_uint_eq(50000000, w->cpu_max_quota_ns);
	ck_assert_uint_eq(1000000000, p->phases[0].duration_ns);
	ck_assert(!p->phases[0].measure);
	plan_free(p);
}
END_TEST

/* One change to the good plan, and what the message must name. */
static const struct {
	const char *from, *to;
	const char *says;
} wrong[] = {
	{ "ktstr.plan/1", "ktstr.plan/2", "schema" },
	{ "\"llcs\": 2", "\"llcs\": 0", "vm.topology.llcs" },
	{ "\"cpus\": 4", "\"cpus\": 257", "vm.cpus" },
	{ "\"cpus\": 4", "\"cpus\": \"4\"", "vm.cpus" },
	{ "\"disk\": \"data\"", "\"disk\": \"other\"", "workloads[0].disk" },
	{ "\"workers\": 4", "\"workers\": 0", "workloads[0].workers" },
	{ "\"workers\": 4", "\"workers\": 511", "workloads[1].workers" },
	{ "[0, 3]", "[0, 4]", "workloads[0].cpus" },
	{ "[0, 3]", "[0, -1]", "workloads[0].cpus" },
	{ "[0, 3]", "[]", "workloads[0].cpus" },
	{ "\"nice\": -5", "\"nice\": -21", "workloads[0].nice" },
	{ "\"priority\": 7", "\"priority\": 0", "workloads[0].priority" },
	{ "\"normal\"", "\"deadline\"", "workloads[1].policy.kind" },
	{ "\"a/b\"", "\"a/../b\"", "workloads[1].cgroup" },
	{ "\"a/b\"", "\"/a\"", "workloads[1].cgroup" },
	{ "\"a/b\"", "\"a/\"", "workloads[1].cgroup" },
	{ "\"a/b\"", "\"\"", "workloads[1].cgroup" },
	{ "\"params\": {}", "\"params\": []", "workloads[1].params" },
	{ "\"quota_ns\": 50000000", "\"quota_ns\": 0", "quota_ns" },
	{ "\"/ktstr/sched.bpf.o\"", "\"sched.bpf.o\"", "scheduler.object" },
	{ "\"duration_ns\": 1000000000", "\"duration_ns\": 0",
	  "phases[0].duration_ns" },
	{ "\"name\": \"warm\"", "\"name\": \"\"", "phases[0].name" },
	{ "\"measure\": false", "\"measure\": null", "phases[0].measure" },
	{ "\"phases\": [", "\"phases\": [], \"x\": [", "phases" },
	{ "\"seed\": 1234,", "", NULL }, /* fine: the seed is optional here */
};

START_TEST(a_wrong_member_is_named)
{
	const char *at = strstr(good, wrong[_i].from);
	char text[sizeof(good) + 64];
	struct plan *p = NULL;
	int err;

	ck_assert_ptr_nonnull(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good,
		 wrong[_i].to, at + strlen(wrong[_i].from));
	err = plan_parse(text, strlen(text), &p, msg, sizeof(msg));
	if (!wrong[_i].says) {
		ck_assert_int_eq(0, err);
		plan_free(p);
		return;
	}
	ck_assert_int_eq(-EINVAL, err);
	ck_assert_ptr_null(p);
	ck_assert_msg(strstr(msg, wrong[_i].says), "\"%s\" lacks \"%s\"", msg,
		      wrong[_i].says);
}
END_TEST

START_TEST(no_cut_of_a_plan_is_taken)
{
	struct plan *p;
	size_t len;

	for (len = 0; len < strlen(good); len++)
		ck_assert_int_ne(0, plan_parse(good, len, &p, msg,
					       sizeof(msg)));
}
END_TEST

START_TEST(a_region_of_the_largest_size_is_laid_out)
{
	struct ktstr_shm_hdr hdr;
	struct shm shm = { .hdr = &hdr };
	char *last;

	ck_assert_int_eq(-E2BIG, shm_layout(&hdr, KTSTR_SHM_MAX_WORKERS + 1,
					    1));
	ck_assert_int_eq(-E2BIG, shm_layout(&hdr, 1,
					    KTSTR_SHM_MAX_PHASES + 1));
	ck_assert_int_eq(0, shm_layout(&hdr, KTSTR_SHM_MAX_WORKERS,
				       KTSTR_SHM_MAX_PHASES));
	ck_assert_uint_eq(KTSTR_SHM_NO_PHASE, hdr.phase);
	ck_assert_uint_eq(hdr.workers_off + KTSTR_SHM_MAX_WORKERS *
			  sizeof(struct ktstr_worker), hdr.cells_off);
	last = (char *)(shm_cell(&shm, KTSTR_SHM_MAX_WORKERS - 1,
				 KTSTR_SHM_MAX_PHASES - 1) + 1);
	ck_assert_ptr_eq((char *)&hdr + hdr.cells_off +
			 (size_t)KTSTR_SHM_MAX_WORKERS * KTSTR_SHM_MAX_PHASES *
			 hdr.cell_bytes, last);
	/* what follows the cells is inside as well */
	ck_assert_int_ge((char *)&hdr + hdr.total_bytes - last, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/plan");
	TCase *tc = tcase_create("plan");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, a_plan_is_taken_apart);
	tcase_add_loop_test(tc, a_wrong_member_is_named, 0,
			    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, no_cut_of_a_plan_is_taken);
	tcase_add_test(tc, a_region_of_the_largest_size_is_laid_out);
	suite_add_tcase(s, tc);
	return test_run(s);
}
