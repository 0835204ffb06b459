// SPDX-License-Identifier: GPL-2.0-only
/*
 * Boots a kernel in the VMM from the command line: console on stdout, how it
 * ended on stderr. A tool for work on the VMM, not for users.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "vmm/vmm.h"

struct options {
	struct vm_config cfg;
	struct vm_disk_config disks[VM_MAX_DISKS];
	bool probe;
	bool stats;
	unsigned int freeze_ms;	/* freeze this often, for half as long */
};

struct freezer {
	uint64_t every_ms;
	int timer_fd;
};

static struct vm *the_vm; /* for the signal handler */

static void on_signal(int sig)
{
	vm_stop(the_vm, sig);
}

static void console(void *ctx, const char *data, size_t len)
{
	fwrite(data, 1, len, stdout);
	fflush(stdout);
}

static void port(void *ctx, const void *data, size_t len)
{
	fprintf(stderr, "vmm_boot: port: %zu bytes: %.*s\n", len, (int)len,
		(const char *)data);
}

static void port_open(void *ctx, bool open)
{
	fprintf(stderr, "vmm_boot: port %s\n", open ? "open" : "closed");
}

/* Every freeze_ms, the frozen half in one go: the loop has nothing to do. */
static void on_freeze_timer(void *ctx, uint32_t events)
{
	const struct freezer *f = ctx;
	uint64_t n;

	if (read(f->timer_fd, &n, sizeof(n)) < 0)
		return;
	if (vm_freeze(the_vm, NSEC_PER_SEC)) {
		fputs("vmm_boot: freeze timed out\n", stderr);
		return;
	}
	usleep(f->every_ms * 500);
	vm_thaw(the_vm);
}

static void started(void *ctx)
{
	struct freezer *f = ctx;
	struct itimerspec every = {
		.it_interval = clock_to_timespec(f->every_ms * NSEC_PER_MSEC),
		.it_value = clock_to_timespec(f->every_ms * NSEC_PER_MSEC),
	};

	if (!f->every_ms)
		return;
	f->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	if (f->timer_fd < 0 || timerfd_settime(f->timer_fd, 0, &every, NULL) ||
	    vm_loop_add_fd(the_vm, f->timer_fd, EPOLLIN, on_freeze_timer, f))
		perror("vmm_boot: freeze timer");
}

static const struct vm_ops ops = {
	.console = console,
	.port = port,
	.port_open = port_open,
	.started = started,
};

static bool parse_topology(const char *s, struct vm_topology *t)
{
	char end;

	memset(t, 0, sizeof(*t));
	if (sscanf(s, "%up%un%ul%uc%ut%c", &t->packages, &t->nodes, &t->llcs,
		   &t->cores_per_llc, &t->threads_per_core, &end) == 5)
		return true;
	t->packages = 0;
	return sscanf(s, "%un%ul%uc%ut%c", &t->nodes, &t->llcs,
		      &t->cores_per_llc, &t->threads_per_core, &end) == 4;
}

static uint64_t parse_bytes(const char *s)
{
	char *end;
	uint64_t v = strtoull(s, &end, 0);

	switch (*end) {
	case 'G':
		return v << 30;
	case 'M':
		return v << 20;
	case 'K':
		return v << 10;
	default:
		return v;
	}
}

/* name=data,size=64M,iops=100,bps=1000000,ro */
static bool parse_disk(char *s, struct vm_disk_config *d)
{
	enum { NAME, SIZE, IOPS, BPS, RO };
	static char *const keys[] = {
		[NAME] = "name", [SIZE] = "size", [IOPS] = "iops",
		[BPS] = "bps", [RO] = "ro", NULL,
	};
	char *value;

	*d = (struct vm_disk_config){ .name = "disk", .size_bytes = 64 << 20 };
	while (*s) {
		int key = getsubopt(&s, keys, &value);

		if (key < 0 || (key != RO && !value))
			return false;
		if (key == NAME)
			d->name = value;
		else if (key == SIZE)
			d->size_bytes = parse_bytes(value);
		else if (key == IOPS)
			d->throttle.iops = parse_bytes(value);
		else if (key == BPS)
			d->throttle.bps = parse_bytes(value);
		else
			d->read_only = true;
	}
	return true;
}

