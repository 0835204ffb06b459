/* SPDX-License-Identifier: GPL-2.0-only */
/* What a thread has had of the host's CPUs, as the host's kernel counts it. */
#ifndef KTSTR_VMM_THREAD_TIME_H
#define KTSTR_VMM_THREAD_TIME_H

#include <time.h>

struct vm_thread_time;

struct thread_time {
	int schedstat_fd, stat_fd;	/* owned; -1: none */
	clockid_t clock;		/* of its CPU time */
};

/**
 * thread_time_open() - of the calling thread
 *
 * What the host does not have is missing in thread_time_read().
 */
void thread_time_open(struct thread_time *t);

/** thread_time_close() - by any thread; twice is fine */
void thread_time_close(struct thread_time *t);

/**
 * thread_time_read() - by any thread
 *
 * Three system calls, none of which blocks.
 *
 * Return: 0; -ENOTSUP: this kernel counts nothing of that; -ESRCH: the thread
 * has ended; -EBADMSG: it says something else than it should; -errno.
 */
int thread_time_read(const struct thread_time *t, struct vm_thread_time *now);

#endif
