// SPDX-License-Identifier: GPL-2.0-only
/*
 * Can this machine's KVM run a kernel? KVM's word for its capabilities, and a
 * tiny guest for the rest: some KVMs run user code only, and interpret, or
 * refuse, what a kernel does in kernel mode. CPUID flags do not tell.
 */
#include "vmm/vmm.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "vmm/boot_params.h"
#include "vmm/kvm_host.h"
#include "vmm/layout.h"
#include "vmm/probe_code.h"
#include "vmm/vcpu.h"

#define PROBE_RAM (2 * MIB)
#define PROBE_CODE_GPA 0x10000ULL
#define PROBE_HANDLER_GPA 0x11000ULL
#define PROBE_DATA_GPA 0x12000ULL
#define PROBE_IDT_GPA 0x13000ULL
#define PROBE_STACK_TOP 0x15000ULL
#define PAGE 4096

/* One piece must not take longer; KVM_RUN is interrupted this often. */
#define PIECE_LIMIT_NS (100 * NSEC_PER_MSEC)
#define TICK_NS (20 * NSEC_PER_MSEC)

/*
 * Kernel mode that is interpreted does 3.6 million instructions a second, so
 * a million rounds of two take 555 ms. KVM inside an emulated machine takes
 * some 10 ms, hardware 0.5 ms. The limit lies far from each.
 */
#define LOOP_ROUNDS 20000
#define LOOP_CHUNKS 5
#define LOOP_LIMIT_NS (200 * NSEC_PER_MSEC)

struct probe {
	int kvm_fd, vm_fd, vcpu_fd;	/* owned */
	struct kvm_run *run;		/* owned mapping */
	size_t run_bytes;
	struct guest_mem mem;		/* owned mapping, one region */
	struct kvm_sregs sregs;		/* what every piece starts with */
	struct kvm_vcpu_events events;
	struct cpuid_table cpuid;	/* as KVM supports it */
};

static const struct vm_topology one_cpu = {
	.nodes = 1, .llcs = 1, .cores_per_llc = 1, .threads_per_core = 1,
};

static void put_code(const struct probe *p, const struct probe_code *c,
		     uint64_t gpa)
{
	memcpy(guest_mem_hva(&p->mem, gpa, PAGE), c->code, c->end - c->code);
}

/* Vector 3: a 64-bit interrupt gate to the handler. */
static void put_idt(const struct probe *p)
{
	uint64_t *idt = guest_mem_hva(&p->mem, PROBE_IDT_GPA, PAGE);
	uint64_t to = PROBE_HANDLER_GPA;

	idt[3 * 2] = (to & 0xffff) | 0x10ULL << 16 | 0x8e00ULL << 32 |
		     (to >> 16 & 0xffff) << 48;
	idt[3 * 2 + 1] = to >> 32;
	put_code(p, &probe_breakpoint_handler, PROBE_HANDLER_GPA);
}

static int probe_memory(struct probe *p, const struct errmsg *e)
{
	void *ram = mmap(NULL, PROBE_RAM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ram == MAP_FAILED)
		return errmsg_errno(e, -errno, "map the probe's memory");
	p->mem.regions[0] = (struct guest_mem_region){ 0, PROBE_RAM, ram };
	p->mem.nr = 1;
	put_idt(p);
	return boot_tables_write(&p->mem);
}

static int probe_vcpu(struct probe *p, const struct errmsg *e)
{
	static const char what[] = "set up the probe's vCPU";
	struct cpuid_table *t;
	int bytes, err;
	void *run;

	p->vcpu_fd = ioctl(p->vm_fd, KVM_CREATE_VCPU, 0);
	bytes = ioctl(p->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (p->vcpu_fd < 0 || bytes < 0)
		return errmsg_errno(e, -errno, what);
	run = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu_fd,
		   0);
	if (run == MAP_FAILED)
		return errmsg_errno(e, -errno, what);
	p->run = run;
	p->run_bytes = bytes;

	t = malloc(sizeof(*t));
	if (!t)
		return errmsg_errno(e, -ENOMEM, what);
	err = cpuid_build(&p->cpuid.head, &one_cpu, 0,
			  cpuid_vendor_of(&p->cpuid.head), t);
	if (!err && ioctl(p->vcpu_fd, KVM_SET_CPUID2, &t->head) < 0)
		err = -errno;
	free(t);
	if (err)
		return errmsg_errno(e, err, what);
	if (ioctl(p->vcpu_fd, KVM_GET_SREGS, &p->sregs) < 0 ||
	    ioctl(p->vcpu_fd, KVM_GET_VCPU_EVENTS, &p->events) < 0)
		return errmsg_errno(e, -errno, what);
	boot_sregs(&p->sregs);
	p->sregs.idt.base = PROBE_IDT_GPA;
	p->sregs.idt.limit = 4 * 16 - 1;
	return 0;
}

