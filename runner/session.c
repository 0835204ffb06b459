// SPDX-License-Identifier: GPL-2.0-only
/* `ktstr __vm IN OUT`: one VM from the prepared folder to the facts. */
#include "runner/session.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/cmd.h"
#include "runner/io_wake.h"
#include "runner/observe.h"
#include "runner/progress.h"
#include "runner/sampler.h"

#include <bpf/libbpf.h>

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BTF_MAX (64u << 20)
#define SHM_MAX (256u << 20)

/* After Ctrl-C the agent gets this long to hand over what it has. */
#define INTERRUPT_GRACE_NS (2 * NSEC_PER_SEC)

/*
 * The kernel's command line. quiet: every console byte is an exit; reboot=k
 * with panic=-1: a panic ends the VM at once, through the keyboard
 * controller's port that the monitor watches.
 */
#define CMDLINE_BASE \
	"console=ttyS0 quiet loglevel=3 panic=-1 reboot=k rdinit=/init " \
	"psi=1 cgroup_no_v1=all random.trust_cpu=on 8250.nr_uarts=1"

static json_t *plan_get(const struct session *s, const char *group,
			const char *key)
{
	return json_object_get(json_object_get(s->plan, group), key);
}

unsigned int session_nr_cpus(const struct session *s)
{
	return json_integer_value(plan_get(s, "vm", "cpus"));
}

struct vm_vcpu_stats *session_mark_vcpus(const struct session *s)
{
	const unsigned int nr = session_nr_cpus(s);
	struct vm_vcpu_stats *marks = calloc(nr ? nr : 1, sizeof(*marks));
	unsigned int i;

	for (i = 0; marks && i < nr; i++)
		vm_vcpu_stats_read(s->vm, i, &marks[i]);
	return marks;
}

static struct disk_mark *mark_disks(const struct session *s)
{
	struct disk_mark *marks = calloc(s->nr_disks ? s->nr_disks : 1,
					 sizeof(*marks));
	unsigned int i;

	for (i = 0; marks && i < s->nr_disks; i++) {
		vm_disk_hist_read(s->vm, i, VM_DISK_HIST_QUEUE,
				  &marks[i].queue);
		vm_disk_hist_read(s->vm, i, VM_DISK_HIST_SERVICE,
				  &marks[i].service);
		vm_disk_hist_read(s->vm, i, VM_DISK_HIST_LATENESS,
				  &marks[i].lateness);
		vm_disk_stats_read(s->vm, i, &marks[i].stats);
	}
	return marks;
}

static int disk_by_name(const struct session *s, const char *name)
{
	unsigned int i;

	for (i = 0; name && i < s->nr_disks; i++)
		if (!strcmp(s->disk_names[i], name))
			return i;
	return -1;
}

static uint64_t u64_of(json_t *obj, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(obj, key));

	return value > 0 ? value : 0;
}

static struct vm_throttle throttle_of(json_t *t)
{
	return (struct vm_throttle){
		.iops = u64_of(t, "iops"),
		.bps = u64_of(t, "bps"),
		.burst_ns = u64_of(t, "burst_ns"),
		.latency_ns = u64_of(t, "latency_ns"),
		.jitter_ns = u64_of(t, "jitter_ns"),
	};
}

static struct vm_disk_faults faults_of(json_t *f)
{
	return (struct vm_disk_faults){
		.error_ppb = llround(1e9 * json_number_value(
			json_object_get(f, "error_ratio"))),
		.error_from = u64_of(f, "error_from"),
		.error_bytes = u64_of(f, "error_bytes"),
		.stall_ns = u64_of(f, "stall_ns"),
		.stall_every = u64_of(f, "stall_every"),
		.stall_at_ns = u64_of(f, "stall_at_ns"),
		.torn_writes = json_is_true(json_object_get(f, "torn_writes")),
	};
}

static void step_throttle(struct session *s, json_t *args)
{
	int disk = disk_by_name(s, json_string_value(
		json_object_get(args, "disk")));

	if (disk < 0)
		return;
	s->throttle[disk] = throttle_of(args);
	vm_disk_set_throttle(s->vm, disk, &s->throttle[disk]);
}

static void set_faults(struct session *s, const char *name, json_t *faults)
{
	const struct vm_disk_faults f = faults_of(faults);
	int disk = disk_by_name(s, name);

	if (disk >= 0)
		vm_disk_set_faults(s->vm, disk, &f);
}

