// SPDX-License-Identifier: GPL-2.0-only
/*
 * ktstr-agent: PID 1 of a guest. Brings the guest up, tells the host what it
 * found, starts the workers and the scheduler, drives the phases, and reports.
 * It only supervises, above all that it started: docs/internals/session.md.
 */
#include "agent/agent.h"

#include "agent/disk.h"
#include "agent/init.h"
#include "agent/json_text.h"
#include "agent/load_exec.h"
#include "agent/module.h"
#include "agent/plan.h"
#include "agent/sched_exec.h"
#include "agent/symbols.h"
#include "agent/sysfile.h"
#include "agent/time_floor.h"
#include "agent/topology.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PLAN_PATH "/ktstr/plan.json"
#define CLOCKSOURCE_PATH \
	"/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define PORT_WAIT_NS (10 * NSEC_PER_SEC)
#define DISK_WAIT_NS (5 * NSEC_PER_SEC)
#define WORKERS_WAIT_NS (30 * NSEC_PER_SEC)
#define SCHED_WAIT_NS (40 * NSEC_PER_SEC)
#define DETACH_WAIT_NS (3 * NSEC_PER_SEC)
#define STOP_GRACE_NS NSEC_PER_SEC
#define FLUSH_WAIT_NS (5 * NSEC_PER_SEC)
#define GOODBYE_NS (20 * NSEC_PER_SEC)

/* A stage's word for: done, and nothing went wrong. */
#define STAGE_END 1

static void log_to_host(void *ctx, enum log_level level, const char *line)
{
	static const char *const marks[] = {
		[LOG_LVL_ERR] = "error: ",
		[LOG_LVL_WARN] = "warning: ",
		[LOG_LVL_INFO] = "",
		[LOG_LVL_DEBUG] = "debug: ",
	};
	struct agent *a = ctx;

	/* A child has a copy of the port, and must not speak for us. */
	if (getpid() == 1)
		agent_log_line(a, "%s%s", marks[level], line);
	else
		fprintf(stderr, "ktstr-agent[%d]: %s\n", getpid(), line);
}

static int stage_plan(struct agent *a)
{
	int err = plan_load(PLAN_PATH, &a->plan, a->err_msg,
			    sizeof(a->err_msg));

	if (!err)
		init_bpf_stats(a->plan->bpf_stats ||
			       json_array_size(a->plan->observers));
	return err;
}

static json_t *pack_symbols(const struct symbols *s)
{
	json_t *symbols = json_object();
	char text[24];
	int i;

	for (i = 0; i < SYMBOLS_NR; i++) {
		if (!s->addr[i])
			continue;
		snprintf(text, sizeof(text), "0x%" PRIx64, s->addr[i]);
		json_object_set_new(symbols, symbol_names[i],
				    json_string(text));
	}
	return symbols;
}

static json_t *file_text(const char *path)
{
	char text[512];

	sysfile_read(text, sizeof(text), "%s", path);
	return json_text(text, sizeof(text));
}

static int stage_hello(struct agent *a)
{
	struct utsname uts;
	struct symbols symbols;
	char code_phys[24];
	uint64_t floor_ns = time_floor_measure();
	int err = symbols_read("", &symbols);

	if (!err && uname(&uts))
		err = -errno;
	if (err) {
		snprintf(a->err_msg, sizeof(a->err_msg),
			 "kernel symbols: %s", strerror(-err));
		return err;
	}
	snprintf(code_phys, sizeof(code_phys), "0x%" PRIx64,
		 symbols.kernel_code_phys);
	return port_send_json(
		&a->port, KTSTR_MSG_HELLO,
		json_pack("{s:s,s:o,s:s,s:I,s:I,s:i,s:I,s:o,s:s,s:i,s:o}",
			  "release", uts.release, "version",
			  file_text("/proc/version"), "agent_version",
			  AGENT_VERSION, "boot_ns", (json_int_t)a->boot_ns,
			  "now_ns", (json_int_t)clock_now_ns(), "cpus_online",
			  (int)sysconf(_SC_NPROCESSORS_ONLN), "time_floor_ns",
			  (json_int_t)floor_ns, "symbols",
			  pack_symbols(&symbols), "kernel_code_phys", code_phys,
			  "levels", symbols.levels, "clocksource",
			  file_text(CLOCKSOURCE_PATH)));
}

