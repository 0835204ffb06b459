// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile agent, from its first byte to the verdict: what stands in for the
 * VM here hands the session bytes of the port, words of the shared region and
 * looks of the monitor that the input makes up. The session has to end well,
 * with facts that the judge takes.
 *
 * The VM and the sampler are replaced as the libraries they are, at the link:
 * their own guests and readers are fuzzed and tested where they live.
 */
#include "runner/fuzz/fuzz.h"

#include "lib/frame.h"
#include "lib/log.h"
#include "lib/path.h"
#include "runner/cmd.h"
#include "runner/judge.h"
#include "runner/sampler.h"
#include "vmm/vmm.h"

#include <errno.h>
#include <unistd.h>

#define WORKERS 4
#define PHASES 2
#define FACTS_MAX (16u << 20)

static const char plan_text[] =
	"{\"schema\": \"ktstr.plan/1\", \"seed\": 7,"
	" \"vm\": {\"cpus\": 2, \"memory_bytes\": 268435456,"
	"  \"deadline_ns\": 60000000000,"
	"  \"topology\": {\"nodes\": 1, \"llcs\": 1, \"cores_per_llc\": 2,"
	"   \"threads_per_core\": 1}},"
	" \"kernel\": {\"release\": \"7.3\", \"hash\": \"00\"},"
	" \"scheduler\": {\"name\": \"simple\", \"kind\": \"builtin\","
	"  \"expect\": \"running\"},"
	" \"telemetry\": {\"interval_ns\": 10000000, \"maps\": [\"stat*\"],"
	"  \"observers\": [\"wake_latency\", \"io_completion\", \"who_ran\","
	"   \"work_conservation\"]},"
	" \"disks\": [{\"name\": \"data\", \"size_bytes\": 1048576,"
	"  \"read_only\": false, \"tolerance_ratio\": 0.05,"
	"  \"throttle\": {\"iops\": 100, \"bps\": 0, \"burst_ns\": 0}}],"
	" \"workloads\": [{\"name\": \"reader\", \"workers\": 2,"
	"   \"disk\": \"data\"}, {\"name\": \"web\", \"workers\": 1},"
	"  {\"name\": \"prog\", \"kind\": \"exec\", \"workers\": 1,"
	"   \"exec\": {\"program\": \"/bin/p\", \"argv\": [\"/bin/p\"],"
	"    \"match\": {\"time\": \"Time: ([0-9.]+)\"}}}],"
	" \"phases\": [{\"name\": \"warm\", \"measure\": false,"
	"   \"duration_ns\": 10000000},"
	"  {\"name\": \"main\", \"measure\": true, \"duration_ns\": 20000000,"
	"   \"do\": [{\"set_throttle\": {\"disk\": \"data\", \"iops\": 50}},"
	"    {\"freeze\": {\"name\": \"now\", \"after_ns\": 0}},"
	"    {\"freeze\": {\"name\": null, \"after_ns\": 5000}},"
	"    {\"write_map\": {\"var\": \"budget\", \"value\": 5}}]}]}";

static const char checks_text[] =
	"{\"automatic\": {\"progress\": true, \"gap_ns\": 2000000000,"
	"  \"cpuset\": true, \"scheduler\": true, \"disk\": true,"
	"  \"telemetry\": 0.9, \"guest\": true, \"fairness\": 0.5,"
	"  \"noise\": 0.5},"
	" \"checks\": [{\"metric\": \"web.wake_latency.p99\","
	"   \"phase\": \"main\", \"op\": \"max\", \"limit\": 50000000,"
	"   \"unit\": \"ns\"},"
	"  {\"metric\": \"map.stats[0].delta\", \"phase\": null, \"op\": \"min\","
	"   \"limit\": 1, \"unit\": \"\"},"
	"  {\"metric\": \"prog.match.time\", \"phase\": null, \"op\": \"max\","
	"   \"limit\": 5, \"unit\": \"\"},"
	"  {\"metric\": \"sched.psi.cpu_some\", \"phase\": \"main\","
	"   \"op\": \"max\", \"limit\": 5, \"unit\": \"ns\"},"
	"  {\"metric\": \"reader.io_wake.p99\", \"phase\": null, \"op\": \"max\","
	"   \"limit\": 1000, \"unit\": \"ns\"},"
	"  {\"metric\": \"sched.state\", \"phase\": \"main\", \"op\": \"equals\","
	"   \"limit\": \"enabled\", \"unit\": \"\"}], \"ratios\": []}";