static void step_faults(struct session *s, json_t *args)
{
	set_faults(s, json_string_value(json_object_get(args, "disk")), args);
}

/* A disk's own faults wait until now: they are not for the boot. */
static void begin_faults(struct session *s)
{
	json_t *d;
	size_t i;

	json_array_foreach(json_object_get(s->plan, "disks"), i, d)
		set_faults(s, json_string_value(json_object_get(d, "name")),
			   json_object_get(d, "faults"));
}

/* A step of a disk says all of what is in force from it on. */
static const struct host_step {
	const char *name;
	void (*run)(struct session *s, json_t *args);
} host_steps[] = {
	{ "set_throttle", step_throttle },
	{ "set_faults", step_faults },
	{ "freeze", session_look_step },
	{ "write_map", session_step_write },
};

bool session_phase_steps(struct session *s, uint32_t index)
{
	json_t *phase = json_array_get(json_object_get(s->plan, "phases"),
				       index);
	json_t *steps = json_object_get(phase, "do"), *args;
	size_t j;

	if (!index && !s->step)
		begin_faults(s);
	for (; s->step < json_array_size(steps); s->step++) {
		json_t *step = json_array_get(steps, s->step);

		for (j = 0; j < sizeof(host_steps) / sizeof(host_steps[0]);
		     j++) {
			args = json_object_get(step, host_steps[j].name);
			if (args)
				host_steps[j].run(s, args);
		}
		if (s->step_waits)
			return false;
	}
	return true;
}

uint64_t session_interval_ns(const struct session *s, uint32_t phase)
{
	json_t *plan = json_array_get(json_object_get(s->plan, "phases"),
				      phase);
	json_t *own = json_object_get(plan, "interval_ns");

	if (!json_is_integer(own))
		own = plan_get(s, "telemetry", "interval_ns");
	return json_integer_value(own);
}

void session_phase_begin(struct session *s, uint32_t index)
{
	struct phase_record *p = &s->phases[index];

	memcpy(p->asked, s->throttle, sizeof(p->asked));
	if (s->sampler) {
		p->numbers_start = sampler_map_numbers(s->sampler);
		p->details_start = sampler_details(s->sampler);
		p->have_sched_start =
			!sampler_sched(s->sampler, &p->sched_start);
	}
	sampler_set_interval(s->sampler, session_interval_ns(s, index));
	sampler_set_phase(s->sampler, index);
	p->begun = true;
	p->disks_start = mark_disks(s);
	p->vcpus_start = session_mark_vcpus(s);
	p->host_start_ns = clock_now_ns();
}

void session_phase_end(struct session *s, uint32_t index)
{
	struct phase_record *p = &s->phases[index];
	json_t *maps;

	p->host_end_ns = clock_now_ns();
	p->disks_end = mark_disks(s);
	p->vcpus_end = session_mark_vcpus(s);
	p->ended = true;
	io_wake_drain(s->io_wake, index);
	sampler_set_phase(s->sampler, KTSTR_SHM_NO_PHASE);
	sampler_set_interval(s->sampler,
			     session_interval_ns(s, KTSTR_SHM_NO_PHASE));
	if (!s->sampler)
		return;
	p->numbers_end = sampler_map_numbers(s->sampler);
	p->details_end = sampler_details(s->sampler);
	p->have_sched_end = !sampler_sched(s->sampler, &p->sched_end);
	maps = sampler_maps(s->sampler);
	if (maps) {
		json_decref(s->maps);
		s->maps = maps;
	}
	session_observe_phase_end(s, index);
	session_read_shm(s);
	if (s->shm) {
		const struct ktstr_shm_hdr *hdr = (void *)s->shm;

		p->workers = calloc(s->nr_workers, sizeof(*p->workers));
		if (p->workers)
			memcpy(p->workers, s->shm + hdr->workers_off,
			       s->nr_workers * sizeof(*p->workers));
	}
}

