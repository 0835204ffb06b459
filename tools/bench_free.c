// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tools/bench.d/disk: what a guest without a kernel (bench_guest.c) can
 * measure on a /dev/kvm where no kernel boots: high rates, and what it costs to
 * freeze many disks and vCPUs.
 *
 *   bench_free rate ROUNDS NAME IOPS BYTES-PER-SECOND BLOCK DEPTH MS
 *   bench_free freeze ROUNDS VCPUS DISKS busy|halted
 *
 * Each line of stdout is SIDE ROUND WHAT NUMBER, the side being "free".
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hist.h"
#include "lib/log.h"
#include "tools/bench_guest.h"
#include "vmm/layout.h"
#include "vmm/virtio_mmio.h"
#include "vmm/vmm.h"

#define MEMORY_BYTES (128 * MIB)
#define IMAGE_BYTES (64 * MIB)
#define RING_GPA 0x400000ULL	/* of the first disk; a stride for each */
#define RING_STRIDE 0x10000ULL
#define AVAIL_OFF 0x2000
#define USED_OFF 0x4000
#define HDR_OFF 0x6000
#define STATUS_OFF 0x8000
#define DATA_GPA (16 * MIB)	/* all read to the same place */
#define QUEUE 256
#define CHAIN 3			/* header, data, status */
#define DEPTH_MAX (QUEUE / CHAIN)
#define SECTOR 512

#define TICK_NS (20 * NSEC_PER_MSEC)
#define LIMIT_NS (60 * NSEC_PER_SEC)
#define STAMPS_MAX (1u << 20)

#define FREEZES 200
#define FREEZE_EACH_NS (2 * NSEC_PER_MSEC)
#define FREEZE_AFTER_NS (100 * NSEC_PER_MSEC)
#define FREEZE_LIMIT_NS (5 * NSEC_PER_SEC)
/* of each disk whose workers are frozen */
#define FREEZE_IOPS 1000
#define FREEZE_DEPTH 8

static const char usage[] =
"usage: bench_free rate ROUNDS NAME IOPS BYTES-PER-SECOND BLOCK DEPTH MS\n"
"       bench_free freeze ROUNDS VCPUS DISKS busy|halted\n";

/* What is asked of one VM. */
struct setup {
	unsigned int vcpus, disks, depth, block;
	uint64_t iops, bps;
	bool halted;		/* the vCPUs but the first */
	uint64_t run_ns;
};

struct session {
	const struct setup *setup;
	struct vm *vm;
	struct guest_params *params;	/* in guest memory */
	uint64_t start_ns;
	int timer_fd, err;

	uint64_t *stamps;	/* rate: of completions, in order */
	size_t nr;
	struct vm_disk_stats first, last; /* rate, if nothing limits it */
	uint64_t freeze_ns[FREEZES];
	unsigned int nr_freezes;
};

/* ---------------------------------------------------- the guest, in memory */

static void *at(struct vm *vm, uint64_t gpa, uint64_t len)
{
	void *p = guest_mem_hva(vm_guest_mem(vm), gpa, len);

	if (!p)
		abort(); /* all of it lies below MEMORY_BYTES */
	return p;
}

/* An ELF kernel with the code as its only segment; or -errno. */
static int make_kernel(void)
{
	size_t len = __stop_bench_guest - __start_bench_guest;
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_entry = GUEST_ENTRY_GPA +
			   (bench_guest_entry - __start_bench_guest),
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	Elf64_Phdr p = {
		.p_type = PT_LOAD,
		.p_offset = sizeof(h) + sizeof(p),
		.p_paddr = GUEST_ENTRY_GPA,
		.p_filesz = len,
		.p_memsz = len,
	};
	int fd = memfd_create("bench-guest", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, &h, sizeof(h)) == sizeof(h) &&
	    write(fd, &p, sizeof(p)) == sizeof(p) &&
	    write(fd, __start_bench_guest, len) == (ssize_t)len)
		return fd;
	close(fd);
	return -EIO;
}

static void add_reg(struct guest_params *p, uint64_t addr, uint32_t value)
{
	p->regs[p->nr_regs].addr = addr;
	p->regs[p->nr_regs++].value = value;
}