static void usage(void)
{
	fputs("usage: vmm_boot --kernel FILE [--initrd FILE] [--cmdline TEXT]\n"
	      "         [--cpus [Np]NnNlNcNt] [--mem SIZE] [--deadline MS]\n"
	      "         [--disk name=N,size=S,iops=N,bps=N,ro] [--stats]\n"
	      "         [--transport pci|mmio] [--freeze MS]\n"
	      "       vmm_boot --probe\n", stderr);
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "kernel", required_argument, NULL, 'k' },
		{ "initrd", required_argument, NULL, 'i' },
		{ "cmdline", required_argument, NULL, 'a' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "mem", required_argument, NULL, 'm' },
		{ "disk", required_argument, NULL, 'd' },
		{ "deadline", required_argument, NULL, 't' },
		{ "stats", no_argument, NULL, 's' },
		{ "probe", no_argument, NULL, 'p' },
		{ "freeze", required_argument, NULL, 'f' },
		{ "transport", required_argument, NULL, 'x' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		bool good = true;

		switch (c) {
		case 'k':
			o->cfg.kernel_path = optarg;
			break;
		case 'i':
			o->cfg.initrd_path = optarg;
			break;
		case 'a':
			o->cfg.cmdline = optarg;
			break;
		case 'c':
			good = parse_topology(optarg, &o->cfg.topology);
			break;
		case 'm':
			o->cfg.memory_bytes = parse_bytes(optarg);
			break;
		case 'd':
			good = o->cfg.nr_disks < VM_MAX_DISKS &&
			       parse_disk(optarg, &o->disks[o->cfg.nr_disks]);
			o->cfg.nr_disks++;
			break;
		case 't':
			o->cfg.deadline_ns = strtoull(optarg, NULL, 0) *
					     NSEC_PER_MSEC;
			break;
		case 'f':
			o->freeze_ms = strtoul(optarg, NULL, 0);
			break;
		case 'x':
			good = !strcmp(optarg, "pci") ||
			       !strcmp(optarg, "mmio");
			o->cfg.transport = *optarg == 'p' ? VM_TRANSPORT_PCI :
							    VM_TRANSPORT_MMIO;
			break;
		case 's':
			o->stats = true;
			break;
		case 'p':
			o->probe = true;
			break;
		default:
			good = false;
		}
		if (!good)
			return false;
	}
	return optind == argc && (o->probe || o->cfg.kernel_path);
}

static void print_stats(const struct vm *vm, const struct options *o)
{
	struct vm_disk_stats d;
	struct vm_vcpu_stats v;
	unsigned int i;

	for (i = 0; i < vm_topology_cpus(&o->cfg.topology); i++) {
		vm_vcpu_stats_read(vm, i, &v);
		fprintf(stderr,
			"vmm_boot: vcpu %u: exits %llu mmio %llu io %llu intr %llu other %llu, ran %llu ms, waited %llu ms\n",
			i, (unsigned long long)v.exits,
			(unsigned long long)v.exits_mmio,
			(unsigned long long)v.exits_io,
			(unsigned long long)v.exits_intr,
			(unsigned long long)v.exits_other,
			(unsigned long long)(v.run_ns / NSEC_PER_MSEC),
			(unsigned long long)(v.wait_ns / NSEC_PER_MSEC));
	}
	for (i = 0; i < o->cfg.nr_disks; i++) {
		vm_disk_stats_read(vm, i, &d);
		fprintf(stderr,
			"vmm_boot: disk %s: reads %llu writes %llu flushes %llu errors %llu stalls %llu throttled %llu ms\n",
			o->disks[i].name, (unsigned long long)d.reads,
			(unsigned long long)d.writes,
			(unsigned long long)d.flushes,
			(unsigned long long)d.io_errors,
			(unsigned long long)d.throttle_events,
			(unsigned long long)(d.throttled_ns / NSEC_PER_MSEC));
	}
}

static int boot(const struct options *o)
{
	struct freezer freezer = { .every_ms = o->freeze_ms, .timer_fd = -1 };
	uint64_t t0 = clock_now_ns(), t1;
	struct vm_end end;
	char why[256] = "";
	int err;

	err = vm_new(&o->cfg, &ops, &freezer, &the_vm, why, sizeof(why));
	if (err) {
		fprintf(stderr, "vmm_boot: %s (%s)\n", why, strerror(-err));
		return 1;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	t1 = clock_now_ns();
	err = vm_run(the_vm, &end);
	if (err) {
		fprintf(stderr, "vmm_boot: run: %s\n", strerror(-err));
		vm_free(the_vm);
		return 1;
	}
	fprintf(stderr,
		"vmm_boot: end: %s (vcpu %u, reason %d) %s; set-up %llu ms, ran %llu ms\n",
		vm_end_name(end.kind), end.vcpu, end.reason, end.detail,
		(unsigned long long)((t1 - t0) / NSEC_PER_MSEC),
		(unsigned long long)((clock_now_ns() - t1) / NSEC_PER_MSEC));
	if (o->stats)
		print_stats(the_vm, o);
	vm_free(the_vm);
	return 0;
}

static int probe(void)
{
	static const char *const states[] = {
		[VM_KVM_GOOD] = "good",		  [VM_KVM_MISSING] = "missing",
		[VM_KVM_FORBIDDEN] = "forbidden", [VM_KVM_UNFIT] = "unfit",
		[VM_KVM_SLOW] = "slow",
	};
	uint64_t t0 = clock_now_ns();
	struct vm_kvm_probe p;

	vm_kvm_probe(&p);
	printf("kvm: %s: %s; loop %llu us, probe %llu ms\n", states[p.state],
	       p.why, (unsigned long long)(p.loop_ns / NSEC_PER_USEC),
	       (unsigned long long)((clock_now_ns() - t0) / NSEC_PER_MSEC));
	return p.state != VM_KVM_GOOD;
}

int main(int argc, char **argv)
{
	struct options o = {
		.cfg = {
			.topology = { 0, 1, 1, 1, 1 },
			.memory_bytes = 512 << 20,
			.cmdline = "console=ttyS0 panic=-1 reboot=k",
		},
	};

	if (!parse(argc, argv, &o)) {
		usage();
		return 2;
	}
	o.cfg.disks = o.disks;
	return o.probe ? probe() : boot(&o);
}
