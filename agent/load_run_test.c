// SPDX-License-Identifier: GPL-2.0-only
/* What the kinds count, when real workers run them. */
#include "agent/test_worker.h"

#include <signal.h>

#include "lib/hist.h"
#include "lib/test_run.h"

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static void check_kind_counts(const char *kind, const struct ktstr_cell *c)
{
	if (starts_with(kind, "io_")) {
		ck_assert_uint_ge(c->ops, c->iterations);
		ck_assert_uint_ge(c->bytes, c->ops);
		ck_assert_uint_eq(c->ops, c->io.count);
	} else {
		ck_assert_uint_eq(0, c->bytes);
		ck_assert_uint_eq(0, c->io.count);
	}
	if (!strcmp(kind, "io_sync_write")) {
		/* 16 writes and a flush, or cut off on the way */
		ck_assert_uint_ge(c->ops, c->iterations * 17);
		ck_assert_uint_lt(c->ops, (c->iterations + 1) * 17);
	}
	if (!strcmp(kind, "spin") || !strcmp(kind, "yield"))
		ck_assert_uint_eq(0, c->wake.count);
	if (!strcmp(kind, "futex_ping_pong"))
		/* strictly in turns: whoever waits is woken */
		ck_assert_uint_gt(c->wake.count, 0);
	if (!strcmp(kind, "bursty"))
		/* each loop but a cut one ends in a wake-up */
		ck_assert_uint_ge(c->wake.count + 2, c->iterations);
	ck_assert_uint_eq(c->wake.count, hist_total(&c->wake));
	ck_assert_uint_eq(0, c->errors);
}

START_TEST(every_kind_counts_and_stops)
{
	const struct ktstr_worker *w;
	const struct ktstr_cell *c;
	unsigned int nr;

	add_every_kind();
	spawn_ready(1);
	begin(0);
	workers_release(&ws);
	wait_all(0, ENOUGH);
	end(0);
	ck_assert_int_eq(0, workers_stop(&ws, READY_NS));
	ck_assert_uint_eq(0, ws.nr_live);
	for (nr = 0; nr < ws.nr; nr++) {
		w = shm_worker(&shm, nr);
		c = shm_cell(&shm, nr, 0);
		ck_assert_uint_eq(KTSTR_WORKER_STOPPED, w->state);
		ck_assert_str_eq("", w->what);
		ck_assert_uint_ge(w->start_ns, shm.hdr->phase_start_ns[0]);
		ck_assert_uint_ge(w->last_progress_ns, w->start_ns);
		ck_assert_uint_gt(c->gap_max_ns, 0);
		ck_assert(c->cpus_used[0] || c->cpus_used[1] ||
			  c->cpus_used[2] || c->cpus_used[3]);
		ck_assert_uint_gt(c->run_count, 0);
		check_kind_counts(loads[w->workload].kind, c);
	}
}
END_TEST

START_TEST(phase_switch_moves_counts_to_the_next_cell)
{
	struct ktstr_cell before;
	unsigned int nr;

	add_every_kind();
	spawn_ready(2);
	begin(0);
	workers_release(&ws);
	wait_all(0, ENOUGH);
	end(0);
	begin(1);
	/* whoever counts in phase 1 has left phase 0 for good */
	wait_all(1, 1);
	before = *shm_cell(&shm, 0, 0);
	wait_all(1, ENOUGH);
	end(1);
	workers_stop(&ws, READY_NS);
	ck_assert_mem_eq(&before, shm_cell(&shm, 0, 0), sizeof(before));
	for (nr = 0; nr < ws.nr; nr++) {
		/* cut to its phase, so never longer than it */
		ck_assert_uint_le(shm_cell(&shm, nr, 1)->gap_max_ns,
				  shm.hdr->phase_end_ns[1] -
				  shm.hdr->phase_start_ns[1]);
		ck_assert_uint_ge(shm_cell(&shm, nr, 0)->iterations, ENOUGH);
	}
}
END_TEST

START_TEST(stop_does_not_wait_for_long_sleeps)
{
	struct plan_workload *w = add_load("bursty", 2);
	unsigned int nr;

	json_object_set_new(w->params, "burst_ns", json_integer(1000));
	json_object_set_new(w->params, "sleep_ns",
			    json_integer(10 * NSEC_PER_SEC));
	spawn_ready(1);
	begin(0);
	workers_release(&ws);
	wait_all(0, 1);
	ck_assert_int_eq(0, workers_stop(&ws, READY_NS));
	for (nr = 0; nr < 2; nr++) {
		ck_assert_str_eq("", shm_worker(&shm, nr)->what);
		/* a sleep cut short is no sample, and was no gap */
		ck_assert_uint_eq(0, shm_cell(&shm, nr, 0)->wake.count);
	}
}
END_TEST

