// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the host CPU from a vCPU: for vm_steal.sh, on the host of the VM, which
 * may be an emulated one. Waits until a ktstr VM has been frozen for a look, as
 * its scenario asks early in its phase, binds the thread of vCPU 1 to a CPU and
 * all others of that process to the rest, and runs there as SCHED_FIFO. Says
 * what it did.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000ll
#define UNTHROTTLED_MS 900

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * NS_PER_MS + ts.tv_nsec;
}

static void sleep_ms(long ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * NS_PER_MS };

	nanosleep(&ts, NULL);
}

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("hog: ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	exit(1);
}

/* All of a small file in /proc; false: it is not there. */
static bool slurp(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, len - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	if (n > 0)	/* arguments, a line */
		for (ssize_t i = 0; i < n; i++)
			if (text[i] == '\n')
				text[i] = '\0';
	return n > 0;
}

/* The next number in a folder of /proc; 0: no more. */
static int next_id(DIR *dir)
{
	struct dirent *d;
	int id;

	while ((d = readdir(dir))) {
		id = atoi(d->d_name);
		if (id > 0)
			return id;
	}
	return 0;
}

static int thread_named(int pid, const char *name)
{
	char path[64], comm[32];
	int tid = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (tid = next_id(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
		if (slurp(path, comm, sizeof(comm)) && !strcmp(comm, name))
			break;
	}
	if (dir)
		closedir(dir);
	return tid;
}

/*
 * "ktstr __vm [OPTION...] IN OUT": its looks. In the emulated host the paths are
 * below where it runs. @below: only of a run in there; "": any.
 */
static bool looks_of(int pid, const char *below, char *path, size_t len)
{
	char name[64], args[4096], *last = NULL, *p;

	snprintf(name, sizeof(name), "/proc/%d/cmdline", pid);
	memset(args, 0, sizeof(args));
	if (!slurp(name, args, sizeof(args)) ||
	    strcmp(args + strlen(args) + 1, "__vm"))
		return false;
	for (p = args; p < args + sizeof(args) && *p; p += strlen(p) + 1)
		last = p;
	if (strncmp(last, below, strlen(below)))
		return false;
	if (*last == '/')
		snprintf(path, len, "%s/looks.jsonl", last);
	else
		snprintf(path, len, "/proc/%d/cwd/%s/looks.jsonl", pid, last);
	return true;
}

static int find_vm(const char *below, char *looks, size_t len)
{
	DIR *dir = opendir("/proc");
	int pid = 0;

	while (dir && (pid = next_id(dir)))
		if (looks_of(pid, below, looks, len) &&
		    thread_named(pid, "vcpu1"))
			break;
	if (dir)
		closedir(dir);
	return pid;
}

static void bind_to(int tid, const cpu_set_t *cpus)
{
	if (sched_setaffinity(tid, sizeof(*cpus), cpus))
		die("thread %d can't be bound: %m", tid);
}

/* Return: the CPU that is vCPU 1's alone, and will be ours. */
static int place(int pid, int victim)
{
	cpu_set_t rest, one;
	int cpu = CPU_SETSIZE - 1, tid;
	char path[64];
	DIR *dir;

	if (sched_getaffinity(victim, sizeof(rest), &rest))
		die("CPUs of thread %d: %m", victim);
	if (CPU_COUNT(&rest) < 2)
		die("the VM has one CPU, and needs two");
	while (!CPU_ISSET(cpu, &rest))
		cpu--;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CPU_CLR(cpu, &rest);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		die("%s: %m", path);
	while ((tid = next_id(dir)))
		bind_to(tid, tid == victim ? &one : &rest);
	closedir(dir);
	bind_to(0, &one);
	return cpu;
}

static long long waited_ns(int pid, int tid)
{
	long long run, wait;
	char path[64], text[96];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	if (!slurp(path, text, sizeof(text)) ||
	    sscanf(text, "%lld %lld", &run, &wait) != 2)
		return 0;
	return wait;
}

/*
 * The kernel leaves a twentieth of each second to others, which a longer theft
 * would be interrupted by. One knob is of kernels since 6.12, one of those
 * before; who has neither has nothing to turn off.
 */
struct knob {
	char path[96], was[32], off[8];
};

static void knob_turn(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		die("%s to %s: %m", value, path);
	close(fd);
}

static void knobs_off(struct knob knobs[2], int cpu)
{
	const char *debug = "/sys/kernel/debug";

	if (access("/sys/kernel/debug/sched", F_OK))
		mount("debugfs", debug, "debugfs", 0, NULL);
	snprintf(knobs[0].path, sizeof(knobs[0].path),
		 "%s/sched/fair_server/cpu%d/runtime", debug, cpu);
	strcpy(knobs[0].off, "0");
	strcpy(knobs[1].path, "/proc/sys/kernel/sched_rt_runtime_us");
	strcpy(knobs[1].off, "-1");
	for (int i = 0; i < 2; i++)
		if (slurp(knobs[i].path, knobs[i].was, sizeof(knobs[i].was)))
			knob_turn(knobs[i].path, knobs[i].off);
}

static void knobs_restore(const struct knob knobs[2])
{
	for (int i = 0; i < 2; i++)
		if (*knobs[i].was)
			knob_turn(knobs[i].path, knobs[i].was);
}

static void hog(long ms)
{
	const struct sched_param fifo = { .sched_priority = 1 };
	const struct sched_param none = { 0 };
	long long end_ns;

	mlockall(MCL_CURRENT);
	if (sched_setscheduler(0, SCHED_FIFO, &fifo))
		die("no SCHED_FIFO: %m");
	end_ns = now_ns() + ms * NS_PER_MS;
	while (now_ns() < end_ns)
		;
	sched_setscheduler(0, SCHED_OTHER, &none);
}

int main(int argc, char **argv)
{
	int pid = 0, victim = 0, cpu;
	long long deadline_ns, begin_ns, before_ns;
	struct knob knobs[2] = { 0 };
	char looks[4400] = "";
	const char *below;
	long ms;

	if (argc != 4)
		die("usage: %s MS SECONDS_TO_WAIT BELOW", argv[0]);
	ms = atol(argv[1]);
	deadline_ns = now_ns() + atol(argv[2]) * 1000 * NS_PER_MS;
	below = argv[3];
	while (!(pid = find_vm(below, looks, sizeof(looks))) ||
	       access(looks, F_OK)) {
		if (now_ns() > deadline_ns)
			die("no VM came to its first look");
		sleep_ms(100);
	}
	victim = thread_named(pid, "vcpu1");
	cpu = place(pid, victim);
	sleep_ms(300); /* so that the worker gets on before */
	before_ns = waited_ns(pid, victim);
	if (ms > UNTHROTTLED_MS)
		knobs_off(knobs, cpu);
	begin_ns = now_ns();
	hog(ms);
	begin_ns = now_ns() - begin_ns;
	knobs_restore(knobs);
	/* its wait is counted when it is over */
	sleep_ms(100);
	printf("hogged CPU %d for %lld ms; vCPU 1 waited %lld ms\n", cpu,
	       begin_ns / NS_PER_MS,
	       (waited_ns(pid, victim) - before_ns) / NS_PER_MS);
	return 0;
}
