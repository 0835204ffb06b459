// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM on the real /dev/kvm, with guests of a few instructions: general
 * registers and ports only, so that they also run where a kernel can't.
 */
#include "vmm/vmm.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/test_run.h"
#include "vmm/kvm_host.h"
#include "vmm/layout.h"
#include "vmm/test_guest.h"
#include "vmm/topology.h"

/* -------------------------------------------------- the guests' code ---- */

/* clang-format off */

/* Write AL to the console once the chip says it may. */
#define PUTC                                                               \
	"	mov %al, %bl\n"                                            \
	"7:	mov $0x3fd, %dx\n"                                         \
	"	in %dx, %al\n"                                             \
	"	test $0x20, %al\n"                                         \
	"	jz 7b\n"                                                   \
	"	mov $0x3f8, %dx\n"                                         \
	"	mov %bl, %al\n"                                            \
	"	out %al, %dx\n"

#define RESET                                                              \
	"	mov $0xfe, %al\n"                                          \
	"	out %al, $0x64\n"                                          \
	"8:	jmp 8b\n"

/* the command line, as a kernel finds it, and a reset by the 8042 */
GUEST(cmdline,
"	mov 0x228(%rsi), %esi\n"
"1:	mov (%rsi), %al\n"
"	test %al, %al\n"
"	jz 2f\n"
PUTC
"	inc %rsi\n"
"	jmp 1b\n"
"2:\n"
RESET);

GUEST(fadt_reset,
"	mov $0x602, %dx\n"
"	mov $1, %al\n"
"	out %al, %dx\n"
"1:	jmp 1b\n");

GUEST(poweroff,
"	mov $0x600, %dx\n"
"	mov $0x34, %al\n"	/* SLP_EN, SLP_TYP 5 */
"	out %al, %dx\n"
"1:	jmp 1b\n");

/* What is not S5 or not a reset ends nothing: 'x' is still said. */
GUEST(no_end,
"	mov $0x600, %dx\n"
"	mov $0x14, %al\n"	/* no SLP_EN */
"	out %al, %dx\n"
"	mov $0x2c, %al\n"	/* SLP_TYP 3 */
"	out %al, %dx\n"
"	mov $0x602, %dx\n"
"	mov $2, %al\n"
"	out %al, %dx\n"
"	mov $0xd1, %al\n"
"	out %al, $0x64\n"
"	mov $'x', %al\n"
PUTC
RESET);

GUEST(triple_fault,
"	ud2\n");

GUEST(spin,
"1:	jmp 1b\n");

/* Counts in memory, as fast as it can. */
#define COUNTER_GPA 0x9000
GUEST(count,
"	mov $0x9000, %edi\n"
"1:	incq (%rdi)\n"
"	jmp 1b\n");

GUEST(halt,
"	cli\n"
"1:	hlt\n"
"	jmp 1b\n");

/* Each right answer is a 'y'. */
GUEST(reads,
"	xor %ecx, %ecx\n"
"	in $0x64, %al\n"	/* the 8042 is always ready */
"	cmp $0, %al\n"
"	sete %cl\n"
"	in $0x71, %al\n"	/* nothing there */
"	cmp $0xff, %al\n"
"	sete %ch\n"
"	mov $0xd0000000, %eax\n"
"	mov (%rax), %eax\n"
"	cmp $0x74726976, %eax\n" /* "virt" */
"	jne 1f\n"
"	add $1, %cl\n"
"1:	mov $0xd8000000, %edx\n" /* in the hole, no device */
"	mov (%rdx), %eax\n"
"	cmp $-1, %eax\n"
"	jne 2f\n"
"	add $1, %ch\n"
"2:	movl $0, (%rdx)\n"	/* lost, not fatal */
"	mov %cl, %al\n"
"	add $'a', %al\n"
PUTC
"	mov %ch, %al\n"
"	add $'a', %al\n"
PUTC
RESET);

