// SPDX-License-Identifier: GPL-2.0-only
#include "selftests/emu_inside.h"

#include <linux/kvm.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return 1;
	fputs(text, f);
	return fclose(f) != 0;
}

/* Says what a job sees of its place. */
static int job_look(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	cpu_set_t cpus;
	struct stat st;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	printf("kvm %d\n", kvm < 0 ? -1 : ioctl(kvm, KVM_GET_API_VERSION, 0));
	printf("cpu0 %d cpus %d\n", !!CPU_ISSET(0, &cpus), CPU_COUNT(&cpus));
	printf("arg %s env %s\n", argc > 3 ? argv[3] : "", getenv("WORD"));
	if (!stat("in/big", &st))
		printf("big %ld links %d\n", (long)st.st_size,
		       st.st_nlink > 1);
	fprintf(stderr, "this is stderr\n");
	return 42;
}

static int job_out(int argc, char **argv)
{
	char *big = malloc(EMU_BIG_BYTES + 1);

	if (!big || mkdir("out/deep", 0755))
		return 1;
	memset(big, 'b', EMU_BIG_BYTES);
	big[EMU_BIG_BYTES] = '\0';
	return put("out/deep/big", big) || put("out/small", "small\n") ||
	       put("out/empty", "");
}

static volatile sig_atomic_t got;

static void on_int(int signo)
{
	got = signo;
}

static int job_signal(int argc, char **argv)
{
	signal(SIGINT, on_int);
	puts("waiting");
	fflush(stdout);
	while (!got)
		usleep(10000);
	put("out/small", "interrupted\n");
	return 3;
}

/* Leaves a process behind that only the machine can end. */
static int job_linger(int argc, char **argv)
{
	put("out/small", "lingering\n");
	if (!fork())
		setsid();
	else
		puts("waiting");
	fflush(stdout);
	while (pause())
		;
	return 0;
}

/* How many processes run this program: one, if nothing was left behind. */
static int job_count(int argc, char **argv)
{
	int n = 0;

	for (int pid = 1; pid < 10000; pid++) {
		char path[64], cmd[256] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, cmd, sizeof(cmd) - 1) > 0 &&
		    !strcmp(cmd, argv[0]))
			n++;
		close(fd);
	}
	printf("processes %d\n", n);
	return 0;
}

static int job_segv(int argc, char **argv)
{
	raise(SIGSEGV);
	return 0;
}

static int job_panic(int argc, char **argv)
{
	return put("/proc/sysrq-trigger", "c");
}

static const struct job {
	const char *name;
	int (*run)(int argc, char **argv);
} jobs[] = {
	{ "look", job_look },	  { "out", job_out },
	{ "signal", job_signal }, { "linger", job_linger },
	{ "count", job_count },	  { "segv", job_segv },
	{ "panic", job_panic },
};

int emu_inside(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (argc > 2 && !strcmp(argv[2], jobs[i].name))
			return jobs[i].run(argc, argv);
	return 99;
}