/* Is the header one that this plan's agent would have written? */
static bool shm_header_ok(const struct session *s,
			  const struct ktstr_shm_hdr *hdr)
{
	uint64_t workers_end, cells_end, rings_end;

	if (hdr->magic != KTSTR_SHM_MAGIC ||
	    hdr->version != KTSTR_SHM_VERSION ||
	    hdr->nr_workers != s->nr_workers ||
	    hdr->nr_phases != s->nr_phases ||
	    hdr->cell_bytes != sizeof(struct ktstr_cell) ||
	    hdr->total_bytes > SHM_MAX ||
	    hdr->ring_bytes != sizeof(struct ktstr_io_ring) ||
	    hdr->workers_off % 8 || hdr->cells_off % 8 || hdr->rings_off % 8 ||
	    hdr->workers_off < sizeof(*hdr))
		return false;
	workers_end = hdr->workers_off +
		(uint64_t)hdr->nr_workers * sizeof(struct ktstr_worker);
	cells_end = hdr->cells_off + (uint64_t)hdr->nr_workers *
		hdr->nr_phases * sizeof(struct ktstr_cell);
	rings_end = hdr->rings_off +
		(uint64_t)hdr->nr_workers * sizeof(struct ktstr_io_ring);
	return workers_end <= hdr->cells_off && cells_end <= hdr->rings_off &&
		rings_end <= hdr->total_bytes;
}

int session_shm_header(struct session *s, struct ktstr_shm_hdr *hdr)
{
	int err = sampler_shm(s->sampler, s->shm_map_id, hdr, 0, sizeof(*hdr));

	return err || shm_header_ok(s, hdr) ? err : -EPROTO;
}

void session_read_shm(struct session *s)
{
	struct ktstr_shm_hdr hdr;
	uint8_t *copy;
	int err;

	if (!s->sampler || !s->shm_map_id)
		return;
	err = session_shm_header(s, &hdr);
	if (err) {
		log_warn("session: shared region: %s", strerror(-err));
		return;
	}
	copy = malloc(hdr.total_bytes);
	if (!copy)
		return;
	err = sampler_shm(s->sampler, s->shm_map_id, copy, 0, hdr.total_bytes);
	/* the guest may have changed it since: the checked one counts */
	memcpy(copy, &hdr, sizeof(hdr));
	if (err) {
		log_warn("session: shared region, %u bytes: %s",
			 hdr.total_bytes, strerror(-err));
		free(copy);
		return;
	}
	free(s->shm);
	s->shm = copy;
	s->shm_bytes = hdr.total_bytes;
}

static uint64_t hex_member(json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text ? strtoull(text, NULL, 16) : 0;
}

void session_open_sampler(struct session *s)
{
	json_t *symbols = json_object_get(s->hello, "symbols");
	struct mon_guest_info info = {
		.kernel_code_phys = hex_member(s->hello, "kernel_code_phys"),
		.levels = json_integer_value(json_object_get(s->hello,
							     "levels")),
		.nr_cpus = session_nr_cpus(s),
	};
	struct sampler_config cfg = {
		.mem = vm_guest_mem(s->vm),
		.vm = s->vm,
		.disk_names = s->disk_names,
		.nr_disks = s->nr_disks,
		.info = &info,
		.btf = s->btf,
		.btf_len = s->btf_len,
		.interval_ns = session_interval_ns(s, KTSTR_SHM_NO_PHASE),
		.death_fd = session_looks_death_fd(s),
	};
	char why[256] = "";
	char *path;
	int err, i;

	if (!s->btf || !cfg.interval_ns) {
		log_warn("monitor: no BTF of the guest kernel: nothing is read");
		return;
	}
	for (i = 0; i < MON_SYM_NR; i++)
		info.sym[i] = hex_member(symbols, mon_symbol_names[i]);
	path = path_join(s->out_dir, "samples.jsonl");
	if (!path)
		return;
	cfg.out_path = path;
	err = sampler_new(&cfg, &s->sampler, why, sizeof(why));
	free(path);
	if (!err) {
		err = sampler_start(s->sampler);
		if (!err)
			return;
		sampler_free(s->sampler);
	}
	s->sampler = NULL;
	log_err("monitor: %s", *why ? why : strerror(-err));
}

/* The last glob that matches says how often; 0 is each sample. */
static bool wanted(const json_t *globs, const char *name, uint64_t *interval_ns)
{
	const json_t *glob;
	bool found = false;
	size_t i;

	json_array_foreach(globs, i, glob) {
		const char *pattern = json_string_value(
			json_object_get(glob, "name"));

		if (!pattern || fnmatch(pattern, name, 0))
			continue;
		found = true;
		*interval_ns = json_integer_value(
			json_object_get(glob, "interval_ns"));
	}
	return found;
}

