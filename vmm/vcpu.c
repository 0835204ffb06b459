// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/vcpu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "vmm/boot_params.h"
#include "vmm/topology.h"
#include "vmm/watch.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MSR_IA32_MISC_ENABLE 0x1a0
#define MISC_ENABLE_FAST_STRING 1
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MTRR_ENABLE_WRITE_BACK (1 << 11 | 6)

static int set_cpuid(struct vcpu *v, const struct vcpu_config *cfg)
{
	struct cpuid_table *t = malloc(sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	err = cpuid_build(cfg->supported, cfg->topology, cfg->index,
			  cfg->vendor, t);
	if (!err && ioctl(v->fd, KVM_SET_CPUID2, &t->head) < 0)
		err = -errno;
	free(t);
	return err;
}

/* What firmware would have done: all memory write-back, fast strings on. */
static int set_msrs(struct vcpu *v)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} m = {
		.head.nmsrs = 2,
		.entries = {
			{ .index = MSR_MTRR_DEF_TYPE,
			  .data = MTRR_ENABLE_WRITE_BACK },
			{ .index = MSR_IA32_MISC_ENABLE,
			  .data = MISC_ENABLE_FAST_STRING },
		},
	};
	int n = ioctl(v->fd, KVM_SET_MSRS, &m);

	if (n < 0)
		return -errno;
	return n < 1 ? -EIO : 0; /* the second is a hint on some hosts */
}

