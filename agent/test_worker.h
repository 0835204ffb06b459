/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Real workers on a region in plain memory, for the unit tests of this folder:
 * a plan made by hand, a file for a disk, no cgroups.
 */
#ifndef KTSTR_AGENT_TEST_WORKER_H
#define KTSTR_AGENT_TEST_WORKER_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/plan.h"
#include "agent/test_shm.h"
#include "agent/worker.h"

#define DISK_BYTES (1 << 20)
#define READY_NS (5 * NSEC_PER_SEC)
#define POLL_US 1000
#define ENOUGH 3	/* loops that a worker is waited for */

static struct shm shm;
static struct worker_set ws;
static char dir[PATH_MAX];
static char msg[256];
static struct plan_workload loads[16];
static struct plan_disk disk = { .name = "data", .size_bytes = DISK_BYTES };
static struct plan plan;

/* Beside the program: O_DIRECT needs a real file system, /tmp may be none. */
static inline void make_disk(void)
{
	char path[PATH_MAX + 8];
	ssize_t len = readlink("/proc/self/exe", dir, sizeof(dir) - 32);
	int fd;

	ck_assert_int_gt(len, 0);
	strcpy(dir + len, ".XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/data", dir);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(0, ftruncate(fd, DISK_BYTES));
	close(fd);
}

static inline void setup(void)
{
	make_disk();
	memset(loads, 0, sizeof(loads));
	plan = (struct plan){ .disks = &disk, .nr_disks = 1,
			      .workloads = loads };
	ws = (struct worker_set){ 0 };
	*msg = '\0';
}

static inline void teardown(void)
{
	char path[PATH_MAX + 8];
	unsigned int i;

	workers_fini(&ws);
	if (shm.hdr)
		test_shm_free(&shm);
	for (i = 0; i < plan.nr_workloads; i++)
		json_decref(loads[i].params);
	snprintf(path, sizeof(path), "%s/data", dir);
	unlink(path);
	rmdir(dir);
}

static inline struct plan_workload *add_load(const char *kind, unsigned int workers)
{
	struct plan_workload *w = &loads[plan.nr_workloads];

	*w = (struct plan_workload){
		.name = kind, .kind = kind, .cgroup = kind, .disk = "data",
		.index = plan.nr_workloads++, .workers = workers,
		.params = json_object(), .seed = 7,
	};
	return w;
}

static inline int spawn(unsigned int nr_phases)
{
	const struct workers_opts opts = { .disk_dir = dir,
					   .no_cgroups = true };

	shm = test_shm_new(workers_count(&plan), nr_phases);
	return workers_spawn(&plan, shm.hdr, &opts, &ws, msg, sizeof(msg));
}

static inline void spawn_ready(unsigned int nr_phases)
{
	ck_assert_msg(!spawn(nr_phases), "%s", msg);
	ck_assert_msg(!workers_wait_ready(&ws, READY_NS, msg, sizeof(msg)),
		      "%s", msg);
}

/* Until worker @nr has done @n loops in @phase; the tcase's time-out ends it. */
static inline void wait_iterations(unsigned int nr, unsigned int phase, uint64_t n)
{
	struct ktstr_cell *cell = shm_cell(&shm, nr, phase);

	while (__atomic_load_n(&cell->iterations, __ATOMIC_RELAXED) < n) {
		ck_assert_int_ne(KTSTR_WORKER_FAILED,
				 shm_worker(&shm, nr)->state);
		usleep(POLL_US);
	}
}

static inline void wait_all(unsigned int phase, uint64_t n)
{
	unsigned int nr;

	for (nr = 0; nr < ws.nr; nr++)
		wait_iterations(nr, phase, n);
}

static inline void begin(unsigned int phase)
{
	workers_phase_start(&ws);
	test_shm_phase(&shm, phase, clock_now_ns());
}

static inline void end(unsigned int phase)
{
	shm.hdr->phase_end_ns[phase] = clock_now_ns();
	test_shm_no_phase(&shm);
	ck_assert_int_eq(0, workers_phase_end(&ws, phase));
}

static inline void add_quick_bursty(unsigned int workers)
{
	struct plan_workload *w = add_load("bursty", workers);

	json_object_set_new(w->params, "burst_ns", json_integer(200000));
	json_object_set_new(w->params, "sleep_ns", json_integer(1000000));
}

/* One of every kind that a test can wait for. */
static inline void add_every_kind(void)
{
	struct plan_workload *w;

	add_load("spin", 2);
	add_load("yield", 1);
	add_load("mixed", 1);
	add_quick_bursty(2);
	w = add_load("periodic", 1);
	json_object_set_new(w->params, "period_ns", json_integer(1000000));
	json_object_set_new(w->params, "budget_ns", json_integer(1000));
	add_load("pipe", 4);
	add_load("futex_ping_pong", 2);
	add_load("io_rand_read", 2);
	w = add_load("io_seq_write", 2);
	json_object_set_new(w->params, "block_bytes", json_integer(65536));
	add_load("io_sync_write", 2);
}

#endif
