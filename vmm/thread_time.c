// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/thread_time.h"

#include "lib/clock.h"
#include "vmm/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_own(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/%s",
		 syscall(SYS_gettid), name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void thread_time_open(struct thread_time *t)
{
	/* Opened once: a reading is then one pread by anybody. */
	t->schedstat_fd = open_own("schedstat");
	t->stat_fd = open_own("stat");
	if (pthread_getcpuclockid(pthread_self(), &t->clock))
		thread_time_close(t);
}

void thread_time_close(struct thread_time *t)
{
	if (t->schedstat_fd >= 0)
		close(t->schedstat_fd);
	if (t->stat_fd >= 0)
		close(t->stat_fd);
	t->schedstat_fd = t->stat_fd = -1;
}

static int read_text(int fd, char *text, size_t len)
{
	ssize_t n = pread(fd, text, len - 1, 0);

	if (n <= 0)
		return n ? -errno : -EBADMSG;
	text[n] = '\0';
	return 0;
}

static int read_schedstat(int fd, struct vm_thread_time *now)
{
	unsigned long long run, wait;
	char text[96];
	int err = read_text(fd, text, sizeof(text));

	if (err)
		return err;
	if (sscanf(text, "%llu %llu", &run, &wait) != 2)
		return -EBADMSG;
	/* Who reads this has run: a kernel that does not count shows zeroes. */
	if (!run)
		return -ENOTSUP;
	now->run_ns = run;
	now->wait_ns = wait;
	return 0;
}

/* "PID (NAME) STATE ...", and a name may have any of these in it. */
static int read_state(int fd, struct vm_thread_time *now)
{
	char text[128];
	int err = read_text(fd, text, sizeof(text));
	const char *at = err ? NULL : strrchr(text, ')');

	if (err)
		return err;
	if (!at || at[1] != ' ' || !at[2])
		return -EBADMSG;
	now->runnable = at[2] == 'R';
	return 0;
}

int thread_time_read(const struct thread_time *t, struct vm_thread_time *now)
{
	struct vm_thread_time n = { .from_ns = clock_now_ns() };
	struct timespec run;
	int err;

	if (t->schedstat_fd < 0 || t->stat_fd < 0)
		return -ENOTSUP;
	/* schedstat is as old as the last tick; to ask this clock renews it. */
	if (clock_gettime(t->clock, &run))
		return errno == EINVAL ? -ESRCH : -errno;
	err = read_schedstat(t->schedstat_fd, &n);
	if (!err)
		err = read_state(t->stat_fd, &n);
	if (err)
		return err;
	n.to_ns = clock_now_ns();
	*now = n;
	return 0;
}