/* What a good agent says, with room for two numbers. */
static const struct message {
	uint16_t type;
	const char *text;
} messages[] = {
	{ KTSTR_MSG_HELLO,
	  "{\"release\": \"7.3\", \"levels\": %u, \"kernel_code_phys\": \"%x\","
	  " \"symbols\": {\"runqueues\": \"ffffffff81000000\"},"
	  " \"time_floor_ns\": 60, \"clocksource\": \"tsc\"}" },
	{ KTSTR_MSG_TOPOLOGY, "{\"ok\": true, \"n\": %u, \"errors\": [\"%x\"]}" },
	{ KTSTR_MSG_SHM, "{\"map_id\": %u, \"bytes\": %u}" },
	{ KTSTR_MSG_SCHED,
	  "{\"state\": \"loaded\", \"load_ns\": %u,"
	  " \"maps\": [{\"name\": \"stats\", \"id\": %u}]}" },
	{ KTSTR_MSG_SCHED, "{\"state\": \"attached\", \"attach_ns\": %u%u}" },
	{ KTSTR_MSG_SCHED,
	  "{\"state\": \"failed\", \"stage\": \"load\", \"message\": \"%u %x\"}" },
	{ KTSTR_MSG_SCHED,
	  "{\"state\": \"gone\", \"exit\": {\"kind\": \"error\", \"code\": %u,"
	  " \"reason\": \"%x\"}}" },
	{ KTSTR_MSG_READY,
	  "{\"workers\": %u, \"n\": %u, \"leaves\": [1, \"x\", 0, -3]}" },
	{ KTSTR_MSG_PHASE_READY, "{\"index\": %u, \"n\": %u}" },
	{ KTSTR_MSG_PHASE_START, "{\"index\": %u, \"guest_ns\": %u}" },
	{ KTSTR_MSG_PHASE_END,
	  "{\"index\": %u, \"guest_ns\": %u0, \"sched_state\": \"enabled\"}" },
	{ KTSTR_MSG_CLOCK, "{\"point\": %u, \"n\": %u}" },
	{ KTSTR_MSG_FATAL,
	  "{\"stage\": \"mount\", \"errno\": %u, \"message\": \"%x\"}" },
	{ KTSTR_MSG_DONE, "{\"n\": %u, \"m\": %u}" },
	{ KTSTR_MSG_KMSG, "6,1,1,-;BUG: soft lockup %u\n6,1,2,-;%x\n" },
	{ KTSTR_MSG_LOG, "worker %u: %x" },
	{ KTSTR_MSG_OBSERVER,
	  "{\"name\": \"wake_latency\", \"state\": \"attached\","
	  " \"programs\": 4, \"map_id\": %u, \"bytes\": 19136, \"n\": %u}" },
	{ KTSTR_MSG_OBSERVER,
	  "{\"name\": \"wake_latency\", \"state\": \"failed\","
	  " \"errno\": %u, \"message\": \"%x\"}" },
	{ KTSTR_MSG_OBSERVER,
	  "{\"name\": \"io_completion\", \"state\": \"attached\","
	  " \"map_id\": %u, \"bytes\": 37056, \"without\": \"%x\"}" },
	{ KTSTR_MSG_OBSERVER,
	  "{\"name\": \"who_ran\", \"state\": \"attached\","
	  " \"map_id\": %u, \"bytes\": 2560, \"n\": %u}" },
	{ KTSTR_MSG_OBSERVER,
	  "{\"name\": \"work_conservation\", \"state\": \"attached\","
	  " \"map_id\": %u, \"bytes\": 128, \"n\": %u}" },
	{ KTSTR_MSG_PHASE_END,
	  "{\"index\": %u, \"guest_ns\": %u0, \"observers\":"
	  " {\"wake_latency\": {\"run_count\": 5, \"run_ns\": 7,"
	  " \"missed\": 0}}}" },
	{ KTSTR_MSG_WRITTEN,
	  "{\"id\": 100%u, \"ok\": true, \"message\": \"%x\"}" },
	{ KTSTR_MSG_LOAD_OUTPUT,
	  "{\"workload\": 2, \"worker\": %u, \"stream\": \"stdout\","
	  " \"bytes\": %u}\nTime: 3\n{\"a\": 1}\n" },
	{ KTSTR_MSG_LOAD_END,
	  "{\"workload\": 2, \"worker\": %u, \"exit\": %u}" },
};