static int set_registers(struct vcpu *v, uint64_t entry_gpa)
{
	struct kvm_regs regs = boot_regs(entry_gpa);
	struct kvm_sregs sregs;

	if (ioctl(v->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	boot_sregs(&sregs);
	if (ioctl(v->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(v->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

static int map_run(struct vcpu *v, int kvm_fd)
{
	int bytes = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *p;

	if (bytes < 0)
		return -errno;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	v->run = p;
	v->run_bytes = bytes;
	return 0;
}

int vcpu_init(struct vcpu *v, int kvm_fd, int vm_fd,
	      const struct vcpu_config *cfg, const struct errmsg *e)
{
	int err;

	v->index = cfg->index;
	v->apic_id = topology_cpu_get(cfg->topology, cfg->index).apic_id;
	v->fd = ioctl(vm_fd, KVM_CREATE_VCPU, (unsigned long)v->apic_id);
	if (v->fd < 0)
		return errmsg_errno(e, -errno,
				    "KVM_CREATE_VCPU %u with APIC id %u",
				    v->index, v->apic_id);
	err = map_run(v, kvm_fd);
	if (err)
		return errmsg_errno(e, err, "map the run page of vCPU %u",
				    v->index);
	err = set_cpuid(v, cfg);
	if (err)
		return errmsg_errno(e, err, "set CPUID of vCPU %u", v->index);
	err = set_msrs(v);
	if (err)
		return errmsg_errno(e, err, "set MSRs of vCPU %u", v->index);
	if (v->index)
		return 0;
	err = set_registers(v, cfg->entry_gpa);
	if (err)
		return errmsg_errno(e, err, "set registers of vCPU 0");
	return 0;
}

void vcpu_fini(struct vcpu *v)
{
	if (atomic_load_explicit(&v->timed, memory_order_relaxed))
		thread_time_close(&v->time);
	if (v->run)
		munmap(v->run, v->run_bytes);
	if (v->fd >= 0)
		close(v->fd);
	v->run = NULL;
	v->fd = -1;
}

static void count(_Atomic uint64_t *c)
{
	/* One writer: no locked add needed. */
	atomic_store_explicit(c,
			      atomic_load_explicit(c, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* ------------------------------------------------------------- exits ---- */

/* Each returns false when this vCPU is to run no more. */

static bool exit_io(struct vcpu *v)
{
	struct kvm_run *r = v->run;
	uint8_t *data = (uint8_t *)r + r->io.data_offset;
	uint32_t i;

	count(&v->counters.io);
	for (i = 0; i < r->io.count; i++, data += r->io.size) {
		switch (devices_pio(v->devices, r->io.port, data, r->io.size,
				    r->io.direction == KVM_EXIT_IO_OUT)) {
		case DEVICES_CONTINUE:
			break;
		case DEVICES_RESET:
			v->ops->end(v->ctx, VM_END_RESET, v->index,
				    "port 0x%x", r->io.port);
			return false;
		case DEVICES_POWEROFF:
			v->ops->end(v->ctx, VM_END_POWEROFF, v->index, "%s",
				    "");
			return false;
		}
	}
	return true;
}

static bool exit_mmio(struct vcpu *v)
{
	struct kvm_run *r = v->run;

	count(&v->counters.mmio);
	devices_mmio(v->devices, r->mmio.phys_addr, r->mmio.data, r->mmio.len,
		     r->mmio.is_write);
	return true;
}

static bool exit_hlt(struct vcpu *v)
{
	count(&v->counters.hlt);
	return true;
}

static bool exit_intr(struct vcpu *v)
{
	count(&v->counters.intr);
	return true;
}

static bool exit_shutdown(struct vcpu *v)
{
	count(&v->counters.other);
	v->ops->end(v->ctx, VM_END_TRIPLE_FAULT, v->index, "%s", "");
	return false;
}

static uint64_t rip_of(const struct vcpu *v)
{
	struct kvm_regs regs;

	return ioctl(v->fd, KVM_GET_REGS, &regs) < 0 ? 0 : regs.rip;
}

static bool exit_internal_error(struct vcpu *v)
{
	static const char *const names[] = {
		[KVM_INTERNAL_ERROR_EMULATION] =
			"an instruction it can't emulate",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "simultaneous exceptions",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "event delivery failed",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] =
			"unexpected exit of the hardware",
	};
	uint32_t sub = v->run->internal.suberror;
	const char *name = sub < ARRAY_SIZE(names) ? names[sub] : NULL;

	count(&v->counters.other);
	v->ops->end(v->ctx, VM_END_INTERNAL_ERROR, v->index,
		    "KVM internal error %u (%s) at rip 0x%llx", sub,
		    name ? name : "unknown", (unsigned long long)rip_of(v));
	return false;
}

static bool exit_fail_entry(struct vcpu *v)
{
	count(&v->counters.other);
	v->ops->end(v->ctx, VM_END_ENTRY_FAILED, v->index,
		    "hardware reason 0x%llx on host CPU %u",
		    (unsigned long long)
			    v->run->fail_entry.hardware_entry_failure_reason,
		    v->run->fail_entry.cpu);
	return false;
}

/* The instruction that wrote is done: nothing is to be made up for. */
static bool exit_debug(struct vcpu *v)
{
	int err = watch_set(v->fd, 0, 0);

	count(&v->counters.other);
	if (err) {
		v->ops->end(v->ctx, VM_END_HOST_ERROR, v->index,
			    "end of a watchpoint: %s", strerror(-err));
		return false;
	}
	v->ops->hit(v->ctx, v->index);
	return true;
}

static bool exit_system_event(struct vcpu *v)
{
	uint32_t type = v->run->system_event.type;
	enum vm_end_kind kind = VM_END_INTERNAL_ERROR;

	count(&v->counters.other);
	if (type == KVM_SYSTEM_EVENT_SHUTDOWN)
		kind = VM_END_POWEROFF;
	else if (type == KVM_SYSTEM_EVENT_RESET)
		kind = VM_END_RESET;
	v->ops->end(v->ctx, kind, v->index, "KVM system event %u", type);
	return false;
}

static bool (*const exits[])(struct vcpu *v) = {
	[KVM_EXIT_IO] = exit_io,
	[KVM_EXIT_MMIO] = exit_mmio,
	[KVM_EXIT_DEBUG] = exit_debug,
	[KVM_EXIT_HLT] = exit_hlt,
	[KVM_EXIT_INTR] = exit_intr,
	[KVM_EXIT_IRQ_WINDOW_OPEN] = exit_intr,
	[KVM_EXIT_SHUTDOWN] = exit_shutdown,
	[KVM_EXIT_INTERNAL_ERROR] = exit_internal_error,
	[KVM_EXIT_FAIL_ENTRY] = exit_fail_entry,
	[KVM_EXIT_SYSTEM_EVENT] = exit_system_event,
}; /* no entry: we never asked for it, so KVM can't go on */

static bool handle_exit(struct vcpu *v)
{
	uint32_t reason = v->run->exit_reason;

	count(&v->counters.exits);
	if (reason < ARRAY_SIZE(exits) && exits[reason])
		return exits[reason](v);
	count(&v->counters.other);
	v->ops->end(v->ctx, VM_END_INTERNAL_ERROR, v->index,
		    "KVM exit %u, which nothing asked for, at rip 0x%llx",
		    reason, (unsigned long long)rip_of(v));
	return false;
}

/* ------------------------------------------------------------ thread ---- */

static void thread_prepare(struct vcpu *v)
{
	char name[16];
	sigset_t set;
	int err;

	snprintf(name, sizeof(name), "vcpu%u", v->index);
	pthread_setname_np(pthread_self(), name);
	thread_time_open(&v->time);
	/* Release: pairs with the acquire of vcpu_time_read(). */
	atomic_store_explicit(&v->timed, true, memory_order_release);
	if (v->cpus) {
		err = pthread_setaffinity_np(pthread_self(), sizeof(*v->cpus),
					     v->cpus);
		if (err)
			log_warn("vcpu %u: can't be placed on its host CPUs: %s",
				 v->index, strerror(err));
	}
	sigemptyset(&set);
	sigaddset(&set, VCPU_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void thread_finish(struct vcpu *v)
{
	(void)thread_time_read(&v->time, &v->final_time);
	v->final_time.runnable = false;
	/* Release: pairs with the acquire of vcpu_stats_read(). */
	atomic_store_explicit(&v->finished, true, memory_order_release);
}

/*
 * Before another look at the flags. A full barrier: a flag that is set after
 * that look is followed by immediate_exit and a signal of its own.
 */
static void rearm(struct vcpu *v)
{
	__atomic_exchange_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

static void park(struct vcpu *v)
{
	freeze_park(v->freeze, &v->stop);
	rearm(v);
	/* So that its watchdogs forgive the gap; no kvm-clock, no matter. */
	(void)ioctl(v->fd, KVM_KVMCLOCK_CTRL, 0);
}

static bool run_once(struct vcpu *v)
{
	if (ioctl(v->fd, KVM_RUN, 0) == 0)
		return handle_exit(v);
	if (errno == EINTR) {
		count(&v->counters.exits);
		count(&v->counters.intr);
		rearm(v);
		return true;
	}
	if (errno == EAGAIN) /* an AP got its INIT or SIPI */
		return true;
	v->ops->end(v->ctx, VM_END_HOST_ERROR, v->index,
		    "KVM_RUN: %s, exit reason %u at rip 0x%llx",
		    strerror(errno), v->run->exit_reason,
		    (unsigned long long)rip_of(v));
	return false;
}

static void *vcpu_main(void *arg)
{
	struct vcpu *v = arg;

	thread_prepare(v);
	/* Acquire: pairs with the release of vcpu_kick_out(). */
	while (!atomic_load_explicit(&v->stop, memory_order_acquire)) {
		if (freeze_is_asked(v->freeze))
			park(v);
		else if (!run_once(v))
			break;
	}
	freeze_leave(v->freeze);
	thread_finish(v);
	return NULL;
}

static void no_op(int sig)
{
}

int vcpu_signal_setup(void)
{
	struct sigaction sa = { .sa_handler = no_op };

	sigemptyset(&sa.sa_mask);
	return sigaction(VCPU_SIGNAL, &sa, NULL) < 0 ? -errno : 0;
}

int vcpu_start(struct vcpu *v)
{
	sigset_t all, old;
	int err;

	/* The owner's signals are the owner's: none may land on a vCPU. */
	sigfillset(&all);
	freeze_join(v->freeze);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&v->thread, NULL, vcpu_main, v);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	v->started = !err;
	if (err)
		freeze_leave(v->freeze);
	return err;
}

void vcpu_interrupt(struct vcpu *v)
{
	if (!v->started)
		return;
	/*
	 * The caller's flag, immediate_exit, signal, in this order: a thread
	 * that is before KVM_RUN leaves it at once, one inside is interrupted.
	 */
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(v->thread, VCPU_SIGNAL);
}

int vcpu_watch(struct vcpu *v, uint64_t gva, unsigned int len)
{
	return watch_set(v->fd, gva, len);
}

void vcpu_kick_out(struct vcpu *v)
{
	/* Release: pairs with the acquire of vcpu_main(). */
	atomic_store_explicit(&v->stop, true, memory_order_release);
	freeze_wake(v->freeze);
	vcpu_interrupt(v);
}

void vcpu_join(struct vcpu *v)
{
	if (!v->started)
		return;
	pthread_join(v->thread, NULL);
	v->started = false;
}

void vcpu_stats_read(const struct vcpu *v, struct vm_vcpu_stats *st)
{
	const struct vcpu_counters *c = &v->counters;
	struct vm_thread_time now;

	*st = (struct vm_vcpu_stats){
		.exits = atomic_load_explicit(&c->exits, memory_order_relaxed),
		.exits_mmio =
			atomic_load_explicit(&c->mmio, memory_order_relaxed),
		.exits_io = atomic_load_explicit(&c->io, memory_order_relaxed),
		.exits_hlt = atomic_load_explicit(&c->hlt, memory_order_relaxed),
		.exits_intr =
			atomic_load_explicit(&c->intr, memory_order_relaxed),
		.exits_other =
			atomic_load_explicit(&c->other, memory_order_relaxed),
	};
	if (vcpu_time_read(v, &now))
		return;
	st->run_ns = now.run_ns;
	st->wait_ns = now.wait_ns;
}

int vcpu_time_read(const struct vcpu *v, struct vm_thread_time *now)
{
	/* Acquire: pairs with the release of thread_finish(). */
	if (atomic_load_explicit(&v->finished, memory_order_acquire)) {
		*now = v->final_time;
		return v->final_time.run_ns ? 0 : -ENOTSUP;
	}
	/* Acquire: pairs with the release of thread_prepare(). */
	if (!atomic_load_explicit(&v->timed, memory_order_acquire))
		return -ESRCH;
	return thread_time_read(&v->time, now);
}
