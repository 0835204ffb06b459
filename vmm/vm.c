// SPDX-License-Identifier: GPL-2.0-only
#include "lib/fd.h"
#include "vmm/vmm.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "vmm/acpi.h"
#include "vmm/boot_params.h"
#include "vmm/devices.h"
#include "vmm/freeze.h"
#include "vmm/kvm_host.h"
#include "vmm/memory.h"
#include "vmm/vcpu.h"
#include "vmm/vm_loop.h"

/* The owner's stop, in one word, so that a signal handler can write it. */
#define STOP_ASKED (1ULL << 32)

struct vm {
	/* set by vm_new(), then constant */
	struct vm_topology topology;
	uint64_t deadline_ns;
	const struct vm_ops *ops; /* borrowed */
	void *ctx;
	cpu_set_t vcpu_cpus;
	bool has_vcpu_cpus;
	int kvm_fd, vm_fd;	/* owned */
	struct vm_memory memory;
	struct devices devices;
	bool has_devices;
	struct vcpu *vcpus;	/* owned, nr_vcpus */
	unsigned int nr_vcpus;

	/* the main loop's thread */
	struct loop loop;
	int deadline_fd;	/* owned timerfd */
	bool has_run;
	bool frozen;
	uint64_t frozen_at_ns;	/* CLOCK_MONOTONIC */
	void (*watch_hit)(void *ctx, unsigned int vcpu);
	void *watch_ctx;

	/* shared */
	struct freeze freeze;	/* main loop and vCPU threads */
	int wake_fd;		/* owned eventfd: an end or a stop is there */
	int hit_fd;		/* owned eventfd: a vCPU's number + 1 */
	_Atomic uint64_t stop;	/* STOP_ASKED | reason */
	pthread_mutex_t end_lock; /* for the two below */
	bool ended;
	struct vm_end end;
};

static const char *const end_names[] = {
	[VM_END_STOPPED] = "stopped",
	[VM_END_RESET] = "reset",
	[VM_END_POWEROFF] = "poweroff",
	[VM_END_TRIPLE_FAULT] = "triple-fault",
	[VM_END_INTERNAL_ERROR] = "internal-error",
	[VM_END_ENTRY_FAILED] = "entry-failed",
	[VM_END_DEADLINE] = "deadline",
	[VM_END_HOST_ERROR] = "host-error",
};

const char *vm_end_name(enum vm_end_kind kind)
{
	if ((unsigned int)kind >= sizeof(end_names) / sizeof(end_names[0]))
		return "unknown";
	return end_names[kind];
}

/* ------------------------------------------------------------ the end --- */

/* The first end wins; any thread. */
__attribute__((format(printf, 4, 0)))
static void end_set(struct vm *vm, enum vm_end_kind kind, unsigned int vcpu,
		    const char *fmt, va_list ap)
{
	pthread_mutex_lock(&vm->end_lock);
	if (!vm->ended) {
		vm->ended = true;
		vm->end.kind = kind;
		vm->end.vcpu = vcpu;
		vsnprintf(vm->end.detail, sizeof(vm->end.detail), fmt, ap);
	}
	pthread_mutex_unlock(&vm->end_lock);
	(void)eventfd_write(vm->wake_fd, 1);
}

__attribute__((format(printf, 4, 5)))
static void vm_end_report(void *ctx, enum vm_end_kind kind, unsigned int vcpu,
			  const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_set(ctx, kind, vcpu, fmt, ap);
	va_end(ap);
}

/*
 * A vCPU has written what is watched. It asks for the freeze itself, so that it
 * parks right after this; the main loop is told, and sees to the others.
 */
static void watch_is_hit(void *ctx, unsigned int vcpu)
{
	struct vm *vm = ctx;

	freeze_ask(&vm->freeze);
	(void)eventfd_write(vm->hit_fd, vcpu + 1);
}

static const struct vcpu_ops vm_vcpu_ops = {
	.end = vm_end_report,
	.hit = watch_is_hit,
};

static bool vm_ended(struct vm *vm)
{
	bool ended;

	pthread_mutex_lock(&vm->end_lock);
	ended = vm->ended;
	pthread_mutex_unlock(&vm->end_lock);
	return ended;
}

