// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tools/bench.d/disk: the load, /init of a guest that knows neither ktstr
 * nor QEMU. Reads /jobs, a line for each:
 *
 *   NAME DISK BLOCK DEPTH MS TIMES random|sequential
 *
 * reads blocks of so many bytes from the disk of that serial, O_DIRECT, DEPTH
 * of them on their way at any time, for so long and so often, with a pause
 * before each. On the console, lines that tools/bench_disk.c reads:
 *
 *   b NAME TIME		from here on
 *   e NAME TIME		to here
 *   n NAME TIME WHAT NUMBER	what came of it, by the guest's clock
 *   end			of all
 *   fail TEXT			and nothing more will come
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <linux/fs.h>
#include <termios.h>
#include <unistd.h>

#include "agent/module.h"
#include "lib/clock.h"

#define DEPTH_MAX 64
#define SECONDS_MAX 64
#define HUGE_PAGE (2u << 20)
/* A limiter's burst is saved up again, and the console is quiet. */
#define PAUSE_NS (300 * NSEC_PER_MSEC)
#define DISK_WAIT_NS (10 * NSEC_PER_SEC)

struct job {
	char name[32], disk[32];
	unsigned int block, depth, ms, times;
	bool random;
};

struct run {
	const struct job *job;
	int fd;
	uint64_t blocks;	/* of the disk */
	uint64_t next, rng;
	char *buf;		/* DEPTH blocks */
	aio_context_t ctx;
	struct iocb cb[DEPTH_MAX];
	struct io_event events[DEPTH_MAX];

	uint64_t start_ns, last_ns;
	uint64_t total, gap_ns;
	uint64_t second[SECONDS_MAX];
};

/* Nobody could do anything with our exit status: the kernel would panic. */
__attribute__((format(printf, 1, 2)))
static _Noreturn void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("fail ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	for (;;)
		pause();
}

static bool serial_is(const char *dev, const char *serial)
{
	char path[300], text[64] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/serial", dev);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, serial);
}

static int open_disk_now(const char *serial)
{
	DIR *dir = opendir("/sys/block");
	const struct dirent *e;
	char path[300] = "";

	while (dir && !*path && (e = readdir(dir)))
		if (serial_is(e->d_name, serial))
			snprintf(path, sizeof(path), "/dev/%s", e->d_name);
	if (dir)
		closedir(dir);
	return *path ? open(path, O_RDONLY | O_DIRECT | O_CLOEXEC) : -1;
}

/* A driver may still be at it when its module is loaded. */
static int open_disk(const char *serial)
{
	const struct timespec wait = { .tv_nsec = 20 * NSEC_PER_MSEC };
	uint64_t until_ns = clock_now_ns() + DISK_WAIT_NS;
	int fd;

	while ((fd = open_disk_now(serial)) < 0) {
		if (clock_now_ns() > until_ns)
			fail("no disk has the serial %s", serial);
		nanosleep(&wait, NULL);
	}
	return fd;
}

