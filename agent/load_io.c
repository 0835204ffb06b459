// SPDX-License-Identifier: GPL-2.0-only
#include "agent/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"

#define SECTOR_BYTES 512
#define BUF_ALIGN 4096
#define ERROR_PAUSE_NS NSEC_PER_MSEC	/* a broken disk must not cost a CPU */

static int io_alloc(struct load *l, uint64_t bytes)
{
	int err = posix_memalign(&l->buf, BUF_ALIGN, bytes);

	return err ? load_fail(l, "alloc buffer", -err) : 0;
}

/*
 * One pread() or pwrite() has returned. An error is no progress: a worker on a
 * broken disk is to look stuck, not busy.
 */
static struct ktstr_cell *io_done(struct load *l, ssize_t moved, uint64_t want,
				  uint64_t submit_ns, uint32_t gen)
{
	const struct timespec pause = { .tv_nsec = ERROR_PAUSE_NS };

	if (moved == (ssize_t)want)
		return stamp_io(&l->stamp, submit_ns, gen, moved);
	if (moved >= 0 || errno != EINTR) {
		stamp_io_error(&l->stamp);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

enum { READ_BLOCK_BYTES, READ_DEPTH };

static const struct load_param rand_read_params[] = {
	[READ_BLOCK_BYTES] = { "block_bytes", 4096, SECTOR_BYTES, 1 << 20 },
	[READ_DEPTH] = { "depth", 1, 1, 1 },	/* more needs io_uring */
	{ 0 },
};

static int block_check(const uint64_t *param, char *err_msg, size_t err_len)
{
	if (param[READ_BLOCK_BYTES] % SECTOR_BYTES == 0)
		return 0;
	snprintf(err_msg, err_len, "block_bytes is %" PRIu64
		 ", not a multiple of %d", param[READ_BLOCK_BYTES],
		 SECTOR_BYTES);
	return -EINVAL;
}

static int rand_read_setup(struct load *l)
{
	if (l->disk_bytes < l->param[READ_BLOCK_BYTES])
		return load_fail(l, "disk below one block", -ENOSPC);
	return io_alloc(l, l->param[READ_BLOCK_BYTES]);
}

static int rand_read_run(struct load *l)
{
	uint64_t block_bytes = l->param[READ_BLOCK_BYTES];
	uint64_t blocks = l->disk_bytes / block_bytes;
	uint64_t submit_ns, offset;
	uint32_t gen;
	ssize_t moved;

	while (!load_stopping(l)) {
		offset = rng_below(&l->rng, blocks) * block_bytes;
		gen = stamp_freeze_gen(&l->stamp);
		submit_ns = clock_now_ns();
		moved = pread(l->disk_fd, l->buf, block_bytes, offset);
		stamp_iteration(io_done(l, moved, block_bytes, submit_ns, gen));
	}
	return 0;
}

const struct load_kind load_kind_io_rand_read = {
	.name = "io_rand_read",
	.params = rand_read_params,
	.disk = LOAD_DISK_READ,
	.group = 1,
	.check = block_check,
	.setup = rand_read_setup,
	.run = rand_read_run,
};