void vm_stop(struct vm *vm, int reason)
{
	uint64_t none = 0;

	/* Release: pairs with the acquire of on_wake(). */
	atomic_compare_exchange_strong_explicit(&vm->stop, &none,
						STOP_ASKED | (uint32_t)reason,
						memory_order_release,
						memory_order_relaxed);
	(void)eventfd_write(vm->wake_fd, 1);
}

static void on_wake(void *ctx, uint32_t events)
{
	struct vm *vm = ctx;
	eventfd_t n;
	uint64_t stop;

	(void)eventfd_read(vm->wake_fd, &n);
	stop = atomic_load_explicit(&vm->stop, memory_order_acquire);
	if (!stop)
		return;
	pthread_mutex_lock(&vm->end_lock);
	if (!vm->ended) {
		vm->ended = true;
		vm->end.kind = VM_END_STOPPED;
		vm->end.reason = (int)(uint32_t)stop;
	}
	pthread_mutex_unlock(&vm->end_lock);
}

static void on_hit(void *ctx, uint32_t events)
{
	struct vm *vm = ctx;
	eventfd_t vcpu = 0;

	(void)eventfd_read(vm->hit_fd, &vcpu);
	/* of two at once the sum is no number, but the first is as good */
	if (vcpu > vm->nr_vcpus)
		vcpu = 1;
	if (vcpu && vm->watch_hit)
		vm->watch_hit(vm->watch_ctx, vcpu - 1);
	if (!vm->frozen)
		freeze_end(&vm->freeze);
}

static void on_deadline(void *ctx, uint32_t events)
{
	struct vm *vm = ctx;

	vm_end_report(vm, VM_END_DEADLINE, 0, "%llu ms after the start",
		      (unsigned long long)(vm->deadline_ns / NSEC_PER_MSEC));
}

/* ------------------------------------------------------- bytes out ------ */

static void console_bytes(void *ctx, const char *data, size_t len)
{
	struct vm *vm = ctx;

	if (vm->ops->console)
		vm->ops->console(vm->ctx, data, len);
}

static void on_console(void *ctx, uint32_t events)
{
	struct vm *vm = ctx;

	console_buf_drain(&vm->devices.console_out, console_bytes, vm);
}

static void on_port(void *ctx, uint32_t events)
{
	struct vm *vm = ctx;

	virtio_console_serve(vm->devices.port);
}

static void port_data(void *ctx, const void *data, size_t len)
{
	struct vm *vm = ctx;

	if (vm->ops->port)
		vm->ops->port(vm->ctx, data, len);
}

static void port_open(void *ctx, bool open)
{
	struct vm *vm = ctx;

	if (vm->ops->port_open)
		vm->ops->port_open(vm->ctx, open);
}

static const struct virtio_console_ops vm_port_ops = {
	.data = port_data,
	.open = port_open,
};

/* --------------------------------------------------------------- new ---- */

static int check_config(const struct vm_config *cfg, const struct errmsg *e)
{
	char why[128];

	if (!vm_topology_check(&cfg->topology, why, sizeof(why)))
		return errmsg_set(e, -EINVAL, "%s", why);
	if (!cfg->kernel_path || !cfg->cmdline)
		return errmsg_set(e, -EINVAL, "no kernel or no command line");
	if (cfg->nr_disks > VM_MAX_DISKS)
		return errmsg_set(e, -EINVAL, "%u disks: at most %d",
				  cfg->nr_disks, VM_MAX_DISKS);
	return 0;
}

/* Everything that lies in guest memory at entry. */
static int load_guest(struct vm *vm, const struct vm_config *cfg,
		      uint64_t *entry_gpa, const struct errmsg *e)
{
	const struct guest_mem *mem = &vm->memory.gm;
	const struct acpi_config acpi = {
		.topology = &vm->topology,
		.memory_bytes = cfg->memory_bytes,
		.transport = cfg->transport,
		.nr_virtio = devices_nr_virtio(cfg),
	};
	uint64_t initrd_gpa, initrd_len;
	struct boot_image img;
	int err;

	err = boot_image_load(mem, cfg->kernel_path, &img, e);
	if (err)
		return err;
	err = boot_initrd_load(mem, cfg->initrd_path, &img, &initrd_gpa,
			       &initrd_len, e);
	if (err)
		return err;
	err = boot_params_write(mem, &img, cfg->cmdline, initrd_gpa,
				initrd_len, e);
	if (err)
		return err;
	err = acpi_write(&acpi, mem);
	if (err)
		return errmsg_errno(e, err, "write the ACPI tables");
	*entry_gpa = img.entry_gpa;
	return 0;
}