/* 5000 bytes, no polling */
GUEST(flood,
"	xor %ecx, %ecx\n"
"	mov $0x3f8, %dx\n"
"1:	mov %cl, %al\n"
"	and $0x3f, %al\n"
"	add $0x20, %al\n"
"	out %al, %dx\n"
"	inc %ecx\n"
"	cmp $5000, %ecx\n"
"	jne 1b\n"
RESET);

/*
 * Start all others as firmware-less kernels do, INIT and SIPI to all but self,
 * and wait until as many have stored their APIC id as the command line has
 * characters. They run the real-mode code at 0x8000.
 */
#define AP_COUNT_GPA 0x9000
#define AP_IDS_GPA 0x9100
GUEST(start_aps,
"	mov 0x228(%rsi), %ebx\n"
"	lea 5f(%rip), %rsi\n"
"	mov $0x8000, %edi\n"
"	mov $6f - 5f, %ecx\n"
"0:	mov (%rsi), %al\n"
"	mov %al, (%rdi)\n"
"	inc %rsi\n"
"	inc %rdi\n"
"	dec %ecx\n"
"	jnz 0b\n"
"	mov $0xfee00000, %edi\n"
"	movl $0x1ff, 0xf0(%rdi)\n"	/* LAPIC on */
"	movl $0xc4500, 0x300(%rdi)\n"	/* INIT */
"	mov $20000, %ecx\n"
"1:	dec %ecx\n"
"	jnz 1b\n"
"	movl $0xc4608, 0x300(%rdi)\n"	/* SIPI to 0x8000 */
"2:	cmpb $0, (%rbx)\n"
"	je 3f\n"
"	inc %rbx\n"
"	inc %ecx\n"
"	jmp 2b\n"
"3:	mov $0x9000, %edi\n"
"4:	cmp %ecx, (%rdi)\n"
"	jne 4b\n"
RESET
"	.code16\n"
"5:	xor %ax, %ax\n"
"	mov %ax, %ds\n"
"	mov $0xb, %eax\n"
"	xor %ecx, %ecx\n"
"	cpuid\n"
"	mov $1, %eax\n"
"	lock xadd %eax, 0x9000\n"
"	mov %ax, %bx\n"
"	shl $2, %bx\n"
"	mov %edx, 0x9100(%bx)\n"
"	cli\n"
"9:	hlt\n"
"	jmp 9b\n"
"6:\n"
"	.code64\n");

/* clang-format on */

static void guest_run(struct guest_run *g, enum vm_end_kind want)
{
	guest_new(g);
	guest_go(g, want);
	vm_free(g->vm);
}

/* ----------------------------------------------------- how a VM ends ---- */

START_TEST(the_guest_reads_its_command_line_and_resets)
{
	struct guest_run g = { CODE(cmdline), .cmdline = "hello, world\n" };

	guest_run(&g, VM_END_RESET);
	ck_assert_str_eq("hello, world\n", g.console);
}
END_TEST

static const struct {
	const uint8_t *code, *code_end;
	enum vm_end_kind kind;
} ends[] = {
	{ CODE(fadt_reset), VM_END_RESET },
	{ CODE(poweroff), VM_END_POWEROFF },
	{ CODE(triple_fault), VM_END_TRIPLE_FAULT },
};

START_TEST(each_end_has_its_name)
{
	struct guest_run g = { .code = ends[_i].code,
			       .code_end = ends[_i].code_end };

	guest_run(&g, ends[_i].kind);
	ck_assert_uint_eq(0, g.end.vcpu);
}
END_TEST

START_TEST(writes_that_are_no_end_end_nothing)
{
	struct guest_run g = { CODE(no_end) };

	guest_run(&g, VM_END_RESET);
	ck_assert_str_eq("x", g.console);
}
END_TEST

static const struct {
	const uint8_t *code, *code_end;
} endless[] = { { CODE(spin) }, { CODE(halt) } };