void session_watch_maps(struct session *s, json_t *maps)
{
	const json_t *globs = plan_get(s, "telemetry", "maps");
	uint64_t interval_ns;
	json_t *map;
	size_t i;
	int err;

	json_array_foreach(maps, i, map) {
		const char *name =
			json_string_value(json_object_get(map, "name"));
		uint32_t id = json_integer_value(json_object_get(map, "id"));

		if (!s->sampler || !name ||
		    !wanted(globs, name, &interval_ns))
			continue;
		err = sampler_watch(s->sampler, id, interval_ns);
		if (err)
			log_warn("monitor: map %s, id %u: %s", name, id,
				 strerror(-err));
	}
}

static void on_console(void *ctx, const char *data, size_t len)
{
	struct session *s = ctx;

	console_log_add(&s->console, data, len);
}

static void on_port(void *ctx, const void *data, size_t len)
{
	session_on_bytes(ctx, data, len);
}

/* The overrun timer, and the grace after an interrupt. */
static void on_timer(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	uint64_t ticks;

	if (read(s->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	vm_stop(s->vm, s->signal ? SESSION_STOP_INTERRUPT :
		SESSION_STOP_OVERRUN);
}

static void on_signal(void *ctx, uint32_t events)
{
	struct itimerspec its = {
		.it_value = clock_to_timespec(INTERRUPT_GRACE_NS),
	};
	struct signalfd_siginfo si;
	struct session *s = ctx;

	if (read(s->signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (s->signal || s->stage < SESSION_HELLO) {
		s->signal = si.ssi_signo;
		vm_stop(s->vm, SESSION_STOP_INTERRUPT);
		return;
	}
	s->signal = si.ssi_signo;
	session_send(s, KTSTR_MSG_STOP,
		     json_pack("{s:s}", "reason", "interrupted"));
	if (timerfd_settime(s->timer_fd, 0, &its, NULL))
		vm_stop(s->vm, SESSION_STOP_INTERRUPT);
}

static void on_started(void *ctx)
{
	struct session *s = ctx;
	int err = vm_loop_add_fd(s->vm, s->signal_fd, EPOLLIN, on_signal, s);

	if (!err)
		err = vm_loop_add_fd(s->vm, s->timer_fd, EPOLLIN, on_timer, s);
	if (!err)
		err = session_progress_start(s);
	if (!err)
		err = session_looks_start(s);
	if (!err)
		err = session_gaps_start(s);
	if (err)
		log_err("session: main loop: %s", strerror(-err));
}

static const struct vm_ops vm_ops = {
	.console = on_console,
	.port = on_port,
	.started = on_started,
};

static unsigned int uint_of(json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

/*
 * The image of a disk that begins as a file: in IN, a link to the user's file or
 * a copy that nobody else has; or in OUT, a copy that goes back. @path is
 * allocated, and NULL without one.
 */
static int find_image(const struct session *s, json_t *disk, size_t index,
		      char **path, bool *own)
{
	char name[16];
	struct stat st;

	*path = NULL;
	if (!json_is_string(json_object_get(disk, "image")))
		return 0;
	snprintf(name, sizeof(name), "disk-%zu", index);
	*path = path_join(s->in_dir, name);
	if (*path && lstat(*path, &st) && errno == ENOENT) {
		free(*path);
		*path = path_join(s->out_dir, name);
	}
	if (!*path)
		return -ENOMEM;
	if (lstat(*path, &st)) {
		log_err("session: %s: %s", *path, strerror(errno));
		return -errno;
	}
	*own = S_ISREG(st.st_mode);
	return 0;
}

static int disks_of_plan(struct session *s, struct vm_disk_config *disks)
{
	json_t *list = json_object_get(s->plan, "disks"), *d;
	size_t i;
	int err;

	if (json_array_size(list) > SESSION_MAX_DISKS)
		return -E2BIG;
	json_array_foreach(list, i, d) {
		bool own = false;

		s->disk_names[i] =
			json_string_value(json_object_get(d, "name"));
		s->throttle[i] = throttle_of(json_object_get(d, "throttle"));
		disks[i] = (struct vm_disk_config){
			.name = s->disk_names[i],
			.size_bytes = json_integer_value(
				json_object_get(d, "size_bytes")),
			.read_only = json_is_true(
				json_object_get(d, "read_only")),
			.throttle = s->throttle[i],
			.seed = u64_of(d, "seed"),
			.queues = u64_of(d, "queues"),
		};
		if (!disks[i].name)
			return -EINVAL;
		err = find_image(s, d, i, &s->images[i], &own);
		if (err)
			return err;
		disks[i].image_path = s->images[i];
		disks[i].keep_writes = own ||
			json_is_true(json_object_get(d, "keep_writes"));
	}
	s->nr_disks = json_array_size(list);
	return 0;
}

static void count_workers(struct session *s)
{
	json_t *w;
	size_t i;

	json_array_foreach(json_object_get(s->plan, "workloads"), i, w)
		s->nr_workers += uint_of(w, "workers");
	s->nr_phases = json_array_size(json_object_get(s->plan, "phases"));
}

static char *cmdline_of(const struct session *s)
{
	const char *extra = json_string_value(plan_get(s, "vm",
						       "cmdline_extra"));
	char *cmdline;

	if (asprintf(&cmdline, "%s%s%s", CMDLINE_BASE,
		     extra && *extra ? " " : "", extra ? extra : "") < 0)
		return NULL;
	return cmdline;
}

static enum vm_transport transport_of(const struct session *s)
{
	const char *name = json_string_value(plan_get(s, "vm", "transport"));

	return name && !strcmp(name, "mmio") ? VM_TRANSPORT_MMIO :
					       VM_TRANSPORT_PCI;
}

/* Build the VM that the plan describes and run it to its end. */
static int run_vm(struct session *s)
{
	json_t *topo = plan_get(s, "vm", "topology");
	struct vm_disk_config disks[SESSION_MAX_DISKS];
	struct vm_config cfg = {
		.topology = {
			.packages = uint_of(topo, "packages"),
			.nodes = uint_of(topo, "nodes"),
			.llcs = uint_of(topo, "llcs"),
			.cores_per_llc = uint_of(topo, "cores_per_llc"),
			.threads_per_core = uint_of(topo, "threads_per_core"),
		},
		.memory_bytes = json_integer_value(plan_get(s, "vm",
							    "memory_bytes")),
		.deadline_ns = json_integer_value(plan_get(s, "vm",
							   "deadline_ns")),
		.transport = transport_of(s),
		.disks = disks,
	};
	char why[256] = "";
	char *kernel = path_join(s->in_dir, "kernel");
	char *initrd = path_join(s->in_dir, "initrd");
	char *cmdline = cmdline_of(s);
	int err = -ENOMEM;

	if (!kernel || !initrd || !cmdline)
		goto out;
	err = disks_of_plan(s, disks);
	if (err)
		goto out;
	cfg.nr_disks = s->nr_disks;
	cfg.kernel_path = kernel;
	cfg.initrd_path = initrd;
	cfg.cmdline = cmdline;
	s->start_ns = clock_now_ns();
	err = vm_new(&cfg, &vm_ops, s, &s->vm, why, sizeof(why));
	if (err) {
		log_err("vm: %s", *why ? why : strerror(-err));
		goto out;
	}
	err = vm_run(s->vm, &s->end);
	if (err)
		log_err("vm: threads: %s", strerror(-err));
	s->end_ns = clock_now_ns();
out:
	free(kernel);
	free(initrd);
	free(cmdline);
	return err;
}

static int write_facts(struct session *s)
{
	json_t *facts = session_facts(s);
	char *text = facts ? json_dumps(facts, JSON_INDENT(1)) : NULL;
	char *path = path_join(s->out_dir, "facts.json");
	int err = text && path ? path_write_file(path, text, strlen(text)) :
		-ENOMEM;

	if (err)
		log_err("session: facts.json: %s", strerror(-err));
	free(path);
	free(text);
	json_decref(facts);
	return err;
}

static int open_inputs(struct session *s)
{
	json_error_t jerr;
	char *path;
	int err;

	path = path_join(s->in_dir, "plan.json");
	s->plan = path ? json_load_file(path, 0, &jerr) : NULL;
	if (!s->plan) {
		log_err("session: %s:%d: %s", path, jerr.line, jerr.text);
		free(path);
		return -EINVAL;
	}
	free(path);
	count_workers(s);
	if (!s->nr_phases || s->nr_phases > SESSION_MAX_PHASES) {
		log_err("session: plan has %u phases", s->nr_phases);
		return -EINVAL;
	}
	path = path_join(s->in_dir, "btf");
	err = path ? path_read_file(path, BTF_MAX, &s->btf, &s->btf_len) :
		-ENOMEM;
	free(path);
	return err == -ENOENT ? 0 : err;
}

static int open_outputs(struct session *s)
{
	char *console = path_join(s->out_dir, "console.log");
	char *agent = path_join(s->out_dir, "agent.log");
	int err = console && agent ? console_log_open(&s->console, console) :
		-ENOMEM;

	if (!err) {
		s->agent_log = fopen(agent, "we");
		if (!s->agent_log)
			err = -errno;
	}
	if (err)
		log_err("session: %s: %s", s->out_dir, strerror(-err));
	free(console);
	free(agent);
	return err;
}

static int open_fds(struct session *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	/* before any thread: they inherit it */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	/* a write beyond a limit of ours is the guest's IO error */
	signal(SIGXFSZ, SIG_IGN);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	return s->signal_fd < 0 || s->timer_fd < 0 ? -errno : 0;
}

static void session_close(struct session *s)
{
	unsigned int i;

	sampler_free(s->sampler);
	io_wake_free(s->io_wake);
	observe_free(s->observe);
	vm_free(s->vm);
	for (i = 0; i < SESSION_MAX_PHASES; i++) {
		struct phase_record *p = &s->phases[i];

		free(p->disks_start);
		free(p->disks_end);
		free(p->vcpus_start);
		free(p->vcpus_end);
		free(p->workers);
		json_decref(p->numbers_start);
		json_decref(p->numbers_end);
		json_decref(p->details_start);
		json_decref(p->details_end);
		json_decref(p->end_msg);
	}
	for (i = 0; i < SESSION_MAX_DISKS; i++)
		free(s->images[i]);
	session_exec_close(s);
	session_load_close(s);
	session_progress_close(s);
	session_looks_close(s);
	session_gaps_close(s);
	frame_reader_fini(&s->reader);
	console_log_close(&s->console);
	if (s->agent_log)
		fclose(s->agent_log);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->timer_fd >= 0)
		close(s->timer_fd);
	json_decref(s->hello);
	json_decref(s->topology);
	json_decref(s->fatal);
	json_decref(s->done);
	json_decref(s->sched);
	json_decref(s->kmsg_problems);
	json_decref(s->tracing_programs);
	json_decref(s->leaves);
	json_decref(s->steps);
	json_decref(s->maps);
	json_decref(s->plan);
	free(s->shm);
	free(s->btf);
}

/* What libbpf says of a guest's broken BTF is the guest's to have said. */
static int libbpf_quiet(enum libbpf_print_level level, const char *fmt,
			va_list ap)
{
	return 0;
}

static int exec_watch(struct session *s, int fd, uint32_t events,
		      void (*fn)(void *ctx, uint32_t events))
{
	return vm_loop_add_fd(s->vm, fd, events, fn, s);
}

static void exec_unwatch(struct session *s, int fd)
{
	vm_loop_del_fd(s->vm, fd);
}

static const struct session_exec_ops exec_ops = {
	.send = session_send_bytes,
	.watch = exec_watch,
	.unwatch = exec_unwatch,
};

int cmd_vm(int argc, char **argv)
{
	bool progress = argc > 1 && !strcmp(argv[1], PROGRESS_OPTION);
	struct session *s;
	int err;

	argc -= progress;
	argv += progress;
	if (argc != 3) {
		log_err("usage: ktstr __vm [" PROGRESS_OPTION
			"] IN OUT (ktstr run starts it)");
		return KTSTR_EXIT_USAGE;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return KTSTR_EXIT_ERROR;
	s->in_dir = argv[1];
	s->out_dir = argv[2];
	s->signal_fd = s->timer_fd = -1;
	s->phase = KTSTR_SHM_NO_PHASE;
	s->kmsg_problems = json_array();
	s->steps = json_array();
	frame_reader_init(&s->reader);
	libbpf_set_print(libbpf_quiet);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	err = open_fds(s);
	if (!err && progress)
		err = session_progress_open(s);
	if (!err)
		err = open_inputs(s);
	if (!err)
		err = open_outputs(s);
	if (!err)
		err = session_looks_open(s);
	if (!err)
		err = session_gaps_open(s);
	if (!err)
		err = session_exec_open(s, &exec_ops);
	if (!err)
		err = session_load_open(s);
	if (!err)
		err = session_observe_open(s);
	if (!err)
		err = run_vm(s);
	if (!err)
		err = session_exec_finish(s);
	if (!err) {
		/* whatever ended it: guest memory is still there */
		session_read_shm(s);
		session_observe_phase_end(s, KTSTR_SHM_NO_PHASE);
		if (s->sampler && !s->maps)
			s->maps = sampler_maps(s->sampler);
		sampler_stop(s->sampler);
		err = write_facts(s);
	}
	session_close(s);
	free(s);
	return err ? KTSTR_EXIT_ERROR : KTSTR_EXIT_PASS;
}
