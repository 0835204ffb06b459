// SPDX-License-Identifier: GPL-2.0-only
#include "tools/bench_cpu.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

/* Source: proc_pid_stat(5): guest_time is the 43rd word, the name the 2nd. */
#define STAT_GUEST_TIME 43

static bool read_text(char *text, size_t len, pid_t pid, const char *tid,
		      const char *file)
{
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", pid, tid, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, len - 1, f);
	fclose(f);
	text[n] = '\0';
	return n > 0;
}

static bool is_vcpu(pid_t pid, const char *tid)
{
	char name[64];

	return read_text(name, sizeof(name), pid, tid, "comm") &&
	       (!strncmp(name, "vcpu", 4) || !strncmp(name, "CPU ", 4));
}

static uint64_t guest_ns(const char *stat)
{
	const char *p = strrchr(stat, ')');
	unsigned long long ticks = 0;
	int word;

	/* behind the name's bracket a space comes before each word */
	for (word = 2; p && word < STAT_GUEST_TIME; word++) {
		p = strchr(p, ' ');
		p += p != NULL;
	}
	if (!p || sscanf(p, "%llu", &ticks) != 1)
		return 0;
	return ticks * (NSEC_PER_SEC / sysconf(_SC_CLK_TCK));
}

/* A thread that has just ended is no error, and no vCPU's. */
static bool add_vcpu(struct bench_cpu *c, pid_t pid, const char *tid)
{
	unsigned long long ns;
	char text[1024];

	if (!is_vcpu(pid, tid) ||
	    !read_text(text, sizeof(text), pid, tid, "schedstat") ||
	    sscanf(text, "%llu", &ns) != 1)
		return false;
	c->vcpu_ns += ns;
	if (read_text(text, sizeof(text), pid, tid, "stat"))
		c->guest_ns += guest_ns(text);
	return true;
}

int bench_cpu_read(pid_t pid, struct bench_cpu *c)
{
	const struct dirent *e;
	unsigned int nr = 0;
	struct timespec ts;
	char path[64];
	clockid_t clock;
	DIR *dir;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	*c = (struct bench_cpu){ 0 };
	while ((e = readdir(dir)))
		nr += e->d_name[0] != '.' && add_vcpu(c, pid, e->d_name);
	closedir(dir);
	err = clock_getcpuclockid(pid, &clock);
	if (err)
		return -err;
	if (clock_gettime(clock, &ts))
		return -errno;
	c->process_ns = (uint64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
	return nr ? 0 : -ENOENT;
}

double bench_cpu_device_ns(const struct bench_cpu *from,
			   const struct bench_cpu *to)
{
	return (double)(to->process_ns - from->process_ns) -
	       (double)(to->vcpu_ns - from->vcpu_ns);
}

double bench_cpu_host_ns(const struct bench_cpu *from,
			 const struct bench_cpu *to)
{
	return (double)(to->process_ns - from->process_ns) -
	       (double)(to->guest_ns - from->guest_ns);
}