START_TEST(the_deadline_ends_a_guest_that_spins_or_sleeps)
{
	struct guest_run g = { .code = endless[_i].code,
			       .code_end = endless[_i].code_end,
			       .deadline_ns = 50 * NSEC_PER_MSEC };
	uint64_t from, took;

	guest_new(&g);
	from = clock_now_ns();
	guest_go(&g, VM_END_DEADLINE);
	took = clock_now_ns() - from;
	ck_assert_uint_ge(took, 50 * NSEC_PER_MSEC);
	ck_assert_uint_lt(took, 5 * NSEC_PER_SEC);
	vm_free(g.vm);
}
END_TEST

static void stop_at_once(void *ctx)
{
	struct guest_run *g = ctx;

	vm_stop(g->vm, 17);
	vm_stop(g->vm, 18); /* the first counts */
}

START_TEST(the_owner_stops_a_spinning_guest_from_a_callback)
{
	struct guest_run g = { CODE(spin), .started = stop_at_once };

	guest_run(&g, VM_END_STOPPED);
	ck_assert_int_eq(17, g.end.reason);
}
END_TEST

START_TEST(a_stop_before_the_run_is_not_lost)
{
	struct guest_run g = { CODE(spin) };

	guest_new(&g);
	vm_stop(g.vm, -3);
	guest_go(&g, VM_END_STOPPED);
	ck_assert_int_eq(-3, g.end.reason);
	vm_free(g.vm);
}
END_TEST

static struct vm *signal_vm;

static void on_alarm(int sig)
{
	vm_stop(signal_vm, sig);
}

START_TEST(a_signal_handler_may_stop)
{
	struct guest_run g = { CODE(spin) };
	struct itimerval soon = { .it_value.tv_usec = 20000 };

	guest_new(&g);
	signal_vm = g.vm;
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	guest_go(&g, VM_END_STOPPED);
	ck_assert_int_eq(SIGALRM, g.end.reason);
	vm_free(g.vm);
}
END_TEST

START_TEST(a_vm_runs_once)
{
	struct guest_run g = { CODE(poweroff) };
	struct vm_end again;

	guest_new(&g);
	guest_go(&g, VM_END_POWEROFF);
	ck_assert_int_eq(-EALREADY, vm_run(g.vm, &again));
	vm_free(g.vm);
}
END_TEST

START_TEST(a_vm_that_never_ran_is_freed)
{
	struct guest_run g = { CODE(spin) };

	guest_new(&g);
	vm_free(g.vm);
	vm_free(NULL);
}
END_TEST

/* ------------------------------------------------ devices and threads --- */

START_TEST(reads_find_what_is_there_and_ones_where_nothing_is)
{
	struct guest_run g = { CODE(reads), .transport = VM_TRANSPORT_MMIO };

	guest_run(&g, VM_END_RESET);
	ck_assert_str_eq("cc", g.console);
}
END_TEST

START_TEST(every_console_byte_before_the_end_is_delivered)
{
	struct guest_run g = { CODE(flood) };
	struct vm_vcpu_stats st;
	int i;

	guest_new(&g);
	guest_go(&g, VM_END_RESET);
	ck_assert_uint_eq(5000, g.console_len);
	for (i = 0; i < 5000; i++)
		ck_assert_int_eq((i & 0x3f) + 0x20, g.console[i]);
	vm_vcpu_stats_read(g.vm, 0, &st);
	ck_assert_uint_eq(5001, st.exits_io);
	ck_assert_uint_ge(st.exits, st.exits_io);
	ck_assert_uint_gt(st.run_ns, 0);
	vm_vcpu_stats_read(g.vm, 1, &st);
	ck_assert_uint_eq(0, st.exits);
	vm_free(g.vm);
}
END_TEST