static int stage_topology(struct agent *a)
{
	static struct topology topology;
	json_t *errors = json_array();
	bool ok;
	int err;

	err = topology_read("", &topology, a->err_msg, sizeof(a->err_msg));
	if (err) {
		json_decref(errors);
		return err;
	}
	ok = topology_compare(&topology, &a->plan->topology, errors);
	if (!ok)
		snprintf(a->err_msg, sizeof(a->err_msg),
			 "the guest is not the machine asked for: %s",
			 json_string_value(json_array_get(errors, 0)));
	err = port_send_json(&a->port, KTSTR_MSG_TOPOLOGY,
			     topology_report(&topology, ok, errors));
	return ok ? err : -EUCLEAN;
}

static int stage_disks(struct agent *a)
{
	const struct timespec pause = clock_to_timespec(10 * NSEC_PER_MSEC);
	uint64_t end = clock_now_ns() + DISK_WAIT_NS;
	int err;

	/* A device is probed after its module is in: it may take a moment. */
	while ((err = disks_link(a->plan, NULL, a->err_msg,
				 sizeof(a->err_msg))) == -ENODEV &&
	       clock_now_ns() < end)
		nanosleep(&pause, NULL);
	return err;
}

static int stage_shm(struct agent *a)
{
	int err;

	if (!a->plan->nr_workers)
		return 0; /* nobody to write to it */
	err = shm_create(&a->shm, a->plan);
	if (err) {
		snprintf(a->err_msg, sizeof(a->err_msg),
			 "shared region for %u workers: %s",
			 a->plan->nr_workers, strerror(-err));
		return err;
	}
	return port_send_json(&a->port, KTSTR_MSG_SHM,
			      json_pack("{s:I,s:I}", "map_id",
					(json_int_t)a->shm.map_id, "bytes",
					(json_int_t)a->shm.hdr->total_bytes));
}

static int stage_workers(struct agent *a)
{
	uint64_t end = clock_now_ns() + WORKERS_WAIT_NS;
	int err;

	if (!a->plan->nr_workers)
		return 0;
	err = workers_spawn(a->plan, a->shm.hdr, NULL, &a->workers, a->err_msg,
			    sizeof(a->err_msg));
	if (err)
		return err;
	/* In slices, so that the host is heard meanwhile. */
	do {
		err = workers_wait_ready(&a->workers, 100 * NSEC_PER_MSEC,
					 a->err_msg, sizeof(a->err_msg));
		agent_pump(a, 0);
		if (a->stop)
			return STAGE_END;
	} while (err == -ETIMEDOUT && clock_now_ns() < end);
	return err;
}

/* After the workers are there to be watched; before the scheduler rules. */
static int stage_observers(struct agent *a)
{
	const struct observer_env env = {
		.dir = KTSTR_OBS_DIR,
		.plan = a->plan,
		.shm = &a->shm,
		.workers = &a->workers,
	};
	json_t *name;
	size_t i;

	json_array_foreach(a->plan->observers, i, name) {
		if (i == OBS_NR)
			break;
		port_send_json(&a->port, KTSTR_MSG_OBSERVER,
			       observer_start(&a->observers.v[i],
					      json_string_value(name), &env));
		a->observers.nr = i + 1;
		agent_pump(a, 0);
	}
	return 0;
}

static bool sched_is_starting(const struct agent *a)
{
	return a->sched.phase == SCHED_LOADING ||
	       a->sched.phase == SCHED_LOADED;
}

static int stage_sched(struct agent *a)
{
	uint64_t end = clock_now_ns() + SCHED_WAIT_NS;
	int err;

	if (!a->plan->has_sched)
		return 0;
	err = init_kernel_config();
	a->maps_before = sched_exec_last_map();
	if (!err)
		err = sched_start(&a->sched, &a->plan->sched, clock_now_ns());
	if (err) {
		snprintf(a->err_msg, sizeof(a->err_msg),
			 "start the scheduler's loader: %s", strerror(-err));
		return err;
	}
	while (sched_is_starting(a) && !a->stop && clock_now_ns() < end)
		agent_pump(a, end);
	if (sched_is_starting(a) && !a->stop)
		port_send_json(&a->port, KTSTR_MSG_SCHED,
			       sched_give_up(&a->sched, clock_now_ns()));
	return a->sched.phase == SCHED_FAILED || a->stop ? STAGE_END : 0;
}