#define NR_MESSAGES (sizeof(messages) / sizeof(messages[0]))

/* The region as a good agent lays it out. */
struct region {
	struct ktstr_shm_hdr hdr;
	struct ktstr_worker workers[WORKERS];
	struct ktstr_cell cells[WORKERS * PHASES];
	struct ktstr_io_ring rings[WORKERS];
};

static struct fuzz_vm {
	struct fuzz_in in;
	const struct vm_ops *ops;
	void *ctx;
	bool stopped;
	bool frozen;
	int reason;
	uint32_t seq;
	struct region shm;
	uint64_t sampler;	/* which looks fail; 12 bits */
	uint64_t now;		/* of counters */
	void (*on_sample)(void *ctx, uint32_t phase);
	void *on_sample_ctx;
} g;

/* --- what stands in for the VM --- */

int vm_new(const struct vm_config *cfg, const struct vm_ops *ops, void *ctx,
	   struct vm **vm, char *err_msg, size_t err_len)
{
	g.ops = ops;
	g.ctx = ctx;
	*vm = (struct vm *)&g;
	return 0;
}

void vm_free(struct vm *vm)
{
}

const struct guest_mem *vm_guest_mem(const struct vm *vm)
{
	return NULL;
}

void vm_stop(struct vm *vm, int reason)
{
	if (!g.stopped)
		g.reason = reason;
	g.stopped = true;
}

/* The session's own frames must be sound. */
int vm_port_send(struct vm *vm, const void *data, size_t len)
{
	struct frame_reader r;
	struct frame f;

	if (g.sampler & 1)
		return -ENOBUFS;
	frame_reader_init(&r);
	must(!frame_reader_feed(&r, data, len));
	r.next_seq = ((const struct ktstr_frame_hdr *)data)->seq;
	must(frame_reader_next(&r, &f) == 1);
	must(frame_reader_next(&r, &f) == 0);
	frame_reader_fini(&r);
	return 0;
}

int vm_loop_add_fd(struct vm *vm, int fd, uint32_t events,
		   void (*fn)(void *ctx, uint32_t events), void *ctx)
{
	return 0;
}

void vm_loop_del_fd(struct vm *vm, int fd)
{
}

int vm_freeze(struct vm *vm, uint64_t timeout_ns)
{
	must(!g.frozen);
	if (g.sampler & 64)
		return -ETIMEDOUT;
	g.frozen = true;
	return 0;
}

uint64_t vm_thaw(struct vm *vm)
{
	g.frozen = false;
	return 0;
}

int vm_watch_write(struct vm *vm, uint64_t gva, unsigned int len,
		   void (*hit)(void *ctx, unsigned int vcpu), void *ctx)
{
	must(g.frozen);
	return g.sampler & 128 ? -ENOTTY : 0;
}

void vm_disk_set_throttle(struct vm *vm, unsigned int disk,
			  const struct vm_throttle *t)
{
	must(disk == 0);
}

void vm_disk_set_faults(struct vm *vm, unsigned int disk,
			const struct vm_disk_faults *f)
{
	must(disk == 0);
}

