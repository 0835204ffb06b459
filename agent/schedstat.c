// SPDX-License-Identifier: GPL-2.0-only
#include "agent/schedstat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/worker.h"

int schedstat_open(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int schedstat_parse(const char *text, struct worker_account *account)
{
	struct worker_account a;

	if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &a.cpu_time_ns,
		   &a.run_delay_ns, &a.run_count) != 3)
		return -EBADMSG;
	*account = a;
	return 0;
}

int schedstat_read(int fd, struct worker_account *account)
{
	char text[128];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	if (got < 0)
		return -errno;
	text[got] = '\0';
	return schedstat_parse(text, account);
}