/* Whole huge pages: a block of a mebibyte is then one piece of memory. */
static char *alloc_blocks(size_t bytes)
{
	size_t len = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	char *p = mmap(NULL, len + HUGE_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("%zu bytes: %s", len, strerror(errno));
	p += HUGE_PAGE - (uintptr_t)p % HUGE_PAGE;
	madvise(p, len, MADV_HUGEPAGE);
	memset(p, 1, len);
	return p;
}

static uint64_t next_block(struct run *r)
{
	if (!r->job->random)
		return r->next++ % r->blocks;
	r->rng ^= r->rng << 13;
	r->rng ^= r->rng >> 7;
	r->rng ^= r->rng << 17;
	return r->rng % r->blocks;
}

static void aim(struct run *r, unsigned int slot)
{
	const struct job *job = r->job;

	r->cb[slot] = (struct iocb){
		.aio_data = slot,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = r->fd,
		.aio_buf = (uintptr_t)(r->buf + (size_t)slot * job->block),
		.aio_nbytes = job->block,
		.aio_offset = next_block(r) * job->block,
	};
}

static void submit(struct run *r, struct iocb **list, unsigned int nr)
{
	long done;

	while (nr) {
		done = syscall(SYS_io_submit, r->ctx, (long)nr, list);
		if (done <= 0)
			fail("%s: submit: %s", r->job->name, strerror(errno));
		list += done;
		nr -= done;
	}
}

static long reap(struct run *r)
{
	long i, n;

	do
		n = syscall(SYS_io_getevents, r->ctx, 1L, (long)r->job->depth,
			    r->events, NULL);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		fail("%s: wait: %s", r->job->name, strerror(errno));
	for (i = 0; i < n; i++)
		if (r->events[i].res != r->job->block)
			fail("%s: a read of %u gave %lld", r->job->name,
			     r->job->block, (long long)r->events[i].res);
	return n;
}

/* @n are done now. A gap counts while more of them are kept on their way. */
static void account(struct run *r, uint64_t now_ns, uint64_t end_ns, long n)
{
	uint64_t second = (now_ns - r->start_ns) / NSEC_PER_SEC;

	r->total += n;
	if (second < SECONDS_MAX)
		r->second[second] += n;
	if (now_ns < end_ns && now_ns - r->last_ns > r->gap_ns)
		r->gap_ns = now_ns - r->last_ns;
	r->last_ns = now_ns;
}

static void keep_busy(struct run *r)
{
	struct iocb *list[DEPTH_MAX];
	unsigned int in_flight, i;
	uint64_t end_ns, now_ns;
	long n;

	for (i = 0; i < r->job->depth; i++) {
		aim(r, i);
		list[i] = &r->cb[i];
	}
	r->start_ns = clock_now_ns();
	r->last_ns = r->start_ns;
	end_ns = r->start_ns + r->job->ms * NSEC_PER_MSEC;
	submit(r, list, i);
	for (in_flight = i; in_flight; in_flight -= n) {
		n = reap(r);
		now_ns = clock_now_ns();
		account(r, now_ns, end_ns, n);
		if (now_ns >= end_ns)
			continue;
		for (i = 0; i < n; i++) {
			unsigned int slot = r->events[i].data;

			aim(r, slot);
			list[i] = &r->cb[slot];
		}
		submit(r, list, n);
		in_flight += n;
	}
}

static void say(const struct run *r, unsigned int time, const char *what,
		uint64_t n)
{
	printf("n %s %u %s %" PRIu64 "\n", r->job->name, time, what, n);
}

static void mark(const struct run *r, char c, unsigned int time)
{
	printf("%c %s %u\n", c, r->job->name, time);
	/* before the next request, and not while it runs */
	tcdrain(STDOUT_FILENO);
}

static void run_once(struct run *r, unsigned int time)
{
	const struct timespec wait = clock_to_timespec(PAUSE_NS);
	char what[32];
	unsigned int i;

	r->total = 0;
	r->gap_ns = 0;
	memset(r->second, 0, sizeof(r->second));
	nanosleep(&wait, NULL);
	mark(r, 'b', time);
	keep_busy(r);
	mark(r, 'e', time);
	say(r, time, "requests", r->total);
	say(r, time, "took_ns", r->last_ns - r->start_ns);
	say(r, time, "gap_ns", r->gap_ns);
	for (i = 0; i < r->job->ms / 1000 && i < SECONDS_MAX; i++) {
		snprintf(what, sizeof(what), "second%u", i);
		say(r, time, what, r->second[i]);
	}
}

static void run_job(const struct job *job)
{
	struct run r = { .job = job, .rng = 0x9e3779b97f4a7c15 };
	uint64_t bytes;
	unsigned int i;

	r.fd = open_disk(job->disk);
	if (ioctl(r.fd, BLKGETSIZE64, &bytes))
		fail("%s: size: %s", job->disk, strerror(errno));
	r.blocks = bytes / job->block;
	r.buf = alloc_blocks((size_t)job->block * job->depth);
	if (syscall(SYS_io_setup, (long)job->depth, &r.ctx))
		fail("%s: set up: %s", job->name, strerror(errno));
	for (i = 1; i <= job->times; i++)
		run_once(&r, i);
	syscall(SYS_io_destroy, r.ctx);
	close(r.fd);
}

static bool read_job(FILE *f, struct job *job)
{
	char order[16];

	if (fscanf(f, "%31s %31s %u %u %u %u %15s", job->name, job->disk,
		   &job->block, &job->depth, &job->ms, &job->times,
		   order) != 7)
		return false;
	job->random = !strcmp(order, "random");
	if (!job->block || !job->depth || job->depth > DEPTH_MAX)
		fail("/jobs: %s can't be done", job->name);
	return true;
}

static void set_up(void)
{
	static const char *const mounts[] = { "proc", "sysfs", "devtmpfs" };
	static const char *const dirs[] = { "/proc", "/sys", "/dev" };
	char why[256] = "";
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < 3; i++) {
		mkdir(dirs[i], 0755);
		if (mount(mounts[i], dirs[i], mounts[i], 0, NULL) &&
		    errno != EBUSY)
			fail("mount %s: %s", dirs[i], strerror(errno));
	}
	if (module_load_all(MODULE_DIR, why, sizeof(why)))
		fail("%s", why);
}

int main(void)
{
	struct job job;
	FILE *f;

	set_up();
	f = fopen("/jobs", "re");
	if (!f)
		fail("/jobs: %s", strerror(errno));
	while (read_job(f, &job))
		run_job(&job);
	printf("end\n");
	for (;;)
		pause();
}
