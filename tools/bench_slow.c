// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tools/bench.d/slowdown: what a guest notices of being sampled, on any
 * /dev/kvm: where it boots no kernel, what a guest does in user mode runs at
 * full speed all the same. So a guest without a kernel (bench_slow_guest.c)
 * works, and counts what it does in maps and run queues that lie in its memory,
 * made by hand; what takes samples of running guests takes them there, at one
 * rate after the other.
 *
 *   bench_slow FILE spin|wake ROUNDS SLOT-MS GUEST-CPU SAMPLER-CPU
 *
 * spin computes all the time; wake leaves the guest after a little, where its
 * thread sleeps until another one wakes it. FILE is written as samples.jsonl.
 * Each line of stdout is ROUND WHAT NUMBER, WHAT being the rate in Hz, or "off"
 * and "again": not sampled, both; and NUMBER what the guest got done in a
 * second, or with "cpu_" before WHAT in one of its thread's CPU time. Each round
 * has each of them twice, the second time in reverse order. At last "0 taken"
 * tells how many % of the samples at 1000 Hz there were.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "monitor/monitor.h"
#include "monitor/test_image.h"
#include "runner/sampler.h"
#include "tools/bench_image.h"
#include "tools/bench_slow_guest.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

#define MIB (1ull << 20)
#define MEMORY_BYTES (128 * MIB)
#define PAGE_TABLES_GPA 0x1000ull	/* three pages: 1 GiB of 2 MiB each */
#define CODE_GPA (2 * MIB)
#define STACK_END_GPA (4 * MIB)
#define PARAMS_GPA (4 * MIB)
#define IMAGE_GPA (64 * MIB)		/* the made guest's memory */

#define CPUID_ENTRIES 256
#define WARM_SLOTS 3		/* which nothing is made of */
#define SPIN_WORK 3000
#define WAKE_WORK 300
#define COUNTED_MAPS 7

#define IMAGE_MAPS 100
static const struct bench_image image = { 64, IMAGE_MAPS, 0 };

static const struct turn {
	const char *what;
	unsigned int hz;
} turns[] = {
	{ "off", 0 }, { "10", 10 }, { "100", 100 }, { "1000", 1000 },
	{ "again", 0 },
};

#define FASTEST 3		/* of the turns */
#define ROUND_SLOTS (2 * NR(turns))

/* A test of libcheck takes no arguments. */
static struct params {
	const char *path;
	bool wake;
	unsigned int rounds;
	uint64_t slot_ns;
	int guest_cpu, sampler_cpu;
} params;

struct session {
	uint8_t *memory;
	int vcpu_fd, asleep_fd, wake_fd;
	struct kvm_run *run;
	struct slow_params *guest;	/* in its memory */
	struct test_image *ti;
	struct sampler *sampler;
	clockid_t vcpu_clock;	/* the CPU time of its thread */
	/* of the round at hand */
	double done[NR(turns)], took_ns[NR(turns)], ran_ns[NR(turns)];
};

/* ------------------------------------------------------------- the guest -- */

static void make_page_tables(struct session *s)
{
	uint64_t *t = (uint64_t *)(s->memory + PAGE_TABLES_GPA);
	unsigned int i;

	/* present, writable, for user mode; large */
	t[0] = (PAGE_TABLES_GPA + 0x1000) | 7;
	t[512] = (PAGE_TABLES_GPA + 0x2000) | 7;
	for (i = 0; i < MEMORY_BYTES / (2 * MIB); i++)
		t[1024 + i] = i * 2 * MIB | 0x87;
}

/* Have the guest count at @kva of the made guest. */
static void add_counter(struct session *s, uint64_t kva)
{
	struct slow_params *g = s->guest;
	uint64_t off = (uint8_t *)ti_hva(s->ti, kva) - s->ti->ram;

	ck_assert_uint_lt(g->nr_counters, SLOW_COUNTERS);
	g->counters[g->nr_counters++] = IMAGE_GPA + off;
}