static int probe_open(struct probe *p, const struct errmsg *e)
{
	int err;

	err = kvm_host_open(KVM_HOST_PATH, &p->kvm_fd, e);
	if (err)
		return err;
	err = probe_memory(p, e);
	if (err)
		return err;
	err = kvm_host_create_vm(p->kvm_fd, &p->mem, true, &p->vm_fd, e);
	if (err)
		return err;
	err = kvm_host_cpuid(p->kvm_fd, &p->cpuid);
	if (err)
		return errmsg_errno(e, err, "KVM_GET_SUPPORTED_CPUID");
	if (cpuid_vendor_of(&p->cpuid.head) == CPUID_VENDOR_OTHER)
		return errmsg_set(e, -ENODEV,
				  "the CPU is neither Intel nor AMD");
	return probe_vcpu(p, e);
}

static void probe_close(struct probe *p)
{
	if (p->run)
		munmap(p->run, p->run_bytes);
	if (p->vcpu_fd >= 0)
		close(p->vcpu_fd);
	if (p->vm_fd >= 0)
		close(p->vm_fd);
	if (p->kvm_fd >= 0)
		close(p->kvm_fd);
	if (p->mem.nr)
		munmap(p->mem.regions[0].hva, PROBE_RAM);
}

static bool offered(const struct probe *p, const struct probe_code *c)
{
	const struct kvm_cpuid_entry2 *e;
	uint32_t regs[4];

	if (!c->leaf)
		return true;
	e = cpuid_find(&p->cpuid.head, c->leaf, 0);
	if (!e)
		return false;
	regs[0] = e->eax;
	regs[1] = e->ebx;
	regs[2] = e->ecx;
	regs[3] = e->edx;
	return regs[c->reg] >> c->bit & 1;
}

/* True when the piece ran to its end and was content; @ns is its time. */
static bool run_piece(const struct probe *p, const struct probe_code *c,
		      uint64_t rcx, uint64_t *ns)
{
	struct kvm_regs regs = boot_regs(PROBE_CODE_GPA);
	uint64_t from;

	memset(guest_mem_hva(&p->mem, PROBE_DATA_GPA, PAGE), 0, PAGE);
	put_code(p, c, PROBE_CODE_GPA);
	regs.rdi = PROBE_DATA_GPA;
	regs.rcx = rcx;
	regs.rsp = PROBE_STACK_TOP;
	/* Everything anew: an earlier piece may have failed anywhere. */
	if (ioctl(p->vcpu_fd, KVM_SET_SREGS, &p->sregs) < 0 ||
	    ioctl(p->vcpu_fd, KVM_SET_REGS, &regs) < 0 ||
	    ioctl(p->vcpu_fd, KVM_SET_VCPU_EVENTS, &p->events) < 0)
		return false;

	from = clock_now_ns();
	while (ioctl(p->vcpu_fd, KVM_RUN, 0) < 0) {
		if (errno != EINTR && errno != EAGAIN)
			return false;
		if (clock_now_ns() - from > PIECE_LIMIT_NS)
			return false;
	}
	*ns = clock_now_ns() - from;
	return p->run->exit_reason == KVM_EXIT_IO &&
	       p->run->io.port == PROBE_PORT_PASS;
}