/* The driver's way to DRIVER_OK. Source: virtio 1.4, 3.1.1. */
static void add_device(struct guest_params *p, uint64_t mmio, uint64_t ring)
{
	const struct {
		uint32_t off, value;
	} regs[] = {
		{ VIRTIO_MMIO_STATUS, 0 },
		{ VIRTIO_MMIO_STATUS, 1 },
		{ VIRTIO_MMIO_STATUS, 3 },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0 },
		{ VIRTIO_MMIO_DRIVER_FEATURES, 0 },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1 },
		{ VIRTIO_MMIO_DRIVER_FEATURES, 1 }, /* VERSION_1 */
		{ VIRTIO_MMIO_STATUS, 11 },
		{ VIRTIO_MMIO_QUEUE_SEL, 0 },
		{ VIRTIO_MMIO_QUEUE_NUM, QUEUE },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, ring },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW + 4, 0 },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, ring + AVAIL_OFF },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW + 4, 0 },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, ring + USED_OFF },
		{ VIRTIO_MMIO_QUEUE_USED_LOW + 4, 0 },
		{ VIRTIO_MMIO_QUEUE_READY, 1 },
		{ VIRTIO_MMIO_STATUS, 15 },
	};
	size_t i;

	_Static_assert(sizeof(regs) / sizeof(regs[0]) * GUEST_QUEUES <=
			       GUEST_REGS, "");
	for (i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		add_reg(p, mmio + regs[i].off, regs[i].value);
}

/* All of @s->depth requests are in the ring before the device looks. */
static void fill_ring(struct vm *vm, const struct setup *s, uint64_t ring)
{
	struct vring_desc *d = at(vm, ring, QUEUE * sizeof(*d));
	struct vring_avail *avail = at(vm, ring + AVAIL_OFF, 4096);
	struct virtio_blk_outhdr *h = at(vm, ring + HDR_OFF, 4096);
	unsigned int i, head;

	for (i = 0; i < s->depth; i++) {
		head = i * CHAIN;
		h[i] = (struct virtio_blk_outhdr){
			.type = VIRTIO_BLK_T_IN,
			.sector = (uint64_t)i * s->block / SECTOR %
				  (IMAGE_BYTES / SECTOR - s->block / SECTOR),
		};
		d[head] = (struct vring_desc){ ring + HDR_OFF + i * sizeof(*h),
					       sizeof(*h), VRING_DESC_F_NEXT,
					       head + 1 };
		d[head + 1] = (struct vring_desc){
			DATA_GPA, s->block,
			VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, head + 2 };
		d[head + 2] = (struct vring_desc){ ring + STATUS_OFF + i, 1,
						   VRING_DESC_F_WRITE, 0 };
		avail->ring[i] = head;
	}
	avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	avail->idx = s->depth;
}

/* Real mode: lock incw COUNT, then for ever hlt or pause. */
static void fill_aps(struct vm *vm, bool halted)
{
	uint8_t code[] = { 0xfa, 0xf0, 0xff, 0x06,
			   GUEST_AP_COUNT_GPA & 0xff, GUEST_AP_COUNT_GPA >> 8,
			   0xf3, 0x90, 0xeb, 0xfc };

	if (halted) {
		code[6] = 0x90;
		code[7] = 0xf4;
	}
	memcpy(at(vm, GUEST_AP_GPA, sizeof(code)), code, sizeof(code));
}

static void fill_guest(struct session *s)
{
	struct guest_params *p = at(s->vm, GUEST_PARAMS_GPA, sizeof(*p));
	unsigned int i;

	memset(p, 0, sizeof(*p));
	p->nr_queues = s->setup->disks;
	p->start_aps = s->setup->vcpus > 1;
	fill_aps(s->vm, s->setup->halted);
	for (i = 0; i < s->setup->disks; i++) {
		/* the agent's port is the first device */
		uint64_t mmio = LAYOUT_VIRTIO_MMIO +
				(i + 1) * VIRTIO_MMIO_BYTES;
		uint64_t ring = RING_GPA + i * RING_STRIDE;

		fill_ring(s->vm, s->setup, ring);
		add_device(p, mmio, ring);
		p->queues[i] = (struct guest_queue){
			.avail_gpa = ring + AVAIL_OFF,
			.used_gpa = ring + USED_OFF,
			.notify_gpa = mmio + VIRTIO_MMIO_QUEUE_NOTIFY,
			.size = QUEUE,
			.next = s->setup->depth,
		};
	}
	s->params = p;
}