/* What is sampled lies in the VM's memory, and changes as the VM goes on. */
static void put_image(struct session *s)
{
	uint64_t maps[IMAGE_MAPS];
	unsigned int i;

	s->ti = bench_image_new(&image, maps);
	add_counter(s, ti_rq(s->ti, 0) + ti_off(s->ti, "rq.clock"));
	add_counter(s, ti_rq(s->ti, 0) + ti_off(s->ti, "rq.nr_switches"));
	/* those per CPU, of which it is the first */
	for (i = 1; i < 2 * COUNTED_MAPS; i += 2) {
		add_counter(s, ti_percpu_value(s->ti, maps[i], 0, 0));
		add_counter(s, ti_percpu_value(s->ti, maps[i], 0, 0) + 8);
	}
	ck_assert_uint_le(IMAGE_GPA + s->ti->ram_bytes, MEMORY_BYTES);
	memcpy(s->memory + IMAGE_GPA, s->ti->ram, s->ti->ram_bytes);
	s->ti->mem.regions[0].hva = s->memory + IMAGE_GPA;
}

static void make_memory(struct session *s)
{
	s->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(s->memory, MAP_FAILED);
	make_page_tables(s);
	memcpy(s->memory + CODE_GPA, __start_slow_guest,
	       __stop_slow_guest - __start_slow_guest);
	s->guest = (struct slow_params *)(s->memory + PARAMS_GPA);
	s->guest->sleeps = params.wake;
	s->guest->work = params.wake ? WAKE_WORK : SPIN_WORK;
	put_image(s);
}

/* 64-bit user mode, with interrupts off, that may use ports. */
static void set_registers(struct session *s)
{
	const struct kvm_segment code = { .limit = UINT32_MAX,
					  .selector = 0x33, .type = 11,
					  .present = 1, .dpl = 3, .s = 1,
					  .l = 1, .g = 1 };
	const struct kvm_segment data = { .limit = UINT32_MAX,
					  .selector = 0x2b, .type = 3,
					  .present = 1, .dpl = 3, .s = 1,
					  .db = 1, .g = 1 };
	struct kvm_regs regs = {
		.rip = CODE_GPA + ((const uint8_t *)slow_guest_main -
				   __start_slow_guest),
		.rsp = STACK_END_GPA - 8, /* as after a call */
		.rdi = PARAMS_GPA,
		.rflags = 0x3002, /* IOPL 3 */
	};
	struct kvm_sregs sregs;

	ck_assert_int_eq(0, ioctl(s->vcpu_fd, KVM_GET_SREGS, &sregs));
	sregs.cr0 = 0x80050033;
	sregs.cr3 = PAGE_TABLES_GPA;
	sregs.cr4 = 0x620; /* PAE, and SSE's */
	sregs.efer = 0x500; /* long mode, active */
	sregs.cs = code;
	sregs.ss = sregs.ds = sregs.es = sregs.fs = sregs.gs = data;
	ck_assert_int_eq(0, ioctl(s->vcpu_fd, KVM_SET_SREGS, &sregs));
	ck_assert_int_eq(0, ioctl(s->vcpu_fd, KVM_SET_REGS, &regs));
}

static void make_vcpu(struct session *s)
{
	struct kvm_userspace_memory_region memory = {
		.memory_size = MEMORY_BYTES,
		.userspace_addr = (uintptr_t)s->memory,
	};
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + CPUID_ENTRIES *
						  sizeof(cpuid->entries[0]));
	int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm_fd, run_bytes;

	ck_assert_msg(kvm_fd >= 0, "/dev/kvm: %s", strerror(errno));
	vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	ck_assert_msg(vm_fd >= 0, "KVM_CREATE_VM: %s", strerror(errno));
	ck_assert_int_eq(0, ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &memory));
	s->vcpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
	ck_assert_int_ge(s->vcpu_fd, 0);
	ck_assert_ptr_nonnull(cpuid);
	cpuid->nent = CPUID_ENTRIES;
	ck_assert_int_eq(0, ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid));
	ck_assert_int_eq(0, ioctl(s->vcpu_fd, KVM_SET_CPUID2, cpuid));
	free(cpuid);
	run_bytes = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	ck_assert_int_ge(run_bytes, (int)sizeof(*s->run));
	s->run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      s->vcpu_fd, 0);
	ck_assert_ptr_ne(s->run, MAP_FAILED);
	set_registers(s);
	close(vm_fd); /* the vCPU keeps it */
	close(kvm_fd);
}