static void on_tick(void *ctx, uint32_t events)
{
	struct guest_run *g = ctx;
	struct vm_vcpu_stats st;
	uint64_t n;

	ck_assert_uint_ne(0, events & EPOLLIN);
	ck_assert_int_eq(8, read(g->timer_fd, &n, 8));
	vm_vcpu_stats_read(g->vm, 0, &st); /* of a thread that runs */
	/* A busy machine may not have let it run yet; if never, time is up. */
	if (++g->ticks < 3 || !st.run_ns)
		return;
	vm_loop_del_fd(g->vm, g->timer_fd);
	vm_stop(g->vm, 3);
}

static void watch_timer(void *ctx)
{
	struct guest_run *g = ctx;
	struct itimerspec every = {
		.it_interval = { .tv_nsec = 5000000 },
		.it_value = { .tv_nsec = 5000000 },
	};

	g->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	ck_assert_int_ge(g->timer_fd, 0);
	timerfd_settime(g->timer_fd, 0, &every, NULL);
	ck_assert_int_eq(0, vm_loop_add_fd(g->vm, g->timer_fd, EPOLLIN,
					   on_tick, g));
}

START_TEST(the_owner_watches_an_fd_on_the_main_loop)
{
	struct guest_run g = { CODE(spin), .started = watch_timer };

	guest_run(&g, VM_END_STOPPED);
	ck_assert_uint_eq(3, g.ticks);
	close(g.timer_fd);
}
END_TEST

