// SPDX-License-Identifier: GPL-2.0-only
#include "agent/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "agent/disk.h"
#include "agent/load_exec.h"
#include "agent/plan.h"
#include "agent/schedstat.h"
#include "agent/shm.h"
#include "agent/worker_main.h"
#include "include/ktstr/shm.h"
#include "lib/clock.h"

#define READY_SLICE_NS (20 * NSEC_PER_MSEC) /* looks for the dead so often */
#define STOP_POLL_NS NSEC_PER_MSEC
#define STOP_SIGNAL_NS (20 * NSEC_PER_MSEC)
#define FINI_NS NSEC_PER_SEC

/* The kind and the parameters of a workload, once they are checked. */
struct checked {
	const struct load_kind *kind;
	uint64_t param[LOAD_MAX_PARAMS];
};

static struct ktstr_worker *region_worker(const struct worker_set *ws,
					  unsigned int nr)
{
	struct shm shm = { .hdr = ws->shm };

	return shm_worker(&shm, nr);
}

static enum ktstr_worker_state region_state(const struct worker_set *ws,
					    unsigned int nr)
{
	return __atomic_load_n(&region_worker(ws, nr)->state,
			       __ATOMIC_ACQUIRE);
}

unsigned int workers_count(const struct plan *plan)
{
	unsigned int i, nr = 0;

	for (i = 0; i < plan->nr_workloads; i++)
		nr += plan->workloads[i].workers;
	return nr;
}

static int check_kind(const struct plan *plan, const struct plan_workload *w,
		      struct checked *c, char *why, size_t len)
{
	const struct plan_disk *disk;

	c->kind = load_kind_find(w->kind);
	if (!c->kind) {
		snprintf(why, len, "kind %s is not known", w->kind);
		return -EINVAL;
	}
	if (c->kind->spec->program && !w->exec) {
		snprintf(why, len, "kind %s needs a program", w->kind);
		return -EINVAL;
	}
	if (w->workers % c->kind->spec->group) {
		snprintf(why, len, "%u workers are not a multiple of %u",
			 w->workers, c->kind->spec->group);
		return -EINVAL;
	}
	if (c->kind->spec->disk != LOAD_DISK_NONE && !w->disk) {
		snprintf(why, len, "kind %s needs a disk", w->kind);
		return -EINVAL;
	}
	disk = w->disk ? plan_find_disk(plan, w->disk) : NULL;
	if (c->kind->spec->disk == LOAD_DISK_WRITE && disk && disk->read_only) {
		snprintf(why, len, "kind %s writes, and disk %s is read-only",
			 w->kind, w->disk);
		return -EINVAL;
	}
	memset(c->param, 0, sizeof(c->param));
	return load_params(c->kind, w, c->param, why, len);
}

static int check_plan(const struct plan *plan, struct checked *checked,
		      char *err_msg, size_t err_len)
{
	char why[256];
	unsigned int i;
	int err;

	for (i = 0; i < plan->nr_workloads; i++) {
		err = check_kind(plan, &plan->workloads[i], &checked[i], why,
				 sizeof(why));
		if (!err)
			continue;
		snprintf(err_msg, err_len, "workload %s: %s",
			 plan->workloads[i].name, why);
		return err;
	}
	return 0;
}

/* --- spawning --- */

static void group_fini(struct load_group *g, const struct load_kind *kind)
{
	int i;

	for (i = 0; i < LOAD_GROUP_FDS; i++)
		if (g->fds[i] >= 0)
			close(g->fds[i]);
	if (g->mem)
		munmap(g->mem, kind->group_bytes);
}