/* `ktstr exec`: instead of workers and phases. */
static int stage_exec(struct agent *a)
{
	json_t *spec = json_object_get(a->plan->root, "exec");
	int err;

	if (!spec)
		return 0;
	err = exec_start(&a->exec, spec);
	if (err) {
		snprintf(a->err_msg, sizeof(a->err_msg),
			 "start the program: %s", strerror(-err));
		return err;
	}
	while (!exec_is_over(&a->exec) && !a->stop)
		agent_pump(a, clock_now_ns() + NSEC_PER_SEC);
	if (exec_is_over(&a->exec))
		port_send_json(&a->port, KTSTR_MSG_EXEC_EXIT,
			       exec_end(&a->exec));
	return STAGE_END;
}

static int stage_ready(struct agent *a)
{
	return port_send_json(&a->port, KTSTR_MSG_READY,
			      json_pack("{s:i,s:i,s:o*}", "workers",
					a->plan->nr_workers, "tracing_programs",
					observer_count_tracing(), "leaves",
					workers_leaves(&a->workers)));
}

static int stage_phases(struct agent *a)
{
	int err;

	phase_init(&a->phases, a->plan->phases, a->plan->nr_phases);
	err = agent_run_phases(a);
	if (err)
		snprintf(a->err_msg, sizeof(a->err_msg),
			 "the host did not answer PHASE_READY");
	return err;
}

/* Return: 0; STAGE_END: go no further, but nothing is wrong; -errno. */
static const struct stage {
	const char *name;
	int (*run)(struct agent *a);
} stages[] = {
	{ "plan", stage_plan },
	{ "hello", stage_hello },
	{ "topology", stage_topology },
	{ "disks", stage_disks },
	{ "shm", stage_shm },
	{ "workers", stage_workers },
	{ "observers", stage_observers },
	{ "scheduler", stage_sched },
	{ "exec", stage_exec },
	{ "ready", stage_ready },
	{ "phases", stage_phases },
};

static void send_fatal(struct agent *a, const char *stage, int err)
{
	const char *what = a->err_msg[0] ? a->err_msg : strerror(-err);

	port_send_json(&a->port, KTSTR_MSG_FATAL,
		       json_pack("{s:s,s:s,s:i,s:o}", "stage", stage, "what",
				 stage, "errno", -err, "message",
				 json_text(what, sizeof(a->err_msg))));
}

static void run_stages(struct agent *a)
{
	size_t i;
	int ret;

	for (i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		a->err_msg[0] = '\0';
		ret = stages[i].run(a);
		if (ret < 0)
			send_fatal(a, stages[i].name, ret);
		if (ret)
			return;
		agent_pump(a, 0);
		if (a->stop)
			return;
	}
}

static bool sched_is_disabled(void)
{
	char state[32];

	sched_read_state(state);
	return !state[0] || !strcmp(state, "disabled");
}

static void wait_disabled(struct agent *a, uint64_t wait_ns)
{
	uint64_t end = clock_now_ns() + wait_ns;

	while (!sched_is_disabled() && clock_now_ns() < end)
		agent_pump(a, clock_now_ns() + 10 * NSEC_PER_MSEC);
}

/*
 * The loader is scheduled by what it is to detach, and may never get to it;
 * SysRq-S works in the kernel alone.
 */
static void detach_sched(struct agent *a)
{
	uint64_t start_ns = clock_now_ns(), end = start_ns + DETACH_WAIT_NS;
	json_t *gone;

	while (a->sched.phase == SCHED_ENDING && clock_now_ns() < end)
		agent_pump(a, end);
	if (a->sched.phase != SCHED_LOADING && a->sched.phase != SCHED_LOADED &&
	    a->sched.phase != SCHED_ATTACHED) {
		sched_kill(&a->sched);
		return;
	}
	sched_ask_detach(&a->sched, start_ns);
	while (a->sched.phase == SCHED_DETACHING && a->sched.fd >= 0 &&
	       clock_now_ns() < end)
		agent_pump(a, end);
	if (!sched_is_disabled()) {
		log_warn("sched: not detached after %u ms, using SysRq-S",
			 (unsigned int)((clock_now_ns() - start_ns) /
					NSEC_PER_MSEC));
		sysfile_write("/proc/sysrq-trigger", "S");
		wait_disabled(a, DETACH_WAIT_NS);
		a->sched.detach_ns = clock_now_ns() - start_ns;
	}
	agent_forward_kmsg(a);
	gone = sched_detached(&a->sched, &a->kmsg.exit, clock_now_ns());
	if (gone)
		port_send_json(&a->port, KTSTR_MSG_SCHED, gone);
	sched_kill(&a->sched);
}