/* Writes the names of what failed. */
static unsigned int try_codes(const struct probe *p, char *why, size_t len)
{
	unsigned int failed = 0;
	uint64_t ns;
	size_t i, at;

	snprintf(why, len, "KVM can't run in kernel mode: ");
	for (i = 0; i < probe_codes_nr; i++) {
		const struct probe_code *c = &probe_codes[i];

		if (!offered(p, c) || run_piece(p, c, 0, &ns))
			continue;
		at = strlen(why);
		snprintf(why + at, len - at, "%s%s", failed++ ? ", " : "",
			 c->name);
	}
	return failed;
}

/* The best of a few chunks, so that a busy host is not taken for a slow one. */
static uint64_t time_loop(const struct probe *p)
{
	uint64_t best = UINT64_MAX, ns;
	int i;

	for (i = 0; i < LOOP_CHUNKS; i++) {
		if (!run_piece(p, &probe_loop, LOOP_ROUNDS, &ns))
			return UINT64_MAX;
		if (ns < best)
			best = ns;
	}
	return best * (1000000 / LOOP_ROUNDS);
}

static void judge(const struct probe *p, struct vm_kvm_probe *out)
{
	if (try_codes(p, out->why, sizeof(out->why))) {
		out->state = VM_KVM_UNFIT;
		return;
	}
	out->loop_ns = time_loop(p);
	if (out->loop_ns == UINT64_MAX) {
		out->state = VM_KVM_UNFIT;
		snprintf(out->why, sizeof(out->why),
			 "KVM does not finish a loop of %d rounds",
			 LOOP_ROUNDS);
	} else if (out->loop_ns > LOOP_LIMIT_NS) {
		out->state = VM_KVM_SLOW;
		snprintf(out->why, sizeof(out->why),
			 "KVM interprets kernel mode: a million rounds of a loop take %llu ms",
			 (unsigned long long)(out->loop_ns / NSEC_PER_MSEC));
	} else {
		out->state = VM_KVM_GOOD;
		snprintf(out->why, sizeof(out->why),
			 "KVM runs kernel code, a million rounds of a loop in %llu us",
			 (unsigned long long)(out->loop_ns / NSEC_PER_USEC));
	}
}

/*
 * A signal to this thread every TICK_NS, so that KVM_RUN comes back from
 * whatever the guest does. Repeated: one that falls outside KVM_RUN is lost.
 */
static int ticks_start(timer_t *timer, sigset_t *old)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID,
			       .sigev_signo = VCPU_SIGNAL };
	struct itimerspec every = {
		.it_interval = clock_to_timespec(TICK_NS),
		.it_value = clock_to_timespec(TICK_NS),
	};
	sigset_t set;
	int err;

	err = vcpu_signal_setup();
	if (err)
		return err;
	ev._sigev_un._tid = syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &ev, timer) < 0)
		return -errno;
	sigemptyset(&set);
	sigaddset(&set, VCPU_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, old);
	timer_settime(*timer, 0, &every, NULL);
	return 0;
}

static void ticks_stop(timer_t timer, const sigset_t *old)
{
	timer_delete(timer);
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

static enum vm_kvm_state state_of(int err)
{
	switch (err) {
	case -EACCES:
		return VM_KVM_FORBIDDEN;
	case -ENODEV:
		return access(KVM_HOST_PATH, F_OK) ? VM_KVM_MISSING :
						  VM_KVM_UNFIT;
	default:
		return VM_KVM_UNFIT;
	}
}

void vm_kvm_probe(struct vm_kvm_probe *out)
{
	struct errmsg e = { out->why, sizeof(out->why) };
	struct probe *p = calloc(1, sizeof(*p));
	sigset_t old;
	timer_t timer;
	int err;

	*out = (struct vm_kvm_probe){ .state = VM_KVM_UNFIT };
	if (!p) {
		errmsg_errno(&e, -ENOMEM, "probe KVM");
		return;
	}
	p->kvm_fd = -1;
	p->vm_fd = -1;
	p->vcpu_fd = -1;
	err = probe_open(p, &e);
	if (err) {
		out->state = state_of(err);
		goto close_probe;
	}
	err = ticks_start(&timer, &old);
	if (err) {
		errmsg_errno(&e, err, "start the probe's timer");
		goto close_probe;
	}
	judge(p, out);
	ticks_stop(timer, &old);
close_probe:
	probe_close(p);
	free(p);
}