static int group_init(struct load_group *g, const struct load_kind *kind)
{
	int i, err;

	g->mem = NULL;
	for (i = 0; i < LOAD_GROUP_FDS; i++)
		g->fds[i] = -1;
	if (kind->group_bytes) {
		g->mem = mmap(NULL, kind->group_bytes, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (g->mem == MAP_FAILED) {
			g->mem = NULL;
			return -errno;
		}
	}
	err = kind->share ? kind->share(g) : 0;
	if (err)
		group_fini(g, kind);
	return err;
}

/* Where a program will be is there before it: its account begins at 0. */
static int prepare_program(struct worker_set *ws, const struct worker_job *job)
{
	struct worker *worker = &ws->workers[job->nr];
	char leaf[2 * PLAN_NAME_MAX + 16];

	worker->exec = load_exec_new();
	if (!worker->exec)
		return -errno;
	if (!job->cgroup_root)
		return 0;
	load_exec_leaf(job->workload, job->index, leaf, sizeof(leaf));
	worker->account_fd = cgroup_make_leaf(job->cgroup_root, leaf);
	if (worker->account_fd < 0)
		return worker->account_fd;
	return cgroup_leaf_id(job->cgroup_root, leaf, &worker->leaf_id);
}

json_t *workers_leaves(const struct worker_set *ws)
{
	json_t *leaves = json_array();
	bool any = false;
	unsigned int nr;

	for (nr = 0; nr < ws->nr; nr++) {
		any |= ws->workers[nr].leaf_id != 0;
		json_array_append_new(leaves, json_integer(
			ws->workers[nr].leaf_id));
	}
	if (any)
		return leaves;
	json_decref(leaves);
	return NULL;
}

static int spawn_one(struct worker_set *ws, struct worker_job *job)
{
	struct worker *worker = &ws->workers[job->nr];
	struct ktstr_worker *w = region_worker(ws, job->nr);
	pid_t pid;

	*w = (struct ktstr_worker){
		.workload = worker->workload,
		.index = worker->index,
		.state = KTSTR_WORKER_NEW,
	};
	if (job->kind->spec->program) {
		int err = prepare_program(ws, job);

		if (err)
			return err;
	}
	job->exec = worker->exec;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		worker_main(job);
	worker->pid = pid;
	ws->nr_live++;
	if (!job->kind->spec->program)
		worker->account_fd = schedstat_open(pid);
	return 0;
}

static int spawn_group(struct worker_set *ws, struct worker_job *job)
{
	struct load_group group;
	unsigned int i;
	int err;

	err = group_init(&group, job->kind);
	if (err)
		return err;
	job->group = &group;
	for (i = 0; !err && i < job->kind->spec->group; i++) {
		err = spawn_one(ws, job);
		job->index++;
		job->nr++;
	}
	group_fini(&group, job->kind);
	return err;
}

static int spawn_all(struct worker_set *ws, const struct checked *checked,
		     char *err_msg, size_t err_len)
{
	struct worker_job job = {
		.disk_dir = ws->opts.disk_dir,
		.cgroup_root = ws->opts.cgroup_root,
		.shm = ws->shm,
		.ctl = ws->ctl,
		.parent = getpid(),
	};
	unsigned int i;
	int err;

	for (i = 0; i < ws->plan->nr_workloads; i++) {
		job.workload = &ws->plan->workloads[i];
		job.kind = checked[i].kind;
		job.param = checked[i].param;
		job.index = 0;
		while (job.index < job.workload->workers) {
			err = spawn_group(ws, &job);
			if (!err)
				continue;
			snprintf(err_msg, err_len,
				 "workload %s: start worker %u: %s",
				 job.workload->name, job.index, strerror(-err));
			return err;
		}
	}
	return 0;
}

static void number_workers(struct worker_set *ws)
{
	unsigned int i, index, nr = 0;

	for (i = 0; i < ws->plan->nr_workloads; i++)
		for (index = 0; index < ws->plan->workloads[i].workers; index++)
			ws->workers[nr++] = (struct worker){
				.account_fd = -1,
				.workload = i,
				.index = index,
			};
}

static int alloc_set(struct worker_set *ws)
{
	ws->workers = calloc(ws->nr ? ws->nr : 1, sizeof(*ws->workers));
	if (!ws->workers)
		return -ENOMEM;
	number_workers(ws);
	ws->ctl = mmap(NULL, sizeof(*ws->ctl), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ws->ctl != MAP_FAILED)
		return 0;
	ws->ctl = NULL;
	return -errno;
}

static void set_opts(struct worker_set *ws, const struct workers_opts *opts)
{
	if (opts)
		ws->opts = *opts;
	if (!ws->opts.disk_dir)
		ws->opts.disk_dir = DISK_DIR;
	if (ws->opts.no_cgroups)
		ws->opts.cgroup_root = NULL;
	else if (!ws->opts.cgroup_root)
		ws->opts.cgroup_root = CGROUP_ROOT;
}

int workers_spawn(const struct plan *plan, struct ktstr_shm_hdr *shm,
		  const struct workers_opts *opts, struct worker_set *ws,
		  char *err_msg, size_t err_len)
{
	struct checked *checked;
	int err;

	*ws = (struct worker_set){ .plan = plan, .shm = shm };
	set_opts(ws, opts);
	ws->nr = workers_count(plan);
	if (ws->nr > shm->nr_workers) {
		snprintf(err_msg, err_len,
			 "%u workers, the shared region has room for %u",
			 ws->nr, shm->nr_workers);
		return -ENOSPC;
	}
	checked = calloc(plan->nr_workloads + 1, sizeof(*checked));
	err = checked ? alloc_set(ws) : -ENOMEM;
	if (err)
		snprintf(err_msg, err_len, "memory for %u workers: %s", ws->nr,
			 strerror(-err));
	if (!err)
		err = check_plan(plan, checked, err_msg, err_len);
	if (!err && ws->opts.cgroup_root)
		err = cgroup_tree_make(plan, ws->opts.cgroup_root, err_msg,
				       err_len);
	if (!err)
		err = spawn_all(ws, checked, err_msg, err_len);
	free(checked);
	if (err)
		workers_fini(ws);
	return err;
}

/* --- the barrier --- */

static void set_go(struct worker_set *ws, uint32_t go)
{
	__atomic_store_n(&ws->shm->go, go, __ATOMIC_RELAXED);
	/* release: what was set up before is visible to who passes */
	__atomic_store_n(&ws->ctl->go, go, __ATOMIC_RELEASE);
	worker_ctl_wake(&ws->ctl->go);
}

/*
 * Sleep until a worker has something to say. One that died cannot, so the
 * dead are looked for whenever nobody speaks.
 */
static void wait_event(struct worker_set *ws, uint32_t seen)
{
	const struct timespec slice = clock_to_timespec(READY_SLICE_NS);

	if (worker_ctl_wait(&ws->ctl->events, seen, &slice) == -ETIMEDOUT)
		workers_reap(ws);
}

static uint32_t events(const struct worker_set *ws)
{
	return __atomic_load_n(&ws->ctl->events, __ATOMIC_ACQUIRE);
}

static void say_worker(const struct worker_set *ws, unsigned int nr,
		       const char *what, const char *why, char *err_msg,
		       size_t err_len)
{
	const struct worker *w = &ws->workers[nr];

	snprintf(err_msg, err_len, "worker %s/%u: %s: %s",
		 ws->plan->workloads[w->workload].name, w->index, what, why);
}

/* Return: 0 all are, -EAGAIN not yet and @nr is one that isn't, or failed. */
static int all_ready(const struct worker_set *ws, unsigned int *nr)
{
	int ret = 0;
	unsigned int i;

	for (i = 0; i < ws->nr; i++) {
		switch (region_state(ws, i)) {
		case KTSTR_WORKER_NEW:
			*nr = i;
			ret = -EAGAIN;
			break;
		case KTSTR_WORKER_FAILED:
			*nr = i;
			return region_worker(ws, i)->error;
		default:
			break;
		}
	}
	return ret;
}

int workers_wait_ready(struct worker_set *ws, uint64_t timeout_ns,
		       char *err_msg, size_t err_len)
{
	uint64_t end_ns = clock_now_ns() + timeout_ns;
	unsigned int nr = 0;
	uint32_t seen;
	int err;

	for (;;) {
		seen = events(ws);
		err = all_ready(ws, &nr);
		if (err != -EAGAIN)
			break;
		if (clock_now_ns() >= end_ns) {
			say_worker(ws, nr, "get ready", "timed out", err_msg,
				   err_len);
			return -ETIMEDOUT;
		}
		wait_event(ws, seen);
	}
	if (err)
		say_worker(ws, nr, region_worker(ws, nr)->what,
			   err == -ECHILD ? "died" : strerror(-err), err_msg,
			   err_len);
	return err;
}

void workers_release(struct worker_set *ws)
{
	set_go(ws, WORKER_GO_RUN);
}

/* --- accounting --- */

static int read_account(const struct worker *w, struct worker_account *account)
{
	return w->exec ? cgroup_account_read(w->account_fd, account) :
			 schedstat_read(w->account_fd, account);
}

void workers_phase_start(struct worker_set *ws)
{
	struct worker *w;

	for (w = ws->workers; w < ws->workers + ws->nr; w++)
		if (w->account_fd >= 0)
			read_account(w, &w->base);
}

/* A program may have nothing to do; one that has, and gets no CPU, starves. */
static unsigned int count_waiting(const struct worker_set *ws,
				  const struct worker *w)
{
	char leaf[2 * PLAN_NAME_MAX + 16];

	load_exec_leaf(&ws->plan->workloads[w->workload], w->index, leaf,
		       sizeof(leaf));
	return cgroup_count_runnable(ws->opts.cgroup_root, leaf);
}

int workers_phase_end(struct worker_set *ws, unsigned int phase)
{
	struct shm shm = { .hdr = ws->shm };
	struct worker_account now;
	struct ktstr_cell *cell;
	struct worker *w;
	unsigned int nr;
	int err, ret = 0;

	for (nr = 0; nr < ws->nr; nr++) {
		w = &ws->workers[nr];
		if (!w->pid || (w->exec && !ws->opts.cgroup_root))
			continue;
		err = w->account_fd < 0 ?
			      w->account_fd :
			      read_account(w, &now);
		if (err) {
			/* not yet reaped, and nothing to be told any more */
			if (err != -ESRCH)
				ret = err;
			continue;
		}
		cell = shm_cell(&shm, nr, phase);
		cell->cpu_time_ns = now.cpu_time_ns - w->base.cpu_time_ns;
		cell->run_delay_ns = now.run_delay_ns - w->base.run_delay_ns;
		cell->run_count = now.run_count - w->base.run_count;
		if (w->exec && !cell->cpu_time_ns)
			cell->run_count = count_waiting(ws, w);
	}
	return ret;
}

/* --- ends --- */

static void note_end(struct worker_set *ws, unsigned int nr, int status)
{
	struct ktstr_worker *w = region_worker(ws, nr);
	enum ktstr_worker_state state = region_state(ws, nr);
	char what[sizeof(w->what)];

	if (state == KTSTR_WORKER_FAILED)
		return;
	if (WIFEXITED(status) && !WEXITSTATUS(status) && ws->stopping)
		return;
	/* SIGTERM kills one that has not yet come to its own handler */
	if (WIFSIGNALED(status) && ws->stopping &&
	    (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM)) {
		snprintf(w->what, sizeof(w->what), "killed at stop");
		worker_set_state(w, KTSTR_WORKER_STOPPED);
		return;
	}
	if (WIFSIGNALED(status))
		snprintf(what, sizeof(what), "signal %d", WTERMSIG(status));
	else
		snprintf(what, sizeof(what), "exit status %d",
			 WEXITSTATUS(status));
	worker_set_failed(w, what, -ECHILD);
}

static void forget(struct worker_set *ws, unsigned int nr, int status)
{
	struct worker *w = &ws->workers[nr];

	w->pid = 0;
	ws->nr_live--;
	if (w->account_fd >= 0)
		close(w->account_fd);
	w->account_fd = -1;
	note_end(ws, nr, status);
}

int workers_exited(struct worker_set *ws, pid_t pid, int status)
{
	unsigned int nr;

	for (nr = 0; pid > 0 && nr < ws->nr; nr++) {
		if (ws->workers[nr].pid != pid)
			continue;
		forget(ws, nr, status);
		return nr;
	}
	return -1;
}

unsigned int workers_reap(struct worker_set *ws)
{
	unsigned int nr, ended = 0;
	int status;

	for (nr = 0; nr < ws->nr; nr++) {
		if (!ws->workers[nr].pid ||
		    waitpid(ws->workers[nr].pid, &status, WNOHANG) <= 0)
			continue;
		forget(ws, nr, status);
		ended++;
	}
	return ended;
}

static void signal_all(const struct worker_set *ws, int sig)
{
	unsigned int nr;

	for (nr = 0; nr < ws->nr; nr++)
		if (ws->workers[nr].pid)
			kill(ws->workers[nr].pid, sig);
}

/*
 * Send @sig until all are gone: again and again, since a signal that comes
 * just before a worker goes to sleep wakes nobody.
 */
static bool wait_gone(struct worker_set *ws, int sig, uint64_t timeout_ns)
{
	const struct timespec poll = clock_to_timespec(STOP_POLL_NS);
	uint64_t now_ns = clock_now_ns();
	uint64_t end_ns = now_ns + timeout_ns, signal_ns = now_ns;

	for (;;) {
		workers_reap(ws);
		if (!ws->nr_live)
			return true;
		if (now_ns >= signal_ns) {
			signal_all(ws, sig);
			signal_ns = now_ns + STOP_SIGNAL_NS;
		}
		if (now_ns >= end_ns)
			return false;
		nanosleep(&poll, NULL);
		now_ns = clock_now_ns();
	}
}

int workers_stop(struct worker_set *ws, uint64_t grace_ns)
{
	ws->stopping = true;
	if (!ws->ctl)
		return 0;
	set_go(ws, WORKER_GO_STOP);
	if (wait_gone(ws, SIGTERM, grace_ns))
		return 0;
	return wait_gone(ws, SIGKILL, grace_ns) ? 0 : -EBUSY;
}

void workers_fini(struct worker_set *ws)
{
	unsigned int nr;

	ws->stopping = true;
	if (ws->ctl) {
		wait_gone(ws, SIGKILL, FINI_NS);
		munmap(ws->ctl, sizeof(*ws->ctl));
	}
	for (nr = 0; ws->workers && nr < ws->nr; nr++) {
		if (ws->workers[nr].account_fd >= 0)
			close(ws->workers[nr].account_fd);
		load_exec_free(ws->workers[nr].exec);
	}
	free(ws->workers);
	*ws = (struct worker_set){ 0 };
}