/* A program may take longer than a worker of ours. */
static uint64_t stop_grace_ns(const struct agent *a)
{
	unsigned int i;

	for (i = 0; i < a->workers.nr; i++)
		if (a->workers.workers[i].exec)
			return STOP_GRACE_NS + LOAD_EXEC_GRACE_NS;
	return STOP_GRACE_NS;
}

static void finish(struct agent *a)
{
	char state[32];
	json_t *text;

	exec_kill(&a->exec);
	/* First the scheduler: a bad one would not let the workers stop. */
	detach_sched(a);
	if (a->workers.nr && workers_stop(&a->workers, stop_grace_ns(a)))
		log_warn("agent: some workers can't be stopped");
	observers_stop(&a->observers);
	agent_send_programs(a);
	workers_fini(&a->workers);
	if (a->port.dropped)
		log_warn("agent: the host was slow, %" PRIu64 " messages dropped",
			 a->port.dropped);
	agent_forward_kmsg(a);
	sched_read_state(state);
	text = state[0] ? json_text(state, sizeof(state)) : json_null();
	port_send_json(&a->port, KTSTR_MSG_DONE,
		       json_pack("{s:o,s:I}", "sched_state", text, "detach_ns",
				 (json_int_t)a->sched.detach_ns));
}

/* The host ends the VM when it has read DONE; without a host, end it here. */
static _Noreturn void leave(struct agent *a)
{
	uint64_t end;

	port_flush(&a->port, FLUSH_WAIT_NS);
	end = clock_now_ns() + GOODBYE_NS;
	while (a->port.fd >= 0 && clock_now_ns() < end)
		agent_pump(a, end);
	sync();
	reboot(RB_AUTOBOOT);
	_exit(1);
}

/* Nobody can be told but whoever reads the console. */
static _Noreturn void die_on_console(const char *stage, int err,
				     const char *message)
{
	printf("ktstr-agent: FATAL stage=%s errno=%d %s\n", stage, -err,
	       message[0] ? message : strerror(-err));
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	_exit(1);
}

/* What comes before there is a port: its first error is told when there is. */
static int bring_up(struct agent *a, const char **stage)
{
	int err = init_mounts(a->err_msg, sizeof(a->err_msg));

	*stage = "mounts";
	if (err)
		return err;
	err = init_supervisor();
	*stage = "supervisor";
	if (err)
		return err;
	err = agent_open_loop(a);
	*stage = "loop";
	if (err)
		return err;
	err = module_load_all(MODULE_DIR, a->err_msg, sizeof(a->err_msg));
	*stage = "modules";
	return err;
}

static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

int main(void)
{
	static struct agent a = {
		.port = { .fd = -1 },
		.kmsg = { .fd = -1 },
		.shm = SHM_INIT,
		.sched = SCHED_INIT,
		.exec = EXEC_INIT,
		.signal_fd = -1,
		.timer_fd = -1,
	};
	const char *stage;
	int err, port_err;

	if (getpid() != 1) {
		fprintf(stderr, "ktstr-agent " AGENT_VERSION
			": the guest's PID 1, started by ktstr run\n");
		return 2;
	}
	a.boot_ns = boottime_ns();
	err = bring_up(&a, &stage);
	port_err = port_open(&a.port, PORT_WAIT_NS);
	if (port_err)
		die_on_console(err ? stage : "port", err ? err : port_err,
			       a.err_msg);
	log_set_sink(log_to_host, &a);
	if (err) {
		send_fatal(&a, stage, err);
	} else {
		kmsg_open(&a.kmsg);
		init_sysctls();
		run_stages(&a);
	}
	finish(&a);
	leave(&a);
}