static uint64_t counter(const struct guest_run *g)
{
	uint64_t *p = guest_mem_hva(vm_guest_mem(g->vm), COUNTER_GPA, 8);

	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* Waits for what must come, up to the test's time limit. */
static void await_progress(const struct guest_run *g)
{
	uint64_t from = counter(g);

	while (counter(g) == from)
		usleep(100);
}

static void freeze_and_look(void *ctx)
{
	struct guest_run *g = ctx;
	uint64_t before;
	int i;

	for (i = 0; i < 50; i++) {
		await_progress(g);
		ck_assert_int_eq(0, vm_freeze(g->vm, 5 * NSEC_PER_SEC));
		before = counter(g);
		ck_assert_int_eq(-EBUSY, vm_freeze(g->vm, 0));
		usleep(1000);
		ck_assert_uint_eq(before, counter(g));
		ck_assert_uint_ge(vm_thaw(g->vm), 1000000);
		ck_assert_uint_eq(0, vm_thaw(g->vm));
	}
	await_progress(g);
	vm_stop(g->vm, 0);
}

START_TEST(a_frozen_guest_changes_nothing_and_goes_on_after)
{
	struct guest_run g = { CODE(count), .started = freeze_and_look };

	guest_run(&g, VM_END_STOPPED);
}
END_TEST

static void on_hit(void *ctx, unsigned int vcpu)
{
	struct guest_run *g = ctx;
	uint64_t before;

	ck_assert_uint_eq(0, vcpu);
	ck_assert_int_eq(0, vm_freeze(g->vm, 5 * NSEC_PER_SEC));
	before = counter(g);
	/* armed when the counter stood at this, in ticks */
	ck_assert_uint_eq(g->ticks + 1, before);
	usleep(1000);
	ck_assert_uint_eq(before, counter(g));
	vm_thaw(g->vm);
	await_progress(g);
	vm_stop(g->vm, 1);
}

static void no_hit(void *ctx, uint32_t events)
{
	struct guest_run *g = ctx;

	vm_stop(g->vm, 2);
}

static void watch_the_counter(void *ctx)
{
	const struct itimerspec in_1s = { .it_value = { .tv_sec = 1 } };
	struct guest_run *g = ctx;

	await_progress(g);
	ck_assert_int_eq(-EBUSY, vm_watch_write(g->vm, COUNTER_GPA, 8, on_hit,
						g));
	ck_assert_int_eq(0, vm_freeze(g->vm, 5 * NSEC_PER_SEC));
	ck_assert_int_eq(-EINVAL, vm_watch_write(g->vm, COUNTER_GPA + 1, 8,
						 on_hit, g));
	ck_assert_int_eq(0, vm_watch_write(g->vm, COUNTER_GPA, 8, on_hit, g));
	g->ticks = counter(g);
	vm_thaw(g->vm);
	/* debug registers that don't work are no fault of ours */
	g->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(g->timer_fd, 0, &in_1s, NULL);
	vm_loop_add_fd(g->vm, g->timer_fd, EPOLLIN, no_hit, g);
}

/* Reason 2: this CPU or its KVM has no watchpoints; the guest ran on. */
START_TEST(a_watched_write_freezes_at_that_instruction)
{
	struct guest_run g = { CODE(count), .started = watch_the_counter };

	guest_run(&g, VM_END_STOPPED);
	ck_assert(g.end.reason == 1 || g.end.reason == 2);
	if (g.end.reason == 2)
		fprintf(stderr, "no watchpoints here: not looked at\n");
	close(g.timer_fd);
}
END_TEST

static void freeze_often(void *ctx)
{
	struct guest_run *g = ctx;
	int i;

	for (i = 0; i < 300; i++) {
		ck_assert_int_eq(0, vm_freeze(g->vm, 5 * NSEC_PER_SEC));
		vm_thaw(g->vm);
	}
	vm_stop(g->vm, 0);
}

/* The other CPUs wait for a SIPI: those park and thaw as well. */
START_TEST(back_to_back_freezes_of_many_vcpus_lose_nobody)
{
	struct guest_run g = { CODE(count), .started = freeze_often,
			       .topology = { 0, 1, 4, 1, 1 } };

	guest_run(&g, VM_END_STOPPED);
}
END_TEST

static void freeze_then_stop(void *ctx)
{
	struct guest_run *g = ctx;

	ck_assert_int_eq(0, vm_freeze(g->vm, 5 * NSEC_PER_SEC));
	vm_stop(g->vm, 4);
}

START_TEST(a_frozen_vm_is_stopped)
{
	struct guest_run g = { .code = endless[_i].code,
			       .code_end = endless[_i].code_end,
			       .started = freeze_then_stop };

	guest_run(&g, VM_END_STOPPED);
	ck_assert_int_eq(4, g.end.reason);
}
END_TEST

/* Mostly no time to park: given up or not, the guest runs on. */
static void freeze_without_waiting(void *ctx)
{
	struct guest_run *g = ctx;
	int i;

	for (i = 0; i < 20; i++) {
		int err = vm_freeze(g->vm, 0);

		ck_assert(err == 0 || err == -ETIMEDOUT);
		ck_assert_int_eq(err == 0, vm_thaw(g->vm) > 0);
		await_progress(g);
	}
	vm_stop(g->vm, 0);
}

START_TEST(a_freeze_without_time_leaves_the_guest_running)
{
	struct guest_run g = { CODE(count), .started = freeze_without_waiting };

	guest_run(&g, VM_END_STOPPED);
}
END_TEST

/* Counts the vCPU threads and checks their masks. */
static void see_threads(void *ctx)
{
	struct guest_run *g = ctx;
	char path[300], name[32];
	struct dirent *d;
	DIR *dir = opendir("/proc/self/task");
	cpu_set_t set;

	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && !strncmp(name, "vcpu", 4)) {
			ck_assert_int_eq(0, sched_getaffinity(atoi(d->d_name),
							      sizeof(set),
							      &set));
			ck_assert(CPU_EQUAL(&set, g->vcpu_cpus));
			g->ticks++;
		}
		fclose(f);
	}
	closedir(dir);
}

static void see_threads_then_stop(void *ctx)
{
	struct guest_run *g = ctx;
	int i;

	/* A thread names itself after it was started: a few looks. */
	for (i = 0; i < 1000 && g->ticks < 3; i++) {
		g->ticks = 0;
		usleep(1000);
		see_threads(g);
	}
	vm_stop(g->vm, 0);
}