/* ----------------------------------------------------------- its threads -- */

static void tell(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort(); /* of an eventfd that nobody fills */
}

static void wait_for(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) != sizeof(n))
		abort();
}

/* Until the guest ends. What else it leaves for is told, and ends it. */
static void *vcpu_main(void *arg)
{
	struct session *s = arg;
	const struct kvm_run *run = s->run;

	for (;;) {
		if (ioctl(s->vcpu_fd, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				continue;
			fprintf(stderr, "KVM_RUN: %s\n", strerror(errno));
			break;
		}
		if (run->exit_reason != KVM_EXIT_IO ||
		    run->io.port != SLOW_PORT_SLEEP) {
			if (run->exit_reason != KVM_EXIT_IO)
				fprintf(stderr, "the guest's exit %u\n",
					run->exit_reason);
			break;
		}
		tell(s->asleep_fd);
		wait_for(s->wake_fd);
	}
	return NULL;
}

/* Wakes the guest whenever it sleeps, until it is told to end. */
static void *waker_main(void *arg)
{
	struct session *s = arg;

	for (;;) {
		wait_for(s->asleep_fd);
		if (__atomic_load_n(&s->guest->stop, __ATOMIC_RELAXED) > 1)
			return NULL;
		tell(s->wake_fd);
	}
}

static pthread_t start_on(int cpu, void *(*fn)(void *arg), struct session *s)
{
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ck_assert_int_eq(0, pthread_attr_init(&attr));
	ck_assert_int_eq(0, pthread_attr_setaffinity_np(&attr, sizeof(set),
							&set));
	ck_assert_int_eq(0, pthread_create(&thread, &attr, fn, s));
	pthread_attr_destroy(&attr);
	return thread;
}

/* ------------------------------------------------------------ its turns -- */

/*
 * There and back, so that what changes steadily is the same for all; and each
 * round begins with another, so that each comes after each.
 */
static unsigned int turn_of(unsigned int slot, unsigned int round)
{
	unsigned int i = slot < NR(turns) ? slot : ROUND_SLOTS - 1 - slot;

	return (i + round) % NR(turns);
}

static uint64_t ran_ns(const struct session *s)
{
	struct timespec ts;

	ck_assert_int_eq(0, clock_gettime(s->vcpu_clock, &ts));
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void take_slot(struct session *s, unsigned int turn)
{
	const struct timespec slot = clock_to_timespec(params.slot_ns);
	unsigned int hz = turns[turn].hz;
	uint64_t ns, ran, done;

	sampler_set_phase(s->sampler, turn);
	sampler_set_interval(s->sampler, hz ? NSEC_PER_SEC / hz : 0);
	done = __atomic_load_n(&s->guest->done, __ATOMIC_RELAXED);
	ran = ran_ns(s);
	ns = clock_now_ns();
	clock_nanosleep(CLOCK_MONOTONIC, 0, &slot, NULL);
	s->done[turn] += __atomic_load_n(&s->guest->done, __ATOMIC_RELAXED) -
			 done;
	s->took_ns[turn] += clock_now_ns() - ns;
	s->ran_ns[turn] += ran_ns(s) - ran;
}

static void take_round(struct session *s, unsigned int round)
{
	size_t i;

	memset(s->done, 0, sizeof(s->done));
	memset(s->took_ns, 0, sizeof(s->took_ns));
	memset(s->ran_ns, 0, sizeof(s->ran_ns));
	for (i = 0; i < ROUND_SLOTS; i++)
		take_slot(s, turn_of(i, round));
	for (i = 0; i < NR(turns); i++) {
		ck_assert_msg(s->done[i] > 0, "the guest stands still");
		printf("%u %s %.3f\n", round, turns[i].what,
		       s->done[i] * NSEC_PER_SEC / s->took_ns[i]);
		printf("%u cpu_%s %.3f\n", round, turns[i].what,
		       s->done[i] * NSEC_PER_SEC / s->ran_ns[i]);
	}
	fflush(stdout);
}

/* Was the rate kept, or is it another one that was measured? */
static void check_samples(const struct session *s)
{
	const struct sampler_phase *p = sampler_phase(s->sampler, FASTEST);
	uint64_t due = 2 * params.rounds * params.slot_ns *
		       turns[FASTEST].hz / NSEC_PER_SEC;

	ck_assert_uint_eq(0, p->failed);
	ck_assert_uint_gt(p->taken, 0);
	printf("0 taken %.1f\n", p->taken * 100. / due);
}

START_TEST(measure)
{
	struct session s = { .vcpu_fd = -1 };
	pthread_t vcpu, waker;
	unsigned int i;
	cpu_set_t set;

	s.asleep_fd = eventfd(0, EFD_CLOEXEC);
	s.wake_fd = eventfd(0, EFD_CLOEXEC);
	make_memory(&s);
	make_vcpu(&s);
	s.sampler = bench_image_sampler(s.ti, &image, 0, params.path);
	/* the sampler's thread is made by this one */
	CPU_ZERO(&set);
	CPU_SET(params.sampler_cpu, &set);
	ck_assert_int_eq(0, sched_setaffinity(0, sizeof(set), &set));
	ck_assert_int_eq(0, sampler_start(s.sampler));
	vcpu = start_on(params.guest_cpu, vcpu_main, &s);
	waker = start_on(params.guest_cpu, waker_main, &s);
	ck_assert_int_eq(0, pthread_getcpuclockid(vcpu, &s.vcpu_clock));

	for (i = 0; i < WARM_SLOTS; i++)
		take_slot(&s, i);
	for (i = 1; i <= params.rounds; i++)
		take_round(&s, i);

	sampler_stop(s.sampler);
	__atomic_store_n(&s.guest->stop, 1, __ATOMIC_RELAXED);
	pthread_join(vcpu, NULL);
	__atomic_store_n(&s.guest->stop, 2, __ATOMIC_RELAXED);
	tell(s.asleep_fd);
	pthread_join(waker, NULL);
	check_samples(&s);
	sampler_free(s.sampler);
	ti_free(s.ti);
}
END_TEST

static bool parse(int argc, char **argv)
{
	if (argc != 7 || (strcmp(argv[2], "spin") && strcmp(argv[2], "wake")))
		return false;
	params.path = argv[1];
	params.wake = !strcmp(argv[2], "wake");
	params.rounds = atoi(argv[3]);
	params.slot_ns = atoi(argv[4]) * NSEC_PER_MSEC;
	params.guest_cpu = atoi(argv[5]);
	params.sampler_cpu = atoi(argv[6]);
	return params.rounds && params.slot_ns;
}

int main(int argc, char **argv)
{
	TCase *t = tcase_create("slow");
	Suite *suite = suite_create("slow");
	SRunner *r = srunner_create(suite);
	int failed;

	if (!parse(argc, argv)) {
		fputs("usage: bench_slow FILE spin|wake ROUNDS SLOT-MS "
		      "GUEST-CPU SAMPLER-CPU\n", stderr);
		return 2;
	}
	/* The guest's maker is a test's; here it is no test of anything. */
	tcase_add_test(t, measure);
	suite_add_tcase(suite, t);
	srunner_set_fork_status(r, CK_NOFORK);
	srunner_run_all(r, CK_SILENT);
	failed = srunner_ntests_failed(r);
	if (failed)
		srunner_print(r, CK_NORMAL);
	srunner_free(r);
	return failed ? 1 : 0;
}