void vm_disk_stats_read(const struct vm *vm, unsigned int disk,
			struct vm_disk_stats *st)
{
	*st = (struct vm_disk_stats){ .at_ns = g.now++ };
}

void vm_disk_hist_read(const struct vm *vm, unsigned int disk,
		       enum vm_disk_hist which, struct ktstr_hist *h)
{
	memset(h, 0, sizeof(*h));
}

size_t vm_disk_trace_read(struct vm *vm, unsigned int disk,
			  struct vm_disk_io *io, size_t max, uint64_t *dropped)
{
	*dropped = 0;
	return 0;
}

void vm_vcpu_stats_read(const struct vm *vm, unsigned int vcpu,
			struct vm_vcpu_stats *st)
{
	must(vcpu < 2);
	*st = (struct vm_vcpu_stats){ .run_ns = g.now++ };
}

int vm_vcpu_time_read(const struct vm *vm, unsigned int vcpu,
		      struct vm_thread_time *now)
{
	if (g.sampler & 64)
		return -ESRCH;
	*now = (struct vm_thread_time){ .from_ns = g.now, .to_ns = g.now + 1,
					.run_ns = g.now, .wait_ns = g.now };
	g.now += 2;
	return 0;
}

uint64_t vm_worker_wait_ns(const struct vm *vm, unsigned int disk)
{
	return g.now++;
}

const char *vm_end_name(enum vm_end_kind kind)
{
	return "stopped";
}

/* --- what stands in for the sampler --- */

int sampler_new(const struct sampler_config *cfg, struct sampler **s,
		char *err_msg, size_t err_len)
{
	if (g.sampler & 2)
		return -EINVAL;
	*s = (struct sampler *)&g;
	return 0;
}

int sampler_start(struct sampler *s)
{
	return 0;
}

void sampler_stop(struct sampler *s)
{
}

void sampler_free(struct sampler *s)
{
}

void sampler_set_phase(struct sampler *s, uint32_t phase)
{
	must(phase < PHASES || phase == KTSTR_SHM_NO_PHASE);
}

void sampler_set_interval(struct sampler *s, uint64_t interval_ns)
{
}

void sampler_pause(struct sampler *s, bool pause)
{
}

void sampler_sched_json(const struct mon_sched *sched, json_t *to)
{
	must(g.frozen);
}

int sampler_watch(struct sampler *s, uint32_t map_id, uint64_t every_ns)
{
	return g.sampler & 4 ? -ENOENT : 0;
}

json_t *sampler_maps(struct sampler *s)
{
	return g.sampler & 8 ? NULL : json_pack("{s:{s:i}}", "stats", "a", 1);
}

json_t *sampler_map_numbers(struct sampler *s)
{
	return g.sampler & 8 ? NULL :
		json_pack("{s:f}", "stats[0]", (double)g.now++);
}

json_t *sampler_exit(const struct sampler *s)
{
	return NULL;
}

/* A number as the monitor has it: one beyond 2^53-1 is text. */
static json_t *json_from_number(json_int_t n)
{
	return n % 3 ? json_integer(n) : json_string("18446744073709551615");
}

/* Counts that a hostile guest makes up: they go back as well. */
json_t *sampler_details(struct sampler *s)
{
	const json_int_t n = (g.sampler & 512 ? -1 : 1) * (json_int_t)g.now++;

	if (g.sampler & 256)
		return NULL;
	return json_pack("{s:{s:{s:s, s:I, s:I, s:o}}, s:[{s:s, s:I}],"
			 " s:[{s:I}, {s:I}], s:o, s:n}",
			 "ops", "enqueue", "program", "p", "verified_insns", n,
			 "run_count", n, "run_ns", json_from_number(n),
			 "dsqs", "id", "1", "depth", n,
			 "schedstat", "switches", n, "switches", -n,
			 "psi", g.sampler & 1024 ? json_null() :
			 json_pack("{s:I, s:I, s:o}", "cpu_some_ns", n,
				   "io_some_ns", -n, "io_full_ns",
				   json_from_number(n)), "exit");
}