/* --------------------------------------------------------------- one VM -- */

static int make_vm(struct session *s, const struct vm_ops *ops)
{
	static const char *const names[GUEST_QUEUES] = {
		"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7" };
	struct vm_disk_config disks[GUEST_QUEUES];
	char path[64], why[256] = "";
	struct vm_config cfg = {
		.topology = { 0, 1, 1, s->setup->vcpus, 1 },
		.memory_bytes = MEMORY_BYTES,
		.kernel_path = path,
		.cmdline = "",
		.transport = VM_TRANSPORT_MMIO,
		.disks = disks,
		.nr_disks = s->setup->disks,
		.deadline_ns = LIMIT_NS,
	};
	unsigned int i;
	int fd, err;

	for (i = 0; i < s->setup->disks; i++)
		disks[i] = (struct vm_disk_config){
			.name = names[i],
			.size_bytes = IMAGE_BYTES,
			.throttle = { .iops = s->setup->iops,
				      .bps = s->setup->bps },
		};
	fd = make_kernel();
	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = vm_new(&cfg, ops, s, &s->vm, why, sizeof(why));
	close(fd);
	if (err)
		log_err("%s", why);
	else
		fill_guest(s);
	return err;
}

static void stop(struct session *s, int err)
{
	if (err && !s->err)
		s->err = err;
	vm_stop(s->vm, 1);
}

/* Have @tick called each @ns from @first_ns on. */
static void tick_start(struct session *s, uint64_t first_ns, uint64_t ns,
		       void (*tick)(void *ctx, uint32_t events))
{
	struct itimerspec when = { clock_to_timespec(ns),
				   clock_to_timespec(first_ns) };
	int err;

	s->start_ns = clock_now_ns();
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	err = s->timer_fd < 0 || timerfd_settime(s->timer_fd, 0, &when, NULL) ?
		      -errno : 0;
	if (!err)
		err = vm_loop_add_fd(s->vm, s->timer_fd, EPOLLIN, tick, s);
	if (err)
		stop(s, err);
}