START_TEST(vcpu_threads_stay_on_the_cpus_they_were_given)
{
	struct guest_run g = { CODE(spin), .started = see_threads_then_stop,
			       .topology = { 0, 1, 3, 1, 1 } };
	cpu_set_t all, one;
	int cpu = 0;

	ck_assert_int_eq(0, sched_getaffinity(0, sizeof(all), &all));
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	g.vcpu_cpus = &one;
	guest_run(&g, VM_END_STOPPED);
	ck_assert_uint_eq(3, g.ticks);
}
END_TEST

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* packages, nodes, LLCs, cores, threads: with gaps between the ids */
static const struct vm_topology started_topologies[] = {
	{ 0, 1, 2, 1, 1 }, { 0, 1, 3, 3, 1 }, { 0, 2, 4, 2, 2 },
	{ 0, 4, 12, 1, 2 },
};

/* Every other CPU wakes up and knows its APIC id. */
START_TEST(all_cpus_start_with_the_apic_ids_of_the_topology)
{
	const struct vm_topology *t = &started_topologies[_i];
	unsigned int cpus = vm_topology_cpus(t), i;
	char count[VM_MAX_VCPUS + 1] = "";
	struct guest_run g = { CODE(start_aps), .topology = *t,
			       .cmdline = count };
	uint32_t *ids;

	memset(count, '.', cpus - 1);
	guest_new(&g);
	guest_go(&g, VM_END_RESET);
	ids = guest_mem_hva(vm_guest_mem(g.vm), AP_IDS_GPA, 4 * cpus);
	qsort(ids, cpus - 1, sizeof(ids[0]), by_value);
	for (i = 1; i < cpus; i++)
		ck_assert_uint_eq(topology_cpu_get(t, i).apic_id, ids[i - 1]);
	vm_free(g.vm);
}
END_TEST

START_TEST(starting_and_stopping_many_cpus_leaves_nothing_behind)
{
	int i;

	for (i = 0; i < 10; i++) {
		struct guest_run g = { CODE(spin), .started = stop_at_once,
				       .topology = { 0, 2, 4, 4, 1 } };

		guest_run(&g, VM_END_STOPPED);
	}
	/* stdio, and what the test framework holds */
	ck_assert_int_lt(dup(0), 16);
}
END_TEST

/* ------------------------------------------------- configurations ------- */

static const struct {
	const char *what;
	struct vm_config cfg;
	int err;
	const char *says;
} bad_configs[] = {
	{ "no topology", { .memory_bytes = 128 * MIB, .kernel_path = "/k",
			   .cmdline = "" }, -EINVAL, "no node" },
	{ "too many CPUs", { .topology = { 0, 1, 65, 1, 1 },
			     .memory_bytes = 128 * MIB, .kernel_path = "/k",
			     .cmdline = "" }, -EINVAL, "more than 64" },
	{ "no kernel", { .topology = { 0, 1, 1, 1, 1 },
			 .memory_bytes = 128 * MIB, .cmdline = "" },
	  -EINVAL, "no kernel" },
	{ "memory", { .topology = { 0, 1, 1, 1, 1 }, .memory_bytes = MIB,
		      .kernel_path = "/k", .cmdline = "" },
	  -EINVAL, "128 MiB" },
	{ "missing kernel", { .topology = { 0, 1, 1, 1, 1 },
			      .memory_bytes = 128 * MIB,
			      .kernel_path = "/nonexistent/k", .cmdline = "" },
	  -ENOENT, "/nonexistent/k" },
	{ "disks", { .topology = { 0, 1, 1, 1, 1 },
		     .memory_bytes = 128 * MIB, .kernel_path = "/k",
		     .cmdline = "", .nr_disks = 9 }, -EINVAL, "9 disks" },
};