int sampler_sched(struct sampler *s, struct mon_sched *sched)
{
	memset(sched, 0, sizeof(*sched));
	return g.sampler & 16 ? -EIO : 0;
}

int sampler_tasks(struct sampler *s, struct mon_task *tasks, unsigned int max)
{
	must(g.frozen);
	tasks[0] = (struct mon_task){
		.cpu = g.now++, .pid = g.now % 4, .on_dsq = g.now & 1,
		.dsq_id = ~g.now, .dsq_nr = 1,
	};
	return g.sampler & 16 ? -EFAULT : 1;
}

int sampler_running(struct sampler *s, struct mon_task *tasks,
		    unsigned int max)
{
	must(g.frozen);
	tasks[0] = (struct mon_task){ .pid = g.now++ % 4, .running = true,
				      .cgroup = 1 };
	return g.sampler & 16 ? -EFAULT : 1;
}

int sampler_read_task(struct sampler *s, uint32_t pid, uint64_t *task,
		      struct mon_task_now *now)
{
	*now = (struct mon_task_now){ .doing = g.now++ % 5 };
	*task = g.now;
	return g.sampler & 16 ? -ESRCH : 0;
}

int sampler_exit_kind_kva(struct sampler *s, uint64_t *kva, unsigned int *len)
{
	*kva = 0;
	*len = 4;
	return g.sampler & 16 ? -EFAULT : 0;
}

int sampler_shm(struct sampler *s, uint32_t map_id, void *buf, size_t off,
		size_t len)
{
	if (g.sampler & 32 || off > sizeof(g.shm) ||
	    len > sizeof(g.shm) - off)
		return -EFAULT;
	memcpy(buf, (const char *)&g.shm + off, len);
	return 0;
}

int sampler_shm_hva(struct sampler *s, uint32_t map_id, size_t off, size_t len,
		    void **hva)
{
	return -ENOTSUP; /* an exchange of clocks takes its time */
}

void sampler_on_sample(struct sampler *s, void (*fn)(void *ctx, uint32_t phase),
		       void *ctx)
{
	g.on_sample = fn;
	g.on_sample_ctx = ctx;
}

const struct sampler_phase *sampler_phase(const struct sampler *s,
					  uint32_t phase)
{
	static const struct sampler_phase none;

	return s ? &none : NULL;
}

/* --- the agent --- */

static void init_shm(void)
{
	unsigned int i;

	memset(&g.shm, 0, sizeof(g.shm));
	g.shm.hdr = (struct ktstr_shm_hdr){
		.magic = KTSTR_SHM_MAGIC,
		.version = KTSTR_SHM_VERSION,
		.nr_workers = WORKERS,
		.nr_phases = PHASES,
		.workers_off = offsetof(struct region, workers),
		.cells_off = offsetof(struct region, cells),
		.cell_bytes = sizeof(struct ktstr_cell),
		.total_bytes = sizeof(g.shm),
		.rings_off = offsetof(struct region, rings),
		.ring_bytes = sizeof(struct ktstr_io_ring),
	};
	for (i = 0; i < WORKERS; i++)
		g.shm.workers[i].state = KTSTR_WORKER_RUNNING;
}

static void say(uint16_t type, const void *payload, size_t len)
{
	struct ktstr_frame_hdr hdr;

	must(!frame_hdr_fill(&hdr, type, g.seq++, payload, len));
	g.ops->port(g.ctx, &hdr, sizeof(hdr));
	if (len)
		g.ops->port(g.ctx, payload, len);
}

/* The next bytes of the input, no more than are left. */
static size_t rest(const uint8_t **data, size_t len)
{
	const size_t n = len < g.in.len ? len : g.in.len;

	*data = g.in.data;
	g.in.data += n;
	g.in.len -= n;
	return n;
}