START_TEST(partners_take_turns)
{
	uint64_t a, b;

	add_load("futex_ping_pong", 2);
	spawn_ready(1);
	begin(0);
	workers_release(&ws);
	wait_all(0, 100);
	ck_assert_int_eq(0, workers_stop(&ws, READY_NS));
	a = shm_cell(&shm, 0, 0)->iterations;
	b = shm_cell(&shm, 1, 0)->iterations;
	ck_assert_uint_ge(a, b);
	ck_assert_uint_le(a, b + 1);
}
END_TEST

START_TEST(exchange_keeps_partners_together_and_pairs_apart)
{
	uint64_t a, b;

	add_load("pipe", 4);
	spawn_ready(1);
	begin(0);
	workers_release(&ws);
	wait_all(0, ENOUGH);
	/* without its partner a worker stands still, the other pair does not */
	kill(ws.workers[0].pid, SIGSTOP);
	a = shm_cell(&shm, 2, 0)->iterations;
	wait_iterations(2, 0, a + 100);
	a = shm_cell(&shm, 0, 0)->iterations;
	b = shm_cell(&shm, 1, 0)->iterations;
	ck_assert_uint_le(b, a + 2);
	ck_assert_uint_le(a, b + 2);
}
END_TEST

START_TEST(partner_that_dies_fails_the_other)
{
	add_load("pipe", 2);
	spawn_ready(1);
	begin(0);
	workers_release(&ws);
	wait_all(0, 1);
	kill(ws.workers[0].pid, SIGKILL);
	while (ws.nr_live) {
		workers_reap(&ws);
		usleep(POLL_US);
	}
	ck_assert_str_eq("signal 9", shm_worker(&shm, 0)->what);
	ck_assert_uint_eq(KTSTR_WORKER_FAILED, shm_worker(&shm, 1)->state);
	ck_assert_int_eq(-EPIPE, shm_worker(&shm, 1)->error);
	ck_assert_str_eq("partner gone", shm_worker(&shm, 1)->what);
}
END_TEST

START_TEST(sequential_writers_share_the_disk)
{
	char path[PATH_MAX + 8], *data;
	unsigned int i;
	int fd;

	json_object_set_new(add_load("io_seq_write", 4)->params, "block_bytes",
			    json_integer(65536));
	spawn_ready(1);
	begin(0);
	workers_release(&ws);
	/* each its four blocks of sixteen */
	wait_all(0, 4);
	ck_assert_int_eq(0, workers_stop(&ws, READY_NS));
	snprintf(path, sizeof(path), "%s/data", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	data = malloc(DISK_BYTES);
	ck_assert_int_eq(DISK_BYTES, read(fd, data, DISK_BYTES));
	close(fd);
	/* a worker writes one content, another one's differs */
	for (i = 0; i < 16; i++) {
		ck_assert_mem_eq(data + i / 4 * 4 * 65536, data + i * 65536,
				 65536);
		if (i % 4)
			continue;
		ck_assert_mem_ne(data + (i + 4) % 16 * 65536, data + i * 65536,
				 65536);
	}
	free(data);
}
END_TEST

START_TEST(a_broken_disk_counts_errors_and_looks_stuck)
{
	const struct ktstr_cell *c;
	char path[PATH_MAX + 8];

	add_load("io_rand_read", 1);
	spawn_ready(1);
	/* every read now ends before its first byte */
	snprintf(path, sizeof(path), "%s/data", dir);
	ck_assert_int_eq(0, truncate(path, 0));
	begin(0);
	workers_release(&ws);
	c = shm_cell(&shm, 0, 0);
	while (__atomic_load_n(&c->errors, __ATOMIC_RELAXED) < ENOUGH)
		usleep(POLL_US);
	ck_assert_uint_eq(0, c->iterations);
	ck_assert_uint_eq(0, c->ops);
	ck_assert_uint_eq(0, shm_worker(&shm, 0)->last_progress_ns);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent/load_run");
	TCase *tc = tcase_create("load_run");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_kind_counts_and_stops);
	tcase_add_test(tc, phase_switch_moves_counts_to_the_next_cell);
	tcase_add_test(tc, stop_does_not_wait_for_long_sleeps);
	tcase_add_test(tc, partners_take_turns);
	tcase_add_test(tc, exchange_keeps_partners_together_and_pairs_apart);
	tcase_add_test(tc, partner_that_dies_fails_the_other);
	tcase_add_test(tc, sequential_writers_share_the_disk);
	tcase_add_test(tc, a_broken_disk_counts_errors_and_looks_stuck);
	suite_add_tcase(s, tc);
	return test_run(s);
}