static int create_vcpus(struct vm *vm, uint64_t entry_gpa,
			const struct errmsg *e)
{
	struct cpuid_table *supported = malloc(sizeof(*supported));
	struct vcpu_config cfg = {
		.topology = &vm->topology,
		.entry_gpa = entry_gpa,
	};
	unsigned int i;
	int err;

	vm->vcpus = calloc(vm_topology_cpus(&vm->topology),
			   sizeof(vm->vcpus[0]));
	if (!supported || !vm->vcpus) {
		err = errmsg_errno(e, -ENOMEM, "create vCPUs");
		goto free_supported;
	}
	err = kvm_host_cpuid(vm->kvm_fd, supported);
	if (err) {
		errmsg_errno(e, err, "KVM_GET_SUPPORTED_CPUID");
		goto free_supported;
	}
	cfg.supported = &supported->head;
	cfg.vendor = cpuid_vendor_of(&supported->head);
	if (cfg.vendor == CPUID_VENDOR_OTHER) {
		err = errmsg_set(e, -ENODEV,
				 "the host's CPU is neither Intel nor AMD");
		goto free_supported;
	}
	for (i = 0; i < vm_topology_cpus(&vm->topology) && !err; i++) {
		struct vcpu *v = &vm->vcpus[vm->nr_vcpus++];

		v->devices = &vm->devices;
		v->freeze = &vm->freeze;
		v->ops = &vm_vcpu_ops;
		v->ctx = vm;
		v->cpus = vm->has_vcpu_cpus ? &vm->vcpu_cpus : NULL;
		cfg.index = i;
		err = vcpu_init(v, vm->kvm_fd, vm->vm_fd, &cfg, e);
	}
free_supported:
	free(supported);
	return err;
}

/* The fds the main loop always watches. */
static int watch_fds(struct vm *vm)
{
	const struct {
		int fd;
		loop_fn fn;
	} fds[] = {
		{ vm->wake_fd, on_wake },
		{ vm->hit_fd, on_hit },
		{ vm->deadline_fd, on_deadline },
		{ vm->devices.console_out.fd, on_console },
		{ virtio_console_poll_fd(vm->devices.port), on_port },
	};
	size_t i;
	int err = 0;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]) && !err; i++)
		err = loop_add(&vm->loop, fds[i].fd, EPOLLIN, fds[i].fn, vm);
	return err;
}

static int create_fds(struct vm *vm)
{
	int err = loop_init(&vm->loop);

	if (err)
		return err;
	vm->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->wake_fd < 0)
		return -errno;
	vm->hit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->hit_fd < 0)
		return -errno;
	vm->deadline_fd = timerfd_create(CLOCK_MONOTONIC,
					 TFD_CLOEXEC | TFD_NONBLOCK);
	return vm->deadline_fd < 0 ? -errno : 0;
}

static int vm_init(struct vm *vm, const struct vm_config *cfg,
		   const struct errmsg *e)
{
	uint64_t entry_gpa = 0;
	int err;

	err = check_config(cfg, e);
	if (err)
		return err;
	err = create_fds(vm);
	if (err)
		return errmsg_errno(e, err, "create the main loop");
	err = kvm_host_open(KVM_HOST_PATH, &vm->kvm_fd, e);
	if (err)
		return err;
	err = vm_memory_init(&vm->memory, cfg->memory_bytes, e);
	if (err)
		return err;
	err = load_guest(vm, cfg, &entry_gpa, e);
	if (err)
		return err;
	err = kvm_host_create_vm(vm->kvm_fd, &vm->memory.gm, true, &vm->vm_fd,
				 e);
	if (err)
		return err;
	vm->has_devices = true;
	err = devices_init(&vm->devices, vm->vm_fd, &vm->memory.gm, cfg,
			   &vm_port_ops, vm, e);
	if (err)
		return err;
	err = create_vcpus(vm, entry_gpa, e);
	if (err)
		return err;
	err = watch_fds(vm);
	return err ? errmsg_errno(e, err, "set up the main loop") : 0;
}