static void say_message(void)
{
	const struct message *m = &messages[fuzz_take(&g.in, 1) % NR_MESSAGES];
	const unsigned int a = fuzz_take(&g.in, 1), b = fuzz_take(&g.in, 4);
	char text[512];

	snprintf(text, sizeof(text), m->text, a, b);
	say(m->type, text, strlen(text));
}

static void step(uint8_t op)
{
	const uint8_t *data;
	uint64_t at;
	size_t n;

	switch (op % 8) {
	case 0: /* bytes as they come */
		n = rest(&data, op / 8);
		if (n)
			g.ops->port(g.ctx, data, n);
		break;
	case 1: /* a frame of anything */
		at = fuzz_take(&g.in, 1);
		n = rest(&data, fuzz_take(&g.in, op & 128 ? 2 : 1));
		say(at, data, n);
		break;
	case 2:
		n = rest(&data, op / 8);
		g.ops->console(g.ctx, (const char *)data, n);
		break;
	case 3: /* any word of the region */
		at = fuzz_take(&g.in, 3) % sizeof(g.shm) & ~3ULL;
		n = fuzz_take(&g.in, op & 8 ? 4 : 1);
		memcpy((char *)&g.shm + at, &n, 4);
		break;
	case 4: /* and a sample */
		g.sampler ^= op & 128 ? fuzz_take(&g.in, 1) << 4 : op / 8;
		if (g.on_sample)
			g.on_sample(g.on_sample_ctx, 0);
		break;
	default:
		say_message();
		break;
	}
}

int vm_run(struct vm *vm, struct vm_end *end)
{
	g.ops->started(g.ctx);
	while (g.in.len && !g.stopped)
		step(fuzz_take(&g.in, 1));
	*end = (struct vm_end){
		.kind = g.stopped ? VM_END_STOPPED : VM_END_RESET,
		.reason = g.reason,
	};
	return 0;
}

/* --- around it --- */

static char in_dir[64], out_dir[64];

static void remove_dirs(void)
{
	path_remove_tree(in_dir);
	path_remove_tree(out_dir);
}

static void write_input(const char *name, const char *text)
{
	char *path = path_join(in_dir, name);

	must(path && !path_write_file(path, text, strlen(text)));
	free(path);
}

static void make_dirs(void)
{
	if (*in_dir)
		return;
	strcpy(in_dir, "/tmp/ktstr-fuzz-in.XXXXXX");
	strcpy(out_dir, "/tmp/ktstr-fuzz-out.XXXXXX");
	must(mkdtemp(in_dir) && mkdtemp(out_dir));
	atexit(remove_dirs);
	write_input("plan.json", plan_text);
	write_input("btf", "not read: the sampler is not the real one");
}

static void no_log(void *ctx, enum log_level level, const char *line)
{
}

static void check_facts(void)
{
	char *path = path_join(out_dir, "facts.json"), *text;
	json_t *plan = json_loads(plan_text, 0, NULL);
	json_t *checks = json_loads(checks_text, 0, NULL);
	struct judgement j;
	json_t *facts;
	size_t len;

	must(path && plan && checks);
	must(!path_read_file(path, FACTS_MAX, &text, &len));
	facts = json_loadb(text, len, 0, NULL);
	must(json_is_object(facts));
	must(json_array_size(json_object_get(facts, "phases")) == PHASES);
	must(!judge(plan, checks, facts, &j));
	must(*j.reason);
	must(json_array_size(j.checks));
	judge_fini(&j);
	json_decref(facts);
	json_decref(checks);
	json_decref(plan);
	free(text);
	unlink(path);
	free(path);
}

void fuzz_agent(const uint8_t *data, size_t len)
{
	char *argv[] = { "__vm", in_dir, out_dir, NULL };

	log_set_sink(no_log, NULL);
	make_dirs();
	memset(&g, 0, sizeof(g));
	g.in = (struct fuzz_in){ data, len };
	init_shm();
	must(cmd_vm(3, argv) == KTSTR_EXIT_PASS);
	check_facts();
}