START_TEST(a_bad_configuration_is_refused_in_words)
{
	char why[256] = "";
	struct vm *vm = NULL;

	ck_assert_int_eq(bad_configs[_i].err,
			 vm_new(&bad_configs[_i].cfg, &guest_ops, NULL, &vm, why,
				sizeof(why)));
	ck_assert_msg(strstr(why, bad_configs[_i].says), "%s: %s",
		      bad_configs[_i].what, why);
	ck_assert_ptr_null(vm);
}
END_TEST

START_TEST(a_device_that_is_no_kvm_is_refused_in_words)
{
	char why[256] = "";
	const struct errmsg e = { why, sizeof(why) };
	int fd = -1;

	ck_assert_int_eq(-ENODEV, kvm_host_open("/nonexistent", &fd, &e));
	ck_assert_str_eq("open /nonexistent: No such file or directory", why);
	ck_assert_int_eq(-ENODEV, kvm_host_open("/dev/null", &fd, &e));
	ck_assert_str_eq("/dev/null speaks version -1, not 12", why);
	ck_assert_int_eq(-1, fd);
}
END_TEST

START_TEST(the_probe_answers_in_words_and_in_time)
{
	uint64_t from = clock_now_ns();
	struct vm_kvm_probe p;

	vm_kvm_probe(&p);
	ck_assert_uint_lt(clock_now_ns() - from, NSEC_PER_SEC);
	ck_assert_uint_gt(strlen(p.why), 0);
	/* a good or slow one was timed */
	if (p.state == VM_KVM_GOOD || p.state == VM_KVM_SLOW)
		ck_assert_uint_gt(p.loop_ns, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm_kvm");
	TCase *t = tcase_create("all");

	if (!guest_can_run("vmm_kvm_test"))
		return EXIT_SUCCESS;
	tcase_set_timeout(t, 30);
	suite_add_tcase(s, t);
	tcase_add_test(t, the_guest_reads_its_command_line_and_resets);
	tcase_add_loop_test(t, each_end_has_its_name, 0,
			    sizeof(ends) / sizeof(ends[0]));
	tcase_add_test(t, writes_that_are_no_end_end_nothing);
	tcase_add_loop_test(t, the_deadline_ends_a_guest_that_spins_or_sleeps,
			    0, sizeof(endless) / sizeof(endless[0]));
	tcase_add_test(t, the_owner_stops_a_spinning_guest_from_a_callback);
	tcase_add_test(t, a_stop_before_the_run_is_not_lost);
	tcase_add_test(t, a_signal_handler_may_stop);
	tcase_add_test(t, a_vm_runs_once);
	tcase_add_test(t, a_vm_that_never_ran_is_freed);
	tcase_add_test(t, reads_find_what_is_there_and_ones_where_nothing_is);
	tcase_add_test(t, every_console_byte_before_the_end_is_delivered);
	tcase_add_test(t, the_owner_watches_an_fd_on_the_main_loop);
	tcase_add_test(t, a_frozen_guest_changes_nothing_and_goes_on_after);
	tcase_add_test(t, a_watched_write_freezes_at_that_instruction);
	tcase_add_test(t, back_to_back_freezes_of_many_vcpus_lose_nobody);
	tcase_add_loop_test(t, a_frozen_vm_is_stopped, 0,
			    sizeof(endless) / sizeof(endless[0]));
	tcase_add_test(t, a_freeze_without_time_leaves_the_guest_running);
	tcase_add_test(t, vcpu_threads_stay_on_the_cpus_they_were_given);
	tcase_add_loop_test(
		t, all_cpus_start_with_the_apic_ids_of_the_topology, 0,
		sizeof(started_topologies) / sizeof(started_topologies[0]));
	tcase_add_test(t,
		       starting_and_stopping_many_cpus_leaves_nothing_behind);
	tcase_add_loop_test(t, a_bad_configuration_is_refused_in_words, 0,
			    sizeof(bad_configs) / sizeof(bad_configs[0]));
	tcase_add_test(t, a_device_that_is_no_kvm_is_refused_in_words);
	tcase_add_test(t, the_probe_answers_in_words_and_in_time);
	return test_run(s);
}