int vm_new(const struct vm_config *cfg, const struct vm_ops *ops, void *ctx,
	   struct vm **out, char *err_msg, size_t err_len)
{
	struct errmsg e = { err_msg, err_len };
	struct vm *vm = calloc(1, sizeof(*vm));
	int err;

	if (!vm)
		return errmsg_errno(&e, -ENOMEM, "create a VM");
	vm->ops = ops;
	vm->ctx = ctx;
	vm->topology = cfg->topology;
	vm->deadline_ns = cfg->deadline_ns;
	if (cfg->vcpu_cpus) {
		vm->vcpu_cpus = *cfg->vcpu_cpus;
		vm->has_vcpu_cpus = true;
	}
	vm->kvm_fd = -1;
	vm->vm_fd = -1;
	vm->wake_fd = -1;
	vm->hit_fd = -1;
	vm->deadline_fd = -1;
	vm->loop.epoll_fd = -1;
	pthread_mutex_init(&vm->end_lock, NULL);
	freeze_init(&vm->freeze);
	err = vm_init(vm, cfg, &e);
	if (err) {
		vm_free(vm);
		return err;
	}
	*out = vm;
	return 0;
}

void vm_free(struct vm *vm)
{
	unsigned int i;

	if (!vm)
		return;
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_fini(&vm->vcpus[i]);
	free(vm->vcpus);
	if (vm->has_devices)
		devices_fini(&vm->devices);
	fd_close(&vm->vm_fd);
	fd_close(&vm->kvm_fd);
	loop_fini(&vm->loop);
	fd_close(&vm->wake_fd);
	fd_close(&vm->hit_fd);
	fd_close(&vm->deadline_fd);
	vm_memory_fini(&vm->memory);
	freeze_fini(&vm->freeze);
	pthread_mutex_destroy(&vm->end_lock);
	free(vm);
}

/* --------------------------------------------------------------- run ---- */

static int arm_deadline(struct vm *vm)
{
	struct itimerspec when = { 0 };

	if (!vm->deadline_ns)
		return 0;
	when.it_value = clock_to_timespec(vm->deadline_ns);
	return timerfd_settime(vm->deadline_fd, 0, &when, NULL) < 0 ? -errno :
								      0;
}

static void stop_vcpus(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_kick_out(&vm->vcpus[i]);
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_join(&vm->vcpus[i]);
}

static int start_vcpus(struct vm *vm)
{
	unsigned int i;
	int err = vcpu_signal_setup();

	for (i = 0; i < vm->nr_vcpus && !err; i++)
		err = vcpu_start(&vm->vcpus[i]);
	if (err)
		stop_vcpus(vm);
	return err;
}

/* What the guest said with its last breath is still in the buffers. */
static void drain_outputs(struct vm *vm)
{
	virtio_console_serve(vm->devices.port);
	console_buf_drain(&vm->devices.console_out, console_bytes, vm);
	if (vm->devices.console_out.dropped)
		log_warn("console: %llu bytes found no room and were dropped",
			 (unsigned long long)vm->devices.console_out.dropped);
}

int vm_run(struct vm *vm, struct vm_end *end)
{
	int err;

	if (vm->has_run)
		return -EALREADY;
	vm->has_run = true;
	err = arm_deadline(vm);
	if (err)
		return err;
	err = start_vcpus(vm);
	if (err)
		return err;
	if (vm->ops->started)
		vm->ops->started(vm->ctx);
	while (!vm_ended(vm)) {
		err = loop_once(&vm->loop, -1);
		if (err)
			vm_end_report(vm, VM_END_HOST_ERROR, 0, "epoll: %s",
				      strerror(-err));
	}
	stop_vcpus(vm);
	devices_stop(&vm->devices);
	drain_outputs(vm);
	*end = vm->end;
	return 0;
}

/* ------------------------------------------------------------ freeze ---- */

static void thaw(struct vm *vm)
{
	devices_thaw(&vm->devices);
	freeze_end(&vm->freeze);
}

