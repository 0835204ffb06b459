// SPDX-License-Identifier: GPL-2.0-only
#include "agent/worker_main.h"

#include <linux/futex.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "agent/disk.h"
#include "agent/load_exec.h"
#include "agent/plan.h"
#include "lib/clock.h"

#ifndef SCHED_EXT
#define SCHED_EXT 7
#endif
#define COMM_MAX 16	/* TASK_COMM_LEN, with the NUL */

int worker_ctl_wait(uint32_t *word, uint32_t seen,
		    const struct timespec *timeout)
{
	return syscall(SYS_futex, word, FUTEX_WAIT, seen, timeout, NULL, 0) ?
		       -errno : 0;
}

void worker_ctl_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void worker_set_failed(struct ktstr_worker *w, const char *what, int err)
{
	w->error = err;
	snprintf(w->what, sizeof(w->what), "%s", what);
	worker_set_state(w, KTSTR_WORKER_FAILED);
}

static void tell_parent(struct worker_ctl *ctl)
{
	__atomic_fetch_add(&ctl->events, 1, __ATOMIC_RELEASE);
	worker_ctl_wake(&ctl->events);
}

static void on_term(int sig)
{
	/* nothing: its only use is to end a sleep early */
}

/* The agent's signals are the agent's; SIGTERM only interrupts. */
static int reset_signals(const struct worker_job *job)
{
	const struct sigaction term = { .sa_handler = on_term };
	sigset_t none;
	int sig;

	for (sig = 1; sig < SIGRTMIN; sig++)
		signal(sig, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &term, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	return getppid() == job->parent ? 0 : -ESRCH;
}

static int lowest_fd(const int *fds, int from)
{
	int i, lowest = -1;

	for (i = 0; i < LOAD_GROUP_FDS; i++)
		if (fds[i] >= from && (lowest < 0 || fds[i] < lowest))
			lowest = fds[i];
	return lowest;
}

/* The agent's port, maps and log are none of a worker's business. */
static int close_others(const struct worker_job *job)
{
	int from = STDERR_FILENO + 1, keep;

	for (;; from = keep + 1) {
		keep = lowest_fd(job->group->fds, from);
		if (keep < 0)
			return close_range(from, ~0u, 0) ? -errno : 0;
		if (keep > from && close_range(from, keep - 1, 0))
			return -errno;
	}
}

/* The index tells workers apart, so it is the name that is cut. */
static int set_name(const struct worker_job *job)
{
	char comm[COMM_MAX], tail[COMM_MAX];
	size_t room = COMM_MAX - 1 -
		      snprintf(tail, sizeof(tail), "/%u", job->index);
	size_t len = strnlen(job->workload->name, room);

	memcpy(comm, job->workload->name, len);
	strcpy(comm + len, tail);
	return prctl(PR_SET_NAME, comm) ? -errno : 0;
}

static int set_cgroup(const struct worker_job *job)
{
	char leaf[2 * PLAN_NAME_MAX + 16];

	if (!job->cgroup_root)
		return 0;
	if (!job->kind->spec->program)
		return cgroup_enter(job->cgroup_root, job->workload->cgroup);
	load_exec_leaf(job->workload, job->index, leaf, sizeof(leaf));
	return cgroup_enter(job->cgroup_root, leaf);
}

static int set_affinity(const struct worker_job *job)
{
	const struct plan_workload *w = job->workload;

	if (!w->has_cpus)
		return 0;
	return sched_setaffinity(0, sizeof(w->cpus), &w->cpus) ? -errno : 0;
}

/*
 * The agent runs SCHED_FIFO with SCHED_RESET_ON_FORK: setting the policy
 * outright leaves nothing of either.
 */
static int set_policy(const struct worker_job *job)
{
	static const int policies[] = {
		[PLAN_POLICY_NORMAL] = SCHED_OTHER,
		[PLAN_POLICY_BATCH] = SCHED_BATCH,
		[PLAN_POLICY_IDLE] = SCHED_IDLE,
		[PLAN_POLICY_FIFO] = SCHED_FIFO,
		[PLAN_POLICY_RR] = SCHED_RR,
		[PLAN_POLICY_EXT] = SCHED_EXT,
	};
	const struct plan_workload *w = job->workload;
	bool rt = w->policy == PLAN_POLICY_FIFO || w->policy == PLAN_POLICY_RR;
	struct sched_param param = { .sched_priority = rt ? w->priority : 0 };

	if (setpriority(PRIO_PROCESS, 0, w->nice))
		return -errno;
	return sched_setscheduler(0, policies[w->policy], &param) ? -errno : 0;
}

/* A timer's slack would be counted as the scheduler's delay. */
static int set_slack(const struct worker_job *job)
{
	return prctl(PR_SET_TIMERSLACK, 1ul) ? -errno : 0;
}

struct step {
	const char *what;	/* NULL ends a list */
	int (*do_it)(const struct worker_job *job);
};

/* Of the worker's process, whatever it is to do. */
static const struct step own_steps[] = {
	{ "set signals", reset_signals },
	{ "close files", close_others },
	{ "set name", set_name },
	{ "set timer slack", set_slack },
	{ 0 },
};

/* Of who is the load: the worker, or the program that it holds. */
static const struct step load_steps[] = {
	{ "enter cgroup", set_cgroup },
	{ "set affinity", set_affinity },
	{ "set nice or policy", set_policy },
	{ 0 },
};

static int do_steps(const struct step *step, const struct worker_job *job,
		    const char **what)
{
	int err = 0;

	for (; !err && step->what; step++) {
		*what = step->what;
		err = step->do_it(job);
	}
	return err;
}

int worker_settle(const struct worker_job *job, const char **what)
{
	return do_steps(load_steps, job, what);
}

static int place(const struct worker_job *job, struct load *l)
{
	const char *what = l->what;
	int err = do_steps(own_steps, job, &what);

	if (!err && !job->kind->spec->program)
		err = worker_settle(job, &what);
	return err ? load_fail(l, what, err) : 0;
}

static int open_disk(const struct worker_job *job, struct load *l)
{
	static const int flags[] = {
		[LOAD_DISK_READ] = O_RDONLY,
		[LOAD_DISK_WRITE] = O_RDWR,
	};

	if (job->kind->spec->disk == LOAD_DISK_NONE)
		return 0;
	l->disk_fd = disk_open(job->disk_dir, job->workload->disk,
			       flags[job->kind->spec->disk], &l->disk_bytes);
	return l->disk_fd < 0 ? load_fail(l, "open disk", l->disk_fd) : 0;
}

void worker_wait_go(const struct worker_job *job)
{
	while (__atomic_load_n(&job->ctl->go, __ATOMIC_ACQUIRE) ==
	       WORKER_GO_WAIT)
		worker_ctl_wait(&job->ctl->go, WORKER_GO_WAIT, NULL);
}

static void wait_at_barrier(const struct worker_job *job, struct load *l)
{
	worker_set_state(l->stamp.worker, KTSTR_WORKER_READY);
	tell_parent(job->ctl);
	worker_wait_go(job);
}

static int work(const struct worker_job *job, struct load *l)
{
	struct ktstr_worker *w = l->stamp.worker;
	int err;

	err = place(job, l);
	if (!err)
		err = open_disk(job, l);
	if (!err && job->kind->setup)
		err = job->kind->setup(l);
	if (err)
		return err;
	wait_at_barrier(job, l);
	__atomic_store_n(&w->start_ns, clock_now_ns(), __ATOMIC_RELAXED);
	worker_set_state(w, KTSTR_WORKER_RUNNING);
	return job->kind->run(l);
}

void worker_main(const struct worker_job *job)
{
	const struct plan_workload *wl = job->workload;
	struct load l = {
		.kind = job->kind,
		.job = job,
		.workload = wl,
		.go = &job->ctl->go,
		.index = job->index,
		.member = job->index % job->kind->spec->group,
		.group = *job->group,
		.disk_fd = -1,
		.what = "run",
	};
	struct ktstr_worker *w;
	int err;

	stamp_init(&l.stamp, job->shm, job->nr,
		   wl->has_cpus ? &wl->cpus : NULL);
	rng_init(&l.rng, wl->seed, job->index);
	memcpy(l.param, job->param, sizeof(l.param));
	w = l.stamp.worker;
	__atomic_store_n(&w->pid, getpid(), __ATOMIC_RELAXED);

	err = work(job, &l);
	if (err)
		worker_set_failed(w, l.what, err);
	else
		worker_set_state(w, KTSTR_WORKER_STOPPED);
	free(l.buf);
	tell_parent(job->ctl);
	_exit(err ? EXIT_FAILURE : EXIT_SUCCESS);
}