static void tick_taken(struct session *s)
{
	uint64_t n;

	if (read(s->timer_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		stop(s, -errno);
}

static int run_vm(struct session *s, const struct vm_ops *ops)
{
	struct vm_end end;
	int err;

	s->timer_fd = -1;
	err = make_vm(s, ops);
	if (err)
		return err;
	err = vm_run(s->vm, &end);
	if (!err && end.kind != VM_END_STOPPED) {
		log_err("the VM ended by %s, %s", vm_end_name(end.kind),
			end.detail);
		err = -EIO;
	}
	if (s->timer_fd >= 0)
		close(s->timer_fd);
	return err ? err : s->err;
}

/* ----------------------------------------------------------------- rate -- */

static void take_stamps(struct session *s)
{
	struct vm_disk_io io[512];
	uint64_t dropped = 0;
	size_t n, i;

	do {
		n = vm_disk_trace_read(s->vm, 0, io, 512, &dropped);
		for (i = 0; i < n && s->nr < STAMPS_MAX; i++)
			s->stamps[s->nr++] = io[i].complete_ns;
	} while (n == 512);
	if (dropped || s->nr == STAMPS_MAX) {
		log_err("%" PRIu64 " completions were lost", dropped);
		stop(s, -EOVERFLOW);
	}
}

/* Too many stamps for the disk to keep where nothing holds it. */
static void take_counters(struct session *s)
{
	vm_disk_stats_read(s->vm, 0, &s->last);
	if (!s->first.reads)
		s->first = s->last;
}

static bool is_limited(const struct session *s)
{
	return s->setup->iops || s->setup->bps;
}

static void rate_tick(void *ctx, uint32_t events)
{
	struct session *s = ctx;

	tick_taken(s);
	if (is_limited(s))
		take_stamps(s);
	else
		take_counters(s);
	/* whole seconds from the first completion on */
	if (s->nr)
		s->start_ns = s->stamps[0];
	if (clock_now_ns() - s->start_ns >= s->setup->run_ns)
		stop(s, 0);
}

static void rate_started(void *ctx)
{
	tick_start(ctx, TICK_NS, TICK_NS, rate_tick);
}

struct rate {
	const char *name;
	unsigned int round;
	struct ktstr_hist *late; /* of all rounds */
};

static void say(const struct rate *r, const char *what, uint64_t n)
{
	printf("free %u %s/%s %" PRIu64 "\n", r->round, r->name, what, n);
}

/* Seconds count from the first completion on. */
static void say_rate(const struct rate *r, const struct session *s)
{
	uint64_t second[64] = { 0 }, gap_ns = 0, from_ns = s->stamps[0];
	char what[32];
	size_t i;

	for (i = 0; i < s->nr; i++) {
		uint64_t k = (s->stamps[i] - from_ns) / NSEC_PER_SEC;

		second[k < 63 ? k : 63]++;
		if (i && s->stamps[i] - s->stamps[i - 1] > gap_ns)
			gap_ns = s->stamps[i] - s->stamps[i - 1];
	}
	for (i = 0; i < s->setup->run_ns / NSEC_PER_SEC && i < 63; i++) {
		snprintf(what, sizeof(what), "second%zu", i);
		say(r, what, second[i]);
	}
	say(r, "gap_ns", gap_ns);
}

static int say_unlimited(const struct rate *r, const struct session *s)
{
	if (s->last.at_ns == s->first.at_ns)
		return -ENODATA;
	say(r, "per_s", (s->last.reads - s->first.reads) * NSEC_PER_SEC /
				(s->last.at_ns - s->first.at_ns));
	return 0;
}

/* The guest must have got back what the disk says that it completed. */
static int check_guest(struct session *s)
{
	uint64_t done = s->params->queues[0].done;
	struct vm_disk_stats st;

	vm_disk_stats_read(s->vm, 0, &st);
	if (done && done <= st.reads && st.reads - done <= s->setup->depth &&
	    !st.io_errors && (!is_limited(s) || s->nr == st.reads))
		return 0;
	log_err("the disk did %" PRIu64 " requests and told of %zu, the guest "
		"counted %" PRIu64, st.reads, s->nr, done);
	return -EPROTO;
}

static int rate_once(struct rate *r, const struct setup *setup)
{
	static const struct vm_ops ops = { .started = rate_started };
	struct ktstr_hist *h = calloc(1, sizeof(*h));
	struct session s = { .setup = setup };
	int err = -ENOMEM;

	s.stamps = malloc(STAMPS_MAX * sizeof(*s.stamps));
	if (h && s.stamps)
		err = run_vm(&s, &ops);
	if (!err && is_limited(&s)) {
		take_stamps(&s);
		err = s.err;
	}
	if (!err)
		err = check_guest(&s);
	if (!err && !is_limited(&s))
		err = say_unlimited(r, &s);
	if (!err) {
		if (is_limited(&s))
			say_rate(r, &s);
		say(r, "waited_ns", vm_worker_wait_ns(s.vm, 0));
		vm_disk_hist_read(s.vm, 0, VM_DISK_HIST_LATENESS, h);
		hist_merge(r->late, h);
	}
	vm_free(s.vm);
	free(s.stamps);
	free(h);
	return err;
}

static int cmd_rate(int argc, char **argv)
{
	struct setup setup = { .vcpus = 1, .disks = 1 };
	struct rate r = { 0 };
	unsigned int rounds;
	uint64_t ns;
	int err = 0;

	if (argc != 9)
		return -EINVAL;
	rounds = atoi(argv[2]);
	r.name = argv[3];
	setup.iops = strtoull(argv[4], NULL, 10);
	setup.bps = strtoull(argv[5], NULL, 10);
	setup.block = atoi(argv[6]);
	setup.depth = atoi(argv[7]);
	setup.run_ns = atoi(argv[8]) * NSEC_PER_MSEC;
	if (!setup.depth || setup.depth > DEPTH_MAX || !setup.block ||
	    setup.block > MIB || setup.block % SECTOR)
		return -EINVAL;
	r.late = calloc(1, sizeof(*r.late));
	if (!r.late)
		return -ENOMEM;
	for (r.round = 1; r.round <= rounds && !err; r.round++)
		err = rate_once(&r, &setup);
	r.round = 0;
	if (!err) {
		say(&r, "wakes", hist_total(r.late));
		if (hist_quantile(r.late, 500000, &ns))
			say(&r, "late_p50_ns", ns);
		if (hist_quantile(r.late, 990000, &ns))
			say(&r, "late_p99_ns", ns);
	}
	free(r.late);
	return err;
}

/* --------------------------------------------------------------- freeze -- */

static bool aps_run(const struct session *s)
{
	const uint16_t *n = at(s->vm, GUEST_AP_COUNT_GPA, sizeof(*n));

	return __atomic_load_n(n, __ATOMIC_RELAXED) == s->setup->vcpus - 1;
}

static bool disks_run(const struct session *s)
{
	struct vm_disk_stats st;
	unsigned int i;

	for (i = 0; i < s->setup->disks; i++) {
		vm_disk_stats_read(s->vm, i, &st);
		if (!st.reads)
			return false;
	}
	return true;
}

static void freeze_tick(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	uint64_t from_ns;
	int err;

	tick_taken(s);
	if (!s->nr_freezes && (!aps_run(s) || !disks_run(s))) {
		if (clock_now_ns() - s->start_ns > FREEZE_LIMIT_NS)
			stop(s, -ETIMEDOUT);
		return;
	}
	from_ns = clock_now_ns();
	err = vm_freeze(s->vm, FREEZE_LIMIT_NS);
	s->freeze_ns[s->nr_freezes++] = clock_now_ns() - from_ns;
	vm_thaw(s->vm);
	if (err || s->nr_freezes == FREEZES)
		stop(s, err);
}

static void freeze_started(void *ctx)
{
	tick_start(ctx, FREEZE_AFTER_NS, FREEZE_EACH_NS, freeze_tick);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int freeze_once(const struct rate *r, const struct setup *setup)
{
	static const struct vm_ops ops = { .started = freeze_started };
	struct session s = { .setup = setup };
	int err = run_vm(&s, &ops);

	if (!err) {
		qsort(s.freeze_ns, FREEZES, sizeof(s.freeze_ns[0]), by_size);
		say(r, "p50_ns", s.freeze_ns[FREEZES / 2]);
		say(r, "p99_ns", s.freeze_ns[FREEZES * 99 / 100]);
	}
	vm_free(s.vm);
	return err;
}

static int cmd_freeze(int argc, char **argv)
{
	struct setup setup = { .depth = FREEZE_DEPTH, .block = 4096,
			       .iops = FREEZE_IOPS };
	unsigned int rounds;
	struct rate r;
	char name[64];
	int err = 0;

	if (argc != 6)
		return -EINVAL;
	rounds = atoi(argv[2]);
	setup.vcpus = atoi(argv[3]);
	setup.disks = atoi(argv[4]);
	setup.halted = !strcmp(argv[5], "halted");
	if (!setup.vcpus || setup.disks > GUEST_QUEUES)
		return -EINVAL;
	snprintf(name, sizeof(name), "freeze-%u-%u-%s", setup.vcpus,
		 setup.disks, argv[5]);
	r.name = name;
	for (r.round = 1; r.round <= rounds && !err; r.round++)
		err = freeze_once(&r, &setup);
	return err;
}

int main(int argc, char **argv)
{
	int err = -EINVAL;

	if (argc > 1 && !strcmp(argv[1], "rate"))
		err = cmd_rate(argc, argv);
	else if (argc > 1 && !strcmp(argv[1], "freeze"))
		err = cmd_freeze(argc, argv);
	if (err == -EINVAL) {
		fputs(usage, stderr);
		return 2;
	}
	if (err)
		log_err("%s: %s", argv[1], strerror(-err));
	return err ? 1 : 0;
}