int vm_freeze(struct vm *vm, uint64_t timeout_ns)
{
	uint64_t until_ns = clock_now_ns() + timeout_ns;
	unsigned int i;

	if (vm->frozen)
		return -EBUSY;
	/* vCPUs first: none is left to start or reset a worker then. */
	freeze_ask(&vm->freeze);
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_interrupt(&vm->vcpus[i]);
	if (!freeze_wait(&vm->freeze, until_ns) ||
	    !devices_freeze(&vm->devices, until_ns)) {
		thaw(vm);
		return -ETIMEDOUT;
	}
	vm->frozen = true;
	vm->frozen_at_ns = clock_now_ns();
	return 0;
}

uint64_t vm_thaw(struct vm *vm)
{
	if (!vm->frozen)
		return 0;
	vm->frozen = false;
	thaw(vm);
	return clock_now_ns() - vm->frozen_at_ns;
}

int vm_watch_write(struct vm *vm, uint64_t gva, unsigned int len,
		   void (*hit)(void *ctx, unsigned int vcpu), void *ctx)
{
	unsigned int i;
	int err = vm->frozen ? 0 : -EBUSY;

	for (i = 0; i < vm->nr_vcpus && !err; i++)
		err = vcpu_watch(&vm->vcpus[i], gva, len);
	if (!err) {
		vm->watch_hit = hit;
		vm->watch_ctx = ctx;
	}
	/* all or none */
	while (err && err != -EBUSY && i > 1)
		(void)vcpu_watch(&vm->vcpus[--i - 1], 0, 0);
	return err;
}

/* ---------------------------------------------------- for the owner ----- */

int vm_port_send(struct vm *vm, const void *data, size_t len)
{
	return virtio_console_send(vm->devices.port, data, len);
}

int vm_loop_add_fd(struct vm *vm, int fd, uint32_t events,
		   void (*fn)(void *ctx, uint32_t events), void *ctx)
{
	return loop_add(&vm->loop, fd, events, fn, ctx);
}

void vm_loop_del_fd(struct vm *vm, int fd)
{
	loop_del(&vm->loop, fd);
}

const struct guest_mem *vm_guest_mem(const struct vm *vm)
{
	return &vm->memory.gm;
}

void vm_disk_set_throttle(struct vm *vm, unsigned int disk,
			  const struct vm_throttle *t)
{
	if (disk < vm->devices.nr_disks)
		virtio_blk_set_throttle(vm->devices.disks[disk], t);
}

void vm_disk_set_faults(struct vm *vm, unsigned int disk,
			const struct vm_disk_faults *f)
{
	if (disk < vm->devices.nr_disks)
		virtio_blk_set_faults(vm->devices.disks[disk], f);
}

void vm_disk_stats_read(const struct vm *vm, unsigned int disk,
			struct vm_disk_stats *st)
{
	memset(st, 0, sizeof(*st));
	if (disk < vm->devices.nr_disks)
		virtio_blk_stats_read(vm->devices.disks[disk], st);
}

void vm_disk_hist_read(const struct vm *vm, unsigned int disk,
		       enum vm_disk_hist which, struct ktstr_hist *h)
{
	if (disk < vm->devices.nr_disks)
		virtio_blk_hist_read(vm->devices.disks[disk], which, h);
}

size_t vm_disk_trace_read(struct vm *vm, unsigned int disk,
			  struct vm_disk_io *io, size_t max, uint64_t *dropped)
{
	*dropped = 0;
	if (disk >= vm->devices.nr_disks)
		return 0;
	return virtio_blk_trace_read(vm->devices.disks[disk], io, max, dropped);
}

void vm_vcpu_stats_read(const struct vm *vm, unsigned int vcpu,
			struct vm_vcpu_stats *st)
{
	memset(st, 0, sizeof(*st));
	if (vcpu < vm->nr_vcpus)
		vcpu_stats_read(&vm->vcpus[vcpu], st);
}

int vm_vcpu_time_read(const struct vm *vm, unsigned int vcpu,
		      struct vm_thread_time *now)
{
	if (vcpu >= vm->nr_vcpus)
		return -EINVAL;
	return vcpu_time_read(&vm->vcpus[vcpu], now);
}

uint64_t vm_worker_wait_ns(const struct vm *vm, unsigned int disk)
{
	if (disk >= vm->devices.nr_disks)
		return 0;
	return virtio_blk_worker_wait_ns(vm->devices.disks[disk]);
}
